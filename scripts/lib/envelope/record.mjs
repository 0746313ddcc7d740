// SPDX-License-Identifier: Apache-2.0

// Records: a value encrypted under its leaf key, in chunks that can be read one by one. The construction is STREAM over
// AES-256-GCM, with a random salt for each encryption and a commitment to the leaf key. The Rust crate's `record.rs`
// explains why.

import {
	bytes,
	concat,
	copy,
	EnvelopeError,
	equal,
	hkdf,
	integer,
	random,
	subtle,
	utf8,
} from './common.mjs';
import { secretOf } from './tree.mjs';

/** @import { LeafKey } from './tree.mjs' */

/** The format's version, the first byte of the header of a record without a name. */
export const RECORD_VERSION = 1;
/** The first byte of the header of a record that contains its name. */
export const NAMED_VERSION = 2;
/** The maximum number of plaintext bytes in a chunk, 1 MiB. This is also the default chunk size. */
export const MAX_CHUNK_SIZE = 2 ** 20;
/** The maximum number of chunks in a record. */
export const MAX_CHUNKS = 2 ** 20;
/** Length of the tag at the end of each encrypted chunk, in bytes. */
export const TAG_LEN = 16;
/** Length of a name in bytes, with the zeros that fill it up. */
export const NAME_LEN = 32;

const RECORD_KEY_LABEL = utf8('isthmus/record-key/v1');
const COMMITMENT_LABEL = utf8('isthmus/record-commitment/v1');

/**
 * Identifies a record. Every chunk is bound to this context and cannot be decrypted in another.
 *
 * @typedef {object} RecordContext
 * @property {Uint8Array} genesis Hash of the chain's first block, 32 bytes.
 * @property {Uint8Array} owner The owner's account, 32 bytes.
 * @property {Uint8Array} key The record's key among the owner's, 32 bytes.
 * @property {number} version How many times the value under this key was replaced: 0 for the first value.
 */

/** The plaintext header that precedes a record's chunks. */
export class Header {
	/** Length of an encoded header without a name, in bytes. */
	static LEN = 77;
	/** Length of an encoded header with a name, in bytes. */
	static NAMED_LEN = Header.LEN + NAME_LEN + TAG_LEN;

	/**
	 * @param {number} chunkSize
	 * @param {number} length
	 * @param {Uint8Array} salt
	 * @param {Uint8Array} commitment
	 * @param {Uint8Array} [name] The sealed name, if the record contains one.
	 * @throws {EnvelopeError} `ChunkSize`, `TooManyChunks`
	 */
	constructor(chunkSize, length, salt, commitment, name) {
		if (!Number.isInteger(chunkSize) || chunkSize < 1 || chunkSize > MAX_CHUNK_SIZE) {
			const message = `a chunk holds from 1 to ${MAX_CHUNK_SIZE} bytes, not ${chunkSize}`;
			throw new EnvelopeError('ChunkSize', message, { got: chunkSize });
		}
		const chunks = Math.ceil(length / chunkSize);
		if (chunks > MAX_CHUNKS) {
			const message = `the value needs ${chunks} chunks; a record has at most ${MAX_CHUNKS}`;
			throw new EnvelopeError('TooManyChunks', message, { got: chunks });
		}
		/** The number of plaintext bytes in every chunk except the last, which may be shorter. */
		this.chunkSize = chunkSize;
		/** Length of the plaintext in bytes. */
		this.length = length;
		/** The number of chunks. An empty value has one empty chunk. */
		this.chunks = Math.max(chunks, 1);
		/** Length of the whole record in bytes: this header and all encrypted chunks. */
		this.recordLen = (name ? Header.NAMED_LEN : Header.LEN) + length + this.chunks * TAG_LEN;
		this.salt = salt;
		this.commitment = commitment;
		this.name = name;
		Object.freeze(this);
	}

	/** Length of this header, encoded, in bytes. */
	get encodedLen() {
		return this.name ? Header.NAMED_LEN : Header.LEN;
	}

	/**
	 * Encodes the header as `version ‖ chunk size ‖ length ‖ salt ‖ commitment`, with big-endian integers, and then the
	 * sealed name if there is one.
	 */
	toBytes() {
		return concat(this.fixed(), this.name ?? []);
	}

