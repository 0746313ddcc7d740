// SPDX-License-Identifier: Apache-2.0

// Encodes conditions: in SCALE, and as the values that @polkadot/api encodes by the chain's metadata.

import { concat, utf8 } from '../envelope/common.mjs';

/** The comparisons, in the order of their indices and with their names in the metadata. */
const COMPARISONS = [
	['=', 'Equal'], ['!=', 'NotEqual'], ['<', 'Less'], ['<=', 'LessOrEqual'], ['>', 'Greater'], ['>=', 'GreaterOrEqual'],
];

/** Encodes an integer in this many bytes, the lowest first. */
function little(number, size) {
	const bytes = new Uint8Array(size);
	let rest = BigInt.asUintN(size * 8, BigInt(number));
	for (let at = 0; at < size; at++, rest >>= 8n) bytes[at] = Number(rest & 255n);
	return bytes;
}

/** Encodes the length of a text or a list of at most 16383. */
const length = (count) => (count < 64 ? Uint8Array.of(count << 2) : little((count << 2) | 1, 2));

function string(text) {
	const bytes = utf8(text);
	return concat(length(bytes.length), bytes);
}

const variant = (index, ...fields) => concat([index], ...fields);

function value(constant) {
	if ('integer' in constant) return variant(0, little(constant.integer, 8));
	if ('decimal' in constant) return variant(1, little(constant.decimal.mantissa, 8), Uint8Array.of(constant.decimal.scale));
	return 'text' in constant ? variant(2, string(constant.text)) : variant(3, constant.hash);
}

const ENCODED = {
	all: ({ parts }) => variant(0, length(parts.length), ...parts.map(encode)),
	any: ({ parts }) => variant(1, length(parts.length), ...parts.map(encode)),
	not: ({ part }) => variant(2, encode(part)),
	before: ({ time }) => variant(3, little(time, 8)),
	after: ({ time }) => variant(4, little(time, 8)),
	fact: ({ source, topic, oldest, comparison, constant }) => variant(
		5, string(source), string(topic), oldest === null ? Uint8Array.of(0) : variant(1, little(oldest, 4)),
		Uint8Array.of(COMPARISONS.findIndex(([written]) => written === comparison)), value(constant),
	),
	credential: ({ issuer, kind }) => variant(6, issuer, string(kind)),
	granted: ({ owner, dataset }) => variant(7, owner, little(dataset, 4)),
	paid: ({ amount }) => variant(8, little(amount, 16)),
	count: ({ below }) => variant(9, little(below, 4)),
};

/**
 * Encodes a condition in SCALE.
 *
 * @param {import('../conditions.mjs').Condition} node
 * @returns {Uint8Array}
 */
export function encode(node) {
	return ENCODED[node.test](node);
}

function valueToCodec(constant) {
	if ('integer' in constant) return { Integer: constant.integer };
	if ('decimal' in constant) return { Decimal: constant.decimal };
	return 'text' in constant ? { Text: constant.text } : { Hash: constant.hash };
}

const CODEC = {
	all: ({ parts }) => ({ All: parts.map(toCodec) }),
	any: ({ parts }) => ({ Any: parts.map(toCodec) }),
	not: ({ part }) => ({ Not: toCodec(part) }),
	before: ({ time }) => ({ Before: time }),
	after: ({ time }) => ({ After: time }),
	fact: ({ source, topic, oldest, comparison, constant }) => ({
		Fact: {
			...{ source, topic, oldest, constant: valueToCodec(constant) },
			comparison: COMPARISONS.find(([written]) => written === comparison)[1],
		},
	}),
	credential: ({ issuer, kind }) => ({ Credential: { issuer, kind } }),
	granted: ({ owner, dataset }) => ({ Granted: { owner, dataset } }),
	paid: ({ amount }) => ({ PaidAtLeast: amount }),
	count: ({ below }) => ({ CountBelow: below }),
};

/**
 * Returns a condition as @polkadot/api encodes it by the types of the chain's metadata.
 *
 * @param {import('../conditions.mjs').Condition} node
 * @returns {Record<string, unknown>}
 */
export function toCodec(node) {
	return CODEC[node.test](node);
}
