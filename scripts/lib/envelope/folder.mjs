// SPDX-License-Identifier: Apache-2.0

// The list of a folder's files, which is the value of the folder's record.

import { compare, concat, copy, EnvelopeError, equal, fromBigEndian, HIDDEN, integer, utf8 } from './common.mjs';

const LABEL = utf8('isthmus/folder/v2');
const PACKED_LABEL = utf8('isthmus/folder/v3');
const MAX_PATH = 4096;
/** The largest number of names in a path. */
const MAX_DEPTH = 256;
/** The largest number of folders that the paths of a list lead through. */
const MAX_FOLDERS = 2 ** 20;
/** The length of the longest list in bytes. */
const MAX_LENGTH = 256 * 1024 * 1024;
/** The length of an entry without its path: the path's length, the flags, the file's length, the key. */
const ENTRY = 2 + 1 + 8 + 32 + 32;
/** The length of a pack's entry: the key, the identifier, the epoch, the pack's length. */
const PACK = 32 + 32 + 4 + 8;
/** The length of an entry of a packed folder without its path. */
const PACKED_ENTRY = 2 + 1 + 8 + 4 + 8 + 32;
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

/**
 * A record that contains files of a packed folder.
 *
 * @typedef {object} Pack
 * @property {Uint8Array} key The key of the record, 32 bytes.
 * @property {Uint8Array} id What its owner derives the key from, 32 bytes.
 * @property {number} epoch The record's epoch.
 * @property {number} length The length of its value in bytes.
 */

/**
 * A file in a packed folder, or an empty folder in it.
 *
 * @typedef {object} PackedFile
 * @property {string} path The file's path, with `/` between names.
 * @property {boolean} executable Whether the file is executable.
 * @property {boolean} folder Whether it is an empty folder, which has length 0 and a hash of zeros.
 * @property {number} length The file's length in bytes.
 * @property {number} pack The number of its pack; 0 for a folder and an empty file.
 * @property {number} offset Where it begins in the pack, in bytes; 0 for a folder and an empty file.
 * @property {Uint8Array} hash SHA-256 of the file's bytes, 32 bytes.
 */

/** Returns whether `a` precedes `b` in byte order. */
const before = (a, b) => compare(utf8(a), utf8(b)) < 0;

/** What no path contains: control characters, `\`, `:`, and characters that hide or reverse text. */
const FORBIDDEN = new RegExp(`[\\p{Cc}\\\\:${HIDDEN}]`, 'u');

/** The byte between the names of a path. */
const [SLASH] = utf8('/');

/** Refuses a path that could lead out of the folder. */
function checkPath(path) {
	const good = path.isWellFormed()
		&& utf8(path).length <= MAX_PATH
		&& path.split('/').every((name) => !['', '.', '..'].includes(name))
		&& !FORBIDDEN.test(path);
	if (!good) throw new EnvelopeError('Path', `invalid path in a folder: ${JSON.stringify(path)}`, { path });
	if (path.split('/').length > MAX_DEPTH) {
		throw new EnvelopeError('TooDeep', `${JSON.stringify(path)} has more than ${MAX_DEPTH} names`, { path });
	}
}

/**
 * Checks the order of a list's entries, and that each can be in a folder together with those before it. The time that this
 * takes grows with the length of the list alone: all paths that are sorted between `a` and `a/b` begin with `a`, so it is
 * enough to remember the entries that the last path begins with.
 */
class Order {
	#last;
	/** The bytes of the last path. */
	#bytes = new Uint8Array();
	/** The lengths of the paths of entries that the last path begins with, itself included, in ascending order. */
	#beginnings = [];
	#folders = 0;

