// SPDX-License-Identifier: Apache-2.0

// The rehearsed upgrade. A chain starts with the runtime of an earlier commit, and is filled with producers, records,
// grants, requests and payments in escrow. The superuser of that runtime upgrades it to one whose verifiers can vote, and
// then the verifiers upgrade it to the node's own, under load. Everything is found, and a new node syncs through both
// upgrades.
//
// `data/runtime-5ed0144.wasm` is the runtime of commit 5ed0144, the last one without votes on upgrades, and
// `data/runtime-votes.wasm` the first one with them. Both have version 3.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Keyring } from '@polkadot/api';
import { agree } from '../lib/council.mjs';
import { Network, step } from '../lib/network.mjs';
import { runToEnd } from '../lib/node.mjs';
import { until } from '../lib/rpc.mjs';
import { Client, cidOf, hex, NotIncluded, recordKey } from '../lib/sharing.mjs';
import { identities, storageKey } from '../lib/spec.mjs';

/** Ends hung tests, in milliseconds. It does not test speed. */
const timeout = 1_200_000;
/** It takes minutes. */
const skip = process.env.ISTHMUS_LONG !== '1' && 'only with scripts/test --all';
const file = (name) => fileURLToPath(new URL(`data/${name}`, import.meta.url));
const OLD = file('runtime-5ed0144.wasm');
const WITH_VOTES = file('runtime-votes.wasm');
/** The delays of the verifiers' decisions, in blocks: for upgrades, stalled finality, and restarts. */
const DELAYS = [8, 50, 50, 50];
/** The parts of the genesis configuration that the old runtime knows. */
const KNOWN = ['balances', 'proofOfWork', 'session', 'sudo', 'verifiers'];
/** The smallest unit's multiple that is called IST. */
const UNIT = 1_000_000_000_000n;
/** A term that does not end during the test, in blocks. */
const TERM = 20_000;

const accounts = identities(5).map(({ account }) => account);
/** The accounts with data. They neither mine nor pay for anything between the upgrades. */
const [OWNER, READER, ASKER, BUYER] = ['//Owner', '//Reader', '//Asker', '//Buyer'];
const LOAD = '//Load';

/** Returns the address of a secret. */
function addressOf(secret) {
	return new Keyring({ type: 'sr25519' }).addFromUri(secret).address;
}

/** A client of chains whose runtime is older than what the library knows of transactions. */
class OldChain extends Client {
	layoutDifference() {
		return null;
	}
}

/** Encodes numbers of 32 bits. */
function encodeNumbers(numbers) {
	const bytes = Buffer.alloc(4 * numbers.length);
	numbers.forEach((number, index) => bytes.writeUInt32LE(number, 4 * index));
	return hex(bytes);
}

/** Returns bytes of this length that differ from those of any other seed. */
function bytesOf(seed, length) {
	return Uint8Array.from({ length }, (_, index) => (seed * 31 + index * 7) % 251);
}

/** Fills the chain with one of each kind of entry; returns the values that were stored, by record. */
async function fill(client) {
	const { dataSharing } = client.api.tx;
	const [owner, reader, asker, buyer] = [OWNER, READER, ASKER, BUYER].map((secret) => client.account(secret));
	const scope = (from, to) => ({ dataset: 0, epoch: 0, from, to });
	const consumers = [reader, asker, buyer];
	await client.submit(owner, dataSharing.register('School', 'A school with a past'));
	await client.submit(owner, dataSharing.createDataset('marks'));
	await client.submit(asker, dataSharing.register('Business', 'A firm'));
	await Promise.all(
		consumers.map((signer, index) => client.submit(signer, dataSharing.setEncryptionKey(hex(bytesOf(index, 34))))),
	);
	const values = new Map();
	for (let leaf = 0; leaf < 6; leaf++) {
		const value = bytesOf(leaf, 1000 * (leaf + 1));
		const key = hex(recordKey(`record-${leaf}`));
		await client.submit(owner, dataSharing.store(key, 0, 0, leaf, hex(value)));
		values.set(key, hex(value));
	}
	// A record that was removed leaves its leaf behind.
	const removed = [...values.keys()][5];
	await client.submit(owner, dataSharing.removeRecord(removed));
	values.delete(removed);

	// A request that was answered and paid, one that is open with an offer, and one without.
	const request = async (signer, range, offer) => {
		const asked = await client.submit(signer, dataSharing.requestAccess(owner.address, range, 'research', TERM, offer));
		return asked.event('dataSharing', 'AccessRequested').request.toNumber();
	};
	const paid = await request(buyer, scope(0, 3), 7n * UNIT);
	await request(asker, scope(0, 2), 5n * UNIT);
	await request(buyer, scope(4, 5), 0n);
	// Grants: one answers, one was not asked for, one is revoked in an epoch of its own.
	const grant = (signer, range, answer) =>
		client.submit(
			owner,
			dataSharing.addAuthorize(signer.address, range, 2 * TERM, null, hex(bytesOf(9, 200)), answer, null),
		);
	await grant(buyer, scope(0, 3), paid);
	await grant(reader, scope(0, 6), null);
	const unwanted = (await grant(asker, scope(0, 1), null)).event('dataSharing', 'Authorized');
	await client.finalized(await client.submit(owner, dataSharing.revoke(unwanted.grant)));
	return values;
}

