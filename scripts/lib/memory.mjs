// SPDX-License-Identifier: Apache-2.0

// Reads how much memory a process uses.

import { readFileSync } from 'node:fs';

/** How often `PeakMemory` looks, in milliseconds. */
const INTERVAL = 50;

/**
 * Returns how much memory a process uses, in MiB, without the pages of files that it maps. The database maps its files, and
 * the system takes those pages back when it needs them.
 *
 * @param {number} pid
 * @throws {Error} if there is no such process.
 */
export function memoryOf(pid) {
	const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
	return Number(kib) / 1024;
}

/** Watches how much memory a process uses at most. */
export class PeakMemory {
	/** The largest memory so far, in MiB. */
	peak = 0;
	#timer;

	/** Starts to watch a running process. */
	constructor(pid) {
		const look = () => (this.peak = Math.max(this.peak, memoryOf(pid)));
		look();
		this.#timer = setInterval(look, INTERVAL);
	}

	/** Stops watching. The process must still be running. Returns the peak. */
	end() {
		clearInterval(this.#timer);
		return this.peak;
	}
}
