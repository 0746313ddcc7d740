// SPDX-License-Identifier: Apache-2.0
//! The subcommand `check-state`: checks the invariants of the chain's own pallets in the state of a block, for example
//! after an upgrade.

use crate::{client::FullClient, progress::Reports};
use clap::Parser;
use isthmus_primitives::{BlockNumber, Hash};
use isthmus_runtime::VERSION;
use polkadot_sdk::*;
use sc_cli::{CliConfiguration, DatabaseParams, PruningParams, SharedParams};
use sc_client_api::StorageProvider;
use sp_api::{Core, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_core::storage::Storage;
use sp_state_machine::BasicExternalities;
use std::sync::{
	atomic::{AtomicU64, Ordering},
	Arc,
};

/// Check the state of a block: whether its entries fit together, and all deposits are held.
#[derive(Clone, Debug, Parser)]
pub struct CheckStateCmd {
	/// The block's number; by default the best block. The node must still have its state.
	#[arg(value_name = "BLOCK")]
	block: Option<BlockNumber>,

	#[allow(missing_docs)]
	#[command(flatten)]
	pub shared_params: SharedParams,

	#[allow(missing_docs)]
	#[command(flatten)]
	pub pruning_params: PruningParams,

	#[allow(missing_docs)]
	#[command(flatten)]
	pub database_params: DatabaseParams,
}

impl CliConfiguration for CheckStateCmd {
	fn shared_params(&self) -> &SharedParams {
		&self.shared_params
	}

	fn pruning_params(&self) -> Option<&PruningParams> {
		Some(&self.pruning_params)
	}

	fn database_params(&self) -> Option<&DatabaseParams> {
		Some(&self.database_params)
	}
}

/// Why a state was not checked, or what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum CheckStateError {
	/// There is no such block.
	#[error("the best chain of this database has no block {0}")]
	NoBlock(BlockNumber),
	/// The database cannot be read.
	#[error("the database cannot be read: {0}")]
	Database(#[from] sp_blockchain::Error),
	/// The runtime's version cannot be read.
	#[error("the state of block {number} cannot be read: {error}. Give a later block, or a node that keeps old states")]
	NoState {
		/// The block's number.
		number: BlockNumber,
		/// The error.
		error: sp_api::ApiError,
	},
	/// This program checks the states of its own runtime.
	#[error(
		"block {number} has version {found} of the runtime, and this program checks the states of version {}: use the \
		 program of that version", VERSION.spec_version
	)]
	OtherRuntime {
		/// The block's number.
		number: BlockNumber,
		/// The version of its runtime.
		found: u32,
	},
	/// An invariant is violated.
	#[error("the state of block {number} is faulty: {fault}. Please report this")]
	Faulty {
		/// The block's number.
		number: BlockNumber,
		/// The invariant.
		fault: &'static str,
	},
}

impl CheckStateCmd {
	/// Checks the state, and prints the result.
	///
	/// # Errors
	///
	/// Returns an error if the state is faulty, or is not there to be checked.
	pub fn run(&self, client: &FullClient) -> Result<(), CheckStateError> {
		let number = self.block.unwrap_or(client.info().best_number);
		let hash = client
			.hash(number)?
			.ok_or(CheckStateError::NoBlock(number))?;
		let version = client
			.runtime_api()
			.version(hash)
			.map_err(|error| CheckStateError::NoState { number, error })?;
		if version.spec_version != VERSION.spec_version {
			let found = version.spec_version;
			return Err(CheckStateError::OtherRuntime { number, found });
		}
		let entries_read = Arc::new(AtomicU64::new(0));
		let reported = entries_read.clone();
		let reports = Reports::start(move |since| {
			log::info!(
				"checking the state of block {number}, for {} s: {} entries are read",
				since.as_secs(),
				reported.load(Ordering::Relaxed)
			);
		});
		let mut storage = read(client, hash, &entries_read)?;
		let entries = storage.top.len();
		BasicExternalities::execute_with_storage(&mut storage, isthmus_runtime::check_state)
			.map_err(|fault| CheckStateError::Faulty { number, fault })?;
		drop(reports);
		println!("The state of block {number} ({hash:?}) is sound: {entries} entries.");
		Ok(())
	}
}

/// Reads the whole state of a block, and counts its entries meanwhile.
fn read(client: &FullClient, hash: Hash, count: &AtomicU64) -> sp_blockchain::Result<Storage> {
	let pairs = client.storage_pairs(hash, None, None)?;
	let counted = pairs.inspect(|_| {
		count.fetch_add(1, Ordering::Relaxed);
	});
	let top = counted.map(|(key, value)| (key.0, value.0)).collect();
	Ok(Storage {
		top,
		..Default::default()
	})
}
