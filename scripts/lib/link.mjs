// SPDX-License-Identifier: Apache-2.0

// Links between nodes that can be cut: each node reaches another only through a port of this process, which forwards
// bytes while the link is open. To the nodes a cut looks like a network failure, and it needs no privileges on this
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
	 * Makes a link to a port of this machine. It is cut until it is opened.
	 *
	 * @param {() => number} target Returns the port, at each connection.
	 * @param {object} [options]
	 * @param {number} [options.latency] The delay of each byte, in milliseconds.
	 * @param {(port: number) => boolean} [options.admits] Whether connections from this port are accepted.
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

	/** Breaks the connections, and accepts none from now on. */
	cut() {
		this.#open = false;
		for (const socket of this.#sockets) socket.destroy();
	}

	/** Cuts the link for good. */
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
			// `close` follows every error, and ends both sockets.
			socket.on('error', () => {});
			socket.on('close', () => {
				this.#sockets.delete(socket);
				other.destroy();
			});
			// Timers of equal length fire in the order in which they were set.
			if (this.#latency === 0) socket.pipe(other);
			else socket.on('data', (bytes) => setTimeout(() => other.writable && other.write(bytes), this.#latency));
		}
	}
}
