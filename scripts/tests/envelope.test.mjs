// SPDX-License-Identifier: Apache-2.0

// Checks the JavaScript envelope against the Rust crate's valid and invalid test vectors, and HPKE against the vectors
// of RFC 9180. Needs no node.

import assert from 'node:assert/strict';
import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { blake3 } from '@noble/hashes/blake3';
import {
	decryptObject,
	decryptValue,
	Decryptor,
	EncryptionKeyPair,
	EncryptionSecret,
	Encryptor,
	encryptValue,
	EnvelopeError,
	folderFromBytes,
	folderToBytes,
	grantRecipient,
	Header,
	joinShares,
	LEAVES,
	MasterSecret,
	MAX_CHUNK_SIZE,
	MAX_CHUNKS,
	merkle,
	NameCipher,
	ObjectDecryptor,
	ObjectHeader,
	openGrant,
	openKeyFile,
	packedFolderFromBytes,
	packedFolderToBytes,
	PublicKey,
	Range,
	sealGrant,
	Seed,
	SUITE_X25519,
	SUITE_XWING,
	TAG_LEN,
} from '../lib/envelope.mjs';
import { HIDDEN } from '../lib/envelope/common.mjs';
import { sealGrantWith } from '../lib/envelope/grant.mjs';
import { cryptoKeyPairOf, SUITES } from '../lib/envelope/keys.mjs';
import { objectWithAnyKey, SEALED_CHUNK } from '../lib/envelope/object.mjs';
import { encryptAll, encryptorWithSalt, firstChunkWithAnyKey } from '../lib/envelope/record.mjs';
import { secretOf } from '../lib/envelope/tree.mjs';

const read = (path) => JSON.parse(readFileSync(new URL(`../../client/envelope/${path}`, import.meta.url)));
const vectors = read('vectors.json');
const files = read('vectors-files.json');
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data) => Buffer.from(data).toString('hex');

const contextOf = (v) => ({
	genesis: bytes(v.genesis),
	owner: bytes(v.owner),
	key: bytes(v.key),
	version: v.version,
});
const idOf = ({ genesis, owner, dataset, epoch }) => ({
	genesis: bytes(genesis),
	owner: bytes(owner),
	dataset,
	epoch,
});
const pairOf = ({ suite, id, seed }) => new EncryptionKeyPair(suite, bytes(id), bytes(seed));
const scopeOf = ({ grantee, start, end, expiry }) => ({
	grantee: bytes(grantee),
	range: new Range(start, end),
	expiry,
});

/** The key tree that most vectors use. */
const [first] = vectors.epochRoots;
const epochRoot = await new MasterSecret(bytes(first.master)).epochRoot(idOf(first));
const leafKeyOf = ({ leaf }) => epochRoot.leafKey(leaf);
const someKey = await epochRoot.leafKey(5);
const someContext = contextOf(vectors.records[0]);

/** Asserts that an attempt is refused with the error and the values in a vector. */
async function refused(attempt, expected, what) {
	await assert.rejects(attempt, (error) => {
		assert.ok(error instanceof EnvelopeError, `${what}: ${error.stack}`);
		assert.deepEqual({ name: error.name, ...error.details }, expected, what);
		return true;
	});
}

test('epoch roots', async () => {
	for (const v of vectors.epochRoots) {
		const root = await new MasterSecret(bytes(v.master)).epochRoot(idOf(v));
		assert.equal(hex((await root.keySet(Range.ALL)).toBytes()), v.root);
	}
});

test('leaf keys', async () => {
	for (const v of vectors.leafKeys) assert.equal(hex(secretOf(await leafKeyOf(v))), v.key);
});

test("each of a folder's files has its own key", async () => {
	for (const { folder, path, key } of vectors.fileKeys) {
		assert.equal(hex(await epochRoot.fileKey(bytes(folder), path)), key);
	}
});

test('a name comes back from the key that hides it', async () => {
	for (const v of vectors.names) {
		const cipher = await NameCipher.create(new MasterSecret(bytes(v.master)), bytes(v.genesis), bytes(v.owner));
		assert.equal(hex(await cipher.key(bytes(v.name))), v.key);
		assert.equal(hex(await cipher.name(bytes(v.key))), v.name);
	}
});

