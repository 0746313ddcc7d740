// SPDX-License-Identifier: Apache-2.0
// Tests `isthmus keep` against a real node: copies of objects in folders, proofs that the runtime verifies, a damaged copy. And
// how the JavaScript client reads keepers from the state, that it knows if some are left out, and receipts of keepers.

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { blake2b256 as hash, concat, utf8 } from '../lib/envelope/common.mjs';
import { decode, little } from '../lib/light/scale.mjs';
import { keeper, keeperOf, KEEPERS_VERSION, keepersKey } from '../lib/light/storage.mjs';
import { StateProof } from '../lib/light/trie.mjs';
import { LocalNode } from '../lib/node.mjs';
import { verifyKeeperReceipt } from '../lib/receipts.mjs';
import { until } from '../lib/rpc.mjs';
import { Client, hex } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
/** The number of blocks in a period on a development chain. */
const PERIOD = 20;
const [DONE, FAILED, USAGE, REFUSED, NOT_AUTHENTIC] = [0, 1, 2, 4, 5];

/** The command: $ISTHMUS_CLI, or `isthmus` beside the node. */
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

let node;
let client;
let folder;

const options = () => ({ cwd: folder, env: { ...process.env, ISTHMUS_URL: node.url, ISTHMUS_KEY: '' } });
const start = (args) => programs.start(program, args, options());

/** Runs the command until it exits. */
const run = (...args) => programs.run(program, args, options());

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

/** Returns a number of the metrics of `isthmus keep`. */
function gauge(path, name) {
	const [, value] = new RegExp(`^isthmus_keep_${name}\\{[^}]*\\} (.*)$`, 'm').exec(readFileSync(path, 'utf8')) ?? [];
	return Number(value);
}

/** Checks that the list of datasets, the trace and the library show a keeper, and the block of its last proof. */
async function showsTheKeeper(owner, keeper, block) {
	const [dataset] = await ok('list', 'datasets', '--owner', owner.address);
	assert.deepEqual([dataset.objects, dataset.keepers, dataset.lastProven], [1, 1, block]);
	const { stdout } = await run('list', 'datasets', '--owner', owner.address);
	assert.match(stdout, new RegExp(`kept by 1 account, last proven in block ${block}\n`));
	for (const subject of [['dataset', owner.address, '0'], ['account', owner.address]]) {
		const kept = (await ok('trace', ...subject)).at(-1);
		assert.deepEqual([kept.event, kept.keeper, kept.dataset, kept.kept, kept.proven], ['Kept', keeper.address, 0, 1, block]);
	}
	// What is searched up to a block does not show the state of another one.
	const earlier = await ok('trace', 'dataset', owner.address, '0', '--to', String(block));
	assert.ok(earlier.every(({ event }) => event !== 'Kept'));
	const [listed, ...others] = await client.keepers(owner.address, 0);
	assert.deepEqual([listed.account, listed.proven, listed.kept, listed.missed, others], [keeper.address, block, 1, 0, []]);
	assert.deepEqual(await client.keepers(owner.address, 1), []);
	const pot = await (await client.proven()).pot(client.accountBytes(owner.address), 0);
	// A hundredth of the pot was paid for the proof.
	assert.deepEqual([pot.keepers, pot.amount], [1, pot.share * 99n]);
}

