// SPDX-License-Identifier: Apache-2.0

// Chains made to measure, faster than any miner would: by the test program `isthmus-adversary`, whose timestamps are
// made too. Every block keeps every rule.

import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';

/** How long a chain may take to make, in milliseconds. */
const PATIENCE = 300_000;

/** The program: the one that $ISTHMUS_ADVERSARY names, or the one beside the node's. */
function binary() {
	const { ISTHMUS_ADVERSARY, ISTHMUS_NODE } = process.env;
	if (ISTHMUS_ADVERSARY) return ISTHMUS_ADVERSARY;
	if (ISTHMUS_NODE) return join(dirname(ISTHMUS_NODE), 'isthmus-adversary');
	throw new Error('set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it)');
}

/**
 * Makes a chain in the database of a node that does not run.
 *
 * @param {string} spec The file of the chain's specification.
 * @param {string} basePath The node's folder.
 * @param {object} order
 * @param {number} order.blocks The length of its best chain.
 * @param {number} order.interval Seconds from a block's timestamp to the next one's.
 * @param {number} [order.forkEvery] A fork leaves the best chain every so many blocks; 0 for none.
 * @param {number} [order.seed] Decides how long each fork is.
 * @returns {Promise<object>} What the program tells of the chain: `best`, `totalDifficulty`, `forks`, `uncles`.
 */
export function makeChain(spec, basePath, { blocks, interval, forkEvery = 0, seed = 1 }) {
	const options = { blocks, interval, seed, 'fork-every': forkEvery };
	const args = ['make-chain', '--chain', spec, '--base-path', basePath];
	for (const [name, value] of Object.entries(options)) args.push(`--${name}`, String(value));
	return new Promise((resolve, reject) => {
		execFile(binary(), args, { timeout: PATIENCE }, (error, stdout, stderr) => {
			if (error) reject(new Error(`isthmus-adversary ${args.join(' ')}: ${error.message}\n${stderr}`));
			else resolve(JSON.parse(stdout));
		});
	});
}
