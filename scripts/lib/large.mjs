// SPDX-License-Identifier: Apache-2.0

// Large records: encrypts, hashes and stores a file chunk by chunk, and reads it back, with only a few chunks in
// memory. The data-sharing pallet defines what the chain stores, and in which order.

import { contentHash, Decryptor, Encryptor, Header, Manifest, MAX_RECORD_CHUNKS, TAG_LEN } from './envelope.mjs';
import { equal } from './envelope/common.mjs';
import { encryptorWithSalt } from './envelope/record.mjs';

/** The maximum number of chunks in flight at once. */
const IN_FLIGHT = 12;
/** How many plaintext bytes a chunk contains by default. Six such chunks and their calls fill a block. */
export const CHUNK_SIZE = 1_047_000;

/** The file differs from the one that the upload started with. */
export class FileChanged extends Error {
	name = 'FileChanged';
}

/** The upload began in an epoch that is over: readers who were revoked since then could read the rest. */
export class EpochOver extends Error {
	name = 'EpochOver';
}

/**
 * What is read of a file.
 *
 * @typedef {object} File
 * @property {() => Promise<{size: number}>} stat
 * @property {(buffer: Uint8Array, offset: number, length: number, position: number) => Promise<{bytesRead: number}>} read
 */

/** Encrypts a file and yields its chunks, starting with number `from`. */
async function* encryptChunks(encryptor, file, from = 0) {
	const { chunkSize, chunks } = encryptor.header;
	for (let chunk = 0; chunk < chunks; chunk++) {
		const plain = new Uint8Array(encryptor.nextLen);
		const { bytesRead } = await file.read(plain, 0, plain.length, chunk * chunkSize);
		if (bytesRead !== plain.length) throw new FileChanged(`the file ends in chunk ${chunk}`);
		const sealed = await encryptor.encryptChunk(plain);
		if (chunk >= from) yield [chunk, sealed];
	}
}

/**
 * Stores a file as a large record, or resumes an interrupted upload: the chain knows which chunks have
 * arrived, and the manifest contains the header and the hash of every chunk. What the account has sent before is waited for.
 *
 * The file is encrypted twice with the same salt: once to compute the hashes, and again to send the chunks. Only
 * chunks that match their hashes are sent, so a file that changes in between reveals nothing.
 *
 * @param {import('./sharing.mjs').Client} client
 * @param {import('./sharing/connection.mjs').Account} signer The owner.
 * @param {import('./envelope.mjs').MasterSecret} master
 * @param {{dataset: number, epoch: number, leaf: number, key: Uint8Array, name?: Uint8Array}} place `name`, filled up with
 * zeros to 32 bytes, is sealed in the record for its readers; `NameCipher` makes a key that hides it.
 * @param {File} file As `node:fs/promises` opens it, or anything else with its `stat` and `read`.
 * @param {{chunkSize?: number, inEndedEpoch?: boolean, onChunk?: (arrived: number, chunks: number) => void}} [options]
 * `inEndedEpoch` resumes an upload even if its epoch is over, and goes on if it ends meanwhile. A resumed upload stays where
 * it began, whatever the place.
 * @throws {FileChanged} if the file differs from the one that the upload started with.
 * @throws {EpochOver} if the upload started in an epoch that is over, or that ends meanwhile.
 */
