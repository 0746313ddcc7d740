// SPDX-License-Identifier: Apache-2.0

// Tests the Stratum port of a node: workers of both dialects mine, and strangers and nonsense do no harm.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Miner } from '../lib/ethash.mjs';
import { freePort, LocalNode, runToEnd } from '../lib/node.mjs';
import { call } from '../lib/get-work.mjs';
import { until } from '../lib/rpc.mjs';
import { EthProxyWorker, NiceHashWorker } from '../lib/stratum.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 600_000;
const SECRET = 'farm2026';
/** How many blocks each worker mines. */
const BLOCKS = 5;

/** Mines blocks until the best block has this number. */
async function mineTo(number, worker, miner, rpc) {
	for (;;) {
		const work = await worker.work();
		const height = Number((await call(rpc, 'chain_getHeader')).number);
		if (height >= number) return;
		const answer = await worker.submit(work, miner.search(work.package, worker.firstNonce));
		// Template and block may have changed while the miner searched.
		if (answer.error) assert.ok([21, 22].includes(answer.error.code ?? answer.error[0]), JSON.stringify(answer));
	}
}

test('workers of both dialects mine', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-stratum-'));
	const secret = join(folder, 'secret');
	writeFileSync(secret, `${SECRET}\n`);
	const port = await freePort();
	const httpPort = await freePort();
	const node = await LocalNode.start({
		args: [
			...['--dev', '--threads', '0', '--heartbeat', '1', '--stratum-listen', `127.0.0.1:${port}`],
			...['--miners-listen', `127.0.0.1:${httpPort}`, '--miners-secret-file', secret],
		],
	});
	const rpc = `http://127.0.0.1:${node.port}`;
	const miner = new Miner();
	/** Waits for a line in the node's log. */
	const logged = (line) => until(`a line like ${line}`, () => line.test(readFileSync(node.logPath, 'utf8')));
	t.after(async () => {
		await node.stop();
		rmSync(folder, { recursive: true });
	});

	let height = 0;
	for (const Worker of [NiceHashWorker, EthProxyWorker]) {
		await t.test(`${Worker.name} mines ${BLOCKS} blocks`, async () => {
			const worker = await Worker.open(port);
			assert.equal((await worker.logIn('rig1', SECRET)).result, true);
			height += BLOCKS;
			await mineTo(height, worker, miner, rpc);
			worker.close();
		});
	}

	await t.test('the log says which workers come and go', async () => {
		await logged(/rig1 at 127\.0\.0\.1:\d+ has logged in/);
		await logged(/rig1 at 127\.0\.0\.1:\d+ (has left|is disconnected)/);
	});

	await t.test('duplicate, stale and weak shares are refused', async () => {
		const worker = await EthProxyWorker.open(port);
		await worker.logIn('rig1', SECRET);
		const code = async (...seal) => (await worker.submit(undefined, seal)).error?.code;
		const old = await worker.work();
		const seal = miner.search(old.package);
		assert.equal(await code(...seal), undefined);
		assert.equal(await code(...seal), 22);
		assert.equal(await code(seal[0], `0x${'11'.repeat(32)}`, seal[2]), 21);
		const weak = `0x${(BigInt(seal[0]) + 1n).toString(16).padStart(16, '0')}`;
		assert.ok([20, 23].includes(await code(weak, seal[1], seal[2])));
		worker.close();
	});

	await t.test('strangers get nothing, at either port', async () => {
		for (const Worker of [NiceHashWorker, EthProxyWorker]) {
			const worker = await Worker.open(port);
			const { result, error } = await worker.logIn('rig1', 'guess');
			assert.equal(result, null);
			assert.equal(error.code ?? error[0], 24);
			await worker.closed;
		}
		await logged(/a worker at 127\.0\.0\.1:\d+ is refused: it does not give the secret/);
		const ask = (path, headers) =>
			fetch(`http://127.0.0.1:${httpPort}${path}`, {
				method: 'POST',
				headers: { 'content-type': 'application/json', ...headers },
				body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_mining', params: [] }),
			});
		const basic = (password) => ({ authorization: `Basic ${Buffer.from(`rig1:${password}`).toString('base64')}` });
		for (const [path, headers] of [['/', {}], ['/guess', {}], ['/', basic('guess')]]) {
			const answer = await ask(path, headers);
			assert.equal(answer.status, 401);
			assert.match(await answer.text(), /http:\/\/HOST:PORT\/SECRET/);
		}
		await logged(/a miner at 127\.0\.0\.1 is refused: it does not give the secret/);
		for (const [path, headers] of [[`/${SECRET}`, {}], ['/', basic(SECRET)]]) {
			assert.equal((await (await ask(path, headers)).json()).result, true);
		}
	});

	await t.test('nonsense closes its own connection only', async () => {
		const honest = await EthProxyWorker.open(port);
		await honest.logIn('rig1', SECRET);
		for (const nonsense of ['GET / HTTP/1.1\r\n\r\n', 'x'.repeat(10_000), '[]\n', '\u0000\n']) {
			const worker = await EthProxyWorker.open(port);
			worker.write(nonsense);
			await worker.closed;
		}
		assert.equal((await honest.work()).package.length, 3);
		honest.close();
	});
});

test('a file without a secret is refused before the node starts', { timeout }, async () => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-stratum-'));
	const file = join(folder, 'secret');
	writeFileSync(file, 'short');
	const { code, stderr } = await runToEnd(['--dev', '--base-path', folder, '--miners-secret-file', file]);
	rmSync(folder, { recursive: true });
	assert.notEqual(code, 0);
	assert.match(stderr, /--miners-secret-file .*8 to 64 letters and digits/);
});
