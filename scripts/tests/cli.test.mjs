// The `isthmus` program beside a real node: a person's way from a key to a trace, interrupted uploads
// and downloads, and files that one program stores and the other reads.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import {
	chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync,
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
import { LocalNode } from '../lib/node.mjs';
import { Client, recordKey } from '../lib/sharing.mjs';

/** Ends what hangs. It is no bound on speed: these tests also run beside a build. */
const timeout = 300_000;
const PASSPHRASE = 'three plain words';
/** The exit codes that `isthmus --help` explains. */
const [DONE, FAILED, USAGE, UNREACHABLE, REFUSED, NOT_AUTHENTIC] = [0, 1, 2, 3, 4, 5];

/** The program: $ISTHMUS_CLI, or the one beside the node's. */
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

let node;
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
	client = await Client.connect(node.url);
}, { timeout });

after(async () => {
	await client?.disconnect();
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
	const transfer = client.api.tx.balances.transferKeepAlive(account, 1_000_000_000_000_000n);
	await client.submit(client.account('//Alice'), transfer);
	await ok('register', 'High School No. 1', '--kind', 'school', ...school);
	const [{ dataset }] = await ok('dataset', 'create', 'marks', ...school);
	assert.equal(dataset, 0);
	const [listed] = await ok('list', 'datasets', '--owner', account);
	assert.equal(listed.name, 'marks');

	const bytes = random('marks.csv', 300_000);
	const [stored] = await ok('store', 'marks.csv', ...school);
	assert.deepEqual([stored.leaf, stored.bytes, stored.resumed], [0, 300_000, false]);
	assert.match((await refused(REFUSED, 'store', 'marks.csv', ...school)).hint, /--name/);
	assert.match((await refused(REFUSED, 'fetch', account, 'marks.csv', ...company, '-o', 'out')).hint, /isthmus request/);
	assert.ok(!existsSync(file('out')));

	await ok('key', 'publish', ...company);
	const [{ request }] = await ok('request', account, '--leaves', '0..4', '--purpose', 'a study', '--offer', '2.5', ...company);
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
	assert.match((await refused(USAGE, 'authorize', String(again.request), ...school)).error, /no open request/);

	// Another reader keeps what a revoked one loses.
	await ok('key', 'publish', '--key', '//Dave');
	const dave = client.account('//Dave').address;
	const [kept] = await ok('authorize', '--to', dave, '--leaves', '0..100', '--until', '2200-01-01', ...school);
	const [lost] = await ok('authorize', '--to', '//Charlie', '--leaves', '5..6', ...school);
	const [revoked] = await ok('revoke', String(lost.grant), ...school);
	assert.deepEqual([revoked.epoch, revoked.renewed], [1, 2]);
	assert.match((await refused(REFUSED, 'revoke', String(granted.grant), ...school)).error, /TermPaidFor/);
	const given = await ok('list', 'given', ...school);
	assert.equal(given.find(({ grant }) => grant === lost.grant).state, 'revoked');
	assert.equal(given.filter(({ grantee, scope }) => grantee === dave && scope.epoch === 1).length, 1);
	assert.equal(given.find(({ grant }) => grant === kept.grant).until, 7258118400);

	const { stdout } = await run(['trace', 'record', account, 'marks.csv', '--to', String(revoked.block)]);
	const lines = stdout.trim().split('\n').map((line) => line.replace(/^block \d+ +/, ''));
	assert.match(lines[0], /stores marks\.csv, 300\.1 kB, at leaf 0/);
	assert.match(lines[1], /asks for leaves 0\.\.4 .* offers 2\.5 IST: a study/);
	assert.match(lines[2], /opens leaves 0\.\.4 .* upon request \d+, .*paid 2\.5 IST/);
	const [funds] = await ok('balance', account);
	assert.ok(BigInt(funds.held) > 0n);
	const [status] = await ok('status');
	assert.ok(status.best.number >= status.finalized.number);
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
	// Names are the readers' alone.
	const records = await ok('list', 'records', '--key', '//Eve');
	assert.deepEqual(records.map(({ name }) => name).filter((name) => !name.startsWith('0x')), ['papers']);

	const eve = client.account('//Eve').address;
	for (let i = 0; i < 2; i++) {
		// The second time everything is there already.
		const [fetched] = await ok('fetch', eve, 'papers', '--folder', '-o', 'copy', '--key', '//Eve');
		assert.deepEqual([fetched.files, fetched.bytes], [4, 2_501_010]);
	}
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
	const killed = start(['store', 'killed', '--key', '//Eve']);
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
	killed.kill('SIGKILL');
	const before = await arrived('killed');
	assert.ok(before > 0 && before < 29, `${before} chunks`);
	const [stored] = await ok('store', 'killed', '--key', '//Eve');
	assert.ok(stored.resumed);
	assert.equal(await arrived('killed'), 29);

	// What a killed program leaves is a part, perhaps torn or wrong at its end.
	const interrupted = start(['fetch', eve, 'killed', '-o', 'killed.out', '--key', '//Eve']);
	const part = await new Promise((resolve) => {
		const look = setInterval(() => {
			const found = readdirSync(folder).find((name) => name.startsWith('killed.out.isthmus-'));
			if ((found && statSync(file(found)).size > 0) || existsSync(file('killed.out'))) {
				clearInterval(look);
				resolve(found);
			}
		}, 1);
	});
	interrupted.kill('SIGKILL');
	await new Promise((resolve) => interrupted.once('close', resolve));
	// A part that is torn: its last byte is lost.
	if (part && existsSync(file(part))) truncateSync(file(part), Math.max(0, statSync(file(part)).size - 1));
	rmSync(file('killed.out'), { force: true });
	const [fetched] = await ok('fetch', eve, 'killed', '-o', 'killed.out', '--key', '//Eve');
	assert.equal(fetched.bytes, 30_000_000);
	assert.equal(sha(readFileSync(file('killed.out'))), sha(bytes));

	// A part whose second chunk is another's is not believed.
	const name = part ?? 'killed.out.isthmus-none';
	const wrong = Buffer.from(bytes.subarray(0, 4_000_000));
	wrong[1_100_000] ^= 1;
	writeFileSync(file(name.replace('killed.out', 'again.out')), wrong);
	await ok('fetch', eve, 'killed', '-o', 'again.out', '--key', '//Eve');
	assert.equal(sha(readFileSync(file('again.out'))), sha(bytes));
	assert.ok(!readdirSync(folder).some((entry) => entry.startsWith('again.out.')));
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
