// SPDX-License-Identifier: Apache-2.0

// What a lying node can make: records and grants that the owner never made, and results in which they stand.

import { contentHash, encryptValue, MasterSecret, Range, sealGrant } from './envelope.mjs';
import { hex } from './sharing.mjs';

/** Replaces bytes wherever they are in a node's result. `changes` has pairs of what to find and what to put there. */
export function replaced(result, changes) {
	if (result === undefined || result === null) return result;
	let text = JSON.stringify(result);
	for (const [from, to] of changes) text = text.replaceAll(hex(from).slice(2), hex(to).slice(2));
	return JSON.parse(text);
}

/**
 * Encrypts a value under keys of the node's own, and seals them to the reader's key.
 *
 * @param {Client} client
 * @param owner The account whose record is forged, and `reader` the one that has a grant for it.
 * @param {PublicKey} readerKey The reader's encryption key.
 * @param {Uint8Array} key The record's key.
 * @param answer What an honest node answers to the reader's query.
 * @param {Uint8Array} value
 * @returns The encrypted value, and the `changes` that put it and the grant in the place of the true ones.
 */
export async function forgery(client, { owner, reader, readerKey, key }, answer, value) {
	const root = await MasterSecret.generate().epochRoot(client.epochId(owner.publicKey, answer));
	const context = client.recordContext(owner.address, key);
	const encrypted = await encryptValue(await root.leafKey(answer.leaf), context, value);
	const { from, to, expiry, sealedKeys } = answer.grant;
	const scope = { grantee: reader.publicKey, range: new Range(from, to), expiry };
	const keys = await sealGrant(root, scope, readerKey);
	return { value: encrypted, changes: [[answer.contentHash, contentHash(encrypted)], [sealedKeys, keys]] };
}
