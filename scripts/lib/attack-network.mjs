// SPDX-License-Identifier: Apache-2.0

// Attacks on a chain's blocks: nodes are started for them here, and isthmus-adversary carries them out.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { adversary, NotCarriedOut } from './attack-program.mjs';
import { MasterSecret } from './envelope.mjs';
import { LocalNode } from './node.mjs';
import { Rpc, until } from './rpc.mjs';
import { Client, recordKey } from './sharing.mjs';
import { giveKeys, identities, writeSpec } from './spec.mjs';

/** The forged blocks need so many true ones: uncles of the seventh generation are among them. */
const BLOCKS = 9;
/** A chain whose blocks all weigh the same, so that the longer fork is the heavier one, and are made at once. */
const FIXED = {
	ethash: 'development',
	difficultyRule: 'fixed',
	minimumDifficulty: '0x400',
	genesisDifficulty: '0x400',
};
/** Races by q, z and how many, without finality and with it; and how many blocks are mined selfishly. */
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
	flood: { messages: 10_000, seconds: 40 },
};
const SHORT = {
	races: [[0.3, 2, 15]],
	final: [0.3, 1, 6],
	selfish: [0.4, 60],
	flood: { messages: 500, seconds: 4 },
};
/** The values that blocks are asked for with, and their bytes. */
const [BULK_VALUES, BULK_BYTES] = [9, 1024 * 1024];
/** After how many milliseconds an attack is taken to hang. */
const TIMEOUT = 600_000;

/** A node that mines a block a second, tells why it leaves blocks aside, and finalizes none. */
async function victim() {
	const args = ['--dev', '--no-grandpa', '--heartbeat', '1', '-lpow=debug', '--disable-log-color'];
	const node = await LocalNode.start({ args });
	const rpc = await Rpc.connect(node.url);
	try {
		await rpc.bestFrom(BLOCKS);
	} finally {
		await rpc.disconnect();
	}
	return node;
}

/** Blocks that break one rule each, from a peer. The program prints a line a case, and the outcome is theirs. */
async function forgedBlocks(folder, tell) {
	const node = await victim();
	const chain = ['--chain', 'dev', '--base-path', mkdtempSync(join(folder, 'maker-'))];
	try {
		const attack = ['refuse', '--rpc', node.url, '--log', node.logPath, '--mines', ...chain];
		const lines = await adversary(attack, TIMEOUT);
		tell(forgedOutcome(lines.filter((line) => line.case !== undefined)));
	} finally {
		await node.stop();
	}
}

/** The outcome of all the cases, each `{case, rule, logged, disconnected, held}`. */
export function forgedOutcome(cases) {
	const wrong = cases.filter(({ held }) => !held).map((one) => one.case.replaceAll('_', ' '));
	const named = cases.filter(({ rule }) => rule !== undefined);
	const held = cases.length > 0 && wrong.length === 0;
	return {
		attack: 'forged-block',
		title: 'Forged blocks, each breaking one rule',
		promise: 'Blocks are linked only if they pass Algorithm 2; a bad node is rejected (III.B, IV.A).',
		observed: held
			? 'Every one is refused, the log names the rule, and the peer is parted with where it is at fault; the node'
				+ ' goes on mining. A block from the future is left aside, and blames nobody; where sync fetches one, the'
				+ ' honest blocks behind it do not wait.'
			: `The node did not do what it must with: ${wrong.join(', ') || 'anything, as nothing was offered'}.`,
		figures: {
			blocks: cases.length,
			refused_by_the_name_of_a_rule: named.length,
			rules: new Set(named.map(({ rule }) => rule)).size,
			peers_parted_with: cases.filter(({ disconnected }) => disconnected).length,
		},
		held,
	};
}

/** Runs isthmus-adversary, and tells the outcomes that it prints. */
async function told(tell, args) {
	const outcomes = await adversary(args, TIMEOUT, tell);
	if (outcomes.length === 0) throw new NotCarriedOut(`isthmus-adversary ${args[0]} told no outcome`);
}

