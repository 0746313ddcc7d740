// SPDX-License-Identifier: Apache-2.0

// Shows conditions in their canonical form.

import { toDigits } from '../envelope/common.mjs';
import { UNITS } from './values.mjs';

const hex = (bytes) => `0x${toDigits(bytes)}`;

/** Shows a time: without the hour if it is midnight. */
function showTime(seconds) {
	const text = new Date(seconds * 1000).toISOString();
	return seconds % 86_400 === 0 ? text.slice(0, 10) : `${text.slice(0, 19)}Z`;
}

/** Shows an age in its largest whole unit. */
function showAge(age) {
	const [unit, seconds] = UNITS.find(([, seconds]) => age % seconds === 0);
	return `${age / seconds}${unit}`;
}

/** Shows a decimal with its point, and at least one digit on either side. */
function showDecimal({ mantissa, scale }) {
	const digits = String(mantissa < 0n ? -mantissa : mantissa).padStart(scale + 1, '0');
	const whole = digits.slice(0, digits.length - scale);
	return `${mantissa < 0n ? '-' : ''}${whole}.${digits.slice(digits.length - scale) || '0'}`;
}

/** Shows a text in double quotes, with escapes for all but letters, digits and the visible characters of Latin-1. */
function showText(text) {
	const shown = [...text].map((character) => {
		if (character === '"' || character === '\\') return `\\${character}`;
		const isPlain = /^[ -~\u{a1}-\u{ac}\u{ae}-\u{ff}\p{Alphabetic}\p{N}]$/u.test(character);
		return isPlain ? character : `\\u{${character.codePointAt(0).toString(16)}}`;
	});
	return `"${shown.join('')}"`;
}

/**
 * Shows a value as it is written in a condition.
 *
 * @param {import('../conditions.mjs').Value} value
 * @returns {string}
 */
export function showValue(value) {
	if ('integer' in value) return String(value.integer);
	if ('decimal' in value) return showDecimal(value.decimal);
	return 'text' in value ? showText(value.text) : hex(value.hash);
}

const showFact = ({ source, topic, oldest, comparison, constant }) =>
	`fact(${source}, ${topic}${oldest === null ? '' : `, ${showAge(oldest)}`}) ${comparison} ${showValue(constant)}`;

/** Shows a part, in parentheses if it has parts itself. */
const showPart = (part) => (part.parts ? `(${show(part)})` : show(part));

const SHOWN = {
	all: ({ parts }) => parts.map(showPart).join(' and '),
	any: ({ parts }) => parts.map(showPart).join(' or '),
	not: ({ part }) => `not ${showPart(part)}`,
	before: ({ time }) => `before(${showTime(time)})`,
	after: ({ time }) => `after(${showTime(time)})`,
	fact: showFact,
	credential: ({ issuer, kind }) => `credential(${hex(issuer)}, ${kind})`,
	granted: ({ owner, dataset }) => `granted(${hex(owner)}, ${dataset})`,
	paid: ({ amount }) => `paid >= ${amount}`,
	count: ({ below }) => `count < ${below}`,
};

/**
 * Returns a condition in its canonical form.
 *
 * @param {import('../conditions.mjs').Condition} node
 * @returns {string}
 */
export function show(node) {
	return SHOWN[node.test](node);
}
