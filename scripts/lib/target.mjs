// SPDX-License-Identifier: Apache-2.0

// Says whether a figure meets a target. Figures depend on the machine and on what else runs there, so a missed target fails
// no test: the line is for who reads the log.

/**
 * Returns a line that begins with `met` or `MISSED`.
 *
 * @param {string} what What was measured.
 * @param {number} figure
 * @param {{most: number} | {least: number}} bound
 * @param {string} unit
 */
export function judged(what, figure, { most = Infinity, least = -Infinity }, unit) {
	const met = figure <= most && figure >= least;
	const bound = most < Infinity ? `at most ${most}` : `at least ${least}`;
	return `${met ? 'met' : 'MISSED'}: ${what}: ${figure.toFixed(figure < 100 ? 1 : 0)} ${unit}, of ${bound}`;
}
