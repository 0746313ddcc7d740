// SPDX-License-Identifier: Apache-2.0

// Links between nodes that can be cut: a node reaches another one only through a port of this process, which passes
// bytes on, or does not. To the nodes it looks like a network that fails, and needs no rights on this machine.

import { createServer, connect } from 'node:net';

/** A way from one node to another. */
export class Link {
	#server;
	#sockets = new Set();
	#open = false;
	#latency;
	#admits;

	/** The port that leads to the target. */
	port;

	/**
	 * A link to a port of this machine. It is cut until it is opened.
	 *
	 * @param {() => number} target The port, asked for at each connection.
	 * @param {object} [options]
	 * @param {number} [options.latency] How long each byte is under way, in milliseconds.
	 * @param {(port: number) => boolean} [options.admits] Whether what comes from this port may pass.
	 */
	static async to(target, { latency = 0, admits = () => true } = {}) {
		const link = new Link();
		link.#latency = latency;
		link.#admits = admits;
		link.#server = createServer((near) => link.#pass(near, target()));
		await new Promise((resolve, reject) => {
			link.#server.once('error', reject);
			link.#server.listen(0, '127.0.0.1', resolve);
		});
		link.port = link.#server.address().port;
		return link;
	}

	/** Lets connections through from now on. */
	open() {
		this.#open = true;
	}

	/** Breaks the connections, and lets none through from now on. */
	cut() {
		this.#open = false;
		for (const socket of this.#sockets) socket.destroy();
	}

	/** Cut for ever. */
	close() {
		this.cut();
		this.#server.close();
	}

	#pass(near, targetPort) {
		if (!this.#open || !this.#admits(near.remotePort)) {
			near.destroy();
			return;
		}
		const far = connect(targetPort, '127.0.0.1');
		for (const [socket, other] of [[near, far], [far, near]]) {
			this.#sockets.add(socket);
			socket.setNoDelay(true);
			// An error is followed by the closing, and that ends both.
			socket.on('error', () => {});
			socket.on('close', () => {
				this.#sockets.delete(socket);
				other.destroy();
			});
			// Timers of one length end in the order in which they began.
			if (this.#latency === 0) socket.pipe(other);
			else socket.on('data', (bytes) => setTimeout(() => other.writable && other.write(bytes), this.#latency));
		}
	}
}
