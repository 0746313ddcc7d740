// SPDX-License-Identifier: Apache-2.0

// Reads the words of conditions: names, times, ages, numbers and bytes. Each function returns undefined for other words.

import { fromDigits } from '../envelope/common.mjs';

/** The latest time that a condition can name, in seconds since 1970. */
const LATEST = 253_402_300_799;
const MAX_U32 = 0xffff_ffff;
const MAX_U128 = (1n << 128n) - 1n;
const [MIN_I64, MAX_I64] = [-(1n << 63n), (1n << 63n) - 1n];
/** The most digits that a decimal has after the point. */
const MAX_SCALE = 18;
/** The units of ages and their seconds, the largest first. */
export const UNITS = [['d', 86_400], ['h', 3_600], ['m', 60], ['s', 1]];

const isDigits = (text) => /^[0-9]+$/.test(text);
/** Whether an integer fits into 64 bits. */
const fits = (integer) => MIN_I64 <= integer && integer <= MAX_I64;

/** Reads a name. */
export const readName = (word) =>
	/^[a-z]([a-z0-9._/-]{0,46}[a-z0-9])?$/.test(word) ? word : undefined;

/** Reads `2027-01-01`, `2027-01-01T08:30Z` or `2027-01-01T08:30:00Z`. */
export function readTime(word) {
	const match = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?Z)?$/.exec(word);
	if (!match) return undefined;
	const [year, month, day, hour, minute, second] = match.slice(1).map((digits) => Number(digits ?? 0));
	const seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
	// `Date` moves what is out of range, such as February 30, into the next unit.
	const date = new Date(seconds * 1000);
	const isSame = year >= 1970 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
	return isSame && hour < 24 && minute < 60 && second < 60 && seconds <= LATEST ? seconds : undefined;
}

/** Reads an age such as `10m`, in seconds. */
export function readAge(word) {
	const unit = UNITS.find(([letter]) => word.endsWith(letter));
	if (!unit || !isDigits(word.slice(0, -1))) return undefined;
	const number = BigInt(word.slice(0, -1));
	const age = number * BigInt(unit[1]);
	return age > 0n && number <= MAX_U32 && age <= MAX_U32 ? Number(age) : undefined;
}

/** Reads 32 bytes in hexadecimal. */
export const readBytes = (word) =>
	/^0x[0-9a-fA-F]{64}$/.test(word) ? fromDigits(word.slice(2)) : undefined;

/** Reads an integer from 0 to 2^32 - 1. */
export const readNumber = (word) => (isDigits(word) && BigInt(word) <= MAX_U32 ? Number(word) : undefined);

/** Reads an integer from 0 to 2^128 - 1. */
export const readAmount = (word) => (isDigits(word) && BigInt(word) <= MAX_U128 ? BigInt(word) : undefined);

/** Reads an integer or a decimal; returns a value, or the name of what was expected. */
export function readNumeral(word) {
	const [whole, fraction] = word.replace(/^-/, '').split('.');
	if (isDigits(word.replace(/^-/, ''))) return fits(BigInt(word)) ? { integer: BigInt(word) } : 'Integer';
	if (!/^-?[0-9]+\.[0-9]+$/.test(word)) return 'Constant';
	const digits = fraction.replace(/0+$/, '');
	const magnitude = BigInt(whole + digits);
	let [mantissa, scale] = [word.startsWith('-') ? -magnitude : magnitude, digits.length];
	if (mantissa === 0n) scale = 0;
	return fits(mantissa) && scale <= MAX_SCALE ? { decimal: { mantissa, scale } } : 'Decimal';
}
