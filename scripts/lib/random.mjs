// SPDX-License-Identifier: Apache-2.0

// Random numbers that are the same for the same seed.

/**
 * Returns a generator of whole numbers from 0 to `below` - 1, the same for the same seed (mulberry32).
 *
 * @param {number} seed
 * @returns {(below: number) => number}
 */
export function randomNumbers(seed) {
	let state = seed;
	return (below) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
	};
}
