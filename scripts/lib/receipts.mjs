// SPDX-License-Identifier: Apache-2.0

// Receipts: a block's data-sharing events as the leaves of a Merkle tree whose root is in the block's header. A second
// implementation, independent of `primitives/sharing/src/history.rs`; both pass the same vectors. docs/formats.md
// describes the layout.

import { concat, integer, utf8 } from './envelope/common.mjs';
import { leafHash, verify } from './envelope/merkle.mjs';

/** The first bytes of every leaf's entry. */
const LABEL = utf8('isthmus/receipt/v1');
/** The first bytes of the digest item: a consensus item (SCALE variant 4) of the engine `rcpt`, 36 bytes long. */
const ITEM = '0x047263707490';
const ITEM_LENGTH = 36;

/**
 * Returns the number of a block's data-sharing events and the root over them, or undefined if the header has none.
 *
 * @param {{digest: {logs: string[]}}} header From `chain_getHeader`.
 * @returns {{count: number, root: Uint8Array} | undefined}
 */
export function receipts(header) {
	const items = header.digest.logs.filter((log) => log.startsWith(ITEM.slice(0, -2)));
	if (items.length === 0) return undefined;
	const bytes = new Uint8Array(Buffer.from(items[0].slice(ITEM.length), 'hex'));
	if (items.length > 1 || !items[0].startsWith(ITEM) || bytes.length !== ITEM_LENGTH) {
		throw new Error('the header is not valid: it must have one rcpt item of 36 bytes');
	}
	return { count: new DataView(bytes.buffer).getUint32(0, true), root: bytes.slice(4) };
}

/**
 * Returns the entry from which an event's leaf is hashed.
 *
 * @param {number | null} transaction The index of the event's transaction in the block, if it has one.
 * @param {Uint8Array} event The event in SCALE.
 */
export function receiptBytes(transaction, event) {
	const index = integer(transaction ?? 0, 4, "the transaction's index");
	return concat(LABEL, [transaction === null ? 0 : 1], index, event);
}

/**
 * Checks that a block whose header has these receipts has this event.
 *
 * @param {{count: number, root: Uint8Array}} receipts From the header.
 * @param {number} index The event's number in the block, from 0.
 * @param {{transaction: number | null, event: Uint8Array}} receipt
 * @param {Uint8Array[]} path The siblings on the path to the root, from the bottom up.
 * @throws {import('./envelope/common.mjs').EnvelopeError} `NoSuchChunk`, `ProofLength`, `WrongRoot`
 */
export async function verifyReceipt({ count, root }, index, { transaction, event }, path) {
	await verify(root, count, index, await leafHash(receiptBytes(transaction, event)), path);
}
