// What a program does with data on an Isthmus chain, step by step: register, store, ask for access,
// authorise, query, decrypt. Keys and formats are envelope.mjs's; what the calls mean is the
// data-sharing pallet's, whose documentation is in the chain's metadata.

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import {
	contentHash,
	decryptValue,
	encryptValue,
	Manifest,
	openGrant,
	PublicKey,
	Range,
	sealGrant,
} from './envelope.mjs';
import { equal } from './envelope/common.mjs';
import { readChunks } from './large.mjs';
import { messageOf, newNonce, QuestionRefused } from './query.mjs';

/** Added to a grant's term, in blocks: the grant's own block comes later than the one it counts from. */
const TERM_SLACK = 16;
/**
 * How long an answer to a request may be on its way, in blocks; the chain's `CancelNotice` is no less. The
 * sealed keys are public once they are sent, so an answer that comes too late is not paid.
 */
const ANSWER_LIFE = 16;
/** How often a record was replaced under its key: never, as there is no call for it yet. */
const FIRST_VERSION = 0;

/**
 * The chain refused a call, and nothing was changed. `name` is the error's name in the chain's
 * metadata (`KeyTaken`), `message` its documentation there.
 */
export class CallRefused extends Error {
	constructor(name, message) {
		super(message);
		this.name = name;
	}
}

/** The sentences of the reasons for which a query is refused; the metadata has the names alone. */
export const QUERY_REFUSALS = {
	UnknownRecord: 'The owner has no record with this key.',
	NotAuthorised: "The caller has no grant on the record's epoch of its dataset.",
	OutOfRange: "The record is outside the range of the caller's grant.",
	Expired: "The caller's grant has expired.",
	Revoked: "The caller's grant was revoked.",
	Incomplete: 'The record does not have all its chunks yet.',
};

/** The chain refused a query. `name` is the reason's name (`NotAuthorised`), `message` its sentence. */
export class QueryRefused extends Error {
	constructor(name) {
		super(QUERY_REFUSALS[name] ?? name);
		this.name = name;
	}
}

/** What the states that end a transaction outside any block mean. */
const NOT_INCLUDED = {
	Invalid: 'The transaction is not valid any more: its nonce was used, or its signature is too old.',
	Dropped: "The node's pool has no room for the transaction.",
	Usurped: 'Another transaction of the account with the same nonce took its place.',
};

/** A transaction ended outside any block. `name` is the last state that the node told (`Usurped`). */
export class NotIncluded extends Error {
	constructor(name) {
		super(NOT_INCLUDED[name] ?? `The transaction was not taken into a block: ${name}.`);
		this.name = name;
	}
}

/** A request is open for so few blocks that an answer might come too late, and not be paid. */
export class EndsTooSoon extends Error {
	name = 'EndsTooSoon';
}

/** A block that a call was in is not in the chain that became final. */
export class Retracted extends Error {
	name = 'Retracted';
}

/** The bytes that a node gave for a hash are not the ones that the hash was made of. */
export class WrongContent extends Error {
	name = 'WrongContent';
}

/**
 * The content identifier of a value with this BLAKE2b-256 hash: CIDv1, raw, in lower-case base32
 * (https://github.com/multiformats/cid).
 *
 * @param {Uint8Array} hash
 */
export function cidOf(hash) {
	// Version 1, raw bytes 0x55, BLAKE2b-256 0xb220 as a varint, 32 bytes.
	const bytes = [0x01, 0x55, 0xa0, 0xe4, 0x02, 0x20, ...hash];
	const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
	const digits = bits.match(/.{1,5}/g).map((five) => parseInt(five.padEnd(5, '0'), 2));
	return `b${digits.map((digit) => 'abcdefghijklmnopqrstuvwxyz234567'[digit]).join('')}`;
}

/** A record's key from a name of at most 32 bytes, padded with zeros. */
export function recordKey(name) {
	const bytes = new TextEncoder().encode(name);
	if (bytes.length > 32) throw new RangeError(`a record's key has 32 bytes, and "${name}" is longer`);
	const key = new Uint8Array(32);
	key.set(bytes);
	return key;
}

/** A call that is in a block, which may yet give way to another: see `Client.finalized`. */
export class Receipt {
	/** The block's number. */
	block;
	/** The block's hash, in hex. */
	blockHash;
	/** What happened in the call. */
	events;

	constructor(result) {
		this.block = result.blockNumber.toNumber();
		this.blockHash = result.status.value.toHex();
		this.events = result.events.map(({ event }) => event);
	}

