// SPDX-License-Identifier: Apache-2.0
//! Defines an Isthmus chain's data-sharing protocol in one place: everything that the data-sharing pallet,
//! the nodes and their clients must agree on, byte for byte.
//!
//! A producer stores encrypted records on the chain, grouped in datasets. A consumer requests access to a
//! range of a dataset's records. The dataset's owner answers with a grant, which contains the keys of that
//! range, sealed to the consumer.
//!
//! # Example
//!
//! A school stores a large record in three chunks, which are listed in a manifest. The chain keeps the
//! manifest's Merkle root and checks each chunk when it arrives. A company requests the record's range, and
//! the dataset's policy decides on the request.
//!
//! ```
//! use isthmus_sharing::{manifest::verify_chunk, terms::*, *};
//! use sha2::{Digest, Sha256};
//!
//! let sha256 = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
//!
//! // The owner writes a manifest of three chunks, and builds the tree that proves them.
//! let hashes = [[1; 32], [2; 32], [3; 32]]; // BLAKE2b-256 of each chunk
//! let manifest = Manifest { header: b"what readers need first", hashes: &hashes };
//! let stored = manifest.to_bytes()?;
//! let proof = manifest.tree(sha256).proof(1).expect("there is a second chunk");
//!
//! // The chain reads the manifest, keeps its root, and checks the second chunk on its own.
//! let chunks = chunk_count(2_500_000, 1 << 20).expect("a chunk has bytes");
//! let root = Manifest::read(&stored, chunks)?.root(sha256);
//! verify_chunk(sha256, &root, chunks, 1, &hashes[1], &proof)?;
//!
//! // A request for leaves 0 to 99 of the dataset's epoch 0, for 1000 blocks, meets the policy.
//! let scope = Scope { dataset: 0, epoch: 0, from: 0, to: 100 };
//! scope.check(0)?;
//! let policy = Policy {
//!     price: 5u128,
//!     firm_price: None,
//!     longest_range: LEAVES_PER_EPOCH,
//!     longest_term: 5000u32,
//!     consumers: ConsumerKinds::ALL,
//!     purposes: [PurposeCode::Research, PurposeCode::Statistics].into_iter().collect(),
//! };
//! let judge = |code| policy.judge(Some(ProducerKind::Business), code, &scope, &1000, &5, false);
//! assert_eq!(judge(PurposeCode::Research), Verdict::Meets);
//! assert_eq!(judge(PurposeCode::Marketing), Verdict::PurposeNotAllowed);
//!
//! // The deposit for a grant with 83 bytes of sealed keys: four entries and 83 bytes.
//! let rates = Rates { per_item: 100_000_000_000, per_byte: 100_000_000 };
//! assert_eq!(Footprint::grant(83).deposit(&rates), 408_300_000_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! - [`ids`]: the numbers and names of datasets, records, requests and grants. [`scope`]: the range that a
//!   request or a grant covers, and a grant's states.
//! - [`state`]: the entries in the chain's state. [`payload`]: where a record's bytes are.
//! - [`request`]: an open request, and the digest that its answer names.
//! - [`policy`]: a dataset's standing conditions, and the verdict on a request. [`purpose`]: the codes for what data is
//!   requested for.
//! - [`query`]: what the chain returns to queries, and why it refuses one. [`signed`]: the message that a
//!   caller signs.
//! - [`object`]: a record whose bytes are in stores outside the chain. [`location`]: the form of a store's address.
//! - [`manifest`], [`merkle`]: the format of a large record's manifest and the tree over its chunks.
//! - [`history`]: a block's events as leaves of a tree whose root is in the header, and what they are about.
//! - [`folder`]: the format of a folder's list of files.
//! - [`terms`]: limits, times and deposits.
//!
//! # Where each constant lives
//!
//! | constant | place |
//! |---|---|
//! | limits: names, texts, keys, values, chunks, grants per reader, leaves, pages | [`terms`], `MAX_…`, `MIN_…`, [`LEAVES_PER_EPOCH`](terms::LEAVES_PER_EPOCH) |
//! | entries that a deposit covers, and the deposit formula | [`terms`], `…_ENTRIES`, [`Footprint`](terms::Footprint) |
//! | slack in a grant's term, minimum time to answer, notice period of a cancelled offer | [`terms`], [`TERM_SLACK`](terms::TERM_SLACK), [`LEAST_TIME`](terms::LEAST_TIME), [`CANCEL_NOTICE`](terms::CANCEL_NOTICE) |
//! | which recent blocks a signed query may name | [`terms`], `QUERY_BLOCKS_…` |
//! | label of a signed query, and how wallets wrap it | [`signed`] |
//! | limits of objects and of their locations | [`object`], [`location`] |
//! | version and layout of a manifest | [`manifest`] |
//! | prefixes of the Merkle tree | [`merkle`] |
//! | label and layout of a receipt; prefix of the keys under which nodes get a block's events | [`history`] |
//! | label, limits and layout of a folder's list | [`folder`] |
//! | error messages for refused queries | [`query::QueryError`] |
//! | deposit rates; how long requests stay open and ended grants are kept | `runtime/src/configs.rs`: each chain sets its own, and clients read them from its metadata |
//! | labels, versions and sizes of keys, records and sealed grants | `isthmus-envelope`, which does not depend on a chain |
//!
//! # Types
//!
//! All types are encoded in SCALE, with fields in order and explicit variant indices. Entries that contain
//! text or keys are generic over the types of these, because the pallet bounds their lengths and clients do
//! not. With the `by-name` feature, types are decoded and encoded by the names in a chain's metadata
//! (`scale-decode`, `scale-encode`). A client then either understands a chain whose types have changed or
//! refuses it, but never misreads it.
//!
//! The caller passes in the hash functions, because the pallet uses its host's functions and a client its
//! own.
//!
//! # Out of scope
//!
//! This crate does not encrypt records or seal keys (`isthmus-envelope` does), talk to a chain (`isthmus-sdk`
//! does) or keep state (the data-sharing pallet does).

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod folder;
pub mod history;
pub mod ids;
pub mod location;
pub mod manifest;
pub mod merkle;
pub mod object;
pub mod packed;
pub mod payload;
pub mod policy;
pub mod purpose;
pub mod query;
pub mod request;
pub mod scope;
pub mod signed;
pub mod state;
pub mod terms;
#[cfg(test)]
mod test;
pub mod text;

pub use ids::*;
pub use location::{Location, LocationError};
pub use manifest::{Manifest, ManifestError};
pub use object::{Object, ObjectError};
pub use payload::{chunk_count, chunk_length, Payload};
pub use policy::{ConsumerKinds, Policy, Verdict};
pub use purpose::{PurposeCode, PurposeCodes, UnknownPurpose};
pub use query::*;
pub use request::{Answered, Request};
pub use scope::{GrantState, Scope, ScopeError};
pub use state::*;
