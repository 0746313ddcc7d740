// SPDX-License-Identifier: Apache-2.0

// Tests a node that syncs a chain of large blocks from a fast peer: its memory stays bounded.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeChain } from '../lib/made-chain.mjs';
import { memoryOf, PeakMemory } from '../lib/memory.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 3_600_000;
/** How long the sync may take, in milliseconds. This, too, only ends hangs. */
const PATIENCE = timeout / 3;
/** The chain's length; a smaller one can be tried with ISTHMUS_BLOCKS. */
const BLOCKS = Number(process.env.ISTHMUS_BLOCKS ?? 500);
/** The bytes of transactions in each block: 6 MiB, the most that it has room for, less what their signatures take. */
const BODY = 6_290_000;
/** The default budget for blocks in flight (`--sync-memory`), and how much more memory a node may use, in MiB. */
const [BUDGET, REST] = [256, 300];
/** How much memory a node may use in all, in MiB. */
const MOST = 1024;

test('syncing large blocks', { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-bulk-'));
	const nodes = [];
	t.after(async () => {
		await Promise.all(nodes.map((node) => node.stop()));
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const spec = await writeSpec(folder, {
		verifiers: identities(4),
		parameters: { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
		// A session's first block has no room for transactions. This chain stays in its first session.
		edit: (genesis) => Object.assign(genesis.verifiers, { sessionBlocks: 1000 }),
	});
	const made = await makeChain(spec, join(folder, 'source'), { blocks: BLOCKS, interval: 10, bodyBytes: BODY, timeout: PATIENCE });
	t.diagnostic(`made ${BLOCKS} blocks in ${made.seconds.toFixed(1)} s`);

	/** Starts a node that does not vote or mine, and connects to it. */
	async function start(name, more = []) {
		const args = ['--chain', spec, '--no-grandpa', '--no-mdns', '--disable-log-color', ...more];
		const node = await LocalNode.start({ basePath: join(folder, name), args });
		nodes.push(node);
		const rpc = await Rpc.connect(node.url);
		t.after(() => rpc.disconnect());
		return { node, rpc };
	}

	const source = await start('source');
	const peerId = await source.rpc.call('system_localPeerId');
	const { node, rpc } = await start('fresh', ['--reserved-only']);
	const before = memoryOf(node.pid);
	const memory = new PeakMemory(node.pid);
	t.after(() => memory.end());
	await rpc.call('system_addReservedPeer', `/ip4/127.0.0.1/tcp/${source.node.peerPort}/p2p/${peerId}`);
	const started = performance.now();
	await until('all blocks are synced', async () => (await rpc.best()).number >= BLOCKS, PATIENCE);
	assert.equal((await rpc.best()).hash, made.best.hash);
	const seconds = (performance.now() - started) / 1000;
	const peak = memory.end();
	t.diagnostic(`synced in ${seconds.toFixed(0)} s; memory from ${before.toFixed(0)} to ${peak.toFixed(0)} MiB at the peak`);
	assert.ok(peak - before <= BUDGET + REST, `memory grew by ${(peak - before).toFixed(0)} MiB`);
	assert.ok(peak <= MOST, `memory reached ${peak.toFixed(0)} MiB`);
});
