// SPDX-License-Identifier: Apache-2.0

//! Makes blocks in this process, as fast as this machine executes them. The caller chooses the timestamps,
//! forks and uncles. The blocks are executed and have valid seals.
//!
//! A maker opens a database as a node does, and checks and imports its blocks with the node's own code and
//! fork choice. A node can later be started on the same database. It then serves these blocks, and any
//! other node can sync from it.

use crate::forge::{timestamp_inherent, uncles_inherent, with_seal, ForgeError, Miner};
use codec::Encode;
use isthmus_engine::{BlockError, BlockTree, CheckError};
use isthmus_node::{client::FullClient, service::Parts};
use isthmus_primitives::{
	digest::{uncles_hash, PreDigest, POW_ENGINE_ID},
	params::ChainParameters,
	AccountId, Hash, Header, TotalDifficulty,
};
use isthmus_rules::{self as rules, Parent};
use polkadot_sdk::*;
use sc_consensus::{
	BlockImport, BlockImportParams, ImportResult, StateAction, StorageChanges as ImportChanges,
};
use sp_api::{ApiExt, CallApiAt, CallContext, Core, ProvideRuntimeApi, StorageChanges};
use sp_block_builder::BlockBuilder as _;
use sp_blockchain::HeaderBackend;
use sp_consensus::BlockOrigin;
use sp_runtime::{
	generic::DigestItem,
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	Digest, Justifications, OpaqueExtrinsic,
};
use std::path::Path;

