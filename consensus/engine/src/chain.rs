// SPDX-License-Identifier: Apache-2.0
//! Looks up what the engine needs to know about a chain: its parameters, its blocks' total difficulties and
//! ancestors, and Ethash's caches.

use crate::{
	error::CheckError,
	fork_choice::{Arrival, Record, Standing},
	history::HistoryStart,
	parameters,
	refusals::Refusals,
	seal_memo::SealMemo,
};
use codec::{Decode, Encode};
use isthmus_ethash::{Cache, CacheStore, Sizes};
use isthmus_primitives::{
	api::ProofOfWorkApi,
	digest::{self, PowHeader},
	params::{ChainParameters, EthashSizes, Miners, RuleChange, MAX_UNCLES},
	AccountId, Block, BlockNumber, Hash, Header, TotalDifficulty,
};
use isthmus_rules::{self as rules, Parent, UNCLE_ANCESTORS};
use parking_lot::RwLock;
use polkadot_sdk::*;
use sc_client_api::{AuxStore, BlockBackend};
use sp_api::ProvideRuntimeApi;
use sp_blockchain::{BlockStatus, HeaderBackend, HeaderMetadata};
use sp_runtime::OpaqueExtrinsic;
use std::sync::Arc;

/// A block's [`Record`] is stored under this prefix followed by the block's hash.
const RECORD_PREFIX: &[u8] = b"isthmus:total_difficulty:";
/// The number of blocks that were imported is stored under this key.
const ARRIVALS_KEY: &[u8] = b"isthmus:arrivals";
/// The beginning of this node's history is stored under this key, unless it is genesis.
const HISTORY_KEY: &[u8] = b"isthmus:history";

/// The next epoch's cache is prepared this many blocks before the epoch's first block.
const PREPARE_AHEAD: BlockNumber = 300;

/// What the engine needs from a client.
pub trait ChainClient:
	HeaderBackend<Block>
	+ HeaderMetadata<Block, Error = sp_blockchain::Error>
	+ AuxStore
	+ BlockBackend<Block>
	+ ProvideRuntimeApi<Block, Api: ProofOfWorkApi<Block>>
	+ Send
	+ Sync
	+ 'static
{
}

impl<C> ChainClient for C where
	C: HeaderBackend<Block>
		+ HeaderMetadata<Block, Error = sp_blockchain::Error>
		+ AuxStore
		+ BlockBackend<Block>
		+ ProvideRuntimeApi<Block, Api: ProofOfWorkApi<Block>>
		+ Send
		+ Sync
		+ 'static
{
}

/// A chain with its consensus parameters: those that are fixed permanently in its genesis state, and the changes that
/// the node's own table adds to them.
///
/// The rules are called in `check.rs`.
pub struct Chain<C> {
	client: Arc<C>,
	parameters: ChainParameters,
	sizes: Sizes,
	caches: CacheStore,
	history: RwLock<Option<HistoryStart>>,
	pub(crate) seals: SealMemo,
	/// Counts the announcements and blocks that were refused.
	pub(crate) refusals: Refusals,
}

impl<C: ChainClient> Chain<C> {
	/// Opens a chain as [`Self::with_planned`] does, on a node without a table of its own and without forks that are
	/// higher than its best block.
	///
	/// # Errors
	///
	/// Returns the errors of [`Self::with_planned`].
	pub fn new(client: Arc<C>) -> Result<Self, CheckError> {
		let best = client.info().best_number;
		Self::with_planned(client, &[], best)
	}

	/// Reads the chain's parameters, from the genesis state the first time and from the database after
	/// that, and adds the changes of the node's own table. `highest` is the number of the highest block in the
	/// database.
	///
	/// # Errors
	///
	/// Returns [`CheckError::Changes`] if a change is faulty, [`CheckError::ChangedBelow`] if the database has blocks
	/// that were checked by another table, or the error of the database, or of the runtime at genesis.
	pub fn with_planned(
		client: Arc<C>,
		planned: &[RuleChange],
		highest: BlockNumber,
	) -> Result<Self, CheckError> {
		let parameters = parameters::of_genesis(&*client)?.with_planned(planned)?;
		parameters::keep_planned(&*client, planned, highest)?;
		let sizes = match parameters.ethash {
			EthashSizes::Full => Sizes::FULL,
			EthashSizes::Development => Sizes::DEVELOPMENT,
		};
		let history = client
			.get_aux(HISTORY_KEY)?
			.map(|bytes| HistoryStart::decode(&mut &bytes[..]))
			.transpose()
			.map_err(|e| CheckError::Corrupt(format!("the beginning of the history: {e}")))?;
		Ok(Self {
			client,
			parameters,
			sizes,
			caches: CacheStore::new(sizes),
			history: RwLock::new(history),
			seals: SealMemo::default(),
			refusals: Refusals::default(),
		})
	}

