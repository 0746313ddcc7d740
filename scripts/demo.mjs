// SPDX-License-Identifier: Apache-2.0

// The demo: shares data end to end on a local chain, and prints each step. `scripts/demo` builds the node and
// runs this file. If the node is already built, run `ISTHMUS_NODE=path node scripts/demo.mjs`.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parse } from './lib/conditions.mjs';
import { EncryptionSecret, MasterSecret } from './lib/envelope.mjs';
import { blake2b256 } from './lib/envelope/common.mjs';
import { firstChunkWithAnyKey } from './lib/envelope/record.mjs';
import { LocalNode } from './lib/node.mjs';
import { Client, hex, recordKey } from './lib/sharing.mjs';
import { unixSeconds } from './lib/sharing/encoding.mjs';
import { joinCsv, MONTHS, monthsOf, studentsCsv } from './lib/students.mjs';

/** The months that the company requests, March to May, as a range of the dataset's leaves. */
const SPRING = { from: 2, to: 5 };
const SPRING_MONTHS = MONTHS.slice(SPRING.from, SPRING.to);
/** The leaf of a month that the company does not request. */
const JUNE = 5;
const PURPOSE = 'a study of marks and missed lessons in spring';
/** How many blocks the company wants access for. */
const TERM = 1000;
/** The condition under which the school grants that month: what a ministry reports about flu. */
const SOURCE = 'ministry/health';
const TOPIC = 'flu.cases';
const CONDITION = `fact(${SOURCE}, ${TOPIC}) < 100`;
/** For how many seconds a report counts. */
const FRESH = 3600;
/** The port on which Polkadot.js Apps looks for a local node by default. */
const DEFAULT_PORT = 9944;
/** How long the demo may take before it gives up, in milliseconds. */
const TIMEOUT = 600_000;

const print = (line = '') => process.stdout.write(`${line}\n`);
/** Prints a step on the chain: the blocks that include it, who acts, and what they do. */
const printStep = (receipts, who, what) => {
	const blocks = [...new Set([receipts].flat().map(({ block }) => block))].sort((a, b) => a - b);
	const where = blocks.length > 1 ? `blocks ${blocks[0]}-${blocks.at(-1)}` : `block ${blocks[0]}`;
	print(`  ${where.padEnd(13)} ${who.padEnd(9)} ${what}`);
};
/** Prints something that happens outside the chain. */
const printNote = (who, what) => print(`  ${''.padEnd(13)} ${who.padEnd(9)} ${what}`);

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
/** Describes the size of a file with these months. */
const size = (csv, months) =>
	`${csv.split('\n').length - 2} rows, ${months.length} months, ${Math.round(csv.length / 1000)} kB`;

/** Fails the demo unless the condition holds. */
function check(holds, sentence) {
	if (!holds) throw new Error(`expected that ${sentence}`);
}

/** Checks that a step is refused with the named error, and returns the error. */
async function expectRefusal(name, step) {
	const error = await step.then(
		() => new Error('it succeeded'),
		(error) => error,
	);
	if (error.name !== name) throw new Error(`expected a refusal as ${name}: ${error.message}`);
	return error;
}

/** Plays the story. Everything that it prints has happened and has been checked. */
async function story(client, files) {
	// Every development chain endows these accounts, and Polkadot.js Apps knows their keys.
	const [school, company, stranger, ministry] = ['//Bob', '//Charlie', '//Dave', '//Eve'].map((secret) =>
		client.account(secret),
	);
	const master = MasterSecret.generate();
	const encryption = EncryptionSecret.generate();
	const keys = MONTHS.map((month) => recordKey(`students/${month}`));
	const csv = studentsCsv();
	const scene = { client, files, school, company, stranger, ministry, master, encryption, keys, csv };

	const dataset = await register(scene);
	const values = await store(scene, dataset);
	await grant(scene, dataset);
	await read(scene);
	await refuseEveryoneElse(scene, values);
	const last = await followFacts(scene, dataset);
	await client.finalized(last);
	print(`\nAll of this is finalized: the verifiers voted for block ${last.block}.`);
}

