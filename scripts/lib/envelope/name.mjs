// SPDX-License-Identifier: Apache-2.0

// Record names that only their owner can read: a permutation turns a name into the record's key, and back. It is a
// Feistel network of four rounds with HMAC-SHA256. The Rust crate's `name.rs` explains why.

import { bytes, concat, hkdf, hmacSha256, utf8 } from './common.mjs';
import { NAME_LEN } from './record.mjs';

const LABEL = utf8('isthmus/record-name/v1');
const ROUNDS = [0, 1, 2, 3];
const HALF = NAME_LEN / 2;

/** Turns the names of an owner's records into their keys on one chain, and back. */
export class NameCipher {
	#key;

	/**
	 * @param {import('./master.mjs').MasterSecret} master
	 * @param {Uint8Array} genesis Hash of the chain's first block.
	 * @param {Uint8Array} owner The owner's account.
	 * @returns {Promise<NameCipher>}
	 */
	static async create(master, genesis, owner) {
		const cipher = new NameCipher();
		const info = concat(bytes(genesis, 32, 'the genesis hash'), bytes(owner, 32, 'the owner'));
		cipher.#key = await hkdf(LABEL, master.exposeSecret(), info);
		return cipher;
	}

	/**
	 * Returns the key of the record with this name, which is filled up with zeros to 32 bytes.
	 *
	 * @param {Uint8Array} name
	 */
	async key(name) {
		let [left, right] = halves(bytes(name, NAME_LEN, 'a name'));
		for (const round of ROUNDS) [left, right] = [right, await this.#mixed(left, round, right)];
		return concat(left, right);
	}

	/**
	 * Returns the name of the record with this key. If the key was not made from a name, the result is random bytes.
	 *
	 * @param {Uint8Array} key
	 */
	async name(key) {
		let [left, right] = halves(bytes(key, NAME_LEN, 'a key'));
		for (const round of [...ROUNDS].reverse()) [left, right] = [await this.#mixed(right, round, left), left];
		return concat(left, right);
	}

	/** Returns one half, combined with the first bytes of the HMAC-SHA256 of `round ‖ other`. */
	async #mixed(half, round, other) {
		const mask = await hmacSha256(this.#key, concat([round], other));
		return half.map((byte, i) => byte ^ mask[i]);
	}
}

const halves = (block) => [block.slice(0, HALF), block.slice(HALF)];
