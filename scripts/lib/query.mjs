// Questions to a node that are signed by who asks: `sharing_query` and `sharing_chunks`. The bytes that
// are signed are laid out in docs/formats.md.

import { webcrypto } from 'node:crypto';
import { concat, integer, utf8 } from './envelope/common.mjs';

const LABEL = utf8('isthmus/query/v1');
const METHODS = { sharing_query: 0, sharing_chunks: 1 };

/**
 * The bytes to sign.
 *
 * @param {object} question
 * @param {'sharing_query' | 'sharing_chunks'} question.method
 * @param {Uint8Array} question.genesis The hash of the chain's first block.
 * @param {Uint8Array} question.caller Who asks: the account's 32 bytes.
 * @param {Uint8Array} question.owner The record's owner: likewise.
 * @param {Uint8Array} question.key The record's key.
 * @param {number} question.block The number of a recent block.
 * @param {Uint8Array} question.nonce 16 random bytes.
 * @param {number} [question.first] `sharing_chunks`: the first chunk.
 * @param {number} [question.count] `sharing_chunks`: how many at most.
 * @returns {Uint8Array}
 */
export function messageOf({ method, genesis, caller, owner, key, block, nonce, first, count }) {
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

/** A nonce that nobody used. */
export const newNonce = () => webcrypto.getRandomValues(new Uint8Array(16));

/**
 * A node refused a question. `name` is the reason (`Replayed`, `OutOfRange`), `code` the JSON-RPC code,
 * `message` the sentence.
 */
export class QuestionRefused extends Error {
	constructor({ code, message, data }) {
		super(message);
		this.name = data?.reason ?? 'RpcError';
		this.code = code;
	}
}