/** Registers the school and the company's encryption key, and creates a dataset; returns the dataset's number. */
async function register({ client, school, company, encryption }) {
	print('1. A school and a company join');
	// Sent concurrently: each call takes its account's nonce immediately, so the school's calls keep this order.
	const [registered, created, keySet] = await Promise.all([
		client.register(school, 'School', 'Demo school'),
		client.createDataset(school, 'students 2025'),
		client.setEncryptionKey(company, await (await encryption.fresh()).publicKey()),
	]);
	const dataset = created.event('dataSharing', 'DatasetCreated').dataset.toNumber();
	printStep(registered, 'school', 'registers as a producer; its account is also its contract\'s address:');
	printNote('', school.address);
	printStep(created, 'school', `creates dataset ${dataset}, "students 2025"`);
	printStep(keySet, 'company', 'registers an encryption key, separate from its signing key');
	return dataset;
}

/** Stores a record for each month; returns the stored ciphertexts. */
async function store({ client, files, school, master, keys, csv }, dataset) {
	print('\n2. The school stores its students\' records (T_s)');
	const source = join(files, 'school-students.csv');
	writeFileSync(source, csv);
	printNote('school', `reads ${source}`);
	printNote('', size(csv, MONTHS));
	const stored = await Promise.all(
		MONTHS.map((month, leaf) => {
			const place = { dataset, epoch: 0, leaf, key: keys[leaf] };
			return client.store(school, master, place, Buffer.from(monthsOf(csv, [month])));
		}),
	);
	printStep(stored, 'school', `encrypts each month under its own key and stores ${stored.length} records`);
	const hashes = stored.map((receipt) => receipt.event('dataSharing', 'Stored').contentHash.toU8a());
	const values = await Promise.all(hashes.map((hash) => client.fetchValue(hash)));
	const rows = csv.trimEnd().split('\n');
	for (const value of values) {
		const leaked = rows.find((row) => Buffer.from(value).includes(row));
		check(leaked === undefined, `the stored values are encrypted (one contains "${leaked}")`);
	}
	printNote('', `anyone can download them: ${values.length} ciphertexts, and not one row of the file`);
	return values;
}

/** The company requests the spring months, and the school authorises it. */
async function grant({ client, school, company, master, encryption }, dataset) {
	print('\n3. The company requests access (T_q), and the school grants it');
	const spring = { dataset, epoch: 0, ...SPRING };
	const key = await (await encryption.fresh()).publicKey();
	const terms = { purpose: PURPOSE, code: 'research', term: TERM, key };
	const requested = await client.requestAccess(company, school.address, spring, terms);
	const request = requested.event('dataSharing', 'AccessRequested').request.toNumber();
	const [first, last] = [SPRING_MONTHS[0], SPRING_MONTHS.at(-1)];
	printStep(requested, 'company', `requests ${first} to ${last}, for ${TERM} blocks`);
	printNote('', `purpose: "${PURPOSE}"`);
	const granted = await client.authorize(school, master, company.address, spring, { term: TERM, request });
	printStep(granted, 'school', 'authorises the request, and seals those months\' keys to the company\'s key');
}

/** The company reads the months that the school granted. */
async function read({ client, files, school, company, encryption, keys, csv }) {
	print('\n4. The company queries, fetches and decrypts');
	const granted = keys.slice(SPRING.from, SPRING.to);
	const parts = await Promise.all(granted.map((key) => client.read(company, encryption, school.address, key)));
	const received = joinCsv(parts.map((bytes) => Buffer.from(bytes).toString()));
	const target = join(files, 'company-students.csv');
	writeFileSync(target, received);
	const sums = [readFileSync(target), monthsOf(csv, SPRING_MONTHS)].map(sha256);
	check(sums[0] === sums[1], 'the company received the bytes that the school stored');
	printNote('company', `writes ${target}`);
	printNote('', size(received, SPRING_MONTHS));
	printNote('', 'byte for byte what the school stored, by SHA-256:');
	print(`    received  ${sums[0]}`);
	print(`    stored    ${sums[1]}`);
}

