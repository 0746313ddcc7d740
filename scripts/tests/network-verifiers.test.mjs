// SPDX-License-Identifier: Apache-2.0

// Tests changes to the set of verifiers while the chain runs: the verifiers vote to admit one and to remove one, and
// finality continues through both changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agree } from '../lib/council.mjs';
import { Network, step } from '../lib/network.mjs';
import { until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
/** How many blocks a session has. A change takes effect one to two sessions after the vote. */
const SESSION_BLOCKS = 5;

const accounts = identities(5).map(({ account }) => account);
const [alice, bob, , , eve] = accounts;

/** Returns the sorted accounts of a block's verifiers. */
async function verifiersOf(rpc, block) {
	const { notSeen, verifiedBy } = await rpc.call('isthmus_verification', block);
	return [...verifiedBy, ...notSeen].map(({ account }) => account).sort();
}

test('one verifier is admitted by vote, and another removed', { timeout }, async (t) => {
	const args = (index) => [
		...['--mine', '--beneficiary', accounts[index], '--hash-rate', '2000'],
	];
	const network = await Network.start({
		spare: 2,
		args,
		parameters: { genesisDifficulty: '0x1000', minimumDifficulty: '0x1000' },
		edit: (genesis) => {
			genesis.verifiers = { ...genesis.verifiers, sessionBlocks: SESSION_BLOCKS };
		},
	});
	t.after(() => network.stop());
	const first = network.members[0];
	const client = await first.client();
	const { api } = client;

	/** The number of the best block that a running node has. A lost node cannot have voted for a block after it. */
	async function highest() {
		const running = network.members.filter(({ isUp }) => isUp);
		const bests = await Promise.all(running.map(({ rpc }) => rpc.best()));
		return Math.max(...bests.map(({ number }) => number));
	}

	/** Waits until a finalized block has these verifiers on all running nodes. */
	async function inEffect(expected) {
		const { number, hash } = await until('the set changed, and the new set finalizes blocks', async () => {
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
		// The node generates its vote key; the account claims it.
		const { keys, proof } = await newcomer.rpc.call('author_rotateKeysWithOwner', api.createType('AccountId', eve).toHex());
		await client.submit(signer, api.tx.session.setKeys(keys, proof));
		const applied = await client.submit(signer, api.tx.verifiers.apply());
		assert.equal(applied.event('verifiers', 'Applied').who.toString(), eve);
		// Another block may replace the one that it is in.
		await until('the application is finalized', async () => {
			const { query } = await api.at(await api.rpc.chain.getFinalizedHead());
			return (await query.verifiers.applicants(eve)).isSome;
		});
	});

	await step(t, network, 'more than two thirds of the verifiers admit it', async () => {
		const closed = await agree(client, ['//Alice', '//Bob', '//Charlie'], api.tx.verifiers.admit(eve));
		assert.equal(closed.event('verifiers', 'Admitted').who.toString(), eve);
		await inEffect(accounts);
	});

	await step(t, network, 'its vote counts: four of five finalize, and it is needed to make four', async () => {
		const dave = network.members[3];
		await network.down(dave);
		const number = await highest();
		await network.finalizedFrom(number + 1, network.members.filter(({ isUp }) => isUp));
		const report = await first.rpc.call('isthmus_verification', number + 1);
		assert.ok(report.verifiedBy.some(({ account }) => account === eve), report.statement);
		await network.up(dave);
	});

	await step(t, network, 'three of five: blocks are linked, and not finalized', async () => {
		const lost = network.members.slice(2, 4);
		await Promise.all(lost.map((member) => network.down(member)));
		const left = network.members.filter(({ isUp }) => isUp);
		const number = await highest();
		await Promise.all(left.map(({ rpc }) => rpc.bestFrom(number + 2)));
		for (const { name, rpc } of left) {
			// A block that was made after the two were lost.
			const report = await until(`${name} knows that three executed the block`, async () => {
				const seen = await rpc.call('isthmus_verification', number + 2);
				return seen.moreThanHalf && seen;
			});
			assert.equal(report.final, false, name);
			assert.equal(report.justifiedBy, null, name);
			const executed = report.verifiedBy.map(({ account }) => account);
			assert.deepEqual(executed.sort(), [alice, bob, eve].sort(), name);
			assert.match(report.statement, /3 of 5 verifiers executed it; more than half: linked/);
		}
		await Promise.all(lost.map((member) => network.up(member)));
		await network.finalizedFrom(number + 2);
	});

	await step(t, network, 'more than two thirds remove another, and its vote is no longer needed', async () => {
		const closed = await agree(client, ['//Alice', '//Charlie', '//Dave', '//Eve'], api.tx.verifiers.remove(bob));
		assert.equal(closed.event('verifiers', 'Removed').who.toString(), bob);
		const left = accounts.filter((account) => account !== bob);
		await inEffect(left);
		await network.down(network.members[1]);
		const { number } = await first.rpc.best();
		await network.finalizedFrom(number + 1, network.members.filter(({ isUp }) => isUp));
		assert.deepEqual(await verifiersOf(first.rpc, number + 1), left.sort());
		const members = await api.query.council.members();
		assert.deepEqual(members.map(String).sort(), left.sort());
		assert.ok(left.includes(alice));
	});

	await step(t, network, 'a node joins by warp sync: the votes of each set prove the next', async () => {
		const warped = await network.add(['--sync', 'warp']);
		// Where its history begins is known only when it has started.
		const { number } = await warped.rpc.finalizedFrom(1);
		await first.rpc.finalizedFrom(number);
		assert.equal(await warped.rpc.hashAt(number), await first.rpc.hashAt(number));
		assert.equal(await warped.rpc.hashAt(1), null, 'its history does not begin with genesis');
	});
});
