// SPDX-License-Identifier: Apache-2.0

// Measures how many transfers per second a node takes into blocks. They are signed in advance and submitted as fast as
// the node takes them. If STOCK_NODE names another program with pallet-balances and a `--dev` chain, it is measured in
// turn with ours, in the same run. If PROFILE names a folder, ours is measured once more with `perf`.

import { join } from 'node:path';
import { fund, included, sign, submit } from './load.mjs';
import { LocalNode, processorTime } from './node.mjs';
import { Profile } from './profile.mjs';
import { Rpc } from './rpc.mjs';
import { Client } from './sharing.mjs';

/** How many transfers each node gets, how many accounts send them, and how often each node is measured. */
const [transfers = 20_000, senders = 20, rounds = 3] = process.argv.slice(2).map(Number);
const SENDERS = Array.from({ length: senders }, (_, index) => `//Sender//${index}`);
/** What each of them receives first, in the smallest unit. */
const FUNDS = 1_000_000_000_000_000n;

/** The programs to measure. */
const PROGRAMS = [
	{ name: 'isthmus-node', program: process.env.ISTHMUS_NODE, args: ['--dev', '--heartbeat', '1'] },
	...(process.env.STOCK_NODE ? [{ name: 'stock node', program: process.env.STOCK_NODE, args: ['--dev'] }] : []),
];

/** Measures one program on a new chain; with samples in the file `samples`, if one is named. */
async function measure({ program, args }, samples) {
	const node = await LocalNode.start({ program, args });
	const client = await Client.connect(node.url);
	const rpc = await Rpc.connect(node.url);
	try {
		await fund(client, '//Alice', SENDERS, FUNDS);
		const to = client.account('//Bob').address;
		const batches = await sign(client, SENDERS, transfers / senders, () => client.api.tx.balances.transferKeepAlive(to, 1));
		const profile = samples && (await Profile.start(node.pid, samples));
		const [first, before] = [await rpc.best(), processorTime(node)];
		const sent = await submit([rpc], batches);
		const rest = await included(node.url, batches);
		const [last, after] = [await rpc.best(), processorTime(node)];
		const seconds = sent.seconds + rest.seconds;
		const counts = { missing: rest.missing, blocks: last.number - first.number, processor: after - before };
		return { rate: sent.accepted / seconds, seconds, ...counts, spent: await profile?.end() };
	} finally {
		await rpc.disconnect();
		await client.disconnect();
		await node.stop();
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
if (medians.length === 2) console.log(`ratio: ${(medians[0][1] / medians[1][1]).toFixed(2)}`);
if (process.env.PROFILE) {
	const figures = await measure(PROGRAMS[0], join(process.env.PROFILE, 'transfers.perf'));
	print('with perf', figures);
	console.log(figures.spent);
}
process.exit(0);
