// SPDX-License-Identifier: Apache-2.0

// Tests the chain parameters that the built-in chains do not use, on a node that mines: the continuous difficulty, the
// bound on who may mine, and changes of the rules at a height.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalNode, runToEnd } from '../lib/node.mjs';
import { powFields } from '../lib/pow-header.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';
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

/** Starts a node that mines for an account on a chain with these parameters, and a table of its own. */
async function miner(t, parameters, beneficiary, plannedChanges = []) {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-difficulty-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const spec = await writeSpec(folder, { verifiers: identities(1), parameters });
	plan(spec, plannedChanges);
	const args = ['--chain', spec, '--mine', '--beneficiary', beneficiary, '--no-mdns', '--force-authoring'];
	const node = await LocalNode.start({ args, basePath: join(folder, 'node') });
	t.after(() => node.stop());
	const rpc = await Rpc.connect(node.url);
	t.after(() => rpc.disconnect());
	return { node, rpc, spec, basePath: join(folder, 'node') };
}

/** Writes a node's own table of changes into its specification. */
function plan(spec, plannedChanges) {
	writeFileSync(spec, JSON.stringify({ ...JSON.parse(readFileSync(spec, 'utf8')), plannedChanges }));
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

test('the rules change at the heights of genesis and of the node\'s own table', { timeout }, async (t) => {
	const reward = 5_000_000_000_000n;
	const parameters = {
		minimumDifficulty: '0x400',
		genesisDifficulty: '0x400',
		changes: [{ fromBlock: 3, minimumDifficulty: '0x600', blockReward: Number(reward / 2n) }],
	};
	const planned = { fromBlock: 5, minimumDifficulty: '0x200', difficultyRule: 'asert' };
	const last = { fromBlock: 7, minimumDifficulty: '0x800' };
	const stranger = identities(2)[1].account;
	const { node, rpc, spec, basePath } = await miner(t, parameters, stranger, [planned, last]);
	await rpc.bestFrom(8);
	const hashes = await Promise.all(Array.from({ length: 9 }, (_, number) => rpc.hashAt(number)));
	let parent;
	for (let number = 1; number <= 8; number++) {
		const fields = powFields(await rpc.header(hashes[number]));
		// One step of Homestead's is zero below 2048.
		const expected = number < 3 ? 0x400n
			: number < 5 ? 0x600n
				: asert(parent.difficulty, fields.timestamp - parent.timestamp, number < 7 ? 0x200n : 0x800n);
		assert.equal(fields.difficulty, expected, `block ${number}`);
		parent = fields;
	}
	const client = await Client.connect(node.url);
	t.after(() => client.disconnect());
	for (let number = 1; number <= 4; number++) {
		const events = await (await client.api.at(hashes[number])).query.system.events();
		const all = events.map(({ event }) => event);
		const paid = all.find((event) => client.api.events.proofOfWork.BlockRewarded.is(event)).data.amount.toBigInt();
		const uncles = all.filter((event) => client.api.events.proofOfWork.UncleRewarded.is(event)).length;
		// The miner earns a 32nd more for each uncle.
		const base = number < 3 ? reward : reward / 2n;
		assert.equal(paid, base + (base * BigInt(uncles)) / 32n, `block ${number}`);
	}
	await client.disconnect();
	await node.stop();

	// The table may not change below the highest block.
	plan(spec, [{ ...planned, fromBlock: 6 }, last]);
	const { code, stderr } = await runToEnd(['check-state', '--chain', spec, '--base-path', basePath]);
	assert.notEqual(code, 0);
	assert.match(stderr, /`plannedChanges` of the specification are not those .* from block 5 on, .* remove the chain with `purge-chain`/);
});

test('nodes with other tables do not become peers', { timeout }, async (t) => {
	const parameters = { minimumDifficulty: '0x400', genesisDifficulty: '0x400' };
	const table = [{ fromBlock: 1_000_000, minimumDifficulty: '0x800' }];
	const { rpc, spec, basePath } = await miner(t, parameters, identities(1)[0].account, table);
	const id = await rpc.call('system_localPeerId');
	const addresses = await rpc.call('system_localListenAddresses');
	const address = addresses.find((text) => text.startsWith('/ip4/127.0.0.1/tcp/') && text.endsWith(id));
	/** Starts a node of the same chain that knows the miner's address. */
	const joining = async (name, plannedChanges) => {
		const itsSpec = `${basePath}-${name}.json`;
		copyFileSync(spec, itsSpec);
		plan(itsSpec, plannedChanges);
		const node = await LocalNode.start({ args: ['--chain', itsSpec, '--no-mdns', '--bootnodes', address] });
		t.after(() => node.stop());
		const itsRpc = await Rpc.connect(node.url);
		t.after(() => itsRpc.disconnect());
		return itsRpc;
	};
	const [without, other] = await Promise.all([
		joining('without', []),
		joining('other', [{ ...table[0], minimumDifficulty: '0x900' }]),
	]);
	// By the time that this one has the miner's blocks, the others have had theirs.
	const same = await joining('same', table);
	await same.bestFrom((await rpc.best()).number + 3);
	const peers = (await rpc.call('system_peers')).map(({ peerId }) => peerId);
	assert.deepEqual(peers, [await same.call('system_localPeerId')]);
	for (const stranger of [without, other]) {
		assert.equal((await stranger.best()).number, 0);
		assert.deepEqual(await stranger.call('system_peers'), []);
	}
});
