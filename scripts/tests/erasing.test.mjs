// SPDX-License-Identifier: Apache-2.0
// Erases an object and a packed folder with `isthmus remove --objects --erase`, and then looks in all places for what opens
// them: the owner's files, both stores, a keeper's copy, the node's database and the readers' grants. Who was granted their
// leaves before is the exception: the sealed keys are in the chain's history.

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { blake2AsU8a } from '@polkadot/util-crypto';
import {
	decryptObject, EncryptionSecret, EpochRoot, grantRecipient, LeafKey, LEAVES, ObjectDecryptor, openGrant, openKeyFile, Range,
} from '../lib/envelope.mjs';
import { concat, fromDigits, hkdf, hmacSha256, subtle, toDigits, utf8 } from '../lib/envelope/common.mjs';
import { ObjectHeader, objectWithAnyKey, SEALED_CHUNK } from '../lib/envelope/object.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client, hex } from '../lib/sharing.mjs';
import { Moto, settingsOf } from '../lib/stores.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
const REFUSED = 4;
const BUCKET = 'letters';
const PASSPHRASE = 'three plain words';
const ERASABLE_LABEL = utf8('isthmus/erasable/v1');
const HEIGHT = 32;

/** The home folder: the key file, the state of the command, the mirror, the keeper's copy and temporary files are in it. */
let home;
let node;
let client;
let moto;
let isthmus;
let env;

const file = (name) => join(home, name);

