// SPDX-License-Identifier: Apache-2.0

// Reads conditions from their encoding (primitives/conditions), within their bounds.

import { Malformed } from './errors.mjs';

/** The maximum number of levels and of nodes. */
const MAX_DEPTH = 4;
const MAX_NODES = 32;
const MAX_NAME_SIZE = 48;
const MAX_TEXT_SIZE = 64;
/** How a fact is compared with a constant, in the order of their numbers. */
const COMPARISONS = ['=', '!=', '<', '<=', '>', '>='];

const text = (reader, longest) => {
	const bytes = reader.blob();
	if (bytes.length > longest) throw new Malformed('a text of a condition is too long');
	try {
		return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		throw new Malformed('a text of a condition is not UTF-8');
	}
};

const name = (reader) => text(reader, MAX_NAME_SIZE);
const signed = (reader) => BigInt.asIntN(64, reader.u64());

const VALUES = [
	(reader) => ({ integer: signed(reader) }),
	(reader) => ({ decimal: { mantissa: signed(reader), scale: reader.u8() } }),
	(reader) => ({ text: text(reader, MAX_TEXT_SIZE) }),
	(reader) => ({ hash: reader.bytes(32) }),
];

const pick = (reader, list) => {
	const chosen = list[reader.u8()];
	if (chosen === undefined) throw new Malformed('a condition has a part of an unknown type');
	return chosen;
};

/** Reads the value of a fact. */
export const value = (reader) => pick(reader, VALUES)(reader);

const fact = (reader) => ({
	...{ test: 'fact', source: name(reader), topic: name(reader), oldest: reader.option((reader) => reader.u32()) },
	...{ comparison: pick(reader, COMPARISONS), constant: value(reader) },
});

const parts = (reader, read) => {
	const list = reader.list(read);
	if (list.length < 2) throw new Malformed('a condition has too few parts');
	return list;
};

/** What follows a node's number, in the order of the numbers. */
const NODES = [
	(reader, node) => ({ test: 'all', parts: parts(reader, node) }),
	(reader, node) => ({ test: 'any', parts: parts(reader, node) }),
	(reader, node) => ({ test: 'not', part: node(reader) }),
	(reader) => ({ test: 'before', time: Number(reader.u64()) }),
	(reader) => ({ test: 'after', time: Number(reader.u64()) }),
	fact,
	(reader) => ({ test: 'credential', issuer: reader.bytes(32), kind: name(reader) }),
	(reader) => ({ test: 'granted', owner: reader.bytes(32), dataset: reader.u32() }),
	(reader) => ({ test: 'paid', amount: reader.u128() }),
	(reader) => ({ test: 'count', below: reader.u32() }),
];

/** Reads a condition, in the form that `parse` returns. */
export function condition(reader) {
	let left = MAX_NODES;
	const node = (levels) => (reader) => {
		if (levels === 0 || left === 0) throw new Malformed('a condition is too deep or has too many nodes');
		left -= 1;
		return pick(reader, NODES)(reader, node(levels - 1));
	};
	return node(MAX_DEPTH)(reader);
}
