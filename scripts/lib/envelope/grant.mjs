// SPDX-License-Identifier: Apache-2.0

// Grants: the keys of a range of leaves, sealed to a consumer's public key with HPKE (RFC 9180) in base mode.
// HPKE's `info` binds the keys to everything that the chain records about the grant.

import { DecapError, EncapError, OpenError } from '@hpke/core';
import { bytes, concat, copy, EnvelopeError, equal, integer, random, utf8 } from './common.mjs';
import { cryptoKeyPairOf, readSuite, SUITE_X25519, SUITES } from './keys.mjs';
import { epochIdBytes } from './master.mjs';
import { KeySet, NODE_KEY_LEN } from './tree.mjs';

/** @import { EncryptionKeyPair, PublicKey } from './keys.mjs' */
/** @import { EpochId } from './master.mjs' */
/** @import { EpochRoot, Range } from './tree.mjs' */

/** The format's version, the first byte of every sealed grant. */
export const GRANT_VERSION = 2;
/** Length of what precedes the encapsulated key, in bytes: the version, the suite and the recipient's identifier. */
export const GRANT_PREFIX_LEN = 19;

const INFO_LABEL = utf8('isthmus/grant/v2');
const TAG_LEN = 16;

/**
 * Which leaves a grant opens, for whom and until when, as in the grant's entry on the chain. The owner, the dataset
 * and the epoch are in the `EpochId`.
 *
 * @typedef {object} GrantScope
 * @property {Uint8Array} grantee The consumer's account, 32 bytes.
 * @property {Range} range The leaves that the grant opens.
 * @property {number} expiry The number of the first block in which the grant has expired.
 */

/** Encodes `label ‖ genesis ‖ owner ‖ dataset ‖ epoch ‖ grantee ‖ start ‖ end ‖ expiry`, with big-endian integers. */
function info(id, { grantee, range, expiry }) {
	return concat(
		INFO_LABEL,
		epochIdBytes(id),
		bytes(grantee, 32, 'the grantee'),
		integer(range.start, 8, 'the start of a range'),
		integer(range.end, 8, 'the end of a range'),
		integer(expiry, 4, 'the expiry'),
	);
}

/** Translates HPKE's errors. Encapsulation and decapsulation fail only if a key is not valid. */
function translate(error) {
	if (error instanceof EncapError || error instanceof DecapError) {
		const message = 'the public key is not valid: nothing can be sealed to it';
		return new EnvelopeError('InvalidKey', message);
	}
	if (error instanceof OpenError) {
		const message = 'the grant does not open: it was sealed to another key, belongs to another grant, or was altered';
		return new EnvelopeError('DoesNotOpen', message);
	}
	return error;
}

/**
 * Seals the keys of `scope.range` to a consumer's public key.
 *
 * @param {EpochRoot} root
 * @param {GrantScope} scope
 * @param {PublicKey} recipient
 * @returns {Promise<Uint8Array>}
 * @throws {EnvelopeError} `InvalidKey`
 */
export async function sealGrant(root, scope, recipient) {
	return sealGrantWith(root, scope, recipient, concat(random(), random()));
}

/** Like `sealGrant`, with 64 given random bytes, for test vectors. Never reuse them. X25519 takes the first half. */
export async function sealGrantWith(root, scope, recipient, randomBytes) {
	const keys = (await root.keySet(scope.range)).toBytes();
	const { hpke } = SUITES.get(recipient.suite);
	try {
		const recipientPublicKey = await hpke.kem.deserializePublicKey(recipient.key);
		const ekm = recipient.suite === SUITE_X25519
			? await hpke.kem.deriveKeyPair(copy(randomBytes, 0, 32))
			: copy(randomBytes);
		const sender = await hpke.createSenderContext({
			recipientPublicKey,
			info: info(root.id, scope),
			ekm,
		});
		const ciphertext = new Uint8Array(await sender.seal(keys));
		const suite = integer(recipient.suite, 2, 'a suite');
		return concat([GRANT_VERSION], suite, recipient.id, new Uint8Array(sender.enc), ciphertext);
	} catch (error) {
		throw translate(error);
	}
}

/**
 * Returns the suite and the identifier of the key that a grant says it is sealed to. The recipient derives its pair from
 * them: `EncryptionSecret.pair`.
 *
 * @param {Uint8Array} sealed
 * @returns {{suite: number, id: Uint8Array}}
 * @throws {EnvelopeError} `CutShort`, `UnknownVersion`, `UnknownSuite`
 */
export function grantRecipient(sealed) {
	const got = bytes(sealed, undefined, 'a sealed grant').length;
	if (got > 0 && sealed[0] !== GRANT_VERSION) {
		const message = `unknown grant format ${sealed[0]}: this program reads format ${GRANT_VERSION}`;
		throw new EnvelopeError('UnknownVersion', message, { got: sealed[0] });
	}
	if (got < GRANT_PREFIX_LEN) {
		const message = `a sealed grant has a prefix of ${GRANT_PREFIX_LEN} bytes, but there are only ${got}`;
		throw new EnvelopeError('CutShort', message, { got });
	}
	return { suite: readSuite(sealed[1], sealed[2]), id: copy(sealed, 3, GRANT_PREFIX_LEN) };
}

/**
 * Opens a sealed grant with the consumer's key pair and the grant's entry on the chain.
 *
 * @param {EncryptionKeyPair} pair
 * @param {EpochId} id
 * @param {GrantScope} scope
 * @param {Uint8Array} sealed
 * @returns {Promise<KeySet>}
 * @throws {EnvelopeError} `CutShort`, `UnknownVersion`, `UnknownSuite`, `Length`, `InvalidKey`,
 * `DoesNotOpen`
 */
export async function openGrant(pair, id, scope, sealed) {
	const { suite, id: recipient } = grantRecipient(sealed);
	const { hpke, encapsulatedLength } = SUITES.get(suite);
	const start = GRANT_PREFIX_LEN + encapsulatedLength;
	const expected = start + scope.range.cover().length * NODE_KEY_LEN + TAG_LEN;
	const got = sealed.length;
	if (got !== expected) {
		const message = `a sealed grant of this range has ${expected} bytes, not ${got}`;
		throw new EnvelopeError('Length', message, { expected, got });
	}
	try {
		if (suite !== pair.suite || !equal(recipient, pair.id)) throw new OpenError('sealed to another key');
		const context = await hpke.createRecipientContext({
			recipientKey: await cryptoKeyPairOf(pair),
			enc: copy(sealed, GRANT_PREFIX_LEN, start),
			info: info(id, scope),
		});
		const keys = new Uint8Array(await context.open(copy(sealed, start)));
		return KeySet.fromBytes(scope.range, keys);
	} catch (error) {
		throw translate(error);
	}
}
