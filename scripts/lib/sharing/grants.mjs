// SPDX-License-Identifier: Apache-2.0

// Who may read what: encryption keys, policies, requests (T_q), and grants on the authorization list.

import { EncryptionSecret, grantRecipient, openGrant, PublicKey, Range, sealGrant } from '../envelope.mjs';
import { toCodec } from '../conditions.mjs';
import { concat, equal } from '../envelope/common.mjs';
import { digestOf, hex, unixSeconds } from './encoding.mjs';
import { AnotherRequest, EndsTooSoon } from './errors.mjs';
import { Scopes } from './scope.mjs';

/** @typedef {import('./connection.mjs').Account} Account */
/** @typedef {import('./connection.mjs').Receipt} Receipt */
/** @typedef {import('./proven.mjs').Scope} Scope */
/** @typedef {import('../conditions.mjs').Condition} Condition */

/**
 * Returns the digest of a request, which its answer names: on another branch of the chain, the request's number may
 * belong to another request.
 *
 * @param {any} request The request's entry in the state, from `api.query.dataSharing.requests`.
 * @returns {string}
 */
export function requestDigest({ owner, consumer, scope, purpose, code, term, offer, firm, key }) {
	const parts = [owner, consumer, scope, purpose, code, term, offer, firm, key].map((part) => part.toU8a());
	return digestOf(concat(...parts));
}

/**
 * How many blocks to add to a grant's term. The grant is included in a later block than the one that its expiry is
 * calculated from, and must still last for the whole term.
 */
const TERM_SLACK = 16;
/**
 * How many blocks an answer to a request may wait until it is included. The chain's `CancelNotice`, for which a
 * cancelled offer stays open, is at least as long. The sealed keys are public as soon as they are sent, so an owner
 * whose answer arrives too late gives them away unpaid.
 */
const ANSWER_LIFE = 16;

/**
 * The codes for what data is requested for, in the order of their numbers: docs/purposes.md explains them.
 *
 * @type {string[]}
 */
export const PURPOSES = [
	...['unspecified', 'research', 'statistics', 'service', 'compliance', 'education', 'health', 'security'],
	...['journalism', 'public-policy', 'commercial', 'marketing'],
];

/** A policy's set of all codes. A code that is added later is not in it. */
const ANY = 2 ** PURPOSES.length - 1;

/** Returns the number of a code. */
function numberOf(code) {
	const number = PURPOSES.indexOf(code);
	if (number < 0) throw new RangeError(`unknown purpose ${code}: expected one of ${PURPOSES.join(', ')}`);
	return number;
}

/** Adds encryption keys, policies, requests and grants to a connection. */
export class Grants extends Scopes {
	/**
	 * Registers the account's public key. Grants to the account are sealed to it.
	 *
	 * @param {Account} signer
	 * @param {PublicKey} publicKey
	 * @returns {Promise<Receipt>}
	 */
	async setEncryptionKey(signer, publicKey) {
		return this.submit(signer, this.api.tx.dataSharing.setEncryptionKey(hex(publicKey.toBytes())));
	}

	/**
	 * Publishes which requests for a dataset this account grants, and at what price. A request that is known not to meet
	 * `condition` is refused; it is as `parse` of conditions.mjs returns it. `purposes` are codes of `PURPOSES`, by default
	 * all: requests for others wait for the owner.
	 *
	 * @param {Account} signer
	 * @param {number} dataset
	 * @param {object} policy
	 * @param {bigint} [policy.price] The price of a leaf and block.
	 * @param {bigint | null} [policy.firmPrice] The price of a firm term; by default, none is offered.
	 * @param {number} policy.longestRange
	 * @param {number} policy.longestTerm
	 * @param {any} policy.consumers Which consumers, as `@polkadot/api` takes them.
	 * @param {string[] | null} [policy.purposes]
	 * @param {Condition | null} [policy.condition]
	 * @returns {Promise<Receipt>}
	 */
	async setPolicy(signer, dataset, { price = 0n, firmPrice = null, longestRange, longestTerm, consumers, purposes = null, condition = null }) {
		const bits = purposes?.reduce((set, code) => set | (1 << numberOf(code)), 0) ?? ANY;
		const policy = { price, firmPrice, longestRange, longestTerm, consumers, purposes: bits };
		return this.submit(signer, this.api.tx.dataSharing.setPolicy(dataset, policy, condition && toCodec(condition)));
	}

