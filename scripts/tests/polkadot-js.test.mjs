// SPDX-License-Identifier: Apache-2.0

// Tests what a client that knows nothing about this chain can see. The client is `@polkadot/api`, which Polkadot.js
// Apps uses too, without any configuration.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { LocalNode } from '../lib/node.mjs';
import { within } from '../lib/waiting.mjs';

/** Ends hung tests, in milliseconds. It does not test speed, as these tests also run beside a build. */
const timeout = 600_000;
let node, api;

before(
	async () => {
		node = await LocalNode.start();
		api = await ApiPromise.create({ provider: new WsProvider(node.url), noInitWarn: true });
	},
	{ timeout },
);
after(async () => {
	await api?.disconnect();
	await node?.stop();
});

/** Returns a metadata item's documentation as one string. */
const docsOf = ({ docs }) => docs.join(' ').trim();

test("a block's author is in its header, and a runtime call tells it", { timeout }, async () => {
	const header = await within('a block', new Promise((resolve, reject) => {
		const stop = api.derive.chain.subscribeNewHeads((header) => {
			if (header.number.toNumber() > 0) resolve(stop.then((end) => end()).then(() => header));
		});
		stop.catch(reject);
	}));
	const alice = new Keyring({ type: 'sr25519' }).addFromUri('//Alice').address;
	assert.equal(header.author?.toString(), alice);
	const again = await api.derive.chain.getHeader(header.hash);
	assert.equal(again.author?.toString(), alice);
	const { call } = await api.at(header.hash);
	assert.equal((await call.blockAuthorApi.author()).toString(), alice);
});

test('a dry run takes a transaction of default mortality, and keeps nothing', { timeout }, async () => {
	const charlie = new Keyring({ type: 'sr25519' }).addFromUri('//Charlie');
	const nonceOf = async () => (await api.query.system.account(charlie.address)).nonce.toNumber();
	const nonce = await nonceOf();
	/** Signs a call with the defaults, and returns what the node says that it would do. */
	const dryRun = async (call) => {
		const signed = await call.signAsync(charlie, {});
		assert.ok(signed.era.isMortalEra);
		const result = await api.rpc.system.dryRun(signed.toHex());
		assert.ok(result.isOk, result.toString());
		return result.asOk;
	};
	assert.ok((await dryRun(api.tx.system.remark('0x00'))).isOk);
	const refused = await dryRun(api.tx.dataSharing.createDataset('marks'));
	assert.equal(api.registry.findMetaError(refused.asErr.asModule).name, 'NotRegistered');
	assert.equal(await nonceOf(), nonce);
	const old = await api.tx.system.remark('0x00').signAsync(charlie, { nonce: nonce + 1_000_000 });
	assert.match((await api.rpc.system.dryRun(old.toHex())).toString(), /Future/i);
	await assert.rejects(api.rpc.system.dryRun('0x04'), /2: the bytes are no transaction/);
	await assert.rejects(api.rpc.system.dryRun('0x00'), /1: the runtime cannot try the transaction/);
});

test('a producer registers until it is final, and the second time the error is named', { timeout }, async () => {
	const dave = new Keyring({ type: 'sr25519' }).addFromUri('//Dave');
	const register = () =>
		within('the call is final', new Promise((resolve, reject) => {
			const sent = api.tx.dataSharing.register('School', 'A school of Polkadot.js').signAndSend(dave, { nonce: -1 }, (result) => {
				if (result.isFinalized || result.isError) sent.then((end) => end()).then(() => resolve(result));
			});
			sent.catch(reject);
		}));
	const { events } = await register();
	assert.ok(events.some(({ event }) => api.events.dataSharing.Registered.is(event)));
	const { dispatchError } = await register();
	const { name, docs } = api.registry.findMetaError(dispatchError.asModule);
	assert.deepEqual([name, docs.join(' ').trim()], ['AlreadyRegistered', 'The account is a registered producer already.']);
});

test('the chain reports its name, token and address format', { timeout }, async () => {
	assert.equal((await api.rpc.system.chain()).toString(), 'Isthmus Development');
	assert.equal(api.runtimeVersion.specName.toString(), 'isthmus');
	assert.deepEqual(api.registry.chainTokens, ['IST']);
	assert.deepEqual(api.registry.chainDecimals, [12]);
	assert.equal(api.registry.chainSS58, 42);
});

test('a call for the superuser is refused when another signs it, before it takes a place', { timeout }, async () => {
	const bob = new Keyring({ type: 'sr25519' }).addFromUri('//Bob');
	const { system, utility } = api.tx;
	const call = system.setStorage([['0x01', `0x${'00'.repeat(1 << 20)}`]]);
	const nonceOf = async () => (await api.query.system.account(bob.address)).nonce.toNumber();
	const nonce = await nonceOf();
	for (const refused of [call, utility.forceBatch([call])]) {
		await assert.rejects(refused.signAndSend(bob, { nonce }), /1010: Invalid Transaction/);
	}
	assert.equal(await nonceOf(), nonce);
});

