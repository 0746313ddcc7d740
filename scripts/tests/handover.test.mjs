// SPDX-License-Identifier: Apache-2.0

// Tests who acts for an owner on a running chain, with the command and the library. After the handover of a dataset, the new
// controller has the deposits and acts as the owner, and readers notice nothing. An operator has the keys that it was granted.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { CallRefused, Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;

let node, folder, isthmus, client, school, office;

before(
	async () => {
		node = await LocalNode.start();
		folder = await mkdtemp(join(tmpdir(), 'isthmus-handover-'));
		isthmus = new Isthmus(node.url, folder);
		client = await Client.connect(node.url);
		[school, office] = ['//Bob', '//Dave'].map((secret) => client.account(secret));
		await isthmus.ok('register', 'High School No. 1', '--kind', 'school', '--key', '//Bob');
		await isthmus.ok('register', 'Office', '--kind', 'government', '--key', '//Dave');
		await isthmus.ok('dataset', 'create', 'marks', '--key', '//Bob');
		await writeFile(join(folder, 'old.csv'), 'name,mark\nA,64\n');
		await writeFile(join(folder, 'new.csv'), 'name,mark\nA,71\n');
		await isthmus.ok('store', 'old.csv', '--key', '//Bob');
		for (const reader of ['//Charlie', '//Dave']) {
			await isthmus.ok('key', 'publish', '--key', reader);
			await isthmus.ok('authorize', '--to', reader, '--leaves', '0..10', '--key', '//Bob');
		}
	},
	{ timeout },
);
after(async () => {
	await client?.disconnect();
	await node?.stop();
	if (folder) await rm(folder, { recursive: true });
});

/** Returns what is held from an account. */
async function reserved(account) {
	const { data } = await client.api.query.system.account(account.address);
	return data.reserved.toBigInt();
}

/** Returns what the command fetches of the school's. */
const fetched = (name, key, ...more) => isthmus.text('fetch', '//Bob', name, '--output', '-', '--key', key, ...more);

test('a dataset is offered, taken over and used by its new controller', { timeout }, async () => {
	const [offered] = await isthmus.ok('dataset', 'transfer', '0', '--to', '//Dave', '--key', '//Bob');
	assert.equal(offered.to, office.address);
	await isthmus.ok('dataset', 'transfer', '0', '--withdraw', '--key', '//Bob');
	const none = await isthmus.refused(4, 'dataset', 'accept', '//Bob', '0', '--key', '//Dave');
	assert.match(none.error, /offered/);
	await client.offerDataset(school, 0, office.address);
	const before = await client.control(school.address, 0);
	assert.deepEqual([before.controller, before.offeredTo], [school.address, office.address]);
	const held = await Promise.all([school, office].map(reserved));

	const [accepted] = await isthmus.ok('dataset', 'accept', '//Bob', '0', '--key', '//Dave');
	assert.equal(accepted.epoch, 1);
	assert.deepEqual(await Promise.all([school, office].map(reserved)), [held[0] - before.held, held[1] + before.held]);
	const [listed] = await isthmus.ok('dataset', 'list', '--key', '//Dave');
	assert.deepEqual([listed.owner, listed.dataset, listed.controller], [school.address, 0, office.address]);

	// The school can do nothing with it any more.
	const refused = await isthmus.refused(4, 'dataset', 'epoch', '0', '--key', '//Bob');
	assert.match(refused.hint, /--for/);
	await assert.rejects(client.offerDataset(school, 0, office.address), (error) => {
		return error instanceof CallRefused && error.message.includes('Another account controls');
	});

	// The office stores in the new epoch, and grants it; the old grants are good.
	await isthmus.ok('store', 'new.csv', '--for', '//Bob', '--key', '//Dave');
	await isthmus.ok('authorize', '--to', '//Charlie', '--leaves', '0..10', '--for', '//Bob', '--key', '//Dave');
	for (const reader of ['//Charlie', '//Dave']) assert.equal(await fetched('old.csv', reader), 'name,mark\nA,64\n');
	assert.equal(await fetched('new.csv', '//Charlie'), 'name,mark\nA,71\n');
	assert.equal(await fetched('new.csv', '//Dave', '--for', '//Bob'), 'name,mark\nA,71\n');
	const wrong = await isthmus.refused(2, 'balance', '--for', '//Bob', '--key', '//Dave');
	assert.match(wrong.error, /--for/);
});

