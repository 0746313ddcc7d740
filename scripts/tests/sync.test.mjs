// SPDX-License-Identifier: Apache-2.0
// Tests folders of many small files: `isthmus store --object`, `isthmus sync`, and what readers fetch. ISTHMUS_LONG=1
// (scripts/test --all) has 100,000 files, and reports what they take.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as programs from '../lib/child.mjs';
import { Isthmus } from '../lib/isthmus.mjs';
import { LyingNode } from '../lib/lying-node.mjs';
import { memoryOf } from '../lib/memory.mjs';
import { LocalNode } from '../lib/node.mjs';
import { Client } from '../lib/sharing.mjs';

const LONG = process.env.ISTHMUS_LONG === '1';
/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = LONG ? 3_600_000 : 600_000;
const [FAILED, USAGE, REFUSED, NOT_AUTHENTIC] = [1, 2, 4, 5];
/** How many files there are, and how many in each folder. */
const [FILES, IN_ONE] = LONG ? [100_000, 1000] : [400, 40];
/** How much memory the command may use, in MiB. */
const MOST = 400;

let folder;
let node;
let client;
let isthmus;
/** Passes on what the command asks, and sees it. */
let seen;

const file = (name) => join(folder, name);
const pathOf = (number) => `${Math.floor(number / IN_ONE)}/${number % IN_ONE}.txt`;
/** The content of a file: from none to some kilobytes, and different for each. */
const contentOf = (number) => `${number}\n`.repeat(number % 7 === 0 ? number % 2 : number % 500);

/** Runs the command and measures it. Returns what it prints. */
async function measured(t, args) {
	const began = performance.now();
	const child = isthmus.start(['--json', ...args]);
	let peak = 0;
	const look = () => {
		try {
			peak = Math.max(peak, memoryOf(child.pid));
		} catch {
			// It has ended.
		}
	};
	const timer = setInterval(look, 20);
	const [out, err] = [[], []];
	child.stdout.on('data', (data) => out.push(data));
	child.stderr.on('data', (data) => err.push(data));
	const [code] = await programs.ended(child, timeout);
	clearInterval(timer);
	assert.equal(code, 0, `isthmus ${args.join(' ')}: ${Buffer.concat(err)}`);
	const seconds = (performance.now() - began) / 1000;
	t.diagnostic(`${args[0]}: ${seconds.toFixed(1)} s, at most ${peak.toFixed(0)} MiB`);
	assert.ok(peak < MOST);
	return JSON.parse(Buffer.concat(out));
}

/** Makes an account with funds. */
async function account(uri) {
	const { address } = client.account(uri);
	await isthmus.ok('transfer', address, '10000', '--key', '//Alice');
	return { address, key: ['--key', uri] };
}

/** Makes a producer with one dataset, whose objects are in a folder. */
async function producer(uri, at) {
	const made = await account(uri);
	mkdirSync(file(at));
	await isthmus.ok('register', uri.slice(2), '--kind', 'school', ...made.key);
	await isthmus.ok('dataset', 'create', 'data', ...made.key);
	await isthmus.ok('dataset', 'locate', '0', `file://${file(at)}`, '--finalized', ...made.key);
	return made;
}

/** The paths of the files in a folder, with what tells them apart. */
function contents(name) {
	const files = new Map();
	const look = (at, path) => {
		for (const entry of readdirSync(at, { withFileTypes: true })) {
			const [inside, below] = [join(at, entry.name), path ? `${path}/${entry.name}` : entry.name];
			if (entry.isDirectory()) {
				files.set(`${below}/`, '');
				look(inside, below);
				continue;
			}
			const { mode } = statSync(inside);
			files.set(below, `${createHash('sha256').update(readFileSync(inside)).digest('hex')} ${mode & 0o100}`);
		}
	};
	look(file(name), '');
	return new Map([...files].sort());
}

