// SPDX-License-Identifier: Apache-2.0

// Tests that a record of 100 GiB is stored in a folder and read back, although the command that stores it is killed ten times:
// as it is, or as much of it as fits, at random; and compressed, which fits anywhere.

import assert from 'node:assert/strict';
import { createHash, randomFillSync, randomInt } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { randomNumbers } from '../lib/random.mjs';
import { until } from '../lib/rpc.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 7_200_000;
const [MIB, GIB] = [2 ** 20, 2 ** 30];
/** What the store and the system need beside it, and the shortest record that tells something, in GiB. */
const [REST, LEAST] = [5, 8];
/** The record's length that is asked for, in GiB. */
const ASKED = Number(process.env.ISTHMUS_GIB ?? 100);
/** The record's length: what is asked for, or what fits. */
const GIBS = Math.min(ASKED, room() - REST);
/** Chooses when the command is killed: set ISTHMUS_SEED to what a run has printed to repeat it. */
const SEED = Number(process.env.ISTHMUS_SEED ?? randomInt(2 ** 31));
const random = randomNumbers(SEED);
/** After which shares of the bytes the command is killed: at random in each of ten parts. The rest takes long enough to kill it. */
const KILLED_AT = Array.from({ length: 10 }, (_, part) => (part + random(1000) / 1000) / 12.5);

/** Returns how many GiB are free for temporary files. */
function room() {
	const { bavail, bsize } = statfsSync(tmpdir());
	return Math.floor((bavail * bsize) / GIB);
}
const skip = process.env.ISTHMUS_LONG !== '1' ? 'only with scripts/test --all'
	: GIBS < Math.min(ASKED, LEAST) && `${tmpdir()} has no room for ${Math.min(ASKED, LEAST) + REST} GiB: set ISTHMUS_GIB or TMPDIR`;

/** Writes a file with some MiB of random bytes in each GiB, and holes between. */
async function writeSparse(path, gibs, mibs) {
	const file = await open(path, 'w');
	await file.truncate(gibs * GIB);
	const bytes = Buffer.alloc(mibs * MIB);
	for (let at = 0; at < gibs; at += 1) {
		randomFillSync(bytes);
		// At another place of each GiB, and across the boundaries of chunks.
		await file.write(bytes, 0, bytes.length, at * GIB + ((at * 37_000_001) % (GIB - bytes.length)));
	}
	await file.close();
}

async function hashOf(stream) {
	const hash = createHash('sha256');
	await pipeline(stream, hash);
	return hash.digest('hex');
}

/** Who stores and reads. */
const KEY = ['--key', '//Alice'];

/** Returns the lines of the upload's journal, the first of them with the object's header, length and place. */
function journalIn(state) {
	const journal = existsSync(state) && readdirSync(state).find((name) => name.endsWith('.upload'));
	return journal ? readFileSync(join(state, journal), 'latin1').split('\n') : [];
}

/** Makes a node, a producer with a dataset in a folder, and a sparse file of this many GiB, with random bytes in each. */
async function scene(t, gibs, mibs) {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-bulk-object-'));
	const file = (name) => join(folder, name);
	const node = await LocalNode.start({ args: ['--dev'] });
	t.after(async () => {
		await node.stop();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const isthmus = new Isthmus(node.url, folder);
	mkdirSync(file('store'));
	await isthmus.text('register', 'A school', ...KEY);
	await isthmus.text('dataset', 'create', 'data', ...KEY);
	await isthmus.text('dataset', 'locate', '0', `file://${file('store')}`, ...KEY);
	await writeSparse(file('value'), gibs, mibs);
	return { isthmus, file, journal: () => journalIn(file('.local/state/isthmus')) };
}

const isDone = (line) => line.startsWith('done ');

/** Starts a command, and kills it once something is so, before it ends. */
async function killedOnce(isthmus, args, what, isSo) {
	const child = isthmus.start(args);
	const ended = programs.ended(child, timeout);
	let over = false;
	const end = () => (over = true);
	ended.then(end, end);
	await until(what, () => over || isSo(), timeout);
	child.kill('SIGKILL');
	assert.deepEqual(await ended, [null, 'SIGKILL'], 'it was killed on the way');
}

/** Reads the record back, and compares it with the file. */
async function compareWithFile(t, { isthmus, file }) {
	const fetching = performance.now();
	const child = isthmus.start(['fetch', '//Alice', 'value', '-o', '-', ...KEY]);
	const ended = programs.ended(child, timeout);
	const written = createReadStream(file('value'), { highWaterMark: MIB });
	const hashes = await Promise.all([hashOf(child.stdout), hashOf(written)]);
	assert.deepEqual(await ended, [0, null]);
	t.diagnostic(`read and compared in ${((performance.now() - fetching) / 1000).toFixed(0)} s`);
	assert.equal(hashes[0], hashes[1]);
}

test(`a record of ${GIBS} GiB is stored by a command that is killed ten times, and read back`, { timeout, skip }, async (t) => {
	t.diagnostic(`${GIBS} GiB of ${ASKED}, ISTHMUS_SEED=${SEED}: killed at ${KILLED_AT.map((share) => share.toFixed(3)).join(', ')}`);
	const made = await scene(t, GIBS, 1);
	/** Returns which share of the bytes is in the store, as the journal says. */
	const share = () => {
		const lines = made.journal();
		if (lines.length === 0) return 0;
		const chunksInPart = Number(lines[0].split(' ')[5]);
		return (lines.filter(isDone).length * chunksInPart * MIB) / (GIBS * GIB);
	};
	const store = ['store', 'value', ...KEY];
	const began = performance.now();
	for (const killedAt of KILLED_AT) {
		await killedOnce(made.isthmus, store, `${killedAt} of the record is in the store`, () => share() >= killedAt);
	}
	const before = share();
	const [stored] = await made.isthmus.ok(...store, '--finalized');
	assert.deepEqual([stored.resumed, stored.bytes], [true, GIBS * GIB]);
	t.diagnostic(`stored in ${((performance.now() - began) / 1000).toFixed(0)} s, and ${(100 * before).toFixed(0)} % was there before the last run`);
	assert.ok(before >= KILLED_AT.at(-1));
	await compareWithFile(t, made);
});

const noCompressed = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
test(`a record of ${ASKED} GiB is stored compressed by a command that is killed ten times, and read back`, { timeout, skip: noCompressed }, async (t) => {
	const made = await scene(t, ASKED, 2);
	const parts = () => made.journal().filter(isDone).length;
	const store = ['store', 'value', '--object', '--compress', ...KEY];
	const began = performance.now();
	// Its random bytes fill a part of 8 MiB for each 4 GiB, and the last fifth takes long enough to kill the command.
	const kills = Math.min(10, Math.floor(ASKED / 10));
	t.diagnostic(`ISTHMUS_SEED=${SEED}`);
	for (let killed = 1; killed <= kills; killed += 1) {
		const killedAt = 2 * killed - random(2);
		await killedOnce(made.isthmus, store, `${killedAt} parts are in the store`, () => parts() >= killedAt);
		t.diagnostic(`killed for the ${killed}. time after ${((performance.now() - began) / 1000).toFixed(0)} s, with ${parts()} parts`);
	}
	const [stored] = await made.isthmus.ok(...store, '--finalized');
	assert.deepEqual([stored.resumed, stored.bytes], [true, ASKED * GIB]);
	t.diagnostic(`stored in ${((performance.now() - began) / 1000).toFixed(0)} s, killed ${kills} times`);
	await compareWithFile(t, made);
});