	/** The data of the call's first event of this pallet and name. */
	event(section, method) {
		const event = this.events.find((event) => event.section === section && event.method === method);
		if (!event) throw new Error(`block ${this.block} has no event ${section}.${method} of this call`);
		return event.data;
	}
}

/** A connection to a node. */
export class Client {
	/** The `@polkadot/api` below, for all that is not here. */
	api;
	/** The hash of the chain's first block. */
	genesis;
	#provider;
	#keyring = new Keyring({ type: 'sr25519' });
	/** The next nonce of each account that sent something. */
	#nonces = new Map();

	/**
	 * @param {string} url The node's WebSocket address, `ws://127.0.0.1:9944` say.
	 * @returns {Promise<Client>}
	 */
	static async connect(url) {
		const client = new Client();
		client.#provider = new WsProvider(url);
		try {
			client.api = await ApiPromise.create({
				provider: client.#provider,
				throwOnConnect: true,
				noInitWarn: true,
			});
		} catch (error) {
			await client.#provider.disconnect();
			throw new Error(`no node answers at ${url}`, { cause: error });
		}
		client.genesis = client.api.genesisHash.toU8a();
		return client;
	}

	async disconnect() {
		await this.api.disconnect();
	}

	/** The account of a secret: a derivation such as `//Bob`, a phrase, or a seed in hex. */
	account(secret) {
		return this.#keyring.addFromUri(secret);
	}

	/**
	 * Signs a call, sends it, and waits until it is in a block. `finalized` waits until it stays there.
	 *
	 * @param signer An account from `account`.
	 * @param call One of `api.tx`.
	 * @param {{era?: number}} options For how many blocks the transaction is good; 64 by default.
	 * @returns {Promise<Receipt>}
	 * @throws {CallRefused} if the chain refuses the call.
	 * @throws {NotIncluded} if the transaction ends outside any block.
	 */
	async submit(signer, call, options = {}) {
		const nonce = await this.#nextNonce(signer.address);
		return new Promise((resolve, reject) => {
			call.signAndSend(signer, { ...options, nonce }, (result) => {
				const { dispatchError, internalError, status } = result;
				if (internalError) {
					reject(internalError);
				} else if (result.isError) {
					// The nonces given out after this one are void too: ask the chain again.
					this.#nonces.delete(signer.address);
					reject(new NotIncluded(status.type));
				} else if (status.isInBlock || status.isFinalized) {
					// The API skips a state that the next one overtakes: `Finalized` may be the first.
					if (dispatchError) reject(this.refusal(dispatchError));
					else resolve(new Receipt(result));
				}
				// In any other state, `Retracted` among them, it is on its way into a block.
			}).catch((error) => {
				this.#nonces.delete(signer.address);
				reject(error);
			});
		});
	}

	/** What a dispatch error says, in the words of the chain's metadata. */
	refusal(dispatchError) {
		if (dispatchError.isModule) {
			const { name, docs } = this.api.registry.findMetaError(dispatchError.asModule);
			return new CallRefused(name, docs.join(' ').trim());
		}
		const { type, value } = dispatchError;
		return new CallRefused(type, value.isEmpty ? type : `${type}: ${value}`);
	}

	/**
	 * Resolves when the block that a call is in is final.
	 *
	 * @param {Receipt} receipt
	 * @throws {Retracted} if another block became final in its place.
	 */
	async finalized({ block, blockHash }) {
		const { chain } = this.api.rpc;
		await new Promise((resolve, reject) => {
			const stop = chain.subscribeFinalizedHeads((header) => {
				if (header.number.toNumber() >= block) resolve(stop.then((end) => end()));
			});
			stop.catch(reject);
		});
		const final = (await chain.getBlockHash(block)).toHex();
		if (final !== blockHash) {
			const message = `Block ${block} is final as ${final}, and the call was in ${blockHash}: it may be in a later one.`;
			throw new Retracted(message);
		}
	}

	/** Joins as a producer of a kind: `School`, `Government`, `Business` or `Other`. */
	async register(signer, kind, name) {
		return this.submit(signer, this.api.tx.dataSharing.register(kind, name));
	}

	/** Registers the public key that grants to this account are sealed to. */
	async setEncryptionKey(signer, publicKey) {
		return this.submit(signer, this.api.tx.dataSharing.setEncryptionKey(hex(publicKey.toBytes())));
	}

