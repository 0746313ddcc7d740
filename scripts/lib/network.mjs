// SPDX-License-Identifier: Apache-2.0

// A network of nodes on this machine, for the tests: its nodes, and who of them is
// connected to whom.
//
// Each node reaches each other one through a link that the test can cut: so a network can be split and healed
// without touching this machine's network, and the nodes are ordinary peers of one another, as in the wild.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Link } from './link.mjs';
import { freePort, LocalNode } from './node.mjs';
import { PATIENCE, Rpc, until } from './rpc.mjs';
import { Client } from './sharing.mjs';
import { giveKeys, identities, writeSpec } from './spec.mjs';

/** What every node of a test's network has on its command line. It knows of no addresses but its links. */
const COMMON = ['--rpc-methods', 'unsafe', '--no-mdns', '--disable-log-color'];

/** A node of a network. */
export class Member {
	/** Name, account and voter's key: see `identities`. */
	identity;
	/** The process. */
	local;
	/** A connection to the node. */
	rpc;
	/** The node's identity among peers. */
	peerId;
	/** Where the node's data and log are. */
	basePath;
	/** Whether it runs. */
	isUp = false;
	#peerPort;
	#client;

	/** A node that is prepared but not started; `voter`: its keystore has the key that it votes with. */
	static async prepare(chain, basePath, identity, voter) {
		const member = new Member();
		member.identity = identity;
		member.basePath = basePath;
		mkdirSync(basePath, { recursive: true });
		member.peerId = await giveKeys(chain, basePath, voter && identity);
		member.#peerPort = await freePort();
		return member;
	}

	/** Starts the node, and connects to it. */
	async start(args) {
		const { basePath } = this;
		this.local = await LocalNode.start({ args, basePath, peerPort: this.#peerPort });
		await this.#connect();
	}

	get name() {
		return this.identity.name;
	}

	/** The port that it listens on for peers, or will. */
	get peerPort() {
		return this.local?.peerPort ?? this.#peerPort;
	}

	/** A client that knows the chain's metadata. Made when it is first asked for. */
	async client() {
		this.#client ??= Client.connect(this.local.url);
		return this.#client;
	}

	/** Ends the connections to the node. */
	async disconnect() {
		const client = this.#client;
		this.#client = undefined;
		await (await client?.catch(() => undefined))?.disconnect();
		await this.rpc?.disconnect();
	}

	/** The peer ids that the node exchanges blocks with. */
	async peers() {
		return (await this.rpc.call('system_peers')).map(({ peerId }) => peerId);
	}

	/** `kill -9`. The folder stays. */
	async down() {
		this.isUp = false;
		await this.disconnect();
		await this.local.down();
	}

	/** Starts the node again where it was. */
	async up() {
		await this.local.up();
		await this.#connect();
	}

	async #connect() {
		this.rpc = await Rpc.connect(this.local.url);
		this.isUp = true;
	}
}

/** Nodes of one chain. */
export class Network {
	/** The folder that everything is in; it goes with the network. */
	folder;
	/** The chain's specification, in a file. */
	spec;
	/** @type {Member[]} */
	members = [];
	/** Every node that there may be: those of `members`, and those that `add` starts. */
	#prepared = [];
	/** The ways between them: who to whom. */
	#links = [];
	/** Pairs of members that are to be connected. */
	#pairs = [];

