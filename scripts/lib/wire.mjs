// SPDX-License-Identifier: Apache-2.0

// A proxy for tests, which cuts or silences the connections between a program and a node.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** A proxy that listens on the loopback interface and passes bytes to a node. */
export class Wire {
	/** The WebSocket address of the proxy. */
	url;
	#server;
	#sockets = new Set();
	#silent = false;
	/** How many bytes may still pass before the connections are cut. */
	#left = Infinity;

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
				if (this.#silent) return;
				this.#left -= data.length;
				if (this.#left >= 0) to.write(data);
				else this.cut();
			});
			from.on('error', () => undefined);
			from.on('close', () => {
				this.#sockets.delete(from);
				to.destroy();
			});
		}
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

	async stop() {
		this.cut();
		this.#server.close();
		await once(this.#server, 'close');
	}
}