/** Names the files in a store, but the objects' lists of chunks. */
const objectsIn = (name) => readdirSync(file(name)).filter((entry) => !entry.endsWith('.b3'));

/** Whether a run has noted a pack that it has sent. */
const isNoted = () => {
	const state = file('.local/state/isthmus');
	return existsSync(state) && readdirSync(state).some((name) => name.endsWith('.packs'));
};

const isSubmission = (method) => method === 'transactionWatch_v1_submitAndWatch';

/** Starts the command and sends it a signal when the node first answers a request for which `at` returns true. */
async function signalled(signal, args, at, env) {
	const child = isthmus.start([...args, '--url', seen.url], env);
	const ended = programs.ended(child, timeout);
	const sent = new Promise((resolve) => {
		seen.setLie((method, params, result) => {
			if (at(method)) {
				seen.tellTruth();
				child.kill(signal);
				resolve();
			}
			return result;
		});
	});
	await Promise.race([sent, ended]);
	assert.ok(child.killed, `isthmus ${args.join(' ')} ended with ${child.exitCode} before ${signal}`);
	return { child, ended };
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-sync-'));
	node = await LocalNode.start();
	client = await Client.connect(node.url);
	seen = await LyingNode.start(node.url);
	isthmus = new Isthmus(node.url, folder);
}, { timeout });

