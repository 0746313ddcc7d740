// SPDX-License-Identifier: Apache-2.0

// Reads the card of a dataset: docs/cli.md describes cards. They are Croissant 1.1 (https://mlcommons.org/croissant).

const CONFORMS = 'http://mlcommons.org/croissant/1.1';
const EMPTY = /^\p{White_Space}*$/u;

/** A text is not a dataset's card. */
export class CardError extends Error {
	/**
	 * @param {string} name
	 * @param {string} message
	 */
	constructor(name, message) {
		super(message);
		this.name = name;
	}
}

/**
 * What a card says that programs look for.
 *
 * @typedef {object} Card
 * @property {string} name The dataset's name.
 * @property {string} description What is in it.
 * @property {string | null} license The address of its licence, or its name.
 * @property {string | null} date The day on which the card was made.
 * @property {string[]} keywords Words to find it by.
 * @property {number | null} epoch The epoch whose leaves have these names; null if the card does not say it.
 * @property {Map<number, string>} leaves What leaves are called.
 * @property {string[]} formats The media types of its files.
 * @property {string[]} columns The names of its columns.
 */

const lacks = (what) => new CardError('Lacks', `the card has to have ${what}`);
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === 'string';
/** Returns whether a value is a number that can be counted to. */
const isCount = (value) => Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
/** Returns the items of a list. JSON-LD writes a list of one item also as the item. */
const several = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
const own = (value, field) => (isObject(value) && Object.hasOwn(value, field) ? value[field] : undefined);

/** Reads the map of leaves. */
function leavesOf(listed) {
	const leaves = new Map();
	for (const leaf of listed) {
		const [number, name] = [own(leaf, 'isthmus:number'), own(leaf, 'name')];
		if (!isCount(number) || !isText(name) || name === '' || leaves.has(number)) {
			throw lacks('a number and a name for each "isthmus:leaf", and no number twice');
		}
		leaves.set(number, name);
	}
	return leaves;
}

/** Reads JSON in UTF-8, without a byte order mark. */
function json(text) {
	try {
		return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text));
	} catch (error) {
		throw new CardError('Json', `the card is not JSON: ${error.message}`);
	}
}

/**
 * Reads the card of a dataset, and checks it as far as that can be done without the chain.
 *
 * @param {Uint8Array} text
 * @param {string} owner The owner's address.
 * @param {number} dataset
 * @returns {Card}
 * @throws {CardError}
 */
export function readCard(text, owner, dataset) {
	const card = json(text);
	if (!isObject(card)) throw new CardError('Json', 'the card is not JSON: it is no object');
	const expected = { '@type': 'sc:Dataset', conformsTo: CONFORMS, url: `isthmus://${owner}/${dataset}` };
	for (const [field, value] of Object.entries(expected)) {
		if (own(card, field) !== value) throw lacks(`${JSON.stringify(field)}: ${JSON.stringify(value)}`);
	}
	const written = (field) => {
		const value = own(card, field);
		if (!isText(value) || EMPTY.test(value)) throw lacks(`a text as ${JSON.stringify(field)}`);
		return value;
	};
	const maybe = (field) => (isText(own(card, field)) ? own(card, field) : null);
	const within = (of, field) => several(own(card, of)).flatMap((item) => several(own(item, field)));
	const epoch = own(card, 'isthmus:epoch');
	const [name, description] = ['name', 'description'].map(written);
	if (epoch !== undefined && !(isCount(epoch) && epoch < 2 ** 32)) throw lacks('the number of an epoch as "isthmus:epoch"');
	return {
		...{ name, description, license: maybe('license'), date: maybe('datePublished') },
		keywords: several(own(card, 'keywords')).filter(isText),
		epoch: epoch ?? null,
		leaves: leavesOf(several(own(card, 'isthmus:leaf'))),
		formats: [...new Set(within('distribution', 'encodingFormat').filter(isText))].sort(),
		columns: within('recordSet', 'field').map((field) => own(field, 'name')).filter(isText),
	};
}
