// SPDX-License-Identifier: Apache-2.0

// Reads which leaves are asked for.

import { LeavesSyntaxError } from './errors.mjs';

/** The number of leaves of an epoch. */
const LEAVES = 2n ** 32n;
const NUMBER = /^[0-9]*$/;
const EMPTY = /^\p{White_Space}*$/u;

/**
 * Leaves that are asked for: by `numbers`, from the first one to one past the last; or by names or dates, both included.
 *
 * @typedef {{numbers: true, from: number, to: number} | {numbers: false, from: string, to: string}} Leaves
 */

/**
 * Reads leaves: `0..12`, `2026-03..2026-05`, or one name, which stands for itself.
 *
 * @param {string} text
 * @returns {Leaves}
 * @throws {LeavesSyntaxError}
 */
export function parseLeaves(text) {
	const dots = text.indexOf('..');
	const [from, to] = dots < 0 ? [text, text] : [text.slice(0, dots), text.slice(dots + 2)];
	const isName = (part) => !EMPTY.test(part) && !part.includes('..') && !part.startsWith('.');
	if (!isName(from) || !isName(to)) throw new LeavesSyntaxError();
	if (!NUMBER.test(from) || !NUMBER.test(to)) return { numbers: false, from, to };
	if (dots < 0 || BigInt(from) >= BigInt(to) || BigInt(to) > LEAVES) throw new LeavesSyntaxError();
	return { numbers: true, from: Number(from), to: Number(to) };
}
