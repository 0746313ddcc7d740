// SPDX-License-Identifier: Apache-2.0

// Parses conditions, by one function for each rule of the grammar, as primitives/conditions/src/syntax/parser.rs does.

import { utf8 } from '../envelope/common.mjs';
import { SyntaxError } from './error.mjs';
import { readAge, readAmount, readBytes, readName, readNumber, readNumeral, readTime } from './values.mjs';

const MAX_DEPTH = 4;
const MAX_NODES = 32;
/** How deep parentheses can be in one another. They may be redundant, so this is more than MAX_DEPTH. */
const MAX_NESTING = 32;
/** The maximum length of a text in bytes. */
const MAX_TEXT_SIZE = 64;

const COMPARISONS = ['=', '!=', '<', '<=', '>', '>='];
/** The symbols; of two that begin alike, the longer one comes first. */
const SYMBOLS = ['(', ')', ',', '!=', '<=', '>=', '=', '<', '>'];

/** What can be expected, in the words of the Rust crate. */
const EXPECTED = {
	Part: 'expected a test (before, after, fact, credential, granted, paid or count), `not` or `(`',
	End: 'expected `and`, `or` or the end',
	Closing: 'expected `and`, `or` or `)`',
	Name: 'expected a name: a name has 1 to 48 characters: lowercase letters, digits, `.`, `_`, `-` and `/`; it begins with '
		+ 'a letter, and ends with a letter or a digit',
	Time: 'expected a time, such as 2027-01-01 or 2027-01-01T08:30:00Z, in the years 1970 to 9999',
	Age: 'expected an age, such as 90s, 10m, 2h or 7d, of at least one second and at most 49710d',
	Account: 'expected an account: 0x and 64 hexadecimal digits',
	Number: 'expected a number from 0 to 4294967295',
	Amount: 'expected an amount in the currency\'s smallest unit: an integer that is not negative',
	Comparison: 'expected a comparison: `=`, `!=`, `<`, `<=`, `>` or `>=`',
	Constant: 'expected an integer, a decimal, a text in double quotes or a hash (0x and 64 hexadecimal digits)',
	Integer: 'expected an integer of 64 bits: a longer number is a text or a hash',
	Decimal: 'expected a shorter decimal: a decimal has at most 18 digits after the point, and without its point it is a '
		+ '64-bit integer',
	Text: 'expected a shorter text: a text has at most 64 bytes in UTF-8',
	Quote: 'expected a closing double quote',
	Escape: 'expected an escape: `\\"`, `\\\\` or `\\u{…}` with the number of a character',
	TooDeep: 'expected a smaller condition: a condition has at most 4 levels',
	TooManyNodes: 'expected a smaller condition: a condition has at most 32 nodes',
	NotOrdered: 'expected a smaller condition: texts and hashes compare only by `=` and `!=`',
};

/** Returns the first token after a place: its kind, its text, and where it begins and ends. */
function tokenAfter(text, from) {
	const start = from + /^[ \t\r\n]*/.exec(text.slice(from))[0].length;
	const rest = text.slice(start);
	const token = (kind, length) => ({ kind, text: rest.slice(0, length), start, end: start + length });
	if (!rest) return token('end', 0);
	const symbol = SYMBOLS.find((symbol) => rest.startsWith(symbol));
	if (symbol) return token('symbol', symbol.length);
	if (rest.startsWith('"')) {
		const quoted = /^"(?:[^"\\]|\\[^])*"/.exec(rest);
		return quoted ? token('quoted', quoted[0].length) : token('unclosed', rest.length);
	}
	const word = /^[A-Za-z0-9._/:-]+/.exec(rest);
	return word ? token('word', word[0].length) : token('other', [...rest][0].length);
}

class Parser {
	#text;
	/** The next token, which is not consumed yet. */
	#token;
	/** Where the last consumed token ended. */
	#end = 0;
	#nodes = 0;
	#nesting = 0;

