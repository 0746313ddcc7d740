// SPDX-License-Identifier: Apache-2.0

// A network of nodes on this machine for tests. A test decides which of its nodes are connected.
//
// Each node reaches every other node through a link that the test can cut. In this way, a test can split and heal the
// network without changing this machine's network settings, and the nodes are ordinary peers of one another.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Link } from './link.mjs';
import { freePort, LocalNode } from './node.mjs';
import { Rpc, TIMEOUT, until } from './rpc.mjs';
import { Client } from './sharing.mjs';
import { installKeys, identities, writeSpec } from './spec.mjs';

/** The options of every node in a test network. A node knows no addresses except those of its links. */
const COMMON = ['--rpc-methods', 'unsafe', '--no-mdns', '--disable-log-color'];

/** A node of a network. */
export class Member {
	/** The node's name, account and vote key: see `identities`. */
	identity;
	/** The process. */
	local;
	/** A connection to the node. */
	rpc;
	/** The node's peer id. */
	peerId;
	/** The folder of the node's data and log. */
	basePath;
	/** Whether the node is running. */
	isUp = false;
	#peerPort;
	#client;

	/** Prepares a node without starting it. If `voter` is true, adds its vote key to its keystore. */
	static async prepare(chain, basePath, identity, voter) {
		const member = new Member();
		member.identity = identity;
		member.basePath = basePath;
		mkdirSync(basePath, { recursive: true });
		member.peerId = await installKeys(chain, basePath, voter && identity);
		member.#peerPort = await freePort();
		return member;
	}

	/** Starts the node and connects to it. */
	async start(args) {
		const { basePath } = this;
		this.local = await LocalNode.start({ args, basePath, peerPort: this.#peerPort });
		await this.#connect();
	}

	get name() {
		return this.identity.name;
	}

	/** The port for peers, also before the node is started. */
	get peerPort() {
		return this.local?.peerPort ?? this.#peerPort;
	}

	/** Returns a client that loads the chain's metadata. It connects on first use. */
	async client() {
		this.#client ??= Client.connect(this.local.url);
		return this.#client;
	}

	/** Closes the connections to the node. */
	async disconnect() {
		const client = this.#client;
		this.#client = undefined;
		await (await client?.catch(() => undefined))?.disconnect();
		await this.rpc?.disconnect();
	}

	/** Returns the ids of the node's peers. */
	async peers() {
		return (await this.rpc.call('system_peers')).map(({ peerId }) => peerId);
	}

	/** Kills the node with `kill -9`. Its folder remains. */
	async down() {
		this.isUp = false;
		await this.disconnect();
		await this.local.down();
	}

	/** Starts the node again with the same data. */
	async up() {
		await this.local.up();
		await this.#connect();
	}

	async #connect() {
		this.rpc = await Rpc.connect(this.local.url);
		this.isUp = true;
	}
}

/** The nodes of one chain. */
export class Network {
	/** The folder of the network's files, which is removed with the network. */
	folder;
	/** The chain specification file. */
	spec;
	/** @type {Member[]} */
	members = [];
	/** All nodes: the members, and the spare nodes that `add` starts. */
	#prepared = [];
	/** The links between the nodes, each with its two ends. */
	#links = [];
	/** The pairs of members that should be connected. */
	#pairs = [];

	/**
	 * Makes a chain and starts its nodes, each connected to every other node.
	 *
	 * @param {object} [options]
	 * @param {number} [options.verifiers] The number of genesis verifiers. Each has its own node.
	 * @param {number} [options.spare] The number of nodes that `add` can start later. They have no vote key yet.
	 * @param {(index: number) => string[]} [options.args] Returns further options for each node.
	 * @param {object} [options.parameters] Consensus parameters that differ from the `local` chain's.
	 * @param {object} [options.line] The links between the nodes: the latency, rate and loss of `Link.to`.
	 * @param {(genesis: object) => void} [options.edit] Edits the rest of the genesis configuration.
	 * @param {string} [options.code] The file of another runtime than the node's own.
	 * @param {Record<string, string>} [options.storage] Further entries of the genesis state, in hex.
	 * @param {(network: Network) => Promise<void>} [options.before] Called when everything is prepared, before any node
	 * starts.
	 * @param {(members: Member[]) => Member[][]} [options.groups] Returns the groups of nodes to connect; by default all
	 * nodes are in one group.
	 */
	static async start({
		verifiers = 4,
		spare = 0,
		args = () => [],
		parameters = {},
		line = {},
		edit,
		code,
		storage,
		before = async () => {},
		groups = (members) => [members],
	} = {}) {
		const network = new Network();
		network.folder = mkdtempSync(join(tmpdir(), 'isthmus-network-'));
		try {
			const everyone = identities(verifiers + spare);
			network.spec = await writeSpec(network.folder, {
				verifiers: everyone.slice(0, verifiers),
				parameters: { genesisTimestamp: Math.floor(Date.now() / 1000), ...parameters },
				edit,
				code,
				storage,
				chainType: { Custom: 'Test' },
			});
			network.#prepared = await Promise.all(
				everyone.map((identity, index) => {
					const basePath = join(network.folder, identity.name.toLowerCase());
					return Member.prepare(network.spec, basePath, identity, index < verifiers);
				}),
			);
			network.members = network.#prepared.slice(0, verifiers);
			for (const from of network.#prepared) {
				for (const to of network.#prepared) {
					if (from === to) continue;
					// Nodes exchange the addresses that they know, so a node could bypass a cut through another
					// node's link. A link can recognise the dialling node, because a node dials from its own
					// listening port.
					const others = network.#prepared.filter((member) => member !== from);
					const admits = (port) => !others.some(({ peerPort }) => peerPort === port);
					network.#links.push({ from, to, link: await Link.to(() => to.peerPort, { ...line, admits }) });
				}
			}
			await before(network);
			await Promise.all(network.members.map((member, index) => network.#start(member, args(index))));
			for (const group of groups(network.members)) await network.connect(...group);
		} catch (error) {
			await network.stop();
			throw error;
		}
		return network;
	}

	/** Starts the next spare node and connects it to all others. */
	async add(args = []) {
		const member = this.#prepared[this.members.length];
		this.members.push(member);
		await this.#start(member, args);
		await this.connect(...this.members);
		return member;
	}

	async #start(member, args) {
		const links = this.#links.filter(({ from }) => from === member);
		const addresses = links.map(({ link, to }) => `/ip4/127.0.0.1/tcp/${link.port}/p2p/${to.peerId}`);
		await member.start([
			...['--chain', this.spec, '--name', member.name, '--validator'],
			...['--bootnodes', ...addresses],
			...COMMON,
			...args,
		]);
	}