	/** Refuses an entry that cannot follow those before it. */
	next({ path, executable, folder, length, key, hash }) {
		checkPath(path);
		if (this.#last !== undefined && !before(this.#last, path)) throw outOfOrder(path);
		const isBound = [...key, ...hash].some((byte) => byte !== 0);
		if (folder && (executable || length !== 0 || isBound)) throw unknownFlags(path);
		const bytes = utf8(path);
		let common = 0;
		while (common < this.#bytes.length && this.#bytes[common] === bytes[common]) common += 1;
		while (this.#beginnings.at(-1) > common) this.#beginnings.pop();
		const isInside = this.#beginnings.some((end) => bytes[end] === SLASH);
		if (isInside) throw new EnvelopeError('Inside', `${JSON.stringify(path)} is inside another entry`, { path });
		// Those that the last path leads through are counted already.
		this.#folders += bytes.subarray(common).reduce((all, byte) => all + (byte === SLASH ? 1 : 0), 0);
		if (this.#folders > MAX_FOLDERS) {
			throw new EnvelopeError('TooManyFolders', `the folder has more than ${MAX_FOLDERS} folders in it`);
		}
		this.#beginnings.push(bytes.length);
		this.#last = path;
		this.#bytes = bytes;
	}
}

/**
 * Encodes a folder's list.
 *
 * @param {FolderFile[]} files The files, sorted by the bytes of their paths.
 * @throws {EnvelopeError} `TooLong`, `Path`, `TooDeep`, `TooManyFolders`, `Order`, `Inside`, `Flags`
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

/** Reads a list's fields, one after the other. */
class Fields {
	#data;
	#at;

	constructor(data, label) {
		if (!equal(data.subarray(0, label.length), label)) {
			throw new EnvelopeError('NotAFolder', 'the record is not a folder');
		}
		if (data.length > MAX_LENGTH) throw tooLong();
		this.#data = data;
		this.#at = label.length;
	}

	get isAtEnd() {
		return this.#at === this.#data.length;
	}

	take(count) {
		const end = this.#at + count;
		if (end > this.#data.length) throw new EnvelopeError('Length', "the folder's list is truncated");
		const field = copy(this.#data, this.#at, end);
		this.#at = end;
		return field;
	}

	/** Reads an integer of 4 bytes. */
	short() {
		return Number(fromBigEndian(this.take(4)));
	}

	/** Reads a length or an offset of 8 bytes. */
	long(error, of) {
		const length = Number(fromBigEndian(this.take(8)));
		if (!Number.isSafeInteger(length)) throw new EnvelopeError(error, `${of} is above 2^53 - 1`, { length });
		return length;
	}

	/** Reads a path and the flags after it. */
	path() {
		const name = this.take(Number(fromBigEndian(this.take(2))));
		const [flags] = this.take(1);
		// A byte order mark at the start is part of the path.
		const path = new TextDecoder('utf-8', { ignoreBOM: true }).decode(name);
		// Invalid UTF-8 changes when it is decoded and encoded again.
		const isUtf8 = equal(utf8(path), name);
		return { path, isUtf8, flags };
	}
}

/** Refuses a path that is not UTF-8, and unknown flags. */
function flagged({ path, isUtf8, flags }) {
	if (!isUtf8) throw new EnvelopeError('Path', 'a path is not UTF-8', { path });
	if (flags & ~(EXECUTABLE | FOLDER)) throw unknownFlags(path);
	return { path, executable: (flags & EXECUTABLE) !== 0, folder: (flags & FOLDER) !== 0 };
}

/**
 * Decodes a folder's list.
 *
 * @param {Uint8Array} data
 * @returns {FolderFile[]}
 * @throws {EnvelopeError} `NotAFolder`, `TooLong`, `Length`, `Path`, `TooDeep`, `TooManyFolders`, `Order`, `Inside`, `Flags`
 */
export function folderFromBytes(data) {
	const fields = new Fields(data, LABEL);
	const files = [];
	const order = new Order();
	while (!fields.isAtEnd) {
		const path = fields.path();
		const length = fields.long('Length', "a file's length");
		const key = fields.take(32);
		const hash = fields.take(32);
		const file = { ...flagged(path), length, key, hash };
		order.next(file);
		files.push(file);
	}
	return files;
}

/** Checks that each file is in the pack that it names, and that each pack has a file. */
class Packs {
	#packs;
	#used = new Set();

	constructor(packs) {
		packs.slice(1).forEach(({ key }, before) => {
			if (compare(packs[before].key, key) < 0) return;
			throw new EnvelopeError('PackOrder', 'the packs are out of order, or one is listed twice');
		});
		this.#packs = packs;
	}

	/** Refuses a file that is not in its pack. */
	next({ path, length, pack, offset }) {
		const isInside = length === 0
			? pack === 0 && offset === 0
			: pack < this.#packs.length && offset + length <= this.#packs[pack].length;
		if (!isInside) throw new EnvelopeError('Outside', `${JSON.stringify(path)} is not in its pack`, { path });
		if (length > 0) this.#used.add(pack);
	}

	/** Refuses packs that no file is in. */
	end() {
		if (this.#used.size < this.#packs.length) throw new EnvelopeError('PackUnused', 'a pack has no file');
	}
}

/** What a packed folder's entry has in place of a key: nothing. */
const NO_KEY = new Uint8Array(32);

/**
 * Encodes the list of a packed folder.
 *
 * @param {{ packs: Pack[], files: PackedFile[] }} list The packs, sorted by their keys, and the files, sorted by the bytes
 *     of their paths.
 * @throws {EnvelopeError} `PackOrder`, `PackUnused`, `Outside`, `TooLong`, `Path`, `TooDeep`, `TooManyFolders`, `Order`,
 *     `Inside`, `Flags`
 */
export function packedFolderToBytes({ packs, files }) {
	const order = new Order();
	const inside = new Packs(packs);
	let total = PACKED_LABEL.length + 4 + packs.length * PACK;
	for (const file of files) {
		order.next({ ...file, key: NO_KEY });
		inside.next(file);
		total += PACKED_ENTRY + utf8(file.path).length;
	}
	inside.end();
	if (total > MAX_LENGTH) throw tooLong();
	return concat(
		PACKED_LABEL,
		integer(packs.length, 4, 'the number of packs'),
		...packs.map(({ key, id, epoch, length }) => concat(
			key,
			id,
			integer(epoch, 4, "a pack's epoch"),
			integer(length, 8, "a pack's length"),
		)),
		...files.map(({ path, executable, folder, length, pack, offset, hash }) => concat(
			integer(utf8(path).length, 2, "a path's length"),
			utf8(path),
			[(executable ? EXECUTABLE : 0) | (folder ? FOLDER : 0)],
			integer(length, 8, "a file's length"),
			integer(pack, 4, "a pack's number"),
			integer(offset, 8, "a file's offset"),
			hash,
		)),
	);
}

/**
 * Decodes the list of a packed folder.
 *
 * @param {Uint8Array} data
 * @returns {{ packs: Pack[], files: PackedFile[] }}
 * @throws {EnvelopeError} `NotAFolder`, `TooLong`, `Length`, `PackOrder`, `PackUnused`, `Outside`, `Path`, `TooDeep`,
 *     `TooManyFolders`, `Order`, `Inside`, `Flags`
 */
export function packedFolderFromBytes(data) {
	const fields = new Fields(data, PACKED_LABEL);
	const packs = [];
	for (let left = fields.short(); left > 0; left -= 1) {
		const [key, id] = [fields.take(32), fields.take(32)];
		packs.push({ key, id, epoch: fields.short(), length: fields.long('Length', "a pack's length") });
	}
	const files = [];
	const order = new Order();
	const inside = new Packs(packs);
	while (!fields.isAtEnd) {
		const path = fields.path();
		const length = fields.long('Length', "a file's length");
		const pack = fields.short();
		const offset = fields.long('Outside', "a file's offset");
		const hash = fields.take(32);
		const file = { ...flagged(path), length, pack, offset, hash };
		order.next({ ...file, key: NO_KEY });
		inside.next(file);
		files.push(file);
	}
	inside.end();
	return { packs, files };
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
