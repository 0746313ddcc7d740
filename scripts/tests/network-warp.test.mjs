// SPDX-License-Identifier: Apache-2.0

// Tests a node that begins with the state of a finalized block instead of the blocks from genesis on: `--sync warp`.

import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeChain } from '../lib/made-chain.mjs';
import { Network, step } from '../lib/network.mjs';
import { until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 900_000;
/** The length of the chain that the first nodes have at the start. */
const BLOCKS = Number(process.env.BLOCKS ?? 600);
const INTERVAL = 10;
/** How many blocks behind the best one a node votes. */
const BEHIND = 3;

const accounts = identities(5).map(({ account }) => account);

test('a node joins by warp sync', { timeout }, async (t) => {
	const parameters = {
		...{ genesisDifficulty: '0x1000', minimumDifficulty: '0x400' },
		genesisTimestamp: Math.floor(Date.now() / 1000) - 2 * BLOCKS * INTERVAL,
	};
	const network = await Network.start({
		verifiers: 3,
		spare: 2,
		parameters,
		args: (index) => (index === 0 ? ['--mine', '--force-authoring', '--beneficiary', accounts[0], '--hash-rate', '4000'] : []),
		before: async ({ spec, members }) => {
			const [first, ...others] = members;
			await makeChain(spec, first.basePath, { blocks: BLOCKS, interval: INTERVAL, forkEvery: 10, timeout });
			for (const { basePath } of others) {
				// Each has its own keys in the same folder.
				const skip = /\/(keystore|network)(\/|$)/;
				const filter = (path) => !skip.test(path.slice(first.basePath.length));
				cpSync(join(first.basePath, 'chains'), join(basePath, 'chains'), { recursive: true, filter });
			}
		},
	});
	t.after(() => network.stop());
	const [first] = network.members;
	let warped;

	/** Returns the number of the block with which a node's history begins, from its log. */
	const beginning = (member) =>
		until(`${member.name} has completed its warp sync`, () => {
			const found = /the warp sync is complete: this node's history begins with block #(\d+)/.exec(
				member.local.logTail(10_000),
			);
			return found && Number(found[1]);
		});

	await step(t, network, 'it has the state of a finalized block, and follows the chain from there', async (t) => {
		// Any of them may be asked for the proof.
		await network.finalizedFrom(BLOCKS - BEHIND);
		const genesis = await first.rpc.hashAt(0);
		warped = await network.add(['--sync', 'warp']);
		const start = await beginning(warped);
		t.diagnostic(`${((performance.now() - warped.local.startedAt) / 1000).toFixed(1)} s to the state of #${start}`);
		assert.ok(start >= BLOCKS - BEHIND, `begins with #${start}`);
		const { number } = await first.rpc.best();
		await network.agree(number + 1);
		await network.finalizedFrom(start + 1);
		assert.equal(await warped.rpc.hashAt(0), genesis);
		assert.equal(await warped.rpc.hashAt(start), await first.rpc.hashAt(start));
		assert.equal(await warped.rpc.hashAt(1), null, 'the blocks below are not fetched');
		const head = await first.rpc.call('chain_getFinalizedHead');
		await until('it has that block', () => warped.rpc.header(head).catch(() => false));
		// twox128("Balances") and twox128("TotalIssuance"): the rewards of blocks that it never saw are in the state.
		const issuance = '0xc2261276cc9d1f8598ea4b6a74b15c2f57c875e4cff74148e4628f264b974c80';
		const issued = ({ rpc }) => rpc.call('state_getStorage', issuance, head);
		assert.equal(await issued(warped), await issued(first));
		const { since, until: searched } = await until('it has searched blocks for events', async () => {
			const history = await warped.rpc.call('sharing_history', {});
			return history.until > start && history;
		});
		assert.equal(since, start + 1, 'it executed the blocks above the one that it began with');
		assert.ok(searched > start, `it has searched up to #${searched}`);
		await assert.rejects(warped.rpc.call('sharing_history', { from: start }), { code: 7122 });
	});

	await step(t, network, 'it starts again with and without the option', async () => {
		await network.down(warped);
		await network.up(warped);
		const said = /`--sync warp` has no effect: the database has the state of block #\d+ already/;
		await until('it says so', () => said.test(warped.local.logTail(10_000)));
		const { number } = await first.rpc.best();
		await network.agree(number + 1);
		await network.finalizedFrom(number);
	});

	await step(t, network, 'no peer disconnects it for its short history', async () => {
		const fresh = await network.add(['--sync', 'warp']);
		await beginning(fresh);
		const { number } = await first.rpc.best();
		await network.agree(number + 1);
		for (const { name, rpc } of network.members) {
			// One that is refused for its history stays away; one that was slow comes back.
			await until(`${name} has all its peers`, async () => (await rpc.call('system_health')).peers === network.members.length - 1);
		}
	});
});
