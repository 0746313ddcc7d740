// SPDX-License-Identifier: Apache-2.0

// Runs a soak of one minute. ISTHMUS_LONG=1 (scripts/test --all) runs ten minutes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const LONG = process.env.ISTHMUS_LONG === '1';
/**
 * The hours, the number of nodes, and the seed. Seven nodes are too many for a short run on two cores. In the short run,
 * this seed kills nodes and splits the network.
 */
const [HOURS, NODES, SEED] = LONG ? ['0.17', '7', '1'] : ['0.0167', '4', '367'];
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = LONG ? 3_600_000 : 900_000;

test('a soak loses nothing', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-soak-test-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const script = fileURLToPath(new URL('../soak.mjs', import.meta.url));
	const output = join(folder, 'soak.md');
	// An exit code other than 0 throws an error that includes the output.
	const run = promisify(execFile)(process.execPath, [script, HOURS, '--nodes', NODES, '--seed', SEED, '--output', output], { timeout: timeout - 60_000, maxBuffer: 2 ** 26 });
	const { stdout, stderr } = await run;
	t.diagnostic(stderr.trim());
	const figures = JSON.parse(stdout);
	t.diagnostic(JSON.stringify(figures));
	assert.deepEqual(figures.faults, []);
	assert.ok(figures.records > 0 && figures.liars.connected > 0 && figures.kills > 0);
	assert.match(readFileSync(output, 'utf8'), /Every check passed/);
});
