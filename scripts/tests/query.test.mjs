// SPDX-License-Identifier: Apache-2.0

// Tests signed queries and large records: authorised readers read a record's chunks page by page, and everyone else is
// refused, with a code for each reason.

import { Keyring } from '@polkadot/api';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { contentHash, EncryptionKeyPair, Encryptor, Manifest, MasterSecret } from '../lib/envelope.mjs';
import { EpochOver, FileChanged, readChunks, storeFile } from '../lib/large.mjs';
import { LocalNode } from '../lib/node.mjs';
import { queryMessage } from '../lib/query.mjs';
import { until } from '../lib/rpc.mjs';
import { Client, hex, recordKey } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const vectors = JSON.parse(readFileSync(new URL('../../primitives/sharing/vectors.json', import.meta.url)));
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'));
const plainHex = (data) => Buffer.from(data).toString('hex');

const master = MasterSecret.generate();
const pair = EncryptionKeyPair.generate();
const SMALL = Buffer.from('a small value');
const [small, outside, large, started, gone] = ['small', 'outside', 'large', 'started', 'gone'].map(recordKey);
/** The records of dataset 0. The company may read leaves 0 to 9; `outside` is at leaf 10. */
const SCOPE = { dataset: 0, epoch: 0, from: 0, to: 10 };
const CHUNK = 100_000;
const FILE = Buffer.alloc(3 * CHUNK - 1).map((_, i) => (i * 7) ^ (i >> 8));

let node, client, school, company, stranger, folder, file, early;

const place = (key, leaf, dataset = 0) => ({ dataset, epoch: 0, leaf, key });

const startNode = () =>
	LocalNode.start({ args: ['--dev', '--blocks-pruning', '64'], basePath: join(folder, 'node') });

