// SPDX-License-Identifier: Apache-2.0

// Measures how fast an object is stored and fetched, beside rclone with encryption and object_store without, and how many
// processors the programs and the server keep busy: if these are all that there are, they bound the figure.

import { spawn, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryOf } from './memory.mjs';
import { processorTime } from './node.mjs';
import { S3sFs, settingsOf } from './stores.mjs';

const [mebibytes = 4096, rounds = 3] = process.argv.slice(2).map(Number);
if (!(mebibytes >= 16 && rounds >= 1)) throw new Error('at least 16 MiB and one round');
const MIB = 1 << 20;
const RANGES = 200;
const BUCKET = 'bench';
/** How often the memory of a program is looked at, in milliseconds. */
const INTERVAL = 20;

const folder = mkdtempSync(join(tmpdir(), 'isthmus-bench-'));
const file = (name) => join(folder, name);
const program = process.env.BENCH_PROGRAM;
const hasRclone = spawnSync('rclone', ['version']).status === 0;
/** The S3 server, once it runs. */
let server;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Writes random bytes: nothing between here and the store can make them fewer. */
function writeValue(path) {
	const [descriptor, bytes] = [openSync(path, 'w'), Buffer.alloc(MIB)];
	for (let written = 0; written < mebibytes; written++) writeSync(descriptor, randomFillSync(bytes));
	closeSync(descriptor);
}

/**
 * Runs a program to its end. Returns its time in seconds, the peak of its memory in MiB, the processor time in seconds that it
 * (`own`) and the server took (`servers`), and what it printed.
 */
async function measure(path, args, env) {
	const [start, before] = [performance.now(), serverTime()];
	// The servers are on this machine and have no certificates: rclone does not start with a bundle for them.
	const child = spawn(path, args, { env: { ...process.env, ...env, AWS_CA_BUNDLE: '' }, stdio: ['ignore', 'pipe', 'inherit'] });
	const out = [];
	child.stdout.on('data', (bytes) => out.push(bytes));
	let [memory, own] = [0, 0];
	const watch = setInterval(() => {
		try {
			memory = Math.max(memory, memoryOf(child.pid));
			own = processorTime(child);
		} catch {
			// It has just ended.
		}
	}, INTERVAL);
	const [code] = await once(child, 'close');
	clearInterval(watch);
	if (code !== 0) throw new Error(`${path} ${args.join(' ')}: exit code ${code}`);
	const seconds = (performance.now() - start) / 1000;
	return { seconds, memory, own, servers: serverTime() - before, text: String(Buffer.concat(out)).trim() };
}

/** Returns the processor time that the S3 server has used, in seconds. */
const serverTime = () => (server ? processorTime(server) : 0);

/** The figures: by what was measured, one for each round. */
const figures = new Map();

function note(what, { seconds, memory, own, servers }) {
	const all = figures.get(what) ?? [];
	// Processors that are busy for it, on average.
	const [program, server] = [own / seconds, servers / seconds];
	all.push({ rate: mebibytes / seconds, memory, program, server });
	figures.set(what, all);
}

/** What is compared: the labels of the figures. */
const [ISTHMUS, PLAIN, RCLONE] = ['isthmus', 'object_store without encryption', 'rclone with crypt'];
/** The aims. */
const TARGETS = { rclone: 2, plain: 0.7, file: 1024, memory: 200, range: 5 };

const rateOf = (label) => figures.has(label) && median(figures.get(label).map(({ rate }) => rate));

/** Prints a figure beside its target. */
function compare(what, found, isMet, target) {
	console.log(`${what.padEnd(64)} ${found.padStart(12)}  ${isMet ? 'met' : 'MISSED'}: ${target}`);
}

/** Prints how the figures of a place compare with those of the other programs in the same run, and with the targets. */
function compareAll(place, times) {
	for (const [own, plain] of [['store', 'put'], ['fetch', 'get']]) {
		const rate = rateOf(`${place}: ${ISTHMUS}, ${own}`);
		const toRclone = rate / rateOf(`${place}: ${RCLONE}, ${own}`);
		const toPlain = rate / rateOf(`${place}: ${PLAIN}, ${plain}`);
		const memory = Math.max(...figures.get(`${place}: ${ISTHMUS}, ${own}`).map(({ memory }) => memory));
		const what = `${place}: ${own}`;
		if (hasRclone) compare(`${what}, beside ${RCLONE}`, `${toRclone.toFixed(1)} times`, toRclone >= TARGETS.rclone, `${TARGETS.rclone} times`);
		compare(`${what}, beside ${PLAIN}`, `${(toPlain * 100).toFixed(0)} %`, toPlain >= TARGETS.plain, `${TARGETS.plain * 100} %`);
		if (place === 'file') compare(what, `${rate.toFixed(0)} MiB/s`, rate >= TARGETS.file, `${TARGETS.file} MiB/s on two cores`);
		compare(`${what}, memory`, `${memory.toFixed(0)} MiB`, memory < TARGETS.memory, `under ${TARGETS.memory} MiB`);
	}
	const half = median(times);
	compare(`${place}: a MiB somewhere`, `${half.toFixed(1)} ms`, half < TARGETS.range, `under ${TARGETS.range} ms`);
}

