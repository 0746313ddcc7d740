// SPDX-License-Identifier: Apache-2.0
//! The sharing protocol of an Isthmus chain, stated once: what the data-sharing pallet, the nodes and
//! their clients must agree on, to the byte.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod folder;
pub mod ids;
pub mod manifest;
pub mod merkle;
pub mod payload;
pub mod policy;
pub mod query;
pub mod scope;
pub mod signed;
pub mod state;
pub mod terms;
#[cfg(test)]
mod test;

pub use ids::*;
pub use manifest::{Manifest, ManifestError};
pub use payload::{chunk_count, chunk_length, Payload};
pub use policy::{ConsumerKinds, Policy, Verdict};
pub use query::*;
pub use scope::{GrantState, Scope, ScopeError};
pub use state::*;
