// SPDX-License-Identifier: Apache-2.0

// Why leaves are not found. The sentences are those of the `isthmus` command.

import { HIDDEN } from '../envelope/common.mjs';

/** Characters that would move the cursor of a terminal, or that reverse, hide or break text. */
const UNSEEN = new RegExp(`[\\p{Cc}${HIDDEN}]`, 'gu');
const SHORT = { '\t': '\\t', '\r': '\\r', '\n': '\\n' };
/** How many records an error names. */
const NAMED = 5;

/**
 * Returns text for a terminal, with such characters escaped.
 *
 * @param {string} text
 * @returns {string}
 */
export const shown = (text) =>
	text.replace(UNSEEN, (character) => SHORT[character] ?? `\\u{${character.codePointAt(0).toString(16)}}`);

/** Names records, the first few of them. */
function named(others) {
	const more = others.length - NAMED;
	const first = others.slice(0, NAMED).map(shown).join(', ');
	return more > 0 ? `${first} and ${more} more` : first;
}

/** A sentence for each reason. */
const SENTENCES = {
	NoNames: () => 'the card has no names of leaves: ask for them by their numbers',
	Unnamed: ({ name, first, last }) =>
		`the card calls no leaf ${shown(name)}: its names go from ${shown(first)} to ${shown(last)}`,
	Ambiguous: ({ name, one, other }) =>
		`the card calls both leaf ${one} and leaf ${other} ${shown(name)}: ask for them by their numbers`,
	NumberOrName: ({ number, leaf, called }) =>
		`${number} may be a number or a name: the card calls leaf ${leaf} ${shown(called)}. For leaves by their numbers, `
		+ 'leave the card out; for years, write their first and last months, such as 2019-01..2021-12',
	OtherEpoch: ({ card, asked }) =>
		`the card names the leaves of epoch ${card}, and those of epoch ${asked} are asked for: name epoch ${card}, or use a `
		+ `card of epoch ${asked}`,
	NoEpoch: ({ current }) =>
		`the card does not say of which epoch it names the leaves, and the dataset is in epoch ${current}: name the epoch, or `
		+ 'use a card that says it',
	Partly: ({ leaf, called, asked }) => `leaf ${leaf} is all of ${shown(called)}, and ${shown(asked)} is only a part of that`,
	Between: ({ leaf, from, to }) =>
		`leaf ${leaf} is among the leaves from ${shown(from)} to ${shown(to)}, and the card does not call it one of them: `
		+ 'ask for them by their numbers, in several ranges',
	OthersBetween: ({ from, to, others }) =>
		`the leaves from ${shown(from)} to ${shown(to)} also have ${named(others)}: ask for them by their numbers, or say that `
		+ 'you mean all between',
	ManyBetween: ({ from, to, leaves }) =>
		`${leaves} leaves are from ${shown(from)} to ${shown(to)}, which are too many to look at each: ask for them by their `
		+ 'numbers, or say that you mean all between',
	Backwards: ({ from, to }) => `${shown(to)} comes before ${shown(from)}`,
	NoRecord: ({ name }) =>
		`no record ${shown(name)} is finalized, or its name is hidden: ask for leaves by their numbers, or by the names in the `
		+ "dataset's card",
	Elsewhere: ({ name, dataset, epoch }) =>
		`the record ${shown(name)} is in epoch ${epoch} of dataset ${dataset}: name both, or ask for leaves by their numbers`,
	// Only here: the Rust crate reads the object, and refuses only the list of a packed folder (`PackedFolder`).
	AnObject: ({ name }) =>
		`${shown(name)} is an object, which may be the list of a packed folder, whose leaf opens none of the files: ask for `
		+ 'leaves by their numbers',
};

/** Leaves that are asked for by names or dates are not found. `name` says why (`Unnamed`), and `details` has the values. */
export class LeavesError extends Error {
	/**
	 * @param {string} name
	 * @param {Record<string, any>} [details]
	 */
	constructor(name, details = {}) {
		super(SENTENCES[name](details));
		this.name = name;
		this.details = details;
	}
}

/** A text asks for no leaves. */
export class LeavesSyntaxError extends Error {
	name = 'LeavesSyntaxError';

	constructor() {
		super('expected leaves by numbers, such as 0..10, which includes leaf 0 and ends before leaf 10, or by names or dates, '
			+ 'such as 2026-03..2026-05, which includes both');
	}
}