/** Checks that a receipt proves the keeper and the block of its last proof, without a node. */
async function hasAReceipt(owner, keeper, block) {
	const of = ['--keeper', keeper.address, '--owner', owner.address, '--dataset', '0'];
	const [written] = await ok('receipt', ...of, '-o', 'keeper.receipt');
	assert.deepEqual([written.event, written.output], [null, 'keeper.receipt']);
	const path = join(folder, 'keeper.receipt');
	const receipt = new Uint8Array(readFileSync(path));
	const genesis = ['--genesis', hex(client.genesis)];
	const [proved] = await ok('verify', path, ...genesis);
	const { owner: of_, dataset, keeper: account, kept, proven, block: after, development } = proved;
	assert.deepEqual([of_, dataset, account, kept, proven, development], [owner.address, 0, keeper.address, 1, block, true]);
	assert.ok(after === written.block && after >= block);
	const read = verifyKeeperReceipt(receipt, client.genesis);
	assert.deepEqual([client.address(read.keeper), read.entry.proven, read.block], [keeper.address, block, after]);
	assert.deepEqual([read.isDevelopment, read.periodLength], [true, PERIOD]);
	const { settled, inARow, periodLength, uncounted } = proved;
	const over = Math.floor(after / PERIOD) - 1;
	assert.deepEqual([settled, inARow, periodLength], [read.entry.settled, 0, PERIOD]);
	assert.equal(uncounted, Math.max(over - settled, 0));
	// Who keeps nothing gets none, and the block of an event is not named beside a keeper.
	const none = await run('receipt', '--keeper', owner.address, ...of.slice(2));
	assert.equal(none.code, REFUSED);
	assert.match(none.stderr, /keeps no copy of dataset 0/);
	assert.equal((await run('receipt', '7', ...of)).code, USAGE);
	// The tests of client/light flip all bits of a receipt that is always the same.
	const flipped = receipt.slice();
	flipped[receipt.length - 5] ^= 1;
	writeFileSync(path, flipped);
	const { code, stderr } = await run('verify', path, ...genesis);
	assert.equal(code, NOT_AUTHENTIC, stderr);
}

before(
	async () => {
		folder = mkdtempSync(join(tmpdir(), 'isthmus-keepers-'));
		// Only transactions make blocks, so that no period ends before it is to.
		node = await LocalNode.start({ args: ['--dev', '--heartbeat', '3600'], basePath: join(folder, 'node') });
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
	// What is left of an object that was removed when it did not run is deleted, and nothing else.
	const gone = '0a'.repeat(32);
	for (const name of [`${gone}.b3`, `${gone}.unfinished`, 'notes']) {
		writeFileSync(join(copy, name), name);
		utimesSync(join(copy, name), 1, 1);
	}
	// What is newer than the finalized state may be of a record that this does not have yet.
	const newer = '0b'.repeat(32);
	const soon = Date.now() / 1000 + 3600;
	writeFileSync(join(copy, newer), newer);
	utimesSync(join(copy, newer), soon, soon);
	assert.deepEqual(await ok(...once_), [{ did: 'tidied', object: gone }]);
	assert.deepEqual(readdirSync(copy).sort(), ['notes', newer, ...readdirSync(from)].sort());
	for (const name of ['notes', newer]) rmSync(join(copy, name));
	assert.deepEqual(await ok(...once_), []);
	await until('the proof is final', async () => (await keepers(owner))[0].kept === 1);
	const [listed] = await keepers(owner);
	assert.deepEqual(
		[listed.keeper, listed.kept, listed.missed, listed.location, listed.proven],
		[keeper.address, 1, 0, `file://${copy}`, proved.block],
	);

	await showsTheKeeper(owner, keeper, proved.block);
	await hasAReceipt(owner, keeper, proved.block);

	// All of the copy is wrong: it says so, copies it again, and proves.
	await nextPeriod();
	damage(copy);
	const damaged = await run('--json', ...once_);
	assert.equal(damaged.code, DONE);
	assert.match(damaged.stderr, /period \d+: .* is not proven: MiB \d of it is wrong there/);
	const did = damaged.stdout.trim().split('\n').map((line) => JSON.parse(line));
	assert.deepEqual(did.map((step) => [step.did, step.again]), [['copied', true], ['proved', undefined]]);

	// The service follows what is stored and removed, until it is told to end.
	const metrics = join(folder, 'keep.prom');
	const child = start(['--json', ...once_.filter((arg) => arg !== '--once'), '--metrics', metrics]);
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const next = async () => JSON.parse((await programs.before(child, 'its next line', lines.next())).value);
	const second = await store(owner, 'second', 1_200_000);
	const copied = await next();
	assert.deepEqual([copied.did, copied.key], ['copied', second.key]);
	// Two programs would write into one file.
	const other = await run('--json', ...once_);
	assert.equal(other.code, FAILED);
	assert.match(JSON.parse(other.stderr.trim().split('\n').at(-1)).error, /^another program keeps copies at file:.*, process \d+\)$/);
	const later = await nextPeriod();
	const again = await next();
	assert.deepEqual([again.did, again.period], ['proved', later]);
	await ok('remove', 'second', '--finalized', ...owner.key);
	assert.equal((await next()).did, 'deleted');
	assert.equal(readdirSync(copy).length, 2);
	const shows = (name, value) => gauge(metrics, name) === value;
	await until('the metrics have the removal and the last proof', () => shows('objects', 1) && shows('proven_block', again.block));
	assert.match(readFileSync(metrics, 'utf8'), new RegExp(`\\{account="${keeper.address}",owner="${owner.address}",dataset="0"\\}`));
	assert.deepEqual(
		['copies_total', 'proofs_total', 'errors_total', 'objects', 'objects_copied', 'place', 'periods_kept'].map((name) => gauge(metrics, name)),
		[1, 1, 0, 1, 1, 1, 3],
	);
	child.kill('SIGTERM');
	assert.deepEqual(await programs.ended(child), [DONE, null]);

	const [left] = await ok(...keep, '--leave', '--finalized', ...keeper.key);
	assert.equal(left.did, 'left');
	assert.deepEqual(await keepers(owner), []);
});

