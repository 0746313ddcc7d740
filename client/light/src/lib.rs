// SPDX-License-Identifier: Apache-2.0
//! Verifies what a node says of an Isthmus chain. A client that uses it believes the genesis hash that its user
//! chose, and nothing that a node says without a proof.
//!
//! 1. [`Finality::begin`] proves from the genesis block who votes for finality in the beginning.
//! 2. [`Finality::follow`] follows the votes to a later finalized block: it verifies a GRANDPA justification for
//!    the last block of each set of voters, which names the next set, and one for the newest block. It never
//!    goes back.
//! 3. [`Proof`] proves entries of the state after that block against the state root in its header: their
//!    values, that there are none, and that a list of keys is complete.
//! 4. [`storage`] names the entries.
//! 5. A [`Receipt`] proves something to a stranger, without a node: [`EventReceipt`] an event, and [`KeeperReceipt`] who
//!    keeps a copy.
//!
//! This crate asks no node: it takes bytes and returns what they prove. The votes are counted by
//! `finality-grandpa` and the proofs are read by `sp-trie`, the same code that nodes run.
//!
//! # What is not proven
//!
//! - That no newer finalized block exists. A node may stop at an old one; compare [`Finality::timestamp`] with the
//!   clock.
//! - Work. A block is finalized by its votes; the seals of its ancestors are not checked.
//! - Anything, if more than a third of a past set of voters lies: they could name a false next set.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod finality;
mod genesis;
mod proof;
mod receipt;
pub mod storage;

pub use finality::{Finality, FinalityError, Step, Steps};
pub use genesis::genesis_hash;
pub use isthmus_primitives::{BlockNumber, Hash, Header};
pub use proof::{Proof, ProofError};
pub use receipt::{
	keep_until, Content, EventProof, EventReceipt, KeeperEntry, KeeperProof, KeeperReceipt,
	PlacedEvent, Proved, Receipt, ReceiptError,
};
#[cfg(test)]
mod tests;