	/**
	 * Cancels a request of this account when a condition is met. Without a condition, the offer stands.
	 *
	 * @param {Account} signer
	 * @param {number} request
	 * @param {Condition | null} [condition]
	 * @returns {Promise<Receipt>}
	 */
	async withdrawWhen(signer, request, condition = null) {
		return this.submit(signer, this.api.tx.dataSharing.withdrawWhen(request, condition && toCodec(condition)));
	}

	/**
	 * Puts a record of a dataset that this account controls under an embargo, stored already or not: no one else can query
	 * it until the condition is met. Without a condition, lifts the embargo.
	 *
	 * @param {Account} signer
	 * @param {Uint8Array} key
	 * @param {number} dataset
	 * @param {Condition | null} [condition]
	 * @returns {Promise<Receipt>}
	 */
	async embargo(signer, key, dataset, condition = null) {
		const call = this.api.tx.dataSharing.embargo(hex(key), dataset, condition && toCodec(condition));
		return this.submit(signer, call);
	}

	/**
	 * Requests access to a range of an owner's dataset (T_q). The receipt's `AccessRequested` event contains the
	 * request's number.
	 *
	 * @param {Account} signer The consumer.
	 * @param {string} owner The owner's address.
	 * @param {Scope} scope
	 * @param {{purpose: string, code?: string, term: number, key: PublicKey, offer?: bigint, firm?: boolean}} terms The
	 * purpose in words, and by one of the codes in `PURPOSES`, the
	 * term in blocks, the public key that the grant is sealed to (a new one for each request), the payment that the owner receives for a grant (after the chain's `disputeWindow`; the term must be at least as long), and whether the owner must not revoke the grant
	 * before its term is over (the dataset's policy has to offer that).
	 * @returns {Promise<Receipt>}
	 */
	async requestAccess(signer, owner, scope, { purpose, code = 'unspecified', term, key, offer = 0n, firm = false }) {
		return this.submit(
			signer,
			this.api.tx.dataSharing.requestAccess(owner, scope, purpose, numberOf(code), term, offer, firm, hex(key.toBytes())),
		);
	}