/** Shows that a stranger can read nothing, and the company nothing outside its months. */
async function refuseEveryoneElse({ client, school, company, stranger, encryption, keys }, values) {
	print('\n5. Everyone else is refused');
	const { address: owner } = school;
	const key = keys[SPRING.from];
	const unknown = await expectRefusal('NotAuthorised', client.query(stranger.address, owner, key));
	printNote('stranger', `queries ${MONTHS[SPRING.from]}: refused, ${unknown.name}`);
	printNote('', `"${unknown.message}"`);
	await queryAsTheCompany({ client, company, owner, key });
	printNote('', 'queries in the company\'s name and gets the sealed keys, which are public:');
	printNote('', 'its own key pair cannot open them');
	const beyond = await expectRefusal('OutOfRange', client.query(company.address, owner, keys[JUNE]));
	printNote('company', `queries ${MONTHS[JUNE]}: refused, ${beyond.name}`);
	printNote('', `"${beyond.message}"`);
	await tryEveryKey({ client, company, encryption, owner, keys, june: values[JUNE] });
	printNote('company', `downloads ${MONTHS[JUNE]}'s ciphertext, which is public, and tries every key it has:`);
	printNote('', 'none of them opens it');
}

/** The stranger gets the company's answer, as anyone can, but cannot open the sealed keys with its own key pair. */
async function queryAsTheCompany({ client, company, owner, key }) {
	const caller = company.address;
	const answer = await client.query(caller, owner, key);
	const pair = EncryptionSecret.generate();
	await expectRefusal('DoesNotOpen', client.openKeys({ caller, owner, answer, pair }));
}

/** The company gets June's ciphertext, as anyone can, but none of the company's keys opens it. */
async function tryEveryKey({ client, company, encryption, owner, keys, june }) {
	const caller = company.address;
	const answer = await client.query(caller, owner, keys[SPRING.from]);
	const granted = await client.openKeys({ caller, owner, answer, pair: encryption });
	await expectRefusal('LeafOutsideRange', granted.leafKey(JUNE));
	const context = client.recordContext(owner, keys[JUNE]);
	for (let leaf = SPRING.from; leaf < SPRING.to; leaf++) {
		const key = await granted.leafKey(leaf);
		await expectRefusal('WrongKey', client.decrypt(key, owner, keys[JUNE], june));
		// A program that skips the record's key commitment fares no better.
		await expectRefusal('NotAuthentic', firstChunkWithAnyKey(key, context, june));
	}
}

/**
 * The school grants June for as long as few people have the flu. The next report suspends the grant, and the one after it
 * resumes it; returns that one's receipt.
 */
async function followFacts(scene, dataset) {
	const { client, school, company, ministry, master, encryption, keys, csv } = scene;
	const [month, key] = [MONTHS[JUNE], keys[JUNE]];
	print('\n6. A grant depends on the world outside');
	const source = client.api.tx.facts.createSource(SOURCE, [ministry.address], 1, FRESH);
	printStep(await client.submit(ministry, source), 'ministry', `creates a source of facts, ${SOURCE}`);
	await reportCases(scene, 80);
	const june = { dataset, epoch: 0, from: JUNE, to: JUNE + 1 };
	const terms = { term: TERM, condition: parse(CONDITION) };
	printStep(await client.authorize(school, master, company.address, june, terms), 'school', `grants ${month}, good while`);
	printNote('', CONDITION);
	const isJune = async () => {
		const bytes = Buffer.from(await client.read(company, encryption, school.address, key));
		check(bytes.toString() === monthsOf(csv, [month]), `the company reads ${month} as the school stored it`);
	};
	await isJune();
	printNote('company', `reads ${month}`);
	const many = await reportCases(scene, 120);
	check(many.event('dataSharing', 'GrantSuspended'), 'the report suspends the grant');
	printNote('', 'the condition is not met any more: the same block suspends the grant');
	const suspended = await expectRefusal('Suspended', client.query(company.address, school.address, key));
	printNote('company', `queries ${month}: refused, ${suspended.name}`);
	const few = await reportCases(scene, 60);
	check(few.event('dataSharing', 'GrantResumed'), 'the next report resumes the grant');
	printNote('', 'the condition is met again: the same block resumes the grant');
	await isJune();
	printNote('company', `reads ${month} again`);
	return few;
}

