// SPDX-License-Identifier: Apache-2.0

// Waits that end: each fails with what was awaited after a bound, which only ends hangs and tests no speed.

import { setTimeout as pause } from 'node:timers/promises';

/**
 * How long to wait for an event that should happen soon, in milliseconds. This limit only ends hangs; it does not test
 * speed.
 */
export const TIMEOUT = 300_000;
/** How long a program may run and a transfer take, in milliseconds: those of `scripts/test --all` may do so for long. */
export const RUN = process.env.ISTHMUS_LONG === '1' ? 7_200_000 : 480_000;
/** How often to poll for changes that no subscription reports, in milliseconds. */
const POLL_INTERVAL = 100;

/** An awaited event did not happen in time. */
export class TimedOut extends Error {
	name = 'TimedOut';
}

/**
 * Waits for a promise. If it is not settled in time, fails with what was awaited, and with what `state` returns then.
 *
 * @template T
 * @param {string} what
 * @param {Promise<T>} promise
 * @param {number} [limit] How long to wait, in milliseconds.
 * @param {() => string} [state]
 * @returns {Promise<T>}
 */
export async function within(what, promise, limit = TIMEOUT, state = () => '') {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new TimedOut(`not within ${limit / 1000} s: ${what}${state()}`)), limit);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** Calls `probe` until its result is truthy, and returns the result. Use this for changes that no event reports. */
export async function until(what, probe, limit = TIMEOUT) {
	const answered = async () => {
		for (;;) {
			const answer = await probe();
			if (answer || isLate) return answer;
			await pause(POLL_INTERVAL);
		}
	};
	let isLate = false;
	try {
		return await within(what, answered(), limit);
	} finally {
		isLate = true;
	}
}
