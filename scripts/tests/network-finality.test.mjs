// SPDX-License-Identifier: Apache-2.0

// Four nodes that all mine and all verify: they end with one chain, uncles are rewarded, finality bears one
// verifier down and waits for the second, and a network that was split in two becomes one chain again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network, step } from '../lib/network.mjs';
import { difficultyAbove } from '../lib/pow-header.mjs';
import { until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';
import { balanceAt, transfer } from '../lib/transfers.mjs';

/** Ends what hangs; no bound on speed. */
const timeout = 900_000;
/** What the nodes try, in hashes a second. The first two find more, so that one side of a split is the heavier. */
const HASH_RATES = [3000, 3000, 1000, 1000];
/** A block every 1.1 seconds, and three ways to the next node for each of them: uncles occur by themselves. */
const DIFFICULTY = '0x2260';
/** How long a message between two nodes is under way, in milliseconds. */
const LATENCY = 100;
/** A block's reward in the `local` chain, in the smallest unit. */
const BLOCK_REWARD = 5_000_000_000_000n;
/** How many blocks the network makes before its chain is looked at. */
const BLOCKS = 100;

const accounts = identities(4).map(({ account }) => account);

/** What a block names as uncles, and who was rewarded in it. */
async function uncleFacts(api, hash) {
	const { block } = await api.rpc.chain.getBlock(hash);
	const inherent = block.extrinsics.find(({ method }) => api.tx.proofOfWork.setUncles.is(method));
	const events = await (await api.at(hash)).query.system.events();
	const rewards = (name) =>
		events
			.map(({ event }) => event)
			.filter((event) => api.events.proofOfWork[name].is(event))
			.map(({ data }) => ({
				beneficiary: data.beneficiary.toString(),
				number: data.number?.toNumber(),
				amount: data.amount.toBigInt(),
			}));
	return {
		number: block.header.number.toNumber(),
		hash: block.header.hash.toHex(),
		author: authorOf(api, block.header),
		uncles: inherent?.method.args[0] ?? [],
		uncleRewards: rewards('UncleRewarded'),
		blockRewards: rewards('BlockRewarded'),
	};
}

/** H_c, which is first in the engine's pre-runtime item. */
function authorOf(api, header) {
	const item = header.digest.logs.find((log) => log.isPreRuntime).asPreRuntime;
	return api.createType('AccountId', item[1].subarray(0, 32)).toString();
}

test('a network of four nodes', { timeout }, async (t) => {
	const network = await Network.start({
		latency: LATENCY,
		parameters: { genesisDifficulty: DIFFICULTY, minimumDifficulty: DIFFICULTY },
		args: (index) => [
			...['--mine', '--beneficiary', accounts[index]],
			...['--hash-rate', String(HASH_RATES[index])],
		],
	});
	t.after(() => network.stop());
	const [alice, bob, charlie, dave] = network.members;

	await step(t, network, `${BLOCKS} blocks are the same final chain on all four`, async (t) => {
		const finals = await network.finalizedFrom(BLOCKS);
		const common = Math.min(...finals.map(({ number }) => number));
		const hashes = await Promise.all(network.members.map(({ rpc }) => rpc.hashAt(common)));
		assert.equal(new Set(hashes).size, 1, `final block ${common} differs: ${hashes}`);
		t.diagnostic(`final: ${finals.map(({ number }) => number)}`);
	});

	await step(t, network, 'uncles occur, and each is rewarded once', async (t) => {
		const { api } = await alice.client();
		const facts = [];
		const seen = new Set();
		const rewarded = [];
		// On to the first block with an uncle, should the first hundred have none.
		for (let number = 1; number <= BLOCKS || rewarded.length === 0; number++) {
			await alice.rpc.finalizedFrom(number);
			const fact = await uncleFacts(api, await alice.rpc.hashAt(number));
			facts.push(fact);
			assert.equal(fact.uncleRewards.length, fact.uncles.length, `block ${number}`);
			for (const [index, uncle] of fact.uncles.entries()) {
				assert.ok(!seen.has(uncle.hash.toHex()), `block ${number} names ${uncle.hash} again`);
				seen.add(uncle.hash.toHex());
				const generation = number - uncle.number.toNumber();
				assert.ok(generation >= 1 && generation <= 6, `an uncle ${generation} generations up`);
				assert.deepEqual(fact.uncleRewards[index], {
					beneficiary: authorOf(api, uncle),
					number: uncle.number.toNumber(),
					amount: (BLOCK_REWARD * BigInt(8 - generation)) / 8n,
				});
				const parent = facts[uncle.number.toNumber() - 2]?.hash ?? api.genesisHash.toHex();
				assert.equal(uncle.parentHash.toHex(), parent, 'its parent is on the chain');
				rewarded.push(uncle);
			}
			const nephew = BLOCK_REWARD + (BLOCK_REWARD * BigInt(fact.uncles.length)) / 32n;
			assert.deepEqual(fact.blockRewards, [
				{ beneficiary: fact.author, number: undefined, amount: nephew },
			]);
		}
		const chain = new Set(facts.map(({ hash }) => hash));
		assert.ok([...seen].every((hash) => !chain.has(hash)), 'no uncle is on the chain');
		t.diagnostic(`${rewarded.length} uncles in ${facts.length} blocks`);
	});

	await step(t, network, 'every node tells who verified a block', async () => {
		for (const { name, rpc } of network.members) {
			const told = await rpc.call('isthmus_verification', BLOCKS / 2);
			assert.equal(told.hash, await alice.rpc.hashAt(BLOCKS / 2), name);
			assert.deepEqual(
				{ final: told.final, moreThanHalf: told.moreThanHalf, verifiers: told.verifiers },
				{ final: true, moreThanHalf: true, verifiers: 4 },
				name,
			);
			assert.ok(told.verifiedBy.length >= 3, told.statement);
			const named = [...told.verifiedBy, ...told.notSeen].map(({ account }) => account);
			assert.deepEqual(named.sort(), [...accounts].sort(), name);
		}
	});

	await step(t, network, 'one verifier down: finality goes on, and the missing one is named', async () => {
		await network.down(dave);
		const { number } = await alice.rpc.best();
		await network.finalizedFrom(number + 3, [alice, bob, charlie]);
		for (const { name, rpc } of [alice, bob, charlie]) {
			// A block that was made after Dave went.
			const told = await rpc.call('isthmus_verification', number + 3);
			assert.equal(told.final, true, name);
			assert.equal(told.moreThanHalf, true, name);
			const signed = told.verifiedBy.map(({ account }) => account);
			assert.deepEqual(signed.sort(), accounts.slice(0, 3).sort(), name);
			assert.deepEqual(told.notSeen.map(({ account }) => account), accounts.slice(3), name);
		}
	});

	await step(t, network, 'two down: blocks go on, and finality waits', async () => {
		await network.down(charlie);
		const bests = await Promise.all([alice.rpc.best(), bob.rpc.best()]);
		const at = Math.max(...bests.map(({ number }) => number));
		await Promise.all([alice.rpc.bestFrom(at + 8), bob.rpc.bestFrom(at + 8)]);
		for (const { rpc } of [alice, bob]) {
			// What Charlie voted for before he went may become final; what came after cannot.
			const { number } = await rpc.finalized();
			assert.ok(number <= at, `block ${number} is final, and only two verified it: ${at} was the last of three`);
			const told = await rpc.call('isthmus_verification', null);
			assert.equal(told.final, false);
			assert.equal(told.moreThanHalf, false);
			const missing = told.round.missing.map(({ account }) => account);
			assert.ok(missing.includes(accounts[3]), told.statement);
		}
	});

	await step(t, network, 'one returns: finality resumes; so does the other', async () => {
		const { number } = await alice.rpc.best();
		await network.up(charlie);
		await network.finalizedFrom(number + 1, [alice, bob, charlie]);
		await network.up(dave);
		await network.finalizedFrom((await alice.rpc.best()).number);
	});

	await step(t, network, 'split 2–2 and healed: the heavier chain, nothing final undone, no transaction lost', async (t) => {
		const [left, right] = [[alice, bob], [charlie, dave]];
		await network.split(left, right);
		const beforehand = await Promise.all(network.members.map(({ rpc }) => rpc.best()));
		const at = Math.max(...beforehand.map(({ number }) => number));

		// A transfer on each side, to accounts of their own.
		const sent = await Promise.all([
			transfer(alice, '//Eve', '//Left', 3_000_000_000_000n),
			transfer(charlie, '//Ferdie', '//Right', 4_000_000_000_000n),
		]);
		await Promise.all(sent.map(({ included }) => included));
		await Promise.all([left[0].rpc.bestFrom(at + 8), right[0].rpc.bestFrom(at + 3)]);

		const finals = await Promise.all(network.members.map(({ rpc }) => rpc.finalized()));
		for (const { number } of finals) {
			assert.ok(number <= at, `block ${number} became final by half of the verifiers`);
		}
		const base = Math.min(...finals.map(({ number }) => number));
		const tips = await Promise.all([alice, charlie].map(({ rpc }) => rpc.best()));
		const weights = await Promise.all(
			[alice, charlie].map(({ rpc }, side) => difficultyAbove(rpc, tips[side].hash, base)),
		);
		t.diagnostic(`tips ${tips.map(({ number }) => number)}, weights above block ${base}: ${weights}`);
		assert.ok(weights[0] > weights[1], 'the side with the more hash power is the heavier');

		await network.connect(...network.members);
		const top = Math.max(...tips.map(({ number }) => number));
		const settled = await network.finalizedFrom(top + 1);
		const common = Math.min(...settled.map(({ number }) => number));
		for (const { name, rpc } of network.members) {
			assert.equal(await rpc.hashAt(tips[0].number), tips[0].hash, `${name} follows the heavier side`);
			assert.notEqual(await rpc.hashAt(tips[1].number), tips[1].hash, `${name} left the lighter side`);
			for (const { hash, number } of finals) {
				assert.equal(await rpc.hashAt(number), hash, `${name} still has what was final`);
			}
			assert.equal(await rpc.hashAt(common), await alice.rpc.hashAt(common));
		}
		// Both sides' transfers are in the final chain; the losing one's block is not.
		const both = async () => {
			const final = await alice.rpc.finalized();
			const amounts = await Promise.all(['//Left', '//Right'].map((to) => balanceAt(alice, to, final.hash)));
			return amounts.every((amount) => amount > 0n) && { amounts, final };
		};
		const { amounts, final } = await until('both transfers are final', both);
		assert.deepEqual(amounts, [3_000_000_000_000n, 4_000_000_000_000n]);
		await network.finalizedFrom(final.number);
		for (const member of network.members) {
			const there = await Promise.all(['//Left', '//Right'].map((to) => balanceAt(member, to, final.hash)));
			assert.deepEqual(there, amounts, member.name);
		}
	});
});
