// SPDX-License-Identifier: Apache-2.0

// Tests with a real browser that a page of a foreign origin gets no WebSocket, and that a page of this machine gets one.
//
// Set CHROMIUM to the path of Chromium or Chrome, for example of Debian's package `chromium`, or of the file that the
// package @sparticuz/chromium contains. Without it the test is skipped; rpc-server.test.mjs sends the same handshakes.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const browser = process.env.CHROMIUM;
const OPTIONS = '--headless=old --no-sandbox --disable-gpu --single-process --no-zygote --disable-dev-shm-usage'.split(' ');

/** Returns a page that calls the node by WebSocket and reports what happened. */
const page = (url) => `<!doctype html><title>page</title><script>
	const report = (what) => fetch('/report?' + what);
	const socket = new WebSocket('${url}');
	socket.onopen = () => socket.send('{"jsonrpc":"2.0","id":1,"method":"system_chain","params":[]}');
	socket.onmessage = () => report('answered');
	socket.onerror = () => report('refused');
</script>`;

/** Opens the page under a host name that resolves to this machine, and returns what it reports. */
async function open(url, host) {
	const profile = mkdtempSync(join(tmpdir(), 'isthmus-browser-'));
	let child;
	let server;
	try {
		return await new Promise((resolve, reject) => {
			server = createServer(({ url: path }, response) => {
				if (path.startsWith('/report?')) resolve(path.split('?')[1]);
				response.setHeader('content-type', 'text/html');
				response.end(page(url));
			});
			server.listen(0, '127.0.0.1', () => {
				const args = [`--user-data-dir=${profile}`, '--host-resolver-rules=MAP evil.example 127.0.0.1'];
				const address = `http://${host}:${server.address().port}/`;
				child = spawn(browser, [...OPTIONS, ...args, '--remote-debugging-port=0', address], { stdio: 'ignore' });
				child.once('error', reject);
				child.once('exit', () => reject(new Error('the browser ended before the page reported')));
			});
		});
	} finally {
		child?.removeAllListeners('exit');
		child?.kill('SIGKILL');
		server.closeAllConnections();
		server.close();
		rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
	}
}

test('in a browser, a page of a foreign origin gets no WebSocket', { timeout, skip: !browser && 'CHROMIUM is not set' }, async (t) => {
	const node = await LocalNode.start({ args: ['--chain', 'local'] });
	t.after(() => node.stop());
	assert.equal(await open(node.url, 'evil.example'), 'refused');
	assert.equal(await open(node.url, 'localhost'), 'answered');
});
