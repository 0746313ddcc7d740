// SPDX-License-Identifier: Apache-2.0

// Tests a client that follows the chain by chainHead while no block becomes final: more blocks wait than Substrate's 128. With
// ISTHMUS_LONG=1 (scripts/test --all) it also asks archive, and then a verifier comes back, and all blocks become final at once.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WsProvider } from '@polkadot/api';
import { makeChain } from '../lib/made-chain.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { identities, installKeys, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** How many blocks wait for finality. */
const BLOCKS = Number(process.env.BLOCKS ?? 300);
const INTERVAL = 10;
/** How many blocks behind the best one a verifier votes. */
const BEHIND = 3;
const [alice] = identities(1);
/** The storage key of the block number: twox128("System") and twox128("Number"). */
const NUMBER = '0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac';

const folder = mkdtempSync(join(tmpdir(), 'isthmus-stall-'));
let spec, miner, archive, node, verifier, provider;

/** Starts a node that gets the chain from the miner. */
async function follower(name, ...args) {
	const rpc = await Rpc.connect(miner.url);
	const peer = `/ip4/127.0.0.1/tcp/${miner.peerPort}/p2p/${await rpc.call('system_localPeerId')}`;
	await rpc.disconnect();
	const chain = ['--chain', spec, '--no-mdns', '--bootnodes', peer];
	return LocalNode.start({ basePath: join(folder, name), args: [...chain, ...args] });
}

/** A subscription to `chainHead_v1_follow`. */
class Follow {
	events = [];

	static async start() {
		const follow = new Follow();
		const onEvent = (error, event) => follow.events.push(error ? { event: 'error', error } : event);
		follow.id = await provider.subscribe('chainHead_v1_followEvent', 'chainHead_v1_follow', [false], onEvent);
		return follow;
	}

	/** Returns the events with this name. */
	all(name) {
		return this.events.filter(({ event }) => event === name);
	}

	/** Resolves when the events are as expected; fails if the node ends the subscription. */
	async until(what, probe) {
		return until(what, () => {
			assert.deepEqual([...this.all('stop'), ...this.all('error')], []);
			return probe();
		});
	}

	/** Reads a storage value of a pinned block. */
	async storage(hash, key) {
		const items = [{ key, type: 'value' }];
		const { result, operationId } = await provider.send('chainHead_v1_storage', [this.id, hash, items, null]);
		assert.equal(result, 'started');
		const ours = () => this.events.filter((event) => event.operationId === operationId);
		await this.until('the value', () => ours().some(({ event }) => event === 'operationStorageDone'));
		return ours().find(({ event }) => event === 'operationStorageItems').items[0].value;
	}
}

before(
	async () => {
		spec = await writeSpec(folder, {
			verifiers: [alice],
			parameters: {
				...{ genesisDifficulty: '0x40', minimumDifficulty: '0x40' },
				genesisTimestamp: Math.floor(Date.now() / 1000) - 2 * BLOCKS * INTERVAL,
			},
		});
		const basePath = join(folder, 'miner');
		await makeChain(spec, basePath, { blocks: BLOCKS, interval: INTERVAL, forkEvery: 20, timeout });
		const mine = ['--mine', '--force-authoring', '--beneficiary', alice.account, '--hash-rate', '100'];
		miner = await LocalNode.start({ basePath, args: ['--chain', spec, '--no-mdns', ...mine] });
		// A made chain has the states of a default node, and archive is answered by one that keeps all.
		if (!skip) archive = await follower('archive', '--state-pruning', 'archive', '--blocks-pruning', 'archive');
		node = archive ?? miner;
		provider = new WsProvider(node.url);
		await provider.isReady;
		const height = async () => Number((await provider.send('chain_getHeader', [])).number);
		await until('it has the chain', async () => (await height()) >= BLOCKS);
	},
	{ timeout },
);
after(async () => {
	await provider?.disconnect();
	for (const each of [verifier, archive, miner]) await each?.stop();
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('a client that comes while blocks wait follows the chain', { timeout }, async (t) => {
	const finalized = await provider.send('chain_getFinalizedHead', []);
	assert.equal(finalized, await provider.send('chain_getBlockHash', [0]));
	const last = await provider.send('chain_getBlockHash', [BLOCKS]);
	const follow = await Follow.start();

	await t.test('it is told of all blocks, and of new ones', async () => {
		await follow.until('the best block', () => follow.all('bestBlockChanged').length > 0);
		const { length } = follow.all('newBlock');
		assert.ok(length >= BLOCKS, `${length} blocks`);
		await follow.until('a new block', () => follow.all('newBlock').length > length);
	});
	await t.test('it reads their states', async () => {
		const number = Buffer.alloc(4);
		number.writeUInt32LE(BLOCKS);
		assert.equal(await follow.storage(last, NUMBER), `0x${number.toString('hex')}`);
		const header = await provider.send('chainHead_v1_header', [follow.id, last]);
		assert.ok(header.length > 2);
	});
	await t.test('archive knows them', { skip }, async () => {
		assert.equal(await provider.send('archive_v1_finalizedHeight', []), 0);
		assert.ok((await provider.send('archive_v1_hashByHeight', [BLOCKS])).includes(last));
		assert.ok((await provider.send('archive_v1_body', [last])).length > 0);
		const call = await provider.send('archive_v1_call', [last, 'BlockAuthorApi_author', '0x']);
		assert.deepEqual([call.success, call.value.length], [true, 2 + 64]);
	});
	await t.test('when a verifier is back, they become final, and the client goes on', { skip }, async () => {
		await installKeys(spec, join(folder, 'verifier'), alice);
		// It has the blocks before it votes. Substrate ends the subscription of a client that came while more than 16 blocks
		// waited if the block that was the best one then becomes final later than 16 others.
		const best = follow.all('bestBlockChanged')[0].bestBlockHash;
		const isFinalNext = async (rpc) => {
			const { number } = await rpc.header(best).catch(() => ({ number: Infinity }));
			return (await rpc.best()).number >= number + BEHIND;
		};
		verifier = await follower('verifier');
		const rpc = await Rpc.connect(verifier.url);
		await follow.until('the verifier has the chain', () => isFinalNext(rpc));
		await rpc.disconnect();
		await verifier.stop();
		verifier = await follower('verifier', '--validator');
		const final = () => follow.all('finalized').flatMap(({ finalizedBlockHashes }) => finalizedBlockHashes);
		await follow.until('finality', () => final().length >= BLOCKS - BEHIND);
		const { length } = follow.all('newBlock');
		await follow.until('a new block', () => follow.all('newBlock').length > length);
		// No block was told of twice.
		const hashes = follow.all('newBlock').map(({ blockHash }) => blockHash);
		assert.equal(new Set(hashes).size, hashes.length);
		assert.equal(await provider.send('chainHead_v1_unpin', [follow.id, final()]), null);
	});
});
