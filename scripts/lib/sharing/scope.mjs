// SPDX-License-Identifier: Apache-2.0

// Leaves by names and dates in place of numbers: those in a dataset's card, or else the names of records. The rules are those
// of the `isthmus` command (docs/cli.md), and so are the sentences of the errors.

import { contentHash, NameCipher } from '../envelope.mjs';
import { equal } from '../envelope/common.mjs';
import { CardError, LeafNames, LeavesError, parseLeaves, readCard } from '../leaves.mjs';
import { keyName, nameOf, parseKey } from './encoding.mjs';
import { Records } from './records.mjs';

/** The largest number of leaves, from one record to another one, of which each is looked at. */
const MOST_BETWEEN = 1000;

/** Adds leaves by names to a connection. */
export class Scopes extends Records {
	/**
	 * Checks that a file is the card of a dataset: that its hash is the one that the account which controls the dataset
	 * published, in the finalized state.
	 *
	 * @param {string} owner
	 * @param {number} dataset
	 * @param {Uint8Array} text The file.
	 * @returns {Promise<import('../leaves/card.mjs').Card & {by: string, published: number}>} What it says, who published
	 * it, and when, in seconds since 1970.
	 * @throws {CardError} `Json` or `Lacks` if it is no card of the dataset, `NotPublished` or `Differs` if it is not the
	 * one on the chain.
	 * @throws {import('./errors.mjs').NoSuchDataset}
	 */
	async readCard(owner, dataset, text) {
		const said = readCard(text, owner, dataset);
		const { by, hash, published } = await (await this.proven()).card(this.accountBytes(owner), dataset);
		const controller = this.address(by);
		if (hash === null) throw new CardError('NotPublished', `${controller} published no card of dataset ${dataset}`);
		if (!equal(hash, contentHash(text))) {
			throw new CardError('Differs', `this is not the card that ${controller} published of dataset ${dataset}`);
		}
		return { ...said, by: controller, published };
	}

	/**
	 * Returns the leaves of an epoch of a dataset that are asked for, for `requestAccess` and `authorize`: by numbers
	 * (`0..12`), or by names or dates, both included (`2026-03..2026-05`, or one name). These are the names in the
	 * dataset's card, if it is passed, and otherwise the names of records, whose places are proven. Hidden names are found
	 * by their owner only, with the `master` secret.
	 *
	 * If it is the owner who names two records, each leaf between them is looked at, in the finalized state: another record
	 * there is refused by its name, unless `allBetween` says that it is meant. Objects are refused by name, because they
	 * may be lists of packed folders.
	 *
	 * @param {import('./connection.mjs').Account} signer Who asks.
	 * @param {string} owner The owner's address.
	 * @param {object} asked
	 * @param {number} asked.dataset
	 * @param {string} asked.leaves
	 * @param {number} [asked.epoch] By default, the dataset's current one.
	 * @param {Uint8Array} [asked.card] The file of the dataset's card.
	 * @param {import('../envelope.mjs').MasterSecret} [asked.master]
	 * @param {boolean} [asked.allBetween]
	 * @returns {Promise<{dataset: number, epoch: number, from: number, to: number}>}
	 * @throws {import('../leaves.mjs').LeavesSyntaxError} if the text asks for no leaves.
	 * @throws {LeavesError} if a name or a date is not there, stands for no range or for another epoch, may be a number, or
	 * if other records are between two that the owner names.
	 * @throws {CardError} if the card is not the dataset's, as `readCard` says.
	 */
	async scope(signer, owner, { dataset, leaves, epoch, card, master, allBetween = false }) {
		const asked = parseLeaves(leaves);
		const isNamed = epoch !== undefined;
		const place = { dataset, epoch: epoch ?? (await this.currentEpoch(owner, dataset)) };
		const range = async () => {
			if (card !== undefined) {
				const said = await this.readCard(owner, dataset, card);
				return new LeafNames(said.leaves, said.epoch).range(asked, { epoch: place.epoch, isNamed });
			}
			if (asked.numbers) return [asked.from, asked.to];
			return this.#leavesOf(asked, { signer, owner, place, allBetween, master });
		};
		const [from, to] = await range();
		return { ...place, from, to };
	}

	/** Returns the leaves from one record to another one, both included. */
	async #leavesOf({ from, to }, asking) {
		const { place, allBetween } = asking;
		const account = this.accountBytes(asking.owner);
		const isOwn = equal(this.accountBytes(asking.signer.address), account);
		const cipher = isOwn && asking.master ? await NameCipher.create(asking.master, this.genesis, account) : null;
		const proven = await this.proven();
		const leafOf = (name) => this.#leafOf(proven, account, name, { place, isOwn, cipher });
		const first = await leafOf(from);
		const last = from === to ? first : await leafOf(to);
		if (last < first) throw new LeavesError('Backwards', { from, to });
		const leaves = last - first + 1;
		if (!isOwn || allBetween) return [first, last + 1];
		if (leaves > MOST_BETWEEN) throw new LeavesError('ManyBetween', { from, to, leaves });
		const between = Array.from({ length: Math.max(leaves - 2, 0) }, (_, index) => first + 1 + index);
		const taken = await proven.taken(account, place, between);
		const others = taken.map(async ({ leaf, record }) => {
			if (record === null) return `leaf ${leaf}, whose record was removed`;
			// A key that hides no name becomes random bytes.
			const name = cipher && (await cipher.name(record));
			return keyName(name && nameOf(name) !== null ? name : record);
		});
		if (others.length > 0) throw new LeavesError('OthersBetween', { from, to, others: await Promise.all(others) });
		return [first, last + 1];
	}

	/** Returns the leaf of a record, which has to be in this epoch of the dataset. */
	async #leafOf(proven, account, name, { place, isOwn, cipher }) {
		const key = parseKey(name);
		const hidden = cipher && (await proven.record(account, await cipher.key(key)));
		const record = hidden ?? (await proven.record(account, key));
		if (record === null) throw new LeavesError('NoRecord', { name });
		const { dataset, epoch, leaf, payload } = record;
		if (dataset !== place.dataset || epoch !== place.epoch) throw new LeavesError('Elsewhere', { name, dataset, epoch });
		if (isOwn && payload.object) throw new LeavesError('AnObject', { name });
		return leaf;
	}
}
