// SPDX-License-Identifier: Apache-2.0
import { receipts, verifyReceipt } from '../lib/receipts.mjs';
import { Client } from '../lib/sharing.mjs';

const client = await Client.connect(process.argv[2] ?? 'ws://127.0.0.1:9944');
const school = client.account('//Ferdie');
const bytes = (hex) => new Uint8Array(Buffer.from(hex.slice(2), 'hex'));
// The first byte of an event is the number of its name in the chain's metadata.
const events = Object.entries(client.api.events.dataSharing);
const nameOf = ([number]) => events.find(([, { meta }]) => meta.index.toNumber() === number)?.[0];

// The requests and grants of dataset 0. A block's header commits to its events, so the node cannot make one up.
const history = await client.rpc('sharing_history', { owner: school.address, dataset: 0, access: true });
for (const block of history.blocks) {
	const header = client.api.createType('Header', block.header);
	const logs = header.digest.logs.map((log) => log.toHex());
	for (const { index, transaction, event, path } of block.events) {
		await verifyReceipt(receipts({ digest: { logs } }), index, { transaction, event: bytes(event) }, path.map(bytes));
		console.log(`${nameOf(bytes(event))} in block ${header.number}, ${header.hash}`);
	}
}
await client.disconnect();
