// SPDX-License-Identifier: Apache-2.0

// Tests a node that follows a chain of large blocks while other peers lie to it. The honest peer is far away, behind
// 50 ms and 50 Mbit/s, and the liars are next door. The node must import every honest block and disconnect the liars.
//
// ISTHMUS_LONG=1 (scripts/test --all) offers more honest blocks, and compares how long they take with and without each lie.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { adversary } from '../lib/attack-program.mjs';
import { Link } from '../lib/link.mjs';
import { LocalNode } from '../lib/node.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 1_200_000;
/** The honest peer's line: the delay in milliseconds, and the rate in bytes per second. */
const [LATENCY, RATE] = [50, 50_000_000 / 8];
const all = process.env.ISTHMUS_LONG === '1';
/** The number of honest blocks under each lie. */
const BLOCKS = all ? 6 : 2;
/** How many times as long as without a lie the blocks may take in the same run. */
const SLOWER = 1.5;
/** How long the node may take to import the honest blocks under each lie, in seconds. This, too, only ends hangs. */
const PATIENCE = 180;
/** The lies, each with what it needs: see `isthmus-adversary siege --help`. */
const LIES = ['orphans', 'bodies', 'heights', 'hoards', 'silence'];

test('honest blocks of 6 MiB are imported while other peers lie', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-siege-'));
	t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
	const difficulty = { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' };
	const spec = await writeSpec(folder, {
		verifiers: identities(4),
		parameters: difficulty,
		// A session's first block has no room for transactions. This chain stays in its first session.
		edit: (genesis) => Object.assign(genesis.verifiers, { sessionBlocks: 1000 }),
	});
	const node = await LocalNode.start({
		args: ['--chain', spec, '--no-grandpa', '--no-mdns', '--disable-log-color'],
		basePath: join(folder, 'node'),
	});
	t.after(() => node.stop());
	const link = await Link.to(() => node.peerPort, { latency: LATENCY, rate: RATE });
	t.after(() => link.close());
	link.open();

	const reports = await adversary(
		[
			...['siege', '--rpc', node.url, '--pid', String(node.pid), '--log', node.logPath],
			...['--chain', spec, '--base-path', join(folder, 'adversary'), '--honest-port', String(link.port)],
			...['--blocks', String(BLOCKS), '--seconds', String(PATIENCE)],
			...(all ? ['--slower', String(SLOWER)] : []),
			...LIES.flatMap((lie) => ['--lie', lie]),
		],
		timeout,
	);
	assert.deepEqual(reports.map(({ attack }) => attack), LIES.map((lie) => `siege-${lie}`));
	for (const { attack, title, observed, figures, held } of reports) {
		await t.test(title, (t) => {
			t.diagnostic(`${attack}: ${JSON.stringify(figures)}`);
			assert.ok(held, `${observed}\n${node.logTail()}`);
		});
	}
});
