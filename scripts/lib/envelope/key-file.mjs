// SPDX-License-Identifier: Apache-2.0

// Key files: an account's secrets, encrypted with a passphrase.

import { createDecipheriv, scryptSync } from 'node:crypto';
import { copy, EnvelopeError } from './common.mjs';
import { EncryptionKeyPair } from './keys.mjs';
import { MasterSecret } from './master.mjs';

const VERSION = 1;
/** The maximum accepted cost, which needs 1 GiB of memory. */
const MAX_LOG_N = 20;
const [R, P] = [8, 1];
const TAG_LEN = 16;

/**
 * Opens a key file.
 *
 * @param {string} text The contents of the file.
 * @param {string} passphrase
 * @returns {{secret: string, master: MasterSecret, encryption: EncryptionKeyPair[]}} `secret` is the account's
 * secret in the form that wallets use. The first encryption pair is the current one.
 * @throws {EnvelopeError} `NotAKeyFile`, `DoesNotOpen`
 */
export function openKeyFile(text, passphrase) {
	const refused = (reason) => new EnvelopeError('NotAKeyFile', `not a valid key file: ${reason}`);
	let file;
	try {
		file = JSON.parse(text);
	} catch (error) {
		throw refused(error.message);
	}
	const { isthmusKey, account, encryptionKey, scryptLogN, salt, secrets } = file ?? {};
	if (isthmusKey !== VERSION) throw refused(`unknown version ${isthmusKey}`);
	if (!(scryptLogN >= 1 && scryptLogN <= MAX_LOG_N)) throw refused('it needs more than 1 GiB of memory');
	const N = 2 ** scryptLogN;
	const key = scryptSync(passphrase, Buffer.from(salt, 'hex'), 32, { N, r: R, p: P, maxmem: 256 * R * (N + P) });
	const sealed = Buffer.from(secrets, 'hex');
	const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12), { authTagLength: TAG_LEN });
	decipher.setAAD(Buffer.from(`isthmus/key/v${isthmusKey}/${account}/${encryptionKey}`));
	let opened;
	try {
		decipher.setAuthTag(sealed.subarray(-TAG_LEN));
		opened = Buffer.concat([decipher.update(sealed.subarray(0, -TAG_LEN)), decipher.final()]);
	} catch {
		throw new EnvelopeError('DoesNotOpen', 'the passphrase does not open the key file, or the file was altered');
	}
	const master = opened.length < 2 ? 0 : 2 + opened.readUInt16BE();
	const pairs = (opened.length - master) / 32 - 1;
	if (master === 0 || !Number.isInteger(pairs) || pairs < 1) throw refused('the decrypted contents are not a valid key set');
	const at = (index) => copy(opened, master + 32 * index, master + 32 * (index + 1));
	return {
		secret: opened.toString('utf8', 2, master),
		master: new MasterSecret(at(0)),
		encryption: Array.from({ length: pairs }, (_, i) => new EncryptionKeyPair(at(i + 1))),
	};
}
