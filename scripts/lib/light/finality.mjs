// SPDX-License-Identifier: Apache-2.0

// Follows a chain's finalized blocks by the votes for them. A second implementation, independent of
// `client/light/src/finality.rs`.

import { ed25519 } from '@noble/curves/ed25519';
import { blake2b256, concat, equal } from '../envelope/common.mjs';
import { hex } from '../sharing/encoding.mjs';
import { Malformed, NotProven } from './errors.mjs';
import { decode, little } from './scale.mjs';
import { StateProof } from './trie.mjs';
import { votersKey } from './storage.mjs';

/** The engine whose votes finalize blocks. */
const GRANDPA = 'FRNK';
/** The kinds of digest items that have an engine: consensus, seal and pre-runtime. */
const WITH_ENGINE = [4, 5, 6];
const [CONSENSUS, PRE_RUNTIME] = [4, 6];
/** The engine of the items that a block's miner writes. */
const POW = 'pow_';
/** How many bytes are before the date in such an item: the beneficiary, the difficulty and the gas limit. */
const BEFORE_DATE = 32 + 32 + 8;
/** The keys of the voters that a development chain has: //Alice, //Bob, //Charlie, //Dave, //Eve and //Ferdie. */
const DEVELOPMENT_VOTERS = [
	'0x88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee',
	'0xd17c2d7823ebf260fd138f2d7e27d114c0145d968b5ff5006125f2414fadae69',
	'0x439660b36c6c03afafca027b910b4fecf99801834c62a5e6006f27d978de234f',
	'0x5e639b43e0052c47447dac87d6fd2b6ec50bdd4d0f614e4299c665249bbd09d9',
	'0x1dfe3e22cc0d45c70779c1095f7489a8ef3cf52d62fbd8c2fa38c9f1723502b5',
	'0x568cb4a574c6d178feb39c27dfc8b3f789e5f5423e19c71633c748b9acf086b5',
];
const OTHER = 0;
const RUNTIME_UPDATED = 8;
/** The kinds of messages to clients about voters. */
const [SCHEDULED, FORCED] = [1, 2];

function digestItem(reader) {
	const kind = reader.u8();
	if (WITH_ENGINE.includes(kind)) {
		return { kind, engine: String.fromCharCode(...reader.bytes(4)), data: reader.blob() };
	}
	if (kind === OTHER) return { kind, data: reader.blob() };
	if (kind === RUNTIME_UPDATED) return { kind };
	throw new Malformed('a header has an unknown item');
}

/** Reads a header. */
export function header(reader) {
	const from = reader.at;
	const parent = reader.bytes(32);
	const number = reader.compact();
	const stateRoot = reader.bytes(32);
	reader.bytes(32); // The root over the extrinsics.
	const logs = reader.list(digestItem);
	return { parent, number, stateRoot, logs, hash: blake2b256(reader.since(from)) };
}

const voter = (reader) => ({ key: reader.bytes(32), weight: reader.u64() });
const vote = (reader) => ({
	...{ target: reader.bytes(32), number: reader.u32() },
	...{ signature: reader.bytes(64), key: reader.bytes(32) },
});
const votes = (reader) => ({
	...{ round: reader.u64(), target: reader.bytes(32), number: reader.u32() },
	...{ precommits: reader.list(vote), ancestries: reader.list(header) },
});
/** Reads a block, and the votes for it. */
export const step = (reader) => ({ header: header(reader), votes: votes(reader) });
const steps = (reader) => ({ steps: reader.list(step), isFinished: reader.bool() });

/** Returns the voters of the blocks after this one, or null if they do not change. */
function nextVoters({ number, logs }) {
	const change = (reader) => ({ next: reader.list(voter), delay: reader.u32() });
	let next = null;
	for (const { kind, engine, data } of logs) {
		if (kind !== CONSENSUS || engine !== GRANDPA) continue;
		if (data[0] === FORCED || (data[0] === SCHEDULED && next === null)) {
			const { next: voters, delay } = decode(data.slice(1), (reader) => {
				if (data[0] === FORCED) reader.u32();
				return change(reader);
			});
			if (data[0] === FORCED || delay !== 0) {
				const message = `block ${number} changes the voters in a way that this program cannot follow`;
				throw new NotProven('NotFinal', message);
			}
			next = voters;
		}
	}
	return next;
}

/**
 * Returns whether a block descends from one of `known`, or is one, by these headers' parents. Then it is known, too, and so are the
 * blocks between: no header is followed twice.
 */
function descends(parents, from, known) {
	const way = new Set();
	for (let at = from; !known.has(at); at = parents.get(at)) {
		if (at === undefined || way.has(at)) return false;
		way.add(at);
	}
	for (const block of way) known.add(block);
	return true;
}

