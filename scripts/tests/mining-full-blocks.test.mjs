// SPDX-License-Identifier: Apache-2.0

// Tests that miners have work on a new best block before its transactions are chosen, while full blocks are mined, and
// prints how soon.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 900_000;
/** It fills blocks for minutes, to print a figure. */
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** How many transactions of 1 MiB are sent. Five fit into a block. */
const TRANSACTIONS = 40;
const MIB = 1024 * 1024;

test('miners have work at once on a new best block, however full blocks are', { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-full-'));
	const [alice] = identities(1);
	const parameters = { genesisDifficulty: '0x4000', minimumDifficulty: '0x4000' };
	const spec = await writeSpec(folder, { verifiers: [alice], parameters });
	const node = await LocalNode.start({
		args: [
			...['--chain', spec, '--mine', '--beneficiary', alice.account, '--force-authoring', '-l', 'pow=debug'],
			...['--hash-rate', '4000', '--pool-kbytes', '131072'],
		],
		basePath: join(folder, 'node'),
	});
	const client = await Client.connect(node.url);
	t.after(async () => {
		await client.disconnect();
		await node.stop();
		rmSync(folder, { recursive: true, force: true });
	});

	const { api } = client;
	const signer = client.account('//Alice');
	for (let nonce = 0; nonce < TRANSACTIONS; nonce++) {
		const call = api.tx.system.remark(`0x${nonce.toString(16).padStart(2, '0').repeat(MIB)}`);
		await call.signAsync(signer, { era: 0, nonce });
		await call.send();
	}
	const included = async () => (await api.query.system.account(signer.address)).nonce.toNumber() === TRANSACTIONS;
	await until('all transactions are in blocks', included, timeout);

	const log = readFileSync(node.logPath, 'utf8');
	const full = new Map();
	for (const [, number, extrinsics, ms] of log.matchAll(/Full template of block #(\d+) with (\d+) extrinsics, after (\d+) ms/g)) {
		// The timestamp is an extrinsic, too.
		if (extrinsics > 5 && !full.has(number)) full.set(number, ms);
	}
	const delays = [];
	for (const [line, number, ms] of log.matchAll(/work on block #(\d+) is ready ([\d.]+) ms after its import/g)) {
		const next = String(Number(number) + 1);
		if (!full.has(next)) continue;
		delays.push(Number(ms));
		const empty = log.indexOf(line);
		assert.ok(empty < log.indexOf(`Full template of block #${next} `, empty), `block #${next}`);
	}
	assert.ok(delays.length > 0);
	const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
	t.diagnostic(`work on a new best block after ${median(delays)} ms (at most ${Math.max(...delays)} ms, ${delays.length} blocks)`);
	t.diagnostic(`its full template after ${median([...full.values()].map(Number))} ms more`);
});
