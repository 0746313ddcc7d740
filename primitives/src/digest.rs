// SPDX-License-Identifier: Apache-2.0
//! Stores the paper's header fields in the digest of Substrate's generic header. The paper's fields are those
//! of Ethereum's Homestead (yellow paper, section 4.3). The generic header lacks most of them, so they are
//! digest items, which [`PreDigest`], [`GasUsed`] and [`Seal`] explain field by field:
//!
//! | field | digest item |
//! |---|---|
//! | H_c, H_d, H_l, H_s, H_o, H_x | one `PreRuntime(b"pow_", SCALE(PreDigest))` |
//! | H_g | one `Consensus(b"pow_", SCALE(GasUsed))` |
//! | H_m, H_n | one `Seal(b"pow_", SCALE(Seal))`, the last item |
//! | H_e | one `Consensus(b"rcpt", SCALE(Receipts))` |
//!
//! Items are found by kind and engine id, never by position, because finality and runtime upgrades add
//! items of their own.

use crate::{AccountId, Difficulty, Header};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, Encode, MaxEncodedLen};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::keccak_256;
use sp_runtime::{traits::Header as _, ConsensusEngineId, DigestItem};

/// The engine's id in digest items. Polkadot.js reads a block's author from the first 32 bytes of the
/// pre-runtime item with this id.
pub const POW_ENGINE_ID: ConsensusEngineId = *b"pow_";

/// The id of the item that commits to a block's data-sharing events.
pub const RECEIPTS_ENGINE_ID: ConsensusEngineId = *b"rcpt";

/// The maximum length of H_x, in bytes (yellow paper, equation 55).
pub const MAX_EXTRA_DATA: usize = 32;

/// The maximum length of a SCALE-encoded header, in bytes. The engine's own items take less than 300 bytes.
/// The longest other item announces a change of GRANDPA's voters, and takes 40 bytes per voter.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The part of a header that its miner fixes before the block is executed.
///
/// `beneficiary` comes first, without a version byte before it, because clients read the author there.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
pub struct PreDigest {
	/// H_c: the account that the block's reward goes to.
	pub beneficiary: AccountId,
	/// H_d: the expected number of hashes that it takes to seal the block.
	pub difficulty: Difficulty,
	/// H_l: the maximum gas that the block's transactions may use. 1 gas is 100 ns of `ref_time`.
	pub gas_limit: u64,
	/// H_s: seconds since the Unix epoch.
	pub timestamp: u64,
	/// H_o: KEC256 of the SCALE-encoded list of uncle headers.
	pub uncles_hash: H256,
	/// H_x: any bytes that the miner chooses, at most [`MAX_EXTRA_DATA`] of them.
	pub extra_data: Vec<u8>,
}

/// H_g: the gas that the block used. The runtime deposits it at the end of the block.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct GasUsed(pub u64);

/// H_e: a commitment to the block's data-sharing events, in their order. The runtime deposits it at the end of
/// every block, with or without events. Blocks of runtimes older than this item have none.
///
/// `docs/formats.md` describes the leaves.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Receipts {
	/// The number of events, which are the tree's leaves.
	pub count: u32,
	/// The root of the tree of RFC 6962 (section 2.1) over the events.
	pub root: H256,
}

/// H_m and H_n: the proof of work.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Seal {
	/// H_m: the mix hash.
	pub mix_hash: H256,
	/// H_n: the nonce, as the number that Ethash takes.
	pub nonce: u64,
}

/// Why a header's digest is malformed. Checking this needs no parent, state or hashing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DigestError {
	/// The header has more than [`MAX_HEADER_BYTES`].
	#[error("the header has {got} bytes, but may have at most {MAX_HEADER_BYTES}")]
	TooLong {
		/// The header's encoded size, in bytes.
		got: usize,
	},
	/// The digest lacks this item.
	#[error("the digest has no {0}")]
	Missing(Item),
	/// The digest has more than one such item.
	#[error("the digest has more than one {0}")]
	Repeated(Item),
	/// The item's bytes do not decode, or bytes are left over.
	#[error("the digest's {0} does not decode")]
	Undecodable(Item),
	/// The seal is not the digest's last item.
	#[error("the seal is not the digest's last item")]
	SealNotLast,
	/// The digest has a pre-runtime or seal item of another engine. The runtime would not see it, so
	/// nothing would check it.
	#[error("the digest has an item of the foreign engine {0:?}")]
	ForeignItem(ConsensusEngineId),
}

/// One of the digest items that contain the paper's fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
	/// [`PreDigest`].
	PreDigest,
	/// [`GasUsed`].
	GasUsed,
	/// [`Seal`].
	Seal,
	/// [`Receipts`].
	Receipts,
}

impl core::fmt::Display for Item {
	fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
		f.write_str(match self {
			Item::PreDigest => "pow_ pre-runtime item",
			Item::GasUsed => "pow_ gas-used item",
			Item::Seal => "pow_ seal",
			Item::Receipts => "rcpt receipts item",
		})
	}
}

/// A header with the paper's fields, as read from its digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PowHeader {
	/// H_p: the parent's hash.
	pub parent_hash: H256,
	/// H_i: the block's number.
	pub number: u32,
	/// H_c, H_d, H_l, H_s, H_o and H_x: the fields that the miner fixes before the block is executed.
	pub pre: PreDigest,
	/// H_g: the gas that the block used.
	pub gas_used: u64,
	/// H_m and H_n: the proof of work.
	pub seal: Seal,
	/// H_#n: the hash that the seal is a proof of work for.
	pub seal_hash: H256,
	/// The hash of the whole header with its seal, which identifies the block.
	pub hash: H256,
}

