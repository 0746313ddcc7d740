// SPDX-License-Identifier: Apache-2.0
// Tests several `isthmus` commands of one account or one target at the same time: they take turns, all succeed, and no
// fee is paid for a transaction that is known to fail.

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const [DONE, FAILED, REFUSED] = [0, 1, 4];

let node;
let client;
let folder;

/** Runs the command. With `machine`, it does not see the lock files of commands on other machines. */
async function run(args, machine = 'here') {
	const runtime = join(folder, `machine-${machine}`);
	mkdirSync(runtime, { recursive: true });
	const { code, stdout, stderr } = await new Isthmus(node.url, folder).run(['--json', ...args], { HOME: runtime });
	const lines = (text) => text.trim().split('\n').filter(Boolean);
	return { code, stdout: lines(stdout), stderr: lines(stderr) };
}

/** Runs the command, checks that it succeeds, and returns the objects that it prints. */
async function ok(args, machine) {
	const { code, stdout, stderr } = await run(args, machine);
	assert.equal(code, DONE, `isthmus ${args.join(' ')}: ${stderr.join('\n')}`);
	return stdout.map((line) => JSON.parse(line));
}

/** Returns the calls that failed since a block, each with its fee paid. */
async function failedSince(first) {
	const { api } = client;
	const last = (await api.rpc.chain.getHeader()).number.toNumber();
	const failed = [];
	for (let number = first; number <= last; number++) {
		const hash = await api.rpc.chain.getBlockHash(number);
		const events = await (await api.at(hash)).query.system.events();
		for (const { event } of events) {
			if (api.events.system.ExtrinsicFailed.is(event)) failed.push(client.refusal(event.data[0]).name);
		}
	}
	return failed;
}

/** Runs something and checks that no transaction of it failed. */
async function withoutFailures(run) {
	const first = (await client.api.rpc.chain.getHeader()).number.toNumber() + 1;
	const result = await run();
	assert.deepEqual(await failedSince(first), []);
	return result;
}

const path = (name) => join(folder, name);

function random(name, size) {
	const bytes = randomFillSync(Buffer.alloc(size));
	writeFileSync(path(name), bytes);
	return bytes;
}

/** Makes an account with funds. Returns the options to act as it, and its address. */
async function account(uri) {
	const { address } = client.account(uri);
	await ok(['transfer', address, '1000', '--key', '//Alice']);
	return { uri, address, key: ['--key', uri] };
}

async function producer(uri) {
	const made = await account(uri);
	await ok(['register', uri.slice(2), ...made.key]);
	await ok(['dataset', 'create', 'data', ...made.key]);
	return made;
}

async function reader(uri) {
	const made = await account(uri);
	await ok(['key', 'publish', ...made.key]);
	return made;
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-concurrency-'));
	node = await LocalNode.start({ args: ['--dev', '--state-pruning', 'archive'] });
	client = await Client.connect(node.url);
}, { timeout });

