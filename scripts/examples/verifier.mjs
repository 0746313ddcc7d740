// SPDX-License-Identifier: Apache-2.0
import { WsProvider } from '@polkadot/api';
import { CallRefused, Client } from '../lib/sharing.mjs';

const [command, secret, ...rest] = process.argv.slice(2);
const changes = ['admit', 'remove'];
const account = changes.includes(command) ? rest.shift() : undefined;
const [url = 'ws://127.0.0.1:9944'] = rest;
if (!secret || (account === undefined && !['apply', 'leave'].includes(command))) {
	console.error(
		'usage: verifier.mjs apply|leave SECRET [URL]\n       verifier.mjs admit|remove SECRET ACCOUNT [URL]',
	);
	process.exit(2);
}

const client = await Client.connect(url);
const { query, registry, tx } = client.api;
const signer = client.account(secret);
const verifiersChange = (event) => event.section === 'verifiers' && event.data.names?.includes('session');

/** Applies with a vote key that the applicant's own node, at `url`, generates. */
async function apply() {
	const node = new WsProvider(url);
	await node.isReady;
	const owner = registry.createType('AccountId', signer.address).toHex();
	const { keys, proof } = await node.send('author_rotateKeysWithOwner', [owner]);
	await node.disconnect();
	await client.submit(signer, tx.session.setKeys(keys, proof));
	const applied = await client.submit(signer, tx.verifiers.apply());
	console.log(`applied in block ${applied.block}; more than half of the verifiers have to admit ${signer.address}`);
}

/** Proposes the change if no one has, votes for it, and closes the motion if that was the last vote needed. */
async function agree() {
	const call = tx.verifiers[command](account);
	const length = call.method.encodedLength;
	const hash = registry.hash(call.method.toU8a());
	const threshold = Math.floor((await query.council.members()).length / 2) + 1;
	let motion = await query.council.voting(hash);
	if (motion.isNone) {
		const proposed = await client.submit(signer, tx.council.propose(threshold, call, length));
		console.log(`proposed in block ${proposed.block}`);
		if (threshold === 1) return report(proposed); // one vote is enough, so the motion was executed at once
		motion = await query.council.voting(hash);
	}
	const { index } = motion.unwrap();
	const voted = await client.submit(signer, tx.council.vote(hash, index, true));
	const { yes } = voted.event('council', 'Voted');
	console.log(`${yes} of the ${threshold} votes that it needs`);
	if (yes.toNumber() < threshold) return;
	const { weight } = await call.paymentInfo(signer.address);
	// The chain counts four more bytes, because of how it stores the motion.
	report(await client.submit(signer, tx.council.close(hash, index, weight, length + 4)));
}

/** Prints the result of a call that changes the verifiers. Even if a motion is carried, its call may be refused. */
function report(receipt) {
	const executed = receipt.events.find(({ method, section }) => section === 'council' && method === 'Executed');
	if (executed?.data.result.isErr) throw client.refusal(executed.data.result.asErr);
	const { data, method } = receipt.events.find(verifiersChange);
	console.log(`${method} in block ${receipt.block}: ${data.who}, from session ${data.session} on`);
}

try {
	if (command === 'apply') await apply();
	else if (command === 'leave') report(await client.submit(signer, tx.verifiers.leave()));
	else await agree();
} catch (error) {
	if (!(error instanceof CallRefused)) throw error;
	console.error(`refused: ${error.name}: ${error.message}`);
	process.exitCode = 1;
} finally {
	await client.disconnect();
}
