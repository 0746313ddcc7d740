// SPDX-License-Identifier: Apache-2.0

// The layout of what is signed: the index and the arguments of each call, and the extensions of a transaction.
//
// `@polkadot/api` encodes calls by the metadata that a node gives, and a node could exchange two calls with arguments of the
// same types. So the metadata is compared with a table that comes with this library. There is one layout for each
// `transactionVersion`: it rises when the encoding of a call or of an extension changes, and a signature covers it, so that a
// false one is worth nothing on the chain.
//
// The table, `layouts.mjs`, is the Rust crate's `client/sdk`, too. `scripts/layouts.mjs` renews it.

import { stringCamelCase } from '@polkadot/util';
import LAYOUTS from './layouts.mjs';

/** @typedef {{extensions: string[], calls: Record<string, string>}} Described What metadata says of transactions. */
/** @typedef {Described & {transactionVersion: number, specVersion: number}} Layout */
/** @typedef {{what: string, known: string, found: string}} Difference Where a node's metadata differs from the table. */

/** The types that clients encode by their own rules, and not by the metadata. Each call within a call is compared on its own. */
const NOT_DESCRIBED = ['RuntimeCall', 'Era'];
/** How deep types may be in each other, and how long the text about one may be. The chain's types are far below. */
const DEEPEST = 32;
const LONGEST = 16 * 1024;
/** How much of a text an error shows. */
const SHOWN = 100;
/** The text about types that go on for ever. It is like nothing in the table. */
const ENDLESS = 'types without end';

/** Writes how types are encoded. The metadata may say anything: it may be cyclic, or describe more than there is room for. */
class Texts {
	#lookup;
	/** The texts about types that lead to none of those in which they are. */
	#closed = new Map();

	constructor(lookup) {
		this.#lookup = lookup;
	}

	/**
	 * Returns the text about a type.
	 *
	 * @param {any} type Its number.
	 * @param {number[]} [within] The types in which it is.
	 * @returns {string}
	 */
	type(type, within = []) {
		const id = type.toNumber();
		const closed = this.#closed.get(id);
		if (closed !== undefined) return closed;
		const outer = within.lastIndexOf(id);
		if (outer >= 0) return `^${within.length - 1 - outer}`;
		if (within.length >= DEEPEST) throw new RangeError(ENDLESS);
		const { def, path } = this.#lookup.getSiType(type);
		const name = path.length === 0 ? '' : path[path.length - 1].toString();
		const text = NOT_DESCRIBED.includes(name) ? name : name + this.#definition(def, [...within, id]);
		if (text.length > LONGEST) throw new RangeError(ENDLESS);
		if (!text.includes('^')) this.#closed.set(id, text);
		return text;
	}

	#definition(def, within) {
		const text = (type) => this.type(type, within);
		if (def.isComposite) return this.fields(def.asComposite.fields, within);
		if (def.isVariant) {
			const variants = [...def.asVariant.variants].sort((one, other) => one.index.toNumber() - other.index.toNumber());
			const parts = variants.map(({ index, name, fields }) =>
				`${index}:${name}${fields.length === 0 ? '' : this.fields(fields, within)}`,
			);
			return `<${parts.join(',')}>`;
		}
		if (def.isSequence) return `[${text(def.asSequence.type)}]`;
		if (def.isArray) return `[${text(def.asArray.type)};${def.asArray.len.toNumber()}]`;
		if (def.isTuple) return `(${[...def.asTuple].map(text).join(',')})`;
		if (def.isPrimitive) return def.asPrimitive.type.toLowerCase();
		if (def.isCompact) return `~${text(def.asCompact.type)}`;
		const { bitStoreType, bitOrderType } = def.asBitSequence;
		return `bits(${text(bitStoreType)},${text(bitOrderType)})`;
	}

	/** Returns the text about fields, with their names if they have any. */
	fields(fields, within = []) {
		const parts = [...fields].map(({ name, type }) => {
			const text = this.type(type, within);
			return name.isSome ? `${name.unwrap()}:${text}` : text;
		});
		return `(${parts.join(',')})`;
	}
}

/** Returns a text, or that types go on for ever. */
function ended(text) {
	try {
		return text();
	} catch {
		return ENDLESS;
	}
}

