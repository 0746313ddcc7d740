// SPDX-License-Identifier: Apache-2.0

// Tests that clients sign only what they know: the table of calls and extensions is that of this release's node, it cannot be
// renewed without a new transaction version if a call has changed, and a node whose metadata differs gets nothing signed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileOf, LayoutChanged, layoutOf, renewed } from '../lib/layout-table.mjs';
import { asksForMetadata, exchanged, LyingNode, renamedExtension, retyped } from '../lib/lying-node.mjs';
import { LocalNode } from '../lib/node.mjs';
import { describe, difference, errorOf, fromTable } from '../lib/sharing/layout.mjs';
import LAYOUTS from '../lib/sharing/layouts.mjs';
import { Client } from '../lib/sharing.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 600_000;
/** Two calls with one number of the same type, and one with a shorter number. */
const CANCEL = { call: 'cancel_request', argument: 'request', type: 'RequestId' };
const REVOKE = { call: 'revoke', argument: 'grant', type: 'GrantId' };
const CLEAR = { call: 'clear_policy', argument: 'dataset', type: 'DatasetId' };

let node;
let liar;
let honest;

before(async () => {
	node = await LocalNode.start({ args: ['--dev'] });
	liar = await LyingNode.start(node.url);
	honest = await Client.connect(node.url);
}, { timeout });

after(async () => {
	await honest?.disconnect();
	await liar?.stop();
	await node?.stop();
});

test('the table is that of this release', () => {
	const found = layoutOf(honest.api);
	const renew = 'the runtime has changed: run ISTHMUS_NODE=PATH scripts/layouts.mjs, commit what it writes, and build again';
	assert.deepEqual(renewed(LAYOUTS, found), LAYOUTS, renew);
	const written = readFileSync(new URL('../lib/sharing/layouts.mjs', import.meta.url), 'utf8');
	assert.equal(fileOf(LAYOUTS), written, renew);
	const [{ calls, extensions }] = LAYOUTS;
	for (const name of ['DataSharing.act_for', 'Utility.batch_all', 'Proxy.proxy', 'Proxy.add_proxy', 'Proxy.remove_proxy']) {
		assert.match(calls[name], /^\d+\.\d+\(.*\)$/, name);
	}
	assert.ok(!Object.values(calls).concat(extensions).includes('types without end'));
});

test('a call that programs sign cannot change without a new transaction version', () => {
	const [layout] = LAYOUTS;
	const { transactionVersion: version, calls } = layout;
	const changed = { ...layout, calls: { ...calls, 'DataSharing.revoke': '10.200(grant:u64)' } };
	const { 'DataSharing.revoke': _gone, ...fewer } = calls;
	const extended = { ...layout, extensions: [...layout.extensions, 'ChargeAssetTxPayment(~u128,())'] };
	for (const other of [changed, extended, { ...layout, calls: fewer }]) {
		assert.throws(() => renewed(LAYOUTS, other), LayoutChanged);
		assert.deepEqual(renewed(LAYOUTS, other, { isReleased: false }), [other, ...LAYOUTS.slice(1)]);
	}
	const raised = { ...changed, transactionVersion: version + 1, specVersion: layout.specVersion + 1 };
	assert.deepEqual(renewed(LAYOUTS, raised), [raised, ...LAYOUTS]);
	// What is added takes nothing away.
	const added = { ...layout, calls: { ...calls, 'DataSharing.lend': '10.200(grant:u64)' } };
	assert.deepEqual(renewed(LAYOUTS, added), [added, ...LAYOUTS.slice(1)]);
});

test('metadata that differs from a layout is told apart', () => {
	const { metadata } = honest.api.registry;
	const [layout] = LAYOUTS;
	const { calls, extensions } = layout;
	assert.equal(difference(metadata, layout), null);
	assert.equal(fromTable(metadata, layout.transactionVersion), null);
	assert.equal(fromTable(metadata, 999).what, 'the transaction version');
	const without = (name) => Object.fromEntries(Object.entries(calls).filter(([each]) => each !== name));
	const [first, ...others] = extensions;
	const of = (what, known) => assert.equal(difference(metadata, { ...layout, ...known })?.what, what);
	of('DataSharing.revoke', { calls: { ...calls, 'DataSharing.revoke': calls['DataSharing.cancel_request'] } });
	of('DataSharing.revoke', { calls: { ...calls, 'DataSharing.revoke': calls['DataSharing.revoke'].replace('u64', 'u32') } });
	of('the extensions of transactions', { extensions: others });
	of('the extensions of transactions', { extensions: [...others, first] });
	// A call under a new name in the place of one that is known.
	of('DataSharing.end_grant', { calls: { ...without('DataSharing.revoke'), 'DataSharing.end_grant': calls['DataSharing.revoke'] } });
	// A call that is newer than the layout is none.
	assert.equal(difference(metadata, { ...layout, calls: without('DataSharing.revoke') }), null);
	assert.deepEqual(Object.entries(describe(metadata).calls).sort(), Object.entries(calls).sort());
});

