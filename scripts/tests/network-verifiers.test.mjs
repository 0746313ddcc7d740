// SPDX-License-Identifier: Apache-2.0

// The set of verifiers changes while the chain runs: one is admitted and one removed by the votes of the others,
// and finality goes on through both changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network, step } from '../lib/network.mjs';
import { until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';

/** Ends what hangs; no bound on speed. */
const timeout = 600_000;
/** Blocks in a session: a change takes effect between one and two of them after the vote. */
const SESSION_BLOCKS = 5;
/** More than a motion's call takes: of execution, and of bytes. */
const WEIGHT = { refTime: 10_000_000_000n, proofSize: 1_000_000n };
const LENGTH = 100;

const accounts = identities(5).map(({ account }) => account);
const [alice, bob, , , eve] = accounts;

/** Has a motion proposed by the first of these accounts' secrets, agreed to by all of them, and carried out. */
async function agree(client, secrets, call) {
	const { council } = client.api.tx;
	const signers = secrets.map((secret) => client.account(secret));
	const proposed = await client.submit(signers[0], council.propose(secrets.length, call, LENGTH));
	const { proposalHash, proposalIndex } = proposed.event('council', 'Proposed');
	await Promise.all(
		signers.map((signer) => client.submit(signer, council.vote(proposalHash, proposalIndex, true))),
	);
	const closed = await client.submit(
		signers[0],
		council.close(proposalHash, proposalIndex, WEIGHT, LENGTH),
	);
	const { result } = closed.event('council', 'Executed');
	assert.ok(result.isOk, `the motion was carried out: ${result}`);
	return closed;
}

/** The accounts of the verifiers whose business a block is, sorted. */
async function verifiersOf(rpc, block) {
	const { notSeen, verifiedBy } = await rpc.call('isthmus_verification', block);
	return [...verifiedBy, ...notSeen].map(({ account }) => account).sort();
}

test('a verifier is admitted by vote, and one removed', { timeout }, async (t) => {
	const args = (index) => [
		...['--mine', '--beneficiary', accounts[index], '--hash-rate', '2000'],
	];
	const network = await Network.start({
		spare: 1,
		args,
		parameters: { genesisDifficulty: '0x2000', minimumDifficulty: '0x2000' },
		edit: (genesis) => {
			genesis.verifiers = { ...genesis.verifiers, sessionBlocks: SESSION_BLOCKS };
		},
	});
	t.after(() => network.stop());
	const first = network.members[0];
	const client = await first.client();
	const { api } = client;

	/** Waits until the set is this one, in a final block, on all nodes that run. */
	async function effective(expected) {
		const { number, hash } = await until('the set changed, and blocks of the new one are final', async () => {
			const final = await first.rpc.finalized();
			const set = await verifiersOf(first.rpc, final.number);
			return set.join() === [...expected].sort().join() && final;
		});
		const running = network.members.filter(({ isUp }) => isUp);
		await network.finalizedFrom(number + 2, running);
		for (const { name, rpc } of running) assert.equal(await rpc.hashAt(number), hash, name);
	}

	await step(t, network, 'a producer applies', async () => {
		await first.rpc.finalizedFrom(1);
		assert.deepEqual(await verifiersOf(first.rpc, 1), accounts.slice(0, 4).sort());
		const newcomer = await network.add(args(4));
		const signer = client.account('//Eve');
		await client.register(signer, 'School', 'A school that verifies');
		// The node makes its voter's key; the account says that it is its own.
		const { keys, proof } = await newcomer.rpc.call('author_rotateKeysWithOwner', api.createType('AccountId', eve).toHex());
		await client.submit(signer, api.tx.session.setKeys(keys, proof));
		const applied = await client.submit(signer, api.tx.verifiers.apply());
		assert.equal(applied.event('verifiers', 'Applied').who.toString(), eve);
	});

	await step(t, network, 'more than half of the verifiers admit it', async () => {
		const closed = await agree(client, ['//Alice', '//Bob', '//Charlie'], api.tx.verifiers.admit(eve));
		assert.equal(closed.event('verifiers', 'Admitted').who.toString(), eve);
		await effective(accounts);
	});

	await step(t, network, 'its vote counts: four of five finalize, and they are four only with it', async () => {
		const dave = network.members[3];
		await network.down(dave);
		const { number } = await first.rpc.best();
		await network.finalizedFrom(number + 1, network.members.filter(({ isUp }) => isUp));
		const told = await first.rpc.call('isthmus_verification', number + 1);
		assert.ok(told.verifiedBy.some(({ account }) => account === eve), told.statement);
		await network.up(dave);
	});

	await step(t, network, 'more than half remove another, and its vote is missed no more', async () => {
		const closed = await agree(client, ['//Alice', '//Charlie', '//Eve'], api.tx.verifiers.remove(bob));
		assert.equal(closed.event('verifiers', 'Removed').who.toString(), bob);
		const left = accounts.filter((account) => account !== bob);
		await effective(left);
		await network.down(network.members[1]);
		const { number } = await first.rpc.best();
		await network.finalizedFrom(number + 1, network.members.filter(({ isUp }) => isUp));
		assert.deepEqual(await verifiersOf(first.rpc, number + 1), left.sort());
		const members = await api.query.council.members();
		assert.deepEqual(members.map(String).sort(), left.sort());
		assert.ok(left.includes(alice));
	});
});
