// SPDX-License-Identifier: Apache-2.0
//! Registers the node's producer automatically (paper, section III.C: a participant that joins sends a
//! transaction that creates its contract).
//!
//! Once the node is synced and the account is not a producer yet, the node sends `DataSharing::register`,
//! signed with the key of type `prod` in its keystore, and watches the transaction until it is finalized. It
//! resends a lost transaction, but not one that the chain rejected.
//!
//! | file | what |
//! |---|---|
//! | `identity.rs` | who the producer is: name, kind and key |
//! | `registration.rs` | when to send, and what became of it |
//! | `transaction.rs` | the transaction: its content, the bytes that are signed, and its cost |

pub mod identity;
mod registration;
pub mod transaction;

pub(crate) use identity::{find_key, Profile};
pub(crate) use registration::{Deps, Registration};