after(async () => {
	await seen?.stop();
	await client?.disconnect();
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

test(`a folder of ${FILES} files is stored, synced after changes and fetched`, { timeout }, async (t) => {
	const owner = await producer('//ManyOwner', 'store');
	const reader = await account('//ManyReader');
	await isthmus.ok('key', 'publish', ...reader.key);
	for (let number = 0; number < FILES; number += 1) {
		if (number % IN_ONE === 0) mkdirSync(file(`many/${number / IN_ONE}`), { recursive: true });
		writeFileSync(file(`many/${pathOf(number)}`), contentOf(number));
	}
	mkdirSync(file('many/empty'));
	chmodSync(file(`many/${pathOf(5)}`), 0o755);
	const [planned] = await isthmus.ok('store', 'many', '--object', '--dry-run', ...owner.key);
	assert.ok(planned.dryRun);
	assert.deepEqual(readdirSync(file('store')), []);

	const stored = await measured(t, ['store', 'many', '--object', '--public-name', '--finalized', ...owner.key]);
	t.diagnostic(`${stored.bytes} bytes in ${stored.packs} packs, ${stored.sentBytes} sent, ${stored.transactions} transactions`);
	assert.deepEqual([stored.files, stored.added, stored.removed], [FILES, FILES, 0]);
	// Packs are full but for the file that did not fit.
	assert.ok(stored.packs - Math.ceil(stored.bytes / 2 ** 24) <= 1);
	assert.equal(stored.transactions, 1);
	// The leaf of the list opens no file, so its name is not taken for the folder.
	const list = await isthmus.refused(REFUSED, 'authorize', '--to', reader.address, '--leaves', 'many', ...owner.key);
	assert.match(list.error, /many is the list of a packed folder/);
	await isthmus.ok('authorize', '--to', reader.address, '--leaves', '0..100', '--finalized', ...owner.key);
	const fetch = ['fetch', owner.address, 'many', ...reader.key];
	const fetched = await measured(t, [...fetch, '--folder', '-o', 'copy']);
	assert.deepEqual([fetched.files, fetched.bytes], [FILES, stored.bytes]);
	assert.deepEqual(contents('copy'), contents('many'));

	// Nothing is sent for a folder that has not changed, and a file alone is fetched alone.
	const again = await measured(t, ['sync', 'many', '--public-name', ...owner.key]);
	assert.deepEqual([again.block, again.transactions, again.sentBytes], [null, 0, 0]);
	assert.ok((await isthmus.ok('store', 'many', '--object', '--public-name', ...owner.key))[0].resumed);
	await isthmus.ok(...fetch, '--file', pathOf(3), '-o', 'one');
	assert.equal(readFileSync(file('one'), 'utf8'), contentOf(3));
	const piped = await isthmus.run([...fetch, '--file', pathOf(3), '-o', '-']);
	assert.deepEqual([piped.code, piped.stdout], [0, contentOf(3)], piped.stderr);
	const inside = await isthmus.refused(USAGE, ...fetch, '--file', '1', '-o', '-');
	assert.match(inside.error, /"1" is a folder/);
	const absent = await isthmus.refused(REFUSED, ...fetch, '--file', 'absent', '-o', 'none');
	assert.match(absent.error, /the folder has no file "absent"/);

	// One file has changed.
	writeFileSync(file(`many/${pathOf(17)}`), 'changed');
	const other = await isthmus.refused(REFUSED, 'store', 'many', '--object', '--public-name', ...owner.key);
	assert.match(`${other.error} ${other.hint}`, /another version of the folder is stored already .*isthmus sync/);
	const changed = await measured(t, ['sync', 'many', '--objects', '--public-name', '--finalized', ...owner.key]);
	t.diagnostic(`${changed.sentBytes} bytes sent in ${changed.sentPacks} pack, ${changed.transactions} transactions`);
	assert.deepEqual([changed.added, changed.changed, changed.removed], [0, 1, 0]);
	assert.deepEqual([changed.sentPacks, changed.packs, changed.transactions], [1, stored.packs + 1, 1]);
	await measured(t, [...fetch, '--folder', '--force', '-o', 'copy']);
	assert.deepEqual(contents('copy'), contents('many'));

	// One is renamed, one is copied, one folder is gone.
	renameSync(file(`many/${pathOf(1)}`), file('many/renamed'));
	writeFileSync(file('many/again'), contentOf(2));
	rmSync(file('many/2'), { recursive: true });
	const moved = await measured(t, ['sync', 'many', '--objects', '--public-name', '--finalized', ...owner.key]);
	assert.deepEqual([moved.added, moved.changed, moved.removed, moved.sentPacks], [2, 0, IN_ONE + 1, 0]);
	await isthmus.ok(...fetch, '--folder', '-o', 'fresh');
	assert.deepEqual(contents('fresh'), contents('many'));

	// Every object is whole, and all of them go with the folder.
	const [checked] = await isthmus.ok('check', owner.address, '0');
	assert.equal(checked.locations[0].right, moved.packs + 1);
	const [gone] = await isthmus.ok('remove', 'many', '--objects', '--finalized', ...owner.key);
	assert.deepEqual([gone.files, gone.packs, gone.objects[0].gone], [moved.files, moved.packs, moved.packs + 1]);
	assert.deepEqual(await isthmus.ok('list', 'records', ...owner.key), []);
	assert.deepEqual(readdirSync(file('store')), []);
});

test('what an upload may have left at a leaf is forgotten when the leaf is taken, and not before', { timeout }, async () => {
	const owner = await producer('//LeftOwner', 'left-store');
	const state = file('.local/state/isthmus');
	mkdirSync(state, { recursive: true });
	const left = join(state, `isthmus-${owner.address}-uploads.left`);
	const chain = Buffer.from(client.genesis).toString('hex');
	const line = (leaf, of = chain) => JSON.stringify({
		sent: { chain: of, location: 'file:///gone', object: '07', dataset: 0, epoch: 0, leaf },
	});
	// The last one is of another chain.
	const [first, second, later, other] = [line(0), line(1), line(900), line(0, 'ab'.repeat(32))];
	writeFileSync(left, [first, second, later, other].map((each) => `${each}\n`).join(''));
	const lines = () => readFileSync(left, 'utf8').split('\n').filter(Boolean);
	// A file and a folder, each of which looks at what is final by then.
	writeFileSync(file('left.txt'), 'one');
	await isthmus.ok('store', 'left.txt', '--object', '--finalized', ...owner.key);
	mkdirSync(file('left'));
	writeFileSync(file('left/one.txt'), 'one');
	await isthmus.ok('store', 'left', '--object', '--finalized', ...owner.key);
	assert.ok(!lines().includes(first));
	writeFileSync(file('left/two.txt'), 'two');
	await isthmus.ok('sync', 'left', '--finalized', ...owner.key);
	assert.deepEqual(lines(), [later, other]);
	// The epoch is over.
	await isthmus.ok('dataset', 'epoch', '0', '--finalized', ...owner.key);
	writeFileSync(file('left/three.txt'), 'three');
	await isthmus.ok('sync', 'left', ...owner.key);
	assert.deepEqual(lines(), [other]);
});

test('a pack that is missing or damaged does not stop the files of others', { timeout }, async () => {
	const owner = await producer('//LossyOwner', 'lossy');
	mkdirSync(file('packed'));
	// Each file fills a pack of its own, and the two small ones share one.
	const large = (letter) => letter.repeat(12 * 2 ** 20);
	for (const name of ['a', 'b', 'c']) writeFileSync(file(`packed/${name}`), large(name));
	for (const name of ['y', 'z']) writeFileSync(file(`packed/${name}`), name);
	const [stored] = await isthmus.ok('store', 'packed', '--object', '--finalized', ...owner.key);
	const fetch = ['fetch', owner.address, 'packed', '--folder', '-o', 'packed-copy', ...owner.key];
	const whole = readdirSync(file('lossy'));
	const packs = objectsIn('lossy').filter((name) => statSync(file(`lossy/${name}`)).size > 2 ** 20);
	assert.ok(packs.length >= 3 && stored.packs >= 3);
	renameSync(file(`lossy/${packs[0]}`), file('kept-away'));
	const { error, listed, hint } = await isthmus.refused(FAILED, ...fetch);
	assert.match(error, /^[123] of 5 files were not fetched$/);
	for (const line of listed) assert.match(line, /^[abcyz]: no location has the object; file:.*: it is not there$/);
	assert.match(hint, /the same command again .*isthmus check \S+ 0$/);
	const missing = listed.map((line) => line[0]);
	assert.deepEqual(readdirSync(file('packed-copy')).sort(), ['a', 'b', 'c', 'y', 'z'].filter((name) => !missing.includes(name)));
	// It is there again, and the same command fetches the rest.
	renameSync(file('kept-away'), file(`lossy/${packs[0]}`));
	assert.deepEqual(readdirSync(file('lossy')).sort(), whole.sort());
	await isthmus.ok(...fetch);
	assert.deepEqual(contents('packed-copy'), contents('packed'));
	// One that is cut short keeps back only files in it.
	truncateSync(file(`lossy/${packs[0]}`), 2 ** 20);
	rmSync(file('packed-copy'), { recursive: true });
	const cut = await isthmus.refused(NOT_AUTHENTIC, ...fetch);
	assert.ok(cut.listed.length > 0 && cut.listed.every((line) => missing.includes(line[0])), cut.listed.join());
	for (const line of cut.listed) assert.match(line, /: it has 1048576 bytes there, instead of \d+$/);
	const rest = [...contents('packed')].filter(([name]) => !cut.listed.some((line) => line[0] === name));
	assert.deepEqual([...contents('packed-copy')], rest);
});

test('a wrong byte in a pack keeps back one of its files', { timeout }, async () => {
	const owner = await producer('//FlippedOwner', 'flipped');
	mkdirSync(file('six'));
	// They share a pack.
	for (const name of 'abcdef') writeFileSync(file(`six/${name}`), name.repeat(2 * 2 ** 20));
	await isthmus.ok('store', 'six', '--object', '--finalized', ...owner.key);
	const packs = objectsIn('flipped').filter((name) => statSync(file(`flipped/${name}`)).size > 2 ** 20);
	assert.equal(packs.length, 1);
	const pack = file(`flipped/${packs[0]}`);
	const flip = () => {
		const bytes = readFileSync(pack);
		bytes[5_500_000] ^= 1;
		writeFileSync(pack, bytes);
	};
	flip();
	const fetch = ['fetch', owner.address, 'six', '--folder', '-o', 'six-copy', ...owner.key];
	const { error, listed } = await isthmus.refused(NOT_AUTHENTIC, ...fetch);
	assert.equal(error, '1 of 6 files were not fetched');
	assert.match(listed[0], /^[a-f]: no location has the object whole and right; file:.*: MiB 5 of it is wrong there$/);
	const others = [...contents('six')].filter(([name]) => name !== listed[0][0]);
	assert.deepEqual([...contents('six-copy')], others);
	flip();
	await isthmus.ok(...fetch);
	assert.deepEqual(contents('six-copy'), contents('six'));
	// Without the list of files, whatever reads it says where to look.
	for (const name of objectsIn('flipped')) rmSync(file(`flipped/${name}`));
	for (const read of [['list', 'files', 'six', '--owner', owner.address], ['fetch', owner.address, 'six', '-o', '-']]) {
		const { error, hint } = await isthmus.refused(FAILED, ...read, ...owner.key);
		assert.match(error, /no location has the object; file:.*: it is not there/);
		assert.match(hint, /isthmus check \S+ 0$/);
	}
});

test('what is not used any more is packed again, and its objects are deleted', { timeout }, async () => {
	const owner = await producer('//TidyOwner', 'tidy');
	mkdirSync(file('notes'));
	for (const name of ['a', 'b', 'c', 'd']) writeFileSync(file(`notes/${name}`), name.repeat(1000));
	const sync = ['sync', 'notes', '--objects', ...owner.key];
	// Without a stored folder, all of it is stored.
	const [first] = await isthmus.ok(...sync);
	assert.deepEqual([first.files, first.added, first.packs, first.readers], [4, 4, 1, 0]);
	for (const name of ['a', 'b', 'c']) rmSync(file(`notes/${name}`));
	const [second] = await isthmus.ok(...sync);
	assert.deepEqual([second.removed, second.sentPacks, second.removedPacks, second.packs], [3, 1, 1, 1]);
	// The old pack, and the old list.
	assert.deepEqual(second.deleted.map(({ gone, failure }) => [gone, failure]), [[2, null]]);
	assert.equal(readdirSync(file('tidy')).filter((name) => !name.endsWith('.b3')).length, 2);
	// A name is hidden from the chain, and the owner finds it.
	await isthmus.ok('fetch', owner.address, 'notes', '--folder', '-o', 'notes-copy', ...owner.key);
	assert.deepEqual(contents('notes-copy'), contents('notes'));
	rmSync(file('notes/d'));
	// As if its disk were not there.
	const lost = await isthmus.refused(FAILED, ...sync);
	assert.match(`${lost.error} ${lost.hint}`, /the folder has no files, .*--allow-empty/);
	assert.equal((await isthmus.ok('list', 'records', ...owner.key)).length, 2);
	const [none] = await isthmus.ok(...sync, '--allow-empty');
	assert.deepEqual([none.files, none.packs], [0, 0]);
	assert.equal((await isthmus.ok(...sync))[0].block, null);
});

test('two that sync at once wait for each other, and a folder in blocks is not packed', { timeout }, async () => {
	const owner = await producer('//TwiceOwner', 'twice');
	mkdirSync(file('twice-folder'));
	for (let number = 0; number < 20; number += 1) writeFileSync(file(`twice-folder/${number}`), `${number}`);
	const both = await Promise.all([0, 1].map(() => isthmus.ok('sync', 'twice-folder', ...owner.key)));
	assert.deepEqual(both.map(([{ transactions }]) => transactions).sort(), [0, 1]);
	await isthmus.ok('store', 'twice-folder', '--name', 'in-blocks', ...owner.key);
	const refused = await isthmus.refused(REFUSED, 'sync', 'twice-folder', '--name', 'in-blocks', ...owner.key);
	assert.match(`${refused.error} ${refused.hint}`, /not a packed folder .*isthmus remove/);
});

test('an interrupted run leaves nothing that the next one would get wrong', { timeout }, async () => {
	const owner = await producer('//CutOwner', 'cut');
	mkdirSync(file('cut-folder'));
	const write = (content) => writeFileSync(file('cut-folder/a'), content);
	const sync = ['sync', 'cut-folder', ...owner.key];
	const killed = async (args, at) => (await signalled('SIGKILL', args, at)).ended;
	// The pack is at the location and not on the chain yet. It disappears: it is sent again.
	write('first');
	await killed(sync, () => isNoted());
	assert.equal(objectsIn('cut').length, 1);
	for (const name of readdirSync(file('cut'))) rmSync(file(`cut/${name}`));
	const [first] = await isthmus.ok(...sync, '--finalized');
	assert.deepEqual([first.sentPacks, first.packs, objectsIn('cut').length, isNoted()], [1, 1, 2, false]);
	// If it is there, it is not sent again.
	write('second');
	await killed(sync, () => isNoted());
	const [second] = await isthmus.ok(...sync, '--finalized');
	assert.deepEqual([second.sentPacks, second.packs, second.removedPacks, isNoted()], [0, 1, 1, false]);
	// The list is stored, and the run ends before it forgets what it has sent: the next one deletes nothing of it.
	write('third');
	await killed(sync, isSubmission);
	write('fourth');
	await isthmus.ok(...sync, '--finalized');
	assert.equal(objectsIn('cut').length, 8);
	assert.equal((await isthmus.ok('list', 'records', ...owner.key)).length, 2);
	const [checked] = await isthmus.ok('check', owner.address, '0');
	assert.equal(checked.locations[0].right, 2);
	// The next run finishes what was to be deleted, although the folder has not changed since.
	write('fifth');
	await killed([...sync, '--objects'], isSubmission);
	const [last] = await isthmus.ok(...sync, '--objects');
	assert.deepEqual([last.block, last.sentPacks, last.removedPacks], [null, 0, 1]);
	assert.deepEqual(last.deleted.map(({ gone, failure }) => [gone, failure]), [[2, null]]);
	assert.deepEqual([objectsIn('cut').length, isNoted()], [8, false]);
	await isthmus.ok('fetch', owner.address, 'cut-folder', '--folder', '-o', 'cut-copy', ...owner.key);
	assert.deepEqual(contents('cut-copy'), contents('cut-folder'));
});

test('a run that another machine overtakes begins again', { timeout }, async () => {
	const owner = await producer('//RacingOwner', 'racing');
	mkdirSync(file('racing-folder'));
	const sync = ['sync', 'racing-folder', ...owner.key];
	writeFileSync(file('racing-folder/a'), 'first');
	await isthmus.ok(...sync, '--finalized');
	// A machine is another home folder: its programs do not see the locks of this one.
	mkdirSync(file('elsewhere'));
	writeFileSync(file('racing-folder/a'), 'here');
	const { child, ended } = await signalled('SIGSTOP', [...sync, '--finalized'], () => isNoted());
	writeFileSync(file('racing-folder/a'), 'there');
	const there = await isthmus.run([...sync, '--finalized'], { HOME: file('elsewhere') });
	assert.equal(there.code, 0, there.stderr);
	writeFileSync(file('racing-folder/a'), 'here');
	child.kill('SIGCONT');
	assert.deepEqual(await ended, [0, null]);
	// Its list is the last one, and no record of the other one is left.
	assert.equal((await isthmus.ok('list', 'records', ...owner.key)).length, 2);
	await isthmus.ok('fetch', owner.address, 'racing-folder', '--folder', '-o', 'racing-copy', ...owner.key);
	assert.equal(readFileSync(file('racing-copy/a'), 'utf8'), 'here');
	// A pack without a record is sent again, although the list names it.
	const [same] = await isthmus.ok(...sync);
	assert.deepEqual([same.block, same.transactions], [null, 0]);
	const pack = (await isthmus.ok('list', 'records', ...owner.key)).find(({ key }) => key !== same.key);
	await isthmus.ok('remove', pack.key, '--finalized', ...owner.key);
	const [again] = await isthmus.ok(...sync, '--finalized');
	assert.deepEqual([again.sentPacks, again.packs], [1, 1]);
	const [checked] = await isthmus.ok('check', owner.address, '0');
	assert.equal(checked.locations[0].right, 2);
});

test('a folder and the place of its objects do not lie in one another', { timeout }, async () => {
	mkdirSync(file('around/docs'), { recursive: true });
	const owner = await producer('//AroundOwner', 'around/store');
	writeFileSync(file('around/docs/a'), 'a');
	symlinkSync(file('around'), file('around-link'));
	for (const command of [['sync', 'around'], ['sync', 'around-link'], ['sync', 'around/docs/..', '--name', 'x'], ['store', 'around', '--object'], ['store', 'around']]) {
		const { error, hint } = await isthmus.refused(FAILED, ...command, ...owner.key);
		assert.match(error, /around\S* contains the location file:\S+around\/store, /, command.join(' '));
		assert.match(hint, /isthmus dataset locate/);
	}
	assert.deepEqual(readdirSync(file('around/store')), []);
	assert.deepEqual(await isthmus.ok('list', 'records', ...owner.key), []);
	await isthmus.ok('sync', 'around/docs', '--finalized', ...owner.key);
	const before = readdirSync(file('around/store')).sort();
	// Nothing is fetched to where the objects are, by whatever path.
	const fetch = ['fetch', owner.address, 'docs', ...owner.key, '--folder', '-o'];
	for (const output of ['around/store', 'around/store/new', 'around-link/store']) {
		const { error, hint } = await isthmus.refused(FAILED, ...fetch, output);
		assert.match(`${error} ${hint}`, /is in the location file:\S+around\/store, .*choose another --output/);
	}
	const one = await isthmus.refused(FAILED, 'fetch', owner.address, 'docs', ...owner.key, '--file', 'a', '-o', 'around/store/a');
	assert.match(one.error, /is in the location file:/);
	assert.deepEqual(readdirSync(file('around/store')).sort(), before);
	await isthmus.ok(...fetch, 'around');
	assert.equal(readFileSync(file('around/a'), 'utf8'), 'a');
	// A folder in the place of objects would be there for all who read them.
	mkdirSync(file('around/store/inside'));
	writeFileSync(file('around/store/inside/a'), 'a');
	const inside = await isthmus.refused(FAILED, 'sync', 'around/store/inside', ...owner.key);
	assert.match(inside.error, /inside is in the location file:\S+around\/store, /);
});

test('what programs keep for themselves is not stored', { timeout }, async () => {
	const owner = await producer('//HomeOwner', 'home-store');
	mkdirSync(file('home/.local/state/isthmus'), { recursive: true });
	for (const name of ['marks', '.local/state/isthmus/journal']) writeFileSync(file(`home/${name}`), name);
	const home = { HOME: file('home') };
	const sync = await isthmus.run(['--json', 'sync', 'home', '--finalized', ...owner.key], home);
	assert.equal(sync.code, 0, sync.stderr);
	assert.match(sync.stderr, /skipped, because .*this program keeps it for itself: .*home\/\.local\/state\/isthmus/);
	const files = await isthmus.ok('list', 'files', 'home', '--owner', owner.address, ...owner.key);
	assert.deepEqual(files.map(({ path }) => path).filter((path) => !path.startsWith('.local')), ['marks']);
	const own = await isthmus.run(['sync', 'home/.local/state/isthmus', ...owner.key], home);
	assert.equal(own.code, FAILED);
	assert.match(own.stderr, /is in .*\.local\/state\/isthmus, where this program keeps files of its own/);
});

test('notes of a newer release stop a command, and stay as they are', { timeout }, async () => {
	const owner = await account('//NewerOwner');
	const state = file('.local/state/isthmus');
	mkdirSync(state, { recursive: true });
	const notes = join(state, `isthmus-${owner.address}.lock`);
	const newer = '{"version":2,"notes":[]}';
	writeFileSync(notes, newer, { mode: 0o600 });
	const { error } = await isthmus.refused(FAILED, 'transfer', owner.address, '1', ...owner.key);
	assert.ok(error.startsWith(`${notes} was written by a newer release of this program`), error);
	assert.equal(readFileSync(notes, 'utf8'), newer);
	rmSync(notes);
	await isthmus.ok('transfer', owner.address, '1', ...owner.key);
});

// It is the last one, because a note of the pack stays.
test('a pack and a file that a reader has paid for are named as long as they stay', { timeout }, async () => {
	const owner = await producer('//SoldOwner', 'sold-store');
	const reader = await account('//SoldReader');
	await isthmus.ok('key', 'publish', ...reader.key);
	const sell = async (dataset, leaf) => {
		const range = ['--dataset', dataset, '--leaves', `${leaf}..${leaf + 1}`];
		const ask = ['request', owner.address, ...range, '--purpose', 'a study', '--term', '1000', '--offer', '2'];
		const [{ request }] = await isthmus.ok(...ask, ...reader.key);
		await isthmus.ok('authorize', String(request), '--yes', ...owner.key);
	};
	// Each file fills a pack of its own.
	mkdirSync(file('sold'));
	for (const name of ['a', 'b', 'c']) writeFileSync(file(`sold/${name}`), name.repeat(12 * 2 ** 20));
	const [stored] = await isthmus.ok('store', 'sold', '--object', '--finalized', ...owner.key);
	assert.ok(stored.packs >= 3);
	await sell('0', 1);
	const record = (await isthmus.ok('list', 'records', ...owner.key)).find(({ leaf }) => leaf === 1);
	for (const name of ['a', 'b', 'c']) writeFileSync(file(`sold/${name}`), `new ${name}`);
	const [synced] = await isthmus.ok('sync', 'sold', '--objects', ...owner.key);
	assert.deepEqual(synced.kept.map(({ epoch, key, leaf }) => [epoch, key, leaf]), [[0, record.key, 1]]);
	assert.ok(synced.kept[0].until > synced.block);
	const again = await isthmus.run(['sync', 'sold', '--objects', ...owner.key]);
	const words = `${record.key}, at leaf 1 of epoch 0, is paid for until block ${synced.kept[0].until}`;
	assert.ok(again.stdout.includes('left 1 unused pack for which a reader may have paid'), again.stdout);
	assert.ok(again.stdout.includes(words), again.stdout);
	const gone = await isthmus.run(['remove', 'sold', '--objects', '--yes', ...owner.key]);
	assert.equal(gone.code, 0, gone.stderr);
	assert.ok(gone.stderr.includes(`${words}. To remove it then: isthmus remove ${record.key} --alone --objects`), gone.stderr);
	// Of a folder in blocks, the refusal names the file.
	await isthmus.ok('dataset', 'create', 'blocks', ...owner.key);
	mkdirSync(file('sold-files'));
	for (const name of ['a', 'b', 'c']) writeFileSync(file(`sold-files/${name}`), name);
	await isthmus.ok('store', 'sold-files', '--dataset', '1', '--finalized', ...owner.key);
	await sell('1', 1);
	const { error, hint } = await isthmus.refused(REFUSED, 'remove', 'sold-files', '--yes', ...owner.key);
	assert.match(error, /RecordPaidFor/);
	assert.match(hint, /the first such record: the file [abc], 0x[0-9a-f]{64}, at leaf 1 of epoch 0, is paid for until block \d+ \(dataset 1\)$/);
});
