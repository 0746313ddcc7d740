// SPDX-License-Identifier: Apache-2.0
//! Drives the state machine through simulated networks: nodes that mine, with delays, losses, partitions, late
//! comers, large blocks and liars. Everything follows from a seed.
//!
//! `SCHEDULES=100000 cargo test -p isthmus-sync --release -- schedules` runs that number of schedules. A
//! seed that found a fault is
//! kept in `table.rs`.

mod batch;
mod brothers;
mod chain;
mod liars;
mod network;
mod plan;
mod table;
mod warp;

use chain::SimBlock;
use isthmus_sync::machine::Arrival;

/// Returns a block as it arrives.
pub(crate) fn arrival(block: SimBlock) -> Arrival<SimBlock> {
	Arrival {
		hash: block.hash,
		size: block.size,
		block,
	}
}
