// SPDX-License-Identifier: Apache-2.0

// Attacks on shared data on running nodes: queries without authorisation, transactions and grants replayed from
// another chain, a reader whose grant was revoked, and a node that lies to readers.
//
// Each attack makes many attempts. Every attempt must be refused for the expected reason, and the legitimate actions
// in between must succeed, so a chain that refuses everything does not pass. isthmus-adversary contains the attacks
// on the network protocol and the mining attacks.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentHash, EncryptionKeyPair, encryptValue, MasterSecret } from './envelope.mjs';
import { utf8 } from './envelope/common.mjs';
import { firstChunkWithAnyKey } from './envelope/record.mjs';
import { forgery, replaced } from './forgery.mjs';
import { LyingNode } from './lying-node.mjs';
import { LocalNode, runToEnd } from './node.mjs';
import { queryMessage, newNonce } from './query.mjs';
import { Rpc } from './rpc.mjs';
import { cidOf, Client, hex, recordKey } from './sharing.mjs';

/** Four records. The company's grant opens the records at leaves 1 and 2. */
const VALUES = ['first', 'second', 'third', 'fourth'].map((text) => Buffer.from(`the ${text} record`));
const KEYS = VALUES.map((_, leaf) => recordKey(`record/${leaf}`));
const SCOPE = { dataset: 0, epoch: 0, from: 1, to: 3 };
/** The grant's minimum term, in blocks. */
const TERM = 1000;

/** Counts the attempts of an attack, and collects those that were not refused as expected. */
class Attempts {
	/** The number of attempts. */
	made = 0;
	/** A sentence for each unexpected result. */
	wrong = [];

	/** Makes an attempt that must fail with an error that has the expected name or a message that matches `expected`. */
	async refused(what, expected, action) {
		this.made += 1;
		let error;
		try {
			await action();
		} catch (caught) {
			error = caught;
		}
		if (!error) this.wrong.push(`${what} succeeded`);
		else if (!isExpected(error, expected)) {
			this.wrong.push(`${what} was refused for another reason: ${error.name}: ${error.message}`);
		}
	}

	/** Takes a legitimate action. It must succeed: otherwise the refusals prove nothing. */
	async succeeds(what, action) {
		try {
			return await action();
		} catch (error) {
			throw new Error(`${what} failed, so the attack shows nothing: ${error.message}`, { cause: error });
		}
	}

