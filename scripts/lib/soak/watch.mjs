// SPDX-License-Identifier: Apache-2.0

// Watches the processes of a soak: how much memory they use, how many handles they have open, and how much they log.

import { readdirSync, readFileSync } from 'node:fs';
import { memoryOf } from '../memory.mjs';

/** How often to look, in milliseconds. */
const INTERVAL = 1_000;
/** The part of a soak after which a process has reached its normal size. */
const WARM = 1 / 3;

/** A node's process at one time: its memory in MiB, and its open handles. */
function look(pid) {
	return { memory: memoryOf(pid), handles: readdirSync(`/proc/${pid}/fd`).length };
}

/** Watches all nodes, and the growth of the first one, which is never killed. */
export class Watch {
	/** The largest memory of any node, in MiB, and the largest number of handles. */
	peak = { memory: 0, handles: 0 };
	#members;
	#steady = [];
	#timer;

	/** Starts to watch the members of a network. */
	constructor(members) {
		this.#members = members;
		this.#timer = setInterval(() => this.#look(), INTERVAL);
	}

	/** Stops watching. Returns the first node's growth: the mean of its last values less that of the first ones. */
	end() {
		clearInterval(this.#timer);
		const warm = this.#steady.slice(Math.floor(this.#steady.length * WARM));
		const part = Math.max(1, Math.floor(warm.length / 4));
		const growth = (of) => mean(warm.slice(-part).map(of)) - mean(warm.slice(0, part).map(of));
		return { memory: growth(({ memory }) => memory), handles: growth(({ handles }) => handles) };
	}

	#look() {
		for (const [index, { isUp, local }] of this.#members.entries()) {
			if (!isUp) continue;
			let seen;
			try {
				seen = look(local.pid);
			} catch {
				continue; // the process has just ended
			}
			for (const name of ['memory', 'handles']) this.peak[name] = Math.max(this.peak[name], seen[name]);
			if (index === 0) this.#steady.push(seen);
		}
	}
}

/** Returns the number of lines in a node's log. */
export function logLines({ local }) {
	return readFileSync(local.logPath, 'utf8').split('\n').length - 1;
}

function mean(values) {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}
