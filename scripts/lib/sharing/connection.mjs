// SPDX-License-Identifier: Apache-2.0

// A connection to a node: signs calls, sends them and waits until a block includes them. Nothing here is specific
// to shared data.

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { equal } from '../envelope/common.mjs';
import { NotProven } from '../light/errors.mjs';
import { hex } from './encoding.mjs';
import { CallRefused, ConnectionLost, NotIncluded, Retracted } from './errors.mjs';
import { errorOf, fromTable } from './layout.mjs';

/** @typedef {import('@polkadot/keyring/types').KeyringPair} Account An account with its secret, which signs. */
/** @typedef {import('@polkadot/api/types').SubmittableExtrinsic<'promise'>} Call A call, from `api.tx`. */

/** How long a node may take to answer at first, in seconds. */
const PATIENCE = 60;

/** The longest time that a timer takes, in milliseconds: a longer one would end at once. */
const LONGEST = 2 ** 31 - 1;

/** A call that was included in a block. The block may still be reverted: see `Connection.finalized`. */
export class Receipt {
	/** @type {number} The block's number. */
	block;
	/** @type {string} The block's hash, in hex. */
	blockHash;
	/** @type {import('@polkadot/types/interfaces').Event[]} The call's events. */
	events;

	/** @param {import('@polkadot/api').SubmittableResult} result */
	constructor(result) {
		this.block = result.blockNumber.toNumber();
		this.blockHash = result.status.value.toHex();
		this.events = result.events.map(({ event }) => event);
	}

	/**
	 * Returns the data of the call's first event with this pallet and name. Its fields are values of `@polkadot/api`.
	 *
	 * @param {string} section
	 * @param {string} method
	 * @returns {any}
	 */
	event(section, method) {
		const event = this.events.find((event) => event.section === section && event.method === method);
		if (!event) throw new Error(`block ${this.block} has no event ${section}.${method} of this call`);
		return event.data;
	}
}

/** A connection to a node. */
export class Connection {
	/** @type {ApiPromise} The underlying `@polkadot/api` instance, for everything that this library does not cover. */
	api;
	/** @type {Uint8Array} The hash of the chain's first block. */
	genesis;
	/** @type {number | undefined} How old the newest finalized block may be that is read from, in seconds. */
	maxAge;
	#provider;
	#keyring = new Keyring({ type: 'sr25519' });
	/** The next nonce of each account that has sent a transaction. */
	#nonces = new Map();

	/**
	 * Connects to a node.
	 *
	 * @template {Connection} Connected
	 * @this {new () => Connected}
	 * @param {string} url The node's WebSocket address, for example `ws://127.0.0.1:9944`.
	 * @param {{genesis?: Uint8Array, maxAge?: number, timeout?: number}} [chain] The hash of the chain's first block. Without it, the node says
	 * which chain it is, and is believed. `maxAge` is how old the newest finalized block may be that is read from, in seconds,
	 * by default 15 minutes, and `timeout` how long the node may take to answer at first, in seconds, by default 60.
	 * @returns {Promise<Connected>}
	 * @throws {NotProven} `WrongGenesis` if the node's chain is another one.
	 */
	static async connect(url, chain = {}) {
		const { genesis, maxAge, timeout = PATIENCE } = chain;
		const client = new this();
		client.maxAge = maxAge;
		await client.#open(url, timeout);
		if (genesis && !equal(client.genesis, genesis)) {
			await client.disconnect();
			const message = `the chain at ${url} begins with block ${hex(client.genesis)}, not with ${hex(genesis)}`;
			throw new NotProven('WrongGenesis', message);
		}
		return client;
	}

