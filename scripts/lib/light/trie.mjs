// SPDX-License-Identifier: Apache-2.0

// Proofs of the state: nodes of its Merkle trie, from the root in a header to the entries (the format of sp-trie, state
// version 1, which reads version 0 as well). A second implementation, independent of `client/light/src/proof.rs`.

import { blake2b256 } from '../envelope/common.mjs';
import { hex } from '../sharing/encoding.mjs';
import { BadProof, Malformed } from './errors.mjs';
import { decode } from './scale.mjs';

/** The kinds of a node by the first bits of its header, and how many bits these are. */
const KINDS = [
	{ bits: 2, prefix: 0b01, value: 'inline', children: false },
	{ bits: 2, prefix: 0b10, value: null, children: true },
	{ bits: 2, prefix: 0b11, value: 'inline', children: true },
	{ bits: 3, prefix: 0b001, value: 'hashed', children: false },
	{ bits: 4, prefix: 0b0001, value: 'hashed', children: true },
];
const HASH = 32;

/** Returns the nibbles of a key. */
const nibbles = (key) => [...key].flatMap((byte) => [byte >> 4, byte & 15]);

/** Returns the key with these nibbles. */
const joined = (path) => Uint8Array.from({ length: path.length / 2 }, (_, index) => (path[2 * index] << 4) | path[2 * index + 1]);

/** Reads the number of nibbles in a node, which begins in the header's last bits. */
function length(reader, first, bits) {
	const most = 255 >> bits;
	let count = first & most;
	if (count < most) return count;
	for (let more = 255; more === 255; count += more) more = reader.u8();
	return count;
}

/** Reads a node. */
function node(reader) {
	const first = reader.u8();
	if (first === 0) return { partial: [], value: null, children: [] };
	const kind = KINDS.find(({ bits, prefix }) => first >> (8 - bits) === prefix);
	if (kind === undefined) throw new Malformed('an unknown kind of node');
	const count = length(reader, first, kind.bits);
	const padded = nibbles(reader.bytes(Math.ceil(count / 2)));
	const partial = padded.slice(padded.length - count);
	if (padded.length > count && padded[0] !== 0) throw new Malformed('a node has a nibble too many');
	const present = kind.children ? reader.u16() : 0;
	let value = null;
	if (kind.value === 'inline') value = { bytes: reader.blob() };
	if (kind.value === 'hashed') value = { hash: reader.bytes(HASH) };
	const children = [];
	for (let index = 0; kind.children && index < 16; index++) {
		children.push(present & (1 << index) ? reader.blob() : null);
	}
	return { partial, value, children };
}

/** A part of the state after a block: whatever is read from it is proven by the state root. */
export class StateProof {
	#root;
	#nodes = new Map();
	#read = new Set();

	/** @param {Uint8Array} root The state root, from a header. */
	constructor(root) {
		this.#root = root;
	}

	/** Adds nodes of the trie, in any order. They are found by their hash, so a wrong one proves nothing. */
	add(nodes) {
		for (const bytes of nodes) this.#nodes.set(hex(blake2b256(bytes)), bytes);
	}

	#node(hash) {
		const bytes = this.#nodes.get(hex(hash));
		if (bytes === undefined) throw new BadProof('the proof lacks a part of the state');
		this.#read.add(bytes);
		return bytes;
	}

	/**
	 * Returns whether a node was needed for what was read so far.
	 *
	 * @param {Uint8Array} bytes The node, as it was added.
	 */
	wasRead(bytes) {
		return this.#read.has(bytes);
	}

	/**
	 * Returns an entry's value, or null if it is proven that there is none.
	 *
	 * @param {Uint8Array} key
	 * @returns {Uint8Array | null}
	 * @throws {BadProof} if neither is proven.
	 */
	value(key) {
		let rest = nibbles(key);
		let bytes = this.#node(this.#root);
		for (;;) {
			const { partial, value, children } = decode(bytes, node);
			if (!partial.every((nibble, index) => nibble === rest[index])) return null;
			rest = rest.slice(partial.length);
			if (rest.length === 0) {
				if (value === null) return null;
				return value.bytes ?? this.#node(value.hash);
			}
			const child = children[rest[0]] ?? null;
			if (child === null) return null;
			rest = rest.slice(1);
			// A child of 32 bytes is a hash, a shorter one is the node itself.
			bytes = child.length === HASH ? this.#node(child) : child;
		}
	}

	/**
	 * Returns the keys of all entries whose keys begin with a prefix, in order.
	 *
	 * @param {Uint8Array} prefix
	 * @returns {Uint8Array[]}
	 * @throws {BadProof} if it is not proven which these are.
	 */
	keys(prefix) {
		const wanted = nibbles(prefix);
		const found = [];
		const search = (bytes, above) => {
			const { partial, value, children } = decode(bytes, node);
			const path = [...above, ...partial];
			if (!wanted.every((nibble, index) => index >= path.length || nibble === path[index])) return;
			if (value !== null && path.length >= wanted.length) found.push(joined(path));
			children.forEach((child, nibble) => {
				const isOther = path.length < wanted.length && wanted[path.length] !== nibble;
				if (child === null || isOther) return;
				search(child.length === HASH ? this.#node(child) : child, [...path, nibble]);
			});
		};
		search(this.#node(this.#root), []);
		return found;
	}

	/** Returns an entry, read with `read`, or null if it is proven that there is none. */
	get(key, read) {
		const value = this.value(key);
		return value === null ? null : decode(value, read);
	}
}