after(async () => {
	await client?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

test('eight files that are stored at the same time take eight leaves', { timeout }, async () => {
	const { key } = await producer('//Eight');
	const names = Array.from({ length: 8 }, (_, i) => `eight-${i}`);
	for (const name of names) random(name, 1000);
	const stored = await withoutFailures(() => Promise.all(names.map((name) => ok(['store', name, ...key]))));
	const leaves = stored.map(([{ leaf }]) => leaf).sort();
	assert.deepEqual(leaves, [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('two folders and a large file are stored at the same time and fetched again', { timeout }, async () => {
	const { address, key } = await producer('//Folders');
	const bytes = {};
	for (const name of ['f1', 'f2']) {
		mkdirSync(path(name));
		for (let i = 0; i < 6; i++) bytes[`${name}/${i}`] = random(`${name}/${i}`, i === 3 ? 1_500_000 : 100);
	}
	bytes.large = random('large', 3_000_000);
	const stores = ['f1', 'f2', 'large'].map((name) => ok(['store', name, ...key]));
	await withoutFailures(() => Promise.all(stores));
	for (const name of ['f1', 'f2']) {
		await ok(['fetch', address, name, '--folder', '-o', `${name}.out`, ...key]);
		for (let i = 0; i < 6; i++) {
			assert.ok(readFileSync(path(`${name}.out/${i}`)).equals(bytes[`${name}/${i}`]), `${name}/${i}`);
		}
	}
	await ok(['fetch', address, 'large', '-o', 'large.out', ...key]);
	assert.ok(readFileSync(path('large.out')).equals(bytes.large));
});

test('what is stored twice at the same time is stored once', { timeout }, async () => {
	const { key } = await producer('//Twice');
	random('small', 1000);
	random('big', 4_000_000);
	mkdirSync(path('both'));
	for (let i = 0; i < 4; i++) random(`both/${i}`, 100);
	for (const name of ['small', 'big', 'both']) {
		const stores = [1, 2].map(() => ok(['store', name, ...key]));
		const [[first], [second]] = await withoutFailures(() => Promise.all(stores));
		assert.equal(first.leaf, second.leaf, name);
	}
	random('other', 1000);
	const names = await withoutFailures(() => Promise.all(['small', 'other'].map(
		(name) => run(['store', name, '--name', 'contested', ...key]),
	)));
	assert.deepEqual(names.map(({ code }) => code).sort(), [DONE, REFUSED]);
});

test('stores on different machines go on at the next free leaf', { timeout }, async () => {
	const { key } = await producer('//Machines');
	const names = Array.from({ length: 4 }, (_, i) => `machine-file-${i}`);
	for (const name of names) random(name, 1000);
	random('machine-file-3', 2_000_000);
	const stored = await Promise.all(names.map((name) => ok(['store', name, ...key], name)));
	assert.equal(new Set(stored.map(([{ leaf }]) => leaf)).size, 4);
});

test('a request is answered once, and a grant is revoked once', { timeout }, async () => {
	const owner = await producer('//Answers');
	const consumer = await reader('//Asks');
	random('asked', 10);
	await ok(['store', 'asked', ...owner.key]);
	const ask = ['request', owner.address, '--leaves', '0..1', '--purpose', 'p', ...consumer.key];
	const asked = await withoutFailures(() => Promise.all([run(ask), run(ask)]));
	assert.deepEqual(asked.map(({ code }) => code).sort(), [DONE, REFUSED]);
	const [{ request }] = await ok(['requests', ...owner.key]);
	const twice = (args) => withoutFailures(() => Promise.all([run(args), run(args)]));
	const answered = await twice(['authorize', String(request), ...owner.key]);
	assert.deepEqual(answered.map(({ code }) => code).sort(), [DONE, REFUSED]);
	const [{ grant }] = await ok(['list', 'given', ...owner.key]);
	const revoked = await twice(['revoke', String(grant), ...owner.key]);
	assert.deepEqual(revoked.map(({ code }) => code), [DONE, DONE]);
	const blocks = revoked.map(({ stdout }) => JSON.parse(stdout[0]).block);
	assert.equal(blocks.filter((block) => block === null).length, 1, `revoked in ${blocks}`);
});

test('what is stored beside a revocation is stored in one of the two epochs, and later in the new one', { timeout }, async () => {
	const owner = await producer('//Beside');
	const consumer = await reader('//Put out');
	random('beside-0', 10);
	await ok(['store', 'beside-0', ...owner.key]);
	await ok(['authorize', '--to', consumer.address, '--leaves', '0..100', ...owner.key]);
	const [{ grant }] = await ok(['list', 'given', ...owner.key]);
	const names = Array.from({ length: 6 }, (_, i) => `beside-${i + 1}`);
	for (const name of names) random(name, name === 'beside-6' ? 2_000_000 : 1000);
	mkdirSync(path('beside-folder'));
	for (let i = 0; i < 3; i++) random(`beside-folder/${i}`, 100);
	const store = (name) => ok(['store', name, ...owner.key]);
	const [[revoked], ...stored] = await withoutFailures(() => Promise.all([
		ok(['revoke', String(grant), ...owner.key]), ...[...names, 'beside-folder'].map(store),
	]));
	assert.equal(revoked.epoch, 1);
	for (const [{ block, epoch, key, files }] of stored) {
		// A folder, or a record of several transactions, may begin before the revocation and end after it.
		if (files === null && key !== 'beside-6') assert.equal(epoch, block > revoked.block ? 1 : 0, key);
	}
	random('beside-7', 10);
	const [{ epoch }] = await store('beside-7');
	assert.equal(epoch, 1);
	// The folder is whole, and leaves no files in the epoch that it may have started in.
	await ok(['fetch', owner.address, 'beside-folder', '--folder', '-o', 'beside.out', ...owner.key]);
	for (let i = 0; i < 3; i++) {
		assert.ok(readFileSync(path(`beside.out/${i}`)).equals(readFileSync(path(`beside-folder/${i}`))));
	}
	const records = await ok(['list', 'records', ...owner.key]);
	assert.equal(records.length, 1 + names.length + 4 + 1);
	// The reader that was revoked cannot read it.
	assert.equal((await run(['fetch', owner.address, 'beside-7', '-o', 'beside-7.out', ...consumer.key])).code, REFUSED);
});

test('two fetches to one file leave it whole', { timeout }, async () => {
	const { address, key } = await producer('//Fetches');
	const bytes = random('fetched', 6_000_000);
	await ok(['store', 'fetched', ...key]);
	const fetch = ['fetch', address, 'fetched', '-o', 'fetched.out', ...key];
	const codes = (await Promise.all([run(fetch), run(fetch)])).map(({ code }) => code).sort();
	assert.deepEqual(codes, [DONE, FAILED]);
	assert.ok(readFileSync(path('fetched.out')).equals(bytes));
	await Promise.all([ok([...fetch, '--force']), ok([...fetch, '--force'])]);
	assert.ok(readFileSync(path('fetched.out')).equals(bytes));
});

test('what the node has dropped is not counted, although it is noted as sent', { timeout }, async () => {
	const { address, key } = await account('//Dropped');
	const genesis = [...client.api.genesisHash.toU8a()];
	const sent = Math.floor(Date.now() / 1000);
	// As an upload leaves it that runs out of funds: three transactions were accepted, and are in no pool.
	const notes = [0, 1, 2].map((nonce) => ({ genesis, nonce, sent, claims: [] }));
	const locks = join(folder, 'machine-here/.local/state/isthmus');
	writeFileSync(join(locks, `isthmus-${address}.lock`), JSON.stringify(notes));
	await ok(['transfer', client.account('//Alice').address, '1', ...key]);
	assert.equal((await client.api.rpc.system.accountNextIndex(address)).toNumber(), 1);
});
