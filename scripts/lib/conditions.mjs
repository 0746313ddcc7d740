// SPDX-License-Identifier: Apache-2.0

// Conditions: what must hold before something takes effect, in the syntax that `primitives/conditions` describes. This is a
// second implementation; both are tested with primitives/conditions/tests/vectors.json.
//
//     const condition = parse('fact(weather/beijing, pm25) > 75 and before(2027-01-01)');
//     show(condition);      // the canonical form
//     encode(condition);    // SCALE, as the chain stores it
//     toCodec(condition);   // for @polkadot/api, where a call takes a condition
//
// A condition is a tree of nodes:
//
//     { test: 'all' | 'any', parts: [node, …] }, { test: 'not', part: node },
//     { test: 'before' | 'after', time: seconds since 1970 },
//     { test: 'fact', source, topic, oldest: seconds or null, comparison: '=' …, constant: value },
//     { test: 'credential', issuer: bytes, kind }, { test: 'granted', owner: bytes, dataset },
//     { test: 'paid', amount: bigint }, { test: 'count', below }
//
// and a value is { integer: bigint }, { decimal: { mantissa: bigint, scale } }, { text } or { hash: bytes }.

/** @typedef {{integer: bigint} | {decimal: {mantissa: bigint, scale: number}} | {text: string} | {hash: Uint8Array}} Value */
/** @typedef {'=' | '!=' | '<' | '<=' | '>' | '>='} Comparison */

/**
 * A condition.
 *
 * @typedef {{test: 'all' | 'any', parts: Condition[]}
 *	| {test: 'not', part: Condition}
 *	| {test: 'before' | 'after', time: number}
 *	| {test: 'fact', source: string, topic: string, oldest: number | null, comparison: Comparison, constant: Value}
 *	| {test: 'credential', issuer: Uint8Array, kind: string}
 *	| {test: 'granted', owner: Uint8Array, dataset: number}
 *	| {test: 'paid', amount: bigint}
 *	| {test: 'count', below: number}} Condition
 */

export { encode, toCodec } from './conditions/encoding.mjs';
export { parse, parseValue } from './conditions/parser.mjs';
export { show, showValue } from './conditions/show.mjs';
export { SyntaxError } from './conditions/error.mjs';
