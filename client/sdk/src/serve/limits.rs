// SPDX-License-Identifier: Apache-2.0
//! The limits that an owner sets to what is answered automatically.

use crate::{client::Depth, types::*};

/// The owner's own limits, besides the policies. A policy says nothing about epochs, and a revoked reader may
/// ask again: by default, requests for earlier epochs and requests from revoked readers are not granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
	/// The datasets to serve; `None` for all that have a policy.
	pub datasets: Option<Vec<DatasetId>>,
	/// How many requests to grant before ending; `None` for no limit.
	pub grants: Option<u64>,
	/// How many answers to send in any hour; `None` for no limit.
	pub per_hour: Option<u64>,
	/// How many answers to send to one reader in any hour; `None` for no limit.
	pub reader_per_hour: Option<u64>,
	/// The amount that the owner's funds are kept above. Nothing is answered that would take them below it.
	pub reserve: Balance,
	/// How deep in the chain a request has to be before it is answered.
	pub depth: Depth,
	/// Whether to grant requests for epochs before the dataset's current one.
	pub earlier_epochs: bool,
	/// Whether to grant requests from readers with a revoked grant on the dataset. The chain remembers a
	/// revoked grant for `GrantMemory` blocks, a constant of the pallet.
	pub revoked_readers: bool,
}
