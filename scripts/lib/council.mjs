// SPDX-License-Identifier: Apache-2.0

// Motions of the verifiers' council, for tests.

/** An upper bound for the length of a motion's call, in bytes. */
const LENGTH = 1000;
/**
 * How many blocks to wait for after each step. Where several nodes mine, the newest blocks may still be replaced by others,
 * in which the next step would come before this one.
 */
const DEPTH = 4;

/**
 * Proposes a motion from the first of these accounts, approves it from all of them, and executes it.
 *
 * @param {Client} client
 * @param {string[]} secrets The voters' secrets.
 * @param call A call from `api.tx`.
 * @returns {Promise<Receipt>} The receipt of the execution.
 * @throws {CallRefused} if the motion is carried, and its call is refused.
 */
export async function agree(client, secrets, call) {
	const { council } = client.api.tx;
	const signers = secrets.map((secret) => client.account(secret));
	const proposed = await client.submit(signers[0], council.propose(secrets.length, call, LENGTH));
	// A motion that needs one vote was executed at once.
	if (secrets.length === 1) return executed(client, proposed);
	const { proposalHash, proposalIndex } = proposed.event('council', 'Proposed');
	await buried(client, proposed.block);
	const votes = await Promise.all(
		signers.map((signer) => client.submit(signer, council.vote(proposalHash, proposalIndex, true))),
	);
	await buried(client, Math.max(...votes.map(({ block }) => block)));
	const { weight } = await call.paymentInfo(signers[0].address);
	const closed = await client.submit(
		signers[0],
		council.close(proposalHash, proposalIndex, weight, LENGTH),
	);
	return executed(client, closed);
}

/** Resolves when there are `DEPTH` blocks on top of the one with this number. */
function buried({ api }, block) {
	return new Promise((resolve, reject) => {
		const stop = api.rpc.chain.subscribeNewHeads(({ number }) => {
			if (number.toNumber() >= block + DEPTH) resolve(stop.then((end) => end()));
		});
		stop.catch(reject);
	});
}

/** Returns the receipt of a motion that was executed, unless its call was refused. */
function executed(client, receipt) {
	const { result } = receipt.event('council', 'Executed');
	if (result.isErr) throw client.refusal(result.asErr);
	return receipt;
}
