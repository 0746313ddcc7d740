#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Renews the table of what programs know of transactions, `lib/sharing/layouts.mjs`, from a development node:
// `ISTHMUS_NODE=path scripts/layouts.mjs`. Run it after a change of the runtime's calls or version, and build again. With
// `--unreleased`, calls may differ from what the table has for the same transaction version.
import { writeFileSync } from 'node:fs';
import { fileOf, layoutOf, renewed } from './lib/layout-table.mjs';
import { LocalNode } from './lib/node.mjs';
import { Connection } from './lib/sharing/connection.mjs';
import LAYOUTS from './lib/sharing/layouts.mjs';

const node = await LocalNode.start({ args: ['--dev'] });
try {
	const client = await Connection.connect(node.url);
	const isReleased = !process.argv.includes('--unreleased');
	const table = renewed(LAYOUTS, layoutOf(client.api), { isReleased });
	await client.disconnect();
	writeFileSync(new URL('lib/sharing/layouts.mjs', import.meta.url), fileOf(table));
	const [{ transactionVersion, specVersion, calls }] = table;
	console.log(`${Object.keys(calls).length} calls of transaction version ${transactionVersion}, runtime ${specVersion}`);
} finally {
	await node.stop();
}
