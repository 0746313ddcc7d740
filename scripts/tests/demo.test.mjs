// SPDX-License-Identifier: Apache-2.0

// Runs the demo as a user does: it finishes and prints every step of the story.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The maximum time on an idle machine with the node built, in seconds. It is only printed beside the measured time. */
const BOUND = 60;

test('the demo plays its whole story', { timeout: 900_000 }, async (t) => {
	const path = fileURLToPath(new URL('../demo.mjs', import.meta.url));
	const start = performance.now();
	// An exit code other than 0 throws an error that includes the demo's output.
	const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { timeout: 600_000 });
	const took = (performance.now() - start) / 1000;
	t.diagnostic(`the demo took ${took.toFixed(1)} s (bound ${BOUND} s)`);
	assert.equal(stderr, '');

	const [, received] = stdout.match(/^ +received +([0-9a-f]{64})$/m) ?? [];
	const [, stored] = stdout.match(/^ +stored +([0-9a-f]{64})$/m) ?? [];
	assert.ok(received, stdout);
	assert.equal(received, stored);
	for (const line of [
		/byte for byte what the school stored, by SHA-256/,
		/12 ciphertexts, and not one row of the file/,
		/stranger +queries 2025-03: refused, NotAuthorised/,
		/its own key pair cannot open them/,
		/company +queries 2025-06: refused, OutOfRange/,
		/tries every key it has:\n +none of them opens it/,
		/block \d+ +ministry +reports 120 cases of flu\n +the condition is not met any more/,
		/company +queries 2025-06: refused, Suspended/,
		/block \d+ +ministry +reports 60 cases of flu\n +the condition is met again/,
		/company +reads 2025-06 again/,
		/^All of this is finalized: the verifiers voted for block \d+\.$/m,
	]) {
		assert.match(stdout, line);
	}
});
