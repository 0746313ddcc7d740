// SPDX-License-Identifier: Apache-2.0

// Reading: queries records, with or without a signature, fetches their bytes and decrypts them.

import { contentHash, decryptValue, Manifest } from '../envelope.mjs';
import { EnvelopeError, equal } from '../envelope/common.mjs';
import { readChunks } from '../large.mjs';
import { newNonce, queryMessage, SignedQueryRefused } from '../query.mjs';
import { cidOf, fromBase64, fromHex, hex } from './encoding.mjs';
import { QueryRefused, WrongContent } from './errors.mjs';
import { Grants } from './grants.mjs';

/** @typedef {import('./connection.mjs').Account} Account */
/** @typedef {import('./proven.mjs').OpenGrant} OpenGrant */
/** @typedef {import('../envelope.mjs').EncryptionKeyPair | import('../envelope.mjs').EncryptionSecret} Opener What opens grants. */
/**
 * Where a record is, and the grants that open it: the newest one, and the earlier ones.
 *
 * @typedef {{dataset: number, epoch: number, leaf: number, grant: OpenGrant | null, others: OpenGrant[]}} Placed
 */

/** Returns the hash by which a payload is known. */
function content(payload) {
	if (payload.isChunks) return { chunks: { manifest: payload.asChunks.manifest.toU8a() } };
	if (payload.isObject) return { object: { root: payload.asObject.object.root.toU8a() } };
	return { value: { contentHash: payload.asValue.contentHash.toU8a() } };
}

