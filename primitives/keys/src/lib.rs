// SPDX-License-Identifier: Apache-2.0
//! The keys of shared data: what the chain and its users must derive alike.
//!
//! - [`master`] and [`tree`]: an owner's master secret, the root of each epoch, and the tree of keys below it.
//! - [`erasable`]: a key tree whose leaves can be erased.
//! - [`keys`]: the key pairs to which grants are sealed.
//! - [`grant`]: seals the keys of a range of leaves to such a key, and opens them.
//! - [`header`]: which leaf's key the header of a record or an object commits to.
//!
//! The envelope crate (`isthmus-envelope`) builds on this and has what else it takes to encrypt data. This part is a crate
//! of its own because the runtime opens a grant when its reader complains that it does not open what was paid for: there
//! must be one implementation of that. So this crate needs no standard library. What draws random numbers needs the
//! feature `std`.
//!
//! `docs/formats.md` defines the layouts, labels and constants.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[doc(hidden)]
pub mod derive;
pub mod epoch;
pub mod erasable;
pub mod grant;
pub mod header;
pub mod keys;
pub mod master;
pub mod tree;
mod xwing;

#[cfg(feature = "std")]
pub use derive::random_bytes;
pub use derive::RandomError;
pub use epoch::EpochId;
pub use erasable::ErasableTree;
pub use grant::{open_grant, seal_with, GrantError, GrantScope};
#[cfg(feature = "std")]
pub use grant::{seal_grant, seal_keys};
pub use keys::{EncryptionKeyPair, EncryptionSecret, KeyError, KeyId, PublicKey, Suite};
pub use master::MasterSecret;
pub use tree::{EpochRoot, KeySet, LeafKey, Range, TreeError};

/// Refuses to draw random bytes. `hpke` enables its ciphers' source of randomness, which does not exist on the runtime's
/// target; opening needs none.
#[cfg(target_os = "none")]
fn no_randomness(_: &mut [u8]) -> Result<(), getrandom::Error> {
	Err(getrandom::Error::UNSUPPORTED)
}

#[cfg(target_os = "none")]
getrandom::register_custom_getrandom!(no_randomness);
