// SPDX-License-Identifier: Apache-2.0

// Tests the links between the nodes of a test network: whatever the delay, the rate and the loss, all bytes arrive in
// order, in both directions.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { Link } from '../lib/link.mjs';
import { randomNumbers } from '../lib/random.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const BYTES = 3_000_000;

/** Starts a server that sends back what it receives; returns its port. */
async function echo(t) {
	const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
	t.after(() => server.close());
	await once(server, 'listening');
	return server.address().port;
}

/** Connects through a link. */
async function through(t, link) {
	const socket = connect(link.port, '127.0.0.1');
	t.after(() => socket.destroy());
	await once(socket, 'connect');
	return socket;
}

/** Resolves when a socket is closed, with or without an error. */
function closed(socket) {
	socket.on('error', () => {});
	return new Promise((resolve) => socket.once('close', resolve));
}

const random = randomNumbers(1);
for (const [name, options] of Object.entries({
	'a perfect line': {},
	'a delay': { latency: 5 },
	'a limited rate': { rate: 20_000_000 },
	'a delay, a limited rate and loss': { latency: 3, rate: 20_000_000, loss: 0.02, random: () => random(1000) / 1000 },
})) {
	test(`${name}: all bytes arrive in order`, { timeout }, async (t) => {
		const port = await echo(t);
		const link = await Link.to(() => port, options);
		t.after(() => link.close());
		link.open();
		const socket = await through(t, link);
		const sent = randomBytes(BYTES);
		socket.write(sent);
		const pieces = [];
		for (let length = 0; length < BYTES; ) {
			const [piece] = await once(socket, 'data');
			pieces.push(piece);
			length += piece.length;
		}
		assert.ok(Buffer.concat(pieces).equals(sent));
	});
}

test('a link that is cut breaks its connections, and accepts no others', { timeout }, async (t) => {
	const port = await echo(t);
	const link = await Link.to(() => port, { latency: 5, rate: 1_000_000 });
	t.after(() => link.close());
	link.open();
	const socket = await through(t, link);
	socket.write(randomBytes(BYTES));
	await once(socket, 'data');
	link.cut();
	await closed(socket);
	await closed(connect(link.port, '127.0.0.1'));
});

test('a connection that is held waits until it is released, and a hold is for new connections', { timeout }, async (t) => {
	const port = await echo(t);
	const link = await Link.to(() => port);
	t.after(() => link.close());
	link.open();
	const before = await through(t, link);
	// Only when something came back, the link has taken the connection.
	before.write('first');
	await once(before, 'data');
	link.hold();
	const held = await through(t, link);
	const answers = [];
	held.on('data', (piece) => answers.push(String(piece)));
	held.write('held');
	before.write('before');
	assert.equal(String((await once(before, 'data'))[0]), 'before');
	assert.deepEqual(answers, []);
	link.release();
	if (answers.length === 0) await once(held, 'data');
	assert.equal(answers.join(''), 'held');
});
