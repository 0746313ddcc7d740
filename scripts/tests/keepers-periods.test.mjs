// SPDX-License-Identifier: Apache-2.0
// Three keepers, each a process of its own, prove for a hundred periods. Beside them, one loses a MiB of its copy when there is
// no other one, and one lies: the chain refuses its proofs by name.

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client, hex } from '../lib/sharing.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 3_600_000;
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
const [DONE, FAILED] = [0, 1];
const MIB = 2 ** 20;
/** How many periods there are, and the number of blocks in each, one in a second: enough for all transactions of a period. */
const [PERIODS, PERIOD] = [100, 8];
/** In how many of them the liar tries. Who misses twelve in a row may only leave. */
const LIES = 8;
/** A keeper gives up its place when it has missed this many periods in a row, to save a part of its deposit. */
const GIVEN_UP_AFTER = 6;

let folder;
let node;
let client;
let isthmus;
/** The keepers that run. */
const children = new Set();

const file = (name) => join(folder, name);

async function begin() {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-periods-'));
	// The development chain with shorter periods. Only transactions make blocks, so that no period ends before it is to.
	const chain = await writeSpec(folder, {
		verifiers: identities(1),
		parameters: { difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
		edit: (genesis) => Object.assign(genesis.keepers, { periodLength: PERIOD }),
		chainType: 'Development',
	});
	node = await LocalNode.start({ args: ['--dev', '--chain', chain, '--heartbeat', '3600'], basePath: file('node') });
	client = await Client.connect(node.url);
	isthmus = new Isthmus(node.url, folder);
}

async function end() {
	for (const child of children) child.kill('SIGKILL');
	await client?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Makes an account with funds. */
async function account(uri) {
	const { address } = client.account(uri);
	await isthmus.ok('transfer', address, '1000', '--key', '//Alice');
	return { uri, address, key: ['--key', uri] };
}

/** Makes a producer with an object of exactly 8 MiB: the paths from all of its pieces to the root have 13 nodes. */
async function producer() {
	const owner = await account('//PeriodsOwner');
	mkdirSync(file('own'));
	await isthmus.ok('register', 'A producer', '--kind', 'school', ...owner.key);
	await isthmus.ok('dataset', 'create', 'genomes', ...owner.key);
	await isthmus.ok('dataset', 'locate', '0', `file://${file('own')}`, '--finalized', ...owner.key);
	writeFileSync(file('value'), randomFillSync(Buffer.alloc(8 * (MIB - 16))));
	await isthmus.ok('store', 'value', '--finalized', ...owner.key);
	return owner;
}

/** Starts a keeper, and waits until it has a copy and a place. */
async function keeper(owner, number) {
	const made = await account(`//PeriodsKeeper${number}`);
	const at = file(`copy-${number}`);
	mkdirSync(at);
	const child = isthmus.start(['--json', 'keep', owner.address, '0', '--at', `file://${at}`, ...made.key]);
	children.add(child);
	const said = [];
	child.stderr.on('data', (data) => said.push(data));
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const next = async () => {
		const { value, done } = await lines.next();
		return done ? { did: 'ended' } : JSON.parse(value);
	};
	const ended = programs.ended(child, timeout);
	assert.deepEqual([(await next()).did, (await next()).did], ['copied', 'came']);
	return { ...made, child, next, ended, at, stderr: () => String(Buffer.concat(said)) };
}

/** Makes blocks until the chain is in the next period. Returns that. */
async function nextPeriod() {
	const { rpc, tx } = client.api;
	const alice = client.account('//Alice');
	const period = async () => Math.floor(Number((await rpc.chain.getHeader()).number) / PERIOD);
	const now = await period();
	while ((await period()) === now) await client.submit(alice, tx.system.remark(''));
	return period();
}

/** Loses a MiB of a copy, and the only other ones that it could be copied from: the owner's. */
function lose({ at }) {
	const names = readdirSync(at, { recursive: true }).filter((name) => /\/0\/[0-9a-f]{64}$/.test(name));
	assert.equal(names.length, 1);
	const path = join(at, names[0]);
	const bytes = readFileSync(path);
	bytes.fill(0, 3 * MIB, 4 * MIB);
	writeFileSync(path, bytes);
	rmSync(file('own'), { recursive: true });
}

test(`three keepers prove for ${PERIODS} periods, one that lost a MiB misses, and one that lies is refused`, { timeout, skip }, async (t) => {
	t.after(end);
	await begin();
	const owner = await producer();
	const [lossy, ...honest] = await Promise.all([0, 1, 2, 3].map((number) => keeper(owner, number)));
	const liar = client.account((await account('//PeriodsLiar')).uri);
	const { keepers } = client.api.tx;
	await client.submit(liar, keepers.keep(owner.address, 0, 's3://liar/copy'));
	await isthmus.ok('keep', owner.address, '0', '--fund', '100', '--finalized', '--key', '//Alice');
	const first = (await nextPeriod()) + 1;
	lose(lossy);

	const began = performance.now();
	for (let count = 0; count < PERIODS; count += 1) {
		const period = await nextPeriod();
		assert.equal(period, first + count, 'no period is over before all have proven');
		if (count < LIES) {
			const [piece, ...path] = [1024, ...new Array(13).fill(32)].map((length) => hex(randomFillSync(new Uint8Array(length))));
			const lie = client.submit(liar, keepers.prove(owner.address, 0, piece, path));
			await assert.rejects(lie, { name: 'ProofWrong' });
		}
		for (const { next } of honest) {
			let step = await next();
			// Who came early enough had a proof to make before.
			if (count === 0 && step.period < period) step = await next();
			assert.deepEqual([step.did, step.period], ['proved', period]);
		}
	}
	t.diagnostic(`${PERIODS} periods in ${((performance.now() - began) / 1000).toFixed(0)} s`);

	for (const { child, ended } of honest) {
		child.kill('SIGTERM');
		assert.deepEqual(await ended, [DONE, null]);
	}
	// It proved until the MiB was drawn, and gave its place up before all of its deposit was lost.
	assert.deepEqual(await lossy.ended, [FAILED, null], lossy.stderr());
	assert.match(lossy.stderr(), /MiB 3 of it is wrong there[^]*given up its place among the keepers/);
	const proven = [];
	for (let step = await lossy.next(); step.did !== 'ended'; step = await lossy.next()) proven.push(step.period);
	assert.ok(proven.length < PERIODS - GIVEN_UP_AFTER);
	t.diagnostic(`the MiB was drawn after ${proven.length} proofs`);

	// What is listed is final.
	const report = await client.submit(client.account('//Alice'), keepers.reportMissed(owner.address, 0, liar.address));
	assert.equal(report.event('keepers', 'KeeperLost').keeper.toString(), liar.address);
	await client.finalized(report);
	const of = await isthmus.ok('list', 'keepers', '--owner', owner.address);
	const listed = new Map(of.map((one) => [one.keeper, one]));
	for (const { address } of honest) {
		const { kept, missed } = listed.get(address);
		assert.ok(kept >= PERIODS && missed === 0, `${address} kept ${kept} and missed ${missed}`);
	}
	assert.ok(!listed.has(lossy.address));
});
