// SPDX-License-Identifier: Apache-2.0

// Checks the JavaScript receipts against the vectors of `primitives/sharing`. Needs no node.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { leafHash } from '../lib/envelope/merkle.mjs';
import { receiptBytes, receipts, verifyReceipt } from '../lib/receipts.mjs';

const vectors = JSON.parse(readFileSync(new URL('../../primitives/sharing/vectors.json', import.meta.url)));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data) => Buffer.from(data).toString('hex');
const little = (number) => hex(new Uint8Array(Uint32Array.of(number).buffer));
const GAS_USED = '0x04706f775f200100000000000000';

/** Returns a header with these digest items besides the gas used. */
const headerOf = (...items) => ({ digest: { logs: [GAS_USED, ...items] } });
const itemOf = ({ root, events }) => `0x047263707490${little(events.length)}${root}`;

test('the vectors of receipts pass', async () => {
	for (const block of vectors.receipts) {
		const committed = receipts(headerOf(itemOf(block)));
		assert.deepEqual([committed.count, hex(committed.root)], [block.events.length, block.root]);
		for (const [index, vector] of block.events.entries()) {
			const { transaction, path } = vector;
			const receipt = { transaction, event: bytes(vector.event) };
			const entry = receiptBytes(transaction, receipt.event);
			assert.equal(hex(entry), vector.entry);
			assert.equal(hex(await leafHash(entry)), vector.leaf);
			await verifyReceipt(committed, index, receipt, path.map(bytes));
			const elsewhere = { ...receipt, transaction: block.transactions };
			await assert.rejects(verifyReceipt(committed, index, elsewhere, path.map(bytes)), { name: 'WrongRoot' });
		}
	}
});

test('a header has one receipts item or none', () => {
	const item = itemOf(vectors.receipts[0]);
	assert.equal(receipts(headerOf()), undefined);
	assert.throws(() => receipts(headerOf(item, item)), /one rcpt item/);
	assert.throws(() => receipts(headerOf(item.slice(0, -2))), /one rcpt item/);
	assert.throws(() => receipts(headerOf(`0x04726370748c${item.slice(14, -2)}`)), /one rcpt item/);
});
