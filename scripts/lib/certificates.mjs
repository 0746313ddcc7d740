// SPDX-License-Identifier: Apache-2.0

// Makes certificates for tests: an authority, and what it signs (X.509, RFC 5280).

import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';

const DAY = 24 * 3600 * 1000;

/** Encodes a value of ASN.1 by the distinguished rules (DER). */
function der(tag, ...parts) {
	const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
	const { length } = content;
	const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
	return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts) => der(0x30, ...parts);
const [COMMON_NAME, BASIC_CONSTRAINTS, ALTERNATIVE_NAME] = [[0x55, 4, 3], [0x55, 0x1d, 0x13], [0x55, 0x1d, 0x11]]
	.map((oid) => der(6, oid));
/** ecdsa-with-SHA256. */
const ALGORITHM = sequence(der(6, [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
const TRUE = der(1, [0xff]);

const nameOf = (name) => sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))));
const timeOf = (time) => der(0x17, Buffer.from(`${new Date(time).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
const pem = (bytes) => new X509Certificate(bytes).toString();

/** Makes a certificate. `issuer` signs it; without one it signs itself. */
function certify({ name, issuer, extensions, from = Date.now() - DAY, to = Date.now() + DAY }) {
	const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
	const body = sequence(
		der(0xa0, der(2, [2])),
		der(2, [1], randomBytes(8)),
		ALGORITHM,
		nameOf(issuer?.name ?? name),
		sequence(timeOf(from), timeOf(to)),
		nameOf(name),
		pair.publicKey.export({ type: 'spki', format: 'der' }),
		der(0xa3, sequence(...extensions)),
	);
	const signature = sign('sha256', body, issuer?.privateKey ?? pair.privateKey);
	const certificate = pem(sequence(body, ALGORITHM, der(3, [0], signature)));
	return { name, privateKey: pair.privateKey, certificate };
}

/** Makes an authority. */
export const makeAuthority = (name = 'Test authority') =>
	certify({ name, extensions: [sequence(BASIC_CONSTRAINTS, TRUE, der(4, sequence(TRUE)))] });

/**
 * Makes the certificate of a server, and its key.
 *
 * @param {object} issuer The authority.
 * @param {object} [options]
 * @param {number[]} [options.ip] The server's address.
 * @param {number} [options.to] When the certificate ends, in milliseconds since 1970.
 * @returns {{ cert: string, key: string }} As node:https takes them.
 */
export function makeServerCertificate(issuer, { ip = [127, 0, 0, 1], to } = {}) {
	const names = sequence(ALTERNATIVE_NAME, der(4, sequence(der(0x87, ip))));
	const from = to === undefined ? undefined : to - DAY;
	const { certificate, privateKey } = certify({ name: 'Test server', issuer, extensions: [names], from, to });
	return { cert: certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}