before(
	async () => {
		folder = mkdtempSync(join(tmpdir(), 'isthmus-query-'));
		file = join(folder, 'file');
		writeFileSync(file, FILE);
		// The node keeps as few blocks as possible, so that a later test can see some of them being pruned.
		node = await startNode();
		client = await Client.connect(node.url);
		[school, company, stranger] = ['//Bob', '//Charlie', '//Dave'].map((s) => client.account(s));
		await Promise.all([
			client.register(school, 'School', 'Demo school'),
			...['records', 'until a date', 'revoked'].map((name) => client.createDataset(school, name)),
			client.store(school, master, place(small, 0), SMALL),
			client.store(school, master, place(outside, 10), SMALL),
			client.store(school, master, place(gone, 1), Buffer.from('only here')),
			client.setEncryptionKey(company, await pair.publicKey()),
		]);
		await client.authorize(school, master, company.address, SCOPE, { term: 1_000 });
		// Sign this query now, so that it becomes old while the other tests make blocks.
		early = await sign();
	},
	{ timeout },
);
after(async () => {
	await client?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

/** Signs a query, by default as the company and for the small record. */
const sign = (key = small, signer = company, method = 'sharing_query', page = {}) =>
	client.signQuery(signer, method, school.address, key, page);

const refused = (promise, name, code, message) => assert.rejects(promise, { name, code, message });

async function withFile(path, use) {
	const handle = await open(path);
	try {
		return await use(handle);
	} finally {
		await handle.close();
	}
}

async function collect(chunks) {
	const parts = [];
	for await (const part of chunks) parts.push(part);
	return Buffer.concat(parts);
}

test('the test vectors for manifests and signed queries pass', { timeout }, async () => {
	for (const vector of vectors.manifests) {
		const hashes = vector.chunks.map((chunk) => contentHash(bytes(chunk.bytes)));
		assert.deepEqual(hashes.map(plainHex), vector.chunks.map(({ hash }) => hash));
		const manifest = new Manifest(bytes(vector.header), hashes);
		assert.equal(plainHex(manifest.toBytes()), vector.manifest);
		assert.equal(plainHex(contentHash(manifest.toBytes())), vector.manifestHash);
		assert.deepEqual(Manifest.read(bytes(vector.manifest), hashes.length), manifest);
		const tree = await manifest.tree();
		assert.equal(plainHex(tree.root), vector.root);
		for (const [i, { proof }] of vector.chunks.entries()) assert.deepEqual(tree.proof(i).map(plainHex), proof);
	}
	for (const { error, manifest, chunks } of vectors.refusedManifests) {
		assert.throws(() => Manifest.read(bytes(manifest), chunks), { name: error });
	}
	for (const vector of vectors.queries) {
		const [genesis, caller, owner, key, nonce] = ['genesis', 'caller', 'owner', 'key', 'nonce'].map((name) =>
			bytes(vector[name]),
		);
		const message = queryMessage({ ...vector, genesis, caller, owner, key, nonce });
		assert.equal(plainHex(message), vector.message);
	}
});

test('an authorised reader finds a record and gets its bytes', { timeout }, async () => {
	const answer = await client.signedQuery(company, school.address, small);
	const { dataset, epoch, leaf, chunks, arrived, payload, manifest } = answer;
	assert.deepEqual({ dataset, epoch, leaf, chunks, arrived, manifest }, {
		...{ dataset: 0, epoch: 0, leaf: 0 },
		...{ chunks: 1, arrived: 1, manifest: null },
	});
	assert.equal(payload.kind, 'value');
	const [sealed] = await client.signedChunks(company, school.address, small, 0, 1);
	assert.equal(sealed.length, answer.length);
	client.checkContent(sealed, answer.contentHash);
	const keys = await client.openKeys({ caller: company.address, owner: school.address, answer, pair });
	const plain = await client.decrypt(await keys.leafKey(leaf), school.address, small, sealed);
	assert.deepEqual(Buffer.from(plain), SMALL);
	// The owner needs no grant.
	assert.equal((await client.signedQuery(school, school.address, outside)).grant, null);
});

test('a file is stored in chunks, and authorised readers read it', { timeout }, async () => {
	const progress = [];
	await withFile(file, (handle) =>
		storeFile(client, school, master, place(large, 2), handle, {
			chunkSize: CHUNK,
			onChunk: (arrived, chunks) => progress.push(`${arrived}/${chunks}`),
		}),
	);
	assert.deepEqual(progress, ['1/3', '2/3', '3/3']);
	const answer = await client.signedQuery(company, school.address, large);
	assert.equal(answer.payload.kind, 'chunks');
	assert.deepEqual([answer.chunks, answer.arrived, answer.length], [3, 3, FILE.length + 3 * 16]);
	assert.equal(plainHex((await answer.manifest.tree()).root), answer.payload.root.slice(2));
	assert.deepEqual(await collect(client.readLarge(company, pair, school.address, large)), FILE);
	// The owner reads it too, one chunk per page.
	const root = await master.epochRoot(client.epochId(school.publicKey, place(large, 2)));
	const leafKey = () => root.leafKey(2);
	const own = readChunks(client, school, school.address, large, leafKey, { pageChunks: 1 });
	assert.deepEqual(await collect(own), FILE);
	// A page starts and ends where the reader wants.
	assert.equal((await client.signedChunks(company, school.address, large, 1, 1)).length, 1);
	assert.equal((await client.signedChunks(company, school.address, large, 1, 100)).length, 2);
});

/** Encrypts the file as an upload to this place does. */
async function encrypted(at) {
	const root = await master.epochRoot(client.epochId(school.publicKey, at));
	const context = client.recordContext(school.address, at.key);
	const encryptor = await Encryptor.create(await root.leafKey(at.leaf), context, CHUNK, FILE.length);
	const sealed = [];
	for (let i = 0; i < 3; i++) sealed.push(await encryptor.encryptChunk(FILE.subarray(i * CHUNK, (i + 1) * CHUNK)));
	const manifest = new Manifest(encryptor.header.toBytes(), sealed.map(contentHash));
	const record = { length: FILE.length + 3 * 16, chunkSize: CHUNK + 16, manifest: manifest.toBytes() };
	return { sealed, tree: await manifest.tree(), record };
}

test('an interrupted upload resumes, but only with the same file', { timeout }, async () => {
	const at = place(started, 3);
	const { sealed, tree, record } = await encrypted(at);
	await client.openRecord(school, at, record);
	await client.storeChunk(school, started, 0, tree.proof(0), sealed[0]);
	const batch = client.api.tx.utility.batchAll([
		client.api.tx.dataSharing.storeChunk(hex(started), 1, tree.proof(1).map(hex), hex(sealed[1])),
	]);
	await Promise.all([
		assert.rejects(client.storeChunk(school, started, 2, tree.proof(2), sealed[2]), { name: 'NotNextChunk' }),
		assert.rejects(client.storeChunk(school, started, 1, tree.proof(2), sealed[1]), { name: 'ChunkNotInManifest' }),
		assert.rejects(client.submit(school, batch), { name: 'MustBeDirect' }),
	]);

	await refused(client.signedQuery(company, school.address, started), 'Incomplete', 7110, /all its chunks/);
	const mine = await client.signedQuery(school, school.address, started);
	assert.deepEqual([mine.arrived, mine.chunks], [1, 3]);
	await refused(client.signedChunks(school, school.address, started, 1, 1), 'NoSuchChunk', 7111, /stored chunks of this record: 1\b/);

	const changed = join(folder, 'changed');
	writeFileSync(changed, Buffer.from(FILE).fill(0, CHUNK, CHUNK + 1));
	const store = (path) => withFile(path, (handle) => storeFile(client, school, master, at, handle));
	await assert.rejects(store(changed), FileChanged);
	await store(file);
	assert.deepEqual(await collect(client.readLarge(company, pair, school.address, started)), FILE);
});

test('an upload waits for what was sent before', { timeout }, async () => {
	const at = place(recordKey('on its way'), 7);
	const { sealed, tree, record } = await encrypted(at);
	const accepted = async () => (await client.api.rpc.system.accountNextIndex(school.address)).toNumber();
	const before = await accepted();
	// As a program that was killed leaves it: the node has both, and they may be in no block yet.
	const sent = [client.openRecord(school, at, record), client.storeChunk(school, at.key, 0, tree.proof(0), sealed[0])];
	await until('the node has the first two transactions', async () => (await accepted()) === before + 2);
	const arrived = [];
	await withFile(file, (handle) => storeFile(client, school, master, at, handle, { onChunk: (chunks) => arrived.push(chunks) }));
	await Promise.all(sent);
	assert.deepEqual(arrived, [2, 3]);
	assert.deepEqual(await collect(client.readLarge(company, pair, school.address, at.key)), FILE);
});

test('an upload that began in an epoch that is over is not resumed, unless it has to be', { timeout }, async () => {
	const created = await client.createDataset(school, 'resumed');
	const dataset = created.event('dataSharing', 'DatasetCreated').dataset.toNumber();
	const at = { ...place(recordKey('resumed'), 5), dataset };
	const whole = { chunkSize: CHUNK, onChunk: () => assert.fail('nothing is sent') };
	// Only the manifest is stored: the file is gone when its chunks are sent.
	const vanishing = await withFile(file, async (handle) => {
		const once = { stat: () => handle.stat(), reads: 0 };
		once.read = (...args) => (once.reads++ < 3 ? handle.read(...args) : { bytesRead: 0 });
		return storeFile(client, school, master, at, once, whole).catch((error) => error);
	});
	assert.ok(vanishing instanceof FileChanged, vanishing.stack);
	await client.submit(school, client.api.tx.dataSharing.startEpoch(dataset));
	// The caller names the new epoch and another leaf, but the upload stays where it began.
	const elsewhere = { ...at, epoch: 1, leaf: 6 };
	const store = (options) => withFile(file, (handle) => storeFile(client, school, master, elsewhere, handle, options));
	await assert.rejects(store(whole), EpochOver);
	await store({ inEndedEpoch: true });
	const leafKey = async ({ dataset, epoch, leaf }) => {
		assert.deepEqual([dataset, epoch, leaf], [at.dataset, 0, 5]);
		return (await master.epochRoot(client.epochId(school.publicKey, { dataset, epoch }))).leafKey(leaf);
	};
	assert.deepEqual(await collect(readChunks(client, school, school.address, at.key, leafKey)), FILE);
});

test('an upload stops when its epoch ends', { timeout }, async () => {
	const created = await client.createDataset(school, 'stopped');
	const dataset = created.event('dataSharing', 'DatasetCreated').dataset.toNumber();
	const at = { ...place(recordKey('stopped'), 0), dataset };
	// Far more chunks than are in flight.
	const [long, bytes] = [join(folder, 'long'), Buffer.alloc(64 * 1024, 7)];
	writeFileSync(long, bytes);
	let ended;
	const onChunk = () => (ended ??= client.submit(school, client.api.tx.dataSharing.startEpoch(dataset)));
	const store = (options) => withFile(long, (handle) => storeFile(client, school, master, at, handle, { chunkSize: 1024, ...options }));
	await assert.rejects(store({ onChunk }), EpochOver);
	await ended;
	const { arrived, chunks } = await client.largePayload(school.address, at.key);
	assert.ok(arrived < chunks, `${arrived} of ${chunks}`);
	await store({ inEndedEpoch: true });
});

test('unauthorised queries are refused, each with its own code', { timeout }, async () => {
	const { address: owner } = school;
	const flip = (request) => {
		const last = request.signature.at(-1) === '0' ? '1' : '0';
		return { ...request, signature: request.signature.slice(0, -1) + last };
	};
	const forged = await sign();
	await refused(client.sendQuery({ ...forged, request: flip(forged.request) }), 'Forged', 7101, /signature/);
	const other = { ...forged.request, key: hex(large) };
	await refused(client.sendQuery({ ...forged, request: other }), 'Forged', 7101, /signature/);
	const impersonated = { ...(await sign(small, stranger)).request, caller: company.address };
	await refused(client.sendQuery({ ...forged, request: impersonated }), 'Forged', 7101, /signature/);
	// A refusal as forged does not use up the nonce.
	await client.sendQuery(forged);
	await refused(client.sendQuery(forged), 'Replayed', 7102, /nonce/);

	const elsewhere = { ...(await sign()).request, genesis: hex(new Uint8Array(32)) };
	await refused(client.sendQuery({ ...forged, request: elsewhere }), 'WrongChain', 7104, /0x0000/);
	await refused(client.signedQuery(company, owner, recordKey('none')), 'UnknownRecord', 7105, /no record/);
	await refused(client.signedQuery(stranger, owner, small), 'NotAuthorised', 7106, /no grant/);
	await refused(client.signedChunks(stranger, owner, small, 0, 1), 'NotAuthorised', 7106, /no grant/);
	await refused(client.signedQuery(company, owner, outside), 'OutOfRange', 7107, /outside the range/);
	await refused(client.signedChunks(company, owner, small, 1, 1), 'NoSuchChunk', 7111, /no chunk 1/);

	for (const change of [{ nonce: '0x00' }, { signature: '0x01' }, { owner: 'unknown' }]) {
		const request = { ...(await sign()).request, ...change };
		await assert.rejects(client.sendQuery({ ...forged, request }), { code: -32602 });
	}
	await assert.rejects(client.signedChunks(company, owner, small, 0, 0), { code: -32602 });
});

test("a wallet's signature and other kinds of signatures are accepted", { timeout }, async () => {
	const { method, request } = await sign();
	const message = queryMessage({
		method,
		genesis: client.genesis,
		caller: company.publicKey,
		owner: school.publicKey,
		key: small,
		block: request.block,
		nonce: bytes(request.nonce.slice(2)),
	});
	const wrapped = Buffer.concat([Buffer.from('<Bytes>'), message, Buffer.from('</Bytes>')]);
	const signature = hex(company.sign(wrapped, { withType: true }));
	assert.equal((await client.sendQuery({ method, request: { ...request, signature } })).leaf, 0);
	// A stranger with another kind of key: the signature is valid, but the grant is missing.
	const other = new Keyring({ type: 'ed25519' }).addFromUri('//Dave');
	await refused(client.sendQuery(await sign(small, other)), 'NotAuthorised', 7106, /no grant/);
});

test('no call begins as a signed query does', { timeout }, () => {
	// A signature for a query is none for a transaction, whose signed bytes begin with the index of a pallet. What a wallet
	// signs begins with `<`.
	const pallets = client.api.runtimeMetadata.asLatest.pallets.map(({ index }) => index.toNumber());
	assert.ok(pallets.length > 10);
	const [first] = bytes(vectors.queries[0].message);
	for (const begins of [first, '<'.charCodeAt(0)]) assert.ok(!pallets.includes(begins), String(begins));
});

test('many readers can query at once', { timeout }, async () => {
	const pages = await Promise.all(
		Array.from({ length: 32 }, () => client.signedChunks(company, school.address, large, 0, 3)),
	);
	for (const chunks of pages) assert.deepEqual(chunks, pages[0]);
	// If the same query is sent many times, it is answered only once.
	const same = await sign();
	const outcomes = await Promise.allSettled(Array.from({ length: 16 }, () => client.sendQuery(same)));
	assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
	for (const { reason } of outcomes.filter((outcome) => outcome.status === 'rejected')) {
		assert.equal(reason.name, 'Replayed');
	}
});

/** Submits a transaction, so that a block is made. */
const makeBlock = () => client.submit(stranger, client.api.tx.system.remark('0x00'));

/** Gives the company a grant that ends soon, and returns when: later, if this machine was so busy that it was over too soon. */
async function grantedUntil(scope) {
	for (let seconds = 15; ; seconds *= 2) {
		const until = new Date(Date.now() + seconds * 1000);
		try {
			await client.authorize(school, master, company.address, scope, { term: 1_000, until });
			return until;
		} catch (error) {
			if (error.name !== 'ExpiryPassed') throw error;
		}
	}
}

test('a grant opens nothing after its expiry date, or after it was revoked', { timeout }, async () => {
	const { address: owner } = school;
	const [dated, withdrawn] = ['dated', 'withdrawn'].map(recordKey);
	await Promise.all([
		client.store(school, master, place(dated, 0, 1), SMALL),
		client.store(school, master, place(withdrawn, 0, 2), SMALL),
	]);
	const [until, given] = await Promise.all([
		grantedUntil({ ...SCOPE, dataset: 1 }),
		client.authorize(school, master, company.address, { ...SCOPE, dataset: 2 }, { term: 1_000 }),
	]);
	await client.signedQuery(company, owner, withdrawn);
	const { grant } = given.event('dataSharing', 'Authorized');
	await client.submit(school, client.api.tx.dataSharing.revoke(grant));
	await refused(client.signedQuery(company, owner, withdrawn), 'Revoked', 7109, /revoked/);

	await pause(until.getTime() - Date.now());
	while (Number(await client.api.query.timestamp.now()) < until.getTime()) await makeBlock();
	await refused(client.signedQuery(company, owner, dated), 'Expired', 7108, /expired/);
});

test("requests are listed with the policy's verdict", { timeout }, async () => {
	const consumers = { school: false, government: false, business: false, other: false, unregistered: true };
	await client.setPolicy(school, 0, { price: 5n, longestRange: 10, longestTerm: 100, consumers, purposes: ['research', 'statistics'] });
	const key = await pair.publicKey();
	const request = (to, offer, code = 'research') =>
		client.requestAccess(company, school.address, { ...SCOPE, to }, { purpose: 'study', code, term: 100, key, offer });
	await Promise.all([request(10, 5n), request(9, 4n), request(11, 5n), request(8, 5n, 'marketing')]);
	const { dataSharingApi } = client.api.call;
	const verdicts = {};
	for (let after = null, more = true; more; more = after !== null) {
		const { items, next } = await dataSharingApi.requestsTo(school.address, after, 2);
		assert.ok(items.length <= 2);
		for (const { request, verdict } of items) verdicts[request.scope.to] = verdict.type;
		after = next.isSome ? next.unwrap().toHex() : null;
	}
	assert.deepEqual(verdicts, { 8: 'PurposeNotAllowed', 9: 'OfferTooLow', 10: 'Meets', 11: 'RangeTooLong' });
	const { items } = await dataSharingApi.datasets(school.address, null, 10);
	const policies = items.map(({ id, policy }) => [id.toNumber(), policy.isSome]).sort();
	// The last two datasets are those of the resumed upload and of the one whose epoch ended.
	assert.deepEqual(policies, [[0, true], [1, false], [2, false], [3, false], [4, false]]);
});

test('an old query is stale, and pruned bytes are not served', { timeout }, async () => {
	const recent = await sign();
	// Blocks may come before the node gets it.
	const ahead = { ...recent.request, block: recent.request.block + 100 };
	const message = queryMessage({
		method: recent.method,
		genesis: client.genesis,
		caller: company.publicKey,
		owner: school.publicKey,
		key: small,
		block: ahead.block,
		nonce: bytes(ahead.nonce.slice(2)),
	});
	const signature = hex(company.sign(message, { withType: true }));
	await refused(client.sendQuery({ ...recent, request: { ...ahead, signature } }), 'Stale', 7103, /recent block/);

	const best = async () => (await client.api.rpc.chain.getHeader()).number.toNumber();
	while ((await best()) <= early.request.block + 64) await makeBlock();
	await refused(client.sendQuery(early), 'Stale', 7103, /recent block/);

	// A pruning node drops a block when it has finalized 64 more.
	await client.finalized(await makeBlock());
	// The node has pruned the blocks of the first records by now.
	const { address: owner } = school;
	await client.signedQuery(company, owner, gone);
	await refused(client.signedChunks(company, owner, gone, 0, 1), 'BytesGone', 7112, /another node/);
});

test('a restarted node answers no query a second time', { timeout }, async () => {
	const [answered, other] = [await sign(), await sign()];
	await client.sendQuery(answered);
	await client.disconnect();
	await node.stop();
	node = await startNode();
	client = await Client.connect(node.url);
	await refused(client.sendQuery(answered), 'Stale', 7103, /recent block/);
	// It does not know which queries of that block it answered, so it accepts none of them.
	await refused(client.sendQuery(other), 'Stale', 7103, /recent block/);
	await makeBlock();
	await client.sendQuery(await sign());
});