	/// Returns the client through which the chain is read.
	pub fn client(&self) -> &Arc<C> {
		&self.client
	}

	/// Returns how many announcements and blocks were refused, by rule.
	pub fn refusals(&self) -> &Refusals {
		&self.refusals
	}

	/// Returns the chain's consensus parameters, with the changes of the node's own table.
	pub fn parameters(&self) -> &ChainParameters {
		&self.parameters
	}

	/// Returns the Ethash epoch of a block with this number.
	pub fn epoch(&self, number: BlockNumber) -> u64 {
		self.sizes.epoch(number.into())
	}

	/// Returns the Ethash cache of an epoch. Makes the cache if it is not in the store.
	///
	/// # Errors
	///
	/// Returns Ethash's error if the epoch is too high, or its cache does not fit into memory.
	pub fn cache(&self, epoch: u64) -> Result<Arc<Cache>, isthmus_ethash::Error> {
		self.caches.get(epoch)
	}

	/// Returns the Ethash cache for a block with this number. Near the end of an epoch it also prepares the
	/// next epoch's cache in the background, so that no block waits for it.
	///
	/// # Errors
	///
	/// Returns the error of [`Self::cache`].
	pub(crate) fn cache_for(
		&self,
		number: BlockNumber,
	) -> Result<Arc<Cache>, isthmus_ethash::Error> {
		let epoch = self.epoch(number);
		let cache = self.cache(epoch)?;
		if self.epoch(number.saturating_add(PREPARE_AHEAD)) != epoch {
			self.caches.prepare(epoch.saturating_add(1));
		}
		Ok(cache)
	}

	/// Returns how many light hashes were computed to check seals, as a measure of what the checks cost.
	pub fn light_hashes(&self) -> u64 {
		self.seals.computed()
	}

