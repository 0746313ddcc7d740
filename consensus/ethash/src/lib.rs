// SPDX-License-Identifier: Apache-2.0
//! Computes Ethash, the paper's proof of work (algorithm 1; yellow paper, appendix J), bit for bit.
//!
//! A miner searches for a nonce with the *dataset*, a large table. A verifier checks the nonce with the
//! *cache*, a small table from which the items of the dataset are computed. Both change every 30,000 blocks
//! (an *epoch*).
//!
//! ```
//! use isthmus_ethash::{final_result, Boundary, Cache, Dataset, Sizes};
//! use std::{ops::ControlFlow, sync::atomic::AtomicBool};
//!
//! // Here, a header without its seal is 32 bytes; a seal of difficulty 1000 takes about 1000 hashes.
//! let seal_hash = [7; 32];
//! let boundary = Boundary::from_difficulty(1000.into())?;
//!
//! // A miner builds the epoch's dataset from its cache, and searches for a nonce.
//! let cache = Cache::new(Sizes::DEVELOPMENT, 0)?;
//! let dataset = Dataset::generate(&cache, 2, |_| ControlFlow::Continue(()))?;
//! let searched = dataset.search(&seal_hash, &boundary, 0..1_000_000, &AtomicBool::new(false));
//! let found = searched.found.expect("a million nonces hold a seal of difficulty 1000");
//! assert!(boundary.is_met_by(&found.output.result));
//!
//! // A verifier needs the cache alone. It does the cheap check first, with the mix hash that the
//! // header claims; then it computes the true one.
//! let claimed = found.output.mix_hash;
//! assert!(boundary.is_met_by(&final_result(&seal_hash, found.nonce, &claimed)));
//! assert_eq!(cache.light(&seal_hash, found.nonce), found.output);
//! # Ok::<(), isthmus_ethash::Error>(())
//! ```
//!
//! # What it computes
//!
//! The symbols are those of both papers: H_#n is the hash of the header without its seal (the *seal hash*),
//! H_n is the nonce, and d is the dataset.
//!
//! ```text
//! (m, n) = PoW(H_#n, H_n, d)        n ≤ 2^256 / H_d   and   m = H_m
//! s = KEC512(H_#n ‖ reverse(H_n))                      the seed, 64 bytes
//! m = compress(64 times: mix ← FNV(mix, page(d)))      the mix hash, 32 bytes
//! n = KEC(s ‖ m)                                       the result, 32 bytes
//! ```
//!
//! | to | use |
//! |---|---|
//! | check a claimed mix hash in about a microsecond | [`final_result`], [`Boundary::is_met_by`] |
//! | compute a hash from the 16 MiB cache | [`Cache::light`], [`Cache::light_each`] |
//! | search for a nonce over the 1 GiB dataset | [`Dataset::generate`], [`Dataset::search`] |
//! | keep the dataset between starts | `Dataset::save`, `Dataset::load` |
//! | share the caches of recent epochs between threads | `CacheStore` |
//!
//! # Out of scope
//!
//! This crate knows nothing about blocks. What a header is, how its seal hash is computed and what difficulty
//! it must have are up to the caller (`isthmus-rules`). It does not run on graphics cards or communicate with
//! miners.
//!
//! The default feature `std` adds threads, vector instructions (AVX2 and AVX-512, chosen at run time),
//! files and huge pages. Without it the crate is `no_std` with `alloc`.
//!
//! # Misprints in the paper
//!
//! Algorithm 1 follows the yellow paper's appendix J, with four slips that this crate does not follow:
//! - line 8 prints the words of a page as `d[..] * mix + j`; the factor and j belong inside the index:
//!   `newdata(d, m, s, i)[j] = d[(temp mod pages) · mix + j]`;
//! - line 14 leaves out what a compression step computes: `FNV(FNV(FNV(m[i+4], m[i+5]), m[i+6]), m[i+7])`;
//! - line 16 hashes H_#n once more; H_#n is already that hash;
//! - line 17's test ends the recursion of line 19 one access later: 64 accesses in all.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod boundary;
mod cache;
mod dataset;
mod error;
#[cfg(feature = "std")]
mod file;
mod hashimoto;
mod item;
mod keccak;
mod kernel;
mod machine;
mod memory;
mod sizes;
#[cfg(feature = "std")]
mod store;
#[cfg(test)]
mod testing;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod x86;

pub use boundary::Boundary;
pub use cache::Cache;
pub use dataset::{Dataset, Found, Progress, Searched, Unfinished};
pub use error::Error;
#[cfg(feature = "std")]
pub use file::FileError;
pub use hashimoto::{final_result, Output};
pub use item::Item;
pub use machine::Path;
pub use sizes::{seed_hash, Sizes, EPOCH_LENGTH, MAX_DATASET_BYTES};
#[cfg(feature = "std")]
pub use store::{CacheStore, KEPT_CACHES};
