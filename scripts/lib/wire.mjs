// SPDX-License-Identifier: Apache-2.0

// A proxy for tests, which cuts or silences the connections between a program and a node.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { RUN, within } from './waiting.mjs';

/** A proxy that listens on the loopback interface and passes bytes to a node. */
export class Wire {
	/** The WebSocket address of the proxy. */
	url;
	#server;
	#sockets = new Set();
	#silent = false;
	/** The connections that pass nothing any more. */
	#forgotten = new WeakSet();
	/** How many bytes may still pass before the connections are cut. */
	#left = Infinity;
	/** How many bytes have passed, and who waits for how many. */
	#passed = 0;
	#waiting = [];

	/** Starts a proxy in front of the node with this WebSocket address. */
	static async start(node) {
		const wire = new this();
		const { hostname, port } = new URL(node);
		wire.#server = createServer((near) => wire.#pass(near, connect(Number(port), hostname)));
		wire.#server.listen(0, '127.0.0.1');
		await once(wire.#server, 'listening');
		wire.url = `ws://127.0.0.1:${wire.#server.address().port}`;
		return wire;
	}

	#pass(near, far) {
		for (const [from, to] of [[near, far], [far, near]]) {
			this.#sockets.add(from);
			from.on('data', (data) => {
				if (this.#silent || this.#forgotten.has(from)) return;
				this.#left -= data.length;
				if (this.#left >= 0) to.write(data);
				else this.cut();
				this.#count(data.length);
			});
			from.on('error', () => undefined);
			from.on('close', () => {
				this.#sockets.delete(from);
				to.destroy();
			});
		}
	}

	#count(bytes) {
		this.#passed += bytes;
		const isDue = ({ at }) => at <= this.#passed;
		for (const { resolve } of this.#waiting.filter(isDue)) resolve();
		this.#waiting = this.#waiting.filter((one) => !isDue(one));
	}

	/** Resolves when this number of bytes more has passed, in both directions together. */
	passed(bytes) {
		const passed = new Promise((resolve) => this.#waiting.push({ at: this.#passed + bytes, resolve }));
		return within(`${bytes} bytes more pass`, passed, RUN, () => `; ${this.#passed} have passed`);
	}

	/** Ends all connections when more than this number of bytes has passed, in both directions together. */
	cutAfter(bytes) {
		this.#left = bytes;
	}

	/** Ends all connections. New ones can be made. */
	cut() {
		this.#left = Infinity;
		for (const socket of this.#sockets) socket.destroy();
	}

	/** Passes nothing any more, and keeps the connections open, as when a cable is pulled. Or passes bytes again. */
	silence(silent = true) {
		this.#silent = silent;
	}

	/** Passes nothing any more over the present connections, and keeps them open. New ones pass. */
	forget() {
		for (const socket of this.#sockets) this.#forgotten.add(socket);
	}

	async stop() {
		this.cut();
		this.#server.close();
		await once(this.#server, 'close');
	}
}
