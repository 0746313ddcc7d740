// SPDX-License-Identifier: Apache-2.0

// A JSON-RPC client that does not load the chain's metadata. It is light enough to watch several nodes at once, block
// by block.

import { WsProvider } from '@polkadot/api';
import { TimedOut, TIMEOUT, until, within as inTime } from './waiting.mjs';

export { TimedOut, TIMEOUT, until };

/** The header subscriptions. `all` includes the headers of forks. */
const HEADS = {
	best: ['chain_newHead', 'chain_subscribeNewHeads', 'chain_unsubscribeNewHeads'],
	finalized: [
		'chain_finalizedHead',
		'chain_subscribeFinalizedHeads',
		'chain_unsubscribeFinalizedHeads',
	],
	all: ['chain_allHead', 'chain_subscribeAllHeads', 'chain_unsubscribeAllHeads'],
};

/** A connection to one node. */
export class Rpc {
	#provider;

	/** Connects to a node that is listening. */
	static async connect(url) {
		const rpc = new Rpc();
		// Do not reconnect automatically: a test that stops a node connects again after restarting it. By default, an answer
		// may take a minute.
		rpc.#provider = new WsProvider(url, false, {}, TIMEOUT);
		const lost = rpc.#lost(`connecting to ${url}`);
		try {
			await rpc.#provider.connect();
			await inTime(`a connection to ${url}`, Promise.race([rpc.#provider.isReady, lost.promise]));
		} finally {
			lost.forget();
		}
		return rpc;
	}

	/** Fails when the connection is lost, or none can be made: nothing else would say so to who waits for an event. */
	#lost(what) {
		let forget;
		const promise = new Promise((_, reject) => {
			forget = this.#provider.on('disconnected', () => reject(new Error(`the connection to the node is lost: ${what}`)));
		});
		promise.catch(() => undefined);
		return { promise, forget };
	}

	/** Calls a method. */
	async call(method, ...params) {
		return this.#provider.send(method, params);
	}

	async disconnect() {
		await this.#provider.disconnect();
	}

	/** Returns a header, by default the best block's, with its hash added and its number converted from hex. */
	async header(hash) {
		const of = hash ?? (await this.call('chain_getBlockHash'));
		return withHash(await this.call('chain_getHeader', of), of);
	}

	/** Returns the best block's header. */
	async best() {
		return this.header();
	}

	/** Returns the last finalized block's header. */
	async finalized() {
		return this.header(await this.call('chain_getFinalizedHead'));
	}

	/** Returns the hash of the best chain's block with this number, or `null` if there is none. */
	async hashAt(number) {
		return this.call('chain_getBlockHash', number);
	}

	/**
	 * Resolves with the first header of a subscription that satisfies the condition.
	 *
	 * @param {'best' | 'finalized' | 'all'} kind
	 * @param {(header: {number: number}) => boolean} condition
	 * @param {string} what Describes the awaited event, for the error.
	 */
	async headWhere(kind, condition, what, within = TIMEOUT) {
		const [type, subscribe, unsubscribe] = HEADS[kind];
		let id;
		const lost = this.#lost(`waiting for ${what}`);
		try {
			const found = new Promise((resolve, reject) => {
				const onHead = (error, header) => {
					if (error) return reject(error);
					const numbered = withHash(header);
					if (condition(numbered)) resolve(numbered);
				};
				this.#provider.subscribe(type, subscribe, [], onHead).then((given) => (id = given), reject);
			});
			return await inTime(what, Promise.race([found, lost.promise]), within);
		} finally {
			lost.forget();
			if (id !== undefined) await this.#provider.unsubscribe(type, unsubscribe, id).catch(() => {});
		}
	}

	/** Resolves when the best block has at least this number. */
	async bestFrom(number, within) {
		return this.headWhere('best', (head) => head.number >= number, `best block ${number}`, within);
	}

	/** Resolves when a block with at least this number is finalized. */
	async finalizedFrom(number, within) {
		const reached = (head) => head.number >= number;
		return this.headWhere('finalized', reached, `finalized block ${number}`, within);
	}
}

function withHash(header, hash) {
	return { ...header, number: Number(header.number), hash };
}