test('a keeper whose source is wrong copies what is right, and takes no place', { timeout }, async () => {
	const [owner, keeper] = [await account('//WrongOwner'), await account('//WrongKeeper')];
	const [from, to] = ['wrong', 'nothing'].map((name) => (mkdirSync(join(folder, name)), join(folder, name)));
	await ok('register', 'Another producer', '--kind', 'school', ...owner.key);
	await ok('dataset', 'create', 'genomes', ...owner.key);
	await ok('dataset', 'locate', '0', `file://${from}`, '--finalized', ...owner.key);
	const third = await store(owner, 'third', 1_100_000);
	damage(from);
	const fourth = await store(owner, 'fourth', 1_100_000);
	const { code, stdout, stderr } = await run('--json', 'keep', owner.address, '0', '--at', `file://${to}`, '--once', ...keeper.key);
	assert.equal(code, FAILED);
	// Both are copied at the same time.
	const copied = stdout.trim().split('\n').map((line) => JSON.parse(line));
	assert.deepEqual(copied.map(({ did, key }) => [did, key]), [['copied', fourth.key]]);
	assert.match(stderr, new RegExp(`${third.key}.*no location has the object whole and right; .*wrong: MiB 0 of it is wrong there`));
	assert.deepEqual(await keepers(owner), []);
});

test('a source that takes no one is not asked for each object', { timeout }, async (t) => {
	const [owner, keeper] = [await account('//DeadOwner'), await account('//LivingKeeper')];
	const [from, to] = ['living', 'kept'].map((name) => (mkdirSync(join(folder, name)), join(folder, name)));
	await ok('register', 'A producer with mirrors', '--kind', 'school', ...owner.key);
	await ok('dataset', 'create', 'mirrored', ...owner.key);
	await ok('dataset', 'locate', '0', `file://${from}`, '--finalized', ...owner.key);
	const stored = [];
	for (let number = 0; number < 12; number += 1) stored.push((await store(owner, `object-${number}`, 2000)).key);
	const asked = new Set();
	const dead = createServer(({ url }, response) => {
		asked.add(url);
		response.writeHead(401).end();
	});
	dead.listen(0, '127.0.0.1');
	await once(dead, 'listening');
	t.after(() => dead.close());
	await ok('dataset', 'locate', '0', `http://127.0.0.1:${dead.address().port}/x`, `file://${from}`, '--finalized', ...owner.key);
	const kept = await ok('keep', owner.address, '0', '--at', `file://${to}`, '--once', ...keeper.key);
	const copied = kept.filter(({ did }) => did === 'copied').map(({ key }) => key);
	assert.deepEqual(copied.sort(), stored.sort());
	// Eight objects are copied concurrently: those that began before it was known.
	assert.ok(asked.size > 0 && asked.size <= 8, `${asked.size} of ${stored.length}`);
});

