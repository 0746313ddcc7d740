// SPDX-License-Identifier: Apache-2.0

// Tests that no random lie of a node makes `isthmus` give a reader what was not stored, or makes an owner seal to another key
// or store at a place that is taken. Each lie is one false answer to a whole command, drawn by its seed. The node does not lie about
// the metadata: layouts.test.mjs and lying-node.test.mjs do.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { EncryptionKeyPair, openGrant, Range } from '../lib/envelope.mjs';
import { replaced } from '../lib/forgery.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { randomNumbers } from '../lib/random.mjs';
import { lieAbout, texts } from '../lib/random-lies.mjs';
import { fromHex } from '../lib/sharing/encoding.mjs';
import { Client, hex, recordKey } from '../lib/sharing.mjs';

const LONG = process.env.ISTHMUS_LONG === '1';
/** How many random lies are told. `scripts/test --all` tells all. */
const LIES = LONG ? 10_000 : 150;
/** Ends a hung test, in milliseconds. */
const timeout = LONG ? 4 * 3600_000 : 600_000;
/** How long a command may wait after a lie for what that makes it wait for, such as a block that never comes, in milliseconds. */
const PATIENCE = 5000;
const TRUTH = 'name,mark\nAda,97\n';
const [DONE, FAILED, UNREACHABLE, REFUSED, NOT_AUTHENTIC] = [0, 1, 3, 4, 5];
const [SCHOOL, READER, COMPANY] = ['//LiesSchool', '//LiesReader', '//LiesCompany'];
/** How many leaves the request and the grant without one are for, and the leaves that are taken. */
const [ASKED, GIVEN, TAKEN] = [4, 3, [1, 2]];
const SUBMIT = 'transactionWatch_v1_submitAndWatch';

const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');
/** The company's keys: the one in its request and the registered one. */
const pairs = [EncryptionKeyPair.generate(), EncryptionKeyPair.generate()];

let node;
let liar;
let client;
let folder;
let request;
let commands;
/** What the liar may put in the place of something else: its own keys, and another record. */
let swaps;

/**
 * Runs the command until it exits or, with `given`, until the time that it resolves to is over: `code` is null if the command
 * still waits then.
 */
