// SPDX-License-Identifier: Apache-2.0

// Tests a block of maximum size: it is mined and reaches four nodes, and all of them import and finalize it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Network, step } from '../lib/network.mjs';
import { until } from '../lib/rpc.mjs';
import { hex, recordKey } from '../lib/sharing.mjs';
import { identities } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 1_800_000;
const MIB = 1024 * 1024;
/** The runtime's limits for the size of a block's body and for the size of its normal transactions, in bytes. */
const MAX_BLOCK = 8 * MIB;
const MAX_NORMAL = 6 * MIB;
/** Room for inherents, signatures and the other arguments of the extrinsics, in bytes. */
const ROOM = 16 * 1024;
/** The maximum number of attempts to get a block that includes all transactions. */
const ATTEMPTS = 20;

/** Returns the size of a body: the number of bytes of its encoded extrinsics. */
function bodySize(block) {
	return block.extrinsics.reduce((sum, extrinsic) => sum + (extrinsic.length - 2) / 2, 0);
}

test('a full block of 8 MiB reaches four nodes', { timeout }, async (t) => {
	// Only Alice mines, so that another node does not mine a smaller block first.
	const [{ account }] = identities(1);
	const network = await Network.start({
		parameters: { genesisDifficulty: '0x2000', minimumDifficulty: '0x2000' },
		args: (index) => [
			...['--rpc-max-response-size', '40'],
			...(index === 0 ? ['--mine', '--beneficiary', account, '--hash-rate', '8000'] : []),
		],
	});
	t.after(() => network.stop());
	const [alice, ...others] = network.members;
	const client = await alice.client();
	const { api } = client;
	const signer = client.account('//Alice');
	const sizes = [MIB, MIB, MIB, MIB, MIB, MAX_NORMAL - 5 * MIB - ROOM];
	let nonce;

	/** Sends a call, which then waits in Alice's pool. It is immortal, so it is valid on every fork. */
	async function send(call) {
		await call.signAsync(signer, { era: 0, nonce });
		nonce += 1;
		return call.send();
	}

	await step(t, network, 'a producer has a dataset', async () => {
		await client.register(signer, 'School', 'A school with much data');
		await client.createDataset(signer, 'large');
		nonce = (await api.rpc.system.accountNextIndex(signer.address)).toNumber();
	});

	/** Collects transactions for a full block in Alice's pool. Alice has no peers meanwhile, so her node does not mine. */
	async function gather(attempt) {
		await network.split([alice], others);
		for (const [index, size] of sizes.entries()) {
			const leaf = attempt * sizes.length + index;
			const key = hex(recordKey(`value ${leaf}`));
			await send(api.tx.dataSharing.store(key, 0, 0, leaf, hex(randomBytes(size))));
		}
		// Normal transactions may fill three quarters of a block. The rest is reserved for operational ones: here, one
		// that removes a very long, non-existent key from the state.
		const long = hex(randomBytes(MAX_BLOCK - MAX_NORMAL - ROOM));
		await send(api.tx.sudo.sudo(api.tx.system.killStorage([long])));
		const pending = async () => (await alice.rpc.call('author_pendingExtrinsics')).length;
		await until('all of them are in the pool', async () => (await pending()) === sizes.length + 1);
	}

	/** Lets Alice mine, and returns the block that includes all of the transactions, if there is one. */
	async function release() {
		const from = (await alice.rpc.best()).number;
		await network.connect(...network.members);
		const isEmpty = async () => (await alice.rpc.call('author_pendingExtrinsics')).length === 0;
		await until('the pool is empty', isEmpty);
		const { number } = await alice.rpc.best();
		for (let at = from + 1; at <= number; at++) {
			const { block } = await alice.rpc.call('chain_getBlock', await alice.rpc.hashAt(at));
			if (block.extrinsics.length > sizes.length) return { at, block };
		}
		return undefined;
	}

	await step(t, network, 'one block holds everything that fits, and all four nodes finalize it', async (t) => {
		// Building a template may take two seconds: on a busy machine, the first one may be incomplete.
		let full;
		for (let attempt = 0; attempt < ATTEMPTS && !full; attempt++) {
			await gather(attempt);
			full = await release();
			t.diagnostic(`attempt ${attempt + 1}: ${full ? `block ${full.at}` : 'spread over several blocks'}`);
		}
		assert.ok(full, 'no block included all of the transactions');
		await network.finalizedFrom(full.at);
		const size = bodySize(full.block);
		t.diagnostic(`block ${full.at} has a body of ${size} bytes, of at most ${MAX_BLOCK}`);
		assert.ok(size > MAX_BLOCK - 4 * ROOM && size <= MAX_BLOCK, `${size} bytes`);
		const hash = await alice.rpc.hashAt(full.at);
		for (const { name, rpc } of others) {
			assert.equal(await rpc.hashAt(full.at), hash, name);
			const { block } = await rpc.call('chain_getBlock', hash);
			assert.deepEqual(block.extrinsics, full.block.extrinsics, name);
		}
		// Every call in the block succeeded.
		const events = await (await api.at(hash)).query.system.events();
		const failed = events.filter(({ event }) => api.events.system.ExtrinsicFailed.is(event));
		assert.equal(failed.length, 0);
		const done = events.filter(({ event }) => api.events.sudo.Sudid.is(event));
		assert.ok(done[0].event.data[0].isOk);
	});
});
