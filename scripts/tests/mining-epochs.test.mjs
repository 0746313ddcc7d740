// SPDX-License-Identifier: Apache-2.0

// Tests mining with full Ethash sizes, and across the border of two epochs on a chain that was made beforehand.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Miner, seedHashOf } from '../lib/ethash.mjs';
import { call } from '../lib/get-work.mjs';
import { makeChain } from '../lib/made-chain.mjs';
import { freePort, LocalNode } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { identities, installKeys, writeSpec } from '../lib/spec.mjs';
import { NiceHashWorker } from '../lib/stratum.mjs';

/** Ends hung tests, in milliseconds. Making 29,990 blocks takes minutes. */
const timeout = 1_800_000;
/** Making a chain of an epoch takes many minutes. */
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** The number of blocks in an Ethash epoch. */
const EPOCH = 30_000;
const EASY = { genesisDifficulty: '0x40', minimumDifficulty: '0x40' };

/** Writes the specification of a chain; returns a folder, its path, and the options of a node that mines alone. */
async function chain(t, parameters) {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-epochs-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const [alice] = identities(1);
	const spec = await writeSpec(folder, { verifiers: [alice], parameters });
	const args = ['--chain', spec, '--mine', '--beneficiary', alice.account, '--force-authoring'];
	return { spec, args, basePath: join(folder, 'node') };
}

const heightOf = async (url) => Number(await call(url, 'eth_blockNumber'));

/** Mines by getWork until the best block has this number; returns the seeds of the work. */
async function mineTo(url, miner, number) {
	const seeds = new Set();
	while ((await heightOf(url)) < number) {
		const work = await call(url, 'eth_getWork');
		seeds.add(work[1]);
		await call(url, 'eth_submitWork', ...miner.search(work.slice(0, 3)));
	}
	return [...seeds];
}

test('miners mine a chain of full sizes', { timeout }, async (t) => {
	const { args, basePath } = await chain(t, { ethash: 'full', ...EASY });
	const port = await freePort();
	const node = await LocalNode.start({
		args: [...args, '--threads', '0', '--stratum-listen', `127.0.0.1:${port}`],
		basePath,
	});
	t.after(() => node.stop());
	const url = `http://127.0.0.1:${node.port}`;
	const miner = new Miner(true);
	await mineTo(url, miner, 2);
	const worker = await NiceHashWorker.open(port);
	assert.equal((await worker.logIn('rig1')).result, true);
	while ((await heightOf(url)) < 4) {
		const work = await worker.work();
		await worker.submit(work, miner.search(work.package, worker.firstNonce));
	}
	worker.close();
});

test('miners go on across the border of two epochs', { timeout, skip }, async (t) => {
	const { spec, args, basePath } = await chain(t, EASY);
	await installKeys(spec, basePath);
	await makeChain(spec, basePath, { blocks: EPOCH - 12, interval: 13, timeout });
	const node = await LocalNode.start({
		args: [...args, '--threads', '0', '--ethash-dir', join(basePath, 'ethash')],
		basePath,
	});
	t.after(() => node.stop());
	const url = `http://127.0.0.1:${node.port}`;
	const seed = (number) => `0x${Buffer.from(seedHashOf(number)).toString('hex')}`;
	const miner = new Miner();

	assert.deepEqual(await mineTo(url, miner, EPOCH - 6), [seed(EPOCH - 1)]);
	// The built-in miner crosses the border. It has both datasets before.
	const generated = (epoch) => readFileSync(node.logPath, 'utf8').split(`the dataset of epoch ${epoch} is ready`).length - 1;
	await call(url, 'miner_start', 1);
	await until('the miner is past the border', async () => (await heightOf(url)) >= EPOCH + 3, timeout);
	await call(url, 'miner_stop');
	assert.deepEqual([generated(0), generated(1)], [1, 1]);
	const log = readFileSync(node.logPath, 'utf8');
	assert.ok(log.indexOf('the dataset of epoch 1 is ready') < log.indexOf(`Mined block #${EPOCH} `));
	// The other miner finds the new epoch by its seed.
	const height = await heightOf(url);
	assert.deepEqual(await mineTo(url, miner, height + 3), [seed(EPOCH)]);
	const block = await call(url, 'eth_getBlockByNumber', `0x${(height + 3).toString(16)}`, false);
	assert.ok(block.nonce);
});
