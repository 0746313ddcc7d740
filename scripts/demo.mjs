// The demo: data shared end to end on a chain of this machine, told in plain lines. `scripts/demo`
// builds the node and runs this; with a node at hand, `ISTHMUS_NODE=path node scripts/demo.mjs`.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EncryptionKeyPair, MasterSecret } from './lib/envelope.mjs';
import { firstChunkWithAnyKey } from './lib/envelope/record.mjs';
import { LocalNode } from './lib/node.mjs';
import { Client, hex, recordKey } from './lib/sharing.mjs';
import { joinCsv, MONTHS, monthsOf, studentsCsv } from './lib/students.mjs';

/** The months that the company asks for, as leaves of the dataset: March to May. */
const SPRING = { from: 2, to: 5 };
/** A month that it did not ask for. */
const JUNE = 5;
const PURPOSE = 'a study of marks and missed lessons in spring';
/** For how many blocks the company wants to read. */
const TERM = 1000;
/** Where Polkadot.js Apps looks for a node on this machine by itself. */
const USUAL_PORT = 9944;
/** The most milliseconds that the story may take before something must be wrong. */
const PATIENCE = 120_000;

const print = (line = '') => process.stdout.write(`${line}\n`);
/** A step on the chain: the blocks that it is in, and who did what. */
const tell = (receipts, who, what) => {
	const blocks = [...new Set([receipts].flat().map(({ block }) => block))].sort((a, b) => a - b);
	const where = blocks.length > 1 ? `blocks ${blocks[0]}-${blocks.at(-1)}` : `block ${blocks[0]}`;
	print(`  ${where.padEnd(13)} ${who.padEnd(9)} ${what}`);
};
/** Something done or seen outside the chain's blocks. */
const note = (who, what) => print(`  ${''.padEnd(13)} ${who.padEnd(9)} ${what}`);

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;

function must(holds, sentence) {
	if (!holds) throw new Error(`it should be, and is not, that ${sentence}`);
}

/** The error that a step ends in, which has to have this name. */
async function refused(name, step) {
	const error = await step.then(
		() => new Error('it was let through'),
		(error) => error,
	);
	if (error.name !== name) throw new Error(`a step should be refused as ${name}: ${error.message}`);
	return error;
}

/** The story. Whatever it prints has happened, and was checked. */
async function story(client, files) {
	// Accounts that every development chain endows, and whose keys Polkadot.js Apps has.
	const [school, company, stranger] = ['//Bob', '//Charlie', '//Dave'].map((secret) =>
		client.account(secret),
	);
	const master = MasterSecret.generate();
	const pair = EncryptionKeyPair.generate();
	const source = join(files, 'school-students.csv');
	const csv = studentsCsv();
	writeFileSync(source, csv);

	print('1. A school and a company join');
	// All at once: these take their accounts' nonces as they are called, so the school's keep this order.
	const [registered, created, keySet] = await Promise.all([
		client.register(school, 'School', 'Demo school'),
		client.createDataset(school, 'students 2025'),
		client.setEncryptionKey(company, await pair.publicKey()),
	]);
	const dataset = created.event('dataSharing', 'DatasetCreated').dataset.toNumber();
	tell(registered, 'school', 'registers as a producer; its account is its contract\'s address:');
	note('', school.address);
	tell(created, 'school', `creates dataset ${dataset}, "students 2025"`);
	tell(keySet, 'company', 'registers an encryption key, apart from the key that it signs with');

	print('\n2. The school stores its students\' records (T_s)');
	note('school', `has ${source}`);
	note('', `${csv.split('\n').length - 2} rows, ${MONTHS.length} months, ${kilobytes(csv.length)}`);
	const keys = MONTHS.map((month) => recordKey(`students/${month}`));
	const stored = await Promise.all(
		MONTHS.map((month, leaf) => {
			const place = { dataset, epoch: 0, leaf, key: keys[leaf] };
			return client.store(school, master, place, Buffer.from(monthsOf(csv, [month])));
		}),
	);
	const hashes = stored.map((receipt) => receipt.event('dataSharing', 'Stored').contentHash.toU8a());
	tell(stored, 'school', `encrypts each month under a key of its own, and stores ${stored.length} records`);
	const values = await Promise.all(hashes.map((hash) => client.fetchValue(hash)));
	const rows = csv.trimEnd().split('\n');
	for (const value of values) {
		const shown = rows.find((row) => Buffer.from(value).includes(row));
		must(shown === undefined, `what the chain has is encrypted (it shows "${shown}")`);
	}
	note('', `the chain serves them to anybody: ${values.length} ciphertexts, without a row of the file`);

	print('\n3. The company asks for access (T_q), and the school agrees');
	const spring = { dataset, epoch: 0, ...SPRING };
	const months = MONTHS.slice(SPRING.from, SPRING.to);
	const asked = await client.requestAccess(company, school.address, spring, {
		purpose: PURPOSE,
		term: TERM,
	});
	const request = asked.event('dataSharing', 'AccessRequested').request.toNumber();
	tell(asked, 'company', `asks for ${months[0]} to ${months.at(-1)}, for ${TERM} blocks`);
	note('', `purpose: "${PURPOSE}"`);
	const granted = await client.authorize(school, master, company.address, spring, {
		term: TERM,
		request,
	});
	tell(granted, 'school', 'authorises it, with those months\' keys sealed to the company\'s key');

	print('\n4. The company queries, fetches and decrypts');
	const read = await Promise.all(
		keys
			.slice(SPRING.from, SPRING.to)
			.map((key) => client.read(company, pair, school.address, key)),
	);
	const received = joinCsv(read.map((bytes) => Buffer.from(bytes).toString()));
	const target = join(files, 'company-students.csv');
	writeFileSync(target, received);
	const sums = [readFileSync(target), monthsOf(csv, months)].map(sha256);
	must(sums[0] === sums[1], 'the company reads the bytes that the school stored');
	note('company', `wrote ${target}`);
	note('', `${received.split('\n').length - 2} rows, ${months.length} months, ${kilobytes(received.length)}`);
	note('', 'the bytes are the ones that the school stored, by sha-256:');
	print(`    received  ${sums[0]}`);
	print(`    stored    ${sums[1]}`);

	print('\n5. Everyone else is refused');
	const { address } = school;
	const inside = keys[SPRING.from];
	const unknown = await refused('NotAuthorised', client.query(stranger.address, address, inside));
	note('stranger', `queries ${months[0]}: refused, ${unknown.name}`);
	note('', `"${unknown.message}"`);
	await askInAnothersName({ client, company, owner: address, key: inside });
	note('', 'asks in the company\'s name, and gets the sealed keys, which are public:');
	note('', 'its own key pair does not open them');
	const beyond = await refused('OutOfRange', client.query(company.address, address, keys[JUNE]));
	note('company', `queries ${MONTHS[JUNE]}: refused, ${beyond.name}`);
	note('', `"${beyond.message}"`);
	await tryEveryKey({ client, company, pair, owner: address, keys, june: values[JUNE] });
	note('company', `takes ${MONTHS[JUNE]}'s ciphertext, which is public, and tries every key it holds:`);
	note('', 'none opens it');

	await client.finalized(granted);
	print(`\nAll of it is final: the chain's verifiers voted for block ${granted.block}.`);
}

