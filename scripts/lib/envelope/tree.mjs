// SPDX-License-Identifier: Apache-2.0

// The key tree: a GGM tree of height 32 over HMAC-SHA256. A node's key determines the keys of all leaves
// below it and reveals nothing about other nodes, so the keys of the few nodes that cover a range of leaves
// open exactly that range.

import { bytes, concat, copy, EnvelopeError, hkdf, hmacSha256, integer, utf8 } from './common.mjs';

/** @import { EpochId } from './master.mjs' */

/** Height of the tree: a leaf is this many steps below the root. */
export const HEIGHT = 32;
/** The number of leaves. */
export const LEAVES = 2 ** HEIGHT;
/** Length of a node's key, in bytes. */
export const NODE_KEY_LEN = 32;

const CHILD_LABEL = utf8('isthmus/tree/v1');
const FILE_KEY_LABEL = utf8('isthmus/folder-file/v1');

/**
 * A range of leaves from `start` up to but not including `end`. It is never empty and never ends beyond the tree.
 */
export class Range {
	/** All leaves of the tree. */
	static ALL = new Range(0, LEAVES);

	/**
	 * @param {number} start
	 * @param {number} end
	 * @throws {EnvelopeError} `RangeBeyondTree`, `EmptyRange`
	 */
	constructor(start, end) {
		integer(start, 8, 'the start of a range');
		integer(end, 8, 'the end of a range');
		if (end > LEAVES) {
			const message = `the range ends at ${end}, beyond the tree's ${LEAVES} leaves`;
			throw new EnvelopeError('RangeBeyondTree', message, { end });
		}
		if (start >= end) {
			const message = `the range from ${start} up to ${end} is empty`;
			throw new EnvelopeError('EmptyRange', message, { start, end });
		}
		this.start = start;
		this.end = end;
		Object.freeze(this);
	}

	/**
	 * Returns whether a leaf is in the range.
	 *
	 * @param {number} leaf
	 */
	contains(leaf) {
		return this.start <= leaf && leaf < this.end;
	}

	/**
	 * Returns the smallest set of nodes whose leaves are exactly this range, from left to right.
	 *
	 * @returns {{depth: number, index: number}[]}
	 */
	cover() {
		const nodes = [];
		let start = this.start;
		while (start < this.end) {
			// A node starts at a multiple of its size, and must fit into the rest of the range.
			let [depth, size] = [HEIGHT, 1];
			while (depth > 0 && start % (2 * size) === 0 && start + 2 * size <= this.end) {
				depth -= 1;
				size *= 2;
			}
			nodes.push({ depth, index: start / size });
			start += size;
		}
		return nodes;
	}
}

/** Descends `steps` levels from the node with key `key`, along the last `steps` bits of `path`; returns the key there. */
async function descend(key, path, steps) {
	for (let level = steps - 1; level >= 0; level--) {
		const bit = Math.floor(path / 2 ** level) % 2;
		key = await hmacSha256(key, concat([bit], CHILD_LABEL));
	}
	return key;
}

/** Returns the secret inside a LeafKey, so that record.mjs can encrypt under it. */
export let secretOf;

/** The key of a leaf. One record is encrypted under it. */
export class LeafKey {
	#secret;

	static {
		secretOf = (leafKey) => leafKey.#secret;
	}

	/** @param {Uint8Array} secret */
	constructor(secret) {
		this.#secret = bytes(secret, NODE_KEY_LEN, "a leaf's key");
	}
}

/** The keys of the nodes that cover a range: they open every leaf of the range and nothing else. */
export class KeySet {
	#keys;

	/** @param {Range} range @param {Uint8Array[]} keys The key of each node of the cover, in the cover's order. */
	constructor(range, keys) {
		this.range = range;
		this.#keys = keys;
	}

	/**
	 * Derives the key of a leaf in the range.
	 *
	 * @param {number} leaf
	 * @returns {Promise<LeafKey>}
	 * @throws {EnvelopeError} `LeafOutsideRange`
	 */
	async leafKey(leaf) {
		integer(leaf, 4, 'a leaf');
		if (!this.range.contains(leaf)) {
			const range = `[${this.range.start}, ${this.range.end})`;
			const message = `leaf ${leaf} is outside the range ${range} of these keys`;
			throw new EnvelopeError('LeafOutsideRange', message, { leaf, range: this.range });
		}
		const holds = ({ depth, index }) => Math.floor(leaf / 2 ** (HEIGHT - depth)) === index;
		const cover = this.range.cover();
		const at = cover.findIndex(holds);
		return new LeafKey(await descend(this.#keys[at], leaf, HEIGHT - cover[at].depth));
	}

	/** Concatenates the keys in the order of the cover. A grant seals these bytes. */
	toBytes() {
		return concat(...this.#keys);
	}

	/**
	 * Decodes the result of `toBytes` for the same range.
	 *
	 * @param {Range} range
	 * @param {Uint8Array} encoded
	 */
	static fromBytes(range, encoded) {
		const expected = range.cover().length * NODE_KEY_LEN;
		if (encoded.length !== expected) {
			const message = `the keys of this range have ${expected} bytes, not ${encoded.length}`;
			throw new EnvelopeError('KeysLength', message, { expected, got: encoded.length });
		}
		const keys = [];
		for (let at = 0; at < expected; at += NODE_KEY_LEN) {
			keys.push(copy(encoded, at, at + NODE_KEY_LEN));
		}
		return new KeySet(range, keys);
	}
}

/** The root of an epoch's tree. With it, all records of the epoch can be read and granted. */
export class EpochRoot {
	#key;

	/** @param {EpochId} id @param {Uint8Array} key */
	constructor(id, key) {
		this.id = id;
		this.#key = bytes(key, NODE_KEY_LEN, "an epoch's root");
	}

	/**
	 * Derives the key of a leaf.
	 *
	 * @param {number} leaf
	 * @returns {Promise<LeafKey>}
	 */
	async leafKey(leaf) {
		integer(leaf, 4, 'a leaf');
		return new LeafKey(await descend(this.#key, leaf, HEIGHT));
	}

	/**
	 * Derives the record key for a file of a folder.
	 *
	 * @param {Uint8Array} folder The key of the folder's record, 32 bytes.
	 * @param {string} path
	 * @returns {Promise<Uint8Array>}
	 */
	async fileKey(folder, path) {
		const info = concat(bytes(folder, 32, "a folder's key"), utf8(path));
		return hkdf(FILE_KEY_LABEL, this.#key, info);
	}

	/**
	 * Derives the keys that open `range` and nothing else.
	 *
	 * @param {Range} range
	 * @returns {Promise<KeySet>}
	 */
	async keySet(range) {
		const cover = range.cover();
		const keys = cover.map(({ depth, index }) => descend(this.#key, index, depth));
		return new KeySet(range, await Promise.all(keys));
	}
}
