// SPDX-License-Identifier: Apache-2.0

// Signed queries, which ask a node where a record is and which sealed keys open it (`sharing_query`), or for the
// record's chunks (`sharing_chunks`). docs/formats.md describes the layout of the signed bytes.

import { concat, integer, utf8, webcrypto } from './envelope/common.mjs';

const LABEL = utf8('isthmus/query/v1');
const METHODS = { sharing_query: 0, sharing_chunks: 1 };

/**
 * Returns the bytes that the caller of a query signs.
 *
 * @param {object} query
 * @param {'sharing_query' | 'sharing_chunks'} query.method
 * @param {Uint8Array} query.genesis The hash of the chain's first block.
 * @param {Uint8Array} query.caller The caller's account, 32 bytes.
 * @param {Uint8Array} query.owner The record owner's account, 32 bytes.
 * @param {Uint8Array} query.key The record's key, 32 bytes.
 * @param {number} query.block The number of a recent block.
 * @param {Uint8Array} query.nonce 16 random bytes.
 * @param {number} [query.first] For `sharing_chunks`: the first chunk.
 * @param {number} [query.count] For `sharing_chunks`: the maximum number of chunks.
 * @returns {Uint8Array}
 */
export function queryMessage({ method, genesis, caller, owner, key, block, nonce, first, count }) {
	const page =
		method === 'sharing_chunks'
			? [integer(first, 4, 'the first chunk'), integer(count, 4, 'the number of chunks')]
			: [];
	return concat(
		LABEL,
		genesis,
		[METHODS[method]],
		caller,
		owner,
		key,
		integer(block, 4, 'the block'),
		nonce,
		...page,
	);
}

/** Makes a fresh random nonce. */
export const newNonce = () => webcrypto.getRandomValues(new Uint8Array(16));

/**
 * A node refused a signed query. `name` is the reason (`Replayed`, `OutOfRange`), `code` is the JSON-RPC code,
 * and `message` explains the refusal.
 */
export class SignedQueryRefused extends Error {
	/** @type {number} */
	code;

	/** @param {{code: number, message: string, data?: {reason?: string}}} refusal */
	constructor({ code, message, data }) {
		super(message);
		this.name = data?.reason ?? 'RpcError';
		this.code = code;
	}
}
