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
 * Resolves when one chain is heavier than another by at least `lead`. A test in which a chain must win lets it lead by
 * more than the other side can find until it hears of that chain: on a busy machine, one side may stand still meanwhile.
 *
 * @param {object} heavier A node's RPC connection, on the chain that is to win.
 * @param {object} lighter A node's RPC connection, on the other chain.
 * @param {number} above Only blocks with higher numbers are counted.
 * @param {bigint} lead The difference of the difficulties: the number of hashes that it takes on average to find it.
 * @returns {Promise<{tips: {number: number, hash: string}[], weights: bigint[]}>} The best block and the total difficulty
 * above that number, of the heavier chain first.
 */
export function leads(heavier, lighter, above, lead) {
	return until(`one side leads by a difficulty of ${lead}`, async () => {
		const sides = [heavier, lighter];
		const tips = await Promise.all(sides.map((rpc) => rpc.best()));
		const weights = await Promise.all(sides.map((rpc, side) => difficultyAbove(rpc, tips[side].hash, above)));
		return weights[0] >= weights[1] + lead && { tips, weights };
	});
}

function littleEndian(bytes) {
	return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
