// SPDX-License-Identifier: Apache-2.0

// Motions of the verifiers' council, for tests.

import { until } from './rpc.mjs';

/** An upper bound for the length of a motion's call, in bytes. */
const LENGTH = 1000;
/** Where nothing is finalized, what this many blocks are on top of is taken for settled. */
const DEPTH = 4;

/**
 * Proposes a motion from the first of these accounts, approves it from all of them, and executes it. Where several nodes mine,
 * the newest blocks may be replaced by others, in which the next step would come before this one: so each step waits until the
 * one before is finalized.
 *
 * @param {Client} client
 * @param {string[]} secrets The voters' secrets.
 * @param call A call from `api.tx`.
 * @param {{isStalled?: boolean}} [options] Whether nothing is finalized now: then a step waits for `DEPTH` blocks.
 * @returns {Promise<Receipt>} The receipt of the execution.
 * @throws {CallRefused} if the motion is carried, and its call is refused.
 */
export async function agree(client, secrets, call, { isStalled = false } = {}) {
	const { council } = client.api.tx;
	const signers = secrets.map((secret) => client.account(secret));
	const proposed = await client.submit(signers[0], council.propose(secrets.length, call, LENGTH));
	// A motion that needs one vote was executed at once.
	if (secrets.length === 1) return executed(client, proposed);
	const { proposalHash, proposalIndex } = proposed.event('council', 'Proposed');
	const settled = (what, isSo) => until(what, async () => {
		const { query } = await settledState(client, isStalled);
		const voting = await query.council.voting(proposalHash);
		return voting.isSome && isSo(voting.unwrap());
	});
	await settled('the proposal is settled', () => true);
	await Promise.all(signers.map((signer) => client.submit(signer, council.vote(proposalHash, proposalIndex, true))));
	await settled('the votes are settled', ({ ayes }) => ayes.length === secrets.length);
	const { weight } = await call.paymentInfo(signers[0].address);
	const closed = await client.submit(
		signers[0],
		council.close(proposalHash, proposalIndex, weight, LENGTH),
	);
	return executed(client, closed);
}

/** Returns the state of the newest block that no other one replaces. */
async function settledState({ api }, isStalled) {
	const { chain } = api.rpc;
	if (!isStalled) return api.at(await chain.getFinalizedHead());
	const { number } = await chain.getHeader();
	return api.at(await chain.getBlockHash(Math.max(0, number.toNumber() - DEPTH)));
}

/** Returns the receipt of a motion that was executed, unless its call was refused. */
function executed(client, receipt) {
	const { result } = receipt.event('council', 'Executed');
	if (result.isErr) throw client.refusal(result.asErr);
	return receipt;
}
