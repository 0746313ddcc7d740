// SPDX-License-Identifier: Apache-2.0

// Tests leaves by names and dates in JavaScript with the vectors that the Rust crates share, and what is proven of them on a
// chain.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { contentHash, EncryptionKeyPair, MasterSecret, NameCipher } from '../lib/envelope.mjs';
import { CardError, LeafNames, LeavesError, LeavesSyntaxError, parseLeaves, readCard } from '../lib/leaves.mjs';
import { utf8 } from '../lib/envelope/common.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client, hex, recordKey } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const readVectors = (path) => JSON.parse(readFileSync(new URL(`../../client/${path}`, import.meta.url), 'utf8'));
const leaves = readVectors('sdk/vectors-leaves.json');
const cards = readVectors('tables/vectors-cards.json');

/** Returns what a function returns, or the name and the message of the error that it throws. */
function outcome(kind, act) {
	try {
		return act();
	} catch (error) {
		assert.ok(error instanceof kind, String(error.stack));
		return { error: error.name, sentence: error.message };
	}
}

describe('the vectors pass', () => {
	test('texts ask for leaves as in Rust', () => {
		assert.ok(leaves.texts.length >= 30);
		const refused = { error: 'LeavesSyntaxError', sentence: leaves.syntaxError };
		for (const { text, numbers, names } of leaves.texts) {
			const [from, to] = numbers ?? names ?? [];
			const expected = from === undefined ? refused : { numbers: numbers !== undefined, from, to };
			assert.deepEqual(outcome(LeavesSyntaxError, () => parseLeaves(text)), expected, text);
		}
	});

	test('cards name the same leaves as in Rust, and what they do not name is refused in the same words', () => {
		assert.ok(leaves.cards.length >= 16);
		for (const { leaves: named, epoch: of, asked } of leaves.cards) {
			const card = new LeafNames(new Map(Object.entries(named).map(([leaf, name]) => [Number(leaf), name])), of);
			for (const { leaves: text, epoch, isNamed, range, error, sentence } of asked) {
				const found = outcome(LeavesError, () => card.range(parseLeaves(text), { epoch, isNamed }));
				assert.deepEqual(found, range ?? { error, sentence }, text);
			}
		}
		assert.ok(leaves.told.length >= 4);
		for (const { leaves: named, epoch: of, told } of leaves.told) {
			const card = new LeafNames(new Map(Object.entries(named).map(([leaf, name]) => [Number(leaf), name])), of);
			for (const { epoch, range: [from, to], text } of told) assert.equal(card.text({ epoch, from, to }), text, `${from}..${to}`);
		}
		for (const { error, details, sentence } of leaves.errors) {
			assert.equal(new LeavesError(error, details).message, sentence);
		}
	});

	test('cards are read as in Rust', () => {
		assert.ok(cards.changes.length >= 30);
		const read = (text) => {
			const said = outcome(CardError, () => readCard(utf8(text), '5FHne', 3));
			return said.error ? said.sentence : { ...said, leaves: Object.fromEntries(said.leaves) };
		};
		assert.deepEqual(read(JSON.stringify(cards.card)), cards.says);
		for (const change of cards.changes) {
			const { [change.field]: _, ...other } = cards.card;
			if ('value' in change) other[change.field] = change.value;
			const expected = change.sentence ?? { ...cards.says, ...change.says };
			assert.deepEqual(read(JSON.stringify(other)), expected, JSON.stringify(change));
		}
		for (const text of cards.notJson) assert.match(read(text), /^the card is not JSON: /, text);
		const bytes = Uint8Array.of(0x7b, 0xff, 0x7d);
		assert.equal(outcome(CardError, () => readCard(bytes, '5FHne', 3)).error, 'Json');
	});
});

