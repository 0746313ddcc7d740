// SPDX-License-Identifier: Apache-2.0

// A folder's list of files: what its record has as a value.

import { concat, copy, EnvelopeError, integer, utf8 } from './common.mjs';

const LABEL = utf8('isthmus/folder/v1');
const MAX_PATH = 4096;
/** Set where the file is a program. */
const EXECUTABLE = 1;

/**
 * A file of a folder.
 *
 * @typedef {object} FolderFile
 * @property {string} path Names with `/` between them.
 * @property {boolean} executable Whether it is a program.
 * @property {number} length
 * @property {Uint8Array} key The key of its record, 32 bytes.
 */

/** Whether `a` comes before `b` by their bytes. */
const before = (a, b) => Buffer.compare(utf8(a), utf8(b)) < 0;

/** Refuses a path that would lead elsewhere than into the folder. */
function checkPath(path) {
	const good = utf8(path).length <= MAX_PATH
		&& path.split('/').every((name) => !['', '.', '..'].includes(name))
		&& !/[\p{Cc}\\]/u.test(path);
	if (!good) throw new EnvelopeError('Path', `the path ${JSON.stringify(path)} cannot be in a folder`, { path });
}

/**
 * Writes a folder down.
 *
 * @param {FolderFile[]} files In the order of their paths' bytes.
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
 * Reads a folder.
 *
 * @param {Uint8Array} data
 * @returns {FolderFile[]}
 * @throws {EnvelopeError} `NotAFolder`, `Length`, `Path`, `Order`, `Flags`
 */
export function folderFromBytes(data) {
	if (Buffer.compare(data.subarray(0, LABEL.length), LABEL) !== 0) {
		throw new EnvelopeError('NotAFolder', 'the record is no folder');
	}
	let at = LABEL.length;
	const take = (count) => {
		if (at + count > data.length) throw new EnvelopeError('Length', 'the folder is cut short, or something follows it');
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
		// What is not UTF-8 does not come out again.
		if (Buffer.compare(utf8(path), name) !== 0) throw new EnvelopeError('Path', 'a path is not UTF-8', { path });
		checkPath(path);
		if (files.length > 0 && !before(files.at(-1).path, path)) throw outOfOrder(path);
		if (flags & ~EXECUTABLE) throw new EnvelopeError('Flags', `${JSON.stringify(path)} is of an unknown kind`, { path });
		files.push({ path, executable: flags === EXECUTABLE, length, key });
	}
	return files;
}

function outOfOrder(path) {
	return new EnvelopeError('Order', `the path ${JSON.stringify(path)} is twice in the folder, or not in order`, { path });
}
