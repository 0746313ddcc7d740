// SPDX-License-Identifier: Apache-2.0

// Measures how many requests for access, and how many grants that answer them, a second a node takes into blocks. Twenty
// owners have a dataset each, and twenty readers ask each of them for it, as often as the chain lets them.

import { EncryptionSecret, MasterSecret, Range, sealGrant } from './envelope.mjs';
import { fund, included, sign, submit } from './load.mjs';
import { LocalNode, processorTime } from './node.mjs';
import { Rpc } from './rpc.mjs';
import { Client, hex, requestDigest } from './sharing.mjs';

/** How many owners there are, and how many readers. */
const ACCOUNTS = 20;
const OWNERS = Array.from({ length: ACCOUNTS }, (_, index) => `//Owner//${index}`);
const READERS = Array.from({ length: ACCOUNTS }, (_, index) => `//Reader//${index}`);
/** What each of them receives first, in the smallest unit: deposits and fees. */
const FUNDS = 1_000_000_000_000_000n;
/** How long each grant lasts, in blocks. */
const TERM = 1000;
/** How many leaves each grant opens. */
const LEAVES = 100;
/** How many grants a reader may have on an epoch (`dataSharing.maxGrantsPerReader`). */
const PER_READER = 16;

const [total = ACCOUNTS ** 2 * PER_READER, rounds = 3] = process.argv.slice(2).map(Number);
const each = Math.ceil(total / ACCOUNTS);
if (!(each > 0 && each <= ACCOUNTS * PER_READER)) throw new Error(`up to ${ACCOUNTS ** 2 * PER_READER} requests`);

/** The range that a reader asks an owner for with its `nth` request: no two are the same. */
function scopeOf(dataset, nth) {
	return { dataset, epoch: 0, from: nth, to: nth + LEAVES };
}

/** Returns a new public key, as a reader makes for a request. */
async function freshKey() {
	return (await EncryptionSecret.generate().fresh()).publicKey();
}

/** Makes the producers and their datasets. Returns the datasets' numbers. */
async function prepare(client) {
	await fund(client, '//Alice', [...OWNERS, ...READERS], FUNDS);
	const { dataSharing, utility } = client.api.tx;
	return Promise.all(OWNERS.map(async (secret) => {
		const calls = [dataSharing.register('Business', secret.slice(2)), dataSharing.createDataset('data')];
		const done = await client.submit(client.account(secret), utility.batchAll(calls));
		return done.event('dataSharing', 'DatasetCreated').dataset.toNumber();
	}));
}

/** Signs the requests: each reader asks one owner after the other, and each begins with another one. */
async function signRequests(client, datasets) {
	const key = hex((await freshKey()).toBytes());
	const owners = OWNERS.map((secret) => client.account(secret).address);
	return sign(client, READERS, each, (index, reader) => {
		const owner = (reader + index) % ACCOUNTS;
		const scope = scopeOf(datasets[owner], Math.floor(index / ACCOUNTS));
		return client.api.tx.dataSharing.requestAccess(owners[owner], scope, 'benchmark', 'Unspecified', TERM, 0, false, key);
	});
}

/**
 * Signs the grants that answer all requests. What is sealed is sealed once: the chain cannot open it, and sees only its
 * length.
 */
async function signGrants(client) {
	const { api } = client;
	const open = new Map(OWNERS.map((secret) => [client.account(secret).address, []]));
	for (const [key, request] of await api.query.dataSharing.requests.entries()) {
		const found = request.unwrap();
		open.get(found.owner.toString()).push({ id: key.args[0].toNumber(), found });
	}
	const expiry = (await api.rpc.chain.getHeader()).number.toNumber() + 2 * TERM;
	const root = await MasterSecret.generate().epochRoot(client.epochId(client.account(OWNERS[0]).publicKey, scopeOf(0, 0)));
	const scope = { grantee: client.account(READERS[0]).publicKey, range: new Range(0, LEAVES), expiry };
	const sealed = hex(await sealGrant(root, scope, await freshKey()));
	const lists = [...open.values()];
	return sign(client, OWNERS, each, (index, owner) => {
		const { id, found } = lists[owner][index];
		const answered = { id, digest: requestDigest(found) };
		return api.tx.dataSharing.addAuthorize(found.consumer, found.scope, expiry, null, sealed, answered, null);
	});
}

/** Submits signed transactions and waits until blocks include them. */
async function measure(what, node, rpc, batches) {
	const [first, before] = [await rpc.best(), processorTime(node)];
	const sent = await submit([rpc], batches);
	const rest = await included(node.url, batches);
	const [last, after] = [await rpc.best(), processorTime(node)];
	const seconds = sent.seconds + rest.seconds;
	console.log(
		`${what.padEnd(8)}  ${(sent.accepted / seconds).toFixed(0).padStart(5)}/s: ${sent.accepted} in ${seconds.toFixed(1)} s and ` +
			`${last.number - first.number} blocks, ${(after - before).toFixed(1)} s of a core, missing: ${rest.missing}`,
	);
	return sent.accepted / seconds;
}

const rates = { requests: [], grants: [] };
for (let round = 0; round < rounds; round++) {
	const node = await LocalNode.start({ args: ['--dev', '--heartbeat', '1'] });
	const client = await Client.connect(node.url);
	const rpc = await Rpc.connect(node.url);
	try {
		const datasets = await prepare(client);
		rates.requests.push(await measure('requests', node, rpc, await signRequests(client, datasets)));
		rates.grants.push(await measure('grants', node, rpc, await signGrants(client)));
		const granted = (await client.api.query.dataSharing.grants.keys()).length;
		if (granted !== each * ACCOUNTS) throw new Error(`${granted} grants are on the chain, of ${each * ACCOUNTS}`);
	} finally {
		await rpc.disconnect();
		await client.disconnect();
		await node.stop();
	}
}
for (const [what, all] of Object.entries(rates)) {
	console.log(`${what.padEnd(8)}  ${all.sort((a, b) => a - b)[Math.floor(rounds / 2)].toFixed(0).padStart(5)}/s, the median of ${rounds}`);
}
process.exit(0);