test('folders are encoded and decoded', async () => {
	for (const v of files.folders) {
		const list = v.files.map((file) => ({ ...file, key: bytes(file.key), hash: bytes(file.hash) }));
		assert.equal(hex(folderToBytes(list)), v.bytes);
		assert.deepEqual(folderFromBytes(bytes(v.bytes)), list);
	}
	for (const v of files.refusedFolders) {
		assert.throws(() => folderFromBytes(bytes(v.bytes)), { name: v.error }, v.case);
	}
});

test('the characters that hide text are those of the Rust crate', () => {
	const source = readFileSync(new URL('../../primitives/sharing/src/text.rs', import.meta.url), 'utf8');
	const listed = [...source.matchAll(/0x([0-9a-f]+)(?:\.\.=0x([0-9a-f]+))?/g)].flatMap(([, first, last]) => {
		const [from, to] = [first, last ?? first].map((digits) => Number.parseInt(digits, 16));
		return Array.from({ length: to - from + 1 }, (_, index) => from + index);
	});
	assert.ok(listed.length > 100);
	const hidden = new RegExp(`[${HIDDEN}]`, 'u');
	const found = [];
	for (let code = 0; code <= 0x10ffff; code++) if (hidden.test(String.fromCodePoint(code))) found.push(code);
	assert.deepEqual(found, listed);
	// Where Unicode has no character yet, a path may have one.
	const [executable, folder, key] = [false, false, new Uint8Array(32)];
	const file = { path: 'a\u2065b', executable, folder, length: 1, key, hash: key };
	assert.deepEqual(folderFromBytes(folderToBytes([file])), [file]);
});

test('lists of packed folders are encoded and decoded', () => {
	for (const v of files.packedFolders) {
		const packs = v.packs.map((pack) => ({ ...pack, key: bytes(pack.key), id: bytes(pack.id) }));
		const list = { packs, files: v.files.map((file) => ({ ...file, hash: bytes(file.hash) })) };
		assert.equal(hex(packedFolderToBytes(list)), v.bytes);
		assert.deepEqual(packedFolderFromBytes(bytes(v.bytes)), list);
	}
	for (const v of files.refusedPackedFolders) {
		assert.throws(() => packedFolderFromBytes(bytes(v.bytes)), { name: v.error }, v.case);
	}
});

test('key files', async () => {
	for (const { file, passphrase, seed, imported } of files.keyFiles) {
		const opened = await openKeyFile(JSON.stringify(file), passphrase);
		assert.equal(hex(opened.seed.exposeSecret()), seed);
		assert.equal(opened.imported, imported ?? undefined);
		assert.equal(hex(await opened.seed.fingerprint()), file.fingerprint);
		await assert.rejects(openKeyFile(JSON.stringify(file), 'another'), { name: 'DoesNotOpen' });
		for (const [field, value, name] of [
			['account', 'another', 'DoesNotOpen'],
			['fingerprint', '00', 'DoesNotOpen'],
			['isthmusKey', 1, 'NotAKeyFile'],
			['more', 1, 'NotAKeyFile'],
			['salt', '0', 'NotAKeyFile'],
			['secrets', 'xx', 'NotAKeyFile'],
			['scryptLogN', 21, 'NotAKeyFile'],
		]) {
			const other = JSON.stringify({ ...file, [field]: value });
			await assert.rejects(openKeyFile(other, passphrase), { name }, field);
		}
	}
});

test('a seed brings back its words and all that is derived from it', async () => {
	for (const v of vectors.seeds) {
		const seed = Seed.fromWords(v.words.toUpperCase().replaceAll(' ', '\n'));
		assert.equal(hex(seed.exposeSecret()), v.seed);
		assert.equal(hex(await seed.account()), v.account);
		assert.equal(hex((await seed.master()).exposeSecret()), v.master);
		const encryption = await seed.encryption();
		assert.equal(hex(encryption.exposeSecret()), v.encryption);
		assert.equal(hex(await seed.fingerprint()), v.fingerprint);
		for (const pair of v.pairs) {
			const made = await encryption.pair(pair.suite, bytes(pair.id));
			assert.equal(hex(made.exposeSeed()), pair.seed);
		}
	}
	assert.throws(() => Seed.fromWords('abandon'), { name: 'WordCount', details: { got: 1 } });
	assert.throws(() => Seed.fromWords('abandon '.repeat(24)), { name: 'Words' });
	assert.throws(() => Seed.fromWords('abandn '.repeat(24)), { name: 'Words' });
});