	constructor(text) {
		this.#text = text;
		this.#token = tokenAfter(text, 0);
	}

	#error(expected, { start, end }) {
		return new SyntaxError(EXPECTED[expected] ?? `expected \`${expected}\``, this.#text, start, end);
	}

	/** Returns the error that the next token is not what was expected. */
	#wrong(expected) {
		return this.#error(this.#token.kind === 'unclosed' ? 'Quote' : expected, this.#token);
	}

	#advance() {
		const token = this.#token;
		this.#end = token.end;
		this.#token = tokenAfter(this.#text, token.end);
		return token;
	}

	#is(kind, text) {
		return this.#token.kind === kind && this.#token.text === text;
	}

	#symbol(symbol) {
		if (!this.#is('symbol', symbol)) throw this.#wrong(symbol);
		this.#advance();
	}

	/** Consumes a word that `read` accepts. */
	#word(expected, read) {
		const value = this.#token.kind === 'word' ? read(this.#token.text) : undefined;
		if (value === undefined) throw this.#wrong(expected);
		this.#advance();
		return value;
	}

	/** Counts a node that begins at `start`, and refuses it if it is one too many or too deep. */
	#node(start, node, levels) {
		this.#nodes += 1;
		const place = { start, end: this.#end };
		if (levels > MAX_DEPTH) throw this.#error('TooDeep', place);
		if (this.#nodes > MAX_NODES) throw this.#error('TooManyNodes', place);
		return { node, levels };
	}

	/** Descends into a parenthesis or a `not`. */
	#nested(parse) {
		if (this.#nesting === MAX_NESTING) throw this.#wrong('TooDeep');
		this.#nesting += 1;
		const parsed = parse();
		this.#nesting -= 1;
		return parsed;
	}

	/** Consumes a condition, and nothing after it. */
	whole() {
		const { node } = this.#condition();
		if (this.#token.kind !== 'end') throw this.#wrong('End');
		return node;
	}

	/** Consumes a constant, and nothing after it. */
	value() {
		const value = this.#constant();
		if (this.#token.kind !== 'end') throw this.#wrong('Constant');
		return value;
	}

	#condition() {
		return this.#joined('or', 'any', () => this.#joined('and', 'all', () => this.#part()));
	}

	/** Consumes one part, or several with a keyword between them. */
	#joined(keyword, test, part) {
		const { start } = this.#token;
		const parts = [part()];
		if (!this.#is('word', keyword)) return parts[0];
		while (this.#is('word', keyword)) {
			this.#advance();
			parts.push(part());
		}
		const levels = Math.max(...parts.map((part) => part.levels));
		return this.#node(start, { test, parts: parts.map(({ node }) => node) }, levels + 1);
	}

	#part() {
		const { start, kind, text } = this.#token;
		if (this.#is('symbol', '(')) {
			return this.#nested(() => {
				this.#advance();
				const inner = this.#condition();
				if (!this.#is('symbol', ')')) throw this.#wrong('Closing');
				this.#advance();
				return inner;
			});
		}
		if (this.#is('word', 'not')) {
			const { node, levels } = this.#nested(() => {
				this.#advance();
				return this.#part();
			});
			return this.#node(start, { test: 'not', part: node }, levels + 1);
		}
		const test = kind === 'word' && Object.hasOwn(this.#tests, text) ? this.#tests[text] : undefined;
		if (!test) throw this.#wrong('Part');
		this.#advance();
		return this.#node(start, test(), 1);
	}

	/** The tests by their keywords, which are consumed already. */
	#tests = {
		before: () => ({ test: 'before', time: this.#time() }),
		after: () => ({ test: 'after', time: this.#time() }),
		fact: () => this.#fact(),
		credential: () => {
			const [issuer, kind] = this.#two(() => this.#word('Account', readBytes), () => this.#word('Name', readName));
			return { test: 'credential', issuer, kind };
		},
		granted: () => {
			const [owner, dataset] = this.#two(() => this.#word('Account', readBytes), () => this.#word('Number', readNumber));
			return { test: 'granted', owner, dataset };
		},
		paid: () => {
			this.#symbol('>=');
			return { test: 'paid', amount: this.#word('Amount', readAmount) };
		},
		count: () => {
			this.#symbol('<');
			return { test: 'count', below: this.#word('Number', readNumber) };
		},
	};

	/** Consumes two things in parentheses. */
	#two(first, second) {
		this.#symbol('(');
		const one = first();
		this.#symbol(',');
		const other = second();
		this.#symbol(')');
		return [one, other];
	}

	#time() {
		this.#symbol('(');
		const time = this.#word('Time', readTime);
		this.#symbol(')');
		return time;
	}

	#fact() {
		this.#symbol('(');
		const source = this.#word('Name', readName);
		this.#symbol(',');
		const topic = this.#word('Name', readName);
		let oldest = null;
		if (this.#is('symbol', ',')) {
			this.#advance();
			oldest = this.#word('Age', readAge);
		}
		this.#symbol(')');
		if (this.#token.kind !== 'symbol' || !COMPARISONS.includes(this.#token.text)) throw this.#wrong('Comparison');
		const compared = this.#advance();
		const [comparison, constant] = [compared.text, this.#constant()];
		const isNumber = 'integer' in constant || 'decimal' in constant;
		if (!isNumber && !['=', '!='].includes(comparison)) throw this.#error('NotOrdered', compared);
		return { test: 'fact', source, topic, oldest, comparison, constant };
	}

	#constant() {
		const { kind, text } = this.#token;
		let value = 'Constant';
		if (kind === 'quoted') value = this.#quoted();
		else if (kind === 'word' && text.startsWith('0x')) value = readBytes(text) ? { hash: readBytes(text) } : 'Constant';
		else if (kind === 'word') value = readNumeral(text);
		if (typeof value === 'string') throw this.#wrong(value);
		this.#advance();
		return value;
	}

	/** Reads the text between two double quotes. */
	#quoted() {
		const quoted = this.#token.text.slice(1, -1);
		let text = '';
		for (let at = 0; at < quoted.length;) {
			const [character] = quoted.slice(at);
			if (character !== '\\') {
				const [whole] = [...quoted.slice(at, at + 2)];
				text += whole;
				at += whole.length;
				continue;
			}
			const [escape, code, itself] = /^\\(?:u\{([0-9a-fA-F]{1,6})\}|(["\\]))/.exec(quoted.slice(at)) ?? [];
			const number = parseInt(code, 16);
			const isCharacter = itself || (number <= 0x10_ffff && !(number >= 0xd800 && number <= 0xdfff));
			if (!escape || !isCharacter) {
				const start = this.#token.start + 1 + at;
				const length = [...quoted.slice(at)].slice(0, 2).join('').length;
				throw this.#error('Escape', { start, end: start + length });
			}
			text += itself ?? String.fromCodePoint(number);
			at += escape.length;
		}
		return utf8(text).length <= MAX_TEXT_SIZE ? { text } : 'Text';
	}
}

/** Replaces halves of surrogate pairs, which are no characters. `toWellFormed` does this in newer versions of Node.js. */
const wellFormed = (text) => text.replace(/\p{Surrogate}/gu, '\ufffd');

/**
 * Parses a condition.
 *
 * @param {string} text
 * @returns {import('../conditions.mjs').Condition}
 * @throws {SyntaxError} It says what was expected, and where.
 */
export const parse = (text) => new Parser(wellFormed(text)).whole();

/**
 * Parses a value, written as in a condition.
 *
 * @param {string} text
 * @returns {import('../conditions.mjs').Value}
 * @throws {SyntaxError}
 */
export const parseValue = (text) => new Parser(wellFormed(text)).value();
