// SPDX-License-Identifier: Apache-2.0

// Tests what a node reports about a block's verification and risk, on a chain with one verifier. The network tests
// cover several verifiers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { Rpc } from '../lib/rpc.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 600_000;
/** Alice's account, and her node's vote key. */
const ALICE = {
	account: '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY',
	grandpaKey: '5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu',
};
/** The JSON-RPC code for invalid parameters, and the node's own codes. */
const INVALID_PARAMS = -32602;
const UNKNOWN_BLOCK = 7001;
const NO_SHARE = 7003;
const NO_RISK = 7004;

let node;
let rpc;

before(
	async () => {
		node = await LocalNode.start({ args: ['--dev', '--heartbeat', '1'] });
		rpc = await Rpc.connect(node.url);
	},
	{ timeout },
);

after(async () => {
	await rpc?.disconnect();
	await node?.stop();
});

/** Returns the error of a call; fails if there is none. */
async function refusal(method, ...params) {
	const error = await rpc.call(method, ...params).then(
		(answer) => assert.fail(`${method} answered ${JSON.stringify(answer)}`),
		(error) => error,
	);
	return { code: error.code, message: error.message };
}

/** Returns what all nodes say of a final block: not how far behind the best one it is, nor which votes prove it. */
function signed({ confirmations: _, justifiedBy: __, statement: ___, ...rest }) {
	return rest;
}

test('a finalized block was verified by one of one', { timeout }, async (t) => {
	await rpc.finalizedFrom(3);
	const block = await rpc.call('isthmus_verification', 2);
	assert.equal(block.number, 2);
	assert.equal(block.hash, await rpc.call('chain_getBlockHash', 2));
	assert.equal(block.onBestChain, true);
	assert.ok(block.confirmations >= 1, `confirmations ${block.confirmations}`);
	assert.equal(block.final, true);
	assert.equal(block.moreThanHalf, true);
	assert.equal(block.setId, 0);
	assert.equal(block.verifiers, 1);
	assert.deepEqual(block.verifiedBy, [ALICE]);
	assert.deepEqual(block.notSeen, []);
	assert.equal(block.round, null);
	const { number, hash } = block.justifiedBy;
	assert.ok(number >= 2);
	assert.equal(hash, await rpc.call('chain_getBlockHash', number));
	const whom = number === 2 ? 'it' : `block ${number}, which descends from it`;
	assert.equal(block.statement, `1 of 1 verifier signed for ${whom}; more than half: linked, and finalized.`);

	// The block's hash returns the same answer, and every finalized block has an answer, from the first on.
	const { confirmations, ...byNumber } = block;
	const { confirmations: later, ...byHash } = await rpc.call('isthmus_verification', block.hash);
	assert.deepEqual(byHash, byNumber);
	assert.ok(later >= confirmations);
	for (const first of [0, 1]) {
		const answer = await rpc.call('isthmus_verification', first);
		assert.deepEqual([answer.final, answer.verifiedBy], [true, [ALICE]], `block ${first}`);
	}
	const { justifications } = await rpc.call('chain_getBlock', hash);
	t.diagnostic(`a justification of one vote has ${justifications[0][1].length} bytes`);
});

// Votes are gossiped, but also stored with the blocks, so a node that joins later can report them.
test('a node that joins later reports the same', { timeout }, async (t) => {
	await rpc.finalizedFrom(3);
	const id = await rpc.call('system_localPeerId');
	const addresses = await rpc.call('system_localListenAddresses');
	const address = addresses.find((text) => text.startsWith('/ip4/127.0.0.1/tcp/') && text.endsWith(id));
	const late = await LocalNode.start({ args: ['--chain', 'dev', '--bootnodes', address] });
	let there;
	t.after(async () => {
		await there?.disconnect();
		await late.stop();
	});
	there = await Rpc.connect(late.url);
	await there.finalizedFrom(3);
	for (const number of [1, 2, 3]) {
		const here = signed(await rpc.call('isthmus_verification', number));
		const later = await there.call('isthmus_verification', number);
		assert.deepEqual(signed(later), here);
		assert.deepEqual(later.verifiedBy, [ALICE]);
		// It may keep a proof of a later block: the first one that reached it.
		const { number: proven, hash } = later.justifiedBy;
		assert.ok(proven >= number);
		assert.equal(hash, await rpc.call('chain_getBlockHash', proven));
	}
});

