// SPDX-License-Identifier: Apache-2.0

// Runs a hostile peer against a real node. The peer offers blocks that break one rule each, and sends floods of
// messages. The node must refuse every block and name the rule, disconnect peers that are at fault, and keep mining.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { storeBulk, UNBOUNDED_LOG, victim } from '../lib/attack-network.mjs';
import { adversary } from '../lib/attack-program.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 900_000;
/** The extent of each flood. (scripts/attack sends 10,000 messages.) */
const FLOOD = { messages: 400, seconds: 8 };
/** How many connections a flood opens at the same time. The last ones may have carried no messages. */
const CONNECTIONS = 4;
/** Cases in which the peer is not at fault and stays connected. */
const BLAMELESS = ['wrong_timestamp', 'synced_sealed_from_the_future', 'synced_sealed_from_the_far_future'];

test('a block that breaks one rule is refused, and the log names the rule', { timeout }, async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-adversary-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const node = await victim(UNBOUNDED_LOG);
	t.after(() => node.kill());
	const chain = ['--chain', 'dev', '--base-path', folder];
	const attack = ['refuse', '--rpc', node.url, '--log', node.logPath, '--mines', ...chain];
	const outcomes = await adversary(attack, timeout);
	const synced = outcomes.filter((outcome) => outcome.case.startsWith('synced_'));
	assert.equal(synced.length, 3);
	for (const outcome of outcomes) {
		await t.test(outcome.case, () => {
			assert.equal(outcome.held, true, `${JSON.stringify(outcome)}\n${node.logTail()}`);
			assert.equal(outcome.disconnected, !BLAMELESS.includes(outcome.case));
			if (outcome.rule) assert.match(outcome.logged, new RegExp(`is rejected: rule ${outcome.rule} is violated`));
		});
	}
	const rules = new Set(outcomes.map(({ rule }) => rule).filter(Boolean));
	assert.deepEqual([...rules].sort(), [
		'difficulty', 'difficulty_too_low', 'digest', 'extra_data_too_long', 'extrinsics_root', 'gas_limit_out_of_bounds',
		'gas_limit_too_high', 'gas_limit_too_low', 'gas_used_above_limit', 'mix_hash', 'number', 'seal_above_boundary',
		'timestamp_not_after_parent', 'too_many_uncles', 'uncle_header', 'uncle_is_ancestor', 'uncle_not_kin',
		'uncle_repeated', 'uncles_hash',
	]);
});

test('a flood costs its sender the connection, and the node keeps mining', { timeout }, async (t) => {
	const node = await victim();
	t.after(() => node.kill());
	await storeBulk(node.url);
	const extent = ['--messages', String(FLOOD.messages), '--seconds', String(FLOOD.seconds)];
	const attack = ['flood', '--rpc', node.url, '--pid', String(node.pid), '--log', node.logPath, ...extent];
	const reports = await adversary(attack, timeout);
	assert.deepEqual(
		reports.map((report) => report.attack),
		['flood-headers', 'flood-mixes', 'flood-bodies', 'flood-bytes', 'flood-oversized', 'flood-requests'],
	);
	for (const { attack, observed, held } of reports) {
		t.diagnostic(`${attack}: ${observed}`);
		assert.equal(held, true, `${attack}: ${observed}`);
	}
	// The node closes every connection that carried forbidden messages. The program checks that the log does not grow with
	// the flood.
	const figures = Object.fromEntries(reports.map(({ attack, figures }) => [attack.replace('flood-', ''), figures]));
	for (const kind of ['headers', 'mixes', 'bodies', 'bytes', 'oversized']) {
		const { messages, identities, closed_by_the_node: closed } = figures[kind];
		assert.ok(messages >= 100, `${kind}: ${messages} messages`);
		assert.ok(closed > 1 && closed >= identities - CONNECTIONS, `${kind}: ${closed} of ${identities} closed`);
	}
	const { messages, identities, mib_answered: answered } = figures.requests;
	assert.ok(messages >= 10 && identities > 1 && answered > 8, `${messages} requests, ${answered} MiB`);
});
