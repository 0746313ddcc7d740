// SPDX-License-Identifier: Apache-2.0

// Tests whom the RPC server answers, and how large a request and an answer may be.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { Rpc } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';
import { within } from '../lib/waiting.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
/** The size of a transaction whose request just fits into 15 MiB in hexadecimal. */
const LARGEST = 7_864_200;

/** Sends an HTTP request, and returns the status code of the answer. */
async function status(node, method, headers, body = '') {
	const host = headers.some(([name]) => name === 'Host') ? [] : [['Host', `127.0.0.1:${node.port}`]];
	const lines = [...host, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
	const socket = connect(node.port, '127.0.0.1');
	try {
		return await within('an answer to the request', new Promise((resolve, reject) => {
			let answer = '';
			socket.setEncoding('latin1');
			socket.once('error', reject);
			socket.once('end', () => reject(new Error(`the connection ended after "${answer}"`)));
			socket.on('data', (part) => {
				answer += part;
				if (answer.includes('\r\n')) resolve(Number(answer.split(' ')[1]));
			});
			socket.write(`${method} / HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
		}));
	} finally {
		socket.destroy();
	}
}

/** Asks for a WebSocket, and returns the status code of the answer. */
async function upgrade(node, ...headers) {
	return status(node, 'GET', [
		['Connection', 'Upgrade'],
		['Upgrade', 'websocket'],
		['Sec-WebSocket-Version', '13'],
		['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
		...headers,
	]);
}

/** Calls a method by HTTP, and returns the status code of the answer. */
async function post(node, ...headers) {
	const body = '{"jsonrpc":"2.0","id":1,"method":"system_chain","params":[]}';
	const own = [['Content-Type', 'application/json'], ['Content-Length', String(body.length)]];
	return status(node, 'POST', [...own, ...headers], body);
}

test('a web page calls the RPC only if its origin is allowed', { timeout }, async (t) => {
	const node = await LocalNode.start({ args: ['--chain', 'local'] });
	t.after(() => node.stop());
	const ofThisNode = `http://127.0.0.1:${node.port}`;

	await t.test('programs that send no origin are answered', async () => {
		assert.equal(await upgrade(node), 101);
		assert.equal(await post(node), 200);
	});
	for (const origin of ['http://localhost:5173', 'http://localhost', ofThisNode, 'https://polkadot.js.org']) {
		await t.test(`${origin} is answered`, async () => {
			assert.equal(await upgrade(node, ['Origin', origin]), 101);
			assert.equal(await post(node, ['Origin', origin]), 200);
		});
	}
	for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'https://polkadot.js.org.evil.example']) {
		await t.test(`${origin} is refused`, async () => {
			assert.equal(await upgrade(node, ['Origin', origin]), 403);
			assert.equal(await post(node, ['Origin', origin]), 403);
		});
	}
	await t.test('a second origin does not hide the first', async () => {
		assert.equal(await upgrade(node, ['Origin', 'http://localhost'], ['Origin', 'https://evil.example']), 403);
	});
	await t.test('a host name that resolves to this machine is refused', async () => {
		const host = `rebound.example:${node.port}`;
		assert.equal(await upgrade(node, ['Host', host]), 403);
		assert.equal(await post(node, ['Host', host]), 403);
		assert.equal(await upgrade(node, ['Host', host], ['Origin', `http://${host}`]), 403);
	});
});

test('with --rpc-cors all, as with --dev, every web page is answered', { timeout }, async (t) => {
	const node = await LocalNode.start({ args: ['--dev'] });
	t.after(() => node.stop());
	assert.equal(await upgrade(node, ['Origin', 'https://evil.example']), 101);
	assert.equal(await post(node, ['Origin', 'https://evil.example']), 200);
});

test('a subscription over HTTP is told that it needs a WebSocket', { timeout }, async (t) => {
	const node = await LocalNode.start({ args: ['--dev'] });
	t.after(() => node.stop());
	const call = (id, method, params = []) => ({ jsonrpc: '2.0', id, method, params });
	const calls = [call(1, 'chain_subscribeNewHeads'), call(2, 'chain_unsubscribeNewHeads', ['x']), call(3, 'system_chain')];
	const headers = { 'content-type': 'application/json' };
	const answer = await fetch(`http://127.0.0.1:${node.port}`, { method: 'POST', headers, body: JSON.stringify(calls) });
	const [subscribed, unsubscribed, asked] = await answer.json();
	for (const { error } of [subscribed, unsubscribed]) {
		assert.equal(error.code, -32601);
		assert.match(error.message, /subscriptions need a WebSocket: .*ws:\/\//);
	}
	assert.equal(asked.result, 'Isthmus Development');
});

test('a default node returns its largest blocks, and takes requests of 15 MiB', { timeout }, async (t) => {
	const node = await LocalNode.start({ args: ['--dev'] });
	const client = await Client.connect(node.url);
	const rpc = await Rpc.connect(node.url);
	t.after(async () => {
		await rpc.disconnect();
		await client.disconnect();
		await node.stop();
	});
	// An operational call may fill 8 MiB. This one fails, as the bytes are no runtime, and is in the block all the same.
	const { system, sudo } = client.api.tx;
	const call = (size) => sudo.sudo(system.setCode(`0x${'ff'.repeat(size)}`));
	const overhead = 200;
	const signed = await call(LARGEST - overhead).signAsync(client.account('//Alice'), { era: 0, nonce: 0 });
	await rpc.call('author_submitExtrinsic', signed.toHex());
	const holds = async (number) => {
		const { block } = await rpc.call('chain_getBlock', await rpc.hashAt(number));
		return block.extrinsics.some((extrinsic) => extrinsic === signed.toHex());
	};
	const first = (await rpc.best()).number;
	for (let number = first; ; number++) {
		await rpc.bestFrom(number);
		// On a busy machine, blocks without it may be faster than the first one with it.
		if (await holds(number)) return;
	}
});