/** Returns whether the votes for a block are valid, and more than two thirds of the voters' weight. */
function isFinal({ round, target, precommits, ancestries }, setId, voters) {
	// A voter may have voted twice. More votes would only take time.
	if (voters.length === 0 || precommits.length > 2 * voters.length) return false;
	const parents = new Map(ancestries.map(({ hash, parent }) => [hex(hash), hex(parent)]));
	const weights = new Map();
	for (const { key, weight } of voters) weights.set(hex(key), (weights.get(hex(key)) ?? 0n) + weight);
	const total = voters.reduce((sum, { weight }) => sum + weight, 0n);
	const known = new Set([hex(target)]);
	let weight = 0n;
	for (const precommit of precommits) {
		const payload = concat([1], precommit.target, little(precommit.number, 4), little(round, 8), little(setId, 8));
		if (!ed25519.verify(precommit.signature, payload, precommit.key)) return false;
		if (!descends(parents, hex(precommit.target), known)) return false;
		const key = hex(precommit.key);
		weight += weights.get(key) ?? 0n;
		weights.delete(key);
	}
	return total > 0n && weight >= total - (total - 1n) / 3n;
}

/** A chain's newest block that is proven to be finalized, and who votes for the blocks after it. */
export class Finality {
	/** The set of voters: how many came before, and their keys and weights. */
	#setId = 0;
	#voters;
	/** The newest block that is proven to be finalized: `number`, `hash`, `stateRoot`. */
	head;
	/** Whether all voters were development accounts at one of the steps that were followed. */
	wasDevelopment = false;

	/**
	 * Begins with a chain's first block.
	 *
	 * @param {Uint8Array} genesis The first block's hash.
	 * @param {Uint8Array} first The first block's header.
	 * @param {Uint8Array[]} proof Proves who votes first, against the state root in that header.
	 * @throws {NotProven}
	 */
	constructor(genesis, first, proof) {
		this.head = decode(first, header);
		if (!equal(this.head.hash, genesis)) {
			const message = `the chain begins with block ${hex(this.head.hash)}, not with ${hex(genesis)}`;
			throw new NotProven('WrongGenesis', message);
		}
		const state = new StateProof(this.head.stateRoot);
		state.add(proof);
		this.#voters = state.get(votersKey(), (reader) => reader.list(voter)) ?? [];
		if (this.#voters.length === 0) throw new NotProven('NotFinal', 'the chain has no voters');
	}

	/** Whether all voters are development accounts, whose secrets are public. Such a chain may rest for long. */
	get isDevelopment() {
		return this.#voters.every(({ key }) => DEVELOPMENT_VOTERS.includes(hex(key)));
	}

	/** The date of the head, in seconds since 1970; null if its header has none. */
	get date() {
		const item = this.head.logs.find(({ kind, engine }) => kind === PRE_RUNTIME && engine === POW);
		if (!item || item.data.length < BEFORE_DATE + 8) return null;
		return Number(decode(item.data.slice(BEFORE_DATE, BEFORE_DATE + 8), (reader) => reader.u64()));
	}

	/**
	 * Follows a proof of finality. Returns whether it leads to the newest block; if not, ask for another one.
	 *
	 * @param {Uint8Array} proof From `isthmus_finalityProof`.
	 * @throws {NotProven} Then nothing has changed.
	 */
	follow(proof) {
		const { steps: all, isFinished } = decode(proof, steps);
		const before = [this.head, this.#voters, this.#setId];
		try {
			all.forEach((step, index) => {
				this.wasDevelopment ||= this.isDevelopment;
				this.#advance(step, isFinished && index + 1 === all.length);
			});
		} catch (error) {
			[this.head, this.#voters, this.#setId] = before;
			throw error;
		}
		return isFinished;
	}

	#advance({ header, votes }, isNewest) {
		const { number, hash } = header;
		const refuse = (why) => {
			throw new NotProven('NotFinal', `block ${number} ${why}`);
		};
		if (number < this.head.number || (number === this.head.number && !equal(hash, this.head.hash))) {
			const message = `the node shows block ${number}, but block ${this.head.number} was finalized before`;
			throw new NotProven('Rollback', message);
		}
		if (number === this.head.number) return;
		if (votes.number !== number || !equal(votes.target, hash)) refuse('comes with votes for another block');
		if (!isFinal(votes, this.#setId, this.#voters)) refuse('lacks the valid votes of more than two thirds');
		const next = nextVoters(header);
		if (next === null && !isNewest) refuse('does not name the voters of the blocks after it');
		if (next !== null) [this.#voters, this.#setId] = [next, this.#setId + 1];
		this.head = header;
	}
}
