// SPDX-License-Identifier: Apache-2.0

// The owner's side: registers producers, creates datasets and stores records (T_s).

import { encryptValue } from '../envelope.mjs';
import { hex } from './encoding.mjs';
import { Verified } from './proven.mjs';

/** @typedef {import('./connection.mjs').Account} Account */
/** @typedef {import('./connection.mjs').Call} Call */
/** @typedef {import('./connection.mjs').Receipt} Receipt */
/** @typedef {'School' | 'Government' | 'Business' | 'Other'} ProducerKind */
/** @typedef {{dataset: number, epoch: number, leaf: number, key: Uint8Array}} Place Where a record is, and its key. */

/**
 * Who controls a dataset.
 *
 * @typedef {object} Control
 * @property {string} controller
 * @property {number} since The epoch since which it does.
 * @property {string | null} offeredTo The account to which the dataset is offered.
 * @property {number} offers The number of the last offer.
 * @property {bigint} held The sum of the deposits that are held for the dataset.
 */

/** The version of every record, because no call replaces a record's value yet. */
const FIRST_VERSION = 0;

/** Adds producers, datasets and records to a connection. */
export class Records extends Verified {
	/**
	 * Registers a producer.
	 *
	 * @param {Account} signer
	 * @param {ProducerKind} kind
	 * @param {string} name
	 * @returns {Promise<Receipt>}
	 */
	async register(signer, kind, name) {
		return this.submit(signer, this.api.tx.dataSharing.register(kind, name));
	}

	/**
	 * Creates a dataset. The receipt's `DatasetCreated` event contains its number.
	 *
	 * @param {Account} signer
	 * @param {string} name
	 * @returns {Promise<Receipt>}
	 */
	async createDataset(signer, name) {
		return this.submit(signer, this.api.tx.dataSharing.createDataset(name));
	}

	/**
	 * Offers a dataset to another account, which takes it over with `acceptDataset`.
	 *
	 * @param {Account} signer
	 * @param {number} dataset
	 * @param {string} to
	 * @returns {Promise<Receipt>}
	 */
	async offerDataset(signer, dataset, to) {
		return this.submit(signer, this.api.tx.dataSharing.offerDataset(dataset, to));
	}

	/**
	 * Withdraws the offer of a dataset.
	 *
	 * @param {Account} signer
	 * @param {number} dataset
	 * @returns {Promise<Receipt>}
	 */
	async withdrawDatasetOffer(signer, dataset) {
		return this.submit(signer, this.api.tx.dataSharing.withdrawDatasetOffer(dataset));
	}

	/**
	 * Takes over a dataset that is offered to the account, with at most `most` of deposits: by default, what is held
	 * for it now.
	 *
	 * @param {Account} signer
	 * @param {string} owner
	 * @param {number} dataset
	 * @param {bigint} [most]
	 * @returns {Promise<Receipt>}
	 */
	async acceptDataset(signer, owner, dataset, most) {
		const { offers, held } = (await this.control(owner, dataset)) ?? { offers: 0, held: 0n };
		return this.submit(signer, this.api.tx.dataSharing.acceptDataset(owner, dataset, offers, most ?? held));
	}

	/**
	 * Carries out a call, from `api.tx`, as the owner of datasets that the account took over.
	 *
	 * @param {Account} signer
	 * @param {string} owner
	 * @param {Call} call
	 * @returns {Promise<Receipt>}
	 */
	async actFor(signer, owner, call) {
		return this.submit(signer, this.api.tx.dataSharing.actFor(owner, call));
	}

	/**
	 * Returns who controls a dataset; undefined if there is no such dataset.
	 *
	 * @param {string} owner
	 * @param {number} dataset
	 * @returns {Promise<Control | undefined>}
	 */
	async control(owner, dataset) {
		const entry = await this.api.query.dataSharing.controls(owner, dataset);
		if (entry.isNone) return undefined;
		const { controller, since, offeredTo, offers, held } = entry.unwrap();
		return {
			controller: controller.toString(),
			since: since.toNumber(),
			offeredTo: offeredTo.isSome ? offeredTo.unwrap().toString() : null,
			offers: offers.toNumber(),
			held: [...held.values()].reduce((sum, amount) => sum + amount.toBigInt(), 0n),
		};
	}

	/**
	 * Encrypts a value under its leaf key and stores it (T_s).
	 *
	 * @param {Account} signer The owner.
	 * @param {import('../envelope.mjs').MasterSecret} master
	 * @param {Place & {name?: Uint8Array}} place `name`, filled up
	 * with zeros to 32 bytes, is sealed in the record for its readers; `NameCipher` makes a key that hides it.
	 * @param {Uint8Array} value The plaintext, which never leaves this process.
	 * @returns {Promise<Receipt>}
	 */
	async store(signer, master, { dataset, epoch, leaf, key, name }, value) {
		const root = await master.epochRoot(this.epochId(signer.publicKey, { dataset, epoch }));
		const leafKey = await root.leafKey(leaf);
		const sealed = await encryptValue(leafKey, this.recordContext(signer.address, key), value, name);
		const call = this.api.tx.dataSharing.store(hex(key), dataset, epoch, leaf, hex(sealed));
		return this.submit(signer, call);
	}

