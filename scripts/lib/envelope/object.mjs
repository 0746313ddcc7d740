// SPDX-License-Identifier: Apache-2.0

// Objects: values encrypted for a store outside the chain, in chunks of exactly 1 MiB of ciphertext. The construction is
// that of a record (record.mjs), with keys of its own. The header is not in the object: the chain has it, as `queryObject`
// returns it. This decrypts whole objects; their BLAKE3 root has to be checked first if the store is not trusted.

import { bytes, concat, copy, EnvelopeError, equal, hkdf, integer, subtle, toDigits, utf8 } from './common.mjs';
import { MAX_CHUNKS, TAG_LEN } from './record.mjs';
import { secretOf } from './tree.mjs';

/** @import { LeafKey } from './tree.mjs' */
/** @import { RecordContext } from './record.mjs' */

/** The first byte of an object's header. */
const OBJECT_VERSION = 3;
/** The form of an object whose plaintext is the value, and of one whose plaintext is a compressed value. */
const [PLAIN, COMPRESSED] = [0, 1];
/** Length of an encrypted chunk except the last, which may be shorter, in bytes. */
export const SEALED_CHUNK = 2 ** 20;
/** Length of a chunk's plaintext except the last, in bytes. */
export const OBJECT_CHUNK = SEALED_CHUNK - TAG_LEN;

const KEY_LABEL = utf8('isthmus/object-key/v1');
const COMMITMENT_LABEL = utf8('isthmus/object-commitment/v1');

/** The header of an object, which the chain stores. */
export class ObjectHeader {
	/** Length of an encoded header, in bytes. */
	static LEN = 77;

	/** @param {number} form @param {number} length @param {Uint8Array} salt @param {Uint8Array} commitment */
	constructor(form, length, salt, commitment) {
		const chunks = Math.ceil(length / OBJECT_CHUNK);
		if (chunks > MAX_CHUNKS) {
			const message = `the value needs ${chunks} chunks; an object has at most ${MAX_CHUNKS}`;
			throw new EnvelopeError('TooManyChunks', message, { got: chunks });
		}
		/** Whether the plaintext is a compressed value: zstd decompresses it. */
		this.isCompressed = form === COMPRESSED;
		/** Length of the plaintext in bytes. */
		this.length = length;
		/** The number of chunks. An empty value has one empty chunk. */
		this.chunks = Math.max(chunks, 1);
		/** Length of the encrypted object in bytes. */
		this.objectLen = length + this.chunks * TAG_LEN;
		/** The object's name at its locations. */
		this.name = toDigits(salt);
		this.salt = salt;
		this.commitment = commitment;
		Object.freeze(this);
	}

	/**
	 * Decodes a header.
	 *
	 * @param {Uint8Array} encoded
	 * @throws {EnvelopeError} `UnknownVersion`, `UnknownForm`, `ChunkSize`, `TooManyChunks`
	 */
	static read(encoded) {
		bytes(encoded, ObjectHeader.LEN, "an object's header");
		if (encoded[0] !== OBJECT_VERSION) {
			const message = `unknown object format ${encoded[0]}: this program reads format ${OBJECT_VERSION}`;
			throw new EnvelopeError('UnknownVersion', message, { got: encoded[0] });
		}
		const form = encoded[1];
		if (form !== PLAIN && form !== COMPRESSED) {
			const message = `unknown form ${form} of an object: this program knows forms ${PLAIN} and ${COMPRESSED}`;
			throw new EnvelopeError('UnknownForm', message, { got: form });
		}
		const view = new DataView(encoded.buffer, encoded.byteOffset);
		const got = view.getUint32(1) % 2 ** 24;
		if (got !== OBJECT_CHUNK) {
			throw new EnvelopeError('ChunkSize', `a chunk of an object holds ${OBJECT_CHUNK} bytes, not ${got}`, { got });
		}
		// A number above 2^53 is rounded here, but refused anyway, because it implies more than 2^20 chunks.
		return new ObjectHeader(form, Number(view.getBigUint64(5)), copy(encoded, 13, 45), copy(encoded, 45, 77));
	}

	/** Encodes the header as `version ‖ form ‖ chunk size ‖ length ‖ salt ‖ commitment`, with big-endian integers. */
	toBytes() {
		return this.#encoded(this.length);
	}

	/** Encodes what the chunks are bound to: the header of an empty object, as a stream's length is known at its end only. */
	unbounded() {
		return this.#encoded(0);
	}

	#encoded(length) {
		const [version, form] = [OBJECT_VERSION, this.isCompressed ? COMPRESSED : PLAIN];
		const size = integer(OBJECT_CHUNK, 3, 'the chunk size');
		return concat([version, form], size, integer(length, 8, 'the length'), this.salt, this.commitment);
	}
}