describe('on a chain', () => {
	const master = MasterSecret.generate();
	let node;
	let liar;
	let client;
	let school;
	let company;
	let card;

	/** Returns a card of the school's dataset, with these names of leaves. */
	const cardOf = (names, description = 'Marks of all pupils') =>
		utf8(JSON.stringify({
			...{ '@type': 'sc:Dataset', conformsTo: 'http://mlcommons.org/croissant/1.1', url: `isthmus://${school.address}/0` },
			...{ name: 'marks', description, 'isthmus:epoch': 0 },
			'isthmus:leaf': names.map((name, leaf) => ({ 'isthmus:number': leaf, name })),
		}));
	const finalized = async (account, call) => client.finalized(await client.submit(account, call));
	/** Puts the hash of a card on the chain. */
	const report = async (text, observed) => {
		const { facts } = client.api.tx;
		const hash = hex(contentHash(text));
		await finalized(school, facts.report(source(), 'dataset-0', { Hash: hash }, observed, hash));
	};
	const source = () => `x${hex(school.publicKey.slice(0, 16)).slice(2)}/cards`;
	const ask = (leaves, more) => client.scope(company, school.address, { dataset: 0, leaves, ...more });
	const askOwn = (leaves, more) => client.scope(school, school.address, { dataset: 0, leaves, master, ...more });
	const range = (from, to) => ({ dataset: 0, epoch: 0, from, to });

	before(async () => {
		node = await LocalNode.start({ args: ['--dev'] });
		liar = await LyingNode.start(node.url);
		client = await Client.connect(liar.url);
		[school, company] = ['//Bob', '//Charlie'].map((secret) => client.account(secret));
		await client.register(school, 'School', 'A school');
		await client.createDataset(school, 'marks');
		await client.submit(school, client.api.tx.facts.createSource(source(), [school.address], 1, 2 ** 32 - 1));
		const cipher = await NameCipher.create(master, client.genesis, school.publicKey);
		const names = ['january', 'february', 'hidden', 'april'];
		const places = names.map(async (name, leaf) => {
			const key = name === 'hidden' ? await cipher.key(recordKey(name)) : recordKey(name);
			return { dataset: 0, epoch: 0, leaf, key, name: recordKey(name) };
		});
		for (const place of await Promise.all(places)) await client.store(school, master, place, utf8(`leaf ${place.leaf}`));
		await finalized(school, client.api.tx.dataSharing.removeRecord(hex(recordKey('february'))));
		card = cardOf(['2026-01', '2026-02', '2026-03', '2026-04', '2026-05']);
	}, { timeout });
	after(async () => {
		await client?.disconnect();
		await liar?.stop();
		await node?.stop();
	});

	test('a card counts if its hash is the one on the chain', { timeout }, async () => {
		const { address } = school;
		await assert.rejects(ask('2026-03', { card }), { name: 'NotPublished', message: `${address} published no card of dataset 0` });
		await assert.rejects(client.readCard(address, 7, card), { name: 'Lacks' });
		const none = utf8(new TextDecoder().decode(card).replace(`${address}/0`, `${address}/7`));
		await assert.rejects(client.readCard(address, 7, none), { name: 'NoSuchDataset', message: `${address} has no dataset 7` });
		await report(card, 1_000);
		assert.deepEqual(await ask('2026-03..2026-05', { card }), range(2, 5));
		assert.deepEqual(await ask('2026-03', { card }), range(2, 3));
		assert.deepEqual(await ask('0..12'), range(0, 12));
		const { by, published, description, leaves } = await client.readCard(address, 0, card);
		assert.deepEqual([by, published, description, leaves.get(2)], [address, 1_000, 'Marks of all pupils', '2026-03']);
		const other = cardOf(['2026-03']);
		const message = `this is not the card that ${address} published of dataset 0`;
		await assert.rejects(ask('2026-03', { card: other }), { name: 'Differs', message });
		await assert.rejects(ask('2026-07', { card }), { name: 'Unnamed' });
		await assert.rejects(ask('2026-03', { card, epoch: 1 }), { name: 'OtherEpoch' });
		await assert.rejects(ask('3'), { name: 'LeavesSyntaxError' });
		// A newer card replaces it.
		await report(other, 1_001);
		assert.deepEqual(await ask('2026-03', { card: other }), range(0, 1));
		await assert.rejects(ask('2026-03', { card }), { name: 'Differs' });
		await report(card, 1_002);
	});

	test('a card that the node made up is not believed', { timeout }, async () => {
		const other = cardOf(['2026-05', '2026-04']);
		const [told, made] = [card, other].map((text) => hex(contentHash(text)).slice(2));
		liar.setLie((_method, _params, result) => JSON.parse(JSON.stringify(result).replaceAll(told, made)));
		await assert.rejects(ask('2026-05', { card: other }), { name: 'BadProof' });
		liar.tellTruth();
		assert.deepEqual(await ask('2026-05', { card }), range(4, 5));
	});

	test('without a card, names are those of records', { timeout }, async () => {
		assert.deepEqual(await ask('january..april'), range(0, 4));
		assert.deepEqual(await ask('april'), range(3, 4));
		for (const name of ['february', 'hidden', 'nothing']) await assert.rejects(ask(name), { name: 'NoRecord' });
		await assert.rejects(ask('april..january'), { name: 'Backwards', message: 'january comes before april' });
		await assert.rejects(ask('april', { epoch: 1 }), { name: 'Elsewhere' });
		assert.deepEqual(await askOwn('hidden'), range(2, 3));
		assert.deepEqual(await askOwn('hidden..april'), range(2, 4));
		await assert.rejects(askOwn('hidden', { master: undefined }), { name: 'NoRecord' });
	});

	test('what an owner does not name is not between the records that are named', { timeout }, async () => {
		const words = 'the leaves from january to april also have leaf 1, whose record was removed, hidden: ';
		await assert.rejects(askOwn('january..april'), (error) => {
			assert.deepEqual([error.name, error.message.startsWith(words)], ['OthersBetween', true], error.message);
			return true;
		});
		assert.deepEqual(await askOwn('january..april', { allBetween: true }), range(0, 4));
		const far = { dataset: 0, epoch: 0, leaf: 2_000, key: recordKey('far') };
		await client.finalized(await client.store(school, master, far, utf8('far')));
		await assert.rejects(askOwn('january..far'), { name: 'ManyBetween' });
	});

	test('an owner names no object, which may be the list of a packed folder', { timeout }, async () => {
		const place = { dataset: 0, epoch: 0, leaf: 3_000, key: recordKey('listed') };
		const object = { header: new Uint8Array(77), length: 100n, root: new Uint8Array(32) };
		await client.finalized(await client.storeObject(school, place, object));
		await assert.rejects(askOwn('listed'), { name: 'AnObject', message: /^listed is an object, / });
		assert.deepEqual(await ask('listed'), range(3_000, 3_001));
	});

	test('March to May is requested and granted by name', { timeout }, async () => {
		const pair = EncryptionKeyPair.generate();
		const asked = await ask('2026-03..2026-04', { card });
		const terms = { purpose: 'a study', term: 100, key: await pair.publicKey() };
		const receipt = await client.requestAccess(company, school.address, asked, terms);
		const request = receipt.event('dataSharing', 'AccessRequested').request.toNumber();
		const granted = await askOwn('2026-03..2026-04', { card });
		assert.deepEqual(granted, asked);
		await client.finalized(await client.authorize(school, master, company.address, granted, { term: 100, request }));
		const read = await client.read(company, pair, school.address, recordKey('april'));
		assert.equal(new TextDecoder().decode(read), 'leaf 3');
	});
});
