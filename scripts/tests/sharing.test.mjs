// SPDX-License-Identifier: Apache-2.0

// Tests sharing data on a running chain: granted data can be read, and everything else is refused with a distinct error
// and changes nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parse } from '../lib/conditions.mjs';
import { contentHash, EncryptionKeyPair, encryptValue, Header, MasterSecret, MAX_CHUNK_SIZE, TAG_LEN } from '../lib/envelope.mjs';
import { firstChunkWithAnyKey } from '../lib/envelope/record.mjs';
import { LocalNode } from '../lib/node.mjs';
import { cidOf, Client, hex, QUERY_REFUSALS, Receipt, recordKey, requestDigest } from '../lib/sharing.mjs';
import { joinCsv, MONTHS, monthsOf, studentsCsv } from '../lib/students.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const master = MasterSecret.generate();
const pair = EncryptionKeyPair.generate();
/** Four records. The company's grant opens the records at leaves 1 and 2. */
const VALUES = ['first', 'second', 'third', 'fourth'].map((text) => Buffer.from(text));
const KEYS = VALUES.map((_, leaf) => recordKey(`record/${leaf}`));
const SCOPE = { dataset: 0, epoch: 0, from: 1, to: 3 };
const TERM = 100;

let node, client, calls, school, company, stranger;

before(
	async () => {
		// Only transactions make blocks, so that what has a term in blocks does not end while this machine is busy.
		node = await LocalNode.start({ args: ['--dev', '--heartbeat', '3600'] });
		client = await Client.connect(node.url);
		calls = client.api.tx.dataSharing;
		[school, company, stranger] = ['//Bob', '//Charlie', '//Dave'].map((s) => client.account(s));
		await Promise.all([
			client.register(school, 'School', 'Demo school'),
			client.createDataset(school, 'records'),
			...VALUES.map((value, leaf) =>
				client.store(school, master, { dataset: 0, epoch: 0, leaf, key: KEYS[leaf] }, value),
			),
			client.setEncryptionKey(company, await pair.publicKey()),
		]);
		await client.authorize(school, master, company.address, SCOPE, { term: TERM });
	},
	{ timeout },
);
after(async () => {
	await client?.disconnect();
	await node?.stop();
});

/** Returns everything that the pallet stores, as one string. */
async function state() {
	const parts = await Promise.all(
		Object.values(client.api.query.dataSharing)
			.filter((entry) => entry.creator.meta.type.isMap)
			.map((entry) => entry.entries()),
	);
	return JSON.stringify(parts);
}

/** Returns the maximum number of ciphertext bytes that one call may store. */
const largest = () => client.api.consts.dataSharing.maxValueSize.toNumber();

/** A scope that covers all leaves of the dataset. */
const whole = { dataset: 0, epoch: 0, from: 0, to: 2 ** 32 };

test('a grantee reads what was stored', { timeout }, async () => {
	for (const leaf of [1, 2]) {
		const read = await client.read(company, pair, school.address, KEYS[leaf]);
		assert.deepEqual(Buffer.from(read), VALUES[leaf]);
	}
	assert.deepEqual(Buffer.from(await client.readOwn(school, master, KEYS[0])), VALUES[0]);
});

test('a record of maximum size passes through every layer', { timeout }, async () => {
	const key = recordKey('largest');
	const value = new Uint8Array(MAX_CHUNK_SIZE).map((_, i) => i);
	await client.store(school, master, { dataset: 0, epoch: 0, leaf: 100, key }, value);
	const { length } = await client.query(school.address, school.address, key);
	assert.equal(length, Header.LEN + MAX_CHUNK_SIZE + TAG_LEN);
	assert.ok(length <= largest());
	assert.deepEqual(await client.readOwn(school, master, key), value);
});

test('unauthorised queries are refused, each with its reason', { timeout }, async () => {
	const { address: owner } = school;
	for (const [caller, key, name, message] of [
		[company, KEYS[0], 'OutOfRange', /outside the range/],
		[company, KEYS[3], 'OutOfRange', /outside the range/],
		[stranger, KEYS[1], 'NotAuthorised', /no grant/],
		[company, recordKey('none'), 'UnknownRecord', /no record with this key/],
	]) {
		await assert.rejects(client.query(caller.address, owner, key), { name, message });
	}
});

