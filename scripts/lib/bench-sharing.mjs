// SPDX-License-Identifier: Apache-2.0

// Measures how the `isthmus` program stores and fetches a file on a development chain, and sends it as a gateway: payload per second, bytes
// on the chain per byte of payload, memory and processor time.

import { spawn } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream, mkdtempSync, openSync, closeSync, readFileSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setInterval as every } from 'node:timers';
import { program } from './attack-program.mjs';
import { LocalNode } from './node.mjs';
import { Client } from './sharing.mjs';

const MIB = 1024 * 1024;
/** The size of the file in bytes. The command-line argument is in MiB. */
const size = Number(process.argv[2] ?? 1024) * MIB;
/** Clock ticks per second. Linux reports processor time in these ticks in /proc. */
const TICKS = 100;
/** How many blocks to sample for their size. */
const SAMPLE = 10;

/** Returns the processor time, in seconds, and the peak memory, in MiB, that a process has used so far. */
function usage(pid) {
	try {
		const [, fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').match(/\) (.*)/);
		const [user, system] = fields.split(' ').slice(11, 13).map(Number);
		const [, peak] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmHWM:\s+(\d+)/);
		return { seconds: (user + system) / TICKS, peak: Number(peak) / 1024 };
	} catch {
		return undefined;
	}
}

/** Runs `isthmus` until it exits; returns its output, its duration, and the resources that it and the node used. */
async function isthmus(node, ...args) {
	const before = usage(node.pid);
	const start = performance.now();
	const child = spawn(program('isthmus'), ['--json', '--url', node.url, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
	let own;
	const sampling = every(() => (own = usage(child.pid) ?? own), 50);
	let out = '';
	child.stdout.on('data', (text) => (out += text));
	const code = await new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', resolve);
	});
	clearInterval(sampling);
	if (code !== 0) throw new Error(`isthmus ${args[0]} exited with ${code}`);
	const seconds = (performance.now() - start) / 1000;
	const after = usage(node.pid);
	return {
		answer: out && JSON.parse(out.trim().split('\n').at(-1)),
		seconds,
		own,
		node: { seconds: after.seconds - before.seconds, peak: after.peak },
	};
}

/** Returns the disk space that a folder's files take, in bytes. */
function folderSize(path) {
	return readdirSync(path, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).blocks * 512, 0);
}

/** Hashes a file with SHA-256. */
async function sha256(path) {
	const hash = createHash('sha256');
	for await (const chunk of createReadStream(path)) hash.update(chunk);
	return hash.digest('hex');
}

/** Reads the file over HTTP from a gateway that was just started, with nothing in its memory. Returns what `isthmus` does. */
async function gateway(node, folder) {
	const [profile, credentials] = ['profile', 'credentials'].map((name) => join(folder, name));
	const args = ['--json', '--url', node.url, 'gateway', '--listen', '127.0.0.1:0', '--profile', profile, '--credentials', credentials];
	const child = spawn(program('isthmus'), [...args, '--key', '//Charlie'], { stdio: ['ignore', 'pipe', 'inherit'] });
	try {
		const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
		const next = async () => JSON.parse((await lines.next()).value);
		const { url } = await next();
		const { owner, dataset } = await next();
		const headers = { authorization: `Bearer ${JSON.parse(readFileSync(profile, 'utf8')).bearerToken}` };
		const before = [child, node].map(({ pid }) => usage(pid));
		const start = performance.now();
		const answer = await fetch(`${url}/${owner}/${dataset}/file`, { headers });
		if (!answer.ok) throw new Error(`the gateway answered ${answer.status}: ${await answer.text()}`);
		const hash = createHash('sha256');
		for await (const bytes of answer.body) hash.update(bytes);
		const seconds = (performance.now() - start) / 1000;
		const [own, of] = [child, node].map(({ pid }, at) => ({ ...usage(pid), seconds: usage(pid).seconds - before[at].seconds }));
		return { seconds, own, node: of, hash: hash.digest('hex') };
	} finally {
		child.kill();
	}
}

