// SPDX-License-Identifier: Apache-2.0

// Makes valid chains for tests. This is faster than mining, because the test program `isthmus-adversary` chooses the
// blocks' timestamps instead of waiting.

import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';

/** How long making a chain may take by default, in milliseconds. */
const TIMEOUT = 600_000;

/** Returns the program's path: $ISTHMUS_ADVERSARY, or `isthmus-adversary` beside the node's program. */
function adversaryPath() {
	const { ISTHMUS_ADVERSARY, ISTHMUS_NODE } = process.env;
	if (ISTHMUS_ADVERSARY) return ISTHMUS_ADVERSARY;
	if (ISTHMUS_NODE) return join(dirname(ISTHMUS_NODE), 'isthmus-adversary');
	throw new Error('set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it)');
}

/**
 * Makes a chain in the database of a node that is not running.
 *
 * @param {string} spec The chain specification file.
 * @param {string} basePath The node's folder.
 * @param {object} order
 * @param {number} order.blocks The length of its best chain.
 * @param {number} order.interval The time between the timestamps of two consecutive blocks, in seconds.
 * @param {number} [order.forkEvery] Start a fork every `forkEvery` blocks; 0 for no forks.
 * @param {number} [order.seed] Determines the length of each fork.
 * @param {number} [order.bodyBytes] The number of bytes of transactions in each block of the best chain.
 * @param {number} [order.finalizeEvery] Finalize the best chain each time it has grown by this number of blocks; 0 for
 * never. Alice must be the chain's only verifier.
 * @param {number} [order.changeEvery] Change Alice's vote key each time the best chain has grown by this number of blocks; 0
 * for never. Two sessions later a new set of voters begins.
 * @param {number} [order.timeout] How long that may take, in milliseconds.
 * @returns {Promise<object>} The program's summary of the chain: `best`, `totalDifficulty`, `forks`, `uncles`,
 * `changes`.
 */
export function makeChain(spec, basePath, order) {
	const { blocks, interval, forkEvery = 0, seed = 1, bodyBytes = 0, timeout = TIMEOUT } = order;
	const options = {
		...{ blocks, interval, seed, 'fork-every': forkEvery, 'body-bytes': bodyBytes },
		...{ 'finalize-every': order.finalizeEvery ?? 0, 'change-every': order.changeEvery ?? 0 },
	};
	const args = ['make-chain', '--chain', spec, '--base-path', basePath];
	for (const [name, value] of Object.entries(options)) args.push(`--${name}`, String(value));
	return new Promise((resolve, reject) => {
		execFile(adversaryPath(), args, { timeout }, (error, stdout, stderr) => {
			if (error) reject(new Error(`isthmus-adversary ${args.join(' ')}: ${error.message}\n${stderr}`));
			else resolve(JSON.parse(stdout));
		});
	});
}
