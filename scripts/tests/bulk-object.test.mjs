// SPDX-License-Identifier: Apache-2.0

// Tests that a record of 100 GiB, or of what fits, is stored in a folder and read back, although the command that stores it is
// killed ten times at random.

import assert from 'node:assert/strict';
import { createHash, randomFillSync, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
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

/** Writes a file with a MiB of random bytes in each GiB, and holes between. */
async function writeSparse(path) {
	const file = await open(path, 'w');
	await file.truncate(GIBS * GIB);
	const bytes = Buffer.alloc(MIB);
	for (let at = 0; at < GIBS; at += 1) {
		randomFillSync(bytes);
		// At another place of each GiB, and across the boundaries of chunks.
		await file.write(bytes, 0, MIB, at * GIB + ((at * 37_000_001) % (GIB - MIB)));
	}
	await file.close();
}

async function hashOf(stream) {
	const hash = createHash('sha256');
	await pipeline(stream, hash);
	return hash.digest('hex');
}

test(`a record of ${GIBS} GiB is stored by a command that is killed ten times, and read back`, { timeout, skip }, async (t) => {
	t.diagnostic(`${GIBS} GiB of ${ASKED}, ISTHMUS_SEED=${SEED}: killed at ${KILLED_AT.map((share) => share.toFixed(3)).join(', ')}`);
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-bulk-object-'));
	const file = (name) => join(folder, name);
	const node = await LocalNode.start({ args: ['--dev'] });
	t.after(async () => {
		await node.stop();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const isthmus = new Isthmus(node.url, folder);
	const key = ['--key', '//Alice'];
	mkdirSync(file('store'));
	await isthmus.text('register', 'A school', ...key);
	await isthmus.text('dataset', 'create', 'data', ...key);
	await isthmus.text('dataset', 'locate', '0', `file://${file('store')}`, ...key);
	await writeSparse(file('value'));

	/** Returns which share of the bytes is in the store, as the journal says. */
	const share = () => {
		const state = file('.local/state/isthmus');
		const journal = existsSync(state) && readdirSync(state).find((name) => name.endsWith('.upload'));
		if (!journal) return 0;
		const lines = readFileSync(join(state, journal), 'latin1').split('\n');
		const chunksInPart = Number(lines[0].split(' ')[5]);
		return (lines.filter((line) => line.startsWith('done ')).length * chunksInPart * MIB) / (GIBS * GIB);
	};
	const store = ['store', 'value', ...key];
	const began = performance.now();
	for (const killedAt of KILLED_AT) {
		const child = isthmus.start(store);
		const ended = once(child, 'close');
		let over = false;
		ended.then(() => (over = true));
		await until(`${killedAt} of the record is in the store`, () => over || share() >= killedAt, timeout);
		child.kill('SIGKILL');
		assert.deepEqual(await ended, [null, 'SIGKILL'], 'it was killed on the way');
	}
	const before = share();
	const [stored] = await isthmus.ok(...store, '--finalized');
	assert.deepEqual([stored.resumed, stored.bytes], [true, GIBS * GIB]);
	t.diagnostic(`stored in ${((performance.now() - began) / 1000).toFixed(0)} s, and ${(100 * before).toFixed(0)} % was there before the last run`);
	assert.ok(before >= KILLED_AT.at(-1));

	const fetching = performance.now();
	const child = isthmus.start(['fetch', '//Alice', 'value', '-o', '-', ...key]);
	const ended = once(child, 'close');
	const [read, written] = await Promise.all([hashOf(child.stdout), hashOf(createReadStream(file('value'), { highWaterMark: MIB }))]);
	assert.deepEqual(await ended, [0, null]);
	t.diagnostic(`read and compared in ${((performance.now() - fetching) / 1000).toFixed(0)} s`);
	assert.equal(read, written);
});