/** Adds queries and reading to a connection. */
export class Reading extends Grants {
	/**
	 * Asks where a record is, and for the keys sealed to the caller. The answer is proven for the chain's finalized state:
	 * of what the node says of its best block, this waits until it is finalized.
	 *
	 * @param {string} caller
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<Placed & {contentHash: Uint8Array, length: number, block: number}>}
	 * @throws {QueryRefused} if the chain's state does not authorise the caller.
	 */
	async query(caller, owner, key) {
		const answer = await this.provenQuery(caller, owner, key, () => this.#said(caller, owner, key));
		if (answer.payload.chunks) throw new Error('this is a large record: use readLarge or storeFile');
		if (answer.payload.object) throw new Error('this is an object, outside the chain: use queryObject');
		const { dataset, epoch, leaf, grant, others } = answer;
		const { contentHash, length, block } = answer.payload.value;
		return { dataset, epoch, leaf, contentHash, length, block, grant, others };
	}

	/**
	 * Asks for a record that is an object: its place, `object` (the record's header, the object's length and BLAKE3 hash),
	 * the `locations` that the owner published, and the keys sealed to the caller. All of it is proven. The bytes are at one
	 * of the locations: check them against the hash, and open them with `decryptObject` of envelope.mjs.
	 *
	 * @param {string} caller
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<Placed & {object: {header: Uint8Array, length: number, root: Uint8Array}, locations: string[]}>}
	 * @throws {QueryRefused} if the chain's state does not authorise the caller.
	 */
	async queryObject(caller, owner, key) {
		const answer = await this.provenQuery(caller, owner, key, () => this.#said(caller, owner, key));
		const { dataset, epoch, leaf, grant, others, payload } = answer;
		if (!payload.object) throw new Error('the bytes of this record are on the chain: use read or readLarge');
		const locations = await (await this.proven()).locations(this.accountBytes(owner), dataset);
		return { dataset, epoch, leaf, object: payload.object, locations, grant, others };
	}

	/** Returns the node's own answer to a query at its best block. */
	async #said(caller, owner, key) {
		const result = await this.api.call.dataSharingApi.query(caller, owner, hex(key));
		if (result.isErr) throw new QueryRefused(result.asErr.type);
		const { dataset, epoch, leaf, payload, grant } = result.asOk;
		const given = grant.unwrapOr(null);
		return {
			dataset: dataset.toNumber(),
			epoch: epoch.toNumber(),
			leaf: leaf.toNumber(),
			payload: content(payload),
			grant: given && { id: given.grant.toNumber(), sealedKeys: given.sealedKeys.toU8a(true) },
		};
	}

	/**
	 * Fetches a stored value from the node. Anyone can do this: the value is still encrypted.
	 *
	 * @param {Uint8Array} hash The BLAKE2b-256 hash of the value.
	 * @returns {Promise<Uint8Array>}
	 * @throws {WrongContent} if the bytes do not have this hash.
	 */
	async fetchValue(hash) {
		const bytes = fromHex(await this.rpc('bitswap_v1_get', cidOf(hash)));
		this.checkContent(bytes, hash);
		return bytes;
	}

	/**
	 * Checks fetched bytes against their hash.
	 *
	 * @param {Uint8Array} bytes
	 * @param {Uint8Array} hash
	 * @throws {WrongContent} if the bytes do not have this hash.
	 */
	checkContent(bytes, hash) {
		if (!equal(contentHash(bytes), hash)) {
			throw new WrongContent(`the node returned bytes that do not have the hash ${hex(hash)}`);
		}
	}

	/**
	 * Sends a node a signed query: asks where a record is, and for the keys sealed to the signer. The answer
	 * includes a large record's manifest; `envelope.mjs` decodes the rest. It is the node's word: `provenLarge` proves it.
	 *
	 * @param {Account} signer
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<any>} As docs/formats.md describes it, with bytes in place of their encodings.
	 * @throws {SignedQueryRefused}
	 */
	async signedQuery(signer, owner, key) {
		const answer = await this.sendQuery(await this.signQuery(signer, 'sharing_query', owner, key));
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
	 * Returns a large record's place, grant and manifest: the manifest comes from the answer of `signedQuery`, and the
	 * rest, with the manifest's hash, from the chain's finalized state.
	 *
	 * @param {Account} signer
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<import('./proven.mjs').Answer & {manifest: Manifest}>}
	 * @throws {WrongContent} if the manifest is another one.
	 */
	async provenLarge(signer, owner, key) {
		const { address } = signer;
		const sent = await this.sendQuery(await this.signQuery(signer, 'sharing_query', owner, key));
		const answer = await this.provenQuery(address, owner, key, () => this.#said(address, owner, key));
		const { chunks } = answer.payload;
		if (!chunks || !sent.manifest) throw new WrongContent('this is not a large record');
		const manifest = fromBase64(sent.manifest);
		this.checkContent(manifest, chunks.manifest);
		return { ...answer, manifest: Manifest.read(manifest, Math.ceil(chunks.length / chunks.chunkSize)) };
	}

	/**
	 * Sends a node a signed query for a page of a record's encrypted chunks.
	 *
	 * @param {Account} signer
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @param {number} first
	 * @param {number} count
	 * @returns {Promise<Uint8Array[]>} At least one chunk.
	 * @throws {SignedQueryRefused}
	 */
	async signedChunks(signer, owner, key, first, count) {
		const query = await this.signQuery(signer, 'sharing_chunks', owner, key, { first, count });
		const { chunks } = await this.sendQuery(query);
		return chunks.map(fromBase64);
	}

	/**
	 * Signs a query. A node answers it once, and only within the next 64 blocks.
	 *
	 * @param {Account} signer
	 * @param {'sharing_query' | 'sharing_chunks'} method
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @param {{first?: number, count?: number}} [page]
	 * @returns {Promise<{method: string, request: Record<string, any>}>}
	 */
	async signQuery(signer, method, owner, key, page = {}) {
		const best = await this.api.rpc.chain.getHeader();
		const fields = {
			genesis: this.genesis,
			caller: signer.publicKey,
			owner: this.accountBytes(owner),
			key,
			block: best.number.toNumber(),
			nonce: newNonce(),
		};
		const message = queryMessage({ method, ...fields, ...page });
		const request = {
			genesis: hex(this.genesis),
			caller: signer.address,
			owner,
			key: hex(key),
			block: fields.block,
			nonce: hex(fields.nonce),
			signature: hex(signer.sign(message, { withType: true })),
			...page,
		};
		return { method, request };
	}

	/**
	 * Sends a signed query.
	 *
	 * @param {{method: string, request: Record<string, any>}} query
	 * @returns {Promise<any>}
	 * @throws {SignedQueryRefused}
	 */
	async sendQuery({ method, request }) {
		try {
			return await this.rpc(method, request);
		} catch (error) {
			if (typeof error.code !== 'number') throw error;
			// The API puts the code before the message, and the data after it.
			const message = error.message.replace(`${error.code}: `, '').replace(/: \{"reason".*\}$/, '');
			throw new SignedQueryRefused({ code: error.code, message, data: error.data });
		}
	}

	/**
	 * Decrypts a fetched value with its leaf key.
	 *
	 * @param {import('../envelope.mjs').LeafKey} leafKey
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @param {Uint8Array} sealed
	 * @returns {Promise<Uint8Array>}
	 */
	async decrypt(leafKey, owner, key, sealed) {
		return decryptValue(leafKey, this.recordContext(owner, key), sealed);
	}

	/**
	 * Reads a record as an authorised reader: queries it, fetches the value, opens the keys and decrypts.
	 *
	 * @param {Account} signer The reader.
	 * @param {Opener} pair The reader's.
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<Uint8Array>} The plaintext.
	 */
	async read(signer, pair, owner, key) {
		const caller = signer.address;
		const answer = await this.query(caller, owner, key);
		const sealed = await this.fetchValue(answer.contentHash);
		return this.decrypt(await this.#leafKey({ caller, owner, answer, pair }), owner, key, sealed);
	}

	/**
	 * Returns a record's leaf key, by the newest grant that opens: one may be sealed to a key that the reader has lost.
	 *
	 * @param {{caller: string, owner: string, answer: Placed, pair: Opener}} grants
	 */
	async #leafKey({ caller, owner, answer, pair }) {
		let refused;
		for (const grant of [answer.grant, ...answer.others]) {
			try {
				const keys = await this.openKeys({ caller, owner, answer: { ...answer, grant }, pair });
				return await keys.leafKey(answer.leaf);
			} catch (error) {
				if (!(error instanceof EnvelopeError)) throw error;
				refused ??= error;
			}
		}
		throw refused;
	}

	/**
	 * Reads a large record as an authorised reader, and yields its plaintext chunk by chunk.
	 *
	 * @param {Account} signer
	 * @param {Opener} pair
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {AsyncGenerator<Uint8Array>}
	 */
	readLarge(signer, pair, owner, key) {
		const caller = signer.address;
		return readChunks(this, signer, owner, key, (answer) => this.#leafKey({ caller, owner, answer, pair }));
	}

	/**
	 * Reads one of the signer's own records.
	 *
	 * @param {Account} signer
	 * @param {import('../envelope.mjs').MasterSecret} master
	 * @param {Uint8Array} key
	 * @returns {Promise<Uint8Array>}
	 */
	async readOwn(signer, master, key) {
		const answer = await this.query(signer.address, signer.address, key);
		const sealed = await this.fetchValue(answer.contentHash);
		const root = await master.epochRoot(this.epochId(signer.publicKey, answer));
		return this.decrypt(await root.leafKey(answer.leaf), signer.address, key, sealed);
	}
}
