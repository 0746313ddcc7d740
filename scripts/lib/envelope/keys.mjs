// SPDX-License-Identifier: Apache-2.0

// Encryption keys: grants are sealed to an account's key pair, which is separate from the key that signs the
// account's transactions.

import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { bytes, concat, copy, EnvelopeError, integer, random } from './common.mjs';

/** HPKE (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. */
export const SUITE_X25519 = 1;

/** HPKE configured for this suite. */
export const hpke = new CipherSuite({
	kem: new DhkemX25519HkdfSha256(),
	kdf: new HkdfSha256(),
	aead: new Aes256Gcm(),
});

/** Reads a suite's id from its two bytes. Refuses an unknown suite. */
export function readSuite(high, low) {
	const got = high * 256 + low;
	if (got !== SUITE_X25519) {
		const message = `unknown encryption suite 0x${got.toString(16).padStart(4, '0')}`;
		throw new EnvelopeError('UnknownSuite', message, { got });
	}
	return got;
}

/** A public encryption key, as an account registers it on the chain. */
export class PublicKey {
	/** Length of an encoded key, in bytes. */
	static LEN = 34;

	/** @param {number} suite @param {Uint8Array} key */
	constructor(suite, key) {
		this.suite = suite;
		this.key = bytes(key, 32, 'an X25519 key');
		Object.freeze(this);
	}

	/** Encodes the key as `suite ‖ key`, with the suite big-endian. */
	toBytes() {
		return concat(integer(this.suite, 2, 'a suite'), this.key);
	}

	/**
	 * Decodes the result of `toBytes`.
	 *
	 * @param {Uint8Array} encoded
	 * @throws {EnvelopeError} `Length`, `UnknownSuite`
	 */
	static fromBytes(encoded) {
		const got = bytes(encoded, undefined, 'a public key').length;
		if (got !== PublicKey.LEN) {
			const message = `a public encryption key has ${PublicKey.LEN} bytes, not ${got}`;
			throw new EnvelopeError('Length', message, { got });
		}
		return new PublicKey(readSuite(encoded[0], encoded[1]), copy(encoded, 2));
	}
}

/** Returns a pair's CryptoKeyPair, which opens grants. */
export let cryptoKeyPairOf;

/** An encryption key pair, kept as a 32-byte seed. The keys are derived from the seed when needed. */
export class EncryptionKeyPair {
	#seed;

	static {
		cryptoKeyPairOf = (pair) => hpke.kem.deriveKeyPair(pair.#seed);
	}

	/**
	 * Creates the pair that RFC 9180's DeriveKeyPair (section 7.1.3) derives from a seed.
	 *
	 * @param {Uint8Array} seed 32 bytes, drawn uniformly at random.
	 */
	constructor(seed) {
		this.#seed = copy(bytes(seed, 32, 'a seed'));
	}

	/** Generates a pair from the system's random number generator. */
	static generate() {
		return new EncryptionKeyPair(random());
	}

	/** Returns the seed, for storage in a key store. */
	exposeSeed() {
		return copy(this.#seed);
	}

	/**
	 * Returns the public key.
	 *
	 * @returns {Promise<PublicKey>}
	 */
	async publicKey() {
		const { publicKey } = await cryptoKeyPairOf(this);
		const key = new Uint8Array(await hpke.kem.serializePublicKey(publicKey));
		return new PublicKey(SUITE_X25519, key);
	}
}
