// SPDX-License-Identifier: Apache-2.0

// False answers that differ from a true one in something, by its type.

import { fromHex, hex } from './sharing/encoding.mjs';

const BYTES = /^0x([0-9a-f]{2})+$/;

/**
 * Changes a value of JSON somewhere.
 *
 * @param value
 * @param {(below: number) => number} random
 * @param {string[]} corpus Texts that may stand in the place of others.
 */
export function lieAbout(value, random, corpus) {
	const pick = (list) => list[random(list.length)];
	if (Array.isArray(value)) {
		if (value.length === 0) return [pick(corpus)];
		const at = random(value.length);
		const without = value.filter((_, index) => index !== at);
		const changed = value.map((each, index) => (index === at ? lieAbout(each, random, corpus) : each));
		return pick([[], without, [...value, pick(corpus)], [...value].reverse(), changed, changed, changed]);
	}
	if (value !== null && typeof value === 'object' && Object.keys(value).length > 0) {
		const key = pick(Object.keys(value));
		return { ...value, [key]: lieAbout(value[key], random, corpus) };
	}
	if (typeof value !== 'string') return pick([null, 0, 1, -1, 2 ** 53, !value]);
	if (!BYTES.test(value)) return pick(['', '0x', '0x0', '0x1', '0xffffffff', pick(corpus)]);
	const bytes = fromHex(value);
	const at = random(bytes.length);
	const flipped = bytes.map((byte, index) => (index === at ? byte ^ (1 << random(8)) : byte));
	const inserted = [...bytes.slice(0, at), random(256), ...bytes.slice(at)];
	return pick([...Array(6).fill(hex(flipped)), hex(bytes.slice(0, at)), hex(inserted), '0x', pick(corpus)]);
}

/** Returns all texts in a value of JSON. */
export const texts = (value) =>
	typeof value === 'string' ? [value] : typeof value === 'object' ? Object.values(value ?? {}).flatMap(texts) : [];
