// SPDX-License-Identifier: Apache-2.0

// The seed: 32 bytes, written as 24 words, from which all other secrets of an account are derived; and shares of it, of
// which a given number bring it back.

import { mnemonicToEntropy } from '@polkadot/util-crypto';
import { bytes, concat, copy, EnvelopeError, equal, fromDigits, hkdf, random, sha256, utf8 } from './common.mjs';
import { EncryptionSecret } from './keys.mjs';
import { MasterSecret } from './master.mjs';

const SEED_LABEL = utf8('isthmus/seed/v2');
const WORDS = 24;
const FINGERPRINT_LEN = 8;
const SHARE_PREFIX = 'isthmus-share-1-';
const CHECKSUM_LEN = 4;
const SHARE_LEN = 2 + FINGERPRINT_LEN + 32 + CHECKSUM_LEN;

/** The secret from which an account's other secrets are derived. */
export class Seed {
	#seed;

	/** @param {Uint8Array} seed 32 bytes, drawn uniformly at random. */
	constructor(seed) {
		this.#seed = copy(bytes(seed, 32, 'a seed'));
	}

	/** Generates a seed from the system's random number generator. */
	static generate() {
		return new Seed(random());
	}

	/**
	 * Reads the seed's 24 words (BIP-39, English).
	 *
	 * @param {string} text The words, with any white space between them.
	 * @throws {EnvelopeError} `WordCount`, `Words`
	 */
	static fromWords(text) {
		const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '');
		if (words.length !== WORDS) {
			throw new EnvelopeError('WordCount', `a seed has ${WORDS} words, not ${words.length}`, { got: words.length });
		}
		try {
			return new Seed(mnemonicToEntropy(words.join(' ')));
		} catch {
			throw new EnvelopeError('Words', 'the words are not those of a seed');
		}
	}

	/** Returns the seed itself, for storage in a key store. */
	exposeSecret() {
		return copy(this.#seed);
	}

	/** Returns the account's seed (sr25519), for an account that was not imported. */
	async account() {
		return this.#derive('account');
	}

	/** Returns the owner's `MasterSecret`. */
	async master() {
		return new MasterSecret(await this.#derive('master'));
	}

	/** Returns the `EncryptionSecret`. */
	async encryption() {
		return new EncryptionSecret(await this.#derive('encryption'));
	}

	/** Returns the seed's fingerprint, 8 bytes, which tells nothing about the seed. */
	async fingerprint() {
		return copy(await this.#derive('fingerprint'), 0, FINGERPRINT_LEN);
	}

	#derive(name) {
		return hkdf(SEED_LABEL, this.#seed, utf8(name));
	}
}

/** Multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function multiply(a, b) {
	let product = 0;
	for (let [left, right] = [a, b]; right > 0; right >>= 1) {
		if (right & 1) product ^= left;
		left = (left << 1) ^ (left & 0x80 ? 0x11d : 0);
	}
	return product;
}

/** The inverse in that field: a^254. */
function inverse(a) {
	let power = 1;
	for (let i = 0; i < 254; i++) power = multiply(power, a);
	return power;
}

/** Decodes a share in text. */
async function readShare(text) {
	const digits = text.trim();
	const refused = (name, message) => new EnvelopeError(name, message);
	if (!new RegExp(`^${SHARE_PREFIX}[0-9a-fA-F]{${2 * SHARE_LEN}}$`).test(digits)) throw refused('NotAShare', 'not a share');
	const read = fromDigits(digits.slice(SHARE_PREFIX.length));
	const body = read.subarray(0, SHARE_LEN - CHECKSUM_LEN);
	const sum = (await sha256(concat(utf8(SHARE_PREFIX), body))).subarray(0, CHECKSUM_LEN);
	if (!equal(sum, read.subarray(SHARE_LEN - CHECKSUM_LEN))) {
		throw refused('Checksum', 'the share has a typing error: its checksum does not agree');
	}
	const [need, number] = body;
	if (need < 2 || number === 0) throw refused('NotAShare', 'not a share');
	const valueAt = 2 + FINGERPRINT_LEN;
	return { need, number, fingerprint: body.subarray(2, valueAt), value: body.subarray(valueAt) };
}

/**
 * Brings a seed back from its shares: the value at 0 of the polynomials that go through them (Shamir, 1979).
 *
 * @param {string[]} texts
 * @returns {Promise<Seed>}
 * @throws {EnvelopeError} `NotAShare`, `Checksum`, `Different`, `TooFew`
 */
export async function joinShares(texts) {
	const shares = new Map();
	for (const text of texts) {
		const share = await readShare(text);
		shares.set(share.number, share);
	}
	const different = () => new EnvelopeError('Different', 'the shares do not belong together');
	const [first] = shares.values();
	const need = first?.need ?? 2;
	const alike = (share) => share.need === need && equal(share.fingerprint, first.fingerprint);
	if (![...shares.values()].every(alike)) throw different();
	if (shares.size < need) {
		throw new EnvelopeError('TooFew', `${need} different shares are needed, not ${shares.size}`, { need, got: shares.size });
	}
	const secret = new Uint8Array(32);
	for (const { number, value } of shares.values()) {
		const others = [...shares.keys()].filter((other) => other !== number);
		const weight = others.reduce((product, other) => multiply(product, multiply(other, inverse(other ^ number))), 1);
		value.forEach((byte, i) => {
			secret[i] ^= multiply(byte, weight);
		});
	}
	const seed = new Seed(secret);
	if (!equal(await seed.fingerprint(), first.fingerprint)) throw different();
	return seed;
}
