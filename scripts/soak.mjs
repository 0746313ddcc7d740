// SPDX-License-Identifier: Apache-2.0

// The `scripts/soak` command: a network under constant trouble, and the checks of what it must survive.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Harassment } from './lib/attack-program.mjs';
import { Network } from './lib/network.mjs';
import { runToEnd } from './lib/node.mjs';
import { randomNumbers } from './lib/random.mjs';
import { until } from './lib/rpc.mjs';
import { page } from './lib/soak/page.mjs';
import { plan } from './lib/soak/plan.mjs';
import { logLines, Watch } from './lib/soak/watch.mjs';
import { Work } from './lib/soak/work.mjs';
import { identities } from './lib/spec.mjs';

/** The defaults of the options. */
const [HOURS, NODES, SEED] = [1, 7, 1];
const OUTPUT = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'soak.md');
/** The lines between the nodes: milliseconds, bytes per second, and the share of pieces that are lost. */
const LINE = { latency: 40, rate: 50_000_000 / 8, loss: 0.01 };
/** The hash rate of each node, and the seconds that a block takes on average. */
const [HASH_RATE, BLOCK_SECONDS] = [700, 2.5];
/** How many hostile peers there are at the same time. */
const LIARS = 8;
/** How long the network may take to agree at the end, in milliseconds. */
const SETTLING = 300_000;
/** How much the node that is never killed may grow: its memory in MiB, and its handles. */
const GROWTH = { memory: 150, handles: 100 };

/** Carries out an event and waits until it is over. */
async function carryOut(event, { network, harass, log }) {
	const members = event.nodes.map((index) => network.members[index]);
	const names = members.map(({ name }) => name).join(', ');
	if (event.kind === 'lie') {
		log(`hostile peers lie to ${names}: ${event.lie}`);
		await harass(members[0], event.lie);
	} else if (event.kind === 'kill') {
		log(`${names} is killed for ${event.lasts} s`);
		await network.down(members[0]);
		await pause(event.lasts * 1000);
		await network.up(members[0]);
	} else if (event.kind === 'hang') {
		log(`${names} hangs for ${event.lasts} s`);
		const { pid } = members[0].local;
		process.kill(pid, 'SIGSTOP');
		await pause(event.lasts * 1000);
		process.kill(pid, 'SIGCONT');
	} else {
		log(`${names} are split off for ${event.lasts} s`);
		await network.split(members, network.members.filter((member) => !members.includes(member)));
		await pause(event.lasts * 1000);
		await network.connect(...network.members);
	}
}

/** The hostile peers, which lie to one node at a time. */
class Hostile {
	counts = { connected: 0, dropped: 0 };
	#running;

	/** Moves to a node. The peers also return to a node that is restarted. */
	async to({ local }, lie) {
		await this.end();
		const args = ['--rpc', local.url, '--lie', lie, '--peers', String(LIARS)];
		this.#running = await Harassment.start(args, () => true);
	}

	async end() {
		const counts = await this.#running?.end();
		this.#running = undefined;
		for (const name of Object.keys(this.counts)) this.counts[name] += counts?.[name] ?? 0;
	}
}

/** Waits until all nodes have one finalized chain with a new block; returns the faults. */
async function settle(network) {
	try {
		const { number } = await network.members[0].rpc.best();
		const finals = await network.finalizedFrom(number + 1, network.members, SETTLING);
		const common = Math.min(...finals.map((final) => final.number));
		const hashes = await Promise.all(network.members.map(({ rpc }) => rpc.hashAt(common)));
		if (new Set(hashes).size !== 1) return { finalized: common, faults: [`block ${common} differs: ${hashes}`] };
		return { finalized: common, faults: [] };
	} catch (error) {
		const { number } = await network.members[0].rpc.finalized();
		return { finalized: number, faults: [`the nodes did not agree on one finalized chain: ${error.message}\n${await network.report()}`] };
	}
}