/** Returns the numbers of the calls in metadata, with their texts, also if it has several of one name. */
function callsOf({ lookup, pallets }, texts) {
	return [...pallets].flatMap(({ name: pallet, index, calls }) => {
		if (calls.isNone) return [];
		const { def } = lookup.getSiType(calls.unwrap().type);
		return [...def.asVariant.variants].map((call) => {
			const number = `${index}.${call.index}`;
			return { name: `${pallet}.${call.name}`, number, text: ended(() => number + texts.fields(call.fields)) };
		});
	});
}

/** Returns the texts about the extensions of transactions, in their order. */
function extensionsOf({ extrinsic }, texts) {
	return [...extrinsic.transactionExtensions].map(({ identifier, type, implicit }) =>
		ended(() => `${identifier}(${texts.type(type)},${texts.type(implicit)})`),
	);
}

/**
 * Returns what metadata says of transactions.
 *
 * @param {any} metadata The newest form of it, `api.registry.metadata`.
 * @returns {Described}
 */
export function describe(metadata) {
	const texts = new Texts(metadata.lookup);
	const calls = callsOf(metadata, texts).map(({ name, text }) => [name, text]);
	return { extensions: extensionsOf(metadata, texts), calls: Object.fromEntries(calls) };
}

/** Returns how `@polkadot/api` calls a call. */
const asInApi = (name) => name.split('.').map((part) => stringCamelCase(part)).join('.');

/** @returns {Difference} Where texts differ. */
function differs(what, known, found) {
	let from = 0;
	while (from < known.length && known[from] === found[from]) from++;
	// The node chose one of the texts: it may steer no terminal.
	const shown = (text) => JSON.stringify(text).slice(1, -1);
	const part = (text) => (text.length <= SHOWN ? shown(text) : `…${shown(text.slice(from, from + SHOWN))}`);
	return { what, known: part(known), found: part(found) };
}

/**
 * Returns where metadata differs from a layout, or null. New calls are no difference, if they take the place of none that
 * is known.
 *
 * @param {any} metadata
 * @param {Layout} layout
 * @returns {Difference | null}
 */
export function difference(metadata, layout) {
	const texts = new Texts(metadata.lookup);
	const extensions = extensionsOf(metadata, texts).join(' ');
	const known = layout.extensions.join(' ');
	if (extensions !== known) return differs('the extensions of transactions', known, extensions);
	const names = new Map(Object.keys(layout.calls).map((name) => [asInApi(name), name]));
	const numbers = new Map(Object.entries(layout.calls).map(([name, text]) => [text.split('(')[0], name]));
	const seen = new Set();
	for (const { name, number, text } of callsOf(metadata, texts)) {
		const known = names.get(asInApi(name));
		if (known !== undefined && layout.calls[known] !== text) return differs(known, layout.calls[known], text);
		const replaced = numbers.get(number);
		if (replaced !== known) return differs(replaced, layout.calls[replaced], `${text} of ${name}`);
		// A call is sent by its number: two of one number, or of one name, cannot be told apart.
		for (const one of [asInApi(name), number]) {
			if (seen.has(one)) return differs(name, 'one call', `two calls that are ${one}`);
			seen.add(one);
		}
	}
	return null;
}

/** What was found out about metadata, by transaction version. */
const compared = new WeakMap();

/**
 * Returns where metadata differs from the table, or null.
 *
 * @param {any} metadata
 * @param {number} transactionVersion What the node says.
 * @returns {Difference | null}
 */
export function fromTable(metadata, transactionVersion) {
	const layout = LAYOUTS.find((layout) => layout.transactionVersion === transactionVersion);
	if (layout === undefined) {
		const known = LAYOUTS.map((layout) => layout.transactionVersion).join(', ');
		return differs('the transaction version', known, String(transactionVersion));
	}
	const before = compared.get(metadata);
	if (before?.layout === layout) return before.found;
	const found = difference(metadata, layout);
	compared.set(metadata, { layout, found });
	return found;
}

/** The newest version of the runtime that the table was compared with. */
export const NEWEST = Math.max(...LAYOUTS.map(({ specVersion }) => specVersion));