const id = (value) => ({ toNumber: () => value });

/**
 * Returns the honest metadata with other types.
 *
 * @param {(path: string, type: any) => object | undefined} change Returns what is different of a type.
 * @param {object} [others] What else is different of the lookup.
 */
function withTypes(change, others = {}) {
	const { lookup, pallets, extrinsic } = honest.api.registry.metadata;
	const { names, paramTypes } = lookup;
	const getSiType = (number) => {
		if (number.toNumber() === ADDED) return others.added;
		const type = lookup.getSiType(number);
		const { def, params, path } = type;
		return { def, params, path, ...change(path.join('::'), type) };
	};
	return { pallets, extrinsic, lookup: { names, paramTypes, getSiType, ...others } };
}

/** The number of a type that the honest metadata does not have. */
const ADDED = 99_999;
const SCOPE = 'isthmus_sharing::scope::Scope';

test('a type that the API would encode by another rule is a difference', () => {
	const [layout] = LAYOUTS;
	const ofChange = (path, change, others) =>
		difference(withTypes((found, type) => (found === path ? change(type) : undefined), others), layout);
	assert.equal(ofChange('', () => undefined), null);
	// Only the whole path makes a type a call, and some paths make any type one of the API's own.
	assert.notEqual(ofChange('isthmus_runtime::RuntimeCall', () => ({ path: ['x', 'RuntimeCall'] })), null);
	assert.notEqual(ofChange('sp_runtime::generic::era::Era', () => ({ path: ['x', 'Era'] })), null);
	assert.notEqual(ofChange(SCOPE, () => ({ path: ['ink_env', 'types', 'Scope'] })), null);
	// An option is encoded by its parameter, and these always are.
	const other = { name: 'T', type: { isSome: true, unwrap: () => id(ADDED) } };
	assert.notEqual(ofChange('Option', () => ({ params: [other] })), null);
	for (const path of [['Result'], ['Range'], ['BTreeMap'], ['x', 'WrapperOpaque']]) {
		const metadata = { ...withTypes(() => ({ path })), pallets: [] };
		assert.match(describe(metadata).extensions.join(), /a type that its parameters describe/, path.join());
	}
	// A type in the place of another one of that name, also one of the API.
	const { names, paramTypes } = honest.api.registry.metadata.lookup;
	for (const name of ['Lookup5', 'AccountId32', 'Index', 'Compact<Index>']) {
		assert.deepEqual(difference(withTypes(() => undefined, { names: [...names, name] }), layout)?.found, name);
	}
	// The API takes this parameter for a call, whatever type it is.
	const [address, , ...rest] = paramTypes.SpRuntimeUncheckedExtrinsic;
	const params = { ...paramTypes, SpRuntimeUncheckedExtrinsic: [address, address, ...rest] };
	const call = difference(withTypes(() => undefined, { paramTypes: params }), layout);
	assert.equal(call?.what, 'a parameter of SpRuntimeUncheckedExtrinsic');
});

