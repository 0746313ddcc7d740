// SPDX-License-Identifier: Apache-2.0

// Finds and runs the project's programs, and carries out the attacks one after the other.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { checked } from './attack-report.mjs';
import { start } from './child.mjs';
import { within } from './waiting.mjs';

/** Returns the path of one of the project's programs: $ISTHMUS_NODE for the node, otherwise a file beside it. */
export function program(name) {
	const node = process.env.ISTHMUS_NODE;
	if (!node) throw new Error('set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it)');
	return name === 'isthmus-node' ? node : join(dirname(node), name);
}

/** An attack could not be carried out, so it is unknown whether the defence holds. */
export class NotCarriedOut extends Error {
	name = 'NotCarriedOut';
}

/**
 * Runs isthmus-adversary and parses each line of its output as JSON.
 *
 * @param {string[]} args
 * @param {number} timeout How long the program may run, in milliseconds.
 * @param {(line: object) => void} [onLine] Receives each line as soon as it is printed.
 * @throws {NotCarriedOut} if the program exits without carrying out the attack.
 */
export async function adversary(args, timeout, onLine = () => {}) {
	const child = spawn(program('isthmus-adversary'), args, { stdio: ['ignore', 'pipe', 'pipe'], timeout });
	let stderr = '';
	child.stderr.on('data', (text) => (stderr += text));
	const ended = new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code, signal) => resolve(signal ?? code));
	});
	ended.catch(() => undefined);
	const lines = [];
	for await (const line of createInterface({ input: child.stdout })) {
		lines.push(JSON.parse(line));
		onLine(lines.at(-1));
	}
	const end = await ended;
	// Exit code 0: the node did everything that it must. 1: it did not, and the printed lines show where.
	if (end !== 0 && end !== 1) {
		throw new NotCarriedOut(`isthmus-adversary ${args[0]} exited with ${end}: ${stderr.trim()}`);
	}
	return lines;
}

/**
 * Lies to a node in the background: `isthmus-adversary harass`, which prints its counts, a JSON object per line,
 * until it is ended.
 */
export class Harassment {
	#child;
	#ended;
	/** The last line. */
	counts;

	/** Starts the program; resolves when it has printed a line that satisfies the condition. */
	static async start(args, condition) {
		const harassment = new Harassment();
		harassment.#child = start(program('isthmus-adversary'), ['harass', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
		harassment.#ended = new Promise((resolve) => harassment.#child.once('close', resolve));
		await within('isthmus-adversary harass has met the node', new Promise((resolve, reject) => {
			harassment.#child.once('error', reject);
			harassment.#ended.then((code) => reject(new NotCarriedOut(`isthmus-adversary harass exited with ${code}`)));
			createInterface({ input: harassment.#child.stdout }).on('line', (line) => {
				harassment.counts = JSON.parse(line);
				if (condition(harassment.counts)) resolve();
			});
		}));
		return harassment;
	}

	/** Ends the program; returns its last line. */
	async end() {
		this.#child.kill('SIGKILL');
		await this.#ended;
		return this.counts;
	}
}

/**
 * Carries out attacks one after the other, and prints each outcome and how long it took to stderr. An attack that
 * cannot be carried out does not stop the others.
 *
 * @param {[string, (report: (outcome: import('./attack-report.mjs').Outcome) => void) => Promise<void>][]} attacks
 *   The attacks, each with its name.
 * @returns {Promise<{outcomes: import('./attack-report.mjs').Outcome[], failed: string[]}>} All outcomes, and
 *   the names of the attacks that could not be completed.
 */
export async function carryOut(attacks, log = console.error) {
	const [outcomes, failed] = [[], []];
	const begin = performance.now();
	const since = (when) => `${((performance.now() - when) / 1000).toFixed(0)} s`.padStart(6);
	for (const [name, attack] of attacks) {
		const start = performance.now();
		let last = start;
		const report = (outcome) => {
			outcomes.push(checked(outcome));
			log(`${since(last)}  ${outcome.held ? 'held    ' : 'NOT HELD'}  ${outcome.title}`);
			last = performance.now();
		};
		try {
			await attack(report);
		} catch (error) {
			failed.push(name);
			log(`        not carried out: ${error.stack ?? error}`);
		}
		log(`${since(start)}  total    ${name}`);
	}
	log(`${since(begin)}  total`);
	return { outcomes, failed };
}
