// SPDX-License-Identifier: Apache-2.0

// Receipts: a block's data-sharing events as the leaves of a Merkle tree whose root is in the block's header. A second
// implementation, independent of `primitives/sharing/src/history.rs`; both pass the same vectors. docs/formats.md
// describes the layout. And receipts of keepers, as `client/light/src/receipt/keeper.rs` checks them.

import { compare, concat, equal, integer, utf8 } from './envelope/common.mjs';
import { leafHash, verify } from './envelope/merkle.mjs';
import { Malformed, NotProven } from './light/errors.mjs';
import { Finality, header, step } from './light/finality.mjs';
import { Reader } from './light/scale.mjs';
import { keeper as readKeeper, keeperKey, KEEPERS_VERSION, keepersPeriodKey, keepersVersionKey } from './light/storage.mjs';
import { StateProof } from './light/trie.mjs';

/** The first bytes of every leaf's entry. */
const LABEL = utf8('isthmus/receipt/v1');
/** The first bytes of the digest item: a consensus item (SCALE variant 4) of the engine `rcpt`, 36 bytes long. */
const ITEM = '0x047263707490';
const ITEM_LENGTH = 36;
/** The first bytes of a keeper's receipt. */
const KEEPER_LABEL = utf8('isthmus/keeper-receipt/v1');
/** The largest number of parts of the state in a keeper's receipt. */
const MOST_PARTS = 256;
/** The most bytes that these parts have together. */
const MOST_BYTES = 256 * 1024;

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

/** Reads a keeper's receipt. */
function readKeeperReceipt(bytes) {
	if (!equal(bytes.slice(0, KEEPER_LABEL.length), KEEPER_LABEL)) throw new Malformed('this is no receipt of a keeper');
	const reader = new Reader(bytes.slice(KEEPER_LABEL.length));
	const blobs = () => reader.list((reader) => reader.blob());
	const raw = (read) => {
		const from = reader.at;
		const value = read();
		return { value, bytes: reader.since(from) };
	};
	const first = raw(() => header(reader));
	const voters = blobs();
	const steps = raw(() => reader.list(step));
	const [owner, dataset, keeper, parts] = [reader.bytes(32), reader.u32(), reader.bytes(32), blobs()];
	reader.end();
	return { first, voters, steps, owner, dataset, keeper, parts };
}

/** Checks that parts of a state prove these entries, that each part is needed, and that they are in order. */
function checkParts(root, parts, keys) {
	const isOrdered = parts.every((part, index) => index === 0 || compare(parts[index - 1], part) < 0);
	const length = parts.reduce((sum, part) => sum + part.length, 0);
	if (!isOrdered) throw new Malformed('the parts of the state are not in order');
	if (parts.length > MOST_PARTS || length > MOST_BYTES) throw new Malformed('the parts of the state are too many, or too long');
	const proof = new StateProof(root);
	proof.add(parts);
	for (const key of keys) proof.value(key);
	if (!parts.every((part) => proof.wasRead(part))) throw new Malformed('a part of the state proves nothing');
	return proof;
}

/**
 * Checks a receipt of a keeper, without a node: `isthmus receipt --keeper` writes it.
 *
 * @param {Uint8Array} bytes The file.
 * @param {Uint8Array} genesis The hash of the chain's first block.
 * @returns {{owner: Uint8Array, dataset: number, keeper: Uint8Array, block: number, date: number | null, entry: import('./sharing/proven.mjs').Keeper, periodLength: number | null, isDevelopment: boolean}}
 * What the state after the block `block` says of the keeper, how many blocks a period has, or null if that is the runtime's default,
 * and whether the voters were all development accounts at some time: their secrets are public, so anyone can make such a receipt.
 * The chain counts a period that was missed only when the keeper proves, leaves or is reported: those that are over since `entry.settled` are not counted.
 * @throws {NotProven} `WrongGenesis`, `NotFinal`, `UnknownStorage`, or `NoKeeper`.
 * @throws {Malformed}
 * @throws {import('./light/errors.mjs').BadProof}
 */
export function verifyKeeperReceipt(bytes, genesis) {
	const { first, voters, steps, owner, dataset, keeper, parts } = readKeeperReceipt(bytes);
	const finality = new Finality(genesis, first.bytes, voters);
	// A step that repeats a known block would not be looked at.
	const numbers = [first.value, ...steps.value.map(({ header }) => header)].map(({ number }) => number);
	if (numbers.some((number, index) => index > 0 && number <= numbers[index - 1])) {
		throw new Malformed('the blocks of the receipt are not in order');
	}
	finality.follow(concat(steps.bytes, [1]));
	const [key, versionKey, periodKey] = [keeperKey(owner, dataset, keeper), keepersVersionKey(), keepersPeriodKey()];
	const proof = checkParts(finality.head.stateRoot, parts, [key, versionKey, periodKey]);
	const version = proof.get(versionKey, (reader) => reader.u16()) ?? 0;
	if (version !== KEEPERS_VERSION) throw new NotProven('UnknownStorage', `the chain keeps keepers in version ${version}`);
	const entry = proof.get(key, readKeeper);
	if (entry === null) throw new NotProven('NoKeeper', 'the account of the receipt keeps no copy');
	const periodLength = proof.get(periodKey, (reader) => reader.u32());
	const { head, date, wasDevelopment: isDevelopment } = finality;
	return { owner, dataset, keeper, block: head.number, date, entry, periodLength, isDevelopment };
}
