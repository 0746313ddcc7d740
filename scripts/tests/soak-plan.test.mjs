// SPDX-License-Identifier: Apache-2.0

// Tests the plan of a soak.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIES, plan } from '../lib/soak/plan.mjs';

test('a seed determines the plan', () => {
	const options = { seconds: 600, nodes: 7, seed: 3 };
	const events = plan(options);
	assert.deepEqual(plan(options), events);
	assert.notDeepEqual(plan({ ...options, seed: 4 }), events);
	for (const kind of ['hang', 'kill', 'lie', 'split']) assert.ok(events.some((event) => event.kind === kind), kind);
});

test('every planned event is possible', () => {
	for (let seed = 0; seed < 200; seed++) {
		let free = 0;
		for (const { at, kind, lasts, nodes, lie } of plan({ seconds: 1000, nodes: 5, seed })) {
			assert.ok(at >= free && at + lasts <= 1000, 'one after the other');
			free = at + lasts;
			assert.ok(nodes.every((node) => node >= 0 && node < 5));
			assert.equal(new Set(nodes).size, nodes.length);
			if (kind === 'kill') assert.ok(nodes.length === 1 && nodes[0] !== 0, 'the first node is never killed');
			if (kind === 'split') assert.ok(nodes.length >= 1 && nodes.length < 5);
			if (kind === 'lie') assert.ok(LIES.includes(lie));
		}
	}
});
