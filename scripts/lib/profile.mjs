// SPDX-License-Identifier: Apache-2.0

// Samples in which threads, libraries and functions a running program spends its processor time, with `perf` of Linux.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/** How often a second each thread that runs is sampled. */
const RATE = 199;
/** What is counted, and how many lines of each count are shown. */
const COUNTS = [
	['threads', 'comm', 20],
	['libraries', 'dso', 10],
	['functions', 'symbol', 40],
];

/** A running profile. */
export class Profile {
	#perf;
	#file;
	#ended;

	/** Starts to sample the process `pid`, with the samples in `file`. */
	static async start(pid, file) {
		const profile = new Profile();
		profile.#file = file;
		// A virtual machine may have no counters of cycles.
		const args = ['record', '--event', 'cpu-clock', '--freq', String(RATE), '--pid', String(pid), '--output', file];
		profile.#perf = spawn('perf', args, { stdio: ['ignore', 'ignore', 'inherit'] });
		const failed = once(profile.#perf, 'error').then(([error]) => {
			throw new Error(`cannot run perf (${error.code}): install it, on Debian with "apt-get install linux-perf"`);
		});
		failed.catch(() => {});
		profile.#ended = once(profile.#perf, 'exit');
		profile.#ended.catch(() => {});
		await Promise.race([once(profile.#perf, 'spawn'), failed]);
		return profile;
	}

	/** Stops sampling; returns tables of where the time was spent. */
	async end() {
		this.#perf.kill('SIGINT');
		await this.#ended;
		return COUNTS.map(([name, key, lines]) => `${name}:\n${this.#count(key).slice(0, lines).join('\n')}`).join('\n');
	}

	/** Returns the samples of each value of `key`, the most frequent first. */
	#count(key) {
		const args = ['report', '--input', this.#file, '--stdio', '--no-children', '--call-graph', 'none', '--sort', key];
		const report = execFileSync('perf', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', 'ignore'] });
		return report.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
	}
}
