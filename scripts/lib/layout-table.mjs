// SPDX-License-Identifier: Apache-2.0

// Renews the table of what a release knows of transactions, `sharing/layouts.mjs`, from a node of that release.

import { describe } from './sharing/layout.mjs';

/** What stands in the file before the table. */
const HEAD = `// SPDX-License-Identifier: Apache-2.0
// What this release knows of transactions: what is signed has to be laid out like this. \`layout.mjs\` and \`client/sdk\` read it,
// both as JSON. Do not edit it: \`scripts/layouts.mjs\` writes it, from a running node of this release.
`;

/** The table has another layout for the transaction version. */
export class LayoutChanged extends Error {
	name = 'LayoutChanged';
}

/**
 * Returns the layout of a node's transactions.
 *
 * @param {import('@polkadot/api').ApiPromise} api
 * @returns {import('./sharing/layout.mjs').Layout}
 */
export function layoutOf({ registry, runtimeVersion }) {
	const [transactionVersion, specVersion] = [runtimeVersion.transactionVersion, runtimeVersion.specVersion].map(Number);
	const { extensions, calls } = describe(registry.metadata);
	const sorted = Object.entries(calls).sort(([one], [other]) => (one < other ? -1 : 1));
	return { transactionVersion, specVersion, extensions, calls: Object.fromEntries(sorted) };
}

/**
 * Returns the table with the layout of a node. Older layouts stay: chains may not be upgraded yet.
 *
 * @param {import('./sharing/layout.mjs').Layout[]} table
 * @param {import('./sharing/layout.mjs').Layout} found
 * @param {{isReleased?: boolean}} [options] Whether programs with the table are in use, as they are unless said otherwise.
 * @throws {LayoutChanged} if the table has another layout for the node's transaction version.
 */
export function renewed(table, found, { isReleased = true } = {}) {
	const known = table.find((layout) => layout.transactionVersion === found.transactionVersion);
	if (known !== undefined && isReleased) {
		const changed = Object.keys(known.calls).filter((name) => known.calls[name] !== found.calls[name]);
		if (known.extensions.join() !== found.extensions.join()) changed.unshift('the extensions');
		if (changed.length > 0) {
			const advice = [
				`raise transaction_version in runtime/src/apis.rs, which is ${known.transactionVersion}`,
				'if no release has that version yet, run scripts/layouts.mjs --unreleased',
			];
			throw new LayoutChanged(`these have changed: ${changed.join(', ')}. Programs sign them as they were: ${advice.join('; ')}`);
		}
	}
	const others = table.filter((layout) => layout !== known);
	return [...others, found].sort((one, other) => other.transactionVersion - one.transactionVersion);
}

/** Returns the file of a table. */
export function fileOf(table) {
	return `${HEAD}export default ${JSON.stringify(table, null, '\t')};\n`;
}