/// Why a block could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
	/// The chain could not be opened.
	#[error("the chain could not be opened: {0}")]
	Open(String),
	/// The runtime failed.
	#[error("the runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	/// The runtime returned no changes to the state.
	#[error("the block's changes to the state: {0}")]
	Changes(String),
	/// The runtime refused an extrinsic.
	#[error("an extrinsic is not valid: {0:?}")]
	Extrinsic(TransactionValidityError),
	/// The block could not be sealed.
	#[error(transparent)]
	Forge(#[from] ForgeError),
	/// A block breaks a rule.
	#[error(transparent)]
	Block(#[from] BlockError),
	/// A header could not be checked.
	#[error(transparent)]
	Check(#[from] CheckError),
	/// The database failed.
	#[error("the database: {0}")]
	Database(#[from] sp_blockchain::Error),
	/// The block could not be imported.
	#[error("the block was not imported: {0}")]
	Import(String),
}

/// The parts of a block that its maker chooses.
#[derive(Clone, Debug)]
pub struct Plan {
	/// H_p: the hash of the parent, which must be in the maker's database.
	pub parent: Hash,
	/// H_s: the timestamp, in seconds since the Unix epoch. It must be later than the parent's.
	pub timestamp: u64,
	/// H_c: the beneficiary.
	pub beneficiary: AccountId,
	/// H_x: the extra data.
	pub extra_data: Vec<u8>,
	/// B_U: the headers of the uncles.
	pub uncles: Vec<Header>,
	/// B_T: the transactions, without the inherents. The first one that the block has no room for is left out, with
	/// all that follow it. A session's first block has no room for any.
	pub extrinsics: Vec<OpaqueExtrinsic>,
}

/// A block that was made and sealed, but neither imported nor published.
pub struct MadeBlock {
	/// The sealed header.
	pub header: Header,
	/// The body.
	pub body: Vec<OpaqueExtrinsic>,
	changes: StorageChanges<isthmus_primitives::Block>,
}

/// Makes blocks on top of its own database.
pub struct Maker {
	parts: Parts,
	miner: Miner,
}

impl Maker {
	/// Opens the chain with this specification (a name or a file) in this folder, like a node with the options
	/// `--chain` and `--base-path`.
	///
	/// # Errors
	///
	/// Returns [`MakeError::Open`] with the node's error.
	pub fn open(chain: &str, base_path: &Path) -> Result<Self, MakeError> {
		let base_path = base_path.display().to_string();
		let args = [
			"isthmus-node",
			"--chain",
			chain,
			"--base-path",
			&base_path,
			"--no-telemetry",
			"--no-prometheus",
		];
		let mut config = isthmus_node::configuration(args, tokio::runtime::Handle::current())
			.map_err(|error| MakeError::Open(error.to_string()))?;
		let parts = Parts::new(&mut config).map_err(|error| MakeError::Open(error.to_string()))?;
		let miner = Miner::new(parts.core.chain.parameters())?;
		Ok(Self { parts, miner })
	}

	/// Returns the chain's parameters.
	pub fn params(&self) -> &ChainParameters {
		self.parts.core.chain.parameters()
	}

	/// Returns the miner that seals the blocks.
	pub fn miner(&self) -> &Miner {
		&self.miner
	}

	/// Returns the client of the maker's database.
	pub fn client(&self) -> &FullClient {
		&self.parts.core.client
	}

	/// Returns the hash of the best block, as the node's own fork choice sees it.
	pub fn best(&self) -> Hash {
		self.parts.core.client.info().best_hash
	}

	/// Returns what the rules need to know about a parent block.
	///
	/// # Errors
	///
	/// Returns [`CheckError::UnknownParent`] if the block is not in the database, or the error of the database.
	pub fn parent(&self, hash: Hash) -> Result<Parent, MakeError> {
		Ok(self.parts.core.chain.parent(hash)?)
	}

	/// Returns a block's total difficulty: the sum of H_d (the difficulty) over the block and its
	/// ancestors.
	///
	/// # Errors
	///
	/// Returns the error of the database.
	pub fn total_difficulty(&self, hash: Hash) -> Result<TotalDifficulty, MakeError> {
		Ok(self.parts.core.chain.total_difficulty(hash)?)
	}

	/// Returns up to two headers that a child of `parent` may name as uncles.
	///
	/// # Errors
	///
	/// Returns the error of the database.
	pub fn uncle_candidates(&self, parent: Hash) -> Result<Vec<Header>, MakeError> {
		let children = |block| self.parts.core.backend.children(block);
		Ok(self.parts.core.chain.uncle_candidates(parent, children)?)
	}

	/// Makes and seals a block without changing the database.
	///
	/// # Errors
	///
	/// Returns an error if the parent is unknown, the runtime cannot execute the block or refuses an extrinsic, or the
	/// block cannot be sealed.
	pub fn make(&self, plan: Plan) -> Result<MadeBlock, MakeError> {
		let client = &self.parts.core.client;
		let parent = self.parent(plan.parent)?;
		let pre = PreDigest {
			beneficiary: plan.beneficiary,
			difficulty: rules::difficulty(self.params(), &parent, plan.timestamp),
			gas_limit: parent.gas_limit,
			timestamp: plan.timestamp,
			uncles_hash: uncles_hash(&plan.uncles),
			extra_data: plan.extra_data,
		};
		let draft = Header {
			parent_hash: parent.hash,
			number: parent.number.saturating_add(1),
			state_root: Default::default(),
			extrinsics_root: Default::default(),
			digest: Digest {
				logs: vec![DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode())],
			},
		};
		let mut body = vec![timestamp_inherent(plan.timestamp)];
		if !plan.uncles.is_empty() {
			body.push(uncles_inherent(&plan.uncles));
		}

		let mut api = client.runtime_api();
		api.set_call_context(CallContext::Onchain { import: false });
		api.initialize_block(parent.hash, &draft)?;
		for extrinsic in body.iter().cloned() {
			let applied = api.apply_extrinsic(parent.hash, extrinsic)?;
			let _dispatched = applied.map_err(MakeError::Extrinsic)?;
		}
		for extrinsic in plan.extrinsics {
			match api.apply_extrinsic(parent.hash, extrinsic.clone())? {
				Err(TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources)) => {
					break
				}
				Err(error) => return Err(MakeError::Extrinsic(error)),
				// If a call fails when it is dispatched, its transaction is nevertheless included in the block.
				Ok(_dispatched) => body.push(extrinsic),
			}
		}
		let unsealed = api.finalize_block(parent.hash)?;
		let state = CallApiAt::state_at(&**client, parent.hash)?;
		let changes = api
			.into_storage_changes(&state, parent.hash)
			.map_err(MakeError::Changes)?;
		let seal = self.miner.search(&unsealed, pre.difficulty)?;
		Ok(MadeBlock {
			header: with_seal(unsealed, seal),
			body,
			changes,
		})
	}

	/// Imports a block that was made here, after checking it like a mined block, with the proof that it is final, if
	/// any.
	///
	/// # Errors
	///
	/// Returns the rule that the block violates, or the error of the import.
	pub async fn import(
		&self,
		made: MadeBlock,
		justifications: Option<Justifications>,
	) -> Result<Hash, MakeError> {
		let MadeBlock {
			header,
			body,
			changes,
		} = made;
		let changes = StateAction::ApplyChanges(ImportChanges::Changes(changes));
		self.import_block(header, body, changes, justifications)
			.await
	}

	/// Executes and imports a block from elsewhere. Its parent must be in the database.
	///
	/// # Errors
	///
	/// Returns the rule that the block violates, or the error of the import.
	pub async fn import_foreign(
		&self,
		header: Header,
		body: Vec<OpaqueExtrinsic>,
	) -> Result<Hash, MakeError> {
		self.import_block(header, body, StateAction::Execute, None)
			.await
	}

	/// Makes and imports a block.
	///
	/// # Errors
	///
	/// Returns the error of [`Self::make`] or [`Self::import`].
	pub async fn mine(&self, plan: Plan) -> Result<Hash, MakeError> {
		self.import(self.make(plan)?, None).await
	}

	async fn import_block(
		&self,
		mut header: Header,
		body: Vec<OpaqueExtrinsic>,
		action: StateAction<isthmus_primitives::Block>,
		justifications: Option<Justifications>,
	) -> Result<Hash, MakeError> {
		let chain = &self.parts.core.chain;
		// Accept any timestamp that is not ahead of the clock.
		let checked = chain.check_header(&header, crate::now())?;
		chain.check_body(&header, &checked, Some(&body), crate::now())?;
		let hash = header.hash();
		let seal = header.digest.pop();
		let mut params = BlockImportParams::new(BlockOrigin::File, header);
		params.post_digests.extend(seal);
		params.post_hash = Some(hash);
		params.body = Some(body);
		params.state_action = action;
		params.justifications = justifications;
		match self.parts.core.block_import.import_block(params).await {
			Ok(ImportResult::Imported(_) | ImportResult::AlreadyInChain) => Ok(hash),
			Ok(other) => Err(MakeError::Import(format!("{other:?}"))),
			Err(error) => Err(MakeError::Import(error.to_string())),
		}
	}
}

impl Maker {
	/// Finalizes a block, as a network's votes would. From then on, only its descendants can become the
	/// best block.
	///
	/// # Errors
	///
	/// Returns the error of the database.
	pub fn finalize(&self, hash: Hash) -> Result<(), MakeError> {
		use polkadot_sdk::sc_client_api::Finalizer;
		self.parts
			.core
			.client
			.finalize_block(hash, None, false)
			.map_err(MakeError::from)
	}

	/// Returns whether the adversary is this block's beneficiary.
	pub fn is_by_adversary(&self, header: &Header) -> bool {
		isthmus_primitives::digest::read_pre_digest(&header.digest)
			.is_ok_and(|pre| pre.beneficiary == crate::forge::BENEFICIARY)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// How many blocks of one number the database keeps above the finalized block.
	const PLACES: usize = 32;
	/// The start of 2020, in seconds since the Unix epoch.
	const START: u64 = 1_577_836_800;

	#[tokio::test(flavor = "multi_thread")]
	async fn a_height_that_is_full_makes_room_for_the_next_block() {
		let folder = std::env::temp_dir().join(format!("isthmus-full-{}", std::process::id()));
		let maker = Maker::open("dev", &folder).unwrap();
		let plan = |parent, seconds: u64| Plan {
			parent,
			timestamp: START + seconds,
			beneficiary: crate::forge::BENEFICIARY,
			extra_data: seconds.to_le_bytes().to_vec(),
			uncles: Vec::new(),
			extrinsics: Vec::new(),
		};
		let genesis = maker.client().info().genesis_hash;
		let mut brothers = Vec::new();
		for seconds in 0..PLACES as u64 + 8 {
			brothers.push(maker.mine(plan(genesis, seconds)).await.unwrap());
		}
		let kept = maker.parts.core.backend.children(genesis).unwrap();
		assert_eq!(kept.len(), PLACES);
		// The best one is kept, and a chain on the newest one becomes the best.
		let (first, mut tip) = (brothers[0], brothers[brothers.len() - 1]);
		assert_eq!(maker.best(), first);
		assert!(kept.contains(&first) && kept.contains(&tip));
		for seconds in 1000..1003 {
			tip = maker.mine(plan(tip, seconds)).await.unwrap();
		}
		assert_eq!(maker.best(), tip);
		drop(maker);
		std::fs::remove_dir_all(folder).unwrap();
	}
}
