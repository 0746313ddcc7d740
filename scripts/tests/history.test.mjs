// SPDX-License-Identifier: Apache-2.0

// Tests the history of shared data: a node with its defaults tells all of it at any age, proves every event by the
// block's header, and forgets it only together with the bodies of the blocks.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { contentHash, EncryptionKeyPair, MasterSecret } from '../lib/envelope.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { receipts, verifyReceipt } from '../lib/receipts.mjs';
import { Rpc } from '../lib/rpc.mjs';
import { Client, hex, recordKey } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
/** The least number of states and of bodies that a node may keep. */
const FEW = 64;
/**
 * How the node is started, and more blocks than it keeps states. By default a node keeps 256 states; a development chain
 * makes a block a second, so that only `scripts/test --all` waits for that many.
 */
const [STATES, MANY] =
	process.env.ISTHMUS_LONG === '1' ? [[], 320] : [['--state-pruning', `${FEW}`], FEW + 16];
/** The most events in one answer of `sharing_history`. */
const PAGE = 256;
/** The exit codes that `isthmus --help` explains. */
const [DONE, FAILED, USAGE, REFUSED, NOT_AUTHENTIC] = [0, 1, 2, 4, 5];
const KEY = recordKey('old');
const SCOPE = { dataset: 0, epoch: 0, from: 0, to: 4 };
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');
const bytes = (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex'));

let node, client, school, company;
/** A node that prunes bodies, the connection to it, and the record that it stored. Its chain grows during the other tests. */
let pruned, prunedClient, prunedStored;

/** Runs `isthmus --json trace` and returns its exit code, the objects it prints and its standard error. */
const trace = (url, ...args) => isthmus('trace', ...args, '--url', url);

/** Runs `isthmus --json` and returns its exit code, the objects it prints and its standard error. */
const isthmus = (...args) => isthmusWith({}, ...args);

/** Does the same with these environment variables. */
async function isthmusWith(variables, ...args) {
	const env = { ...process.env, ...variables };
	const { code, stdout, stderr } = await programs.run(program, ['--json', ...args], { env });
	const lines = stdout.trim().split('\n').filter(Boolean);
	return { code, events: lines.map((line) => JSON.parse(line)), stderr };
}

/** Waits until a block is final. A development chain makes blocks without transactions, too. */
async function finalizedFrom(node, number) {
	const rpc = await Rpc.connect(node.url);
	try {
		await rpc.finalizedFrom(number, timeout);
	} finally {
		await rpc.disconnect();
	}
}

/** Stores a record, and lets the company ask for it and read it. */
async function share(client) {
	const [school, company] = ['//Bob', '//Charlie'].map((uri) => client.account(uri));
	const master = MasterSecret.generate();
	await client.register(school, 'School', 'Demo school');
	await client.createDataset(school, 'records');
	const key = await EncryptionKeyPair.generate().publicKey();
	await client.setEncryptionKey(company, key);
	const stored = await client.store(school, master, { ...SCOPE, leaf: 2, key: KEY }, Buffer.from('a value'));
	await client.requestAccess(company, school.address, SCOPE, { purpose: 'a study', term: 1000, key });
	await client.authorize(school, master, company.address, SCOPE, { term: 1000 });
	return stored;
}

/** Returns all events that `sharing_history` returns, each with its block, and checks every proof. */
async function history(client, query) {
	const all = [];
	let page;
	do {
		page = await client.rpc('sharing_history', { ...query, after: page?.next });
		assert.ok(page.blocks.flatMap(({ events }) => events).length <= PAGE);
		for (const block of page.blocks) {
			assert.equal(hex(contentHash(bytes(block.header))), block.hash);
			const header = await client.rpc('chain_getHeader', block.hash);
			assert.equal(Number(header.number), block.number);
			for (const event of block.events) {
				const receipt = { transaction: event.transaction, event: bytes(event.event) };
				await verifyReceipt(receipts(header), event.index, receipt, event.path.map(bytes));
				all.push({ ...event, block: block.number });
			}
		}
	} while (page.next);
	return all;
}

before(
	async () => {
		node = await LocalNode.start({ args: ['--dev', '--heartbeat', '1', ...STATES] });
		client = await Client.connect(node.url);
		[school, company] = ['//Bob', '//Charlie'].map((uri) => client.account(uri));
		pruned = await LocalNode.start({ args: ['--dev', '--heartbeat', '1', '--blocks-pruning', `${FEW}`] });
		prunedClient = await Client.connect(pruned.url);
		prunedStored = await share(prunedClient);
		const [first] = await history(prunedClient, {});
		assert.ok(first.block <= prunedStored.block);
	},
	{ timeout },
);
after(async () => {
	await Promise.all([client?.disconnect(), prunedClient?.disconnect()]);
	await Promise.all([node?.stop(), pruned?.stop()]);
});

test('a node tells all of a record that is older than its states', { timeout }, async () => {
	const stored = await share(client);
	await finalizedFrom(node, stored.block + MANY);
	const gone = client.rpc('state_getStorage', '0x3a636f6465', stored.blockHash);
	await assert.rejects(gone, /discarded|pruned/i, 'the node still has the state, so the test shows nothing');

	const ofRecord = ['record', school.address, 'old'];
	const traced = await trace(node.url, ...ofRecord);
	assert.equal(traced.code, DONE, traced.stderr);
	const names = traced.events.map(({ event }) => event);
	assert.deepEqual(names, ['Stored', 'AccessRequested', 'Authorized']);
	assert.equal(traced.events[0].block, stored.block);
	assert.equal(traced.events[1].purpose, 'a study');
	const ofReader = await trace(node.url, 'reader', company.address);
	assert.deepEqual(ofReader.events.map(({ event }) => event), ['AccessRequested', 'Authorized']);

	// The node does not need its memory for it.
	await client.disconnect();
	await node.killAndRestart();
	client = await Client.connect(node.url);
	const again = await trace(node.url, ...ofRecord);
	assert.deepEqual([again.code, again.events], [traced.code, traced.events], again.stderr);
});

test('each event is proven by its header, page after page, by every filter', { timeout }, async () => {
	const { api } = client;
	// More events than a page has, in one block.
	const epochs = Array.from({ length: PAGE + 40 }, () => api.tx.dataSharing.startEpoch(0));
	await client.submit(school, api.tx.utility.batchAll(epochs));
	const all = await history(client, {});
	const places = all.map(({ block, index }) => `${block}/${index}`);
	assert.equal(new Set(places).size, places.length);
	assert.ok(all.length > PAGE);

	const owner = school.address;
	const counts = [];
	for (const query of [
		{ account: company.address },
		{ owner },
		{ owner, dataset: 0 },
		{ owner, dataset: 0, access: true },
		{ owner, record: hex(KEY) },
		{ owner: company.address, dataset: 0 },
	]) {
		counts.push((await history(client, query)).length);
	}
	// The company: key, request, grant. The school: registration, dataset, record, request, grant, epochs.
	const started = epochs.length;
	assert.deepEqual(counts, [3, 5 + started, 4 + started, 2, 1, 0]);

	const [first] = all;
	assert.deepEqual(await history(client, { to: first.block }), all.filter(({ block }) => block === first.block));
	assert.deepEqual(await history(client, { from: first.block + 1 }), all.filter(({ block }) => block > first.block));
	for (const query of [{ dataset: 0 }, { owner, access: true }, { owner, account: owner }, { after: '0x00' }]) {
		await assert.rejects(client.rpc('sharing_history', query), /no such filter|`next`/);
	}
});

test('an event that a node alters is not believed', { timeout }, async () => {
	const liar = await LyingNode.start(node.url);
	try {
		const lies = [
			([event]) => (event.transaction += 1),
			([event]) => (event.event = event.event.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))),
			([event]) => (event.path = [...event.path, `0x${'00'.repeat(32)}`]),
		];
		for (const lie of lies) {
			liar.setLie((method, _params, result) => {
				if (method === 'sharing_history') result.blocks.forEach(({ events }) => lie(events));
				return result;
			});
			const { code, events, stderr } = await trace(liar.url, 'reader', company.address);
			assert.equal(code, FAILED, stderr);
			assert.match(stderr, /does not prove/);
			assert.deepEqual(events, []);
		}
	} finally {
		await liar.stop();
	}
});

