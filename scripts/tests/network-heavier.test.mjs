// SPDX-License-Identifier: Apache-2.0

// Tests what happens when two halves of a network, each with its own chain, are connected. The heavier chain wins
// although it is shorter.
//
// The chain with the higher total difficulty wins, and a block's difficulty D(H) falls when the time between blocks
// grows. One chain has a block per second, so its difficulty rises. The other has more blocks, but they are ten
// minutes apart, so they are easier. Both chains are made in advance, without waiting, and the nodes then mine on top of them.

import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeChain } from '../lib/made-chain.mjs';
import { Network, step } from '../lib/network.mjs';
import { outweighs } from '../lib/pow-header.mjs';
import { until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';
import { balanceAt, transfer } from '../lib/transfers.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
/** The heavier chain, with blocks a second apart, and the longer one, with blocks ten minutes apart. */
const HEAVIER = { blocks: 100, interval: 1 };
const LONGER = { blocks: 140, interval: 600 };
/** The hash rates of each half's two miners, in hashes per second. */
const HASH_RATES = [4000, 2000];
/** The age of the genesis block, in seconds. It is older than all other blocks. */
const AGE = 2 * LONGER.blocks * LONGER.interval;

const accounts = identities(4).map(({ account }) => account);

test('the heavier of two chains wins, although it is shorter', { timeout }, async (t) => {
	const network = await Network.start({
		parameters: {
			genesisDifficulty: '0x2000',
			minimumDifficulty: '0x1000',
			genesisTimestamp: Math.floor(Date.now() / 1000) - AGE,
		},
		args: (index) => [
			...['--mine', '--beneficiary', accounts[index]],
			...['--hash-rate', String(HASH_RATES[index < 2 ? 0 : 1])],
		],
		before: async ({ members: [alice, bob, charlie, dave], spec }) => {
			for (const [first, second, order] of [[alice, bob, HEAVIER], [charlie, dave, LONGER]]) {
				await makeChain(spec, first.basePath, order);
				const database = join('chains', 'isthmus_local', 'paritydb');
				cpSync(join(first.basePath, database), join(second.basePath, database), { recursive: true });
			}
		},
		groups: ([alice, bob, charlie, dave]) => [[alice, bob], [charlie, dave]],
	});
	t.after(() => network.stop());
	const [alice, , charlie, dave] = network.members;
	const longerHalf = [charlie, dave].map(({ rpc }) => rpc);

	await step(t, network, 'each half mines on its own chain, and finalizes nothing', async () => {
		await Promise.all([alice.rpc.bestFrom(HEAVIER.blocks + 1), charlie.rpc.bestFrom(LONGER.blocks + 1)]);
		// These transfers are immortal, so they can be included on either chain.
		const sent = await Promise.all([
			transfer(alice, '//Eve', '//Left', 3_000_000_000_000n),
			transfer(charlie, '//Ferdie', '//Right', 4_000_000_000_000n),
		]);
		await Promise.all(sent.map(({ included }) => included));
		const finals = await Promise.all(network.members.map(({ rpc }) => rpc.finalized()));
		assert.deepEqual(finals.map(({ number }) => number), [0, 0, 0, 0]);
	});

	await step(t, network, "all follow the heavier chain, which includes both halves' transactions", async (t) => {
		const { tips, weights } = await outweighs(alice.rpc, longerHalf, 0);
		const [heavier, longer] = tips;
		t.diagnostic(`numbers ${heavier.number} and ${longer.number}, total difficulties ${weights}`);
		assert.ok(heavier.number < longer.number, 'the heavier chain is shorter');

		// The blocks that were made in advance are the same in each half. Those on top of them may still change, because
		// of two blocks of the same weight each miner keeps its own.
		const settled = HEAVIER.blocks;
		const settledHash = await alice.rpc.hashAt(settled);
		assert.notEqual(await charlie.rpc.hashAt(settled), settledHash);
		await network.connect(...network.members);
		await until('the other half has gone over to it', async () => {
			const hashes = await Promise.all(longerHalf.map((rpc) => rpc.hashAt(settled)));
			return hashes.every((hash) => hash === settledHash);
		});
		await Promise.all(longerHalf.map((rpc) => rpc.call('miner_start')));
		// When finality has passed the height of both chains, every node has the heavier chain's block.
		await network.finalizedFrom(longer.number + 1);
		for (const { name, rpc } of network.members) {
			assert.equal(await rpc.hashAt(settled), settledHash, name);
			assert.notEqual(await rpc.hashAt(longer.number), longer.hash, name);
		}
		const both = async () => {
			const { hash } = await charlie.rpc.finalized();
			const amounts = await Promise.all(['//Left', '//Right'].map((to) => balanceAt(charlie, to, hash)));
			return amounts.every((amount) => amount > 0n) && amounts;
		};
		assert.deepEqual(await until('both transfers are finalized', both), [3_000_000_000_000n, 4_000_000_000_000n]);
	});
});
