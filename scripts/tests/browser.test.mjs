// SPDX-License-Identifier: Apache-2.0

// Tests the JavaScript library in a real browser, and that a page of a foreign origin gets no WebSocket there, while a page of
// this machine gets one.
//
// Set CHROMIUM to the path of Chromium or Chrome, for example of Debian's package `chromium`, or of the file that the
// package @sparticuz/chromium contains. Without it, only what the library imports is tested; rpc-server.test.mjs sends the
// same handshakes.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { moduleAt, needs, servePage } from '../lib/browser.mjs';
import { LocalNode } from '../lib/node.mjs';
import { within } from '../lib/waiting.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const browser = process.env.CHROMIUM;
const OPTIONS = '--headless=old --no-sandbox --disable-gpu --single-process --no-zygote --disable-dev-shm-usage'.split(' ');

/** A page that calls the node by WebSocket and reports what happened. */
const knock = (url) => `<title>page</title><script>
	const report = (what) => fetch('/report?' + what);
	const socket = new WebSocket('${url}');
	socket.onopen = () => socket.send('{"jsonrpc":"2.0","id":1,"method":"system_chain","params":[]}');
	socket.onmessage = () => report('answered');
	socket.onerror = () => report('refused');
</script>`;

/** A page on which a school stores a record and grants it, and a company reads it. It reports what the company read. */
const share = (url) => `<title>page</title><script type="module">
	const report = (what) => fetch('/report?' + encodeURIComponent(what));
	try {
		const { EncryptionKeyPair, MasterSecret } = await import('/lib/envelope.mjs');
		const { Client, recordKey } = await import('/lib/sharing.mjs');
		const client = await Client.connect('${url}');
		const [school, company] = ['//Bob', '//Charlie'].map((secret) => client.account(secret));
		const [master, pair, key] = [MasterSecret.generate(), EncryptionKeyPair.generate(), recordKey('marks')];
		const scope = { dataset: 0, epoch: 0, from: 0, to: 4 };
		await client.register(school, 'School', 'A school');
		await client.createDataset(school, 'marks');
		await client.store(school, master, { ...scope, leaf: 1, key }, new TextEncoder().encode('Ada,97'));
		await client.setEncryptionKey(company, await pair.publicKey());
		await client.authorize(school, master, company.address, scope, { term: 1000 });
		await report(new TextDecoder().decode(await client.read(company, pair, school.address, key)));
	} catch (error) {
		await report(error.stack ?? String(error));
	}
</script>`;

/** Opens a page under a host name that resolves to this machine, and returns what it reports. */
async function open(page, host) {
	const profile = mkdtempSync(join(tmpdir(), 'isthmus-browser-'));
	let child;
	let server;
	try {
		return await within('the page reports', new Promise((resolve, reject) => {
			const opened = servePage(page, resolve).then((served) => {
				server = served;
				const args = [`--user-data-dir=${profile}`, '--host-resolver-rules=MAP evil.example 127.0.0.1'];
				const address = `http://${host}:${server.address().port}/`;
				child = spawn(browser, [...OPTIONS, ...args, '--remote-debugging-port=0', address], { stdio: 'ignore' });
				child.once('error', reject);
				child.once('exit', () => reject(new Error('the browser ended before the page reported')));
			});
			opened.catch(reject);
		}));
	} finally {
		child?.removeAllListeners('exit');
		child?.kill('SIGKILL');
		server?.closeAllConnections();
		server?.close();
		rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
	}
}

test('what the package exports runs without Node.js', () => {
	const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
	for (const { default: path } of Object.values(exports)) {
		const { modules, missing } = needs(path.slice(1));
		assert.deepEqual(missing, [], path);
		for (const own of modules.filter((module) => module.startsWith('/lib/'))) {
			const code = moduleAt(own).replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
			assert.doesNotMatch(code, /\b(Buffer|process|setImmediate)\b|node:/, own);
		}
	}
});

const skip = !browser && 'CHROMIUM is not set';

test('in a browser, a page of a foreign origin gets no WebSocket', { timeout, skip }, async (t) => {
	const node = await LocalNode.start({ args: ['--chain', 'local'] });
	t.after(() => node.stop());
	assert.equal(await open(knock(node.url), 'evil.example'), 'refused');
	assert.equal(await open(knock(node.url), 'localhost'), 'answered');
});

test('in a browser, a page shares a record, and reads it with proofs', { timeout, skip }, async (t) => {
	const node = await LocalNode.start({ args: ['--dev'] });
	t.after(() => node.stop());
	assert.equal(await open(share(node.url), 'localhost'), 'Ada,97');
});
