// SPDX-License-Identifier: Apache-2.0

// Measures how many transfers per second a node takes into blocks. They are signed in advance and submitted as fast as
// the node takes them. If STOCK_NODE names another program with pallet-balances and a `--dev` chain, it is measured in
// turn with ours, in the same run. If NODES is given, a network of this number of our nodes, which mine and vote, is measured as
// well. If PROFILE names a folder, ours is measured once more with `perf`.

import { join } from 'node:path';
import { fund, included, sign, submit } from './load.mjs';
import { Network } from './network.mjs';
import { LocalNode, processorTime } from './node.mjs';
import { Profile } from './profile.mjs';
import { Rpc } from './rpc.mjs';
import { Client } from './sharing.mjs';
import { identities } from './spec.mjs';
import { judged } from './target.mjs';

/** How many transfers each node gets, how many accounts send them, and how often each node is measured. */
const [transfers = 20_000, senders = 20, rounds = 3] = process.argv.slice(2).map(Number);
const SENDERS = Array.from({ length: senders }, (_, index) => `//Sender//${index}`);
/** What each of them receives first, in the smallest unit. */
const FUNDS = 1_000_000_000_000_000n;
/** How many nodes a network has, if one is measured, and the hash rate of each of them. */
const [NODES, HASH_RATE] = [Number(process.env.NODES ?? 0), 1000];
/** By what factor our node should take more transfers a second than the stock node. */
const TARGET = 1.2;

/** The programs to measure. */
const PROGRAMS = [
	{ name: 'isthmus-node', program: process.env.ISTHMUS_NODE, args: ['--dev', '--heartbeat', '1'] },
	...(process.env.STOCK_NODE ? [{ name: 'stock node', program: process.env.STOCK_NODE, args: ['--dev'] }] : []),
];

/** Measures one program on a new chain; with samples in the file `samples`, if one is named. */
async function measure({ program, args }, samples) {
	const node = await LocalNode.start({ program, args });
	try {
		return await measureOn([node], samples);
	} finally {
		await node.stop();
	}
}

/** Measures a network of our nodes on a new chain, which makes a block a second. */
async function measureNetwork(nodes) {
	const accounts = identities(nodes).map(({ account }) => account);
	const difficulty = `0x${(nodes * HASH_RATE).toString(16)}`;
	const network = await Network.start({
		verifiers: nodes,
		parameters: { genesisDifficulty: difficulty, minimumDifficulty: difficulty },
		args: (index) => ['--mine', '--beneficiary', accounts[index], '--hash-rate', String(HASH_RATE)],
	});
	try {
		return await measureOn(network.members.map(({ local }) => local));
	} finally {
		await network.stop();
	}
}

/** Submits the transfers to these nodes of one chain, and waits until the first of them has all of them in blocks. */
async function measureOn(nodes, samples) {
	const client = await Client.connect(nodes[0].url);
	const rpcs = await Promise.all(nodes.map((node) => Rpc.connect(node.url)));
	const [rpc] = rpcs;
	const spent = () => nodes.reduce((sum, node) => sum + processorTime(node), 0);
	try {
		await fund(client, '//Alice', SENDERS, FUNDS);
		const to = client.account('//Bob').address;
		const batches = await sign(client, SENDERS, transfers / senders, () => client.api.tx.balances.transferKeepAlive(to, 1));
		const profile = samples && (await Profile.start(nodes[0].pid, samples));
		const [first, before] = [await rpc.best(), spent()];
		const sent = await submit(rpcs, batches);
		const rest = await included(nodes[0].url, batches);
		const [last, after] = [await rpc.best(), spent()];
		const seconds = sent.seconds + rest.seconds;
		const counts = { missing: rest.missing, blocks: last.number - first.number, processor: after - before };
		return { rate: sent.accepted / seconds, seconds, ...counts, spent: await profile?.end() };
	} finally {
		await Promise.all(rpcs.map((one) => one.disconnect()));
		await client.disconnect();
	}
}

/** Prints the figures of a program. */
function print(name, { rate, seconds, missing, blocks, processor }) {
	console.log(
		`${name.padEnd(12)}  ${rate.toFixed(0).padStart(5)} transfers/s: ${transfers} in ${seconds.toFixed(1)} s and ${blocks} blocks, ` +
			`${processor.toFixed(1)} s of a core, missing: ${missing}`,
	);
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rates = new Map(PROGRAMS.map(({ name }) => [name, []]));
for (let round = 0; round < rounds; round++) {
	for (const program of PROGRAMS) {
		const figures = await measure(program);
		rates.get(program.name).push(figures.rate);
		print(program.name, figures);
	}
}
const medians = [...rates].map(([name, all]) => [name, median(all)]);
for (const [name, rate] of medians) console.log(`${name.padEnd(12)}  ${rate.toFixed(0).padStart(5)} transfers/s, the median of ${rounds}`);
if (medians.length === 2) console.log(judged('ours beside the stock node', medians[0][1] / medians[1][1], { least: TARGET }, 'times the rate'));
if (NODES > 0) print(`${NODES} nodes`, await measureNetwork(NODES));
if (process.env.PROFILE) {
	const figures = await measure(PROGRAMS[0], join(process.env.PROFILE, 'transfers.perf'));
	print('with perf', figures);
	console.log(figures.spent);
}
process.exit(0);