	/// Makes a block that is about to be imported with its state the first one of this node's history.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub fn begin_history(&self, start: HistoryStart) -> Result<(), CheckError> {
		self.client
			.insert_aux(&[(HISTORY_KEY, &start.encode()[..])], &[])?;
		*self.history.write() = Some(start);
		Ok(())
	}

	/// Returns the number of the first block of this node's history: genesis, or the block with whose state it began.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub fn history_start(&self) -> Result<BlockNumber, CheckError> {
		let Some(start) = self.history.read().as_ref().map(|start| start.hash) else {
			return Ok(0);
		};
		Ok(match self.client.header(start)? {
			Some(header) if self.begins_history(&header)? => header.number,
			_ => 0,
		})
	}

	/// Returns whether this node's history begins with a block in the database. If the node began with genesis after
	/// all, because an earlier start by a warp sync was interrupted, the block's parent is there, too.
	fn begins_history(&self, header: &Header) -> Result<bool, CheckError> {
		Ok(header.number == 0
			|| (self.is_history_start(header.hash()) && !self.knows(header.parent_hash)?))
	}

	/// Returns whether a block is the one with which this node was to begin its history.
	pub(crate) fn is_history_start(&self, hash: Hash) -> bool {
		let history = self.history.read();
		history.as_ref().is_some_and(|start| start.hash == hash)
	}

	/// Returns the header of a block in the database, or just below this node's history.
	fn header(&self, hash: Hash) -> Result<Header, CheckError> {
		if let Some(header) = self.client.header(hash)? {
			return Ok(header);
		}
		let history = self.history.read();
		let below = history.as_ref().and_then(|start| start.header(&hash));
		below.cloned().ok_or(CheckError::UnknownParent(hash))
	}

	/// Returns whether the block is in the database.
	pub(crate) fn knows(&self, hash: Hash) -> Result<bool, CheckError> {
		Ok(self.client.status(hash)? == BlockStatus::InChain)
	}

	/// Returns what the rules need to know about the parent `hash`.
	///
	/// # Errors
	///
	/// Returns [`CheckError::UnknownParent`] if the block is not in the database, or the database's
	/// error.
	pub fn parent(&self, hash: Hash) -> Result<Parent, CheckError> {
		if hash == self.client.info().genesis_hash {
			return Ok(Parent::genesis(hash, &self.parameters));
		}
		Ok(Parent::of(&stored(&self.header(hash)?)?))
	}

	/// Returns the total difficulty of a block in the database: the sum of H_d over the block and all its
	/// ancestors.
	///
	/// # Errors
	///
	/// Returns [`CheckError::MissingTotalDifficulty`] if the database does not contain it, or the
	/// database's error.
	pub fn total_difficulty(&self, hash: Hash) -> Result<TotalDifficulty, CheckError> {
		Ok(self.record(hash)?.total)
	}

	/// Returns the place in the fork choice of a block in the database.
	///
	/// # Errors
	///
	/// Returns [`CheckError::UnknownParent`] if the block is not in the database, the error of
	/// [`Self::total_difficulty`], or the database's error.
	pub fn standing(&self, hash: Hash) -> Result<Standing, CheckError> {
		let record = self.record(hash)?;
		let arrival = record.arrival;
		let header = self
			.client
			.header(hash)?
			.ok_or(CheckError::UnknownParent(hash))?;
		let weight = if self.begins_history(&header)? {
			// Every chain has this block, so its weight decides nothing.
			TotalDifficulty(0.into())
		} else {
			let own = stored(&header)?.pre.difficulty;
			let parent = self.parent(header.parent_hash)?;
			let parent_total = TotalDifficulty(record.total.0.saturating_sub(own.0));
			rules::weight(&self.parameters, &parent, parent_total)
		};
		Ok(Standing {
			weight,
			arrival,
			hash,
		})
	}

	/// Returns the place in the fork choice of a block that is not in the database yet. Its parent must be.
	///
	/// # Errors
	///
	/// Returns [`CheckError::UnknownParent`] if the parent is not in the database, the error of
	/// [`Self::total_difficulty`], or the database's error.
	pub fn standing_of_new(
		&self,
		header: &PowHeader,
		arrival: Arrival,
	) -> Result<Standing, CheckError> {
		let parent = self.parent(header.parent_hash)?;
		let parent_total = self.total_difficulty(header.parent_hash)?;
		Ok(Standing {
			weight: rules::weight(&self.parameters, &parent, parent_total),
			arrival,
			hash: header.hash,
		})
	}

	/// Returns the arrival of the next block to be imported.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub(crate) fn next_arrival(&self, own: bool) -> Result<Arrival, CheckError> {
		let before = self.client.get_aux(ARRIVALS_KEY)?;
		let before = before
			.map_or(Ok(0), |bytes| u64::decode(&mut &bytes[..]))
			.map_err(|e| CheckError::Corrupt(format!("the number of imported blocks: {e}")))?;
		Ok(Arrival {
			own,
			number: before.saturating_add(1),
		})
	}

	fn record(&self, hash: Hash) -> Result<Record, CheckError> {
		if hash == self.client.info().genesis_hash {
			return Ok(Record {
				total: self.parameters.genesis_difficulty.into(),
				arrival: Arrival::UNKNOWN,
			});
		}
		let bytes = self
			.client
			.get_aux(&record_key(hash))?
			.ok_or(CheckError::MissingTotalDifficulty(hash))?;
		Record::decode(&mut &bytes[..])
			.map_err(|e| CheckError::Corrupt(format!("the total difficulty of {hash}: {e}")))
	}

	/// Returns whether `hash` is `base` or descends from it. Both must be in the database.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub fn descends_from(&self, hash: Hash, base: Hash) -> Result<bool, CheckError> {
		let on_best_chain =
			|number, hash| Ok::<_, CheckError>(self.client.hash(number)? == Some(hash));
		let base_number = self.client.header_metadata(base)?.number;
		// Walk back to the best chain. That usually takes one step or none, however far away the base is.
		let mut block = self.client.header_metadata(hash)?;
		while block.number > base_number && !on_best_chain(block.number, block.hash)? {
			block = self.client.header_metadata(block.parent)?;
		}
		if block.number <= base_number {
			return Ok(block.hash == base);
		}
		if on_best_chain(base_number, base)? {
			return Ok(true);
		}
		Ok(sp_blockchain::lowest_common_ancestor(&*self.client, hash, base)?.hash == base)
	}

	/// Returns whether an account may be the beneficiary of a block on `parent`, or of an uncle that such a block names,
	/// if these may mine.
	///
	/// # Errors
	///
	/// Returns the runtime's error.
	pub(crate) fn may_mine(
		&self,
		parent: Hash,
		miners: Miners,
		account: &AccountId,
	) -> Result<bool, CheckError> {
		if miners == Miners::Anyone {
			return Ok(true);
		}
		let api = self.client.runtime_api();
		Ok(api.may_mine(parent, miners, account.clone())?)
	}

	/// Returns at most two headers that the next block on `parent` may name as its uncles: blocks in the
	/// database that are siblings of its nearest ancestors and are not named yet. `children` returns a
	/// block's children in the database.
	///
	/// # Errors
	///
	/// Returns the error of the database or of the runtime.
	pub fn uncle_candidates(
		&self,
		parent: Hash,
		children: impl Fn(Hash) -> sp_blockchain::Result<Vec<Hash>>,
	) -> Result<Vec<Header>, CheckError> {
		let (ancestors, included) = self.ancestry(parent)?;
		let mut uncles = Vec::new();
		// A younger uncle earns more, so the nearest generation comes first.
		for generation in ancestors.windows(2) {
			let [ancestor, its_parent] = generation else {
				continue;
			};
			for brother in children(its_parent.hash)? {
				if brother == ancestor.hash || included.contains(&brother) {
					continue;
				}
				let Some(header) = self.client.header(brother)? else {
					continue;
				};
				// The miner of an orphaned block may have lost its right to mine since.
				let miners = self.parameters.at(header.number).miners;
				if self.may_mine(parent, miners, &stored(&header)?.pre.beneficiary)? {
					uncles.push(header);
				}
				if uncles.len() == MAX_UNCLES as usize {
					return Ok(uncles);
				}
			}
		}
		Ok(uncles)
	}

	/// Returns the nearest ancestors of a block on `parent`, nearest first, and the hashes of the uncles that
	/// they name.
	///
	/// # Errors
	///
	/// Returns [`CheckError::UnknownParent`] or [`CheckError::MissingBody`] if the database lacks a block
	/// or its body, or the error of the database or of the runtime.
	pub(crate) fn ancestry(&self, parent: Hash) -> Result<(Vec<Parent>, Vec<Hash>), CheckError> {
		let (mut ancestors, mut included) = (Vec::new(), Vec::new());
		let mut hash = parent;
		while ancestors.len() < UNCLE_ANCESTORS {
			let ancestor = self.parent(hash)?;
			ancestors.push(ancestor);
			if ancestor.number == 0 {
				break;
			}
			let header = self.header(hash)?;
			// Below the history there are no bodies. The runtime knows what they name, and names none of it twice.
			if self.knows(hash)? {
				let uncles = self.named_uncles(&header)?;
				included.extend(uncles.iter().map(Header::hash));
			}
			hash = header.parent_hash;
		}
		Ok((ancestors, included))
	}

	/// Returns the headers of the uncles that a block in the database names.
	///
	/// # Errors
	///
	/// Returns [`CheckError::MissingBody`] if it names some and the database lacks its body, or the error of
	/// the database or of the runtime.
	pub fn named_uncles(&self, header: &Header) -> Result<Vec<Header>, CheckError> {
		if stored(header)?.pre.uncles_hash == digest::uncles_hash(&[]) {
			return Ok(Vec::new());
		}
		let hash = header.hash();
		let body = self
			.client
			.block_body(hash)?
			.ok_or(CheckError::MissingBody(hash))?;
		self.uncles(header.parent_hash, &body)
	}

	/// Returns the uncles that a body on `parent` names. A body that the runtime cannot read names none.
	///
	/// The runtime decodes only the extrinsics without a signature or extensions, one of which names the uncles. The
	/// others may have megabytes.
	///
	/// # Errors
	///
	/// Returns the runtime's error.
	pub(crate) fn uncles(
		&self,
		parent: Hash,
		body: &[OpaqueExtrinsic],
	) -> Result<Vec<Header>, CheckError> {
		// The first byte of an extrinsic has its kind in the two highest bits (0 for a bare one), and its version.
		let is_bare = |extrinsic: &&OpaqueExtrinsic| {
			let first = extrinsic.inner().first();
			first.is_none_or(|byte| byte >> 6 == 0)
		};
		let bare = body.iter().filter(is_bare).cloned().collect();
		let uncles = self.client.runtime_api().uncles(parent, bare)?;
		Ok(uncles.unwrap_or_default())
	}
}

/// Returns the entries that import adds to the database for the fork choice, in the same transaction as the block.
pub(crate) fn record_entries(
	hash: Hash,
	total: TotalDifficulty,
	arrival: Arrival,
) -> [(Vec<u8>, Option<Vec<u8>>); 2] {
	let record = Record { total, arrival };
	[
		(record_key(hash), Some(record.encode())),
		(ARRIVALS_KEY.to_vec(), Some(arrival.number.encode())),
	]
}

/// Reads a header that was checked before it was stored.
///
/// # Errors
///
/// Returns [`CheckError::Corrupt`] if it cannot be read.
pub(crate) fn stored(header: &Header) -> Result<PowHeader, CheckError> {
	PowHeader::read(header)
		.map_err(|e| CheckError::Corrupt(format!("the header {}: {e}", header.hash())))
}

fn record_key(hash: Hash) -> Vec<u8> {
	[RECORD_PREFIX, hash.as_bytes()].concat()
}
