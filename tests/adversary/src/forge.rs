// SPDX-License-Identifier: Apache-2.0

//! Drafts valid headers and blocks and seals them. A test changes a draft to break one rule before it is
//! sealed: see [`crate::refuse`].
//!
//! A draft's state root is arbitrary, because only execution detects a wrong one.

use codec::Encode;
use isthmus_ethash::{final_result, Boundary, Cache, Dataset, Found, Sizes};
use isthmus_primitives::{
	digest::{
		seal_hash, uncles_hash, GasUsed, PreDigest, Receipts, Seal, POW_ENGINE_ID,
		RECEIPTS_ENGINE_ID,
	},
	params::{ChainParameters, EthashSizes},
	AccountId, BlockNumber, Difficulty, Hash, Header,
};
use isthmus_rules::{self as rules, Parent};
use isthmus_runtime::{RuntimeCall, UncheckedExtrinsic};
use parking_lot::Mutex;
use polkadot_sdk::{
	pallet_timestamp,
	sp_core::storage::StateVersion,
	sp_crypto_hashing::sha2_256,
	sp_runtime::{
		traits::{BlakeTwo256, Hash as _},
		Digest, DigestItem, OpaqueExtrinsic,
	},
};
use std::{
	num::NonZero,
	ops::ControlFlow,
	sync::{atomic::AtomicBool, Arc},
	thread::available_parallelism,
};

/// The beneficiary of the adversary's blocks.
pub const BENEFICIARY: AccountId = AccountId::new([0xad; 32]);

/// Why a block could not be forged. The problem is on this side, not in the node under attack.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
	/// Ethash failed.
	#[error("ethash: {0}")]
	Ethash(#[from] isthmus_ethash::Error),
	/// None of the 2^64 nonces seals the block.
	#[error("no nonce seals the block")]
	NoNonce,
}

/// A draft of a block. Any field may be set to a value that breaks a rule.
#[derive(Clone, Debug)]
pub struct Draft {
	/// H_p: the hash of the parent.
	pub parent_hash: Hash,
	/// H_i: the block's number.
	pub number: BlockNumber,
	/// H_r: the state root.
	pub state_root: Hash,
	/// H_t: the root of the extrinsics.
	pub extrinsics_root: Hash,
	/// The beneficiary H_c, difficulty H_d, gas limit H_l, timestamp H_s, uncles hash H_o and extra data
	/// H_x.
	pub pre: PreDigest,
	/// H_g: the gas used.
	pub gas_used: u64,
	/// H_e: the commitment to the block's data-sharing events.
	pub receipts: Receipts,
	/// The body: the transactions B_T, and the uncles B_U in their inherent.
	pub body: Vec<OpaqueExtrinsic>,
}

impl Draft {
	/// Drafts a child of `parent` with this timestamp, in seconds. The draft obeys every rule except those
	/// about the seal and the results of execution (the state root H_r and the gas used H_g).
	pub fn child(params: &ChainParameters, parent: &Parent, timestamp: u64) -> Self {
		let body = vec![timestamp_inherent(timestamp)];
		Self {
			parent_hash: parent.hash,
			number: parent.number.saturating_add(1),
			state_root: Hash::repeat_byte(0x57),
			extrinsics_root: extrinsics_root(&body),
			pre: PreDigest {
				beneficiary: BENEFICIARY,
				difficulty: rules::difficulty(params, parent, timestamp),
				gas_limit: parent.gas_limit,
				timestamp,
				uncles_hash: uncles_hash(&[]),
				extra_data: b"adversary".to_vec(),
			},
			gas_used: 0,
			receipts: no_receipts(),
			body,
		}
	}

	/// Adds these uncles to both the header and the body.
	pub fn with_uncles(mut self, uncles: &[Header]) -> Self {
		self.pre.uncles_hash = uncles_hash(uncles);
		self.body.push(uncles_inherent(uncles));
		self.extrinsics_root = extrinsics_root(&self.body);
		self
	}

	/// Returns the header without its seal.
	pub fn unsealed(&self) -> Header {
		Header {
			parent_hash: self.parent_hash,
			number: self.number,
			state_root: self.state_root,
			extrinsics_root: self.extrinsics_root,
			digest: Digest {
				logs: vec![
					DigestItem::PreRuntime(POW_ENGINE_ID, self.pre.encode()),
					DigestItem::Consensus(POW_ENGINE_ID, GasUsed(self.gas_used).encode()),
					DigestItem::Consensus(RECEIPTS_ENGINE_ID, self.receipts.encode()),
				],
			},
		}
	}
}

