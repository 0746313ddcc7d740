// SPDX-License-Identifier: Apache-2.0

// Tests mining with programs other than the node: a miner written from geth's documentation, with its own Ethash, mines
// a development chain over JSON-RPC.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { full, hashimoto, light, makeCache, makeDataset, Miner, nonceHex, seedHash, seedHashOf } from '../lib/ethash.mjs';
import { call, post } from '../lib/get-work.mjs';
import { freePort, LocalNode, runToEnd } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { within } from '../lib/waiting.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
/** Returns work on the block with this number. For a moment after a block, a node still gives the work on it. */
const workOn = (url, number) => until(`work on block ${number}`, async () => {
	const { result } = await post(url, 'eth_getWork');
	return Number(result?.[3]) === number && result;
});

/** How many blocks the miner mines. */
const BLOCKS = 10;
const ALICE = '0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d';

const hex = (bytes) => `0x${Buffer.from(bytes).toString('hex')}`;

test("this test's Ethash passes published vectors", () => {
	// go-ethereum's TestHashimoto: a cache of 1024 bytes and a dataset of 32 KiB.
	const cache = makeCache(1024, seedHash(0));
	const sealHash = new Uint8Array(Buffer.from('c9149cc0386e689d789a1c2f3d5d169a61a6218ed30e74414dc736e442ef3d1f', 'hex'));
	const dataset = makeDataset(32 * 1024, cache);
	for (const read of [light(cache), full(dataset)]) {
		const { mixHash, result } = hashimoto(32 * 1024, read, sealHash, 0n);
		assert.equal(hex(mixHash), '0xe4073cffaef931d37117cefd9afd27ea0f1cad6a981dd2605c4a1ac97c519800');
		assert.equal(hex(result), '0xd3539235ee2e6f8db665c0a72169f55b7f6c605712330b778ec3944f0eb5a557');
	}
	assert.equal(hex(seedHashOf(29_999)), `0x${'00'.repeat(32)}`);
	assert.equal(hex(seedHashOf(30_000)), '0x290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563');
});

