// SPDX-License-Identifier: Apache-2.0

// Ethash, the chain's proof of work (yellow paper, appendix J), in plain JavaScript for tests. It was written from the
// paper, independently of the node's code, so that the two check each other. It is slow: datasets of full size are never
// computed, only their caches.

import { keccak_256, keccak_512 } from '@noble/hashes/sha3';

/** J_epoch: the number of blocks in an epoch. */
const EPOCH_LENGTH = 30_000;
/** J_hashbytes: the size of a cache row and of a dataset item, in bytes. */
const ROW_BYTES = 64;
/** J_mixbytes: the size of a dataset page, which one access reads, in bytes. */
const PAGE_BYTES = 128;
/** J_parents: how many cache rows are mixed into a dataset item. */
const PARENTS = 256;
/** J_cacherounds: how many times the cache is mixed. */
const CACHE_ROUNDS = 3;
/** J_accesses: how many dataset pages a hash reads. */
const ACCESSES = 64;
/** The FNV prime. */
const PRIME = 0x01000193;

const ROW_WORDS = ROW_BYTES / 4;
const PAGE_WORDS = PAGE_BYTES / 4;

/** The sizes of the cache and the dataset on development chains, in bytes. They are the same in every epoch. */
export const DEVELOPMENT = {
	cacheBytes: largestPrimeMultiple(16 * 1024, ROW_BYTES),
	datasetBytes: largestPrimeMultiple(1024 * 1024, PAGE_BYTES),
};

/** The sizes of an epoch's cache and dataset on other chains, as on Ethereum. */
export const fullSizes = (epoch) => ({
	cacheBytes: largestPrimeMultiple(2 ** 24 + 2 ** 17 * epoch, ROW_BYTES),
	datasetBytes: largestPrimeMultiple(2 ** 30 + 2 ** 23 * epoch, PAGE_BYTES),
});

/** E_prime: the largest number of bytes below `bound` that is a prime multiple of `unit`. */
function largestPrimeMultiple(bound, unit) {
	const isPrime = (n) => {
		for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
		return n > 1;
	};
	let units = bound / unit - 1;
	while (!isPrime(units)) units -= 2;
	return units * unit;
}

const fnv = (x, y) => (Math.imul(x, PRIME) ^ y) >>> 0;
const bytes = (words) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
// Words are little-endian, as on every machine that Node.js runs on.
const words = (bytes) => new Uint32Array(bytes.slice().buffer);

/** Returns the seed of an epoch, 32 bytes. */
export function seedHash(epoch) {
	let seed = new Uint8Array(32);
	for (let i = 0; i < epoch; i++) seed = keccak_256(seed);
	return seed;
}

/** Returns the seed of a block's epoch. */
export const seedHashOf = (number) => seedHash(Math.floor(number / EPOCH_LENGTH));

/** Computes the cache for a seed: `cacheBytes` bytes, as 32-bit words. */
export function makeCache(cacheBytes, seed) {
	const count = cacheBytes / ROW_BYTES;
	const cache = new Uint32Array(count * ROW_WORDS);
	const row = (i) => cache.subarray(i * ROW_WORDS, (i + 1) * ROW_WORDS);
	let last = keccak_512(seed);
	row(0).set(words(last));
	for (let i = 1; i < count; i++) {
		last = keccak_512(last);
		row(i).set(words(last));
	}
	for (let round = 0; round < CACHE_ROUNDS; round++) {
		for (let i = 0; i < count; i++) {
			const before = row((i + count - 1) % count);
			const other = row(row(i)[0] % count);
			row(i).set(words(keccak_512(bytes(before.map((word, k) => word ^ other[k])))));
		}
	}
	return cache;
}

/** Computes an item of the dataset, 16 words. */
export function makeItem(cache, index) {
	const count = cache.length / ROW_WORDS;
	const first = (index % count) * ROW_WORDS;
	let mix = cache.slice(first, first + ROW_WORDS);
	mix[0] ^= index;
	mix = words(keccak_512(bytes(mix)));
	for (let j = 0; j < PARENTS; j++) {
		const parent = (fnv(index ^ j, mix[j % ROW_WORDS]) % count) * ROW_WORDS;
		for (let k = 0; k < ROW_WORDS; k++) mix[k] = fnv(mix[k], cache[parent + k]);
	}
	return words(keccak_512(bytes(mix)));
}

/** Computes the whole dataset, as 32-bit words. */
export function makeDataset(datasetBytes, cache) {
	const dataset = new Uint32Array(datasetBytes / 4);
	for (let i = 0; i < datasetBytes / ROW_BYTES; i++) dataset.set(makeItem(cache, i), i * ROW_WORDS);
	return dataset;
}

