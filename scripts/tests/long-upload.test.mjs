// SPDX-License-Identifier: Apache-2.0

// Tests folders that are stored in blocks on a node that forgets old states: one whose upload lasts longer than the node keeps
// the state of a block, and one of many files. After a change of one file, one file is sent.
//
// By default a node keeps 256 states. A development chain makes a block a second, so that only `scripts/test --all` waits for
// 300 of them, and stores 10,000 files.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Isthmus } from '../lib/isthmus.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc } from '../lib/rpc.mjs';

const LONG = process.env.ISTHMUS_LONG === '1';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = LONG ? 5_400_000 : 600_000;
/** The exit code of a command that failed. */
const FAILED = 1;
/** How many states a node keeps by default, and the fewest that it may be told to keep. */
const [DEFAULT, FEW] = [256, 64];
const STATES = LONG ? DEFAULT : FEW;
/** How many blocks the slow upload has to last. */
const LEAST = LONG ? 300 : FEW + 8;
/** The slow folder: how many small files, how long the large one is, and how many blocks there are from one transaction to the next. */
const { SMALL, LARGE, APART } = LONG ? { SMALL: 8, LARGE: 40 << 20, APART: 7 } : { SMALL: 32, LARGE: 3 << 20, APART: 2 };
/** How many files the other folder has, and how many are in each folder of it. */
const [MANY, IN_ONE] = [10_000, 500];
/** How many requests a block may cost, and an upload, however many files there are. */
const [PER_BLOCK, ONCE] = [48, 140];

let folder, node, rpc, isthmus;
/** Holds transactions back and counts them. */
let slow;

const file = (name) => join(folder, name);
const isSubmission = (method) => method === 'transactionWatch_v1_submitAndWatch';

/** Makes a producer of an account that the development chain has. Returns the options to act as it. */
async function producer(uri) {
	const key = ['--key', uri];
	await isthmus.ok('register', uri.slice(2), '--kind', 'school', ...key);
	await isthmus.ok('dataset', 'create', 'data', ...key);
	return key;
}

/** Writes the files of a folder. */
function write(at, contents) {
	for (const [path, content] of contents) {
		mkdirSync(dirname(file(`${at}/${path}`)), { recursive: true });
		writeFileSync(file(`${at}/${path}`), content);
	}
}

/**
 * Runs `isthmus store` over the proxy. Returns what it prints, how many requests and transactions it sent, and how many blocks it
 * lasted.
 */
async function stored(t, at, key) {
	let [asked, sent] = [0, 0];
	slow.setKeep((method) => {
		asked += 1;
		if (isSubmission(method)) sent += 1;
		return undefined;
	});
	const from = await rpc.finalized();
	const began = performance.now();
	const [printed] = await isthmus.ok('store', at, ...key, '--finalized', '--url', slow.url);
	const seconds = (performance.now() - began) / 1000;
	slow.setKeep(() => undefined);
	const blocks = (await rpc.finalized()).number - from.number;
	t.diagnostic(`${at}: ${sent} transactions and ${asked} requests in ${blocks} blocks and ${seconds.toFixed(1)} s`);
	return { ...printed, asked, sent, blocks, from };
}

/** Where each record of an owner is, by its key. */
async function places(key) {
	const records = await isthmus.ok('list', 'records', ...key);
	return new Map(records.map((record) => [record.key, record.leaf]));
}

/** Checks that the fetched folder is what was stored. */
async function check(at, contents, key) {
	await isthmus.ok('fetch', key.at(-1), at, '--folder', '--force', '-o', `${at}-copy`, ...key);
	for (const [path, content] of contents) {
		assert.ok(readFileSync(file(`${at}-copy/${path}`)).equals(Buffer.from(content)), `${path} differs`);
	}
}

/** Changes a file of a stored folder, and stores the folder again: the file and the list are sent, and nothing else. */
async function changesOne(t, at, contents, path, key) {
	const before = await places(key);
	contents.set(path, 'changed');
	write(at, [[path, 'changed']]);
	const { error, hint } = await isthmus.refused(FAILED, 'store', at, ...key);
	assert.match(error, new RegExp(`${at}/${path} changed since it was stored$`));
	const [, record] = /isthmus remove (0x[0-9a-f]{64})$/.exec(hint);
	await isthmus.ok('remove', at, '--alone', ...key);
	await isthmus.ok('remove', record, '--finalized', ...key);
	const again = await stored(t, at, key);
	assert.deepEqual([again.files, again.sent], [contents.size, 2]);
	// Each of the others is fetched and compared.
	assert.ok(again.asked <= contents.size + again.blocks * PER_BLOCK + ONCE, `${again.asked} requests`);
	const now = await places(key);
	assert.equal(now.size, before.size);
	const moved = [...now].filter(([record, leaf]) => before.get(record) !== leaf).map(([record]) => record);
	assert.deepEqual(moved.sort(), [again.key, record].sort());
	await check(at, contents, key);
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-long-upload-'));
	const pruning = LONG ? [] : ['--state-pruning', String(FEW)];
	node = await LocalNode.start({ args: ['--dev', '--heartbeat', '1', ...pruning] });
	rpc = await Rpc.connect(node.url);
	slow = await LyingNode.start(node.url);
	isthmus = new Isthmus(node.url, folder);
}, { timeout });

after(async () => {
	await slow?.stop();
	await rpc?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

test(`the upload of a folder lasts longer than the ${STATES} blocks whose states the node keeps`, { timeout }, async (t) => {
	const key = await producer('//Bob');
	const contents = new Map();
	for (let number = 0; number < SMALL / 2; number += 1) contents.set(`a/${number}`, `${number}`);
	// Its chunks are sent between the small files.
	contents.set('b', randomBytes(LARGE));
	for (let number = 0; number < SMALL / 2; number += 1) contents.set(`c/${number}`, `${number}`);
	write('slow', contents);
	let next = (await rpc.best()).number;
	slow.setHold(async (method) => {
		if (isSubmission(method)) await rpc.finalizedFrom((next += APART), timeout);
	});
	const { from, files, sent, blocks } = await stored(t, 'slow', key);
	slow.setHold(() => undefined);
	assert.equal(files, contents.size);
	assert.ok(sent > files + 1, `${sent} transactions`);
	assert.ok(blocks >= LEAST, `${blocks} blocks`);
	// A client that still held the first state would have asked in vain.
	await assert.rejects(rpc.call('state_getStorage', '0x00', from.hash), /State already discarded/);
	await check('slow', contents, key);
	await changesOne(t, 'slow', contents, 'c/1', key);
});

test(`a folder of ${MANY} files is stored in blocks`, { timeout, skip: !LONG && 'only with scripts/test --all' }, async (t) => {
	const key = await producer('//Charlie');
	const contents = new Map();
	for (let number = 0; number < MANY; number += 1) {
		contents.set(`${Math.floor(number / IN_ONE)}/${number % IN_ONE}.txt`, `${number}\n`.repeat(number % 50));
	}
	write('many', contents);
	const { files, asked, sent, blocks } = await stored(t, 'many', key);
	assert.deepEqual([files, sent], [MANY, MANY + 1]);
	// The best block, the next nonce, the transaction, and the end of its report.
	assert.ok(asked <= 4 * MANY + blocks * PER_BLOCK + ONCE, `${asked} requests`);
	await check('many', contents, key);
	await changesOne(t, 'many', contents, '7/77.txt', key);
});