test('every reason to refuse a query has a sentence', { timeout }, async () => {
	const { address } = stranger;
	const answer = await client.api.call.dataSharingApi.query(address, address, hex(KEYS[0]));
	// These are the variants of the QueryError type in the metadata, in order.
	assert.deepEqual(answer.asErr.defKeys, Object.keys(QUERY_REFUSALS));
});

test("a grant's keys open nothing outside its range", { timeout }, async () => {
	const [caller, owner] = [company.address, school.address];
	const answer = await client.query(caller, owner, KEYS[1]);
	const keys = await client.openKeys({ caller, owner, answer, pair });
	const outside = (await client.query(owner, owner, KEYS[3])).contentHash;
	const sealed = await client.fetchValue(outside);
	await assert.rejects(keys.leafKey(3), { name: 'LeafOutsideRange' });
	const context = client.recordContext(owner, KEYS[3]);
	for (const leaf of [1, 2]) {
		const key = await keys.leafKey(leaf);
		const attempt = client.decrypt(key, owner, KEYS[3], sealed);
		await assert.rejects(attempt, { name: 'WrongKey' });
		// Not only the key commitment but the encryption itself refuses the key.
		const forced = firstChunkWithAnyKey(key, context, sealed);
		await assert.rejects(forced, { name: 'NotAuthentic' });
	}
	// A stranger's key pair does not open the grant either.
	const thief = { caller, owner, answer, pair: EncryptionKeyPair.generate() };
	await assert.rejects(client.openKeys(thief), { name: 'DoesNotOpen' });
});

/** Encrypts a value for a leaf of the school's dataset. Returns the ciphertext, and the call that stores it there. */
async function sealedFor(leaf, key, text) {
	const root = await master.epochRoot(client.epochId(school.publicKey, { dataset: 0, epoch: 0 }));
	const context = client.recordContext(school.address, key);
	const sealed = await encryptValue(await root.leafKey(leaf), context, Buffer.from(text));
	return { sealed, call: calls.store(hex(key), 0, 0, leaf, hex(sealed)) };
}

/** Returns whether the ciphertext is in a block from number `first` on, or in the node's pool. */
async function isPublic(sealed, first) {
	const { author, chain } = client.api.rpc;
	const bytes = Buffer.from(sealed).toString('hex');
	const texts = (await author.pendingExtrinsics()).map((extrinsic) => extrinsic.toHex());
	const best = (await chain.getHeader()).number.toNumber();
	for (let number = first; number <= best; number++) {
		texts.push((await chain.getBlock(await chain.getBlockHash(number))).toHex());
	}
	return texts.some((text) => text.includes(bytes));
}

test("a store at a leaf that is taken is in no block, and a reader of the leaf cannot open it", { timeout }, async () => {
	const [caller, owner] = [company.address, school.address];
	const keys = await client.openKeys({ caller, owner, answer: await client.query(caller, owner, KEYS[1]), pair });
	const late = recordKey('payroll');
	const { sealed, call } = await sealedFor(1, late, 'payroll');
	// Who sees the ciphertext can open it: the company has the leaf's key, for what is stored there.
	assert.equal(Buffer.from(await client.decrypt(await keys.leafKey(1), owner, late, sealed)).toString(), 'payroll');
	const first = (await client.api.rpc.chain.getHeader()).number.toNumber() + 1;
	const before = await state();
	await assert.rejects(client.submit(school, call), { name: 'LeafTaken', message: /^[A-Z].*\.$/ });
	assert.equal(await state(), before);
	// The program encrypts it again for a leaf that is free. The neighbour's key does not open that.
	const again = await sealedFor(20, late, 'payroll');
	await client.submit(school, again.call);
	assert.ok(await isPublic(again.sealed, first), 'what is stored is found');
	assert.ok(!(await isPublic(sealed, first)), 'what was refused is not');
	await assert.rejects(client.fetchValue(contentHash(sealed)), /not found/i);
	const stored = await client.fetchValue((await client.query(owner, owner, late)).contentHash);
	await assert.rejects(client.query(caller, owner, late), { name: 'OutOfRange' });
	for (const leaf of [1, 2]) {
		const key = await keys.leafKey(leaf);
		await assert.rejects(client.decrypt(key, owner, late, stored), { name: 'WrongKey' });
		const forced = firstChunkWithAnyKey(key, client.recordContext(owner, late), stored);
		await assert.rejects(forced, { name: 'NotAuthentic' });
	}
});

