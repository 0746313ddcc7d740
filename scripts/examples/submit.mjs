// Sends one extrinsic and says what came of it: `node submit.mjs ws://127.0.0.1:9944`. It needs
// nothing of this project's, only `@polkadot/api`: the chain describes itself.

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';

const provider = new WsProvider(process.argv[2] ?? 'ws://127.0.0.1:9944');
const api = await ApiPromise.create({ provider, noInitWarn: true });
const signer = new Keyring({ type: 'sr25519' }).addFromUri('//Eve');

const call = api.tx.dataSharing.register('School', 'A school of my own');
await new Promise((resolve, reject) => {
	call.signAndSend(signer, { nonce: -1 }, ({ blockNumber, dispatchError, events, status }) => {
		if (!status.isInBlock) return;
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
});
await api.disconnect();
