// SPDX-License-Identifier: Apache-2.0

// Attacks on shared data, against running nodes: queries without authorisation, what was signed or granted on
// another chain played again, a reader whose grant was revoked, and a node that lies to readers.
//
// An attack makes many tries. Each must be refused, and for its own reason; that what is right is let through is
// checked beside it, so that a chain that refuses everything holds nothing. Attacks on the wire and by mining are
// isthmus-adversary's.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptionKeyPair, MasterSecret } from './envelope.mjs';
import { firstChunkWithAnyKey } from './envelope/record.mjs';
import { LyingNode } from './lying-node.mjs';
import { LocalNode, runToEnd } from './node.mjs';
import { queryMessage, newNonce } from './query.mjs';
import { Rpc } from './rpc.mjs';
import { Client, hex, recordKey } from './sharing.mjs';

/** Four records; the company's grant opens those at leaves 1 and 2. */
const VALUES = ['first', 'second', 'third', 'fourth'].map((text) => Buffer.from(`the ${text} record`));
const KEYS = VALUES.map((_, leaf) => recordKey(`record/${leaf}`));
const SCOPE = { dataset: 0, epoch: 0, from: 1, to: 3 };
/** For how many blocks the grant is at least. */
const TERM = 1000;

/** The tries of an attack: what was refused as it must be, and what was not. */
class Tries {
	/** How many there were. */
	made = 0;
	/** What went another way than it must, a sentence each. */
	wrong = [];

	/** Something that must fail with an error of this name, or that this expression matches. */
	async refused(what, expected, action) {
		this.made += 1;
		let error;
		try {
			await action();
		} catch (caught) {
			error = caught;
		}
		if (!error) this.wrong.push(`${what} was let through`);
		else if (!isExpected(error, expected)) {
			this.wrong.push(`${what} was refused for another reason: ${error.name}: ${error.message}`);
		}
	}

	/** What is right: it must work, or the attack shows nothing. */
	async works(what, action) {
		try {
			return await action();
		} catch (error) {
			throw new Error(`${what} did not work, so the attack shows nothing: ${error.message}`, { cause: error });
		}
	}

	/** The outcome, as attack-report.mjs has it. */
	outcome({ observed, figures = {}, ...words }) {
		const held = this.wrong.length === 0;
		return {
			...words,
			observed: held ? observed : `${this.wrong.join('. ')}.`,
			figures: { tries: this.made, refused: this.made - this.wrong.length, ...figures },
			held,
		};
	}
}

function isExpected(error, expected) {
	return expected instanceof RegExp ? expected.test(error.message) : error.name === expected;
}

/** A chain on which a school shares two of four records with a company. */
class World {
	/** The school's secret, and the company's key pair: the same on every chain, as people would have it. */
	static master = MasterSecret.generate();
	static pair = EncryptionKeyPair.generate();

	/** @param {string[]} args What goes on the node's command line. */
	static async start(args) {
		const world = new World();
		world.node = await LocalNode.start({ args });
		world.client = await Client.connect(world.node.url);
		world.rpc = await Rpc.connect(world.node.url);
		[world.school, world.company, world.stranger] = ['//Bob', '//Charlie', '//Dave'].map((secret) =>
			world.client.account(secret),
		);
		return world;
	}

	/** Plays it: the records, the grant. Returns the receipts. */
	async share() {
		const { client, school, company } = this;
		const receipts = await Promise.all([
			client.register(school, 'School', 'School'),
			client.createDataset(school, 'records'),
			...VALUES.map((value, leaf) =>
				client.store(school, World.master, { dataset: 0, epoch: 0, leaf, key: KEYS[leaf] }, value),
			),
			client.setEncryptionKey(company, await World.pair.publicKey()),
		]);
		receipts.push(await client.authorize(school, World.master, company.address, SCOPE, { term: TERM }));
		return receipts;
	}

	/** The company reads a record, in the proper way. */
	async read(leaf, client = this.client) {
		const read = await client.read(this.company, World.pair, this.school.address, KEYS[leaf]);
		if (!Buffer.from(read).equals(VALUES[leaf])) throw new Error('the bytes are not the ones that were stored');
	}

