// SPDX-License-Identifier: Apache-2.0

// Tests that the JavaScript client believes no node: what it reads, and what it seals keys to, is proven for the chain's
// finalized state. A node that lies is told apart by proofs, and random lies are never accepted.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiPromise } from '@polkadot/api';
import { contentHash, EncryptionKeyPair, MasterSecret, openGrant, Range } from '../lib/envelope.mjs';
import { forgery, replaced } from '../lib/forgery.mjs';
import { storeFile } from '../lib/large.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LyingProvider } from '../lib/lying-provider.mjs';
import { LocalNode } from '../lib/node.mjs';
import { randomNumbers } from '../lib/random.mjs';
import { lieAbout, texts } from '../lib/random-lies.mjs';
import { cidOf, fromHex } from '../lib/sharing/encoding.mjs';
import { Verified } from '../lib/sharing/proven.mjs';
import { Client, hex, recordKey } from '../lib/sharing.mjs';

const LONG = process.env.ISTHMUS_LONG === '1';
/** Ends hung tests, in milliseconds. */
const timeout = LONG ? 3_600_000 : 600_000;
const [TRUTH, LIE] = ['name,mark\nAda,97\n', 'name,mark\nAda,12\n'].map((text) => new TextEncoder().encode(text));
const KEY = recordKey('marks');
const SCOPE = { dataset: 0, epoch: 0, from: 0, to: 4 };
/** How many random lies are told. `scripts/test --all` tells all. */
const LIES = LONG ? 10_000 : 1_000;
/** How many are told to whole calls of the client. */
const LIES_TO_CALLS = LONG ? 10_000 : 500;
/** How long a call may wait for something that a false answer promises, in milliseconds. */
const PATIENCE = 2000;
/** The names of errors that a client gives for what a node does not prove. */
const REFUSALS = ['NotFinal', 'WrongGenesis', 'Rollback', 'BadProof', 'Malformed', 'UnknownStorage'];
/**
 * What else a whole call may end with: bytes without their hash, a request that is said to end, a wait for a block, and the
 * errors with which `@polkadot/api` refuses an answer that it cannot read. A refused query is none of these: a client that
 * is told of one without a proof goes on.
 */
const OTHER_ENDS = ['WrongContent', 'EndsTooSoon', 'Waits', 'waits', 'Error', 'TypeError'];

const master = MasterSecret.generate();
const pair = EncryptionKeyPair.generate();
let node;
let liar;
/** The client at the honest node, and the one at the liar. */
let honest;
let client;
let school;
let company;

before(async () => {
	node = await LocalNode.start({ args: ['--dev'] });
	liar = await LyingNode.start(node.url);
	[honest, client] = await Promise.all([node.url, liar.url].map((url) => Client.connect(url)));
	[school, company] = ['//Bob', '//Charlie'].map((secret) => honest.account(secret));
	await honest.register(school, 'School', 'A school');
	await honest.createDataset(school, 'marks');
	await honest.store(school, master, { ...SCOPE, leaf: 1, key: KEY }, TRUTH);
	await honest.setEncryptionKey(company, await pair.publicKey());
	await honest.authorize(school, master, company.address, SCOPE, { term: 1000 });
}, { timeout });

after(async () => {
	await Promise.all([honest?.disconnect(), client?.disconnect()]);
	await liar?.stop();
	await node?.stop();
});

const read = () => client.read(company, pair, school.address, KEY);

test('a record and a grant that the node forged are not read', { timeout }, async () => {
	const answer = await honest.query(company.address, school.address, KEY);
	const places = { owner: school, reader: company, readerKey: await pair.publicKey(), key: KEY };
	const { value, changes } = await forgery(honest, places, answer, LIE);
	const forge = (methods) => (method, params, result) => {
		if (method === 'bitswap_v1_get' && params[0] === cidOf(contentHash(value))) return hex(value);
		return methods.includes(method) ? replaced(result, changes) : result;
	};
	liar.setLie(forge(['state_call', 'state_getStorage']));
	assert.deepEqual(Uint8Array.from(await read()), TRUTH);
	// A false proof is told apart.
	liar.setLie(forge(['state_call', 'state_getStorage', 'state_getReadProof']));
	await assert.rejects(read(), { name: 'BadProof' });
	liar.tellTruth();
	assert.deepEqual(Uint8Array.from(await read()), TRUTH);
});

