// SPDX-License-Identifier: Apache-2.0

// Tests what a second machine with a verifier's vote key costs. While the network is split, each of the two machines votes
// on its own side, in the same round. When the sides meet again, any node sees the two votes and reports them, and
// the verifier loses its place.
//
// Only with `scripts/test --all`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Keyring } from '@polkadot/api';
import { Network, step } from '../lib/network.mjs';
import { until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 900_000;
/** How long the nodes may take to see the votes and agree, in milliseconds. This, too, only ends hangs. */
const PATIENCE = 240_000;
/** How many blocks a session has. A change takes effect one to two sessions after the report. */
const SESSION_BLOCKS = 5;
/** A verifier votes for a block that is this far behind its best one. */
const BEHIND = 3;

const everyone = identities(5);
const accounts = everyone.map(({ account }) => account);
/** The verifier whose key is on two machines. */
const { secret, account: dave } = everyone[3];

/** Returns the sorted accounts of a block's verifiers. */
async function verifiersOf(rpc, block) {
	const { notSeen, verifiedBy } = await rpc.call('isthmus_verification', block);
	return [...verifiedBy, ...notSeen].map(({ account }) => account).sort();
}

test('a vote key on two machines is reported, and costs its verifier the place', { timeout, skip }, async (t) => {
	const args = (index) => ['--mine', '--beneficiary', accounts[index], '--hash-rate', '2000'];
	const network = await Network.start({
		spare: 1,
		args,
		parameters: { genesisDifficulty: '0x1000', minimumDifficulty: '0x1000' },
		edit: (genesis) => Object.assign(genesis.verifiers, { sessionBlocks: SESSION_BLOCKS }),
	});
	t.after(() => network.stop());
	const [alice, bob, charlie, first] = network.members;
	const key = new Keyring({ type: 'ed25519' }).addFromUri(secret).publicKey;
	const hex = `0x${Buffer.from(key).toString('hex')}`;
	let second;

	await step(t, network, 'all four verifiers finalize blocks, and a fifth machine follows', async () => {
		second = await network.add(args(4));
		await network.finalizedFrom((await alice.rpc.best()).number);
	});

	await step(t, network, 'the network splits, and the fifth machine votes with the key on its side', async (t) => {
		// No part has more than two thirds of the votes, so that all stay in one round.
		await network.split([alice, first], [bob, second], [charlie]);
		const heights = () => Promise.all([alice, bob].map(({ rpc }) => rpc.best()));
		const common = Math.max(...(await heights()).map(({ number }) => number));
		// Each side's votes are for blocks of its own.
		await until('both sides have long chains of their own', async () =>
			(await heights()).every(({ number }) => number > common + 2 * BEHIND),
		);
		await second.rpc.call('author_insertKey', 'gran', secret, hex);
		// A node looks for its vote key when a round begins, and this one goes on until the network heals.
		await network.down(second);
		await network.up(second);
		const { number } = await bob.rpc.best();
		await bob.rpc.bestFrom(number + BEHIND);
		const finals = await Promise.all([alice, bob].map(({ rpc }) => rpc.finalized()));
		t.diagnostic(`the sides' chains: ${(await heights()).map((best) => best.number)}, finalized ${finals.map((f) => f.number)}`);
	});

	await step(t, network, 'healed: the two votes are reported, and the report is final', async (t) => {
		await network.connect(...network.members);
		const { api } = await alice.client();
		const reported = async () => {
			const final = await api.at(await api.rpc.chain.getFinalizedHead());
			const voter = (await final.query.verifiers.votingKeys(key)).unwrapOr(undefined);
			return voter?.reported.isSome && { voter, left: [...(await final.query.verifiers.verifiers()).keys()] };
		};
		const { voter, left } = await until('the report is final', reported, PATIENCE);
		assert.equal(voter.account.toString(), dave);
		assert.deepEqual(left.map(String).sort(), accounts.slice(0, 3).sort());
		t.diagnostic(`reported for set ${voter.reported.unwrap()}`);
		await until('every node says so', () =>
			network.members.every(({ local }) => local.logTail(100_000).includes(`Verifier ${dave} voted twice in one round`)),
		);
	});

	await step(t, network, 'the three others finalize without it', async () => {
		const { number } = await until(
			'the set without the verifier finalizes',
			async () => {
				const final = await alice.rpc.finalized();
				const set = await verifiersOf(alice.rpc, final.number);
				return set.join() === accounts.slice(0, 3).sort().join() && final;
			},
			PATIENCE,
		);
		await Promise.all([first, second].map((member) => network.down(member)));
		await network.finalizedFrom(number + BEHIND, [alice, bob, charlie], PATIENCE);
	});
});