async function run(args, { url = node.url, given } = {}) {
	const env = { ...process.env, HOME: folder, ISTHMUS_URL: url, ISTHMUS_GENESIS: hex(client.genesis), ISTHMUS_KEY: '' };
	const child = programs.start(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
	const [out, err] = [[], []];
	child.stdout.on('data', (data) => out.push(data));
	child.stderr.on('data', (data) => err.push(data));
	let late;
	given?.then((patience) => (late = setTimeout(() => child.kill(), patience)));
	const [code] = await programs.ended(child);
	clearTimeout(late);
	return { code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
}

async function ok(...args) {
	const { code, stderr } = await run(args);
	assert.equal(code, DONE, `isthmus ${args.join(' ')}: ${stderr}`);
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-lies-'));
	mkdirSync(join(folder, '.config'));
	node = await LocalNode.start({ args: ['--dev'] });
	[liar, client] = await Promise.all([LyingNode.start(node.url), Client.connect(node.url)]);
	const [school, , company] = [SCHOOL, READER, COMPANY].map((uri) => client.account(uri));
	for (const uri of [SCHOOL, READER, COMPANY]) await ok('transfer', client.account(uri).address, '1000', '--key', '//Alice');
	await ok('register', 'School', '--key', SCHOOL);
	await ok('dataset', 'create', 'marks', '--key', SCHOOL);
	for (const [name, text] of [['marks', TRUTH], ['others', 'of others'], ['new', 'new marks']]) writeFileSync(join(folder, name), text);
	for (const [at, name] of ['marks', 'others'].entries()) await ok('store', name, '--public-name', '--leaf', String(TAKEN[at]), '--key', SCHOOL);
	await ok('key', 'publish', '--key', READER);
	await ok('authorize', '--to', READER, '--leaves', '0..2', '--finalized', '--key', SCHOOL);
	await client.setEncryptionKey(company, await pairs[1].publicKey());
	const scope = { dataset: 0, epoch: 0, from: 0, to: ASKED };
	const terms = { purpose: 'a study', term: 500, key: await pairs[0].publicKey() };
	const asked = await client.requestAccess(company, school.address, scope, terms);
	await client.finalized(asked);
	request = asked.event('dataSharing', 'AccessRequested').request.toNumber();
	commands = [
		['fetch', school.address, 'marks', '-o', '-', '--key', READER],
		['authorize', String(request), '--key', SCHOOL],
		['authorize', '--to', company.address, '--leaves', `0..${GIVEN}`, '--key', SCHOOL],
		['store', 'new', '--public-name', '--key', SCHOOL],
	];
	const stranger = client.account('//LiesStranger');
	const own = (await EncryptionKeyPair.generate().publicKey()).toBytes();
	const keys = await Promise.all(pairs.map(async (pair) => (await pair.publicKey()).toBytes()));
	const hashes = await Promise.all(['marks', 'others'].map(async (name) => {
		const record = await client.api.query.dataSharing.records(school.address, hex(recordKey(name)));
		return record.unwrap().payload.asValue.contentHash.toU8a();
	}));
	swaps = [...keys.map((key) => [key, own]), [company.publicKey, stranger.publicKey], hashes];
}, { timeout });

after(async () => {
	await client?.disconnect();
	await liar?.stop();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

/** Checks a transaction that a command showed the liar. */
async function check(transaction) {
	// The call begins two bytes before its first field, the reader or the record's key: what is before it has a false nonce
	// if the node lied about that.
	const fields = [client.account(COMPANY).publicKey, recordKey('new')].map((field) => transaction.indexOf(hex(field).slice(2)));
	const at = fields.find((at) => at > 0);
	assert.ok(at, 'the transaction is neither for the company nor of the record');
	const { method, args } = client.api.createType('Call', fromHex(`0x${transaction.slice(at - 4)}`));
	if (method === 'store') {
		const [key, dataset, epoch, leaf] = args;
		assert.equal(key.toHex(), hex(recordKey('new')));
		assert.deepEqual([dataset, epoch].map(Number), [0, 0]);
		assert.ok(!TAKEN.includes(leaf.toNumber()), `leaf ${leaf} is taken`);
		return;
	}
	assert.equal(method, 'addAuthorize');
	const [grantee, scope, expiry, until, sealedKeys, answered] = args;
	const company = client.account(COMPANY);
	assert.equal(grantee.toString(), company.address);
	const [from, to] = [scope.from.toNumber(), scope.to.toNumber()];
	assert.deepEqual([scope.dataset, scope.epoch].map(Number), [0, 0]);
	assert.deepEqual([from, to], [0, answered.isSome ? ASKED : GIVEN]);
	if (answered.isSome) assert.equal(answered.unwrap().id.toNumber(), request);
	assert.ok(until.isNone);
	const id = client.epochId(client.account(SCHOOL).publicKey, { dataset: 0, epoch: 0 });
	const entry = { grantee: company.publicKey, range: new Range(from, to), expiry: expiry.toNumber() };
	// It opens with the company's key, so it is sealed to no other.
	await openGrant(pairs[answered.isSome ? 0 : 1], id, entry, fromHex(sealedKeys.toHex()));
}

/**
 * Runs a command against the liar.
 *
 * @param {(method: string, result: unknown) => unknown} answer Returns the liar's answer.
 * @param {Promise<number>} [given] Resolves with how long to wait for the command from then on, in milliseconds.
 * @returns What came of it, and the transactions that the command showed.
 */
async function runLied(args, answer, given) {
	const shown = [];
	// Nor does it lie about the kind of the chain: on another kind, the accounts of this test are refused.
	const isLeftOut = (method, params) => (
		['state_getMetadata', 'system_chainType'].includes(method) || /^Metadata_/.test(params?.[0])
	);
	liar.setKeep((method, params) => {
		const isTried = method === 'state_call' && params[0] === 'BlockBuilder_apply_extrinsic';
		if (method === SUBMIT || isTried) shown.push(params[isTried ? 1 : 0]);
		return method === SUBMIT ? Object.assign(new Error('kept by the liar'), { code: 1010 }) : undefined;
	});
	liar.setLie((method, params, result) => (result === undefined || isLeftOut(method, params) ? result : answer(method, result)));
	const ended = await run(args, { url: liar.url, given });
	liar.tellTruth();
	return { ...ended, shown };
}

test('random lies make no command accept, seal or store anything false', { timeout }, async (t) => {
	const [corpus, earlier, answers] = [[], new Map(), []];
	for (const [at, args] of commands.entries()) {
		answers[at] = 0;
		const { code, stdout, stderr, shown } = await runLied(args, (method, result) => {
			answers[at]++;
			corpus.push(...texts(result).filter((text) => text.length < 20_000));
			earlier.set(method, [...(earlier.get(method) ?? []), result]);
			return result;
		});
		assert.deepEqual([code, stdout, shown.length > 0], at === 0 ? [DONE, TRUTH, false] : [REFUSED, '', true], stderr);
		for (const transaction of shown) await check(transaction);
	}
	const counts = { untold: 0, unchanged: 0, waits: 0 };
	for (let lie = 0; lie < LIES; lie++) {
		const random = randomNumbers(lie);
		const at = random(commands.length);
		let left = random(answers[at]);
		let told = null;
		let tell;
		const given = new Promise((resolve) => (tell = () => resolve(PATIENCE)));
		const stale = random(4) === 0;
		const { code, stdout, stderr, shown } = await runLied(commands[at], (method, result) => {
			if (left-- !== 0) return result;
			const swapped = replaced(result, swaps);
			const others = earlier.get(method) ?? [];
			let said = lieAbout(result, random, corpus);
			if (JSON.stringify(swapped) !== JSON.stringify(result) && random(3) > 0) said = swapped;
			else if (stale && others.length > 0) said = others[random(others.length)];
			told = { method, said };
			tell();
			return said;
		}, given);
		const what = `lie ${lie}, isthmus ${commands[at].join(' ')}: ${JSON.stringify(told)?.slice(0, 500)}\n${stderr}`;
		const isExpected = [null, DONE, FAILED, UNREACHABLE, REFUSED, NOT_AUTHENTIC].includes(code);
		assert.ok(isExpected, `exit code ${code}: ${what}`);
		assert.ok(!/panicked/.test(stderr), what);
		// Only what is checked is written, so what is there is the beginning of the truth.
		assert.ok(at === 0 ? TRUTH.startsWith(stdout) && (code !== DONE || stdout === TRUTH) : stdout === '', `${stdout}: ${what}`);
		try {
			for (const transaction of shown) await check(transaction);
		} catch (error) {
			throw new Error(what, { cause: error });
		}
		const outcome = told === null ? 'untold' : code === null ? 'waits' : code === DONE || shown.length > 0 ? 'unchanged' : `exit ${code}`;
		counts[outcome] = (counts[outcome] ?? 0) + 1;
	}
	t.diagnostic(JSON.stringify(counts));
	assert.ok(counts.untold < LIES / 2, `${counts.untold} lies were not told`);
});
