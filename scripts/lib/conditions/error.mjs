// SPDX-License-Identifier: Apache-2.0

/** Where a text is not a condition, and what was expected there. */
export class SyntaxError extends Error {
	/** @type {string} The text. */
	text;
	/** @type {number} The place: indices into the string, `end` behind it. Both are the same at the end of the text. */
	start;
	/** @type {number} */
	end;

	/**
	 * @param {string} expected
	 * @param {string} text
	 * @param {number} start
	 * @param {number} end
	 */
	constructor(expected, text, start, end) {
		super(expected);
		this.name = 'SyntaxError';
		[this.text, this.start, this.end] = [text, start, end];
	}

	/** Returns the line of the text that is in question, and below it marks under the place. */
	marked() {
		const from = this.text.lastIndexOf('\n', this.start - 1) + 1;
		const count = (text) => [...text].length;
		const line = this.text.slice(from).split('\n')[0].replace(/\p{Cc}/gu, ' ');
		const marked = this.text.slice(this.start, this.end).split('\n')[0];
		const column = count(this.text.slice(from, this.start));
		return `${line}\n${' '.repeat(column)}${'^'.repeat(Math.max(count(marked), 1))}`;
	}
}
