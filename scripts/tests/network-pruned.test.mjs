// SPDX-License-Identifier: Apache-2.0

// Tests a new node whose only peer has deleted old blocks (`--blocks-pruning`): it says what is missing, and syncs as soon as
// another peer has it.
//
// Only with `scripts/test --all`.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeChain } from '../lib/made-chain.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
/** The chain's length, and how many of its last blocks the pruned node keeps: the fewest that it may. */
const [BLOCKS, KEPT] = [300, 64];
/** How long a node may take to learn that no peer has the next block, in milliseconds. This, too, only ends hangs. */
const PATIENCE = 180_000;

test('a new node whose only peer is pruned says so, and syncs from a whole one', { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-pruned-'));
	const nodes = [];
	t.after(async () => {
		await Promise.all(nodes.map(({ rpc, node }) => rpc.disconnect().then(() => node.stop())));
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const spec = await writeSpec(folder, {
		verifiers: identities(1),
		parameters: { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
	});
	const made = await makeChain(spec, join(folder, 'whole'), { blocks: BLOCKS, interval: 10, finalizeEvery: 1 });

	/** Starts a node that neither votes nor mines, and knows no peer. */
	async function start(name, ...more) {
		const args = ['--chain', spec, '--no-mdns', '--disable-log-color', '--reserved-only', ...more];
		const node = await LocalNode.start({ basePath: join(folder, name), args });
		const member = { node, rpc: await Rpc.connect(node.url) };
		nodes.push(member);
		return member;
	}

	/** Connects a node to another one. */
	async function connect(from, to) {
		const peerId = await to.rpc.call('system_localPeerId');
		// Both admit reserved peers alone.
		await to.rpc.call('system_addReservedPeer', `/ip4/127.0.0.1/tcp/${from.node.peerPort}/p2p/${await from.rpc.call('system_localPeerId')}`);
		await from.rpc.call('system_addReservedPeer', `/ip4/127.0.0.1/tcp/${to.node.peerPort}/p2p/${peerId}`);
	}

	const whole = await start('whole');
	const pruned = await start('pruned', '--blocks-pruning', String(KEPT));
	await connect(pruned, whole);
	await until('the pruned node has the chain', async () => (await pruned.rpc.finalized()).number >= BLOCKS - 1, PATIENCE);
	assert.equal((await pruned.rpc.best()).hash, made.best.hash);
	assert.equal(await pruned.rpc.call('chain_getBlock', await whole.rpc.hashAt(1)), null, 'it has deleted block 1');

	const fresh = await start('fresh');
	await connect(fresh, pruned);
	const said = /no peer (?:keeps|has)[^\n]*block #?1\b[^\n]*/;
	const [line] = await until('the new node says what is missing', () => said.exec(fresh.node.logTail(10_000)), PATIENCE);
	t.diagnostic(line);
	assert.equal((await fresh.rpc.best()).number, 0);
	// The pruned node has done nothing wrong.
	assert.equal((await fresh.rpc.call('system_health')).peers, 1);

	await connect(fresh, whole);
	await until('the new node has the chain', async () => (await fresh.rpc.best()).number >= BLOCKS, PATIENCE);
	assert.equal((await fresh.rpc.best()).hash, made.best.hash);
	assert.notEqual(await fresh.rpc.call('chain_getBlock', await fresh.rpc.hashAt(1)), null, 'it has block 1');
});
