// SPDX-License-Identifier: Apache-2.0
// Tests the `isthmus` command with objects in a bucket of an S3 server that this project did not write, and on a web server.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { blake2AsU8a } from '@polkadot/util-crypto';
import * as programs from '../lib/child.mjs';
import { decryptObject, EncryptionSecret, ObjectHeader } from '../lib/envelope.mjs';
import { fromDigits } from '../lib/envelope/common.mjs';
import { objectWithAnyKey } from '../lib/envelope/object.mjs';
import { makeAuthority, makeServerCertificate } from '../lib/certificates.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';
import { FileServer, Moto, settingsOf, StoreProxy } from '../lib/stores.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const [FAILED, REFUSED, NOT_AUTHENTIC] = [1, 4, 5];
const BUCKET = 'grades';
/** The length of a value of five parts, of 8 MiB each. */
const SIZE = 35_000_000;

let folder;
let node;
let client;
let moto;
let proxy;
let web;
let isthmus;
let env;

const file = (name) => join(folder, name);
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Writes a file of random bytes. */
function random(name, size) {
	const bytes = randomFillSync(Buffer.alloc(size));
	writeFileSync(file(name), bytes);
	return bytes;
}

/** Runs the command with the settings of the store, checks that it succeeds, and returns the objects that it prints. */
async function ok(...args) {
	const { code, stdout, stderr } = await isthmus.run(['--json', ...args], env);
	assert.equal(code, 0, `isthmus ${args.join(' ')}: ${stderr}`);
	return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

/** Runs the command, checks that it exits with this code, and returns the error that it prints. */
async function refused(expected, args, more = {}) {
	const { code, stdout, stderr } = await isthmus.run(['--json', ...args], { ...env, ...more });
	assert.equal(code, expected, `isthmus ${args.join(' ')}: ${stdout}${stderr}`);
	return JSON.parse(stderr.trim().split('\n').at(-1));
}

/** Makes an account with funds. */
async function account(uri) {
	const { address } = client.account(uri);
	await ok('transfer', address, '1000', '--key', '//Alice');
	return { uri, address, key: ['--key', uri] };
}

/** Makes a producer with one dataset. */
async function producer(uri) {
	const made = await account(uri);
	await ok('register', uri.slice(2), '--kind', 'school', ...made.key);
	await ok('dataset', 'create', 'data', ...made.key);
	return made;
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-stores-'));
	mkdirSync(file('web'));
	const authority = makeAuthority();
	writeFileSync(file('ca.pem'), authority.certificate);
	[node, moto] = await Promise.all([LocalNode.start(), Moto.start(BUCKET)]);
	client = await Client.connect(node.url);
	proxy = await StoreProxy.start(moto.port);
	web = await FileServer.start(file('web'), makeServerCertificate(authority));
	isthmus = new Isthmus(node.url, folder);
	env = { ...settingsOf(proxy.port), SSL_CERT_FILE: file('ca.pem') };
}, { timeout });