	/** Opens a dataset; its number is in the receipt's event `DatasetCreated`. */
	async createDataset(signer, name) {
		return this.submit(signer, this.api.tx.dataSharing.createDataset(name));
	}

	/**
	 * T_s: encrypts a value under its leaf's key and stores it.
	 *
	 * @param signer The owner.
	 * @param master The owner's `MasterSecret`.
	 * @param {{dataset: number, epoch: number, leaf: number, key: Uint8Array}} place
	 * @param {Uint8Array} value The plaintext, which stays here.
	 */
	async store(signer, master, { dataset, epoch, leaf, key }, value) {
		const root = await master.epochRoot(this.epochId(signer.publicKey, { dataset, epoch }));
		const leafKey = await root.leafKey(leaf);
		const sealed = await encryptValue(leafKey, this.recordContext(signer.address, key), value);
		const call = this.api.tx.dataSharing.store(hex(key), dataset, epoch, leaf, hex(sealed));
		return this.submit(signer, call);
	}

	/**
	 * T_s for a large value, first part: takes its place and stores its manifest. See large.mjs.
	 *
	 * @param signer The owner.
	 * @param {{dataset: number, epoch: number, leaf: number, key: Uint8Array}} place
	 * @param {{length: number, chunkSize: number, manifest: Uint8Array}} record Of the encrypted chunks.
	 */
	async openRecord(signer, { dataset, epoch, leaf, key }, { length, chunkSize, manifest }) {
		const { openRecord } = this.api.tx.dataSharing;
		const call = openRecord(hex(key), dataset, epoch, leaf, length, chunkSize, hex(manifest));
		return this.submit(signer, call);
	}

	/** T_s for a large value: its next chunk, with the proof that it is the manifest's. */
	async storeChunk(signer, key, index, proof, bytes) {
		const { storeChunk } = this.api.tx.dataSharing;
		return this.submit(signer, storeChunk(hex(key), index, proof.map(hex), hex(bytes)));
	}

	/** How far a large record is, in the best block: `manifest`, `arrived`, `chunks`; or undefined. */
	async largePayload(owner, key) {
		const record = await this.api.query.dataSharing.records(owner, hex(key));
		if (record.isNone || !record.unwrap().payload.isChunks) return undefined;
		const { manifest, arrived, length, chunkSize } = record.unwrap().payload.asChunks;
		return {
			manifest: manifest.toU8a(),
			arrived: arrived.toNumber(),
			chunks: Math.ceil(length.toNumber() / chunkSize.toNumber()),
		};
	}

	/** Says which requests for a dataset this account will grant, and for what price. */
	async setPolicy(signer, dataset, { price = 0n, longestRange, longestTerm, consumers }) {
		const policy = { price, longestRange, longestTerm, consumers };
		return this.submit(signer, this.api.tx.dataSharing.setPolicy(dataset, policy));
	}

	/**
	 * T_q: asks an owner for a range of a dataset; the request's number is in the receipt's event
	 * `AccessRequested`.
	 *
	 * @param signer The consumer.
	 * @param {string} owner The owner's address.
	 * @param {{dataset: number, epoch: number, from: number, to: number}} scope
	 * @param {{purpose: string, term: number, offer?: bigint}} terms What for, for how many blocks, and
	 * what is paid when the owner authorises.
	 */
	async requestAccess(signer, owner, scope, { purpose, term, offer = 0n }) {
		return this.submit(
			signer,
			this.api.tx.dataSharing.requestAccess(owner, scope, purpose, term, offer),
		);
	}

