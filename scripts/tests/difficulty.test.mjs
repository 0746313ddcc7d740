// SPDX-License-Identifier: Apache-2.0

// Tests the chain parameters that the built-in chains do not use, on a node that mines: the continuous difficulty, and
// the bound on who may mine.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { powFields } from '../lib/pow-header.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const BLOCKS = 12;
/** The time that a block should take and the half-life, in seconds. */
const [BLOCK_SECONDS, HALF_LIFE] = [13, 600];

/** Returns 2^(exponent / 65536) · value by the specification of `aserti3-2d`. */
function timesPowerOfTwo(value, exponent) {
	const [shift, fraction] = [exponent >> 16n, exponent & 0xffffn];
	const cubic = 195766423245049n * fraction + 971821376n * fraction ** 2n + 5127n * fraction ** 3n + (1n << 47n);
	return (value * (65536n + (cubic >> 48n)) << 64n) >> (80n - shift);
}

/** Returns D(H) by the rule `asert`. */
function asert(parent, gap, minimum) {
	const late = BigInt(Math.min(gap, BLOCK_SECONDS + HALF_LIFE));
	const exponent = (BigInt(BLOCK_SECONDS) - late) * 65536n / BigInt(HALF_LIFE);
	const moved = timesPowerOfTwo(parent, exponent);
	return [moved, parent / 2n + 1n, minimum].reduce((a, b) => (a > b ? a : b));
}

/** Starts a node that mines for an account on a chain with these parameters. */
async function miner(t, parameters, beneficiary) {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-difficulty-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const spec = await writeSpec(folder, { verifiers: identities(1), parameters });
	const args = ['--chain', spec, '--mine', '--beneficiary', beneficiary, '--no-mdns', '--force-authoring'];
	const node = await LocalNode.start({ args, basePath: join(folder, 'node') });
	t.after(() => node.stop());
	const rpc = await Rpc.connect(node.url);
	t.after(() => rpc.disconnect());
	return { node, rpc };
}

test('a chain mines under the continuous difficulty', { timeout }, async (t) => {
	const minimum = 1024n;
	const parameters = {
		difficultyRule: 'asert',
		minimumDifficulty: '0x400',
		genesisDifficulty: '0x2000',
		genesisTimestamp: Math.floor(Date.now() / 1000) - 5,
	};
	const { rpc } = await miner(t, parameters, identities(1)[0].account);
	await rpc.bestFrom(BLOCKS);
	let parent = { difficulty: 0x2000n, timestamp: parameters.genesisTimestamp };
	const gaps = new Set();
	for (let number = 1; number <= BLOCKS; number++) {
		const fields = powFields(await rpc.header(await rpc.hashAt(number)));
		const gap = fields.timestamp - parent.timestamp;
		assert.equal(fields.difficulty, asert(parent.difficulty, gap, minimum), `block ${number}, ${gap} s`);
		gaps.add(gap);
		parent = fields;
	}
	t.diagnostic(`gaps of ${[...gaps].join(', ')} s`);
});

test('on a bound chain a verifier mines', { timeout }, async (t) => {
	const parameters = { miners: 'verifiers', minimumDifficulty: '0x400', genesisDifficulty: '0x400' };
	const { rpc } = await miner(t, parameters, identities(1)[0].account);
	await rpc.bestFrom(2);
});

test('on a bound chain a stranger does not mine', { timeout }, async (t) => {
	const parameters = { miners: 'verifiers', minimumDifficulty: '0x400', genesisDifficulty: '0x400' };
	const { node, rpc } = await miner(t, parameters, identities(2)[1].account);
	const said = /no block template: the account \w+ may not mine/;
	await until('the node says why', () => said.test(readFileSync(node.logPath, 'utf8')));
	assert.equal((await rpc.best()).number, 0);
});
