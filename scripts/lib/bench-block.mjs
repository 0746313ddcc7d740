// SPDX-License-Identifier: Apache-2.0

// Fills blocks of a development chain with the most expensive calls. Measures their gas, to compare it with the
// block's limit, and how long the runtime's Wasm takes to execute the blocks again.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { program } from './attack-program.mjs';
import { EncryptionKeyPair } from './envelope.mjs';
import { LocalNode } from './node.mjs';
import { gasUsed, powFields } from './pow-header.mjs';
import { Rpc, until } from './rpc.mjs';
import { Client, hex, recordKey } from './sharing.mjs';

const MIB = 1024 * 1024;
/** The maximum number of bytes that normal transactions may fill in a block. */
const NORMAL = 6 * MIB;
/** How many times each block is executed. The median time is reported. */
const ROUNDS = 5;
/** How many readers each dataset has. */
const READERS = [10, 100, 1_000];
/** How many small transactions to send, or small calls to put into a batch. Roughly this number fits into a block. */
const SMALL = 8_000;
/** How many grants to put into a transaction, which may not take up the weight of a whole block. */
const BATCH = 200;
/** The size of the largest grant in bytes. It is for leaves 1 to 2^32 - 2, which 62 nodes of the key tree cover. */
const LARGEST_GRANT = 2_035;
const LEAVES = { from: 1, to: 2 ** 32 - 1 };

const node = await LocalNode.start({
	args: ['--dev', '--rpc-max-request-size', '64', '--rpc-max-response-size', '64', '--pool-limit', '20000'],
});
const client = await Client.connect(node.url);
const rpc = await Rpc.connect(node.url);
const { api } = client;
const { dataSharing, utility, balances, system } = api.tx;
const owner = client.account('//Bob');

/** Signs calls with consecutive nonces; returns the transactions in hex. */
async function sign(signer, calls) {
	const next = (await api.rpc.system.accountNextIndex(signer.address)).toNumber();
	const signed = [];
	for (const [index, call] of calls.entries()) {
		signed.push((await call.signAsync(signer, { era: 0, nonce: next + index })).toHex());
	}
	return signed;
}

