// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs';
import { MasterSecret } from '../lib/envelope.mjs';
import { Client, recordKey } from '../lib/sharing.mjs';

const client = await Client.connect(process.argv[2] ?? 'ws://127.0.0.1:9944');
const school = client.account('//Ferdie');
const master = MasterSecret.generate();
await client.register(school, 'School', 'Another school');
writeFileSync('school.secret', master.exposeSecret(), { mode: 0o600, flag: 'wx' }); // opens everything stored with it
const created = await client.createDataset(school, 'students');
const dataset = created.event('dataSharing', 'DatasetCreated').dataset.toNumber();

const place = { dataset, epoch: 0, leaf: 0, key: recordKey('students/2025-01') };
const plaintext = new TextEncoder().encode('month,student,mark\n2025-01,S0001,64\n');
const stored = await client.store(school, master, place, plaintext);
await client.finalized(stored);
console.log(`stored in block ${stored.block}, which is finalized`);

const read = await client.readOwn(school, master, place.key);
console.log(`read back:\n${new TextDecoder().decode(read)}`);
await client.disconnect();
