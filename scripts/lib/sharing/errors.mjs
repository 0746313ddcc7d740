// SPDX-License-Identifier: Apache-2.0

// The errors of the sharing client. Each has its own name, so that a program can tell them apart.

/**
 * The chain refused a call, and its state did not change. `name` is the error's name in the chain's
 * metadata (`KeyTaken`), and `message` is its documentation there. `block` is the number of the block that contains the
 * call, if one does.
 */
export class CallRefused extends Error {
	/** @type {number | undefined} */
	block;

	/**
	 * @param {string} name
	 * @param {string} message
	 * @param {number} [block]
	 */
	constructor(name, message, block) {
		super(message);
		this.name = name;
		this.block = block;
	}
}

/**
 * A sentence for each reason to refuse a query. The metadata contains only the reasons' names.
 *
 * @type {Record<string, string>}
 */
export const QUERY_REFUSALS = {
	UnknownRecord: 'The owner has no record with this key.',
	NotAuthorised: "The caller has no grant on the record's epoch of its dataset.",
	OutOfRange: "The record is outside the range of the caller's grant.",
	Expired: "The caller's grant has expired.",
	Revoked: "The caller's grant was revoked.",
	Incomplete: 'The record does not have all its chunks yet.',
	Suspended:
		"The caller's grant is suspended: its condition is not met, or a fact that it depends on is missing or too old.",
	Embargoed: 'The record is under an embargo whose condition is not met yet.',
};

/** The chain refused a query. `name` is the reason's name (`NotAuthorised`), and `message` explains it. */
export class QueryRefused extends Error {
	/** @param {string} name */
	constructor(name) {
		super(QUERY_REFUSALS[name] ?? name);
		this.name = name;
	}
}

/** A sentence for each final state of a transaction that was not included in a block. */
const NOT_INCLUDED = {
	Invalid:
		'The transaction is no longer valid: its nonce was used, its signature has expired, or another record took its leaf.',
	Dropped: "The node's pool has no room for the transaction.",
	Usurped: 'Another transaction of the account, with the same nonce, replaced it.',
};

/** A transaction was not included in a block. `name` is the last state that the node reported (`Usurped`). */
export class NotIncluded extends Error {
	/** @param {string} name */
	constructor(name) {
		super(NOT_INCLUDED[name] ?? `The transaction was not included in a block: ${name}.`);
		this.name = name;
	}
}

/** The connection was lost while a transaction was on its way into a block. */
export class ConnectionLost extends Error {
	name = 'ConnectionLost';

	constructor() {
		super('The connection to the node was lost, and a block may still include the transaction: see whether it took effect before you send it again.');
	}
}

/** The request ends so soon that the owner might not be paid for an answer. */
export class EndsTooSoon extends Error {
	name = 'EndsTooSoon';
}

/** A request is another than the one that the owner means to answer. Its asker could open what is sealed for it. */
export class AnotherRequest extends Error {
	name = 'AnotherRequest';
}

/** The block that included a call is not on the finalized chain. */
export class Retracted extends Error {
	name = 'Retracted';
}

/** The chain was upgraded, and this library does not know any more what it would sign. Install its newer release. */
export class Outdated extends Error {
	name = 'Outdated';
}

/** The chain's runtime is older than those that this library signs for. Use the release that is for this chain. */
export class OlderRuntime extends Error {
	name = 'OlderRuntime';
}

/** A node returned bytes that do not match the requested hash. */
export class WrongContent extends Error {
	name = 'WrongContent';
}

/** The owner has no such dataset. */
export class NoSuchDataset extends Error {
	name = 'NoSuchDataset';

	/**
	 * @param {string} owner
	 * @param {number} dataset
	 */
	constructor(owner, dataset) {
		super(`${owner} has no dataset ${dataset}`);
	}
}
