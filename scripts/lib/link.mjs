// SPDX-License-Identifier: Apache-2.0

// Links between nodes that can be slow, and can be cut: each node reaches another only through a port of this process,
// which forwards bytes while the link is open. To the nodes, a cut looks like a network failure. None of this needs
// privileges on this machine.

import { createServer, connect } from 'node:net';

/**
 * The maximum number of bytes that wait for their turn on a slow link, in each direction. Beyond it, the sender has to
 * wait.
 */
const MAX_WAITING = 1024 * 1024;

/** How long it takes until a lost piece is sent again, in milliseconds. It is the minimum of Linux's TCP. */
const RESEND_AFTER = 200;

/** A one-way link from one node to another. */
export class Link {
	#server;
	#sockets = new Set();
	#open = false;
	/** The connections that wait, if new ones do. */
	#held;
	#latency;
	#admits;
	#pipes;
	#target;

	/** The port that leads to the target. */
	port;

	/**
	 * Makes a link to a port of this machine. The link is cut until `open` is called.
	 *
	 * @param {() => number} target Returns the port. Called for each connection.
	 * @param {object} [options]
	 * @param {number} [options.latency] The delay of the forwarded bytes, in milliseconds.
	 * @param {number} [options.rate] The maximum number of bytes per second in each direction, over all connections.
	 * @param {number} [options.loss] The share of pieces that are lost and sent again, from 0 to 1.
	 * @param {() => number} [options.random] Returns a random number from 0 to 1, which decides what is lost.
	 * @param {(port: number) => boolean} [options.admits] Returns whether to accept connections from this port.
	 */
	static async to(target, { latency = 0, rate = Infinity, loss = 0, random = Math.random, admits = () => true } = {}) {
		const link = new Link();
		link.#latency = latency;
		link.#admits = admits;
		link.#pipes = [0, 1].map(() => new Pipe({ rate, loss, random }));
		link.#server = createServer((near) => {
			link.#sockets.add(near);
			// A `close` event follows every error.
			near.on('error', () => {});
			near.on('close', () => link.#sockets.delete(near));
			if (link.#held) link.#held.push(near);
			else link.#forward(near, target());
		});
		link.#target = target;
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

	/** Lets connections that are made from now on wait until `release` is called, with all that is sent over them. */
	hold() {
		this.#held ??= [];
	}

	/** Ends what `hold` began. */
	release() {
		const held = this.#held ?? [];
		this.#held = undefined;
		for (const near of held) if (!near.destroyed) this.#forward(near, this.#target());
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
		for (const [socket, other, pipe] of [[near, far, this.#pipes[0]], [far, near, this.#pipes[1]]]) {
			this.#sockets.add(socket);
			socket.setNoDelay(true);
			// A `close` event follows every error, and its handler ends the other socket too.
			socket.on('error', () => {});
			socket.on('close', () => {
				this.#sockets.delete(socket);
				other.destroy();
			});
			if (this.#latency === 0 && pipe.isPerfect) socket.pipe(other);
			else this.#forwardLate(socket, other, pipe);
		}
	}

	/** Forwards each piece when the pipe has let it through and it has travelled the link. */
	#forwardLate(socket, other, pipe) {
		const pieces = [];
		let waiting = 0;
		socket.on('data', (bytes) => {
			pieces.push(bytes);
			waiting += bytes.length;
			if (waiting > MAX_WAITING) socket.pause();
			setTimeout(() => {
				// Timers that are due at the same time may fire in any order, but the bytes must stay in order.
				const next = pieces.shift();
				waiting -= next.length;
				if (waiting <= MAX_WAITING) socket.resume();
				if (other.writable) other.write(next);
			}, pipe.enter(bytes.length) + this.#latency);
		});
	}
}

/**
 * One direction of a link. It lets a limited number of bytes per second through. When a piece is lost, everything
 * behind it waits until it is sent again, as on a TCP connection.
 */
class Pipe {
	#rate;
	#loss;
	#random;
	/** When the pipe has let everything through that has entered it, in milliseconds. */
	#freeAt = 0;

	constructor({ rate, loss, random }) {
		this.#rate = rate;
		this.#loss = loss;
		this.#random = random;
	}

	get isPerfect() {
		return this.#rate === Infinity && this.#loss === 0;
	}

	/** Adds bytes to the pipe; returns how long they take to leave it, in milliseconds. */
	enter(bytes) {
		const now = performance.now();
		const again = this.#loss > 0 && this.#random() < this.#loss ? RESEND_AFTER : 0;
		this.#freeAt = Math.max(now, this.#freeAt) + (bytes / this.#rate) * 1000 + again;
		return this.#freeAt - now;
	}
}
