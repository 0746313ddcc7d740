// SPDX-License-Identifier: Apache-2.0

// Tests fair exchange on a running chain: a cheated reader gets its money back, and an honest owner does not lose; the
// command notices on its own. The random cases are tests of the pallet; those of `isthmus dispute` are in cli.test.mjs.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { EncryptionKeyPair, MasterSecret } from '../lib/envelope.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client, hex, recordKey, requestDigest } from '../lib/sharing.mjs';
import { within } from '../lib/waiting.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
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

describe('a reader who does not look', () => {
	const KEYS_WRONG = 5;
	let folder, isthmus, dave;

	before(() => {
		folder = mkdtempSync(join(tmpdir(), 'isthmus-exchange-'));
		isthmus = new Isthmus(node.url, folder);
		dave = client.account('//Dave').address;
	});
	after(() => rmSync(folder, { recursive: true, force: true }));

	/** Waits until a request of the reader is open, and returns its number. */
	const opened = (scope) =>
		within('the request is open', new Promise((resolve, reject) => {
			const looking = client.api.query.dataSharing.requestsFrom(dave, school.address, scope, (id) => {
				if (id.isSome) resolve(looking.then((end) => end()).then(() => id.unwrap().toNumber()));
			});
			looking.catch(reject);
		}));

	/** Whether the payment for a grant is held, and can be disputed. */
	const isHeld = async ({ grant }) => (await client.api.query.dataSharing.payments(grant)).isSome;

	const upTo = (to) => ({ dataset: 0, epoch: 0, from: 0, to });

	/** Answers the request for leaves 0 to `to` with the keys that this master secret makes. */
	async function answer(to, keys) {
		const request = await opened(upTo(to));
		const given = await client.authorize(school, keys, dave, upTo(to), { term: TERM, request });
		return given.event('dataSharing', 'Authorized');
	}

	/** The command that asks for leaves 0 to `to`. */
	const asking = (to, ...more) => [
		...['--json', 'request', school.address, '--epoch', '0', '--leaves', `0..${to}`, '--purpose', 'study', '--code', 'research'],
		...['--term', String(TERM), '--offer', '2', '--key', '//Dave', ...more],
	];

	/** Asks, waits for the answer with these keys, and returns how the command ended. */
	async function asked(to, keys, ...more) {
		const [ended, given] = await Promise.all([isthmus.run(asking(to, '--wait', ...more)), answer(to, keys)]);
		const lines = ended.stderr.trim().split('\n');
		return { ...ended, given, error: ended.code === 0 ? undefined : JSON.parse(lines.at(-1)) };
	}

	const fetch = () => ['--json', 'fetch', school.address, 'marks', '-o', 'read', '--force', '--key', '//Dave'];

	test('is told that what it waited for opens', { timeout }, async () => {
		const { code, stdout, stderr, given } = await asked(30, master);
		assert.equal(code, 0, stderr);
		const received = JSON.parse(stdout);
		assert.deepEqual(Object.keys(received), ['code', 'expiry', 'grant', 'paid', 'records', 'scope', 'until']);
		assert.deepEqual([received.grant, received.records, received.code], [given.grant.toNumber(), 1, 'research']);
		assert.ok(await isHeld(given));
	});

	test('gets its payment back while it waits', { timeout }, async () => {
		const { code, error, given } = await asked(31, MasterSecret.generate());
		assert.equal(code, KEYS_WRONG);
		assert.match(error.error, /does not open what was paid for/);
		assert.match(error.hint, /won the dispute about grant \d+: 2 IST came back/);
		assert.ok(!(await isHeld(given)));
	});

	test('gets its payment back when a record cannot be opened', { timeout }, async () => {
		const { code, error, given } = await asked(32, MasterSecret.generate(), '--no-dispute');
		assert.equal(code, KEYS_WRONG);
		assert.match(error.hint, new RegExp(`isthmus dispute ${given.grant}$`));
		assert.ok(await isHeld(given));
		const poor = await isthmus.run([...fetch(), '--max-cost', '0']);
		assert.equal(poor.code, KEYS_WRONG, poor.stderr);
		assert.match(poor.stderr, /could not be checked \(this would cost .*, /);
		const cheated = await isthmus.run(fetch());
		assert.equal(cheated.code, KEYS_WRONG, cheated.stderr);
		assert.match(cheated.stderr, /so it was disputed: block \d+: won the dispute/);
		assert.ok(!(await isHeld(given)));
		// The older grant is good.
		const read = await isthmus.run(fetch());
		assert.equal(read.code, 0, read.stderr);
		assert.equal(readFileSync(join(folder, 'read'), 'utf8'), 'Ada,97');
	});

	test('gets its payment back while it is away', { timeout }, async (t) => {
		const good = await asked(33, master);
		const watching = isthmus.start(['--json', 'watch', '--key', '//Dave']);
		const ended = programs.ended(watching, timeout);
		t.after(async () => {
			watching.kill('SIGKILL');
			await ended;
		});
		const printed = createInterface({ input: watching.stdout })[Symbol.asyncIterator]();
		/** Waits for what the command says about a grant. */
		const about = async ({ grant }) => {
			for (;;) {
				const { value } = await programs.before(watching, 'its next line', printed.next());
				const looked = JSON.parse(value);
				if (looked.grant === grant.toNumber()) return [looked.records, looked.refunded];
			}
		};
		assert.deepEqual(await about(good.given), [1, null]);
		const { code, stderr } = await isthmus.run(asking(34));
		assert.equal(code, 0, stderr);
		const bad = await answer(34, MasterSecret.generate());
		assert.deepEqual(await about(bad), [null, OFFER.toString()]);
		assert.ok(!(await isHeld(bad)));
	});

	test('learns that its request ended without a grant', { timeout }, async () => {
		const waiting = isthmus.run(asking(35, '--wait'));
		await client.submit(school, client.api.tx.dataSharing.rejectRequest(await opened(upTo(35)), 'no'));
		const { code, stderr } = await waiting;
		assert.equal(code, 4, stderr);
		assert.match(stderr, /ended without a grant/);
	});
});
