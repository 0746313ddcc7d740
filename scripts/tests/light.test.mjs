// SPDX-License-Identifier: Apache-2.0

// Tests the JavaScript client's verification of finality on a made-up chain with voters, which needs no node: the votes of
// more than two thirds finalize a block, the voters hand over to each other, and finality never goes back.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519';
import { blake2b256 as hash, concat, utf8 } from '../lib/envelope/common.mjs';
import { parse } from '../lib/conditions.mjs';
import { condition } from '../lib/light/condition.mjs';
import { Finality } from '../lib/light/finality.mjs';
import { decode, little } from '../lib/light/scale.mjs';
import { control, controlKey, keeperKey, keepersPeriodKey, keepersVersionKey, SHARING_VERSION, votersKey } from '../lib/light/storage.mjs';
import { StateProof } from '../lib/light/trie.mjs';
import { hex } from '../lib/sharing/encoding.mjs';
import { verifyKeeperReceipt } from '../lib/receipts.mjs';
import { Verified } from '../lib/sharing/proven.mjs';

/** The secret of the development account //Alice, which is public. */
const ALICE = Uint8Array.from(Buffer.from('abf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115', 'hex'));
const secret = (seed) => (seed === ALICE ? ALICE : new Uint8Array(32).fill(seed));
/** A compact integer of up to 14 bits. */
const compact = (value) => (value < 64 ? [value << 2] : little((value << 2) | 1, 2));
const list = (items) => concat(compact(items.length), ...items);
const blob = (bytes) => concat(compact(bytes.length), bytes);
const voters = (seeds) => list(seeds.map((seed) => concat(ed25519.getPublicKey(secret(seed)), little(1, 8))));

/** Returns a digest item that names the next voters. */
const change = (seeds, delay = 0) => concat([4], utf8('FRNK'), blob(concat([1], voters(seeds), little(delay, 4))));
const forced = concat([4], utf8('FRNK'), blob(concat([2], little(0, 4), voters([9]), little(0, 4))));

function header(number, parent, logs = [], stateRoot = secret(2)) {
	return concat(parent, compact(number), stateRoot, secret(1), list(logs));
}

/** Returns votes for a block with these voters' keys. */
function votes(block, number, setId, seeds, ancestries = []) {
	const target = concat(hash(block), little(number, 4));
	const payload = concat([1], target, little(7, 8), little(setId, 8));
	const signed = seeds.map((seed) =>
		concat(target, ed25519.sign(payload, secret(seed)), ed25519.getPublicKey(secret(seed))),
	);
	return concat(little(7, 8), target, list(signed), list(ancestries));
}

const steps = (...all) => concat(list(all.map((step) => concat(...step))), [1]);

/** A state with one entry, the list of voters: one leaf, with the whole key in it. */
const leaf = concat([0x7f, 1], votersKey(), blob(voters([1, 2, 3, 4])));
const first = header(0, new Uint8Array(32), [], hash(leaf));
const begin = () => new Finality(hash(first), first, [leaf]);
const refused = (finality, proof, name) => {
	const { head } = finality;
	assert.throws(() => finality.follow(proof), { name });
	assert.equal(finality.head, head, 'a refused proof changes nothing');
};

test('the layout of entries is that of the runtime', () => {
	const terms = readFileSync(new URL('../../primitives/sharing/src/terms.rs', import.meta.url), 'utf8');
	assert.equal(Number(/STORAGE_VERSION: u16 = (\d+);/.exec(terms)[1]), SHARING_VERSION);
});

test('who controls a dataset is read as it is stored', () => {
	const path = new URL('../../primitives/sharing/vectors.json', import.meta.url);
	const { controls } = JSON.parse(readFileSync(path, 'utf8'));
	const bytes = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
	assert.equal(controls.length, 4);
	for (const { owner, dataset, key, scale, ...vector } of controls) {
		assert.deepEqual(controlKey(bytes(owner), dataset), bytes(key));
		assert.deepEqual(decode(bytes(scale), control), {
			...{ controller: bytes(vector.controller), since: vector.since },
			...{ offeredTo: vector.offeredTo && bytes(vector.offeredTo), offers: vector.offers },
			held: vector.held.map(BigInt),
		});
		for (const other of [scale.slice(2), `${scale}00`]) {
			assert.throws(() => decode(bytes(other), control), { name: 'Malformed' });
		}
	}
});