test('of two machines that store at one leaf at once, one is in a block', { timeout }, async () => {
	const both = await Promise.all(['one', 'two'].map((name) => sealedFor(21, recordKey(`machine ${name}`), name)));
	const first = (await client.api.rpc.chain.getHeader()).number.toNumber() + 1;
	const outcomes = await Promise.allSettled(both.map(({ call }) => client.submit(school, call)));
	assert.equal(outcomes[0].status, 'fulfilled', outcomes[0].reason);
	// The pool may have had both before the block: then the block's author leaves the second one out.
	assert.match(outcomes[1].reason?.name ?? 'it was stored, too', /^(LeafTaken|Invalid)$/);
	// The account goes on.
	await client.submit(school, (await sealedFor(22, recordKey('machine three'), 'three')).call);
	assert.ok(await isPublic(both[0].sealed, first));
	assert.ok(!(await isPublic(both[1].sealed, first)));
});

test('an unknown value is not found', { timeout }, async () => {
	const nothing = new Uint8Array(32);
	assert.match(cidOf(nothing), /^bafk2bzace/);
	await assert.rejects(client.fetchValue(nothing), /not found/i);
});

test('bad input is refused, each with its own error, and changes nothing', { timeout }, async () => {
	const key = hex((await pair.publicKey()).toBytes());
	const value = '0x00';
	const newKey = hex(recordKey('new'));
	const sealed = '0x01';
	const [s, c, d] = [school, company, stranger];
	const far = 1_000_000;
	await client.setEncryptionKey(school, await pair.publicKey());
	const refusals = [
		[s, calls.register('School', 'Again'), 'AlreadyRegistered'],
		[d, calls.register('Other', ''), 'NameEmpty'],
		[d, calls.register('Other', 'x'.repeat(65)), 'NameTooLong'],
		[d, calls.register('Other', '0xff'), 'NotText'],
		[d, calls.deregister(), 'NotRegistered'],
		[s, calls.deregister(), 'ProducerHasDatasets'],
		[d, calls.createDataset('records'), 'NotRegistered'],
		[s, calls.createDataset('records'), 'DatasetNameTaken'],
		[s, calls.removeDataset(0), 'DatasetInUse'],
		[d, calls.setEncryptionKey('0x0001'), 'EncryptionKeyTooShort'],
		[d, calls.setEncryptionKey(`0x${'00'.repeat(2049)}`), 'EncryptionKeyTooLong'],
		[d, calls.removeEncryptionKey(), 'NoEncryptionKey'],
		[d, calls.store(newKey, 0, 0, 9, value), 'NotRegistered'],
		[s, calls.store(newKey, 7, 0, 9, value), 'UnknownDataset'],
		[s, calls.store(newKey, 0, 1, 9, value), 'NotCurrentEpoch'],
		[s, calls.store(hex(KEYS[0]), 0, 0, 9, value), 'KeyTaken'],
		[s, calls.store(newKey, 0, 0, 9, '0x'), 'EmptyValue'],
		[s, calls.store(newKey, 0, 0, 9, `0x${'00'.repeat(largest() + 1)}`), 'ValueTooLong'],
		[s, calls.removeRecord(newKey), 'UnknownRecord'],
		[d, calls.requestAccess(s.address, SCOPE, 'study', 'Research', 1, 0, false, '0x00'), 'EncryptionKeyTooShort'],
		[s, calls.requestAccess(s.address, SCOPE, 'study', 'Research', 1, 0, false, key), 'SelfRequest'],
		[c, calls.requestAccess(s.address, { ...SCOPE, dataset: 7 }, 'study', 'Research', 1, 0, false, key), 'UnknownDataset'],
		[c, calls.requestAccess(s.address, { ...SCOPE, epoch: 1 }, 'study', 'Research', 1, 0, false, key), 'UnknownEpoch'],
		[c, calls.requestAccess(s.address, { ...SCOPE, to: 1 }, 'study', 'Research', 1, 0, false, key), 'EmptyRange'],
		[c, calls.requestAccess(s.address, { ...SCOPE, to: 0 }, 'study', 'Research', 1, 0, false, key), 'InvertedRange'],
		[c, calls.requestAccess(s.address, { ...SCOPE, to: 2 ** 32 + 1 }, 'study', 'Research', 1, 0, false, key), 'RangeTooHigh'],
		[c, calls.requestAccess(s.address, SCOPE, '', 'Research', 1, 0, false, key), 'PurposeEmpty'],
		[c, calls.requestAccess(s.address, SCOPE, 'x'.repeat(257), 'Research', 1, 0, false, key), 'PurposeTooLong'],
		[c, calls.requestAccess(s.address, SCOPE, 'study', 'Research', 0, 0, false, key), 'ZeroTerm'],
		[c, calls.cancelRequest(7), 'UnknownRequest'],
		[s, calls.rejectRequest(7, ''), 'UnknownRequest'],
		[s, calls.addAuthorize(s.address, SCOPE, far, null, sealed, null, null), 'SelfGrant'],
		[s, calls.addAuthorize(d.address, SCOPE, far, null, sealed, null, null), 'NoEncryptionKey'],
		[s, calls.addAuthorize(c.address, SCOPE, 1, null, sealed, null, null), 'ExpiryPassed'],
		[s, calls.addAuthorize(c.address, SCOPE, far, null, '0x', null, null), 'SealedKeysEmpty'],
		[s, calls.addAuthorize(c.address, SCOPE, far, null, `0x${'00'.repeat(4097)}`, null, null), 'SealedKeysTooLong'],
		[s, calls.addAuthorize(c.address, SCOPE, far, null, sealed, { id: 7, digest: newKey }, null), 'UnknownRequest'],
		[s, calls.addAuthorize(c.address, { ...SCOPE, dataset: 7 }, far, null, sealed, null, null), 'UnknownDataset'],
		[d, calls.addAuthorize(c.address, SCOPE, far, null, sealed, null, null), 'NotRegistered'],
		[s, calls.revoke(7), 'UnknownGrant'],
		[d, calls.revoke(0), 'UnknownGrant'],
	];
	const before = await state();
	const outcomes = await Promise.all(
		refusals.map(([signer, call]) =>
			client.submit(signer, call).then(
					() => new Error('it succeeded'),
				(error) => error,
			),
		),
	);
	const named = (name, i) => `${refusals[i][1].method.method}: ${name}`;
	assert.deepEqual(
		outcomes.map(({ name }, i) => named(name, i)),
		refusals.map(([, , name], i) => named(name, i)),
	);
	for (const { name, message } of outcomes) assert.match(message, /^[A-Z].*\.$/, name);
	assert.equal(await state(), before);
});

