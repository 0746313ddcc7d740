//! Ethash, the paper's proof of work (algorithm 1; yellow paper, appendix J), to the bit.
//!
//! Here live the sizes of each epoch, the light cache, the dataset, the hash over either, the search
//! for a nonce, and a store that keeps the caches at hand. What a header is, how its seal hash is made
//! and what difficulty it must have live elsewhere: this crate sees 32 bytes, a nonce and a boundary.
//!
//! In the symbols of both papers, with H_#n the header's hash without its seal (the *seal hash*), H_n
//! the nonce and d the dataset:
//!
//! ```text
//! (m, n) = PoW(H_#n, H_n, d)        n ≤ 2^256 / H_d   and   m = H_m
//! s = KEC512(H_#n ‖ reverse(H_n))                      the seed, 64 bytes
//! m = compress(64 times: mix ← FNV(mix, page(d)))      the mix hash, 32 bytes
//! n = KEC(s ‖ m)                                       the result, 32 bytes
//! ```
//!
//! A verifier does the cheap part first ([`final_result`] with the claimed mix against a [`Boundary`]),
//! and only then [`Cache::light`], which makes the 128 dataset items that one hash reads. A miner has a
//! [`Dataset`] and calls [`Dataset::search`].
//!
//! ```
//! use isthmus_ethash::{final_result, Boundary, Cache, Sizes};
//!
//! let cache = Cache::new(Sizes::DEVELOPMENT, 0)?;
//! let seal_hash = [7; 32];
//! let output = cache.light(&seal_hash, 42);
//! assert_eq!(final_result(&seal_hash, 42, &output.mix_hash), output.result);
//! assert!(Boundary::from_difficulty(1.into())?.is_met_by(&output.result));
//! # Ok::<(), isthmus_ethash::Error>(())
//! ```
//!
//! # The paper's print
//!
//! Algorithm 1 follows the yellow paper's appendix J with slips, which are not followed here:
//! - line 8 prints the page's words as `d[..] * mix + j`; the factor and j belong inside the index:
//!   newdata(d, m, s, i)[j] = d[(temp mod pages) · mix + j];
//! - line 14 leaves out what a compression step computes: FNV(FNV(FNV(m[i+4], m[i+5]), m[i+6]), m[i+7]);
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
pub use dataset::{Dataset, Found, Progress, Searched};
pub use error::Error;
#[cfg(feature = "std")]
pub use file::FileError;
pub use hashimoto::{final_result, Output};
pub use item::Item;
pub use machine::Path;
pub use sizes::{seed_hash, Sizes, EPOCH_LENGTH, MAX_DATASET_BYTES};
#[cfg(feature = "std")]
pub use store::{CacheStore, KEPT_CACHES};
