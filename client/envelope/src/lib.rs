// SPDX-License-Identifier: Apache-2.0
//! Keys, the key tree and the encryption formats for sharing data. They encrypt a value into the
//! ciphertext that the chain stores, and reduce a range of values to the few keys that open it.
//!
//! ```
//! use isthmus_envelope::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (genesis, owner, grantee) = ([1; 32], [2; 32], [3; 32]);
//! let epoch = EpochId { genesis, owner, dataset: 0, epoch: 0 };
//! let root = MasterSecret::generate()?.epoch_root(&epoch);
//!
//! // The producer encrypts a record at leaf 7 and grants the consumer leaves 0 to 99.
//! let context = RecordContext { genesis, owner, key: [4; 32], version: 0 };
//! let stored = encrypt_value(&root.leaf_key(7), &context, b"name,mark\nAda,97\n")?;
//! let consumer = EncryptionKeyPair::generate()?;
//! let scope = GrantScope { grantee, range: Range::new(0, 100)?, expiry: 5000 };
//! let sealed = seal_grant(&root, &scope, &consumer.public_key())?;
//!
//! // The consumer opens the grant, then the record.
//! let keys = open_grant(&consumer, &epoch, &scope, &sealed)?;
//! assert_eq!(decrypt_value(&keys.leaf_key(7)?, &context, &stored)?, b"name,mark\nAda,97\n");
//! assert!(keys.leaf_key(100).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! In the paper (section III.C, figure 3), a producer A opens a range of its data to a consumer B
//! by encrypting it to B's public key. Here the data does not have to be encrypted a second time:
//!
//! 1. From a [`MasterSecret`], a root ([`EpochRoot`]) is derived for each dataset and epoch, and
//!    from the root a key for each of 2^32 leaves ([`tree`]). A record is encrypted under its
//!    leaf's key ([`record`]), for the chain or for a store outside it ([`object`]), where it may be [`compressed`].
//! 2. A grant seals the few tree nodes that cover a range of leaves to B's public key ([`grant`],
//!    [`keys`]). From them, B can derive the key of every leaf in the range, and of no leaf outside
//!    it.
//!
//! A record's key can hide its name ([`name`]). The name is then also in the record, for its readers.
//!
//! All secrets of an account are derived from one seed, which can be written down as 24 words ([`seed`]) and split
//! among several people ([`shares`]). It is kept in a file that is encrypted under a passphrase ([`key_file`]).
//! [`material`] tells what else people take for one. [`on_disk`] replaces such files, [`input`] opens them, [`paths`] shows
//! where they are, and [`newer`] tells those of a newer release. The keys of epochs whose records can be erased do not
//! come from the seed, and are in a file of their own ([`erasable`]).
//!
//! The keys, the tree and the grants are those of `isthmus-keys`, which the chain's runtime uses, too.
//!
//! `docs/formats.md` defines the layouts, labels and constants. `vectors.json` and
//! `vectors-files.json` hold test vectors that this crate and its JavaScript counterpart,
//! `scripts/lib/envelope.mjs`, both pass. The programs in `examples/` encrypt a large record chunk
//! by chunk and share a range.
//!
//! # Out of scope
//!
//! This crate knows nothing about the chain: it has no account types, calls or networking, and it
//! does not check who may write a grant. `isthmus-sdk` does that. This crate wipes its own copies
//! of secrets from memory when they are dropped, but not what the cipher libraries keep inside a
//! key schedule. It does not hide the length of a value, and a grant has no forward secrecy with
//! respect to the grantee's own seed: see `docs/formats.md`. Manifests of large records, and the
//! Merkle tree over their chunks, are in `isthmus-sharing`.

#![forbid(unsafe_code)]

pub mod compressed;
pub mod erasable;
pub mod input;
pub mod key_file;
pub mod lock_file;
pub mod material;
pub mod name;
pub mod newer;
pub mod object;
pub mod on_disk;
pub mod paths;
pub mod record;
pub mod seed;
pub mod shares;
pub mod threads;

// What the runtime needs, too.
use isthmus_keys::derive;
pub use isthmus_keys::{epoch, grant, header, keys, master, tree};

#[cfg(test)]
mod vectors;

pub use erasable::{EpochKeys, ErasableError, ErasableFile, PartlyErased};
pub use isthmus_keys::{
	open_grant, random_bytes, seal_grant, seal_keys, EncryptionKeyPair, EncryptionSecret, EpochId,
	EpochRoot, ErasableTree, GrantError, GrantScope, KeyError, KeyId, KeySet, LeafKey,
	MasterSecret, PublicKey, RandomError, Range, Suite, TreeError,
};
pub use key_file::{KeyFile, KeyFileError, Secrets};
pub use name::NameCipher;
pub use newer::NewerFile;
pub use object::{Form, ObjectCipher, ObjectHeader};
pub use record::{
	decrypt_value, encrypt_named, encrypt_value, Decryptor, Encryptor, Header, RecordContext,
	RecordError, Resumed,
};
pub use seed::{Fingerprint, Seed, SeedError};
pub use shares::{Share, ShareError};
