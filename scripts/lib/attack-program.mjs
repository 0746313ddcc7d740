// SPDX-License-Identifier: Apache-2.0

// The project's programs, run to their end: where they are, and what they print. And attacks one after the other.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { checked } from './attack-report.mjs';

/** The path of one of the project's programs: $ISTHMUS_NODE, and those beside it. */
export function program(name) {
	const node = process.env.ISTHMUS_NODE;
	if (!node) throw new Error('set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it)');
	return name === 'isthmus-node' ? node : join(dirname(node), name);
}

/** An attack that could not be carried out: whether a defence holds is not known. */
export class NotCarriedOut extends Error {
	name = 'NotCarriedOut';
}

/**
 * Runs isthmus-adversary, and gives each line of its output as the JSON that it is.
 *
 * @param {string[]} args
 * @param {number} timeout After how many milliseconds it is ended.
 * @param {(line: object) => void} [told] Is given each line as soon as it is there.
 * @throws {NotCarriedOut} if it ends in another way than with what came of the attack.
 */
export async function adversary(args, timeout, told = () => {}) {
	const child = spawn(program('isthmus-adversary'), args, { stdio: ['ignore', 'pipe', 'pipe'], timeout });
	let said = '';
	child.stderr.on('data', (text) => (said += text));
	const ended = new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code, signal) => resolve(signal ?? code));
	});
	ended.catch(() => undefined);
	const lines = [];
	for await (const line of createInterface({ input: child.stdout })) {
		lines.push(JSON.parse(line));
		told(lines.at(-1));
	}
	const end = await ended;
	// 0: the node did all that it must; 1: it did not, and the lines say where.
	if (end !== 0 && end !== 1) {
		throw new NotCarriedOut(`isthmus-adversary ${args[0]} ended with ${end}: ${said.trim()}`);
	}
	return lines;
}

/**
 * Carries out attacks, one after the other, and says on stderr what came of each and how long it took. One that
 * cannot be carried out keeps none of the others from it.
 *
 * @param {[string, (tell: (outcome: import('./attack-report.mjs').Outcome) => void) => Promise<void>][]} attacks
 *   Each with its name.
 * @returns {Promise<{outcomes: import('./attack-report.mjs').Outcome[], failed: string[]}>} All that was told, and
 *   the names of those that were not carried out to their end.
 */
export async function carryOut(attacks, say = console.error) {
	const [outcomes, failed] = [[], []];
	const began = performance.now();
	const since = (when) => `${((performance.now() - when) / 1000).toFixed(0)} s`.padStart(6);
	for (const [name, attack] of attacks) {
		const start = performance.now();
		let last = start;
		const tell = (outcome) => {
			outcomes.push(checked(outcome));
			say(`${since(last)}  ${outcome.held ? 'held    ' : 'NOT HELD'}  ${outcome.title}`);
			last = performance.now();
		};
		try {
			await attack(tell);
		} catch (error) {
			failed.push(name);
			say(`        not carried out: ${error.stack ?? error}`);
		}
		say(`${since(start)}  in all   ${name}`);
	}
	say(`${since(began)}  in all`);
	return { outcomes, failed };
}