	/**
	 * Makes a chain and starts its nodes, each connected to every other.
	 *
	 * @param {object} [options]
	 * @param {number} [options.verifiers] How many genesis verifiers there are. Each is a node.
	 * @param {number} [options.spare] How many nodes more `add` may start. They have no voter's key yet.
	 * @param {(index: number) => string[]} [options.args] What more goes on a node's command line.
	 * @param {object} [options.parameters] Consensus parameters other than the `local` chain's.
	 * @param {number} [options.latency] How long what nodes tell each other is under way, in milliseconds.
	 * @param {(genesis: object) => void} [options.edit] Changes more of the genesis configuration.
	 * @param {(network: Network) => Promise<void>} [options.before] Called when all is there and nothing runs.
	 * @param {(members: Member[]) => Member[][]} [options.groups] Whom to connect with whom; all with all if not given.
	 */
	static async start({
		verifiers = 4,
		spare = 0,
		args = () => [],
		parameters = {},
		latency = 0,
		edit,
		before = async () => {},
		groups = (members) => [members],
	} = {}) {
		const network = new Network();
		network.folder = mkdtempSync(join(tmpdir(), 'isthmus-network-'));
		try {
			const who = identities(verifiers + spare);
			network.spec = await writeSpec(network.folder, {
				verifiers: who.slice(0, verifiers),
				parameters: { genesisTimestamp: Math.floor(Date.now() / 1000), ...parameters },
				edit,
				chainType: 'Live',
			});
			network.#prepared = await Promise.all(
				who.map((identity, index) => {
					const basePath = join(network.folder, identity.name.toLowerCase());
					return Member.prepare(network.spec, basePath, identity, index < verifiers);
				}),
			);
			network.members = network.#prepared.slice(0, verifiers);
			for (const from of network.#prepared) {
				for (const to of network.#prepared) {
					if (from === to) continue;
					// Nodes tell each other the addresses that they know, so that one would go around a cut by
					// another's link. A node dials from the port that it listens on.
					const others = network.#prepared.filter((member) => member !== from);
					const admits = (port) => !others.some(({ peerPort }) => peerPort === port);
					network.#links.push({ from, to, link: await Link.to(() => to.peerPort, { latency, admits }) });
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

	/** Starts the next spare node, and connects it to all others. */
	async add(args = []) {
		const member = this.#prepared[this.members.length];
		this.members.push(member);
		await this.#start(member, args);
		await this.connect(...this.members);
		return member;
	}

	async #start(member, args) {
		const ways = this.#links.filter(({ from }) => from === member);
		const addresses = ways.map(({ link, to }) => `/ip4/127.0.0.1/tcp/${link.port}/p2p/${to.peerId}`);
		await member.start([
			...['--chain', this.spec, '--name', member.name, '--validator'],
			...['--bootnodes', ...addresses],
			...COMMON,
			...args,
		]);
	}

	/** Connects each of these nodes to each other of them. */
	async connect(...members) {
		for (const pair of pairs(members)) {
			if (!this.#pairs.some((known) => same(known, pair))) this.#pairs.push(pair);
			for (const link of this.#between(pair)) link.open();
		}
		await this.#settle(pairs(members));
	}

	/** Parts the nodes into groups: within each, all links stay; between them, none does. */
	async split(...groups) {
		const groupOf = (member) => groups.findIndex((group) => group.includes(member));
		const parted = this.#pairs.filter(([a, b]) => groupOf(a) !== groupOf(b));
		this.#pairs = this.#pairs.filter((pair) => !parted.includes(pair));
		for (const pair of parted) {
			for (const link of this.#between(pair)) link.cut();
		}
		await Promise.all(
			parted.map(([a, b]) =>
				until(`${a.name} and ${b.name} are apart`, async () => {
					const [ofA, ofB] = await Promise.all([a.peers(), b.peers()]);
					return !ofA.includes(b.peerId) && !ofB.includes(a.peerId);
				}),
			),
		);
	}

	/** Ends a node with `kill -9`. Its folder and its links stay for when it returns. */
	async down(member) {
		await member.down();
	}

	/** Starts a node again, and waits until it is connected to the peers that it had. */
	async up(member) {
		await member.up();
		await this.#settle(this.#pairs.filter((pair) => pair.includes(member)));
	}

	/** Resolves once a block of at least this number is final on each of these nodes, or on all. */
	async finalizedFrom(number, members = this.members, within = PATIENCE) {
		return Promise.all(members.map(({ rpc }) => rpc.finalizedFrom(number, within)));
	}

	/** Resolves once all of these nodes, or all, have the same best block, of at least this number. */
	async agree(number = 0, members = this.members, within = PATIENCE) {
		return until(
			`one best block, of number ${number} or more`,
			async () => {
				const [first, ...others] = await Promise.all(members.map(({ rpc }) => rpc.best()));
				return first.number >= number && others.every(({ hash }) => hash === first.hash) && first;
			},
			within,
		);
	}

	/** What each node says, and the end of its log: for a test that failed. */
	async report(lines = 25) {
		const parts = await Promise.all(
			this.members.map(async (member) => {
				const { name, local } = member;
				const heads = await Promise.all([member.rpc.best(), member.rpc.finalized(), member.peers()])
					.then(([best, final, peers]) => `best ${best.number}, final ${final.number}, ${peers.length} peers`)
					.catch((error) => `does not answer: ${error.message}`);
				return `--- ${name}: ${heads}; the end of its log:\n${local?.logTail(lines)}`;
			}),
		);
		return parts.join('\n');
	}

	/** Ends the nodes, and removes what they wrote. */
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

	/** The links between two members, both ways. */
	#between(pair) {
		const links = this.#links.filter(({ from, to }) => same([from, to], pair));
		return links.map(({ link }) => link);
	}

	/** Waits until these pairs, as far as they run, are connected. */
	async #settle(wanted) {
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

/** Whether two pairs are of the same members. */
function same(pair, [a, b]) {
	return pair.includes(a) && pair.includes(b);
}

/** Every two of the given. */
function pairs(all) {
	return all.flatMap((a, index) => all.slice(index + 1).map((b) => [a, b]));
}

/**
 * A step of a test on a network: what fails says what the nodes were doing.
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
	// The steps share one network: what comes after a failure would tell nothing.
	if (failed) throw new Error(`"${name}" failed, and the steps after it were left out`);
}