/** Prints a measurement; returns its rate in MiB per second. */
function report(what, { seconds, own, node }) {
	const rate = size / MIB / seconds;
	console.log(`${what.padEnd(8)} ${rate.toFixed(1)} MiB/s: ${(size / MIB).toFixed(0)} MiB in ${seconds.toFixed(1)} s`);
	const busy = (used) => `${used.seconds.toFixed(1)} s of a core, ${used.peak.toFixed(0)} MiB at most`;
	console.log(`           isthmus ${busy(own)}; the node ${busy(node)}`);
	return rate;
}

const folder = mkdtempSync(join(tmpdir(), 'isthmus-bench-'));
const node = await LocalNode.start({ basePath: join(folder, 'node') });
let client;
try {
	const file = join(folder, 'file');
	const handle = openSync(file, 'w');
	const block = Buffer.alloc(MIB);
	for (let at = 0; at < size; at += MIB) writeSync(handle, randomFillSync(block));
	closeSync(handle);
	const key = ['--key', '//Bob'];
	await isthmus(node, 'register', 'bench', ...key);
	await isthmus(node, 'dataset', 'create', 'bench', ...key);
	await isthmus(node, 'key', 'publish', '--key', '//Charlie');
	await isthmus(node, 'authorize', '--to', '//Charlie', '--leaves', '0..10', ...key);
	client = await Client.connect(node.url);
	const number = async () => (await client.api.rpc.chain.getHeader()).number.toNumber();

	const [first, empty] = [await number(), folderSize(node.basePath)];
	const stored = await isthmus(node, 'store', file, '--name', 'file', ...key);
	const last = await number();
	const storing = report('storing', stored);
	const blocks = last - first;
	console.log(`           ${blocks} blocks, ${(stored.seconds / blocks).toFixed(2)} s and ${(size / MIB / blocks).toFixed(2)} MiB of payload each`);
	// Sample full blocks in the middle, to compare the size of their extrinsics with the payload of their chunks.
	let [bytes, payload] = [0, 0];
	for (let i = 0; i < SAMPLE; i++) {
		const hash = await client.api.rpc.chain.getBlockHash(first + 2 + Math.floor(((blocks - 3) * i) / SAMPLE));
		const { block } = await client.api.rpc.chain.getBlock(hash);
		for (const extrinsic of block.extrinsics) {
			bytes += extrinsic.encodedLength;
			if (extrinsic.method.method === 'storeChunk') payload += extrinsic.args[3].length - 16;
		}
	}
	const overhead = bytes / payload;
	const disk = (folderSize(node.basePath) - empty) / size;
	console.log(`           ${overhead.toFixed(4)} bytes in blocks and ${disk.toFixed(3)} on the node's disk for each byte of payload`);

	const fetched = await isthmus(node, 'fetch', '//Bob', 'file', '--output', join(folder, 'fetched'), '--key', '//Charlie');
	const fetching = report('fetching', fetched);
	if ((await sha256(file)) !== (await sha256(join(folder, 'fetched')))) throw new Error('the fetched file differs from the stored one');
	const read = await gateway(node, folder);
	const reading = report('gateway', read);
	if (read.hash !== (await sha256(file))) throw new Error('what the gateway sent differs from what was stored');
	console.log(`           ${Math.round((100 * reading) / fetching)} % of the speed of fetching`);
	const round = (x) => Number(x.toFixed(2));
	console.log(JSON.stringify({
		mebibytes: size / MIB, storeMiBps: round(storing), fetchMiBps: round(fetching), gatewayMiBps: round(reading), blocks,
		bytesPerByte: Number(overhead.toFixed(5)), diskPerByte: round(disk),
		storePeakMiB: round(stored.own.peak), fetchPeakMiB: round(fetched.own.peak), gatewayPeakMiB: round(read.own.peak),
		nodePeakMiB: round(fetched.node.peak),
	}));
} finally {
	await client?.disconnect();
	await node.stop();
	rmSync(folder, { recursive: true, force: true });
}