test('three of five shares bring a seed back, and two do not', async () => {
	const { seed, need, shares } = vectors.shares;
	for (const [first] of shares.entries()) {
		const some = [0, 1, 3].map((step) => shares[(first + step) % shares.length]);
		assert.equal(hex((await joinShares(some)).exposeSecret()), seed);
		const got = need - 1;
		await refused(joinShares([some[0], some[1], some[0]]), { name: 'TooFew', need, got }, 'two');
	}
	assert.equal(hex((await joinShares(shares)).exposeSecret()), seed);
	await refused(joinShares([]), { name: 'TooFew', need: 2, got: 0 }, 'none');
	await refused(joinShares(['isthmus-share-1-00']), { name: 'NotAShare' }, 'a short one');
	const typo = shares[0].replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
	await refused(joinShares([typo]), { name: 'Checksum' }, 'a typing error');
});

test('one secret brings back every key pair, and no other', async () => {
	const [secret, other] = [EncryptionSecret.generate(), EncryptionSecret.generate()];
	for (const pair of [await secret.fresh(), await secret.pair(SUITE_X25519, new Uint8Array(16))]) {
		const key = await pair.publicKey();
		const again = await new EncryptionSecret(secret.exposeSecret()).pairOf(key);
		assert.deepEqual(again.exposeSeed(), pair.exposeSeed());
		assert.equal(await other.pairOf(key), undefined);
	}
	assert.equal((await secret.fresh()).suite, SUITE_XWING);
});

test('ranges have their covers and keys', async () => {
	for (const { start, end, cover, keys } of vectors.ranges) {
		const range = new Range(start, end);
		assert.deepEqual(
			range.cover().map(({ depth, index }) => [depth, index]),
			cover,
		);
		const set = await epochRoot.keySet(range);
		assert.equal(hex(set.toBytes()), keys);
		for (const leaf of [start, Math.floor((start + end) / 2), end - 1]) {
			const expected = secretOf(await epochRoot.leafKey(leaf));
			assert.deepEqual(secretOf(await set.leafKey(leaf)), expected);
		}
		for (const leaf of [start - 1, end].filter((leaf) => leaf >= 0 && leaf < LEAVES)) {
			await refused(set.leafKey(leaf), { name: 'LeafOutsideRange', leaf, range }, `leaf ${leaf}`);
		}
	}
});

test('invalid ranges are refused', async () => {
	for (const { start, end, error } of vectors.refusedRanges) {
		await refused(async () => new Range(start, end), error, `[${start}, ${end})`);
	}
});

test('records are encrypted and decrypted', async () => {
	for (const v of vectors.records) {
		const [leafKey, context, value] = [await leafKeyOf(v), contextOf(v), bytes(v.value)];
		const salt = bytes(v.salt);
		const name = v.name && bytes(v.name);
		const encryptor = await encryptorWithSalt(leafKey, context, v.chunkSize, value.length, salt, name);
		assert.equal(hex(await encryptAll(encryptor, value)), v.record);
		assert.equal(hex(await decryptValue(leafKey, context, bytes(v.record))), v.value);

		const header = Header.read(bytes(v.record));
		const found = await (await Decryptor.create(leafKey, context, header)).name();
		assert.equal(found && hex(found), v.name ?? undefined);
		const { chunks, chunkSize, encodedLen } = header;
		const step = chunkSize + 16;
		const at = (i) => bytes(v.record).subarray(encodedLen + i * step, encodedLen + (i + 1) * step);
		const hashes = Array.from({ length: chunks }, (_, i) => merkle.leafHash(at(i)));
		assert.equal(hex(await merkle.root(await Promise.all(hashes))), v.chunksRoot);
	}
});

test('invalid records are refused', async () => {
	for (const v of vectors.refusedRecords) {
		const attempt = decryptValue(await leafKeyOf(v), contextOf(v), bytes(v.record));
		await refused(attempt, v.error, v.case);
	}
});

test('every bit of a record matters', async () => {
	// One without a name, and one with a name.
	for (const v of vectors.records.slice(-2)) {
		const [leafKey, context, good] = [await leafKeyOf(v), contextOf(v), bytes(v.record)];
		for (let bit = 0; bit < good.length * 8; bit++) {
			const bad = good.slice();
			bad[bit >> 3] ^= 1 << (bit & 7);
			await assert.rejects(decryptValue(leafKey, context, bad), EnvelopeError, `bit ${bit}`);
		}
	}
});

