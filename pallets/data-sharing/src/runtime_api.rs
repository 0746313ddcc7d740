// SPDX-License-Identifier: Apache-2.0
//! Declares the queries that clients can make: `query`, the paper's constant function, and lists in pages.
//! Functions with the same names in [`Pallet`](crate::Pallet) implement them.

// The macro adds two arguments to each function.
#![allow(clippy::too_many_arguments)]

use crate::types::{
	DatasetId, EncryptionKey, GrantState, Name, PurposeCode, Scope, SealedKeys, Text, Verdict,
};
use alloc::vec::Vec;
use codec::Codec;
use isthmus_sharing::{
	query::{Answer, EmbargoEntry, Page, QueryError, RecordEntry},
	H256,
};
use polkadot_sdk::*;

/// A producer in a list, as stored in the state.
pub type ProducerEntry<AccountId, Balance> =
	isthmus_sharing::ProducerEntry<AccountId, Balance, Name>;
/// A dataset in a list, as stored in the state.
pub type DatasetEntry<Balance, BlockNumber> =
	isthmus_sharing::DatasetEntry<Balance, BlockNumber, Name>;
/// An open request in a list, as stored in the state.
pub type RequestEntry<AccountId, Balance, BlockNumber> =
	isthmus_sharing::RequestEntry<AccountId, Balance, BlockNumber, Text, EncryptionKey>;
/// A grant in a list, as stored in the state.
pub type GrantEntry<AccountId, Balance, BlockNumber> =
	isthmus_sharing::GrantEntry<AccountId, Balance, BlockNumber, SealedKeys>;

sp_api::decl_runtime_apis! {
	/// Queries about shared data.
	///
	/// Lists come in pages: `after` is `None` for the first page, and the previous page's `next` for each
	/// later page. `limit` is the maximum number of state entries to examine, 1 to 256.
	pub trait DataSharingApi<AccountId, Balance, BlockNumber>
	where
		AccountId: Codec,
		Balance: Codec,
		BlockNumber: Codec,
	{
		/// Returns what `caller` may learn about the record `key` of `owner` in this block's state: where
		/// its bytes are and, unless the caller is the owner, the keys sealed to the caller.
		///
		/// The function does not authenticate the caller: sealed keys are useful only to the grantee, and
		/// everything else is public. A node that serves queries to strangers checks the caller's signature
		/// first.
		fn query(
			caller: AccountId,
			owner: AccountId,
			key: H256,
		) -> Result<Answer<BlockNumber>, QueryError>;

		/// Returns the producers.
		fn producers(
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<ProducerEntry<AccountId, Balance>>;

		/// Returns the datasets of `owner`, with their policies.
		fn datasets(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<DatasetEntry<Balance, BlockNumber>>;

		/// Returns the records of `owner`.
		fn records(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RecordEntry<Balance, BlockNumber>>;

		/// Returns the records of `owner` in a range of one epoch of a dataset.
		fn records_in(
			owner: AccountId,
			scope: Scope,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RecordEntry<Balance, BlockNumber>>;

		/// Returns the open requests to `owner`, with the policies' verdicts.
		fn requests_to(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RequestEntry<AccountId, Balance, BlockNumber>>;

		/// Returns the open requests of `consumer`, with the policies' verdicts.
		fn requests_from(
			consumer: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RequestEntry<AccountId, Balance, BlockNumber>>;

		/// Returns the grants that `owner` gave: those in this state, or all. A page may have up to 15
		/// grants more than `limit`, because it never splits a reader's list of grants.
		fn grants_of(
			owner: AccountId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>>;

		/// Returns the grants that `owner` gave on a dataset, in any epoch: those in this state, or all. Pages are as
		/// those of `grants_of`.
		fn grants_on(
			owner: AccountId,
			dataset: DatasetId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>>;

		/// Returns what the dataset's policy would say about a request of `consumer`, before it is made.
		fn verdict_of(
			consumer: AccountId,
			owner: AccountId,
			scope: Scope,
			code: PurposeCode,
			term: BlockNumber,
			offer: Balance,
			firm: bool,
		) -> Verdict;

		/// Returns the embargoes of `owner`, on records that are stored and on keys that have no record yet.
		fn embargoes(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<EmbargoEntry>;

		/// Returns the oldest block at which a request or grant was due to end and has not ended yet; `None` if nothing
		/// is overdue. Anyone can end what is, with `settle`.
		fn overdue_since() -> Option<BlockNumber>;

		/// Returns the grants that `grantee` has: those in this state, or all.
		fn grants_to(
			grantee: AccountId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>>;
	}
}
