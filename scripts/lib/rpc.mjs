// SPDX-License-Identifier: Apache-2.0

// A JSON-RPC client that does not load the chain's metadata. It is light enough to watch several nodes at once, block
// by block.

import { setTimeout as pause } from 'node:timers/promises';
import { WsProvider } from '@polkadot/api';

/**
 * How long to wait for an event that should happen soon, in milliseconds. This limit only ends hangs; it does not test
 * speed.
 */
export const TIMEOUT = 300_000;
/** How often to poll for changes that no subscription reports, in milliseconds. */
const POLL_INTERVAL = 100;

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

/** An awaited event did not happen in time. */
export class TimedOut extends Error {
	name = 'TimedOut';
}

/** Calls `probe` until its result is truthy, and returns the result. Use this for changes that no event reports. */
export async function until(what, probe, within = TIMEOUT) {
	const end = performance.now() + within;
	for (;;) {
		const answer = await probe();
		if (answer) return answer;
		if (performance.now() > end) throw new TimedOut(`not within ${within / 1000} s: ${what}`);
		await pause(POLL_INTERVAL);
	}
}

/** A connection to one node. */
export class Rpc {
	#provider;

	/** Connects to a node that is listening. */
	static async connect(url) {
		const rpc = new Rpc();
		// Do not reconnect automatically: a test that stops a node connects again after restarting it. By default, an answer
		// may take a minute.
		rpc.#provider = new WsProvider(url, false, {}, TIMEOUT);
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
		let timer;
		try {
			return await new Promise((resolve, reject) => {
				timer = setTimeout(
					() => reject(new TimedOut(`not within ${within / 1000} s: ${what}`)),
					within,
				);
				const onHead = (error, header) => {
					if (error) return reject(error);
					const numbered = withHash(header);
					if (condition(numbered)) resolve(numbered);
				};
				this.#provider.subscribe(type, subscribe, [], onHead).then((given) => (id = given), reject);
			});
		} finally {
			clearTimeout(timer);
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