test('the encryption itself refuses a wrong key, even without the commitment', async () => {
	const value = new Uint8Array(40).map((_, i) => i);
	const encryptor = await Encryptor.create(someKey, someContext, 16, value.length);
	const record = await encryptAll(encryptor, value);
	const first = await firstChunkWithAnyKey(someKey, someContext, record);
	assert.deepEqual(first, value.subarray(0, 16));
	const other = await epochRoot.leafKey(6);
	await refused(decryptValue(other, someContext, record), { name: 'WrongKey' }, 'committed');
	const expected = { name: 'NotAuthentic', chunk: 0 };
	await refused(firstChunkWithAnyKey(other, someContext, record), expected, 'not committed');
});

test('the chunks of a large value decrypt in any order', async () => {
	const value = Uint8Array.from({ length: 2 * MAX_CHUNK_SIZE + 3 }, (_, i) => i % 251);
	const record = await encryptValue(someKey, someContext, value);
	assert.deepEqual(await decryptValue(someKey, someContext, record), value);

	const header = Header.read(record);
	const decryptor = await Decryptor.create(someKey, someContext, header);
	const last = record.subarray(header.recordLen - 19);
	assert.deepEqual(await decryptor.decryptChunk(2, last), value.subarray(-3));
	const expected = { name: 'ChunkLength', chunk: 2, expected: 19, got: 18 };
	await refused(decryptor.decryptChunk(2, last.subarray(1)), expected, 'a short chunk');
	const beyond = { name: 'NoSuchChunk', chunk: 3, chunks: 3 };
	await refused(decryptor.decryptChunk(3, last), beyond, 'a chunk too many');
});

test('an encryptor keeps to its length, and never reuses a nonce', async () => {
	const encryptor = await Encryptor.create(someKey, someContext, 16, 20);
	const short = { name: 'ChunkLength', chunk: 0, expected: 16, got: 15 };
	await refused(encryptor.encryptChunk(new Uint8Array(15)), short, 'a short chunk');
	// Encrypt both concurrently, without waiting for the first.
	const sealed = await Promise.all([16, 4].map((len) => encryptor.encryptChunk(new Uint8Array(len))));
	const record = Buffer.concat([encryptor.header.toBytes(), ...sealed]);
	const value = await decryptValue(someKey, someContext, new Uint8Array(record));
	assert.deepEqual(value, new Uint8Array(20));
	assert.equal(encryptor.nextLen, undefined);
	const beyond = { name: 'NoSuchChunk', chunk: 2, chunks: 2 };
	await refused(encryptor.encryptChunk(new Uint8Array(0)), beyond, 'a chunk too many');
});

test('impossible sizes are refused', async () => {
	const create = (size, length) => Encryptor.create(someKey, someContext, size, length);
	for (const got of [0, MAX_CHUNK_SIZE + 1]) {
		await refused(create(got, 1), { name: 'ChunkSize', got }, `chunks of ${got}`);
	}
	const got = MAX_CHUNKS + 1;
	await refused(create(16, MAX_CHUNKS * 16 + 1), { name: 'TooManyChunks', got }, 'too much');
});

/** Encrypts the value of an object's vector with another program's AES, so that there is something to decrypt. */
function encryptObject(v, { chunkKey, context }) {
	const header = ObjectHeader.read(bytes(v.header));
	const value = Buffer.from(Array.from({ length: v.length }, (_, at) => at % 251));
	const chunks = Array.from({ length: header.chunks }, (_, number) => {
		const iv = Buffer.alloc(12);
		iv.writeUInt32BE(number, 7);
		iv[11] = number + 1 === header.chunks ? 1 : 0;
		const cipher = createCipheriv('aes-256-gcm', chunkKey, iv);
		const version = Buffer.alloc(4);
		cipher.setAAD(Buffer.concat([header.unbounded(), context.genesis, context.owner, context.key, version, iv.subarray(7, 11)]));
		const size = SEALED_CHUNK - TAG_LEN;
		const sealed = [cipher.update(value.subarray(number * size, (number + 1) * size)), cipher.final()];
		return Buffer.concat([...sealed, cipher.getAuthTag()]);
	});
	return { value: new Uint8Array(value), chunks, object: new Uint8Array(Buffer.concat(chunks)) };
}

