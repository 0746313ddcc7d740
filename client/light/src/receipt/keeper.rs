// SPDX-License-Identifier: Apache-2.0
//! The receipt of a keeper: it proves what the state after a finalized block says of an account that keeps a copy of a
//! dataset: where, since when, and when it last proved that.
//!
//! The calls of keepers are not among the events that a header commits to, so this proves the entry and no event.

use super::{Content, Receipt, ReceiptError};
use crate::{
	storage::{self, Account},
	Hash, Header, Proof, ProofError,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use isthmus_sharing::DatasetId;

/// The most parts of the state: on the way to three entries there are far fewer than 64 each, and a value.
const MOST_PARTS: usize = 256;
/// The most bytes that these parts have together.
const MOST_BYTES: usize = 256 * 1024;

/// A receipt of a keeper.
pub type KeeperReceipt = Receipt<KeeperProof>;

/// What leads from a finalized block to a keeper's entry in the state after it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeeperProof {
	/// The account in the dataset's address.
	pub owner: Account,
	/// The dataset.
	pub dataset: DatasetId,
	/// The keeper.
	pub keeper: Account,
	/// The parts of the state that prove the entry, the version of the keepers' storage and the length of their periods, in the
	/// order of their bytes.
	pub parts: Vec<Vec<u8>>,
}

/// What a state has of a keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperEntry {
	/// The account in the dataset's address.
	pub owner: Account,
	/// The dataset.
	pub dataset: DatasetId,
	/// The keeper.
	pub keeper: Account,
	/// The version of the keepers' storage, which says how the entry is encoded.
	pub version: u16,
	/// The encoded entry.
	pub entry: Vec<u8>,
	/// How many blocks a period has; `None` if the state has no length, and it is the runtime's default.
	pub period_length: Option<u32>,
}

impl KeeperProof {
	/// Makes the proof from parts of the state with this root. Leaves out those that are not needed.
	///
	/// # Errors
	///
	/// Returns a [`ProofError`] if the parts do not prove the entries of [`keys`](Self::keys), and [`ProofError::Malformed`] if
	/// they are more than 256, or have more than 256 KiB.
	pub fn new(
		root: Hash,
		owner: Account,
		dataset: DatasetId,
		keeper: Account,
		parts: Vec<Vec<u8>>,
	) -> Result<Self, ProofError> {
		if is_too_large(&parts) {
			return Err(ProofError::Malformed);
		}
		let mut proof = Proof::new(root);
		proof.add(parts);
		let parts = proof.needed(&Self::keys(&owner, dataset, &keeper))?;
		Ok(Self {
			owner,
			dataset,
			keeper,
			parts,
		})
	}

	/// Returns the keys of the entries that are proven: of the keeper, of the version of the storage, and of the length of
	/// periods.
	pub fn keys(owner: &Account, dataset: DatasetId, keeper: &Account) -> [Vec<u8>; 3] {
		[
			storage::keeper(owner, dataset, keeper),
			storage::keepers_version(),
			storage::keepers_period(),
		]
	}
}

impl Content for KeeperProof {
	type Proves = KeeperEntry;

	const LABEL: &'static [u8] = b"isthmus/keeper-receipt/v1";

	fn verify(self, finalized: Header) -> Result<(Header, KeeperEntry), ReceiptError> {
		let Self {
			owner,
			dataset,
			keeper,
			parts,
		} = self;
		let keys = Self::keys(&owner, dataset, &keeper);
		// Each part is needed and has its place, so that no other file proves the same.
		let has_order = parts.is_sorted_by(|one, next| one < next);
		if !has_order || is_too_large(&parts) {
			return Err(ReceiptError::Malformed);
		}
		let mut proof = Proof::new(finalized.state_root);
		proof.add(parts.iter().cloned());
		if proof.needed(&keys)? != parts {
			return Err(ReceiptError::Malformed);
		}
		let [entry, version, period] = &keys;
		let entry = proof.value(entry)?;
		let entry = KeeperEntry {
			owner,
			dataset,
			keeper,
			entry: entry.ok_or(ReceiptError::NoKeeper(finalized.number))?,
			version: proof.get(version)?.unwrap_or_default(),
			period_length: proof.get(period)?,
		};
		Ok((finalized, entry))
	}
}

/// Returns whether there are more parts of a state, or larger ones, than some entries need.
fn is_too_large(parts: &[Vec<u8>]) -> bool {
	parts.len() > MOST_PARTS || parts.iter().map(Vec::len).sum::<usize>() > MOST_BYTES
}
