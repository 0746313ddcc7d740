// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs';
import { EncryptionSecret } from '../lib/envelope.mjs';
import { Client } from '../lib/sharing.mjs';

const client = await Client.connect(process.argv[2] ?? 'ws://127.0.0.1:9944');
const [company, school] = ['//Charlie', '//Ferdie'].map((secret) => client.account(secret));
const secret = EncryptionSecret.generate();
writeFileSync('company.secret', secret.exposeSecret(), { mode: 0o600, flag: 'wx' }); // opens what is granted
const key = await (await secret.fresh()).publicKey();

const year = { dataset: 0, epoch: 0, from: 0, to: 12 }; // leaves 0 to 11: a record a month
const offer = 2_000_000_000_000n; // 2 IST, held until the school answers
const terms = { purpose: 'a study of marks', code: 'statistics', term: 1000, offer, key };
const asked = await client.requestAccess(company, school.address, year, terms);
const { request } = asked.event('dataSharing', 'AccessRequested');
console.log(`request ${request} in block ${asked.block}`);
await client.disconnect();
