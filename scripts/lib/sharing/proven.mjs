// SPDX-License-Identifier: Apache-2.0

// What the chain's finalized state says, with proofs, so that it does not matter which node answers. The node's own answer at
// the best block is a hint which entries to prove, and how far finality has to come before "there is none" is more than
// "not yet".

import { equal } from '../envelope/common.mjs';
import { NotProven } from '../light/errors.mjs';
import { Finality } from '../light/finality.mjs';
import * as storage from '../light/storage.mjs';
import { StateProof } from '../light/trie.mjs';
import { Connection } from './connection.mjs';
import { digestOf, fromHex, hex } from './encoding.mjs';
import { NoSuchDataset, QueryRefused } from './errors.mjs';

/** @typedef {{dataset: number, epoch: number, from: number, to: number}} Scope Leaves of an epoch, from one to one past the last. */

/**
 * A grant that opens a record.
 *
 * @typedef {object} OpenGrant
 * @property {number} id
 * @property {number} from The first leaf of the grant.
 * @property {number} to One past its last leaf.
 * @property {number} expiry The block in which it expires.
 * @property {number | null} until The time at which it expires, in seconds since 1970.
 * @property {Uint8Array} sealedKeys
 */

/**
 * Where a record's bytes are. One of the three is set.
 *
 * @typedef {object} Payload
 * @property {{contentHash: Uint8Array, length: number, block: number, extrinsic: number}} [value] In one call.
 * @property {{manifest: Uint8Array, root: Uint8Array, length: number, chunkSize: number, arrived: number, block: number, extrinsic: number, lastBlock: number}} [chunks]
 * In chunks.
 * @property {{header: Uint8Array, length: number, root: Uint8Array, block: number, ordinal: number}} [object] Outside the chain.
 */

/** @typedef {{dataset: number, epoch: number, leaf: number, payload: Payload, deposit: bigint}} Found Where a record is. */
/**
 * What a caller may know about a record: the newest grant that opens it, and the earlier ones. Its controller needs none.
 *
 * @typedef {Found & {grant: OpenGrant | null, others: OpenGrant[]}} Answer
 */

/**
 * A keeper of a dataset.
 *
 * @typedef {object} Keeper
 * @property {string} location Where its copy is.
 * @property {bigint} deposit
 * @property {number} since The block since which it keeps.
 * @property {number | null} proven The block of its last proof.
 * @property {number} settled The last period that is counted.
 * @property {number} objects From how many objects the next piece is drawn.
 * @property {number} kept In how many periods it proved.
 * @property {number} missed In how many it did not.
 * @property {number} inARow In how many it did not since its last proof.
 */

/**
 * An open request, proven.
 *
 * @typedef {object} OpenRequest
 * @property {Uint8Array} owner
 * @property {Uint8Array} consumer
 * @property {Scope} scope
 * @property {Uint8Array} purpose
 * @property {number} code
 * @property {number} term
 * @property {bigint} offer
 * @property {boolean} firm
 * @property {Uint8Array} key
 * @property {number} validUntil
 * @property {bigint} deposit
 * @property {string} digest
 */

/** How many proofs of finality to follow, one after another. Each has room for thousands of changes of the voters. */
const PROOFS = 64;
/** How many keepers of a dataset to ask for: more than it can have. */
const KEEPERS = 1000;
/** How old the newest finalized block may be by default, in seconds. */
const MAX_AGE = 15 * 60;

/** Returns how names of sources call an account. */
const digits = (account) => `x${hex(account.slice(0, 16)).slice(2)}`;

/** The state after a finalized block. Everything that is read from it is proven. */
class Proven {
	#client;
	#proof;
	/** @type {{number: number, hash: Uint8Array}} The block. */
	block;

	/**
	 * @param {Connection} client
	 * @param {{number: number, hash: Uint8Array, stateRoot: Uint8Array}} head
	 */
	constructor(client, head) {
		this.#client = client;
		this.#proof = new StateProof(head.stateRoot);
		this.block = head;
	}

	/**
	 * Fetches the proof of these entries.
	 *
	 * @param {Uint8Array[]} keys
	 */
	async load(keys) {
		const version = storage.sharingVersionKey();
		const all = [...keys, version].map(hex);
		const { proof } = await this.#client.rpc('state_getReadProof', all, hex(this.block.hash));
		this.#proof.add(proof.map(fromHex));
		this.#checkVersion(version, storage.SHARING_VERSION, 'shared data');
	}

