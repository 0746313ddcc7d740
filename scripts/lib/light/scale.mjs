// SPDX-License-Identifier: Apache-2.0

// Reads the SCALE encoding (https://docs.polkadot.com/polkadot-protocol/parachain-basics/data-encoding). What a node sent
// is read strictly: other bytes than an honest node would write are an error.

import { Malformed } from './errors.mjs';

/** Reads values from bytes, one after another. */
export class Reader {
	#bytes;
	#view;
	/** How many bytes were read. */
	at = 0;

	/** @param {Uint8Array} bytes */
	constructor(bytes) {
		this.#bytes = bytes;
		this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}

	/** Returns the bytes from `from` to here. */
	since(from) {
		return this.#bytes.slice(from, this.at);
	}

	/** Returns the next `length` bytes. */
	bytes(length) {
		const from = this.at;
		if (length > this.#bytes.length - from) throw new Malformed('the bytes end too early');
		this.at += length;
		return this.#bytes.slice(from, this.at);
	}

	#number(size, read) {
		const from = this.at;
		this.bytes(size);
		return read.call(this.#view, from, true);
	}

	u8() {
		return this.#number(1, this.#view.getUint8);
	}

	u16() {
		return this.#number(2, this.#view.getUint16);
	}

	u32() {
		return this.#number(4, this.#view.getUint32);
	}

	/** @returns {bigint} */
	u64() {
		return this.#number(8, this.#view.getBigUint64);
	}

	/** @returns {bigint} */
	u128() {
		return this.u64() + (this.u64() << 64n);
	}

	bool() {
		const value = this.u8();
		if (value > 1) throw new Malformed('neither true nor false');
		return value === 1;
	}

	/** Reads a compact integer of at most 30 bits: longer ones have no place here. */
	compact() {
		const first = this.u8();
		const mode = first & 3;
		if (mode === 0) return first >> 2;
		if (mode === 3) {
			if (first !== 3) throw new Malformed('a number is too large');
			const value = this.u32();
			if (value < 2 ** 30) throw new Malformed('a number is longer than it has to be');
			return value;
		}
		const high = mode === 1 ? this.u8() : this.u8() + this.u16() * 256;
		const value = (first >> 2) + high * 64;
		if (value < (mode === 1 ? 2 ** 6 : 2 ** 14)) throw new Malformed('a number is longer than it has to be');
		return value;
	}

	/** Reads bytes with their length before them. */
	blob() {
		return this.bytes(this.compact());
	}

	/** Reads a list of values, each with `read`. */
	list(read) {
		const list = [];
		for (let left = this.compact(); left > 0; left--) list.push(read(this));
		return list;
	}

	/** Reads a value, or null if there is none. */
	option(read) {
		return this.bool() ? read(this) : null;
	}

	/** Checks that all bytes were read. */
	end() {
		if (this.at !== this.#bytes.length) throw new Malformed('there are more bytes than expected');
	}
}

/** Reads one value that takes all bytes. */
export function decode(bytes, read) {
	const reader = new Reader(bytes);
	const value = read(reader);
	reader.end();
	return value;
}

/** Encodes an integer in little-endian order. */
export function little(value, size) {
	const bytes = new Uint8Array(size);
	let rest = BigInt(value);
	for (let i = 0; i < size; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
	return bytes;
}