test('a manifest that the node made up is refused', { timeout }, async () => {
	const key = recordKey('large');
	const bytes = Buffer.alloc(2500, 'a large record');
	const file = {
		stat: async () => ({ size: bytes.length }),
		read: async (buffer, offset, length, position) => ({ bytesRead: bytes.copy(buffer, offset, position, position + length) }),
	};
	await storeFile(honest, school, master, { ...SCOPE, leaf: 2, key }, file, { chunkSize: 1000 });
	const readLarge = async () => {
		const parts = [];
		for await (const part of client.readLarge(company, pair, school.address, key)) parts.push(part);
		return Buffer.concat(parts);
	};
	const lieAboutManifest = (lie) => liar.setLie((method, _params, result) => {
		if (method !== 'sharing_query') return result;
		const manifest = Buffer.from(result.manifest, 'base64');
		return { ...result, ...lie(manifest) };
	});
	for (const lie of [
		// Another hash, one hash less, and also fewer chunks.
		(manifest) => ({ manifest: Buffer.concat([manifest.subarray(0, -1), Buffer.from([manifest.at(-1) ^ 1])]).toString('base64') }),
		(manifest) => ({ manifest: manifest.subarray(0, -32).toString('base64') }),
		(manifest) => ({ manifest: manifest.subarray(0, -32).toString('base64'), chunks: 2 }),
		() => ({ manifest: null }),
	]) {
		lieAboutManifest(lie);
		await assert.rejects(readLarge(), { name: 'WrongContent' });
	}
	// The number of chunks is proven, too.
	lieAboutManifest(() => ({ chunks: 2 }));
	assert.deepEqual(await readLarge(), bytes);
	liar.tellTruth();
});

test('a grant that is sealed to a lost key does not hide another one', { timeout }, async () => {
	const reader = honest.account('//Eve');
	const [kept, lost] = [EncryptionKeyPair.generate(), EncryptionKeyPair.generate()];
	for (const own of [kept, lost]) {
		await honest.setEncryptionKey(reader, await own.publicKey());
		await honest.authorize(school, master, reader.address, SCOPE, { term: 1000 });
	}
	assert.deepEqual(Uint8Array.from(await honest.read(reader, kept, school.address, KEY)), TRUTH);
	const other = honest.read(reader, EncryptionKeyPair.generate(), school.address, KEY);
	await assert.rejects(other, { name: 'DoesNotOpen' });
});

test('an owner seals to the key that the reader registered, and to no other', { timeout }, async () => {
	const own = (await EncryptionKeyPair.generate().publicKey()).toBytes();
	const key = (await pair.publicKey()).toBytes();
	liar.setLie((method, _params, result) => (method === 'state_getReadProof' ? result : replaced(result, [[key, own]])));
	const granted = await client.authorize(school, master, company.address, { ...SCOPE, to: 2 }, { term: 1000 });
	liar.tellTruth();
	await honest.finalized(granted);
	assert.deepEqual(Uint8Array.from(await honest.read(company, pair, school.address, KEY)), TRUTH);
});

test('a request that the node made up is not answered', { timeout }, async () => {
	const asked = await honest.requestAccess(company, school.address, SCOPE, {
		...{ purpose: 'a study', term: 100, key: await EncryptionKeyPair.generate().publicKey() },
	});
	const request = asked.event('dataSharing', 'AccessRequested').request.toNumber();
	await honest.finalized(asked);
	const entry = await honest.rpc('state_getStorage', honest.api.query.dataSharing.requests.key(request));
	const invented = request + 1;
	const key = honest.api.query.dataSharing.requests.key(invented);
	const sent = [];
	liar.setLie((method, params, result) => {
		if (/submit/i.test(method)) sent.push(params[0]);
		if (method === 'state_getStorage' && params[0] === key) return entry;
		if (method === 'state_queryStorageAt' && params[0].includes(key)) {
			return result.map((change) => ({ ...change, changes: change.changes.map(([at]) => [at, entry]) }));
		}
		return result;
	});
	const answer = client.authorize(school, master, company.address, SCOPE, { term: 100, request: invented });
	await assert.rejects(answer, { name: 'EndsTooSoon' });
	assert.deepEqual(sent, []);
	// Nor is a request that is there, but is another account's or for another range.
	for (const [grantee, scope] of [[school.address, SCOPE], [company.address, { ...SCOPE, to: SCOPE.to - 1 }]]) {
		const other = client.authorize(school, master, grantee, scope, { term: 100, request });
		await assert.rejects(other, { name: 'AnotherRequest' });
	}
	assert.deepEqual(sent, []);
	liar.tellTruth();
});

