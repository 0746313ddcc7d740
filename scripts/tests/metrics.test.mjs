// SPDX-License-Identifier: Apache-2.0

// Tests that every metric exists that the alert rules and the dashboard in docker/ name, or that docs/operations.md
// describes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LocalNode } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
const ROOT = new URL('../../', import.meta.url);
const NAME = /\b(?:isthmus|substrate)_[a-z0-9_]+\b/g;
/** Names in these files that are not metrics: folders, chains, programs and files. */
const OTHERS = new Set(['isthmus_dev', 'isthmus_local', 'isthmus_verification', 'isthmus_risk', 'isthmus_runtime']);

test('every metric that an alert, the dashboard or the documentation names exists', { timeout }, async (t) => {
	const node = await LocalNode.start({ args: ['--dev'], metrics: true });
	const rpc = await Rpc.connect(node.url);
	t.after(async () => {
		await rpc.disconnect();
		await node.stop();
	});
	await rpc.finalizedFrom(1);
	/** Returns the metrics that these files name and the node does not have. */
	const missing = async () => {
		const answer = await fetch(`http://127.0.0.1:${node.metricsPort}/metrics`);
		const exported = new Set((await answer.text()).match(NAME));
		return ['docker/alerts.yaml', 'docker/dashboard.json', 'docs/operations.md'].flatMap((file) => {
			const named = new Set(readFileSync(new URL(file, ROOT), 'utf8').match(NAME));
			return [...named].filter((name) => !OTHERS.has(name) && !exported.has(name)).map((name) => `${file}: ${name}`);
		});
	};
	// Some are first measured some seconds after the start.
	await until('all are measured', async () => (await missing()).length === 0).catch(() => undefined);
	assert.deepEqual(await missing(), []);
});