test('other programs can mine', { timeout }, async (t) => {
	const port = await freePort();
	const deadPort = await freePort();
	const notices = createServer();
	notices.listen(0, '127.0.0.1');
	await once(notices, 'listening');
	const received = [];
	notices.on('request', async (request, response) => {
		let body = '';
		for await (const part of request) body += part;
		response.end();
		received.push({ method: request.method, type: request.headers['content-type'], work: JSON.parse(body) });
	});
	const node = await LocalNode.start({
		args: [
			...['--dev', '--threads', '0', '--heartbeat', '1', '--miners-listen', `127.0.0.1:${port}`],
			...['--mine-notify', `http://127.0.0.1:${notices.address().port}/work,http://127.0.0.1:${deadPort}`],
		],
	});
	const rpc = `http://127.0.0.1:${node.port}`;
	const miners = `http://127.0.0.1:${port}`;
	const miner = new Miner();
	t.after(async () => {
		notices.close();
		await node.stop();
	});

	await t.test(`${BLOCKS} blocks, through either port`, async () => {
		assert.equal(await call(rpc, 'eth_mining'), true);
		for (let number = 1; number <= BLOCKS; number++) {
			const port = number % 2 ? rpc : miners;
			const work = await workOn(port, number);
			assert.equal(work.length, 4);
			for (const part of work.slice(0, 3)) assert.match(part, /^0x[0-9a-f]{64}$/);
			assert.equal(work[3], `0x${number.toString(16)}`);
			assert.equal(work[1], hex(seedHashOf(number)));
			// The development chain's difficulty is 1024: 2^256 / 2^10.
			assert.equal(BigInt(work[2]), 1n << 246n);

			const seal = miner.search(work);
			const wrong = [nonceHex(BigInt(seal[0]) + 1n), seal[1], seal[2]];
			assert.equal(await call(port, 'eth_submitWork', ...wrong), false);
			assert.equal(await call(port, 'eth_submitWork', ...seal), true);
			assert.equal(await call(port, 'eth_submitWork', ...seal), false);
			const header = await call(rpc, 'chain_getHeader');
			assert.equal(Number(header.number), number);
			// The block's miner is the node's beneficiary. The first digest item starts with it.
			assert.ok(header.digest.logs[0].includes(ALICE.slice(2)), header.digest.logs[0]);
		}
	});

	await t.test('a seal for a replaced template still counts', async () => {
		const old = await workOn(miners, BLOCKS + 1);
		// A template lives for five seconds; the next one is for the same block.
		await until('there is a new template', async () => (await call(miners, 'eth_getWork'))[0] !== old[0]);
		const [renewed, late] = [await call(miners, 'eth_getWork'), miner.search(old)];
		assert.equal(renewed[3], old[3]);
		assert.equal(await call(miners, 'eth_submitWork', ...late), true);
		assert.equal((await call(rpc, 'chain_getHeader')).number, old[3]);
	});

	await t.test('invalid work and invalid arguments are refused as geth does', async () => {
		const hash = `0x${'11'.repeat(32)}`;
		assert.equal(await call(miners, 'eth_submitWork', nonceHex(1n), hash, hash), false);
		const refused = async (method, ...params) => {
			const { error } = await post(miners, method, ...params);
			assert.equal(error.code, -32602, JSON.stringify(error));
			return error.message;
		};
		assert.match(await refused('eth_submitWork', '0x1', hash, hash), /^invalid argument 0: .* 16/);
		assert.match(await refused('eth_submitWork', nonceHex(1n), hash.slice(2), hash), /^invalid argument 1: .*0x/);
		assert.match(await refused('eth_submitWork', nonceHex(1n), hash, `0x${'zz'.repeat(32)}`), /^invalid argument 2/);
		await refused('eth_submitWork', nonceHex(1n));
		assert.match(await refused('eth_submitHashrate', '0x', hash), /^invalid argument 0: empty/);
		assert.match(await refused('eth_submitHashrate', '0x1', '0x1'), /^invalid argument 1/);
	});

	await t.test('the hash rates of miners are added up', async () => {
		assert.equal(await call(miners, 'eth_hashrate'), '0x0');
		const [first, second] = ['01', '02'].map((byte) => `0x${byte.repeat(32)}`);
		assert.equal(await call(miners, 'eth_submitHashrate', '0x00000000000001f4', first), true);
		assert.equal(await call(rpc, 'eth_submitHashrate', '0x64', second), true);
		assert.equal(await call(miners, 'eth_submitHashrate', '0xc8', second), true);
		assert.equal(Number(await call(miners, 'eth_hashrate')), 700);
	});

	await t.test('the port accepts what ethminer sends', async () => {
		const work = await workOn(miners, Number((await call(rpc, 'chain_getHeader')).number) + 1);
		const [nonce, powHash, mixDigest] = miner.search(work);
		// ethminer 0.19 sends HTTP/1.0 and a Host header without a port, and leaves out `jsonrpc` when it submits a seal.
		const body = JSON.stringify({ id: 40, method: 'eth_submitWork', params: [nonce, powHash, mixDigest] });
		const head = ['POST / HTTP/1.0', 'Host: 127.0.0.1', 'Content-Type: application/json'];
		head.push(`Content-Length: ${body.length}`, 'Connection: close', '', body);
		const socket = connect(port, '127.0.0.1');
		socket.write(head.join('\r\n'));
		// It takes the first segment for the whole answer.
		const [first] = await within('the first bytes of an answer', once(socket, 'data'));
		const answer = first.toString();
		socket.destroy();
		assert.match(answer, /^HTTP\/1\.[01] 200 /);
		assert.deepEqual(JSON.parse(answer.split('\r\n\r\n')[1]), { jsonrpc: '2.0', id: 40, result: true });
	});

	await t.test('pools can read the blocks that they need', async () => {
		const height = Number((await call(rpc, 'chain_getHeader')).number);
		for (const url of [rpc, miners]) {
			assert.equal(Number(await call(url, 'eth_blockNumber')), height);
			const pending = await until('the next block is pending', async () => {
				const block = await call(url, 'eth_getBlockByNumber', 'pending', false);
				return Number(block?.number) === height + 1 && block;
			});
			assert.equal(pending.difficulty, '0x400');
			const block = await call(url, 'eth_getBlockByNumber', '0x1', true);
			assert.equal(block.hash, await call(rpc, 'chain_getBlockHash', 1));
			assert.match(block.nonce, /^0x[0-9a-f]{16}$/);
			assert.deepEqual([block.number, block.miner, block.difficulty], ['0x1', ALICE, '0x400']);
			// The genesis block's difficulty and this block's.
			assert.equal(block.totalDifficulty, '0x800');
			assert.deepEqual([block.transactions, block.uncles], [[], []]);
			assert.deepEqual(await call(url, 'eth_getBlockByHash', block.hash, false), block);
			assert.equal((await call(url, 'eth_getBlockByNumber', 'latest', false)).number, `0x${height.toString(16)}`);
			assert.equal((await call(url, 'eth_getBlockByNumber', 'earliest', false)).number, '0x0');
			for (const unknown of ['0xffff', '0xffffffffff']) {
				assert.equal(await call(url, 'eth_getBlockByNumber', unknown, false), null);
			}
			assert.equal(await call(url, 'eth_getUncleByBlockNumberAndIndex', '0x1', '0x0'), null);
			assert.equal((await post(url, 'eth_getBlockByNumber', 'newest', false)).error.code, -32602);
		}
	});

	await t.test('a dead subscriber is reported once', async () => {
		const log = readFileSync(node.logPath, 'utf8');
		assert.equal(log.match(new RegExp(`cannot notify http://127.0.0.1:${deadPort}`, 'g')).length, 1);
		assert.doesNotMatch(log, /rejecting a miner's seal|Prepared block/);
	});

	await t.test('the settings of the miner can be changed', async () => {
		const settings = await call(rpc, 'miner_settings');
		assert.deepEqual([settings.threads, settings.gasTarget, settings.extraData], [0, 20_000_000, '0x']);
		const bob = '0x8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48';
		assert.equal(await call(rpc, 'miner_setEtherbase', bob), true);
		assert.equal(await call(rpc, 'miner_setExtra', 'rig 1'), true);
		assert.equal(await call(rpc, 'miner_setGasLimit', '0x1000000'), true);
		assert.deepEqual((await call(rpc, 'miner_settings')).extraData, hex(Buffer.from('rig 1')));
		const height = Number(await call(rpc, 'eth_blockNumber'));
		// The built-in miner makes the next blocks, until one has the new settings.
		await call(rpc, 'miner_start', 1);
		await until('a block has all of them', async () => {
			const block = await call(rpc, 'eth_getBlockByNumber', 'latest', false);
			return Number(block.number) > height && block.miner === bob && block.extraData === hex(Buffer.from('rig 1'))
				&& Number(block.gasLimit) < 20_000_000;
		});
		await call(rpc, 'miner_stop');
		assert.equal((await call(rpc, 'miner_settings')).threads, 0);
		for (const [method, param] of [
			['miner_setEtherbase', '5xyz'],
			['miner_setExtra', 'x'.repeat(33)],
			['miner_setGasLimit', '0x1'],
			['miner_start', 1_000_000],
		]) {
			assert.equal((await post(rpc, method, param)).error.code, -32602, method);
		}
		// Miners may not change them.
		assert.equal((await post(miners, 'miner_stop')).error.code, -32601);
	});

	await t.test('the port offers only the mining methods', async () => {
		for (const method of ['system_name', 'author_rotateKeys', 'chain_getHeader']) {
			assert.equal((await post(miners, method)).error.code, -32601, method);
		}
		// Who tries the port with another program is told what is wrong.
		const refused = async (answer, status, words) => {
			assert.equal(answer.status, status);
			assert.match(await answer.text(), words);
		};
		await refused(await fetch(miners), 405, /JSON-RPC with POST/);
		const plain = { method: 'POST', body: '{"id":1,"method":"eth_getWork"}', headers: { 'content-type': 'text/plain' } };
		await refused(await fetch(miners, plain), 415, /content-type: application\/json/);
		const json = (body, headers = {}) =>
			fetch(miners, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
		// A web page, under whatever host name.
		await refused(await json('{"id":1,"method":"eth_getWork"}', { origin: miners }), 403, /web pages/);
		await refused(await json('{'), 400, /one request of JSON-RPC/);
		await refused(await json('[{"id":1,"method":"eth_getWork"}]'), 400, /batches are not served/);
		await refused(await json(' '.repeat(20_000)), 413, /16 KiB/);
	});

	await t.test('new work is sent to subscribers', async () => {
		let work = await call(miners, 'eth_getWork');
		const isKnown = (notice) => notice.work[0] === work[0];
		await until('its notice', async () => {
			work = await call(miners, 'eth_getWork');
			return received.some(isKnown);
		});
		const notice = received.find(isKnown);
		assert.deepEqual(notice, { method: 'POST', type: 'application/json', work });
	});
});

test('a node with safe RPC methods gives no work to strangers', { timeout }, async (t) => {
	const node = await LocalNode.start({ args: ['--chain', 'local', '--rpc-methods', 'safe'] });
	t.after(() => node.stop());
	const rpc = `http://127.0.0.1:${node.port}`;
	const hash = `0x${'11'.repeat(32)}`;
	for (const [method, ...params] of [
		['eth_getWork'],
		['eth_submitWork', nonceHex(1n), hash, hash],
		['eth_submitHashrate', '0x1', hash],
		['miner_stop'],
		['miner_settings'],
	]) {
		const { error } = await post(rpc, method, ...params);
		assert.equal(error.code, -32601, method);
		assert.match(error.message, /unsafe/);
	}
	assert.equal(await call(rpc, 'eth_mining'), false);
	assert.equal(await call(rpc, 'eth_hashrate'), '0x0');
});

test('contradictory options are refused', { timeout }, async () => {
	const local = ['--chain', 'local', '--tmp'];
	const refused = async (...args) => {
		const { code, stderr } = await runToEnd([...local, ...args]);
		assert.notEqual(code, 0);
		return stderr;
	};
	for (const option of ['--miners-listen', '--stratum-listen']) {
		assert.match(await refused(option, '127.0.0.1:1'), /need `--mine`/);
	}
	assert.match(await refused('--mine', '--hash-rate', '0'), /--hash-rate/);
	// What has no effect is said before the error.
	const idle = await refused('--threads', '2', '--beneficiary', ALICE, '--stratum-listen', '127.0.0.1:1');
	assert.match(idle, /`--threads`, `--beneficiary`: without effect, because the node does not mine without `--mine`/);
	assert.match(await refused('--mine', '--mine-notify', 'https://127.0.0.1'), /no https/);
});

test('a taken port is reported before the node makes its database', { timeout }, async () => {
	const taken = createServer();
	taken.listen(0, '127.0.0.1');
	await once(taken, 'listening');
	const address = `127.0.0.1:${taken.address().port}`;
	for (const option of ['--miners-listen', '--stratum-listen']) {
		const folder = mkdtempSync(join(tmpdir(), 'isthmus-port-'));
		// Another node on this machine may have the other services' usual ports.
		const others = ['--no-prometheus', '--port', '0', '--rpc-port', '0'];
		const { code, stderr } = await runToEnd(['--dev', '--base-path', folder, ...others, option, address]);
		assert.notEqual(code, 0);
		const service = option === '--miners-listen' ? 'getWork' : 'Stratum';
		const taken = `cannot listen for ${service} at ${address}: Address already in use. Perhaps another node is running; give this one`;
		assert.ok(stderr.includes(`${taken} another address with \`${option}\``), stderr);
		assert.equal(existsSync(join(folder, 'chains')), false);
		rmSync(folder, { recursive: true });
	}
	taken.close();
});
