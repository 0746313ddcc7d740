// SPDX-License-Identifier: Apache-2.0

// Runs shell scripts as a person or another program would: in a terminal, without one, or with file systems of their
// own. Each runs in its own process group and is killed if it hangs.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { kill, start } from './child.mjs';
import { RUN } from './waiting.mjs';

/** The program that makes the terminal. */
const TERMINAL = fileURLToPath(new URL('terminal.py', import.meta.url));

/** Whether this system lets scripts mount file systems, in a namespace that ends with them. */
export const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
/** Whether this user may create devices. */
export const canMakeDevices = process.getuid?.() === 0;

/**
 * Runs a script with bash, without a terminal and with an empty stdin.
 *
 * @param {string} script
 * @param {object} options
 * @param {string} options.cwd
 * @param {object} options.env
 * @param {boolean} [options.mount] Whether the script mounts file systems.
 * @param {number} [options.limit] How long the script may take, in milliseconds: only those that hang take longer.
 * @returns {Promise<{ code: number | string, stdout: string, stderr: string }>} `code` is the exit code, a signal's name,
 * or `hangs`.
 */
export function runScript(script, { cwd, env, mount, limit }) {
	const [program, ...args] = command(script, mount);
	return ended(start(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true }), limit);
}

/**
 * Runs a script with bash in a terminal.
 *
 * @param {string} script
 * @param {object} options
 * @param {string} options.cwd
 * @param {object} options.env
 * @param {boolean} [options.mount] Whether the script mounts file systems.
 * @param {number} [options.columns] The terminal's width.
 * @param {[string, string, boolean?][]} [options.typed] The texts to wait for, what to type then, and whether the terminal
 * shows what is typed.
 * @param {number} [options.limit] How long the script may take, in milliseconds.
 * @returns {Promise<{ code: number | string, screen: string, echoes: boolean, awaited?: string }>} If `code` is `hangs`, `awaited`
 * is the text that did not come.
 */
export async function runInTerminal(script, { cwd, env, mount, columns = 80, typed = [], limit = RUN }) {
	const child = start('python3', [TERMINAL], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
	child.stdin.end(JSON.stringify({ argv: command(script, mount), columns, typed, limit: limit / 1000 }));
	// It ends on its own what hangs.
	const { code, stdout, stderr } = await ended(child, 2 * limit);
	if (code !== 0) return { code, screen: stderr, echoes: false };
	return JSON.parse(stdout);
}

function command(script, mount) {
	const bash = ['bash', '-c', script];
	return mount ? ['unshare', '-rm', ...bash] : bash;
}

/** Waits until a program ends, and returns what it printed. */
function ended(child, limit = RUN) {
	const output = { stdout: [], stderr: [] };
	for (const [name, parts] of Object.entries(output)) child[name].on('data', (data) => parts.push(data));
	return new Promise((resolve, reject) => {
		let hangs = false;
		const timer = setTimeout(() => {
			hangs = true;
			kill(child);
			// A program that left the group may hold them open.
			for (const name of Object.keys(output)) child[name].destroy();
		}, limit);
		child.once('error', reject);
		child.once('close', (code, signal) => {
			clearTimeout(timer);
			const [stdout, stderr] = Object.values(output).map((parts) => String(Buffer.concat(parts)));
			resolve({ code: hangs ? 'hangs' : (code ?? signal), stdout, stderr });
		});
	});
}
