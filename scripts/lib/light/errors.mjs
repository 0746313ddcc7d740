// SPDX-License-Identifier: Apache-2.0

// Why a node is not believed.

/**
 * What a node says is not proven. `name` says why: `WrongGenesis`, `NotFinal`, `Rollback`, `OldHead`, `UnknownStorage` or
 * `FalseMetadata`.
 */
export class NotProven extends Error {
	/**
	 * @param {string} name
	 * @param {string} message
	 */
	constructor(name, message) {
		super(message);
		this.name = name;
	}
}

/** A proof does not tell what was asked. */
export class BadProof extends Error {
	name = 'BadProof';
}

/** Bytes are not what they should be. */
export class Malformed extends Error {
	name = 'Malformed';
}
