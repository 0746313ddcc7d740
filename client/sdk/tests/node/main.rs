// SPDX-License-Identifier: Apache-2.0
//! The crate against a real node. `ISTHMUS_NODE` is the path of its program, which `scripts/test` sets.
//!
//! All scenarios share one node, as starting one takes a while. Each has accounts of its own, so it can be
//! read and run alone:
//!
//! ```text
//! ISTHMUS_NODE=... cargo test --release -p isthmus-sdk --test node large_values
//! ```

mod examples;
mod folders;
mod history;
mod large_values;
mod revoking;
mod scenario;
mod sending;
mod serving;
mod sharing_a_record;
