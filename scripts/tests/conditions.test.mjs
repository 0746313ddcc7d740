// SPDX-License-Identifier: Apache-2.0
// Tests conditions in JavaScript: with the vectors that the Rust crate shares, and with the types of a real chain.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encode, parse, parseValue, show, showValue, SyntaxError, toCodec } from '../lib/conditions.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 600_000;

const path = new URL('../../primitives/conditions/tests/vectors.json', import.meta.url);
const { valid, invalid } = JSON.parse(readFileSync(path));
const hex = (bytes) => Buffer.from(bytes).toString('hex');

test('conditions are shown and encoded as in Rust', () => {
	assert.ok(valid.length >= 30);
	for (const { text, canonical, scale } of valid) {
		const condition = parse(text);
		assert.equal(show(condition), canonical);
		assert.deepEqual(parse(canonical), condition);
		assert.equal(hex(encode(condition)), scale, text);
	}
});

test('errors point at the same places as in Rust', () => {
	assert.ok(invalid.length >= 50);
	for (const { text, start, end, expected } of invalid) {
		const isExpected = (error) => {
			assert.ok(error instanceof SyntaxError, String(error));
			const places = [error.start, error.end].map((index) => Buffer.byteLength(text.slice(0, index)));
			assert.deepEqual([...places, error.message], [start, end, expected], text);
			return true;
		};
		assert.throws(() => parse(text), isExpected, text);
	}
});

test('an error is marked below its line', () => {
	for (const [text, marked] of [
		['paid >= 1\n\tand paid > 5', ' and paid > 5\n          ^'],
		['fact(a, b) = "😀" and or', 'fact(a, b) = "😀" and or\n                     ^^'],
		['', '\n^'],
	]) {
		assert.throws(() => parse(text), (error) => error.marked() === marked, text);
	}
});

test('a value alone is written as in a condition', () => {
	for (const text of ['75', '-12.5', '"clear"', `0x${'01'.repeat(32)}`]) assert.equal(showValue(parseValue(text)), text);
	for (const text of ['', 'clear', '75 76', '0x12']) assert.throws(() => parseValue(text), SyntaxError, text);
});

test('half of a surrogate pair is replaced, as in UTF-8', () => {
	assert.equal(show(parse('fact(a, b) = "\ud83d"')), 'fact(a, b) = "\\u{fffd}"');
	assert.equal(show(parse('fact(a, b) = "\ud83d\ude00"')), 'fact(a, b) = "\\u{1f600}"');
});

test('the chain\'s types encode conditions alike', { timeout }, async () => {
	const node = await LocalNode.start();
	try {
		const client = await Client.connect(node.url);
		try {
			const { registry } = client.api;
			const lookup = registry.lookup.types.findIndex(({ type }) =>
				type.path.map(String).join('::') === 'isthmus_conditions::condition::Condition');
			assert.ok(lookup >= 0);
			for (const { text, scale } of valid) {
				const condition = registry.createType(registry.createLookupType(lookup), toCodec(parse(text)));
				assert.equal(condition.toHex(), `0x${scale}`, text);
			}
		} finally {
			await client.disconnect();
		}
	} finally {
		await node.stop();
	}
});
