// SPDX-License-Identifier: Apache-2.0

// Tests a node that syncs from its only peer, a reserved one, while that peer hangs until a request fails. When the peer
// is back, the node must request blocks again.

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

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
/** How long to wait for the failed request, and for new blocks after it, in milliseconds. This, too, only ends hangs. */
const PATIENCE = 120_000;
/** The chain's length, and the rate of the line to the peer in bytes per second: the sync takes about half a minute. */
const [BLOCKS, RATE] = [2000, 50_000];

test('a reserved peer that hung is asked again', { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-reserved-'));
	const nodes = [];
	t.after(async () => {
		await Promise.all(nodes.map((node) => node.stop()));
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const spec = await writeSpec(folder, {
		verifiers: identities(4),
		parameters: { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
	});
	await makeChain(spec, join(folder, 'peer'), { blocks: BLOCKS, interval: 10 });

	/** Starts a node that neither votes nor mines, and connects to it. */
	async function start(name, more = []) {
		const args = ['--chain', spec, '--no-grandpa', '--no-mdns', '--disable-log-color', ...more];
		const node = await LocalNode.start({ basePath: join(folder, name), args });
		nodes.push(node);
		const rpc = await Rpc.connect(node.url);
		t.after(() => rpc.disconnect());
		return { node, rpc };
	}
	const peer = await start('peer');
	const peerId = await peer.rpc.call('system_localPeerId');
	const link = await Link.to(() => peer.node.peerPort, { rate: RATE });
	t.after(() => link.close());
	link.open();
	const address = `/ip4/127.0.0.1/tcp/${link.port}/p2p/${peerId}`;
	const { node, rpc } = await start('syncing', ['--reserved-only', '--reserved-nodes', address, '-lsync=debug']);

	const best = async () => (await rpc.best()).number;
	await until('the sync has started', async () => (await best()) > 0, PATIENCE);
	process.kill(peer.node.pid, 'SIGSTOP');
	try {
		const failed = new RegExp(`${peerId} did not answer`);
		await until('a request failed', () => failed.test(readFileSync(node.logPath, 'utf8')), PATIENCE);
	} finally {
		process.kill(peer.node.pid, 'SIGCONT');
	}
	const reached = await best();
	assert.ok(reached < BLOCKS, 'the sync was over before the peer hung');
	t.diagnostic(`block ${reached} when the request failed`);
	await until('all blocks are synced', async () => (await best()) === BLOCKS, PATIENCE);
});
