// SPDX-License-Identifier: Apache-2.0

// Measures how fast a new node gets a chain of small blocks from one peer on this machine: by warp sync, and from
// genesis. The chain is made in advance, with forks and uncles, and each of its blocks is final. If PROFILE names a folder,
// the sync from genesis is measured once more with `perf`.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeChain } from './made-chain.mjs';
import { PeakMemory } from './memory.mjs';
import { LocalNode, processorTime } from './node.mjs';
import { Profile } from './profile.mjs';
import { Rpc, until } from './rpc.mjs';
import { identities, writeSpec } from './spec.mjs';
import { judged } from './target.mjs';

/** Ends hung runs, in milliseconds. */
const PATIENCE = 3_600_000;
const INTERVAL = 10;
const [blocks, only] = [Number(process.argv[2] ?? 100_000), process.argv[3]];
const SIZES = ['development', 'full'].filter((sizes) => only === undefined || sizes === only);
if (SIZES.length === 0 || !(blocks > 0)) throw new Error('usage: bench-sync [BLOCKS [development|full]]');

/**
 * What a new node should reach on two cores with a chain of this length: the time, in seconds, and the memory, in MiB, of a
 * warp sync; and the rate of a sync from genesis, in blocks a second. With real sizes, the light hashes of the headers come
 * on top of the rest, at 3,000 a second on one core.
 */
const TARGETS = { blocks: 100_000, warpSeconds: 60, memory: 1024, rate: { development: 2000, full: 1 / (1 / 2000 + 1 / 3000) } };

/** Prints whether the targets are met. */
function judge(name, ethash, seconds, memory) {
	if (blocks < TARGETS.blocks) return;
	const what = `${name}, ${ethash} sizes`;
	if (name === 'warp') console.log(judged(what, seconds, { most: TARGETS.warpSeconds }, 's'));
	if (name === 'warp') console.log(judged(what, memory, { most: TARGETS.memory }, 'MiB at the peak'));
	if (name === 'genesis') console.log(judged(what, blocks / seconds, { least: TARGETS.rate[ethash] }, 'blocks/s'));
}

/** Starts a node that neither mines nor votes. */
async function start(spec, basePath, args = []) {
	const common = ['--chain', spec, '--no-mdns', '--disable-log-color'];
	const node = await LocalNode.start({ basePath, args: [...common, ...args] });
	return { node, rpc: await Rpc.connect(node.url), stop: () => node.stop() };
}

/**
 * Has a new node sync from the source, and prints how long that took from the moment that it learnt of the peer. With
 * samples in the file `samples`, if one is named.
 */
async function measure(name, ethash, { folder, spec, source }, args, samples) {
	const fresh = await start(spec, join(folder, name), ['--reserved-only', ...args]);
	try {
		const peerId = await source.rpc.call('system_localPeerId');
		const memory = new PeakMemory(fresh.node.pid);
		const profile = samples && (await Profile.start(fresh.node.pid, samples));
		const [before, sourceBefore] = [processorTime(fresh.node), processorTime(source.node)];
		await fresh.rpc.call('system_addReservedPeer', `/ip4/127.0.0.1/tcp/${source.node.peerPort}/p2p/${peerId}`);
		const started = performance.now();
		await until('all blocks are synced', async () => (await fresh.rpc.best()).number >= blocks, PATIENCE);
		const seconds = (performance.now() - started) / 1000;
		const [used, sourceUsed] = [processorTime(fresh.node) - before, processorTime(source.node) - sourceBefore];
		const peak = memory.end();
		const log = readFileSync(fresh.node.logPath, 'utf8');
		const begins = /history begins with block #(\d+)/.exec(log);
		console.log(
			`${name.padEnd(8)}  ${seconds.toFixed(1)} s to block #${blocks}, ${(blocks / seconds).toFixed(0)} blocks/s, ` +
				`${used.toFixed(1)} s of a core, and ${sourceUsed.toFixed(1)} s of the peer's, ${peak.toFixed(0)} MiB at the peak` +
				(begins ? `, history from #${begins[1]}` : ''),
		);
		judge(name, ethash, seconds, peak);
		if (profile) console.log(await profile.end());
	} finally {
		await fresh.rpc.disconnect();
		await fresh.stop();
	}
}

for (const ethash of SIZES) {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-bench-sync-'));
	let source;
	try {
		const spec = await writeSpec(folder, {
			verifiers: identities(1),
			parameters: {
				...{ ethash, difficultyRule: 'fixed', minimumDifficulty: '0x400', genesisDifficulty: '0x400' },
				genesisTimestamp: Math.floor(Date.now() / 1000) - 2 * blocks * INTERVAL,
			},
		});
		const order = { blocks, interval: INTERVAL, forkEvery: 10, finalizeEvery: 1, timeout: PATIENCE };
		const made = await makeChain(spec, join(folder, 'source'), order);
		console.log(`${ethash} sizes: made ${blocks} blocks with ${made.uncles} uncles in ${made.seconds.toFixed(0)} s`);
		source = await start(spec, join(folder, 'source'));
		const chain = { folder, spec, source };
		await measure('warp', ethash, chain, ['--sync', 'warp']);
		await measure('genesis', ethash, chain, []);
		if (process.env.PROFILE) {
			await measure('profiled', ethash, chain, [], join(process.env.PROFILE, `sync-${ethash}.perf`));
		}
	} finally {
		await source?.rpc.disconnect();
		await source?.stop();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	}
}
process.exit(0);