test('a name with other characters cannot make one type look like another', () => {
	const [layout] = LAYOUTS;
	/** Gives the scope other fields, of which the same text could be written. */
	const scopeOf = (change, added) => {
		const scope = (path, { def }) => {
			if (path !== SCOPE) return undefined;
			return { def: { isComposite: true, asComposite: { fields: change([...def.asComposite.fields]) } } };
		};
		return difference(withTypes(scope, { added }), layout);
	};
	const named = (name) => ({ isSome: true, unwrap: () => name });
	assert.equal(scopeOf((fields) => fields), null);
	const joined = scopeOf(([{ type }, , from, to]) => [{ name: named('dataset:u32,epoch'), type }, from, to]);
	assert.match(joined.found, /a name with other characters/);
	const u64 = { isPrimitive: true, asPrimitive: { type: 'U64' } };
	const added = { path: ['u32,epoch:u32,from:'], params: [], def: u64 };
	assert.notEqual(scopeOf(([dataset, , , to]) => [{ ...dataset, type: id(ADDED) }, to], added), null);
	// Nor may a new call have one, and an error steers no terminal.
	const metadata = withTypes(() => undefined);
	const [{ calls }] = [...metadata.pallets].filter((pallet) => pallet.calls.isSome);
	const pallets = [...metadata.pallets, { name: '\u001b[2J', index: 200, calls }];
	assert.match(difference({ ...metadata, pallets }, layout).what, /^\\u001b\[2J\./);
	// Extensions are compared one by one.
	const [first, second, ...others] = layout.extensions;
	assert.notEqual(difference(metadata, { ...layout, extensions: [`${first} ${second}`, ...others] }), null);
});

test('a node of another version of the chain is not called a liar', () => {
	const [{ specVersion }] = LAYOUTS;
	const oldest = Math.min(...LAYOUTS.map((layout) => layout.specVersion));
	const version = fromTable(honest.api.registry.metadata, 0);
	const call = { ...version, what: 'DataSharing.revoke' };
	for (const [differs, runtime, name, message] of [
		[version, specVersion + 1, 'Outdated', /knows versions up to/],
		[call, specVersion + 1, 'Outdated', /knows versions up to/],
		[version, oldest - 1, 'OlderRuntime', /older than \d+, the first one that this library signs for/],
		[version, specVersion, 'FalseMetadata', /if the chain was upgraded, wait until that is final/],
		[version, null, 'FalseMetadata', /if the chain was upgraded, wait until that is final/],
		// Within a version that the table has, it is a lie on any chain.
		[call, oldest - 1, 'FalseMetadata', /`$/],
		[call, specVersion, 'FalseMetadata', /`$/],
	]) {
		const error = errorOf(differs, runtime);
		assert.equal(error.name, name);
		assert.match(error.message, message);
	}
});

test('types that go on for ever are like nothing in the table', () => {
	/** Metadata of one extension, of a type of which each has the next one twice. */
	const metadata = (next) => ({
		lookup: { getSiType: (type) => ({ path: [], def: { isTuple: true, asTuple: next(type.toNumber()).map(id) } }) },
		pallets: [],
		extrinsic: { transactionExtensions: [{ identifier: 'A', type: id(0), implicit: id(0) }] },
	});
	for (const next of [(at) => [at + 1, at + 1], (at) => (at < 20 ? [at + 1, at + 1] : []), (at) => [at + 1, 0]]) {
		assert.deepEqual(describe(metadata(next)).extensions, ['types without end']);
	}
	assert.deepEqual(describe(metadata(() => [0, 1])).extensions, ['A((^0,(^1,^0)),(^0,(^1,^0)))']);
});

/** Tells a lie about the metadata, and returns the transactions that are sent to the liar. */
function lieAboutMetadata(change) {
	const sent = [];
	liar.setLie((method, params, result) => {
		if (/submit/i.test(method)) sent.push(params[0]);
		return asksForMetadata(method, params) && typeof result === 'string' ? change(result) : result;
	});
	return sent;
}

for (const [lie, change, what] of [
	['two calls exchanged', (metadata) => exchanged(metadata, CANCEL, REVOKE), 'DataSharing.'],
	['an argument of another type', (metadata) => retyped(metadata, CANCEL, CLEAR), 'DataSharing.cancel_request'],
	['another extension', (metadata) => renamedExtension(metadata, 'WeightReclaim', 'ChargeAssetTx'), 'the extensions of transactions'],
	['calls under another path', (metadata) => renamedExtension(metadata, 'isthmus_runtime', 'isthmus_machine'), 'SpRuntimeUncheckedExtrinsic'],
]) {
	test(`nothing is signed for a node that shows ${lie}`, { timeout }, async (t) => {
		t.mock.method(console, 'warn', () => undefined);
		const sent = lieAboutMetadata(change);
		const client = await Client.connect(liar.url);
		t.after(() => client.disconnect());
		const call = client.api.tx.dataSharing.cancelRequest(7);
		const refused = client.submit(client.account('//Bob'), call);
		await assert.rejects(refused, (error) => error.name === 'FalseMetadata' && error.message.includes(what));
		assert.deepEqual(sent, []);
		if (lie === 'two calls exchanged') {
			// It is what the client would have signed.
			const [, index] = LAYOUTS[0].calls['DataSharing.revoke'].split(/[.(]/);
			assert.equal(call.method.callIndex[1], Number(index));
		}
	});
}

test('a node cannot claim another transaction version, or an upgrade that is not proven', { timeout }, async (t) => {
	const sent = [];
	liar.setLie((method, params, result) => {
		if (/submit/i.test(method)) sent.push(params[0]);
		return method === 'state_getRuntimeVersion' ? { ...result, specVersion: 999, transactionVersion: 999 } : result;
	});
	liar.setLieOfEvent((event) => (event?.specVersion ? { ...event, specVersion: 999, transactionVersion: 999 } : event));
	t.after(() => liar.setLieOfEvent((event) => event));
	const client = await Client.connect(liar.url);
	t.after(() => client.disconnect());
	const refused = client.submit(client.account('//Bob'), client.api.tx.dataSharing.revoke(7));
	await assert.rejects(refused, { name: 'FalseMetadata', message: /the transaction version/ });
	// If the upgrade were proven, the library would say that it is outdated.
	t.mock.method(client, 'provenRuntime', async () => 999);
	const outdated = client.submit(client.account('//Bob'), client.api.tx.dataSharing.revoke(7));
	await assert.rejects(outdated, { name: 'Outdated', message: /version 999/ });
	assert.deepEqual(sent, []);
	liar.tellTruth();
	const [{ specVersion }] = LAYOUTS;
	await honest.finalized(await honest.submit(honest.account('//Bob'), honest.api.tx.system.remark('0x00')));
	assert.equal(await honest.provenRuntime(), specVersion);
});
