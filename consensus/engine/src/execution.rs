// SPDX-License-Identifier: Apache-2.0
//! Executes a block before it is imported, so that import holds its lock only to weigh and to store it.

use isthmus_primitives::Block;
use polkadot_sdk::*;
use sc_consensus::{BlockImportParams, StateAction, StorageChanges as ImportChanges};
use sp_api::{ApiExt, CallApiAt, CallContext, Core, ProvideRuntimeApi, StorageChanges};
use sp_blockchain::Error;
use sp_runtime::traits::{Block as _, Header as _};

/// Executes blocks. Every client with the runtime's `Core` API implements it.
pub trait Execute {
	/// Executes a block, without its seal, on its parent's state, and returns what it changes.
	///
	/// # Errors
	///
	/// Returns the runtime's error, the database's, or [`Error::InvalidStateRoot`] if the state after the
	/// block is not the one that the header names.
	fn execute(&self, block: Block) -> Result<StorageChanges<Block>, Error>;
}

impl<C> Execute for C
where
	C: ProvideRuntimeApi<Block, Api: Core<Block> + ApiExt<Block>> + CallApiAt<Block>,
{
	fn execute(&self, block: Block) -> Result<StorageChanges<Block>, Error> {
		let parent = *block.header().parent_hash();
		let state_root = *block.header().state_root();
		let mut api = self.runtime_api();
		api.set_call_context(CallContext::Onchain { import: true });
		api.execute_block(parent, block.into())?;
		let state = self.state_at(parent)?;
		let changes = api
			.into_storage_changes(&state, parent)
			.map_err(Error::Storage)?;
		if changes.transaction_storage_root != state_root {
			return Err(Error::InvalidStateRoot);
		}
		Ok(changes)
	}
}

/// Executes `block` if it has a body, and replaces the order to execute it by what it changes.
///
/// # Errors
///
/// Returns the error of [`Execute::execute`].
pub(crate) fn execute_ahead(
	client: &impl Execute,
	block: &mut BlockImportParams<Block>,
) -> Result<(), Error> {
	let Some(body) = &block.body else {
		return Ok(());
	};
	let changes = client.execute(Block::new(block.header.clone(), body.clone()))?;
	block.state_action = StateAction::ApplyChanges(ImportChanges::Changes(changes));
	Ok(())
}