test('null stands for the best block', { timeout }, async () => {
	await rpc.finalizedFrom(1);
	const best = await rpc.call('isthmus_verification', null);
	assert.ok(best.number >= 1);
	assert.equal(best.onBestChain, true);
	assert.equal(best.verifiers, 1);
	assert.equal(best.final, best.justifiedBy !== null);
});

test('an unknown block has its own error', { timeout }, async () => {
	for (const method of ['isthmus_verification', 'isthmus_risk']) {
		const rest = method === 'isthmus_risk' ? [0.1] : [];
		const later = await refusal(method, 1_000_000, ...rest);
		assert.equal(later.code, UNKNOWN_BLOCK);
		assert.match(later.message, /block #1000000 does not exist yet: the best block is #\d+/);
		const hash = `0x${'ab'.repeat(32)}`;
		const unknown = await refusal(method, hash, ...rest);
		assert.equal(unknown.code, UNKNOWN_BLOCK);
		assert.match(unknown.message, new RegExp(`this node has no block with the hash ${hash}`));
		for (const invalid of [-1, 1.5, 'latest', '0x12', { number: 1 }]) {
			assert.equal((await refusal(method, invalid, ...rest)).code, INVALID_PARAMS, JSON.stringify(invalid));
		}
	}
});

// The table in the Bitcoin paper, section 11: P for q = 0.1 and each z. Here, z is the depth of a block.
const TABLE = [
	[0, 1.0],
	[1, 0.2045873],
	[2, 0.0509779],
	[3, 0.0131722],
	[4, 0.0034552],
	[5, 0.0009137],
];

test('the risk matches the published table', { timeout }, async () => {
	await rpc.finalizedFrom(TABLE.length);
	const seen = new Map();
	for (let number = 1; number <= TABLE.length; number++) {
		const risk = await rpc.call('isthmus_risk', number, 0.1);
		assert.equal(risk.attackerShare, 0.1);
		assert.equal(risk.risk, 0.001);
		assert.equal(risk.wait.depth, 6);
		assert.equal(risk.wait.blocks, Math.max(0, 6 - risk.depth));
		seen.set(risk.depth, risk);
	}
	// The chain may grow between two calls, so some of the depths are in the table and others are greater.
	for (const [depth, risk] of seen) {
		const known = TABLE.find(([z]) => z === depth);
		if (known) assert.ok(Math.abs(risk.equation3 - known[1]) < 5e-8, `z = ${depth}: ${risk.equation3}`);
		else assert.ok(risk.equation3 < 0.0009137);
		// From z = 2 on, the exact odds are higher than the paper's, because Nakamoto's approximation is optimistic.
		if (depth >= 2) assert.ok(risk.exact > risk.equation3, `z = ${depth}`);
	}
	const risk = await rpc.call('isthmus_risk', 1, 0.3, 0.05);
	assert.equal(risk.risk, 0.05);
	assert.equal(risk.final, true);
	assert.match(risk.statement, /^Finalized: no node follows a fork without it, however heavy\./);
});

test('no depth is enough against half of the hash power', { timeout }, async () => {
	const risk = await rpc.call('isthmus_risk', 0, 0.5);
	assert.deepEqual([risk.equation3, risk.exact, risk.wait], [1, 1, null]);
});

test('invalid shares and risks are refused', { timeout }, async () => {
	for (const share of [-0.1, 1.1]) {
		const error = await refusal('isthmus_risk', null, share);
		assert.equal(error.code, NO_SHARE);
		assert.match(error.message, /a share of the hash power must be between 0 and 1, got -?[01]\.1/);
	}
	for (const risk of [0, 1.5]) {
		const error = await refusal('isthmus_risk', null, 0.1, risk);
		assert.equal(error.code, NO_RISK);
		assert.match(error.message, /an accepted risk must be above 0 and at most 1, got [01](\.5)?/);
	}
	assert.equal((await refusal('isthmus_risk', null, 'much')).code, INVALID_PARAMS);
});
