// SPDX-License-Identifier: Apache-2.0

// Tests a network that is split in two while someone uploads a large file on the heavier side. After the split, the
// nodes of the lighter side must fetch that side's blocks, which are too large for a single answer, and go over to them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Network, step } from '../lib/network.mjs';
import { outweighs } from '../lib/pow-header.mjs';
import { until } from '../lib/rpc.mjs';
import { hex, recordKey } from '../lib/sharing.mjs';
import { identities } from '../lib/spec.mjs';
import { judged } from '../lib/target.mjs';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
/** How long the network may take to become one again, in milliseconds. This, too, only ends hangs. */
const HEALING = 120_000;
/** How long that should take, in seconds. */
const TARGET = 60;
/** The nodes' hash rates. The first two nodes are the heavier side. */
const HASH_RATES = [4000, 4000, 1000, 1000];
/** A difficulty that yields a block every 0.8 seconds on average on the heavier side, and every 3 seconds on the other. */
const DIFFICULTY = '0x1800';
const MIB = 1024 * 1024;
/** How many values of 1 MiB are uploaded. */
const VALUES = 24;
/** The size of the transaction pool, in KiB. It has room for all values, even while they wait for one another. */
const POOL = 400_000;
/** The maximum size of an answer to a block request. */
const ANSWER = 16 * MIB;

const accounts = identities(4).map(({ account }) => account);

/** Returns the size of a block's body. */
async function bodySize({ rpc }, number) {
	const { block } = await rpc.call('chain_getBlock', await rpc.hashAt(number));
	return block.extrinsics.reduce((sum, extrinsic) => sum + (extrinsic.length - 2) / 2, 0);
}

/** Returns the number of the last block that two nodes have in common on their best chains. */
async function commonBlock(a, b) {
	let number = Math.min(...(await Promise.all([a.rpc.best(), b.rpc.best()])).map((best) => best.number));
	while ((await a.rpc.hashAt(number)) !== (await b.rpc.hashAt(number))) number -= 1;
	return number;
}

test('a network split during an upload becomes one again', { timeout, skip }, async (t) => {
	const network = await Network.start({
		parameters: { genesisDifficulty: DIFFICULTY, minimumDifficulty: DIFFICULTY },
		args: (index) => [
			...['--mine', '--beneficiary', accounts[index], '--hash-rate', String(HASH_RATES[index])],
			...['--rpc-max-response-size', '40', '--pool-kbytes', String(POOL)],
		],
	});
	t.after(() => network.stop());
	const [alice, bob, charlie, dave] = network.members;
	const client = await alice.client();
	const owner = client.account('//Eve');

	let nonce;
	await step(t, network, 'all four finalize blocks', async () => {
		await client.register(owner, 'School', 'A school with much data');
		await client.createDataset(owner, 'large');
		await network.finalizedFrom((await alice.rpc.best()).number);
		nonce = (await client.api.rpc.system.accountNextIndex(owner.address)).toNumber();
	});

	/** Sends a value, which is valid on any fork. */
	async function store(leaf) {
		const call = client.api.tx.dataSharing.store(hex(recordKey(`value ${leaf}`)), 0, 0, leaf, hex(randomBytes(MIB)));
		await call.signAsync(owner, { era: 0, nonce: nonce + leaf });
		await call.send();
	}

	/** The first block of the heavier side up to which its blocks exceed one answer. */
	let top;
	await step(t, network, 'split 2–2: the heavier side takes the values into its blocks', async (t) => {
		// A node without peers does not mine, so the values wait in Alice's pool, and her first blocks are full.
		await network.split([alice], [bob], [charlie], [dave]);
		for (let leaf = 0; leaf < VALUES; leaf++) await store(leaf);
		await Promise.all([network.connect(alice, bob), network.connect(charlie, dave)]);
		await until('all values are in blocks', async () => {
			const account = await client.api.query.system.account(owner.address);
			return account.nonce.toNumber() === nonce + VALUES;
		});

		const common = await commonBlock(alice, charlie);
		let number = common;
		for (let size = 0; size <= ANSWER; size += await bodySize(alice, number)) number += 1;
		await until('the lighter side has that number of blocks too', async () => (await charlie.rpc.best()).number > number);
		const { tips } = await outweighs(alice.rpc, [charlie, dave].map(({ rpc }) => rpc), common);
		top = await alice.rpc.header(await alice.rpc.hashAt(number));
		t.diagnostic(`common block ${common}, ${number} ends the large ones, tips ${tips.map((tip) => tip.number)}`);
	});

	await step(t, network, 'healed: all follow the heavier side, and finalize it', async (t) => {
		const started = performance.now();
		await network.connect(...network.members);
		await network.finalizedFrom(top.number + 1, network.members, HEALING);
		for (const { name, rpc } of network.members) assert.equal(await rpc.hashAt(top.number), top.hash, name);
		await network.agree(top.number, network.members, HEALING);
		const seconds = (performance.now() - started) / 1000;
		t.diagnostic(judged('one chain and finality after the healing', seconds, { most: TARGET }, 's'));
	});
});
