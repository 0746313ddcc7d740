// SPDX-License-Identifier: Apache-2.0

// Runs Isthmus nodes for the demo and the tests, as child processes that listen on this machine only. rpc.mjs and
// sharing.mjs talk to them.

import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { atExit } from './child.mjs';

/** How long a node may take to answer its first RPC, in milliseconds. */
const START_TIMEOUT = 300_000;
/** How long a node may take to exit after SIGTERM, in milliseconds. This, too, only ends hangs. */
const STOP_TIMEOUT = 60_000;
/** How long a program at the node's port may take to answer, in milliseconds: it is asked again. */
const ANSWER_TIMEOUT = 10_000;
/** How often to poll a starting node, in milliseconds. */
const POLL_INTERVAL = 50;

/** The maximum number of bytes that a program may print: a chain specification has a few million. */
const MAX_OUTPUT = 64 * 1024 * 1024;

/**
 * The ports of nodes: blocks of 100, the first of which a process holds to have the others for itself. They are below those
 * that the system gives to programs that ask for any port (on Linux from 32768 on). So no other program takes a port after
 * it was found free and before the node listens there, or while the node is restarted.
 */
const [FIRST_PORT, BLOCKS, BLOCK] = [10_000, 200, 100];

/** The nodes to kill when this process exits. */
const running = new Set();

/** The ports of this process's blocks that were not returned yet, and what holds the blocks. */
const ports = [];
const held = [];
let holding;

/** Returns the path of the node's program. */
function binary() {
	const path = process.env.ISTHMUS_NODE;
	if (!path) throw new Error('set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it)');
	return path;
}

/** Returns a free port on the loopback interface: `wanted` if it is free, otherwise one that no one else gets. */
export async function freePort(wanted = 0) {
	if (wanted && (await isFree(wanted))) return wanted;
	for (;;) {
		if (ports.length === 0) await (holding ??= holdBlock().finally(() => (holding = undefined)));
		const port = ports.shift();
		if (port && (await isFree(port))) return port;
	}
}

/** Holds a block of ports until this process exits. */
async function holdBlock() {
	for (let attempt = 0; attempt < 10 * BLOCKS; attempt++) {
		const first = FIRST_PORT + BLOCK * Math.floor(Math.random() * BLOCKS);
		const server = await listen(first);
		if (!server) continue;
		// It does not keep this process running.
		held.push(server.unref());
		for (let port = first + 1; port < first + BLOCK; port++) ports.push(port);
		return;
	}
	throw new Error(`other programs listen at ports ${FIRST_PORT} to ${FIRST_PORT + BLOCK * BLOCKS}: end some of them`);
}

/** Returns whether no one listens at a port of the loopback interface. */
async function isFree(port) {
	const server = await listen(port);
	await new Promise((resolve) => (server ? server.close(resolve) : resolve()));
	return server !== undefined;
}

/** Listens at a port of the loopback interface; resolves with undefined if that is not possible. */
function listen(port) {
	return new Promise((resolve) => {
		const server = createServer();
		server.once('error', () => resolve(undefined));
		server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
	});
}

/** Runs the node's program until it exits; returns its output and its exit code. */
export function runToEnd(args, timeout = START_TIMEOUT) {
	return new Promise((resolve, reject) => {
		const options = { timeout, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT };
		execFile(binary(), args, options, (error, stdout, stderr) => {
			if (error?.killed) {
				const printed = `${stdout}${stderr}`.slice(-2000);
				reject(new Error(`the node did not exit within ${timeout / 1000} s: ${args.join(' ')}\nIts output ends with:\n${printed}`));
			} else resolve({ code: error?.code ?? 0, stdout, stderr });
		});
	});
}

/** Returns the processor time that a node has used, in seconds. */
export function processorTime(node) {
	const [, fields] = readFileSync(`/proc/${node.pid}/stat`, 'utf8').match(/\) (.*)/);
	// Linux reports it in ticks of 10 ms.
	const [user, system] = fields.split(' ').slice(11, 13).map(Number);
	return (user + system) / 100;
}

/** A node that runs as a child process and listens on the loopback interface. */
export class LocalNode {
	#args;
	#binary;
	#child;
	#ownsFolder;
	#ended;
	/** Whether the node answers, and was not asked to end. */
	#isWanted = false;

	/** The JSON-RPC port. */
	port;
	/** The port that peers connect to. */
	peerPort;
	/** The port of the metrics, if they are served. */
	metricsPort;
	/** The folder of the chain's data. */
	basePath;
	/** The node's log file. */
	logPath;
	/** The `performance.now()` at which the process was started. */
	startedAt;
	/** Resolves with a sentence that explains the exit when the process exits, for any reason. */
	exited;