/** The stranger has the company's answer, as anybody can, and a key pair: the one does not open the other. */
async function askInAnothersName({ client, company, owner, key }) {
	const caller = company.address;
	const answer = await client.query(caller, owner, key);
	const pair = EncryptionKeyPair.generate();
	await refused('DoesNotOpen', client.openKeys({ caller, owner, answer, pair }));
}

/** The company has June's ciphertext, as anybody can, and its own keys: none of them opens it. */
async function tryEveryKey({ client, company, pair, owner, keys, june }) {
	const caller = company.address;
	const answer = await client.query(caller, owner, keys[SPRING.from]);
	const held = await client.openKeys({ caller, owner, answer, pair });
	await refused('LeafOutsideRange', held.leafKey(JUNE));
	const context = client.recordContext(owner, keys[JUNE]);
	for (let leaf = SPRING.from; leaf < SPRING.to; leaf++) {
		const key = await held.leafKey(leaf);
		await refused('WrongKey', client.decrypt(key, owner, keys[JUNE], june));
		// A program that does not look at what the record commits to fares no better.
		await refused('NotAuthentic', firstChunkWithAnyKey(key, context, june));
	}
}

/** What a person does next with the chain that was left running. */
function farewell(node, files) {
	const { url, pid } = node;
	print(`
The chain goes on, a block every few seconds. To look at it, open in a browser

  https://polkadot.js.org/apps/?rpc=${url}

(a copy of Polkadot.js Apps on this machine works as well; nothing has to be set up in it), and try
  Network > Explorer              the blocks, each with its miner
  Developer > Chain state         dataSharing: producers, records, grants
  Developer > Runtime calls       dataSharingApi.query: as CHARLIE, the owner BOB, the key
                                  ${hex(recordKey(`students/${MONTHS[SPRING.from]}`))}
  Developer > Extrinsics          the calls, with their documentation; the school is BOB, the
                                  company CHARLIE, the stranger DAVE

To end it:  kill ${pid}
The files:  ${files} (the chain too; remove it when you are done)`);
}

async function main() {
	const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
	const began = performance.now();
	const files = mkdtempSync(join(tmpdir(), 'isthmus-demo-'));
	process.on('exit', () => {
		// The node first: it must not write into a folder that goes.
		LocalNode.endAll();
		if (!values.keep) rmSync(files, { recursive: true, force: true, maxRetries: 5 });
	});

	print('Isthmus: a school keeps its students\' records on a chain, encrypted, and opens three months');
	print('of them to one company and to nobody else.\n');
	const node = await LocalNode.start({
		basePath: join(files, 'chain'),
		port: values.keep ? USUAL_PORT : 0,
	});
	print(`A development chain runs on this machine, at ${node.url}: proof of work by Ethash,`);
	print('one miner and verifier, Alice, and a block when there is something to put into it.\n');
	const client = await Client.connect(node.url);
	const trouble = await Promise.race([
		story(client, files),
		node.exited,
		pause(PATIENCE, `the story did not come to its end within ${PATIENCE / 1000} s`, { ref: false }),
	]);
	if (trouble) throw new Error(`${trouble}; the end of the node's log:\n${node.logTail()}`);
	await client.disconnect();
	print(`From the chain's start to here it took ${((performance.now() - began) / 1000).toFixed(1)} s.`);

	if (values.keep) {
		node.release();
		farewell(node, files);
	} else {
		await node.stop();
		rmSync(files, { recursive: true, force: true, maxRetries: 5 });
		print('The chain is stopped and its files are removed; `scripts/demo --keep` keeps both.');
	}
}

main().then(
	() => process.exit(0),
	(error) => {
		process.stderr.write(`demo: failed: ${error.message}\n`);
		process.exit(1);
	},
);
