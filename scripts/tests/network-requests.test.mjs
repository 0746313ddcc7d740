// SPDX-License-Identifier: Apache-2.0

// Tests owners on the lighter side of a split network, when a reader double-spends: on this side it asks for a few leaves, and
// on the other, with the same transaction number, for all. After the split, the second request has the number of the first.
// What the owner saw and approved is never what it grants to the second, and nothing is sealed before a request is final. A payment
// on the lighter side, too, is reported with the block that stays.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { EncryptionKeyPair } from '../lib/envelope.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { Network, step } from '../lib/network.mjs';
import { until } from '../lib/rpc.mjs';
import { hex, requestDigest } from '../lib/sharing.mjs';
import { identities } from '../lib/spec.mjs';

const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 600_000;
/** How long the network may take to become one again, in milliseconds. This, too, only ends hangs. */
const HEALING = 120_000;
/** The nodes' hash rates. The first two nodes are the heavier side. */
const HASH_RATES = [4000, 4000, 2000, 2000];
/** A difficulty that yields a block every 0.8 seconds on average on the heavier side, and every 1.5 seconds on the other. */
const DIFFICULTY = '0x1800';
/** How many blocks the lighter side mines on top of a request that is not final, in which its owner must stay silent. */
const SILENCE = 5;
const [FEW, ALL] = [4, 2 ** 32].map((to) => ({ dataset: 0, epoch: 0, from: 0, to }));
const TERM = 500;
/** The exit code that `isthmus --help` explains. */
const REFUSED = 4;

const accounts = identities(4).map(({ account }) => account);
/** Who is paid: an account without a part in anything else. */
const PAYEE = identities(7)[6];

/** A node that notes the transactions that a program shows it. */
async function recorder(url) {
	const node = await LyingNode.start(url);
	const shown = [];
	node.setKeep((method, params) => {
		// A program that tries a transaction on the node's state shows it, too.
		const isTried = method === 'state_call' && params[0] === 'BlockBuilder_apply_extrinsic';
		if (/submit/i.test(method) || isTried) shown.push(params[isTried ? 1 : 0]);
		return undefined;
	});
	return { node, shown };
}

/** Waits until a command exits. Returns its exit code, and the last line of each of its outputs. */
async function ended(command) {
	const last = {};
	for (const name of ['stdout', 'stderr']) createInterface({ input: command[name] }).on('line', (line) => (last[name] = line));
	const [code] = await programs.ended(command, timeout);
	return { code, ...last };
}

/** A request with this scope, sealed to a key of its own. It is valid on any branch. */
async function ask(client, from, owner, scope, nonce) {
	const key = hex((await EncryptionKeyPair.generate().publicKey()).toBytes());
	const call = client.api.tx.dataSharing.requestAccess(owner, scope, 'a study', 'Unspecified', TERM, 0, false, key);
	await call.signAsync(from, { era: 0, nonce });
	await call.send();
}

/** Returns the requests that are open at a node, by number. */
async function requestsAt(client) {
	const entries = await client.api.query.dataSharing.requests.entries();
	return new Map(entries.map(([key, entry]) => [key.args[0].toNumber(), entry.unwrap()]));
}

