// SPDX-License-Identifier: Apache-2.0
//! A database and a chain in memory, for the tests of the history.

use isthmus_primitives::{Block, BlockNumber, Hash, Header};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::AuxStore;
use sp_blockchain::{BlockStatus, HeaderBackend, Info, Result};
use sp_core::offchain::OffchainStorage;
use std::{
	collections::{BTreeMap, HashMap},
	sync::Arc,
};

/// A column of a database. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Column(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Column {
	pub(super) fn keys(&self) -> Vec<Vec<u8>> {
		self.0.lock().keys().cloned().collect()
	}
}

impl AuxStore for Column {
	fn insert_aux<
		'a,
		'b: 'a,
		'c: 'a,
		I: IntoIterator<Item = &'a (&'c [u8], &'c [u8])>,
		D: IntoIterator<Item = &'a &'b [u8]>,
	>(
		&self,
		insert: I,
		delete: D,
	) -> Result<()> {
		let mut entries = self.0.lock();
		for (key, value) in insert {
			entries.insert(key.to_vec(), value.to_vec());
		}
		for key in delete {
			entries.remove(*key);
		}
		Ok(())
	}

	fn get_aux(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
		Ok(self.0.lock().get(key).cloned())
	}
}

impl OffchainStorage for Column {
	fn set(&mut self, prefix: &[u8], key: &[u8], value: &[u8]) {
		self.0.lock().insert([prefix, key].concat(), value.to_vec());
	}

	fn remove(&mut self, prefix: &[u8], key: &[u8]) {
		self.0.lock().remove(&[prefix, key].concat());
	}

	fn get(&self, prefix: &[u8], key: &[u8]) -> Option<Vec<u8>> {
		self.0.lock().get(&[prefix, key].concat()).cloned()
	}

	fn compare_and_set(&mut self, _: &[u8], _: &[u8], _: Option<&[u8]>, _: &[u8]) -> bool {
		unreachable!("the history never does this")
	}
}

/// A chain of headers with an auxiliary column.
#[derive(Default)]
pub(super) struct Chain {
	pub(super) aux: Column,
	headers: Mutex<HashMap<Hash, Header>>,
	/// The best chain. Blocks may be missing between the first one and the others.
	best: Mutex<BTreeMap<BlockNumber, Hash>>,
}

impl Chain {
	/// Adds a block, and makes it the best one if `best`.
	pub(super) fn import(&self, header: Header, best: bool) -> Hash {
		let hash = header.hash();
		self.headers.lock().insert(hash, header);
		if best {
			let headers = self.headers.lock();
			let mut best = self.best.lock();
			best.retain(|number, _| *number == 0);
			let mut at = Some((hash, headers[&hash].number));
			while let Some((hash, number)) = at {
				best.insert(number, hash);
				let parent = headers[&hash].parent_hash;
				at = headers.get(&parent).map(|header| (parent, header.number));
			}
		}
		hash
	}
}

impl AuxStore for Chain {
	fn insert_aux<
		'a,
		'b: 'a,
		'c: 'a,
		I: IntoIterator<Item = &'a (&'c [u8], &'c [u8])>,
		D: IntoIterator<Item = &'a &'b [u8]>,
	>(
		&self,
		insert: I,
		delete: D,
	) -> Result<()> {
		self.aux.insert_aux(insert, delete)
	}

	fn get_aux(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
		self.aux.get_aux(key)
	}
}

impl HeaderBackend<Block> for Chain {
	fn header(&self, hash: Hash) -> Result<Option<Header>> {
		Ok(self.headers.lock().get(&hash).cloned())
	}

	fn info(&self) -> Info<Block> {
		let best = self.best.lock();
		let first = best[&0];
		let (number, last) = best.last_key_value().expect("there is the first block");
		Info {
			best_hash: *last,
			best_number: *number,
			genesis_hash: first,
			finalized_hash: first,
			finalized_number: 0,
			finalized_state: None,
			number_leaves: 1,
			block_gap: None,
		}
	}

	fn status(&self, _: Hash) -> Result<BlockStatus> {
		Ok(BlockStatus::InChain)
	}

	fn number(&self, hash: Hash) -> Result<Option<BlockNumber>> {
		Ok(self.headers.lock().get(&hash).map(|header| header.number))
	}

	fn hash(&self, number: BlockNumber) -> Result<Option<Hash>> {
		Ok(self.best.lock().get(&number).copied())
	}
}
