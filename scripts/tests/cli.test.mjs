// The `isthmus` program beside a real node: a person's way from a key to a trace, interrupted uploads
// and downloads, and files that one program stores and the other reads.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import {
	chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync,
	truncateSync, writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { blake2AsU8a } from '@polkadot/util-crypto';
import { EncryptionKeyPair, MasterSecret } from '../lib/envelope.mjs';
import { storeFile } from '../lib/large.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client, recordKey } from '../lib/sharing.mjs';

/** Ends what hangs. It is no bound on speed: these tests also run beside a build. */
const timeout = 300_000;
const PASSPHRASE = 'three plain words';
/** The exit codes that `isthmus --help` explains. */
const [DONE, FAILED, USAGE, UNREACHABLE, REFUSED, NOT_AUTHENTIC] = [0, 1, 2, 3, 4, 5];

/** The program: $ISTHMUS_CLI, or the one beside the node's. */
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

/** Plaintext bytes in a chunk of the program's. */
const CHUNK = 1022 * 1024;

let node;
/** The way to the node on which its questions and answers are seen. */
let seen;
let client;
let folder;

/** Starts the program. */
function start(args, env = {}) {
	return spawn(program, args, {
		cwd: folder,
		env: { ...process.env, ISTHMUS_URL: node.url, ISTHMUS_PASSPHRASE: PASSPHRASE, ISTHMUS_KEY: '', ...env },
	});
}

/** Runs the program to its end. */
async function run(args, { input, env } = {}) {
	const child = start(args, env);
	const [out, err] = [[], []];
	child.stdout.on('data', (data) => out.push(data));
	child.stderr.on('data', (data) => err.push(data));
	child.stdin.on('error', () => undefined);
	child.stdin.end(input);
	const code = await new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', resolve);
	});
	return { code, bytes: Buffer.concat(out), stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
}

/** Runs the program, which has to succeed; its answers, one for each line. */
async function ok(...args) {
	const { code, stdout, stderr } = await run(['--json', ...args]);
	assert.equal(code, DONE, `isthmus ${args.join(' ')}: ${stderr}`);
	return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

/** Runs the program, which has to end with this code; what it says of it. */
async function refused(expected, ...args) {
	const { code, stdout, stderr } = await run(['--json', ...args]);
	assert.equal(code, expected, `isthmus ${args.join(' ')}: ${stdout}${stderr}`);
	return JSON.parse(stderr.trim().split('\n').at(-1));
}

/** Runs `fetch`, which has to succeed, and tells with which chunks its questions began, in their order. */
async function chunksAsked(...args) {
	const asked = [];
	seen.setLie((method, params, result) => {
		if (method === 'sharing_chunks') asked.push(params[0].first);
		return result;
	});
	await ok('fetch', ...args, '--url', seen.url);
	return asked.sort((a, b) => a - b);
}

/**
 * Starts the program, and kills it when the node answers to a question that `at` says yes to.
 *
 * @param {string[]} args
 * @param {(method: string, params: unknown[]) => boolean} at
 */
async function killed(args, at) {
	const child = start([...args, '--url', seen.url]);
	seen.setLie((method, params, result) => {
		if (at(method, params)) child.kill('SIGKILL');
		return result;
	});
	const [code, signal] = await once(child, 'close');
	assert.equal(signal, 'SIGKILL', `isthmus ${args.join(' ')} ended with ${code} before it was killed`);
}

const file = (name) => join(folder, name);
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A file of random bytes. */
function random(name, size) {
	const bytes = randomFillSync(Buffer.alloc(size));
	writeFileSync(file(name), bytes);
	return bytes;
}

/** The secrets of the program's development accounts, which follow from their names. */
const secretOf = (label, uri) => blake2AsU8a(Buffer.from(`isthmus/development/${label}/${uri}`));
const masterOf = (uri) => new MasterSecret(secretOf('master', uri));
const pairOf = (uri) => new EncryptionKeyPair(secretOf('encryption', uri));

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-cli-'));
	node = await LocalNode.start({ args: ['--dev', '--state-pruning', 'archive'] });
	seen = await LyingNode.start(node.url);
	client = await Client.connect(node.url);
}, { timeout });

