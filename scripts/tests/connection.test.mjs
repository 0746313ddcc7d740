// SPDX-License-Identifier: Apache-2.0
// Tests `isthmus` when its connection is lost or silent, and when the chain does not go on: it connects again, or says
// what it waits for, and never waits for ever.

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { makeAuthority, makeServerCertificate } from '../lib/certificates.mjs';
import * as programs from '../lib/child.mjs';
import { call } from '../lib/get-work.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client, ConnectionLost, hex, recordKey } from '../lib/sharing.mjs';
import { identities, writeSpec } from '../lib/spec.mjs';
import { within } from '../lib/waiting.mjs';
import { Wire } from '../lib/wire.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
/**
 * How long a node may be silent, in seconds: longer than this machine lets an honest one wait, beside a build, too. No command
 * waits longer for a connection.
 */
const SILENCE = 20;
/** The same where the node is not silent, but owes an answer: that may take five times as long. */
const SHORT_SILENCE = 10;
const [DONE, UNREACHABLE, REFUSED, NOT_AUTHENTIC] = [0, 3, 4, 5];
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

let node;
let wire;
let client;
let folder;

/** Starts the command, by default connected through the wire. `lines` are what it prints to stderr. */
function start(args, url = wire.url, more = {}) {
	const env = { ...process.env, ISTHMUS_URL: url, ISTHMUS_KEY: '', HOME: folder, XDG_CONFIG_HOME: path('config'), ...more };
	const child = programs.start(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
	const lines = createInterface({ input: child.stderr });
	const ended = programs.ended(child, timeout).then(([code]) => code);
	return { child, lines, ended };
}

/**
 * Runs the command, checks that it exits with this code, and returns what it prints to stderr, but for what it waits: on a
 * busy machine, it may wait for anything so long that it says so.
 */
async function ends(code, args, url, more) {
	const { lines, ended } = start(args, url, more);
	const errors = [];
	lines.on('line', (line) => errors.push(line));
	assert.equal(await ended, code, `isthmus ${args.join(' ')}: ${errors.join('\n')}`);
	return errors.filter((line) => !/^waiting (for|until) /.test(line));
}

const ok = (args) => ends(DONE, args);

/** Returns an account's funds, when all of its transactions are in blocks. */
async function settled(address) {
	const { api } = client;
	return until(`the transactions of ${address} are in blocks`, async () => {
		const { nonce, data } = await api.query.system.account(address);
		return (await api.rpc.system.accountNextIndex(address)).eq(nonce) && { free: data.free.toBigInt() };
	}).then(({ free }) => free);
}

/** Resolves when the command prints a line to stderr that matches. */
function said(lines, pattern) {
	const seen = [];
	const found = new Promise((resolve, reject) => {
		lines.on('line', (line) => {
			seen.push(line);
			if (pattern.test(line)) resolve(line);
		});
		lines.on('close', () => reject(new Error(`never said ${pattern}: ${seen.join('\n')}`)));
	});
	return within(`the command says ${pattern}`, found, undefined, () => `; it said:\n${seen.join('\n')}`);
}

const path = (name) => join(folder, name);

function random(name, size) {
	const bytes = randomFillSync(Buffer.alloc(size));
	writeFileSync(path(name), bytes);
	return bytes;
}

/** Makes a registered producer with a dataset. */
async function producer(uri) {
	const { address } = client.account(uri);
	const key = ['--key', uri];
	await ok(['transfer', address, '1000', '--key', '//Alice']);
	await ok(['register', uri.slice(2), ...key]);
	await ok(['dataset', 'create', 'data', ...key]);
	return { address, key };
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-connection-'));
	node = await LocalNode.start();
	client = await Client.connect(node.url);
}, { timeout });
beforeEach(async () => (wire = await Wire.start(node.url)));
afterEach(() => wire.stop());
after(async () => {
	await client?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

test('an upload and a download resume automatically after their connection was cut', { timeout }, async () => {
	const { address, key } = await producer('//Cut');
	const bytes = random('cut', 20_000_000);
	// Chunks travel in hexadecimal to the node, and in base64 back.
	wire.cutAfter(20_000_000);
	await ok(['store', 'cut', ...key]);
	wire.cutAfter(14_000_000);
	await ok(['fetch', address, 'cut', '-o', 'cut.out', ...key]);
	assert.ok(readFileSync(path('cut.out')).equals(bytes));
});

test('an upload and a download continue over another node when theirs is killed', { timeout }, async () => {
	const { address, key } = await producer('//Killed');
	const bytes = random('killed', 8_000_000);
	for (const args of [['store', 'killed', ...key], ['fetch', address, 'killed', '-o', 'killed.out', ...key]]) {
		const doomed = await Wire.start(node.url);
		const working = start(args, `${doomed.url} ${wire.url}`);
		await doomed.passed(4_000_000);
		await doomed.stop();
		assert.equal(await working.ended, DONE, args[0]);
	}
	assert.ok(readFileSync(path('killed.out')).equals(bytes));
});

test('a node that lies, or has another chain, is left for the next one', { timeout }, async () => {
	const { address, key } = await producer('//Left');
	random('left', 1000);
	await ok(['store', 'left', '--finalized', ...key]);
	const lying = await LyingNode.start(node.url);
	const fetch = ['fetch', address, 'left', '--force', '-o', 'left.out', ...key];
	const genesis = ['--genesis', hex(client.genesis)];
	const lieAbout = (method, lie) => (asked, params, result) => (asked === method ? lie(params, result) : result);
	const flipped = (_params, result) => result.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
	try {
		for (const lie of [
			lieAbout('state_getReadProof', (_params, { at }) => ({ at, proof: [] })),
			lieAbout('isthmus_finalityProof', () => '0x00'),
			lieAbout('bitswap_v1_get', flipped),
		]) {
			lying.setLie(lie);
			await ends(NOT_AUTHENTIC, fetch, lying.url);
			const said = await ends(DONE, fetch, `${lying.url} ${wire.url}`);
			assert.ok(said.some((line) => line.startsWith(`warning: ${lying.url} is left for another node: `)), said);
			assert.ok(readFileSync(path('left.out')).equals(readFileSync(path('left'))));
		}
		lying.setLie(lieAbout('chain_getBlockHash', (params, result) => (params[0] === 0 ? flipped(params, result) : result)));
		const [error] = await ends(NOT_AUTHENTIC, [...fetch, ...genesis], lying.url);
		assert.match(error, /WrongGenesis/);
		for (const json of [[], ['--json']]) {
			const said = await ends(DONE, [...fetch, ...genesis, ...json], `${lying.url} ${wire.url}`);
			assert.equal(said.filter((line) => line.startsWith('warning: another node is asked: ')).length, 1, said);
			assert.ok(said.some((line) => line.includes(`the chain at ${lying.url} begins with block 0x`)), said);
		}
		const [both] = await ends(NOT_AUTHENTIC, [...fetch, ...genesis], `${lying.url} ws://127.0.0.1:1`);
		assert.match(both, /^error: WrongGenesis: .*; no node answers at ws:\/\/127\.0\.0\.1:1: /);
	} finally {
		await lying.stop();
	}
});

test('a node that answers pings and not the requests is left for the next one', { timeout }, async () => {
	const { address, key } = await producer('//Unanswered');
	const bytes = random('unanswered', 1000);
	await ok(['store', 'unanswered', '--finalized', ...key]);
	const silent = await LyingNode.start(node.url);
	try {
		let unanswered = 0;
		silent.setSilence((method) => method === 'state_getReadProof' && (unanswered += 1) > 0);
		const fetch = ['fetch', address, 'unanswered', '-o', 'unanswered.out', '--timeout', `${SHORT_SILENCE}`, ...key];
		const said = await ends(DONE, fetch, `${silent.url} ${wire.url}`);
		assert.deepEqual(said.filter((line) => /has not answered for 20 s: it may be busy, or limit /.test(line)).length, 1, said.join('\n'));
		assert.equal(unanswered, 1, 'it is asked again');
		assert.ok(readFileSync(path('unanswered.out')).equals(bytes));
	} finally {
		await silent.stop();
	}
});

test('that a node does not answer is said once, although the command waits for something of it', { timeout }, async () => {
	const { address, key } = await producer('//SaidOnce');
	random('once', 1000);
	await ok(['store', 'once', '--finalized', ...key]);
	const silent = await LyingNode.start(node.url);
	try {
		let isSilent = false;
		silent.setSilence((method) => (isSilent ||= method === 'state_getReadProof'));
		const fetch = ['fetch', address, 'once', '-o', 'once.out', '--timeout', `${SHORT_SILENCE}`, ...key];
		const { lines, ended } = start(fetch, `${silent.url} ${wire.url}`);
		const said = [];
		lines.on('line', (line) => said.push(line));
		assert.equal(await ended, DONE, said.join('\n'));
		const ofSilence = said.filter((line) => / does not answer$| has not answered for /.test(line));
		assert.equal(ofSilence.length, 1, said.join('\n'));
	} finally {
		await silent.stop();
	}
});

test('a node that is silent after it has accepted a transaction is reported', { timeout }, async () => {
	const { key } = await producer('//Unsaid');
	random('unsaid', 1000);
	const silent = await LyingNode.start(node.url);
	try {
		let isSent = false;
		silent.setSilence((method) => {
			const isOver = isSent;
			isSent ||= method === 'transactionWatch_v1_submitAndWatch';
			return isOver;
		});
		silent.setLieOfEvent((event) => (isSent ? undefined : event));
		const { child, lines, ended } = start(['store', 'unsaid', ...key], silent.url);
		for await (const line of lines) {
			if (/ has not answered for 20 s: it may be busy, or limit /.test(line)) break;
			assert.doesNotMatch(line, /^error:/);
		}
		child.kill();
		await ended;
		assert.ok(isSent);
	} finally {
		await silent.stop();
	}
});

test('what would fail is not sent, also while the best block is final', { timeout }, async () => {
	// Only transactions make blocks.
	const own = await LocalNode.start({ args: ['--dev', '--heartbeat', '3600'] });
	try {
		await ends(DONE, ['transfer', '//Bob', '1', '--finalized', '--key', '//Alice'], own.url);
		// The last block is both the best one and the finalized one now, until another transaction comes.
		for (const more of [['--dry-run'], []]) {
			const [error] = await ends(REFUSED, ['transfer', '//Pauper', '0.0001', '--key', '//Alice', ...more], own.url);
			assert.match(error, /^error: Token\.BelowMinimum: .* 0\.001 IST/);
		}
		const sent = await call(`http://127.0.0.1:${own.port}`, 'system_accountNextIndex', client.account('//Alice').address);
		assert.equal(sent, 1);
	} finally {
		await own.stop();
	}
});

test('a node that is syncing is warned of, and its answer is shown', { timeout }, async () => {
	const syncing = await LyingNode.start(node.url);
	try {
		syncing.setLie((method, _params, result) => (method === 'system_health' ? { ...result, isSyncing: true } : result));
		const said = await ends(DONE, ['balance', '//Alice'], syncing.url);
		assert.equal(said.filter((line) => line.startsWith('warning: the node is still syncing: ')).length, 1, said);
		assert.deepEqual(await ends(DONE, ['balance', '//Alice']), []);
	} finally {
		await syncing.stop();
	}
});

test('a node that is a block behind is waited for', { timeout }, async () => {
	const { address, key } = await producer('//Behind');
	mkdirSync(path('behind'));
	const bytes = [0, 1, 2].map((i) => random(`behind/${i}`, 1000));
	await ok(['store', 'behind', '--finalized', ...key]);
	const { api } = client;
	const finalized = (await api.rpc.chain.getHeader(await api.rpc.chain.getFinalizedHead())).number.toNumber();
	const parent = (await api.rpc.chain.getBlockHash(finalized - 1)).toHex();
	const behind = await LyingNode.start(node.url);
	try {
		let asked = 0;
		behind.setLie((method, _params, result) => {
			if (method === 'isthmus_finalityProof' && (asked += 1) === 2) {
				return Object.assign(new Error('the block is not known'), { code: 7005 });
			}
			return method === 'chain_getFinalizedHead' && asked === 2 ? parent : result;
		});
		await ends(DONE, ['fetch', address, 'behind', '--folder', '-o', 'behind.out', ...key], behind.url);
		assert.ok(asked > 2, `asked ${asked} times`);
		for (const [i, part] of bytes.entries()) assert.ok(readFileSync(path(`behind.out/${i}`)).equals(part), `file ${i}`);
	} finally {
		await behind.stop();
	}
});

test('the node that lies is left, not the one whose connection was lost before', { timeout }, async () => {
	const { address, key } = await producer('//Innocent');
	const bytes = random('innocent', 1000);
	await ok(['store', 'innocent', '--finalized', ...key]);
	const [lost, lying] = [await LyingNode.start(node.url), await LyingNode.start(node.url)];
	try {
		let cuts = 0;
		lost.setLie((method, _params, result) => {
			if (method === 'isthmus_finalityProof' && (cuts += 1) === 1) setImmediate(() => lost.cut());
			return result;
		});
		lying.setLie((method, _params, result) => (method === 'state_getReadProof' ? { at: result.at, proof: [] } : result));
		const fetch = ['fetch', address, 'innocent', '-o', 'innocent.out', ...key];
		const left = (await ends(DONE, fetch, `${lost.url} ${lying.url}`)).filter((line) => line.includes(' is left '));
		assert.equal(left.length, 1, left);
		assert.ok(left[0].startsWith(`warning: ${lying.url} is left for another node: `), left);
		assert.ok(readFileSync(path('innocent.out')).equals(bytes));
	} finally {
		await lost.stop();
		await lying.stop();
	}
});

test('a service goes on when a development chain was started again', { timeout }, async () => {
	const own = await LocalNode.start();
	const send = (...args) => ends(DONE, args, own.url);
	const school = ['--key', '//Bob'];
	const begin = async () => {
		await send('register', 'School', '--kind', 'school', ...school);
		await send('dataset', 'create', 'data', ...school);
		await send('dataset', 'policy', '0', '--longest-range', '10', '--longest-term', '500', ...school);
	};
	const ask = () => send('request', '//Bob', '--leaves', '0..1', '--purpose', 'p', '--term', '100', '--key', '//Charlie');
	let serving;
	try {
		await begin();
		serving = start(['--json', 'serve', ...school], own.url);
		const granted = createInterface({ input: serving.child.stdout })[Symbol.asyncIterator]();
		await ask();
		const before = JSON.parse((await granted.next()).value);
		// It is further than a node may be behind.
		for (let block = 0; block < 20; block += 1) await send('transfer', '//Bob', '1', '--key', '//Alice');
		const works = said(serving.lines, /^works again; block \d+: \d+ open requests?, /);
		works.catch(() => undefined);
		await own.down();
		rmSync(own.basePath, { recursive: true, force: true, maxRetries: 5 });
		await own.up();
		const refuses = said(serving.lines, /Rollback|no proof of finality/).then((line) => Promise.reject(new Error(line)));
		refuses.catch(() => undefined);
		await begin();
		await ask();
		const after = JSON.parse((await Promise.race([granted.next(), refuses])).value);
		assert.deepEqual([after.request, after.block < before.block + 20], [before.request, true]);
		await works;
	} finally {
		serving?.child.kill();
		await serving?.ended;
		await own.stop();
	}
});

test('an outage is waited out, although another address leads to another chain', { timeout }, async () => {
	const { key } = await producer('//WrongAddress');
	const other = await LyingNode.start(node.url);
	const serving = start(['serve', '--timeout', `${SILENCE}`, ...key], `${wire.url} ${other.url}`);
	try {
		other.setLie((method, params, result) => (
			method === 'chain_getBlockHash' && params[0] === 0 ? `0x${'12'.repeat(32)}` : result
		));
		await said(serving.lines, /^no dataset of this account has a policy/);
		const trouble = said(serving.lines, /^no node answers any more at .*; reconnecting$|; trying again$/);
		wire.silence();
		const wrong = `the chain at ${other.url} begins with block 0x1212\\w+, but the one that was reached first begins with 0x\\w+`;
		assert.match(await trouble, new RegExp(`: no answer within ${SILENCE} s; WrongGenesis: ${wrong}; reconnecting$`));
	} finally {
		serving.child.kill();
		await serving.ended;
		await other.stop();
	}
});

test('without a named chain, all addresses have to lead to the one that was used before', { timeout }, async () => {
	const chains = path('config/isthmus');
	const down = 'ws://127.0.0.1:1';
	const [right, wrong] = [hex(client.genesis), `0x${'12'.repeat(32)}`];
	const send = (code) => ends(code, ['transfer', '//Bob', '1', '--key', '//Alice'], `${down} ${wire.url}`);
	mkdirSync(chains, { recursive: true });
	const remember = (...lines) => writeFileSync(join(chains, 'known-chains'), lines.map((line) => `${line}\n`).join(''));
	try {
		remember(`${down} ${right}`);
		const passed = await send(DONE);
		const named = passed.filter((line) => line.startsWith(`warning: another node is asked: no node answers at ${down}: `));
		assert.equal(named.length, 1, passed.join('\n'));
		remember(`${down} ${wrong}`);
		const before = await settled(client.account('//Bob').address);
		const [other] = await send(NOT_AUTHENTIC);
		assert.ok(other.startsWith(`error: WrongGenesis: the chain at ${wire.url} begins with block ${right}, `), other);
		remember(`${down} ${wrong}`, `${wire.url} ${right}`);
		const [two, hint] = await send(NOT_AUTHENTIC);
		assert.ok(two.startsWith(`error: WrongGenesis: ${down} led to the chain that begins with block ${wrong}, and ${wire.url} to`), two);
		assert.match(hint, /^hint: give only addresses of one chain/);
		assert.equal(await settled(client.account('//Bob').address), before);
		// Of several, one at which the chain was changed is passed over with a warning; alone, it is refused.
		const changed = await LyingNode.start(node.url);
		try {
			remember(`${changed.url} ${right}`);
			changed.setLie((method, params, result) => (method === 'chain_getBlockHash' && params[0] === 0 ? wrong : result));
			const [alone] = await ends(NOT_AUTHENTIC, ['status'], changed.url);
			assert.ok(alone.startsWith(`error: WrongGenesis: the chain at ${changed.url} begins with block ${wrong}, `), alone);
			const said = await ends(DONE, ['status'], `${changed.url} ${wire.url}`);
			assert.equal(said.length, 1, said);
			const begins = `the chain at ${changed.url} begins with block ${wrong}, but the one that was used before begins with ${right}`;
			assert.ok(said[0].startsWith(`warning: another node is asked: ${begins}. `), said);
		} finally {
			await changed.stop();
		}
	} finally {
		rmSync(chains, { recursive: true });
	}
});

test('each command says at the first use which chain an address leads to, and remembers it', { timeout }, async () => {
	const chain = await writeSpec(path('first'), { verifiers: identities(7).slice(6) });
	const own = await LocalNode.start({ args: ['--chain', chain, '--no-mdns'] });
	try {
		const genesis = await call(`http://127.0.0.1:${own.port}`, 'chain_getBlockHash', 0);
		const { address } = client.account('//Bob');
		for (const args of [['status'], ['--json', 'status'], ['balance', address], ['list', 'datasets', '--owner', address]]) {
			const config = mkdtempSync(path('first-'));
			const run = () => ends(DONE, args, own.url, { XDG_CONFIG_HOME: config });
			const first = (await run()).filter((line) => line.startsWith(`${own.url} leads to the chain that begins with block ${genesis}. `));
			assert.equal(first.length, 1, args.join(' '));
			assert.equal(readFileSync(join(config, 'isthmus', 'known-chains'), 'utf8'), `${own.url} ${genesis}\n`);
			assert.ok((await run()).every((line) => !line.includes(' leads to the chain ')), args.join(' '));
		}
	} finally {
		await own.stop();
	}
});

test('a node that answers no signed query now is asked for the bytes by their hash', { timeout }, async () => {
	const { address, key } = await producer('//Stale');
	const bytes = random('stale', 3_000_000);
	await ok(['store', 'stale', ...key]);
	const lying = await LyingNode.start(node.url);
	try {
		for (const code of [7103, 7113]) {
			const refusal = Object.assign(new Error('not now'), { code });
			lying.setLie((method, _params, result) => (method === 'sharing_chunks' ? refusal : result));
			await ends(DONE, ['fetch', address, 'stale', '--force', '-o', 'stale.out', ...key], lying.url);
			assert.ok(readFileSync(path('stale.out')).equals(bytes));
		}
	} finally {
		await lying.stop();
	}
});

test('a node that sends more than it was asked for is left for the next one', { timeout }, async () => {
	const { address, key } = await producer('//More');
	// Six chunks, of which four are asked for at once.
	const bytes = random('more', 6_000_000);
	await ok(['store', 'more', '--public-name', '--finalized', ...key]);
	const { request } = await client.signQuery(client.account('//More'), 'sharing_chunks', address, recordKey('more'), { first: 4, count: 1 });
	const { chunks: [fifth] } = await client.rpc('sharing_chunks', request);
	const lying = await LyingNode.start(node.url);
	try {
		// It is the right one, but not the one that comes next.
		lying.setLie((method, params, result) => (
			method === 'sharing_chunks' && params[0].first === 0 && result.chunks.length === 4
				? { ...result, chunks: [...result.chunks, fifth] }
				: result
		));
		const fetch = ['fetch', address, 'more', '--force', '-o', 'more.out', ...key];
		const [error] = await ends(NOT_AUTHENTIC, fetch, lying.url);
		assert.match(error, /^error: (more\.out: )?the node sent wrong bytes for chunk 0: /);
		const said = await ends(DONE, fetch, `${lying.url} ${wire.url}`);
		assert.ok(said.some((line) => line.startsWith(`warning: ${lying.url} is left for another node: `)), said);
		assert.ok(readFileSync(path('more.out')).equals(bytes));
	} finally {
		await lying.stop();
	}
});

test('if no node answers, the error names all addresses', { timeout }, async () => {
	const urls = ['ws://127.0.0.1:1', 'ws://127.0.0.1:2'];
	const [error] = await ends(UNREACHABLE, ['status', ...urls.flatMap((url) => ['--url', url])]);
	for (const url of urls) assert.ok(error.includes(`no node answers at ${url}: `), error);
});

test('a folder is stored although its connection is cut', { timeout }, async () => {
	const { address, key } = await producer('//CutFolder');
	mkdirSync(path('parts'));
	const bytes = Array.from({ length: 6 }, (_, i) => random(`parts/${i}`, i === 3 ? 3_000_000 : 700_000));
	wire.cutAfter(4_000_000);
	await ok(['store', 'parts', ...key]);
	await ok(['fetch', address, 'parts', '--folder', '-o', 'parts.out', ...key]);
	for (const [i, part] of bytes.entries()) assert.ok(readFileSync(path(`parts.out/${i}`)).equals(part), `file ${i}`);
});

test('a folder is synchronised although its connection is cut while its location is looked up', { timeout }, async () => {
	const { address, key } = await producer('//CutSync');
	for (const name of ['cut-store', 'cut-sync']) mkdirSync(path(name));
	await ok(['dataset', 'locate', '0', `file://${path('cut-store')}`, '--finalized', ...key]);
	const bytes = random('cut-sync/a', 1000);
	const locations = client.api.query.dataSharing.locations.key(address, 0);
	const cutting = await LyingNode.start(node.url);
	try {
		let cuts = 0;
		cutting.setKeep((_method, params) => {
			if (cuts > 0 || !JSON.stringify(params ?? []).includes(locations)) return;
			cuts += 1;
			setImmediate(() => cutting.cut());
		});
		await ends(DONE, ['sync', 'cut-sync', ...key], cutting.url);
		assert.equal(cuts, 1);
	} finally {
		await cutting.stop();
	}
	await ok(['fetch', address, 'cut-sync', '--file', 'a', '-o', 'cut-sync.out', ...key]);
	assert.ok(readFileSync(path('cut-sync.out')).equals(bytes));
});

/**
 * Starts a proxy that is gone for good once this number of transactions with a chunk has come to it.
 *
 * @returns {Promise<LyingNode>}
 */
async function goneAtChunk(number) {
	const doomed = await LyingNode.start(node.url);
	let chunks = 0;
	doomed.setKeep((method, params) => {
		const isChunk = method === 'transactionWatch_v1_submitAndWatch' && params[0].length > 1_000_000;
		if (isChunk && ++chunks === number) doomed.stop();
	});
	return doomed;
}

test('an upload whose node is gone says how much arrived, and what to do', { timeout }, async () => {
	random('gone', 20_000_000);
	mkdirSync(path('gone-folder'));
	for (let i = 0; i < 8; i += 1) random(`gone-folder/${i}`, i === 0 ? 1000 : 3_000_000);
	random('gone-slow', 20_000_000);
	// The command has at most 14 transactions in flight, so it has heard of the first chunk before it sends the 15th. The
	// files have three chunks each, and are sent one after the other, so two are stored before the seventh chunk.
	// Where each chunk is in a block before the next one is sent, it has heard of the first long before that. All wait half
	// a minute for the node, and say so.
	await Promise.all([
		['//Gone', 'gone', 15, /; \d+\.\d MB of 20\.0 MB arrived, and the same command goes on from there$/],
		['//GoneFolder', 'gone-folder', 7, /; 3 of 8 files arrived, and the same command goes on from there$/],
		['//GoneSlow', 'gone-slow', 7, /; \d\.\d MB of 20\.0 MB arrived, and the same command goes on from there$/],
	].map(async ([uri, name, chunk, expected]) => {
		const { address, key } = await producer(uri);
		const doomed = await goneAtChunk(chunk);
		if (name === 'gone-slow') {
			const isSubmission = (method) => method === 'transactionWatch_v1_submitAndWatch';
			doomed.setHold((method) => (isSubmission(method) ? settled(address) : undefined));
		}
		const storing = start(['store', name, ...key], doomed.url);
		const said = [];
		storing.lines.on('line', (line) => said.push(line));
		const code = await storing.ended;
		await doomed.stop();
		assert.equal(code, UNREACHABLE, said.join('\n'));
		const [error, hint] = said.slice(-2);
		assert.match(error, /^error: (\S*: )?no node answers any more at ws:\S+: /);
		assert.match(hint, /^hint: the node went away: start it again, or give the address of another node of the same chain \(--url \S+\), and run the same command again;/);
		assert.match(hint, expected);
		assert.doesNotMatch(hint, /--dev/);
		assert.equal(said.filter((line) => /; reconnecting$/.test(line)).length, 1, said.join('\n'));
		await ends(DONE, ['store', name, ...key], node.url);
	}));
});

test('a silent connection is noticed, and a silent node is given up', { timeout }, async () => {
	const { key } = await producer('//Silent');
	const serving = start(['serve', '--timeout', `${SILENCE}`, ...key]);
	await said(serving.lines, /^no dataset of this account has a policy/);
	const reconnecting = said(serving.lines, /^the connection to the node failed: .*; reconnecting$/);
	// Nothing answers the handshake of a new connection either.
	const noAnswer = new RegExp(`^no node answers any more at .*: no answer within ${SILENCE} s; reconnecting$`);
	const unreachable = said(serving.lines, noAnswer);
	wire.silence();
	const asking = start(['balance', '--timeout', '1', ...key]);
	await said(asking.lines, /^error: no node answers at .*: no answer within 1 s$/);
	assert.equal(await asking.ended, UNREACHABLE);
	await reconnecting;
	await unreachable;
	serving.child.kill();
	await serving.ended;
});

test('a connection that falls silent in the middle of an upload is replaced by a new one', { timeout }, async () => {
	const { address, key } = await producer('//SilentUpload');
	const bytes = random('silent', 6_000_000);
	const storing = start(['store', 'silent', '--timeout', `${SILENCE}`, ...key]);
	await wire.passed(5_000_000);
	// New connections pass: those that exist are dead, as when a router has forgotten them.
	wire.forget();
	assert.equal(await storing.ended, DONE);
	await ok(['fetch', address, 'silent', '-o', 'silent.out', ...key]);
	assert.ok(readFileSync(path('silent.out')).equals(bytes));
});

test('a command says what it waits for if no block comes', { timeout }, async () => {
	// Otherwise the node refuses requests for another port than its own, such as the wire's.
	const idle = await LocalNode.start({ args: ['--chain', 'dev', '--rpc-cors', 'all'] });
	try {
		await wire.stop();
		wire = await Wire.start(idle.url);
		const sending = start(['transfer', '//Bob', '1', '--key', '//Alice']);
		await said(sending.lines, /^waiting for a block with the transaction, for \d+ s; the best block is 0\. Does a node mine\?$/);
		sending.child.kill();
		await sending.ended;
	} finally {
		await idle.stop();
	}
});

test('a command that a signal ends says what is known of its transaction', { timeout }, async () => {
	const idle = await LocalNode.start({ args: ['--chain', 'dev'] });
	try {
		const signals = [['SIGINT', '//Alice'], ['SIGTERM', '//Bob'], ['SIGHUP', '//Charlie']];
		await Promise.all(signals.map(async ([signal, key]) => {
			const { child, lines } = start(['transfer', '//Dave', '1', '--key', key], idle.url);
			const closed = once(child, 'close');
			const waits = said(lines, /^waiting for a block with the transaction/);
			const known = said(lines, /^interrupted: the transaction 0x[0-9a-f]{64} was sent, and is in a block or may still be included: check/);
			await waits;
			child.kill(signal);
			await known;
			assert.deepEqual(await closed, [null, signal]);
		}));
	} finally {
		await idle.stop();
	}
});

test('a forwarded port of another number is refused, with a hint', { timeout }, async () => {
	const idle = await LocalNode.start({ args: ['--chain', 'dev'] });
	try {
		await wire.stop();
		wire = await Wire.start(idle.url);
		const { lines, ended } = start(['status']);
		const error = said(lines, /^error: ws:\S+ refuses the connection with HTTP status 403$/);
		const hint = said(lines, /^hint: .*forward a port of the same number/);
		await Promise.all([error, hint]);
		assert.equal(await ended, UNREACHABLE);
	} finally {
		await idle.stop();
	}
});

test('a connection that is lost after a transaction was sent leaves its outcome open, and the next one waits', { timeout }, async () => {
	const lying = await LyingNode.start(node.url);
	try {
		const { address } = client.account('//LostAfterSending');
		await ok(['transfer', address, '100', '--key', '//Alice']);
		const before = await settled(client.account('//Dave').address);
		lying.setLie((method, _params, result) => {
			if (method === 'transactionWatch_v1_submitAndWatch') lying.cut();
			return result;
		});
		const args = ['transfer', '//Dave', '1', '--key', '//LostAfterSending'];
		const [error, hint] = await ends(UNREACHABLE, args, lying.url);
		assert.match(error, /^error: .* lost after the transaction 0x[0-9a-f]{64} was sent; it may still be included until block \d+$/);
		assert.match(hint, /^hint: .*check whether it took effect/);
		// The next transaction has the next nonce: it does not replace the one that was sent.
		await ok(args);
		assert.equal(await settled(client.account('//Dave').address), before + 2n * 10n ** 12n);
	} finally {
		await lying.stop();
	}
});

test('a transaction that is in a block, and that the node stops following, is reported with its block', { timeout }, async () => {
	const lying = await LyingNode.start(node.url);
	try {
		lying.setLieOfEvent((event) => (
			event.event === 'finalized' ? { event: 'dropped', broadcasted: true, error: 'too many are followed' } : event
		));
		const args = ['transfer', '//Dave', '1', '--finalized', '--key', '//Alice'];
		const [error, hint] = await ends(REFUSED, args, lying.url);
		assert.match(error, /^error: the transaction 0x[0-9a-f]{64} is in block \d+, but not finalized yet: too many are followed$/);
		assert.match(hint, /^hint: do not run it again/);
		lying.setLieOfEvent((event) => event);
		await ends(DONE, args, lying.url);
	} finally {
		await lying.stop();
	}
});

test('a transaction whose block gave way is reported with the block that stays', { timeout }, async () => {
	const lying = await LyingNode.start(node.url);
	try {
		const [sender, payee] = ['//GaveWay', '//GaveWay//Payee'].map((uri) => client.account(uri).address);
		await ok(['transfer', sender, '100', '--finalized', '--key', '//Alice']);
		// As if it had been in another block first, which is none of the best chain any more.
		const { hash } = await client.api.rpc.chain.getHeader();
		let told = 0;
		lying.setLieOfEvent((event) => {
			if (event.event !== 'validated' && event.event !== 'broadcasted') return event;
			told += 1;
			return { event: 'bestChainBlockIncluded', block: { hash: hash.toHex(), index: 0 } };
		});
		const { child, lines, ended } = start(['transfer', payee, '1', '--finalized', '--json', '--key', '//GaveWay'], lying.url);
		const [printed, errors] = [[], []];
		child.stdout.on('data', (data) => printed.push(data));
		lines.on('line', (line) => errors.push(line));
		assert.equal(await ended, DONE, errors.join('\n'));
		assert.ok(told > 0);
		const { block } = JSON.parse(Buffer.concat(printed));
		const { block: { extrinsics } } = await client.api.rpc.chain.getBlock(await client.api.rpc.chain.getBlockHash(block));
		assert.ok(extrinsics.some(({ method }) => method.section === 'balances' && method.args[0].toString() === payee), `block ${block}`);
	} finally {
		await lying.stop();
	}
});

test('what is wrong with TLS is said, and where a web server leads', { timeout }, async () => {
	const [authority, other] = [makeAuthority(), makeAuthority('Another authority')];
	for (const [name, { certificate }] of Object.entries({ authority, other })) writeFileSync(path(`${name}.pem`), certificate);
	const trusted = { SSL_CERT_FILE: path('authority.pem') };
	const expired = { to: Date.now() - 1000 };
	const secure = [{}, expired, { ip: [127, 0, 0, 2] }].map((options) => createSecureServer(
		makeServerCertificate(authority, options),
		(_, response) => response.writeHead(404).end(),
	));
	const at = (server) => `127.0.0.1:${server.address().port}`;
	const plain = createServer((_, response) => response.writeHead(301, { location: `https://${at(secure[0])}/` }).end());
	const servers = [...secure, plain];
	for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
	try {
		for (const [scheme, server, more, said, hint] of [
			['wss', secure[0], { SSL_CERT_FILE: path('other.pem') }, /no connection to wss:\S+: the server's certificate is from no authority/],
			['wss', secure[0], trusted, /wss:\S+ refuses the connection with HTTP status 404$/, /pass WebSockets on/],
			['wss', secure[1], trusted, /the server's certificate has expired/],
			['wss', secure[2], trusted, /the server's certificate is for another name/],
			['ws', secure[0], {}, /: the server speaks TLS: the address begins with wss:/],
			['ws', plain, {}, /redirects to an address that is not one of a WebSocket: if it speaks TLS, the address begins with wss:/],
			['wss', plain, {}, /does not speak TLS/],
		]) {
			const [error, advice = ''] = await ends(UNREACHABLE, ['status'], `${scheme}://${at(server)}`, more);
			assert.match(error, said);
			if (hint) assert.match(advice, hint);
		}
	} finally {
		for (const server of servers) {
			server.closeAllConnections();
			server.close();
		}
	}
});

test('a server that is no node is not reached', { timeout }, async () => {
	for (const [name, onMessage, reason = /./] of [
		['silent', () => {}, new RegExp(`: no answer within ${SILENCE} s$`)],
		['closing', (socket) => socket.close()],
		['babbling', (socket) => socket.send('{"hello":')],
		['another', (socket, { id }) => socket.send(JSON.stringify({
			jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' },
		}))],
	]) {
		const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
		await once(server, 'listening');
		server.on('connection', (socket) => socket.on('message', (data) => onMessage(socket, JSON.parse(data))));
		const url = `ws://127.0.0.1:${server.address().port}`;
		const [error] = await ends(UNREACHABLE, ['status', '--timeout', `${SILENCE}`], url);
		assert.match(error, /^error: no node answers at .*: the server there does not answer as a node does: /, name);
		assert.match(error, reason, name);
		for (const socket of server.clients) socket.terminate();
		server.close();
	}
});

test('the JavaScript client waits for no server that says nothing, and keeps no program alive', { timeout }, async () => {
	const server = createServer();
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const url = `ws://127.0.0.1:${server.address().port}`;
	const program = `
		import { Client } from ${JSON.stringify(new URL('../lib/sharing.mjs', import.meta.url))};
		try {
			await Client.connect('${url}', { timeout: 1 });
		} catch (error) {
			console.log(error.message + ': ' + error.cause.message);
		}`;
	const { code, stdout } = await programs.run(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'pipe'] });
	assert.equal(code, 0);
	assert.equal(stdout, `no node answers at ${url}: no answer within 1 s\n`);
	server.closeAllConnections?.();
	server.close();
});

test('a transaction of the JavaScript client whose connection is lost fails, and the next one is sent', { timeout }, async () => {
	const { address, key } = await producer('//Lost');
	const cut = await Client.connect(wire.url);
	const account = cut.account(key[1]);
	// A transaction that the node follows for ever.
	const call = cut.api.tx.system.remark('0x00');
	const sending = Object.create(call, {
		signAndSend: { value: async () => wire.cut() },
	});
	await assert.rejects(cut.submit(account, sending), (error) => error instanceof ConnectionLost && error.name === 'ConnectionLost');
	await within('the client connects again', new Promise((resolve) => cut.api.isConnected ? resolve() : cut.api.once('connected', resolve)));
	await cut.api.isReady;
	const { block } = await cut.submit(account, cut.api.tx.system.remark('0x01'));
	assert.ok(block > 0 && address);
	await cut.disconnect();
});

test('a service ends when it is asked to, also while its node answers nothing', { timeout }, async () => {
	const { key } = await producer('//Ending');
	for (const [command, method] of [['serve', 'isthmus_finalityProof'], ['watch', 'state_call']]) {
		const lying = await LyingNode.start(node.url);
		const { child, lines, ended } = start([command, '--timeout', `${SILENCE}`, ...key], lying.url);
		const errors = [];
		lines.on('line', (line) => errors.push(line));
		await said(lines, /^(serving requests to|watching what) /);
		await programs.before(child, `it asks for ${method}`, new Promise((resolve) => {
			lying.setSilence((asked) => {
				if (asked !== method) return false;
				resolve();
				return true;
			});
		}));
		child.kill('SIGTERM');
		assert.equal(await ended, DONE);
		// It did not wait until it gave the node up.
		assert.equal(errors.at(-1), 'ending', errors.join('\n'));
		await lying.stop();
	}
});
