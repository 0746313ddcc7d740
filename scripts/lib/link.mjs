// SPDX-License-Identifier: Apache-2.0

// Links between nodes that can be cut: each node reaches another only through a port of this process, which forwards
// bytes while the link is open. To the nodes, a cut looks like a network failure. Cutting needs no privileges on this
// machine.

import { createServer, connect } from 'node:net';

/** A one-way link from one node to another. */
export class Link {
	#server;
	#sockets = new Set();
	#open = false;
	#latency;
	#admits;

	/** The port that leads to the target. */
	port;

	/**
	 * Makes a link to a port of this machine. The link is cut until `open` is called.
	 *
	 * @param {() => number} target Returns the port. Called for each connection.
	 * @param {object} [options]
	 * @param {number} [options.latency] The delay of the forwarded bytes, in milliseconds.
	 * @param {(port: number) => boolean} [options.admits] Returns whether to accept connections from this port.
	 */
	static async to(target, { latency = 0, admits = () => true } = {}) {
		const link = new Link();
		link.#latency = latency;
		link.#admits = admits;
		link.#server = createServer((near) => link.#forward(near, target()));
		await new Promise((resolve, reject) => {
			link.#server.once('error', reject);
			link.#server.listen(0, '127.0.0.1', resolve);
		});
		link.port = link.#server.address().port;
		return link;
	}

	/** Accepts connections from now on. */
	open() {
		this.#open = true;
	}

	/** Breaks all connections, and accepts no new ones from now on. */
	cut() {
		this.#open = false;
		for (const socket of this.#sockets) socket.destroy();
	}

	/** Cuts the link permanently. */
	close() {
		this.cut();
		this.#server.close();
	}

	#forward(near, targetPort) {
		if (!this.#open || !this.#admits(near.remotePort)) {
			near.destroy();
			return;
		}
		const far = connect(targetPort, '127.0.0.1');
		for (const [socket, other] of [[near, far], [far, near]]) {
			this.#sockets.add(socket);
			socket.setNoDelay(true);
			// A `close` event follows every error, and its handler ends the other socket too.
			socket.on('error', () => {});
			socket.on('close', () => {
				this.#sockets.delete(socket);
				other.destroy();
			});
			// Timers with the same delay fire in the order they were set, so the bytes stay in order.
			if (this.#latency === 0) socket.pipe(other);
			else socket.on('data', (bytes) => setTimeout(() => other.writable && other.write(bytes), this.#latency));
		}
	}
}
