// SPDX-License-Identifier: Apache-2.0
// Tests `isthmus keep` against a real node: copies of objects in folders, proofs that the runtime verifies, a damaged copy.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
/** The number of blocks in a period on a development chain. */
const PERIOD = 20;
const [DONE, FAILED] = [0, 1];

/** The command: $ISTHMUS_CLI, or `isthmus` beside the node. */
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

let node;
let client;
let folder;

function start(args) {
	return spawn(program, args, { cwd: folder, env: { ...process.env, ISTHMUS_URL: node.url, ISTHMUS_KEY: '' } });
}

/** Runs the command until it exits. */
async function run(...args) {
	const child = start(args);
	const [out, err] = [[], []];
	child.stdout.on('data', (data) => out.push(data));
	child.stderr.on('data', (data) => err.push(data));
	const [code] = await once(child, 'close');
	return { code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
}

/** Runs the command, checks that it succeeds, and returns the objects that it prints. */
async function ok(...args) {
	const { code, stdout, stderr } = await run('--json', ...args);
	assert.equal(code, DONE, `isthmus ${args.join(' ')}: ${stderr}`);
	return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

/** Makes an account with funds. */
async function account(uri) {
	const { address, publicKey } = client.account(uri);
	await ok('transfer', address, '1000', '--key', '//Alice');
	return { uri, address, hex: Buffer.from(publicKey).toString('hex'), key: ['--key', uri] };
}

/** Makes blocks until the chain is in the next period, and waits until that is final. Returns the period. */
async function nextPeriod() {
	const { rpc, tx } = client.api;
	const alice = client.account('//Alice');
	const period = async () => Math.floor(Number((await rpc.chain.getHeader()).number) / PERIOD);
	const now = await period();
	while ((await period()) === now) await client.submit(alice, tx.system.remark(''));
	await client.finalized(await client.submit(alice, tx.system.remark('')));
	return period();
}

/** Stores a value as an object. */
async function store(owner, name, size) {
	writeFileSync(join(folder, name), randomFillSync(Buffer.alloc(size)));
	const [stored] = await ok('store', name, '--object', '--finalized', ...owner.key);
	return stored;
}

/** Returns what the dataset's keepers are. */
const keepers = (owner) => ok('list', 'keepers', '--owner', owner.address);

/** Flips a bit of a copy in each KiB of it, so that any piece is wrong. */
function damage(at) {
	for (const name of readdirSync(at).filter((entry) => !entry.endsWith('.b3'))) {
		const bytes = readFileSync(join(at, name));
		for (let offset = 0; offset < bytes.length; offset += 1024) bytes[offset] ^= 1;
		writeFileSync(join(at, name), bytes);
	}
}

before(
	async () => {
		folder = mkdtempSync(join(tmpdir(), 'isthmus-keepers-'));
		node = await LocalNode.start({ args: ['--dev'], basePath: join(folder, 'node') });
		client = await Client.connect(node.url);
	},
	{ timeout },
);
after(async () => {
	await client?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('a keeper copies, proves, notices damage, follows the dataset and leaves', { timeout }, async () => {
	const [owner, keeper] = [await account('//KeptOwner'), await account('//Keeper')];
	const [from, to] = ['own', 'copy'].map((name) => (mkdirSync(join(folder, name)), join(folder, name)));
	await ok('register', 'A producer', '--kind', 'school', ...owner.key);
	await ok('dataset', 'create', 'genomes', ...owner.key);
	await ok('dataset', 'locate', '0', `file://${from}`, '--finalized', ...owner.key);
	await store(owner, 'first', 2_500_000);
	const keep = ['keep', owner.address, '0'];
	const once_ = [...keep, '--at', `file://${to}`, '--once', ...keeper.key];

	const copy = join(to, owner.hex, '0');
	const came = await ok(...once_);
	assert.deepEqual(came.map(({ did }) => did), ['copied', 'came']);
	assert.deepEqual(readdirSync(copy).sort(), readdirSync(from).sort());
	await ok(...keep, '--fund', '100', '--finalized', '--key', '//Alice');

	// In the period in which it came, nothing is due.
	const period = await nextPeriod();
	const [proved, ...rest] = await ok(...once_);
	assert.deepEqual([proved.did, proved.period, rest], ['proved', period, []]);
	assert.deepEqual(await ok(...once_), []);
	await until('the proof is final', async () => (await keepers(owner))[0].kept === 1);
	const [listed] = await keepers(owner);
	assert.deepEqual(
		[listed.keeper, listed.kept, listed.missed, listed.location, listed.proven],
		[keeper.address, 1, 0, `file://${copy}`, proved.block],
	);

	// All of the copy is wrong: it says so, copies it again, and proves.
	await nextPeriod();
	damage(copy);
	const damaged = await run('--json', ...once_);
	assert.equal(damaged.code, DONE);
	assert.match(damaged.stderr, /period \d+: .* is not proven: MiB \d of it is wrong there/);
	const did = damaged.stdout.trim().split('\n').map((line) => JSON.parse(line));
	assert.deepEqual(did.map((step) => [step.did, step.again]), [['copied', true], ['proved', undefined]]);

	// The service follows what is stored and removed, until it is told to end.
	const child = start(['--json', ...once_.filter((arg) => arg !== '--once')]);
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const next = async () => JSON.parse((await lines.next()).value);
	const second = await store(owner, 'second', 1_200_000);
	const copied = await next();
	assert.deepEqual([copied.did, copied.key], ['copied', second.key]);
	const later = await nextPeriod();
	const again = await next();
	assert.deepEqual([again.did, again.period], ['proved', later]);
	await ok('remove', 'second', '--finalized', ...owner.key);
	assert.equal((await next()).did, 'deleted');
	assert.equal(readdirSync(copy).length, 2);
	child.kill('SIGTERM');
	assert.deepEqual(await once(child, 'close'), [DONE, null]);

	const [left] = await ok(...keep, '--leave', '--finalized', ...keeper.key);
	assert.equal(left.did, 'left');
	assert.deepEqual(await keepers(owner), []);
});

test('a keeper whose source is wrong takes no place', { timeout }, async () => {
	const [owner, keeper] = [await account('//WrongOwner'), await account('//WrongKeeper')];
	const [from, to] = ['wrong', 'nothing'].map((name) => (mkdirSync(join(folder, name)), join(folder, name)));
	await ok('register', 'Another producer', '--kind', 'school', ...owner.key);
	await ok('dataset', 'create', 'genomes', ...owner.key);
	await ok('dataset', 'locate', '0', `file://${from}`, '--finalized', ...owner.key);
	await store(owner, 'third', 1_100_000);
	damage(from);
	const { code, stdout, stderr } = await run('keep', owner.address, '0', '--at', `file://${to}`, '--once', ...keeper.key);
	assert.deepEqual([code, stdout], [FAILED, '']);
	assert.match(stderr, /no location has the object; .*wrong: MiB 0 of it is wrong there/);
	assert.deepEqual(await keepers(owner), []);
});