/** Stores large values, so that the node's blocks are worth asking for: more than one answer to a peer holds. */
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
		// No more at a time than a pool surely holds.
		for (let leaf = 0; leaf < BULK_VALUES; leaf += 3) await Promise.all([leaf, leaf + 1, leaf + 2].map(value));
	} finally {
		await client.disconnect();
	}
}

/** Floods of every kind. Each line of the program is an outcome. */
async function floods({ messages, seconds }, tell) {
	const node = await victim();
	const extent = ['--messages', String(messages), '--seconds', String(seconds)];
	const at = ['--rpc', node.url, '--pid', String(node.pid), '--log', node.logPath];
	try {
		await storeBulk(node.url);
		await told(tell, ['flood', ...at, ...extent]);
	} finally {
		await node.stop();
	}
}

/** Honest nodes that are connected with each other, and mine nothing by themselves: isthmus-adversary does. */
class HonestNodes {
	nodes = [];

	/** @param {{count: number, finality: boolean}} options With finality, each node is a verifier. */
	static async start(folder, { count, finality }) {
		const honest = new HonestNodes();
		honest.folder = mkdtempSync(join(folder, 'nodes-'));
		const who = identities(count);
		honest.spec = await writeSpec(honest.folder, { verifiers: who, parameters: FIXED });
		const addresses = [];
		try {
			for (const identity of who) {
				const basePath = join(honest.folder, identity.name);
				const peer = await giveKeys(honest.spec, basePath, finality && identity);
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

	/** Attacks them. */
	async attacked(tell, ...args) {
		const base = mkdtempSync(join(this.folder, 'adversary-'));
		const nodes = this.nodes.flatMap(({ url }) => ['--rpc', url]);
		await told(tell, [...args.map(String), '--chain', this.spec, '--base-path', base, ...nodes]);
	}

	async stop() {
		await Promise.all(this.nodes.map((node) => node.stop()));
	}
}

/** An attack by mining on nodes of its own: on a long chain of which nothing is final, every block takes longer. */
async function attacked(folder, network, tell, ...args) {
	const honest = await HonestNodes.start(folder, network);
	try {
		await honest.attacked(tell, ...args);
	} finally {
		await honest.stop();
	}
}

/** Private forks without finality. */
async function races(folder, seed, courses, tell) {
	for (const [q, z, trials] of courses) {
		const course = ['--q', q, '--z', z, '--trials', trials, '--seed', seed];
		await attacked(folder, { count: 2, finality: false }, tell, 'race', ...course);
	}
}

/** Blocks withheld. */
async function selfishMining(folder, seed, [q, blocks], tell) {
	const course = ['--q', q, '--blocks', blocks, '--seed', seed];
	await attacked(folder, { count: 2, finality: false }, tell, 'selfish', ...course);
}

/** Private forks against four verifiers: as heavy as they may be, they come after the votes. */
async function finalRace(folder, seed, [q, z, trials], tell) {
	const course = ['--q', q, '--z', z, '--trials', trials, '--seed', seed];
	await attacked(folder, { count: 4, finality: true }, tell, 'race', ...course, '--final');
}

/**
 * The attacks by blocks, each with its name, for `carryOut`.
 *
 * @param {string} folder Where nodes may keep their chains.
 * @param {{seed: string, short: boolean}} options `short` makes fewer tries of what takes long.
 */
export function blockAttacks(folder, { seed, short }) {
	const extent = short ? SHORT : WHOLE;
	return [
		['forged blocks', (tell) => forgedBlocks(folder, tell)],
		['private forks, finality off', (tell) => races(folder, seed, extent.races, tell)],
		['selfish mining', (tell) => selfishMining(folder, seed, extent.selfish, tell)],
		['private forks, finality on', (tell) => finalRace(folder, seed, extent.final, tell)],
		['floods', (tell) => floods(extent.flood, tell)],
	];
}
