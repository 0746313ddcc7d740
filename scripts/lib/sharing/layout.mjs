// SPDX-License-Identifier: Apache-2.0

// The layout of what is signed: the index and the arguments of each call, and the extensions of a transaction.
//
// `@polkadot/api` encodes calls by the metadata that a node gives, and a node could exchange two calls with arguments of the
// same types. So the metadata is compared with a table that comes with this library. There is one layout for each
// `transactionVersion`: it rises when the encoding of a call or of an extension changes, and a signature covers it, so that a
// false one is worth nothing on the chain.
//
// The table, `layouts.mjs`, is the Rust crate's `client/sdk`, too. `scripts/layouts.mjs` renews it.

import { TypeRegistry } from '@polkadot/types';
import { stringCamelCase } from '@polkadot/util';
import { NotProven } from '../light/errors.mjs';
import { OlderRuntime, Outdated } from './errors.mjs';
import LAYOUTS from './layouts.mjs';

/** @typedef {{extensions: string[], calls: Record<string, string>}} Described What metadata says of transactions. */
/** @typedef {Described & {transactionVersion: number, specVersion: number}} Layout */
/** @typedef {{what: string, known: string, found: string}} Difference Where a node's metadata differs from the table. */

/** The types that clients encode by their own rules, and not by the metadata. Each call within a call is compared on its own. */
const NOT_DESCRIBED = ['isthmus_runtime::RuntimeCall', 'sp_runtime::generic::era::Era'];
/** The types that `@polkadot/api` encodes by their parameters, and no text describes. No call of the chain has one. */
const BY_PARAMETERS = ['Result', 'Range', 'RangeInclusive', 'BTreeMap', 'BTreeSet'];
/** A name. With other characters in it, one text could describe two types. */
const NAME = /^\w+$/;
/** How deep types may be in each other, and how long the text about one may be. The chain's types are far below. */
const DEEPEST = 32;
const LONGEST = 16 * 1024;
/** How much of a text an error shows. */
const SHOWN = 100;
/** What differs if the table does not have the transaction version. */
const VERSION = 'the transaction version';
/** The text about types that go on for ever. It is like nothing in the table. */
const ENDLESS = 'types without end';
/** The texts about what no text describes. They are like nothing in the table, either. */
const NO_NAME = 'a name with other characters than letters, digits and underscores';
const NO_TEXT = 'a type that its parameters describe';

/** Metadata says something that has no text. The message says what. */
class NoText extends Error {}

/** @returns {string} A name that metadata gives. */
function named(name) {
	const text = name.toString();
	if (!NAME.test(text)) throw new NoText(NO_NAME);
	return text;
}

/**
 * Refuses a type that `@polkadot/api` encodes by its parameters, if these can differ from its definition, and a path where
 * none can be.
 */
function checkParameters({ def, params, path }) {
	if (path.length === 0) return;
	const [first, last] = [path[0].toString(), path[path.length - 1].toString()];
	const isOpaque = ['WrapperOpaque', 'WrapperKeepOpaque'].includes(last);
	if (isOpaque || BY_PARAMETERS.includes(first) || def.isPrimitive || def.isBitSequence) throw new NoText(NO_TEXT);
	if (first !== 'Option') return;
	const [none, some, ...others] = def.isVariant ? def.asVariant.variants : [];
	const isOption = others.length === 0 && none?.fields.length === 0 && some?.fields.length === 1 && params.length === 1;
	const parameter = isOption && params[0].type.isSome ? params[0].type.unwrap() : undefined;
	if (parameter?.toNumber() !== some?.fields[0]?.type.toNumber()) throw new NoText(NO_TEXT);
}

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
		if (within.length >= DEEPEST) throw new NoText(ENDLESS);
		const described = this.#lookup.getSiType(type);
		checkParameters(described);
		// All of the path: `@polkadot/api` encodes some types by it.
		const name = [...described.path].map(named).join('::');
		const text = NOT_DESCRIBED.includes(name) ? name : name + this.#definition(described.def, [...within, id]);
		if (text.length > LONGEST) throw new NoText(ENDLESS);
		if (!text.includes('^')) this.#closed.set(id, text);
		return text;
	}

	#definition(def, within) {
		const text = (type) => this.type(type, within);
		if (def.isComposite) return this.fields(def.asComposite.fields, within);
		if (def.isVariant) {
			const variants = [...def.asVariant.variants].sort((one, other) => one.index.toNumber() - other.index.toNumber());
			const parts = variants.map(({ index, name, fields }) =>
				`${index}:${named(name)}${fields.length === 0 ? '' : this.fields(fields, within)}`,
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
			return name.isSome ? `${named(name.unwrap())}:${text}` : text;
		});
		return `(${parts.join(',')})`;
	}
}