	/** The chain's answer to the company, and a record's ciphertext, which anybody may have. */
	async answerTo(leaf, caller = this.company) {
		return this.client.query(caller.address, this.school.address, KEYS[leaf]);
	}

	async ciphertext(leaf) {
		return this.client.fetchValue((await this.answerTo(leaf, this.school)).contentHash);
	}

	/** The keys that the company was granted. */
	async keys() {
		const answer = await this.answerTo(SCOPE.from);
		const [caller, owner] = [this.company.address, this.school.address];
		return this.client.openKeys({ caller, owner, answer, pair: World.pair });
	}

	/** Tries a key on a ciphertext that it is not the key of. */
	async tryKey(tries, what, leafKey, key, sealed) {
		const owner = this.school.address;
		await tries.refused(what, 'WrongKey', () => this.client.decrypt(leafKey, owner, key, sealed));
		// The encryption itself refuses the key, not the commitment to it alone.
		const context = this.client.recordContext(owner, key);
		await tries.refused(`${what}, by force`, 'NotAuthentic', () =>
			firstChunkWithAnyKey(leafKey, context, sealed),
		);
	}

	async stop() {
		await this.rpc?.disconnect();
		await this.client?.disconnect();
		await this.node?.stop();
	}
}

/** `query` by those whom the owner did not authorise. */
async function unauthorisedQuery(world, other) {
	const tries = new Tries();
	const { client, company, school, stranger } = world;
	const owner = school.address;
	await tries.works('an authorised query', () => world.read(1));

	await tries.refused("a stranger's query", 'NotAuthorised', () => world.answerTo(1, stranger));
	for (const leaf of [0, 3]) {
		await tries.refused('a query outside the granted range', 'OutOfRange', () => world.answerTo(leaf));
	}
	await signedQueries(tries, world, other);

	// A read-only call's caller is whom it says it is: the stranger gets the sealed keys, and cannot open them.
	const answer = await world.answerTo(1);
	const thief = { caller: company.address, owner, answer, pair: EncryptionKeyPair.generate() };
	await tries.refused("the company's sealed keys in a stranger's hands", 'DoesNotOpen', () =>
		client.openKeys(thief),
	);
	const epoch = { genesis: client.genesis, owner: school.publicKey, dataset: 0, epoch: 0 };
	const own = await (await MasterSecret.generate().epochRoot(epoch)).leafKey(1);
	await world.tryKey(tries, "a stranger's own key", own, KEYS[1], await world.ciphertext(1));

	const keys = await world.keys();
	for (const leaf of [0, 3]) {
		const sealed = await world.ciphertext(leaf);
		await tries.refused('a key outside the granted range', 'LeafOutsideRange', () => keys.leafKey(leaf));
		for (const held of [1, 2]) {
			const what = `the key of leaf ${held} on the record at leaf ${leaf}`;
			await world.tryKey(tries, what, await keys.leafKey(held), KEYS[leaf], sealed);
		}
	}
	return tries.outcome({
		attack: 'unauthorised-query',
		title: 'Query without authorisation',
		promise: 'Only who is on the authorization list gets an answer (III.C, Protocol 1, lines 9 to 14).',
		observed:
			'Queries are refused with their reason, and signed ones also when forged, sent twice, not of now or for another'
			+ " chain. Ciphertexts and sealed keys are public, and no key that is not the reader's own opens them.",
		figures: { opened: 0 },
	});
}

