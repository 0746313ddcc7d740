// SPDX-License-Identifier: Apache-2.0

// A connection to a node, for `@polkadot/api`, that answers from a recording and can change the answers.

import { WsProvider } from '@polkadot/api';

/** Where a client would wait for a block, which a recording never has. */
export class Waits extends Error {
	name = 'Waits';
}

/** A client sent a transaction. It is kept, and no node gets it. */
export class Kept extends Error {
	name = 'Kept';
}

/** A connection whose answers are those that a real node gave to the same questions before. What was never asked is asked then. */
export class LyingProvider extends WsProvider {
	/** The answers, by method and parameters. */
	#recorded = new Map();
	#isRecording = false;
	/** @type {(method: string, result: any) => any} */
	#lie = (_method, result) => result;
	/** @type {string[]} The transactions that were sent since the recording began, in hex. */
	kept = [];

	/** Answers from the recording from now on, and keeps transactions. */
	record() {
		this.#isRecording = true;
	}

	/**
	 * Sets the function that replaces the node's answers.
	 *
	 * @param {(method: string, result: any) => any} lie
	 */
	setLie(lie) {
		this.#lie = lie;
	}

	/** @override */
	async send(method, params, isCacheable, subscription) {
		if (!this.#isRecording) return super.send(method, params, isCacheable, subscription);
		const question = JSON.stringify([method, params]);
		if (!this.#recorded.has(question)) this.#recorded.set(question, await super.send(method, params, false));
		return this.#lie(method, structuredClone(this.#recorded.get(question)));
	}

	/** @override */
	async subscribe(type, method, params, callback) {
		if (!this.#isRecording) return super.subscribe(type, method, params, callback);
		if (!/submit/i.test(method)) throw new Waits(`${method} waits for a block`);
		this.kept.push(params[0]);
		throw new Kept('the transaction is kept');
	}
}
