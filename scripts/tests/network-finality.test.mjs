// SPDX-License-Identifier: Apache-2.0

// Tests four nodes that all mine and verify: they agree on one chain, uncles are rewarded, finality tolerates one
// missing verifier but not two, and after a split in two the network converges again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network, step } from '../lib/network.mjs';
import { outweighs } from '../lib/pow-header.mjs';
import { until } from '../lib/rpc.mjs';
import { identities } from '../lib/spec.mjs';
import { balanceAt, transfer } from '../lib/transfers.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 900_000;
/** The nodes' hash rates. The first two are higher, so that one side of a split has the heavier chain. */
const HASH_RATES = [3000, 3000, 1000, 1000];
/** A difficulty that yields a block every 0.6 seconds on average. With the latency below, uncles occur naturally. */
const DIFFICULTY = '0x12c0';
/** The delay of messages between nodes, in milliseconds. */
const LATENCY = 100;
/** The block reward on the `local` chain, in the smallest unit. */
const BLOCK_REWARD = 5_000_000_000_000n;
/** How many blocks the network finalizes before the chain is checked. */
const BLOCKS = 100;

const accounts = identities(4).map(({ account }) => account);

/** Returns a block's uncles and the rewards that it paid. */
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

/** Returns the beneficiary H_c, which is the first field of the engine's pre-runtime item. */
function authorOf(api, header) {
	const item = header.digest.logs.find((log) => log.isPreRuntime).asPreRuntime;
	return api.createType('AccountId', item[1].subarray(0, 32)).toString();
}

