// SPDX-License-Identifier: Apache-2.0

// Tests a node that joins late: it syncs a chain of 2,000 blocks with forks, and survives `kill -9` twenty times in a
// row during the sync.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Link } from '../lib/link.mjs';
import { makeChain } from '../lib/made-chain.mjs';
import { LocalNode } from '../lib/node.mjs';
import { randomNumbers } from '../lib/random.mjs';
import { Rpc, TIMEOUT } from '../lib/rpc.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 900_000;
const BLOCKS = 2000;
const INTERVAL = 10;
const KILLS = 20;
/** The maximum number of blocks to sync before the next kill. */
const MAX_BETWEEN_KILLS = 40;
/** The seed that determines the times of the kills and the chain's forks. */
const SEED = 20260101;
/** How often to poll a syncing node, in milliseconds. (It reports no new heads while it syncs.) */
const POLL_INTERVAL = 5;
/** The storage key of the block number: twox128("System") and twox128("Number"). */
const NUMBER_KEY = '0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac';
/** The storage key of the runtime's code. */
const CODE_KEY = '0x3a636f6465';

/** Resolves with the best block when it has at least this number. */
async function syncedTo(node, rpc, number) {
	for (const end = performance.now() + TIMEOUT; performance.now() < end; ) {
		const best = await rpc.best();
		if (best.number >= number) return best;
		await pause(POLL_INTERVAL);
	}
	throw new Error(`block ${number} was not reached; the end of the log:\n${node.logTail(30)}`);
}

/** Follows the parents from a block down to number `to`, and returns that header's hash. */
async function walkDown(rpc, hash, to) {
	let header = await rpc.header(hash);
	while (header.number > to) {
		const parent = await rpc.header(header.parentHash);
		assert.equal(parent.number, header.number - 1);
		header = parent;
	}
	return header.hash;
}

test('syncing a chain of 2,000 blocks with forks', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-sync-'));
	const nodes = [];
	const connections = [];
	t.after(async () => {
		for (const rpc of connections) await rpc.disconnect();
		for (const node of nodes) await node.stop();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const connect = async (node) => {
		const rpc = await Rpc.connect(node.url);
		connections.push(rpc);
		return rpc;
	};
	// No node votes or mines. The only thing that matters is how much of the made chain each node has.
	const spec = await writeSpec(folder, {
		verifiers: identities(4),
		parameters: {
			genesisDifficulty: '0x1000',
			minimumDifficulty: '0x400',
			genesisTimestamp: Math.floor(Date.now() / 1000) - 2 * BLOCKS * INTERVAL,
		},
		// Otherwise the source would learn a node's address and connect to it itself.
		chainType: { Custom: 'Test' },
	});
	const start = async (name, more = []) => {
		const args = ['--chain', spec, '--no-mdns', '--disable-log-color', ...more];
		const node = await LocalNode.start({ basePath: join(folder, name), args });
		nodes.push(node);
		return node;
	};

	const made = await makeChain(spec, join(folder, 'source'), {
		...{ blocks: BLOCKS, interval: INTERVAL, forkEvery: 10, seed: SEED },
	});
	t.diagnostic(`made: ${JSON.stringify(made)}`);
	assert.equal(made.best.number, BLOCKS);
	assert.ok(made.forks > 0 && made.uncles > 0);

	const source = await start('source');
	const sourceRpc = await connect(source);
	const top = await sourceRpc.best();
	assert.equal(top.hash, made.best.hash);
	const peerId = await sourceRpc.call('system_localPeerId');
	const from = (port) => ['--bootnodes', `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`];

	await t.test('a fresh node ends with the same chain', async (t) => {
		const node = await start('fresh', from(source.peerPort));
		const rpc = await connect(node);
		const best = await syncedTo(node, rpc, BLOCKS);
		assert.equal(best.hash, top.hash);
		assert.equal(await walkDown(rpc, best.hash, 0), await sourceRpc.hashAt(0));
		t.diagnostic(`${((performance.now() - node.startedAt) / 1000).toFixed(1)} s from its start`);
		await node.stop();
	});

	await t.test(`a node that is killed ${KILLS} times during the sync recovers`, async (t) => {
		const random = randomNumbers(SEED);
		// The node syncs only while this process waits for the next kill, however long what is between takes.
		const link = await Link.to(() => source.peerPort);
		t.after(() => link.close());
		link.open();
		const slowly = ['--max-blocks-per-request', '8', '--max-parallel-downloads', '1'];
		const node = await start('killed', [...from(link.port), ...slowly]);
		const bests = [];
		for (let kill = 0; kill < KILLS; kill++) {
			const rpc = await Rpc.connect(node.url);
			const { number } = await syncedTo(node, rpc, (await rpc.best()).number + 1 + random(MAX_BETWEEN_KILLS));
			assert.ok(number < BLOCKS, `the sync was over before kill ${kill + 1} of ${KILLS}`);
			bests.push(number);
			await node.down();
			await rpc.disconnect();
			link.hold();
			await node.up();

			const again = await Rpc.connect(node.url);
			const best = await again.best();
			const state = await again.call('state_getStorage', NUMBER_KEY, best.hash);
			assert.equal(Buffer.from(state.slice(2), 'hex').readUInt32LE(), best.number, 'the best block has its state');
			assert.ok((await again.call('state_getStorageSize', CODE_KEY, best.hash)) > 0);
			// A kill can only damage the latest writes. Everything else is checked at the end.
			const down = Math.max(0, best.number - 2 * MAX_BETWEEN_KILLS);
			assert.equal(await walkDown(again, best.hash, down), await sourceRpc.hashAt(down));
			await again.disconnect();
			link.release();
		}
		t.diagnostic(`killed at ${bests}`);
		const rpc = await connect(node);
		const best = await syncedTo(node, rpc, BLOCKS);
		assert.equal(best.hash, top.hash);
		assert.equal(await walkDown(rpc, best.hash, 0), await sourceRpc.hashAt(0));
	});
});
