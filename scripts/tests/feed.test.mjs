// SPDX-License-Identifier: Apache-2.0
// Tests `isthmus feed` against a real node and real HTTPS servers, which have an authority of their own: whatever a server
// does, the command names the error, goes on, and reports the next good value.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Keyring } from '@polkadot/api';
import { blake2AsHex } from '@polkadot/util-crypto';
import { makeAuthority, makeServerCertificate } from '../lib/certificates.mjs';
import * as programs from '../lib/child.mjs';
import { EncryptionKeyPair } from '../lib/envelope.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { freePort, LocalNode } from '../lib/node.mjs';
import { Rpc } from '../lib/rpc.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
const [FAILED, USAGE, REFUSED] = [1, 2, 4];
/** A response may have this many bytes. */
const MAX_BYTES = 1000;

const authority = makeAuthority();
let node;
let folder;
let isthmus;

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-feed-'));
	writeFileSync(join(folder, 'ca.pem'), authority.certificate);
	node = await LocalNode.start();
	isthmus = new Isthmus(node.url, folder);
}, { timeout });

after(async () => {
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

/** An HTTPS server whose answers a test chooses. */
class Endpoint {
	#server;
	/** It stays free while the server is stopped. */
	port;
	/** How the next requests are answered: a function of the request and the response. */
	answer;

	/** Starts a server. */
	static async start(certificate = makeServerCertificate(authority), create = createServer) {
		const endpoint = new Endpoint();
		endpoint.port = await freePort();
		endpoint.#server = create(certificate, (request, response) => endpoint.answer(request, response));
		await endpoint.listen();
		return endpoint;
	}

	async listen() {
		this.#server.listen(this.port, '127.0.0.1');
		await once(this.#server, 'listening');
	}

	async stop() {
		const closed = once(this.#server, 'close');
		this.#server.close();
		this.#server.closeAllConnections();
		await closed;
	}

	/** Answers with this JSON from now on; returns its bytes. */
	give(json) {
		const body = JSON.stringify(json);
		this.answer = (_, response) => response.end(body);
		return body;
	}
}

/** Starts an endpoint that stops with its test. */
async function endpoint(t, ...args) {
	const made = await Endpoint.start(...args);
	t.after(() => made.stop());
	return made;
}

/** Writes a file for the command; `topic` changes lines of its topic, and `more` adds lines of the feed. */
function feedFile(name, source, port, { topic = {}, more = {} } = {}) {
	const lines = (values) => Object.entries(values).filter(([, value]) => value !== undefined).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('');
	const all = { source, 'every': '1s', 'timeout': '300s', 'max-bytes': MAX_BYTES, 'ca': 'ca.pem', ...more };
	const url = `https://127.0.0.1:${port}/v1?key=secret`;
	const topics = { name: 'pm25', url, pointer: '/air/pm25', type: 'integer', ...topic };
	writeFileSync(join(folder, name), `${lines(all)}[[topic]]\n${lines(topics)}`);
	return name;
}

/** Creates a source. */
const createSource = (source, reporters = ['//Bob']) =>
	isthmus.ok('facts', 'create', source, '--reporters', reporters.join(), '--fresh', '1d', '--key', '//Alice', '--finalized');

/** Runs the command once. */
const feedOnce = (file, key = '//Bob', env = {}) =>
	isthmus.run(['--json', 'feed', file, '--once', '--finalized', '--key', key], env);

/** Reports of a source's first topic, and its fact. */
const listed = async (source) => (await isthmus.ok('facts', 'list', source))[0];

/** A running command, and what it has printed so far. */
class Running {
	#child;
	#printed = { stdout: '', stderr: '' };
	/** Whether it has ended, and all that it printed was read. */
	#isOver = false;
	#wake = () => undefined;

	constructor(file, args = []) {
		this.#child = isthmus.start(['--json', 'feed', file, '--key', '//Bob', ...args]);
		for (const stream of ['stdout', 'stderr']) {
			this.#child[stream].on('data', (data) => {
				this.#printed[stream] += data;
				this.#wake();
			});
		}
		this.ended = programs.ended(this.#child, timeout);
		const over = () => {
			this.#isOver = true;
			this.#wake();
		};
		this.ended.then(over, over);
	}

	/** Waits until a stream has printed a line that matches; forgets the lines up to it, and returns it. */
	async prints(stream, pattern) {
		for (;;) {
			const lines = this.#printed[stream].split('\n');
			const found = lines.slice(0, -1).findIndex((line) => pattern.test(line));
			if (found >= 0) {
				this.#printed[stream] = lines.slice(found + 1).join('\n');
				return lines[found];
			}
			if (this.#isOver) assert.fail(`it ended without ${pattern}: ${this.#printed.stderr}`);
			await programs.before(this.#child, `a line ${pattern} on ${stream}`, new Promise((resolve) => (this.#wake = resolve)));
		}
	}

	/** Waits for a report of this value, and returns it. */
	async reports(value) {
		return JSON.parse(await this.prints('stdout', new RegExp(`"value":"${value}"`)));
	}

	kill(signal) {
		this.#child.kill(signal);
	}
}

/** Starts the command, which ends with its test. */
function running(t, ...args) {
	const feed = new Running(...args);
	t.after(async () => {
		feed.kill('SIGKILL');
		await feed.ended;
	});
	return feed;
}

describe('a server that misbehaves', () => {
	const chunk = 'x'.repeat(MAX_BYTES);
	/** What a server does, and the error that the log names. */
	const faults = {
		'redirects': [(_, response) => response.writeHead(302, { location: '/v2' }).end(), /Redirect: .* redirects to https:/],
		'gives other JSON': [(_, response) => response.end('{"air": {}}'), /NoValue: .* nothing at "\/air\/pm25"/],
		'gives another type': [(_, response) => response.end('{"air": {"pm25": "80"}}'), /OtherType: .* found a string/],
		'gives no JSON': [(_, response) => response.end('<html>'), /NotJson: /],
		'gives a huge body': [
			(_, response) => response.writeHead(200, { 'content-length': 1e12 }).write(chunk),
			/TooLarge: .* longer than 1000 bytes/,
		],
		'gives a body without an end': [
			(_, response) => response.on('drain', () => response.write(chunk)).write(chunk.repeat(1000)),
			/TooLarge: /,
		],
		'hangs up in the middle': [
			(request, response) => response.write('{"air"', () => request.socket.destroy()),
			/Broken: /,
		],
		'hangs up at once': [(request) => request.socket.destroy(), /Broken: /],
		'has nothing new': [(_, response) => response.writeHead(304).end(), /Status: .* status 304/],
		'is overloaded': [(_, response) => response.writeHead(503).end(), /Status: .* status 503/],
	};
	/** What a server does for longer than a second, and the error. */
	const slow = {
		'is silent': [() => undefined, /TooSlow: .* did not answer within 1 s/],
		'stops in the middle': [(_, response) => response.write('{"air"'), /TooSlow: /],
	};

	/** Lets a server do these things one after another, with a good value after each. Returns the running command. */
	async function survives(t, server, source, misdeeds, more) {
		await createSource(source);
		server.give({ air: { pm25: 0 } });
		const feed = running(t, feedFile(`${source}.toml`, source, server.port, { more }));
		await feed.reports(0);
		let value = 0;
		for (const [misdeed, [answer, error]] of Object.entries(misdeeds)) {
			server.answer = answer;
			const line = await feed.prints('stderr', error);
			assert.match(line, /^[a-z]+, pm25: .*; next attempt in \d+\.\d s$/, misdeed);
			assert.doesNotMatch(line, /secret/, misdeed);
			value += 1;
			const body = server.give({ air: { pm25: value } });
			const { fact, response } = await feed.reports(value);
			assert.equal(fact, String(value), misdeed);
			assert.equal(response, blake2AsHex(body, 256), misdeed);
		}
		return feed;
	}

	// Also good values may take longer than a second beside a build. The command then asks again.
	test('is given up after the time that the file allows', { timeout }, async (t) => {
		await survives(t, await endpoint(t), 'slow', slow, { timeout: '1s' });
	});

	test('is named in the log, and the next good value is reported', { timeout }, async (t) => {
		const server = await endpoint(t);
		const feed = await survives(t, server, 'faults', faults);
		await server.stop();
		await feed.prints('stderr', /Unreachable: no connection to 127\.0\.0\.1:\d+: /);
		server.give({ air: { pm25: -1 } });
		await server.listen();
		await feed.reports(-1);
	});

	test('has a certificate that is not accepted', { timeout }, async (t) => {
		await createSource('certificates');
		for (const certificate of [
			makeServerCertificate(makeAuthority()),
			makeServerCertificate(authority, { ip: [127, 0, 0, 2] }),
			makeServerCertificate(authority, { to: Date.now() - 1000 }),
		]) {
			const server = await endpoint(t, certificate);
			server.give({ air: { pm25: 80 } });
			const { code, stdout, stderr } = await feedOnce(feedFile('certificates.toml', 'certificates', server.port));
			assert.equal(code, FAILED, stderr);
			assert.match(stderr, /Certificate: the certificate of 127\.0\.0\.1:\d+ is not accepted: /);
			assert.equal(stdout, '');
		}
	});

	test('has a certificate of an authority that the system trusts', { timeout }, async (t) => {
		await createSource('system');
		const server = await endpoint(t);
		server.give({ air: { pm25: 80 } });
		const file = feedFile('system.toml', 'system', server.port, { more: { ca: undefined } });
		const trusting = (name) => feedOnce(file, '//Bob', { SSL_CERT_FILE: join(folder, name), SSL_CERT_DIR: '' });
		writeFileSync(join(folder, 'other.pem'), makeAuthority().certificate);
		assert.match((await trusting('other.pem')).stderr, /Certificate: /);
		const { code, stderr } = await trusting('ca.pem');
		assert.equal(code, 0, stderr);
	});

	test('does not speak TLS', { timeout }, async (t) => {
		const server = await endpoint(t, {}, createPlainServer);
		server.give({ air: { pm25: 80 } });
		await createSource('plain');
		const { code, stderr } = await feedOnce(feedFile('plain.toml', 'plain', server.port));
		assert.equal(code, FAILED);
		assert.match(stderr, /NotTls: /);
	});
});

describe('redirects', () => {
	test('are followed as often as the file says, to https only', { timeout }, async (t) => {
		const server = await endpoint(t);
		await createSource('redirects');
		const file = (redirects) => feedFile('redirects.toml', 'redirects', server.port, { more: { redirects } });
		let to = '/moved';
		server.answer = (request, response) => {
			if (request.url === '/there') response.end('{"air": {"pm25": 7}}');
			else response.writeHead(307, { location: request.url === '/moved' ? '/there' : to }).end();
		};
		assert.match((await feedOnce(file(1))).stderr, /Redirect: .*\/moved redirects to .*\/there; the file allows 1 redirects/);
		assert.equal(JSON.parse((await feedOnce(file(2))).stdout).value, '7');
		to = `http://127.0.0.1:${server.port}/there`;
		assert.match((await feedOnce(file(2))).stderr, /NotHttps: /);
	});
});

describe('several reporters', () => {
	const uris = ['//Bob', '//Charlie', '//Dave'];

	/** Feeds a source from three servers that give these values. */
	async function feedThree(t, source, values, topic) {
		await createSource(source, uris);
		for (const [index, uri] of uris.entries()) {
			const server = await endpoint(t);
			server.give({ air: { pm25: values[index] } });
			const { code, stderr } = await feedOnce(feedFile(`${source}.toml`, source, server.port, { topic }), uri);
			assert.equal(code, 0, stderr);
		}
		return listed(source);
	}

	test('of whom each sees another number agree on the median', { timeout }, async (t) => {
		const { fact, reports } = await feedThree(t, 'median', [80.04, 81.25, 5000], { type: 'decimal', decimals: 1 });
		assert.deepEqual(reports.map(({ value }) => value), ['80.0', '81.3', '5000.0']);
		assert.equal(fact, '81.3');
	});

	test('of whom one sees another text agree on the others\'', { timeout }, async (t) => {
		const { fact } = await feedThree(t, 'sky', ['clear', 'rain', 'clear'], { type: 'text' });
		assert.equal(fact, '"clear"');
	});

	test('of whom each sees another text do not agree', { timeout }, async (t) => {
		const { fact } = await feedThree(t, 'storm', ['clear', 'rain', 'snow'], { type: 'text' });
		assert.equal(fact, null);
	});
});

describe('a value', () => {
	test('is reported again only if it changed or becomes old', { timeout }, async (t) => {
		const server = await endpoint(t);
		server.give({ air: { pm25: 80 } });
		await createSource('steady');
		const file = feedFile('steady.toml', 'steady', server.port);
		const [first, second] = [await feedOnce(file), await feedOnce(file)];
		assert.match(first.stderr, /steady, pm25: 80, the first value/);
		// Another run knows from the chain what was reported.
		assert.match(second.stderr, /steady, pm25: 80, as reported \d+ s ago/);
		assert.equal(second.stdout, '');
		const feed = running(t, feedFile('again.toml', 'steady', server.port, { more: { again: '1s' } }));
		await feed.prints('stderr', /steady, pm25: 80, as before, reported again/);
		await feed.reports(80);
	});

	test('is reported after the connection to the node was lost', { timeout }, async (t) => {
		const proxy = await LyingNode.start(node.url);
		t.after(() => proxy.stop());
		const server = await endpoint(t);
		server.give({ air: { pm25: 1 } });
		await createSource('lost');
		const feed = running(t, feedFile('lost.toml', 'lost', server.port), ['--url', proxy.url]);
		await feed.reports(1);
		proxy.cut();
		server.give({ air: { pm25: 2 } });
		await feed.reports(2);
	});
});

describe('a report', () => {
	test('whose outcome the command did not hear is paid for once', { timeout }, async (t) => {
		const rpc = await Rpc.connect(node.url);
		t.after(() => rpc.disconnect());
		const bob = new Keyring({ type: 'sr25519' }).addFromUri('//Bob').address;
		/** How many transactions Bob has sent, those in the pool among them. */
		const sent = () => rpc.call('system_accountNextIndex', bob);
		const proxy = await LyingNode.start(node.url);
		t.after(() => proxy.stop());
		const server = await endpoint(t);
		server.give({ air: { pm25: 1 } });
		await createSource('unheard');
		const feed = running(t, feedFile('unheard.toml', 'unheard', server.port), ['--url', proxy.url]);
		await feed.reports(1);
		const before = await sent();
		let cuts = 0;
		proxy.setLie((method, _, result) => {
			if (method === 'transactionWatch_v1_submitAndWatch' && cuts++ === 0) proxy.cut();
			return result;
		});
		server.give({ air: { pm25: 2 } });
		await feed.prints('stderr', /may still be included until block \d+; next attempt/);
		await feed.prints('stderr', /pm25: 2, found in the chain/);
		await feed.prints('stderr', /pm25: 2, as reported \d+ s ago/);
		assert.equal(await sent(), before + 1);
		server.give({ air: { pm25: 3 } });
		assert.equal((await feed.reports(3)).fact, '3');
		assert.equal(await sent(), before + 2);
	});

	test('of a new value that the chain would not take is an error', { timeout }, async (t) => {
		const server = await endpoint(t);
		server.give({ air: { pm25: 81 } });
		await createSource('clock');
		const file = feedFile('clock.toml', 'clock', server.port);
		let fed;
		// If these commands take longer than the clock is ahead, this shows nothing, and is done again.
		for (let ahead = 0; Date.now() >= ahead; ) {
			// Another program of the account has a clock that is ahead: by less than the minute that the chain allows.
			ahead = Math.floor(Date.now() / 1000 + 50) * 1000;
			const observed = new Date(ahead).toISOString().replace(/\..*/, 'Z');
			await isthmus.ok('facts', 'report', 'clock', 'pm25', '80', '--observed', observed, '--key', '//Bob');
			fed = await feedOnce(file);
		}
		const { code, stdout, stderr } = fed;
		assert.equal(code, FAILED, stderr);
		assert.match(stderr, /TooSoon: 81 was observed no later than the value that is reported/);
		assert.equal(stdout, '');
	});

	test('that another would leave out in between is warned of', { timeout }, async () => {
		await createSource('gaps');
		const warned = async (more) => {
			const { code, stderr } = await feedOnce(feedFile('gaps.toml', 'gaps', 1, { more }));
			assert.equal(code, FAILED);
			return /warning: reports for gaps count for 1d,/.test(stderr);
		};
		assert.equal(await warned({ again: '20h', every: '4h' }), true);
		assert.equal(await warned({ again: '20h', every: '3h' }), false);
	});
});

describe('a report is carried out at once', () => {
	/** A report takes effect within this many blocks. */
	const AT_ONCE = 2;
	const OFFER = '2';
	const [data, read] = ['Ada,97\n', 'read.csv'];
	const [school, company] = ['//Eve', '//Ferdie'];
	const asSchool = ['--key', school, '--finalized'];
	const asCompany = ['--key', company, '--finalized'];
	let client, rpc, from, to;

	before(async () => {
		client = await Client.connect(node.url);
		rpc = await Rpc.connect(node.url);
		[from, to] = [school, company].map((uri) => client.account(uri).address);
		writeFileSync(join(folder, 'marks.csv'), data);
		await isthmus.ok('register', 'School', '--kind', 'school', ...asSchool);
		await isthmus.ok('dataset', 'create', 'marks', ...asSchool);
		await isthmus.ok('store', 'marks.csv', ...asSchool);
		await isthmus.ok('key', 'publish', ...asCompany);
	}, { timeout });

	after(async () => {
		await client?.disconnect();
		await rpc?.disconnect();
	});

	/** Waits for an event of this name in the blocks in which a report takes effect; returns the block's number. */
	async function follows(method, { block }) {
		for (let number = block; number <= block + AT_ONCE; number++) {
			await rpc.bestFrom(number);
			const hash = await client.api.rpc.chain.getBlockHash(number);
			const events = await (await client.api.at(hash)).query.system.events();
			if (events.some(({ event }) => client.api.events.dataSharing[method].is(event))) return number;
		}
		return assert.fail(`no ${method} within ${AT_ONCE} blocks of block ${block}`);
	}

	/**
	 * Creates a source, prepares what depends on it, and reports this value. Returns the report, and what reports the next
	 * value and waits until it is in a block.
	 */
	async function fed(t, source, value, prepare = async () => undefined) {
		await createSource(source);
		await prepare();
		const server = await endpoint(t);
		server.give({ air: { pm25: value } });
		const feed = running(t, feedFile(`${source}.toml`, source, server.port), ['--finalized']);
		const first = await feed.reports(value);
		const next = async (value) => {
			server.give({ air: { pm25: value } });
			return feed.reports(value);
		};
		return { first, next };
	}

	test('a grant is suspended by a value, and resumed by the next', { timeout }, async (t) => {
		const fetch = ['fetch', from, 'marks.csv', '-o', read, '--force', '--key', company];
		const { first, next } = await fed(t, 'air', 80, () =>
			isthmus.ok('authorize', '--to', to, '--leaves', '0..1', '--when', 'fact(air, pm25) < 100', ...asSchool));
		await follows('GrantResumed', first);
		await isthmus.ok(...fetch);
		assert.equal(readFileSync(join(folder, read), 'utf8'), data);
		await follows('GrantSuspended', await next(120));
		assert.match((await isthmus.refused(REFUSED, ...fetch)).error, /suspended/i);
		await follows('GrantResumed', await next(60));
		await isthmus.ok(...fetch);
	});

	test('an offer is released', { timeout }, async (t) => {
		const { next } = await fed(t, 'offers', 80);
		/** Requests a range, with this offer until the condition is met. */
		const ask = async (leaves, offer) => {
			const withdraw = ['--withdraw-when', 'fact(offers, pm25) > 100'];
			return (await isthmus.ok('request', from, '--leaves', leaves, '--purpose', 'study', '--offer', offer, ...withdraw, ...asCompany))[0].request;
		};
		const paid = await ask('0..2', OFFER);
		const free = await ask('0..3', '0');
		const notice = client.api.consts.dataSharing.cancelNotice.toNumber();
		const released = await follows('OfferReleased', await next(120));
		const at = await client.api.at(await client.api.rpc.chain.getBlockHash(released));
		// The paid one can be answered during the notice. The other is closed.
		const { validUntil } = (await at.query.dataSharing.requests(paid)).unwrap();
		assert.equal(validUntil.toNumber(), released + notice);
		assert.ok((await at.query.dataSharing.requests(free)).isNone);
	});

	/**
	 * Reports values until what is tried after one of them is in a block in which the report has to be in effect at once; returns
	 * that. Otherwise the command was stopped for so long that more blocks came, and this shows nothing.
	 */
	async function inTime(next, value, attempt) {
		for (let round = 0; ; round++) {
			const { block } = await next(value + round);
			const outcome = await attempt(round);
			if (outcome.block <= block + AT_ONCE) return outcome;
		}
	}

	test('a request is refused, and the same request is taken again', { timeout }, async (t) => {
		const { next } = await fed(t, 'policies', 80);
		await isthmus.ok('dataset', 'policy', '0', '--longest-term', '1000', '--when', 'fact(policies, pm25) < 100', ...asSchool);
		const asked = async (to) => {
			const scope = { dataset: 0, epoch: 0, from: 0, to };
			const key = await EncryptionKeyPair.generate().publicKey();
			return client.requestAccess(client.account(company), from, scope, { purpose: 'study', term: 100, key });
		};
		const refused = await inTime(next, 120, () => asked(4).catch((error) => error));
		assert.equal(refused.name, 'RequestRefused');
		// What was taken once is refused as a repetition.
		await inTime(next, 60, (round) => asked(4 + round));
	});
});

describe('the command', () => {
	for (const signal of ['SIGTERM', 'SIGINT']) {
		test(`ends in order with ${signal}`, { timeout }, async (t) => {
			const server = await endpoint(t);
			server.give({ air: { pm25: 80 } });
			const source = signal.toLowerCase();
			await createSource(source);
			const feed = running(t, feedFile(`${source}.toml`, source, server.port));
			await feed.prints('stderr', /pm25: 80, the first value/);
			// The report is in flight, and is waited for.
			feed.kill(signal);
			await feed.reports(80);
			assert.deepEqual(await feed.ended, [0, null]);
		});
	}

	test('refuses to begin with what cannot work', { timeout }, async () => {
		await createSource('begin');
		const refused = (code, file, key = '//Bob') => isthmus.refused(code, 'feed', file, '--key', key);
		const [file, unknown] = ['begin', 'nowhere'].map((source) => feedFile(`${source}.toml`, source, 1));
		assert.match((await refused(REFUSED, unknown)).hint, /isthmus facts create nowhere/);
		assert.match((await refused(REFUSED, file, '//Charlie')).hint, /isthmus facts change begin --reporters/);
		const seldom = feedFile('seldom.toml', 'begin', 1, { more: { again: '1d' } });
		assert.match((await refused(USAGE, seldom)).error, /`again` has to be shorter/);
		const wrong = feedFile('wrong.toml', 'begin', 1, { topic: { type: 'float' } });
		assert.match((await refused(USAGE, wrong)).error, /unknown variant `float`/);
		const authorities = feedFile('authorities.toml', 'begin', 1, { more: { ca: 'wrong.toml' } });
		assert.match((await refused(USAGE, authorities)).error, /contains no certificate/);
	});
});
