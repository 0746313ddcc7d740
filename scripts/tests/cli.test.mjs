// SPDX-License-Identifier: Apache-2.0
// Tests the `isthmus` command against a real node. The scenarios share one node, but each has its own accounts, so that
// each can be read and run alone: node --test --test-name-pattern='a folder' scripts/tests/cli.test.mjs

import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import {
	chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync,
	statSync, symlinkSync, truncateSync, utimesSync, writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { blake2AsU8a } from '@polkadot/util-crypto';
import * as programs from '../lib/child.mjs';
import { EncryptionSecret, grantRecipient, MasterSecret, PublicKey } from '../lib/envelope.mjs';
import { storeFile } from '../lib/large.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client, recordKey } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const PASSPHRASE = 'three plain words';
/** The exit codes that `isthmus --help` explains. */
const [DONE, FAILED, USAGE, UNREACHABLE, REFUSED, NOT_AUTHENTIC] = [0, 1, 2, 3, 4, 5];

/** The command: $ISTHMUS_CLI, or `isthmus` beside the node. */
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

/** How many plaintext bytes a chunk contains. */
const CHUNK = 1022 * 1024;

/** Returns a key that the command printed. */
const fromHex = (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex'));

let node;
/** A proxy in front of the node that sees its requests and responses. */
let seen;
let client;
let folder;

/** Where and with what the command runs. */
const options = (env) => ({
	cwd: folder,
	env: { ...process.env, ISTHMUS_URL: node.url, ISTHMUS_PASSPHRASE: PASSPHRASE, ISTHMUS_KEY: '', ...env },
});

/** Starts the command. */
const start = (args, env) => programs.start(program, args, options(env));

/** Runs the command until it exits. */
const run = (args, { input, env } = {}) => programs.run(program, args, options(env), { input });

/** Runs the command, checks that it succeeds, and returns the objects that it prints. */
async function ok(...args) {
	const { code, stdout, stderr } = await run(['--json', ...args]);
	assert.equal(code, DONE, `isthmus ${args.join(' ')}: ${stderr}`);
	return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

/** Runs the command, checks that it exits with this code, and returns the error that it prints. */
async function refused(expected, ...args) {
	const { code, stdout, stderr } = await run(['--json', ...args]);
	assert.equal(code, expected, `isthmus ${args.join(' ')}: ${stdout}${stderr}`);
	return JSON.parse(stderr.trim().split('\n').at(-1));
}

/** Runs `fetch`, checks that it succeeds, and returns the first chunk of each request, in ascending order. */
async function chunksRequested(...args) {
	const requested = [];
	seen.setLie((method, params, result) => {
		if (method === 'sharing_chunks') requested.push(params[0].first);
		return result;
	});
	await ok('fetch', ...args, '--url', seen.url);
	return requested.sort((a, b) => a - b);
}

/**
 * Starts the command and kills it when the node answers a request for which `at` returns true.
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
	const [code, signal] = await programs.ended(child);
	assert.equal(signal, 'SIGKILL', `isthmus ${args.join(' ')} ended with ${code} before it was killed`);
}

const file = (name) => join(folder, name);
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');
const contents = (name) => sha(readFileSync(file(name)));

/** Writes a file of random bytes. */
function random(name, size) {
	const bytes = randomFillSync(Buffer.alloc(size));
	writeFileSync(file(name), bytes);
	return bytes;
}

/** The secrets of the command's development accounts are derived from their names. */
const secretOf = (label, uri) => blake2AsU8a(Buffer.from(`isthmus/development/${label}/${uri}`));
const masterOf = (uri) => new MasterSecret(secretOf('master', uri));
const encryptionOf = (uri) => new EncryptionSecret(secretOf('encryption', uri));

/**
 * Makes an account with funds for a scenario.
 *
 * @param {string} uri The account's name, such as //Reader.
 * @returns {Promise<{ uri: string, address: string, key: string[] }>} `key` contains the options to act as this
 * account.
 */
async function account(uri) {
	const { address } = client.account(uri);
	await ok('transfer', address, '1000', '--key', '//Alice');
	return { uri, address, key: ['--key', uri] };
}

/** Makes an account that can be granted access. */
async function reader(uri) {
	const made = await account(uri);
	await ok('key', 'publish', ...made.key);
	return made;
}

/** Makes a registered producer with one dataset, number `dataset`. */
async function producer(uri) {
	const made = await account(uri);
	await ok('register', uri.slice(2), '--kind', 'school', ...made.key);
	const [{ dataset }] = await ok('dataset', 'create', 'data', ...made.key);
	return { ...made, dataset };
}

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

describe('keys', () => {
	test('a key file is created once, for its owner only', { timeout }, async () => {
		const [made] = await ok('key', 'generate', 'new.key');
		assert.match(made.account, /^5/);
		assert.equal(statSync(file('new.key')).mode & 0o777, 0o600);
		assert.deepEqual(await ok('key', 'inspect', 'new.key'), [made]);
		const again = await refused(FAILED, 'key', 'generate', 'new.key');
		assert.match(again.error, /already exists/);
		assert.match(again.hint, /another name/);
	});

	test('an existing account is imported from its secret', { timeout }, async () => {
		const imported = await run(['--json', 'key', 'import', 'imported.key'], { input: '//Imported\n' });
		assert.equal(imported.code, DONE, imported.stderr);
		assert.equal(JSON.parse(imported.stdout).account, client.account('//Imported').address);
		const bad = await run(['key', 'import', 'bad.key'], { input: 'no secret\n' });
		assert.equal(bad.code, USAGE);
		assert.ok(!existsSync(file('bad.key')));
	});

	test('a wrong passphrase and a missing key are reported', { timeout }, async () => {
		await ok('key', 'generate', 'locked.key');
		const wrong = await run(['key', 'publish', '--key', 'locked.key'], { env: { ISTHMUS_PASSPHRASE: 'another' } });
		assert.equal(wrong.code, NOT_AUTHENTIC);
		assert.match(wrong.stderr, /^error: the passphrase does not open locked.key\nhint: /m);
		const none = await refused(USAGE, 'key', 'publish');
		assert.match(none.hint, /isthmus key generate FILE/);
	});

	test('a key is registered and replaced, and the key file stays as it is', { timeout }, async () => {
		const { address } = await account('//Rotating');
		const imported = await run(['key', 'import', 'rotating.key'], { input: '//Rotating\n' });
		assert.equal(imported.code, DONE, imported.stderr);
		const before = contents('rotating.key');
		const onChain = async () => {
			const registered = (await client.api.query.dataSharing.encryptionKeys(address)).toJSON();
			return registered && PublicKey.fromBytes(Buffer.from(registered.key.slice(2), 'hex'));
		};
		const [first] = await ok('key', 'publish', '--key', 'rotating.key');
		assert.ok(first.block > 0);
		const published = await onChain();
		assert.equal(published.suite, 2);
		const [again] = await ok('key', 'publish', '--key', 'rotating.key');
		assert.equal(again.block, null);
		await ok('key', 'rotate', '--key', 'rotating.key');
		assert.notDeepEqual(await onChain(), published);
		assert.equal(contents('rotating.key'), before);
		await ok('key', 'withdraw', '--key', 'rotating.key');
		assert.equal(await onChain(), null);
	});

	test('24 words on an empty machine bring back the account, its records and its grants', { timeout }, async () => {
		const owner = await producer('//RestoreOwner');
		const [{ account: address }] = await ok('key', 'generate', 'lost.key');
		await ok('transfer', address, '1000', '--key', '//Alice');
		const [{ words }] = await ok('key', 'words', 'lost.key');
		await ok('key', 'publish', '--key', 'lost.key');
		await ok('register', 'Restored', '--kind', 'school', '--key', 'lost.key');
		await ok('dataset', 'create', 'own', '--key', 'lost.key');
		random('restore-own', 1000);
		random('restore-granted', 1000);
		await ok('store', 'restore-own', '--key', 'lost.key');
		await ok('store', 'restore-granted', ...owner.key);
		await ok('authorize', '--to', address, '--leaves', '0..9', ...owner.key);
		// Later grants are sealed to another key.
		await ok('key', 'rotate', '--key', 'lost.key');
		rmSync(file('lost.key'));

		const restored = await run(['--json', 'key', 'restore', 'found.key'], { input: `${words.toUpperCase()}\n` });
		assert.equal(restored.code, DONE, restored.stderr);
		assert.equal(JSON.parse(restored.stdout).account, address);
		await ok('fetch', address, 'restore-own', '-o', 'found-own', '--key', 'found.key');
		await ok('fetch', owner.address, 'restore-granted', '-o', 'found-granted', '--key', 'found.key');
		assert.equal(contents('found-own'), contents('restore-own'));
		assert.equal(contents('found-granted'), contents('restore-granted'));
		const [{ block, ...verified }] = await ok('key', 'verify', 'found.key');
		assert.deepEqual(verified, { account: address, grants: 1, registered: true });
		assert.ok(block > 0);
	});

	test('a backup of the same account with another seed is found out', { timeout }, async () => {
		await account('//Twice');
		for (const name of ['twice-1.key', 'twice-2.key']) {
			const imported = await run(['key', 'import', name], { input: '//Twice\n' });
			assert.equal(imported.code, DONE, imported.stderr);
		}
		const unpublished = await run(['key', 'verify', 'twice-1.key']);
		assert.match(unpublished.stdout, /^at finalized block \d+, .*\. No key of the account is registered there\n$/);
		// A backup is compared with final state, which every node must prove.
		await ok('key', 'publish', '--key', 'twice-1.key', '--finalized');
		const [verified] = await ok('key', 'verify', 'twice-1.key');
		assert.equal(verified.registered, true);
		const stale = await refused(NOT_AUTHENTIC, 'key', 'verify', 'twice-2.key');
		assert.match(stale.error, /twice-2.key does not open/);
		assert.match(stale.hint, /another seed/);
	});

	test('nothing is stored or granted with another seed of the same account', { timeout }, async () => {
		await producer('//OtherSeed');
		const { uri } = await reader('//OtherSeedReader');
		for (const name of ['seed-1.key', 'seed-2.key']) {
			const imported = await run(['key', 'import', name], { input: '//OtherSeed\n' });
			assert.equal(imported.code, DONE, imported.stderr);
		}
		for (const name of ['by-seed', 'by-another-seed']) random(name, 1000);
		random('large-by-another-seed', 1_500_000);
		const [first, second] = ['seed-1.key', 'seed-2.key'].map((name) => ['--key', name]);
		await ok('store', 'by-seed', '--finalized', ...first);
		const grant = ['authorize', '--to', uri, '--leaves', '0..9'];
		for (const args of [['store', 'by-another-seed'], ['store', 'large-by-another-seed'], grant]) {
			const stale = await refused(NOT_AUTHENTIC, ...args, ...second);
			assert.match(stale.error, /^OtherSecret: /, args.join(' '));
			assert.match(stale.hint, /another key file/);
		}
		assert.equal((await ok('list', 'records', ...first)).length, 1);
		await ok('store', 'by-another-seed', ...first);
		await ok(...grant, ...first);
	});

	test('three of five shares bring a key file back, and two do not', { timeout }, async () => {
		const [made] = await ok('key', 'generate', 'split.key');
		const shares = await ok('key', 'split', 'split.key', '--of', '5', '--need', '3');
		assert.deepEqual(shares.map(({ number, need }) => [number, need]), [1, 2, 3, 4, 5].map((number) => [number, 3]));
		const input = (...numbers) => numbers.map((number) => `${shares[number - 1].share}\n`).join('');
		const joined = await run(['--json', 'key', 'join', 'joined.key'], { input: input(5, 2, 4) });
		assert.equal(joined.code, DONE, joined.stderr);
		assert.deepEqual(JSON.parse(joined.stdout), made);
		for (const few of [input(5, 2), input(5, 2, 5), input(5, 2).replace(/.\n$/, 'x\n')]) {
			const missing = await run(['key', 'join', 'none.key'], { input: few });
			assert.equal(missing.code, USAGE, missing.stderr);
			assert.ok(!existsSync(file('none.key')));
		}
	});

	test('a passphrase is changed', { timeout }, async () => {
		const [made] = await ok('key', 'generate', 'changed.key');
		const next = { ISTHMUS_PASSPHRASE: 'another passphrase' };
		const changed = await run(['--json', 'key', 'passphrase', 'changed.key'], {
			env: { ISTHMUS_NEW_PASSPHRASE: next.ISTHMUS_PASSPHRASE },
		});
		assert.equal(changed.code, DONE, changed.stderr);
		assert.deepEqual(JSON.parse(changed.stdout), made);
		assert.equal((await run(['key', 'words', 'changed.key'])).code, NOT_AUTHENTIC);
		assert.equal((await run(['key', 'words', 'changed.key'], { env: next })).code, DONE);
	});

	test('each request has a key of its own, which nothing but the seed brings back', { timeout }, async () => {
		const owner = await producer('//OwnKeyOwner');
		const asker = await account('//OwnKeyReader');
		random('own-key', 1000);
		await ok('store', 'own-key', ...owner.key);
		const requests = [];
		for (const leaves of ['0..1', '0..2']) {
			const [{ request }] = await ok('request', owner.address, '--leaves', leaves, '--purpose', 'p', ...asker.key);
			const open = (await client.api.query.dataSharing.requests(request)).unwrap();
			requests.push({ request, key: PublicKey.fromBytes(open.key.toU8a(true)) });
		}
		const [first, second] = requests;
		assert.equal(first.key.suite, 2);
		assert.notDeepEqual(first.key.id, second.key.id);
		// The account has registered none.
		assert.ok((await client.api.query.dataSharing.encryptionKeys(asker.address)).isNone);
		const [{ grant }] = await ok('authorize', String(second.request), ...owner.key);
		const { sealedKeys } = (await client.api.query.dataSharing.grants(grant)).unwrap();
		assert.deepEqual(grantRecipient(sealedKeys.toU8a(true)).id, second.key.id);
		await ok('fetch', owner.address, 'own-key', '-o', 'own-key-got', ...asker.key);
		assert.equal(contents('own-key-got'), contents('own-key'));
	});

	test('--pq-only refuses a key that is not post-quantum', { timeout }, async () => {
		const owner = await producer('//PqOwner');
		const old = await account('//PqReader');
		const pair = await encryptionOf(old.uri).pair(1, new Uint8Array(16));
		await client.setEncryptionKey(client.account(old.uri), await pair.publicKey());
		random('pq', 100);
		await ok('store', 'pq', ...owner.key);
		const grant = ['authorize', '--to', old.address, '--leaves', '0..9', ...owner.key];
		const never = await refused(REFUSED, ...grant, '--pq-only');
		assert.match(never.error, /post-quantum/);
		await ok(...grant);
		const fetch = ['fetch', owner.address, 'pq', '-o', 'pq-got', ...old.key];
		await refused(REFUSED, ...fetch, '--pq-only');
		await ok(...fetch);
		assert.equal(contents('pq-got'), contents('pq'));
	});
});

describe('errors and their hints', () => {
	let owner;
	before(async () => {
		owner = await producer('//HintOwner');
	}, { timeout });

	test('no node answers', { timeout }, async () => {
		const away = await refused(UNREACHABLE, 'status', '--url', 'ws://127.0.0.1:1');
		assert.match(away.hint, /isthmus-node --dev/);
	});

	test('an account without funds cannot pay', { timeout }, async () => {
		// Each may be an account's first transaction.
		for (const args of [
			['register', 'School'],
			['key', 'publish'],
			['key', 'rotate'],
			['transfer', owner.address, '1'],
			['request', owner.address, '--leaves', '0..1', '--purpose', 'p'],
			['facts', 'create', 'poor', '--reporters', owner.address, '--fresh', '1d'],
			['dataset', 'accept', owner.address, '0'],
		]) {
			const poor = await refused(REFUSED, ...args, '--key', '//HintPoor');
			assert.match(poor.error, /^NotEnoughFunds: this needs at least [\d.]+ IST for .*, the account has 0 IST, and [\d.]+ IST are missing$/, args.join(' '));
			assert.match(poor.hint, /isthmus balance/);
		}
	});

	test('an account that is not a producer cannot store', { timeout }, async () => {
		const { key } = await account('//HintStranger');
		random('stranger', 10);
		const unregistered = await refused(REFUSED, 'dataset', 'create', 'x', ...key);
		assert.match(unregistered.error, /NotRegistered: Only a registered producer may do this\.$/);
		assert.match(unregistered.hint, /isthmus register/);
		assert.match((await refused(REFUSED, 'store', 'stranger', ...key)).hint, /isthmus register/);
	});

	test('if there are several datasets, one has to be named, and it has to exist', { timeout }, async () => {
		const { key } = await producer('//HintSeveral');
		random('several', 10);
		await ok('dataset', 'create', 'second', ...key);
		const several = await refused(USAGE, 'store', 'several', ...key);
		assert.match(several.error, /pass --dataset/);
		assert.match(several.hint, /isthmus list datasets/);
		assert.match((await refused(REFUSED, 'store', 'several', '--dataset', '9', ...key)).hint, /isthmus list datasets/);
		const { key: empty } = await account('//HintNone');
		await ok('register', 'None', ...empty);
		assert.match((await refused(REFUSED, 'store', 'several', ...empty)).hint, /isthmus dataset create/);
	});

	test('a request or grant does not exist, or a leaf is taken', { timeout }, async () => {
		random('taken', 10);
		await ok('store', 'taken', ...owner.key);
		assert.match((await refused(REFUSED, 'store', 'taken', '--name', 'other', '--leaf', '0', ...owner.key)).hint, /omit --leaf/);
		assert.match((await refused(REFUSED, 'authorize', '999', ...owner.key)).hint, /isthmus requests/);
		assert.match((await refused(REFUSED, 'reject', '999', ...owner.key)).hint, /isthmus requests/);
		assert.match((await refused(REFUSED, 'revoke', '999', ...owner.key)).hint, /isthmus list given/);
	});

	test('a reader without an encryption key cannot be granted access', { timeout }, async () => {
		const silent = client.account('//HintSilent').address;
		const sealed = await refused(REFUSED, 'authorize', '--to', silent, '--leaves', '0..1', ...owner.key);
		assert.match(sealed.hint, /isthmus key publish/);
	});

	test('a dataset with requests, grants or records is not removed', { timeout }, async () => {
		const used = await producer('//HintUsed');
		const { uri, key } = await reader('//HintReader');
		const remove = ['dataset', 'remove', String(used.dataset), ...used.key];
		random('used', 10);
		await ok('store', 'used', ...used.key);
		assert.match((await refused(REFUSED, ...remove)).hint, /: isthmus remove used$/);
		const [{ request }] = await ok('request', used.address, '--leaves', '0..4', '--purpose', 'p', ...key);
		assert.match((await refused(REFUSED, ...remove)).hint, /isthmus reject/);
		await ok('reject', String(request), ...used.key);
		await ok('authorize', '--to', uri, '--leaves', '0..1', ...used.key);
		assert.match((await refused(REFUSED, ...remove)).hint, /isthmus revoke/);
	});
});

describe('errors that help', () => {
	let owner;
	before(async () => {
		owner = await producer('//HelpOwner');
	}, { timeout });

	test('wrong arguments are JSON, too, and a negative number is a value', { timeout }, async () => {
		const missing = await refused(USAGE, 'store');
		assert.match(missing.error, /required arguments were not provided: <PATH>/);
		assert.match(missing.hint, /^usage: isthmus store/);
		assert.match((await refused(USAGE, 'transfer', owner.address, '-5', ...owner.key)).error, /invalid value '-5' for '<AMOUNT>'/);
		assert.match((await refused(USAGE, 'transfer', owner.address, '0', ...owner.key)).error, /more than 0/);
		assert.match((await refused(USAGE, 'authorize', '--to', owner.uri, '--leaves', '0..1', '--term', '0')).error, /'0' for '--term/);
		const when = ['--when', 'before(2027)'];
		const place = /expected a time.* before\(2027\) \^{4}$/;
		assert.match((await refused(USAGE, 'authorize', '--to', owner.uri, '--leaves', '0..1', ...when)).error, place);
		const answer = ['authorize', '0', '--when', 'before(2027-01-01)'];
		assert.match((await refused(USAGE, ...answer)).error, /cannot be used with/);
	});

	test('funds that are missing are named, and no fee is paid for what is known to fail', { timeout }, async () => {
		const { address, key, uri } = await account('//HelpSpender');
		const funds = async () => (await ok('balance', address))[0].free;
		const before = await funds();
		const poor = await refused(REFUSED, 'transfer', owner.address, '5000', ...key);
		assert.match(poor.error, /The account does not have the funds for this\.$/);
		assert.match(poor.hint, /isthmus balance/);
		const withdraw = await refused(REFUSED, 'key', 'withdraw', ...key);
		assert.match(withdraw.error, new RegExp(`^${address} has no encryption key`));
		assert.equal(withdraw.hint, null);
		assert.equal(await funds(), before);
		await ok('key', 'publish', ...key);
		const published = await funds();
		assert.deepEqual((await ok('key', 'publish', ...key)).map(({ block }) => block), [null]);
		assert.equal(await funds(), published);
		const [{ grant }] = await ok('authorize', '--to', uri, '--leaves', '0..1', ...owner.key);
		await ok('dataset', 'epoch', String(owner.dataset), ...owner.key);
		await ok('revoke', String(grant), ...owner.key);
		const [{ free }] = await ok('balance', owner.address);
		assert.match((await refused(REFUSED, 'revoke', String(grant), ...owner.key)).error, /GrantEnded/);
		assert.match((await refused(REFUSED, 'dataset', 'create', 'data', ...owner.key)).error, /DatasetNameTaken/);
		assert.match((await refused(REFUSED, 'register', 'Again', ...owner.key)).error, /AlreadyRegistered/);
		assert.match((await refused(REFUSED, 'dataset', 'policy', '0', '--clear', ...owner.key)).error, /no policy/);
		assert.equal((await ok('balance', owner.address))[0].free, free);
	});

	test('what the account cannot pay for is refused before anything of it is sent', { timeout }, async () => {
		const { address, key } = await producer('//HelpPoor');
		writeFileSync(file('costly'), '');
		truncateSync(file('costly'), 600_000_000);
		mkdirSync(file('costly-folder'));
		for (let i = 0; i < 64; i++) {
			writeFileSync(file(`costly-folder/${i}`), '');
			truncateSync(file(`costly-folder/${i}`), 1_000_000_000);
		}
		await ok('transfer', owner.address, '900', ...key);
		const [{ free }] = await ok('balance', address);
		for (const name of ['costly', 'costly-folder']) {
			const poor = await refused(REFUSED, 'store', name, ...key);
			assert.match(poor.error, /^NotEnoughFunds: this needs at least [\d.]+ IST .* has [\d.]+ IST, and [\d.]+ IST are missing$/);
			assert.match(poor.hint, /isthmus balance/);
		}
		assert.equal((await ok('balance', address))[0].free, free);
		assert.deepEqual(await ok('list', 'records', ...key), []);
	});

	test('what does not exist has one exit code and a hint', { timeout }, async () => {
		for (const [args, hint] of [
			[['serve', '--datasets', '5', ...owner.key], /isthmus list datasets/],
			[['fetch', owner.address, 'none', ...owner.key], /isthmus list records --owner/],
			[['remove', 'none', ...owner.key], /isthmus list records|--alone/],
			[['trace', 'record', owner.address, 'none'], /isthmus list records/],
			[['dataset', 'epoch', '9', ...owner.key], /isthmus list datasets/],
			[['authorize', '9999', ...owner.key], /isthmus requests/],
			[['reject', '9999', ...owner.key], /isthmus requests/],
			[['revoke', '9999', ...owner.key], /isthmus list given/],
		]) {
			const { error, hint: found } = await refused(REFUSED, ...args);
			assert.match(found ?? '', hint, `isthmus ${args.join(' ')}: ${error}`);
		}
	});

	test('what is stored under any name is fetched again', { timeout }, async () => {
		const inside = 'x'.repeat(255);
		mkdirSync(file('names'));
		for (const name of [inside, 'ä'.repeat(127), 'a ', 'a.', 'A', 'a', 'e\u0301', '\u00e9', '-', '.hidden', 'my marks.csv']) {
			random(`names/${name}`, 100);
		}
		await ok('store', 'names', ...owner.key);
		await ok('fetch', owner.address, 'names', '--folder', '-o', 'names.out', ...owner.key);
		for (const name of readdirSync(file('names'))) {
			assert.equal(contents(`names.out/${name}`), contents(`names/${name}`), name);
		}
		mkdirSync(file('here'));
		for (const name of ['my marks.csv', '0xabcd', 'a ', '.hidden']) {
			random(name, 10);
			await ok('store', `./${name}`, ...owner.key);
			const sum = contents(name);
			rmSync(file(name));
			await ok('fetch', owner.address, name, ...owner.key);
			assert.equal(contents(name), sum, name);
		}
		for (const name of ['', 'a\nb', 'x'.repeat(33), `0x${'a'.repeat(63)}`]) {
			await refused(USAGE, 'store', 'names', '--name', name, ...owner.key);
		}
	});
});

test('JSON answers have the keys that scripts read', { timeout }, async () => {
	const owner = await account('//JsonOwner');
	const { uri, key } = await account('//JsonReader');
	random('json', 1000);
	const ask = ['request', owner.address, '--leaves', '0..1', '--purpose', 'p', ...key];
	const scope = ['dataset', 'epoch', 'from', 'to'];
	const block = ['hash', 'number'];
	// An amount is a string, because it may be too large for a number in JSON.
	const types = {
		amount: 'string', free: 'string', held: 'string', offer: 'string', paid: 'string', price: 'string',
		block: 'number',
	};
	// The order matters: each command needs the earlier ones. An array lists an object's keys, in their order.
	for (const [args, keys, inner = {}] of [
		[['key', 'generate', 'json.key'], ['account', 'fingerprint']],
		[['key', 'publish', ...key], ['account', 'block']],
		[['transfer', uri, '1', ...owner.key], ['amount', 'block', 'from', 'to']],
		[['register', 'JSON', ...owner.key], ['block', 'producer']],
		[['dataset', 'create', 'json', ...owner.key], ['block', 'dataset']],
		[['dataset', 'policy', '0', '--longest-term', '100', ...owner.key], ['block']],
		[['list', 'datasets', ...owner.key],
			[
				...['closed', 'condition', 'dataset', 'epoch', 'grants', 'keepers', 'lastProven', 'leaves', 'locations', 'name', 'objects'],
				...['controller', 'offeredTo', 'owner', 'policy', 'requests'],
			],
			{ policy: ['firmPrice', 'longestRange', 'longestTerm', 'price', 'purposes', 'words'] }],
		[['store', 'json', ...owner.key], ['block', 'bytes', 'dataset', 'epoch', 'files', 'key', 'leaf', 'location', 'name', 'readers', 'resumed', 'skipped']],
		[['list', 'records', ...owner.key],
			['arrived', 'bytes', 'chunks', 'dataset', 'epoch', 'firstBlock', 'key', 'lastBlock', 'leaf', 'name', 'root']],
		[ask, ['block', 'condition', 'request']],
		[['requests', ...owner.key],
			['code', 'consumer', 'digest', 'final', 'firm', 'offer', 'owner', 'purpose', 'request', 'scope', 'term', 'validUntil', 'verdict'], { scope }],
		[['authorize', '--to', uri, '--leaves', '0..1', ...owner.key],
			['block', 'condition', 'expiry', 'grant', 'grantee', 'paid', 'scope', 'until'], { scope }],
		[['list', 'received', ...key],
			[
				'agreement', 'code', 'condition', 'expiry', 'firm', 'grant', 'grantee', 'owner', 'paid', 'paidUntil', 'scope', 'state', 'until',
			], { scope }],
		[['fetch', owner.address, 'json', '-o', 'json.out', ...key], ['bytes', 'files', 'output']],
		[['balance', uri], ['account', 'free', 'held']],
		[['status'], ['best', 'chain', 'finalized', 'genesis', 'node', 'peers', 'syncing'], { best: block, finalized: block }],
		[['trace', 'dataset', owner.address, '0'], ['block', 'dataset', 'event', 'name', 'owner', 'transaction']],
		[['remove', 'json', ...owner.key], ['block', 'files', 'packs', 'key', 'name', 'objects', 'erased']],
		[['dataset', 'epoch', '0', ...owner.key], ['block', 'dataset', 'epoch']],
		[['dataset', 'free', '0', ...owner.key], ['block', 'freed', 'wait']],
		[['dataset', 'policy', '0', '--clear', ...owner.key], ['block']],
		[['dataset', 'create', 'more', ...owner.key], ['block', 'dataset']],
		[['dataset', 'remove', '1', ...owner.key], ['block']],
	]) {
		const [answer] = await ok(...args);
		assert.deepEqual(Object.keys(answer), keys, `isthmus ${args.join(' ')}`);
		for (const [name, keys] of Object.entries(inner)) {
			assert.deepEqual(Object.keys(answer[name]), keys, `${name} of isthmus ${args.join(' ')}`);
		}
		for (const [name, value] of Object.entries({ ...answer, ...answer.policy })) {
			if (name in types) assert.equal(typeof value, types[name], `${name} of isthmus ${args.join(' ')}`);
		}
		// Nothing here is a folder.
		if ('files' in answer) assert.equal(answer.files, null, `files of isthmus ${args.join(' ')}`);
	}
	const [{ request }] = await ok('requests', '--mine', ...key);
	const cancelled = await ok('request', '--cancel', String(request), ...key);
	assert.deepEqual(Object.keys(cancelled[0]), ['block', 'openUntil', 'request']);
	const [{ request: again }] = await ok(...ask);
	const rejected = await ok('reject', String(again), ...owner.key);
	assert.deepEqual(Object.keys(rejected[0]), ['block', 'request']);
	// A grant under a condition that is not met yet.
	const condition = 'after(2100-01-01)';
	const [waiting] = await ok('authorize', '--to', uri, '--leaves', '0..1', '--when', condition, ...owner.key);
	const listed = (await ok('list', 'received', ...key)).find(({ grant }) => grant === waiting.grant);
	assert.deepEqual([waiting.condition, listed.condition, listed.state], [condition, condition, 'suspended']);
	// A record that no one else can query yet, and an offer that ends by a condition.
	const [embargo] = await ok('embargo', 'later', '--dataset', '0', '--when', condition, ...owner.key);
	assert.deepEqual([Object.keys(embargo), embargo.condition], [['block', 'condition', 'key', 'name'], condition]);
	const [embargoed] = await ok('list', 'embargoes', ...owner.key);
	assert.deepEqual(embargoed, { condition, key: embargo.key, name: 'later', stored: false });
	assert.equal((await ok('embargo', 'later', '--dataset', '0', '--lift', ...owner.key))[0].condition, null);
	const [conditional] = await ok(...ask, '--withdraw-when', condition);
	assert.equal(conditional.condition, condition);
	await ok('reject', String(conditional.request), ...owner.key);
	const [{ grant }] = await ok('list', 'given', ...owner.key);
	const revoked = await ok('revoke', String(grant), ...owner.key);
	assert.deepEqual(Object.keys(revoked[0]), ['block', 'epoch', 'grant', 'left', 'overtaken', 'refunded', 'renewed', 'skipped']);
	const [given] = await ok('authorize', '--to', uri, '--leaves', '0..1', ...owner.key);
	for (const [args, keys] of [
		[['renounce', String(given.grant), ...key], ['block', 'grant']],
		[['settle', ...key], ['block', 'settled']],
		[['dataset', 'close', '0', ...owner.key], ['block']],
		[['dataset', 'open', '0', ...owner.key], ['block']],
	]) {
		const [answer] = await ok(...args);
		assert.deepEqual(Object.keys(answer), keys, `isthmus ${args.join(' ')}`);
	}
	const [withdrawn] = await ok('key', 'withdraw', ...key);
	assert.deepEqual(Object.keys(withdrawn), ['account', 'block']);
	assert.deepEqual(Object.keys(await refused(REFUSED, 'dataset', 'epoch', '9', ...owner.key)), ['code', 'error', 'hint']);
});

describe('costs', () => {
	const total = ({ deposits, fees, payments }) => BigInt(deposits) + BigInt(fees) + BigInt(payments);
	const free = async (address) => BigInt((await ok('balance', address))[0].free);

	test('a dry run says what a command costs, and sends nothing', { timeout }, async () => {
		const { address, key } = await account('//Thrifty');
		const other = await reader('//ThriftyReader');
		const school = await producer('//ThriftySchool');
		random('thrifty', 2000);
		random('thrifty-large', 2_500_000);
		mkdirSync(file('thrifty-folder/empty'), { recursive: true });
		for (const name of ['a', 'b']) random(`thrifty-folder/${name}`, 500);
		for (const [args, exact] of [
			[['register', 'Thrifty', '--kind', 'school'], true],
			[['dataset', 'create', 'data'], true],
			[['dataset', 'policy', '0', '--longest-term', '10'], true],
			[['key', 'publish'], true],
			[['transfer', other.address, '5', '--tip', '0.1'], true],
			[['store', 'thrifty'], true],
			[['store', 'thrifty-large'], false],
			[['store', 'thrifty-folder'], false],
			[['request', school.address, '--leaves', '0..2', '--purpose', 'a test', '--offer', '3'], false],
			[['authorize', '--to', other.address, '--leaves', '0..2'], false],
			[['authorize', '--to', other.address, '--leaves', '0..1', '--when', `credential(0x${'01'.repeat(32)}, hospital.accredited)`], false],
			[['facts', 'create', 'thrifty/source'], false],
			[['facts', 'report', 'thrifty/source', 'topic', '1'], false],
			[['facts', 'issue', other.address, 'thrifty.kind', '--until', '2100-01-01'], false],
		]) {
			const before = await free(address);
			const [planned] = await ok(...args, '--dry-run', ...key);
			assert.deepEqual(Object.keys(planned), ['deposits', 'dryRun', 'fees', 'payments'], args.join(' '));
			assert.equal(await free(address), before, args.join(' '));
			await ok(...args, ...key);
			const spent = before - await free(address);
			const says = `isthmus ${args.join(' ')} costs ${spent}, not ${total(planned)}`;
			if (exact) assert.equal(total(planned), spent, says);
			// The fees of large values are an estimate, and the chain gives back what it did not need of some others.
			const slack = spent / 50n + 10_000_000_000n;
			assert.ok(total(planned) + slack > spent && total(planned) < spent + slack, says);
		}
		// What is done already costs nothing, and a mistake is found.
		const [again] = await ok('store', 'thrifty', '--dry-run', ...key);
		assert.equal(again.block, null);
		assert.match((await refused(REFUSED, 'register', 'Thrifty', '--dry-run', ...key)).error, /AlreadyRegistered/);
		assert.match((await refused(REFUSED, 'transfer', other.address, '5000', '--dry-run', ...key)).error, /NotEnoughFunds|FundsUnavailable/);
	});

	test('a revocation costs the renewals, and no refund if the owner was not paid yet', { timeout }, async () => {
		const { address, key } = await producer('//Refunding');
		const [one, other] = [await reader('//RefundingOne'), await reader('//RefundingOther')];
		const terms = ['--leaves', '0..2', '--purpose', 'a test', '--term', '1000', '--offer', '3'];
		const [{ request }] = await ok('request', address, ...terms, ...one.key);
		const [{ grant }] = await ok('authorize', String(request), ...key);
		await ok('authorize', '--to', other.address, '--leaves', '0..5', ...key);
		const before = await free(address);
		const [planned] = await ok('revoke', String(grant), '--dry-run', ...key);
		assert.equal(await free(address), before);
		assert.ok(planned.payments === '0' && BigInt(planned.deposits) > 0n, JSON.stringify(planned));
		const limit = (Number(total(planned)) / 2e12).toFixed(9);
		const refusal = await refused(REFUSED, 'revoke', String(grant), '--max-cost', limit, ...key);
		assert.match(refusal.error, /^this would cost [\d.]+ IST, and the limit is [\d.]+ IST$/);
		assert.match(refusal.hint, /--max-cost/);
		assert.equal(await free(address), before);
		const [revoked] = await ok('revoke', String(grant), ...key);
		assert.equal(revoked.refunded, '3000000000000');
		const spent = before - await free(address);
		const difference = spent - total(planned);
		assert.ok(difference < 50_000_000_000n && difference > -50_000_000_000n, `${spent}, not ${total(planned)}`);
	});

	test('nothing is sent beyond a limit', { timeout }, async () => {
		const { address, key } = await producer('//Budgeted');
		const other = await account('//BudgetedOther');
		random('limited-large', 2_500_000);
		mkdirSync(file('limited-folder'));
		for (const name of ['a', 'b']) random(`limited-folder/${name}`, 500);
		const before = await free(address);
		for (const [limit, ...args] of [
			['5', 'transfer', other.address, '5'],
			['1', 'store', 'limited-large'],
			['0.3', 'store', 'limited-folder'],
			['0', 'dataset', 'epoch', '0'],
		]) {
			const { error } = await refused(REFUSED, ...args, '--max-cost', limit, ...key);
			assert.match(error, /^this would cost [\d.]+ IST, and the limit is [\d.]+ IST$/, args.join(' '));
			assert.equal(await free(address), before, args.join(' '));
		}
		await ok('store', 'limited-large', '--max-cost', '10', ...key);
		const both = [['--dry-run'], ['--max-cost', '1']];
		// What disputes may have a limit.
		const dry = [['--dry-run']];
		for (const [args, options] of [
			...[[['list', 'records'], both], [['key', 'inspect', 'none'], both], [['serve'], both]],
			...[[['fetch', other.address, 'none'], dry], [['watch'], dry]],
		]) {
			for (const option of options) {
				const { error } = await refused(USAGE, ...args, ...option, ...key);
				assert.ok(error.startsWith(`${option[0]} is for commands that send transactions and then end`), error);
			}
		}
	});
});

test('a tip is paid besides the fee', { timeout }, async () => {
	const payer = await account('//TipPayer');
	const { address } = await account('//TipReader');
	const free = async () => BigInt((await ok('balance', payer.address))[0].free);
	const before = await free();
	await ok('transfer', address, '1', '--tip', '0.5', ...payer.key);
	const paid = before - (await free());
	assert.ok(paid > 1_500_000_000_000n && paid < 1_510_000_000_000n, String(paid));
});

test('the story, from a key to a trace', { timeout }, async () => {
	const school = ['--key', 'school.key'];
	const company = await account('//Company');
	const [{ account: address }] = await ok('key', 'generate', 'school.key');
	const [sent] = await ok('transfer', address, '1000', '--key', '//Alice');
	assert.deepEqual([sent.to, sent.amount], [address, '1000000000000000']);
	await ok('register', 'High School No. 1', '--kind', 'school', ...school);
	const [{ dataset }] = await ok('dataset', 'create', 'marks', ...school);
	const [listed] = await ok('list', 'datasets', '--owner', address);
	assert.deepEqual([listed.dataset, listed.name], [dataset, 'marks']);

	const bytes = random('marks.csv', 300_000);
	const [stored] = await ok('store', 'marks.csv', ...school);
	assert.deepEqual([stored.leaf, stored.bytes, stored.resumed], [0, 300_000, false]);
	// Stored content is compared: storing the same content again is not an error, and other content does not replace it.
	const [whole] = await ok('store', 'marks.csv', ...school);
	assert.deepEqual([whole.leaf, whole.resumed, whole.block], [0, true, null]);
	random('other.csv', 300_000);
	const taken = await refused(REFUSED, 'store', 'other.csv', '--name', 'marks.csv', ...school);
	assert.match(taken.error, /^marks\.csv is stored already/);
	assert.match(taken.hint, /--name/);
	const fetch = ['fetch', address, 'marks.csv', ...company.key, '-o'];
	// Who may not read the record does not find it by its name. By its key, the hint names its dataset, epoch and leaf.
	assert.match((await refused(REFUSED, ...fetch, 'out')).hint, /a name that is not public/);
	const byKey = ['fetch', address, stored.key, ...company.key, '-o', 'out'];
	assert.match((await refused(REFUSED, ...byKey)).hint, /isthmus request \w+ --dataset 0 --epoch 0 --leaves 0\.\.1 /);
	assert.ok(!existsSync(file('out')));

	await ok('key', 'publish', ...company.key);
	const ask = (leaves, ...more) => ['request', address, '--leaves', leaves, '--purpose', 'a study', ...more, ...company.key];
	const [{ request }] = await ok(...ask('0..4', '--offer', '2.5'));
	assert.match((await refused(REFUSED, ...ask('0..4'))).hint, new RegExp(`--cancel ${request}$`));
	const [pending] = await ok('requests', ...school);
	assert.deepEqual([pending.request, pending.purpose, pending.offer], [request, 'a study', '2500000000000']);
	// What was seen of the request is what is granted.
	const named = (digest) => ['authorize', String(request), '--digest', digest, ...school];
	assert.match((await refused(USAGE, ...named(pending.digest.slice(0, 17)))).error, /16 to 64 hexadecimal digits/);
	assert.match((await refused(REFUSED, ...named('0123456789abcdef'))).error, /no longer open as it was seen/);
	const [granted] = await ok(...named(pending.digest.slice(2, 18)));
	assert.equal(granted.paid, '2500000000000');
	const [fetched] = await ok(...fetch, 'out');
	assert.equal(fetched.bytes, 300_000);
	assert.equal(contents('out'), sha(bytes));
	assert.match((await refused(FAILED, ...fetch, 'out')).hint, /--force/);
	const piped = await run([...fetch, '-']);
	assert.equal(sha(piped.bytes), sha(bytes));

	// When one reader is revoked, another keeps its access.
	const { uri: other, address: otherAddress } = await reader('//OtherReader');
	const [kept] = await ok('authorize', '--to', other, '--leaves', '0..100', '--until', '2200-01-01', ...school);
	const [lost] = await ok('authorize', '--to', company.uri, '--leaves', '5..6', ...school);
	const [revoked] = await ok('revoke', String(lost.grant), ...school);
	// The company's other grant on the epoch is not renewed.
	assert.deepEqual([revoked.epoch, revoked.renewed, revoked.left], [1, 1, [granted.grant]]);
	// What the company paid for the rest of its term is paid back: all of it, if it could still be disputed.
	const paid = await ok('revoke', String(granted.grant), ...school);
	const refunded = BigInt(paid[0].refunded);
	assert.ok(refunded > 2_400_000_000_000n && refunded <= 2_500_000_000_000n, paid[0].refunded);
	const given = await ok('list', 'given', ...school);
	assert.equal(given.find(({ grant }) => grant === lost.grant).state, 'revoked');
	assert.equal(given.filter(({ grantee, scope }) => grantee === otherAddress && scope.epoch === 1).length, 1);
	assert.equal(given.find(({ grant }) => grant === kept.grant).until, 7258118400);
	// A new epoch leaves the readers behind, and two of them get further than the one that was revoked.
	await ok('dataset', 'epoch', '0', ...school);
	const renew = (...more) => ['dataset', 'renew', '0', ...more, ...school];
	assert.deepEqual((await ok(...renew('--except', other)))[0].renewed, []);
	const renewal = await run(['--json', ...renew()]);
	assert.match(renewal.stderr, new RegExp(`^due: .* to ${otherAddress}$`, 'm'));
	const renewed = JSON.parse(renewal.stdout);
	assert.deepEqual([renewed.dataset, renewed.epoch, renewed.skipped], [0, 2, []]);
	assert.deepEqual(renewed.renewed.map(({ grantee }) => grantee), [otherAddress]);
	assert.deepEqual((await ok(...renew('--from', '0')))[0].renewed, []);
	assert.match((await refused(REFUSED, ...renew('--from', '2'))).error, /is in epoch 2: the grants on it need no renewal/);
	assert.match((await refused(REFUSED, ...renew('--from', '3'))).error, /has no epoch 3 yet/);
	const [again] = (await ok('list', 'given', ...school)).filter(({ grant }) => grant === renewed.renewed[0].grant);
	assert.deepEqual([again.scope, again.until], [{ ...again.scope, epoch: 2, from: 0, to: 100 }, 7258118400]);
	// Records in an earlier epoch can still be granted.
	const [past] = await ok('authorize', '--to', other, '--leaves', '0..1', '--epoch', '0', ...school);
	assert.equal(past.scope.epoch, 0);
	// What is stored where someone has a grant already is open to that reader, and `store` says so.
	random('open.csv', 10);
	random('closed.csv', 10);
	const readers = async (name, leaf) => (await ok('store', name, '--leaf', leaf, ...school))[0].readers;
	assert.deepEqual([await readers('open.csv', '99'), await readers('closed.csv', '100')], [1, 0]);

	const { stdout } = await run(['trace', 'record', address, 'marks.csv', '--to', String(revoked.block), ...school]);
	const lines = stdout.trim().split('\n').map((line) => line.replace(/^block \d+ +/, ''));
	assert.match(lines[0], /stores marks\.csv, 300\.1 kB, at leaf 0/);
	assert.match(lines[1], /asks for leaves 0\.\.4 .* offers 2\.5 IST: a study/);
	assert.match(lines[2], /opens leaves 0\.\.4 .* upon request \d+, .*paid 2\.5 IST/);
	const [funds] = await ok('balance', address);
	assert.ok(BigInt(funds.held) > 0n);
	// It stays as long as the company can dispute what it got back.
	await ok('renounce', String(granted.grant), ...company.key);
	await ok('remove', 'marks.csv', ...school);
	assert.match((await refused(REFUSED, ...fetch, 'out2')).error, /records that you may read has this name/);
});

test('a reader who got wrong keys gets its money back, and cannot complain about right ones', { timeout }, async () => {
	const owner = await producer('//Cheating');
	const consumer = await reader('//Cheated');
	const [cheat, { address }] = [owner, consumer].map(({ uri }) => client.account(uri));
	random('promised', 3000);
	const [{ leaf }] = await ok('store', 'promised', ...owner.key);
	const ask = async (to) => {
		// A dispute starts an epoch.
		const terms = ['--leaves', `0..${to}`, '--epoch', '0', '--purpose', 'p', '--term', '100', '--offer', '3'];
		return (await ok('request', owner.address, ...terms, ...consumer.key))[0].request;
	};
	const short = ['--leaves', '0..9', '--purpose', 'p', '--term', '5', '--offer', '3'];
	assert.match((await refused(REFUSED, 'request', owner.address, ...short, ...consumer.key)).error, /TermTooShort.* 24 blocks/);
	const scope = { dataset: owner.dataset, epoch: 0, from: 0 };
	const other = MasterSecret.generate();
	const request = await ask(4);
	const given = await client.authorize(cheat, other, address, { ...scope, to: 4 }, { term: 100, request });
	const { grant } = given.event('dataSharing', 'Authorized');
	const [won] = await ok('dispute', String(grant), ...consumer.key);
	assert.deepEqual(Object.keys(won), ['block', 'grant', 'key', 'leaf', 'refunded', 'slashed', 'won']);
	assert.deepEqual([won.won, won.leaf, won.refunded, won.slashed], [true, leaf, '3000000000000', '100000000000']);
	const again = await refused(REFUSED, 'dispute', String(grant), ...consumer.key);
	assert.match(again.error, /nothing to dispute/);
	// The owner's own program seals the right keys.
	const [answered] = await ok('authorize', String(await ask(5)), ...owner.key);
	const right = await refused(REFUSED, 'dispute', String(answered.grant), ...consumer.key);
	assert.match(right.error, /opens all 1 records/);
	const { stdout } = await run(['trace', 'dataset', owner.address, String(owner.dataset), '--to', String(won.block)]);
	assert.match(stdout, /shows that grant \d+ does not open what it paid for, gets 3 IST back, and \S+ loses 0\.1 IST of its deposit/);
	assert.match((await refused(REFUSED, 'dispute', '99999', ...consumer.key)).hint, /isthmus list received/);
});

test('names are hidden from the chain, but not from those who may read', { timeout }, async () => {
	const owner = await producer('//Hiding');
	const { uri, key } = await reader('//Seeing');
	const name = 'jane-doe-hiv-test.pdf';
	const bytes = random(name, 5000);
	const large = random('large-and-hidden', 2_500_000);
	const shown = random('shown.csv', 100);
	mkdirSync(file('hidden-folder'));
	random('hidden-folder/inside', 10);
	const stored = [];
	for (const [path, ...more] of [[name], ['large-and-hidden'], ['hidden-folder'], ['shown.csv', '--public-name']]) {
		stored.push((await ok('store', path, ...more, ...owner.key))[0]);
	}
	assert.deepEqual(stored.map((record) => record.name), [name, 'large-and-hidden', 'hidden-folder', 'shown.csv']);
	// Nothing that a node keeps of the account has a name, except the one that was made public.
	const entries = await client.api.query.dataSharing.records.entries(owner.address);
	const all = JSON.stringify(entries.map(([key, value]) => [key.toHex(), value.toHex()]));
	const isIn = (name) => all.includes(Buffer.from(name).toString('hex'));
	assert.deepEqual([isIn('jane'), isIn('hidden'), isIn('shown.csv')], [false, false, true]);
	for (const { block } of stored.slice(0, 3)) {
		const hash = await client.api.rpc.chain.getBlockHash(block);
		assert.ok(!(await client.api.rpc.chain.getBlock(hash)).toHex().includes(Buffer.from('jane').toString('hex')));
	}
	// The owner sees the names, others the keys, and readers the names of what was granted to them.
	const names = async (...args) => (await ok('list', 'records', ...args)).map((record) => record.name).sort();
	const ofOwner = await names(...owner.key);
	assert.deepEqual(ofOwner.filter((name) => !name.startsWith('0x')), ['hidden-folder', name, 'large-and-hidden', 'shown.csv']);
	assert.deepEqual((await names('--owner', owner.address)).filter((name) => !name.startsWith('0x')), ['shown.csv']);
	const seen = () => names('--owner', owner.address, '--names', ...key);
	assert.deepEqual((await seen()).filter((name) => !name.startsWith('0x')), ['shown.csv']);
	await ok('authorize', '--to', uri, '--leaves', `1..${stored[2].leaf + 1}`, '--finalized', ...owner.key);
	assert.deepEqual((await seen()).filter((name) => !name.startsWith('0x')), ['hidden-folder', 'large-and-hidden', 'shown.csv']);
	await refused(REFUSED, 'fetch', owner.address, name, '-o', 'not-granted', ...key);
	await ok('fetch', owner.address, 'large-and-hidden', '-o', 'granted', ...key);
	assert.equal(contents('granted'), sha(large));
	await ok('fetch', owner.address, 'hidden-folder', '--folder', '-o', 'granted-folder', ...key);
	assert.equal(contents('granted-folder/inside'), contents('hidden-folder/inside'));
	for (const [as, sum] of [[name, sha(bytes)], ['shown.csv', sha(shown)]]) {
		await ok('fetch', owner.address, as, '-o', 'own', '--force', ...owner.key);
		assert.equal(contents('own'), sum);
	}
	// The same file again is the same record, and its name is not taken for others.
	assert.ok((await ok('store', name, ...owner.key))[0].resumed);
	const traced = await run(['trace', 'record', owner.address, name, ...owner.key]);
	assert.match(traced.stdout, /stores jane-doe-hiv-test\.pdf, /);
	const [removed] = await ok('remove', name, ...owner.key);
	assert.deepEqual([removed.name, removed.key], [name, stored[0].key]);
	const after = await run(['trace', 'record', owner.address, name, '--to', String(removed.block), ...owner.key]);
	assert.match(after.stdout, /jane-doe-hiv-test\.pdf removed/);
});

test('a value is stored as an object in two folders, and a wrong byte in one is noticed', { timeout }, async () => {
	const owner = await producer('//ObjectOwner');
	const consumer = await reader('//ObjectReader');
	const content = random('object', 3_500_000);
	const folders = ['first', 'second'].map((name) => (mkdirSync(file(name)), file(name)));
	const urls = folders.map((at) => `file://${at}`);
	await ok('dataset', 'locate', '0', ...urls, '--finalized', ...owner.key);
	const [stored] = await ok('store', 'object', '--object', '--finalized', ...owner.key);
	await ok('authorize', '--to', consumer.uri, '--leaves', '0..1', '--finalized', ...owner.key);
	const [listed] = await ok('list', 'datasets', ...owner.key);
	assert.deepEqual([listed.objects, listed.locations], [1, urls]);
	// It was sent to the first folder; a copy is as good.
	const names = readdirSync(folders[0]).sort();
	assert.equal(names.length, 2);
	for (const name of names) copyFileSync(join(folders[0], name), join(folders[1], name));
	assert.match((await refused(REFUSED, 'check', owner.address, '99')).error, /has no dataset 99$/);
	const [checked] = await ok('check', owner.address, '0');
	assert.deepEqual(checked.locations.map(({ right }) => right), [1, 1]);
	// What no record names is listed once it is a day old.
	const [old, fresh] = ['07', '08'].map((byte) => join(folders[0], byte.repeat(32)));
	for (const path of [old, fresh]) writeFileSync(path, 'left');
	const changed = new Date('2025-01-02T03:04:00Z');
	utimesSync(old, changed, changed);
	const unused = ['check', owner.address, '0', '--unused'];
	const [found] = await ok(...unused);
	const left = { object: '07'.repeat(32), bytes: 4, modified: changed.getTime() / 1000 };
	assert.deepEqual(found.locations.map((at) => [at.right, at.unused]), [[1, [left]], [1, []]]);
	assert.match((await run(unused)).stdout, /\n {2}1 object that no record names\n {4}(07){32} \(4 B, 2025-01-02T03:04:00Z\)\n/);
	for (const path of [old, fresh]) rmSync(path);
	// A byte of the second MiB.
	const object = join(folders[0], names.find((name) => !name.endsWith('.b3')));
	const bytes = readFileSync(object);
	bytes[1_500_000] ^= 1;
	writeFileSync(object, bytes);
	const broken = await run(['check', owner.address, '0']);
	assert.equal(broken.code, NOT_AUTHENTIC);
	assert.equal((await refused(NOT_AUTHENTIC, 'check', owner.address, '0')).error, 'not every location has all of the objects');
	assert.match(broken.stdout, /first: 0 right \(0 B\)\n {2}0x[0-9a-f]{64}: MiB 1 of it is wrong there \(object [0-9a-f]{64}\)\n.*second: 1 right/);
	assert.match(broken.stderr, /hint: copy the object, and its file with \.b3 after the name, from a location or a keeper/);
	// A location that this program cannot use does not keep it from the others.
	await ok('dataset', 'locate', '0', ...urls, 'az://unknown/x', '--finalized', ...owner.key);
	const partly = await run(['check', owner.address, '0']);
	assert.equal(partly.code, NOT_AUTHENTIC);
	assert.match(partly.stdout, /second: 1 right .*\naz:\/\/unknown\/x: 0 right \(0 B\)\n {2}no object was looked at: .*AZURE_STORAGE_ACCOUNT_NAME/);
	await ok('dataset', 'locate', '0', ...urls, '--finalized', ...owner.key);
	const fetched = await run(['fetch', owner.address, stored.key, '-o', 'object-copy', ...consumer.key]);
	assert.equal(fetched.code, DONE, fetched.stderr);
	assert.match(fetched.stderr, /left for another location: .*first: MiB 1 of it is wrong there/);
	assert.equal(contents('object-copy'), sha(content));
	// The disk of the folder is not mounted.
	renameSync(folders[0], file('unmounted'));
	const absent = await refused(FAILED, 'store', 'object', '--object', '--name', 'other', ...owner.key);
	assert.match(absent.error, /^the folder of file:.*first is not there, although the dataset has objects \(1\): is its disk mounted\?$/);
	assert.ok(!existsSync(folders[0]));
	const elsewhere = await run(['fetch', owner.address, stored.key, '-o', 'elsewhere', ...consumer.key]);
	assert.equal(elsewhere.code, DONE, elsewhere.stderr);
	assert.match(elsewhere.stderr, /left for another location: .*first: the whole folder is not there: is its disk mounted/);
	const unmounted = await run(['check', owner.address, '0', '--quick', '--unused']);
	assert.equal(unmounted.code, FAILED);
	assert.match(unmounted.stdout, /first: 0 right \(0 B\)\n {2}no object was looked at: the whole folder is not there: .*\n.*second: 1 right/);
	// A file is in its place.
	writeFileSync(folders[0], '');
	const inTheWay = /first is a file, not a folder: move it away, or correct the location$/;
	assert.match((await refused(FAILED, 'store', 'object', '--object', '--name', 'other', ...owner.key)).error, inTheWay);
	assert.match((await refused(FAILED, 'dataset', 'locate', '0', `${urls[0]}/below`, ...owner.key)).error, inTheWay);
	rmSync(folders[0]);
	// There is no other location to leave it for.
	renameSync(folders[1], file('second-away'));
	const neither = await run(['fetch', owner.address, stored.key, '-o', 'none', ...consumer.key]);
	assert.equal(neither.code, FAILED);
	assert.match(neither.stderr, /^error: the object cannot be read; .*first: the whole folder is not there: .*second: the whole folder is not there: /);
	renameSync(file('unmounted'), folders[0]);
	const { error, hint } = await refused(FAILED, 'fetch', owner.address, stored.key, '-o', 'none', ...consumer.key);
	assert.match(error, /no location has the object whole and right/);
	assert.match(hint, /tell the owner what the locations lack: isthmus check \S+ 0$/);
	assert.ok(!existsSync(file('none')));
	// Into a pipe, it is the same.
	const piped = await run(['--json', 'fetch', owner.address, stored.key, '-o', '-', ...consumer.key]);
	assert.equal(piped.code, FAILED, piped.stderr);
	assert.match(piped.stderr, /no location has the object whole and right.*isthmus check \S+ 0"/);
	// What cannot be read may be a folder, so its bytes have to be right before it is removed.
	bytes[1_500_000] ^= 1;
	writeFileSync(object, bytes);
	mkdirSync(folders[1]);
	await ok('remove', 'object', '--objects', ...owner.key);
	assert.deepEqual(readdirSync(folders[0]), []);
	// What was just stored counts, and what was just removed does not.
	await ok('dataset', 'locate', '0', urls[0], '--finalized', ...owner.key);
	const [latest] = await ok('store', 'object', '--object', '--name', 'latest', ...owner.key);
	const [now] = await ok('check', owner.address, '0');
	assert.deepEqual([now.objects, now.locations[0].right], [1, 1]);
	assert.ok(now.block >= latest.block);
	await ok('remove', 'latest', '--objects', ...owner.key);
	const none = await run(['check', owner.address, '0']);
	assert.equal(none.code, DONE, none.stderr);
	assert.match(none.stdout, /^dataset 0: 0 objects at block \d+\n/);
});

test('a compressed object is shorter, and is read as it was', { timeout }, async () => {
	const owner = await producer('//CompressOwner');
	const consumer = await reader('//CompressReader');
	const lines = Array.from({ length: 150_000 }, (_, number) => `{"number":${number},"state":"passed"}\n`).join('');
	writeFileSync(file('lines'), lines);
	writeFileSync(file('few-lines'), lines.slice(0, 2000));
	// What is not an object is not compressed.
	const store = (...args) => ['store', ...args, '--compress', ...owner.key];
	assert.match((await refused(REFUSED, ...store('lines'))).error, /^dataset 0 has no location/);
	mkdirSync(file('compressed'));
	await ok('dataset', 'locate', '0', `file://${file('compressed')}`, '--finalized', ...owner.key);
	const few = await refused(USAGE, ...store('few-lines'));
	assert.match(few.error, /^a file of up to 1 MiB is stored in blocks, where nothing is compressed$/);
	assert.match(few.hint, /--object/);
	await refused(USAGE, ...store('lines', '--in-blocks'));
	mkdirSync(file('folder-of-lines'));
	copyFileSync(file('few-lines'), file('folder-of-lines/few'));
	assert.match((await refused(USAGE, ...store('folder-of-lines'))).error, /--compress is for one record/);
	assert.deepEqual(readdirSync(file('compressed')), []);

	const [stored] = await ok(...store('lines'), '--finalized');
	assert.deepEqual([stored.bytes, stored.leaf], [lines.length, 0]);
	const names = readdirSync(file('compressed'));
	const { size } = statSync(join(file('compressed'), names.find((name) => !name.endsWith('.b3'))));
	assert.ok(size < lines.length / 4, `${size} bytes of ${lines.length}`);
	const piped = await run(store('-', '--name', 'piped-lines', '--finalized'), { input: lines });
	assert.equal(piped.code, DONE, piped.stderr);
	await ok(...store('few-lines', '--object', '--finalized'));
	const [checked] = await ok('check', owner.address, '0');
	assert.deepEqual(checked.locations.map(({ right }) => right), [3]);
	// The same content is not stored again, and other content is refused.
	const [again] = await ok(...store('lines'));
	assert.deepEqual([again.block, again.bytes], [null, lines.length]);
	writeFileSync(file('lines'), lines.replace('passed', 'failed'));
	assert.match((await refused(REFUSED, ...store('lines'))).error, /with different content/);

	await ok('authorize', '--to', consumer.uri, '--leaves', '0..3', '--finalized', ...owner.key);
	const fetch = ['fetch', owner.address, stored.key, ...consumer.key, '-o'];
	const [fetched] = await ok(...fetch, 'lines-copy');
	assert.equal(fetched.bytes, lines.length);
	assert.equal(contents('lines-copy'), sha(lines));
	for (const name of ['piped-lines', 'few-lines']) {
		const back = await run(['fetch', owner.address, name, '-o', '-', ...owner.key]);
		assert.equal(back.code, DONE, back.stderr);
		assert.equal(sha(back.bytes), sha(name === 'piped-lines' ? lines : lines.slice(0, 2000)));
	}
	// A part that an interrupted download left is compared, and the rest is fetched.
	const [{ root }] = (await ok('list', 'records', ...owner.key)).filter(({ key }) => key === stored.key);
	writeFileSync(file(`lines-part.isthmus-${root.slice(2, 18)}`), lines.slice(0, 3_000_000));
	await ok(...fetch, 'lines-part');
	assert.equal(contents('lines-part'), sha(lines));
	// It is not a folder, so it is removed even if nothing is left of it.
	rmSync(file('compressed'), { recursive: true });
	assert.match((await refused(FAILED, ...fetch, 'none')).error, /^the object cannot be read; file:.*: the whole folder is not there: is its disk mounted/);
	await ok('remove', stored.key, ...owner.key);
});

test('a request is rejected, or cancelled with and without an offer', { timeout }, async () => {
	const { address, key } = await producer('//CancelOwner');
	const consumer = await reader('//CancelConsumer');
	const ask = async (leaves, ...more) => {
		const [asked] = await ok('request', address, '--leaves', leaves, '--purpose', 'p', ...more, ...consumer.key);
		return String(asked.request);
	};
	// The number belongs to another request than the one that was seen. A rejection names no digest, so the request has to be final.
	const rejected = await ask('7..9', '--finalized');
	const [{ digest }] = await ok('requests', ...key);
	const other = await refused(REFUSED, 'reject', rejected, '--digest', 'f'.repeat(16), ...key);
	assert.match(other.error, /no longer open as it was seen/);
	await ok('reject', rejected, '--digest', digest.slice(0, 18), '--reason', 'no', ...key);
	const request = await ask('7..9');
	const cancel = (id) => ['request', '--cancel', id, ...consumer.key];
	await ok(...cancel(request));
	assert.match((await refused(REFUSED, ...cancel(request))).hint, /requests --mine/);
	// A request with an offer stays open until the notice period is over, and cancelling it again changes nothing.
	const offered = await ask('8..9', '--offer', '0.5');
	const [ending] = await ok(...cancel(offered));
	assert.equal(ending.openUntil, ending.block + 16);
	const anyway = await refused(REFUSED, ...cancel(offered));
	assert.match(anyway.error, new RegExp(`ends at block ${ending.openUntil} anyway`));
	assert.match((await refused(REFUSED, 'authorize', request, ...key)).error, /no open request/);
});

test('a trace searches the blocks that exist, and the status shows them', { timeout }, async () => {
	const { address } = await producer('//Traced');
	const nothing = await run(['trace', 'record', address, 'nothing']);
	assert.equal(nothing.code, REFUSED);
	assert.match(nothing.stderr, /searched up to block \d+, the last finalized one\nerror: nothing found in blocks 1 to \d+\nhint: /);
	const idle = await run(['trace', 'account', client.account('//Idle').address]);
	assert.equal(idle.code, DONE);
	assert.match(idle.stderr, /nothing found\n/);
	const inJson = await run(['--json', 'trace', 'account', client.account('//Idle').address]);
	assert.deepEqual([inJson.code, inJson.stdout, inJson.stderr], [DONE, '', 'nothing found\n']);
	const trace = ['trace', 'account', address];
	assert.match((await refused(REFUSED, ...trace, '--from', '1000000')).error, /no block 1000000 yet/);
	assert.match((await refused(USAGE, ...trace, '--from', '5', '--to', '4')).error, /before --from/);
	const [status] = await ok('status');
	assert.ok(status.best.number >= status.finalized.number);
	const verified = await run(['status', '--block', '1']);
	assert.match(verified.stdout, /^block +1 0x[0-9a-f]{64}\n1 of 1 verifier signed for .* finalized\.\nverified +5/);
});

test('a folder and stdin are stored and fetched', { timeout }, async () => {
	const { address, key } = await producer('//FolderOwner');
	mkdirSync(file('papers/deep/er'), { recursive: true });
	random('papers/large', 2_500_000);
	random('papers/deep/small', 1000);
	writeFileSync(file('papers/deep/er/empty'), '');
	writeFileSync(file('papers/run.sh'), '#!/bin/sh\n');
	chmodSync(file('papers/run.sh'), 0o755);
	symlinkSync('/etc/passwd', file('papers/link'));
	mkdirSync(file('papers/nothing/inside'), { recursive: true });
	const first = await run(['--json', 'store', 'papers', ...key]);
	assert.equal(first.code, DONE, first.stderr);
	assert.match(first.stderr, /skipped, because it is not a file: .*papers\/link/);
	const stored = JSON.parse(first.stdout);
	assert.deepEqual([stored.files, stored.leaf, stored.skipped.length], [4, 4, 1]);
	assert.match(stored.skipped[0], /papers\/link$/);
	const [again] = await ok('store', 'papers', ...key);
	assert.deepEqual([again.files, again.leaf, again.resumed, again.block], [4, 4, true, null]);
	// Only readers can see the names of the files.
	const records = await ok('list', 'records', ...key);
	assert.deepEqual(records.map(({ name }) => name).filter((name) => !name.startsWith('0x')), ['papers']);

	const copy = [address, 'papers', '--folder', '-o', 'copy', ...key];
	const [fetched] = await ok('fetch', ...copy);
	assert.deepEqual([fetched.files, fetched.bytes], [4, 2_501_010]);
	const list = ['fetch', address, 'papers', ...key, '-o'];
	assert.match((await refused(USAGE, ...list, 'list')).hint, /--folder/);
	assert.match((await run([...list, '-', '--raw'])).stdout, /^isthmus\/folder\/v2/);
	// Files that exist already are not fetched again.
	assert.deepEqual(await chunksRequested(...copy), []);
	for (const name of ['large', 'deep/small', 'deep/er/empty', 'run.sh']) {
		assert.equal(contents(`copy/${name}`), contents(`papers/${name}`), name);
	}
	assert.ok(statSync(file('copy/nothing/inside')).isDirectory());
	assert.equal(statSync(file('copy/run.sh')).mode & 0o777, 0o700);
	assert.equal(statSync(file('copy/large')).mode & 0o777, 0o600);
	writeFileSync(file('copy/run.sh'), 'changed');
	const differs = await refused(FAILED, 'fetch', ...copy);
	assert.equal(differs.error, '1 of 4 files were not fetched');
	assert.match(differs.listed.join(), /^run\.sh: copy\/run\.sh already exists and differs$/);

	const bytes = randomFillSync(Buffer.alloc(1_500_000));
	const piped = await run(['store', '-', '--name', 'piped', ...key], { input: bytes });
	assert.equal(piped.code, DONE, piped.stderr);
	const back = await run(['fetch', address, 'piped', '-o', '-', ...key]);
	assert.equal(sha(back.bytes), sha(bytes));
});

describe('interrupted in the middle', () => {
	// The file takes 29 chunks, which is more than are in flight at once.
	const SIZE = 30_000_000;
	let owner;
	let bytes;

	/** Returns how many chunks of the record are stored. */
	const arrived = async () => (await ok('list', 'records', ...owner.key))[0]?.arrived ?? 0;

	before(async () => {
		owner = await producer('//Killed');
		bytes = random('killed', SIZE);
		// It is killed when it has sent what opens the record and some chunks, of which the chain has at least one soon after.
		let sent = 0;
		await killed(
			['store', 'killed', '--public-name', ...owner.key],
			(method) => method === 'transactionWatch_v1_submitAndWatch' && ++sent === 5,
		);
		const stored = await until('the first chunk is stored', arrived);
		assert.ok(stored < 29, `${stored} chunks`);
		const [resumed] = await ok('store', 'killed', '--public-name', ...owner.key);
		assert.ok(resumed.resumed);
		assert.equal(await arrived(), 29);
	}, { timeout });

	test('a download is resumed, even from a torn part', { timeout }, async () => {
		// A killed command leaves a partial file (a part). When it requests the fourth page, the first page is written.
		const page = 4;
		const fetch = ['fetch', owner.address, 'killed', '-o', 'killed.out', ...owner.key];
		await killed(fetch, (method, params) => method === 'sharing_chunks' && params[0].first >= 3 * page);
		assert.ok(!existsSync(file('killed.out')));
		const part = readdirSync(folder).find((name) => name.startsWith('killed.out.isthmus-'));
		const { size } = statSync(file(part));
		assert.ok(size >= page * CHUNK && size < bytes.length, `${size} bytes`);
		// The part also loses its last byte.
		truncateSync(file(part), size - 1);
		const [first] = await chunksRequested(...fetch.slice(1));
		assert.equal(first, Math.floor((size - 1) / CHUNK));
		assert.equal(contents('killed.out'), sha(bytes));
	});

	test('a download resumes at the first wrong chunk', { timeout }, async () => {
		const { manifest } = await client.largePayload(owner.address, recordKey('killed'));
		const part = `again.out.isthmus-${Buffer.from(manifest).toString('hex').slice(0, 16)}`;
		const wrong = Buffer.from(bytes.subarray(0, 4_000_000));
		wrong[CHUNK + 1] ^= 1;
		writeFileSync(file(part), wrong);
		assert.equal((await chunksRequested(owner.address, 'killed', '-o', 'again.out', ...owner.key))[0], 1);
		assert.equal(contents('again.out'), sha(bytes));
		assert.ok(!readdirSync(folder).some((entry) => entry.startsWith('again.out.')));
	});
});

test('a part that another user could have created is not written to', { timeout }, async () => {
	const { address, key } = await producer('//PartOwner');
	const bytes = random('secret', 2_500_000);
	const [stored] = await ok('store', 'secret', ...key);
	const { manifest } = await client.largePayload(address, fromHex(stored.key));
	const part = `secret.out.isthmus-${Buffer.from(manifest).toString('hex').slice(0, 16)}`;
	const fetch = ['fetch', address, 'secret', '-o', 'secret.out', ...key];
	writeFileSync(file('elsewhere'), 'theirs');
	for (const put of [symlinkSync, linkSync]) {
		put(file('elsewhere'), file(part));
		assert.match((await refused(FAILED, ...fetch)).hint, /remove/);
		assert.equal(readFileSync(file('elsewhere'), 'utf8'), 'theirs');
		rmSync(file(part));
	}
	// If the part is the user's own but others can read it, its permissions are restricted.
	writeFileSync(file(part), '', { mode: 0o644 });
	await ok(...fetch);
	assert.equal(statSync(file('secret.out')).mode & 0o777, 0o600);
	assert.equal(contents('secret.out'), sha(bytes));

	// A file that appears under the final name in the meantime is not overwritten.
	rmSync(file('secret.out'));
	seen.setLie((method, _params, result) => {
		if (method === 'sharing_chunks') writeFileSync(file('secret.out'), 'another');
		return result;
	});
	assert.match((await refused(FAILED, ...fetch, '--url', seen.url)).hint, /--force/);
	assert.equal(readFileSync(file('secret.out'), 'utf8'), 'another');
	assert.ok(!readdirSync(folder).some((entry) => entry.startsWith('secret.out.')));
	await ok(...fetch, '--force');
	assert.equal(contents('secret.out'), sha(bytes));
});

describe('a folder of thirteen files', () => {
	const names = [...Array.from({ length: 12 }, (_, i) => String(i).padStart(2, '0')), 'large'];
	let owner;
	let store;
	const records = () => ok('list', 'records', ...owner.key);
	const fetch = (copy) => ok('fetch', owner.address, 'parts', '--folder', '-o', copy, ...owner.key);
	const assertSame = (copy) => {
		for (const name of names) assert.equal(contents(`${copy}/${name}`), contents(`parts/${name}`), name);
	};

	before(async () => {
		owner = await producer('//Parts');
		store = ['store', 'parts', ...owner.key];
		mkdirSync(file('parts'));
		for (const name of names) random(`parts/${name}`, name === 'large' ? 1_500_000 : 2000);
	}, { timeout });

	test('is interrupted, changed and resumed', { timeout }, async () => {
		let sent = 0;
		await killed(store, (method) => method === 'transactionWatch_v1_submitAndWatch' && ++sent === 5);
		// When it runs again, the command waits for transactions in flight. A changed file of the same length is not
		// mistaken for the stored one, whether the folder is incomplete or its list is gone.
		const original = readFileSync(file('parts/00'));
		random('parts/00', 2000);
		const changed = await refused(FAILED, ...store);
		assert.match(changed.error, /parts\/00 changed since it was stored/);
		const started = await records();
		assert.ok(started.length >= 4 && started.length < 14, `${started.length} records`);
		assert.match(changed.hint, new RegExp(`isthmus remove (${started.map(({ key }) => key).join('|')})$`));
		writeFileSync(file('parts/00'), original);
		const [stored] = await ok(...store);
		assert.equal(stored.files, 13);
		await fetch('parts.1');
		assertSame('parts.1');
		for (const name of ['parts/05', 'parts/large']) {
			const before = readFileSync(file(name));
			random(name, before.length);
			if (name === 'parts/05') await ok('remove', 'parts', '--alone', ...owner.key);
			assert.match((await refused(FAILED, ...store)).error, new RegExp(`${name} changed`));
			writeFileSync(file(name), before);
		}
		await ok(...store);
	});

	test('is given up when its upload is unfinished', { timeout }, async () => {
		const keys = async () => (await records()).map(({ key }) => key).sort();
		const before = await keys();
		let sent = 0;
		const other = ['store', 'parts', '--name', 'given-up', ...owner.key];
		await killed(other, (method) => method === 'transactionWatch_v1_submitAndWatch' && ++sent === 5);
		const unknown = await refused(REFUSED, 'remove', 'given-up', ...owner.key);
		assert.match(unknown.error, /no record is stored as given-up/);
		assert.match(unknown.hint, /isthmus remove --unfinished FOLDER given-up$/);
		const [{ files }] = await ok('remove', 'given-up', '--unfinished', 'parts', ...owner.key);
		assert.ok(files >= 4 && files < 14, `${files} files`);
		assert.deepEqual(await keys(), before);
		const none = await refused(REFUSED, 'remove', 'given-up', '--unfinished', 'parts', ...owner.key);
		assert.match(none.error, /nothing of this folder is stored under given-up/);
	});

	test('is stored in the new epoch after a revocation, and what is left of the first upload is found', { timeout }, async () => {
		const { key, dataset } = await producer('//Orphans');
		const again = ['store', 'parts', ...key];
		let sent = 0;
		await killed(again, (method) => method === 'transactionWatch_v1_submitAndWatch' && ++sent === 5);
		await ok('dataset', 'epoch', String(dataset), '--finalized', ...key);
		const epochs = async () => (await ok('list', 'records', ...key)).map(({ epoch }) => epoch);
		const left = (await epochs()).length;
		assert.ok(left >= 4 && left < 14, `${left} records`);
		assert.equal((await ok(...again, '--finalized'))[0].epoch, 1);
		assert.equal((await epochs()).filter((epoch) => epoch === 1).length, 14);
		assert.equal((await epochs()).length, 14 + left);
		// What is complete stays, whatever folder is named.
		const [{ files, stays }] = await ok('remove', 'parts', '--unfinished', 'parts', ...key);
		assert.deepEqual([files, stays], [left, true]);
		assert.deepEqual(await epochs(), Array(14).fill(1));
		mkdirSync(file('other'));
		writeFileSync(file('other/one'), 'one');
		for (const folder of ['parts', 'other']) {
			const whole = await refused(REFUSED, 'remove', 'parts', '--unfinished', folder, ...key);
			assert.match(whole.error, /^parts is stored whole/);
			assert.match(whole.hint, /isthmus remove parts$/);
		}
		await ok('remove', 'parts', ...key);
		assert.deepEqual(await epochs(), []);
	});

	test('is told from what another upload has left in the same epoch', { timeout }, async () => {
		const { address, key } = await producer('//Namesake');
		for (const [folder, ...entries] of [['earlier', 'both', 'gone'], ['later', 'both', 'new']]) {
			mkdirSync(file(folder));
			for (const entry of entries) writeFileSync(file(`${folder}/${entry}`), entry);
		}
		const store = (folder) => ok('store', folder, '--name', 'same', ...key);
		await store('earlier');
		await ok('remove', 'same', '--alone', ...key);
		await store('later');
		const earlier = ['remove', 'same', '--unfinished', 'earlier', ...key];
		const [{ files, stays }] = await ok(...earlier);
		assert.deepEqual([files, stays], [1, true]);
		assert.match((await refused(REFUSED, ...earlier)).error, /^same is stored whole/);
		await ok('fetch', address, 'same', '--folder', '-o', 'same.out', ...key);
		assert.deepEqual(readdirSync(file('same.out')).sort(), ['both', 'new']);
	});

	test('is removed with its files, and its leaves are freed when their epoch is over', { timeout }, async () => {
		// If this test runs alone, it stores the folder here. After the previous test, the folder is stored already.
		await ok(...store);
		const dataset = String(owner.dataset);
		const leaves = async () => (await ok('dataset', 'list', ...owner.key))[0]?.leaves;
		const free = async () => (await ok('dataset', 'free', dataset, ...owner.key)).map(({ freed, wait }) => [freed, wait]);
		const remove = ['dataset', 'remove', dataset, ...owner.key];
		assert.match((await refused(REFUSED, ...remove)).hint, /isthmus remove/);
		assert.equal((await ok('remove', 'parts', ...owner.key))[0].files, 13);
		assert.deepEqual(await records(), []);
		const spent = await leaves();
		// After the removal, the folder can be stored with changed contents.
		random('parts/05', 2000);
		await ok(...store);
		await fetch('parts.2');
		assertSame('parts.2');

		assert.equal(await leaves(), spent + 14);
		assert.deepEqual(await free(), [[0, spent]]);
		await ok('dataset', 'epoch', dataset, ...owner.key);
		assert.deepEqual(await free(), [[spent, 0]]);
		await ok('remove', 'parts', ...owner.key);
		assert.equal(await leaves(), 0);
		await ok(...store);
		await ok('remove', 'parts', ...owner.key);
		assert.equal(await leaves(), 14);
		await ok(...remove);
		assert.equal(await leaves(), undefined);
	});
});

test('what removes takes --finalized, too', { timeout }, async () => {
	const { key, dataset } = await producer('//RemoveFinalized');
	const finalized = async (...args) => {
		const [answer] = await ok(...args, '--finalized', ...key);
		const [status] = await ok('status');
		const above = `block ${answer.block}, finalized ${status.finalized.number}`;
		assert.ok(status.finalized.number >= answer.block, `isthmus ${args.join(' ')}: ${above}`);
		return answer;
	};
	mkdirSync(file('brief'));
	for (const name of ['1', '2']) random(`brief/${name}`, 10);
	await ok('store', 'brief', ...key);
	assert.equal((await finalized('remove', 'brief')).files, 2);
	await ok('dataset', 'epoch', String(dataset), ...key);
	assert.equal((await finalized('dataset', 'free', String(dataset))).freed, 3);
	await finalized('dataset', 'remove', String(dataset));
	assert.deepEqual(await ok('dataset', 'list', ...key), []);
});

test('a file that reads as a folder does not take other records with it', { timeout }, async () => {
	const { key } = await producer('//Trapped');
	random('precious', 5000);
	const [precious] = await ok('store', 'precious', ...key);
	const entry = Buffer.concat([Buffer.from([0, 1]), Buffer.from('a'), Buffer.alloc(9), fromHex(precious.key), Buffer.alloc(32)]);
	writeFileSync(file('trap'), Buffer.concat([Buffer.from('isthmus/folder/v2'), entry]));
	await ok('store', 'trap', ...key);
	assert.match((await refused(NOT_AUTHENTIC, 'remove', 'trap', ...key)).hint, /--alone/);
	await ok('remove', 'trap', '--alone', ...key);
	const left = (await ok('list', 'records', ...key)).map(({ name }) => name);
	assert.deepEqual(left, ['precious']);
});

test('serve grants what the policy allows, even after it is killed and restarted', { timeout }, async () => {
	const { address, key, dataset } = await producer('//Serving');
	const consumer = await reader('//Served');
	const kinds = ['--price', '1', '--longest-range', '10', '--longest-term', '500', '--consumers', 'unregistered'];
	await ok('dataset', 'policy', String(dataset), ...kinds, '--purposes', 'research,health', ...key);
	const serving = async (grants) => {
		const { stdout } = await run(['--json', 'serve', '--grants', String(grants), ...key]);
		return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
	};
	const ask = async (leaves, offer, code = 'health') => {
		const terms = ['--leaves', leaves, '--purpose', 'p', '--code', code, '--term', '500', '--offer', offer];
		const [asked] = await ok('request', address, ...terms, ...consumer.key);
		return asked;
	};
	// The reader learns before anything is sent that no program would answer.
	for (const [offer, code, words] of [
		['0.5', 'health', /^warning: this request does not meet the dataset's policy \(offers less than the policy's price\), so only its owner/m],
		['1', 'marketing', /^warning: .*\(the policy does not allow this purpose\)/m],
		['1', 'health', undefined],
	]) {
		const terms = ['--leaves', '0..4', '--purpose', 'p', '--code', code, '--term', '500', '--offer', offer];
		const planned = await run(['request', address, ...terms, '--dry-run', ...consumer.key]);
		assert.equal(planned.code, DONE, planned.stderr);
		if (words) assert.match(planned.stderr, words);
		else assert.doesNotMatch(planned.stderr, /warning/);
	}
	const { request: cheap } = await ask('0..5', '0.5');
	const { request: other } = await ask('0..6', '1', 'marketing');
	const { request: first } = await ask('1..5', '1');
	assert.deepEqual((await serving(1)).map(({ request }) => request), [first]);
	// It is killed at an arbitrary moment.
	const ended = start(['serve', ...key]);
	await programs.printed(ended, 'stderr', /./);
	const { request: second } = await ask('2..5', '1');
	ended.kill('SIGKILL');
	const { request: third } = await ask('3..5', '1');
	const open = async () => (await ok('requests', ...key)).map(({ request }) => request);
	assert.ok((await open()).includes(third));
	// Its answer to the second one may be on its way.
	const again = start(['serve', ...key]);
	await until('both are answered', async () => !(await open()).some((request) => [second, third].includes(request)));
	again.kill();
	await programs.ended(again);
	const left = await ok('requests', ...key);
	assert.deepEqual(left.map(({ request, verdict }) => [request, verdict]), [[cheap, 'OfferTooLow'], [other, 'PurposeNotAllowed']]);
	assert.deepEqual(left.map(({ code }) => code), ['health', 'marketing']);
	const given = await ok('list', 'given', ...key);
	const ranges = given.map(({ scope }) => scope.from).sort();
	assert.deepEqual(ranges, [1, 2, 3]);
	// Where nothing is sent, a block comes every few seconds. On a busy machine they may come before the answer, and it is asked again.
	for (let from = 4; ; from++) {
		const live = serving(1);
		const asked = await ask(`${from}..${from + 1}`, '1');
		const [granted] = await live;
		if (granted.block - asked.block <= 3) break;
		assert.ok(from < 14, `asked in block ${asked.block}, granted in ${granted.block}`);
	}
});

test('serve keeps its limits over a restart, keeps a reserve, and writes metrics', { timeout }, async () => {
	const { address, key, dataset } = await producer('//Limited');
	const consumer = await reader('//LimitedReader');
	await ok('dataset', 'policy', String(dataset), '--longest-range', '10', '--longest-term', '500', ...key);
	const asked = [];
	for (const leaves of ['0..1', '1..2', '2..3']) {
		const terms = ['--leaves', leaves, '--purpose', 'p', '--term', '500'];
		const [{ request }] = await ok('request', address, ...terms, ...consumer.key);
		asked.push(request);
	}
	const serve = (...args) => start(['--json', 'serve', ...args, ...key]);
	const granted = async (child) => {
		const lines = [];
		createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line).request));
		await programs.ended(child);
		return lines;
	};
	const ended = (child) => (child.kill(), programs.ended(child));
	const poor = serve('--reserve', '100000000');
	await programs.printed(poor, 'stderr', /^request \d+ of \S+: a grant needs \S+ IST for its fees/);
	await ended(poor);
	const kept = ['--memory', file('serve-memory'), '--metrics', file('serve.prom')];
	const first = await granted(serve('--grants', '1', ...kept));
	assert.equal(first.length, 1);
	// The same number again, and another account's memory.
	assert.deepEqual(await granted(serve('--grants', '1', ...kept)), []);
	await refused(USAGE, 'serve', ...kept, ...consumer.key);
	// One answer of this hour is remembered, so one more is given.
	const child = serve('--reader-per-hour', '2', ...kept);
	const [second] = await Promise.all([
		programs.printed(child, 'stdout', /"request":/),
		programs.printed(child, 'stderr', /the limit of answers in an hour is reached, and it is answered later$/),
	]);
	await ended(child);
	const both = [...first, JSON.parse(second).request];
	assert.equal(new Set(both).size, 2);
	const left = (await ok('requests', ...key)).map(({ request }) => request);
	assert.deepEqual(left, asked.filter((request) => !both.includes(request)));
	assert.match(readFileSync(file('serve.prom'), 'utf8'), new RegExp(`^isthmus_serve_answers_total\\{account="${address}"\\} 1$`, 'm'));
});

test('the command reads what a script stores, and a script reads what the command stores', { timeout }, async () => {
	const owner = await producer('//MixedOwner');
	const consumer = await reader('//MixedReader');
	const [signer, reading] = [owner, consumer].map(({ uri }) => client.account(uri));
	const pair = encryptionOf(consumer.uri);
	const small = random('small', 5000);
	const large = random('large', 3_000_000);
	const keyOf = async (name) => fromHex((await ok('store', name, ...owner.key))[0].key);
	const keys = { small: await keyOf('small'), large: await keyOf('large') };
	await ok('authorize', '--to', consumer.uri, '--leaves', '0..1000', ...owner.key);
	assert.equal(sha(await client.read(reading, pair, owner.address, keys.small)), sha(small));
	const chunks = [];
	for await (const chunk of client.readLarge(reading, pair, owner.address, keys.large)) chunks.push(chunk);
	assert.equal(sha(Buffer.concat(chunks)), sha(large));

	const place = { dataset: owner.dataset, epoch: 0 };
	const master = masterOf(owner.uri);
	await client.store(signer, master, { ...place, leaf: 500, key: recordKey('by script') }, small);
	const handle = await open(file('large'));
	await storeFile(client, signer, master, { ...place, leaf: 501, key: recordKey('by script, large') }, handle);
	await handle.close();
	for (const [name, bytes] of [['by script', small], ['by script, large', large]]) {
		for (const { key } of [consumer, owner]) {
			const { bytes: read, stderr } = await run(['fetch', owner.address, name, '-o', '-', ...key]);
			assert.equal(sha(read), sha(bytes), stderr);
		}
	}
});