test('objects are decrypted', async () => {
	const all = JSON.parse(readFileSync(new URL('../../client/objects/vectors.json', import.meta.url)));
	const context = contextOf(all);
	const root = await new MasterSecret(bytes(all.master)).epochRoot(idOf(all));
	const [leafKey, other] = [await root.leafKey(all.leaf), await root.leafKey(all.leaf + 1)];
	for (const v of all.objects) {
		const header = ObjectHeader.read(bytes(v.header));
		assert.deepEqual([header.length, hex(header.toBytes())], [v.length, v.header]);
		const chunkKey = Buffer.from(hkdfSync('sha256', secretOf(leafKey), header.salt, 'isthmus/object-key/v1', 32));
		const { value, chunks, object } = encryptObject(v, { chunkKey, context });
		if (v.object) assert.equal(hex(object), v.object);
		else assert.deepEqual(chunks.map((chunk) => createHash('sha256').update(chunk).digest('hex')), v.chunkHashes);
		assert.equal(hex(blake3(object)), v.root);
		const whole = decryptObject(leafKey, context, bytes(v.header), object);
		if (header.isCompressed) await assert.rejects(whole, { name: 'Compressed' });
		else assert.deepEqual(await whole, value);
		const right = await ObjectDecryptor.create(leafKey, context, header);
		assert.deepEqual(await right.decryptChunk(0, chunks[0]), value.subarray(0, SEALED_CHUNK - TAG_LEN));
		await assert.rejects(ObjectDecryptor.create(other, context, header), { name: 'WrongKey' });
		const forced = await objectWithAnyKey(other, context, header);
		await assert.rejects(forced.decryptChunk(0, chunks[0]), { name: 'NotAuthentic' });
		const decryptor = await ObjectDecryptor.create(leafKey, { ...context, version: 1 }, header);
		await assert.rejects(decryptor.decryptChunk(0, chunks[0]), { name: 'NotAuthentic' });
		const cut = decryptObject(leafKey, context, bytes(v.header), object.subarray(1));
		await assert.rejects(cut, { name: 'Length' });
	}
	const [{ header }] = all.objects;
	for (const [at, name, flip = 1] of [[0, 'UnknownVersion'], [4, 'ChunkSize'], [1, 'UnknownForm', 2], [5, 'TooManyChunks']]) {
		const changed = bytes(header);
		changed[at] ^= flip;
		assert.throws(() => ObjectHeader.read(changed), { name });
	}
});

test('public keys', async () => {
	for (const { publicKey, ...v } of vectors.publicKeys) {
		const key = await pairOf(v).publicKey();
		assert.equal(hex(key.toBytes()), publicKey);
		assert.deepEqual(PublicKey.fromBytes(bytes(publicKey)), key);
	}
	for (const { publicKey, error } of vectors.refusedPublicKeys) {
		await refused(async () => PublicKey.fromBytes(bytes(publicKey)), error, publicKey);
	}
});

test('grants are sealed and opened', async () => {
	for (const v of vectors.grants) {
		const [id, scope] = [idOf(v), scopeOf(v)];
		const pair = pairOf(v);
		const recipient = await pair.publicKey();
		const sealed = await sealGrantWith(epochRoot, scope, recipient, bytes(v.random));
		assert.equal(hex(sealed), v.sealed);
		assert.deepEqual(grantRecipient(sealed), { suite: pair.suite, id: pair.id });

		const expected = (await epochRoot.keySet(scope.range)).toBytes();
		assert.deepEqual((await openGrant(pair, id, scope, bytes(v.sealed))).toBytes(), expected);
		const fresh = await sealGrant(epochRoot, scope, recipient);
		assert.notEqual(hex(fresh), v.sealed);
		assert.deepEqual((await openGrant(pair, id, scope, fresh)).toBytes(), expected);
	}
});

test('invalid grants are refused', async () => {
	for (const v of vectors.refusedGrants) {
		const pair = pairOf(v);
		await refused(openGrant(pair, idOf(v), scopeOf(v), bytes(v.sealed)), v.error, v.case);
	}
});

test('a grant cannot be sealed to what is not a key', async () => {
	for (const { suite, publicKey } of vectors.publicKeys) {
		const low = bytes(publicKey);
		low.fill(0, low.length - 32);
		const beyond = bytes(publicKey);
		// In X-Wing, a coefficient of 4095, where the modulus is 3329.
		beyond.fill(0xff, PublicKey.PREFIX_LEN, PublicKey.PREFIX_LEN + 2);
		for (const bad of suite === SUITE_XWING ? [low, beyond] : [low]) {
			const attempt = sealGrant(epochRoot, scopeOf(vectors.grants[0]), PublicKey.fromBytes(bad));
			await refused(attempt, { name: 'InvalidKey' }, `suite ${suite}`);
		}
	}
});

