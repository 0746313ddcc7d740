// SPDX-License-Identifier: Apache-2.0

// The `scripts/localnet` command: a network of nodes on this machine that runs until it is stopped.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort, LocalNode } from './lib/node.mjs';
import { Rpc, until } from './lib/rpc.mjs';
import { installKeys, identities, writeSpec } from './lib/spec.mjs';

/** The default number of nodes. */
const NODES = 4;
/** The maximum number of nodes in a network. Each needs about 150 MB of memory. */
const MAX_NODES = 16;
/** The hash rate limit of each node, in hashes per second. At first, four nodes find a block every 3 to 4 seconds. */
const HASH_RATE = 40_000;
/** The first ports to try, which are the node's defaults. */
const FIRST_RPC_PORT = 9944;
const FIRST_PEER_PORT = 30333;
/** How long a node may take to exit after SIGTERM, in milliseconds. */
const STOP_TIMEOUT = 60_000;

const FOLDER = join(
	process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'),
	'isthmus',
	'localnet',
);

const HELP = `Usage: scripts/localnet start [NODES] [--hash-rate LIMIT] [--dir DIR]
       scripts/localnet status|stop|clean [--dir DIR]

Runs a network on this machine: ${NODES} nodes unless you give another number (at most ${MAX_NODES}). Each mines and
verifies. The keys of their accounts (//Alice, //Bob, ...) are public: such a chain gives no security.

  start    create the chain and start its nodes; after \`stop\`, start them again with their data
  status   show each node's best and finalized block, peers and hash rate
  stop     stop the nodes and keep their data
  clean    stop the nodes and remove their files

  --hash-rate LIMIT   limit of each node, in hashes a second (${HASH_RATE})
  --dir DIR           folder of the chain, data and logs (${FOLDER})
  -h, --help          print this help

Example: scripts/localnet start && scripts/localnet status
`;

/** An error whose message is printed without a stack trace. */
class UsageError extends Error {}

/** The list of the network's nodes, which is kept in a file in the network's folder. */
class State {
	constructor(folder) {
		this.folder = resolve(folder);
		this.path = join(this.folder, 'localnet.json');
		this.nodes = existsSync(this.path) ? JSON.parse(readFileSync(this.path, 'utf8')).nodes : undefined;
	}

	get spec() {
		return join(this.folder, 'chain.json');
	}

	/** Returns the nodes' entries; fails if there is no network. */
	required() {
		if (!this.nodes) throw new UsageError(`there is no network in ${this.folder}: create one with scripts/localnet start`);
		return this.nodes;
	}

	save() {
		writeFileSync(this.path, `${JSON.stringify({ nodes: this.nodes }, null, '\t')}\n`);
	}
}

/** Returns whether a node is running. Its process id may have been reused, so its command line is checked too. */
function isRunning({ pid, basePath }) {
	if (!pid) return false;
	try {
		process.kill(pid, 0);
	} catch (error) {
		return error.code === 'EPERM';
	}
	const commandLine = `/proc/${pid}/cmdline`;
	return !existsSync(commandLine) || readFileSync(commandLine, 'utf8').split('\0').includes(basePath);
}

/** Creates the chain and the nodes' keys. */
async function create(state, count) {
	mkdirSync(state.folder, { recursive: true });
	const verifiers = identities(count);
	const parameters = { genesisTimestamp: Math.floor(Date.now() / 1000) };
	await writeSpec(state.folder, { verifiers, parameters });
	state.nodes = await Promise.all(
		verifiers.map(async (identity) => {
			const basePath = join(state.folder, identity.name.toLowerCase());
			const peerId = await installKeys(state.spec, basePath, identity);
			return { name: identity.name, account: identity.account, basePath, peerId };
		}),
	);
	for (const [index, node] of state.nodes.entries()) {
		node.port = await freePort(FIRST_RPC_PORT + index);
		node.peerPort = await freePort(FIRST_PEER_PORT + index);
	}
	state.save();
}

async function start(state, { count, hashRate }) {
	if (!state.nodes) await create(state, count ?? NODES);
	const { nodes } = state;
	if (count && count !== nodes.length) {
		throw new UsageError(
			`the network in ${state.folder} has ${nodes.length} nodes: leave the number out, or give another --dir`,
		);
	}
	// Replace ports that another program has taken before the nodes receive one another's addresses.
	const down = nodes.filter((node) => !isRunning(node));
	for (const node of down) {
		node.port = await freePort(node.port);
		node.peerPort = await freePort(node.peerPort);
	}
	const started = await Promise.all(
		down.map(async (node) => {
			const { account, basePath, name, peerPort, port } = node;
			const others = nodes.filter((other) => other !== node);
			const local = await LocalNode.start({
				...{ basePath, peerPort, port },
				args: [
					...['--chain', state.spec, '--name', name, '--validator', '--disable-log-color'],
					...['--mine', '--beneficiary', account, '--hash-rate', String(hashRate)],
					...['--rpc-cors', 'all', '--rpc-methods', 'unsafe'],
					// A single node has no peers to wait for.
					...(others.length === 0 ? ['--force-authoring'] : []),
					...others.flatMap((other) => ['--bootnodes', address(other)]),
				],
			});
			Object.assign(node, { pid: local.pid, port: local.port, peerPort: local.peerPort });
			return local;
		}),
	);
	state.save();
	// Until here, a failure or Ctrl-C kills the nodes that were started.
	for (const local of started) local.release();
	await status(state);
	const [first] = nodes;
	process.stdout.write(`
Polkadot.js  https://polkadot.js.org/apps/?rpc=ws://127.0.0.1:${first.port}
chain        ${state.spec}
             (another node joins with --chain, and --bootnodes ${address(first)})
data, logs   ${state.folder}/NAME/ and ${state.folder}/NAME/node.log
stop         scripts/localnet stop
`);
}

