// SPDX-License-Identifier: Apache-2.0

// Tests that what the tests wait for ends: with what was awaited, what the program printed last, and how it ended.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { before, ended, kill, printed, run, start } from '../lib/child.mjs';
import { Rpc, TimedOut, until } from '../lib/rpc.mjs';
import { runInTerminal, runScript } from '../lib/terminal.mjs';
import { within } from '../lib/waiting.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 120_000;
/** A wait that is to end in vain, in milliseconds. */
const SHORT = 200;

const never = new Promise(() => undefined);
const shell = (script, options) => start('bash', ['-c', script], options);
const here = { cwd: tmpdir(), env: process.env };

test('a condition that never holds, or whose question is never answered', { timeout }, async () => {
	for (const probe of [() => false, () => never]) {
		await assert.rejects(until('it rains', probe, SHORT), (error) => error instanceof TimedOut && /: it rains$/.test(error.message));
	}
	await assert.rejects(until('x', () => { throw new Error('refused'); }), /refused/);
	assert.equal(await until('x', async () => 'dry', SHORT), 'dry');
	await assert.rejects(within('an answer', never, SHORT, () => ', after none'), /^TimedOut: not within 0\.2 s: an answer, after none$/);
});

test('a program that does not end is killed', { timeout }, async () => {
	const child = shell('echo trouble >&2; echo started; exec sleep 1000');
	await printed(child, 'stdout', /started/);
	await assert.rejects(ended(child, SHORT), /the end of `bash -c .*it still runs\nits stdout ends with:\nstarted\n\nits stderr ends with:\ntrouble/s);
	assert.deepEqual(await ended(child), [null, 'SIGKILL']);
	// Its end is told again, and at once.
	assert.deepEqual(await ended(child), [null, 'SIGKILL']);
});

test('a line that does not come', { timeout }, async () => {
	const over = shell('echo something else; echo trouble >&2; exit 3');
	await assert.rejects(printed(over, 'stdout', /ready/), /ended before: a line \/ready\/ on stdout; it ended \(exit code 3\)\n.*something else\n.*trouble/s);
	const silent = shell('exec sleep 1000');
	await assert.rejects(printed(silent, 'stderr', /ready/, SHORT), /not within 0\.2 s: a line \/ready\/ on stderr, of `bash .*it still runs/);
	await assert.rejects(before(silent, 'a sign', never, SHORT), TimedOut);
	kill(silent);
	await ended(silent);
});

test('a program that cannot be started', { timeout }, async () => {
	await assert.rejects(ended(start('./no-such-program', [])), { code: 'ENOENT' });
});

test('what a program prints is read once, although its end is kept', { timeout }, async () => {
	const { code, stdout, stderr } = await run('bash', ['-c', 'cat; seq 100000; echo late >&2; exit 5'], {}, { input: 'given\n' });
	assert.equal(code, 5);
	assert.equal(stdout.split('\n').length, 100_002);
	assert.match(stdout, /^given\n1\n/);
	assert.equal(stderr, 'late\n');
});

test('a script that hangs, also in a terminal', { timeout }, async () => {
	const outcome = await runScript('echo started; setsid sleep 30 & exec sleep 1000', { ...here, limit: 2000 });
	assert.equal(outcome.code, 'hangs');
	assert.equal(outcome.stdout, 'started\n');
	const typed = [['first: ', 'x\r', true], ['second: ', 'y\r', true]];
	const shown = await runInTerminal('echo "first: "; read -r; exec cat', { ...here, typed, limit: 2000 });
	assert.equal(shown.code, 'hangs');
	assert.equal(shown.awaited, 'second: ');
	assert.match(shown.screen, /first: /);
});

test('a node that is gone', { timeout }, async () => {
	// A port at which no one listens any more.
	const taken = createServer().listen(0, '127.0.0.1');
	await once(taken, 'listening');
	const { port } = taken.address();
	await new Promise((resolve) => taken.close(resolve));
	await assert.rejects(Rpc.connect(`ws://127.0.0.1:${port}`), /the connection to the node is lost: connecting to ws:/);

	const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
	await once(server, 'listening');
	// It accepts a subscription, and ends.
	server.on('connection', (socket) => socket.on('message', (data) => {
		socket.send(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(data).id, result: 'one' }), () => socket.terminate());
	}));
	const rpc = await Rpc.connect(`ws://127.0.0.1:${server.address().port}`);
	await assert.rejects(rpc.finalizedFrom(2), /the connection to the node is lost: waiting for finalized block 2/);
	server.close();
});
