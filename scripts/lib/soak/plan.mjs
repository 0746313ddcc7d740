// SPDX-License-Identifier: Apache-2.0

// The plan of a soak: what happens to the network, and when. The seed determines all of it.

import { randomNumbers } from '../random.mjs';

/** The shortest and the longest time between two events, in seconds. */
const GAP = [6, 20];
/** How long a split lasts, a killed node stays down, and a node hangs, in seconds. */
const SPLIT = [4, 25];
const DOWN = [2, 15];
const HANG = [3, 30];
/** What the hostile peers do: see `isthmus-adversary harass --help`. */
export const LIES = ['orphans', 'heights', 'hoards'];

/**
 * An event of a soak.
 *
 * @typedef {object} Event
 * @property {number} at When it starts, in seconds.
 * @property {'split' | 'kill' | 'hang' | 'lie'} kind
 * @property {number} lasts How long a split lasts, or a node is down or hangs, in seconds; 0 for a lie.
 * @property {number[]} nodes The nodes on one side of the split, or the node that is killed, hangs or is lied to.
 * @property {string} [lie]
 */

/**
 * Returns the events of a soak, one after the other. Node 0 is never killed, so that its memory can be watched.
 *
 * @param {{seconds: number, nodes: number, seed: number}} options
 * @returns {Event[]}
 */
export function plan({ seconds, nodes, seed }) {
	const random = randomNumbers(seed);
	const between = ([least, most]) => least + random(most - least + 1);
	const events = [{ at: 0, kind: 'lie', lasts: 0, nodes: [random(nodes)], lie: LIES[random(LIES.length)] }];
	for (let at = between(GAP); ; ) {
		const kind = KINDS[random(KINDS.length)];
		const event = { at, kind, ...details[kind]({ nodes, random, between }) };
		if (event.at + event.lasts > seconds) return events;
		events.push(event);
		at += event.lasts + between(GAP);
	}
}

const KINDS = ['split', 'split', 'kill', 'kill', 'hang', 'lie'];

const details = {
	split: ({ nodes, random, between }) => ({ lasts: between(SPLIT), nodes: someOf(nodes, random) }),
	kill: ({ nodes, random, between }) => ({ lasts: between(DOWN), nodes: [1 + random(nodes - 1)] }),
	hang: ({ nodes, random, between }) => ({ lasts: between(HANG), nodes: [random(nodes)] }),
	lie: ({ nodes, random }) => ({ lasts: 0, nodes: [random(nodes)], lie: LIES[random(LIES.length)] }),
};

/** Returns some of the nodes, at least one and not all. */
function someOf(nodes, random) {
	const all = Array.from({ length: nodes }, (_, index) => index);
	const count = 1 + random(nodes - 1);
	return Array.from({ length: count }, () => all.splice(random(all.length), 1)[0]).sort((a, b) => a - b);
}