function address({ peerId, peerPort }) {
	return `/ip4/127.0.0.1/tcp/${peerPort}/p2p/${peerId}`;
}

async function status(state) {
	const rows = await Promise.all(state.required().map(row));
	const table = [['node', 'best', 'finalized', 'peers', 'hashes/s', 'RPC', 'process'], ...rows];
	const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
	for (const cells of table) {
		const line = cells.map((cell, column) => cell.padEnd(widths[column])).join('  ');
		process.stdout.write(`${line.trimEnd()}\n`);
	}
}

/** Returns a node's row of the table. */
async function row(node) {
	const { name, pid, port } = node;
	const url = `ws://127.0.0.1:${port}`;
	if (!isRunning(node)) return [name, '-', '-', '-', '-', url, 'stopped'];
	let rpc;
	try {
		rpc = await Rpc.connect(url);
		const [best, finalized, health, hashRate] = await Promise.all([
			rpc.best(),
			rpc.finalized(),
			rpc.call('system_health'),
			rpc.call('eth_hashrate'),
		]);
		const figures = [best.number, finalized.number, health.peers, Number(hashRate)];
		return [name, ...figures.map(String), url, String(pid)];
	} catch (error) {
		return [name, '-', '-', '-', '-', url, `${pid}, does not answer: ${error.message}`];
	} finally {
		await rpc?.disconnect();
	}
}

async function stop(state) {
	const running = state.required().filter(isRunning);
	for (const { pid } of running) process.kill(pid, 'SIGTERM');
	await Promise.all(
		running.map(async (node) => {
			const ended = () => !isRunning(node);
			await until(`${node.name} exits`, ended, STOP_TIMEOUT).catch(() => process.kill(node.pid, 'SIGKILL'));
			await until(`${node.name} is gone`, ended, STOP_TIMEOUT);
		}),
	);
	for (const node of state.nodes) delete node.pid;
	state.save();
	process.stderr.write(`stopped: ${running.map(({ name }) => name).join(', ') || 'nothing was running'}\n`);
}

async function clean(state) {
	await stop(state);
	// Remove only what `start` created, because DIR may contain other files.
	for (const { basePath } of state.nodes) rmSync(basePath, { recursive: true, force: true, maxRetries: 5 });
	for (const file of ['chain.json', 'chain.plain.json', 'localnet.json']) {
		rmSync(join(state.folder, file), { force: true });
	}
	process.stderr.write(`removed: the network in ${state.folder}\n`);
}

/** Parses a whole number from 1 to `most`. */
function whole(text, what, most) {
	const number = Number(text);
	if (/^\d+$/.test(text) && number >= 1 && number <= most) return number;
	throw new UsageError(`${what} must be a whole number from 1 to ${most}, not "${text}"`);
}

async function main() {
	let parsed;
	try {
		parsed = parseArgs({
			allowPositionals: true,
			options: {
				dir: { type: 'string', default: FOLDER },
				'hash-rate': { type: 'string', default: String(HASH_RATE) },
				help: { type: 'boolean', short: 'h' },
			},
		});
	} catch (error) {
		throw new UsageError(`${error.message} (see scripts/localnet --help)`);
	}
	const { positionals, values } = parsed;
	if (values.help) return process.stdout.write(HELP);
	const [command, count, ...more] = positionals;
	const state = new State(values.dir);
	const commands = {
		start: () =>
			start(state, {
				count: count === undefined ? undefined : whole(count, 'the number of nodes', MAX_NODES),
				hashRate: whole(values['hash-rate'], '--hash-rate', Number.MAX_SAFE_INTEGER),
			}),
		status: () => status(state),
		stop: () => stop(state),
		clean: () => clean(state),
	};
	const extra = command === 'start' ? more : [count, ...more].filter((word) => word !== undefined);
	if (!Object.hasOwn(commands, command ?? '') || extra.length > 0) {
		throw new UsageError('expected start [NODES], status, stop or clean (see scripts/localnet --help)');
	}
	await commands[command]();
}

try {
	await main();
} catch (error) {
	process.stderr.write(`error: ${error instanceof UsageError ? error.message : error.stack}\n`);
	process.exitCode = 1;
}