test('a condition is read as it is encoded, and within its bounds', () => {
	const path = new URL('../../primitives/conditions/tests/vectors.json', import.meta.url);
	const { valid } = JSON.parse(readFileSync(path, 'utf8'));
	const read = (bytes) => decode(Uint8Array.from(bytes), condition);
	for (const { text, scale } of valid) assert.deepEqual(read(Buffer.from(scale, 'hex')), parse(text), text);
	const malformed = (...parts) => assert.throws(() => read(concat(...parts)), { name: 'Malformed' });
	const before = concat([3], little(9, 8));
	const all = (parts) => concat([0], list(parts));
	malformed(all([before]));
	malformed(all(Array(32).fill(before)));
	malformed([2, 2, 2, 2], before);
	malformed([10]);
	malformed([5], blob(utf8('x'.repeat(49))), blob(utf8('pm25')), [0, 0, 0], little(1, 8));
});

test('a chain begins with its genesis and the proven voters', () => {
	assert.throws(() => new Finality(secret(9), first, [leaf]), { name: 'WrongGenesis' });
	assert.throws(() => new Finality(hash(first), first, []), { name: 'BadProof' });
	const forgedLeaf = concat([0x7f, 1], votersKey(), blob(voters([9])));
	assert.throws(() => new Finality(hash(first), first, [forgedLeaf]), { name: 'BadProof' });
	const empty = new StateProof(hash(leaf));
	empty.add([leaf]);
	assert.equal(empty.value(secret(1)), null);
});

test('votes have to be enough and valid', () => {
	const block = header(5, hash(first));
	const attempt = (votes) => steps([block, votes]);
	assert.equal(begin().follow(attempt(votes(block, 5, 0, [1, 2, 3]))), true);
	for (const [what, false_] of [
		['two of four', votes(block, 5, 0, [1, 2])],
		['one of them three times', votes(block, 5, 0, [1, 2, 2, 2])],
		['strangers', votes(block, 5, 0, [1, 2, 8, 9])],
		['another set', votes(block, 5, 1, [1, 2, 3])],
		['no one', votes(block, 5, 0, [])],
		['more votes than two of each', votes(block, 5, 0, [1, 2, 3, 1, 2, 3, 1, 2, 3])],
		['another block', votes(header(5, secret(3)), 5, 0, [1, 2, 3])],
	]) {
		assert.throws(() => begin().follow(attempt(false_)), { name: 'NotFinal' }, what);
	}
});

test('a vote for a later block counts for its ancestor, if its headers are there', () => {
	const block = header(5, hash(first));
	const child = header(6, hash(block));
	const parts = (ancestries) => {
		const two = votes(block, 5, 0, [1, 2]);
		const third = votes(child, 6, 0, [3]);
		const [at, one] = [8 + 36 + 1, 36 + 64 + 32];
		const precommits = concat([3 << 2], two.slice(at, at + 2 * one), third.slice(at, at + one));
		return concat(two.slice(0, 8 + 36), precommits, list(ancestries));
	};
	refused(begin(), steps([block, parts([])]), 'NotFinal');
	assert.equal(begin().follow(steps([block, parts([child])])), true);
});

test('the voters hand over to each other', () => {
	const tenth = header(10, hash(first), [change([2, 3, 4, 5])]);
	const newest = header(20, hash(tenth));
	const handOver = [tenth, votes(tenth, 10, 0, [1, 2, 3])];
	const proof = steps(handOver, [newest, votes(newest, 20, 1, [3, 4, 5])]);
	const finality = begin();
	assert.equal(finality.follow(proof), true);
	assert.equal(finality.head.number, 20);
	// Without the hand-over, or with the old voters, the votes are worth nothing.
	refused(begin(), steps([newest, votes(newest, 20, 1, [3, 4, 5])]), 'NotFinal');
	refused(begin(), steps(handOver, [newest, votes(newest, 20, 0, [1, 2, 3])]), 'NotFinal');
	// A block in the middle names the next voters.
	const silent = header(10, hash(first));
	refused(begin(), steps([silent, votes(silent, 10, 0, [1, 2, 3])], [newest, votes(newest, 20, 0, [1, 2, 3])]), 'NotFinal');
	for (const log of [forced, change([9], 3)]) {
		const block = header(5, hash(first), [log]);
		refused(begin(), steps([block, votes(block, 5, 0, [1, 2, 3])]), 'NotFinal');
	}
});

