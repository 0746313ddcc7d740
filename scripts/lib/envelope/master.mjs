// SPDX-License-Identifier: Apache-2.0

// The owner's master secret, and the root key that is derived from it for each epoch of each dataset.

import { bytes, concat, copy, hkdf, integer, random, utf8 } from './common.mjs';
import { EpochRoot } from './tree.mjs';

const EPOCH_ROOT_LABEL = utf8('isthmus/epoch-root/v1');

/**
 * Identifies an epoch of an owner's dataset on a chain.
 *
 * @typedef {object} EpochId
 * @property {Uint8Array} genesis Hash of the chain's first block, 32 bytes.
 * @property {Uint8Array} owner The owner's account, 32 bytes.
 * @property {number} dataset The dataset's number among the owner's.
 * @property {number} epoch The dataset's epoch.
 */

/** Encodes an epoch's identity as `genesis ‖ owner ‖ dataset ‖ epoch`, with big-endian integers. */
export function epochIdBytes({ genesis, owner, dataset, epoch }) {
	return concat(
		bytes(genesis, 32, 'the genesis hash'),
		bytes(owner, 32, 'the owner'),
		integer(dataset, 4, 'the dataset'),
		integer(epoch, 4, 'the epoch'),
	);
}

/** An owner's master secret: 32 random bytes from which all its data keys are derived. */
export class MasterSecret {
	#secret;

	/** @param {Uint8Array} secret 32 bytes, drawn uniformly at random. */
	constructor(secret) {
		this.#secret = copy(bytes(secret, 32, 'a master secret'));
	}

	/** Generates a secret from the system's random number generator. */
	static generate() {
		return new MasterSecret(random());
	}

	/** Returns the secret itself, for storage in a key store. */
	exposeSecret() {
		return copy(this.#secret);
	}

	/**
	 * Derives the root of an epoch's key tree.
	 *
	 * @param {EpochId} id
	 * @returns {Promise<EpochRoot>}
	 */
	async epochRoot(id) {
		return new EpochRoot(id, await hkdf(EPOCH_ROOT_LABEL, this.#secret, epochIdBytes(id)));
	}
}