	/** Refuses entries that have another layout than this library knows. */
	#checkVersion(version, known, of) {
		const found = this.#proof.get(version, (reader) => reader.u16()) ?? 0;
		if (found === known) return;
		const message = `the chain keeps ${of} in version ${found}, and this library knows version ${known}`;
		throw new NotProven('UnknownStorage', message);
	}

	async #get(key, read) {
		await this.load([key]);
		return this.#proof.get(key, read);
	}

	/**
	 * Returns the version of the runtime, or null if no block was executed yet.
	 *
	 * @returns {Promise<number | null>}
	 */
	async runtime() {
		return this.#get(storage.lastUpgradeKey(), (reader) => {
			const version = reader.compact();
			reader.blob(); // The runtime's name.
			return version;
		});
	}

	/**
	 * Returns an open request with its digest, or null.
	 *
	 * @param {number} id
	 * @returns {Promise<OpenRequest | null>}
	 */
	async request(id) {
		const request = await this.#get(storage.requestKey(id), storage.request);
		const digest = request && digestOf(request.signed);
		return request && { ...request, digest };
	}

	/**
	 * Returns a dataset, or null.
	 *
	 * @param {Uint8Array} owner
	 * @param {number} dataset
	 * @returns {Promise<{name: Uint8Array, epoch: number, leaves: bigint, requests: bigint, grants: bigint, closed: boolean, deposit: bigint} | null>}
	 */
	async dataset(owner, dataset) {
		return this.#get(storage.datasetKey(owner, dataset), storage.dataset);
	}

	/**
	 * Returns the card that the account which controls a dataset published: `by` whom, its `hash`, and when it was
	 * `published`, in seconds since 1970; without a card, the latter two are null. After a dataset was taken over, the card
	 * of its former controller counts no more.
	 *
	 * @param {Uint8Array} owner
	 * @param {number} dataset
	 * @returns {Promise<{by: Uint8Array, hash: Uint8Array | null, published: number | null}>}
	 * @throws {NoSuchDataset}
	 */
	async card(owner, dataset) {
		const control = await this.#get(storage.controlKey(owner, dataset), storage.control);
		if (control === null) throw new NoSuchDataset(this.#client.address(owner), dataset);
		const by = control.controller;
		const topic = equal(by, owner) ? `dataset-${dataset}` : `${digits(owner)}/${dataset}`;
		const entry = storage.reportsKey(`${digits(by)}/cards`, topic);
		const version = storage.factsVersionKey();
		await this.load([entry, version]);
		this.#checkVersion(version, storage.FACTS_VERSION, 'facts');
		const reports = this.#proof.get(entry, storage.reports) ?? [];
		const own = reports.find((report) => equal(report.reporter, by));
		const hash = own?.value.hash ?? null;
		return { by, hash, published: own?.observed ?? null };
	}

	/**
	 * Returns which of these leaves of an epoch are taken: of each its `leaf` and the key of its `record`, null if that was
	 * removed.
	 *
	 * @param {Uint8Array} owner
	 * @param {{dataset: number, epoch: number}} place
	 * @param {number[]} leaves
	 * @returns {Promise<{leaf: number, record: Uint8Array | null}[]>}
	 */
	async taken(owner, place, leaves) {
		const keys = leaves.map((leaf) => storage.leafKey(owner, place, leaf));
		await this.load(keys);
		return leaves.flatMap((leaf, index) => {
			const entry = this.#proof.get(keys[index], storage.takenLeaf);
			return entry === null ? [] : [{ leaf, record: entry.record }];
		});
	}

	/**
	 * Returns where a record is, or null.
	 *
	 * @param {Uint8Array} owner
	 * @param {Uint8Array} key
	 * @returns {Promise<Found | null>}
	 */
	async record(owner, key) {
		return this.#get(storage.recordKeyOf(owner, key), storage.record);
	}

	/**
	 * Returns where a dataset's objects are, as its owner published: a list of addresses.
	 *
	 * @param {Uint8Array} owner
	 * @param {number} dataset
	 * @returns {Promise<string[]>}
	 */
	async locations(owner, dataset) {
		return (await this.#get(storage.locationsKey(owner, dataset), storage.locations)) ?? [];
	}

	/**
	 * Returns who keeps copies of a dataset's objects. That these are all is proven, too.
	 *
	 * @param {Uint8Array} owner
	 * @param {number} dataset
	 * @returns {Promise<(Keeper & {account: Uint8Array})[]>}
	 */
	async keepers(owner, dataset) {
		const prefix = storage.keepersKey(owner, dataset);
		const said = await this.#client.rpc('state_getKeysPaged', hex(prefix), KEEPERS, null, hex(this.block.hash));
		await this.#loadKeepers([prefix, ...said.map(fromHex)]);
		return this.#proof.keys(prefix).map((entry) => ({
			account: storage.keeperOf(entry),
			...this.#proof.get(entry, storage.keeper),
		}));
	}

	/**
	 * Returns the pot from which a dataset's keepers are paid, or null.
	 *
	 * @param {Uint8Array} owner
	 * @param {number} dataset
	 * @returns {Promise<{amount: bigint, keepers: number, period: number, share: bigint} | null>}
	 */
	async pot(owner, dataset) {
		const pot = storage.potKey(owner, dataset);
		await this.#loadKeepers([pot]);
		return this.#proof.get(pot, storage.pot);
	}

	/** Fetches the proof of these entries of the keepers pallet. */
	async #loadKeepers(keys) {
		const version = storage.keepersVersionKey();
		await this.load([...keys, version]);
		this.#checkVersion(version, storage.KEEPERS_VERSION, 'keepers');
	}

	/**
	 * Returns an account's encryption key in bytes, or null.
	 *
	 * @param {Uint8Array} account
	 * @returns {Promise<Uint8Array | null>}
	 */
	async encryptionKey(account) {
		const registered = await this.#get(storage.encryptionKeyKey(account), storage.registeredKey);
		return registered && registered.key;
	}

	/**
	 * Returns what a caller may know about a record, as the chain's own query does.
	 *
	 * @param {Uint8Array} caller
	 * @param {Uint8Array} owner
	 * @param {Uint8Array} key
	 * @param {any} said The node's answer, or null. It tells which entries to ask for.
	 * @returns {Promise<Answer>}
	 * @throws {QueryRefused}
	 */
	async query(caller, owner, key, said) {
		const recordKey = storage.recordKeyOf(owner, key);
		const hints = said ? [storage.grantsOnKey(owner, said, caller), storage.controlKey(owner, said.dataset)] : [];
		if (said?.grant) hints.push(storage.grantKey(said.grant.id));
		const embargoKey = storage.embargoKey(owner, key);
		await this.load([recordKey, embargoKey, storage.nowKey(), ...hints]);
		const record = this.#proof.get(recordKey, storage.record);
		if (record === null) throw new QueryRefused('UnknownRecord');
		const control = await this.#get(storage.controlKey(owner, record.dataset), storage.control);
		const isController = equal(caller, control?.controller ?? owner);
		// The account in a dataset's address never has a grant on it.
		if (isController && equal(caller, owner)) return { ...record, grant: null, others: [] };
		const opening = this.#openingGrants(storage.grantsOnKey(owner, record, caller), record.leaf);
		const [grant = null, ...others] = isController ? (await settled(opening)).answer ?? [] : await opening;
		if (isController) return { ...record, grant, others };
		const { chunks } = record.payload;
		if (chunks && chunks.arrived < Math.ceil(chunks.length / chunks.chunkSize)) throw new QueryRefused('Incomplete');
		if (this.#proof.get(embargoKey, (reader) => reader.u64()) !== null) throw new QueryRefused('Embargoed');
		return { ...record, grant, others };
	}

	/** Returns the grants of a list that open a leaf, the newest first. There is at least one. */
	async #openingGrants(list, leaf) {
		await this.load([list]);
		const ids = this.#proof.get(list, storage.grantsOn) ?? [];
		await this.load(ids.map(storage.grantKey));
		const time = Number(this.#proof.get(storage.nowKey(), (reader) => reader.u64()) ?? 0n) / 1000;
		let refusal = 'NotAuthorised';
		const opening = [];
		for (const id of ids.reverse()) {
			const grant = this.#proof.get(storage.grantKey(id), storage.grant);
			if (grant === null) continue;
			const { scope, expiry, until, state, sealedKeys } = grant;
			const isOver = this.block.number >= expiry || (until !== null && Math.floor(time) >= until);
			let whyNot = ['Active', 'Suspended'].includes(state) && isOver ? 'Expired' : state;
			if (leaf < scope.from || leaf >= scope.to) whyNot = 'OutOfRange';
			if (whyNot === 'Active') opening.push({ id, from: scope.from, to: scope.to, expiry, until, sealedKeys });
			if (['NotAuthorised', 'OutOfRange'].includes(refusal)) refusal = whyNot;
		}
		if (opening.length === 0) throw new QueryRefused(refusal);
		return opening;
	}
}

