// SPDX-License-Identifier: Apache-2.0

// The helpers that all parts of the envelope share: its error, bytes, integers, and the primitives for key
// derivation. Labels and layouts are in the files that use them.

// WebCrypto: in Node.js 18 it is not a global name.
import { crypto as webcrypto } from '@noble/hashes/crypto';
import { blake2b } from '@noble/hashes/blake2b';
import { hexToBytes } from '@noble/hashes/utils';

export { webcrypto };
export const { subtle } = webcrypto;

/**
 * Computes a BLAKE2b-256 hash, as the chain does of headers, calls, requests and values.
 *
 * @param {Uint8Array} data
 * @returns {Uint8Array}
 */
export const blake2b256 = (data) => blake2b(data, { dkLen: 32 });

/**
 * The characters that hide, reverse or break text, for a class of a regular expression: Unicode's categories Cf, Zl and Zp. The list is
 * that of `primitives/sharing/src/text.rs`, whatever Unicode's version is here.
 */
export const HIDDEN = '\\u00ad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u180e\\u200b-\\u200f\\u2028-\\u202e'
	+ '\\u2060-\\u2064\\u2066-\\u206f\\ufeff\\ufff9-\\ufffb\\u{110bd}\\u{110cd}\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}'
	+ '\\u{1d173}-\\u{1d17a}\\u{e0001}\\u{e0020}-\\u{e007f}';

/** Encodes text in UTF-8. */
export const utf8 = (text) => new TextEncoder().encode(text);

/**
 * An input was refused. `name` is the violated rule, named as in the Rust crate (`WrongKey`,
 * `LeafOutsideRange`); `details` contains the values (`{ expected, got }`).
 */
export class EnvelopeError extends Error {
	/** @type {Record<string, any>} */
	details;

	/**
	 * @param {string} name
	 * @param {string} message
	 * @param {Record<string, any>} [details]
	 */
	constructor(name, message, details = {}) {
		super(message);
		this.name = name;
		this.details = details;
	}
}

/** Checks that a value is a Uint8Array, of this length if given, and returns it. Otherwise throws a TypeError. */
export function bytes(value, length, what) {
	if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
		throw new TypeError(`${what} must be a Uint8Array${length ? ` of ${length} bytes` : ''}`);
	}
	return value;
}

/** Encodes an integer as `size` big-endian bytes. */
export function integer(value, size, what) {
	if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
		throw new TypeError(`${what} must be a whole number of at most ${size} bytes`);
	}
	const out = new Uint8Array(8);
	new DataView(out.buffer).setBigUint64(0, BigInt(value));
	return out.subarray(8 - size);
}

/**
 * Concatenates bytes.
 *
 * @param {...ArrayLike<number>} parts
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function concat(...parts) {
	const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
	let at = 0;
	for (const part of parts) {
		out.set(part, at);
		at += part.length;
	}
	return out;
}

const DIGITS = utf8('0123456789abcdef');

/** Encodes bytes in hexadecimal: a chunk of a record in milliseconds, which joining strings would not. */
export function toDigits(data) {
	const digits = new Uint8Array(2 * data.length);
	for (let i = 0; i < data.length; i++) {
		digits[2 * i] = DIGITS[data[i] >> 4];
		digits[2 * i + 1] = DIGITS[data[i] & 15];
	}
	return new TextDecoder().decode(digits);
}

/** Decodes hexadecimal, up to the first pair of characters that is none: what comes from others is checked by its length. */
export function fromDigits(digits) {
	const [valid] = /^[0-9a-fA-F]*/.exec(digits);
	return hexToBytes(valid.slice(0, valid.length - (valid.length % 2)));
}

/** Compares two byte strings: below 0 if the first one comes first, above 0 if the second one does. */
export function compare(a, b) {
	const at = a.findIndex((byte, i) => byte !== b[i]);
	if (at < 0) return a.length - b.length;
	return at < b.length ? a[at] - b[at] : 1;
}

/** Reads big-endian bytes as an integer. */
export const fromBigEndian = (data) => data.reduce((number, byte) => number * 256n + BigInt(byte), 0n);

/** Copies the bytes from `from` up to `to`. (`slice` of a Node.js Buffer would return a view.) */
export const copy = (data, from, to) => new Uint8Array(data.subarray(from, to));
/** Returns whether two byte strings are equal. Neither may be secret, because the time depends on them. */
export const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
/** Returns 32 bytes from the system's random number generator. */
export const random = () => webcrypto.getRandomValues(new Uint8Array(32));
/** Computes the SHA-256 hash of data. */
export const sha256 = async (data) => new Uint8Array(await subtle.digest('SHA-256', data));

/** Computes the HMAC-SHA256 of a message (RFC 2104). */
export async function hmacSha256(key, message) {
	const algorithm = { name: 'HMAC', hash: 'SHA-256' };
	const imported = await subtle.importKey('raw', key, algorithm, false, ['sign']);
	return new Uint8Array(await subtle.sign('HMAC', imported, message));
}

/** Derives 32 bytes with HKDF-SHA256 (RFC 5869). */
export async function hkdf(salt, secret, info) {
	const imported = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
	const algorithm = { name: 'HKDF', hash: 'SHA-256', salt, info };
	return new Uint8Array(await subtle.deriveBits(algorithm, imported, 256));
}
