// SPDX-License-Identifier: Apache-2.0

// Runs the measurements of the chain's throughput for a short time, so that they go on working. Their figures are judged
// nowhere: see docs/performance.md.
//
// Only with `scripts/test --all`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;

/** Each measurement with its arguments, its environment, and the lines that it prints. */
const MEASUREMENTS = [
	['bench-access', ['40', '1'], {}, [/^requests +\d+\/s, the median of 1$/m, /^grants +\d+\/s, the median of 1$/m]],
	['bench-transfers', ['200', '20', '1'], { NODES: '2' }, [/^isthmus-node +\d+ transfers\/s, the median of 1$/m, /^2 nodes .*missing: 0$/m]],
	['bench-sync', ['200', 'development'], {}, [/^warp .* blocks\/s/m, /^genesis .* blocks\/s/m]],
];

for (const [name, args, env, lines] of MEASUREMENTS) {
	test(`scripts/${name} measures`, { timeout, skip }, async () => {
		const program = fileURLToPath(new URL(`../lib/${name}.mjs`, import.meta.url));
		const { error, stdout, stderr } = await new Promise((resolve) => {
			const options = { env: { ...process.env, STOCK_NODE: '', PROFILE: '', ...env }, timeout };
			execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
		});
		assert.equal(error, null, stderr);
		for (const line of lines) assert.match(stdout, line);
	});
}
