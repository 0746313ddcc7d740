//! Chains made to measure, in this process: blocks with chosen timestamps, forks and uncles, executed
//! and sealed for true, as fast as this machine executes them.
//!
//! A maker opens a database as a node does, and what it makes is imported by the node's own fork choice
//! after the node's own check of the header. So a node that is started on the database afterwards serves
//! it, and any other takes it from there.

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
	generic::DigestItem, transaction_validity::TransactionValidityError, Digest, OpaqueExtrinsic,
};
use std::path::Path;

/// Why a block could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
	/// The chain could not be opened.
	#[error("the chain does not open: {0}")]
	Open(String),
	/// The runtime failed.
	#[error("the runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	/// The runtime gave no changes.
	#[error("the block's changes to the state: {0}")]
	Changes(String),
	/// The runtime does not take an extrinsic into the block.
	#[error("an extrinsic is not valid: {0:?}")]
	Extrinsic(TransactionValidityError),
	/// The block could not be sealed.
	#[error(transparent)]
	Forge(#[from] ForgeError),
	/// A block breaks a rule.
	#[error(transparent)]
	Block(#[from] BlockError),
	/// The chain's own facts do not read.
	#[error(transparent)]
	Check(#[from] CheckError),
	/// The database failed.
	#[error("the database: {0}")]
	Database(#[from] sp_blockchain::Error),
	/// Import failed.
	#[error("the block was not imported: {0}")]
	Import(String),
}

/// What is chosen of a block to be made.
#[derive(Clone, Debug)]
pub struct Plan {
	/// H_p, a block that the maker has.
	pub parent: Hash,
	/// H_s, in seconds since the Unix epoch: above the parent's.
	pub timestamp: u64,
	/// H_c.
	pub beneficiary: AccountId,
	/// H_x.
	pub extra_data: Vec<u8>,
	/// B_U.
	pub uncles: Vec<Header>,
	/// B_T but for the inherents.
	pub extrinsics: Vec<OpaqueExtrinsic>,
}

/// A block that is made and sealed, and may never have been published.
pub struct Made {
	/// The header, sealed.
	pub header: Header,
	/// The body.
	pub body: Vec<OpaqueExtrinsic>,
	changes: StorageChanges<isthmus_primitives::Block>,
}

/// Makes blocks over a database of its own.
pub struct Maker {
	parts: Parts,
	miner: Miner,
}

impl Maker {
	/// Opens the chain of this specification (a name, or a file) in this folder, as a node started with
	/// `--chain` and `--base-path` does.
	///
	/// # Errors
	///
	/// [`MakeError::Open`], in the node's words.
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
		let config = isthmus_node::configuration(args, tokio::runtime::Handle::current())
			.map_err(|error| MakeError::Open(error.to_string()))?;
		let parts = Parts::new(&config).map_err(|error| MakeError::Open(error.to_string()))?;
		let miner = Miner::new(parts.core.chain.parameters())?;
		Ok(Self { parts, miner })
	}

	/// The chain's parameters.
	pub fn params(&self) -> &ChainParameters {
		self.parts.core.chain.parameters()
	}

	/// Hash power.
	pub fn miner(&self) -> &Miner {
		&self.miner
	}

	/// What is in the database.
	pub fn client(&self) -> &FullClient {
		&self.parts.core.client
	}

	/// The hash of the best block, by the node's own fork choice.
	pub fn best(&self) -> Hash {
		self.parts.core.client.info().best_hash
	}

	/// What the rules ask of a block as a parent.
	///
	/// # Errors
	///
	/// [`CheckError::UnknownParent`], or the database's.
	pub fn parent(&self, hash: Hash) -> Result<Parent, MakeError> {
		Ok(self.parts.core.chain.parent(hash)?)
	}

	/// The sum of H_d of a block and its ancestors.
	///
	/// # Errors
	///
	/// The database's.
	pub fn total_difficulty(&self, hash: Hash) -> Result<TotalDifficulty, MakeError> {
		Ok(self.parts.core.chain.total_difficulty(hash)?)
	}

	/// At most two headers that a child of `parent` may name as its uncles.
	///
	/// # Errors
	///
	/// The database's.
	pub fn uncle_candidates(&self, parent: Hash) -> Result<Vec<Header>, MakeError> {
		let children = |block| self.parts.core.backend.children(block);
		Ok(self.parts.core.chain.uncle_candidates(parent, children)?)
	}

	/// Makes and seals a block. The database is as before.
	///
	/// # Errors
	///
	/// The runtime's, for what it does not execute.
	pub fn make(&self, plan: Plan) -> Result<Made, MakeError> {
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
		body.extend(plan.extrinsics);

		let mut api = client.runtime_api();
		api.set_call_context(CallContext::Onchain { import: false });
		api.initialize_block(parent.hash, &draft)?;
		for extrinsic in &body {
			let applied = api.apply_extrinsic(parent.hash, extrinsic.clone())?;
			// What fails once it is in the block is in the block all the same.
			let _dispatched = applied.map_err(MakeError::Extrinsic)?;
		}
		let unsealed = api.finalize_block(parent.hash)?;
		let state = CallApiAt::state_at(&**client, parent.hash)?;
		let changes = api
			.into_storage_changes(&state, parent.hash)
			.map_err(MakeError::Changes)?;
		let seal = self.miner.search(&unsealed, pre.difficulty)?;
		Ok(Made {
			header: with_seal(unsealed, seal),
			body,
			changes,
		})
	}

	/// Puts a block that was made here into the database, after the check that a mined block gets.
	///
	/// # Errors
	///
	/// A rule's, and import's.
	pub async fn keep(&self, made: Made) -> Result<Hash, MakeError> {
		let Made {
			header,
			body,
			changes,
		} = made;
		let changes = StateAction::ApplyChanges(ImportChanges::Changes(changes));
		self.import(header, body, changes).await
	}

	/// Executes a block from elsewhere and puts it into the database. Its parent must be there.
	///
	/// # Errors
	///
	/// A rule's, and import's.
	pub async fn take(
		&self,
		header: Header,
		body: Vec<OpaqueExtrinsic>,
	) -> Result<Hash, MakeError> {
		self.import(header, body, StateAction::Execute).await
	}

	/// [`Self::make`], and [`Self::keep`].
	///
	/// # Errors
	///
	/// Those of both.
	pub async fn mine(&self, plan: Plan) -> Result<Hash, MakeError> {
		self.keep(self.make(plan)?).await
	}

	async fn import(
		&self,
		mut header: Header,
		body: Vec<OpaqueExtrinsic>,
		action: StateAction<isthmus_primitives::Block>,
	) -> Result<Hash, MakeError> {
		let chain = &self.parts.core.chain;
		// The clock of a made chain is whatever it says, as long as it is not ahead of the world's.
		let checked = chain.check_header(&header, crate::now())?;
		chain.check_body(&header, &checked, Some(&body), crate::now())?;
		let hash = header.hash();
		let seal = header.digest.pop();
		let mut params = BlockImportParams::new(BlockOrigin::File, header);
		params.post_digests.extend(seal);
		params.post_hash = Some(hash);
		params.body = Some(body);
		params.state_action = action;
		match self.parts.core.block_import.import_block(params).await {
			Ok(ImportResult::Imported(_) | ImportResult::AlreadyInChain) => Ok(hash),
			Ok(other) => Err(MakeError::Import(format!("{other:?}"))),
			Err(error) => Err(MakeError::Import(error.to_string())),
		}
	}
}

impl Maker {
	/// Makes a block final, as the nodes that vote have it: what is not on its chain is no best block
	/// any more.
	///
	/// # Errors
	///
	/// The database's.
	pub fn finalize(&self, hash: Hash) -> Result<(), MakeError> {
		use polkadot_sdk::sc_client_api::Finalizer;
		self.parts
			.core
			.client
			.finalize_block(hash, None, false)
			.map_err(MakeError::from)
	}

	/// Whether the adversary earns this block's reward.
	pub fn is_by_adversary(&self, header: &Header) -> bool {
		isthmus_primitives::digest::read_pre_digest(&header.digest)
			.is_ok_and(|pre| pre.beneficiary == crate::forge::BENEFICIARY)
	}
}