impl PowHeader {
	/// Reads a sealed header.
	///
	/// # Errors
	///
	/// Returns a [`DigestError`] if the header is too long, if the digest does not contain exactly one of
	/// each of the engine's items, if the seal is not last, or if there is a pre-runtime or seal item of
	/// another engine. It does not look at [`Receipts`]: see [`read_receipts`].
	pub fn read(header: &Header) -> Result<Self, DigestError> {
		let got = header.encoded_size();
		if got > MAX_HEADER_BYTES {
			return Err(DigestError::TooLong { got });
		}
		let mut bare = header.clone();
		let seal_item = bare.digest.pop().ok_or(DigestError::Missing(Item::Seal))?;
		let seal = match &seal_item {
			DigestItem::Seal(POW_ENGINE_ID, bytes) => Seal::decode_all(&mut &bytes[..])
				.map_err(|_| DigestError::Undecodable(Item::Seal))?,
			_ if bare.digest.logs.iter().any(is_seal) => return Err(DigestError::SealNotLast),
			_ => return Err(DigestError::Missing(Item::Seal)),
		};
		if bare.digest.logs.iter().any(is_seal) {
			return Err(DigestError::Repeated(Item::Seal));
		}
		let (pre, gas_used) = read_unsealed(&bare)?;
		Ok(Self {
			parent_hash: *header.parent_hash(),
			number: *header.number(),
			pre,
			gas_used,
			seal,
			seal_hash: seal_hash(&bare),
			hash: header.hash(),
		})
	}
}

fn is_seal(item: &DigestItem) -> bool {
	matches!(item, DigestItem::Seal(POW_ENGINE_ID, _))
}

/// Returns H_#n, the hash that the seal is a proof of work for. It has 32 bytes, so that any Ethash miner can
/// work on it.
///
/// ```text
/// H_#n = KEC256(SCALE(header without its seal))
/// ```
///
/// `unsealed` must not contain the seal.
pub fn seal_hash(unsealed: &Header) -> H256 {
	keccak_256(&unsealed.encode()).into()
}

/// Reads the two items that a header has before it is sealed: its [`PreDigest`] and the gas used, H_g.
///
/// # Errors
///
/// Returns the same errors as [`PowHeader::read`].
pub fn read_unsealed(header: &Header) -> Result<(PreDigest, u64), DigestError> {
	let pre = read_pre_digest(&header.digest)?;
	let mut gas_used = None;
	for item in &header.digest.logs {
		match item {
			DigestItem::Consensus(POW_ENGINE_ID, bytes) => {
				let GasUsed(gas) = GasUsed::decode_all(&mut &bytes[..])
					.map_err(|_| DigestError::Undecodable(Item::GasUsed))?;
				if gas_used.replace(gas).is_some() {
					return Err(DigestError::Repeated(Item::GasUsed));
				}
			}
			DigestItem::Seal(id, _) if *id != POW_ENGINE_ID => {
				return Err(DigestError::ForeignItem(*id))
			}
			_ => {}
		}
	}
	Ok((pre, gas_used.ok_or(DigestError::Missing(Item::GasUsed))?))
}

/// Reads only the pre-runtime item, as the runtime does at the start of a block.
///
/// # Errors
///
/// Returns the same errors as [`PowHeader::read`].
pub fn read_pre_digest(digest: &sp_runtime::Digest) -> Result<PreDigest, DigestError> {
	let mut pre = None;
	for item in &digest.logs {
		if let DigestItem::PreRuntime(id, bytes) = item {
			if *id != POW_ENGINE_ID {
				return Err(DigestError::ForeignItem(*id));
			}
			let decoded = PreDigest::decode_all(&mut &bytes[..])
				.map_err(|_| DigestError::Undecodable(Item::PreDigest))?;
			if pre.replace(decoded).is_some() {
				return Err(DigestError::Repeated(Item::PreDigest));
			}
		}
	}
	pre.ok_or(DigestError::Missing(Item::PreDigest))
}

/// Reads H_e, if the header has it.
///
/// The header's rules do not ask for it. Executing a block decides which item its header must have: none by an
/// older runtime, one by a newer one. No one executes an uncle, so its items say nothing, and a rule about them
/// would part nodes that know it from those that do not.
///
/// # Errors
///
/// Returns [`DigestError::Repeated`] if there are several items, and [`DigestError::Undecodable`] if the item
/// is malformed.
pub fn read_receipts(digest: &sp_runtime::Digest) -> Result<Option<Receipts>, DigestError> {
	let mut receipts = None;
	for item in &digest.logs {
		if let DigestItem::Consensus(RECEIPTS_ENGINE_ID, bytes) = item {
			let decoded = Receipts::decode_all(&mut &bytes[..])
				.map_err(|_| DigestError::Undecodable(Item::Receipts))?;
			if receipts.replace(decoded).is_some() {
				return Err(DigestError::Repeated(Item::Receipts));
			}
		}
	}
	Ok(receipts)
}

/// Returns H_o, the hash of a list of uncles: KEC256(SCALE(uncles)).
pub fn uncles_hash(uncles: &[Header]) -> H256 {
	keccak_256(&uncles.encode()).into()
}
