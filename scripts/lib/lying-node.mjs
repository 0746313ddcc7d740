// SPDX-License-Identifier: Apache-2.0

// A node that lies: it passes on every question to an honest node, and changes answers on their way back.
// For attacks on readers.

import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';

/** A lying node that listens on the loopback interface. */
export class LyingNode {
	#server;
	#lie = (_method, _params, result) => result;

	/**
	 * @param {string} honest The WebSocket address of the node that knows the truth.
	 * @returns {Promise<LyingNode>}
	 */
	static async start(honest) {
		const node = new LyingNode();
		node.#server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
		node.#server.on('connection', (client) => node.#pass(client, honest));
		await once(node.#server, 'listening');
		return node;
	}

	/** Where clients connect. */
	get url() {
		return `ws://127.0.0.1:${this.#server.address().port}`;
	}

	/**
	 * Sets what is told in place of the truth.
	 *
	 * @param {(method: string, params: unknown[], result: unknown) => unknown} lie `result` is undefined where
	 * the honest node answers with an error.
	 */
	tell(lie) {
		this.#lie = lie;
	}

	/** Ends all connections. */
	async stop() {
		for (const client of this.#server.clients) client.terminate();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#pass(client, honest) {
		const questions = new Map();
		const truth = new WebSocket(honest);
		const opened = once(truth, 'open');
		opened.catch(() => client.terminate());
		truth.on('error', () => client.terminate());
		truth.on('close', () => client.terminate());
		client.on('close', () => truth.terminate());
		client.on('message', async (data) => {
			const { id, method, params } = JSON.parse(data.toString());
			questions.set(id, { method, params });
			await opened.catch(() => undefined);
			if (truth.readyState === WebSocket.OPEN) truth.send(data.toString());
		});
		truth.on('message', (data) => {
			const answer = JSON.parse(data.toString());
			const question = questions.get(answer.id);
			// Notifications of subscriptions have no id: they pass as they are.
			if (question) {
				questions.delete(answer.id);
				const told = this.#lie(question.method, question.params, answer.result);
				// An error has no result. Where the lie has one, it takes the error's place.
				if (told !== undefined) {
					answer.result = told;
					delete answer.error;
				}
			}
			client.send(JSON.stringify(answer));
		});
	}
}
