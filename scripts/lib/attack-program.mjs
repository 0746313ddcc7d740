// The project's programs, run to their end: where they are, and what they print.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** The path of one of the project's programs: $ISTHMUS_NODE, and those beside it. */
export function program(name) {
	const node = process.env.ISTHMUS_NODE;
	if (!node) throw new Error('set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it)');
	return name === 'isthmus-node' ? node : join(dirname(node), name);
}

/** An attack that could not be carried out: whether a defence holds is not known. */
export class NotCarriedOut extends Error {
	name = 'NotCarriedOut';
}

/**
 * Runs isthmus-adversary, and gives each line of its output as the JSON that it is.
 *
 * @param {string[]} args
 * @param {number} timeout After how many milliseconds it is ended.
 * @throws {NotCarriedOut} if it ends in another way than with what came of the attack.
 */
export async function adversary(args, timeout) {
	const child = spawn(program('isthmus-adversary'), args, { stdio: ['ignore', 'pipe', 'pipe'], timeout });
	let said = '';
	child.stderr.on('data', (text) => (said += text));
	const ended = new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code, signal) => resolve(signal ?? code));
	});
	ended.catch(() => undefined);
	const lines = [];
	for await (const line of createInterface({ input: child.stdout })) lines.push(JSON.parse(line));
	const end = await ended;
	// 0: the node did all that it must; 1: it did not, and the lines say where.
	if (end !== 0 && end !== 1) {
		throw new NotCarriedOut(`isthmus-adversary ${args[0]} ended with ${end}: ${said.trim()}`);
	}
	return lines;
}
