// SPDX-License-Identifier: Apache-2.0

// Keys, the key tree and the encryption formats with which data is shared: the same as the Rust crate
// in client/envelope, by the same names, and held to it by the vectors beside that crate. Folders are as in
// client/sdk, key files as in client/cli.
// The layouts are in docs/formats.md. Nothing here knows the chain; sharing.mjs does.
//
// All is WebCrypto, but for HPKE, which is @hpke/core, and key files' scrypt, which is Node.js's. JavaScript gives no way to wipe a secret from
// memory, so keys stay there until they are collected.

export { EnvelopeError } from './envelope/common.mjs';
export { folderFromBytes, folderToBytes } from './envelope/folder.mjs';
export { openGrant, sealGrant } from './envelope/grant.mjs';
export { openKeyFile } from './envelope/key-file.mjs';
export { EncryptionKeyPair, PublicKey, SUITE_X25519 } from './envelope/keys.mjs';
export { MasterSecret } from './envelope/master.mjs';
export { ChunkTree, contentHash, Manifest, MAX_RECORD_CHUNKS } from './envelope/manifest.mjs';
export * as merkle from './envelope/merkle.mjs';
export {
	decryptValue,
	Decryptor,
	encryptValue,
	Encryptor,
	Header,
	MAX_CHUNK_SIZE,
	MAX_CHUNKS,
	TAG_LEN,
} from './envelope/record.mjs';
export { EpochRoot, KeySet, LeafKey, LEAVES, Range } from './envelope/tree.mjs';