/** Questions that a node answers to the signer alone. */
async function signedQueries(tries, world, other) {
	const { client, company, school, stranger } = world;
	const owner = school.address;
	for (const method of ['sharing_query', 'sharing_chunks']) {
		const page = method === 'sharing_chunks' ? { first: 0, count: 1 } : {};
		const question = (signer, leaf) => client.signQuery(signer, method, owner, KEYS[leaf], page);
		const changed = async (changes) => {
			const { request } = await question(company, 1);
			return client.sendQuery({ method, request: { ...request, ...changes } });
		};
		const asked = await question(company, 1);
		await tries.works(`${method} by the company`, () => client.sendQuery(asked));
		await tries.refused(`the company's ${method} once more`, 'Replayed', () => client.sendQuery(asked));
		await tries.refused(`${method} by a stranger`, 'NotAuthorised', async () =>
			client.sendQuery(await question(stranger, 1)),
		);
		await tries.refused(`${method} outside the granted range`, 'OutOfRange', async () =>
			client.sendQuery(await question(company, 0)),
		);
		const { request: strangers } = await question(stranger, 1);
		for (const [what, changes, name] of [
			["with a stranger's signature", { signature: strangers.signature }, 'Forged'],
			['for another record than was signed', { key: hex(KEYS[2]) }, 'Forged'],
			["in a stranger's name", { caller: stranger.address }, 'Forged'],
		]) {
			await tries.refused(`${method} ${what}`, name, () => changed(changes));
		}
		// Rightly signed, and yet not to be answered.
		const { genesis } = client;
		const { block } = asked.request;
		for (const [what, changes, name] of [
			['for a block that is not yet', { block: block + 1000 }, 'Stale'],
			['for another chain', { genesis: other.client.genesis }, 'WrongChain'],
		]) {
			const words = { genesis, block, nonce: newNonce(), key: KEYS[1], ...page, ...changes };
			const message = queryMessage({ method, caller: company.publicKey, owner: school.publicKey, ...words });
			const signature = hex(company.sign(message, { withType: true }));
			const signed = { ...words, genesis: hex(words.genesis), nonce: hex(words.nonce), key: hex(words.key) };
			const request = { caller: company.address, owner, ...signed, signature };
			await tries.refused(`${method} ${what}`, name, () => client.sendQuery({ method, request }));
		}
	}
}

/** What was signed on one chain, sent to another, and to the same once more. */
async function replayedExtrinsic(world, other, receipts) {
	const tries = new Tries();
	const { api } = world.client;
	const signed = [];
	for (const hash of new Set(receipts.map(({ blockHash }) => blockHash))) {
		const { block } = await api.rpc.chain.getBlock(hash);
		signed.push(...block.extrinsics.filter(({ isSigned }) => isSigned));
	}
	// Those end with their time, and each names a block that the other chain does not have. The hardest to refuse
	// has no end: the chain's first block is all that it names.
	const endless = await api.tx.system.remark('endless').signAsync(world.stranger, { era: 0, nonce: 0 });
	const send = (to, extrinsic) => to.rpc.call('author_submitExtrinsic', extrinsic.toHex());
	const nameOf = ({ method }) => `${method.section}.${method.method}`;
	for (const extrinsic of signed) {
		const what = `${nameOf(extrinsic)} of another chain`;
		await tries.refused(what, /bad signature|ancient birth block/, () => send(other, extrinsic));
	}
	await tries.refused('one without an end of another chain', /bad signature/, () => send(other, endless));
	// The pool may still have it from the first time, or refuse it for a while because it had it.
	const known = /outdated|Already Imported|temporarily banned/;
	const nonces = () =>
		Promise.all([world.school, world.company].map(({ address }) => world.rpc.call('system_accountNextIndex', address)));
	const before = await nonces();
	for (const extrinsic of signed) {
		await tries.refused(`${nameOf(extrinsic)} once more`, known, () => send(world, extrinsic));
	}
	if (String(await nonces()) !== String(before)) tries.wrong.push('a transaction was taken a second time');
	const producers = await other.client.api.query.dataSharing.producers.entries();
	if (producers.length > 0) tries.wrong.push('the other chain has a producer of the first');
	await tries.works('the one without an end, on its own chain', () => send(world, endless));
	await tries.works('the same calls, signed for the other chain', () => other.share());
	return tries.outcome({
		attack: 'replayed-extrinsic',
		title: 'Replayed transactions',
		promise: 'What a bad node sends is rejected by the others (IV.A).',
		observed:
			'Every transaction of one chain is refused on another, where the same accounts have done nothing yet: its'
			+ ' signature covers the first block of its chain. Sent again on its own chain, it is known or outdated.',
		figures: { transactions: signed.length + 1 },
	});
}