	/**
	 * Starts a large record (T_s): reserves its leaf and stores its manifest. See large.mjs.
	 *
	 * @param {Account} signer The owner.
	 * @param {Place} place
	 * @param {{length: number, chunkSize: number, manifest: Uint8Array}} record The total length of the encrypted
	 * chunks and the size of each, in bytes, and the encoded manifest.
	 * @returns {Promise<Receipt>}
	 */
	async openRecord(signer, { dataset, epoch, leaf, key }, { length, chunkSize, manifest }) {
		const { openRecord } = this.api.tx.dataSharing;
		const call = openRecord(hex(key), dataset, epoch, leaf, length, chunkSize, hex(manifest));
		return this.submit(signer, call);
	}

	/**
	 * Stores the next chunk of a large record, with a proof that it belongs to the manifest.
	 *
	 * @param {Account} signer
	 * @param {Uint8Array} key
	 * @param {number} index
	 * @param {Uint8Array[]} proof
	 * @param {Uint8Array} bytes
	 * @returns {Promise<Receipt>}
	 */
	async storeChunk(signer, key, index, proof, bytes) {
		const { storeChunk } = this.api.tx.dataSharing;
		return this.submit(signer, storeChunk(hex(key), index, proof.map(hex), hex(bytes)));
	}

	/**
	 * Returns the call that stores the entry of a record whose bytes are an object, outside the chain (T_s). It may be part
	 * of a batch.
	 *
	 * @param {Place} place
	 * @param {{header: Uint8Array, length: bigint, root: Uint8Array}} object The record's header, the object's length in
	 * bytes, and its BLAKE3 hash.
	 * @returns {Call}
	 */
	objectCall({ dataset, epoch, leaf, key }, { header, length, root }) {
		const object = { header: hex(header), length, root: hex(root) };
		return this.api.tx.dataSharing.storeObject(hex(key), dataset, epoch, leaf, object);
	}

	/**
	 * Stores the entry of a record whose bytes are an object: see `objectCall`.
	 *
	 * @param {Account} signer
	 * @param {Place} place
	 * @param {{header: Uint8Array, length: bigint, root: Uint8Array}} object
	 * @returns {Promise<Receipt>}
	 */
	async storeObject(signer, place, object) {
		return this.submit(signer, this.objectCall(place, object));
	}

	/**
	 * Publishes where a dataset's objects are, and replaces what was published before.
	 *
	 * @param {Account} signer
	 * @param {number} dataset
	 * @param {string[]} locations
	 * @returns {Promise<Receipt>}
	 */
	async setLocations(signer, dataset, locations) {
		return this.submit(signer, this.api.tx.dataSharing.setLocations(dataset, locations));
	}

	/**
	 * Returns a large record's place and its progress at the best block: the manifest's hash, the number of chunks that have
	 * arrived, and the number of all chunks. Returns undefined if there is no such large record.
	 *
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<{dataset: number, epoch: number, leaf: number, manifest: Uint8Array, arrived: number, chunks: number} | undefined>}
	 */
	async largePayload(owner, key) {
		const record = await this.api.query.dataSharing.records(owner, hex(key));
		if (record.isNone || !record.unwrap().payload.isChunks) return undefined;
		const { dataset, epoch, leaf, payload } = record.unwrap();
		const { manifest, arrived, length, chunkSize } = payload.asChunks;
		return {
			...{ dataset: dataset.toNumber(), epoch: epoch.toNumber(), leaf: leaf.toNumber() },
			manifest: manifest.toU8a(),
			arrived: arrived.toNumber(),
			chunks: Math.ceil(length.toNumber() / chunkSize.toNumber()),
		};
	}

	/**
	 * Returns a dataset's current epoch: what the node says, but not before the one in the chain's finalized state.
	 *
	 * @param {string} owner
	 * @param {number} dataset
	 * @returns {Promise<number>}
	 */
	async currentEpoch(owner, dataset) {
		const said = await this.api.query.dataSharing.datasets(owner, dataset);
		const epoch = said.isSome ? said.unwrap().epoch.toNumber() : 0;
		const proven = await (await this.proven()).dataset(this.accountBytes(owner), dataset);
		return Math.max(epoch, proven?.epoch ?? 0);
	}

	/**
	 * Returns an epoch's identity. `envelope.mjs` derives the epoch's keys from it.
	 *
	 * @param {Uint8Array} owner The owner's account.
	 * @param {{dataset: number, epoch: number}} place
	 * @returns {import('../envelope/master.mjs').EpochId}
	 */
	epochId(owner, { dataset, epoch }) {
		return { genesis: this.genesis, owner, dataset, epoch };
	}

	/**
	 * Returns a record's identity. `envelope.mjs` binds the record's chunks to it.
	 *
	 * @param {string} owner The owner's address.
	 * @param {Uint8Array} key
	 * @returns {import('../envelope/record.mjs').RecordContext}
	 */
	recordContext(owner, key) {
		return { genesis: this.genesis, owner: this.accountBytes(owner), key, version: FIRST_VERSION };
	}
}
