// SPDX-License-Identifier: Apache-2.0
// Tests the `isthmus` command against a node that lies: one that forges records and grants with keys of its own, shows
// an owner false keys, requests and places, hides what is there, and changes proofs.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { contentHash, EncryptionKeyPair, encryptValue, MasterSecret, PublicKey, Range, sealGrant } from '../lib/envelope.mjs';
import { asksForMetadata, exchanged, LyingNode } from '../lib/lying-node.mjs';
import { LocalNode, runToEnd } from '../lib/node.mjs';
import { cidOf, fromHex } from '../lib/sharing/encoding.mjs';
import { Client, hex, recordKey } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 600_000;
const TRUTH = 'name,mark\nAda,97\n';
const LIE = 'name,mark\nAda,12\n';
/** The exit codes that `isthmus --help` explains. */
const [DONE, USAGE, REFUSED, NOT_AUTHENTIC] = [0, 2, 4, 5];
/** The command: $ISTHMUS_CLI, or `isthmus` beside the node. */
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

let folder;
let node;
let liar;
let client;
let school;
let company;

/**
 * Runs the command until it exits, against the liar unless another address is named. `onError` gets each line that it prints
 * to stderr.
 */
async function run(args, { input, url = liar.url, onError } = {}) {
	const env = { ...process.env, ISTHMUS_URL: url, ISTHMUS_KEY: '', XDG_CONFIG_HOME: join(folder, 'config') };
	const child = programs.start(program, args, { cwd: folder, env });
	const [out, err] = [[], []];
	child.stdout.on('data', (data) => out.push(data));
	child.stderr.on('data', (data) => err.push(data));
	if (onError) createInterface({ input: child.stderr }).on('line', onError);
	child.stdin.on('error', () => undefined);
	child.stdin.end(input);
	const [code] = await programs.ended(child);
	return { code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
}

/** Runs the command against the honest node, and checks that it succeeds. */
async function honestly(...args) {
	const { code, stderr } = await run(args, { url: node.url });
	assert.equal(code, DONE, `isthmus ${args.join(' ')}: ${stderr}`);
}

/** Stores a file with this text, against the honest node. */
async function store(name, text, ...args) {
	writeFileSync(join(folder, name), text);
	await honestly('store', name, '--public-name', '--key', '//Bob', ...args);
}

const fetchMarks = ['fetch', '//Bob', 'marks', '--output', '-', '--key', '//Charlie'];

/** Returns bytes without the prefix, as they are in the middle of a result. */
const inside = (bytes) => hex(bytes).slice(2);

/** Replaces bytes wherever they are in a result. */
function replaced(result, ...pairs) {
	if (result === undefined || result === null) return result;
	let text = JSON.stringify(result);
	for (const [from, to] of pairs) text = text.replaceAll(inside(from), inside(to));
	return JSON.parse(text);
}

/**
 * Changes the root of the state in a proof of finality. Its first block follows the number of blocks: the parent's hash, the
 * block's number, the root.
 */
function withAnotherRoot(proof) {
	const bytes = fromHex(proof);
	const number = 1 + 32;
	const root = number + [1, 2, 4][bytes[number] & 3];
	return hex(bytes.fill(7, root, root + 32));
}

/** Collects the transactions that the command sends while the node tells this lie. */
function sentWith(lie) {
	const sent = [];
	liar.setLie((method, params, result) => {
		if (/submit/i.test(method)) sent.push(params[0]);
		return lie(method, params, result);
	});
	return sent;
}

/** Makes a grant and a record that no one stored, as anyone can. */
async function forgery() {
	const answer = await client.query(company.address, school.address, recordKey('marks'));
	const root = await MasterSecret.generate().epochRoot(client.epochId(school.publicKey, answer));
	const context = client.recordContext(school.address, recordKey('marks'));
	const value = await encryptValue(await root.leafKey(answer.leaf), context, new TextEncoder().encode(LIE));
	const registered = await client.api.query.dataSharing.encryptionKeys(company.address);
	const key = PublicKey.fromBytes(registered.unwrap().key.toU8a(true));
	const { from, to, expiry, sealedKeys } = answer.grant;
	const scope = { grantee: company.publicKey, range: new Range(from, to), expiry };
	const keys = await sealGrant(root, scope, key);
	assert.equal(keys.length, sealedKeys.length);
	const pairs = [[answer.contentHash, contentHash(value)], [sealedKeys, keys]];
	/** Changes what a node says of the state, and serves the forged record. */
	const forge = (method, params, result) => {
		if (method === 'bitswap_v1_get' && params[0] === cidOf(contentHash(value))) return hex(value);
		if (method === 'state_call' || method === 'state_getStorage') return replaced(result, ...pairs);
		return result;
	};
	return { forge, pairs };
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-lies-'));
	node = await LocalNode.start({ args: ['--dev'] });
	liar = await LyingNode.start(node.url);
	client = await Client.connect(node.url);
	[school, company] = ['//Bob', '//Charlie'].map((secret) => client.account(secret));
	await honestly('register', 'School', '--kind', 'school', '--key', '//Bob');
	await honestly('dataset', 'create', 'marks', '--key', '//Bob');
	await store('marks', TRUTH, '--leaf', '0');
	await honestly('key', 'publish', '--key', '//Charlie');
	await honestly('authorize', '--to', '//Charlie', '--leaves', '0..8', '--key', '//Bob', '--finalized');
}, { timeout });