/**
 * Creates a decryptor without checking the commitment, as an attacker with a wrong key would. This is internal: the tests
 * show with it that the encryption itself refuses such a key (`NotAuthentic`).
 */
export let objectWithAnyKey;

/** Decrypts an object's chunks, in any order. */
export class ObjectDecryptor {
	/** @type {ObjectHeader} */
	header;
	#key;
	#aad;

	static {
		objectWithAnyKey = async (leafKey, context, header) => {
			const decryptor = new ObjectDecryptor();
			const key = await hkdf(header.salt, secretOf(leafKey), KEY_LABEL);
			decryptor.header = header;
			decryptor.#key = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
			decryptor.#aad = concat(
				header.unbounded(),
				bytes(context.genesis, 32, 'the genesis hash'),
				bytes(context.owner, 32, 'the owner'),
				bytes(context.key, 32, "the record's key"),
				integer(context.version, 4, "the record's version"),
			);
			return decryptor;
		};
	}

	/**
	 * Creates a decryptor for the object with this header. Refuses a wrong key.
	 *
	 * @param {LeafKey} leafKey
	 * @param {RecordContext} context
	 * @param {ObjectHeader} header
	 * @returns {Promise<ObjectDecryptor>}
	 * @throws {EnvelopeError} `WrongKey`
	 */
	static async create(leafKey, context, header) {
		const commitment = await hkdf(header.salt, secretOf(leafKey), COMMITMENT_LABEL);
		if (!equal(commitment, header.commitment)) {
			throw new EnvelopeError('WrongKey', 'the object is encrypted under another key');
		}
		return objectWithAnyKey(leafKey, context, header);
	}

	/**
	 * Decrypts a chunk.
	 *
	 * @param {number} chunk
	 * @param {Uint8Array} sealed
	 * @returns {Promise<Uint8Array>}
	 * @throws {EnvelopeError} `ChunkLength`, `NotAuthentic`
	 */
	async decryptChunk(chunk, sealed) {
		const { chunks, objectLen } = this.header;
		const expected = Math.min(objectLen - chunk * SEALED_CHUNK, SEALED_CHUNK);
		const got = bytes(sealed, undefined, 'a chunk').length;
		if (got !== expected) {
			const message = `chunk ${chunk} must have ${expected} bytes, not ${got}`;
			throw new EnvelopeError('ChunkLength', message, { chunk, expected, got });
		}
		const number = integer(chunk, 4, "a chunk's number");
		const iv = concat(new Uint8Array(7), number, [chunk + 1 === chunks ? 1 : 0]);
		const algorithm = { name: 'AES-GCM', iv, additionalData: concat(this.#aad, number), tagLength: 128 };
		try {
			return new Uint8Array(await subtle.decrypt(algorithm, this.#key, sealed));
		} catch {
			const message = `chunk ${chunk} is not authentic: it was altered or belongs to another record`;
			throw new EnvelopeError('NotAuthentic', message, { chunk });
		}
	}
}

/**
 * Decrypts a whole object to its value. It does not decompress: of a compressed value, decrypt the chunks with
 * `ObjectDecryptor`, and give them to zstd, one after the other.
 *
 * @param {LeafKey} leafKey
 * @param {RecordContext} context
 * @param {Uint8Array} header The header that the chain has.
 * @param {Uint8Array} object
 * @returns {Promise<Uint8Array>}
 * @throws {EnvelopeError} `Length`, `Compressed`, and the errors of `ObjectHeader.read` and `ObjectDecryptor`
 */
export async function decryptObject(leafKey, context, header, object) {
	const read = ObjectHeader.read(header);
	const [expected, got] = [read.objectLen, object.length];
	// Check this before allocating the length that the header claims.
	if (got !== expected) {
		const message = `by its header the object has ${expected} bytes, but there are ${got}`;
		throw new EnvelopeError('Length', message, { expected, got });
	}
	if (read.isCompressed) {
		throw new EnvelopeError('Compressed', 'the value is compressed: decrypt the chunks, and decompress them with zstd');
	}
	const decryptor = await ObjectDecryptor.create(leafKey, context, read);
	const value = new Uint8Array(read.length);
	for (let chunk = 0; chunk < read.chunks; chunk++) {
		const at = chunk * SEALED_CHUNK;
		value.set(await decryptor.decryptChunk(chunk, object.subarray(at, at + SEALED_CHUNK)), chunk * OBJECT_CHUNK);
	}
	return value;
}
