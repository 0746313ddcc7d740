// SPDX-License-Identifier: Apache-2.0

// Runs the `isthmus` command, for tests.

import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import * as programs from './child.mjs';

/** The command: $ISTHMUS_CLI, or `isthmus` beside the node. */
const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

/** The command, for a node and a folder to run in. */
export class Isthmus {
	#cwd;
	#env;

	/**
	 * @param {string} url The node's address.
	 * @param {string} cwd The folder to run in, which also stands for the home folder.
	 */
	constructor(url, cwd) {
		this.#cwd = cwd;
		this.#env = { ...process.env, ISTHMUS_URL: url, ISTHMUS_KEY: '', HOME: cwd };
	}

	/** Starts the command. */
	start(args, env = {}) {
		return programs.start(program, args, this.#options(env));
	}

	/** Runs the command until it exits. */
	async run(args, env = {}) {
		return programs.run(program, args, this.#options(env));
	}

	#options(env) {
		return { cwd: this.#cwd, env: { ...this.#env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] };
	}

	/** Runs the command, checks that it succeeds, and returns what it prints. */
	async text(...args) {
		const { code, stdout, stderr } = await this.run(args);
		assert.equal(code, 0, `isthmus ${args.join(' ')}: ${stderr}`);
		return stdout;
	}

	/** Runs the command, checks that it succeeds, and returns the objects that it prints. */
	async ok(...args) {
		const printed = await this.text('--json', ...args);
		return printed.split('\n').filter(Boolean).map((line) => JSON.parse(line));
	}

	/** Runs the command, checks that it exits with this code, and returns the error that it prints. */
	async refused(expected, ...args) {
		const { code, stdout, stderr } = await this.run(['--json', ...args]);
		assert.equal(code, expected, `isthmus ${args.join(' ')}: ${stdout}${stderr}`);
		return JSON.parse(stderr.trim().split('\n').at(-1));
	}
}