test('a network of four nodes', { timeout }, async (t) => {
	const network = await Network.start({
		line: { latency: LATENCY },
		parameters: { genesisDifficulty: DIFFICULTY, minimumDifficulty: DIFFICULTY },
		args: (index) => [
			...['--mine', '--beneficiary', accounts[index]],
			...['--hash-rate', String(HASH_RATES[index])],
			// However slowly the blocks are checked here, their states are still there.
			...['--state-pruning', 'archive'],
		],
	});
	t.after(() => network.stop());
	const [alice, bob, charlie, dave] = network.members;

	await step(t, network, `all four finalize the same ${BLOCKS} blocks`, async (t) => {
		const finals = await network.finalizedFrom(BLOCKS);
		const common = Math.min(...finals.map(({ number }) => number));
		const hashes = await Promise.all(network.members.map(({ rpc }) => rpc.hashAt(common)));
		assert.equal(new Set(hashes).size, 1, `finalized block ${common} differs: ${hashes}`);
		t.diagnostic(`finalized: ${finals.map(({ number }) => number)}`);
	});

	await step(t, network, 'uncles occur, and each is rewarded once', async (t) => {
		const { api } = await alice.client();
		const facts = [];
		const seen = new Set();
		const rewarded = [];
		// If the first hundred blocks have no uncles, wait for the first block that has one.
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

	await step(t, network, 'every node reports who verified a block', async () => {
		for (const { name, rpc } of network.members) {
			const report = await rpc.call('isthmus_verification', BLOCKS / 2);
			assert.equal(report.hash, await alice.rpc.hashAt(BLOCKS / 2), name);
			assert.deepEqual(
				{ final: report.final, moreThanHalf: report.moreThanHalf, verifiers: report.verifiers },
				{ final: true, moreThanHalf: true, verifiers: 4 },
				name,
			);
			assert.ok(report.verifiedBy.length >= 3, report.statement);
			const named = [...report.verifiedBy, ...report.notSeen].map(({ account }) => account);
			assert.deepEqual(named.sort(), [...accounts].sort(), name);
		}
	});

	await step(t, network, 'one verifier down: finality continues, and the missing one is named', async () => {
		await network.down(dave);
		const bests = await Promise.all([alice, bob, charlie].map(({ rpc }) => rpc.best()));
		const number = Math.max(...bests.map((best) => best.number));
		await network.finalizedFrom(number + 3, [alice, bob, charlie]);
		for (const { name, rpc } of [alice, bob, charlie]) {
			// A block that was made after Dave left.
			const report = await rpc.call('isthmus_verification', number + 3);
			assert.equal(report.final, true, name);
			assert.equal(report.moreThanHalf, true, name);
			const signed = report.verifiedBy.map(({ account }) => account);
			assert.deepEqual(signed.sort(), accounts.slice(0, 3).sort(), name);
			assert.deepEqual(report.notSeen.map(({ account }) => account), accounts.slice(3), name);
		}
	});

	await step(t, network, 'two down: mining continues, and finality waits', async () => {
		await network.down(charlie);
		const bests = await Promise.all([alice.rpc.best(), bob.rpc.best()]);
		const at = Math.max(...bests.map(({ number }) => number));
		await Promise.all([alice.rpc.bestFrom(at + 8), bob.rpc.bestFrom(at + 8)]);
		for (const { rpc } of [alice, bob]) {
			// Blocks that Charlie voted for before he left may be finalized; later ones cannot.
			const { number } = await rpc.finalized();
			assert.ok(number <= at, `block ${number} is finalized by only two verifiers: ${at} was the last of three`);
			const report = await rpc.call('isthmus_verification', null);
			assert.equal(report.final, false);
			assert.equal(report.moreThanHalf, false);
			const missing = report.round.missing.map(({ account }) => account);
			assert.ok(missing.includes(accounts[3]), report.statement);
		}
	});

	await step(t, network, 'one returns: finality resumes; so does the other', async () => {
		const { number } = await alice.rpc.best();
		await network.up(charlie);
		await network.finalizedFrom(number + 1, [alice, bob, charlie]);
		await network.up(dave);
		await network.finalizedFrom((await alice.rpc.best()).number);
	});

	await step(t, network, 'split 2–2 and healed: the heavier chain wins, finalized blocks stay, no transaction is lost', async (t) => {
		const [left, right] = [[alice, bob], [charlie, dave]];
		await network.split(left, right);
		const beforehand = await Promise.all(network.members.map(({ rpc }) => rpc.best()));
		const at = Math.max(...beforehand.map(({ number }) => number));

		// Send a transfer on each side, to different accounts.
		const sent = await Promise.all([
			transfer(alice, '//Eve', '//Left', 3_000_000_000_000n),
			transfer(charlie, '//Ferdie', '//Right', 4_000_000_000_000n),
		]);
		await Promise.all(sent.map(({ included }) => included));
		await Promise.all([left[0].rpc.bestFrom(at + 8), right[0].rpc.bestFrom(at + 3)]);

		const finals = await Promise.all(network.members.map(({ rpc }) => rpc.finalized()));
		for (const { number } of finals) {
			assert.ok(number <= at, `block ${number} was finalized by half of the verifiers`);
		}
		const base = Math.min(...finals.map(({ number }) => number));
		const { tips, weights } = await outweighs(alice.rpc, right.map(({ rpc }) => rpc), base);
		t.diagnostic(`tips ${tips.map(({ number }) => number)}, weights above block ${base}: ${weights}`);

		// The tip may be replaced by another miner's block of the same side, but not a block five deep that both have.
		const deep = tips[0].number - 5;
		const heavier = await until('both nodes of the heavier side have one block there', async () => {
			const [ofAlice, ofBob] = await Promise.all(left.map(({ rpc }) => rpc.hashAt(deep)));
			return ofAlice === ofBob && ofAlice;
		});
		await network.connect(...network.members);
		const top = Math.max(...tips.map(({ number }) => number));
		const settled = await network.finalizedFrom(top + 1);
		await Promise.all(right.map(({ rpc }) => rpc.call('miner_start')));
		const common = Math.min(...settled.map(({ number }) => number));
		for (const { name, rpc } of network.members) {
			assert.equal(await rpc.hashAt(deep), heavier, `${name} follows the heavier side`);
			assert.notEqual(await rpc.hashAt(tips[1].number), tips[1].hash, `${name} left the lighter side`);
			for (const { hash, number } of finals) {
				assert.equal(await rpc.hashAt(number), hash, `${name} still has what was finalized`);
			}
			assert.equal(await rpc.hashAt(common), await alice.rpc.hashAt(common));
		}
		// Both sides' transfers are on the finalized chain; the losing side's block is not.
		const both = async () => {
			const final = await alice.rpc.finalized();
			const amounts = await Promise.all(['//Left', '//Right'].map((to) => balanceAt(alice, to, final.hash)));
			return amounts.every((amount) => amount > 0n) && { amounts, final };
		};
		const { amounts, final } = await until('both transfers are finalized', both);
		assert.deepEqual(amounts, [3_000_000_000_000n, 4_000_000_000_000n]);
		await network.finalizedFrom(final.number);
		for (const member of network.members) {
			const there = await Promise.all(['//Left', '//Right'].map((to) => balanceAt(member, to, final.hash)));
			assert.deepEqual(there, amounts, member.name);
		}
	});
});