	/** Returns the outcome in the form that attack-report.mjs expects. */
	outcome({ observed, figures = {}, ...rest }) {
		const held = this.wrong.length === 0;
		return {
			...rest,
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
	/** The school's secret and the company's key pair: the same on every chain, as in real use. */
	static master = MasterSecret.generate();
	static pair = EncryptionKeyPair.generate();

	/** @param {string[]} args The node's options. */
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

	/** Stores the records and grants access. Returns the receipts. */
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

	/** Reads a record as the company, which is authorised to read leaves 1 and 2. */
	async read(leaf, client = this.client) {
		const read = await client.read(this.company, World.pair, this.school.address, KEYS[leaf]);
		if (!Buffer.from(read).equals(VALUES[leaf])) throw new Error('the bytes differ from the stored ones');
	}

	/** Queries a record, by default as the company. */
	async answerTo(leaf, caller = this.company) {
		return this.client.query(caller.address, this.school.address, KEYS[leaf]);
	}

	/** Fetches a record's ciphertext, as anyone can. */
	async ciphertext(leaf) {
		return this.client.fetchValue((await this.answerTo(leaf, this.school)).contentHash);
	}

	/** Opens the keys that the school granted the company. */
	async keys() {
		const answer = await this.answerTo(SCOPE.from);
		const [caller, owner] = [this.company.address, this.school.address];
		return this.client.openKeys({ caller, owner, answer, pair: World.pair });
	}

	/** Tries to decrypt a ciphertext with a wrong key. */
	async tryKey(attempts, what, leafKey, key, sealed) {
		const owner = this.school.address;
		await attempts.refused(what, 'WrongKey', () => this.client.decrypt(leafKey, owner, key, sealed));
		// Not only the key commitment but the encryption itself refuses the key.
		const context = this.client.recordContext(owner, key);
		await attempts.refused(`${what}, by force`, 'NotAuthentic', () =>
			firstChunkWithAnyKey(leafKey, context, sealed),
		);
	}

	async stop() {
		await this.rpc?.disconnect();
		await this.client?.disconnect();
		await this.node?.stop();
	}
}

/** Queries by callers that the owner did not authorise. */
async function unauthorisedQuery(world, other) {
	const attempts = new Attempts();
	const { client, company, school, stranger } = world;
	const owner = school.address;
	await attempts.succeeds('an authorised query', () => world.read(1));

	await attempts.refused("a stranger's query", 'NotAuthorised', () => world.answerTo(1, stranger));
	for (const leaf of [0, 3]) {
		await attempts.refused('a query outside the granted range', 'OutOfRange', () => world.answerTo(leaf));
	}
	await signedQueries(attempts, world, other);

	// A read-only call does not prove its caller: a stranger gets the sealed keys, but cannot open them.
	const answer = await world.answerTo(1);
	const thief = { caller: company.address, owner, answer, pair: EncryptionKeyPair.generate() };
	await attempts.refused("the company's sealed keys in a stranger's hands", 'DoesNotOpen', () =>
		client.openKeys(thief),
	);
	const epoch = { genesis: client.genesis, owner: school.publicKey, dataset: 0, epoch: 0 };
	const own = await (await MasterSecret.generate().epochRoot(epoch)).leafKey(1);
	await world.tryKey(attempts, "a stranger's own key", own, KEYS[1], await world.ciphertext(1));

	const keys = await world.keys();
	for (const leaf of [0, 3]) {
		const sealed = await world.ciphertext(leaf);
		await attempts.refused('a key outside the granted range', 'LeafOutsideRange', () => keys.leafKey(leaf));
		for (const held of [1, 2]) {
			const what = `the key of leaf ${held} on the record at leaf ${leaf}`;
			await world.tryKey(attempts, what, await keys.leafKey(held), KEYS[leaf], sealed);
		}
	}
	return attempts.outcome({
		attack: 'unauthorised-query',
		title: 'Query without authorisation',
		promise: 'Only a caller on the authorization list gets an answer (III.C, Protocol 1, lines 9 to 14).',
		observed:
			'Queries are refused with a reason, and signed queries also when they are forged, replayed, stale or for another'
			+ " chain. Ciphertexts and sealed keys are public, and only the reader's own key opens them.",
		figures: { opened: 0 },
	});
}

/** Signed queries, which a node answers only if the signer is authorised. */
async function signedQueries(attempts, world, other) {
	const { client, company, school, stranger } = world;
	const owner = school.address;
	for (const method of ['sharing_query', 'sharing_chunks']) {
		const page = method === 'sharing_chunks' ? { first: 0, count: 1 } : {};
		const sign = (signer, leaf) => client.signQuery(signer, method, owner, KEYS[leaf], page);
		const changed = async (changes) => {
			const { request } = await sign(company, 1);
			return client.sendQuery({ method, request: { ...request, ...changes } });
		};
		const query = await sign(company, 1);
		await attempts.succeeds(`${method} by the company`, () => client.sendQuery(query));
		await attempts.refused(`the company's ${method} once more`, 'Replayed', () => client.sendQuery(query));
		await attempts.refused(`${method} by a stranger`, 'NotAuthorised', async () =>
			client.sendQuery(await sign(stranger, 1)),
		);
		await attempts.refused(`${method} outside the granted range`, 'OutOfRange', async () =>
			client.sendQuery(await sign(company, 0)),
		);
		const { request: strangers } = await sign(stranger, 1);
		for (const [what, changes, name] of [
			["with a stranger's signature", { signature: strangers.signature }, 'Forged'],
			['for another record than was signed', { key: hex(KEYS[2]) }, 'Forged'],
			["in a stranger's name", { caller: stranger.address }, 'Forged'],
		]) {
			await attempts.refused(`${method} ${what}`, name, () => changed(changes));
		}
		// These queries are signed correctly, but must not be answered.
		const { genesis } = client;
		const { block } = query.request;
		for (const [what, changes, name] of [
			['for a block in the future', { block: block + 1000 }, 'Stale'],
			['for another chain', { genesis: other.client.genesis }, 'WrongChain'],
		]) {
			const fields = { genesis, block, nonce: newNonce(), key: KEYS[1], ...page, ...changes };
			const message = queryMessage({ method, caller: company.publicKey, owner: school.publicKey, ...fields });
			const signature = hex(company.sign(message, { withType: true }));
			const signed = { ...fields, genesis: hex(fields.genesis), nonce: hex(fields.nonce), key: hex(fields.key) };
			const request = { caller: company.address, owner, ...signed, signature };
			await attempts.refused(`${method} ${what}`, name, () => client.sendQuery({ method, request }));
		}
	}
}

/** Transactions of one chain, sent to another chain and again to their own. */
async function replayedExtrinsic(world, other, receipts) {
	const attempts = new Attempts();
	const { api } = world.client;
	const signed = [];
	for (const hash of new Set(receipts.map(({ blockHash }) => blockHash))) {
		const { block } = await api.rpc.chain.getBlock(hash);
		signed.push(...block.extrinsics.filter(({ isSigned }) => isSigned));
	}
	// These transactions are mortal: each names a block that the other chain does not have. An immortal transaction is
	// harder to refuse, because it names only the chain's first block.
	const immortal = await api.tx.system.remark('immortal').signAsync(world.stranger, { era: 0, nonce: 0 });
	const send = (to, extrinsic) => to.rpc.call('author_submitExtrinsic', extrinsic.toHex());
	const nameOf = ({ method }) => `${method.section}.${method.method}`;
	for (const extrinsic of signed) {
		const what = `${nameOf(extrinsic)} of another chain`;
		await attempts.refused(what, /bad signature|ancient birth block/, () => send(other, extrinsic));
	}
	await attempts.refused('an immortal transaction of another chain', /bad signature/, () => send(other, immortal));
	// The pool may still contain the transaction, or have banned it temporarily.
	const known = /outdated|Already Imported|temporarily banned/;
	const nonces = () =>
		Promise.all([world.school, world.company].map(({ address }) => world.rpc.call('system_accountNextIndex', address)));
	const before = await nonces();
	for (const extrinsic of signed) {
		await attempts.refused(`${nameOf(extrinsic)} once more`, known, () => send(world, extrinsic));
	}
	if (String(await nonces()) !== String(before)) attempts.wrong.push('a transaction was included twice');
	const producers = await other.client.api.query.dataSharing.producers.entries();
	if (producers.length > 0) attempts.wrong.push('the other chain has a producer of the first');
	await attempts.succeeds('the immortal transaction on its own chain', () => send(world, immortal));
	await attempts.succeeds('the same calls, signed for the other chain', () => other.share());
	return attempts.outcome({
		attack: 'replayed-extrinsic',
		title: 'Replayed transactions',
		promise: 'The other nodes reject what a bad node sends (IV.A).',
		observed:
			'Every transaction of one chain is refused on another, where the same accounts have not sent any yet: its'
			+ ' signature covers the first block of its chain. On its own chain a replay is known or outdated.',
		figures: { transactions: signed.length + 1 },
	});
}

/** A grant of one chain, used on another chain. The owner, reader, dataset and keys have the same names there. */
async function replayedGrant(world, other) {
	const attempts = new Attempts();
	const { client, company, school } = other;
	const [caller, owner, pair] = [company.address, school.address, World.pair];
	await attempts.succeeds("the other chain's own grant", () => other.read(1));

	const foreign = await world.answerTo(1);
	const here = await other.answerTo(1);
	const answer = { ...here, grant: { ...here.grant, sealedKeys: foreign.grant.sealedKeys } };
	await attempts.refused("another chain's sealed keys", 'DoesNotOpen', () =>
		client.openKeys({ caller, owner, answer, pair }),
	);
	const keys = await world.keys();
	for (const leaf of [1, 2]) {
		const what = "another chain's key of the same leaf";
		await other.tryKey(attempts, what, await keys.leafKey(leaf), KEYS[leaf], await other.ciphertext(leaf));
	}
	// A producer grants its own dataset with keys that another producer sealed.
	const thief = other.stranger;
	await client.register(thief, 'Business', 'Thief');
	await client.createDataset(thief, 'records');
	const { dataSharing } = client.api.tx;
	const key = recordKey('bait');
	await client.store(thief, MasterSecret.generate(), { dataset: 0, epoch: 0, leaf: 1, key }, Buffer.from('bait'));
	const { expiry, sealedKeys } = here.grant;
	await client.submit(thief, dataSharing.addAuthorize(caller, SCOPE, expiry, null, hex(sealedKeys), null, null));
	await attempts.refused("one owner's sealed keys under another's dataset", 'DoesNotOpen', async () => {
		const answer = await client.query(caller, thief.address, key);
		return client.openKeys({ caller, owner: thief.address, answer, pair });
	});
	return attempts.outcome({
		attack: 'replayed-grant',
		title: 'Replayed grants',
		promise: 'Only readers whom the owner authorised can open the data (III.C, Figure 3).',
		observed:
			'Sealed keys of one chain or owner open nothing under another, even if all names are the same and the owner'
			+ ' uses the same secret: they are bound to chain, owner, dataset, epoch, range and reader.',
		figures: { opened: 0 },
	});
}

/** A value that another machine of the owner meant for a leaf that was taken meanwhile, in the hands of a reader of that leaf. */
async function refusedStore(world) {
	const attempts = new Attempts();
	const { client, school } = world;
	const { api, genesis } = client;
	const { chain } = api.rpc;
	const owner = school.address;
	const [key, context] = [recordKey('refused'), client.recordContext(owner, recordKey('refused'))];
	const value = Buffer.from('meant for no one yet');
	const root = await World.master.epochRoot({ genesis, owner: school.publicKey, dataset: 0, epoch: 0 });
	const sealedFor = async (leaf) => {
		const sealed = await encryptValue(await root.leafKey(leaf), context, value);
		return { sealed, call: api.tx.dataSharing.store(hex(key), 0, 0, leaf, hex(sealed)) };
	};
	const first = (await chain.getHeader()).number.toNumber() + 1;
	const late = await sealedFor(1);
	await attempts.refused('a store at a leaf that is taken', 'LeafTaken', () => client.submit(school, late.call));
	await attempts.refused('the refused bytes, by their hash', /not found/i, () =>
		client.fetchValue(contentHash(late.sealed)),
	);
	const stored = await sealedFor(4);
	await attempts.succeeds('the same value at a free leaf', () => client.submit(school, stored.call));
	const keys = await world.keys();
	for (const leaf of [1, 2]) {
		const what = `the key of leaf ${leaf} on what was stored at leaf 4 instead`;
		await world.tryKey(attempts, what, await keys.leafKey(leaf), key, stored.sealed);
	}
	let inBlocks = 0;
	const best = (await chain.getHeader()).number.toNumber();
	for (let number = first; number <= best; number++) {
		const block = (await chain.getBlock(await chain.getBlockHash(number))).toHex();
		if (block.includes(Buffer.from(late.sealed).toString('hex'))) inBlocks += 1;
	}
	if (inBlocks > 0) attempts.wrong.push('the refused bytes are in a block, and the reader of their leaf can open them');
	return attempts.outcome({
		attack: 'refused-store',
		title: 'A store that lost its leaf',
		promise: 'Only readers whom the owner authorised can open the data (III.C, Figure 3).',
		observed:
			'The node refuses it, and no block has it: the readers of the leaf do not get the bytes that they could open. Their'
			+ ' keys do not open the same value at another leaf.',
		figures: { in_blocks: inBlocks },
	});
}

/** A reader whose grant was revoked. */
async function revokedReader(world) {
	const attempts = new Attempts();
	const { client, company, school } = world;
	const { grant } = await world.answerTo(1);
	const keys = await world.keys();
	const kept = await world.ciphertext(1);
	await client.submit(school, client.api.tx.dataSharing.revoke(grant.id));
	await attempts.refused('a query after revoking', 'Revoked', () => world.answerTo(1));

	const key = recordKey('later');
	await client.store(school, World.master, { dataset: 0, epoch: 1, leaf: 1, key }, VALUES[1]);
	await attempts.refused('a query for a record stored later', 'NotAuthorised', () =>
		client.query(company.address, school.address, key),
	);
	const { contentHash } = await client.query(school.address, school.address, key);
	const sealed = await client.fetchValue(contentHash);
	for (const leaf of [1, 2]) {
		await world.tryKey(attempts, 'an old key on a record stored later', await keys.leafKey(leaf), key, sealed);
	}
	const again = await client.decrypt(await keys.leafKey(1), school.address, KEYS[1], kept);
	return attempts.outcome({
		attack: 'revoked-reader',
		title: 'Reader after revoking',
		promise: 'None: Protocol 1 removes no one from the list.',
		observed:
			'Queries are refused, and the old keys do not open records stored afterwards. What was delivered before can'
			+ ' still be read: nothing can prevent that.',
		figures: { delivered_before_and_still_read: Buffer.from(again).equals(VALUES[1]) },
	});
}

/** A node that serves altered bytes, and lies about the chain's state. */
async function tamperedData(world) {
	const attempts = new Attempts();
	const lying = await LyingNode.start(world.node.url);
	const client = await Client.connect(lying.url);
	const read = () => world.read(1, client);
	try {
		await attempts.succeeds('reading through a node that does not lie yet', read);
		const [truth, other] = [await world.ciphertext(1), await world.ciphertext(2)];
		const serve = (bytes) => (method, _params, result) => (method === 'bitswap_v1_get' ? hex(bytes) : result);

		for (let at = 0; at < truth.length; at += 1) {
			lying.setLie(serve(flipped(truth, at)));
			await attempts.refused(`a value with byte ${at} changed`, 'WrongContent', read);
		}
		for (const [what, bytes] of [
			["another record's value", other],
			['a value cut short', truth.subarray(0, -1)],
			['a longer value', new Uint8Array([...truth, 0])],
			['no value', new Uint8Array()],
		]) {
			lying.setLie(serve(bytes));
			await attempts.refused(what, 'WrongContent', read);
		}

		// The node also lies about the chain's state, so that hash and bytes match, and seals keys of its own. Without a proof
		// the reader does not believe it, and a false proof is told apart.
		const answer = await world.answerTo(1);
		const hashOf = (bytes) => client.api.registry.hash(bytes);
		const readerKey = await World.pair.publicKey();
		const places = { owner: world.school, reader: world.company, readerKey, key: KEYS[1] };
		const forged = await forgery(client, places, answer, utf8('forged'));
		const last = truth.length - 1;
		for (const [what, changes, bytes] of [
			["another record's hash and value", [[answer.contentHash, hashOf(other)]], other],
			...[last, 0].map((at) => [
				`the hash of a value whose byte ${at} was changed`,
				[[answer.contentHash, hashOf(flipped(truth, at))]],
				flipped(truth, at),
			]),
			['a record and a grant that the node made', forged.changes, forged.value],
		]) {
			lying.setLie(stating(['state_call'], changes, serveOf(truth, bytes)));
			await attempts.succeeds(`the true value beside ${what}`, read);
			lying.setLie(stating(['state_call', 'state_getReadProof'], changes, serveOf(bytes, bytes)));
			await attempts.refused(`${what}, with a false proof`, 'BadProof', read);
		}
		lying.tellTruth();
		await attempts.succeeds('reading once the node no longer lies', read);
	} finally {
		await client.disconnect();
		await lying.stop();
	}
	return attempts.outcome({
		attack: 'tampered-data',
		title: 'Tampered data, served to a reader',
		promise: 'A node that tampers with data is rejected by the others (IV.A, Figure 4).',
		observed:
			"The reader detects every changed byte by the value's hash on the chain. If the node lies about the state, or makes"
			+ ' a record and a grant of its own, the reader does not believe it without a proof, and a false proof is told apart.'
			+ ' The reader never accepted anything that was not stored.',
		figures: { accepted: 0 },
	});
}

/** Returns a lie: serves `bytes` for a value that was not stored, and the truth for the stored one. */
const serveOf = (truth, bytes) => (method, params, result) => {
	if (method !== 'bitswap_v1_get') return result;
	return params[0] === cidOf(contentHash(truth)) ? hex(truth) : hex(bytes);
};

/** Returns a lie: changes bytes in the results of these methods, and tells another lie about the others. */
const stating = (methods, changes, lie) => (method, params, result) =>
	methods.includes(method) ? replaced(result, changes) : lie(method, params, result);

/** Returns the bytes with one bit changed. */
function flipped(bytes, at) {
	const changed = Uint8Array.from(bytes);
	changed[at] ^= 1;
	return changed;
}

/** Writes the specification of a second development chain. One account is richer, so the first block differs. */
async function otherChain(folder) {
	const { code, stdout, stderr } = await runToEnd(['export-chain-spec', '--chain', 'dev']);
	if (code !== 0) throw new Error(`the chain specification could not be exported: ${stderr}`);
	const spec = JSON.parse(stdout);
	spec.genesis.runtimeGenesis.patch.balances.balances[0][1] += 1_000_000_000_000;
	const path = join(folder, 'other-chain.json');
	writeFileSync(path, JSON.stringify(spec));
	return path;
}

/**
 * Carries out the attacks on shared data and reports each outcome.
 *
 * @param {string} folder A folder for temporary files.
 * @param {(outcome: import('./attack-report.mjs').Outcome) => void} report
 */
export async function attackData(folder, report) {
	const worlds = [];
	try {
		worlds.push(await World.start(['--dev']));
		worlds.push(await World.start(['--dev', '--chain', await otherChain(folder)]));
		const [world, other] = worlds;
		if (hex(world.client.genesis) === hex(other.client.genesis)) throw new Error('the two chains are the same');
		const receipts = await world.share();
		report(await tamperedData(world));
		report(await unauthorisedQuery(world, other));
		report(await replayedExtrinsic(world, other, receipts));
		report(await replayedGrant(world, other));
		report(await refusedStore(world));
		report(await revokedReader(world));
	} finally {
		for (const world of worlds) await world.stop();
	}
}