/** Returns what must be the same before and after an upgrade: balances, holds, and the number of entries of each kind. */
async function inventory(client) {
	const { api } = client;
	const at = await api.at(await api.rpc.chain.getFinalizedHead());
	const money = {};
	for (const secret of [OWNER, READER, ASKER, BUYER]) {
		const { address } = client.account(secret);
		const { data } = await at.query.system.account(address);
		const holds = await at.query.balances.holds(address);
		money[secret] = {
			free: data.free.toString(),
			reserved: data.reserved.toString(),
			holds: holds.map(({ id, amount }) => `${id} ${amount}`).sort(),
		};
	}
	const entries = {};
	for (const name of ['producers', 'encryptionKeys', 'datasets', 'records', 'leaves', 'requests', 'grants']) {
		entries[name] = (await at.query.dataSharing[name].keys()).length;
	}
	return { money, entries };
}

/**
 * Sends transfers from one account until `stop` is called, which returns how many blocks included. `abandon` ends it
 * without waiting for the last one.
 */
function load(url) {
	let stopped = false;
	let client;
	const running = (async () => {
		let included = 0;
		while (!stopped) {
			// A transaction that was signed for the old runtime is invalid after the upgrade: connect again.
			client = await OldChain.connect(url);
			try {
				const signer = client.account(LOAD);
				const { address } = client.account('//Sink');
				while (!stopped) {
					await client.submit(signer, client.api.tx.balances.transferKeepAlive(address, UNIT));
					included++;
				}
			} catch (error) {
				if (!(error instanceof NotIncluded) && !/^10\d\d: |^No response received/.test(error.message)) throw error;
			} finally {
				await client.disconnect();
			}
		}
		return included;
	})();
	const stop = async () => {
		stopped = true;
		return running;
	};
	const abandon = async () => {
		stopped = true;
		running.catch(() => {});
		await client?.disconnect();
	};
	return { stop, abandon };
}