	/** Encodes the part before the name, to which everything else in the record is bound. */
	fixed() {
		return concat(
			[this.name ? NAMED_VERSION : RECORD_VERSION],
			integer(this.chunkSize, 4, 'the chunk size'),
			integer(this.length, 8, 'the length'),
			this.salt,
			this.commitment,
		);
	}

	/**
	 * Decodes the header at the start of a record and ignores the rest.
	 *
	 * @param {Uint8Array} record
	 * @throws {EnvelopeError} `HeaderCutShort`, `UnknownVersion`, `ChunkSize`, `TooManyChunks`
	 */
	static read(record) {
		const got = bytes(record, undefined, 'a record').length;
		// Check the version first: the other errors only make sense for a known format.
		if (got > 0 && record[0] !== RECORD_VERSION && record[0] !== NAMED_VERSION) {
			const message = `unknown record format ${record[0]}: this program reads formats ${RECORD_VERSION} and ${NAMED_VERSION}`;
			throw new EnvelopeError('UnknownVersion', message, { got: record[0] });
		}
		const expected = record[0] === NAMED_VERSION ? Header.NAMED_LEN : Header.LEN;
		if (got < expected) {
			const message = `a record has a header of ${expected} bytes, but there are only ${got}`;
			throw new EnvelopeError('HeaderCutShort', message, { expected, got });
		}
		const name = expected === Header.NAMED_LEN ? copy(record, Header.LEN, expected) : undefined;
		const view = new DataView(record.buffer, record.byteOffset);
		// A number above 2^53 is rounded here, but refused anyway, because it implies more than 2^20 chunks.
		const length = Number(view.getBigUint64(5));
		return new Header(view.getUint32(1), length, copy(record, 13, 45), copy(record, 45, 77), name);
	}

	/**
	 * Returns the length of a chunk's plaintext in bytes. The ciphertext is `TAG_LEN` bytes longer.
	 *
	 * @param {number} chunk
	 */
	chunkLen(chunk) {
		const { chunks } = this;
		if (!Number.isInteger(chunk) || chunk < 0 || chunk >= chunks) {
			const message = `there is no chunk ${chunk}: the record has ${chunks}, counted from 0`;
			throw new EnvelopeError('NoSuchChunk', message, { chunk, chunks });
		}
		return Math.min(this.length - chunk * this.chunkSize, this.chunkSize);
	}
}

/** Derives the chunks' key and the commitment from the leaf key and the salt. */
async function deriveKeys(leafKey, salt) {
	const secret = secretOf(leafKey);
	const key = await hkdf(salt, secret, RECORD_KEY_LABEL);
	return {
		key: await subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']),
		commitment: await hkdf(salt, secret, COMMITMENT_LABEL),
	};
}

/** A header with its record's context and the key of its chunks. */
class Chunks {
	#key;
	#aad;

