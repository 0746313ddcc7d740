// SPDX-License-Identifier: Apache-2.0
//! Registers the node's producer automatically (paper, section III.C: a participant that joins sends a
//! transaction that creates its contract).
//!
//! Once the node has synced, it checks whether its `prod` account (the account of the `prod` key in its
//! keystore) is already a producer. If not, it sends `DataSharing::register`, signed with that key, and
//! watches the transaction until it is finalized. It resends a lost transaction, but not one that the chain
//! rejected.
//!
//! | file | contents |
//! |---|---|
//! | `identity.rs` | who the producer is: name, kind and key |
//! | `registration.rs` | when to send the transaction, and its outcome |
//! | `transaction.rs` | the transaction: its content, the signed bytes and its cost |

pub mod identity;
mod registration;
pub mod transaction;

pub(crate) use identity::{find_key, KeyError, Profile};
pub(crate) use registration::{is_registered, Deps, Registration};
