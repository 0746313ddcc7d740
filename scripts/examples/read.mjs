// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { EncryptionSecret } from '../lib/envelope.mjs';
import { Client, QueryRefused, recordKey } from '../lib/sharing.mjs';

const client = await Client.connect(process.argv[2] ?? 'ws://127.0.0.1:9944');
const [company, school] = ['//Charlie', '//Ferdie'].map((secret) => client.account(secret));
const secret = new EncryptionSecret(new Uint8Array(readFileSync('company.secret')));

try {
	// The chain proves where the record is, and that the company may read it. The bytes are decrypted here.
	const read = await client.read(company, secret, school.address, recordKey('students/2025-01'));
	console.log(new TextDecoder().decode(read));
} catch (error) {
	if (!(error instanceof QueryRefused)) throw error;
	console.log(`refused: ${error.name}: ${error.message}`);
}
await client.disconnect();