/** Runs a soak; returns its figures. */
async function soak({ seconds, nodes, seed, log }) {
	const accounts = identities(nodes).map(({ account }) => account);
	const difficulty = `0x${(nodes * HASH_RATE * BLOCK_SECONDS).toString(16)}`;
	const network = await Network.start({
		verifiers: nodes,
		parameters: { genesisDifficulty: difficulty, minimumDifficulty: difficulty },
		line: LINE,
		args: (index) => ['--mine', '--beneficiary', accounts[index], '--hash-rate', String(HASH_RATE)],
	});
	const files = mkdtempSync(join(tmpdir(), 'isthmus-soak-'));
	const stop = new AbortController();
	const hostile = new Hostile();
	try {
		await network.finalizedFrom(2);
		const random = randomNumbers(seed + 1);
		const url = () => {
			const up = network.members.filter(({ isUp }) => isUp);
			return up[random(up.length)].local.url;
		};
		const work = new Work({ folder: files, random, url, signal: stop.signal });
		await work.prepare();
		const watch = new Watch(network.members);
		const started = performance.now();
		const elapsed = () => (performance.now() - started) / 1000;
		const working = work.run();
		working.catch(() => {});
		const events = [];
		for (const event of plan({ seconds, nodes, seed })) {
			await pause(Math.max(0, event.at - elapsed()) * 1000);
			if (elapsed() > seconds) break;
			const say = (text) => log(`${elapsed().toFixed(0).padStart(5)} s  ${text}`);
			await carryOut(event, { network, harass: (member, lie) => hostile.to(member, lie), log: say });
			events.push(event);
		}
		await pause(Math.max(0, seconds - elapsed()) * 1000);
		// In a short run on a busy machine, the first record may take longer.
		await until('a record is stored', () => work.records.length > 0, SETTLING).catch(() => undefined);
		stop.abort();
		await working;
		await hostile.end();
		const growth = watch.end();
		const minutes = elapsed() / 60;
		log(`${elapsed().toFixed(0).padStart(5)} s  waiting until all agree, and reading ${work.records.length} records`);
		const { finalized, faults } = await settle(network);
		const wrong = await work.check();
		faults.push(...wrong);
		for (const [name, most] of Object.entries(GROWTH)) {
			if (growth[name] > most) faults.push(`${name} grew by ${growth[name].toFixed(0)}, which is more than ${most}`);
		}
		if (work.records.length === 0) faults.push('no record was stored');
		const count = (kind) => events.filter((event) => event.kind === kind).length;
		return {
			...{ nodes, seconds, line: LINE, splits: count('split'), kills: count('kill'), hangs: count('hang'), liars: hostile.counts },
			...{ records: work.records.length, bytes: work.records.reduce((sum, { size }) => sum + size, 0) },
			...{ grants: work.grants, retries: work.retries, finalized, wrong, growth, mayGrow: GROWTH, peak: watch.peak, faults },
			lines: network.members.reduce((sum, member) => sum + logLines(member), 0) / nodes / minutes,
		};
	} finally {
		stop.abort();
		await hostile.end();
		await network.stop();
		rmSync(files, { recursive: true, force: true, maxRetries: 5 });
	}
}

async function main() {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			nodes: { type: 'string', default: String(NODES) },
			seed: { type: 'string', default: String(SEED) },
			output: { type: 'string', default: OUTPUT },
		},
	});
	const [hours, nodes, seed] = [positionals[0] ?? HOURS, values.nodes, values.seed].map(Number);
	if (!(hours > 0) || !(nodes >= 4) || !Number.isInteger(seed) || positionals.length > 1) {
		throw new Error('expected scripts/soak [HOURS] [--nodes NODES] [--seed SEED], with at least 4 nodes: see scripts/soak --help');
	}
	const [load] = loadavg();
	const figures = await soak({ seconds: hours * 3600, nodes, seed, log: (text) => process.stderr.write(`${text}\n`) });
	const { stdout } = await runToEnd(['--version']);
	const written = page({
		...figures,
		command: ['scripts/soak', ...process.argv.slice(2)].join(' '),
		machine: `${cpus().length} cores of ${cpus()[0].model.trim()}`,
		load,
		node: stdout.trim(),
		date: new Date().toISOString().slice(0, 10),
	});
	writeFileSync(values.output, written);
	process.stdout.write(`${JSON.stringify(figures)}\n`);
	for (const fault of figures.faults) process.stderr.write(`fault: ${fault}\n`);
	return figures.faults.length === 0 ? 0 : 1;
}

try {
	process.exitCode = await main();
} catch (error) {
	process.stderr.write(`error: ${error.stack}\n`);
	process.exitCode = 2;
}
