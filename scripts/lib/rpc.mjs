// SPDX-License-Identifier: Apache-2.0

// A node's JSON-RPC without the chain's metadata: light enough to watch several nodes at once, block by block.

import { setTimeout as pause } from 'node:timers/promises';
import { WsProvider } from '@polkadot/api';

/** How long to wait, in milliseconds, for what should happen soon. It ends what hangs, and is no bound on speed. */
export const PATIENCE = 300_000;
/** How often something is asked for that no subscription tells, in milliseconds. */
const ASK_EVERY = 100;

/** The subscriptions to headers. `all` tells forks too. */
const HEADS = {
	best: ['chain_newHead', 'chain_subscribeNewHeads', 'chain_unsubscribeNewHeads'],
	finalized: [
		'chain_finalizedHead',
		'chain_subscribeFinalizedHeads',
		'chain_unsubscribeFinalizedHeads',
	],
	all: ['chain_allHead', 'chain_subscribeAllHeads', 'chain_unsubscribeAllHeads'],
};

/** Something awaited did not happen in time. */
export class TooLong extends Error {
	name = 'TooLong';
}

/** Asks until the answer is true, and returns it. For what no event tells. */
export async function until(what, ask, within = PATIENCE) {
	const end = performance.now() + within;
	for (;;) {
		const answer = await ask();
		if (answer) return answer;
		if (performance.now() > end) throw new TooLong(`not within ${within / 1000} s: ${what}`);
		await pause(ASK_EVERY);
	}
}

/** A connection to one node. */
export class Rpc {
	#provider;

	/** Connects to a node that listens. */
	static async connect(url) {
		const rpc = new Rpc();
		// No reconnecting: a node that was stopped on purpose is connected to anew.
		rpc.#provider = new WsProvider(url, false);
		await rpc.#provider.connect();
		await rpc.#provider.isReady;
		return rpc;
	}

	/** Calls a method. */
	async call(method, ...params) {
		return this.#provider.send(method, params);
	}

	async disconnect() {
		await this.#provider.disconnect();
	}

	/** A header with its hash and its number as a number; the best one if no hash is given. */
	async header(hash) {
		const of = hash ?? (await this.call('chain_getBlockHash'));
		return withHash(await this.call('chain_getHeader', of), of);
	}

	/** The best block's header. */
	async best() {
		return this.header();
	}

	/** The last final block's header. */
	async finalized() {
		return this.header(await this.call('chain_getFinalizedHead'));
	}

	/** The hash of the best chain's block of this number, or `null`. */
	async hashAt(number) {
		return this.call('chain_getBlockHash', number);
	}

	/**
	 * Resolves with the first header that a subscription tells and the condition holds for.
	 *
	 * @param {'best' | 'finalized' | 'all'} kind
	 * @param {(header: {number: number}) => boolean} condition
	 * @param {string} what What is awaited, for the error.
	 */
	async headWhere(kind, condition, what, within = PATIENCE) {
		const [type, subscribe, unsubscribe] = HEADS[kind];
		let id;
		let timer;
		try {
			return await new Promise((resolve, reject) => {
				timer = setTimeout(
					() => reject(new TooLong(`not within ${within / 1000} s: ${what}`)),
					within,
				);
				const told = (error, header) => {
					if (error) return reject(error);
					const numbered = withHash(header);
					if (condition(numbered)) resolve(numbered);
				};
				this.#provider.subscribe(type, subscribe, [], told).then((given) => (id = given), reject);
			});
		} finally {
			clearTimeout(timer);
			if (id !== undefined) await this.#provider.unsubscribe(type, unsubscribe, id).catch(() => {});
		}
	}

	/** Resolves once the best block has at least this number. */
	async bestFrom(number, within) {
		return this.headWhere('best', (head) => head.number >= number, `best block ${number}`, within);
	}

	/** Resolves once a block of at least this number is final. */
	async finalizedFrom(number, within) {
		const reached = (head) => head.number >= number;
		return this.headWhere('finalized', reached, `final block ${number}`, within);
	}
}

function withHash(header, hash) {
	return { ...header, number: Number(header.number), hash };
}