/** Returns a text, or why there is none. */
function ended(text) {
	try {
		return text();
	} catch (error) {
		return error instanceof NoText ? error.message : ENDLESS;
	}
}

/** Returns the numbers of the calls in metadata, with their texts, also if it has several of one name. */
function callsOf({ lookup, pallets }, texts) {
	return [...pallets].flatMap(({ name: pallet, index, calls }) => {
		if (calls.isNone) return [];
		const { def } = lookup.getSiType(calls.unwrap().type);
		return [...def.asVariant.variants].map((call) => {
			const number = `${index}.${call.index}`;
			const isNamed = [pallet, call.name].every((name) => NAME.test(name.toString()));
			return { name: `${pallet}.${call.name}`, isNamed, number, text: ended(() => number + texts.fields(call.fields)) };
		});
	});
}

/** Returns the texts about the extensions of transactions, in their order. */
function extensionsOf({ extrinsic }, texts) {
	return [...extrinsic.transactionExtensions].map(({ identifier, type, implicit }) =>
		ended(() => `${named(identifier)}(${texts.type(type)},${texts.type(implicit)})`),
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
	return { what: shown(what), known: part(known), found: part(found) };
}

/** The types of `@polkadot/api` itself. */
let ownTypes;

/**
 * Returns where metadata gives a type the name of one of `@polkadot/api`, which it would be encoded as from then on, or says
 * that another type is a call or an event.
 *
 * @returns {Difference | null}
 */
function replaced(lookup) {
	ownTypes ??= new TypeRegistry();
	const taken = lookup.names.find((name) => !NAME.test(name) || ownTypes.isLookupType(name) || ownTypes.hasType(name));
	if (taken !== undefined) return differs('a type', 'no type that `@polkadot/api` has', taken);
	for (const [of, at, known] of [
		['SpRuntimeUncheckedExtrinsic', 1, 'isthmus_runtime::RuntimeCall'],
		['FrameSystemEventRecord', 0, 'isthmus_runtime::RuntimeEvent'],
	]) {
		const type = lookup.paramTypes[of]?.[at]?.type;
		const found = type?.isSome ? lookup.getSiType(type.unwrap()).path.join('::') : known;
		if (found !== known) return differs(`a parameter of ${of}`, known, found);
	}
	return null;
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
	const other = replaced(metadata.lookup);
	if (other !== null) return other;
	const extensions = extensionsOf(metadata, texts);
	const known = layout.extensions;
	if (known.length !== extensions.length || known.some((extension, at) => extension !== extensions[at])) {
		return differs('the extensions of transactions', known.join(' '), extensions.join(' '));
	}
	const names = new Map(Object.keys(layout.calls).map((name) => [asInApi(name), name]));
	const numbers = new Map(Object.entries(layout.calls).map(([name, text]) => [text.split('(')[0], name]));
	const seen = new Set();
	for (const { name, isNamed, number, text } of callsOf(metadata, texts)) {
		if (!isNamed) return differs(name, 'a name of letters, digits and underscores', text);
		const known = names.get(asInApi(name));
		if (known !== undefined && layout.calls[known] !== text) return differs(known, layout.calls[known], text);
		const place = numbers.get(number);
		if (place !== known) return differs(place, layout.calls[place], `${text} of ${name}`);
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
		return differs(VERSION, known, String(transactionVersion));
	}
	const before = compared.get(metadata);
	if (before?.layout === layout) return before.found;
	const found = difference(metadata, layout);
	compared.set(metadata, { layout, found });
	return found;
}

/** The versions of the runtime that the table was compared with. */
const RUNTIMES = LAYOUTS.map(({ specVersion }) => specVersion);
const [OLDEST, NEWEST] = [Math.min(...RUNTIMES), Math.max(...RUNTIMES)];

/**
 * Returns the error of a difference: the chain is proven to have another runtime than this library knows, or the node is
 * wrong. Nothing was signed.
 *
 * @param {Difference} difference
 * @param {number | null} runtime The version of the chain's runtime, if it is proven.
 * @returns {Outdated | OlderRuntime | NotProven}
 */
export function errorOf({ what, known, found }, runtime) {
	const message = `nothing was signed, because the node's metadata has for ${what}: \`${found}\`, and not \`${known}\``;
	const proven = `the chain's runtime has version ${runtime}`;
	if (runtime !== null && runtime > NEWEST) {
		return new Outdated(`${proven}, and this library knows versions up to ${NEWEST}; ${message}`);
	}
	if (what !== VERSION) return new NotProven('FalseMetadata', message);
	if (runtime !== null && runtime < OLDEST) {
		return new OlderRuntime(`${proven}, older than ${OLDEST}, the first one that this library signs for; ${message}`);
	}
	const unless = 'if the chain was upgraded, wait until that is final, and try again';
	return new NotProven('FalseMetadata', `${message}; ${unless}`);
}
