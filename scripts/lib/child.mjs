// SPDX-License-Identifier: Apache-2.0

// Programs that tests start. None outlives its test's process, and a test that waits for one is told what it printed last
// and how it ended.

import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { RUN, TIMEOUT, within } from './waiting.mjs';

/** How much of what a program printed is told, in characters. */
const TOLD = 2000;

/** What is known of each program, and those that run. */
const known = new WeakMap();
const running = new Set();

/** Does something when this process exits, unless it is killed with `kill -9`. */
export function atExit(action) {
	if (process.listeners('exit').includes(action)) return;
	process.on('exit', action);
	process.once('SIGINT', () => process.exit(130));
	process.once('SIGTERM', () => process.exit(143));
}

/** Starts a program, as `spawn` does. */
export function start(program, args, options = {}) {
	atExit(killAll);
	const child = spawn(program, args, options);
	const one = { line: [basename(program), ...args].join(' ').slice(0, TOLD), detached: options.detached, last: {} };
	for (const name of ['stdout', 'stderr']) if (child[name]) keepLast(child[name], one.last, name);
	one.closed = new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code, signal) => resolve([code, signal]));
	});
	const over = () => running.delete(child);
	one.closed.then(over, over);
	known.set(child, one);
	running.add(child);
	return child;
}

/** Kills a program that `start` started, with those of its group if it has one of its own. */
export function kill(child) {
	if (!running.has(child) || !child.pid) return;
	if (!known.get(child).detached) {
		child.kill('SIGKILL');
		return;
	}
	try {
		process.kill(-child.pid, 'SIGKILL');
	} catch (error) {
		// None of the group is left.
		if (error.code !== 'ESRCH') throw error;
	}
}

function killAll() {
	for (const child of running) kill(child);
}

/** Keeps the end of what a stream gives. A listener would make it flow before the test reads it. */
function keepLast(stream, last, name) {
	const { push } = stream;
	last[name] = '';
	stream.push = function (bytes, ...rest) {
		if (bytes) last[name] = `${last[name]}${bytes.subarray(-TOLD)}`.slice(-TOLD);
		return push.call(this, bytes, ...rest);
	};
}

/** Says of a program how it ended, and what it printed last. */
function stateOf(child) {
	const { last } = known.get(child);
	const end = child.signalCode ?? (child.exitCode === null ? undefined : `exit code ${child.exitCode}`);
	const printed = Object.entries(last).map(([name, text]) => `\nits ${name} ends with:\n${text}`);
	return `; ${end ? `it ended (${end})` : 'it still runs'}${printed.join('')}`;
}

/**
 * Resolves with the exit code and the signal when a program has ended and all that it printed was read, also if that was
 * before. A program that has not ended in time is killed.
 */
export async function ended(child, limit = RUN) {
	const { closed, line } = known.get(child);
	try {
		return await within(`the end of \`${line}\``, closed, limit, () => stateOf(child));
	} catch (error) {
		kill(child);
		throw error;
	}
}

/**
 * Resolves with the next value of a promise about a program's output. Fails if the program ends first.
 *
 * @template T
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function before(child, what, promise, limit = TIMEOUT) {
	const { closed, line } = known.get(child);
	const over = closed.then(() => {
		throw new Error(`\`${line}\` ended before: ${what}${stateOf(child)}`);
	});
	return within(`${what}, of \`${line}\``, Promise.race([promise, over]), limit, () => stateOf(child));
}

/** Resolves with the first line of a program's output, from now on, that a pattern matches. */
export function printed(child, stream, pattern, limit = TIMEOUT) {
	const found = new Promise((resolve) => {
		createInterface({ input: child[stream] }).on('line', (line) => pattern.test(line) && resolve(line));
	});
	return before(child, `a line ${pattern} on ${stream}`, found, limit);
}

/** Runs a program until it exits, with this input; returns its exit code, or the signal, and what it printed. */
export async function run(program, args, options = {}, { input, limit } = {}) {
	const child = start(program, args, options);
	const parts = { stdout: [], stderr: [] };
	for (const [name, all] of Object.entries(parts)) child[name]?.on('data', (data) => all.push(data));
	// A program that ends before it has read everything closes its input.
	child.stdin?.on('error', () => undefined);
	child.stdin?.end(input);
	const [code, signal] = await ended(child, limit);
	const [stdout, stderr] = Object.values(parts).map((all) => Buffer.concat(all));
	return { code, signal, bytes: stdout, stdout: String(stdout), stderr: String(stderr) };
}