export async function storeFile(client, signer, master, place, file, options = {}) {
	const { chunkSize = CHUNK_SIZE, inEndedEpoch = false, onChunk = () => {} } = options;
	const { size } = await file.stat();
	const context = client.recordContext(signer.address, place.key);
	await client.settled(signer.address);
	let payload = await client.largePayload(signer.address, place.key);
	const at = payload ?? place;
	let over;
	const hasEnded = async () => {
		const now = inEndedEpoch ? at.epoch : await client.currentEpoch(signer.address, at.dataset);
		if (now > at.epoch) {
			const message = `the upload started in epoch ${at.epoch}, and the dataset is in epoch ${now}: remove the record and store it again`;
			over = new EpochOver(message);
		}
		return over !== undefined;
	};
	if (payload && (await hasEnded())) throw over;
	const root = await master.epochRoot(client.epochId(signer.publicKey, at));
	const leafKey = await root.leafKey(at.leaf);

	let manifest;
	if (payload) {
		manifest = Manifest.read(await client.fetchValue(payload.manifest), payload.chunks);
	} else {
		const encryptor = await Encryptor.create(leafKey, context, chunkSize, size, place.name);
		const { chunks } = encryptor.header;
		if (chunks > MAX_RECORD_CHUNKS) {
			throw new RangeError(`the file needs ${chunks} chunks; a record has at most ${MAX_RECORD_CHUNKS}`);
		}
		const hashes = [];
		for await (const [, sealed] of encryptChunks(encryptor, file)) hashes.push(contentHash(sealed));
		manifest = new Manifest(encryptor.header.toBytes(), hashes);
		await client.openRecord(signer, place, {
			length: size + chunks * TAG_LEN,
			chunkSize: chunkSize + TAG_LEN,
			manifest: manifest.toBytes(),
		});
		payload = { arrived: 0 };
	}

	const header = Header.read(manifest.header);
	if (header.length !== size) {
		throw new FileChanged(`the upload started with a file of ${header.length} bytes, and this one has ${size}`);
	}
	const name = await (await Decryptor.create(leafKey, context, header)).name();
	const encryptor = await encryptorWithSalt(leafKey, context, header.chunkSize, size, header.salt, name);
	const tree = await manifest.tree();
	const inFlight = new Set();
	// Several chunks may be reported at once, in any order; after n reports, the first n chunks have arrived.
	let { arrived } = payload;
	let failure;
	for await (const [index, sealed] of encryptChunks(encryptor, file, payload.arrived)) {
		if (!equal(contentHash(sealed), manifest.hashes[index])) {
			throw new FileChanged(`chunk ${index} differs from the one with which the upload started`);
		}
		const sent = client
			.storeChunk(signer, place.key, index, tree.proof(index), sealed)
			.then(() => onChunk(++arrived, header.chunks))
			.catch((error) => (failure ??= error))
			.finally(() => inFlight.delete(sent));
		inFlight.add(sent);
		if (inFlight.size >= IN_FLIGHT) {
			await Promise.race(inFlight);
			if (await hasEnded()) break;
		}
		if (failure) throw failure;
	}
	await Promise.all(inFlight);
	if (failure) throw failure;
	if (over) throw over;
}

/**
 * Reads a record's plaintext chunk by chunk, and checks each chunk against the record's manifest.
 *
 * @param {import('./sharing.mjs').Client} client
 * @param {import('./sharing/connection.mjs').Account} signer The reader: the owner, or an account with a grant.
 * @param {string} owner
 * @param {Uint8Array} key
 * @param {(answer: import('./sharing/proven.mjs').Answer & {manifest: Manifest}) => Promise<import('./envelope.mjs').LeafKey>} leafKeyFor Returns the record's leaf
 * key for the proven answer.
 * @param {{pageChunks?: number}} [options] How many chunks to request in one page.
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* readChunks(client, signer, owner, key, leafKeyFor, { pageChunks = 8 } = {}) {
	const answer = await client.provenLarge(signer, owner, key);
	const { manifest } = answer;
	const header = Header.read(manifest.header);
	const context = client.recordContext(owner, key);
	const decryptor = await Decryptor.create(await leafKeyFor(answer), context, header);
	for (let first = 0; first < header.chunks; ) {
		const chunks = await client.signedChunks(signer, owner, key, first, pageChunks);
		for (const [i, sealed] of chunks.entries()) {
			client.checkContent(sealed, manifest.hashes[first + i]);
			yield await decryptor.decryptChunk(first + i, sealed);
		}
		first += chunks.length;
	}
}
