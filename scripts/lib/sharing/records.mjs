// SPDX-License-Identifier: Apache-2.0

// The owner's side: registers producers, creates datasets and stores records (T_s).

import { encryptValue } from '../envelope.mjs';
import { hex } from './encoding.mjs';
import { Verified } from './proven.mjs';

/** The version of every record, because no call replaces a record's value yet. */
const FIRST_VERSION = 0;

/** Adds producers, datasets and records to a connection. */
export class Records extends Verified {
	/** Registers a producer. `kind` is `School`, `Government`, `Business` or `Other`. */
	async register(signer, kind, name) {
		return this.submit(signer, this.api.tx.dataSharing.register(kind, name));
	}

	/** Creates a dataset. The receipt's `DatasetCreated` event contains its number. */
	async createDataset(signer, name) {
		return this.submit(signer, this.api.tx.dataSharing.createDataset(name));
	}

	/** Offers a dataset to another account, which takes it over with `acceptDataset`. */
	async offerDataset(signer, dataset, to) {
		return this.submit(signer, this.api.tx.dataSharing.offerDataset(dataset, to));
	}

	/** Withdraws the offer of a dataset. */
	async withdrawDatasetOffer(signer, dataset) {
		return this.submit(signer, this.api.tx.dataSharing.withdrawDatasetOffer(dataset));
	}

	/**
	 * Takes over a dataset that is offered to the account, with at most `most` of deposits: by default, what is held
	 * for it now.
	 */
	async acceptDataset(signer, owner, dataset, most) {
		const { offers, held } = (await this.control(owner, dataset)) ?? { offers: 0, held: 0n };
		return this.submit(signer, this.api.tx.dataSharing.acceptDataset(owner, dataset, offers, most ?? held));
	}

	/** Carries out a call, from `api.tx`, as the owner of datasets that the account took over. */
	async actFor(signer, owner, call) {
		return this.submit(signer, this.api.tx.dataSharing.actFor(owner, call));
	}

	/**
	 * Returns who controls a dataset, since which epoch, to whom it is offered (or null), the number of the last offer, and
	 * the sum of the deposits that are held for it. Returns undefined if there is no such dataset.
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
	 * @param signer The owner.
	 * @param master The owner's `MasterSecret`.
	 * @param {{dataset: number, epoch: number, leaf: number, key: Uint8Array, name?: Uint8Array}} place `name`, filled up
	 * with zeros to 32 bytes, is sealed in the record for its readers; `NameCipher` makes a key that hides it.
	 * @param {Uint8Array} value The plaintext, which never leaves this process.
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
	 * @param signer The owner.
	 * @param {{dataset: number, epoch: number, leaf: number, key: Uint8Array}} place
	 * @param {{length: number, chunkSize: number, manifest: Uint8Array}} record The total length of the encrypted
	 * chunks and the size of each, in bytes, and the encoded manifest.
	 */
	async openRecord(signer, { dataset, epoch, leaf, key }, { length, chunkSize, manifest }) {
		const { openRecord } = this.api.tx.dataSharing;
		const call = openRecord(hex(key), dataset, epoch, leaf, length, chunkSize, hex(manifest));
		return this.submit(signer, call);
	}

	/** Stores the next chunk of a large record, with a proof that it belongs to the manifest. */
	async storeChunk(signer, key, index, proof, bytes) {
		const { storeChunk } = this.api.tx.dataSharing;
		return this.submit(signer, storeChunk(hex(key), index, proof.map(hex), hex(bytes)));
	}

	/**
	 * Returns the call that stores the entry of a record whose bytes are an object, outside the chain (T_s). It may be part
	 * of a batch.
	 *
	 * @param {{dataset: number, epoch: number, leaf: number, key: Uint8Array}} place
	 * @param {{header: Uint8Array, length: bigint, root: Uint8Array}} object The record's header, the object's length in
	 * bytes, and its BLAKE3 hash.
	 */
	objectCall({ dataset, epoch, leaf, key }, { header, length, root }) {
		const object = { header: hex(header), length, root: hex(root) };
		return this.api.tx.dataSharing.storeObject(hex(key), dataset, epoch, leaf, object);
	}

	/** Stores the entry of a record whose bytes are an object: see `objectCall`. */
	async storeObject(signer, place, object) {
		return this.submit(signer, this.objectCall(place, object));
	}

	/** Publishes where a dataset's objects are, and replaces what was published before. */
	async setLocations(signer, dataset, locations) {
		return this.submit(signer, this.api.tx.dataSharing.setLocations(dataset, locations));
	}

	/**
	 * Returns a large record's place and its progress at the best block: the manifest's hash, the number of chunks that have
	 * arrived, and the number of all chunks. Returns undefined if there is no such large record.
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
	 */
	async currentEpoch(owner, dataset) {
		const said = await this.api.query.dataSharing.datasets(owner, dataset);
		const epoch = said.isSome ? said.unwrap().epoch.toNumber() : 0;
		const proven = await (await this.proven()).dataset(this.accountBytes(owner), dataset);
		return Math.max(epoch, proven?.epoch ?? 0);
	}

	/** Returns an epoch's identity. `envelope.mjs` derives the epoch's keys from it. */
	epochId(owner, { dataset, epoch }) {
		return { genesis: this.genesis, owner, dataset, epoch };
	}

	/** Returns a record's identity. `envelope.mjs` binds the record's chunks to it. */
	recordContext(owner, key) {
		return { genesis: this.genesis, owner: this.accountBytes(owner), key, version: FIRST_VERSION };
	}
}
