// SPDX-License-Identifier: Apache-2.0

// The manifest of a large record: its header and the hash of every chunk. Nodes serve chunks by these hashes, and
// the chain checks each chunk that arrives against the Merkle tree over them. docs/formats.md describes the layout.

import { blake2b256, bytes, concat, copy, EnvelopeError, integer } from './common.mjs';
import { leafHash, nodeHash } from './merkle.mjs';

/** The format's version, the first byte of every manifest. */
export const MANIFEST_VERSION = 1;
/** The maximum number of chunks in a large record on the chain. */
export const MAX_RECORD_CHUNKS = 2 ** 15;
const HASH_LEN = 32;
const PREFIX_LEN = 3;

/** Computes the hash by which nodes serve data. */
export const contentHash = blake2b256;

/** A large record's header and the hashes of its chunks. */
export class Manifest {
	/**
	 * @param {Uint8Array} header The bytes that a reader needs before the chunks: for records, `Header.toBytes()`.
	 * @param {Uint8Array[]} hashes The `contentHash` of each encrypted chunk.
	 */
	constructor(header, hashes) {
		/** The bytes that a reader needs before the chunks. */
		this.header = header;
		/** The chunks' hashes. */
		this.hashes = hashes;
		Object.freeze(this);
	}

	/** Encodes the manifest as `version ‖ header's length ‖ header ‖ hashes`. */
	toBytes() {
		const length = integer(this.header.length, 2, "the header's length");
		return concat([MANIFEST_VERSION], length, this.header, ...this.hashes);
	}

	/**
	 * Decodes the manifest of a record with `chunks` chunks.
	 *
	 * @param {Uint8Array} data
	 * @param {number} chunks
	 * @throws {EnvelopeError} `UnknownVersion`, `WrongLength`
	 */
	static read(data, chunks) {
		const got = bytes(data, undefined, 'a manifest').length;
		if (got === 0 || data[0] !== MANIFEST_VERSION) {
			const message = `a manifest begins with ${MANIFEST_VERSION}, but this one with ${data[0]}`;
			throw new EnvelopeError('UnknownVersion', message, { got: data[0] });
		}
		const header = got < PREFIX_LEN ? undefined : (data[1] << 8) | data[2];
		const expected = PREFIX_LEN + header + HASH_LEN * chunks;
		// If the manifest is too short to state its header's length, `expected` is NaN, which equals no length.
		if (got !== expected) {
			const message = `a manifest of ${chunks} chunks with this header has ${expected} bytes, not ${got}`;
			throw new EnvelopeError('WrongLength', message, { expected, got });
		}
		const start = PREFIX_LEN + header;
		const hashes = Array.from({ length: chunks }, (_, i) =>
			copy(data, start + i * HASH_LEN, start + (i + 1) * HASH_LEN),
		);
		return new Manifest(copy(data, PREFIX_LEN, start), hashes);
	}

	/** Computes the Merkle tree over the hashes. */
	async tree() {
		return ChunkTree.of(await Promise.all(this.hashes.map((hash) => leafHash(hash))));
	}
}

/** A Merkle tree with all its levels. It returns proofs for many leaves without computing the tree again for each. */
export class ChunkTree {
	/** @type {Uint8Array[][]} */
	#levels;

	/**
	 * Computes the tree over these leaves. There must be at least one.
	 *
	 * @param {Uint8Array[]} leaves
	 */
	static async of(leaves) {
		const tree = new ChunkTree();
		tree.#levels = [leaves];
		for (let level = leaves; level.length > 1; ) {
			const pairs = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) => 2 * i);
			// A last node without a sibling moves up unchanged.
			const above = pairs.map((i) => (i + 1 < level.length ? nodeHash(level[i], level[i + 1]) : level[i]));
			level = await Promise.all(above);
			tree.#levels.push(level);
		}
		return tree;
	}

	/** @returns {Uint8Array} The root of the tree. */
	get root() {
		return this.#levels.at(-1)[0];
	}

	/**
	 * Returns the siblings on the path from a leaf to the root, from the bottom up.
	 *
	 * @param {number} index
	 * @returns {Uint8Array[]}
	 */
	proof(index) {
		return this.#levels
			.slice(0, -1)
			.map((level, height) => level[Math.floor(index / 2 ** height) ^ 1])
			.filter((neighbour) => neighbour !== undefined);
	}
}
