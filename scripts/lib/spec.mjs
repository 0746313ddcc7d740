// SPDX-License-Identifier: Apache-2.0

// Chain specifications for networks on this machine, derived from the node's built-in `local` specification. The
// accounts' keys come from public phrases (`//Alice`), so such a chain is not secure.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Keyring } from '@polkadot/api';
import { xxhashAsHex } from '@polkadot/util-crypto';
import { runToEnd } from './node.mjs';

/** The development accounts, in the order that a network's nodes use them. */
const NAMES = ['Alice', 'Bob', 'Charlie', 'Dave', 'Eve', 'Ferdie'];
/** The balance of accounts that the built-in specification does not endow, in the smallest unit. */
const ENDOWMENT = 1e18;

/** Runs the node's program until it exits; fails unless it succeeds. */
async function run(args) {
	const { code, stdout, stderr } = await runToEnd(args);
	if (code !== 0) throw new Error(`isthmus-node ${args[0]} exited with code ${code}:\n${stderr.trim()}`);
	return { stdout, stderr };
}

/** Exports a specification with the node's program. */
async function exportSpec(...args) {
	return (await run(['export-chain-spec', ...args])).stdout;
}

/** Returns the first `count` identities: the development accounts, and then `Node7`, `Node8`, … */
export function identities(count) {
	return Array.from({ length: count }, (_, index) => identity(NAMES[index] ?? `Node${index + 1}`));
}

/** Returns a node's identity: the account that it mines for, and its vote key. */
function identity(name) {
	const secret = `//${name}`;
	const account = new Keyring({ type: 'sr25519' }).addFromUri(secret);
	const voter = new Keyring({ type: 'ed25519' }).addFromUri(secret);
	return { name, secret, account: account.address, voter: voter.address };
}

/** Returns the storage key of a value of a pallet. */
export function storageKey(pallet, value) {
	return xxhashAsHex(pallet, 128) + xxhashAsHex(value, 128).slice(2);
}

/**
 * Writes a chain specification in raw form, so that the nodes do not have to compute the genesis state.
 *
 * @param {string} folder The folder to write to.
 * @param {object} options
 * @param {object[]} options.verifiers The genesis verifiers, from `identities`.
 * @param {object} [options.parameters] Consensus parameters that differ from the `local` chain's.
 * @param {(genesis: object) => void} [options.edit] Edits the rest of the genesis configuration.
 * @param {string | object} [options.chainType] With any type but `Local` and `Development`, nodes do not advertise their
 * addresses on this machine. A chain of the type `Live` has no superuser.
 * @param {string} [options.code] The file of another runtime than the node's own.
 * @param {Record<string, string>} [options.storage] Further entries of the genesis state, in hex.
 * @returns {Promise<string>} The file's path.
 */
export async function writeSpec(
	folder,
	{ verifiers, parameters = {}, edit = () => {}, chainType = 'Local', code, storage = {} },
) {
	const spec = JSON.parse(await exportSpec('--chain', 'local'));
	const genesis = spec.genesis.runtimeGenesis.patch;
	Object.assign(genesis.proofOfWork.parameters, parameters);
	genesis.session.keys = verifiers.map(({ account, voter }) => [account, account, { grandpa: voter }]);
	const endowed = new Set(genesis.balances.balances.map(([account]) => account));
	for (const { account } of verifiers) {
		if (!endowed.has(account)) genesis.balances.balances.push([account, ENDOWMENT]);
	}
	edit(genesis);
	Object.assign(spec, { chainType });
	if (code) spec.genesis.runtimeGenesis.code = `0x${readFileSync(code).toString('hex')}`;
	mkdirSync(folder, { recursive: true });
	const plain = join(folder, 'chain.plain.json');
	const path = join(folder, 'chain.json');
	writeFileSync(plain, JSON.stringify(spec, null, '\t'));
	const raw = JSON.parse(await exportSpec('--chain', plain, '--raw'));
	Object.assign(raw.genesis.raw.top, storage);
	writeFileSync(path, JSON.stringify(raw));
	return path;
}

/**
 * Installs the network key of a node that has not run yet, and its vote key if `voter` is given.
 *
 * @returns {Promise<string>} The peer id.
 */
export async function installKeys(chain, basePath, voter) {
	const at = ['--chain', chain, '--base-path', basePath];
	const { stderr } = await run(['key', 'generate-node-key', ...at]);
	if (voter) {
		const key = ['--key-type', 'gran', '--scheme', 'ed25519', '--suri', voter.secret];
		await run(['key', 'insert', ...at, ...key]);
	}
	return stderr.trim().split('\n').at(-1);
}