test('an owner grants only final requests, and as it saw them', { timeout, skip }, async (t) => {
	const network = await Network.start({
		parameters: { genesisDifficulty: DIFFICULTY, minimumDifficulty: DIFFICULTY },
		args: (index) => ['--mine', '--beneficiary', accounts[index], '--hash-rate', String(HASH_RATES[index])],
	});
	t.after(() => network.stop());
	const [alice, bob, charlie, dave] = network.members;
	const [heavy, light] = await Promise.all([alice.client(), charlie.client()]);
	const [company, rival, honest] = ['//Eve', '//Ferdie', '//Bob'].map((secret) => heavy.account(secret));

	const folder = join(network.folder, 'owner');
	mkdirSync(folder);
	// `isthmus` takes the key of a development account on development chains only.
	process.env.ISTHMUS_PASSPHRASE = 'three plain words';
	const key = ['--key', 'school.key'];
	const [forServe, forAuthorize] = await Promise.all([recorder(charlie.local.url), recorder(charlie.local.url)]);
	t.after(() => Promise.all([forServe, forAuthorize].map(({ node }) => node.stop())));
	const [serving, authorizing, direct] = [forServe.node.url, forAuthorize.node.url, charlie.local.url].map(
		(url) => new Isthmus(url, folder),
	);
	let owner;
	await step(t, network, 'a school offers up to four leaves to everyone', async () => {
		[{ account: owner }] = await direct.ok('key', 'generate', 'school.key');
		const [{ account: payer }] = await direct.ok('key', 'generate', 'payer.key');
		for (const account of [owner, payer]) {
			await light.submit(light.account('//Alice'), light.api.tx.balances.transferKeepAlive(account, 1_000n * 10n ** 12n));
		}
		await direct.ok('register', 'School', '--kind', 'school', ...key);
		await direct.ok('dataset', 'create', 'marks', ...key);
		writeFileSync(join(folder, 'marks'), 'Ada,97\n');
		await direct.ok('store', 'marks', ...key);
		const policy = ['--longest-range', String(FEW.to), '--longest-term', String(TERM), '--consumers', 'all'];
		await direct.ok('dataset', 'policy', '0', ...policy, '--finalized', ...key);
		await network.finalizedFrom((await charlie.rpc.finalized()).number);
	});

	const seen = new Map();
	let serve;
	/** What comes of the answer to the first request, and of a payment that waits for finality. */
	let authorized;
	let paid;
	/** The block of the lighter side that has the payment. */
	let paidIn;
	const isPayment = ({ method }) => method.method === 'transferKeepAlive' && method.args[0].toString() === PAYEE.account;
	/** Returns the hash of the last block with the payment, of the last few at a node. */
	const blockWithPayment = async ({ rpc }, client, from) => {
		for (let { number } = await rpc.best(); number > from; number--) {
			const hash = await rpc.hashAt(number);
			if ((await client.api.rpc.chain.getBlock(hash)).block.extrinsics.some(isPayment)) return hash;
		}
		return undefined;
	};
	await step(t, network, 'split 2–2: the owner of the lighter side waits for finality', async (t) => {
		await network.split([alice, bob], [charlie, dave]);
		const nonces = await Promise.all(
			[company, rival].map(async ({ address }) => (await light.api.rpc.system.accountNextIndex(address)).toNumber()),
		);
		for (const [at, from] of [company, rival].entries()) {
			await Promise.all([
				ask(light, from, owner, FEW, nonces[at]),
				ask(heavy, from, owner, ALL, nonces[at]),
			]);
			// One after the other, so that each has the same number on both sides.
			for (const client of [light, heavy]) {
				await until('the request is in a block', async () => (await requestsAt(client)).size === at + 1);
			}
		}
		const open = await requestsAt(light);
		const listed = await direct.ok('requests', ...key);
		assert.deepEqual(listed.map(({ request, final }) => [request, final]), [[0, false], [1, false]]);
		for (const { request, digest, consumer, scope } of listed) {
			assert.equal(digest, requestDigest(open.get(request)));
			assert.deepEqual([consumer, scope.to], [[company, rival][request].address, FEW.to]);
			seen.set(request, digest);
		}

		serve = serving.start(['--json', 'serve', ...key]);
		const authorize = authorizing.start(['--json', 'authorize', '0', ...key]);
		authorized = ended(authorize);
		const from = (await charlie.rpc.best()).number;
		await charlie.rpc.bestFrom(from + SILENCE);
		assert.deepEqual([serve.exitCode, authorize.exitCode], [null, null], 'both wait');
		assert.deepEqual([forServe.shown, forAuthorize.shown], [[], []]);
		assert.deepEqual(await light.api.query.dataSharing.grants.entries(), []);
		assert.equal((await charlie.rpc.finalized()).number <= from, true, 'nothing is finalized on this side');

		// An owner that does not wait for finality answers: the keys of these leaves are out, as docs/security.md says.
		const [hasty] = await direct.ok('authorize', '1', '--confirmations', '1', ...key);
		assert.deepEqual([hasty.grantee, hasty.scope.to], [rival.address, FEW.to]);
		paid = ended(direct.start(['--json', 'transfer', PAYEE.account, '1', '--finalized', '--key', 'payer.key']));
		paidIn = await until('the payment is in a block', () => blockWithPayment(charlie, light, from));
		t.diagnostic(`the lighter side is at block ${(await charlie.rpc.best()).number}, the heavier one at ${(await alice.rpc.best()).number}`);
	});

	await step(t, network, 'healed: the numbers belong to other requests, and no one gets their keys', async () => {
		const top = (await alice.rpc.best()).number;
		await network.connect(...network.members);
		await network.finalizedFrom(top, network.members, HEALING);
		const refused = await authorized;
		assert.equal(refused.code, REFUSED, refused.stderr);
		assert.match(JSON.parse(refused.stderr).error, /request 0 is no longer open as it was seen/);
		assert.deepEqual(forAuthorize.shown, []);

		const open = await requestsAt(light);
		for (const request of [0, 1]) {
			assert.equal(open.get(request).scope.to.toNumber(), ALL.to);
			assert.notEqual(requestDigest(open.get(request)), seen.get(request));
			// A person that saw the earlier one names what it saw.
			const named = ['--digest', seen.get(request).slice(2, 18)];
			const { error } = await direct.refused(REFUSED, 'authorize', String(request), ...named, ...key);
			assert.match(error, /no longer open as it was seen/);
		}
		const listed = await direct.ok('requests', ...key);
		assert.deepEqual(listed.map(({ final, verdict }) => [final, verdict]), [[true, 'RangeTooLong'], [true, 'RangeTooLong']]);

		// A payment whose block gave way is in another one, and that is the one that is reported.
		const { code, stdout, stderr } = await paid;
		assert.equal(code, 0, stderr);
		const { block } = JSON.parse(stdout);
		const hash = await alice.rpc.hashAt(block);
		assert.ok((await heavy.api.rpc.chain.getBlock(hash)).block.extrinsics.some(isPayment));
		assert.notEqual(hash, paidIn);
		assert.ok(block <= (await alice.rpc.finalized()).number);

		// The owner still serves: a request that meets its policy and is final, and nothing else.
		const granted = programs.printed(serve, 'stdout', /./);
		await light.requestAccess(honest, owner, FEW, {
			...{ purpose: 'a study', term: TERM, key: await EncryptionKeyPair.generate().publicKey() },
		});
		assert.equal(JSON.parse(await granted).consumer, honest.address);
		for (const transaction of forServe.shown) {
			assert.ok(transaction.includes(hex(honest.publicKey).slice(2)));
			for (const other of [company, rival]) assert.ok(!transaction.includes(hex(other.publicKey).slice(2)));
		}
		assert.ok(forServe.shown.length > 0);
		const grants = await light.api.query.dataSharing.grants.entries();
		assert.deepEqual(grants.map(([, grant]) => grant.unwrap().grantee.toString()), [honest.address]);
		serve.kill('SIGINT');
		await programs.ended(serve);
	});
});
