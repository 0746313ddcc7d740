// SPDX-License-Identifier: Apache-2.0
//! Provides an in-memory chain, and mines headers for it.

use crate::{chain::record_entries, BlockTree, Chain, Execute};
use codec::{Decode, Encode};
use isthmus_ethash::{Cache, Dataset, Found, Sizes};
use isthmus_primitives::{
	api::ProofOfWorkApi,
	digest::{self, GasUsed, PreDigest, Seal, POW_ENGINE_ID},
	params::{ChainParameters, DifficultyRule, EthashSizes, Miners},
	AccountId, Block, BlockNumber, Difficulty, Hash, Header,
};
use isthmus_rules as rules;
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::{
	backend::{AuxStore, Backend as _, ClientImportOperation, LockImportRun, NewBlockState},
	in_mem, BlockBackend,
};
use sp_api::{ApiRef, ProvideRuntimeApi, StorageChanges};
use sp_blockchain::{
	Backend as _, BlockStatus, CachedHeaderMetadata, HeaderBackend, HeaderMetadata, Info,
};
use sp_core::H256;
use sp_runtime::{
	generic::SignedBlock,
	traits::{BlakeTwo256, Hash as _},
	Digest, DigestItem, Justifications, OpaqueExtrinsic,
};
use std::{
	collections::{HashMap, HashSet},
	ops::ControlFlow,
	sync::{atomic::AtomicBool, Arc, OnceLock},
};

/// The time of the genesis block, in seconds since the Unix epoch.
pub(super) const GENESIS_TIME: u64 = 1_700_000_000;

/// Returns parameters with development sizes, Homestead's difficulty rule, and a D_0 (the minimum difficulty)
/// that is mined in an instant.
pub(super) fn parameters() -> ChainParameters {
	ChainParameters {
		ethash: EthashSizes::Development,
		difficulty_rule: DifficultyRule::Homestead { bomb: false },
		minimum_difficulty: 64.into(),
		genesis_difficulty: 64.into(),
		genesis_gas_limit: 20_000_000,
		genesis_timestamp: GENESIS_TIME,
		block_reward: 0,
		miners: Miners::Anyone,
		changes: Default::default(),
	}
}

/// A client whose blocks are in memory and whose runtime reads an extrinsic as a list of uncles.
pub(super) struct TestClient {
	pub(super) backend: Arc<in_mem::Backend<Block>>,
	parameters: ChainParameters,
	/// The account that may mine, if not everyone may.
	pub(super) miner: Mutex<Option<AccountId>>,
	/// Each block's children, which the in-memory database does not record.
	children: Mutex<HashMap<Hash, Vec<Hash>>>,
	/// The blocks that are not in the database any more.
	pub(super) gone: Mutex<HashSet<Hash>>,
	/// The blocks whose state is pruned.
	pub(super) pruned: Mutex<HashSet<Hash>>,
	/// What a test does while a block is executed.
	pub(super) while_executing: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl TestClient {
	/// Remembers a block that was put into the database.
	pub(super) fn note(&self, header: &Header) {
		let mut children = self.children.lock();
		let brothers = children.entry(header.parent_hash).or_default();
		if !brothers.contains(&header.hash()) {
			brothers.push(header.hash());
		}
	}
}

impl BlockTree for TestClient {
	fn children(&self, block: Hash) -> sp_blockchain::Result<Vec<Hash>> {
		Ok(self
			.children
			.lock()
			.get(&block)
			.cloned()
			.unwrap_or_default())
	}
}

impl Execute for TestClient {
	fn execute(&self, block: Block) -> Result<StorageChanges<Block>, sp_blockchain::Error> {
		let act = self.while_executing.lock().take();
		if let Some(act) = act {
			act();
		}
		let parent = block.header.parent_hash;
		if self.gone.lock().contains(&parent) {
			return Err(sp_blockchain::Error::UnknownBlock(parent.to_string()));
		}
		Ok(StorageChanges::<Block>::default())
	}
}

impl LockImportRun<Block, in_mem::Backend<Block>> for TestClient {
	fn lock_import_and_run<R, Err, F>(&self, run: F) -> Result<R, Err>
	where
		F: FnOnce(&mut ClientImportOperation<Block, in_mem::Backend<Block>>) -> Result<R, Err>,
		Err: From<sp_blockchain::Error>,
	{
		let mut operation = ClientImportOperation {
			op: self.backend.begin_operation()?,
			notify_imported: None,
			notify_finalized: None,
		};
		let result = run(&mut operation)?;
		self.backend.commit_operation(operation.op)?;
		Ok(result)
	}
}

pub(super) struct TestApi {
	parameters: ChainParameters,
	miner: Option<AccountId>,
}

sp_api::mock_impl_runtime_apis! {
	impl ProofOfWorkApi<Block> for TestApi {
		fn parameters(&self) -> ChainParameters {
			self.parameters.clone()
		}

		fn uncles(extrinsics: Vec<OpaqueExtrinsic>) -> Option<Vec<Header>> {
			match &extrinsics[..] {
				[] => Some(Vec::new()),
				[uncles] => Vec::decode(&mut uncles.inner()).ok(),
				_ => None,
			}
		}

		fn may_mine(miners: Miners, account: AccountId) -> bool {
			assert_ne!(miners, Miners::Anyone);
			self.miner == Some(account)
		}
	}
}

impl ProvideRuntimeApi<Block> for TestClient {
	type Api = TestApi;