test('a receipt proves an event without a node, and no bit of it can be changed', { timeout }, async () => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-receipt-'));
	const file = join(folder, 'grant.receipt');
	try {
		// The company's last event is the grant.
		const grant = (await history(client, { account: company.address })).at(-1);
		const { block, index } = grant;
		const written = await isthmus('receipt', `${block}`, '--event', `${index}`, '-o', file, '--url', node.url);
		assert.equal(written.code, DONE, written.stderr);

		const verify = (...args) => isthmus('verify', file, ...args);
		const named = ['--genesis', hex(client.genesis)];
		const verified = await verify(...named);
		assert.equal(verified.code, DONE, verified.stderr);
		assert.match(verified.stderr, /development accounts/);
		const [{ event, grantee, ...place }] = verified.events;
		assert.deepEqual([event, grantee, place.block, place.number], ['Authorized', company.address, block, index]);
		assert.equal(place.hash, (await client.rpc('chain_getBlockHash', block)));

		const unknown = await verify();
		assert.equal(unknown.code, USAGE);
		assert.match(unknown.stderr, /not known here/);
		// The address at which this machine knows the chain is shown.
		mkdirSync(join(folder, 'isthmus'));
		writeFileSync(join(folder, 'isthmus', 'known-chains'), `ws://school.example:9944 ${hex(client.genesis)}\n`);
		const known = await isthmusWith({ XDG_CONFIG_HOME: folder }, 'verify', file);
		assert.deepEqual([known.code, known.events[0]?.address], [DONE, 'ws://school.example:9944'], known.stderr);
		assert.equal(verified.events[0].address, null);
		const other = await verify('--genesis', `0x${'00'.repeat(32)}`);
		assert.equal(other.code, NOT_AUTHENTIC);
		assert.match(other.stderr, /WrongGenesis: this is of the chain that begins with block 0x[0-9a-f]{64}, not of the one that begins with 0x0{64}/);
		const receipt = readFileSync(file);
		for (let bit = 3; bit < receipt.length * 8; bit += 97) {
			const flipped = Buffer.from(receipt);
			flipped[bit >> 3] ^= 1 << (bit & 7);
			writeFileSync(file, flipped);
			const { code, stderr } = await verify(...named);
			assert.equal(code, NOT_AUTHENTIC, `bit ${bit}: ${stderr}`);
			// There is no node that could be to blame.
			assert.doesNotMatch(stderr, /the node/);
			assert.match(stderr, /NotAReceipt|Malformed|WrongGenesis|BadProof|NotFinal|NotAncestor|NoEvents|WrongEvent/);
		}
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test('a receipt is of one event', { timeout }, async () => {
	const url = ['--url', node.url];
	const all = await history(client, {});
	const many = all.at(-1).block;
	const several = await isthmus('receipt', `${many}`, ...url);
	assert.equal(several.code, USAGE);
	assert.match(several.stderr, /choose one: --event NUMBER/);
	const { error, listed } = JSON.parse(several.stderr.trim().split('\n').at(-1));
	assert.match(error, /^block \d+ has \d+ events:$/);
	assert.ok(listed.length > 1 && listed.every((line) => /^\d+: \w/.test(line)), several.stderr);
	const missing = await isthmus('receipt', `${many}`, '--event', '4294967295', ...url);
	assert.equal(missing.code, REFUSED);
	const silent = all.reduce((after, { block }) => (block === after ? after + 1 : after), 1);
	const nothing = await isthmus('receipt', `${silent}`, ...url);
	assert.equal(nothing.code, REFUSED, nothing.stderr);
	assert.match(nothing.stderr, /nothing about shared data happened/);
});

test('a node that prunes bodies forgets their events with them, and says so', { timeout }, async () => {
	const [client, stored] = [prunedClient, prunedStored];
	await finalizedFrom(pruned, stored.block + FEW + 16);
	const { since } = await client.rpc('sharing_history', {});
	assert.ok(since > stored.block, `the node still has the events from block ${since} on`);
	assert.deepEqual(await history(client, {}), []);
	const body = await client.rpc('chain_getBlock', stored.blockHash);
	assert.equal(body, null);
	for (const query of [{ from: 1 }, { to: stored.block }, { account: school.address, from: stored.block }]) {
		await assert.rejects(client.rpc('sharing_history', query), /this node has the events from block \d+ on/);
	}

	const from = ['--from', '1'];
	const refused = await trace(pruned.url, 'account', school.address, ...from);
	assert.equal(refused.code, REFUSED, refused.stderr);
	assert.match(refused.stderr, /history only from block/);
	const rest = await trace(pruned.url, 'account', school.address);
	assert.deepEqual([rest.code, rest.events], [DONE, []]);
	assert.match(rest.stderr, /history from block \d+ on/);
});
