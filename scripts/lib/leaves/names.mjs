// SPDX-License-Identifier: Apache-2.0

// What a dataset's card calls its leaves.

import { LeavesError, LeavesSyntaxError } from './errors.mjs';
import { parseLeaves } from './parser.mjs';

const DATE = /^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$/;
const NUMBER = /^[0-9]+$/;
/** How many characters a year has. */
const YEAR = 4;

/** Returns whether a text is a year, a month or a day, as ISO 8601 writes them. */
const isDate = (text) => DATE.test(text);
/** Returns whether a date is another one, or a part of it: a month of a year, for example. */
const isPart = (date, whole) => date === whole || date.startsWith(`${whole}-`);
/** Returns a date with the month and the day that it lacks. */
const filled = (date, rest) => date + rest.slice(date.length - YEAR);
/** Returns the day with which a date begins. */
const firstDay = (date) => filled(date, '-01-01');
/** Returns the day with which a date ends, as if each month had 31 days. */
const lastDay = (date) => filled(date, '-12-31');
/** Returns whether a date is in the time from one to another, both included. Days are in the order of their texts. */
const isWithin = (date, from, to) => firstDay(date) >= firstDay(from) && lastDay(date) <= lastDay(to);

/** Names of leaves. */
export class LeafNames {
	/** @type {[number, string][]} Each leaf with its name, in the order of the leaves. */
	#names;
	/** @type {number | null} The epoch whose leaves these are; null if the card does not say it. */
	epoch;

	/**
	 * @param {Map<number, string>} names
	 * @param {number | null} [epoch]
	 */
	constructor(names, epoch = null) {
		this.#names = [...names].sort(([one], [other]) => one - other);
		this.epoch = epoch;
	}

	/**
	 * Returns the leaves of an epoch that are asked for: the first one, and one past the last.
	 *
	 * @param {import('./parser.mjs').Leaves} leaves
	 * @param {{epoch: number, isNamed: boolean}} asked The epoch, and whether someone chose it. Otherwise it is the current
	 * one, and need not be the one that names are about.
	 * @returns {[number, number]}
	 * @throws {LeavesError} if the card is not about the epoch, if a number is also a name, or if the names stand for no range.
	 */
	range(leaves, { epoch, isNamed }) {
		if (this.epoch !== null && this.epoch !== epoch) {
			throw new LeavesError('OtherEpoch', { card: this.epoch, asked: epoch });
		}
		if (this.epoch === null && epoch > 0 && !isNamed) throw new LeavesError('NoEpoch', { current: epoch });
		if (!leaves.numbers) return this.find(leaves.from, leaves.to);
		for (const number of [leaves.from, leaves.to]) this.#checkNumber(number);
		return [leaves.from, leaves.to];
	}

	/** Checks that a number is not what the card calls a leaf, and no year of one. */
	#checkNumber(number) {
		const year = String(number).padStart(YEAR, '0');
		const isCalled = ([, called]) =>
			(isDate(year) && isDate(called) && isPart(called, year))
			|| (NUMBER.test(called) && BigInt(called) === BigInt(number));
		const found = this.#names.find(isCalled);
		if (found) throw new LeavesError('NumberOrName', { number, leaf: found[0], called: found[1] });
	}

	/**
	 * Returns the first of the leaves from one name or date to another one, both included, and one past the last.
	 *
	 * If both are dates, such as 2026, 2026-03 or 2026-03-31, these are the leaves whose names are dates in that time:
	 * `2026-03` is also all days of that March, and `2026-01..2026-12` also the whole year. They have to be one after
	 * another. Other names are those of single leaves.
	 *
	 * @param {string} from
	 * @param {string} to
	 * @returns {[number, number]}
	 * @throws {LeavesError} if a name is not there, or if the names stand for no range.
	 */
	find(from, to) {
		const [first, last] = isDate(from) && isDate(to) ? this.#inTime(from, to) : [this.#called(from), this.#called(to)];
		if (last < first) throw new LeavesError('Backwards', { from, to });
		return [first, last + 1];
	}

	/**
	 * Returns what the card calls leaves, as they may be asked for: `2026-03..2026-05`, or one name.
	 *
	 * @param {{epoch: number, from: number, to: number}} scope Leaves of a grant or a request. `to` is one past the last.
	 * @returns {string | null} Null if it has no names that stand for these leaves and no others.
	 */
	text({ epoch, from, to }) {
		const name = (leaf, month) => {
			const name = this.#names.find(([named]) => named === leaf)?.[1];
			// A year alone may be a number.
			return name?.length === YEAR && isDate(name) ? `${name}-${month}` : name;
		};
		const [first, last] = [name(from, '01'), name(to - 1, '12')];
		if (first === undefined || last === undefined) return null;
		const text = first === last ? first : `${first}..${last}`;
		try {
			const [start, end] = this.range(parseLeaves(text), { epoch, isNamed: false });
			return start === from && end === to ? text : null;
		} catch (error) {
			if (error instanceof LeavesError || error instanceof LeavesSyntaxError) return null;
			throw error;
		}
	}

	/** Returns the only leaf with a name. */
	#called(name) {
		const [one, other] = this.#names.filter(([, called]) => called === name).map(([leaf]) => leaf);
		if (one === undefined) throw this.#unnamed(name);
		if (other !== undefined) throw new LeavesError('Ambiguous', { name, one, other });
		return one;
	}

	/** Returns the first and the last of the leaves in a time. */
	#inTime(from, to) {
		if (to < from && !from.startsWith(to)) throw new LeavesError('Backwards', { from, to });
		const dated = this.#names.filter(([, called]) => isDate(called));
		for (const [leaf, called] of dated) {
			// The first month of a year may stand for where the year begins, and the last one for where it ends.
			const isCut = (end, day) => isPart(end, called) && day(end) !== day(called);
			const asked = isCut(from, firstDay) ? from : to;
			if (isCut(from, firstDay) || isCut(to, lastDay)) throw new LeavesError('Partly', { leaf, called, asked });
		}
		const within = dated.filter(([, called]) => isWithin(called, from, to));
		for (const end of [from, to]) {
			if (!within.some(([, called]) => isPart(called, end) || isPart(end, called))) throw this.#unnamed(end);
		}
		const [first] = within[0];
		const at = within.findIndex(([leaf], index) => leaf !== first + index);
		if (at >= 0) throw new LeavesError('Between', { leaf: first + at, from, to });
		return [first, first + within.length - 1];
	}

	#unnamed(name) {
		if (this.#names.length === 0) return new LeavesError('NoNames');
		return new LeavesError('Unnamed', { name, first: this.#names[0][1], last: this.#names.at(-1)[1] });
	}
}