	fn runtime_api(&self) -> ApiRef<'_, TestApi> {
		TestApi {
			parameters: self.parameters.clone(),
			miner: self.miner.lock().clone(),
		}
		.into()
	}
}

impl HeaderBackend<Block> for TestClient {
	fn header(&self, hash: Hash) -> sp_blockchain::Result<Option<Header>> {
		if self.gone.lock().contains(&hash) {
			return Ok(None);
		}
		self.backend.blockchain().header(hash)
	}

	fn info(&self) -> Info<Block> {
		self.backend.blockchain().info()
	}

	fn status(&self, hash: Hash) -> sp_blockchain::Result<sp_blockchain::BlockStatus> {
		if self.gone.lock().contains(&hash) {
			return Ok(BlockStatus::Unknown);
		}
		self.backend.blockchain().status(hash)
	}

	fn number(&self, hash: Hash) -> sp_blockchain::Result<Option<BlockNumber>> {
		self.backend.blockchain().number(hash)
	}

	fn hash(&self, number: BlockNumber) -> sp_blockchain::Result<Option<Hash>> {
		self.backend.blockchain().hash(number)
	}
}

impl HeaderMetadata<Block> for TestClient {
	type Error = sp_blockchain::Error;

	fn header_metadata(&self, hash: Hash) -> Result<CachedHeaderMetadata<Block>, Self::Error> {
		self.backend.blockchain().header_metadata(hash)
	}

	fn insert_header_metadata(&self, hash: Hash, metadata: CachedHeaderMetadata<Block>) {
		self.backend
			.blockchain()
			.insert_header_metadata(hash, metadata)
	}

	fn remove_header_metadata(&self, hash: Hash) {
		self.backend.blockchain().remove_header_metadata(hash)
	}
}

impl AuxStore for TestClient {
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
	) -> sp_blockchain::Result<()> {
		self.backend.blockchain().insert_aux(insert, delete)
	}

	fn get_aux(&self, key: &[u8]) -> sp_blockchain::Result<Option<Vec<u8>>> {
		self.backend.blockchain().get_aux(key)
	}
}

/// This implements only what the engine uses: bodies and block statuses.
impl BlockBackend<Block> for TestClient {
	fn block_body(&self, hash: Hash) -> sp_blockchain::Result<Option<Vec<OpaqueExtrinsic>>> {
		self.backend.blockchain().body(hash)
	}

	fn block_indexed_body(&self, _: Hash) -> sp_blockchain::Result<Option<Vec<Vec<u8>>>> {
		unreachable!()
	}

	fn block_indexed_hashes(&self, _: Hash) -> sp_blockchain::Result<Option<Vec<H256>>> {
		unreachable!()
	}

	fn block(&self, _: Hash) -> sp_blockchain::Result<Option<SignedBlock<Block>>> {
		unreachable!()
	}

	fn block_status(&self, hash: Hash) -> sp_blockchain::Result<sp_consensus::BlockStatus> {
		Ok(match self.status(hash)? {
			BlockStatus::Unknown => sp_consensus::BlockStatus::Unknown,
			BlockStatus::InChain if self.pruned.lock().contains(&hash) => {
				sp_consensus::BlockStatus::InChainPruned
			}
			BlockStatus::InChain => sp_consensus::BlockStatus::InChainWithState,
		})
	}

	fn justifications(&self, _: Hash) -> sp_blockchain::Result<Option<Justifications>> {
		unreachable!()
	}

	fn block_hash(&self, _: BlockNumber) -> sp_blockchain::Result<Option<Hash>> {
		unreachable!()
	}

	fn indexed_transaction(&self, _: H256) -> sp_blockchain::Result<Option<Vec<u8>>> {
		unreachable!()
	}

	fn requires_full_sync(&self) -> bool {
		unreachable!()
	}
}

/// Returns a chain that has only its genesis block.
pub(super) fn chain(parameters: ChainParameters) -> Arc<Chain<TestClient>> {
	let backend = Arc::new(in_mem::Backend::new());
	let genesis = Header {
		parent_hash: Hash::zero(),
		number: 0,
		state_root: Hash::repeat_byte(1),
		extrinsics_root: Hash::zero(),
		digest: Digest::default(),
	};
	backend
		.blockchain()
		.insert(
			genesis.hash(),
			genesis,
			None,
			Some(vec![]),
			NewBlockState::Final,
			true,
		)
		.unwrap();
	Arc::new(
		Chain::new(Arc::new(TestClient {
			backend,
			parameters,
			miner: Mutex::default(),
			children: Mutex::default(),
			gone: Mutex::default(),
			pruned: Mutex::default(),
			while_executing: Mutex::default(),
		}))
		.unwrap(),
	)
}