/** Returns what a promise brought, with a refused query as a value. */
function settled(promise) {
	return promise.then(
		(answer) => ({ answer }),
		(error) => {
			if (error instanceof QueryRefused) return { refusal: error.name };
			throw error;
		},
	);
}

/** Adds the finalized state, with proofs, to a connection. */
export class Verified extends Connection {
	/** @type {Finality | null} */
	#finality = null;
	/** The update under way, so that two at once do not follow the votes twice. */
	#following = Promise.resolve();

	/**
	 * Returns the state after the newest block that the node proves to be finalized.
	 *
	 * @throws {NotProven} `WrongGenesis`, `NotFinal`, `Rollback`, or `OldHead` if the block is older than `maxAge` seconds. A
	 * development chain may rest, so its blocks may be of any age.
	 * @throws {import('../light/errors.mjs').BadProof}
	 */
	async proven() {
		const following = this.#following.then(() => this.#follow());
		this.#following = following.catch(() => undefined);
		return new Proven(this, await following);
	}

	/** Returns the version of the runtime in the finalized state, or null if no block was executed yet. */
	async provenRuntime() {
		return (await this.proven()).runtime();
	}

	async #follow() {
		if (this.#finality === null) {
			const { header, proof } = await this.rpc('isthmus_genesisProof');
			this.#finality = new Finality(this.genesis, fromHex(header), proof.map(fromHex));
		}
		for (let left = PROOFS; left > 0; left--) {
			const proof = await this.rpc('isthmus_finalityProof', hex(this.#finality.head.hash));
			if (this.#finality.follow(fromHex(proof))) return this.#recent();
		}
		throw new NotProven('NotFinal', "the node's proof of finality has no end");
	}

	/** Returns the newest finalized block, if it is recent: a node could show an old one, and hide what came since. */
	#recent() {
		const { head, date, isDevelopment } = this.#finality;
		const age = date === null ? 0 : Math.floor(Date.now() / 1000) - date;
		if (age > (this.maxAge ?? MAX_AGE) && !isDevelopment) {
			const message = `the newest finalized block that the node proves is ${head.number}, ${Math.floor(age / 60)} minutes old`;
			throw new NotProven('OldHead', message);
		}
		return head;
	}

	/**
	 * Looks something up in the finalized state. If it differs from what the node says of its best block, looks again in
	 * each later finalized state, until they agree or that block is finalized. A lie costs time, and gains nothing.
	 *
	 * @template Shown
	 * @param {() => Promise<any>} ask Asks the node. A refused query is an answer, too.
	 * @param {(proven: Proven, said: any) => Promise<Shown>} look
	 * @param {(answer: any) => any} summary What has to agree.
	 * @returns {Promise<Shown>}
	 */
	async confirmed(ask, look, summary) {
		const text = ({ answer, refusal }) => refusal ?? summary(answer);
		const said = await settled(ask());
		// Read after the answer: what the answer is of is not above this block.
		const tip = (await this.api.rpc.chain.getHeader()).number.toNumber();
		for (;;) {
			const proven = await this.proven();
			const shown = await settled(look(proven, said.answer ?? null));
			if (proven.block.number >= tip || text(shown) === text(said)) {
				if (shown.refusal) throw new QueryRefused(shown.refusal);
				return shown.answer;
			}
			await this.#finalizedAfter(proven.block.number);
		}
	}

	/** Waits until the node says that a later block is finalized. */
	async #finalizedAfter(number) {
		let stop;
		await new Promise((resolve, reject) => {
			stop = this.api.rpc.chain.subscribeFinalizedHeads((head) => {
				if (head.number.toNumber() > number) resolve();
			});
			stop.catch(reject);
		});
		(await stop)();
	}

