// SPDX-License-Identifier: Apache-2.0
// Tests `isthmus facts` against a real node: what is listed and evaluated is proven in the finalized state.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { blake2AsHex } from '@polkadot/util-crypto';
import { u8aToHex } from '@polkadot/util';
import { Isthmus } from '../lib/isthmus.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const [USAGE, REFUSED, NOT_AUTHENTIC] = [2, 4, 5];
const ACCOUNTS = ['//Bob', '//Charlie', '//Dave'];
/** Waits until the transaction is finalized, so that the next command finds it proven. */
const sent = ['--finalized', '--key'];

let node;
let client;
let folder;
let isthmus;

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-facts-'));
	node = await LocalNode.start();
	client = await Client.connect(node.url);
	isthmus = new Isthmus(node.url, folder);
}, { timeout });

after(async () => {
	await client?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

const addressOf = (uri) => client.account(uri).address;
const hexOf = (uri) => u8aToHex(client.account(uri).publicKey);

/** Creates a source for which three accounts report, of which two are enough. */
const createSource = (name) =>
	isthmus.ok('facts', 'create', name, '--reporters', ACCOUNTS.join(), '--fresh', '2h', ...sent, '//Alice');

/** Evaluates a condition. */
const evaluate = async (...args) => (await isthmus.ok('facts', 'evaluate', ...args))[0];

describe('sources and reports', () => {
	test('the fact is the median of what a quorum reports', { timeout }, async () => {
		const [created] = await createSource('weather/beijing');
		assert.deepEqual(created, {
			...{ block: created.block, fresh: 7200, quorum: 2 },
			...{ reporters: ACCOUNTS.map(addressOf), source: 'weather/beijing' },
		});
		const condition = 'fact(weather/beijing, pm25) > 75';
		assert.equal((await evaluate(condition)).truth, 'unknown');
		writeFileSync(join(folder, 'response.json'), '{"pm25": 80}');
		const report = ['facts', 'report', 'weather/beijing', 'pm25'];
		const [first] = await isthmus.ok(...report, '80', '--response', 'response.json', ...sent, '//Bob');
		assert.equal(first.fact, null);
		assert.equal(first.response, blake2AsHex('{"pm25": 80}', 256));
		assert.equal((await evaluate(condition)).truth, 'unknown');
		const text = await isthmus.text(...report, '70.50', ...sent, '//Charlie');
		assert.match(text, /^block \d+: reported 70\.5 for weather\/beijing, pm25; the fact is 70\.5\n$/);
		assert.deepEqual(await evaluate(condition).then(({ met, tests }) => ({ met, tests })), {
			met: false,
			tests: [{ fact: '70.5', test: condition, truth: 'false' }],
		});
		await isthmus.ok(...report, '90', ...sent, '//Dave');
		const met = await evaluate(`${condition} and before(2100-01-01)`);
		assert.equal(met.met, true);
		assert.deepEqual(met.tests.map(({ fact, truth }) => [fact, truth]), [['80', 'true'], [null, 'true']]);
		// What was never reported is missing, and so is its `not`.
		assert.equal((await evaluate(`not ${condition.replace('pm25', 'no2')}`)).truth, 'unknown');

		const [listed] = await isthmus.ok('facts', 'list', 'weather/beijing');
		assert.equal(listed.fact, '80');
		assert.deepEqual(
			listed.reports.map(({ counts, reporter, value }) => [reporter, value, counts]),
			[['//Bob', '80'], ['//Charlie', '70.5'], ['//Dave', '90']].map(([uri, value]) => [addressOf(uri), value, true]),
		);
		await isthmus.ok('facts', 'withdraw', 'weather/beijing', 'pm25', ...sent, '//Dave');
		assert.equal((await evaluate(condition)).truth, 'false');
		assert.match(await isthmus.text('facts', 'list', 'weather/beijing'), /^pm25: 70\.5\n {2}80 by 5/);
	});

	test('texts and hashes need a quorum that says the same', { timeout }, async () => {
		await createSource('ministry/sky');
		const report = (value, uri) => isthmus.ok('facts', 'report', 'ministry/sky', 'now', value, ...sent, uri);
		await report('"clear"', '//Bob');
		assert.equal((await report('"rain"', '//Charlie'))[0].fact, null);
		assert.equal((await report('"clear"', '//Dave'))[0].fact, '"clear"');
		assert.equal((await evaluate('fact(ministry/sky, now) = "clear"')).met, true);
	});

	test('a closed source has no facts until its owner opens it again', { timeout }, async () => {
		await isthmus.ok('facts', 'create', 'station', ...sent, '//Bob');
		await isthmus.ok('facts', 'report', 'station', 'open', '1', ...sent, '//Bob');
		assert.equal((await evaluate('fact(station, open) = 1')).met, true);
		await isthmus.ok('facts', 'close', 'station', ...sent, '//Bob');
		assert.equal((await evaluate('fact(station, open) = 1')).truth, 'unknown');
		assert.match(await isthmus.text('facts', 'list'), /^station of 5\w+\n {2}closed$/m);
		const closed = await isthmus.refused(REFUSED, 'facts', 'report', 'station', 'open', '2', '--key', '//Bob');
		assert.match(closed.hint, /isthmus facts change SOURCE/);
		await isthmus.ok('facts', 'change', 'station', '--fresh', '1d', ...sent, '//Bob');
		assert.equal((await evaluate('fact(station, open) = 1')).met, true);
	});
});

describe('credentials', () => {
	test('they hold until they end or are revoked', { timeout }, async () => {
		const condition = `credential(${hexOf('//Alice')}, hospital.accredited)`;
		const about = ['--account', '//Eve'];
		assert.equal((await evaluate(condition)).truth, 'unknown');
		assert.equal((await evaluate(condition, ...about)).truth, 'false');
		const credential = ['//Eve', 'hospital.accredited'];
		await isthmus.ok('facts', 'issue', ...credential, '--until', '2100-01-01', ...sent, '//Alice');
		assert.equal((await evaluate(condition, ...about)).met, true);
		const listed = await isthmus.text('facts', 'credentials', '//Eve');
		assert.equal(listed, `hospital.accredited by ${addressOf('//Alice')}, until 2100-01-01\n`);
		await isthmus.ok('facts', 'revoke', ...credential, ...sent, '//Alice');
		assert.equal((await evaluate(condition, ...about)).met, false);
	});

	test('payments are compared in the smallest unit', { timeout }, async () => {
		const condition = 'paid >= 2000000000000';
		const truths = [[], ['--paid', '1.99'], ['--paid', '2']].map((paid) => evaluate(condition, ...paid));
		assert.deepEqual((await Promise.all(truths)).map(({ truth }) => truth), ['unknown', 'false', 'true']);
	});
});

describe('errors and hints', () => {
	test('an error in a condition points at the place', { timeout }, async () => {
		const { code, stderr } = await isthmus.run(['facts', 'evaluate', 'fact(weather, pm25) > and paid >= 1']);
		assert.equal(code, USAGE);
		assert.match(stderr, /\n {2}fact\(weather, pm25\) > and paid >= 1\n {24}\^\^\^\n/);
	});

	test('what the chain refuses has a hint', { timeout }, async () => {
		await isthmus.ok('facts', 'create', 'owned', ...sent, '//Bob');
		for (const [args, error, hint] of [
			[['create', 'owned'], /NameTaken/, /facts list/],
			[['close', 'owned'], /NotOwner/, /facts list/],
			[['report', 'owned', 'a', '1'], /NotReporter/, /facts change/],
			[['report', 'unknown', 'a', '1'], /UnknownSource/, /facts list/],
			[['withdraw', 'owned', 'a'], /NoReport/, /facts list/],
			[['revoke', '//Bob', 'none'], /UnknownCredential/, /facts credentials/],
			[['list', 'unknown'], /no source is called unknown/, /facts list/],
		]) {
			const key = args[0] === 'list' ? [] : ['--key', '//Charlie'];
			const refusal = await isthmus.refused(REFUSED, 'facts', ...args, ...key);
			assert.match(refusal.error, error);
			assert.match(refusal.hint, hint);
		}
	});

	test('an observation of yesterday or tomorrow is refused', { timeout }, async () => {
		await isthmus.ok('facts', 'create', 'dated', ...sent, '//Bob');
		for (const [day, error] of [['2020-01-01', /ObservedTooLongAgo/], ['2100-01-01', /ObservedInFuture/]]) {
			const args = ['report', 'dated', 'a', '1', '--observed', day, '--key', '//Bob'];
			const refusal = await isthmus.refused(REFUSED, 'facts', ...args);
			assert.match(refusal.error, error);
			assert.match(refusal.hint, /this machine's clock/);
		}
	});

	test('a node that changes a proof is found out', { timeout }, async () => {
		const liar = await LyingNode.start(node.url);
		try {
			liar.setLie((method, params, result) => {
				if (method !== 'state_getReadProof') return result;
				const proof = result.proof.map((entry) => entry.replace(/.$/, (last) => (last === '0' ? '1' : '0')));
				return { ...result, proof };
			});
			const args = ['facts', 'evaluate', 'fact(weather/beijing, pm25) > 75', '--url', liar.url];
			await isthmus.refused(NOT_AUTHENTIC, ...args);
		} finally {
			await liar.stop();
		}
	});
});