/// A block to mine. All fields satisfy the rules until a test changes one.
#[derive(Clone)]
pub(super) struct Draft {
	pub(super) parent: Hash,
	pub(super) number: BlockNumber,
	pub(super) pre: PreDigest,
	pub(super) gas_used: u64,
	/// Distinguishes blocks that are otherwise equal.
	pub(super) state_root: Hash,
	pub(super) uncles: Vec<Header>,
}

impl Draft {
	/// Returns a valid child of `parent`, `seconds` after it.
	pub(super) fn on(chain: &Chain<TestClient>, parent: Hash, seconds: u64) -> Self {
		let facts = chain.parent(parent).unwrap();
		let timestamp = facts.timestamp + seconds;
		Self {
			parent,
			number: facts.number + 1,
			pre: PreDigest {
				beneficiary: AccountId::new([7; 32]),
				difficulty: rules::difficulty(chain.parameters(), &facts, timestamp),
				gas_limit: facts.gas_limit,
				timestamp,
				uncles_hash: digest::uncles_hash(&[]),
				extra_data: b"test".to_vec(),
			},
			gas_used: 1000,
			state_root: Hash::zero(),
			uncles: Vec::new(),
		}
	}

	/// Names uncles, with a matching H_o.
	pub(super) fn naming(mut self, uncles: Vec<Header>) -> Self {
		self.pre.uncles_hash = digest::uncles_hash(&uncles);
		self.uncles = uncles;
		self
	}

	/// Returns another block, with the same fields except for its state root.
	pub(super) fn variant(mut self, byte: u8) -> Self {
		self.state_root = Hash::repeat_byte(byte);
		self
	}

	pub(super) fn body(&self) -> Vec<OpaqueExtrinsic> {
		match &self.uncles[..] {
			[] => Vec::new(),
			uncles => vec![OpaqueExtrinsic::from_blob(uncles.encode())],
		}
	}

	/// Returns the header without its seal.
	pub(super) fn unsealed(&self) -> Header {
		Header {
			parent_hash: self.parent,
			number: self.number,
			state_root: self.state_root,
			extrinsics_root: root(&self.body()),
			digest: Digest {
				logs: vec![
					DigestItem::PreRuntime(POW_ENGINE_ID, self.pre.encode()),
					DigestItem::Consensus(POW_ENGINE_ID, GasUsed(self.gas_used).encode()),
				],
			},
		}
	}

	/// Returns the header with a seal that is a proof of work for it.
	pub(super) fn mine(&self) -> Header {
		seal(self.unsealed(), self.pre.difficulty)
	}
}

/// Returns H_t, the extrinsics root of a body.
pub(super) fn root(body: &[OpaqueExtrinsic]) -> Hash {
	let encoded = body.iter().map(Encode::encode).collect();
	BlakeTwo256::ordered_trie_root(encoded, sp_core::storage::StateVersion::V0)
}

/// Seals a header.
pub(super) fn seal(mut header: Header, difficulty: Difficulty) -> Header {
	let Found { nonce, output } = find_seal(digest::seal_hash(&header), difficulty);
	let seal = Seal {
		mix_hash: output.mix_hash.into(),
		nonce,
	};
	header
		.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	header
}

/// Finds a proof of work.
pub(super) fn find_seal(seal_hash: Hash, difficulty: Difficulty) -> Found {
	static DATASET: OnceLock<Dataset> = OnceLock::new();
	let dataset = DATASET.get_or_init(|| {
		let cache = Cache::new(Sizes::DEVELOPMENT, 0).unwrap();
		Dataset::generate(&cache, 1, |_| ControlFlow::Continue(())).unwrap()
	});
	let boundary = rules::boundary(difficulty.max(1.into()));
	dataset
		.search(
			&seal_hash.0,
			&boundary,
			0..u64::MAX,
			&AtomicBool::new(false),
		)
		.found
		.expect("some nonce of 2^64 meets such a low difficulty")
}

/// Puts a block into the database as import would.
pub(super) fn insert(
	chain: &Chain<TestClient>,
	header: &Header,
	body: Vec<OpaqueExtrinsic>,
	state: NewBlockState,
) -> Hash {
	let hash = header.hash();
	let difficulty = digest::PowHeader::read(header).unwrap().pre.difficulty;
	let total = chain
		.total_difficulty(header.parent_hash)
		.unwrap()
		.saturating_add(difficulty);
	let arrival = chain.next_arrival(false).unwrap();
	let client = chain.client();
	for (key, value) in record_entries(hash, total, arrival) {
		client
			.insert_aux(&[(&key[..], &value.unwrap()[..])], &[])
			.unwrap();
	}
	client
		.backend
		.blockchain()
		.insert(hash, header.clone(), None, Some(body), state, true)
		.unwrap();
	client.note(header);
	hash
}

/// Mines a valid block on `parent` and puts it into the database as the new best block.
pub(super) fn extend(chain: &Chain<TestClient>, parent: Hash, seconds: u64) -> Hash {
	let header = Draft::on(chain, parent, seconds).mine();
	insert(chain, &header, Vec::new(), NewBlockState::Best)
}
