// The examples run, and README.md prints them as they are.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LocalNode } from '../lib/node.mjs';

/** Ends what hangs. It is no bound on speed: these tests also run beside a build. */
const timeout = 180_000;
let node;

before(async () => (node = await LocalNode.start()), { timeout });
after(() => node?.stop());

const pathOf = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** What an example prints when it is run against the node. */
async function run(example) {
	const path = pathOf(`examples/${example}`);
	const { stdout } = await promisify(execFile)(process.execPath, [path, node.url], { timeout });
	return stdout;
}

test('submit.mjs registers a producer, and is told why not a second time', { timeout }, async () => {
	assert.match(await run('submit.mjs'), /^block \d+: dataSharing\.Registered$/m);
	assert.equal(
		await run('submit.mjs'),
		'refused: AlreadyRegistered: The account is a registered producer already.\n',
	);
});

test('share.mjs stores a record and reads it back', { timeout }, async () => {
	assert.match(
		await run('share.mjs'),
		/^stored in block \d+, which is final\nread back:\nmonth,student,mark\n2025-01,S0001,64\n\n$/,
	);
	await assert.rejects(run('share.mjs'), { code: 1, stderr: /AlreadyRegistered/ });
});

test('README.md prints the examples as they are', () => {
	const printed = readFileSync(pathOf('README.md'), 'utf8');
	for (const example of ['submit.mjs', 'share.mjs']) {
		const text = readFileSync(pathOf(`examples/${example}`), 'utf8');
		assert.ok(printed.includes(`\`\`\`js\n${text}\`\`\`\n`), `${example} is not in README.md as it is`);
	}
});