	async #open(url, timeout) {
		this.#provider = new WsProvider(url);
		const made = ApiPromise.create({
			provider: this.#provider,
			throwOnConnect: true,
			noInitWarn: true,
		});
		// Once no one waits for it, no one hears of its error.
		made.catch(() => undefined);
		let timer;
		const late = new Promise((_, reject) => {
			timer = setTimeout(() => reject(new Error(`no answer within ${timeout} s`)), Math.min(timeout * 1000, LONGEST));
		});
		try {
			this.api = await Promise.race([made, late]);
		} catch (error) {
			await this.#provider.disconnect();
			throw new Error(`no node answers at ${url}`, { cause: error });
		} finally {
			clearTimeout(timer);
		}
		this.genesis = this.api.genesisHash.toU8a();
	}

	async disconnect() {
		await this.api.disconnect();
	}

	/**
	 * Returns the account for a secret: a derivation path such as `//Bob`, a phrase, or a hex seed.
	 *
	 * @param {string} secret
	 * @returns {Account}
	 */
	account(secret) {
		return this.#keyring.addFromUri(secret);
	}

	/**
	 * Returns the 32 bytes of an address.
	 *
	 * @param {string} address
	 * @returns {Uint8Array}
	 */
	accountBytes(address) {
		return this.#keyring.decodeAddress(address);
	}

	/**
	 * Returns the address of an account of 32 bytes.
	 *
	 * @param {Uint8Array} account
	 * @returns {string}
	 */
	address(account) {
		return this.#keyring.encodeAddress(account);
	}

	/**
	 * Calls a JSON-RPC method that `@polkadot/api` does not know.
	 *
	 * @param {string} method
	 * @param {...any} params
	 * @returns {Promise<any>}
	 */
	async rpc(method, ...params) {
		return this.#provider.send(method, params);
	}

	/**
	 * Signs a call, sends it, and waits until it is included in a block. To wait until that block can no longer be
	 * reverted, call `finalized`.
	 *
	 * What the node's metadata says of calls has to be what this library knows of them. Make the call right before: what it was
	 * made with is not compared. A call that is newer than this library is signed as the node describes it.
	 *
	 * @param {Account} signer An account from `account`.
	 * @param {Call} call A call from `api.tx`.
	 * @param {{era?: number}} [options] `era` is the number of blocks for which the transaction is valid, 64 by default.
	 * @returns {Promise<Receipt>}
	 * @throws {CallRefused} if the chain refuses the call, in a block or before.
	 * @throws {NotIncluded} if the transaction is not included in a block.
	 * @throws {ConnectionLost} if the connection is lost before it is: it may still be.
	 * @throws {NotProven} `FalseMetadata` if the node gives calls another layout. Nothing was signed.
	 * @throws {import('./errors.mjs').Outdated} if they have another one because the chain was upgraded. Nothing was signed.
	 * @throws {import('./errors.mjs').OlderRuntime} if the chain's runtime is older than this library. Nothing was signed.
	 */
	async submit(signer, call, options = {}) {
		// Before anything is waited for: the node may replace its metadata at any time.
		const differs = this.layoutDifference();
		if (differs) throw errorOf(differs, await this.provenRuntime());
		const nonce = await this.#nextNonce(signer.address);
		/** @type {() => void} */
		let lose = () => undefined;
		const lost = new Promise((_, reject) => {
			lose = () => {
				this.#nonces.delete(signer.address);
				reject(new ConnectionLost());
			};
		});
		// The API makes a new connection, and follows no transaction over that.
		this.api.on('disconnected', lose);
		try {
			return await Promise.race([this.#included(signer, call, { ...options, nonce }), lost]);
		} finally {
			this.api.off('disconnected', lose);
		}
	}

	/**
	 * Sends a call, and waits until it is in a block.
	 *
	 * @param {Account} signer
	 * @param {Call} call
	 * @param {any} options
	 * @returns {Promise<Receipt>}
	 */
	#included(signer, call, options) {
		return new Promise((resolve, reject) => {
			call.signAndSend(signer, options, (result) => {
				const { dispatchError, internalError, status } = result;
				if (internalError) {
					reject(internalError);
				} else if (result.isError) {
					// The nonces assigned after this one are invalid too, so the next call asks the chain for a new
					// one.
					this.#nonces.delete(signer.address);
					reject(new NotIncluded(status.type));
				} else if (status.isInBlock || status.isFinalized) {
					// The API may skip states: `Finalized` may be the first that it reports.
					if (dispatchError) reject(this.refusal(dispatchError, result.blockNumber.toNumber()));
					else resolve(new Receipt(result));
				}
				// In any other state, including `Retracted`, the transaction is pending.
			}).catch((error) => {
				this.#nonces.delete(signer.address);
				reject(this.#rejection(call, error) ?? error);
			});
		});
	}

	/**
	 * Returns where the node's metadata differs from what this library knows of transactions, or null.
	 *
	 * @returns {import('./layout.mjs').Difference | null}
	 */
	layoutDifference() {
		const { registry, runtimeVersion } = this.api;
		return fromTable(registry.metadata, runtimeVersion.transactionVersion.toNumber());
	}

	/**
	 * Returns the version of the chain's runtime, if it is proven.
	 *
	 * @returns {Promise<number | null>}
	 */
	async provenRuntime() {
		return null;
	}

	/**
	 * Returns the error of a call that stores bytes and that the runtime rejected before it was in a block, because it can
	 * never succeed: of such an error, the node reports only the number.
	 *
	 * @param {Call} call
	 * @param {any} error
	 */
	#rejection({ method }, error) {
		const number = /Custom error: (\d+)/.exec(error?.message)?.[1];
		if (number === undefined || method.section !== 'dataSharing') return undefined;
		const known = Object.values(this.api.errors.dataSharing).find(({ meta }) => meta.index.toString() === number);
		return known && new CallRefused(known.meta.name.toString(), known.meta.docs.join(' ').trim());
	}

	/**
	 * Converts a dispatch error of a block to a `CallRefused` with the name and documentation from the chain's metadata.
	 *
	 * @param {import('@polkadot/types/interfaces').DispatchError} dispatchError
	 * @param {number} block
	 */
	refusal(dispatchError, block) {
		if (dispatchError.isModule) {
			const { name, docs } = this.api.registry.findMetaError(dispatchError.asModule);
			return new CallRefused(name, docs.join(' ').trim(), block);
		}
		const { type, value } = dispatchError;
		return new CallRefused(type, value.isEmpty ? type : `${type}: ${value}`, block);
	}

	/**
	 * Resolves when the block that includes the call is finalized.
	 *
	 * @param {Receipt} receipt
	 * @throws {Retracted} if another block was finalized in its place.
	 */
	async finalized({ block, blockHash }) {
		const { chain } = this.api.rpc;
		await new Promise((resolve, reject) => {
			const stop = chain.subscribeFinalizedHeads((header) => {
				if (header.number.toNumber() >= block) resolve(stop.then((end) => end()));
			});
			stop.catch(reject);
		});
		const finalized = (await chain.getBlockHash(block)).toHex();
		if (finalized !== blockHash) {
			const message = `Block ${block} was finalized as ${finalized}, but the call was in ${blockHash}: a later block may include it.`;
			throw new Retracted(message);
		}
	}

	/**
	 * Waits until the transactions of an account that the node has accepted so far are in blocks: those of a program that was
	 * killed may be on their way.
	 *
	 * @param {string} address
	 */
	async settled(address) {
		let stop;
		let end = Infinity;
		const look = async () => {
			// The node's count decreases when transactions are dropped.
			end = Math.min(end, (await this.api.rpc.system.accountNextIndex(address)).toNumber());
			return (await this.api.query.system.account(address)).nonce.toNumber() >= end;
		};
		await new Promise((resolve, reject) => {
			stop = this.api.rpc.chain.subscribeNewHeads(() => {
				look().then((isOver) => isOver && resolve(), reject);
			});
			stop.catch(reject);
		});
		(await stop)();
	}

	/** Returns an account's next nonce. Nonces are counted here because several calls may be in flight at once. */
	#nextNonce(address) {
		const nonce =
			this.#nonces.get(address)
			?? this.api.rpc.system.accountNextIndex(address).then((index) => index.toNumber());
		const next = nonce.then((n) => n + 1);
		next.catch(() => this.#nonces.delete(address));
		this.#nonces.set(address, next);
		return nonce;
	}
}
