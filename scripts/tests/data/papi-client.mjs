// SPDX-License-Identifier: Apache-2.0

// What a user of polkadot-api (PAPI) does: papi-client.mjs URL. Registers //Dave twice, and prints what the chain said.
//
// foreign-clients.test.mjs copies it to a folder with nothing of this project, checks it against the types that `papi add` made
// from the chain's metadata, and runs it.

import { createClient, Enum } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { getWsProvider } from 'polkadot-api/ws';
import { isthmus } from '@polkadot-api/descriptors';
import { sr25519CreateDerive } from '@polkadot-labs/hdkd';
import { DEV_MINI_SECRET, ss58Address } from '@polkadot-labs/hdkd-helpers';
// @ts-ignore: it has no types
import { WebSocket } from 'ws';

const dave = sr25519CreateDerive(DEV_MINI_SECRET)('//Dave');
const address = ss58Address(dave.publicKey);
const signer = getPolkadotSigner(dave.publicKey, 'Sr25519', dave.sign);
const client = createClient(getWsProvider(process.argv[2], { websocketClass: WebSocket }));
const api = client.getTypedApi(isthmus);

const register = api.tx.DataSharing.register({ kind: Enum('School'), name: new TextEncoder().encode('A school of PAPI') });
const first = await register.signAndSubmit(signer);
const events = first.events.map(({ type, value }) => `${type}.${value.type}`);
const second = await register.signAndSubmit(signer);
const refusal = second.ok ? null : second.dispatchError;
const producer = await api.query.DataSharing.Producers.getValue(address);
const author = await api.apis.BlockAuthorApi.author({ at: first.block.hash });
console.log(JSON.stringify({ address, events, refusal, kind: producer?.kind.type, author }));
client.destroy();
