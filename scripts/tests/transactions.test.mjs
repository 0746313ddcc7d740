// SPDX-License-Identifier: Apache-2.0

// Tests that a node loses no transaction that it has accepted, on a machine whose processors are busy.
//
// With `scripts/test --all`, 20,000 transfers go to one node with blocks of 1 s and of 10 s, and to four nodes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fund, included, keepBusy, sign, submit } from '../lib/load.mjs';
import { Network } from '../lib/network.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';
import { identities } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 1_800_000;
const all = process.env.ISTHMUS_LONG === '1';
/** The accounts that send. */
const SENDERS = Array.from({ length: 20 }, (_, index) => `//Sender//${index}`);
/** How many transfers each of them sends in the long tests; a smaller number can be tried with ISTHMUS_TRANSFERS. */
const EACH = Number(process.env.ISTHMUS_TRANSFERS ?? 1000);
/** The hash rate of each of four nodes. */
const RATE = 1000;
/** What each of them receives first, in the smallest unit: 1000 IST. */
const FUNDS = 1_000_000_000_000_000n;

/** Sends transfers of these accounts to the nodes while the machine is busy, and checks that all are included. */
async function loseNothing(t, urls, secrets, each) {
	const client = await Client.connect(urls[0]);
	const nodes = await Promise.all(urls.map((url) => Rpc.connect(url)));
	let idle;
	t.after(async () => {
		idle?.();
		await Promise.all(nodes.map((node) => node.disconnect()));
		await client.disconnect();
	});
	if (secrets === SENDERS) await fund(client, '//Alice', secrets, FUNDS);
	const to = client.account('//Bob').address;
	const batches = await sign(client, secrets, each, () => client.api.tx.balances.transferKeepAlive(to, 1));
	idle = keepBusy();
	const { accepted, refused, seconds } = await submit(nodes, batches);
	assert.equal(accepted, secrets.length * each);
	const rest = await included(urls[0], batches);
	t.diagnostic(
		`${accepted} accepted in ${seconds.toFixed(1)} s (a full pool refused ${refused} times), ` +
			`all in blocks ${rest.seconds.toFixed(1)} s later; missing: ${rest.missing}`,
	);
	assert.equal(rest.missing, 0, `${rest.missing} of ${accepted} accepted transactions are in no block`);
}

/** Starts a node with these options, and stops it when the test ends. */
async function start(t, ...args) {
	const node = await LocalNode.start({ args: ['--dev', '--heartbeat', '1', ...args] });
	t.after(() => node.stop());
	return node;
}

test('a busy node loses none of 8000 transfers from 20 accounts', { timeout }, async (t) => {
	const node = await start(t);
	await loseNothing(t, [node.url], SENDERS, 400);
});

test('a node whose pool is full refuses transactions, and keeps those it has accepted', { timeout }, async (t) => {
	const node = await start(t, '--pool-limit', '100');
	await loseNothing(t, [node.url], SENDERS, 50);
});

test('20,000 transfers, blocks of 1 s', { timeout, skip: !all }, async (t) => {
	const node = await start(t);
	await loseNothing(t, [node.url], SENDERS, EACH);
});

test('20,000 transfers, blocks of 10 s', { timeout, skip: !all }, async (t) => {
	// The difficulty of the development chain is 1024.
	const node = await start(t, '--hash-rate', '102');
	await loseNothing(t, [node.url], SENDERS, EACH);
});

for (const seconds of [1, 10]) {
	test(`20,000 transfers, four nodes that mine, blocks of ${seconds} s`, { timeout, skip: !all }, async (t) => {
		const accounts = identities(4).map(({ account }) => account);
		const difficulty = `0x${(4 * RATE * seconds).toString(16)}`;
		const network = await Network.start({
			parameters: { genesisDifficulty: difficulty, minimumDifficulty: difficulty },
			args: (index) => ['--mine', '--beneficiary', accounts[index], '--hash-rate', String(RATE)],
		});
		t.after(() => network.stop());
		await loseNothing(t, network.members.map(({ local }) => local.url), SENDERS, EACH);
	});
}