	constructor(header, key, { genesis, owner, key: recordKey, version }) {
		this.header = header;
		this.#key = key;
		this.#aad = concat(
			header.fixed(),
			bytes(genesis, 32, 'the genesis hash'),
			bytes(owner, 32, 'the owner'),
			bytes(recordKey, 32, "the record's key"),
			integer(version, 4, "the record's version"),
		);
	}

	/** Returns the parameters of AES-GCM. The nonce is `0^7 ‖ number ‖ last`; the associated data ends with the number. */
	#algorithm(chunk) {
		const number = integer(chunk, 4, "a chunk's number");
		const last = chunk + 1 === this.header.chunks ? 1 : 0;
		const iv = concat(new Uint8Array(7), number, [last]);
		return { name: 'AES-GCM', iv, additionalData: concat(this.#aad, number), tagLength: 128 };
	}

	/** Returns the parameters for the name. No chunk has the nonce `0^11 ‖ 2`; the associated data is the first chunk's. */
	#nameAlgorithm() {
		return { ...this.#algorithm(0), iv: concat(new Uint8Array(11), [2]) };
	}

	async sealName(name) {
		return new Uint8Array(await subtle.encrypt(this.#nameAlgorithm(), this.#key, name));
	}

	async openName() {
		try {
			return new Uint8Array(await subtle.decrypt(this.#nameAlgorithm(), this.#key, this.header.name));
		} catch {
			const message = "the record's name is not authentic: it was altered or belongs to another record";
			throw new EnvelopeError('NameNotAuthentic', message);
		}
	}

	/** Refuses a chunk whose length is wrong for its position. */
	checkLen(chunk, extra, data) {
		const expected = this.header.chunkLen(chunk) + extra;
		const got = bytes(data, undefined, 'a chunk').length;
		if (got !== expected) {
			const message = `chunk ${chunk} must have ${expected} bytes, not ${got}`;
			throw new EnvelopeError('ChunkLength', message, { chunk, expected, got });
		}
	}

	async seal(chunk, plain) {
		return new Uint8Array(await subtle.encrypt(this.#algorithm(chunk), this.#key, plain));
	}

	async open(chunk, sealed) {
		try {
			return new Uint8Array(await subtle.decrypt(this.#algorithm(chunk), this.#key, sealed));
		} catch {
			const message = `chunk ${chunk} is not authentic: it was altered or belongs to another record`;
			throw new EnvelopeError('NotAuthentic', message, { chunk });
		}
	}
}

/**
 * Like `Encryptor.create`, with a given salt, for test vectors and resumed uploads. Never encrypt two different
 * values with the same leaf and salt.
 */
export let encryptorWithSalt;

/** Encrypts a value chunk by chunk. */
export class Encryptor {
	#chunks;
	#next = 0;

	static {
		encryptorWithSalt = async (leafKey, context, chunkSize, length, salt, name) => {
			const { key, commitment } = await deriveKeys(leafKey, salt);
			const encryptor = new Encryptor();
			let sealed;
			if (name) {
				// The version in the associated data says that there is a name, before it is sealed.
				const header = new Header(chunkSize, length, salt, commitment, new Uint8Array(NAME_LEN + TAG_LEN));
				sealed = await new Chunks(header, key, context).sealName(bytes(name, NAME_LEN, 'a name'));
			}
			const header = new Header(chunkSize, length, salt, commitment, sealed);
			encryptor.#chunks = new Chunks(header, key, context);
			return encryptor;
		};
	}

	/**
	 * Starts a record of `length` plaintext bytes in chunks of `chunkSize`.
	 *
	 * @param {LeafKey} leafKey
	 * @param {RecordContext} context
	 * @param {number} chunkSize
	 * @param {number} length
	 * @param {Uint8Array} [name] The record's name, filled up with zeros to 32 bytes: the record then contains it, sealed.
	 * @returns {Promise<Encryptor>}
	 */
	static create(leafKey, context, chunkSize, length, name) {
		// A fresh salt for each encryption: with the same salt, a second value would reuse the key and the nonces.
		return encryptorWithSalt(leafKey, context, chunkSize, length, random(), name);
	}

	/** @returns {Header} The header, which precedes the chunks. */
	get header() {
		return this.#chunks.header;
	}

	/** @returns {number | undefined} The number of plaintext bytes in the next chunk; undefined if all chunks are encrypted. */
	get nextLen() {
		return this.#next < this.header.chunks ? this.header.chunkLen(this.#next) : undefined;
	}

	/**
	 * Encrypts the next chunk and appends its tag.
	 *
	 * @param {Uint8Array} plain
	 * @returns {Promise<Uint8Array>}
	 * @throws {EnvelopeError} `NoSuchChunk`, `ChunkLength`
	 */
	async encryptChunk(plain) {
		const chunk = this.#next;
		this.#chunks.checkLen(chunk, 0, plain);
		// Increment before the first `await`, so that two concurrent calls cannot share a nonce.
		this.#next += 1;
		return this.#chunks.seal(chunk, plain);
	}
}

/**
 * Decrypts a record's first chunk without checking the commitment, as an attacker with a wrong key would. This is
 * internal: with it, the tests and the demo show that the encryption itself also refuses such a key
 * (`NotAuthentic`). A reader always checks the commitment.
 */
export let firstChunkWithAnyKey;

/** Decrypts a record's chunks, in any order. */
export class Decryptor {
	#chunks;

	static {
		firstChunkWithAnyKey = async (leafKey, context, record) => {
			const header = Header.read(record);
			const { key } = await deriveKeys(leafKey, header.salt);
			const decryptor = new Decryptor();
			decryptor.#chunks = new Chunks(header, key, context);
			const start = header.encodedLen;
			return decryptor.decryptChunk(0, record.subarray(start, start + header.chunkLen(0) + TAG_LEN));
		};
	}

	/**
	 * Creates a decryptor for the record with this header. Refuses a wrong key.
	 *
	 * @param {LeafKey} leafKey
	 * @param {RecordContext} context
	 * @param {Header} header
	 * @returns {Promise<Decryptor>}
	 * @throws {EnvelopeError} `WrongKey`
	 */
	static async create(leafKey, context, header) {
		const { key, commitment } = await deriveKeys(leafKey, header.salt);
		if (!equal(commitment, header.commitment)) {
			const message = 'this key is not the one that the record commits to';
			throw new EnvelopeError('WrongKey', message);
		}
		const decryptor = new Decryptor();
		decryptor.#chunks = new Chunks(header, key, context);
		return decryptor;
	}

	/** @returns {Header} The record's header. It is known to be authentic after the first chunk has been decrypted. */
	get header() {
		return this.#chunks.header;
	}

	/**
	 * Returns the record's name, filled up with zeros; undefined if the record does not contain one.
	 *
	 * @returns {Promise<Uint8Array | undefined>}
	 * @throws {EnvelopeError} `NameNotAuthentic`
	 */
	async name() {
		return this.header.name && this.#chunks.openName();
	}

	/**
	 * Decrypts a chunk.
	 *
	 * @param {number} number
	 * @param {Uint8Array} chunk
	 * @returns {Promise<Uint8Array>}
	 * @throws {EnvelopeError} `NoSuchChunk`, `ChunkLength`, `NotAuthentic`
	 */
	async decryptChunk(number, chunk) {
		this.#chunks.checkLen(number, TAG_LEN, chunk);
		return this.#chunks.open(number, chunk);
	}
}

/**
 * Encrypts a value to a whole record (header and chunks), in chunks of `MAX_CHUNK_SIZE`.
 *
 * @param {LeafKey} leafKey
 * @param {RecordContext} context
 * @param {Uint8Array} value
 * @param {Uint8Array} [name] The record's name, filled up with zeros to 32 bytes: the record then contains it, sealed.
 * @returns {Promise<Uint8Array>}
 */
export async function encryptValue(leafKey, context, value, name) {
	const { length } = bytes(value, undefined, 'a value');
	return encryptAll(await Encryptor.create(leafKey, context, MAX_CHUNK_SIZE, length, name), value);
}

/** Encrypts a whole value with an encryptor that was created for its length. */
export async function encryptAll(encryptor, value) {
	const { chunks, chunkSize, recordLen } = encryptor.header;
	const record = new Uint8Array(recordLen);
	record.set(encryptor.header.toBytes());
	for (let chunk = 0; chunk < chunks; chunk++) {
		const plain = value.subarray(chunk * chunkSize, (chunk + 1) * chunkSize);
		const sealed = await encryptor.encryptChunk(plain);
		record.set(sealed, encryptor.header.encodedLen + chunk * (chunkSize + TAG_LEN));
	}
	return record;
}

/**
 * Decrypts a whole record (header and chunks) to its value.
 *
 * @param {LeafKey} leafKey
 * @param {RecordContext} context
 * @param {Uint8Array} record
 * @returns {Promise<Uint8Array>}
 * @throws {EnvelopeError} `Length`, and the errors of `Header.read`, `Decryptor.create`, `name` and `decryptChunk`
 */
export async function decryptValue(leafKey, context, record) {
	const header = Header.read(record);
	const [expected, got] = [header.recordLen, record.length];
	// Check this before allocating the length that the header claims.
	if (got !== expected) {
		const message = `by its header the record has ${expected} bytes, but there are ${got}`;
		throw new EnvelopeError('Length', message, { expected, got });
	}
	const decryptor = await Decryptor.create(leafKey, context, header);
	await decryptor.name();
	const value = new Uint8Array(header.length);
	const step = header.chunkSize + TAG_LEN;
	for (let chunk = 0; chunk < header.chunks; chunk++) {
		const at = header.encodedLen + chunk * step;
		const plain = await decryptor.decryptChunk(chunk, record.subarray(at, at + step));
		value.set(plain, chunk * header.chunkSize);
	}
	return value;
}
