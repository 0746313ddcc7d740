// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { MasterSecret } from '../lib/envelope.mjs';
import { Client } from '../lib/sharing.mjs';

const client = await Client.connect(process.argv[2] ?? 'ws://127.0.0.1:9944');
const school = client.account('//Ferdie');
const master = new MasterSecret(new Uint8Array(readFileSync('school.secret')));

// Anyone can see who asks for what. Look before you grant: here, the school grants everything.
for (const [key, entry] of await client.api.query.dataSharing.requests.entries()) {
	const { owner, consumer, scope, purpose, term } = entry.unwrap();
	if (!owner.eq(school.address)) continue;
	const [request] = key.args;
	const [dataset, epoch, from, to] = [scope.dataset, scope.epoch, scope.from, scope.to].map(Number);
	const terms = { request: request.toNumber(), term: term.toNumber() };
	const given = await client.authorize(school, master, consumer.toString(), { dataset, epoch, from, to }, terms);
	const { grant } = given.event('dataSharing', 'Authorized');
	console.log(`grant ${grant} to ${consumer} in block ${given.block}: ${purpose.toUtf8()}`);
}
await client.disconnect();