/** Returns how long each reading of a MiB somewhere took, in milliseconds. */
const timesOf = ({ text }) => text.split('\n').map(Number);

/** Measures storing and fetching at a location, once with each program. Returns the times of reading a MiB somewhere. */
async function round(place, url, env) {
	const journal = file('journal');
	const stored = await measure(program, ['store', url, file('value'), journal], env);
	rmSync(journal);
	note(`${place}: ${ISTHMUS}, store`, stored);
	note(`${place}: ${ISTHMUS}, fetch`, await measure(program, ['fetch', url, file('copy'), stored.text], env));
	if (spawnSync('cmp', [file('value'), file('copy')]).status !== 0) throw new Error('the copy differs');
	const own = timesOf(await measure(program, ['ranges', url, String(RANGES), stored.text], env));
	note(`${place}: ${PLAIN}, put`, await measure(program, ['put', `${url}/plain`, file('value')], env));
	note(`${place}: ${PLAIN}, get`, await measure(program, ['get', `${url}/plain`, file('copy')], env));
	const plain = timesOf(await measure(program, ['plain-ranges', `${url}/plain`, String(RANGES)], env));
	if (hasRclone) {
		const remote = place === 's3' ? `s3:${BUCKET}/rclone` : file('rclone');
		const password = spawnSync('rclone', ['obscure', 'a password']).stdout.toString().trim();
		const rclone = {
			...env, RCLONE_CONFIG: '/dev/null', RCLONE_CONFIG_S3_TYPE: 's3', RCLONE_CONFIG_S3_PROVIDER: 'Other', RCLONE_CONFIG_S3_ENV_AUTH: 'true',
			RCLONE_CONFIG_S3_ENDPOINT: env.AWS_ENDPOINT_URL ?? '', RCLONE_CONFIG_CRYPT_TYPE: 'crypt', RCLONE_CONFIG_CRYPT_REMOTE: remote, RCLONE_CONFIG_CRYPT_PASSWORD: password,
		};
		const same = ['--s3-chunk-size', '8M', '--s3-upload-concurrency', '12', '--s3-no-check-bucket', '--ignore-times'];
		note(`${place}: ${RCLONE}, store`, await measure('rclone', ['copyto', file('value'), 'crypt:value', ...same], rclone));
		note(`${place}: ${RCLONE}, fetch`, await measure('rclone', ['copyto', 'crypt:value', file('copy'), ...same], rclone));
	}
	return { own, plain };
}

try {
	writeValue(file('value'));
	mkdirSync(file('objects'));
	const places = { file: [`file://${file('objects')}`, {}] };
	if (S3sFs.isInstalled()) {
		server = await S3sFs.start(file('s3'), BUCKET);
		places.s3 = [`s3://${BUCKET}/objects`, settingsOf(server.port)];
	}
	console.log(`${mebibytes} MiB, ${rounds} rounds${server ? '' : '; no S3 server: scripts/stores --all compiles one'}`);
	const times = Object.fromEntries(Object.keys(places).map((place) => [place, { own: [], plain: [] }]));
	for (let number = 0; number < rounds; number++) {
		for (const [place, at] of Object.entries(places)) {
			for (const [whose, all] of Object.entries(await round(place, ...at))) times[place][whose].push(...all);
		}
	}
	for (const [what, all] of figures) {
		const rate = median(all.map(({ rate }) => rate)).toFixed(0).padStart(5);
		const memory = Math.max(...all.map(({ memory }) => memory)).toFixed(0).padStart(5);
		const [program, busy] = ['program', 'server'].map((name) => median(all.map((figure) => figure[name])).toFixed(1));
		const processors = `processors busy: ${program}${server && what.startsWith('s3') ? `, of the server ${busy}` : ''}`;
		console.log(`${what.padEnd(44)} ${rate} MiB/s  ${memory} MiB of memory  ${processors}`);
	}
	for (const [place, { own, plain }] of Object.entries(times)) {
		for (const [label, all] of [[ISTHMUS, own], [PLAIN, plain]]) {
			const most = all.toSorted((a, b) => a - b)[Math.floor(all.length * 0.99)];
			console.log(`${`${place}: ${label}, a MiB somewhere`.padEnd(56)} ${median(all).toFixed(1)} ms, 99 of 100 within ${most.toFixed(1)} ms`);
		}
	}
	console.log('\nBeside the others in the same run (medians), and the aims:');
	for (const [place, all] of Object.entries(times)) compareAll(place, all.own);
} finally {
	await server?.stop();
	if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}
