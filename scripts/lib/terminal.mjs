// SPDX-License-Identifier: Apache-2.0

// Runs shell scripts as a person or another program would: in a terminal, without one, or with file systems of their
// own. Each runs in its own process group and is killed if it hangs.

import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The program that makes the terminal. */
const TERMINAL = fileURLToPath(new URL('terminal.py', import.meta.url));
/** How long a script may take, in milliseconds: only those that hang take longer, also beside a build. */
const TIMEOUT = 600_000;

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
 * @returns {Promise<{ code: number | string, stdout: string, stderr: string }>} `code` is the exit code, a signal's name,
 * or `hangs`.
 */
export function runScript(script, { cwd, env, mount }) {
	const [program, ...args] = command(script, mount);
	return ended(spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true }));
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
 * @returns {Promise<{ code: number | string, screen: string, echoes: boolean }>}
 */
export async function runInTerminal(script, { cwd, env, mount, columns = 80, typed = [] }) {
	const child = spawn('python3', [TERMINAL], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
	child.stdin.end(JSON.stringify({ argv: command(script, mount), columns, typed }));
	const { code, stdout, stderr } = await ended(child);
	if (code !== 0) return { code, screen: stderr, echoes: false };
	return JSON.parse(stdout);
}

function command(script, mount) {
	const bash = ['bash', '-c', script];
	return mount ? ['unshare', '-rm', ...bash] : bash;
}

/** Waits until a program ends, and returns what it printed. */
function ended(child) {
	const output = { stdout: [], stderr: [] };
	for (const [name, parts] of Object.entries(output)) child[name].on('data', (data) => parts.push(data));
	return new Promise((resolve, reject) => {
		let hangs = false;
		const timer = setTimeout(() => {
			hangs = true;
			process.kill(-child.pid, 'SIGKILL');
		}, TIMEOUT);
		child.once('error', reject);
		child.once('close', (code, signal) => {
			clearTimeout(timer);
			const [stdout, stderr] = Object.values(output).map((parts) => String(Buffer.concat(parts)));
			resolve({ code: hangs ? 'hangs' : (code ?? signal), stdout, stderr });
		});
	});
}