/** A grant of one chain, used on another where owner, reader, dataset and keys have the same names. */
async function replayedGrant(world, other) {
	const tries = new Tries();
	const { client, company, school } = other;
	const [caller, owner, pair] = [company.address, school.address, World.pair];
	await tries.works("the other chain's own grant", () => other.read(1));

	const foreign = await world.answerTo(1);
	const here = await other.answerTo(1);
	const answer = { ...here, grant: { ...here.grant, sealedKeys: foreign.grant.sealedKeys } };
	await tries.refused("another chain's sealed keys", 'DoesNotOpen', () =>
		client.openKeys({ caller, owner, answer, pair }),
	);
	const keys = await world.keys();
	for (const leaf of [1, 2]) {
		const what = "another chain's key of the same leaf";
		await other.tryKey(tries, what, await keys.leafKey(leaf), KEYS[leaf], await other.ciphertext(leaf));
	}
	// A producer puts on its own dataset what another one sealed.
	const thief = other.stranger;
	await client.register(thief, 'Business', 'Thief');
	await client.createDataset(thief, 'records');
	const { dataSharing } = client.api.tx;
	const key = recordKey('bait');
	await client.store(thief, MasterSecret.generate(), { dataset: 0, epoch: 0, leaf: 1, key }, Buffer.from('bait'));
	const { expiry, sealedKeys } = here.grant;
	await client.submit(thief, dataSharing.addAuthorize(caller, SCOPE, expiry, null, hex(sealedKeys), null));
	await tries.refused("one owner's sealed keys under another's dataset", 'DoesNotOpen', async () => {
		const answer = await client.query(caller, thief.address, key);
		return client.openKeys({ caller, owner: thief.address, answer, pair });
	});
	return tries.outcome({
		attack: 'replayed-grant',
		title: 'Replayed grants',
		promise: 'The data opens for those alone whom its owner authorised (III.C, Figure 3).',
		observed:
			'Sealed keys of one chain or owner open nothing under another, even where all names are the same and the'
			+ ' owner uses one secret: they are bound to chain, owner, dataset, epoch, range and reader.',
		figures: { opened: 0 },
	});
}

/** A reader whose grant was revoked. */
async function revokedReader(world) {
	const tries = new Tries();
	const { client, company, school } = world;
	const { grant } = await world.answerTo(1);
	const keys = await world.keys();
	const kept = await world.ciphertext(1);
	await client.submit(school, client.api.tx.dataSharing.revoke(grant.id));
	await tries.refused('a query after revoking', 'Revoked', () => world.answerTo(1));

	const key = recordKey('later');
	await client.store(school, World.master, { dataset: 0, epoch: 1, leaf: 1, key }, VALUES[1]);
	await tries.refused('a query for what was stored later', 'NotAuthorised', () =>
		client.query(company.address, school.address, key),
	);
	const { contentHash } = await client.query(school.address, school.address, key);
	const sealed = await client.fetchValue(contentHash);
	for (const leaf of [1, 2]) {
		await world.tryKey(tries, 'a kept key on what was stored later', await keys.leafKey(leaf), key, sealed);
	}
	const again = await client.decrypt(await keys.leafKey(1), school.address, KEYS[1], kept);
	return tries.outcome({
		attack: 'revoked-reader',
		title: 'Reader after revoking',
		promise: 'None: Protocol 1 takes nobody off the list.',
		observed:
			'Queries are refused, and kept keys do not open what is stored from then on. What was delivered before is'
			+ ' still read: that cannot be defended.',
		figures: { delivered_before_and_still_read: Buffer.from(again).equals(VALUES[1]) },
	});
}

