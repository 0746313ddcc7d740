// SPDX-License-Identifier: Apache-2.0
//! The types that every part of the chain shares: blocks and accounts, the paper's header fields as
//! digest items, difficulties, and a chain's consensus parameters.
//!
//! The types contain no rules. The rules are in `isthmus-rules`, the proof of work is in `isthmus-ethash`,
//! and the sharing protocol is in `isthmus-sharing`.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod amount;
pub mod api;
mod difficulty;
pub mod digest;
pub mod inherents;
pub mod params;

pub use difficulty::{Difficulty, TotalDifficulty};

use polkadot_sdk::*;
use sp_runtime::{
	generic,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
	MultiSignature, OpaqueExtrinsic,
};

/// A signature by an account key of any kind that Substrate knows.
pub type Signature = MultiSignature;
/// An account: 32 bytes. A producer's account is the address of its contract (paper, section III.C).
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// An amount of the chain's currency, in its smallest unit.
pub type Balance = u128;
/// The number of transactions an account has sent.
pub type Nonce = u32;
/// H_i: a block's number, which is the number of its ancestors.
pub type BlockNumber = u32;
/// A 256-bit hash.
pub type Hash = sp_core::H256;
/// The header that every Substrate client decodes. The paper's own fields are in its digest (see
/// [`digest`]).
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block whose transactions are opaque bytes, as the node handles it.
pub type Block = generic::Block<Header, OpaqueExtrinsic>;

/// The number of decimal places of an amount in [`UNIT`]s.
pub const DECIMALS: usize = 12;
/// One IST, the unit that users see: 10^12 of the smallest unit.
pub const UNIT: Balance = (10 as Balance).pow(DECIMALS as u32);
