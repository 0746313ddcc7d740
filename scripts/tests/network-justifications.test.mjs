// SPDX-License-Identifier: Apache-2.0

// Tests a node that syncs from a peer whose proof of finality for one block is false. Those that came with the blocks below must
// count all the same, although they are handed to the import together, and the peer must be disconnected.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeChain } from '../lib/made-chain.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const PATIENCE = 120_000;
/** The length of the chain, and the block with the false proof. The blocks below it have true ones, those above none. */
const [BLOCKS, FALSE] = [150, 60];

test('a false proof of finality costs nothing but its sender', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-justifications-'));
	const nodes = [];
	t.after(async () => {
		await Promise.all(nodes.map((node) => node.stop()));
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const spec = await writeSpec(folder, {
		verifiers: identities(1),
		parameters: { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
	});
	await makeChain(spec, join(folder, 'peer'), { blocks: BLOCKS, interval: 10, finalizeEvery: 1, falsify: FALSE });

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
	assert.equal((await peer.rpc.finalized()).number, FALSE);
	const peerId = await peer.rpc.call('system_localPeerId');
	const address = `/ip4/127.0.0.1/tcp/${peer.node.peerPort}/p2p/${peerId}`;
	const { node, rpc } = await start('syncing', ['--reserved-only', '--reserved-nodes', address, '-lsync=debug']);

	const finalized = async () => (await rpc.finalized()).number;
	const dropped = new RegExp(`disconnecting ${peerId}: BadJustification`);
	await until('the peer is disconnected', () => dropped.test(readFileSync(node.logPath, 'utf8')), PATIENCE);
	await until('the true proofs count', async () => (await finalized()) === FALSE - 1, PATIENCE);
	// The reserved peer is asked again after a pause.
	await until('all blocks are synced', async () => (await rpc.best()).number === BLOCKS, PATIENCE);
	assert.equal(await finalized(), FALSE - 1);
});
