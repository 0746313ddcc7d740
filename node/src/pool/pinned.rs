// SPDX-License-Identifier: Apache-2.0
//! Blocks whose state must stay. The database discards the state of an orphaned block as soon as a block beside it is
//! finalized, also while somebody reads it.

use isthmus_primitives::{Block, Hash};
use polkadot_sdk::*;
use std::sync::Arc;

/// A block whose state is not discarded until this is dropped.
pub(super) struct Pinned<B: sc_client_api::Backend<Block>> {
	backend: Arc<B>,
	block: Hash,
}

impl<B: sc_client_api::Backend<Block>> Pinned<B> {
	/// Keeps the block's state; `None` if the database has none of it.
	pub(super) fn new(backend: Arc<B>, block: Hash) -> Option<Self> {
		backend.pin_block(block).ok()?;
		Some(Self { backend, block })
	}
}

impl<B: sc_client_api::Backend<Block>> Drop for Pinned<B> {
	fn drop(&mut self) {
		self.backend.unpin_block(self.block);
	}
}
