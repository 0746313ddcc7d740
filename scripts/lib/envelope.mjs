// SPDX-License-Identifier: Apache-2.0

// The keys, the key tree and the encryption formats of shared data: a second implementation, independent of the
// Rust crate in client/envelope, with the same names. Both pass the test vectors beside that crate. docs/formats.md
// describes the layouts. Nothing here talks to the chain; sharing.mjs does.
//
// The cryptography comes from WebCrypto, except for HPKE and X-Wing (@hpke), the words of a
// seed (@polkadot/util-crypto), BLAKE2b and the scrypt of key files (@noble/hashes).
// JavaScript cannot wipe a secret from memory, so keys stay there until they are garbage-collected.

export { EnvelopeError } from './envelope/common.mjs';
export { folderFromBytes, folderToBytes, packedFolderFromBytes, packedFolderToBytes } from './envelope/folder.mjs';
export { grantRecipient, openGrant, sealGrant } from './envelope/grant.mjs';
export { openKeyFile } from './envelope/key-file.mjs';
export { EncryptionKeyPair, EncryptionSecret, PublicKey, SUITE_X25519, SUITE_XWING } from './envelope/keys.mjs';
export { MasterSecret } from './envelope/master.mjs';
export { ChunkTree, contentHash, Manifest, MAX_RECORD_CHUNKS } from './envelope/manifest.mjs';
export * as merkle from './envelope/merkle.mjs';
export { NameCipher } from './envelope/name.mjs';
export { decryptObject, ObjectDecryptor, ObjectHeader } from './envelope/object.mjs';
export {
	decryptValue,
	Decryptor,
	encryptValue,
	Encryptor,
	Header,
	MAX_CHUNK_SIZE,
	MAX_CHUNKS,
	NAME_LEN,
	TAG_LEN,
} from './envelope/record.mjs';
export { joinShares, Seed } from './envelope/seed.mjs';
export { EpochRoot, KeySet, LeafKey, LEAVES, Range } from './envelope/tree.mjs';
