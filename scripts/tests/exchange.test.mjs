// SPDX-License-Identifier: Apache-2.0

// Tests fair exchange on a running chain: a cheated reader gets its money back, and an honest owner does not lose. The
// random cases are tests of the pallet; the command's are in cli.test.mjs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EncryptionKeyPair, MasterSecret } from '../lib/envelope.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client, hex, recordKey, requestDigest } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 180_000;
const OFFER = 2_000_000_000_000n;
const TERM = 100;
const KEY = recordKey('marks');
const master = MasterSecret.generate();

let node, client, school, company, stored;

before(
	async () => {
		node = await LocalNode.start();
		client = await Client.connect(node.url);
		[school, company] = ['//Bob', '//Charlie'].map((secret) => client.account(secret));
		await client.register(school, 'School', 'Demo school');
		await client.createDataset(school, 'records');
		await client.store(school, master, { dataset: 0, epoch: 0, leaf: 3, key: KEY }, Buffer.from('Ada,97'));
		stored = await client.fetchValue((await client.query(school.address, school.address, KEY)).contentHash);
	},
	{ timeout },
);
after(async () => {
	await client?.disconnect();
	await node?.stop();
});

/** Returns what is held from the company as offers. */
async function offered() {
	const holds = await client.api.query.balances.holds(company.address);
	const offer = holds.find(({ id }) => id.value.type === 'Offer');
	return offer?.amount.toBigInt() ?? 0n;
}

/** Sells leaves 0 to `to`, with the keys that this master secret makes. */
async function sale(to, keys) {
	const pair = EncryptionKeyPair.generate();
	const scope = { dataset: 0, epoch: 0, from: 0, to };
	const terms = { purpose: 'study', term: TERM, key: await pair.publicKey(), offer: OFFER };
	const asked = await client.requestAccess(company, school.address, scope, terms);
	const request = asked.event('dataSharing', 'AccessRequested').request.toNumber();
	const given = await client.authorize(school, keys, company.address, scope, { term: TERM, request });
	const grant = given.event('dataSharing', 'Authorized').grant.toNumber();
	return { pair, grant };
}

test('a payment is held, and comes back if the keys are wrong', { timeout }, async () => {
	const { pair, grant } = await sale(10, MasterSecret.generate());
	const payment = (await client.api.query.dataSharing.payments(grant)).unwrap();
	assert.equal(await offered(), OFFER);
	assert.ok(payment.until.toNumber() > (await client.api.rpc.chain.getHeader()).number.toNumber());
	const other = EncryptionKeyPair.generate();
	await assert.rejects(client.dispute(company, grant, 3, other, stored), { name: 'WrongSecret' });
	await assert.rejects(client.dispute(company, grant, 3, pair), { name: 'NotTheRecord' });
	await assert.rejects(client.dispute(school, grant, 3, pair, stored), { name: 'UnknownGrant' });
	const won = (await client.dispute(company, grant, 3, pair, stored)).event('dataSharing', 'DisputeWon');
	assert.deepEqual([won.refunded.toBigInt(), won.leaf.toNumber()], [OFFER, 3]);
	assert.ok(won.slashed.toBigInt() > 0n);
	assert.equal(await offered(), 0n);
	await assert.rejects(client.query(company.address, school.address, KEY), { name: 'Revoked' });
	await assert.rejects(client.dispute(company, grant, 3, pair, stored), { name: 'NothingToDispute' });
});

test('an owner whose keys are right keeps its claim', { timeout }, async () => {
	const { pair, grant } = await sale(20, master);
	const lost = (await client.dispute(company, grant, 3, pair, stored)).event('dataSharing', 'DisputeLost');
	assert.equal(lost.leaf.toNumber(), 3);
	assert.equal(await offered(), OFFER);
	assert.deepEqual(Buffer.from(await client.read(company, pair, school.address, KEY)), Buffer.from('Ada,97'));
});

test('keys that do not open need no record', { timeout }, async () => {
	const pair = EncryptionKeyPair.generate();
	const scope = { dataset: 0, epoch: 0, from: 100, to: 200 };
	const terms = { purpose: 'study', term: TERM, key: await pair.publicKey(), offer: OFFER };
	await assert.rejects(client.requestAccess(company, school.address, scope, { ...terms, term: 5 }), { name: 'TermTooShort' });
	const asked = await client.requestAccess(company, school.address, scope, terms);
	const request = asked.event('dataSharing', 'AccessRequested').request;
	const entry = (await client.api.query.dataSharing.requests(request)).unwrap();
	const answered = { id: request, digest: requestDigest(entry) };
	const garbage = client.api.tx.dataSharing.addAuthorize(company.address, scope, 1_000_000, null, hex(new Uint8Array(99)), answered, null);
	const grant = (await client.submit(school, garbage)).event('dataSharing', 'Authorized').grant.toNumber();
	const won = (await client.dispute(company, grant, 150, pair)).event('dataSharing', 'DisputeWon');
	assert.equal(won.refunded.toBigInt(), OFFER);
});
