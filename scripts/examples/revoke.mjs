// SPDX-License-Identifier: Apache-2.0
import { Client } from '../lib/sharing.mjs';

const [grant, url] = process.argv.slice(2);
const client = await Client.connect(url ?? 'ws://127.0.0.1:9944');
const school = client.account('//Ferdie');

// What the company has read it may have kept. The new epoch has new keys, so what is stored from now on is closed to it.
const revoked = await client.submit(school, client.api.tx.dataSharing.revoke(grant));
const { epoch } = revoked.event('dataSharing', 'EpochStarted');
console.log(`grant ${grant} was revoked in block ${revoked.block}, and epoch ${epoch} began`);
await client.disconnect();
