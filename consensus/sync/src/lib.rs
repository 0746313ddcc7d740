// SPDX-License-Identifier: Apache-2.0
//! Syncs with peers: proves their header chains, and fetches the blocks of the heaviest one.
//!
//! A peer's word counts for nothing here. It says that it has a block ([`machine`] calls that a *claim*); the node
//! asks for headers until they reach a block that it knows, and checks them. From then on the peer is a source of
//! those blocks, and their chain weighs what its proof of work weighs. The bodies of the heaviest proved chain are
//! fetched, lowest first, from the peers that proved it.
//!
//! | promise | kept in |
//! |---|---|
//! | a request that fails concerns its peer alone | `machine/peer.rs`, `machine/headers.rs`, `machine/bodies.rs` |
//! | no body is fetched before its header chain is proved and is the heaviest, or may be an uncle | `machine.rs` |
//! | bodies that are asked for, have arrived or are being imported fit in a budget | `machine/bodies.rs` |
//! | a body is checked against its header before it counts as arrived | `wire.rs` |
//! | a block that two peers have is not left to one of them | `machine/bodies.rs` |
//! | bytes that are not an announcement cost their sender the connection | `announcements.rs` |
//! | a peer that asks without end makes no other peer wait | `turns.rs` |
//! | a block that cannot be imported is tried again, less and less often | `machine/failed.rs` |
//!
//! A node that is started with `--sync warp` first fetches the state of a finalized block instead of the blocks from
//! genesis on ([`warp`]).
//!
//! [`machine`] and [`warp`] are pure: they have no clock, no randomness and no input or output, and the simulator in
//! `tests/simulator` drives them through thousands of networks. [`HeaviestSync`] connects it to Substrate.

#![forbid(unsafe_code)]

mod announcements;
mod answer;
mod justifications;
mod ledger;
pub mod machine;
mod metrics;
mod strategy;
mod thinning;
mod turns;
pub mod warp;
mod warp_wire;
mod warping;
mod wire;

pub use announcements::StrictAnnouncements;
pub use ledger::ChainLedger;
pub use metrics::SyncMetrics;
pub use strategy::{HeaviestSync, SyncParts};
pub use turns::in_turn;
pub use warp_wire::WarpProtocols;

/// The target of this crate's log lines.
const LOG_TARGET: &str = "sync";
