// SPDX-License-Identifier: Apache-2.0

// Reads the paper's header fields from the digest of a JSON-RPC header, where `primitives/src/digest.rs` encodes them.

import { until } from './rpc.mjs';

/** The first bytes of a pre-runtime item (SCALE variant 6) of the `pow_` engine. */
const PRE_RUNTIME = '0x06706f775f';
/** The first bytes of a consensus item (SCALE variant 4) of the same engine, which contains the gas used, H_g. */
const CONSENSUS = '0x04706f775f';

/**
 * Returns a header's beneficiary H_c, difficulty H_d, gas limit H_l and timestamp H_s.
 *
 * @param {{digest: {logs: string[]}}} header From `chain_getHeader`.
 */
export function powFields(header) {
	const item = header.digest.logs.find((log) => log.startsWith(PRE_RUNTIME));
	if (!item) throw new Error('the header has no pow_ pre-runtime item: it is the genesis block’s, or another chain’s');
	const bytes = Buffer.from(item.slice(PRE_RUNTIME.length), 'hex');
	// The item starts with its length, a compact integer whose two low bits determine how many bytes it takes.
	const start = [1, 2, 4][bytes[0] & 3];
	const fields = bytes.subarray(start);
	return {
		beneficiary: fields.subarray(0, 32).toString('hex'),
		difficulty: littleEndian(fields.subarray(32, 64)),
		gasLimit: fields.readBigUInt64LE(64),
		timestamp: Number(fields.readBigUInt64LE(72)),
	};
}

/** Returns the gas used, H_g, of a header from `chain_getHeader`. */
export function gasUsed(header) {
	const item = header.digest.logs.find((log) => log.startsWith(CONSENSUS));
	if (!item) throw new Error('the header has no pow_ consensus item: it is the genesis block’s, or another chain’s');
	// One length byte precedes the eight bytes of H_g.
	return Buffer.from(item.slice(CONSENSUS.length), 'hex').readBigUInt64LE(1);
}

/**
 * Sums the difficulty H_d over a block and its ancestors, down to block number `above` + 1.
 *
 * @param {import('./rpc.mjs').Rpc} rpc A connection to a node that has the blocks.
 * @param {string} hash
 * @param {number} above
 */
export async function difficultyAbove(rpc, hash, above) {
	let sum = 0n;
	for (let header = await rpc.header(hash); header.number > above; header = await rpc.header(header.parentHash)) {
		sum += powFields(header).difficulty;
	}
	return sum;
}

/**
 * Lets one side of a split network win: the other side's nodes stop mining, and when this resolves, their chain is the lighter
 * one. It stays so until all are connected, also if the heavier side stands still meanwhile, as it may on a busy machine. They
 * mine again after `miner_start`.
 *
 * @param {object} heavier A node's RPC connection, on the chain that is to win.
 * @param {object[]} lighter The RPC connections of all nodes on the other chain.
 * @param {number} above Only blocks with higher numbers are counted.
 * @returns {Promise<{tips: {number: number, hash: string}[], weights: bigint[]}>} The best block and the total difficulty
 * above that number, of the heavier chain's node first. Of two last blocks of the same weight, each node keeps its own.
 */
export async function outweighs(heavier, lighter, above) {
	await Promise.all(lighter.map((rpc) => rpc.call('miner_stop')));
	const sides = [heavier, ...lighter];
	return until('one side has the heavier chain', async () => {
		const tips = await Promise.all(sides.map((rpc) => rpc.best()));
		const weights = await Promise.all(sides.map((rpc, side) => difficultyAbove(rpc, tips[side].hash, above)));
		return weights.slice(1).every((weight) => weight < weights[0]) && { tips, weights };
	});
}

function littleEndian(bytes) {
	return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
