// SPDX-License-Identifier: Apache-2.0

// Runs `scripts/localnet` as a user does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Rpc, until } from '../lib/rpc.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 900_000;
const SCRIPT = fileURLToPath(new URL('../localnet', import.meta.url));

/** Runs the command with a folder; returns its output and its exit code. */
function localnet(folder, ...args) {
	return new Promise((resolve) => {
		execFile(SCRIPT, [...args, '--dir', folder], { timeout }, (error, stdout, stderr) => {
			resolve({ code: error ? (error.code ?? 'killed') : 0, stdout, stderr });
		});
	});
}

/** Returns the rows of the table that `status` prints. */
function rows(stdout) {
	const lines = stdout.split('\n');
	const first = lines.findIndex((line) => line.startsWith('node ')) + 1;
	return lines.slice(first, first + 3).map((line) => line.split(/ {2,}/));
}

test('starts, shows, stops, restarts and removes a network', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-localnet-'));
	t.after(async () => {
		await localnet(folder, 'clean');
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const nodes = () => JSON.parse(readFileSync(join(folder, 'localnet.json'), 'utf8')).nodes;

	const started = await localnet(folder, 'start', '3', '--hash-rate', '100000');
	assert.equal(started.code, 0, started.stderr);
	assert.deepEqual(rows(started.stdout).map(([name]) => name), ['Alice', 'Bob', 'Charlie']);
	const [{ port, basePath }] = nodes();
	assert.match(started.stdout, new RegExp(`polkadot\\.js\\.org/apps/\\?rpc=ws://127\\.0\\.0\\.1:${port}`));
	assert.ok(existsSync(join(basePath, 'node.log')));

	// All three nodes mine and verify, and they finalize a block.
	let rpc = await Rpc.connect(`ws://127.0.0.1:${port}`);
	const { number } = await rpc.finalizedFrom(1);
	const hash = await rpc.hashAt(number);
	await rpc.disconnect();
	const status = await until('each node has both others as peers, and the block', async () => {
		const nodes = rows((await localnet(folder, 'status')).stdout);
		return nodes.every(([, best, , peers]) => peers === '2' && Number(best) >= number) && nodes;
	});
	for (const [name, , , , , , process] of status) assert.match(process, /^\d+$/, name);

	assert.match((await localnet(folder, 'stop')).stderr, /stopped: Alice, Bob, Charlie/);
	assert.ok(rows((await localnet(folder, 'status')).stdout).every((cells) => cells.at(-1) === 'stopped'));
	assert.match((await localnet(folder, 'stop')).stderr, /stopped: nothing was running/);

	const other = await localnet(folder, 'start', '5');
	assert.equal(other.code, 1);
	assert.match(other.stderr, /has 3 nodes: leave the number out, or give another --dir/);
	assert.equal((await localnet(folder, 'start')).code, 0);
	rpc = await Rpc.connect(`ws://127.0.0.1:${nodes()[0].port}`);
	await rpc.finalizedFrom(number + 1);
	assert.equal(await rpc.hashAt(number), hash, 'the network continues its chain');
	await rpc.disconnect();

	assert.equal((await localnet(folder, 'clean')).code, 0);
	assert.deepEqual(readdirSync(folder), []);
});

for (const [args, sentence] of [
	[['status'], /there is no network in .*: create one with scripts\/localnet start/],
	[['start', '0'], /the number of nodes must be a whole number from 1 to 16, not "0"/],
	[['start', '4', '--hash-rate', 'much'], /--hash-rate must be a whole number from 1 to \d+, not "much"/],
	[['restart'], /expected start \[NODES\], status, stop or clean/],
	[['stop', '4'], /expected start \[NODES\], status, stop or clean/],
	[['start', '--nodes', '4'], /Unknown option '--nodes'/],
]) {
	test(`refuses ${args.join(' ')}`, { timeout }, async () => {
		const folder = join(tmpdir(), 'isthmus-localnet-that-is-not-there');
		const { code, stderr } = await localnet(folder, ...args);
		assert.equal(code, 1);
		assert.match(stderr, sentence);
		assert.ok(!existsSync(folder));
	});
}
