// SPDX-License-Identifier: Apache-2.0

// Tests the plan of a soak, and runs a soak of one minute. ISTHMUS_LONG=1 (scripts/test --all) runs ten minutes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LIES, plan } from '../lib/soak/plan.mjs';

const LONG = process.env.ISTHMUS_LONG === '1';
/** The hours and the number of nodes. Seven nodes are too many for a short run on two cores. */
const [HOURS, NODES] = LONG ? ['0.17', '7'] : ['0.0167', '4'];
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = LONG ? 3_600_000 : 900_000;

test('a soak loses nothing', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-soak-test-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const script = fileURLToPath(new URL('../soak.mjs', import.meta.url));
	const output = join(folder, 'soak.md');
	// An exit code other than 0 throws an error that includes the output.
	const run = promisify(execFile)(process.execPath, [script, HOURS, '--nodes', NODES, '--output', output], { maxBuffer: 2 ** 26 });
	const { stdout, stderr } = await run;
	t.diagnostic(stderr.trim());
	const figures = JSON.parse(stdout);
	t.diagnostic(JSON.stringify(figures));
	assert.deepEqual(figures.faults, []);
	assert.ok(figures.records > 0 && figures.liars.connected > 0);
	assert.match(readFileSync(output, 'utf8'), /Every check passed/);
});

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
