// SPDX-License-Identifier: Apache-2.0

// Tests that miners have work on a new best block before its transactions are chosen, while full blocks are mined, and
// prints how soon: on the node that mines them, and on another one.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';
import { judged } from '../lib/target.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 900_000;
/** It fills blocks for minutes, to print a figure. */
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** How many transactions of 1 MiB are sent. Five fit into a block. */
const TRANSACTIONS = 40;
const MIB = 1024 * 1024;
/** How soon miners should have work on a new best block, in milliseconds. */
const TARGET = 50;
/** What a node logs about it. */
const READY = /work on block #(\d+) is ready ([\d.]+) ms after its import/g;

test('miners have work at once on a new best block, however full blocks are', { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-full-'));
	const [alice, bob] = identities(2);
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
	const rpc = await Rpc.connect(node.url);
	// It makes templates, and practically never finds a block.
	const other = await LocalNode.start({
		args: [
			...['--chain', spec, '--mine', '--beneficiary', bob.account, '-l', 'pow=debug', '--hash-rate', '1'],
			...['--reserved-nodes', `/ip4/127.0.0.1/tcp/${node.peerPort}/p2p/${await rpc.call('system_localPeerId')}`],
		],
		basePath: join(folder, 'other'),
	});
	await until('the nodes are connected', async () => (await rpc.call('system_health')).peers > 0);
	t.after(async () => {
		await rpc.disconnect();
		await client.disconnect();
		await Promise.all([node.stop(), other.stop()]);
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
	const { number: last } = await rpc.best();
	const worksOn = ({ logPath }) => [...readFileSync(logPath, 'utf8').matchAll(READY)].map(([, number, ms]) => [number, Number(ms)]);
	await until('the other node has work on the last of them', () => worksOn(other).some(([number]) => Number(number) >= last));

	const log = readFileSync(node.logPath, 'utf8');
	const full = new Map();
	for (const [, number, extrinsics, ms] of log.matchAll(/Full template of block #(\d+) with (\d+) extrinsics, after (\d+) ms/g)) {
		// The timestamp is an extrinsic, too.
		if (extrinsics > 5 && !full.has(number)) full.set(number, ms);
	}
	const delays = [];
	for (const [line, number, ms] of log.matchAll(READY)) {
		const next = String(Number(number) + 1);
		if (!full.has(next)) continue;
		delays.push(Number(ms));
		const empty = log.indexOf(line);
		assert.ok(empty < log.indexOf(`Full template of block #${next} `, empty), `block #${next}`);
	}
	assert.ok(delays.length > 0);
	const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
	t.diagnostic(`work on a new best block after ${median(delays)} ms (at most ${Math.max(...delays)} ms, ${delays.length} blocks)`);
	t.diagnostic(judged('the node that mines', Math.max(...delays), { most: TARGET }, 'ms'));
	const others = worksOn(other).filter(([number]) => full.has(number)).map(([, ms]) => ms);
	assert.ok(others.length > 0);
	t.diagnostic(judged('another node', Math.max(...others), { most: TARGET }, `ms (median ${median(others)}, ${others.length} blocks)`));
	t.diagnostic(`its full template after ${median([...full.values()].map(Number))} ms more`);
});
