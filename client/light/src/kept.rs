// SPDX-License-Identifier: Apache-2.0
//! A keeper's receipt: a file that proves to a stranger, without a node, what the state after a finalized block says of an
//! account that keeps a copy of a dataset: where, since when, and when it last proved that. `docs/formats.md` describes its bytes.
//!
//! The calls of keepers are not among the events that a header commits to, so this proves the entry and no event.

use crate::{
	finality::{date, Step},
	receipt::{finalized, ReceiptError},
	storage::{self, Account},
	Hash, Header, Proof, ProofError,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, Encode};
use isthmus_sharing::DatasetId;
use polkadot_sdk::*;
use sp_runtime::traits::Header as _;

/// The first bytes of a keeper's receipt: the format and its version.
const LABEL: &[u8; 25] = b"isthmus/keeper-receipt/v1";
/// The largest number of parts of the state: three entries have at most 64 on their way each, and a value.
const MOST: usize = 256;
/// The most bytes that these parts have together. Which of them are needed is found out by leaving each of them out.
const MOST_BYTES: usize = 256 * 1024;

/// What proves a keeper's entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeeperReceipt {
	/// The header of the chain's first block.
	pub first: Header,
	/// The proof of the first voters, against the state root of the first block.
	pub voters: Vec<Vec<u8>>,
	/// The last blocks of the sets of voters, and the finalized block whose state has the entry.
	pub steps: Vec<Step>,
	/// The account in the dataset's address.
	pub owner: Account,
	/// The dataset.
	pub dataset: DatasetId,
	/// The keeper.
	pub keeper: Account,
	/// The parts of the state that prove the entry, the version of the keepers' storage and the length of their periods, in the
	/// order of their bytes.
	pub proof: Vec<Vec<u8>>,
}

/// What a keeper's receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedKeeper {
	/// The header of the block after which the state has the entry.
	pub header: Header,
	/// The account in the dataset's address.
	pub owner: Account,
	/// The dataset.
	pub dataset: DatasetId,
	/// The keeper.
	pub keeper: Account,
	/// The version of the keepers' storage, which says how the entry is encoded.
	pub version: u16,
	/// The entry.
	pub entry: Vec<u8>,
	/// How many blocks a period has; `None` if the state has no length, and it is the runtime's default.
	pub period_length: Option<u32>,
	/// Whether the voters were all development accounts at some time. Their secrets are public, so anyone can make such
	/// a receipt.
	pub is_development: bool,
}

impl ProvedKeeper {
	/// Returns the block's date, in seconds since 1970; `None` if its header has none.
	pub fn timestamp(&self) -> Option<u64> {
		date(&self.header)
	}
}

impl KeeperReceipt {
	/// Returns the keys of the entries that are proven: of the keeper, of the version of the storage, and of the length of
	/// periods.
	pub fn keys(owner: &Account, dataset: DatasetId, keeper: &Account) -> [Vec<u8>; 3] {
		[
			storage::keeper(owner, dataset, keeper),
			storage::keepers_version(),
			storage::keepers_period(),
		]
	}

	/// Returns the receipt as a file.
	pub fn to_bytes(&self) -> Vec<u8> {
		[&LABEL[..], &self.encode()].concat()
	}

	/// Returns whether these bytes begin as a keeper's receipt does.
	pub fn is_one(bytes: &[u8]) -> bool {
		bytes.starts_with(LABEL)
	}

	/// Reads a receipt without checking what it says.
	///
	/// # Errors
	///
	/// Returns [`ReceiptError::NotAReceipt`] or [`ReceiptError::Malformed`] if the bytes are not one.
	pub fn read(bytes: &[u8]) -> Result<Self, ReceiptError> {
		let content = bytes.strip_prefix(LABEL).ok_or(ReceiptError::NotAReceipt)?;
		let receipt = Self::decode_all(&mut &*content).map_err(|_| ReceiptError::Malformed)?;
		match receipt.encode() == content {
			true => Ok(receipt),
			false => Err(ReceiptError::Malformed),
		}
	}

	/// Returns the hash of the first block of the chain that the receipt is about. The receipt itself is no reason to
	/// believe that this is the right chain.
	pub fn genesis(&self) -> Hash {
		self.first.hash()
	}

	/// Checks the receipt, with nothing but the hash of the chain's first block.
	///
	/// # Errors
	///
	/// Returns why the receipt proves nothing.
	pub fn verify(self, genesis: Hash) -> Result<ProvedKeeper, ReceiptError> {
		let Self {
			owner,
			dataset,
			keeper,
			..
		} = self;
		let keys = Self::keys(&owner, dataset, &keeper);
		let (header, is_development) = finalized(genesis, &self.first, self.voters, self.steps)?;
		let root = *header.state_root();
		// Each part is needed and has its place, so that no other file proves the same.
		let has_order = self.proof.is_sorted_by(|one, next| one < next);
		if !has_order
			|| is_too_large(&self.proof)
			|| needed(root, &self.proof, &keys)? != self.proof
		{
			return Err(ReceiptError::Malformed);
		}
		let mut proof = Proof::new(root);
		proof.add(self.proof);
		let [entry, version, period] = &keys;
		let entry = proof.value(entry)?;
		Ok(ProvedKeeper {
			entry: entry.ok_or(ReceiptError::NoKeeper(header.number))?,
			version: proof.get(version)?.unwrap_or_default(),
			period_length: proof.get(period)?,
			header,
			owner,
			dataset,
			keeper,
			is_development,
		})
	}
}

/// Returns whether there are more parts of a state, or larger ones, than some entries need.
fn is_too_large(parts: &[Vec<u8>]) -> bool {
	parts.len() > MOST || parts.iter().map(Vec::len).sum::<usize>() > MOST_BYTES
}

/// Returns those of some parts of a state without which these entries are not proven, in the order of their bytes.
///
/// # Errors
///
/// Returns a [`ProofError`] if the entries are not proven, and [`ProofError::Malformed`] if there are more than 256 parts, or
/// they have more than 256 KiB.
pub fn needed(root: Hash, parts: &[Vec<u8>], keys: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, ProofError> {
	if is_too_large(parts) {
		return Err(ProofError::Malformed);
	}
	let mut parts = parts.to_vec();
	parts.sort_unstable();
	parts.dedup();
	let proves = |without: Option<usize>| {
		let mut proof = Proof::new(root);
		let rest = parts.iter().enumerate();
		let rest = rest.filter(|(index, _)| Some(*index) != without);
		proof.add(rest.map(|(_, part)| part.clone()));
		keys.iter().try_for_each(|key| proof.value(key).map(drop))
	};
	proves(None)?;
	let needed = parts.iter().enumerate();
	let needed = needed.filter(|(index, _)| proves(Some(*index)).is_err());
	Ok(needed.map(|(_, part)| part.clone()).collect())
}