/// Returns the commitment to no events.
pub fn no_receipts() -> Receipts {
	Receipts {
		count: 0,
		root: sha2_256(&[]).into(),
	}
}

/// Computes the root of a body's extrinsics (H_t).
pub fn extrinsics_root(body: &[OpaqueExtrinsic]) -> Hash {
	BlakeTwo256::ordered_trie_root(body.iter().map(Encode::encode).collect(), StateVersion::V1)
}

/// Makes the timestamp inherent for a time in seconds.
pub fn timestamp_inherent(seconds: u64) -> OpaqueExtrinsic {
	let now = seconds.saturating_mul(1000);
	bare(RuntimeCall::Timestamp(pallet_timestamp::Call::set { now }))
}

/// Makes the inherent that names uncles.
pub fn uncles_inherent(uncles: &[Header]) -> OpaqueExtrinsic {
	let uncles = uncles.to_vec();
	bare(RuntimeCall::ProofOfWork(
		pallet_proof_of_work::Call::set_uncles { uncles },
	))
}

fn bare(call: RuntimeCall) -> OpaqueExtrinsic {
	UncheckedExtrinsic::new_bare(call).into()
}

/// Adds a seal to a header as its last digest item.
pub fn with_seal(mut unsealed: Header, seal: Seal) -> Header {
	unsealed
		.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	unsealed
}

/// Mines blocks with the full Ethash dataset of their epoch.
pub struct Miner {
	sizes: Sizes,
	/// The dataset of the block that was mined last.
	dataset: Mutex<Arc<Dataset>>,
}

impl Miner {
	/// Generates the Ethash dataset of the first epoch for a chain with these parameters.
	///
	/// # Errors
	///
	/// Returns Ethash's error if there is not enough memory.
	pub fn new(params: &ChainParameters) -> Result<Self, ForgeError> {
		let sizes = match params.ethash {
			EthashSizes::Full => Sizes::FULL,
			EthashSizes::Development => Sizes::DEVELOPMENT,
		};
		let dataset = Mutex::new(Arc::new(dataset(sizes, 0)?));
		Ok(Self { sizes, dataset })
	}

	/// Returns the dataset of a block's epoch. Generates it if the block mined last was in another one.
	fn dataset(&self, number: BlockNumber) -> Result<Arc<Dataset>, ForgeError> {
		let epoch = self.sizes.epoch(number.into());
		let mut kept = self.dataset.lock();
		if kept.epoch() != epoch {
			*kept = Arc::new(dataset(self.sizes, epoch)?);
		}
		Ok(kept.clone())
	}

	/// Finds the smallest nonce that seals a header at this difficulty (a difficulty of 0 is treated as 1).
	///
	/// # Errors
	///
	/// Returns [`ForgeError::NoNonce`] if no nonce seals the block, or Ethash's error if there is not enough memory for
	/// the dataset of its epoch.
	pub fn search(&self, unsealed: &Header, difficulty: Difficulty) -> Result<Seal, ForgeError> {
		let dataset = self.dataset(unsealed.number)?;
		let boundary = lenient_boundary(difficulty);
		let hash = seal_hash(unsealed).0;
		let never = AtomicBool::new(false);
		let Found { nonce, output } = dataset
			.search(&hash, &boundary, 0..u64::MAX, &never)
			.found
			.ok_or(ForgeError::NoNonce)?;
		Ok(Seal {
			mix_hash: output.mix_hash.into(),
			nonce,
		})
	}

	/// Returns the draft's header, sealed with a valid proof of work for the difficulty that it claims.
	///
	/// # Errors
	///
	/// Returns the error of [`Self::search`].
	pub fn seal(&self, draft: &Draft) -> Result<Header, ForgeError> {
		self.seal_header(draft.unsealed(), draft.pre.difficulty)
	}

	/// Seals a header with a valid proof of work for this difficulty.
	///
	/// # Errors
	///
	/// Returns the error of [`Self::search`].
	pub fn seal_header(
		&self,
		unsealed: Header,
		difficulty: Difficulty,
	) -> Result<Header, ForgeError> {
		let seal = self.search(&unsealed, difficulty)?;
		Ok(with_seal(unsealed, seal))
	}
}

/// Generates the dataset of an epoch on all processors.
fn dataset(sizes: Sizes, epoch: u64) -> Result<Dataset, ForgeError> {
	let cache = Cache::new(sizes, epoch)?;
	let threads = available_parallelism().map_or(1, NonZero::get);
	Ok(Dataset::generate(&cache, threads, |_| {
		ControlFlow::Continue(())
	})?)
}