	/**
	 * Returns who keeps copies of a dataset's objects, since when, and when each last proved it, in the finalized state.
	 *
	 * @param {string} owner
	 * @param {number} dataset
	 * @returns {Promise<(Keeper & {account: string})[]>} `account` is an address.
	 */
	async keepers(owner, dataset) {
		const keepers = await (await this.proven()).keepers(this.accountBytes(owner), dataset);
		return keepers.map((keeper) => ({ ...keeper, account: this.address(keeper.account) }));
	}

	/**
	 * Returns what a caller may know about a record, proven.
	 *
	 * @param {string} caller
	 * @param {string} owner
	 * @param {Uint8Array} key
	 * @param {() => Promise<any>} ask Asks the node.
	 * @returns {Promise<Answer>}
	 */
	async provenQuery(caller, owner, key, ask) {
		const [callerBytes, ownerBytes] = [caller, owner].map((address) => this.accountBytes(address));
		const look = (proven, said) => proven.query(callerBytes, ownerBytes, key, said);
		const summary = ({ dataset, epoch, leaf, grant, payload }) => {
			const content = hex(payload.value?.contentHash ?? payload.chunks?.manifest ?? payload.object.root);
			return JSON.stringify([dataset, epoch, leaf, content, grant?.id, grant && hex(grant.sealedKeys)]);
		};
		return this.confirmed(ask, look, summary);
	}
}