test('the history says who controlled a dataset when', { timeout }, async () => {
	const { number } = await client.api.rpc.chain.getHeader();
	const events = await isthmus.ok('trace', 'dataset', '//Bob', '0', '--to', String(number));
	const names = events.map(({ event }) => event).filter((name) => name.startsWith('DatasetOffer') || name === 'DatasetAccepted');
	assert.deepEqual(names, ['DatasetOffered', 'DatasetOfferWithdrawn', 'DatasetOffered', 'DatasetAccepted']);
	assert.equal(events.find(({ event }) => event === 'DatasetAccepted').to, office.address);
	const given = events.filter(({ event }) => event === 'Authorized').map(({ owner, controller }) => [owner, controller]);
	assert.deepEqual(given, [school, school, office].map(({ address }) => [school.address, address]));
});

test('an operator answers with what it was granted, and no longer than it is one', { timeout }, async () => {
	const acting = ['--for', '//Bob', '--key', '//Eve'];
	await isthmus.ok('dataset', 'create', 'grades', '--key', '//Bob');
	await writeFile(join(folder, 'grades.csv'), 'name,grade\nA,1\n');
	await isthmus.ok('store', 'grades.csv', '--dataset', '1', '--key', '//Bob');
	await isthmus.ok('key', 'publish', '--key', '//Eve');
	const [grant] = await isthmus.ok('authorize', '--to', '//Eve', '--leaves', '0..10', '--dataset', '1', '--key', '//Bob');
	const ask = async (leaves) => {
		const what = ['--dataset', '1', '--leaves', leaves, '--purpose', 'a study'];
		const [{ request }] = await isthmus.ok('request', '//Bob', ...what, '--key', '//Charlie');
		return String(request);
	};
	const first = await ask('0..5');
	const unnamed = await isthmus.refused(4, 'authorize', first, '--yes', ...acting);
	assert.match(unnamed.error, /^NotAnOperator: /);
	assert.match(unnamed.hint, /isthmus operator add/);
	assert.match((await isthmus.refused(4, 'serve', ...acting)).error, /^NotAnOperator: /);

	const [added] = await isthmus.ok('operator', 'add', '//Eve', '--finalized', '--key', '//Bob');
	// 0.1 IST for an entry, and 0.0001 IST for each of 16 + 37 bytes.
	assert.deepEqual([added.held, added.removed], ['105300000000', false]);
	const requests = await isthmus.ok('requests', ...acting);
	assert.deepEqual(requests.map(({ request }) => String(request)), [first]);
	const [given] = await isthmus.ok('authorize', first, '--yes', ...acting);
	assert.deepEqual(given.scope, { dataset: 1, epoch: 0, from: 0, to: 5 });
	assert.equal(await fetched('grades.csv', '//Charlie'), 'name,grade\nA,1\n');
	const beyond = await isthmus.refused(4, 'authorize', await ask('5..11'), '--yes', ...acting);
	assert.match(beyond.error, new RegExp(`^OutsideGrants: .* leaves 5\\.\\.11 .* has leaves 0\\.\\.10 of epoch 0 \\(grant ${grant.grant}\\)`));
	const [listed] = await isthmus.ok('operator', 'list', '//Bob');
	assert.deepEqual([listed.kind, listed.opens.map((opens) => opens.grant)], ['Sharing', [grant.grant]]);

	const last = await ask('1..2');
	const [removed] = await isthmus.ok('operator', 'remove', '//Eve', '--finalized', '--key', '//Bob');
	assert.deepEqual([removed.held, removed.removed], ['0', true]);
	assert.match((await isthmus.refused(4, 'authorize', last, '--yes', ...acting)).error, /^NotAnOperator: /);
});
