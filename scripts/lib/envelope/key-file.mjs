// SPDX-License-Identifier: Apache-2.0

// Key files: an account's secrets, encrypted with a passphrase.

import { scryptAsync } from '@noble/hashes/scrypt';
import { copy, EnvelopeError, fromDigits, subtle, utf8 } from './common.mjs';
import { Seed } from './seed.mjs';

const VERSION = 2;
/** The fields of a key file. */
const FIELDS = ['isthmusKey', 'account', 'fingerprint', 'scryptLogN', 'salt', 'secrets'];
/** The maximum accepted cost, which needs 1 GiB of memory. */
const MAX_LOG_N = 20;
const [R, P] = [8, 1];
const SEED_LEN = 32;

/**
 * Opens a key file.
 *
 * @param {string} text The contents of the file.
 * @param {string} passphrase
 * @returns {Promise<{seed: Seed, imported: string | undefined}>} `imported` is the secret of an imported account, in the form that
 * wallets use; if there is none, the account is the one that is derived from the seed.
 * @throws {EnvelopeError} `NotAKeyFile`, `DoesNotOpen`
 */
export async function openKeyFile(text, passphrase) {
	const refused = (reason) => new EnvelopeError('NotAKeyFile', `not a valid key file: ${reason}`);
	let file;
	try {
		file = JSON.parse(text);
	} catch (error) {
		throw refused(error.message);
	}
	const { isthmusKey, account, fingerprint, scryptLogN } = file ?? {};
	if (isthmusKey !== VERSION) throw refused(`unknown version ${isthmusKey}`);
	const unknown = Object.keys(file).find((field) => !FIELDS.includes(field));
	if (unknown !== undefined) throw refused(`unknown field ${unknown}`);
	if (!(scryptLogN >= 1 && scryptLogN <= MAX_LOG_N)) throw refused('it needs more than 1 GiB of memory');
	const unhex = (field) => {
		if (!/^([0-9a-f]{2})*$/i.test(file[field])) throw refused(`${field} is not hexadecimal`);
		return fromDigits(file[field]);
	};
	const N = 2 ** scryptLogN;
	const [salt, sealed] = [unhex('salt'), unhex('secrets')];
	const bytes = await scryptAsync(utf8(passphrase), salt, { N, r: R, p: P, dkLen: 32, maxmem: 256 * R * (N + P) });
	const key = await subtle.importKey('raw', bytes, 'AES-GCM', false, ['decrypt']);
	const additionalData = utf8(`isthmus/key/v${isthmusKey}/${account}/${fingerprint}`);
	let opened;
	try {
		opened = new Uint8Array(await subtle.decrypt({ name: 'AES-GCM', iv: new Uint8Array(12), additionalData }, key, sealed));
	} catch {
		throw new EnvelopeError('DoesNotOpen', 'the passphrase does not open the key file, or the file was altered');
	}
	if (opened.length < SEED_LEN) throw refused('the decrypted contents are not a valid key set');
	const imported = new TextDecoder('utf-8', { ignoreBOM: true }).decode(opened.subarray(SEED_LEN));
	return { seed: new Seed(copy(opened, 0, SEED_LEN)), imported: imported === '' ? undefined : imported };
}
