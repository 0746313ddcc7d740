// SPDX-License-Identifier: Apache-2.0

// Tests clients from npm that know nothing of this chain, each in a folder of its own with nothing of this project: polkadot-api
// with the types that it makes from the chain's metadata, and the command of @polkadot/api-cli. They are installed for the test,
// so it runs with ISTHMUS_LONG=1 only. `polkadot-js.test.mjs` tests @polkadot/api.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Keyring } from '@polkadot/api';
import { LocalNode } from '../lib/node.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** The versions that docs/clients.md names. */
const PAPI = ['polkadot-api@2.2.2', '@polkadot-labs/hdkd@0.0.28', '@polkadot-labs/hdkd-helpers@0.0.30', 'ws@8.23.0'];
const API_CLI = ['@polkadot/api-cli@0.63.20'];

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const addressOf = (secret) => new Keyring({ type: 'sr25519' }).addFromUri(secret).address;
let folder, node;

before(
	async () => {
		if (skip) return;
		folder = mkdtempSync(join(tmpdir(), 'isthmus-foreign-'));
		node = await LocalNode.start();
	},
	{ timeout },
);
after(async () => {
	await node?.stop();
	if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Installs packages into a folder of their own, and returns what runs programs there. */
async function install(name, packages) {
	const cwd = join(folder, name);
	mkdirSync(cwd);
	writeFileSync(join(cwd, 'package.json'), '{"private":true,"type":"module"}');
	const options = { cwd, timeout, maxBuffer: 64 * 1024 * 1024 };
	await run('npm', ['install', '--no-audit', '--no-fund', '--save-exact', ...packages], options);
	return async (...args) => (await run(process.execPath, args, options)).stdout;
}

test('polkadot-api makes types, registers, and names the error and the block author', { timeout, skip }, async () => {
	const program = await install('papi', PAPI);
	// Its tools need a WebSocket, which Node.js has from version 22 on.
	const flags = typeof WebSocket === 'undefined' ? ['--experimental-websocket'] : [];
	await program(...flags, 'node_modules/polkadot-api/bin/cli.js', 'add', 'isthmus', '-w', node.url);
	copyFileSync(here('data/papi-client.mjs'), join(folder, 'papi/client.mjs'));
	writeFileSync(join(folder, 'papi/node.d.ts'), 'declare const process: { argv: string[] };\n');
	const options = ['--noEmit', '--checkJs', '--strict', '--skipLibCheck', '--target', 'es2022'];
	const modules = ['--module', 'esnext', '--moduleResolution', 'bundler'];
	await program(here('../node_modules/typescript/bin/tsc'), ...options, ...modules, 'client.mjs', 'node.d.ts');

	const told = JSON.parse(await program('client.mjs', node.url));
	assert.equal(told.address, addressOf('//Dave'));
	assert.ok(told.events.includes('DataSharing.Registered'), String(told.events));
	const error = { type: 'DataSharing', value: { type: 'AlreadyRegistered' } };
	assert.deepEqual(told.refusal, { type: 'Module', value: error });
	assert.equal(told.kind, 'School');
	assert.equal(told.author, addressOf('//Alice'));
});

test('@polkadot/api-cli reads and registers, and shows an error by its number', { timeout, skip }, async () => {
	const program = await install('cli', API_CLI);
	/** Runs the command, and returns the last of what it prints, objects of several lines each. */
	const cli = async (...args) => {
		const printed = await program('node_modules/@polkadot/api-cli/runcli.mjs', '--ws', node.url, ...args);
		return JSON.parse(printed.trim().split(/\n(?=\{)/).at(-1));
	};
	const register = async () => {
		const name = 'A school of the command line';
		const sent = await cli('--seed', '//Ferdie', 'tx.dataSharing.register', 'School', name);
		return sent.register.events.map(({ event }) => event);
	};
	const registered = await register();
	const { producers } = await cli('query.dataSharing.producers', addressOf('//Ferdie'));
	assert.equal(producers.kind, 'School');
	// It shows no names: 0x0000 is `System.ExtrinsicSuccess`, and 0x0001 is `System.ExtrinsicFailed`.
	assert.ok(registered.some(({ index }) => index === '0x0000'));
	const failed = (await register()).find(({ index }) => index === '0x0001');
	assert.deepEqual(failed.data[0], { module: { index: 10, error: '0x00000000' } });
});