/** Reads pages of a dataset by computing them from the cache. */
export const light = (cache) => (page) => {
	const words = new Uint32Array(PAGE_WORDS);
	words.set(makeItem(cache, 2 * page));
	words.set(makeItem(cache, 2 * page + 1), ROW_WORDS);
	return words;
};

/** Reads pages of a computed dataset. */
export const full = (dataset) => (page) => dataset.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);

/**
 * Computes (m, n) = PoW(H_#n, H_n, d): the mix hash and the result for a header's hash without its seal, a nonce and a
 * dataset.
 *
 * @param {number} datasetBytes
 * @param {(page: number) => Uint32Array} readPage `light` or `full`.
 * @param {Uint8Array} sealHash H_#n, 32 bytes.
 * @param {bigint} nonce H_n.
 * @returns {{ mixHash: Uint8Array, result: Uint8Array }} 32 bytes each.
 */
export function hashimoto(datasetBytes, readPage, sealHash, nonce) {
	const input = new Uint8Array(40);
	input.set(sealHash);
	new DataView(input.buffer).setBigUint64(32, nonce, true);
	const seed = keccak_512(input);
	const seedWords = words(seed);
	const mix = new Uint32Array(PAGE_WORDS);
	mix.set(seedWords);
	mix.set(seedWords, ROW_WORDS);
	const pages = datasetBytes / PAGE_BYTES;
	for (let i = 0; i < ACCESSES; i++) {
		const page = readPage(fnv(i ^ seedWords[0], mix[i % PAGE_WORDS]) % pages);
		for (let k = 0; k < PAGE_WORDS; k++) mix[k] = fnv(mix[k], page[k]);
	}
	const compressed = new Uint32Array(8);
	for (let i = 0; i < PAGE_WORDS; i += 4) {
		compressed[i / 4] = fnv(fnv(fnv(mix[i], mix[i + 1]), mix[i + 2]), mix[i + 3]);
	}
	const mixHash = bytes(compressed).slice();
	const last = new Uint8Array(96);
	last.set(seed);
	last.set(mixHash, 64);
	return { mixHash, result: keccak_256(last) };
}

/** A miner: searches for the seals of work packages, as a node hands them out. */
export class Miner {
	#sizes;
	#readers = new Map();

	/**
	 * @param {boolean} [isFull] Whether the chain has full sizes. The miner then computes the dataset's pages from the
	 * cache, one by one, which is only fast enough for difficulties of a few dozen.
	 */
	constructor(isFull = false) {
		this.#sizes = isFull ? fullSizes : () => DEVELOPMENT;
	}

	/**
	 * Tries nonces until a result is at most the boundary.
	 *
	 * @param {[string, string, string]} work The hash to seal, the epoch's seed and the boundary, as `0x…`.
	 * @param {bigint} [nonce] The first nonce to try.
	 * @returns {[string, string, string]} The nonce, the sealed hash and the mix hash, as `eth_submitWork` takes them.
	 */
	search([powHash, seed, boundary], nonce = 0n) {
		const [datasetBytes, read] = this.#reader(seed);
		const sealHash = new Uint8Array(Buffer.from(powHash.slice(2), 'hex'));
		for (; ; nonce++) {
			const { mixHash, result } = hashimoto(datasetBytes, read, sealHash, nonce);
			if (hex(result) <= boundary) return [nonceHex(nonce), powHash, hex(mixHash)];
		}
	}

	/** Returns the size of the dataset with this seed, and a function that reads its pages. */
	#reader(seed) {
		if (!this.#readers.has(seed)) {
			const epoch = epochOf(seed);
			const { cacheBytes, datasetBytes } = this.#sizes(epoch);
			const cache = makeCache(cacheBytes, seedHash(epoch));
			const isSmall = datasetBytes === DEVELOPMENT.datasetBytes;
			const read = isSmall ? full(makeDataset(datasetBytes, cache)) : light(cache);
			this.#readers.set(seed, [datasetBytes, read]);
		}
		return this.#readers.get(seed);
	}
}

/** Returns the epoch of a seed, by trying the first ones, as miners do. */
function epochOf(seed) {
	for (let epoch = 0; epoch < 2048; epoch++) if (hex(seedHash(epoch)) === seed) return epoch;
	throw new Error(`no epoch has the seed ${seed}`);
}

const hex = (bytes) => `0x${Buffer.from(bytes).toString('hex')}`;
/** Returns a nonce as eight bytes in hexadecimal. */
export const nonceHex = (nonce) => `0x${nonce.toString(16).padStart(16, '0')}`;
