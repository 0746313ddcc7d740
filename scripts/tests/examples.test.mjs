// SPDX-License-Identifier: Apache-2.0

// Runs the examples and checks that README.md prints them unchanged.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LocalNode } from '../lib/node.mjs';
import { Client } from '../lib/sharing.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
/** How many blocks a session has. The examples admit and remove a verifier in two sessions, one after the other. */
const SESSION_BLOCKS = 20;
const folder = mkdtempSync(join(tmpdir(), 'isthmus-examples-'));
let node;

before(
	async () => {
		// The development chain, with shorter sessions. Only transactions make blocks, so that none ends before the examples have passed.
		const spec = await writeSpec(folder, {
			verifiers: identities(1),
			parameters: { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
			edit: (genesis) => Object.assign(genesis.verifiers, { sessionBlocks: SESSION_BLOCKS }),
			chainType: 'Development',
		});
		node = await LocalNode.start({ args: ['--dev', '--chain', spec, '--heartbeat', '600'], basePath: join(folder, 'node') });
	},
	{ timeout },
);
after(async () => {
	await node?.stop();
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const pathOf = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Runs an example against the node, in a folder for its secrets; returns what it prints. */
async function run(example, ...args) {
	const path = pathOf(`examples/${example}`);
	const { stdout } = await promisify(execFile)(process.execPath, [path, ...args, node.url], { timeout, cwd: folder });
	return stdout;
}

test('submit.mjs registers a producer, and prints why a second registration is refused', { timeout }, async () => {
	assert.match(await run('submit.mjs'), /^block \d+: dataSharing\.Registered$/m);
	assert.equal(
		await run('submit.mjs'),
		'refused: AlreadyRegistered: The account is a registered producer already.\n',
	);
});

test('an example ends if no node answers', { timeout }, async () => {
	for (const example of ['submit.mjs', 'share.mjs']) {
		const run = promisify(execFile)(process.execPath, [pathOf(`examples/${example}`), 'ws://127.0.0.1:1'], { timeout });
		await assert.rejects(run, ({ code, killed, stderr }) => {
			assert.deepEqual([code, killed], [1, false], example);
			assert.match(stderr, /no node answers at ws:\/\/127\.0\.0\.1:1/);
			return true;
		});
	}
});

test('share.mjs stores a record and reads it back', { timeout }, async () => {
	assert.match(
		await run('share.mjs'),
		/^stored in block \d+, which is finalized\nread back:\nmonth,student,mark\n2025-01,S0001,64\n\n$/,
	);
	await assert.rejects(run('share.mjs'), { code: 1, stderr: /AlreadyRegistered/ });
});

test('the other steps ask, grant, read, prove and revoke', { timeout }, async () => {
	const charlie = '5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y';
	assert.match(await run('request.mjs'), /^request 0 in block \d+\n$/);
	assert.match(await run('grant.mjs'), new RegExp(`^grant 0 to ${charlie} in block \\d+: a study of marks\n$`));
	assert.equal(await run('read.mjs'), 'month,student,mark\n2025-01,S0001,64\n\n');
	const proven = await run('receipt.mjs');
	assert.match(proven, /^AccessRequested in block \d+, 0x\w{64}\nAuthorized in block \d+, 0x\w{64}\n$/);
	assert.match(await run('revoke.mjs', '0'), /^grant 0 was revoked in block \d+, and epoch 1 began\n$/);
	assert.equal(await run('read.mjs'), "refused: Revoked: The caller's grant was revoked.\n");
	// Secrets are for their owner's eyes.
	for (const name of ['school.secret', 'company.secret']) {
		const { mode, size } = statSync(join(folder, name));
		assert.deepEqual([mode & 0o777, size], [0o600, 32], name);
	}
});

test('verifier.mjs applies, and lets verifiers admit and remove', { timeout }, async () => {
	const eve = '5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw';
	const refused = (name) => ({ code: 1, stderr: new RegExp(`^refused: ${name}: `) });
	assert.match(await run('verifier.mjs', 'apply', '//Eve'), /^applied in block \d+; .* have to admit 5HGjW/);
	await assert.rejects(run('verifier.mjs', 'apply', '//Eve'), refused('AlreadyApplicant'));
	await assert.rejects(run('verifier.mjs', 'leave', '//Alice'), refused('LastVerifier'));
	// Alice is the only verifier, so her proposal is executed at once.
	const admitted = await run('verifier.mjs', 'admit', '//Alice', eve);
	assert.match(admitted, /^proposed in block \d+\nAdmitted in block \d+: who 5HGjW\w+, session \d+\n$/);
	// The verifiers change one in a session.
	await nextSession();
	// Now there are two verifiers, and both votes are needed.
	const first = await run('verifier.mjs', 'remove', '//Alice', eve);
	assert.match(first, /^proposed in block \d+\n1 of the 2 votes that it needs\n$/);
	const second = await run('verifier.mjs', 'remove', '//Eve', eve);
	assert.match(second, /^2 of the 2 votes that it needs\nRemoved in block \d+: who 5HGjW\w+, session \d+\n$/);
	await assert.rejects(run('verifier.mjs', 'admit', '//Alice', eve), refused('OneChangeASession'));
	await assert.rejects(run('verifier.mjs', 'object', '//Eve'), refused('NothingAgreed'));
	await assert.rejects(run('verifier.mjs', 'restart', '//Alice', '100000', 'none'), refused('NotStalled'));
	await assert.rejects(run('verifier.mjs', 'upgrade'), ({ stderr }) => /^usage: /.test(stderr));
});

/** Fills blocks until a session ends. The development chain makes a block for each transaction. */
async function nextSession() {
	const client = await Client.connect(node.url);
	const { query, tx } = client.api;
	const session = async () => (await query.session.currentIndex()).toNumber();
	const before = await session();
	while ((await session()) === before) await client.submit(client.account('//Ferdie'), tx.system.remark(''));
	await client.disconnect();
}

test('README.md prints the examples unchanged', () => {
	const printed = readFileSync(pathOf('README.md'), 'utf8');
	for (const example of ['submit.mjs', 'share.mjs']) {
		const text = readFileSync(pathOf(`examples/${example}`), 'utf8').replace(/^\/\/ SPDX.*\n/, '');
		assert.ok(printed.includes(`\`\`\`js\n${text}\`\`\`\n`), `${example} differs from its copy in README.md`);
	}
});
