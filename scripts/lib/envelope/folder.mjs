// SPDX-License-Identifier: Apache-2.0

// The list of a folder's files, which is the value of the folder's record.

import { concat, copy, EnvelopeError, integer, utf8 } from './common.mjs';

const LABEL = utf8('isthmus/folder/v1');
const MAX_PATH = 4096;
/** The flag for an executable file. */
const EXECUTABLE = 1;

/**
 * A file in a folder.
 *
 * @typedef {object} FolderFile
 * @property {string} path The file's path, with `/` between names.
 * @property {boolean} executable Whether the file is executable.
 * @property {number} length The file's length in bytes.
 * @property {Uint8Array} key The key of the file's record, 32 bytes.
 */

/** Returns whether `a` precedes `b` in byte order. */
const before = (a, b) => Buffer.compare(utf8(a), utf8(b)) < 0;

/** Refuses a path that could lead out of the folder. */
function checkPath(path) {
	const good = utf8(path).length <= MAX_PATH
		&& path.split('/').every((name) => !['', '.', '..'].includes(name))
		&& !/[\p{Cc}\\]/u.test(path);
	if (!good) throw new EnvelopeError('Path', `invalid path in a folder: ${JSON.stringify(path)}`, { path });
}

/**
 * Encodes a folder's list.
 *
 * @param {FolderFile[]} files The files, sorted by the bytes of their paths.
 * @throws {EnvelopeError} `Path`, `Order`
 */
export function folderToBytes(files) {
	for (const [i, { path }] of files.entries()) {
		checkPath(path);
		if (i > 0 && !before(files[i - 1].path, path)) throw outOfOrder(path);
	}
	const entries = files.map(({ path, executable, length, key }) => concat(
		integer(utf8(path).length, 2, "a path's length"),
		utf8(path),
		[executable ? EXECUTABLE : 0],
		integer(length, 8, "a file's length"),
		key,
	));
	return concat(LABEL, ...entries);
}

/**
 * Decodes a folder's list.
 *
 * @param {Uint8Array} data
 * @returns {FolderFile[]}
 * @throws {EnvelopeError} `NotAFolder`, `Length`, `Path`, `Order`, `Flags`
 */
export function folderFromBytes(data) {
	if (Buffer.compare(data.subarray(0, LABEL.length), LABEL) !== 0) {
		throw new EnvelopeError('NotAFolder', 'the record is not a folder');
	}
	let at = LABEL.length;
	const take = (count) => {
		if (at + count > data.length) throw new EnvelopeError('Length', "the folder's list is truncated");
		at += count;
		return copy(data, at - count, at);
	};
	const files = [];
	while (at < data.length) {
		const name = take(Buffer.from(take(2)).readUInt16BE());
		const [flags] = take(1);
		const length = Number(Buffer.from(take(8)).readBigUInt64BE());
		const key = take(32);
		const path = new TextDecoder().decode(name);
		// Invalid UTF-8 changes when it is decoded and encoded again.
		if (Buffer.compare(utf8(path), name) !== 0) throw new EnvelopeError('Path', 'a path is not UTF-8', { path });
		checkPath(path);
		if (files.length > 0 && !before(files.at(-1).path, path)) throw outOfOrder(path);
		if (flags & ~EXECUTABLE) throw new EnvelopeError('Flags', `${JSON.stringify(path)} has unknown flags`, { path });
		files.push({ path, executable: flags === EXECUTABLE, length, key });
	}
	return files;
}

function outOfOrder(path) {
	return new EnvelopeError('Order', `the path ${JSON.stringify(path)} is repeated or out of order`, { path });
}
