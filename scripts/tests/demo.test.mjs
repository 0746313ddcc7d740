// The demo, run as a user runs it: it comes to its end, and tells what it has to tell.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What an idle machine meets, with the node built: printed beside the measured time. In seconds. */
const BOUND = 60;

test('the demo tells its whole story', { timeout: 300_000 }, async (t) => {
	const path = fileURLToPath(new URL('../demo.mjs', import.meta.url));
	const began = performance.now();
	// Any exit code but 0 is thrown, with what the demo printed.
	const { stdout, stderr } = await promisify(execFile)(process.execPath, [path]);
	const took = (performance.now() - began) / 1000;
	t.diagnostic(`the demo took ${took.toFixed(1)} s (bound ${BOUND} s)`);
	assert.equal(stderr, '');

	const [, received] = stdout.match(/^ +received +([0-9a-f]{64})$/m) ?? [];
	const [, stored] = stdout.match(/^ +stored +([0-9a-f]{64})$/m) ?? [];
	assert.ok(received, stdout);
	assert.equal(received, stored);
	for (const line of [
		/the bytes are the ones that the school stored/,
		/12 ciphertexts, without a row of the file/,
		/stranger +queries 2025-03: refused, NotAuthorised/,
		/its own key pair does not open them/,
		/company +queries 2025-06: refused, OutOfRange/,
		/tries every key it holds:\n +none opens it/,
		/^All of it is final: the chain's verifiers voted for block \d+\.$/m,
	]) {
		assert.match(stdout, line);
	}
});