test('finality never goes back', () => {
	const finality = begin();
	const block = header(5, hash(first));
	finality.follow(steps([block, votes(block, 5, 0, [1, 2, 3])]));
	const older = header(4, hash(first));
	refused(finality, steps([older, votes(older, 4, 0, [1, 2, 3])]), 'Rollback');
	const fork = header(5, secret(4));
	refused(finality, steps([fork, votes(fork, 5, 0, [1, 2, 3])]), 'Rollback');
	assert.equal(finality.follow(steps([block, votes(block, 5, 0, [])])), true);
});

test('bytes that an honest node does not write are malformed', () => {
	for (const [bytes, read] of [
		[[2], (reader) => reader.bool()],
		[[1, 0], (reader) => reader.compact()],
		[[2, 0, 0, 0], (reader) => reader.compact()],
		[[3, 0, 0, 0, 0], (reader) => reader.compact()],
		[[7, 0, 0, 0, 0, 1], (reader) => reader.compact()],
		[[8, 1], (reader) => reader.blob()],
		[[1, 2], (reader) => reader.u8()],
		[[1], (reader) => reader.u32()],
	]) {
		assert.throws(() => decode(Uint8Array.from(bytes), read), { name: 'Malformed' }, `${bytes}`);
	}
	assert.throws(() => begin().follow(concat(steps(), [0])), { name: 'Malformed' });
});

test('an old finalized block is not read from, also at first contact', async () => {
	const now = Math.floor(Date.now() / 1000);
	/** What a block's miner writes: its date stands after the beneficiary, the difficulty and the gas limit. */
	const dated = (date) => concat([6], utf8('pow_'), blob(concat(secret(3), secret(0), little(5, 8), little(date, 8), secret(4), [0])));
	const client = (date, maxAge) => {
		const block = header(5, hash(first), [dated(date)]);
		const answers = {
			isthmus_genesisProof: { header: hex(first), proof: [hex(leaf)] },
			isthmus_finalityProof: hex(steps([block, votes(block, 5, 0, [1, 2, 3])])),
		};
		class Node extends Verified {
			genesis = hash(first);
			maxAge = maxAge;
			rpc = async (method) => answers[method];
		}
		return new Node();
	};
	assert.equal((await client(now - 60).proven()).block.number, 5);
	await assert.rejects(client(now - 16 * 60).proven(), { name: 'OldHead', message: /is 5, 16 minutes old/ });
	await assert.rejects(client(now - 60, 30).proven(), { name: 'OldHead' });
	assert.equal((await client(now - 16 * 60, 3600).proven()).block.number, 5);
	// A clock that is behind the chain's.
	assert.equal((await client(now + 60).proven()).block.number, 5);
});

/** Returns the first byte of a node of a trie with these nibbles, and what continues their number. */
const counted = (kind, count) => (count < 63 ? [kind | count] : [kind | 63, count - 63]);

/** Builds the trie of some entries, whose keys are given in nibbles. Returns all its nodes, the root last. */
function trie(entries) {
	const packed = (nibbles) => Uint8Array.from(Buffer.from((nibbles.length % 2 ? '0' : '') + nibbles.join(''), 'hex'));
	const build = (some) => {
		const [{ nibbles: path, value }] = some;
		if (some.length === 1) return [concat(counted(0x40, path.length), packed(path), blob(value))];
		const shared = path.findIndex((nibble, index) => some.some(({ nibbles }) => nibbles[index] !== nibble));
		const below = [];
		let present = 0;
		const nodes = [];
		for (let child = 0; child < 16; child++) {
			const rest = some.filter(({ nibbles }) => parseInt(nibbles[shared], 16) === child);
			if (rest.length === 0) continue;
			const built = build(rest.map(({ nibbles, value }) => ({ nibbles: nibbles.slice(shared + 1), value })));
			present |= 1 << child;
			const root = built.at(-1);
			below.push(blob(root.length < 32 ? root : hash(root)));
			nodes.push(...built.filter((node) => node.length >= 32));
		}
		return [...nodes, concat(counted(0x80, shared), packed(path.slice(0, shared)), little(present, 2), ...below)];
	};
	return build(entries.map(([key, value]) => ({ nibbles: [...Buffer.from(key).toString('hex')], value })));
}

