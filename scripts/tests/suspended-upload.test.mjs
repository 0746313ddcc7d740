// SPDX-License-Identifier: Apache-2.0

// Tests an upload that lasts for longer than its node keeps states: what it read at its beginning cannot be read any more.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends a hung test, in milliseconds. */
const timeout = 900_000;
/** The least number of states that a node may keep, and more blocks than that. A development chain makes a block a second. */
const [FEW, MANY] = [64, 80];
/** The folder's files: together they take several blocks. */
const [FILES, SIZE] = [40, 900_000];

test('a folder is stored although the node forgets the states from its beginning', { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-suspended-upload-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const node = await LocalNode.start({ args: ['--dev', '--heartbeat', '1', '--state-pruning', String(FEW)] });
	t.after(() => node.stop());
	const [rpc, client] = await Promise.all([Rpc.connect(node.url), Client.connect(node.url)]);
	t.after(() => Promise.all([rpc.disconnect(), client.disconnect()]));
	const isthmus = new Isthmus(node.url, folder);
	const key = ['--key', '//Bob'];
	await isthmus.ok('register', 'School', '--kind', 'school', ...key);
	await isthmus.ok('dataset', 'create', 'marks', ...key);
	mkdirSync(join(folder, 'docs'));
	const files = Array.from({ length: FILES }, (_, number) => [String(number), randomBytes(SIZE)]);
	for (const [name, bytes] of files) writeFileSync(join(folder, 'docs', name), bytes);

	const store = isthmus.start(['store', 'docs', '--public-name', ...key]);
	const said = [];
	for (const output of [store.stdout, store.stderr]) output.on('data', (data) => said.push(data));
	const ended = programs.ended(store, timeout);
	const stored = async () => (await client.api.query.dataSharing.records.entries(client.account('//Bob').address)).length;
	await until('the first files are stored', async () => (await stored()) > 0);
	const began = await rpc.best();
	// As a laptop that is closed for a while.
	store.kill('SIGSTOP');
	await rpc.finalizedFrom(began.number + MANY, timeout);
	assert.ok((await stored()) < FILES, 'it was stopped before its end');
	await assert.rejects(rpc.call('state_getStorage', '0x3a636f6465', began.hash), /discarded|pruned/i);
	store.kill('SIGCONT');
	const [code] = await ended;
	assert.equal(code, 0, String(Buffer.concat(said)));
	await isthmus.ok('fetch', client.account('//Bob').address, 'docs', '--folder', '-o', 'copy', ...key);
	for (const [name, bytes] of files) assert.ok(readFileSync(join(folder, 'copy', name)).equals(bytes), name);
});
