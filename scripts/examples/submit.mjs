// SPDX-License-Identifier: Apache-2.0
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';

const url = process.argv[2] ?? 'ws://127.0.0.1:9944';
const provider = new WsProvider(url);
// Without `throwOnConnect`, it would try to connect for ever.
const api = await ApiPromise.create({ provider, noInitWarn: true, throwOnConnect: true }).catch(() => {
	console.error(`no node answers at ${url}`);
	process.exit(1);
});
const signer = new Keyring({ type: 'sr25519' }).addFromUri('//Eve');

const call = api.tx.dataSharing.register('School', 'A school of my own');
await new Promise((resolve, reject) => {
	call.signAndSend(signer, { nonce: -1 }, (result) => {
		const { blockNumber, dispatchError, events, status } = result;
		if (result.isError) reject(new Error(`not included in a block: ${status.type}`));
		if (!status.isFinalized) return; // a block may be reverted until it is finalized
		if (dispatchError?.isModule) {
			const { name, docs } = api.registry.findMetaError(dispatchError.asModule);
			console.log(`refused: ${name}: ${docs.join(' ').trim()}`);
		} else {
			for (const { event } of events) {
				console.log(`block ${blockNumber}: ${event.section}.${event.method}`);
			}
		}
		resolve();
	}).catch(reject);
}).finally(() => api.disconnect());
