// SPDX-License-Identifier: Apache-2.0

// Tests that a producer's node registers its producer automatically and only once, and explains why if it cannot.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalNode, runToEnd } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 600_000;
/** The name that the node registers. */
const NAME = 'Eve School';
const PRODUCER = ['--producer-name', NAME, '--producer-kind', 'school'];

/** Makes a folder for a chain. It is removed when the test ends. */
function folder(t) {
	const path = mkdtempSync(join(tmpdir(), 'isthmus-producer-'));
	t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
	return path;
}

/** Adds the producer's key to the development chain's keystore in a folder. */
async function insertKey(basePath, suri) {
	const key = ['--key-type', 'prod', '--scheme', 'sr25519', '--suri', suri];
	const { code, stderr } = await runToEnd(['key', 'insert', '--dev', '--base-path', basePath, ...key]);
	assert.equal(code, 0, stderr);
}

/** Starts a node and a client. Both stop when the test ends. */
async function start(t, options) {
	const node = await LocalNode.start(options);
	let client;
	t.after(async () => {
		await client?.disconnect();
		await node.stop();
	});
	client = await Client.connect(node.url);
	return { node, client };
}

/** Waits until the account is a registered producer in a finalized block; returns the producer's entry. */
async function registered(client, address) {
	return until(`the registration of ${address} is finalized`, async () => {
		const finalized = await client.api.rpc.chain.getFinalizedHead();
		const at = await client.api.at(finalized);
		const producer = await at.query.dataSharing.producers(address);
		return producer.isSome && producer.unwrap();
	});
}

/** Resolves when the log contains a matching line. */
async function logged(node, line) {
	await until(`the log has a line ${line}`, () => line.test(readFileSync(node.logPath, 'utf8')));
}

test('registers the key in its keystore, and only once', { timeout }, async (t) => {
	const basePath = folder(t);
	await insertKey(basePath, '//Eve');
	const options = { args: ['--dev', '--heartbeat', '1', ...PRODUCER], basePath };
	const first = await LocalNode.start(options);
	const before = await Client.connect(first.url);
	const eve = before.account('//Eve').address;
	try {
		const producer = await registered(before, eve);
		t.diagnostic(`registered and finalized ${((performance.now() - first.startedAt) / 1000).toFixed(1)} s after the start`);
		assert.equal(producer.name.toUtf8(), NAME);
		assert.equal(producer.kind.type, 'School');
		await logged(first, /registered; finalized in block/);
		const alice = await before.api.query.dataSharing.producers(before.account('//Alice').address);
		assert.ok(alice.isNone, 'the key in the keystore takes precedence over the development account');
	} finally {
		await before.disconnect();
		await first.stop();
	}

	const { node, client } = await start(t, options);
	await logged(node, /is a registered producer/);
	// The account has sent only one transaction, the registration.
	assert.equal((await client.api.rpc.system.accountNextIndex(eve)).toNumber(), 1);
	assert.equal((await client.api.rpc.author.pendingExtrinsics()).length, 0);
	assert.equal(readFileSync(node.logPath, 'utf8').match(/sent the registration/g).length, 1);
});

test('a development node without a key registers its development account', { timeout }, async (t) => {
	const { client } = await start(t, { args: ['--dev', ...PRODUCER] });
	const producer = await registered(client, client.account('//Alice').address);
	assert.equal(producer.name.toUtf8(), NAME);
});

test('reports which funds an account needs, and registers it when it has them', { timeout }, async (t) => {
	const basePath = folder(t);
	await insertKey(basePath, '//Poor school');
	const { node, client } = await start(t, { args: ['--dev', '--heartbeat', '1', ...PRODUCER], basePath });
	const poor = client.account('//Poor school').address;
	const sentence = new RegExp(`not registered yet: account ${poor} needs at least (\\d+)\\.?(\\d*) IST, and has 0 IST`);
	await logged(node, sentence);
	assert.equal((await client.api.rpc.author.pendingExtrinsics()).length, 0);
	const [, whole, decimals] = sentence.exec(readFileSync(node.logPath, 'utf8'));
	const amount = BigInt(whole + decimals.padEnd(12, '0'));
	await client.submit(client.account('//Bob'), client.api.tx.balances.transferKeepAlive(poor, amount));
	assert.equal((await registered(client, poor)).name.toUtf8(), NAME);
});

test('refuses to start without the key, or with only half of the options', { timeout }, async (t) => {
	const basePath = folder(t);
	const none = await runToEnd(['--chain', 'local', '--base-path', basePath, '--no-prometheus', ...PRODUCER]);
	assert.equal(none.code, 1);
	assert.match(none.stderr, /`--producer-name` needs the key of the producer's account/);
	const half = await runToEnd(['--dev', '--tmp', '--producer-name', NAME]);
	assert.equal(half.code, 2);
	assert.match(half.stderr, /--producer-kind <KIND>/);
});
