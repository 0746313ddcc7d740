// SPDX-License-Identifier: Apache-2.0

// The list of a folder's files, which is the value of the folder's record.

import { concat, copy, EnvelopeError, integer, utf8 } from './common.mjs';

const LABEL = utf8('isthmus/folder/v2');
const MAX_PATH = 4096;
/** The length of the longest list in bytes. */
const MAX_LENGTH = 256 * 1024 * 1024;
/** The length of an entry without its path: the path's length, the flags, the file's length, the key. */
const ENTRY = 2 + 1 + 8 + 32 + 32;
/** The flag for an executable file. */
const EXECUTABLE = 1;
/** The flag for an empty folder. */
const FOLDER = 2;

/**
 * A file in a folder, or an empty folder in it.
 *
 * @typedef {object} FolderFile
 * @property {string} path The file's path, with `/` between names.
 * @property {boolean} executable Whether the file is executable.
 * @property {boolean} folder Whether it is an empty folder, which has length 0, and a key and a hash of zeros.
 * @property {number} length The file's length in bytes.
 * @property {Uint8Array} key The key of the file's record, 32 bytes.
 * @property {Uint8Array} hash SHA-256 of the file's bytes, 32 bytes.
 */

/** Returns whether `a` precedes `b` in byte order. */
const before = (a, b) => Buffer.compare(utf8(a), utf8(b)) < 0;

/**
 * What no path contains: control characters, `\`, `:`, and characters that hide or reverse text (categories Cf, Zl and
 * Zp). The list is the Rust crate's, whatever Unicode's version is here.
 */
const FORBIDDEN = new RegExp('[\\p{Cc}\\\\:\\u00ad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u180e\\u200b-\\u200f'
	+ '\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{110bd}\\u{110cd}\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}'
	+ '\\u{1d173}-\\u{1d17a}\\u{e0001}\\u{e0020}-\\u{e007f}]', 'u');

/** Refuses a path that could lead out of the folder. */
function checkPath(path) {
	const good = path.isWellFormed()
		&& utf8(path).length <= MAX_PATH
		&& path.split('/').every((name) => !['', '.', '..'].includes(name))
		&& !FORBIDDEN.test(path);
	if (!good) throw new EnvelopeError('Path', `invalid path in a folder: ${JSON.stringify(path)}`, { path });
}

/** Checks the order of a list's entries, and that each can be in a folder together with those before it. */
class Order {
	#last;
	#paths = new Set();

	/** Refuses an entry that cannot follow those before it. */
	next({ path, executable, folder, length, key, hash }) {
		checkPath(path);
		if (this.#last !== undefined && !before(this.#last, path)) throw outOfOrder(path);
		const isBound = [...key, ...hash].some((byte) => byte !== 0);
		if (folder && (executable || length !== 0 || isBound)) throw unknownFlags(path);
		const names = path.split('/');
		const isInside = names.some((_, depth) => depth > 0 && this.#paths.has(names.slice(0, depth).join('/')));
		if (isInside) throw new EnvelopeError('Inside', `${JSON.stringify(path)} is inside another entry`, { path });
		this.#last = path;
		this.#paths.add(path);
	}
}

/**
 * Encodes a folder's list.
 *
 * @param {FolderFile[]} files The files, sorted by the bytes of their paths.
 * @throws {EnvelopeError} `TooLong`, `Path`, `Order`, `Inside`, `Flags`
 */
export function folderToBytes(files) {
	const order = new Order();
	let total = LABEL.length;
	for (const file of files) {
		order.next(file);
		total += ENTRY + utf8(file.path).length;
		if (total > MAX_LENGTH) throw tooLong();
	}
	const entries = files.map(({ path, executable, folder, length, key, hash }) => concat(
		integer(utf8(path).length, 2, "a path's length"),
		utf8(path),
		[(executable ? EXECUTABLE : 0) | (folder ? FOLDER : 0)],
		integer(length, 8, "a file's length"),
		key,
		hash,
	));
	return concat(LABEL, ...entries);
}

/**
 * Decodes a folder's list.
 *
 * @param {Uint8Array} data
 * @returns {FolderFile[]}
 * @throws {EnvelopeError} `NotAFolder`, `TooLong`, `Length`, `Path`, `Order`, `Inside`, `Flags`
 */
export function folderFromBytes(data) {
	if (Buffer.compare(data.subarray(0, LABEL.length), LABEL) !== 0) {
		throw new EnvelopeError('NotAFolder', 'the record is not a folder');
	}
	if (data.length > MAX_LENGTH) throw tooLong();
	let at = LABEL.length;
	const take = (count) => {
		if (at + count > data.length) throw new EnvelopeError('Length', "the folder's list is truncated");
		at += count;
		return copy(data, at - count, at);
	};
	const files = [];
	const order = new Order();
	while (at < data.length) {
		const name = take(Buffer.from(take(2)).readUInt16BE());
		const [flags] = take(1);
		const length = Number(Buffer.from(take(8)).readBigUInt64BE());
		if (!Number.isSafeInteger(length)) throw new EnvelopeError('Length', "a file's length is above 2^53 - 1", { length });
		const key = take(32);
		const hash = take(32);
		// A byte order mark at the start is part of the path.
		const path = new TextDecoder('utf-8', { ignoreBOM: true }).decode(name);
		// Invalid UTF-8 changes when it is decoded and encoded again.
		if (Buffer.compare(utf8(path), name) !== 0) throw new EnvelopeError('Path', 'a path is not UTF-8', { path });
		if (flags & ~(EXECUTABLE | FOLDER)) throw unknownFlags(path);
		const file = { path, executable: (flags & EXECUTABLE) !== 0, folder: (flags & FOLDER) !== 0, length, key, hash };
		order.next(file);
		files.push(file);
	}
	return files;
}

function tooLong() {
	return new EnvelopeError('TooLong', `a folder's list has at most ${MAX_LENGTH} bytes`);
}

function unknownFlags(path) {
	return new EnvelopeError('Flags', `${JSON.stringify(path)} has unknown flags`, { path });
}

function outOfOrder(path) {
	return new EnvelopeError('Order', `the path ${JSON.stringify(path)} is repeated or out of order`, { path });
}
