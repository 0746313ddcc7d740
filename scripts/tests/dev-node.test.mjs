// SPDX-License-Identifier: Apache-2.0

// Tests the node's program: how soon a development chain makes blocks, whether it survives `kill -9`, and which command
// lines it refuses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MasterSecret } from '../lib/envelope.mjs';
import { LocalNode, runToEnd } from '../lib/node.mjs';
import { Rpc } from '../lib/rpc.mjs';
import { Client, recordKey } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
/** The maximum times on an idle machine, in seconds. They are only printed beside the measured times. */
const FIRST_BLOCK = 5;
const INCLUSION = 3;
/** How many transactions to time. It is odd, so that one of them is the median. */
const SUBMISSIONS = 9;

/** Resolves with the first best header with at least this number. */
function headerFrom(client, number) {
	return new Promise((resolve, reject) => {
		const stop = client.api.rpc.chain.subscribeNewHeads((header) => {
			if (header.number.toNumber() >= number) resolve(stop.then((end) => end()).then(() => header));
		});
		stop.catch(reject);
	});
}

/** Resolves when the node has its first block, without waiting for the chain's metadata. */
async function firstBlock(node) {
	const rpc = await Rpc.connect(node.url);
	await rpc.bestFrom(1);
	await rpc.disconnect();
}

test('mines at once, and includes submitted transactions', { timeout }, async (t) => {
	const node = await LocalNode.start();
	let client;
	t.after(async () => {
		await client?.disconnect();
		await node.stop();
	});
	await firstBlock(node);
	const first = (performance.now() - node.startedAt) / 1000;
	t.diagnostic(`first block ${first.toFixed(2)} s after the start (bound ${FIRST_BLOCK} s)`);

	client = await Client.connect(node.url);
	const alice = client.account('//Alice');
	const times = [];
	for (let i = 0; i < SUBMISSIONS; i++) {
		const submitted = performance.now();
		await client.submit(alice, client.api.tx.system.remark(`0x${i.toString(16).padStart(2, '0')}`));
		times.push((performance.now() - submitted) / 1000);
	}
	times.sort((a, b) => a - b);
	const [median, longest] = [times[SUBMISSIONS >> 1], times.at(-1)].map((time) => time.toFixed(2));
	t.diagnostic(
		`included after ${median} s, median of ${SUBMISSIONS} (bound ${INCLUSION} s; longest ${longest} s)`,
	);
});

test('continues its chain after kill -9', { timeout }, async (t) => {
	const node = await LocalNode.start();
	let client;
	t.after(async () => {
		await client?.disconnect();
		await node.stop();
	});
	client = await Client.connect(node.url);
	const master = MasterSecret.generate();
	const key = recordKey('survives');
	const value = Buffer.from('month,student,mathematics\n2025-01,S0001,64\n');
	const bob = client.account('//Bob');
	await client.register(bob, 'School', 'Demo school');
	await client.createDataset(bob, 'students');
	const stored = await client.store(bob, master, { dataset: 0, epoch: 0, leaf: 0, key }, value);
	const { contentHash } = await client.query(bob.address, bob.address, key);
	await client.finalized(stored);
	const best = (await headerFrom(client, stored.block)).number.toNumber();
	const genesis = client.api.genesisHash.toHex();
	await client.disconnect();
	await node.killAndRestart();

	client = await Client.connect(node.url);
	assert.equal(client.api.genesisHash.toHex(), genesis);
	const header = await client.api.rpc.chain.getHeader();
	assert.ok(header.number.toNumber() >= best, `the best block was ${best}, and is now ${header.number}`);
	const hash = await client.api.rpc.chain.getBlockHash(stored.block);
	assert.equal(hash.toHex(), stored.blockHash);

	// The record, its bytes and the account's nonce are unchanged, and the chain grows.
	const answer = await client.query(bob.address, bob.address, key);
	assert.deepEqual(answer.contentHash, contentHash);
	assert.deepEqual(Buffer.from(await client.readOwn(bob, master, key)), value);
	assert.equal((await client.api.rpc.system.accountNextIndex(bob.address)).toNumber(), 3);
	const next = await client.createDataset(bob, 'teachers');
	assert.ok(next.block > stored.block);
	await client.finalized(next);
});

// The node refuses each of these command lines with a sentence that names the fault.
for (const [name, args, sentence] of [
	[
		'a sync that skips verification',
		['--dev', '--tmp', '--sync', 'fast'],
		/only `--sync full` and `--sync warp` are supported: a state is worth nothing without a proof of finality/,
	],
	[
		'a warp sync without peers',
		['--dev', '--tmp', '--sync', 'warp'],
		/`--sync warp` needs peers that prove what is final, and a development chain has none/,
	],
	[
		'mining without a beneficiary',
		['--chain', 'local', '--tmp', '--mine'],
		/`--mine` needs `--beneficiary ACCOUNT`: the account that earns the block rewards/,
	],
	[
		'a beneficiary that is not an account',
		['--chain', 'local', '--tmp', '--mine', '--beneficiary', 'not-an-account'],
		/expected an SS58 address, or 0x and 64 hex digits/,
	],
	[
		'extra data of more than 32 bytes',
		['--dev', '--extra-data', 'x'.repeat(33)],
		/33 bytes, and the header has room for 32/,
	],
	['a gas target below the minimum gas limit', ['--dev', '--gas-target', '124999'], /124999 is not in 125000\.\./],
	['no heartbeat', ['--dev', '--heartbeat', '0'], /expected a whole number of seconds from 1 to 3600/],
]) {
	test(`refuses ${name}`, { timeout }, async () => {
		const { code, stderr } = await runToEnd(args);
		assert.notEqual(code, 0);
		assert.match(stderr, sentence);
	});
}
