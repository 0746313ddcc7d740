// SPDX-License-Identifier: Apache-2.0

// Tests a node that syncs a chain of large blocks: from a fast peer, its memory stays bounded; and from a reserved peer
// that hangs for a while, it requests blocks again as soon as that peer is back.
//
// ISTHMUS_LONG=1 (scripts/test --all) syncs 500 blocks instead of 60.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Link } from '../lib/link.mjs';
import { makeChain } from '../lib/made-chain.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

const LONG = process.env.ISTHMUS_LONG === '1';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = LONG ? 3_600_000 : 600_000;
/** How long the syncs may take, in milliseconds. This, too, only ends hangs. */
const PATIENCE = timeout / 3;
const BLOCKS = LONG ? 500 : 60;
/** The bytes of transactions in each block. */
const BODY = 6_000_000;
const MIB = 1024 * 1024;
/** The budget for blocks in flight, and how much more memory a node may use, in MiB. */
const [BUDGET, REST] = [64, 300];
/** The rate of the line to the reserved peer, in bytes per second. */
const RATE = 4_000_000;

/** Returns the peak memory of a process, in bytes. */
function peakMemory(pid) {
	const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
	return Number(kib) * 1024;
}

test('syncing large blocks', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-bulk-'));
	const nodes = [];
	t.after(async () => {
		await Promise.all(nodes.map((node) => node.stop()));
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const spec = await writeSpec(folder, {
		verifiers: identities(4),
		parameters: { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
	});
	const made = await makeChain(spec, join(folder, 'source'), { blocks: BLOCKS, interval: 10, bodyBytes: BODY });
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

	/** Resolves when a node's best block has this number. */
	const syncedTo = (rpc, number) =>
		until(`block ${number} is synced`, async () => (await rpc.best()).number >= number, PATIENCE);

	const source = await start('source');
	const peerId = await source.rpc.call('system_localPeerId');
	const address = (port) => `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`;

	await t.test('memory stays bounded', async (t) => {
		const budget = ['--sync-memory', String(BUDGET)];
		const { node, rpc } = await start('fresh', ['--reserved-only', ...budget]);
		const before = peakMemory(node.pid);
		await rpc.call('system_addReservedPeer', address(source.node.peerPort));
		await syncedTo(rpc, BLOCKS);
		assert.equal((await rpc.best()).hash, made.best.hash);
		const grown = (peakMemory(node.pid) - before) / MIB;
		t.diagnostic(`memory grew by ${grown.toFixed(0)} MiB, from ${(before / MIB).toFixed(0)} MiB`);
		assert.ok(grown <= BUDGET + REST, `memory grew by ${grown.toFixed(0)} MiB`);
		await node.stop();
	});

	await t.test('a reserved peer that hung is asked again', async () => {
		const link = await Link.to(() => source.node.peerPort, { rate: RATE });
		t.after(() => link.close());
		link.open();
		const only = ['--reserved-only', '--reserved-nodes', address(link.port), '-lsync=debug'];
		const { node, rpc } = await start('reserved', only);
		await syncedTo(rpc, 1);
		process.kill(source.node.pid, 'SIGSTOP');
		try {
			const failed = /Request to peer .* failed/;
			await until('a request failed', () => failed.test(readFileSync(node.logPath, 'utf8')), PATIENCE);
		} finally {
			process.kill(source.node.pid, 'SIGCONT');
		}
		const { number } = await rpc.best();
		assert.ok(number + 4 < BLOCKS, `block ${number}: the sync was nearly over`);
		await syncedTo(rpc, number + 4);
	});
});