after(async () => {
	await client?.disconnect();
	await seen?.stop();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

test('keys', { timeout }, async () => {
	const [made] = await ok('key', 'generate', 'school.key');
	assert.match(made.account, /^5/);
	assert.equal(statSync(file('school.key')).mode & 0o777, 0o600);
	assert.deepEqual(await ok('key', 'inspect', 'school.key'), [made]);
	assert.match((await refused(FAILED, 'key', 'generate', 'school.key')).error, /is there already/);

	const imported = await run(['--json', 'key', 'import', 'ferdie.key'], { input: '//Ferdie\n' });
	assert.equal(imported.code, DONE, imported.stderr);
	assert.equal(JSON.parse(imported.stdout).account, client.account('//Ferdie').address);
	const bad = await run(['key', 'import', 'bad.key'], { input: 'no secret\n' });
	assert.equal(bad.code, USAGE);
	assert.ok(!existsSync(file('bad.key')));

	const wrong = await run(['key', 'publish', '--key', 'ferdie.key'], { env: { ISTHMUS_PASSPHRASE: 'another' } });
	assert.equal(wrong.code, NOT_AUTHENTIC);
	assert.match(wrong.stderr, /^error: the passphrase does not open ferdie.key\nhint: /m);
	const none = await refused(USAGE, 'key', 'publish');
	assert.match(none.hint, /--key FILE/);

	// Rotated twice at once, the file has all three pairs, and the chain has its current one.
	const secrets = () => JSON.parse(readFileSync(file('ferdie.key'))).secrets.length / 2;
	const before = secrets();
	await Promise.all([1, 2].map(() => ok('key', 'rotate', '--key', 'ferdie.key')));
	assert.equal(secrets(), before + 2 * 32);
	const { account, encryptionKey } = (await ok('key', 'inspect', 'ferdie.key'))[0];
	const onChain = async () => (await client.api.query.dataSharing.encryptionKeys(account)).toJSON()?.key;
	assert.equal(await onChain(), `0x${encryptionKey}`);
	await ok('key', 'withdraw', '--key', 'ferdie.key');
	assert.equal(await onChain(), undefined);
});

test('a node that is not there, and a program that asks too much', { timeout }, async () => {
	const away = await refused(UNREACHABLE, 'status', '--url', 'ws://127.0.0.1:1');
	assert.match(away.hint, /isthmus-node --dev/);
	assert.equal((await run(['store'])).code, USAGE);
	assert.match((await refused(REFUSED, 'dataset', 'create', 'x', '--key', '//Eve')).error, /NotRegistered: Only a registered producer/);
});

test('the story, from a key to a trace', { timeout }, async () => {
	const school = ['--key', 'school.key'];
	const company = ['--key', '//Charlie'];
	const [{ account }] = await ok('key', 'inspect', 'school.key');
	const poor = await refused(REFUSED, 'register', 'High School No. 1', '--kind', 'school', ...school);
	assert.match(poor.hint, /isthmus balance/);
	const [sent] = await ok('transfer', account, '1000', '--key', '//Alice');
	assert.deepEqual([sent.to, sent.amount], [account, '1000000000000000']);
	await ok('register', 'High School No. 1', '--kind', 'school', ...school);
	const [{ dataset }] = await ok('dataset', 'create', 'marks', ...school);
	assert.equal(dataset, 0);
	const [listed] = await ok('list', 'datasets', '--owner', account);
	assert.equal(listed.name, 'marks');

	const bytes = random('marks.csv', 300_000);
	const [stored] = await ok('store', 'marks.csv', ...school);
	assert.deepEqual([stored.leaf, stored.bytes, stored.resumed], [0, 300_000, false]);
	// What is stored already is compared: the same is no error, and nothing else takes its place.
	const [whole] = await ok('store', 'marks.csv', ...school);
	assert.deepEqual([whole.leaf, whole.resumed, whole.block], [0, true, null]);
	random('other.csv', 300_000);
	const taken = await refused(REFUSED, 'store', 'other.csv', '--name', 'marks.csv', ...school);
	assert.match(taken.error, /^marks\.csv is stored already/);
	assert.match(taken.hint, /--name/);
	assert.match((await refused(REFUSED, 'fetch', account, 'marks.csv', ...company, '-o', 'out')).hint, /isthmus request/);
	assert.ok(!existsSync(file('out')));

	await ok('key', 'publish', ...company);
	const [{ request }] = await ok('request', account, '--leaves', '0..4', '--purpose', 'a study', '--offer', '2.5', ...company);
	const twice = ['request', account, '--leaves', '0..4', '--purpose', 'more', ...company];
	assert.match((await refused(REFUSED, ...twice)).hint, new RegExp(`--cancel ${request}$`));
	const [open] = await ok('requests', ...school);
	assert.deepEqual([open.request, open.purpose, open.offer], [request, 'a study', '2500000000000']);
	const [granted] = await ok('authorize', String(request), ...school);
	assert.equal(granted.paid, '2500000000000');
	const [fetched] = await ok('fetch', account, 'marks.csv', ...company, '-o', 'out');
	assert.equal(fetched.bytes, 300_000);
	assert.equal(sha(readFileSync(file('out'))), sha(bytes));
	assert.match((await refused(FAILED, 'fetch', account, 'marks.csv', ...company, '-o', 'out')).hint, /--force/);
	const piped = await run(['fetch', account, 'marks.csv', ...company, '-o', '-']);
	assert.equal(sha(piped.bytes), sha(bytes));

	const [other] = await ok('request', account, '--leaves', '7..9', '--purpose', 'more', ...company);
	await ok('reject', String(other.request), '--reason', 'no', ...school);
	const [again] = await ok('request', account, '--leaves', '7..9', '--purpose', 'more', ...company);
	await ok('request', '--cancel', String(again.request), ...company);
	assert.match((await refused(REFUSED, 'request', '--cancel', String(again.request), ...company)).hint, /requests --mine/);
	// With an offer it stays open for a notice, and a second time changes nothing.
	const [offered] = await ok('request', account, '--leaves', '8..9', '--purpose', 'more', '--offer', '0.5', ...company);
	const [ending] = await ok('request', '--cancel', String(offered.request), ...company);
	assert.equal(ending.openUntil, ending.block + 16);
	const anyway = await refused(REFUSED, 'request', '--cancel', String(offered.request), ...company);
	assert.match(anyway.error, new RegExp(`ends at block ${ending.openUntil} anyway`));
	assert.match((await refused(USAGE, 'authorize', String(again.request), ...school)).error, /no open request/);

	// Another reader keeps what a revoked one loses.
	await ok('key', 'publish', '--key', '//Dave');
	const dave = client.account('//Dave').address;
	const [kept] = await ok('authorize', '--to', dave, '--leaves', '0..100', '--until', '2200-01-01', ...school);
	const [lost] = await ok('authorize', '--to', '//Charlie', '--leaves', '5..6', ...school);
	const [revoked] = await ok('revoke', String(lost.grant), ...school);
	// Charlie's other grant on the epoch is not renewed.
	assert.deepEqual([revoked.epoch, revoked.renewed, revoked.left], [1, 1, [granted.grant]]);
	const paid = await refused(REFUSED, 'revoke', String(granted.grant), ...school);
	assert.match(paid.error, /TermPaidFor/);
	assert.match(paid.hint, /paidUntil/);
	const given = await ok('list', 'given', ...school);
	assert.equal(given.find(({ grant }) => grant === lost.grant).state, 'revoked');
	assert.equal(given.filter(({ grantee, scope }) => grantee === dave && scope.epoch === 1).length, 1);
	assert.equal(given.find(({ grant }) => grant === kept.grant).until, 7258118400);

	// What is in an earlier epoch can still be opened.
	const [past] = await ok('authorize', '--to', dave, '--leaves', '0..1', '--epoch', '0', ...school);
	assert.equal(past.scope.epoch, 0);

	const { stdout } = await run(['trace', 'record', account, 'marks.csv', '--to', String(revoked.block)]);
	const lines = stdout.trim().split('\n').map((line) => line.replace(/^block \d+ +/, ''));
	assert.match(lines[0], /stores marks\.csv, 300\.1 kB, at leaf 0/);
	assert.match(lines[1], /asks for leaves 0\.\.4 .* offers 2\.5 IST: a study/);
	assert.match(lines[2], /opens leaves 0\.\.4 .* upon request \d+, .*paid 2\.5 IST/);
	const nothing = await run(['trace', 'record', account, 'nothing']);
	assert.match(nothing.stderr, /nothing found\nup to block \d+, the last final one\n/);
	assert.match((await refused(USAGE, 'trace', 'account', account, '--from', '1000000')).error, /no block 1000000 yet/);
	assert.match((await refused(USAGE, 'trace', 'account', account, '--from', '5', '--to', '4')).error, /before --from/);
	const [funds] = await ok('balance', account);
	assert.ok(BigInt(funds.held) > 0n);
	const [status] = await ok('status');
	assert.ok(status.best.number >= status.finalized.number);
	const verified = await run(['status', '--block', '1']);
	assert.match(verified.stdout, /^block +1 0x[0-9a-f]{64}\n1 of 1 verifier signed for .*final\.\nverified +5/);
	await ok('remove', 'marks.csv', ...school);
	assert.match((await refused(REFUSED, 'fetch', account, 'marks.csv', ...company, '-o', 'out2')).error, /no record with this key/);
});

test('folders and stdin', { timeout }, async () => {
	await ok('register', 'office', '--kind', 'government', '--key', '//Eve');
	await ok('dataset', 'create', 'papers', '--key', '//Eve');
	mkdirSync(file('papers/deep/er'), { recursive: true });
	random('papers/large', 2_500_000);
	random('papers/deep/small', 1000);
	writeFileSync(file('papers/deep/er/empty'), '');
	writeFileSync(file('papers/run.sh'), '#!/bin/sh\n');
	chmodSync(file('papers/run.sh'), 0o755);
	symlinkSync('/etc/passwd', file('papers/link'));
	const first = await run(['--json', 'store', 'papers', '--key', '//Eve']);
	assert.equal(first.code, DONE, first.stderr);
	assert.match(first.stderr, /left out, as it is no file: .*papers\/link/);
	const stored = JSON.parse(first.stdout);
	assert.deepEqual([stored.files, stored.leaf], [4, 4]);
	const [again] = await ok('store', 'papers', '--key', '//Eve');
	assert.deepEqual([again.files, again.leaf, again.resumed, again.block], [4, 4, true, null]);
	// Names are the readers' alone.
	const records = await ok('list', 'records', '--key', '//Eve');
	assert.deepEqual(records.map(({ name }) => name).filter((name) => !name.startsWith('0x')), ['papers']);

	const eve = client.account('//Eve').address;
	const [fetched] = await ok('fetch', eve, 'papers', '--folder', '-o', 'copy', '--key', '//Eve');
	assert.deepEqual([fetched.files, fetched.bytes], [4, 2_501_010]);
	const list = ['fetch', eve, 'papers', '--key', '//Eve', '-o'];
	assert.match((await refused(USAGE, ...list, 'list')).hint, /--folder/);
	assert.match((await run([...list, '-', '--raw'])).stdout, /^isthmus\/folder\/v1/);
	// What is there already is not fetched again.
	assert.deepEqual(await chunksAsked(eve, 'papers', '--folder', '-o', 'copy', '--key', '//Eve'), []);
	for (const name of ['large', 'deep/small', 'deep/er/empty', 'run.sh']) {
		assert.equal(sha(readFileSync(file(`copy/${name}`))), sha(readFileSync(file(`papers/${name}`))), name);
	}
	assert.equal(statSync(file('copy/run.sh')).mode & 0o777, 0o700);
	assert.equal(statSync(file('copy/large')).mode & 0o777, 0o600);
	writeFileSync(file('copy/run.sh'), 'changed');
	assert.match((await refused(FAILED, 'fetch', eve, 'papers', '--folder', '-o', 'copy', '--key', '//Eve')).error, /differs/);

	const bytes = randomFillSync(Buffer.alloc(1_500_000));
	const piped = await run(['store', '-', '--name', 'piped', '--key', '//Eve'], { input: bytes });
	assert.equal(piped.code, DONE, piped.stderr);
	const back = await run(['fetch', eve, 'piped', '-o', '-', '--key', '//Eve']);
	assert.equal(sha(back.bytes), sha(bytes));
});

/** How many chunks of a record of Eve's are stored. */
async function arrived(name) {
	const records = await ok('list', 'records', '--key', '//Eve');
	return records.find((record) => record.name === name)?.arrived ?? 0;
}

test('killed in the middle, both ways, and gone on with', { timeout }, async () => {
	// 29 chunks: more than are in flight.
	const bytes = random('killed', 30_000_000);
	const storing = start(['store', 'killed', '--key', '//Eve']);
	// When the chain has its first chunk the program is in the middle.
	const eve = client.account('//Eve').address;
	const { ChunkStored } = client.api.events.dataSharing;
	const isChunk = ({ event }) => ChunkStored.is(event) && event.data[1].eq(recordKey('killed'));
	await new Promise((resolve, reject) => {
		const stop = client.api.query.system.events((events) => {
			if (events.some(isChunk)) stop.then((end) => end()).then(resolve);
		});
		stop.catch(reject);
	});
	storing.kill('SIGKILL');
	const before = await arrived('killed');
	assert.ok(before > 0 && before < 29, `${before} chunks`);
	const [stored] = await ok('store', 'killed', '--key', '//Eve');
	assert.ok(stored.resumed);
	assert.equal(await arrived('killed'), 29);

	// What a killed program leaves is a part. When it asks for the fourth page, the first is written.
	const page = 4;
	const fetch = ['fetch', eve, 'killed', '-o', 'killed.out', '--key', '//Eve'];
	await killed(fetch, (method, params) => method === 'sharing_chunks' && params[0].first >= 3 * page);
	assert.ok(!existsSync(file('killed.out')));
	const part = readdirSync(folder).find((name) => name.startsWith('killed.out.isthmus-'));
	const { size } = statSync(file(part));
	assert.ok(size >= page * CHUNK && size < bytes.length, `${size} bytes`);
	// It is torn as well: its last byte is lost.
	truncateSync(file(part), size - 1);
	const [first] = await chunksAsked(...fetch.slice(1));
	assert.equal(first, Math.floor((size - 1) / CHUNK));
	assert.equal(sha(readFileSync(file('killed.out'))), sha(bytes));

	// A part whose second chunk is another's is not believed.
	const again = part.replace('killed.out', 'again.out');
	const wrong = Buffer.from(bytes.subarray(0, 4_000_000));
	wrong[CHUNK + 1] ^= 1;
	writeFileSync(file(again), wrong);
	assert.equal((await chunksAsked(eve, 'killed', '-o', 'again.out', '--key', '//Eve'))[0], 1);
	assert.equal(sha(readFileSync(file('again.out'))), sha(bytes));
	assert.ok(!readdirSync(folder).some((entry) => entry.startsWith('again.out.')));
});

test('a part that somebody else may have put there is not written to', { timeout }, async () => {
	const eve = client.account('//Eve').address;
	const bytes = random('secret', 2_500_000);
	await ok('store', 'secret', '--key', '//Eve');
	const { manifest } = await client.largePayload(eve, recordKey('secret'));
	const part = `secret.out.isthmus-${Buffer.from(manifest).toString('hex').slice(0, 16)}`;
	const fetch = ['fetch', eve, 'secret', '-o', 'secret.out', '--key', '//Eve'];
	writeFileSync(file('elsewhere'), 'theirs');
	for (const put of [symlinkSync, linkSync]) {
		put(file('elsewhere'), file(part));
		assert.match((await refused(FAILED, ...fetch)).hint, /remove/);
		assert.equal(readFileSync(file('elsewhere'), 'utf8'), 'theirs');
		rmSync(file(part));
	}
	// One's own that others might read is closed to them.
	writeFileSync(file(part), '', { mode: 0o644 });
	await ok(...fetch);
	assert.equal(statSync(file('secret.out')).mode & 0o777, 0o600);
	assert.equal(sha(readFileSync(file('secret.out'))), sha(bytes));

	// What appeared under the right name meanwhile stays.
	rmSync(file('secret.out'));
	seen.setLie((method, _params, result) => {
		if (method === 'sharing_chunks') writeFileSync(file('secret.out'), 'another');
		return result;
	});
	assert.match((await refused(FAILED, ...fetch, '--url', seen.url)).hint, /--force/);
	assert.equal(readFileSync(file('secret.out'), 'utf8'), 'another');
	await ok(...fetch, '--force');
	assert.equal(sha(readFileSync(file('secret.out'))), sha(bytes));
});

test('a folder is interrupted, changed, gone on with, and removed', { timeout }, async () => {
	const eve = client.account('//Eve').address;
	const records = async () => (await ok('list', 'records', '--key', '//Eve')).filter((record) => record.dataset === 1);
	const same = (copy) => {
		for (const name of names) {
			assert.equal(sha(readFileSync(file(`${copy}/${name}`))), sha(readFileSync(file(`parts/${name}`))), name);
		}
	};
	await ok('dataset', 'create', 'folders', '--key', '//Eve');
	mkdirSync(file('parts'));
	const names = Array.from({ length: 12 }, (_, i) => String(i).padStart(2, '0'));
	for (const name of names) random(`parts/${name}`, 2000);
	random('parts/large', 1_500_000);
	names.push('large');
	const store = ['store', 'parts', '--dataset', '1', '--key', '//Eve'];

	let sent = 0;
	await killed(store, (method) => method === 'transactionWatch_v1_submitAndWatch' && ++sent === 5);
	// When it is run again it waits for what is on its way. A file of the same length is not taken for what
	// is stored, be the folder not whole yet, or its list gone.
	const was = readFileSync(file('parts/00'));
	random('parts/00', 2000);
	const changed = await refused(FAILED, ...store);
	assert.match(changed.error, /parts\/00 changed since it was stored/);
	const begun = await records();
	assert.ok(begun.length >= 4 && begun.length < 14, `${begun.length} records`);
	assert.match(changed.hint, new RegExp(`isthmus remove (${begun.map(({ key }) => key).join('|')})$`));
	writeFileSync(file('parts/00'), was);
	const [stored] = await ok(...store);
	assert.equal(stored.files, 13);
	const fetch = ['fetch', eve, 'parts', '--folder', '--key', '//Eve', '-o'];
	await ok(...fetch, 'parts.1');
	same('parts.1');
	for (const name of ['parts/05', 'parts/large']) {
		const before = readFileSync(file(name));
		random(name, before.length);
		if (name === 'parts/05') await ok('remove', 'parts', '--alone', '--key', '//Eve');
		assert.match((await refused(FAILED, ...store)).error, new RegExp(`${name} changed`));
		writeFileSync(file(name), before);
	}
	await ok(...store);

	// Removed with its files, it is stored as it is now.
	assert.match((await refused(REFUSED, 'dataset', 'remove', '1', '--key', '//Eve')).hint, /isthmus remove/);
	assert.equal((await ok('remove', 'parts', '--key', '//Eve'))[0].files, 13);
	assert.deepEqual(await records(), []);
	random('parts/05', 2000);
	await ok(...store);
	await ok(...fetch, 'parts.2');
	same('parts.2');

	// Leaves of removed records are freed when their epoch is over.
	const leaves = async () => (await ok('dataset', 'list', '--key', '//Eve')).find(({ dataset }) => dataset === 1)?.leaves;
	assert.equal(await leaves(), 15 + 14);
	const free = async () => (await ok('dataset', 'free', '1', '--key', '//Eve')).map(({ freed, wait }) => [freed, wait]);
	assert.deepEqual(await free(), [[0, 15]]);
	await ok('dataset', 'epoch', '1', '--key', '//Eve');
	assert.deepEqual(await free(), [[15, 0]]);
	await ok('remove', 'parts', '--key', '//Eve');
	assert.equal(await leaves(), 0);
	await ok(...store);
	await ok('remove', 'parts', '--key', '//Eve');
	assert.equal(await leaves(), 14);
	await ok('dataset', 'remove', '1', '--key', '//Eve');
	assert.equal(await leaves(), undefined);
});

test('a file that reads as a folder does not take other records with it', { timeout }, async () => {
	await ok('store', 'marks.csv', '--name', 'precious', '--key', '//Eve');
	const entry = Buffer.concat([Buffer.from([0, 1]), Buffer.from('a'), Buffer.alloc(9), recordKey('precious')]);
	writeFileSync(file('trap'), Buffer.concat([Buffer.from('isthmus/folder/v1'), entry]));
	await ok('store', 'trap', '--key', '//Eve');
	assert.match((await refused(NOT_AUTHENTIC, 'remove', 'trap', '--key', '//Eve')).hint, /--alone/);
	await ok('remove', 'trap', '--alone', '--key', '//Eve');
	const left = (await ok('list', 'records', '--key', '//Eve')).map(({ name }) => name);
	assert.ok(left.includes('precious') && !left.includes('trap'));
});

test('policies are honoured by serve, also when it is ended and started again', { timeout }, async () => {
	const eve = client.account('//Eve').address;
	await ok('dataset', 'policy', '0', '--price', '1', '--longest-range', '10', '--longest-term', '500', '--consumers', 'unregistered', '--key', '//Eve');
	const serving = async (grants) => {
		const child = start(['--json', 'serve', '--grants', String(grants), '--key', '//Eve']);
		const lines = [];
		for await (const line of createInterface({ input: child.stdout })) lines.push(JSON.parse(line));
		return lines;
	};
	const ask = async (leaves, ...more) => {
		const [asked] = await ok('request', eve, '--leaves', leaves, '--purpose', 'p', '--term', '500', ...more, '--key', '//Charlie');
		return asked;
	};
	const { request: cheap } = await ask('0..5', '--offer', '0.5');
	const { request: first } = await ask('1..5', '--offer', '1');
	assert.deepEqual((await serving(1)).map(({ request }) => request), [first]);
	// Ended for good, in the middle of whatever it does.
	const ended = start(['serve', '--key', '//Eve']);
	await once(createInterface({ input: ended.stderr }), 'line');
	const { request: second } = await ask('2..5', '--offer', '1');
	ended.kill('SIGKILL');
	const { request: third } = await ask('3..5', '--offer', '1');
	const open = (await ok('requests', '--key', '//Eve')).map(({ request }) => request);
	assert.ok(open.includes(cheap) && open.includes(third));
	await serving(open.includes(second) ? 2 : 1);
	const left = await ok('requests', '--key', '//Eve');
	assert.deepEqual(left.map(({ request, verdict }) => [request, verdict]), [[cheap, 'OfferTooLow']]);
	const given = await ok('list', 'given', '--key', '//Eve');
	const ranges = given.map(({ scope }) => scope.from).sort();
	assert.deepEqual(ranges, [1, 2, 3]);
	const live = serving(1);
	const asked = await ask('4..5', '--offer', '1');
	const [granted] = await live;
	assert.ok(granted.block - asked.block <= 3, `asked in block ${asked.block}, granted in ${granted.block}`);
});

test('what one program stores the other reads', { timeout }, async () => {
	const [eve, charlie] = ['//Eve', '//Charlie'].map((uri) => client.account(uri));
	const pair = pairOf('//Charlie');
	const small = random('small', 5000);
	const large = random('large', 3_000_000);
	await ok('store', 'small', '--key', '//Eve');
	await ok('store', 'large', '--key', '//Eve');
	await ok('authorize', '--to', '//Charlie', '--leaves', '0..1000', '--key', '//Eve');
	assert.equal(sha(await client.read(charlie, pair, eve.address, recordKey('small'))), sha(small));
	const chunks = [];
	for await (const chunk of client.readLarge(charlie, pair, eve.address, recordKey('large'))) chunks.push(chunk);
	assert.equal(sha(Buffer.concat(chunks)), sha(large));

	const place = { dataset: 0, epoch: 0 };
	const master = masterOf('//Eve');
	await client.store(eve, master, { ...place, leaf: 500, key: recordKey('by script') }, small);
	const handle = await open(file('large'));
	await storeFile(client, eve, master, { ...place, leaf: 501, key: recordKey('by script, large') }, handle);
	await handle.close();
	for (const [name, bytes] of [['by script', small], ['by script, large', large]]) {
		for (const key of ['//Charlie', '//Eve']) {
			const { bytes: read, stderr } = await run(['fetch', eve.address, name, '-o', '-', '--key', key]);
			assert.equal(sha(read), sha(bytes), stderr);
		}
	}
});
