// Attacks on a chain's blocks: nodes are started for them here, and isthmus-adversary carries them out.

import { adversary } from './attack-program.mjs';
import { LocalNode } from './node.mjs';
import { Rpc } from './rpc.mjs';

/** The forged blocks need so many true ones: uncles of the seventh generation are among them. */
const BLOCKS = 8;
/** After how many milliseconds an attack is taken to hang. */
const TIMEOUT = 600_000;

/** A node that mines a block a second, tells why it leaves blocks aside, and finalizes none. */
async function victim() {
	const args = ['--dev', '--no-grandpa', '--heartbeat', '1', '-lpow=debug', '--disable-log-color'];
	const node = await LocalNode.start({ args });
	const rpc = await Rpc.connect(node.url);
	try {
		await rpc.bestFrom(BLOCKS);
	} finally {
		await rpc.disconnect();
	}
	return node;
}

/**
 * Blocks that break one rule each, from a peer. Each line of the program is a case: `{case, rule, logged,
 * disconnected, held}`.
 */
async function forgedBlocks() {
	const node = await victim();
	let cases;
	try {
		cases = await adversary(['refuse', '--rpc', node.url, '--log', node.logPath, '--mines'], TIMEOUT);
	} finally {
		await node.stop();
	}
	return forgedOutcome(cases);
}

/** The outcome of all the cases. */
export function forgedOutcome(cases) {
	const wrong = cases.filter(({ held }) => !held).map((one) => one.case.replaceAll('_', ' '));
	const named = cases.filter(({ rule }) => rule !== undefined);
	const held = cases.length > 0 && wrong.length === 0;
	return {
		attack: 'forged-block',
		title: 'Forged blocks, each breaking one rule',
		promise: 'Blocks are linked only if they pass Algorithm 2; a bad node is rejected (III.B, IV.A).',
		observed: held
			? 'Every one is refused, the log names the rule, and the peer is parted with where it is at fault; the node'
				+ ' goes on mining. A block from the future is left aside, and blames nobody.'
			: `The node did not do what it must with: ${wrong.join(', ') || 'anything, as nothing was offered'}.`,
		figures: {
			blocks: cases.length,
			refused_by_the_name_of_a_rule: named.length,
			rules: new Set(named.map(({ rule }) => rule)).size,
			peers_parted_with: cases.filter(({ disconnected }) => disconnected).length,
		},
		held,
	};
}

/** Floods of every kind. Each line of the program is an outcome. */
async function floods({ messages, seconds }, tell) {
	const node = await victim();
	const extent = ['--messages', String(messages), '--seconds', String(seconds)];
	const at = ['--rpc', node.url, '--pid', String(node.pid), '--log', node.logPath];
	try {
		for (const outcome of await adversary(['flood', ...at, ...extent], TIMEOUT)) tell(outcome);
	} finally {
		await node.stop();
	}
}

/**
 * Carries out the attacks by blocks, and tells each outcome.
 *
 * @param {{short: boolean}} options `short` makes fewer tries of what takes long.
 * @param {(outcome: import('./attack-report.mjs').Outcome) => void} tell
 */
export async function attackBlocks({ short }, tell) {
	tell(await forgedBlocks());
	await floods(short ? { messages: 500, seconds: 5 } : { messages: 10_000, seconds: 60 }, tell);
}
