// SPDX-License-Identifier: Apache-2.0

// Encryption keys: the key pairs to which grants are sealed. They are separate from the key that signs an account's
// transactions. All pairs of an account are derived from one secret; each has an identifier, which is part of its public
// key and of every grant that is sealed to it.

import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { XWing } from '@hpke/hybridkem-x-wing';
import { bytes, concat, copy, EnvelopeError, equal, hkdf, integer, random, utf8 } from './common.mjs';

/** HPKE (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. */
export const SUITE_X25519 = 1;
/** HPKE with X-Wing (ML-KEM-768 and X25519), HKDF-SHA256 and AES-256-GCM: the default. */
export const SUITE_XWING = 2;

const PAIR_LABEL = utf8('isthmus/encryption-pair/v2');
const ID_LEN = 16;

const suiteWith = (kem) => new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/**
 * HPKE configured for each suite. The lengths are those of the public key and of the encapsulated key. `keyPair` makes
 * the pair from its seed: RFC 9180's DeriveKeyPair for X25519; for X-Wing the seed is the private key.
 */
export const SUITES = new Map([
	[SUITE_X25519, {
		hpke: suiteWith(new DhkemX25519HkdfSha256()),
		publicLength: 32,
		encapsulatedLength: 32,
		keyPair: (kem, seed) => kem.deriveKeyPair(seed),
	}],
	[SUITE_XWING, {
		hpke: suiteWith(new XWing()),
		publicLength: 1216,
		encapsulatedLength: 1120,
		keyPair: (kem, seed) => kem.generateKeyPairDerand(copy(seed)),
	}],
]);

/** Reads a suite's number from its two bytes. Refuses an unknown suite. */
export function readSuite(high, low) {
	const got = high * 256 + low;
	if (!SUITES.has(got)) {
		const message = `unknown encryption suite 0x${got.toString(16).padStart(4, '0')}`;
		throw new EnvelopeError('UnknownSuite', message, { got });
	}
	return got;
}

/** A public encryption key, as an account registers it on the chain or puts it into a request. */
export class PublicKey {
	/** Length of the suite and the identifier at the start of an encoded key, in bytes. */
	static PREFIX_LEN = 2 + ID_LEN;

	/** @param {number} suite @param {Uint8Array} id @param {Uint8Array} key */
	constructor(suite, id, key) {
		this.suite = suite;
		this.id = bytes(id, ID_LEN, "a key's identifier");
		this.key = bytes(key, SUITES.get(suite).publicLength, 'a public key');
		Object.freeze(this);
	}

	/** Encodes the key as `suite ‖ identifier ‖ key`, with the suite big-endian. */
	toBytes() {
		return concat(integer(this.suite, 2, 'a suite'), this.id, this.key);
	}

	/**
	 * Decodes the result of `toBytes`.
	 *
	 * @param {Uint8Array} encoded
	 * @throws {EnvelopeError} `Length`, `UnknownSuite`
	 */
	static fromBytes(encoded) {
		const got = bytes(encoded, undefined, 'a public key').length;
		const isCut = got < PublicKey.PREFIX_LEN;
		const suite = isCut ? SUITE_X25519 : readSuite(encoded[0], encoded[1]);
		const expected = PublicKey.PREFIX_LEN + SUITES.get(suite).publicLength;
		if (got !== expected) {
			const message = `a public encryption key of this suite has ${expected} bytes, not ${got}`;
			throw new EnvelopeError('Length', message, { expected, got });
		}
		return new PublicKey(suite, copy(encoded, 2, PublicKey.PREFIX_LEN), copy(encoded, PublicKey.PREFIX_LEN));
	}
}

/** Returns a pair's CryptoKeyPair, which opens grants. */
export let cryptoKeyPairOf;

/** An encryption key pair, kept as a 32-byte seed. The keys are derived from the seed when needed. */
export class EncryptionKeyPair {
	#seed;

	static {
		cryptoKeyPairOf = (pair) => {
			const { hpke, keyPair } = SUITES.get(pair.suite);
			return keyPair(hpke.kem, pair.#seed);
		};
	}

	/**
	 * Creates the pair with this suite and identifier from a seed.
	 *
	 * @param {number} suite
	 * @param {Uint8Array} id The pair's identifier, 16 bytes.
	 * @param {Uint8Array} seed 32 bytes, drawn uniformly at random.
	 */
	constructor(suite, id, seed) {
		this.suite = suite;
		this.id = copy(bytes(id, ID_LEN, "a pair's identifier"));
		this.#seed = copy(bytes(seed, 32, 'a seed'));
	}

	/** Generates a pair of the default suite from the system's random number generator. */
	static generate() {
		return new EncryptionKeyPair(SUITE_XWING, copy(random(), 0, ID_LEN), random());
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
		const { hpke } = SUITES.get(this.suite);
		const { publicKey } = await cryptoKeyPairOf(this);
		return new PublicKey(this.suite, this.id, new Uint8Array(await hpke.kem.serializePublicKey(publicKey)));
	}
}

/** The secret from which all encryption key pairs of an account are derived: 32 bytes. */
export class EncryptionSecret {
	#secret;

	/** @param {Uint8Array} secret 32 bytes, drawn uniformly at random. */
	constructor(secret) {
		this.#secret = copy(bytes(secret, 32, 'an encryption secret'));
	}

	/** Generates a secret from the system's random number generator. */
	static generate() {
		return new EncryptionSecret(random());
	}

	/** Returns the secret itself, for storage in a key store. */
	exposeSecret() {
		return copy(this.#secret);
	}

	/**
	 * Derives the pair with this suite and identifier.
	 *
	 * @param {number} suite
	 * @param {Uint8Array} id
	 * @returns {Promise<EncryptionKeyPair>}
	 */
	async pair(suite, id) {
		const info = concat(integer(suite, 2, 'a suite'), bytes(id, ID_LEN, "a pair's identifier"));
		return new EncryptionKeyPair(suite, id, await hkdf(PAIR_LABEL, this.#secret, info));
	}

	/** Derives a pair of the default suite with a random identifier. */
	async fresh() {
		return this.pair(SUITE_XWING, copy(random(), 0, ID_LEN));
	}

	/**
	 * Returns the pair of a public key, or undefined if the key was not derived from this secret.
	 *
	 * @param {PublicKey} key
	 */
	async pairOf(key) {
		const pair = await this.pair(key.suite, key.id);
		return equal((await pair.publicKey()).key, key.key) ? pair : undefined;
	}
}
