// SPDX-License-Identifier: Apache-2.0

// Sends transfers that are valid on every fork, for tests that split a network.

import { Keyring } from '@polkadot/api';

/** Returns the account for a secret such as `//Eve`. */
function account(secret) {
	return new Keyring({ type: 'sr25519' }).addFromUri(secret);
}

/**
 * Sends an immortal transfer. (A mortal one names a block, and is invalid on a fork without that block.)
 *
 * @param {import('./network.mjs').Member} member The node to send it to.
 * @returns {Promise<{included: Promise<string>}>} `included` resolves with the hash of the first block on that node
 * that includes the transfer.
 */
export async function transfer(member, from, to, amount) {
	const { api } = await member.client();
	const call = api.tx.balances.transferKeepAlive(account(to).address, amount);
	const included = new Promise((resolve, reject) => {
		call.signAndSend(account(from), { era: 0, nonce: -1 }, ({ isError, status }) => {
			// The API may skip states: `Finalized` may be the first that it reports.
			if (status.isInBlock || status.isFinalized) resolve(status.value.toHex());
			else if (isError) reject(new Error(`the transfer ended as ${status.type}`));
		}).catch(reject);
	});
	return { included };
}

/** Returns an account's free balance in a block's state, in the smallest unit. */
export async function balanceAt(member, secret, hash) {
	const { api } = await member.client();
	const { data } = await (await api.at(hash)).query.system.account(account(secret).address);
	return data.free.toBigInt();
}
