// SPDX-License-Identifier: Apache-2.0

// Tests that who watches a transaction learns of it when the pool drops it after it had taken it.
//
// With `scripts/test --all`, a transaction also waits for an earlier nonce until the pool gives it up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const all = process.env.ISTHMUS_LONG === '1';
/** A pool for this number of transactions holds four times that number if later ones pay more. */
const LIMIT = 2;
const HELD = 4 * LIMIT;
/** For how many blocks a mortal transaction is valid. */
const PERIOD = 4;
/** For how many best blocks a transaction may wait for an earlier nonce. */
const MAX_WAIT = 64;

/** Starts a node with these options, and connects to it. Both end with the test. */
async function start(t, ...args) {
	const node = await LocalNode.start({ args });
	t.after(() => node.stop());
	const client = await Client.connect(node.url);
	t.after(() => client.disconnect());
	return client;
}

/** Submits a signed transaction and watches it. Resolves, when the pool has taken it, with the list of its states so far. */
async function watch({ api }, transaction) {
	const states = [];
	await api.rpc.author.submitAndWatchExtrinsic(transaction, (status) => states.push(status.type));
	await until('the pool has taken it', () => states.length > 0);
	return states;
}

/** Returns the account's next transaction, or a later one: `gap` nonces are left out. */
async function transfer(client, secret, { gap = 0, tip = 0, mortal = false } = {}) {
	const { api } = client;
	const { genesisHash, runtimeVersion } = api;
	const account = client.account(secret);
	const nonce = (await api.rpc.system.accountNextIndex(account.address)).toNumber() + gap;
	const options = { nonce, tip, era: 0, blockHash: genesisHash, genesisHash, runtimeVersion };
	if (mortal) {
		const header = await api.rpc.chain.getHeader();
		options.blockHash = header.hash;
		options.era = api.registry.createType('ExtrinsicEra', { current: header.number.toNumber(), period: PERIOD });
	}
	return api.tx.balances.transferKeepAlive(client.account('//Dave').address, 1).sign(account, options);
}

test('a full pool tells who watches which transactions it drops for others that pay more', { timeout }, async (t) => {
	// A node that does not mine, so that all of them stay in the pool.
	const client = await start(t, '--chain', 'dev', '--no-mdns', '--pool-limit', String(LIMIT));
	const watched = new Map();
	const add = async (secret, tip) => {
		const transaction = await transfer(client, secret, { tip });
		watched.set(transaction.hash.toHex(), await watch(client, transaction));
	};
	for (let count = 0; count < LIMIT; count++) await add('//Alice', 0);
	const cheap = [...watched.values()];
	for (let count = 0; count < HELD; count++) await add('//Bob', 1_000_000_000_000 + count);
	await until('the cheap ones are dropped', () => cheap.every((states) => states.includes('Dropped')));

	// Each is either in the pool, or was reported as dropped.
	const pending = (await client.api.rpc.author.pendingExtrinsics()).map(({ hash }) => hash.toHex());
	assert.equal(pending.length, HELD);
	for (const [hash, states] of watched) {
		assert.notEqual(pending.includes(hash), states.includes('Dropped'), `${hash}: ${states}`);
	}
	// One that pays no more than any that waits is refused, and no one is told that it was taken.
	const refused = await transfer(client, '//Charlie');
	await assert.rejects(client.api.rpc.author.submitAndWatchExtrinsic(refused, () => {}), /1016/);
});

test('who watches a transaction that waits for an earlier nonce learns that its time is over', { timeout }, async (t) => {
	const client = await start(t, '--dev', '--heartbeat', '1', '--no-mdns');
	const states = await watch(client, await transfer(client, '//Alice', { gap: 1, mortal: true }));
	await until('it is reported as invalid', () => states.includes('Invalid'));
	assert.deepEqual(states, ['Future', 'Invalid']);
});

test('who watches a transaction that waits for an earlier nonce learns that the pool gives it up', { timeout, skip: !all }, async (t) => {
	const client = await start(t, '--dev', '--heartbeat', '1', '--no-mdns');
	const transaction = await transfer(client, '//Alice', { gap: 1 });
	const first = (await client.api.rpc.chain.getHeader()).number.toNumber();
	const states = await watch(client, transaction);
	await until('it is reported as invalid', () => states.includes('Invalid'), timeout);
	assert.deepEqual(states, ['Future', 'Invalid']);
	const last = (await client.api.rpc.chain.getHeader()).number.toNumber();
	assert.ok(last - first >= MAX_WAIT, `it waited for ${last - first} blocks`);
	// It may come again, and is taken into a block when the earlier one is there.
	await client.api.rpc.author.submitExtrinsic(transaction);
	await client.submit(client.account('//Alice'), client.api.tx.system.remark('0x00'));
	const { nonce } = transaction;
	const account = () => client.api.query.system.account(client.account('//Alice').address);
	await until('it is in a block', async () => (await account()).nonce.toNumber() > nonce.toNumber());
});
