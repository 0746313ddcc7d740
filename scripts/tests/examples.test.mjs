// The examples run as they are printed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LocalNode } from '../lib/node.mjs';

const timeout = 60_000;
let node;

before(async () => (node = await LocalNode.start()), { timeout });
after(() => node?.stop());

/** What an example prints when it is run against the node. */
async function run(example) {
	const path = fileURLToPath(new URL(`../examples/${example}`, import.meta.url));
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