/** Runs the command, checks that it succeeds, and returns the objects that it prints. */
async function ok(...args) {
	const { code, stdout, stderr } = await isthmus.run(['--json', ...args], env);
	assert.equal(code, 0, `isthmus ${args.join(' ')}: ${stderr}`);
	return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

/** Writes a file of random bytes. */
function random(name, size) {
	const bytes = randomFillSync(Buffer.alloc(size));
	writeFileSync(file(name), bytes);
	return bytes;
}

/** Makes a reader with funds and a published key. */
async function reader(uri) {
	const { address } = client.account(uri);
	await ok('transfer', address, '1000', '--key', '//Alice');
	await ok('key', 'publish', '--key', uri);
	// The secrets of the command's development accounts are derived from their names.
	const secret = new EncryptionSecret(blake2AsU8a(utf8(`isthmus/development/encryption/${uri}`)));
	return { uri, address, secret };
}

/** Starts a node and a store. */
async function begin() {
	home = mkdtempSync(join(tmpdir(), 'isthmus-erasing-'));
	for (const name of ['tmp', 'mirror', 'copy', 'docs']) mkdirSync(file(name));
	// Only transactions make blocks, so that few periods of keepers end.
	const args = ['--dev', '--heartbeat', '3600'];
	[node, moto] = await Promise.all([LocalNode.start({ args }), Moto.start(BUCKET)]);
	client = await Client.connect(node.url);
	isthmus = new Isthmus(node.url, home);
	env = { ...settingsOf(moto.port), ISTHMUS_PASSPHRASE: PASSPHRASE, TMPDIR: file('tmp') };
}

async function end() {
	await client?.disconnect();
	await moto?.stop();
	await node?.stop();
	rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}

/** Opens a file of erasable keys, as docs/formats.md describes it. Returns the nodes of its only epoch. */
async function openErasable(bytes, master, owner) {
	const salted = ERASABLE_LABEL.length + 32;
	const secret = await hkdf(ERASABLE_LABEL, master.exposeSecret(), owner);
	const raw = await hmacSha256(secret, bytes.subarray(ERASABLE_LABEL.length, salted));
	const key = await subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
	const algorithm = { name: 'AES-GCM', iv: new Uint8Array(12), additionalData: concat(ERASABLE_LABEL, owner) };
	const plain = Buffer.from(await subtle.decrypt(algorithm, key, bytes.subarray(salted)));
	const datasets = plain.readUInt32BE(0);
	const doomedAt = 4 + 40 * datasets;
	const tree = doomedAt + 4 + 44 * plain.readUInt32BE(doomedAt);
	const nodes = [];
	// The chain, the dataset, the epoch, the length, and what files' keys are derived from.
	for (let at = tree + 32 + 12 + 32; at < plain.length; at += 37) {
		const key = new Uint8Array(plain.subarray(at + 5, at + 37));
		nodes.push({ depth: plain[at], index: plain.readUInt32BE(at + 1), key });
	}
	return { nodes, doomed: plain.readUInt32BE(doomedAt) };
}

/** Returns the key of a child of a node of the key tree. */
const child = (key, bit) => hmacSha256(key, concat([bit], utf8('isthmus/tree/v1')));

/** Returns the keys of the nodes from below a node of this depth down to a leaf. */
async function path(key, depth, leaf) {
	const keys = [];
	for (let level = HEIGHT - depth - 1; level >= 0; level -= 1) {
		key = await child(key, Math.floor(leaf / 2 ** level) % 2);
		keys.push(key);
	}
	return keys;
}

/** Finds all of the dataset's objects, with what their locations have of them, by their leaves. */
async function objects(owner) {
	const found = [];
	for (const { key, leaf } of await ok('list', 'records', ...owner.key)) {
		const { object } = await client.queryObject(owner.address, owner.address, fromDigits(key.slice(2)));
		const header = ObjectHeader.read(object.header);
		const bytes = await moto.fetch(`/${BUCKET}/x/${header.name}`);
		found[leaf] = { leaf, key: fromDigits(key.slice(2)), header, encoded: object.header, bytes: new Uint8Array(bytes) };
	}
	return found;
}

const contextOf = (owner, { key }) => client.recordContext(owner.address, key);

/** Checks that a key does not open an object, even if its commitment is not compared. */
async function opensNothing(leafKey, owner, object, what) {
	const context = contextOf(owner, object);
	await assert.rejects(ObjectDecryptor.create(leafKey, context, object.header), { name: 'WrongKey' }, what);
	const forced = await objectWithAnyKey(leafKey, context, object.header);
	await assert.rejects(forced.decryptChunk(0, object.bytes.subarray(0, SEALED_CHUNK)), { name: 'NotAuthentic' }, what);
}

/** Names the files below a folder. */
const filesBelow = (at) => readdirSync(at, { recursive: true, withFileTypes: true })
	.filter((entry) => entry.isFile())
	.map((entry) => join(entry.parentPath ?? entry.path, entry.name));

/** Returns where these bytes are, or what has one of them as its name: in files, and in the bucket. */
async function search(needles, folders) {
	const found = [];
	const look = (place, bytes) => {
		for (const [what, needle] of needles) {
			const inName = what === 'name' && place.includes(needle);
			if (inName || bytes.includes(needle)) found.push(`${what}: ${place}`);
		}
	};
	for (const path of folders.flatMap(filesBelow)) look(path, readFileSync(path));
	for (const name of await moto.list(BUCKET)) look(`s3: ${name}`, await moto.fetch(`/${BUCKET}/${name}`));
	return found;
}

/** What is searched for: runs of the ciphertext. */
const ciphertext = ({ bytes, leaf }) => {
	const runs = [];
	// One in each 64 KiB. A copy that anyone could use has most of them.
	for (let at = 0; at + 32 <= bytes.length; at += 2 ** 16) runs.push([`bytes of leaf ${leaf}`, Buffer.from(bytes.subarray(at, at + 32))]);
	return runs;
};

/** What is searched for: the keys of the nodes above a leaf and of the object there. */
async function secrets(root, { leaf, header }) {
	const above = [root, ...(await path(root, 0, leaf))];
	const chunks = await hkdf(header.salt, above.at(-1), utf8('isthmus/object-key/v1'));
	const raw = [...above, chunks].map((key) => ['key', Buffer.from(key)]);
	return [...raw, ...[root, above.at(-1), chunks].map((key) => ['key', Buffer.from(toDigits(key))])];
}

/** Returns the grants that the calls of a block have given, with their sealed keys. They stay there for ever. */
async function grantsIn(block) {
	const { chain } = client.api.rpc;
	const { block: { extrinsics } } = await chain.getBlock(await chain.getBlockHash(block));
	const given = ({ section, method, args }) => {
		if (section === 'utility') return [...args[0]].flatMap(given);
		if (section !== 'dataSharing' || method !== 'addAuthorize') return [];
		const [, scope, expiry, , sealed] = args;
		const [from, to] = ['from', 'to'].map((end) => scope.get(end).toNumber());
		return [{ range: new Range(from, to), expiry: expiry.toNumber(), sealed: sealed.toU8a(true) }];
	};
	return extrinsics.flatMap(({ method }) => given(method));
}

/** Opens a grant with what its reader keeps: its own secret. */
async function keysOf({ address, secret }, owner, { range, expiry, sealed }) {
	const { suite, id } = grantRecipient(sealed);
	const scope = { grantee: client.accountBytes(address), range, expiry };
	return openGrant(await secret.pair(suite, id), owner.epoch, scope, sealed);
}

/** Makes a producer with a key file, and a dataset with an erasable epoch whose objects are in a bucket and in a folder. */
async function producer() {
	await ok('key', 'generate', 'school.key');
	const { seed } = await openKeyFile(readFileSync(file('school.key'), 'utf8'), PASSPHRASE);
	const { address, publicKey } = client.account(hex(await seed.account()));
	const key = ['--key', 'school.key'];
	await ok('transfer', address, '1000', '--key', '//Alice');
	await ok('register', 'A school', '--kind', 'school', ...key);
	await ok('dataset', 'create', 'letters', '--erasable', ...key);
	await ok('dataset', 'locate', '0', `s3://${BUCKET}/x`, `file://${file('mirror')}`, '--finalized', ...key);
	const epoch = { genesis: client.genesis, owner: publicKey, dataset: 0, epoch: 0 };
	return { address, publicKey, key, epoch, master: await seed.master() };
}

/** Checks that no file in these folders is one of keys that has a node above an erased leaf. Returns the nodes that are left. */
async function nodesLeft(owner, folders, erased) {
	const left = [];
	for (const path of folders.flatMap(filesBelow)) {
		const bytes = readFileSync(path);
		const at = bytes.indexOf(ERASABLE_LABEL);
		if (at < 0) continue;
		// Nothing else may have such a file inside.
		assert.equal(at, 0, path);
		const { nodes, doomed } = await openErasable(bytes, owner.master, owner.publicKey);
		assert.equal(doomed, 0, path);
		for (const { depth, index } of nodes) {
			const isAbove = ({ leaf }) => Math.floor(leaf / 2 ** (HEIGHT - depth)) === index;
			assert.ok(!erased.some(isAbove), `${path} has node ${index} of depth ${depth}`);
		}
		left.push(...nodes);
	}
	return left;
}

test('an object and a packed folder that are erased are opened by nothing, anywhere', { timeout, skip }, async (t) => {
	t.after(end);
	await begin();
	const owner = await producer();
	const [early, late] = [await reader('//Early'), await reader('//Late')];
	await ok('transfer', client.account('//Keeper').address, '1000', '--key', '//Alice');
	random('first', 1_200_000);
	const letter = random('letter', 2_500_000);
	for (const name of ['a', 'b', 'c']) random(`docs/${name}`, 300_000);
	random('last', 1_200_000);
	await ok('store', 'first', ...owner.key);
	const [stored] = await ok('store', 'letter', ...owner.key);
	const [folder] = await ok('store', 'docs', '--object', ...owner.key);
	await ok('store', 'last', '--finalized', ...owner.key);
	const all = await objects(owner);
	const erased = all.slice(stored.leaf, folder.leaf + 1);
	// The letter, a pack and its list lie between two records that stay.
	assert.deepEqual([all.length, stored.leaf, erased.length], [5, 1, 3]);
	for (const { header } of all) {
		for (const name of [header.name, `${header.name}.b3`]) {
			const isThere = (await moto.list(BUCKET)).includes(`x/${name}`);
			if (isThere) writeFileSync(file(`mirror/${name}`), await moto.fetch(`/${BUCKET}/x/${name}`));
		}
	}
	const keep = ['keep', owner.address, '0', '--at', `file://${file('copy')}`, '--once', '--key', '//Keeper'];
	await ok(...keep);
	// It never fetches anything.
	const [granted] = await ok('authorize', '--to', early.address, '--leaves', '0..5', '--finalized', ...owner.key);

	// Before: the search finds what it has to, and the file opens everything.
	const old = readFileSync(file('school.key.erasable'));
	const { nodes: [{ depth, key: root }] } = await openErasable(old, owner.master, owner.publicKey);
	assert.equal(depth, 0);
	const tree = new EpochRoot(owner.epoch, root);
	assert.deepEqual(await decryptObject(await tree.leafKey(1), contextOf(owner, all[1]), all[1].encoded, all[1].bytes), new Uint8Array(letter));
	const keys = (await Promise.all(erased.map((object) => secrets(root, object)))).flat();
	const bytes = erased.flatMap(ciphertext);
	const names = erased.map(({ header }) => ['name', header.name]);
	const oldFile = [['the old file of keys', old.subarray(ERASABLE_LABEL.length, ERASABLE_LABEL.length + 128)]];
	const found = await search([...bytes, ...names, ...oldFile], [home]);
	for (const place of ['s3: x/', '/mirror/', '/copy/']) {
		for (const what of ['bytes of leaf 1', 'bytes of leaf 2', 'bytes of leaf 3', 'name']) {
			assert.ok(found.some((one) => one.startsWith(`${what}: `) && one.includes(place)), `${what} at ${place}`);
		}
	}
	assert.ok(found.some((one) => one.startsWith('the old file of keys: ')));

	// A dry run says what would be erased, and erases nothing.
	const [planned] = await ok('dataset', 'erase', '0', '--leaves', '1..4', '--dry-run', ...owner.key);
	assert.deepEqual(planned, { dataset: 0, dryRun: true, epoch: 0, keys: 3 });
	assert.deepEqual(readFileSync(file('school.key.erasable')), old);

	const [letterGone] = await ok('remove', 'letter', '--objects', '--erase', '--yes', ...owner.key);
	const [folderGone] = await ok('remove', folder.key, '--objects', '--erase', '--yes', '--finalized', ...owner.key);
	for (const removed of [letterGone, folderGone]) assert.deepEqual(removed.objects.map(({ failure }) => failure), [null, null]);
	assert.deepEqual([letterGone.erased, folderGone.erased], [1, 2]);
	// It did not run when they were removed.
	const tidied = (await ok(...keep)).filter(({ did }) => did === 'tidied');
	assert.deepEqual(tidied.map(({ object }) => object).sort(), erased.map(({ header }) => header.name).sort());
	const later = await ok('authorize', '--to', late.address, '--leaves', '0..5', '--finalized', ...owner.key);

	// Nothing of it is in a file, in a store, or in the node's database. That has the entries of removed records in its blocks,
	// and so their objects' names, which open nothing.
	assert.deepEqual(await search([...bytes, ...keys, ...names, ...oldFile], [home]), []);
	assert.deepEqual(await search([...bytes, ...keys, ...oldFile], [node.basePath]), []);
	assert.equal(await moto.unfinished(BUCKET), 0);
	assert.deepEqual(readdirSync(file('tmp')), []);
	const [{ changes }] = await client.rpc('state_queryStorageAt', await client.rpc('state_getKeysPaged', '0x', 1000));
	assert.ok(changes.length < 1000);
	for (const { header } of erased) assert.ok(!changes.some(([, value]) => value.includes(header.name)));

	await opensNoMore({ owner, late, tree, erased, all, later });
	const [exception] = await grantsIn(granted.block);
	const kept = await keysOf(early, owner, exception);
	const saved = await decryptObject(await kept.leafKey(1), contextOf(owner, all[1]), all[1].encoded, all[1].bytes);
	assert.deepEqual(saved, new Uint8Array(letter), 'who was granted the leaf can open a copy of it for ever');
});

/** Checks that copies of what is erased, which someone has saved, are opened by nothing that is left but an earlier grant. */
async function opensNoMore({ owner, late, tree, erased, all, later }) {
	const seed = await owner.master.epochRoot(owner.epoch);
	const left = await nodesLeft(owner, [home, node.basePath], erased);
	assert.ok(left.length > 0 && existsSync(file('school.key.erasable')));
	// They open all leaves but the erased ones.
	const leaves = left.reduce((sum, { depth }) => sum + 2 ** (HEIGHT - depth), 0);
	assert.equal(leaves, LEAVES - erased.length);
	const grants = (await Promise.all([...new Set(later.map(({ block }) => block))].map(grantsIn))).flat();
	assert.deepEqual(grants.map(({ range }) => [range.start, range.end]), [[0, 1], [4, 5]]);
	const opened = await Promise.all(grants.map((grant) => keysOf(late, owner, grant)));
	for (const object of erased) {
		const { leaf } = object;
		await opensNothing(await seed.leafKey(leaf), owner, object, 'the seed');
		for (const { depth, key } of left) {
			// As it is, and as if it were above the leaf.
			const below = (await path(key, depth, leaf)).at(-1) ?? key;
			for (const guess of [key, below]) await opensNothing(new LeafKey(guess), owner, object, 'what is left in the file of keys');
		}
		for (const keys of opened) {
			await assert.rejects(keys.leafKey(leaf), { name: 'LeafOutsideRange' });
			await opensNothing(await keys.leafKey(keys.range.start), owner, object, 'a later grant');
		}
	}
	// The neighbours' keys are right for them, and for nothing else.
	for (const neighbour of [all[0], all[4]]) {
		const leafKey = await tree.leafKey(neighbour.leaf);
		await decryptObject(leafKey, contextOf(owner, neighbour), neighbour.encoded, neighbour.bytes);
		for (const object of erased) await opensNothing(leafKey, owner, object, `the key of leaf ${neighbour.leaf}`);
	}
	const fetch = (key, name) => isthmus.run(['fetch', owner.address, key, '--key', late.uri, '-o', name], env);
	const kept = await fetch(hex(all[4].key), 'last-copy');
	assert.equal(kept.code, 0, kept.stderr);
	assert.equal(statSync(file('last-copy')).size, 1_200_000);
	for (const { key } of erased) assert.equal((await fetch(hex(key), 'none')).code, REFUSED);
	assert.ok(!existsSync(file('none')));
}
