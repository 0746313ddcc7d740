// SPDX-License-Identifier: Apache-2.0

// What all parts of the envelope use: its error, bytes and integers, and the primitives that keys are
// derived with. Labels and layouts are with their users.

import { webcrypto } from 'node:crypto';

export const { subtle } = webcrypto;

/** A text's bytes. */
export const utf8 = (text) => new TextEncoder().encode(text);

/**
 * Something was refused. `name` says by which rule, with the names of the Rust crate's errors
 * (`WrongKey`, `LeafOutsideRange`); `details` has the values (`{ expected, got }`).
 */
export class EnvelopeError extends Error {
	constructor(name, message, details = {}) {
		super(message);
		this.name = name;
		this.details = details;
	}
}

/** Bytes of a certain length; anything else is the caller's mistake. */
export function bytes(value, length, what) {
	if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
		throw new TypeError(`${what} has to be a Uint8Array${length ? ` of ${length} bytes` : ''}`);
	}
	return value;
}

/** An integer as `size` big-endian bytes. */
export function integer(value, size, what) {
	if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
		throw new TypeError(`${what} has to be a whole number of at most ${size} bytes`);
	}
	const out = new Uint8Array(8);
	new DataView(out.buffer).setBigUint64(0, BigInt(value));
	return out.subarray(8 - size);
}

/** All of these bytes, one after the other. */
export function concat(...parts) {
	const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
	let at = 0;
	for (const part of parts) {
		out.set(part, at);
		at += part.length;
	}
	return out;
}

/** A copy of bytes `from` up to `to`. (`slice` of a Node.js Buffer would be a view of it.) */
export const copy = (data, from, to) => new Uint8Array(data.subarray(from, to));
/** Whether two lists of bytes, neither of them secret, are the same. */
export const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
/** 32 bytes from the system's source of randomness. */
export const random = () => webcrypto.getRandomValues(new Uint8Array(32));
/** SHA-256. */
export const sha256 = async (data) => new Uint8Array(await subtle.digest('SHA-256', data));

/** HMAC-SHA256 (RFC 2104) of a message. */
export async function hmacSha256(key, message) {
	const algorithm = { name: 'HMAC', hash: 'SHA-256' };
	const imported = await subtle.importKey('raw', key, algorithm, false, ['sign']);
	return new Uint8Array(await subtle.sign('HMAC', imported, message));
}

/** HKDF-SHA256 (RFC 5869) to 32 bytes. */
export async function hkdf(salt, secret, info) {
	const imported = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
	const algorithm = { name: 'HKDF', hash: 'SHA-256', salt, info };
	return new Uint8Array(await subtle.deriveBits(algorithm, imported, 256));
}
