// SPDX-License-Identifier: Apache-2.0

// Tests nodes whose peers mostly claim a chain of a million more blocks, without ever serving it. Such a node must go on
// as before: it reports the blocks that it imports, and relays blocks and transactions. A miner that restarts must mine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harassment } from '../lib/attack-program.mjs';
import { Network, step } from '../lib/network.mjs';
import { TIMEOUT, until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';
import { balanceAt, transfer } from '../lib/transfers.mjs';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 1_200_000;
/** How long a block or a transaction may take, in milliseconds. This, too, only ends hangs. */
const PATIENCE = 180_000;
/** How many peers make the claim, and how many of them a node must have accepted. A node has 32 slots for strangers. */
const [LIARS, ACCEPTED] = [32, 24];

const [{ account }] = identities(1);

/** Starts the liars, and waits until the node has accepted most of them. */
async function harass(t, { local }) {
	const args = ['--rpc', local.url, '--lie', 'heights', '--peers', String(LIARS)];
	const harassment = await Harassment.start(args, ({ connected }) => connected >= ACCEPTED);
	t.after(() => harassment.end());
	return harassment;
}

test('claims of a longer chain change nothing', { timeout, skip }, async (t) => {
	// Alice and Charlie only know each other's blocks through Bob.
	const network = await Network.start({
		verifiers: 3,
		parameters: { genesisDifficulty: '0x2000', minimumDifficulty: '0x2000' },
		args: (index) => (index === 0 ? ['--mine', '--beneficiary', account, '--hash-rate', '6000'] : []),
		groups: ([alice, bob, charlie]) => [[alice, bob], [bob, charlie]],
	});
	t.after(() => network.stop());
	const [alice, bob, charlie] = network.members;
	await charlie.rpc.bestFrom(2);
	const client = await charlie.client();
	await harass(t, bob);

	await step(t, network, 'the node reports the blocks that it imports, and relays them', async () => {
		const { number } = await alice.rpc.best();
		await bob.rpc.bestFrom(number + 3, PATIENCE);
		await charlie.rpc.bestFrom(number + 4, PATIENCE);
	});

	await step(t, network, 'the node relays transactions', async () => {
		// For half a minute after its start, a node takes claims for true that were not looked into yet.
		const isSyncing = async () => (await bob.rpc.call('system_health')).isSyncing;
		await until('the node disregards the claims', async () => !(await isSyncing()), PATIENCE);
		const { included } = await transfer(charlie, '//Eve', '//Paid', 3_000_000_000_000n);
		const late = new Promise((_, reject) => {
			setTimeout(() => reject(new Error('the transfer was not included')), PATIENCE).unref();
		});
		const hash = await Promise.race([included, late]);
		assert.equal(await balanceAt(charlie, '//Paid', hash), 3_000_000_000_000n);
		assert.equal((await client.api.rpc.author.pendingExtrinsics()).length, 0);
	});

	await step(t, network, 'a miner that restarts among such peers mines', async () => {
		const liars = await harass(t, alice);
		// Until it mines, the miner knows no other peers.
		await network.split([alice], [bob, charlie]);
		await network.down(alice);
		const { connected } = liars.counts;
		await network.up(alice);
		await until('the liars have returned', () => liars.counts.connected >= connected + ACCEPTED, TIMEOUT);
		const { number } = await alice.rpc.best();
		await network.connect(alice, bob);
		await charlie.rpc.bestFrom(number + 2, PATIENCE);
	});
});
