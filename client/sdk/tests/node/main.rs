// SPDX-License-Identifier: Apache-2.0
//! Tests the crate with a real node. `ISTHMUS_NODE` is the path to its program; `scripts/test` sets it.
//!
//! All scenarios share one node, because starting one takes a while. Each has its own accounts, so it can be
//! read and run separately:
//!
//! ```text
//! ISTHMUS_NODE=... cargo test --release -p isthmus-sdk --test node large_values
//! ```

mod erasing;
mod examples;
mod folders;
mod giving_up;
mod history;
mod large_values;
mod layouts;
mod liar;
mod lies;
mod operating;
mod plain_subxt;
mod revoking;
mod scenario;
mod sending;
mod serving;
#[path = "../../src/shapes.rs"]
mod shapes;
mod sharing_a_record;
