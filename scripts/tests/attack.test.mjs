// SPDX-License-Identifier: Apache-2.0

// Runs a short version of the attacks in docs/security.md: every defence holds, and nothing is written.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { forgedOutcome } from '../lib/attack-network.mjs';
import { checked } from '../lib/attack-report.mjs';

/** The maximum time on a mostly idle machine, in seconds. It is only printed beside the measured time. */
const BOUND = 120;

test('every attack is carried out, and every defence holds', { timeout: 1_800_000 }, async (t) => {
	const path = fileURLToPath(new URL('../attack.mjs', import.meta.url));
	const page = new URL('../../docs/security.md', import.meta.url);
	const before = readFileSync(page, 'utf8');
	const start = performance.now();
	// An exit code other than 0 throws an error that includes the output.
	const { stdout } = await promisify(execFile)(process.execPath, [path, '--short'], { timeout: 1_500_000 });
	const took = (performance.now() - start) / 1000;
	t.diagnostic(`the short run took ${took.toFixed(1)} s (bound ${BOUND} s)`);
	for (const title of [
		'Tampered data, served to a reader',
		'Forged blocks, each breaking one rule',
		'Private fork, finality off',
		'Private fork, finality on',
		'Selfish mining',
		'Back-dated brothers of late blocks',
		'Flood of headers with broken seals',
		'Flood of headers with false mix hashes',
		'Flood of large bodies that do not match their headers',
		'Flood of bytes that are not announcements',
		'Flood of the largest announcements',
		'Flood of block requests',
		'Replayed transactions',
		'Replayed grants',
		'Query without authorisation',
		'A store that lost its leaf',
		'Reader after revoking',
	]) {
		assert.ok(stdout.includes(`\n| ${title} | `), `${title} is missing in:\n${stdout}`);
	}
	assert.doesNotMatch(stdout, /Not held/);
	assert.equal(readFileSync(page, 'utf8'), before);
});

test('the outcome for forged blocks holds only if every case does', () => {
	const one = (changes) => ({ case: 'no_seal', rule: 'digest', disconnected: true, held: true, ...changes });
	const early = one({ case: 'early', rule: undefined, disconnected: false });
	const good = checked(forgedOutcome([one(), early]));
	assert.equal(good.held, true);
	assert.deepEqual(good.figures, {
		blocks: 2,
		refused_by_the_name_of_a_rule: 1,
		rules: 1,
		peers_disconnected: 1,
	});
	const bad = checked(forgedOutcome([one(), one({ case: 'two_seals', held: false })]));
	assert.equal(bad.held, false);
	assert.match(bad.observed, /as it must: two seals\.$/);
	assert.equal(checked(forgedOutcome([])).held, false);
});