	/**
	 * Authorises a reader: derives the range's keys, seals them to the reader's public key and adds an entry to
	 * the authorization list. If it answers a request, waits until the request is finalized: the sealed keys are
	 * public as soon as they are sent, and a request that is not final may yet disappear with its offer.
	 *
	 * @param {Account} signer The owner.
	 * @param {import('../envelope.mjs').MasterSecret} master
	 * @param {string} grantee The reader's address.
	 * @param {Scope} scope
	 * @param {{term: number, request?: number | null, until?: Date | null, condition?: Condition | null}} terms The minimum term in blocks; the
	 * number of the request that this answers, if any; an earlier date on which the grant expires, if any; and the
	 * condition under which it is good, if any, as `parse` of conditions.mjs returns it. An answer has none.
	 * @returns {Promise<Receipt>}
	 * @throws {RangeError} if it answers a request and has a condition, before anything is sealed.
	 * @throws {EndsTooSoon} if the request may end before the answer is included in a block.
	 * @throws {AnotherRequest} if the request was not made to this owner, by this reader, for this range.
	 */
	async authorize(signer, master, grantee, scope, { term, request = null, until = null, condition = null }) {
		if (request !== null && condition !== null) throw new RangeError('the answer to a request has no condition: the request names none');
		const { dataSharing } = this.api.tx;
		const open = request === null ? null : await this.#settled(request);
		if (open !== null) this.#checkAnswers(open, { owner: signer.publicKey, consumer: this.accountBytes(grantee), scope });
		const best = await this.api.rpc.chain.getHeader();
		const now = best.number.toNumber();
		const expiry = now + term + TERM_SLACK;
		if (request !== null) await this.#checkOpenFor(request, now);
		const publicKey = open === null ? await this.#keyOf(grantee) : PublicKey.fromBytes(open.key);
		const root = await master.epochRoot(this.epochId(signer.publicKey, scope));
		const sealed = await sealGrant(root, this.#grantScope(grantee, scope, expiry), publicKey);
		const date = until && unixSeconds(until);
		const answered = open && { id: request, digest: open.digest };
		return this.submit(
			signer,
			dataSharing.addAuthorize(grantee, scope, expiry, date, hex(sealed), answered, condition && toCodec(condition)),
			request === null ? {} : { era: ANSWER_LIFE },
		);
	}

	/**
	 * Disputes a grant that this account pays for: shows that its keys do not open the record at a leaf. The receipt's
	 * `DisputeWon` event says what came back; `DisputeLost` says that the keys are right. It must be sent before the block
	 * that `api.query.dataSharing.payments` names.
	 *
	 * @param {Account} signer The reader.
	 * @param {number} grant
	 * @param {number} leaf A leaf of the grant with a record. If the grant does not open at all, any of its leaves.
	 * @param {import('../envelope.mjs').EncryptionKeyPair} pair The pair of the request. Its seed is revealed: everyone can open this grant with it.
	 * @param {Uint8Array} [shown] The record's bytes: the value or, of a large record, the manifest; `fetchValue` fetches
	 * them. None for an object, or if the grant does not open at all.
	 * @returns {Promise<Receipt>}
	 */
	async dispute(signer, grant, leaf, pair, shown = new Uint8Array()) {
		return this.submit(signer, this.api.tx.dataSharing.dispute(grant, leaf, hex(pair.exposeSeed()), hex(shown)));
	}

	/**
	 * Opens a grant's keys with the reader's encryption key pair, or with the secret that it is derived from.
	 *
	 * @param {object} grant
	 * @param {string} grant.caller
	 * @param {string} grant.owner
	 * @param {{dataset: number, epoch: number, grant: import('./proven.mjs').OpenGrant | null}} grant.answer The result of
	 * `query` or `signedQuery`.
	 * @param {import('../envelope.mjs').EncryptionKeyPair | EncryptionSecret} grant.pair
	 * @returns {Promise<import('../envelope.mjs').KeySet>}
	 */
	async openKeys({ caller, owner, answer, pair }) {
		const { grant } = answer;
		const scope = this.#grantScope(caller, grant, grant.expiry);
		const { suite, id } = grantRecipient(grant.sealedKeys);
		const own = pair instanceof EncryptionSecret ? await pair.pair(suite, id) : pair;
		return openGrant(own, this.epochId(this.accountBytes(owner), answer), scope, grant.sealedKeys);
	}

	/** Returns an account's registered key, proven: a node could show one of its own. */
	async #keyOf(grantee) {
		const account = this.accountBytes(grantee);
		const key = async (proven) => ({ key: await proven.encryptionKey(account) });
		const said = async () => {
			const registered = await this.api.query.dataSharing.encryptionKeys(grantee);
			return { key: registered.isSome ? registered.unwrap().key.toU8a(true) : null };
		};
		const { key: found } = await this.confirmed(said, key, ({ key }) => key && hex(key));
		if (found === null) {
			throw new Error(`${grantee} has no encryption key to seal a grant to: it has to set one first, or to ask`);
		}
		return PublicKey.fromBytes(found);
	}

	/** Waits until an open request is finalized; returns it, proven. */
	async #settled(request) {
		const said = async () => {
			const open = await this.api.query.dataSharing.requests(request);
			return { digest: open.isSome ? requestDigest(open.unwrap()) : null };
		};
		const look = async (proven) => (await proven.request(request)) ?? { digest: null };
		const open = await this.confirmed(said, look, ({ digest }) => digest);
		if (open.digest === null) throw new EndsTooSoon(`request ${request} is not open`);
		return open;
	}

	/** Checks that a proven request is the one that is to be answered: the keys are sealed to the key that it names. */
	#checkAnswers(open, { owner, consumer, scope }) {
		const isSame = equal(open.owner, owner) && equal(open.consumer, consumer);
		const parts = ['dataset', 'epoch', 'from', 'to'];
		if (isSame && parts.every((part) => open.scope[part] === scope[part])) return;
		throw new AnotherRequest('the request with this number was made by another account, or for another range');
	}

	/** Checks that a request stays open long enough for an answer. */
	async #checkOpenFor(request, now) {
		const open = (await this.api.query.dataSharing.requests(request)).unwrapOr(null);
		const left = open ? open.validUntil.toNumber() - now : 0;
		if (left <= ANSWER_LIFE) {
			const message = `request ${request} is open for ${left} more blocks, and an answer may take ${ANSWER_LIFE}`;
			throw new EndsTooSoon(message);
		}
	}

	#grantScope(grantee, { from, to }, expiry) {
		return { grantee: this.accountBytes(grantee), range: new Range(from, to), expiry };
	}
}
