// SPDX-License-Identifier: Apache-2.0

// Makes a school's records for the demo: the marks and missed lessons of fictitious students, by month. The file is the
// same every time.

/** The months in the file, in order. */
export const MONTHS = Array.from({ length: 12 }, (_, i) => `2025-${String(i + 1).padStart(2, '0')}`);

const STUDENTS = 300;
const CLASSES = ['7A', '7B', '8A', '8B', '9A', '9B', '10A', '10B', '11A', '11B'];
const HEADER = 'month,student,class,mathematics,language,science,lessons_missed\n';

/** Returns a generator of numbers in [0, 1), the same for the same seed (mulberry32). */
function randomNumbers(seed) {
	return () => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Makes the file: a header, and a row for each student and month. */
export function studentsCsv() {
	const next = randomNumbers(2025);
	const ability = Array.from({ length: STUDENTS }, () => 40 + 50 * next());
	const mark = (mean) => Math.round(Math.min(100, Math.max(0, mean + 20 * (next() - 0.5))));
	let csv = HEADER;
	for (const month of MONTHS) {
		for (let i = 0; i < STUDENTS; i++) {
			const student = `S${String(i + 1).padStart(4, '0')}`;
			const marks = [mark(ability[i]), mark(ability[i]), mark(ability[i])];
			const missed = Math.floor(8 * next() ** 3);
			csv += `${[month, student, CLASSES[i % CLASSES.length], ...marks, missed].join()}\n`;
		}
	}
	return csv;
}

/** Returns the rows of these months, under the file's header. */
export function monthsOf(csv, months) {
	const rows = csv.slice(HEADER.length).split(/(?<=\n)/);
	return HEADER + rows.filter((row) => months.some((month) => row.startsWith(`${month},`))).join('');
}

/** Joins files that have the same header into one. */
export function joinCsv(files) {
	return files.map((file, i) => (i === 0 ? file : file.slice(HEADER.length))).join('');
}