test('an account acts for another one, within the limits of its kind of proxy', { timeout }, async () => {
	assert.ok(api.registry.signedExtensions.includes('CheckMetadataHash'));
	const [eve, ferdie] = ['//Eve', '//Ferdie'].map((secret) => new Keyring({ type: 'sr25519' }).addFromUri(secret));
	/** Sends a call, and returns the events of its transaction. */
	const send = (signer, call) =>
		within('the call is in a block', new Promise((resolve, reject) => {
			const sent = call.signAndSend(signer, ({ events, status, dispatchError }) => {
				if (dispatchError) reject(new Error(dispatchError.toString()));
				else if (status.isInBlock || status.isFinalized) sent.then((end) => end()).then(() => resolve(events));
			});
			sent.catch(reject);
		}));
	/** Lets Ferdie send a call for Eve, and returns the name of its error, or null. */
	const forEve = async (call) => {
		const events = await send(ferdie, api.tx.proxy.proxy(eve.address, null, call));
		const { event } = events.find(({ event }) => api.events.proxy.ProxyExecuted.is(event));
		const [result] = event.data;
		return result.isErr ? api.registry.findMetaError(result.asErr.asModule).name : null;
	};
	await send(eve, api.tx.proxy.addProxy(ferdie.address, 'Sharing', 0));
	assert.equal(await forEve(api.tx.balances.transferAllowDeath(ferdie.address, 1_000_000_000_000n)), 'CallFiltered');
	assert.equal(await forEve(api.tx.dataSharing.register('School', 'A school')), null);
	const producer = await api.query.dataSharing.producers(eve.address);
	assert.ok(producer.isSome, 'Eve is registered, not Ferdie');
	// A value must be a transaction's own call.
	await forEve(api.tx.dataSharing.createDataset('marks'));
	assert.equal(await forEve(api.tx.dataSharing.store(`0x${'05'.repeat(32)}`, 0, 0, 0, '0x00')), 'MustBeDirect');
});

test('every call of data sharing exists, with its documentation', { timeout }, () => {
	const calls = api.tx.dataSharing;
	for (const name of [
		...['register', 'deregister', 'setEncryptionKey', 'removeEncryptionKey'],
		...['createDataset', 'removeDataset', 'startEpoch', 'store', 'removeRecord', 'freeLeaf'],
		...['openRecord', 'storeChunk', 'setPolicy', 'clearPolicy'],
		...['requestAccess', 'cancelRequest', 'rejectRequest', 'addAuthorize', 'revoke', 'settle', 'renounce', 'setClosed', 'recountSold'],
		...['withdrawWhen', 'embargo', 'dispute', 'offerDataset', 'withdrawDatasetOffer', 'acceptDataset', 'actFor'],
	]) {
		assert.ok(calls[name], `the call ${name} is missing`);
	}
	for (const [name, call] of Object.entries(calls)) assert.ok(docsOf(call.meta), `call ${name}`);
});

test('every event, error, constant and storage item of our pallets is documented', { timeout }, () => {
	for (const pallet of ['dataSharing', 'facts', 'keepers', 'proofOfWork', 'verifiers']) {
		const items = [
			...Object.entries(api.events[pallet] ?? {}),
			...Object.entries(api.errors[pallet] ?? {}),
			...Object.entries(api.query[pallet]).map(([name, { creator }]) => [name, creator]),
		].filter(([name]) => name !== 'palletVersion');
		assert.ok(items.length > 3, `${pallet} has only ${items.length} items`);
		for (const [name, { meta }] of items) assert.ok(docsOf(meta), `${pallet}.${name}`);
		for (const [name, constant] of Object.entries(api.consts[pallet] ?? {})) {
			assert.ok(docsOf(constant.meta), `${pallet}.${name}`);
		}
	}
});

test('the types of shared data are documented, with each field and variant', { timeout }, () => {
	const ours = [...api.registry.lookup.types.values()].filter(({ type }) => String(type.path[0]) === 'isthmus_sharing');
	assert.ok(ours.length > 20, `only ${ours.length} types`);
	for (const { type } of ours) {
		const name = type.path.map(String).join('::');
		assert.ok(type.docs.join('').trim(), name);
		const parts = type.def.isComposite ? type.def.asComposite.fields : type.def.isVariant ? type.def.asVariant.variants : [];
		for (const part of parts) assert.ok(part.docs.join('').trim(), `${name}: ${part.name}`);
	}
});

test('`query` is a runtime call, with its types', { timeout }, async () => {
	const { query } = api.call.dataSharingApi;
	assert.deepEqual(
		query.meta.params.map(({ name, type }) => [name, type]),
		[
			['caller', 'SpCoreCryptoAccountId32'],
			['owner', 'SpCoreCryptoAccountId32'],
			['key', 'PrimitiveTypesH256'],
		],
	);
	assert.match(query.meta.description, /what `caller` may learn about the record/);
	const [alice, bob] = ['//Alice', '//Bob'].map(
		(secret) => new Keyring({ type: 'sr25519' }).addFromUri(secret).address,
	);
	const answer = await query(alice, bob, `0x${'00'.repeat(32)}`);
	assert.ok(answer.isErr);
	assert.equal(answer.asErr.type, 'UnknownRecord');
});
