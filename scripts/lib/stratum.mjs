// SPDX-License-Identifier: Apache-2.0

// Stratum workers for tests, in both dialects, written from NiceHash's specification and from what ethminer sends.

import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { RUN, within } from './waiting.mjs';

/** The boundary of difficulty 1 in EthereumStratum/1.0.0. */
const DIFFICULTY_1 = 0xffffn << 208n;
/** Difficulties are fractions: they are scaled by 2^52 to compute with integers. */
const SCALE = 52n;

/** A connection of lines, each a JSON object. */
class Connection {
	#socket;
	#answers = new Map();
	#pushed = [];
	#wake = () => {};
	#id = 0;

	/** Resolves when the node has closed the connection. */
	closed;

	constructor(socket) {
		this.#socket = socket;
		this.closed = once(socket, 'close');
		socket.on('error', () => {});
		socket.once('close', () => this.#wake());
		createInterface({ input: socket }).on('line', (line) => this.#receive(JSON.parse(line)));
	}

	static async open(port) {
		const socket = connect(port, '127.0.0.1');
		await once(socket, 'connect');
		return new this(socket);
	}

	/** Sends bytes as they are. */
	write(bytes) {
		this.#socket.write(bytes);
	}

	/** Calls a method; returns the whole answer, or `undefined` if the node closes the connection instead. */
	async call(method, params = [], rest = {}) {
		const id = (this.#id += 1);
		const answered = new Promise((resolve) => this.#answers.set(id, resolve));
		this.write(`${JSON.stringify({ id, method, params, ...rest })}\n`);
		return within(`an answer to ${method}`, Promise.race([answered, this.closed.then(() => undefined)]), RUN);
	}

	/** Returns the next message that is not an answer and passes the test; earlier ones are dropped. */
	async pushed(test = () => true) {
		for (;;) {
			while (this.#pushed.length) {
				const message = this.#pushed.shift();
				if (test(message)) return message;
			}
			if (this.#socket.destroyed) throw new Error('the node closed the connection');
			await within('a message of the node', new Promise((resolve) => (this.#wake = resolve)), RUN);
		}
	}

	close() {
		this.#socket.destroy();
	}

	#receive(message) {
		const answer = this.#answers.get(message.id);
		this.#answers.delete(message.id);
		if (answer) return answer(message);
		this.#pushed.push(message);
		this.#wake();
	}
}

/** A worker that speaks EthereumStratum/1.0.0. */
export class NiceHashWorker extends Connection {
	#extranonce;
	#difficulty;

	/** Subscribes and logs in; returns the answer to the login. */
	async logIn(name, password = 'x') {
		const { result } = await this.call('mining.subscribe', ['test/1.0.0', 'EthereumStratum/1.0.0']);
		this.#extranonce = result[1];
		return this.call('mining.authorize', [name, password]);
	}

	/** Returns the next work as `{ job, package }`; the package is as `eth_getWork` has it. */
	async work() {
		const { params } = await this.pushed((message) => {
			if (message.method === 'mining.set_difficulty') [this.#difficulty] = message.params;
			return message.method === 'mining.notify';
		});
		const scaled = BigInt(Math.round(this.#difficulty * 2 ** Number(SCALE)));
		const boundary = (DIFFICULTY_1 << SCALE) / scaled;
		const hex = `0x${boundary.toString(16).padStart(64, '0')}`;
		return { job: params[0], package: [`0x${params[2]}`, `0x${params[1]}`, hex] };
	}

	/** The first nonce that this worker may try. */
	get firstNonce() {
		return BigInt(`0x${this.#extranonce.padEnd(16, '0')}`);
	}

	/** Submits a nonce; returns the answer. */
	async submit({ job }, [nonce]) {
		return this.call('mining.submit', ['test', job, nonce.slice(2 + this.#extranonce.length)]);
	}
}

/** A worker that speaks eth-proxy's dialect. */
export class EthProxyWorker extends Connection {
	#last;

	/** Logs in; returns the answer. */
	async logIn(name, password = 'x') {
		return this.call('eth_submitLogin', [name, password], { worker: 'rig' });
	}

	/** Returns work that it has not returned before, as `{ package }`. */
	async work() {
		let { result } = await this.call('eth_getWork');
		while (result[0] === this.#last) ({ result } = await this.pushed());
		this.#last = result[0];
		return { package: result };
	}

	firstNonce = 0n;

	/** Submits a seal; returns the answer. */
	async submit(_, seal) {
		return this.call('eth_submitWork', seal, { worker: 'rig' });
	}
}
