// SPDX-License-Identifier: Apache-2.0

// The attack report in docs/security.md: reads the attacks' outcomes and writes the table. attack.mjs carries out
// the attacks.

/**
 * The outcome of an attack.
 *
 * @typedef {object} Outcome
 * @property {string} attack The attack's name in kebab case. Several outcomes may have the same name.
 * @property {string} title The attack's title in the table.
 * @property {string} promise What the paper promises, and where.
 * @property {string} observed What was observed, in a sentence or two.
 * @property {Record<string, number | string | boolean>} figures The counts and measurements.
 * @property {boolean} held Whether the defence did what docs/security.md says.
 */

/** A line is not a valid outcome, or a document has no place for the table. */
export class ReportError extends Error {
	name = 'ReportError';
}

/** The order of the attacks in the table. Other attacks come last. */
const ORDER = [
	'tampered-data',
	'tampered-block',
	'forged-block',
	'private-fork',
	'private-fork-final',
	'selfish-mining',
	'back-dating',
	'flood',
	'replayed-extrinsic',
	'replayed-grant',
	'unauthorised-query',
	'refused-store',
	'revoked-reader',
];

/** The fields of an outcome, each with a function that checks it. */
const FIELDS = {
	attack: (value) => typeof value === 'string' && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(value),
	title: isText,
	promise: isText,
	observed: isText,
	figures: (value) =>
		value !== null && typeof value === 'object' && !Array.isArray(value) && Object.values(value).every(isFigure),
	held: (value) => typeof value === 'boolean',
};

function isText(value) {
	return typeof value === 'string' && value.trim() !== '';
}

function isFigure(value) {
	return Number.isFinite(value) || typeof value === 'string' || typeof value === 'boolean';
}

/** Parses outcomes from JSON objects, one per line. */
export function parseOutcomes(text) {
	return text
		.split('\n')
		.map((line, index) => [line, index + 1])
		.filter(([line]) => line.trim() !== '')
		.map(([line, number]) => {
			let outcome;
			try {
				outcome = JSON.parse(line);
			} catch {
				throw new ReportError(`line ${number} is not JSON: ${line.slice(0, 60)}`);
			}
			return checked(outcome, `line ${number}`);
		});
}

/** Checks that an outcome has every field, and returns it. */
export function checked(outcome, where = 'the outcome') {
	for (const [field, isValid] of Object.entries(FIELDS)) {
		if (!isValid(outcome?.[field])) throw new ReportError(`${where} is not an outcome: "${field}" is wrong or missing`);
	}
	return outcome;
}

/** Sorts outcomes into the table's order. */
function ordered(outcomes) {
	const place = ({ attack }) => {
		const at = ORDER.findIndex((name) => attack === name || attack.startsWith(`${name}-`));
		const exact = ORDER.indexOf(attack);
		if (exact >= 0) return exact;
		return at >= 0 ? at : ORDER.length;
	};
	return [...outcomes].sort((a, b) => place(a) - place(b));
}

/** Returns the table in Markdown. */
export function table(outcomes) {
	const rows = ordered(outcomes).map((outcome) => {
		const { title, promise, observed, held } = outcome;
		return [title, promise, held ? observed : `**Not held.** ${observed}`, figures(outcome)];
	});
	return [['attack', "the paper's promise", 'observed', 'figures'], ['---', '---', '---', '---'], ...rows]
		.map((cells) => `| ${cells.map(cell).join(' | ')} |`)
		.join('\n');
}

/** Escapes text so that it stays within its cell. */
function cell(text) {
	return text.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ').trim();
}

/** Returns an outcome's figures in readable form. */
export function figures({ figures: all }) {
	if (isRace(all)) return race(all);
	return Object.entries(all)
		.map(([name, value]) => `${words(name)} ${typeof value === 'number' ? number(value) : value}`)
		.join(', ');
}

/** Returns whether the figures are from a race, whose rate can be compared with the formulas. */
function isRace(all) {
	return ['q', 'z', 'trials', 'reversals'].every((name) => Number.isFinite(all[name]));
}

function race({ q, z, trials, reversals, finality, heavier_forks_published: published, ...rest }) {
	const counted = `q = ${q}, z = ${z}: ${number(reversals)} of ${number(trials)} reversed`;
	// The formulas do not apply if blocks are finalized.
	if (finality) return `${counted}, ${number(published)} forks were heavier`;
	const { low, high } = wilson(reversals, trials);
	const interval = `99.9 % interval ${percent(low)} to ${percent(high)}`;
	const formulas = `exact ${percent(rest.exact)}; Eq. 3 ${percent(rest.equation_3)}`;
	return `${counted}, ${percent(reversals / trials)} (${interval}); ${formulas}`;
}

/** Splits `cpu_seconds` or `cpuSeconds` into words. */
function words(name) {
	return name
		.replaceAll('_', ' ')
		.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
		.toLowerCase();
}

/** Formats whole numbers with thousands separators, and other numbers with three significant digits. */
function number(value) {
	if (Number.isInteger(value)) return value.toLocaleString('en-US');
	return String(Number(value.toPrecision(3)));
}

function percent(part) {
	return `${number(100 * part)} %`;
}

/** How many standard deviations around its mean contain 99.9 % of a normal distribution. */
const DEVIATIONS = 3.2905267314919255;

/** Returns Wilson's score interval at 99.9 %, as `isthmus-security` does (`interval.rs`). */
export function wilson(successes, trials) {
	const spread = DEVIATIONS ** 2 / trials;
	const rate = successes / trials;
	const middle = rate + spread / 2;
	const half = Math.sqrt(spread * (rate * (1 - rate) + spread / 4));
	return {
		low: successes === 0 ? 0 : (middle - half) / (1 + spread),
		high: successes === trials ? 1 : (middle + half) / (1 + spread),
	};
}

/** Returns the input for `isthmus risk --plot … --measured`: the results of the races, one per line. */
export function measured(outcomes) {
	return outcomes
		.filter(({ attack, figures: all }) => attack === 'private-fork' && isRace(all))
		.map(({ figures: { q, z, trials, reversals } }) =>
			JSON.stringify({ share: q, depth: z, trials, successes: reversals }),
		)
		.join('\n');
}

/** The lines that enclose the generated part of a document. */
export const BEGIN = '<!-- written by scripts/attack: begin -->';
export const END = '<!-- written by scripts/attack: end -->';

/** Replaces the text between the two marks in a document. */
export function withTable(document, text) {
	const [begin, end] = [BEGIN, END].map((mark) => {
		const at = document.indexOf(mark);
		if (at < 0) throw new ReportError(`the document has no line "${mark}"`);
		if (document.indexOf(mark, at + 1) >= 0) throw new ReportError(`the document has "${mark}" twice`);
		return at;
	});
	if (end < begin) throw new ReportError('the document ends the table before it begins it');
	return `${document.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${document.slice(end)}`;
}

/** Returns the summary line and the table. */
export function report(outcomes, { version, date }) {
	const held = outcomes.filter((outcome) => outcome.held).length;
	const count = `${outcomes.length} outcomes, ${held === outcomes.length ? 'all' : held} as this page describes them`;
	return `Run on ${date} against ${version}: ${count}.\n\n${table(outcomes)}`;
}