/** Makes the receipt of a keeper, which is always the same: with these first voters, a change of voters, and the block 17. */
function keeperReceipt(seeds) {
	const [owner, keeper] = [secret(7), secret(8)];
	const entry = concat(blob(utf8('s3://copies')), little(1, 16), little(2, 4), [1], little(9, 4), ...[3, 1, 2, 0, 0].map((n) => little(n, 4)));
	const entries = [[keeperKey(owner, 3, keeper), entry], [keepersVersionKey(), little(0, 2)], [keepersPeriodKey(), little(3, 4)]];
	const parts = trie(entries);
	const voting = concat([0x7f, 1], votersKey(), blob(voters(seeds)));
	const genesis = header(0, new Uint8Array(32), [], hash(voting));
	const tenth = header(10, hash(genesis), [change([2])]);
	const newest = header(17, hash(tenth), [], hash(parts.at(-1)));
	const followed = [[tenth, votes(tenth, 10, 0, seeds)], [newest, votes(newest, 17, 1, [2])]];
	const make = (parts) => concat(
		utf8('isthmus/keeper-receipt/v1'),
		genesis,
		list([blob(voting)]),
		list(followed.map((step) => concat(...step))),
		owner,
		little(3, 4),
		keeper,
		list(parts.map(blob)),
	);
	return { genesis: hash(genesis), make, parts: parts.toSorted((one, other) => Buffer.compare(one, other)) };
}

test('the receipt of a keeper proves its entry and the length of periods, and no byte of it can be changed', () => {
	const { genesis, make, parts } = keeperReceipt([1]);
	const receipt = make(parts);
	const proved = verifyKeeperReceipt(receipt, genesis);
	assert.deepEqual([proved.block, proved.entry.proven, proved.entry.settled, proved.periodLength], [17, 9, 3, 3]);
	assert.equal(proved.isDevelopment, false);
	// One bit of each byte, as each check of a signature takes milliseconds here. The test of `client/light` flips every bit.
	const names = new Set();
	for (const [at, byte] of receipt.entries()) {
		const flipped = receipt.slice();
		flipped[at] = byte ^ (1 << (at % 8));
		assert.throws(() => verifyKeeperReceipt(flipped, genesis), ({ name }) => {
			names.add(name);
			return true;
		}, `byte ${at}`);
	}
	assert.deepEqual([...names].sort(), ['BadProof', 'Malformed', 'NoKeeper', 'NotFinal', 'WrongGenesis']);
	// What proves nothing, and more than is looked at.
	const refused = (parts, message) => assert.throws(() => verifyKeeperReceipt(make(parts), genesis), { name: 'Malformed', message });
	refused([...parts, new Uint8Array(40).fill(255)], /proves nothing/);
	refused([...parts].reverse(), /not in order/);
	// 256 KiB together are too long.
	const more = (count) => Array.from({ length: count }, (_, index) => concat([255, 255, index], new Uint8Array(8_000)));
	refused([...parts, ...more(32)], /proves nothing/);
	refused([...parts, ...more(33)], /too long/);
});

test('a receipt of a keeper says whether its voters were development accounts at some time', () => {
	const { genesis, make, parts } = keeperReceipt([ALICE]);
	// The last voters are others.
	assert.equal(verifyKeeperReceipt(make(parts), genesis).isDevelopment, true);
	const mixed = keeperReceipt([ALICE, 1]);
	assert.equal(verifyKeeperReceipt(mixed.make(mixed.parts), mixed.genesis).isDevelopment, false);
});
