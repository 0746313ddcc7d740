// SPDX-License-Identifier: Apache-2.0

// Attacks on a chain's blocks: starts the nodes, and lets isthmus-adversary carry out the attacks.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { adversary, NotCarriedOut } from './attack-program.mjs';
import { MasterSecret } from './envelope.mjs';
import { LocalNode } from './node.mjs';
import { Rpc, until } from './rpc.mjs';
import { Client, recordKey } from './sharing.mjs';
import { installKeys, identities, writeSpec } from './spec.mjs';

/**
 * How many honest blocks the forged blocks build on. One forged block has an uncle of the seventh generation, so it
 * needs this number.
 */
const BLOCKS = 9;
/** A chain whose blocks all have the same low difficulty, so that the longer fork is heavier and mining is instant. */
const FIXED = {
	ethash: 'development',
	difficultyRule: 'fixed',
	minimumDifficulty: '0x400',
	genesisDifficulty: '0x400',
};
/** A chain whose difficulty follows the timestamps, which the adversary chooses: they are all in the past. */
const homestead = (blocks) => ({
	ethash: 'development',
	difficultyRule: { homestead: { bomb: false } },
	minimumDifficulty: '0x400',
	genesisDifficulty: '0x1000',
	genesisTimestamp: Math.floor(Date.now() / 1000) - 60 * blocks,
});
/**
 * The extent of a full run: the attacker's share q, the depth z and the number of trials of each race without finality
 * (`races`) and with it (`final`); q and the number of blocks for selfish mining and for back-dating; and the limits of each flood.
 */
const WHOLE = {
	races: [
		[0.1, 1, 250],
		[0.1, 2, 250],
		[0.3, 1, 250],
		[0.3, 2, 250],
		[0.3, 3, 250],
		[0.3, 4, 250],
		[0.3, 6, 200],
		[0.3, 8, 150],
	],
	final: [0.3, 2, 150],
	selfish: [0.4, 1500],
	backDating: [0.3, 1500],
	flood: { messages: 10_000, seconds: 40 },
};
const SHORT = {
	races: [[0.3, 2, 15]],
	final: [0.3, 1, 6],
	selfish: [0.4, 60],
	backDating: [0.4, 60],
	flood: { messages: 500, seconds: 4 },
};
/** The number and size of the stored values that make block requests expensive. */
const [BULK_VALUES, BULK_BYTES] = [9, 1024 * 1024];
/** How long an attack may take, in milliseconds. */
const TIMEOUT = 1_200_000;

/**
 * With it, a node's log says why it ignores each block, and has every line: also those that strangers cause by the dozen, such
 * as a panic of the runtime.
 */
export const UNBOUNDED_LOG = ['-lpow=debug', '--enable-log-reloading'];

/**
 * Starts a node that mines a block per second and finalizes none, so that finality does not overtake forged blocks. Waits until it has the blocks that the attacks need.
 */
export async function victim(more = []) {
	const args = ['--dev', '--no-grandpa', '--heartbeat', '1', '--disable-log-color', ...more];
	const node = await LocalNode.start({ args });
	const rpc = await Rpc.connect(node.url);
	try {
		await rpc.bestFrom(BLOCKS);
	} finally {
		await rpc.disconnect();
	}
	return node;
}

/** Offers blocks that break one rule each. The program prints a line for each case; all cases form one outcome. */
async function forgedBlocks(folder, report) {
	const node = await victim(UNBOUNDED_LOG);
	const chain = ['--chain', 'dev', '--base-path', mkdtempSync(join(folder, 'maker-'))];
	try {
		const attack = ['refuse', '--rpc', node.url, '--log', node.logPath, '--mines', ...chain];
		const lines = await adversary(attack, TIMEOUT);
		report(forgedOutcome(lines.filter((line) => line.case !== undefined)));
	} finally {
		await node.stop();
	}
}

/** Combines the cases, each `{case, rule, logged, disconnected, held}`, into one outcome. */
export function forgedOutcome(cases) {
	const wrong = cases.filter(({ held }) => !held).map((one) => one.case.replaceAll('_', ' '));
	const named = cases.filter(({ rule }) => rule !== undefined);
	const held = cases.length > 0 && wrong.length === 0;
	return {
		attack: 'forged-block',
		title: 'Forged blocks, each breaking one rule',
		promise: 'Blocks are linked only if they pass Algorithm 2; a bad node is rejected (III.B, IV.A).',
		observed: held
			? 'Every block is refused, the log names the rule, and a peer that is at fault is disconnected; the node'
				+ ' keeps mining. A block from the future is ignored without penalising its peer; if sync fetches one, the'
				+ ' honest blocks behind it do not wait.'
			: `The node did not handle as it must: ${wrong.join(', ') || 'anything, as nothing was offered'}.`,
		figures: {
			blocks: cases.length,
			refused_by_the_name_of_a_rule: named.length,
			rules: new Set(named.map(({ rule }) => rule)).size,
			peers_disconnected: cases.filter(({ disconnected }) => disconnected).length,
		},
		held,
	};
}

/** Runs isthmus-adversary and reports the outcomes that it prints. */
async function runAndReport(report, args) {
	const outcomes = await adversary(args, TIMEOUT, report);
	if (outcomes.length === 0) throw new NotCarriedOut(`isthmus-adversary ${args[0]} reported no outcome`);
}