	/**
	 * Starts a node and waits until it answers.
	 *
	 * @param {object} [options]
	 * @param {string[]} [options.args] The command-line options, including the chain.
	 * @param {string} [options.basePath] The folder for the chain's data; by default a new temporary folder, which is
	 * removed when the node is stopped.
	 * @param {number} [options.port] The preferred JSON-RPC port; by default, or if it is taken, any free port.
	 * @param {number} [options.peerPort] The preferred port for peers; by default, or if it is taken, any free port.
	 * @param {boolean} [options.metrics] Whether to serve metrics.
	 * @param {string} [options.program] The program; by default the one that ISTHMUS_NODE names.
	 * @returns {Promise<LocalNode>}
	 */
	static async start({ args = ['--dev'], basePath, port = 0, peerPort = 0, metrics = false, program = binary() } = {}) {
		const node = new LocalNode();
		node.#binary = program;
		node.#ownsFolder = basePath === undefined;
		node.basePath = basePath ?? mkdtempSync(join(tmpdir(), 'isthmus-node-'));
		node.logPath = join(node.basePath, 'node.log');
		node.port = await freePort(port);
		node.peerPort = await freePort(peerPort);
		if (metrics) node.metricsPort = await freePort();
		node.#args = [
			...args,
			...['--base-path', node.basePath, '--rpc-port', String(node.port)],
			...['--listen-addr', `/ip4/127.0.0.1/tcp/${node.peerPort}`, '--no-telemetry'],
			...(metrics ? ['--prometheus-port', String(node.metricsPort)] : ['--no-prometheus']),
		];
		await node.#spawn();
		return node;
	}

	/** The address that clients connect to. */
	get url() {
		return `ws://127.0.0.1:${this.port}`;
	}

	/** The process id. */
	get pid() {
		return this.#child.pid;
	}

	/** Returns the last lines of the node's log. */
	logTail(lines = 15) {
		return readFileSync(this.logPath, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
	}

	/** Asks the node to exit, and waits until it has exited. */
	async stop() {
		this.#isWanted = false;
		this.#child.kill('SIGTERM');
		await Promise.race([this.exited, pause(STOP_TIMEOUT, undefined, { ref: false })]);
		await this.kill();
	}

	/** Kills the node with `kill -9`, and waits until it has exited. */
	async kill() {
		await this.#end();
		this.#forget();
	}

	/** Kills the node with `kill -9`, and starts it again with the same command line and folder. */
	async killAndRestart() {
		await this.down();
		await this.up();
	}

	/** Kills the node with `kill -9`. The folder remains for `up`. */
	async down() {
		await this.#end();
	}

	/** Starts the node again after `down`, with the same command line and folder. */
	async up() {
		await this.#spawn();
	}

	/** Lets the node outlive this process. */
	release() {
		running.delete(this);
		this.#child.unref();
	}

	/** Kills all nodes without waiting for them, because this process is exiting. */
	static endAll() {
		for (const node of running) {
			node.#isWanted = false;
			node.#child.kill('SIGKILL');
			node.#forget();
		}
	}

	#forget() {
		running.delete(this);
		if (this.#ownsFolder) rmSync(this.basePath, { recursive: true, force: true, maxRetries: 5 });
	}

	async #end() {
		this.#isWanted = false;
		this.#child.kill('SIGKILL');
		await this.exited;
	}

	async #spawn() {
		atExit(LocalNode.endAll);
		mkdirSync(this.basePath, { recursive: true });
		const log = openSync(this.logPath, 'a');
		this.#ended = undefined;
		this.startedAt = performance.now();
		// The node gets its own process group: Ctrl-C reaches only this process, which then kills its nodes.
		this.#child = spawn(this.#binary, this.#args, { stdio: ['ignore', log, log], detached: true });
		closeSync(log);
		running.add(this);
		this.exited = new Promise((resolve) => {
			const end = (sentence) => {
				this.#ended = sentence;
				// A test that waits for something of this node is to show why that does not come.
				if (this.#isWanted && process.env.NODE_TEST_CONTEXT) {
					const tail = existsSync(this.logPath) ? this.logTail() : '';
					console.error(`${sentence}; the end of its log:\n${tail}`);
				}
				resolve(sentence);
			};
			this.#child.once('error', (error) => end(`the node could not be started: ${error.message}`));
			this.#child.once('exit', (code, signal) => end(`the node exited (${signal ?? `exit code ${code}`})`));
		});
		try {
			await this.#ready();
			this.#isWanted = true;
		} catch (error) {
			const tail = this.logTail();
			if (this.#child.pid) await this.kill();
			else this.#forget();
			throw new Error(`${error.message}; the end of its log:\n${tail}`);
		}
	}

	async #ready() {
		const until = performance.now() + START_TIMEOUT;
		while (!(await this.#answers())) {
			if (this.#ended) throw new Error(this.#ended);
			if (performance.now() > until) {
				throw new Error(`the node did not answer within ${START_TIMEOUT / 1000} s`);
			}
			await pause(POLL_INTERVAL);
		}
	}

	async #answers() {
		const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'system_health', params: [] });
		const headers = { 'content-type': 'application/json' };
		try {
			const signal = AbortSignal.timeout(ANSWER_TIMEOUT);
			const answer = await fetch(`http://127.0.0.1:${this.port}`, { method: 'POST', headers, body, signal });
			return (await answer.json()).result !== undefined;
		} catch {
			return false;
		}
	}
}
