// SPDX-License-Identifier: Apache-2.0

// Two of four verifiers are lost. The other two restart finality after its delay; a new node syncs through the restart,
// and a lost verifier that comes back follows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agree } from '../lib/council.mjs';
import { Network, step } from '../lib/network.mjs';
import { identities } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 900_000;
/** It takes minutes. */
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** The chain's delays, in blocks. */
const DELAYS = { stalledBlocks: 6, restartDelay: 8, forcedDelay: 7 };
const SESSION_BLOCKS = 5;
/** Two of four finalize nothing. */
const STALLED = { isStalled: true };

const accounts = identities(5).map(({ account }) => account);
const absent = accounts.slice(2, 4);

test('two of four verifiers are lost, and the others restart finality', { timeout, skip }, async (t) => {
	const args = (index) => ['--mine', '--beneficiary', accounts[index], '--hash-rate', '2000'];
	const network = await Network.start({
		spare: 1,
		args,
		parameters: { genesisDifficulty: '0x2000', minimumDifficulty: '0x2000' },
		edit: (genesis) => {
			Object.assign(genesis.verifiers, { sessionBlocks: SESSION_BLOCKS, ...DELAYS });
		},
	});
	t.after(() => network.stop());
	const [alice, bob, charlie, dave] = network.members;
	const client = await alice.client();
	const { api } = client;
	const restart = (set, finalized, without) => api.tx.verifiers.restartFinality(set, finalized, without);
	/** The number of the last block that one of the first two has finalized. */
	let finalized;
	/** The number of the set of voters that votes when the two are lost. */
	let set;
	/** The block from which on the new voters vote. */
	let restarted;

	await step(t, network, 'while finality lives, it cannot be restarted', async () => {
		await network.finalizedFrom(SESSION_BLOCKS);
		// A block to come cannot be the last finalized one; the last finalized one may be old when the motion is closed.
		await assert.rejects(agree(client, ['//Alice', '//Bob'], restart(0, 1_000_000, absent)), { name: 'NotStalled' });
	});

	await step(t, network, 'two are lost: blocks go on, and finality stands', async () => {
		await Promise.all([charlie, dave].map((member) => network.down(member)));
		const { number } = await alice.rpc.best();
		await alice.rpc.bestFrom(number + 2 * DELAYS.stalledBlocks);
		const finals = await Promise.all([alice, bob].map(({ rpc }) => rpc.finalized()));
		finalized = Math.max(...finals.map((head) => head.number));
		assert.ok(finalized <= number, `block ${finalized} was finalized by two of four`);
		({ setId: set } = await alice.rpc.call('grandpa_roundState'));
	});

	await step(t, network, 'one of two is not enough, two are', async () => {
		// A motion whose threshold is too low is not even proposed.
		await assert.rejects(agree(client, ['//Alice'], restart(set, finalized, absent), STALLED), /Custom error: 255/);
		// No node could import the block in which the new voters take over.
		await assert.rejects(agree(client, ['//Alice', '//Bob'], restart(set + 1, finalized, absent), STALLED), { name: 'UnknownSet' });
		const closed = await agree(client, ['//Alice', '//Bob'], restart(set, finalized, absent), STALLED);
		const agreed = closed.event('verifiers', 'RestartAgreed');
		assert.deepEqual(agreed.absent.map(String), absent);
		const due = agreed.due.toNumber();
		assert.equal(due, closed.block + DELAYS.restartDelay);
		// The second session after the one in which it is due announces the new voters.
		restarted = (Math.floor(due / SESSION_BLOCKS) + 2) * SESSION_BLOCKS + DELAYS.forcedDelay;
	});

	await step(t, network, 'after the delay finality continues with the two', async () => {
		await network.finalizedFrom(restarted + 3, [alice, bob]);
		const report = await alice.rpc.call('isthmus_verification', restarted + 2);
		assert.deepEqual(report.verifiedBy.map(({ account }) => account).sort(), accounts.slice(0, 2).sort());
		const hash = await alice.rpc.hashAt(finalized);
		assert.equal(await bob.rpc.hashAt(finalized), hash, 'what was final stays');
	});

	await step(t, network, 'a new node syncs through the restart, and a lost one comes back', async () => {
		await network.add(args(4));
		await network.up(charlie);
		const { number } = await alice.rpc.finalized();
		await network.finalizedFrom(number + 1, network.members.filter(({ isUp }) => isUp));
	});
});
