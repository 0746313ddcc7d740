//! Keys, the key tree and the encryption formats with which data is shared: what turns a value into
//! the ciphertext that the chain stores, and a range of values into the few keys that open it.
//!
//! The paper (section III.C, figure 3) lets a producer A open a range of its data to a consumer B by
//! encrypting to B's public key. Here that is done without touching the data again:
//!
//! 1. A [`MasterSecret`] gives each dataset and epoch a root ([`EpochRoot`]), and the root a key for
//!    each of 2^32 leaves ([`tree`]). A record is encrypted under its leaf's key ([`record`]).
//! 2. A grant seals the few tree nodes that cover a range of leaves to B's public key ([`grant`],
//!    [`keys`]). B derives from them the key of every leaf in the range and of none outside it.
//!
//! ```
//! use isthmus_envelope::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (genesis, owner, grantee) = ([1; 32], [2; 32], [3; 32]);
//! let epoch = EpochId { genesis, owner, dataset: 0, epoch: 0 };
//! let root = MasterSecret::generate()?.epoch_root(&epoch);
//!
//! // The producer encrypts record 7 and opens leaves 0 to 99 to the consumer.
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
//! The layouts, labels and constants are written down in `docs/formats.md`; `vectors.json` holds test
//! vectors that this crate and its JavaScript counterpart, `scripts/lib/envelope.mjs`, both pass.
//!
//! Nothing here knows the chain: no account types, no calls, no network. Nor does it keep secrets: it
//! wipes its own copies from memory when they are dropped (what the cipher libraries keep inside a
//! key schedule is theirs), and where a secret is stored is the caller's affair.

#![forbid(unsafe_code)]

mod derive;
pub mod grant;
pub mod keys;
pub mod master;
pub mod record;
pub mod tree;

#[cfg(test)]
mod vectors;

pub use derive::{random_bytes, RandomError};
pub use grant::{open_grant, seal_grant, GrantError, GrantScope};
pub use keys::{EncryptionKeyPair, KeyError, PublicKey, Suite};
pub use master::{EpochId, MasterSecret};
pub use record::{
	decrypt_value, encrypt_value, Decryptor, Encryptor, Header, RecordContext, RecordError,
};
pub use tree::{EpochRoot, KeySet, LeafKey, Range, TreeError};
