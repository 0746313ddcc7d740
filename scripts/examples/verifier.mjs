// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { WsProvider } from '@polkadot/api';
import { CallRefused, Client } from '../lib/sharing.mjs';

/** The commands, each with the arguments before the node's URL. */
const commands = {
	apply: { args: ['SECRET'], run: apply },
	leave: { args: ['SECRET'], run: () => send(tx.verifiers.leave()) },
	object: { args: ['SECRET'], run: () => send(tx.verifiers.object()) },
	admit: { args: ['SECRET', 'ACCOUNT'], run: (account) => agree(tx.verifiers.admit(account)) },
	remove: { args: ['SECRET', 'ACCOUNT'], run: (account) => agree(tx.verifiers.remove(account)) },
	upgrade: { args: ['SECRET', 'CODE_FILE'], run: (file) => agree(tx.verifiers.authorizeUpgrade(registry.hash(readFileSync(file)))) },
	'cancel-upgrade': { args: ['SECRET'], run: () => agree(tx.verifiers.cancelUpgrade()) },
	restart: { args: ['SECRET', 'FINALIZED', 'ACCOUNT[,ACCOUNT…]|none'], run: restart },
	'cancel-restart': { args: ['SECRET'], run: cancelRestart },
	'apply-upgrade': { args: ['CODE_FILE'], run: applyUpgrade },
};

const [name, ...given] = process.argv.slice(2);
const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
if (!command || given.length < command.args.length) {
	const line = ([each, { args }]) => `verifier.mjs ${each} ${args.join(' ')} [URL]`;
	console.error(`usage: ${Object.entries(commands).map(line).join('\n       ')}`);
	process.exit(2);
}
const [secret] = command.args[0] === 'SECRET' ? given : [];
const values = given.slice(secret === undefined ? 0 : 1, command.args.length);
const url = given[command.args.length] ?? 'ws://127.0.0.1:9944';

const client = await Client.connect(url);
const { query, registry, rpc, tx } = client.api;
const signer = secret && client.account(secret);

/** Applies with a vote key that the applicant's own node, at `url`, generates. */
async function apply() {
	const node = new WsProvider(url);
	await node.isReady;
	const owner = registry.createType('AccountId', signer.address).toHex();
	const { keys, proof } = await node.send('author_rotateKeysWithOwner', [owner]);
	await node.disconnect();
	await client.submit(signer, tx.session.setKeys(keys, proof));
	const applied = await client.submit(signer, tx.verifiers.apply());
	console.log(`applied in block ${applied.block}; more than two thirds of the verifiers have to admit ${signer.address}`);
}

/** Agrees to restart finality after the block with this number, without these verifiers. */
async function restart(finalized, list) {
	const absent = list === 'none' ? [] : list.split(',');
	const own = (await rpc.chain.getHeader(await rpc.chain.getFinalizedHead())).number.toNumber();
	if (own > Number(finalized)) throw new Error(`this node has finalized block ${own}: give the highest of all nodes`);
	const { setId } = await rpc.grandpa.roundState();
	await agree(tx.verifiers.restartFinality(setId, finalized, absent), absent.length);
}

/** Agrees to take a restart back, with the votes of as many as agreed to it. */
async function cancelRestart() {
	const agreed = await query.verifiers.agreedRestart();
	await agree(tx.verifiers.cancelRestart(), agreed.isSome ? agreed.unwrap().absent.length : 0);
}

/** Proposes the call if no one has, votes for it, and closes the motion if that was the last vote needed. */
async function agree(call, absent = 0) {
	const length = call.method.encodedLength;
	const hash = registry.hash(call.method.toU8a());
	const voters = (await query.council.members()).length - absent;
	const threshold = Math.floor((voters * 2) / 3) + 1;
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

/** Sends a call of the account's own. */
async function send(call) {
	report(await client.submit(signer, call));
}

/** Sends the code of an upgrade that is authorized. The transaction has no signer, and no fee. */
async function applyUpgrade(file) {
	const code = `0x${readFileSync(file).toString('hex')}`;
	const before = (await rpc.state.getRuntimeVersion()).specVersion.toNumber();
	const hash = await rpc.author.submitExtrinsic(tx.system.applyAuthorizedUpgrade(code));
	console.log(`sent as ${hash}; the runtime's version is ${before} until it is in a block`);
}

/** Prints what a call of the verifiers' pallet did. Even if a motion is carried, its call may be refused. */
function report(receipt) {
	const executed = receipt.events.find(({ method, section }) => section === 'council' && method === 'Executed');
	if (executed?.data.result.isErr) throw client.refusal(executed.data.result.asErr);
	const { data, method } = receipt.events.findLast(({ section }) => section === 'verifiers');
	const fields = data.names.map((field) => `${field} ${data[field]}`);
	console.log(`${method} in block ${receipt.block}: ${fields.join(', ')}`);
}

try {
	await command.run(...values);
} catch (error) {
	if (!(error instanceof CallRefused)) throw error;
	console.error(`refused: ${error.name}: ${error.message}`);
	process.exitCode = 1;
} finally {
	await client.disconnect();
}