/// Returns the boundary for a difficulty. A forged header may claim a difficulty of 0, which is treated as
/// 1.
fn lenient_boundary(difficulty: Difficulty) -> Boundary {
	Boundary::from_difficulty(difficulty.0).unwrap_or(Boundary::MAX)
}

/// Finds a seal with a made-up mix hash that nevertheless meets the boundary. Such a seal passes the quick
/// check, which does not compute the mix hash. Finding it takes about `difficulty` Keccak hashes.
///
/// # Errors
///
/// Returns [`ForgeError::NoNonce`] if there is no such nonce.
pub fn seal_with_false_mix(unsealed: &Header, difficulty: Difficulty) -> Result<Seal, ForgeError> {
	let boundary = lenient_boundary(difficulty);
	let hash = seal_hash(unsealed).0;
	let mix_hash = Hash::repeat_byte(0x33);
	(0..u64::MAX)
		.find(|nonce| boundary.is_met_by(&final_result(&hash, *nonce, &mix_hash.0)))
		.map(|nonce| Seal { mix_hash, nonce })
		.ok_or(ForgeError::NoNonce)
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_primitives::{digest::PowHeader, params::DifficultyRule};
	use isthmus_rules::{GotExpected, HeaderError, Rejection, Work};

	fn params() -> ChainParameters {
		ChainParameters {
			ethash: EthashSizes::Development,
			difficulty_rule: DifficultyRule::Fixed,
			minimum_difficulty: 64.into(),
			genesis_difficulty: 64.into(),
			..Default::default()
		}
	}

	fn check(params: &ChainParameters, header: &Header, miner: &Miner) -> Result<(), Rejection> {
		let parent = Parent::genesis(Hash::zero(), params);
		let read = PowHeader::read(header).map_err(HeaderError::from)?;
		rules::validate_header(params, &read, &parent, 1000)?;
		rules::validate_seal(&read, |read| {
			let dataset = miner.dataset(read.number).unwrap();
			let output = dataset.full(&read.seal_hash.0, read.seal.nonce);
			Ok::<_, Rejection>(Work::from(output))
		})
	}

	#[test]
	fn a_draft_obeys_every_rule_and_a_false_mix_breaks_one() {
		let params = params();
		let miner = Miner::new(&params).unwrap();
		let draft = Draft::child(&params, &Parent::genesis(Hash::zero(), &params), 1000);
		let sealed = miner.seal(&draft).unwrap();
		assert_eq!(check(&params, &sealed, &miner), Ok(()));
		assert_eq!(
			rules::validate_extrinsics_root(&sealed, &draft.body),
			Ok(())
		);

		let unsealed = draft.unsealed();
		let seal = seal_with_false_mix(&unsealed, draft.pre.difficulty).unwrap();
		let dataset = miner.dataset(unsealed.number).unwrap();
		let expected = dataset.full(&seal_hash(&unsealed).0, seal.nonce);
		assert_eq!(
			check(&params, &with_seal(unsealed, seal), &miner),
			Err(HeaderError::MixHash(GotExpected {
				got: seal.mix_hash,
				expected: expected.mix_hash.into()
			})
			.into())
		);
	}

	#[test]
	fn uncles_are_named_in_both_header_and_body() {
		let params = params();
		let parent = Parent::genesis(Hash::zero(), &params);
		let uncle = Draft::child(&params, &parent, 5).unsealed();
		let draft = Draft::child(&params, &parent, 6).with_uncles(std::slice::from_ref(&uncle));
		assert_eq!(draft.pre.uncles_hash, uncles_hash(&[uncle]));
		assert_eq!(draft.body.len(), 2);
		assert_eq!(
			rules::validate_extrinsics_root(&draft.unsealed(), &draft.body),
			Ok(())
		);
	}

	#[test]
	fn a_block_is_sealed_with_the_dataset_of_its_epoch() {
		let params = params();
		let miner = Miner::new(&params).unwrap();
		let mut draft = Draft::child(&params, &Parent::genesis(Hash::zero(), &params), 1);
		for (number, epoch) in [(29_999, 0), (30_000, 1), (29_999, 0)] {
			draft.number = number;
			let read = PowHeader::read(&miner.seal(&draft).unwrap()).unwrap();
			let cache = Cache::new(miner.sizes, epoch).unwrap();
			let light = cache.light(&read.seal_hash.0, read.seal.nonce);
			assert_eq!(Hash::from(light.mix_hash), read.seal.mix_hash);
		}
	}
}