test('Merkle trees', async () => {
	for (const v of vectors.merkleTrees) {
		const leaves = await Promise.all(v.chunks.map((chunk) => merkle.leafHash(bytes(chunk))));
		const [root, count] = [await merkle.root(leaves), leaves.length];
		assert.equal(hex(root), v.root);
		for (const [i, leaf] of leaves.entries()) {
			const path = await merkle.proof(leaves, i);
			assert.deepEqual(path.map(hex), v.proofs[i]);
			await merkle.verify(root, count, i, leaf, path);
			const other = await merkle.leafHash(bytes('ff'));
			await refused(merkle.verify(root, count, i, other, path), { name: 'WrongRoot' }, 'a chunk');
			const length = { name: 'ProofLength', expected: path.length, got: path.length + 1 };
			await refused(merkle.verify(root, count, i, leaf, [...path, leaf]), length, 'a proof');
		}
		const beyond = { name: 'NoSuchChunk', index: count, count };
		await refused(merkle.verify(root, count, count, leaves[0], []), beyond, 'an index');
		assert.equal(await merkle.proof(leaves, count), undefined);
	}
});

test('HPKE passes the vectors of RFC 9180 for this suite', async () => {
	const v = read('../../primitives/keys/src/grant/rfc9180.json');
	const { hpke } = SUITES.get(SUITE_X25519);
	const pair = new EncryptionKeyPair(SUITE_X25519, new Uint8Array(16), bytes(v.ikmR));
	const recipient = await pair.publicKey();
	assert.equal(hex(recipient.key), v.pkRm);
	const sender = await hpke.createSenderContext({
		recipientPublicKey: await hpke.kem.deserializePublicKey(recipient.key),
		info: bytes(v.info),
		ekm: await hpke.kem.deriveKeyPair(bytes(v.ikmE)),
	});
	assert.equal(hex(sender.enc), v.enc);
	assert.equal(hex(await sender.seal(bytes(v.pt), bytes(v.aad))), v.ct);
	const context = await hpke.createRecipientContext({
		recipientKey: await cryptoKeyPairOf(pair),
		enc: bytes(v.enc),
		info: bytes(v.info),
	});
	assert.equal(hex(await context.open(bytes(v.ct), bytes(v.aad))), v.pt);
});

test('secrets are random, and never shown', async () => {
	const [a, b] = [MasterSecret.generate(), MasterSecret.generate()];
	assert.notDeepEqual(a.exposeSecret(), b.exposeSecret());
	const pair = EncryptionKeyPair.generate();
	const again = new EncryptionKeyPair(pair.suite, pair.id, pair.exposeSeed());
	assert.deepEqual(await again.publicKey(), await pair.publicKey());
	const shown = JSON.stringify([a, pair, someKey, Seed.generate(), EncryptionSecret.generate()]);
	const { suite, id } = pair;
	assert.equal(shown, JSON.stringify([{}, { suite, id }, {}, {}, {}]));
});

test('Node.js Buffers are accepted as bytes, and copied', async () => {
	const v = vectors.records.at(-1);
	const [seed, record] = [Buffer.from(first.master, 'hex'), Buffer.from(v.record, 'hex')];
	const master = new MasterSecret(seed);
	seed.fill(0);
	assert.equal(hex(master.exposeSecret()), first.master);
	const leafKey = await (await master.epochRoot(idOf(first))).leafKey(v.leaf);
	assert.equal(hex(await decryptValue(leafKey, contextOf(v), record)), v.value);
	const grant = vectors.grants[1];
	const pair = new EncryptionKeyPair(grant.suite, Buffer.from(grant.id, 'hex'), Buffer.from(grant.seed, 'hex'));
	const keys = await openGrant(pair, idOf(grant), scopeOf(grant), Buffer.from(grant.sealed, 'hex'));
	assert.deepEqual(secretOf(await keys.leafKey(5)), secretOf(someKey));
});

test("a caller's mistakes are type errors", async () => {
	const id = idOf(first);
	const master = MasterSecret.generate();
	for (const bad of [
		{ ...id, owner: new Uint8Array(31) },
		{ ...id, genesis: '00' },
		{ ...id, dataset: -1 },
		{ ...id, epoch: 2 ** 32 },
	]) {
		await assert.rejects(master.epochRoot(bad), TypeError);
	}
	await assert.rejects(epochRoot.leafKey(1.5), TypeError);
	assert.throws(() => new Range(-1, 5), TypeError);
});