test('a node that goes back, or is of another chain, is refused', { timeout }, async () => {
	const old = await honest.rpc('isthmus_finalityProof', hex(honest.genesis));
	await read();
	await honest.finalized(await honest.submit(company, honest.api.tx.system.remark('0x00')));
	await read();
	liar.setLie((method, _params, result) => (method === 'isthmus_finalityProof' ? old : result));
	await assert.rejects(read(), { name: 'Rollback' });
	liar.tellTruth();
	const other = await Client.connect(liar.url, { genesis: new Uint8Array(32) }).catch((error) => error);
	assert.equal(other.name, 'WrongGenesis');
});

test('random lies over a whole session are never accepted', { timeout }, async (t) => {
	// What an honest node answers to a client that begins at the first block.
	const answers = new Map();
	const said = { dataset: 0, epoch: 0, grant: { id: (await honest.query(company.address, school.address, KEY)).grant.id } };
	class Recording extends Verified {
		genesis = honest.genesis;
		async rpc(method, ...params) {
			const result = await honest.rpc(method, ...params);
			answers.set(JSON.stringify([method, params]), result);
			return result;
		}
	}
	const session = async (client, said) => {
		const proven = await client.proven();
		const answer = await proven.query(company.publicKey, school.publicKey, KEY, said);
		return { answer, key: await proven.encryptionKey(company.publicKey), request: await proven.request(0) };
	};
	const truth = await session(new Recording(), said);
	assert.deepEqual(truth.key, (await pair.publicKey()).toBytes());
	const corpus = [...answers.values()].flatMap(texts);
	const random = randomNumbers(15);
	const seen = new Map();
	let unchanged = 0;
	for (let lie = 0; lie < LIES; lie++) {
		let left = random(answers.size);
		class Lying extends Verified {
			genesis = honest.genesis;
			async rpc(method, ...params) {
				const result = answers.get(JSON.stringify([method, params]));
				// A client that believed a lie may ask what was never recorded.
				if (result === undefined) throw Object.assign(new Error('no such answer'), { name: 'BadProof' });
				return left-- === 0 ? lieAbout(result, random, corpus) : result;
			}
		}
		try {
			const shown = await session(new Lying(), said);
			assert.deepEqual(shown, truth, `lie ${lie}`);
			unchanged++;
		} catch (error) {
			if (error.code === 'ERR_ASSERTION') throw error;
			seen.set(error.name, (seen.get(error.name) ?? 0) + 1);
		}
	}
	t.diagnostic(JSON.stringify({ unchanged, ...Object.fromEntries(seen) }));
	for (const name of seen.keys()) assert.ok(REFUSALS.includes(name), `refused as ${name}`);
	// Some lies are about what the client knows already.
	assert.ok(unchanged < 0.8 * LIES, `${unchanged} lies changed nothing`);
});

/** A client whose connection lies. What it knows of the chain's finality begins at the first block. */
class Lied extends Client {
	#provider;

	constructor(api, provider) {
		super();
		this.api = api;
		this.#provider = provider;
		this.genesis = honest.genesis;
	}

	async rpc(method, ...params) {
		return this.#provider.send(method, params);
	}
}

/** Checks a transaction that grants a range: it is for the company and the range, and sealed to the key, of this request or grant. */
async function checkGrant(transaction, asked, given) {
	const { method } = honest.api.createType('Extrinsic', transaction);
	assert.equal(`${method.section}.${method.method}`, 'dataSharing.addAuthorize');
	const [grantee, granted, expiry, until, sealedKeys, answered] = method.args;
	assert.equal(grantee.toString(), company.address);
	const { scope, request, own } = answered.isSome ? asked : given;
	const { dataset, epoch, from, to } = granted;
	assert.deepEqual([dataset, epoch, from, to].map((part) => part.toNumber()), [scope.dataset, scope.epoch, scope.from, scope.to]);
	assert.ok(until.isNone);
	assert.deepEqual(answered.isSome ? answered.unwrap().id.toNumber() : null, request);
	const id = honest.epochId(school.publicKey, scope);
	const entry = { grantee: company.publicKey, range: new Range(scope.from, scope.to), expiry: expiry.toNumber() };
	await openGrant(own, id, entry, fromHex(sealedKeys.toHex()));
}