/** Sends signed transactions, and waits until all are included; returns the numbers of the blocks. */
async function mine(signed) {
	const { number: before } = await rpc.best();
	for (let at = 0; at < signed.length; at += 500) {
		await Promise.all(signed.slice(at, at + 500).map((one) => rpc.call('author_submitExtrinsic', one)));
	}
	await until('all transactions are included', async () => (await rpc.call('author_pendingExtrinsics')).length === 0);
	const { number: after } = await rpc.best();
	return Array.from({ length: after - before }, (_, index) => before + 1 + index);
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const time = async (call) => {
	const start = performance.now();
	await call();
	return performance.now() - start;
};

/** Measures a block's gas and its execution time in milliseconds, without the time to pass it to the runtime. */
async function measure(number) {
	const hash = await rpc.hashAt(number);
	const { block } = await rpc.call('chain_getBlock', hash);
	const { gasLimit } = powFields(block.header);
	const used = gasUsed(block.header);
	// The runtime executes a block without its seal, which is the last digest item.
	block.header.digest.logs.pop();
	const count = api.registry.createType('Compact<u32>', block.extrinsics.length);
	const bytes = Buffer.concat([
		api.registry.createType('Header', block.header).toU8a(),
		count.toU8a(),
		...block.extrinsics.map((extrinsic) => Buffer.from(extrinsic.slice(2), 'hex')),
	]);
	const call = (method) => rpc.call('state_call', method, hex(bytes), block.header.parentHash);
	const [whole, passing] = [[], []];
	for (let round = 0; round < ROUNDS; round++) {
		whole.push(await time(() => call('Core_execute_block')));
		passing.push(await time(() => call('Nothing_of_this_name').catch(() => undefined)));
	}
	return { number, extrinsics: block.extrinsics.length, bytes: bytes.length, used, gasLimit, ms: median(whole) - median(passing) };
}

/** Prints the figures of the block that used the most gas. */
async function report(what, blocks) {
	const all = [];
	for (const number of blocks) all.push(await measure(number));
	const { number, extrinsics, bytes, used, gasLimit, ms } = all.reduce((most, one) => (one.used > most.used ? one : most));
	if (used > gasLimit) throw new Error(`block ${number} used ${used} gas of ${gasLimit}`);
	console.log(
		`${what.padEnd(44)} block ${String(number).padStart(4)}: ${String(extrinsics).padStart(5)} extrinsics, ${String(bytes).padStart(7)} bytes, ` +
			`gas ${used} of ${gasLimit}, executed in ${ms.toFixed(0)} ms (weighed ${(Number(used) / 10_000).toFixed(0)} ms)`,
	);
}

/** Returns the sizes of values of at most `size` bytes that fill a block. */
function filling(size) {
	const room = NORMAL - 16 * 1024;
	return [...Array(Math.floor(room / size)).fill(size), room % size];
}

try {
	await client.register(owner, 'School', 'bench');
	for (const readers of READERS) await client.createDataset(owner, `of ${readers}`);
	let leaf = 0;
	const place = () => [hex(recordKey(`record ${leaf}`)), 0, 0, leaf++];

	// These manifests consist of version 1, an empty header, and a hash for each one-byte chunk: see the pallet's
	// `manifest`.
	const manifests = filling(MIB).map((size) => Math.floor((size - 3) / 32));
	const opening = manifests.map((chunks) => {
		const manifest = Buffer.concat([Buffer.from([1, 0, 0]), randomBytes(32 * chunks)]);
		return dataSharing.openRecord(...place(), chunks, 1, hex(manifest));
	});
	await report('open_record, manifests of 1 MiB', await mine(await sign(owner, opening)));

	const values = filling(MIB).map((size) => dataSharing.store(...place(), hex(randomBytes(size))));
	await report('store, values of 1 MiB', await mine(await sign(owner, values)));

	const remarks = Array.from({ length: SMALL }, () => system.remark('0x'));
	await report(`${SMALL} transactions that do nothing`, await mine(await sign(client.account('//Alice'), remarks)));

	// The readers. Each gets funds and an encryption key.
	const readers = Array.from({ length: READERS.at(-1) }, (_, index) => client.account(`//Reader//${index}`));
	const rich = await api.query.system.account(client.account('//Dave').address);
	const funds = rich.data.free.toBigInt() / 2n / BigInt(readers.length);
	await mine(await sign(client.account('//Dave'), [utility.batchAll(readers.map(({ address }) => balances.transferKeepAlive(address, funds)))]));
	const key = hex((await EncryptionKeyPair.generate().publicKey()).toBytes());
	const keys = [];
	for (const reader of readers) keys.push(...(await sign(reader, [dataSharing.setEncryptionKey(key)])));
	await mine(keys);

	const best = await rpc.best();
	for (const [dataset, count] of READERS.entries()) {
		const grants = readers.slice(0, count).map(({ address }) =>
			dataSharing.addAuthorize(address, { dataset, epoch: 0, ...LEAVES }, best.number + 100_000, null, hex(randomBytes(LARGEST_GRANT)), null, null),
		);
		const batches = [];
		for (let at = 0; at < count; at += BATCH) batches.push(utility.batchAll(grants.slice(at, at + BATCH)));
		const blocks = await mine(await sign(owner, batches));
		await report(`add_authorize for ${count} readers`, blocks);
		const grant = (await api.query.dataSharing.nextGrant()).toNumber() - 1;

		const { number: before } = await rpc.best();
		const started = performance.now();
		const { status, stderr } = spawnSync(program('isthmus'), ['revoke', String(grant), '--key', '//Bob', '--url', node.url], { encoding: 'utf8' });
		if (status !== 0) throw new Error(`isthmus revoke exited with ${status}: ${stderr}`);
		const took = (performance.now() - started) / 1000;
		const { number: after } = await rpc.best();
		await report(`revoke one, seal again for ${count - 1}`, Array.from({ length: after - before }, (_, index) => before + 1 + index));
		console.log(`${''.padEnd(44)} isthmus revoke took ${took.toFixed(1)} s, with its blocks`);
	}

	const epochs = Array.from({ length: SMALL }, () => dataSharing.startEpoch(0));
	await report(`two batches of ${SMALL} start_epoch`, await mine(await sign(owner, [utility.batchAll(epochs), utility.batchAll(epochs)])));
} finally {
	await rpc.disconnect();
	await client.disconnect();
	await node.stop();
}
