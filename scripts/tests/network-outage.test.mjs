// SPDX-License-Identifier: Apache-2.0

// Tests that an upload and a download of 1 GiB need no person: the connection is cut three times during each, and the node is
// killed and started again once.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Wire } from '../lib/wire.mjs';

/** Ends hung tests, in milliseconds. An upload of 1 GiB takes minutes. */
const timeout = 3_600_000;
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;
const CUTS = 3;
/** How many bytes pass between two troubles. Chunks travel in hexadecimal to the node, and in base64 back. */
const BETWEEN = SIZE / (CUTS + 2);
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

async function writeRandom(path) {
	const file = await open(path, 'w');
	for (let written = 0; written < SIZE; written += 64 * MIB) await file.write(randomBytes(64 * MIB));
	await file.close();
}

async function hashOf(path) {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return hash.digest('hex');
}

test('an upload and a download of 1 GiB outlast three cut connections and a killed node', { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-connection-bulk-'));
	let node;
	let wire;
	t.after(async () => {
		await wire?.stop();
		await node?.stop();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	node = await LocalNode.start({ args: ['--dev'] });
	wire = await Wire.start(node.url);
	const start = (args) => {
		const env = { ...process.env, ISTHMUS_URL: wire.url, ISTHMUS_KEY: '', HOME: folder, XDG_CONFIG_HOME: join(folder, 'config') };
		const child = programs.start(program, args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
		const errors = [];
		child.stderr.on('data', (data) => errors.push(data));
		const ended = programs.ended(child, timeout).then(([code]) => ({ code, errors: String(Buffer.concat(errors)) }));
		return { child, ended };
	};
	const ok = async (args) => {
		const { code, errors } = await start(args).ended;
		assert.equal(code, 0, `isthmus ${args.join(' ')}: ${errors}`);
	};

	/** Runs the command, and makes all the trouble meanwhile. */
	async function outlasts(args) {
		const started = performance.now();
		const { child, ended } = start(args);
		let troubles = 0;
		const trouble = async () => {
			for (; troubles < CUTS; troubles++) {
				await wire.passed(BETWEEN);
				wire.cut();
			}
			await wire.passed(BETWEEN);
			await node.killAndRestart();
			troubles++;
			return ended;
		};
		try {
			const { code, errors } = await Promise.race([trouble(), ended]);
			assert.equal(code, 0, `isthmus ${args.join(' ')}: ${errors}`);
			assert.equal(troubles, CUTS + 1, 'it was over before the last trouble');
		} finally {
			child.kill('SIGKILL');
		}
		t.diagnostic(`${args[0]}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
	}

	const [bytes, back] = ['bytes', 'back'].map((name) => join(folder, name));
	await writeRandom(bytes);
	const key = ['--key', '//Alice'];
	await ok(['register', 'A school', ...key]);
	await ok(['dataset', 'create', 'data', ...key]);
	await outlasts(['store', 'bytes', ...key]);
	await outlasts(['fetch', '//Alice', 'bytes', '-o', 'back', ...key]);
	assert.equal(await hashOf(back), await hashOf(bytes));
});