test('random lies to whole calls are never accepted', { timeout }, async (t) => {
	// The API prints each answer that it cannot read.
	t.mock.method(console, 'error', () => undefined);
	t.mock.method(console, 'warn', () => undefined);
	const asked = { scope: { ...SCOPE, to: 3 }, own: EncryptionKeyPair.generate() };
	const key = await asked.own.publicKey();
	const receipt = await honest.requestAccess(company, school.address, asked.scope, { purpose: 'a study', term: 100, key });
	await honest.finalized(receipt);
	asked.request = receipt.event('dataSharing', 'AccessRequested').request.toNumber();
	const given = { scope: { ...SCOPE, to: 2 }, own: pair, request: null };
	const grant = ({ scope, request }) => (client) =>
		client.authorize(school, master, company.address, scope, { term: 100, request });
	const deeds = [
		{ name: 'read', act: (client) => client.read(company, pair, school.address, KEY) },
		{ name: 'authorize', act: grant(given), sends: true },
		{ name: 'answer', act: grant(asked), sends: true },
	];

	const provider = new LyingProvider(node.url);
	const api = await ApiPromise.create({ provider, noInitWarn: true });
	t.after(() => api.disconnect());
	provider.record();
	/**
	 * Does something with a client that knows nothing yet. Returns the name of what came of it; a lie changes nothing else. What
	 * takes longer than `patience`, in milliseconds, `waits`.
	 */
	const outcomeOf = async ({ act, sends = false }, patience = PATIENCE) => {
		provider.kept.length = 0;
		const late = new AbortController();
		const ended = act(new Lied(api, provider)).then(
			(value) => {
				if (sends) return 'accepted';
				assert.deepEqual(Uint8Array.from(value), TRUTH);
				return 'unchanged';
			},
			(error) => {
				if (error.code === 'ERR_ASSERTION') throw error;
				return error.name;
			},
		);
		const outcome = await Promise.race([ended, sleep(patience, 'waits', { signal: late.signal })]);
		late.abort();
		// Also of an earlier call, which waited for too long.
		for (const transaction of provider.kept) await checkGrant(transaction, asked, given);
		return provider.kept.length > 0 ? 'unchanged' : outcome;
	};

	const [own, other] = [(await EncryptionKeyPair.generate().publicKey()).toBytes(), honest.account('//Dave')];
	const keys = [(await pair.publicKey()).toBytes(), key.toBytes()];
	const swaps = [...keys.map((each) => [each, own]), [company.publicKey, other.publicKey]];
	const [corpus, earlier, answers] = [[], new Map(), []];
	for (const deed of deeds) {
		let count = 0;
		provider.setLie((method, result) => {
			count++;
			corpus.push(...texts(result).filter((text) => text.length < 20_000));
			earlier.set(method, [...(earlier.get(method) ?? []), result]);
			return result;
		});
		assert.equal(await outcomeOf(deed, timeout), 'unchanged', `${deed.name} works with an honest node`);
		answers.push(count);
	}
	const random = randomNumbers(16);
	const tallies = Object.fromEntries(deeds.map(({ name }) => [name, {}]));
	let [told, drawn] = [0, 0];
	for (; told < LIES_TO_CALLS; drawn++) {
		assert.ok(drawn <= 2 * LIES_TO_CALLS, `of ${drawn} lies, only ${told} were told`);
		const at = random(deeds.length);
		let left = random(answers[at]);
		let said = null;
		provider.setLie((method, result) => {
			if (left-- !== 0) return result;
			const swapped = replaced(result, swaps);
			const others = earlier.get(method) ?? [];
			let lie = lieAbout(result, random, corpus);
			if (JSON.stringify(swapped) !== JSON.stringify(result) && random(3) > 0) lie = swapped;
			else if (random(4) === 0 && others.length > 0) lie = others[random(others.length)];
			said = { method, lie };
			return lie;
		});
		try {
			const outcome = await outcomeOf(deeds[at]);
			if (said === null) continue;
			told++;
			const tally = tallies[deeds[at].name];
			tally[outcome] = (tally[outcome] ?? 0) + 1;
		} catch (error) {
			const message = `lie ${drawn} to ${deeds[at].name}: ${error.message}: ${JSON.stringify(said)?.slice(0, 500)}`;
			throw new Error(message, { cause: error });
		}
	}
	t.diagnostic(`${told} lies told of ${drawn}: ${JSON.stringify(tallies)}`);
	for (const { name } of deeds) {
		const { unchanged = 0, accepted = 0, ...failed } = tallies[name];
		assert.equal(accepted, 0, `${name} ended as if its transaction were in a block`);
		for (const end of Object.keys(failed)) assert.ok([...REFUSALS, ...OTHER_ENDS].includes(end), `${name} ended as ${end}`);
		const failures = Object.values(failed).reduce((sum, count) => sum + count, 0);
		assert.ok(unchanged > 0 && failures > 0, `${name}: ${JSON.stringify(tallies[name])}`);
	}
});