	/** Connects each of these nodes to all the others. */
	async connect(...members) {
		for (const pair of pairs(members)) {
			if (!this.#pairs.some((known) => same(known, pair))) this.#pairs.push(pair);
			for (const link of this.#between(pair)) link.open();
		}
		await this.#awaitConnected(pairs(members));
	}

	/** Splits the nodes into groups: the links between the groups are cut, and the links within each group remain. */
	async split(...groups) {
		const groupOf = (member) => groups.findIndex((group) => group.includes(member));
		const separated = this.#pairs.filter(([a, b]) => groupOf(a) !== groupOf(b));
		this.#pairs = this.#pairs.filter((pair) => !separated.includes(pair));
		for (const pair of separated) {
			for (const link of this.#between(pair)) link.cut();
		}
		await Promise.all(
			separated.map(([a, b]) =>
				until(`${a.name} and ${b.name} are disconnected`, async () => {
					const [ofA, ofB] = await Promise.all([a.peers(), b.peers()]);
					return !ofA.includes(b.peerId) && !ofB.includes(a.peerId);
				}),
			),
		);
	}

	/** Kills a node with `kill -9`. Its folder and links remain, so that it can return. */
	async down(member) {
		await member.down();
	}

	/** Starts a node again, and waits until it is connected to its former peers. */
	async up(member) {
		await member.up();
		await this.#awaitConnected(this.#pairs.filter((pair) => pair.includes(member)));
	}

	/** Resolves when a block with at least this number is finalized on each of these nodes, by default on all. */
	async finalizedFrom(number, members = this.members, within = TIMEOUT) {
		return Promise.all(members.map(({ rpc }) => rpc.finalizedFrom(number, within)));
	}

	/** Resolves when these nodes, by default all, have the same best block and it has at least this number. */
	async agree(number = 0, members = this.members, within = TIMEOUT) {
		return until(
			`one best block, of number ${number} or more`,
			async () => {
				const [first, ...others] = await Promise.all(members.map(({ rpc }) => rpc.best()));
				return first.number >= number && others.every(({ hash }) => hash === first.hash) && first;
			},
			within,
		);
	}

	/** Describes each node and prints the end of its log, for a failed test. */
	async report(lines = 25) {
		const parts = await Promise.all(
			this.members.map(async (member) => {
				const { name, local } = member;
				const heads = await Promise.all([member.rpc.best(), member.rpc.finalized(), member.peers()])
					.then(([best, finalized, peers]) => `best ${best.number}, finalized ${finalized.number}, ${peers.length} peers`)
					.catch((error) => `does not answer: ${error.message}`);
				return `--- ${name}: ${heads}; the end of its log:\n${local?.logTail(lines)}`;
			}),
		);
		return parts.join('\n');
	}

	/** Stops the nodes and removes their files. */
	async stop() {
		await Promise.all(
			this.members.map(async (member) => {
				await member.disconnect().catch(() => {});
				await member.local?.stop();
			}),
		);
		for (const { link } of this.#links) link.close();
		rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
	}

	/** Returns the links between the two members of a pair, in both directions. */
	#between(pair) {
		const links = this.#links.filter(({ from, to }) => same([from, to], pair));
		return links.map(({ link }) => link);
	}

	/** Waits until all of these pairs whose nodes are both running are connected. */
	async #awaitConnected(wanted) {
		const up = wanted.filter((pair) => pair.every(({ isUp }) => isUp));
		await Promise.all(
			up.map(([a, b]) =>
				until(`${a.name} and ${b.name} are connected`, async () => {
					const [ofA, ofB] = await Promise.all([a.peers(), b.peers()]);
					return ofA.includes(b.peerId) && ofB.includes(a.peerId);
				}),
			),
		);
	}
}

/** Returns whether two pairs have the same members. */
function same(pair, [a, b]) {
	return pair.includes(a) && pair.includes(b);
}

/** Returns all pairs of these members. */
function pairs(all) {
	return all.flatMap((a, index) => all.slice(index + 1).map((b) => [a, b]));
}

/**
 * Runs a step of a network test. If it fails, reports the state of the nodes.
 *
 * @param t The test's context.
 * @param {Network} network
 * @param {string} name
 * @param {(t) => Promise<void>} body
 */
export async function step(t, network, name, body) {
	let failed = false;
	await t.test(name, async (inner) => {
		const started = performance.now();
		try {
			await body(inner);
			inner.diagnostic(`${((performance.now() - started) / 1000).toFixed(0)} s`);
		} catch (error) {
			failed = true;
			inner.diagnostic(await network.report());
			throw error;
		}
	});
	// The steps share one network, so after a failure the remaining steps would prove nothing.
	if (failed) throw new Error(`"${name}" failed, and the steps after it were skipped`);
}