/** The ministry reports how many people have the flu; returns the receipt. */
async function reportCases({ client, ministry }, cases) {
	const response = JSON.stringify({ flu: { cases } });
	// The chain takes one observation a second.
	const last = (await client.api.query.facts.reports(SOURCE, TOPIC))[0]?.observed.toNumber() ?? 0;
	const observed = Math.max(unixSeconds(new Date()), last + 1);
	const hash = hex(blake2b256(Buffer.from(response)));
	const report = client.api.tx.facts.report(SOURCE, TOPIC, { Integer: cases }, observed, hash);
	const reported = await client.submit(ministry, report);
	printStep(reported, 'ministry', `reports ${cases} cases of flu`);
	return reported;
}

/** Prints what to try next on the chain, which is still running. */
function printNextSteps(node, files) {
	const { url, pid } = node;
	print(`
The chain is still running and makes a block every few seconds. To explore it, open in a browser

  https://polkadot.js.org/apps/?rpc=${url}

There is nothing to configure, and a local copy of Polkadot.js Apps works as well. Try
  Network > Explorer              the blocks, each with its miner
  Developer > Chain state         dataSharing: producers, records, grants
  Developer > Runtime calls       dataSharingApi.query: caller CHARLIE, owner BOB, key
                                  ${hex(recordKey(`students/${MONTHS[SPRING.from]}`))}
  Developer > Extrinsics          the calls, with their documentation: the school is BOB, the
                                  company CHARLIE, the stranger DAVE, the ministry EVE

Stop it:    kill ${pid}
Its files:  ${files} (with the chain's data; remove the folder when you are done)`);
}

async function main() {
	const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
	const start = performance.now();
	const files = mkdtempSync(join(tmpdir(), 'isthmus-demo-'));
	process.on('exit', () => {
		// End the node first: it must not write into a folder that is being removed.
		LocalNode.endAll();
		if (!values.keep) rmSync(files, { recursive: true, force: true, maxRetries: 5 });
	});

	print('Isthmus demo: a school stores a year of students\' records on a chain, encrypted, and opens');
	print('three months of them to one company and to no one else; a fourth, while a fact allows it.\n');
	const node = await LocalNode.start({
		basePath: join(files, 'chain'),
		port: values.keep ? DEFAULT_PORT : 0,
	});
	print(`A development chain is running at ${node.url}. It uses Ethash proof of work; one node`);
	print('(Alice) mines and verifies, and makes a block when transactions are waiting.\n');
	const client = await Client.connect(node.url);
	const failure = await Promise.race([
		story(client, files),
		node.exited,
		pause(TIMEOUT, `the demo did not finish within ${TIMEOUT / 1000} s`, { ref: false }),
	]);
	if (failure) throw new Error(`${failure}; the end of the node's log:\n${node.logTail()}`);
	await client.disconnect();
	print(`The demo took ${((performance.now() - start) / 1000).toFixed(1)} s from the start of the chain.`);

	if (values.keep) {
		node.release();
		printNextSteps(node, files);
	} else {
		await node.stop();
		rmSync(files, { recursive: true, force: true, maxRetries: 5 });
		print('The chain was stopped and its files removed; `scripts/demo --keep` keeps both.');
	}
}

main().then(
	() => process.exit(0),
	(error) => {
		process.stderr.write(`demo: failed: ${error.message}\n`);
		process.exit(1);
	},
);
