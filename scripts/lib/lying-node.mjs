// SPDX-License-Identifier: Apache-2.0

// A node that lies, for attacks on readers: it forwards every request to an honest node and changes the responses.

import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';

const truth = (_method, _params, result) => result;

/** A lying node that listens on the loopback interface. */
export class LyingNode {
	#server;
	#lie = truth;
	#lieOfEvent = (event) => event;
	#keep = () => undefined;
	#leaveOpen = () => false;
	#hold = () => undefined;

	/**
	 * @param {string} honest The WebSocket address of the honest node.
	 * @returns {Promise<LyingNode>}
	 */
	static async start(honest) {
		const node = new LyingNode();
		node.#server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
		node.#server.on('connection', (client) => node.#forward(client, honest));
		await once(node.#server, 'listening');
		return node;
	}

	/** The address that clients connect to. */
	get url() {
		return `ws://127.0.0.1:${this.#server.address().port}`;
	}

	/**
	 * Sets the function that replaces the honest node's results.
	 *
	 * @param {(method: string, params: unknown[], result: unknown) => unknown} lie `result` is undefined if the
	 * honest node answers with an error. If it returns an `Error`, the answer is one, with its `code`.
	 */
	setLie(lie) {
		this.#lie = lie;
	}

	/** Passes the honest node's results on as they are. */
	tellTruth() {
		this.#lie = truth;
	}

	/**
	 * Sets the function that replaces what subscriptions report.
	 *
	 * @param {(event: unknown) => unknown} lie If it returns `undefined`, nothing is reported.
	 */
	setLieOfEvent(lie) {
		this.#lieOfEvent = lie;
	}

	/**
	 * Sets the function that looks at each request before the honest node does.
	 *
	 * @param {(method: string, params: unknown[]) => Error | undefined} keep If it returns an `Error`, that is the answer, with
	 * its `code`, and the honest node is not asked.
	 */
	setKeep(keep) {
		this.#keep = keep;
	}

	/**
	 * Sets the function that says which requests are never answered. Pings are.
	 *
	 * @param {(method: string) => boolean} leaveOpen
	 */
	setSilence(leaveOpen) {
		this.#leaveOpen = leaveOpen;
	}

	/**
	 * Sets the function that says for how long each request is held back.
	 *
	 * @param {(method: string) => Promise<void> | undefined} hold The honest node is asked when this has resolved.
	 */
	setHold(hold) {
		this.#hold = hold;
	}

	/** Ends all connections. New ones can be made. */
	cut() {
		for (const client of this.#server.clients) client.terminate();
	}

	/** Closes all connections. */
	async stop() {
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#forward(client, honest) {
		const requests = new Map();
		const truth = new WebSocket(honest);
		const opened = once(truth, 'open');
		opened.catch(() => client.terminate());
		truth.on('error', () => client.terminate());
		truth.on('close', () => client.terminate());
		client.on('close', () => truth.terminate());
		client.on('message', async (data) => {
			const { id, method, params } = JSON.parse(data.toString());
			if (this.#leaveOpen(method)) return;
			const kept = this.#keep(method, params);
			if (kept) {
				client.send(JSON.stringify({ jsonrpc: '2.0', id, error: { code: kept.code, message: kept.message } }));
				return;
			}
			requests.set(id, { method, params });
			await opened.catch(() => undefined);
			await this.#hold(method);
			if (truth.readyState === WebSocket.OPEN) truth.send(data.toString());
		});
		truth.on('message', (data) => {
			const answer = JSON.parse(data.toString());
			const request = requests.get(answer.id);
			// Subscription notifications have no id.
			if (answer.params) {
				answer.params.result = this.#lieOfEvent(answer.params.result);
				if (answer.params.result === undefined) return;
			} else if (request) {
				requests.delete(answer.id);
				const lie = this.#lie(request.method, request.params, answer.result);
				// An error has no result. If the lie returns one, it replaces the error, and the other way round.
				if (lie instanceof Error) {
					answer.error = { code: lie.code, message: lie.message };
					delete answer.result;
				} else if (lie !== undefined) {
					answer.result = lie;
					delete answer.error;
				}
			}
			client.send(JSON.stringify(answer));
		});
	}
}

/** Returns whether a request asks for the metadata. */
export const asksForMetadata = (method, params) => method === 'state_getMetadata' || /^Metadata_/.test(params?.[0]);

/** Returns text as it is in metadata, in hex: its length and its bytes. */
const encoded = (text) => Buffer.from([text.length << 2, ...Buffer.from(text)]).toString('hex');

/**
 * Returns a pattern of a call with one argument in metadata, in hex. Its parts are what stands before the number of the
 * argument's type, the number, what stands between that and the call's index, and the index.
 */
const callPattern = ({ call, argument, type }) =>
	new RegExp(`(${encoded(call)}0401${encoded(argument)})((?:[0-9a-f]{2}){1,4}?)(01${encoded(type)}00)([0-9a-f]{2})`);

/**
 * Returns metadata, in hex, in which two calls with arguments of the same type have each other's index. `call` and `argument`
 * are names, and `type` is how the argument's type is called.
 *
 * @param {string} metadata
 * @param {{call: string, argument: string, type: string}} one
 * @param {{call: string, argument: string, type: string}} other
 */
export function exchanged(metadata, one, other) {
	const [ofOne, ofOther] = [one, other].map(callPattern);
	const indices = [ofOne, ofOther].map((pattern) => pattern.exec(metadata)?.[4]);
	// A version of the metadata is no metadata.
	if (indices.includes(undefined)) return metadata;
	return metadata
		.replace(ofOne, (_, before, type, between) => before + type + between + indices[1])
		.replace(ofOther, (_, before, type, between) => before + type + between + indices[0]);
}

/**
 * Returns metadata, in hex, in which a call's argument has the type of another call's.
 *
 * @param {string} metadata
 * @param {{call: string, argument: string, type: string}} call
 * @param {{call: string, argument: string, type: string}} other
 */
export function retyped(metadata, call, other) {
	const type = callPattern(other).exec(metadata)?.[2];
	if (type === undefined) return metadata;
	return metadata.replace(callPattern(call), (_, before, _type, between, index) => before + type + between + index);
}

/** Returns metadata, in hex, in which an extension of transactions has another name of the same length. */
export const renamedExtension = (metadata, from, to) => metadata.replaceAll(encoded(from), encoded(to));
