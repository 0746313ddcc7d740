// SPDX-License-Identifier: Apache-2.0

// The Merkle tree of RFC 6962 (section 2.1) with SHA-256, against which single chunks of a large record are checked.
// Its leaves are made from the chunks' hashes: see manifest.mjs.

import { concat, EnvelopeError, equal, sha256 } from './common.mjs';

const LEAF_PREFIX = [0];
const NODE_PREFIX = [1];

/**
 * Hashes an entry to a leaf of the tree. A large record has an entry for each chunk.
 *
 * @param {Uint8Array} entry
 * @returns {Promise<Uint8Array>}
 */
export const leafHash = (entry) => sha256(concat(LEAF_PREFIX, entry));

/**
 * Computes the parent of two nodes.
 *
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 * @returns {Promise<Uint8Array>}
 */
export const nodeHash = (left, right) => sha256(concat(NODE_PREFIX, left, right));

/** Returns the number of leaves in the left subtree of a tree with `count` leaves: the largest power of two below it. */
function leftCount(count) {
	let left = 1;
	while (2 * left < count) left *= 2;
	return left;
}

/**
 * Computes the root of the tree over these leaves.
 *
 * @param {Uint8Array[]} leaves
 * @returns {Promise<Uint8Array>}
 */
export async function root(leaves) {
	if (leaves.length === 0) return sha256(new Uint8Array());
	if (leaves.length === 1) return leaves[0];
	const left = leftCount(leaves.length);
	return nodeHash(await root(leaves.slice(0, left)), await root(leaves.slice(left)));
}

/**
 * Returns the sibling hashes on the path from leaf `index` to the root, from the bottom up. Returns undefined if
 * there is no such leaf.
 *
 * @param {Uint8Array[]} leaves
 * @param {number} index
 * @returns {Promise<Uint8Array[] | undefined>}
 */
export async function proof(leaves, index) {
	if (!(index >= 0 && index < leaves.length)) return undefined;
	if (leaves.length === 1) return [];
	const left = leftCount(leaves.length);
	const [first, second] = [leaves.slice(0, left), leaves.slice(left)];
	return index < left
		? [...(await proof(first, index)), await root(second)]
		: [...(await proof(second, index - left)), await root(first)];
}

/**
 * Checks that `leaf` is leaf number `index` of the tree with `count` leaves and this root.
 *
 * @param {Uint8Array} expectedRoot
 * @param {number} count
 * @param {number} index
 * @param {Uint8Array} leaf
 * @param {Uint8Array[]} path The result of `proof`.
 * @throws {EnvelopeError} `NoSuchChunk`, `ProofLength`, `WrongRoot`
 */
export async function verify(expectedRoot, count, index, leaf, path) {
	if (!Number.isInteger(index) || index < 0 || index >= count) {
		throw new EnvelopeError('NoSuchChunk', `there is no chunk ${index} among ${count}`, { index, count });
	}
	// Whether the sibling is on the left at each level. The loop goes from the root down; the list is from the bottom up.
	const sides = [];
	for (let [at, size] = [index, count]; size > 1; ) {
		const left = leftCount(size);
		sides.unshift(at >= left);
		[at, size] = at < left ? [at, left] : [at - left, size - left];
	}
	if (path.length !== sides.length) {
		const [expected, got] = [sides.length, path.length];
		const message = `the proof has ${got} hashes, but this chunk needs ${expected}`;
		throw new EnvelopeError('ProofLength', message, { expected, got });
	}
	let node = leaf;
	for (const [level, onLeft] of sides.entries()) {
		node = await (onLeft ? nodeHash(path[level], node) : nodeHash(node, path[level]));
	}
	if (!equal(node, expectedRoot)) {
		throw new EnvelopeError('WrongRoot', 'the chunk does not belong to this root');
	}
}