	/**
	 * Authorises a reader: derives the keys of the range, seals them to the reader's public key, and
	 * adds the entry to the authorization list.
	 *
	 * @param signer The owner.
	 * @param master The owner's `MasterSecret`.
	 * @param {string} grantee The reader's address.
	 * @param {{dataset: number, epoch: number, from: number, to: number}} scope
	 * @param {{term: number, request?: number, until?: Date}} terms For how many blocks at least, which
	 * request this answers, if any, and a date at which it ends before, if any.
	 * @throws {EndsTooSoon} if the request may end before the answer is in a block.
	 */
	async authorize(signer, master, grantee, scope, { term, request = null, until = null }) {
		const { dataSharing } = this.api.tx;
		const best = await this.api.rpc.chain.getHeader();
		const now = best.number.toNumber();
		const expiry = now + term + TERM_SLACK;
		if (request !== null) {
			const open = (await this.api.query.dataSharing.requests(request)).unwrapOr(null);
			const left = open ? open.validUntil.toNumber() - now : 0;
			if (left <= ANSWER_LIFE) {
				throw new EndsTooSoon(`request ${request} is open for ${left} more blocks, and an answer may take ${ANSWER_LIFE}`);
			}
		}
		const registered = await this.api.query.dataSharing.encryptionKeys(grantee);
		if (registered.isNone) {
			throw new Error(`${grantee} has no encryption key to seal a grant to: it sets one first`);
		}
		const publicKey = PublicKey.fromBytes(registered.unwrap().key.toU8a(true));
		const root = await master.epochRoot(this.epochId(signer.publicKey, scope));
		const sealed = await sealGrant(root, this.#scope(grantee, scope, expiry), publicKey);
		return this.submit(
			signer,
			dataSharing.addAuthorize(grantee, scope, expiry, until && seconds(until), hex(sealed), request),
			request === null ? {} : { era: ANSWER_LIFE },
		);
	}

	/**
	 * Asks the chain where a record is and for the keys that are sealed to the caller.
	 *
	 * @param {string} caller
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @throws {QueryRefused} if the chain's state does not authorise the caller.
	 */
	async query(caller, owner, key) {
		const result = await this.api.call.dataSharingApi.query(caller, owner, hex(key));
		if (result.isErr) throw new QueryRefused(result.asErr.type);
		const answer = result.asOk;
		if (answer.payload.isChunks) throw new Error('a large record: readLarge and storeFile are for those');
		const value = answer.payload.asValue;
		const grant = answer.grant.unwrapOr(null);
		return {
			dataset: answer.dataset.toNumber(),
			epoch: answer.epoch.toNumber(),
			leaf: answer.leaf.toNumber(),
			contentHash: value.contentHash.toU8a(),
			length: value.length.toNumber(),
			block: value.block.toNumber(),
			grant: grant && {
				id: grant.grant.toNumber(),
				from: grant.scope.from.toNumber(),
				to: grant.scope.to.toNumber(),
				expiry: grant.expiry.toNumber(),
				sealedKeys: grant.sealedKeys.toU8a(true),
			},
		};
	}

	/**
	 * A stored value, still encrypted, as any node that has it serves it. Anybody can have it.
	 *
	 * @param {Uint8Array} hash BLAKE2b-256 of it.
	 * @returns {Promise<Uint8Array>}
	 * @throws {WrongContent} if the bytes do not have this hash.
	 */
	async fetchValue(hash) {
		const answer = await this.#provider.send('bitswap_v1_get', [cidOf(hash)]);
		const bytes = new Uint8Array(Buffer.from(answer.replace(/^0x/, ''), 'hex'));
		this.checkContent(bytes, hash);
		return bytes;
	}

	/** @throws {WrongContent} if the bytes do not have this hash. */
	checkContent(bytes, hash) {
		if (!equal(contentHash(bytes), hash)) {
			throw new WrongContent(`the node's bytes are not the ones with hash ${hex(hash)}`);
		}
	}

	/**
	 * Asks a node, with the signer's signature, where a record is and for the keys sealed to the signer.
	 * The answer has a large record's manifest; `envelope.mjs` reads the rest.
	 *
	 * @throws {QuestionRefused}
	 */
	async signedQuery(signer, owner, key) {
		const answer = await this.ask(await this.question(signer, 'sharing_query', owner, key));
		const { manifest, grant, payload, chunks } = answer;
		return {
			...answer,
			manifest: manifest && Manifest.read(fromBase64(manifest), chunks),
			contentHash: payload.contentHash && fromHex(payload.contentHash),
			grant: grant && {
				...{ id: grant.grant, from: grant.scope.from, to: grant.scope.to },
				...{ expiry: grant.expiry, until: grant.until, sealedKeys: fromBase64(grant.sealedKeys) },
			},
		};
	}

	/**
	 * Asks a node, with the signer's signature, for a page of a record's encrypted chunks.
	 *
	 * @returns {Promise<Uint8Array[]>} At least one.
	 * @throws {QuestionRefused}
	 */
	async signedChunks(signer, owner, key, first, count) {
		const question = await this.question(signer, 'sharing_chunks', owner, key, { first, count });
		const { chunks } = await this.ask(question);
		return chunks.map(fromBase64);
	}

	/** A signed question, which `ask` sends: once, and soon. */
	async question(signer, method, owner, key, page = {}) {
		const best = await this.api.rpc.chain.getHeader();
		const asked = {
			genesis: this.genesis,
			caller: signer.publicKey,
			owner: this.#bytesOf(owner),
			key,
			block: best.number.toNumber(),
			nonce: newNonce(),
		};
		const message = messageOf({ method, ...asked, ...page });
		const request = {
			genesis: hex(this.genesis),
			caller: signer.address,
			owner,
			key: hex(key),
			block: asked.block,
			nonce: hex(asked.nonce),
			signature: hex(signer.sign(message, { withType: true })),
			...page,
		};
		return { method, request };
	}

	/**
	 * Sends a signed question.
	 *
	 * @throws {QuestionRefused}
	 */
	async ask({ method, request }) {
		try {
			return await this.#provider.send(method, [request]);
		} catch (error) {
			if (typeof error.code !== 'number') throw error;
			// The API puts the code before the sentence, and the data after it.
			const message = error.message.replace(`${error.code}: `, '').replace(/: \{"reason".*\}$/, '');
			throw new QuestionRefused({ code: error.code, message, data: error.data });
		}
	}

	/**
	 * The keys of a grant, opened with the reader's encryption key pair.
	 *
	 * @param {{caller: string, owner: string, answer: object, pair: object}} grant `answer` is
	 * `query`'s.
	 */
	async openKeys({ caller, owner, answer, pair }) {
		const { grant } = answer;
		const scope = this.#scope(caller, grant, grant.expiry);
		return openGrant(pair, this.epochId(this.#bytesOf(owner), answer), scope, grant.sealedKeys);
	}

	/** Decrypts a fetched value with its leaf's key. */
	async decrypt(leafKey, owner, key, sealed) {
		return decryptValue(leafKey, this.recordContext(owner, key), sealed);
	}

	/** Where an owner's record stands, as `envelope.mjs` binds its chunks to it. */
	recordContext(owner, key) {
		const { genesis } = this;
		return { genesis, owner: this.#bytesOf(owner), key, version: FIRST_VERSION };
	}

	/**
	 * Reads a record as one of its authorised readers: query, fetch, open, decrypt.
	 *
	 * @param signer The reader.
	 * @param pair The reader's `EncryptionKeyPair`.
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<Uint8Array>} The plaintext.
	 */
	async read(signer, pair, owner, key) {
		const caller = signer.address;
		const answer = await this.query(caller, owner, key);
		const sealed = await this.fetchValue(answer.contentHash);
		const keys = await this.openKeys({ caller, owner, answer, pair });
		return this.decrypt(await keys.leafKey(answer.leaf), owner, key, sealed);
	}

	/**
	 * A large record's plaintext, chunk by chunk, as one of its authorised readers.
	 *
	 * @returns {AsyncGenerator<Uint8Array>}
	 */
	readLarge(signer, pair, owner, key) {
		return readChunks(this, signer, owner, key, async (answer) => {
			const keys = await this.openKeys({ caller: signer.address, owner, answer, pair });
			return keys.leafKey(answer.leaf);
		});
	}

	/** Reads one of the signer's own records. */
	async readOwn(signer, master, key) {
		const answer = await this.query(signer.address, signer.address, key);
		const sealed = await this.fetchValue(answer.contentHash);
		const root = await master.epochRoot(this.epochId(signer.publicKey, answer));
		return this.decrypt(await root.leafKey(answer.leaf), signer.address, key, sealed);
	}

	/** Counted here, as several calls of one account may be on their way at once. */
	#nextNonce(address) {
		const nonce =
			this.#nonces.get(address)
			?? this.api.rpc.system.accountNextIndex(address).then((index) => index.toNumber());
		const next = nonce.then((n) => n + 1);
		next.catch(() => this.#nonces.delete(address));
		this.#nonces.set(address, next);
		return nonce;
	}

	#bytesOf(address) {
		return this.#keyring.decodeAddress(address);
	}

	/** Which epoch of whose dataset, as `envelope.mjs` derives its keys by. */
	epochId(owner, { dataset, epoch }) {
		return { genesis: this.genesis, owner, dataset, epoch };
	}

	#scope(grantee, { from, to }, expiry) {
		return { grantee: this.#bytesOf(grantee), range: new Range(from, to), expiry };
	}
}

const fromBase64 = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const fromHex = (text) => new Uint8Array(Buffer.from(text.replace(/^0x/, ''), 'hex'));

/** Bytes as the chain's JSON has them. */
export function hex(bytes) {
	return `0x${Buffer.from(bytes).toString('hex')}`;
}

/** A date as the chain counts: in whole seconds since 1970. */
function seconds(date) {
	return Math.floor(date.getTime() / 1000);
}