test('a chain with data is upgraded by the superuser and by vote', { timeout, skip }, async (t) => {
	// One node mines, so that no reorganisation puts a call into another block.
	const args = (index) => (index === 0 ? ['--mine', '--beneficiary', accounts[0], '--hash-rate', '2000'] : []);
	const network = await Network.start({
		spare: 1,
		args,
		parameters: { genesisDifficulty: '0x800', minimumDifficulty: '0x800' },
		code: OLD,
		storage: { [storageKey('Verifiers', 'Delays')]: encodeNumbers(DELAYS) },
		edit: (genesis) => {
			for (const part of Object.keys(genesis)) if (!KNOWN.includes(part)) delete genesis[part];
			genesis.verifiers = { sessionBlocks: 10 };
			genesis.balances.balances.push(...[OWNER, READER, ASKER, BUYER, LOAD].map((secret) => [addressOf(secret), 1e16]));
		},
	});
	t.after(() => network.stop());
	const [alice, bob] = network.members;
	const connect = () => OldChain.connect(alice.local.url);
	let values;
	let before;
	let versions;
	let stop;

	await step(t, network, 'the old runtime takes the data', async () => {
		const client = await connect();
		values = await fill(client);
		before = await inventory(client);
		versions = [(await alice.rpc.call('state_getRuntimeVersion')).specVersion];
		await client.disconnect();
	});

	await step(t, network, 'the superuser upgrades to a runtime with votes', async () => {
		const client = await connect();
		const { sudo, system } = client.api.tx;
		const call = system.setCodeWithoutChecks(hex(readFileSync(WITH_VOTES)));
		const upgraded = await client.submit(client.account('//Alice'), sudo.sudo(call));
		assert.ok(upgraded.event('sudo', 'Sudid').sudoResult.isOk);
		await client.disconnect();
		await network.finalizedFrom(upgraded.block + 3);
		const next = await connect();
		assert.ok(next.api.tx.verifiers.authorizeUpgrade, 'the verifiers can vote');
		assert.deepEqual(await inventory(next), before);
		await next.disconnect();
	});

	await step(t, network, 'the verifiers upgrade to the runtime of this node, under load', async () => {
		// Not before: the first upgrade keeps the version, and so clients do not notice that the metadata changed.
		const running = load(bob.local.url);
		t.after(running.abandon);
		stop = running.stop;
		const { stdout } = await runToEnd(['export-chain-spec', '--chain', 'local']);
		const code = JSON.parse(stdout).genesis.runtimeGenesis.code;
		const client = await connect();
		const { api } = client;
		const hash = api.registry.hash(Buffer.from(code.slice(2), 'hex'));
		const closed = await agree(client, ['//Alice', '//Bob', '//Charlie'], api.tx.verifiers.authorizeUpgrade(hash));
		const agreed = closed.event('verifiers', 'UpgradeAgreed');
		assert.equal(agreed.due.toNumber(), closed.block + DELAYS[0]);
		const apply = api.tx.system.applyAuthorizedUpgrade(code);
		// Bob's node will refuse these bytes for a while, so ask another one later.
		await assert.rejects(bob.rpc.call('author_submitExtrinsic', apply.toHex()), { code: 1010 }, 'it is not due yet');
		await alice.rpc.bestFrom(agreed.due.toNumber());
		assert.equal((await api.query.system.authorizedUpgrade()).unwrap().codeHash.toHex(), hash.toHex());
		// Anyone applies it, without a signature.
		const { number } = await alice.rpc.best();
		await alice.rpc.call('author_submitExtrinsic', apply.toHex());
		// Each node compiles the new runtime before it answers about it, which can take longer than a call may.
		await alice.rpc.bestFrom(number + 3);
		const version = await until('the new runtime is there', async () => {
			const { specVersion } = await alice.rpc.call('state_getRuntimeVersion');
			return specVersion > versions[0] && specVersion;
		});
		versions.push(version);
		await client.disconnect();
		await network.finalizedFrom((await alice.rpc.best()).number + 1);
	});

	await step(t, network, 'everything is found, and every deposit is held', async () => {
		const client = await connect();
		const after = await inventory(client);
		assert.deepEqual(after.money, before.money);
		assert.deepEqual(after.entries, before.entries);
		// The words of a purpose were not agreed to by a code.
		for (const kind of ['requests', 'grants']) {
			const entries = await client.api.query.dataSharing[kind].entries();
			assert.ok(entries.length > 0 && entries.every(([, entry]) => entry.unwrap().code.isUnspecified), kind);
		}
		const owner = client.account(OWNER).address;
		for (const [key, value] of values) {
			const record = (await client.api.query.dataSharing.records(owner, key)).unwrap();
			const hash = record.payload.asValue.contentHash.toU8a();
			assert.equal(await client.rpc('bitswap_v1_get', cidOf(hash)), value);
			const answer = await client.query(client.account(READER).address, owner, Buffer.from(key.slice(2), 'hex'));
			assert.deepEqual([...answer.grant.sealedKeys], [...bytesOf(9, 200)]);
		}
		await client.disconnect();
	});

	await step(t, network, 'the load went on, and a new node syncs through both upgrades', async (t) => {
		const included = await stop();
		assert.ok(included > 10, `${included} transfers were included`);
		t.diagnostic(`${included} transfers; versions ${versions}`);
		const fresh = await network.add(args(4));
		const { number } = await alice.rpc.finalized();
		await network.finalizedFrom(number + 1);
		assert.equal(await fresh.rpc.hashAt(number), await alice.rpc.hashAt(number));
	});

	await step(t, network, 'the state of the new node is sound', async () => {
		const fresh = network.members.at(-1);
		await network.down(fresh);
		const { code, stdout, stderr } = await runToEnd(['check-state', '--chain', network.spec, '--base-path', fresh.basePath]);
		assert.equal(code, 0, stderr);
		assert.match(stdout, /^The state of block \d+ \(0x\w+\) is sound: \d+ entries\.$/m);
	});
});