after(async () => {
	await client?.disconnect();
	await web?.stop();
	await proxy?.stop();
	await moto?.stop();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

test('a large value goes to a bucket, and is read from a mirror when the bucket sends wrong bytes', { timeout }, async () => {
	const owner = await producer('//BucketOwner');
	const consumer = await account('//BucketReader');
	await ok('key', 'publish', ...consumer.key);
	const bytes = random('large', SIZE);
	const urls = [`s3://${BUCKET}/2026/x`, `https://127.0.0.1:${web.port}/mirror`];
	// What was just published is used at once, although it is not final yet.
	await ok('dataset', 'locate', '0', ...urls, ...owner.key);
	const store = ['store', 'large', ...owner.key];

	// What may not be paid for is not sent, and a dry run sends nothing.
	const { error } = await refused(REFUSED, [...store, '--max-cost', '0']);
	assert.match(error, /^this would cost [\d.]+ IST, and the limit is 0 IST$/);
	const [planned] = await ok(...store, '--dry-run');
	assert.deepEqual(Object.keys(planned), ['deposits', 'dryRun', 'fees', 'payments']);
	assert.deepEqual(proxy.seen, {});

	// The command is killed when the store has two parts.
	let parts = 0;
	proxy.fault = ({ url }) => {
		parts += url.includes('partNumber') ? 1 : 0;
		return parts > 2 ? 'silent' : undefined;
	};
	const child = isthmus.start(store, env);
	const state = file('.local/state/isthmus');
	await until('the journal has two parts', () => {
		const journal = existsSync(state) && readdirSync(state).find((name) => name.endsWith('.upload'));
		return journal && readFileSync(join(state, journal), 'utf8').split('\ndone ').length > 2;
	});
	child.kill('SIGKILL');
	assert.deepEqual(await programs.ended(child), [null, 'SIGKILL']);
	assert.equal(await moto.unfinished(BUCKET), 1);
	proxy.fault = () => undefined;
	proxy.seen = {};
	const [stored] = await ok(...store, '--finalized');
	assert.deepEqual([stored.resumed, stored.location, stored.bytes], [true, urls[0], SIZE]);
	// Three parts and the list.
	assert.equal(proxy.seen.PUT, 4);
	assert.equal(await moto.unfinished(BUCKET), 0);
	const names = await moto.list(BUCKET);
	assert.equal(names.length, 2);

	// A copy is as good: anyone who has the bytes can put them on a web server.
	mkdirSync(file('web/mirror'));
	for (const name of names) {
		writeFileSync(file(`web/mirror/${name.split('/').at(-1)}`), await moto.fetch(`/${BUCKET}/${name}`));
	}
	const [checked] = await ok('check', owner.address, '0');
	assert.deepEqual(checked.locations.map(({ location, right }) => [location, right]), urls.map((url) => [url, 1]));
	assert.ok(web.ranges > 4);
	await ok('authorize', '--to', consumer.address, '--leaves', '0..1', '--finalized', ...owner.key);
	const fetch = ['fetch', owner.address, stored.key, ...consumer.key, '-o'];
	// What is cut short at both is not taken for a fault of the network.
	const [list, object] = [true, false].map((isList) => names.find((name) => name.endsWith('.b3') === isList));
	for (const [name, size, said] of [
		[object, 4_000_000, 'it has 4000000 bytes there, instead of \\d+'],
		[object, 0, 'it has 0 bytes there, instead of \\d+'],
		[list, 33, 'its list of checksums there is wrong'],
		[list, 0, 'its list of checksums there is wrong'],
	]) {
		const whole = await moto.fetch(`/${BUCKET}/${name}`);
		const put = async (body) => {
			await moto.fetch(`/${BUCKET}/${name}`, { method: 'PUT', body });
			writeFileSync(file(`web/mirror/${name.split('/').at(-1)}`), body);
		};
		await put(whole.subarray(0, size));
		const { error } = await refused(NOT_AUTHENTIC, [...fetch, 'none']);
		assert.match(error, new RegExp(`no location has the object whole and right; s3:[^;]*: ${said}; https:[^;]*: ${said}$`));
		assert.ok(!existsSync(file('none')));
		await put(whole);
	}
	let reads = 0;
	proxy.fault = ({ method, url }) => (method === 'GET' && !url.includes('.b3') && (reads += 1) > 3 ? 'flip' : undefined);
	const fetched = await isthmus.run([...fetch, 'copy'], env);
	assert.equal(fetched.code, 0, fetched.stderr);
	assert.match(fetched.stderr, /left for another location: s3:\/\/grades\/2026\/x: MiB \d+ of it is wrong there/);
	assert.equal(sha(readFileSync(file('copy'))), sha(bytes));

	// Without the mirror, nothing wrong is written.
	await web.stop();
	const none = await refused(FAILED, [...fetch, 'none']);
	assert.match(none.error, /no location has the object whole and right; s3:\/\/grades\/2026\/x: MiB .*; https:\/\/127\.0\.0\.1:\d+\/mirror: the store cannot be reached/);
	assert.ok(!existsSync(file('none')));
	proxy.fault = () => undefined;
	const [removed] = await ok('remove', 'large', '--alone', '--objects', ...owner.key);
	assert.deepEqual(removed.objects.map(({ failure }) => failure), [null, 'nothing can be written there']);
	assert.deepEqual(await moto.list(BUCKET), []);
});

test('what is wrong with a store, or with its settings, is said', { timeout }, async () => {
	const owner = await producer('//FaultOwner');
	random('small', 2000);
	await ok('dataset', 'locate', '0', `s3://${BUCKET}`, ...owner.key);
	const store = ['store', 'small', '--object', ...owner.key];
	const keys = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
	mkdirSync(file('.aws'));
	writeFileSync(file('.aws/credentials'), '[school]\naws_access_key_id = a\naws_secret_access_key = b\n');
	for (const [fault, more, expected] of [
		[[403, 'AccessDenied'], {}, /small: s3:\/\/grades: the store does not allow it \(403\)/],
		[[403, 'InvalidAccessKeyId'], {}, /does not accept the credentials: correct AWS_ACCESS_KEY_ID/],
		[[400, 'ExpiredToken'], {}, /the credentials have expired: get new ones and run the same command again/],
		[[404, 'NoSuchBucket'], {}, /the bucket does not exist: create it, or correct the location/],
		[undefined, { AWS_ALLOW_HTTP: 'false' }, /endpoint has no TLS: use https/],
		[undefined, { ...keys, AWS_METADATA_ENDPOINT: 'http://127.0.0.1:1' }, /there are no credentials .* set AWS_ACCESS_KEY_ID/],
	]) {
		proxy.fault = () => fault;
		assert.match((await refused(FAILED, store, more)).error, expected);
	}
	proxy.fault = () => undefined;
	const profile = await refused(REFUSED, store, { ...keys, AWS_PROFILE: 'absent' });
	assert.match(profile.error, /there is no profile absent in .* correct AWS_PROFILE/);
	const { code, stderr } = await isthmus.run(store, { ...env, ...keys, AWS_PROFILE: 'school' });
	assert.equal(code, 0, stderr);
	const [left] = await moto.list(BUCKET);
	assert.equal((await moto.list(BUCKET)).length, 1);
	// What cannot be read may be right: no record is to be removed because of it.
	const check = () => refused(FAILED, ['check', owner.address, '0', '--quick']);
	proxy.fault = () => [403, 'AccessDenied'];
	const unread = await check();
	assert.match(unread.hint, /^what could not be read may be right: .* check again/);
	proxy.fault = () => [404, 'NoSuchKey'];
	const missing = await check();
	assert.match(missing.hint, /^copy the object, .* remove the record/);
	assert.doesNotMatch(missing.hint, /may be right/);
	// The record is gone, and its object is not.
	proxy.fault = ({ method, url }) => (method === 'DELETE' || url.includes('?delete') ? [403, 'AccessDenied'] : undefined);
	const kept = await refused(FAILED, ['remove', 'small', '--objects', ...owner.key]);
	proxy.fault = () => undefined;
	assert.match(kept.error, /^the record is removed, and not all of its objects are deleted/);
	assert.deepEqual(kept.listed.map((line) => line.replace(/: .*; /, ': ')), [`s3://${BUCKET}: left there: ${left}`]);
	assert.deepEqual(await moto.list(BUCKET), [left]);
	// A store that does not work is asked once, and not for each pack.
	mkdirSync(file('pair'));
	for (const name of ['a', 'b']) random(`pair/${name}`, 9_000_000);
	const [packed] = await ok('store', 'pair', '--object', ...owner.key);
	assert.equal(packed.packs, 2);
	let asked = 0;
	proxy.fault = ({ method, url }) => {
		const deletes = method === 'DELETE' || url.includes('?delete');
		asked += deletes ? 1 : 0;
		return deletes ? [400, 'ExpiredToken'] : undefined;
	};
	const expired = await refused(FAILED, ['remove', 'pair', '--objects', ...owner.key]);
	proxy.fault = () => undefined;
	assert.equal(asked, 1);
	assert.match(expired.listed[0], /: the credentials have expired: .*; left there: [0-9a-f]+, [0-9a-f]+, [0-9a-f]+$/);
});

test('a server whose certificate is not accepted is named, with the reason', { timeout }, async () => {
	const owner = await producer('//CertificateOwner');
	random('certified', 2000);
	const folder = file('certified-objects');
	const locate = (url) => ok('dataset', 'locate', '0', url, '--finalized', ...owner.key);
	await locate(`file://${folder}`);
	await ok('store', 'certified', '--object', '--finalized', ...owner.key);
	const authority = makeAuthority('Another authority');
	const ca = file('another.pem');
	writeFileSync(ca, authority.certificate);
	const trusted = { SSL_CERT_FILE: ca };
	const options = [{}, { to: Date.now() - 1000 }, { ip: [127, 0, 0, 2] }];
	const servers = await Promise.all(options.map((option) => FileServer.start(folder, makeServerCertificate(authority, option))));
	const [good, expired, other] = servers.map(({ port }) => `https://127.0.0.1:${port}`);
	try {
		for (const [url, more, said, code = FAILED] of [
			[good, {}, /the server's certificate is from no authority that this machine trusts/],
			[good, trusted, /1 right/, 0],
			[expired, trusted, /the server's certificate has expired/],
			[other, trusted, /the server's certificate is for another name/],
			// A store of one's own, with an authority of one's own.
			['s3://absent', { AWS_ENDPOINT_URL: good }, /the server's certificate is from no authority/],
			['s3://absent', { AWS_ENDPOINT_URL: good, AWS_CA_BUNDLE: ca }, /it is not there/],
			['s3://absent', { AWS_ENDPOINT_URL: `https://127.0.0.1:${proxy.port}` }, /does not speak TLS/],
		]) {
			await locate(url);
			const checked = await isthmus.run(['check', owner.address, '0', '--quick'], { ...env, ...more });
			assert.equal(checked.code, code, `${url}: ${checked.stderr}`);
			assert.match(checked.stdout, said);
		}
		const unusable = await refused(FAILED, ['check', owner.address, '0'], { AWS_ENDPOINT_URL: 'localhost:9000' });
		assert.match(unusable.error, /the endpoint of S3 is not an address/);
		const bundle = await refused(FAILED, ['check', owner.address, '0'], { AWS_CA_BUNDLE: file('certified') });
		assert.match(bundle.error, /has no certificates: correct AWS_CA_BUNDLE/);
	} finally {
		for (const server of servers) await server.stop();
	}
});

test('a stream goes to a bucket without a temporary file', { timeout }, async () => {
	const owner = await producer('//StreamOwner');
	await ok('dataset', 'locate', '0', `s3://${BUCKET}/stream`, ...owner.key);
	const bytes = randomFillSync(Buffer.alloc(20_000_000));
	spawnSync('mkfifo', [file('pipe')]);
	env.TMPDIR = '/nowhere';
	const [[stored]] = await Promise.all([ok('store', 'pipe', '--name', 'stream', ...owner.key), writeFile(file('pipe'), bytes)]);
	assert.deepEqual([stored.location, stored.bytes], [`s3://${BUCKET}/stream`, bytes.length]);
	// The same stream again is compared, and another one is refused. Its writer may be cut off.
	const again = ['store', 'pipe', '--name', 'stream', ...owner.key];
	const [[same]] = await Promise.all([ok(...again), writeFile(file('pipe'), bytes)]);
	assert.deepEqual([same.block, same.bytes, same.leaf], [null, bytes.length, stored.leaf]);
	const other = Buffer.concat([bytes, Buffer.from('x')]);
	const [differs] = await Promise.all([refused(REFUSED, again), writeFile(file('pipe'), other).catch(() => undefined)]);
	assert.match(differs.error, /stored already, with different content/);
	await ok('fetch', owner.address, 'stream', '-o', 'stream-copy', ...owner.key);
	delete env.TMPDIR;
	assert.equal(sha(readFileSync(file('stream-copy'))), sha(bytes));
});

test('a bucket that takes nothing is noticed before anything is read', { timeout }, async () => {
	const owner = await producer('//AbsentOwner');
	spawnSync('mkfifo', [file('quiet')]);
	// Nothing comes from it, and it does not end.
	const open = openSync(file('quiet'), 'r+');
	mkdirSync(file('absent'));
	random('absent/a', 1000);
	const commands = [['store', 'quiet', '--name', 'quiet', ...owner.key], ['sync', 'absent', ...owner.key]];
	await ok('dataset', 'locate', '0', 's3://absent/x', ...owner.key);
	for (const command of commands) {
		assert.match((await refused(FAILED, command)).error, /s3:\/\/absent\/x: the bucket does not exist/);
	}
	await ok('dataset', 'locate', '0', `s3://${BUCKET}/absent`, ...owner.key);
	proxy.fault = ({ method }) => (method === 'POST' ? [403, 'AccessDenied'] : undefined);
	for (const command of commands) {
		assert.match((await refused(FAILED, command)).error, /s3:\/\/grades\/absent: the store does not allow it \(403\)/);
	}
	closeSync(open);
	// Who may neither list nor read can store.
	proxy.fault = ({ method }) => (['GET', 'HEAD'].includes(method) ? [403, 'AccessDenied'] : undefined);
	const [synced] = await ok('sync', 'absent', ...owner.key);
	assert.deepEqual([synced.files, synced.location], [1, `s3://${BUCKET}/absent`]);
	proxy.fault = () => undefined;
	assert.equal((await moto.list(BUCKET)).filter((name) => name.includes('isthmus-check')).length, 0);
});

test('an interrupted sync of a folder goes on where it was', { timeout }, async () => {
	const owner = await producer('//SyncOwner');
	await ok('dataset', 'locate', '0', `s3://${BUCKET}/sync`, ...owner.key);
	mkdirSync(file('many'));
	// Two of these files do not fit into one pack.
	const names = ['a', 'b', 'c'];
	const sums = names.map((name) => sha(random(`many/${name}`, 9_000_000)));
	const sync = ['sync', 'many', ...owner.key];
	// One pack is sent whole, and the others are not.
	let first;
	proxy.fault = ({ url }) => {
		const name = /sync\/([0-9a-f]{8,})/.exec(url)?.[1];
		first ??= name;
		return name === first ? undefined : 'silent';
	};
	const child = isthmus.start(sync, env);
	const state = file('.local/state/isthmus');
	await until('the journal names a pack', () => {
		return existsSync(state) && readdirSync(state).some((name) => name.endsWith('.packs'));
	});
	child.kill('SIGKILL');
	assert.deepEqual(await programs.ended(child), [null, 'SIGKILL']);
	proxy.fault = () => undefined;
	const [synced] = await ok(...sync, '--finalized');
	assert.deepEqual([synced.packs, synced.sentPacks, synced.transactions, synced.resumed], [3, 2, 1, true]);
	assert.equal(await moto.unfinished(BUCKET), 0);
	await ok('fetch', owner.address, 'many', '--folder', '-o', 'many-copy', ...owner.key);
	assert.deepEqual(names.map((name) => sha(readFileSync(file(`many-copy/${name}`)))), sums);
	const [removed] = await ok('remove', 'many', '--objects', ...owner.key);
	assert.deepEqual([removed.files, removed.packs, removed.objects[0].failure], [3, 3, null]);
	assert.deepEqual((await moto.list(BUCKET)).filter((name) => name.includes('sync/')), []);
});

/** Returns an object as the chain and the bucket have it. */
async function stored(caller, owner, { key }, folder) {
	const answer = await client.queryObject(caller, owner, fromDigits(key.slice(2)));
	const header = ObjectHeader.read(answer.object.header);
	const bytes = new Uint8Array(await moto.fetch(`/${BUCKET}/${folder}/${header.name}`));
	return { answer, header, bytes, context: client.recordContext(owner, fromDigits(key.slice(2))) };
}

/** Checks that the keys of a grant on leaf 1 open the object there, and not the one beside it, whose bytes anyone can have. */
async function opensOnlyItsOwn(reader, owner, [, granted, beside], value) {
	const own = await stored(reader.address, owner.address, granted, 'ranges');
	// The secrets of the command's development accounts are derived from their names.
	const secret = new EncryptionSecret(blake2AsU8a(Buffer.from(`isthmus/development/encryption/${reader.uri}`)));
	const keys = await client.openKeys({ caller: reader.address, owner: owner.address, answer: own.answer, pair: secret });
	const leafKey = await keys.leafKey(1);
	assert.equal(sha(await decryptObject(leafKey, own.context, own.answer.object.header, own.bytes)), sha(value));
	const other = await stored(owner.address, owner.address, beside, 'ranges');
	for (const leaf of [0, 2]) await assert.rejects(keys.leafKey(leaf), { name: 'LeafOutsideRange' });
	const opened = decryptObject(leafKey, other.context, other.answer.object.header, other.bytes);
	await assert.rejects(opened, { name: 'WrongKey' });
	const forced = await objectWithAnyKey(leafKey, other.context, other.header);
	await assert.rejects(forced.decryptChunk(0, other.bytes), { name: 'NotAuthentic' });
}

test('a reader of some leaves opens just their objects and packs, until it is revoked', { timeout }, async () => {
	const owner = await producer('//RangeOwner');
	const [reader, other] = [await account('//RangeReader'), await account('//RangeOther')];
	for (const { key } of [reader, other]) await ok('key', 'publish', ...key);
	await ok('dataset', 'locate', '0', `s3://${BUCKET}/ranges`, ...owner.key);
	const [objects, values] = [[], []];
	for (const name of ['range-0', 'range-1', 'range-2']) {
		values.push(random(name, 100_000));
		objects.push(...(await ok('store', name, '--object', ...owner.key)));
	}
	mkdirSync(file('ranged'));
	const sum = sha(random('ranged/a', 100_000));
	const [folder] = await ok('store', 'ranged', '--object', ...owner.key);
	// A pack, and its list.
	assert.deepEqual([...objects.map(({ leaf }) => leaf), folder.leaf], [0, 1, 2, 4]);
	const grant = async ({ address }, leaves) => {
		return (await ok('authorize', '--to', address, '--leaves', leaves, '--finalized', ...owner.key))[0].grant;
	};
	const fetch = (who, { key }, ...more) => ['fetch', owner.address, key, ...who.key, ...more];
	const [one] = [await grant(reader, '1..2'), await grant(other, '1..5')];

	await ok(...fetch(reader, objects[1], '-o', 'range-copy'));
	assert.equal(sha(readFileSync(file('range-copy'))), sha(values[1]));
	for (const refusedOne of [objects[0], objects[2], folder]) {
		const { error } = await refused(REFUSED, fetch(reader, refusedOne, '-o', 'none'));
		assert.match(error, /outside the range of the caller's grant/);
	}
	await opensOnlyItsOwn(reader, owner, objects, values[1]);
	// The list alone names files, and opens none.
	const list = await grant(reader, '4..5');
	const { error } = await refused(REFUSED, fetch(reader, folder, '--folder', '-o', 'ranged-none'));
	assert.match(error, /1 of 1 file/);
	assert.deepEqual(existsSync(file('ranged-none')) ? readdirSync(file('ranged-none')) : [], []);
	const pack = await grant(reader, '3..4');
	await ok(...fetch(reader, folder, '--folder', '-o', 'ranged-copy'));
	assert.equal(sha(readFileSync(file('ranged-copy/a'))), sum);

	const [revoked] = await ok('revoke', String(one), '--finalized', ...owner.key);
	assert.deepEqual([revoked.epoch, revoked.renewed, revoked.left], [1, 1, [list, pack]]);
	await refused(REFUSED, fetch(reader, objects[1], '-o', 'none'));
	for (const grant of [list, pack]) await ok('revoke', String(grant), '--finalized', ...owner.key);
	await refused(REFUSED, fetch(reader, folder, '--folder', '-o', 'ranged-none'));
	await ok(...fetch(other, objects[1], '--force', '-o', 'range-copy'));
	await ok(...fetch(other, folder, '--folder', '--force', '-o', 'ranged-copy'));
	random('range-later', 1000);
	const [later] = await ok('store', 'range-later', '--object', '--leaf', '1', '--finalized', ...owner.key);
	assert.equal(later.epoch, 1);
	await ok(...fetch(other, later, '-o', 'later-copy'));
	await refused(REFUSED, fetch(reader, later, '-o', 'none'));
	assert.ok(!existsSync(file('none')));
});
