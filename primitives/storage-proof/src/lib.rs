// SPDX-License-Identifier: Apache-2.0
//! Proofs that an account has the bytes of an object, as keepers send them and the chain verifies them.
//!
//! An object's root, which the chain has, is its BLAKE3 hash: the root of a tree over **pieces** of 1 KiB (BLAKE3's own
//! chunks; the MiBs of an object are called chunks here). A [`Proof`] is one piece and the values beside its path to the
//! root. Once in each [period](periods) the chain draws a piece for each keeper: see [`Draw`].
//!
//! # Example
//!
//! ```
//! use isthmus_storage_proof::*;
//!
//! // An object of 3 MiB and its tree, down to its MiBs.
//! let object: Vec<u8> = (0..3u32 << 20).map(|at| (at / 5) as u8).collect();
//! let groups: Vec<Value> = (0..).zip(object.chunks(GROUP as usize)).map(|(n, mib)| group(n, false, mib)).collect();
//! let root = root(&groups).expect("it has chunks");
//! assert_eq!(root, *blake3::hash(&object).as_bytes());
//!
//! // Piece 2500 is in the third MiB. Anyone who has that MiB and the list can prove it.
//! let (index, length) = (2500, object.len() as u64);
//! let proof = prove(index, &object[2 << 20..], &groups).expect("there is such a piece");
//! assert_eq!(verify(&root, length, index, &proof.piece, &proof.path), Ok(()));
//! ```
//!
//! - [`tree`]: the tree, its proofs and their verification.
//! - [`draw`]: which piece a keeper has to prove in a period.
//! - [`periods`]: the periods of a chain.
//! - [`state`]: what the chain's state has of keepers.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod draw;
pub mod periods;
pub mod state;
pub mod tree;

pub use draw::Draw;
pub use state::{Keeper, Pot};
pub use tree::*;
