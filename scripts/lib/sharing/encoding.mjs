// SPDX-License-Identifier: Apache-2.0

// Encodes bytes, keys and dates for the chain's JSON, and decodes them.

import { blake2b256, concat, fromDigits, toDigits, utf8 } from '../envelope/common.mjs';
import { shown } from '../leaves/errors.mjs';

/** The first bytes of what a request's digest is computed from. */
const DIGEST_LABEL = utf8('isthmus:request1');

/** Computes the digest of a request from the bytes of what its consumer signed, up to the key. */
export const digestOf = (signed) => hex(blake2b256(concat(DIGEST_LABEL, signed)));

/**
 * Encodes bytes in hex, with the prefix `0x`.
 *
 * @param {Uint8Array} bytes
 * @returns {`0x${string}`}
 */
export function hex(bytes) {
	return `0x${toDigits(bytes)}`;
}

/**
 * Decodes hex, with or without the prefix `0x`.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function fromHex(text) {
	return fromDigits(text.replace(/^0x/, ''));
}

/** Decodes base64. Returns nothing for what is none: what comes from a node is checked by its hash. */
export function fromBase64(text) {
	const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
	const letters = isBase64 ? atob(text) : '';
	const bytes = new Uint8Array(letters.length);
	for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
	return bytes;
}

/**
 * Returns the content identifier of the value with this BLAKE2b-256 hash: a raw CIDv1 in lower-case base32
 * (https://github.com/multiformats/cid).
 *
 * @param {Uint8Array} hash
 * @returns {string}
 */
export function cidOf(hash) {
	// Version 1, raw bytes (0x55), BLAKE2b-256 (0xb220 as a varint), 32 bytes.
	const bytes = [0x01, 0x55, 0xa0, 0xe4, 0x02, 0x20, ...hash];
	const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
	const digits = bits.match(/.{1,5}/g).map((five) => parseInt(five.padEnd(5, '0'), 2));
	return `b${digits.map((digit) => 'abcdefghijklmnopqrstuvwxyz234567'[digit]).join('')}`;
}

/**
 * Makes a record's key from a name of 1 to 32 bytes, without control characters, by padding it with zeros.
 *
 * @param {string} name
 * @returns {Uint8Array}
 */
export function recordKey(name) {
	const bytes = new TextEncoder().encode(name);
	if (name === '' || /\p{Cc}/u.test(name)) throw new RangeError(`a record cannot be called ${JSON.stringify(name)}`);
	if (bytes.length > 32) throw new RangeError(`a record's key has 32 bytes, and "${name}" is longer`);
	const key = new Uint8Array(32);
	key.set(bytes);
	return key;
}

/**
 * Reads a record's key as `keyName` writes it: a name, or `0x` and 64 hexadecimal digits, which are too long for a name.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function parseKey(text) {
	return /^0x[0-9a-fA-F]{64}$/.test(text) ? fromHex(text) : recordKey(text);
}

/**
 * Returns the name that a record's key was made from, without change; null if it was not made from a name.
 *
 * @param {Uint8Array} key
 * @returns {string | null}
 */
export function nameOf(key) {
	const end = key.findLastIndex((byte) => byte !== 0) + 1;
	try {
		const name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(key.slice(0, end));
		recordKey(name);
		return name;
	} catch {
		return null;
	}
}

/**
 * Returns the name that a record's key was made from, or `0x` and the key in hexadecimal digits if it was not made from a name,
 * or if the name contains characters that a reader would not see.
 *
 * @param {Uint8Array} key
 * @returns {string}
 */
export function keyName(key) {
	const name = nameOf(key);
	const isVisible = name !== null && !/^\p{White_Space}|\p{White_Space}$|[^\P{White_Space} ]/u.test(name) && shown(name) === name;
	return isVisible ? name : hex(key);
}

/** Converts a date to the chain's unit, whole seconds since 1970. */
export function unixSeconds(date) {
	return Math.floor(date.getTime() / 1000);
}
