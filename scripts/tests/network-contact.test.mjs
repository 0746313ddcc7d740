// SPDX-License-Identifier: Apache-2.0

// Measures the first contact of a client with a long chain: from nothing but the first block's hash to a proven finalized
// block, over all changes of the voters. It takes two requests, and less than two seconds on the loopback interface.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Isthmus } from '../lib/isthmus.mjs';
import { makeChain } from '../lib/made-chain.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Verified } from '../lib/sharing/proven.mjs';
import { Client } from '../lib/sharing.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. Making the chain takes minutes. */
const timeout = 1_800_000;
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
const [BLOCKS, CHANGES] = [10_000, 20];
/** The vote key changes this often. Each change takes effect two sessions of 10 blocks later, the last one within the chain. */
const CHANGE_EVERY = 490;
/** How long the first contact may take, in milliseconds. */
const MOST = 2_000;

test(`a client meets a chain of ${BLOCKS} blocks and ${CHANGES} changes of the voters`, { timeout, skip }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-first-contact-'));
	let node;
	t.after(async () => {
		await node?.stop();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const spec = await writeSpec(folder, {
		verifiers: identities(1),
		parameters: { genesisDifficulty: '0x40', minimumDifficulty: '0x40' },
	});
	const basePath = join(folder, 'node');
	node = await LocalNode.start({ basePath, args: ['--chain', spec, '--no-mdns', '--disable-log-color'] });
	// The node has kept what proves the first voters: the state of the first block is soon pruned.
	await node.stop();
	const order = { blocks: BLOCKS, interval: 10, finalizeEvery: 100, changeEvery: CHANGE_EVERY, timeout };
	const made = await makeChain(spec, basePath, order);
	t.diagnostic(`made in ${made.seconds.toFixed(0)} s: ${JSON.stringify(made)}`);
	assert.deepEqual([made.best.number, made.changes], [BLOCKS, CHANGES]);
	await node.up();

	await t.test('in JavaScript, by two requests', async (t) => {
		const client = await Client.connect(node.url);
		t.after(() => client.disconnect());
		const asked = [];
		let bytes = 0;
		class Counting extends Verified {
			genesis = client.genesis;
			async rpc(method, ...params) {
				asked.push(method);
				const answer = await client.rpc(method, ...params);
				bytes += JSON.stringify(answer).length;
				return answer;
			}
		}
		const started = performance.now();
		const proven = await new Counting().proven();
		const took = performance.now() - started;
		t.diagnostic(`${took.toFixed(0)} ms, ${(bytes / 1024).toFixed(1)} KiB of JSON`);
		assert.equal(proven.block.number, BLOCKS);
		assert.deepEqual(asked, ['isthmus_genesisProof', 'isthmus_finalityProof']);
		assert.ok(took < MOST, `${took} ms`);
	});

	await t.test('with the command, whose start counts, too', async (t) => {
		// The genesis voter is a development account, so the command remembers the chain once it has followed the changes.
		const isthmus = new Isthmus(node.url, mkdtempSync(join(folder, 'home-')));
		for (const name of ['first', 'second']) {
			const started = performance.now();
			assert.deepEqual(await isthmus.ok('facts', 'list'), []);
			const took = performance.now() - started;
			t.diagnostic(`${name} contact: ${took.toFixed(0)} ms`);
			assert.ok(took < MOST, `${took} ms`);
		}
	});
});