test('a request can be made only once, and must be answered as requested', { timeout }, async () => {
	const key = await pair.publicKey();
	const ask = () =>
		client.requestAccess(company, school.address, whole, { purpose: 'study', term: TERM, key, offer: 5n });
	const request = (await ask()).event('dataSharing', 'AccessRequested').request.toNumber();
	const digest = requestDigest((await client.api.query.dataSharing.requests(request)).unwrap());
	const authorize = (scope, expiry, answered = { id: request, digest }) =>
		client.submit(school, calls.addAuthorize(company.address, scope, expiry, null, '0x01', answered, null));
	const before = await state();
	await Promise.all([
		assert.rejects(ask(), { name: 'AlreadyRequested' }),
		assert.rejects(authorize(SCOPE, 1_000_000), { name: 'NotAsRequested' }),
		// The answer to another request under the same number, as on another branch of the chain.
		assert.rejects(authorize(whole, 1_000_000, { id: request, digest: hex(new Uint8Array(32)) }), { name: 'NotAsRequested' }),
		assert.rejects(authorize(whole, TERM), { name: 'ShorterThanRequested' }),
		// Not even sealed.
		assert.rejects(client.authorize(school, master, company.address, whole, { term: TERM, request, condition: {} }), RangeError),
		assert.rejects(client.submit(stranger, calls.cancelRequest(request)), { name: 'UnknownRequest' }),
		assert.rejects(client.submit(company, calls.rejectRequest(request, '')), { name: 'UnknownRequest' }),
	]);
	assert.equal(await state(), before);
	await client.submit(company, calls.cancelRequest(request));
	// A cancelled offer remains for a notice period, but an answer sent now might arrive too late.
	const left = (await client.api.query.dataSharing.requests(request)).unwrap();
	assert.equal(left.offer.toNumber(), 5);
	await assert.rejects(
		client.authorize(school, master, company.address, whole, { term: TERM, request }),
		{ name: 'EndsTooSoon' },
	);
});

