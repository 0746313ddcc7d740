// SPDX-License-Identifier: Apache-2.0

// Grants: the keys of a range of leaves, sealed to a consumer's public key with HPKE (RFC 9180) in base mode.
// HPKE's `info` binds the keys to everything that the chain records about the grant.

import { DecapError, EncapError, OpenError } from '@hpke/core';
import { bytes, concat, copy, EnvelopeError, integer, random, utf8 } from './common.mjs';
import { cryptoKeyPairOf, hpke, readSuite } from './keys.mjs';
import { epochIdBytes } from './master.mjs';
import { KeySet, NODE_KEY_LEN } from './tree.mjs';

/** The format's version, the first byte of every sealed grant. */
export const GRANT_VERSION = 1;
/** Length of the prefix before the ciphertext, in bytes: the version, the suite and the encapsulated key. */
export const GRANT_PREFIX_LEN = 35;

const INFO_LABEL = utf8('isthmus/grant/v1');
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

/** Translates HPKE's errors. Encapsulation and decapsulation fail only if the shared secret is zero. */
function translate(error) {
	if (error instanceof EncapError || error instanceof DecapError) {
		const message = 'the public key has low order: nothing can be sealed to it';
		return new EnvelopeError('LowOrderKey', message);
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
 * @throws {EnvelopeError} `LowOrderKey`
 */
export async function sealGrant(root, scope, recipient) {
	return sealGrantWith(root, scope, recipient, random());
}

/** Like `sealGrant`, with a given seed for the ephemeral key, for test vectors. Never reuse such a seed. */
export async function sealGrantWith(root, scope, recipient, ephemeral) {
	const keys = (await root.keySet(scope.range)).toBytes();
	try {
		const recipientPublicKey = await hpke.kem.deserializePublicKey(recipient.key);
		const ekm = await hpke.kem.deriveKeyPair(ephemeral);
		const sender = await hpke.createSenderContext({
			recipientPublicKey,
			info: info(root.id, scope),
			ekm,
		});
		const ciphertext = new Uint8Array(await sender.seal(keys));
		const suite = integer(recipient.suite, 2, 'a suite');
		return concat([GRANT_VERSION], suite, new Uint8Array(sender.enc), ciphertext);
	} catch (error) {
		throw translate(error);
	}
}

/**
 * Opens a sealed grant with the consumer's key pair and the grant's entry on the chain.
 *
 * @param {EncryptionKeyPair} pair
 * @param {EpochId} id
 * @param {GrantScope} scope
 * @param {Uint8Array} sealed
 * @returns {Promise<KeySet>}
 * @throws {EnvelopeError} `CutShort`, `UnknownVersion`, `UnknownSuite`, `Length`, `LowOrderKey`,
 * `DoesNotOpen`
 */
export async function openGrant(pair, id, scope, sealed) {
	const got = bytes(sealed, undefined, 'a sealed grant').length;
	if (got > 0 && sealed[0] !== GRANT_VERSION) {
		const message = `unknown grant format ${sealed[0]}: this program reads format ${GRANT_VERSION}`;
		throw new EnvelopeError('UnknownVersion', message, { got: sealed[0] });
	}
	if (got < GRANT_PREFIX_LEN) {
		const message = `a sealed grant has a prefix of ${GRANT_PREFIX_LEN} bytes, but there are only ${got}`;
		throw new EnvelopeError('CutShort', message, { got });
	}
	readSuite(sealed[1], sealed[2]);
	const expected = GRANT_PREFIX_LEN + scope.range.cover().length * NODE_KEY_LEN + TAG_LEN;
	if (got !== expected) {
		const message = `a sealed grant of this range has ${expected} bytes, not ${got}`;
		throw new EnvelopeError('Length', message, { expected, got });
	}
	try {
		const recipient = await hpke.createRecipientContext({
			recipientKey: await cryptoKeyPairOf(pair),
			enc: copy(sealed, 3, GRANT_PREFIX_LEN),
			info: info(id, scope),
		});
		const keys = new Uint8Array(await recipient.open(copy(sealed, GRANT_PREFIX_LEN)));
		return KeySet.fromBytes(scope.range, keys);
	} catch (error) {
		throw translate(error);
	}
}