/** A compact integer of up to 14 bits. */
const compact = (value) => (value < 64 ? [value << 2] : little((value << 2) | 1, 2));
const blob = (bytes) => concat(compact(bytes.length), bytes);

test('a keeper is read as the chain writes it', () => {
	const state = readFileSync(new URL('../../primitives/storage-proof/src/state.rs', import.meta.url), 'utf8');
	assert.equal(Number(/STORAGE_VERSION: u16 = (\d+);/.exec(state)[1]), KEEPERS_VERSION);
	const four = (...numbers) => concat(...numbers.map((number) => little(number, 4)));
	const entry = concat(blob(utf8('s3://copies')), little(10n ** 19n, 16), four(12), [1], four(60), four(3, 2, 5, 1, 0));
	const expected = { location: 's3://copies', deposit: 10n ** 19n, since: 12, proven: 60, settled: 3, objects: 2, kept: 5, missed: 1, inARow: 0 };
	assert.deepEqual(decode(entry, keeper), expected);
	const account = (byte) => new Uint8Array(32).fill(byte);
	const hash = account(0).slice(16);
	assert.deepEqual(keeperOf(concat(keepersKey(account(1), 0), hash, account(7))), account(7));
});

test('it is proven which keys begin with a prefix', () => {
	// Nibbles as a node has them: the first byte has one if their number is odd.
	const packed = (nibbles) => (nibbles.length % 2 ? [0, ...nibbles] : nibbles)
		.reduce((bytes, nibble, index) => (index % 2 ? [...bytes.slice(0, -1), bytes.at(-1) * 16 + nibble] : [...bytes, nibble]), []);
	// Longer than 32 bytes, so that its parent has its hash.
	const end = (...nibbles) => concat([0x40 | nibbles.length], packed(nibbles), blob(new Uint8Array(40)));
	const branch = (nibbles, children) => {
		const present = Object.keys(children).reduce((bits, nibble) => bits | (1 << nibble), 0);
		const nodes = Object.values(children).map((node) => blob(node.length < 32 ? node : hash(node)));
		return concat([0x80 | nibbles.length], packed(nibbles), little(present, 2), ...nodes);
	};
	const [left, right, other] = [end(4), end(6), end(9)];
	const both = branch([2], { 3: left, 5: right });
	const root = branch([], { 1: both, 9: other });
	const proof = (...nodes) => {
		const proof = new StateProof(hash(root));
		proof.add([root, ...nodes]);
		return (...prefix) => proof.keys(Uint8Array.from(prefix)).map((key) => [...key]);
	};
	const all = proof(both, left, right, other);
	assert.deepEqual(all(), [[0x12, 0x34], [0x12, 0x56], [0x99]]);
	assert.deepEqual(all(0x12), [[0x12, 0x34], [0x12, 0x56]]);
	assert.deepEqual(all(0x12, 0x56), [[0x12, 0x56]]);
	for (const none of [[0x13], [0x98], [0x12, 0x35], [0x12, 0x34, 0x00], [0x40]]) assert.deepEqual(all(...none), []);
	// A part that is left out is noticed, if it could have such a key.
	const some = proof(both, left);
	assert.throws(() => some(0x12), { name: 'BadProof' });
	assert.throws(() => some(), { name: 'BadProof' });
	assert.deepEqual(some(0x12, 0x34), [[0x12, 0x34]]);
});