test('a store inside another call is refused, and changes nothing', { timeout }, async () => {
	const { utility } = client.api.tx;
	const store = calls.store(hex(recordKey('wrapped')), 0, 0, 9, '0x00');
	const before = await state();
	await assert.rejects(client.submit(school, utility.batchAll([store])), {
		name: 'MustBeDirect',
		message: /transaction's own call/,
	});
	// A plain batch succeeds as a transaction; an event reports where it stopped and why.
	const receipt = await client.submit(school, utility.batch([store]));
	const { index, error } = receipt.event('utility', 'BatchInterrupted');
	assert.equal(index.toNumber(), 0);
	assert.equal(client.refusal(error).name, 'MustBeDirect');
	assert.equal(await state(), before);
});

test('a report resumes a grant, and the next one suspends it', { timeout }, async () => {
	const { facts } = client.api.tx;
	const owner = school.address;
	await client.submit(stranger, facts.createSource('weather/beijing', [stranger.address], 1, 3600));
	let observed = Math.floor(Date.now() / 1000);
	const report = (value) => {
		observed += 1;
		const response = hex(KEYS[0]);
		return client.submit(stranger, facts.report('weather/beijing', 'pm25', { Integer: value }, observed, response));
	};
	const terms = { term: TERM, condition: parse('fact(weather/beijing, pm25) > 75') };
	const given = await client.authorize(school, master, company.address, { ...SCOPE, from: 0, to: 1 }, terms);
	// Nothing is reported yet.
	assert.ok(given.event('dataSharing', 'GrantSuspended').truth.isUnknown);
	await assert.rejects(client.query(company.address, owner, KEYS[0]), { name: 'Suspended' });
	(await report(80)).event('dataSharing', 'GrantResumed');
	assert.deepEqual(Buffer.from(await client.read(company, pair, owner, KEYS[0])), VALUES[0]);
	assert.ok((await report(70)).event('dataSharing', 'GrantSuspended').truth.isFalse);
	await assert.rejects(client.query(company.address, owner, KEYS[0]), { name: 'Suspended' });
	const suspended = await client.api.call.dataSharingApi.grantsTo(company.address, 'Suspended', null, 10);
	assert.equal(suspended.items.length, 1);
});

