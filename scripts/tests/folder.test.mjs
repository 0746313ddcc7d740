// SPDX-License-Identifier: Apache-2.0
// Tests the limits of the JavaScript library for a folder's list. envelope.test.mjs tests it against the vectors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folderFromBytes, folderToBytes } from '../lib/envelope.mjs';

const MAX_LENGTH = 256 * 1024 * 1024;
const MAX_PATH = 4096;
const LABEL = Buffer.from('isthmus/folder/v2');

const file = (path, length = 0) => ({ path, executable: false, folder: false, length, key: new Uint8Array(32), hash: new Uint8Array(32) });

test('a path of a folder has at most 4096 bytes, not characters', () => {
	const longest = 'ä'.repeat(MAX_PATH / 2);
	assert.deepEqual(folderFromBytes(folderToBytes([file(longest)])), [file(longest)]);
	assert.throws(() => folderToBytes([file(`${longest}a`)]), { name: 'Path' });
	assert.throws(() => folderToBytes([file('\ud800')]), { name: 'Path' });
});

test("a file's length is exact: JavaScript's numbers are, up to 2^53 - 1", () => {
	const longest = file('a', Number.MAX_SAFE_INTEGER);
	const list = folderToBytes([longest]);
	assert.deepEqual(folderFromBytes(list), [longest]);
	assert.throws(() => folderToBytes([file('a', 2 ** 53)]), TypeError);
	assert.throws(() => folderToBytes([file('a', -1)]), TypeError);
	assert.throws(() => folderToBytes([file('a', 0.5)]), TypeError);
	// The length follows the label, the path with its own length, and the flags.
	const longer = Buffer.from(list);
	longer.writeBigUInt64BE(2n ** 53n, LABEL.length + 2 + 1 + 1);
	assert.throws(() => folderFromBytes(longer), { name: 'Length', details: { length: 2 ** 53 } });
});

test('a list is at most 256 MiB long', () => {
	const tooLong = Buffer.alloc(MAX_LENGTH + 1);
	LABEL.copy(tooLong);
	assert.throws(() => folderFromBytes(tooLong), { name: 'TooLong' });
	// One byte less is read, and found to have an empty path.
	assert.throws(() => folderFromBytes(tooLong.subarray(0, MAX_LENGTH)), { name: 'Path' });
});

test('a list that would be longer than 256 MiB is not made', () => {
	const path = (number) => `${String(number).padStart(5, '0')}/${'x'.repeat(MAX_PATH - 6)}`;
	const entry = 2 + MAX_PATH + 1 + 8 + 32 + 32;
	const most = Math.floor((MAX_LENGTH - LABEL.length) / entry);
	const files = Array.from({ length: most + 1 }, (_, number) => file(path(number)));
	assert.throws(() => folderToBytes(files), { name: 'TooLong' });
});
