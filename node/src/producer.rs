// SPDX-License-Identifier: Apache-2.0
//! Registers the node's producer automatically (paper, section III.C: a participant that joins sends a
//! transaction that creates its contract).
//!
//! Once the node is synced and the account is not a producer yet, the node sends `DataSharing::register`,
//! signed with the key of type `prod` in its keystore, and watches the transaction until it is finalized. It
//! sends a lost transaction again, and one that the chain rejected not.
//!
//! | file | what |
//! |---|---|
//! | [`identity`] | who the producer is: name, kind and key |
//! | [`registration`] | when to send, and what became of it |
//! | [`transaction`] | the transaction: its content, the bytes that are signed, and its cost |

pub mod identity;
mod registration;
pub mod transaction;

pub(crate) use identity::{find_key, Profile};
pub(crate) use registration::{Deps, Registration};