test('facts refuse a request, take an offer back and end an embargo', { timeout }, async () => {
	const { facts } = client.api.tx;
	const owner = school.address;
	await client.submit(stranger, facts.createSource('river/level', [stranger.address], 1, 3600));
	let observed = Math.floor(Date.now() / 1000);
	const report = (value) => {
		observed += 1;
		const response = hex(KEYS[0]);
		return client.submit(stranger, facts.report('river/level', 'cm', { Integer: value }, observed, response));
	};
	const consumers = { school: false, government: false, business: false, other: false, unregistered: true };
	const policy = { longestRange: 10, longestTerm: TERM, consumers };
	await client.setPolicy(school, 0, { ...policy, condition: parse('fact(river/level, cm) < 300') });
	await report(310);
	const key = await pair.publicKey();
	const ask = (to) => client.requestAccess(company, owner, { ...SCOPE, from: 0, to }, { purpose: 'floods', term: TERM, key });
	await assert.rejects(ask(1), { name: 'RequestRefused' });
	await report(290);
	const asked = (await ask(1)).event('dataSharing', 'AccessRequested');
	const request = asked.request.toNumber();
	await client.withdrawWhen(company, request, parse('fact(river/level, cm) < 200'));
	const record = recordKey('gauge');
	await client.embargo(school, record, 0, parse('fact(river/level, cm) < 100'));
	await client.store(school, master, { dataset: 0, epoch: 0, leaf: 7, key: record }, VALUES[0]);
	await client.authorize(school, master, company.address, { ...SCOPE, from: 7, to: 8 }, { term: TERM });
	await assert.rejects(client.query(company.address, owner, record), { name: 'Embargoed' });
	assert.equal((await report(190)).event('dataSharing', 'OfferReleased').request.toNumber(), request);
	await assert.rejects(client.query(company.address, owner, record), { name: 'Embargoed' });
	assert.ok((await report(90)).event('dataSharing', 'EmbargoLifted').met.isTrue);
	assert.deepEqual(Buffer.from(await client.read(company, pair, owner, record)), VALUES[0]);
	await client.submit(school, calls.clearPolicy(0));
});

test('revoking closes later records', { timeout }, async () => {
	const owner = school.address;
	const grants = await client.api.query.dataSharing.grantsTo.keys(company.address);
	for (const { args } of grants) await client.submit(school, calls.revoke(args[1]));
	await assert.rejects(client.query(company.address, owner, KEYS[1]), { name: 'Revoked' });

	// Later records are in a new epoch, and the company has no keys for it.
	const key = recordKey('later');
	const place = { dataset: 0, epoch: 1, leaf: 0, key };
	await client.store(school, master, place, VALUES[0]);
	await assert.rejects(client.query(company.address, owner, key), { name: 'NotAuthorised' });
	assert.deepEqual(Buffer.from(await client.readOwn(school, master, key)), VALUES[0]);
});

/** Returns a stub of a call whose transaction passes through these states. */
const stubCall = (...results) => ({
	signAndSend: async (_signer, _options, onResult) => results.forEach(onResult),
});

test('a transaction that is not included reports why', { timeout }, async () => {
	for (const [type, message] of [
		['Invalid', /no longer valid/],
		['Dropped', /no room/],
		['Usurped', /same nonce/],
	]) {
		const call = stubCall(
			{ status: { type: 'Ready' } },
			{ isError: true, status: { type } },
		);
		await assert.rejects(client.submit(stranger, call), { name: type, message });
	}
});

test('a transaction whose block was retracted is awaited in another block', { timeout }, async () => {
	const [block, hash] = [7, client.api.genesisHash];
	const call = stubCall(
		{ status: { type: 'Retracted', isRetracted: true } },
		{
			status: { type: 'Finalized', isFinalized: true, value: hash },
			blockNumber: client.api.createType('u32', block),
			events: [],
		},
	);
	const receipt = await client.submit(stranger, call);
	assert.ok(receipt instanceof Receipt);
	assert.deepEqual({ ...receipt }, { block, blockHash: hash.toHex(), events: [] });
});

test('a call in a reverted block is not reported as finalized', { timeout }, async () => {
	const receipt = await client.createDataset(school, 'final');
	await client.finalized(receipt);
	const other = { block: receipt.block, blockHash: hex(new Uint8Array(32)) };
	await assert.rejects(client.finalized(other), {
		name: 'Retracted',
		message: new RegExp(receipt.blockHash),
	});
});

test("the demo's file is the same every time, and splits by month", () => {
	const csv = studentsCsv();
	assert.equal(csv, studentsCsv());
	assert.equal(csv.split('\n').length - 2, 3600);
	assert.equal(joinCsv(MONTHS.map((month) => monthsOf(csv, [month]))), csv);
});