/** Stores large values, which make block requests expensive: together they exceed one response to a peer. */
export async function storeBulk(url) {
	const client = await Client.connect(url);
	try {
		const owner = client.account('//Bob');
		const master = MasterSecret.generate();
		const value = (leaf) => {
			const place = { dataset: 0, epoch: 0, leaf, key: recordKey(`bulk/${leaf}`) };
			return client.store(owner, master, place, Buffer.alloc(BULK_BYTES, leaf));
		};
		await client.register(owner, 'School', 'Bulk');
		await client.createDataset(owner, 'bulk');
		// Three at once, because the transaction pool has room for three.
		for (let leaf = 0; leaf < BULK_VALUES; leaf += 3) await Promise.all([leaf, leaf + 1, leaf + 2].map(value));
	} finally {
		await client.disconnect();
	}
}

/** Runs floods of every kind. Each line that the program prints is an outcome. */
async function floods({ messages, seconds }, report) {
	const node = await victim();
	const extent = ['--messages', String(messages), '--seconds', String(seconds)];
	const at = ['--rpc', node.url, '--pid', String(node.pid), '--log', node.logPath];
	try {
		await storeBulk(node.url);
		await runAndReport(report, ['flood', ...at, ...extent]);
	} finally {
		await node.stop();
	}
}

/** Honest nodes that are connected to one another and do not mine: isthmus-adversary mines for them. */
class HonestNodes {
	nodes = [];

	/**
	 * @param {{count: number, finality: boolean, parameters?: object}} options If `finality` is true, each node is a
	 *   verifier. `parameters` are the chain's consensus parameters.
	 */
	static async start(folder, { count, finality, parameters = FIXED }) {
		const honest = new HonestNodes();
		honest.folder = mkdtempSync(join(folder, 'nodes-'));
		const everyone = identities(count);
		honest.spec = await writeSpec(honest.folder, { verifiers: everyone, parameters });
		const addresses = [];
		try {
			for (const identity of everyone) {
				const basePath = join(honest.folder, identity.name);
				const peer = await installKeys(honest.spec, basePath, finality && identity);
				const args = ['--chain', honest.spec, '--no-mdns', finality ? '--validator' : '--no-grandpa'];
				if (addresses.length > 0) args.push('--bootnodes', ...addresses);
				const node = await LocalNode.start({ args, basePath });
				honest.nodes.push(node);
				addresses.push(`/ip4/127.0.0.1/tcp/${node.peerPort}/p2p/${peer}`);
			}
			for (const node of honest.nodes) {
				const rpc = await Rpc.connect(node.url);
				const all = async () => (await rpc.call('system_health')).peers >= count - 1;
				await until('the nodes are connected', all).finally(() => rpc.disconnect());
			}
		} catch (error) {
			await honest.stop();
			throw error;
		}
		return honest;
	}

	/** Attacks the nodes. */
	async attack(report, ...args) {
		const base = mkdtempSync(join(this.folder, 'adversary-'));
		const nodes = this.nodes.flatMap(({ url }) => ['--rpc', url]);
		await runAndReport(report, [...args.map(String), '--chain', this.spec, '--base-path', base, ...nodes]);
	}

	async stop() {
		await Promise.all(this.nodes.map((node) => node.stop()));
	}
}

/** Runs a mining attack on fresh nodes, because every block takes longer on a long chain without finality. */
async function attackFresh(folder, network, report, ...args) {
	const honest = await HonestNodes.start(folder, network);
	try {
		await honest.attack(report, ...args);
	} finally {
		await honest.stop();
	}
}

/** Races private forks without finality. */
async function races(folder, seed, courses, report) {
	for (const [q, z, trials] of courses) {
		const course = ['--q', q, '--z', z, '--trials', trials, '--seed', seed];
		await attackFresh(folder, { count: 2, finality: false }, report, 'race', ...course);
	}
}

/** Mines selfishly: withholds blocks. */
async function selfishMining(folder, seed, [q, blocks], report) {
	const course = ['--q', q, '--blocks', blocks, '--seed', seed];
	await attackFresh(folder, { count: 2, finality: false }, report, 'selfish', ...course);
}

/** Replaces late blocks by back-dated brothers, on a chain whose difficulty depends on the timestamps. */
async function backDating(folder, seed, [q, blocks], report) {
	const course = ['--q', q, '--blocks', blocks, '--seed', seed];
	const network = { count: 2, finality: false, parameters: homestead(blocks) };
	await attackFresh(folder, network, report, 'back-date', ...course);
}

/**
 * Races private forks against four verifiers. However heavy a fork is, it comes too late, because they have already
 * finalized the honest chain.
 */
async function finalRace(folder, seed, [q, z, trials], report) {
	const course = ['--q', q, '--z', z, '--trials', trials, '--seed', seed];
	await attackFresh(folder, { count: 4, finality: true }, report, 'race', ...course, '--final');
}

/**
 * Returns the attacks that use blocks, each with its name, for `carryOut`.
 *
 * @param {string} folder A folder for the nodes' data.
 * @param {{seed: string, short: boolean}} options With `short`, slow attacks make fewer attempts.
 */
export function blockAttacks(folder, { seed, short }) {
	const extent = short ? SHORT : WHOLE;
	return [
		['forged blocks', (report) => forgedBlocks(folder, report)],
		['private forks, finality off', (report) => races(folder, seed, extent.races, report)],
		['selfish mining', (report) => selfishMining(folder, seed, extent.selfish, report)],
		['back-dating', (report) => backDating(folder, seed, extent.backDating, report)],
		['private forks, finality on', (report) => finalRace(folder, seed, extent.final, report)],
		['floods', (report) => floods(extent.flood, report)],
	];
}