/** A node that serves other bytes than were stored, and that lies about where they are. */
async function tamperedData(world) {
	const tries = new Tries();
	const lying = await LyingNode.start(world.node.url);
	const client = await Client.connect(lying.url);
	const read = () => world.read(1, client);
	try {
		await tries.works('reading through a node that does not lie yet', read);
		const [truth, other] = [await world.ciphertext(1), await world.ciphertext(2)];
		const serve = (bytes) => (method, _params, result) => (method === 'bitswap_v1_get' ? hex(bytes) : result);

		for (let at = 0; at < truth.length; at += 1) {
			lying.tell(serve(flipped(truth, at)));
			await tries.refused(`a value with byte ${at} changed`, 'WrongContent', read);
		}
		for (const [what, bytes] of [
			["another record's value", other],
			['a value cut short', truth.subarray(0, -1)],
			['a longer value', new Uint8Array([...truth, 0])],
			['no value', new Uint8Array()],
		]) {
			lying.tell(serve(bytes));
			await tries.refused(what, 'WrongContent', read);
		}

		// Lies about the chain's state too: hash and bytes fit, and the encryption alone is left to tell.
		const answer = await world.answerTo(1);
		const state = (from, to, served) => (method, params, result) => {
			if (method === 'state_call' && params[0] === 'DataSharingApi_query') {
				return result.replace(hex(from).slice(2), hex(to).slice(2));
			}
			return serve(served)(method, params, result);
		};
		const hashOf = (bytes) => client.api.registry.hash(bytes);
		const last = truth.length - 1;
		for (const [what, bytes, error] of [
			["another record's hash and value", other, 'WrongKey'],
			['the hash of a value whose last byte was changed', flipped(truth, last), 'NotAuthentic'],
			['the hash of a value of another format', flipped(truth, 0), 'UnknownVersion'],
		]) {
			lying.tell(state(answer.contentHash, hashOf(bytes), bytes));
			await tries.refused(what, error, read);
		}
		const { sealedKeys } = answer.grant;
		lying.tell(state(sealedKeys, flipped(sealedKeys, sealedKeys.length - 1), truth));
		await tries.refused('sealed keys that were changed', 'DoesNotOpen', read);
		lying.tell((_method, _params, result) => result);
		await tries.works('reading when the node lies no more', read);
	} finally {
		await client.disconnect();
		await lying.stop();
	}
	return tries.outcome({
		attack: 'tampered-data',
		title: 'Tampered data, served to a reader',
		promise: 'A node that tampers with data is rejected by the others (IV.A, Figure 4).',
		observed:
			'The reader notices every changed byte by the hash that the chain has of the value; where the node lies about'
			+ ' the hash too, the encryption does. Never was anything read that was not stored.',
		figures: { accepted: 0 },
	});
}

/** Bytes with one bit changed. */
function flipped(bytes, at) {
	const changed = Uint8Array.from(bytes);
	changed[at] ^= 1;
	return changed;
}

/** The development chain, but another: one account has a little more, so the first block is not the same. */
async function otherChain(folder) {
	const { code, stdout, stderr } = await runToEnd(['export-chain-spec', '--chain', 'dev']);
	if (code !== 0) throw new Error(`the chain's specification cannot be exported: ${stderr}`);
	const spec = JSON.parse(stdout);
	spec.genesis.runtimeGenesis.patch.balances.balances[0][1] += 1_000_000_000_000;
	const path = join(folder, 'other-chain.json');
	writeFileSync(path, JSON.stringify(spec));
	return path;
}

/**
 * Carries out the attacks on data, and tells each outcome.
 *
 * @param {string} folder Where files may be left.
 * @param {(outcome: import('./attack-report.mjs').Outcome) => void} tell
 */
export async function attackData(folder, tell) {
	const worlds = [];
	try {
		worlds.push(await World.start(['--dev']));
		worlds.push(await World.start(['--dev', '--chain', await otherChain(folder)]));
		const [world, other] = worlds;
		if (hex(world.client.genesis) === hex(other.client.genesis)) throw new Error('the two chains are one');
		const receipts = await world.share();
		tell(await tamperedData(world));
		tell(await unauthorisedQuery(world, other));
		tell(await replayedExtrinsic(world, other, receipts));
		tell(await replayedGrant(world, other));
		tell(await revokedReader(world));
	} finally {
		for (const world of worlds) await world.stop();
	}
}
