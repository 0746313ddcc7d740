// SPDX-License-Identifier: Apache-2.0
// A program that uses the package with its types. `types.test.mjs` checks it, and does not run it: each line below
// `@ts-expect-error` has to be refused.

import { parse, show, type Condition } from 'isthmus-scripts/conditions';
import { EncryptionKeyPair, MasterSecret, type KeySet } from 'isthmus-scripts/envelope';
import { storeFile } from 'isthmus-scripts/large';
import { LeafNames, parseLeaves, readCard } from 'isthmus-scripts/leaves';
import { Client, LeavesError, recordKey, type Receipt } from 'isthmus-scripts/sharing';

export async function share(card: Uint8Array): Promise<string> {
	const client = await Client.connect('ws://127.0.0.1:9944', { genesis: new Uint8Array(32), maxAge: 900 });
	const [school, company] = [client.account('//Bob'), client.account('//Charlie')];
	const master = MasterSecret.generate();
	const receipt: Receipt = await client.register(school, 'School', 'A school');
	await client.finalized(receipt);
	const key: Uint8Array = recordKey('2025-01');
	await client.store(school, master, { dataset: 0, epoch: 0, leaf: 0, key }, new TextEncoder().encode('Ada,97'));

	const scope = await client.scope(company, school.address, { dataset: 0, leaves: '2025-03..2025-05', card });
	const last: number = scope.to - 1;
	const pair = EncryptionKeyPair.generate();
	const condition: Condition = parse('paid >= 1');
	await client.requestAccess(company, school.address, scope, { purpose: show(condition), term: 100, key: await pair.publicKey(), offer: 2n });
	await client.authorize(school, master, company.address, scope, { term: 100, until: new Date(), condition });
	const answer = await client.query(company.address, school.address, key);
	const keys: KeySet = await client.openKeys({ caller: company.address, owner: school.address, answer, pair });
	await keys.leafKey(last);
	for (const keeper of await client.keepers(school.address, 0)) {
		const proven: number | null = keeper.proven;
		console.log(keeper.account, keeper.location, proven ?? 'never');
	}
	const file = { stat: async () => ({ size: 0 }), read: async () => ({ bytesRead: 0 }) };
	await storeFile(client, school, master, { dataset: 0, epoch: 0, leaf: 1, key }, file, { chunkSize: 1000 });

	// @ts-expect-error A school is no kind of person.
	await client.register(school, 'Person', 'A school');
	// @ts-expect-error A record's key is made of bytes.
	await client.store(school, master, { dataset: 0, epoch: 0, leaf: 0, key: '2025-01' }, card);
	// @ts-expect-error Leaves are asked for by a text.
	await client.scope(company, school.address, { dataset: 0, leaves: 3 });
	// @ts-expect-error An offer is an amount of the chain, which needs more than the 53 bits of a number.
	await client.requestAccess(company, school.address, scope, { purpose: 'a study', term: 100, key: await pair.publicKey(), offer: 2 });
	// @ts-expect-error An address signs nothing.
	await client.authorize(school.address, master, company.address, scope, { term: 100 });
	// @ts-expect-error Reading is what a client has, not a method of another name.
	await client.readAll(company, pair, school.address, key);

	return new TextDecoder().decode(await client.read(company, pair, school.address, key));
}

/** Returns the first of the leaves that a card calls by a name, and one past the last; undefined if it calls none so. */
export function named(card: Uint8Array, text: string): [number, number] | undefined {
	const { leaves, epoch } = readCard(card, '5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty', 0);
	try {
		return new LeafNames(leaves, epoch).range(parseLeaves(text), { epoch: epoch ?? 0, isNamed: false });
	} catch (error) {
		if (error instanceof LeavesError && error.name === 'Unnamed') return undefined;
		throw error;
	}
}