after(async () => {
	await client?.disconnect();
	await liar?.stop();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

test('a record and a grant that the node forged are not read', { timeout }, async () => {
	const { forge } = await forgery();
	liar.setLie(forge);
	const read = await run(fetchMarks);
	assert.deepEqual([read.code, read.stdout], [DONE, TRUTH], read.stderr);
});

test('a record that the node hides is read', { timeout }, async () => {
	// Err(UnknownRecord), and Err(NotAuthorised).
	for (const refusal of ['0x0100', '0x0101']) {
		liar.setLie((method, params, result) =>
			method === 'state_call' && params[0] === 'DataSharingApi_query' ? refusal : result,
		);
		const read = await run(fetchMarks);
		assert.deepEqual([read.code, read.stdout], [DONE, TRUTH], read.stderr);
	}
});

test('a proof of a forged state is refused by name', { timeout }, async () => {
	const { forge, pairs } = await forgery();
	for (const [lie, name] of [
		[(proof) => replaced(proof, ...pairs), /BadProof/],
		[(proof) => ({ ...proof, proof: [] }), /BadProof/],
		[(proof) => ({ ...proof, proof: proof.proof.slice(1) }), /BadProof/],
		[(proof) => ({ ...proof, proof: proof.proof.map((part) => part.slice(0, -2)) }), /BadProof/],
	]) {
		liar.setLie((method, params, result) =>
			method === 'state_getReadProof' ? lie(result) : forge(method, params, result),
		);
		const read = await run(fetchMarks);
		assert.deepEqual([read.code, read.stdout], [NOT_AUTHENTIC, ''], read.stderr);
		assert.match(read.stderr, name);
	}
});

test('a finalized block without its votes is refused by name', { timeout }, async () => {
	for (const [method, lie, name] of [
		['isthmus_finalityProof', withAnotherRoot, /NotFinal/],
		['isthmus_finalityProof', (proof) => proof.slice(0, -2), /NotFinal/],
		['isthmus_genesisProof', (first) => ({ ...first, proof: [] }), /BadProof/],
		['isthmus_genesisProof', (first) => ({ ...first, header: `${first.header.slice(0, -2)}04` }), /NotFinal|WrongGenesis/],
	]) {
		liar.setLie((asked, _params, result) => (asked === method ? lie(result) : result));
		const read = await run(fetchMarks);
		assert.deepEqual([read.code, read.stdout], [NOT_AUTHENTIC, ''], read.stderr);
		assert.match(read.stderr, name);
	}
});

test('a wrong proof of the first voters is warned of by commands that read without proofs', { timeout }, async () => {
	liar.setLie((asked, _params, result) => (asked === 'isthmus_genesisProof' ? { ...result, proof: [] } : result));
	for (const args of [['status'], ['balance', school.address], ['list', 'records', '--owner', company.address]]) {
		const shown = await run(args);
		assert.equal(shown.code, DONE, shown.stderr);
		assert.match(shown.stderr, /^warning: .*BadProof.*ask another one with --url$/m, args.join(' '));
	}
});

test('nothing is sent or opened to an account of everyone on a chain that is not for development', { timeout }, async () => {
	liar.setLie((method, _params, result) => (method === 'system_chainType' ? 'Live' : result));
	for (const args of [['balance', '//Bob'], ['list', 'datasets', '--owner', '//Bob'], ['trace', 'reader', '//Bob']]) {
		const { code, stdout, stderr } = await run(args);
		assert.deepEqual([code, stdout], [USAGE, ''], stderr);
		assert.match(stderr, /^error: \/\/Bob works only on development chains, .*\nhint: name an account by its address\n$/m);
	}
	const { code, stderr } = await run(['balance', school.address]);
	assert.equal(code, DONE, stderr);
	liar.tellTruth();
});

test('an owner does not seal a grant to a key that the node made up', { timeout }, async () => {
	const pair = EncryptionKeyPair.generate();
	const registered = await client.api.query.dataSharing.encryptionKeys(company.address);
	const key = registered.unwrap().key.toU8a(true);
	const own = (await pair.publicKey()).toBytes();
	liar.setLie((method, _params, result) =>
		method === 'state_getReadProof' ? result : replaced(result, [key, own]),
	);
	const granted = await run(['authorize', '--to', '//Charlie', '--leaves', '0..4', '--key', '//Bob']);
	assert.equal(granted.code, DONE, granted.stderr);
	const answer = await client.query(company.address, school.address, recordKey('marks'));
	assert.equal(answer.grant.to, 4);
	const [caller, owner] = [company.address, school.address];
	await assert.rejects(client.openKeys({ caller, owner, answer, pair }), { name: 'DoesNotOpen' });
	liar.tellTruth();
	const read = await run(fetchMarks);
	assert.deepEqual([read.code, read.stdout], [DONE, TRUTH], read.stderr);
});

test('an owner serves no request that the node made up', { timeout }, async () => {
	const [dave, eve] = ['//Dave', '//Eve'].map((secret) => client.account(secret));
	const policy = ['--price', '0', '--longest-term', '1000', '--consumers', 'all'];
	await honestly('dataset', 'policy', '0', ...policy, '--key', '//Bob');
	for (const reader of ['//Dave', '//Eve']) await honestly('key', 'publish', '--key', reader);
	const ask = ['--leaves', '0..8', '--term', '100', '--purpose', 'a study', '--finalized'];
	await honestly('request', '//Bob', ...ask, '--key', '//Dave');
	const sent = sentWith((method, params, result) =>
		method === 'state_call' && params[0] === 'DataSharingApi_requests_to'
			? replaced(result, [dave.publicKey, eve.publicKey])
			: result,
	);
	const served = await run(['--json', 'serve', '--grants', '1', '--key', '//Bob']);
	assert.equal(served.code, DONE, served.stderr);
	assert.equal(JSON.parse(served.stdout).consumer, dave.address);
	assert.equal(sent.length, 1);
	assert.ok(!sent[0].includes(inside(eve.publicKey)));
});

test('serve goes on after an error that is no lost connection', { timeout }, async () => {
	// The node answers this question with an error until the command has said so.
	let isFailing = true;
	liar.setLie((method, params, result) => (
		isFailing && method === 'state_call' && params[0] === 'DataSharingApi_requests_to'
			? Object.assign(new Error('the state is out of order'), { code: 4003 })
			: result
	));
	await honestly('request', '//Bob', '--leaves', '0..7', '--term', '100', '--purpose', 'a study', '--finalized', '--key', '//Eve');
	const said = [];
	const served = await run(['--json', 'serve', '--grants', '1', '--key', '//Bob'], {
		onError: (line) => {
			said.push(line);
			if (/the state is out of order.*; trying again$/.test(line)) isFailing = false;
		},
	});
	liar.tellTruth();
	assert.equal(served.code, DONE, said.join('\n'));
	assert.ok(!isFailing, said.join('\n'));
	assert.equal(JSON.parse(served.stdout).consumer, client.account('//Eve').address);
});

test('what a node says does not steer a terminal', { timeout }, async () => {
	const [evil, shown] = ['\u001b[2J\u009b31mevil\u202e', '\\u{1b}[2J\\u{9b}31mevil\\u{202e}'];
	const names = ['system_chain', 'system_name', 'system_version'];
	liar.setLie((method, _params, result) => (names.includes(method) ? evil : result));
	const status = await run(['status']);
	assert.equal(status.code, DONE, status.stderr);
	// Two lines show it: the chain's, and the node's with its version.
	assert.equal(status.stdout.split(shown).length - 1, names.length, status.stdout);
	liar.setLie((method, _params, result) => (
		method === 'state_getReadProof' ? Object.assign(new Error(evil), { code: 4003 }) : result
	));
	const failed = await run(fetchMarks);
	liar.tellTruth();
	assert.equal(failed.code, REFUSED, failed.stderr);
	assert.ok(failed.stderr.includes(shown), failed.stderr);
	for (const { stdout, stderr } of [status, failed]) assert.doesNotMatch(stdout + stderr, /[\u001b\u009b\u202e]/);
});

test('an owner stores nothing in a place that the node says is free', { timeout }, async () => {
	writeFileSync(join(folder, 'payroll'), 'secret\n');
	const taken = client.api.query.dataSharing.leaves.key(school.address, 0, 0, 0);
	const sent = sentWith((method, params, result) =>
		method === 'state_getStorage' && params[0] === taken ? null : result,
	);
	const stored = await run(['store', 'payroll', '--leaf', '0', '--key', '//Bob']);
	assert.equal(stored.code, NOT_AUTHENTIC, stored.stderr);
	assert.match(stored.stderr, /Forged: the free leaf 0/);
	assert.deepEqual(sent, []);
});

test('an owner stores nothing in an epoch that is over, whatever the node says', { timeout }, async () => {
	const key = client.api.query.dataSharing.datasets.key(school.address, 0);
	const before = (await client.api.rpc.state.getStorage(key)).toHex();
	await honestly('dataset', 'epoch', '0', '--key', '//Bob', '--finalized');
	const sent = sentWith((method, params, result) =>
		method === 'state_getStorage' && params[0] === key ? before : result,
	);
	const stored = await run(['store', 'payroll', '--key', '//Bob']);
	assert.equal(stored.code, NOT_AUTHENTIC, stored.stderr);
	assert.match(stored.stderr, /Forged: epoch 0 of dataset 0/);
	assert.deepEqual(sent, []);
});

test('a chain is named by the hash of its first block, or by its specification', { timeout }, async () => {
	liar.tellTruth();
	const other = await run(['status', '--genesis', hex(new Uint8Array(32).fill(1))]);
	assert.equal(other.code, NOT_AUTHENTIC);
	assert.match(other.stderr, /WrongGenesis: .* the one that was named begins with 0x0101/);
	const { stdout } = await runToEnd(['export-chain-spec', '--chain', 'dev', '--raw']);
	writeFileSync(join(folder, 'raw.json'), stdout);
	for (const named of [['--genesis', hex(client.genesis)], ['--chain-spec', 'raw.json']]) {
		const right = await run(['status', ...named]);
		assert.equal(right.code, DONE, right.stderr);
	}
	const plain = await runToEnd(['export-chain-spec', '--chain', 'dev']);
	writeFileSync(join(folder, 'plain.json'), plain.stdout);
	const notRaw = await run(['status', '--chain-spec', 'plain.json']);
	assert.equal(notRaw.code, USAGE);
	assert.match(notRaw.stderr, /not a raw one/);
});

test('a call is not signed if the node shows another one in its place', { timeout }, async () => {
	const [start, clear] = ['start_epoch', 'clear_policy'].map((call) => ({ call, argument: 'dataset', type: 'DatasetId' }));
	let lies = 0;
	const sent = sentWith((method, params, result) => {
		if (!asksForMetadata(method, params) || typeof result !== 'string') return result;
		const lie = exchanged(result, start, clear);
		if (lie !== result) lies++;
		return lie;
	});
	const { code, stderr } = await run(['dataset', 'epoch', '0', '--key', '//Bob']);
	assert.ok(lies > 0);
	assert.equal(code, NOT_AUTHENTIC, stderr);
	assert.match(stderr, /FalseMetadata: nothing was signed, .* DataSharing\.start_epoch: /);
	assert.match(stderr, /ask another one: --url/);
	assert.deepEqual(sent, []);
});

test('only a node on this machine can be trusted without proofs', { timeout }, async () => {
	const remote = await run(['status', '--trust-node'], { url: 'ws://192.0.2.1:9944' });
	assert.equal(remote.code, USAGE);
	assert.match(remote.stderr, /only a node on this machine/);
	// No votes are asked for, and the program says so.
	const asked = [];
	liar.setLie((method, _params, result) => {
		asked.push(method);
		return result;
	});
	const read = await run([...fetchMarks, '--trust-node']);
	assert.deepEqual([read.code, read.stdout], [DONE, TRUTH], read.stderr);
	assert.match(read.stderr, /trusted without proofs/);
	assert.ok(!asked.includes('isthmus_finalityProof'));
});

/** Reads the record, and returns what that cost: requests, round trips one after the other, and bytes of answers by method. */
async function costOf(...args) {
	const asked = [];
	const bytes = new Map();
	/** How many round trips are over. */
	let rounds = 0;
	liar.setKeep((method) => {
		asked.push({ method, round: rounds + 1 });
		return undefined;
	});
	liar.setLie((method, _params, result) => {
		const request = asked.find((request) => request.method === method && !request.answered);
		request.answered = true;
		rounds = Math.max(rounds, request.round);
		bytes.set(method, (bytes.get(method) ?? 0) + JSON.stringify(result ?? null).length);
		return result;
	});
	const read = await run([...fetchMarks, ...args]);
	liar.setKeep(() => undefined);
	liar.tellTruth();
	assert.deepEqual([read.code, read.stdout], [DONE, TRUTH], read.stderr);
	const sum = [...bytes.values()].reduce((sum, count) => sum + count);
	return { requests: asked.length, rounds, sum, bytes };
}

test('a verified read costs at most one round trip and 20 KiB more than one of a trusted node', { timeout }, async (t) => {
	const trusted = await costOf('--trust-node');
	const verified = await costOf();
	const { requests, rounds, sum } = verified;
	t.diagnostic(`verified: ${requests} requests, ${rounds} round trips, ${sum} bytes`);
	t.diagnostic(`trusted: ${trusted.requests} requests, ${trusted.rounds} round trips, ${trusted.sum} bytes`);
	assert.ok(!trusted.bytes.has('isthmus_finalityProof') && verified.bytes.has('isthmus_finalityProof'));
	assert.ok(requests <= trusted.requests + 1, `${requests} requests instead of ${trusted.requests}`);
	assert.ok(rounds <= trusted.rounds + 1, `${rounds} round trips instead of ${trusted.rounds}`);
	assert.ok(sum <= trusted.sum + 20 * 1024, `${sum} bytes instead of ${trusted.sum}`);
	// All proofs together, with that of the state, which a trusted node is asked for too, are not longer either.
	const proofs = ['isthmus_finalityProof', 'isthmus_genesisProof', 'state_getReadProof'];
	const lengths = proofs.map((method) => verified.bytes.get(method) ?? 0);
	assert.ok(lengths.every((length) => length > 0), String(lengths));
	assert.ok(lengths.reduce((sum, length) => sum + length) < 20 * 1024, String(lengths));
});
