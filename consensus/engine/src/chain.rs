//! One chain: its parameters, its blocks' weights, and the check of a header or a block's uncles
//! against what the database holds.

use crate::{BlockError, CheckError};
use codec::{Decode, Encode};
use isthmus_ethash::{Cache, CacheStore, Sizes};
use isthmus_primitives::{
	api::ProofOfWorkApi,
	digest::{self, PowHeader},
	params::{ChainParameters, EthashSizes, MAX_UNCLES},
	Block, BlockNumber, Hash, Header,
};
use isthmus_rules::{self as rules, Ancestry, Parent, Rejection, Work, UNCLE_ANCESTORS};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::{AuxStore, BlockBackend};
use sp_api::ProvideRuntimeApi;
use sp_blockchain::{BlockStatus, HeaderBackend, HeaderMetadata};
use sp_core::U256;
use sp_runtime::OpaqueExtrinsic;
use std::{
	collections::{HashMap, VecDeque},
	sync::Arc,
	time::{SystemTime, UNIX_EPOCH},
};

/// Where the total difficulty of a block is kept: this, and the block's hash.
const TOTAL_DIFFICULTY_PREFIX: &[u8] = b"isthmus:total_difficulty:";
/// Where the chain's parameters are kept once they were read from the genesis state, which pruning
/// may drop.
const PARAMETERS_KEY: &[u8] = b"isthmus:parameters";

/// The next epoch's cache is begun this many blocks before its first block.
const PREPARE_AHEAD: BlockNumber = 300;

/// Of how many headers Hashimoto's results are kept; 160 bytes each.
const WORKS_KEPT: usize = 1024;

/// An announced block on an unknown parent is near up to this height above our best one.
const NEAR: BlockNumber = 32;
/// An announced block on an unknown parent has at least our best block's H_d by this.
const EASIER: u64 = 16;
/// How many announced blocks on unknown parents and not near are let through in [`FAR_SECONDS`].
const FAR_ADMITTED: usize = 6;
/// See [`FAR_ADMITTED`].
const FAR_SECONDS: u64 = 60;

/// What the engine needs of a client.
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

/// A chain with its consensus parameters, which are those of its genesis state for ever.
pub struct Chain<C> {
	client: Arc<C>,
	parameters: ChainParameters,
	sizes: Sizes,
	caches: CacheStore,
	computed: Mutex<Computed>,
	far: Mutex<Far>,
}

/// The announced blocks that were let through though they are far from our best one, and when, oldest
/// first. Sync keeps each for as long as it knows who announced it, so there must be few; and a node that
/// has fallen far behind learns by them, and by nothing else, how far its peers are.
#[derive(Default)]
struct Far(VecDeque<(Hash, u64)>);

/// What Hashimoto gave for the last headers, by their hashes, which cover nonce and number. Most headers
/// are checked twice or more: announced, with their block, and as an uncle. And who repeats a header a
/// thousand times must not make us hash it a thousand times.
#[derive(Default)]
struct Computed {
	works: HashMap<Hash, Work>,
	/// Oldest first.
	order: VecDeque<Hash>,
	/// How often Hashimoto was computed.
	count: u64,
}

impl<C: ChainClient> Chain<C> {
	/// Reads the chain's parameters: from the genesis state the first time, and from the database
	/// after that.
	///
	/// # Errors
	///
	/// Those of the database, and of the runtime at genesis.
	pub fn new(client: Arc<C>) -> Result<Self, CheckError> {
		let parameters = match client.get_aux(PARAMETERS_KEY)? {
			Some(bytes) => ChainParameters::decode(&mut &bytes[..])
				.map_err(|e| CheckError::Corrupt(format!("the chain's parameters: {e}")))?,
			None => {
				let parameters = client
					.runtime_api()
					.parameters(client.info().genesis_hash)?;
				client.insert_aux(&[(PARAMETERS_KEY, &parameters.encode()[..])], &[])?;
				parameters
			}
		};
		let sizes = match parameters.ethash {
			EthashSizes::Full => Sizes::FULL,
			EthashSizes::Development => Sizes::DEVELOPMENT,
		};
		Ok(Self {
			client,
			parameters,
			sizes,
			caches: CacheStore::new(sizes),
			computed: Mutex::default(),
			far: Mutex::default(),
		})
	}

	/// The client that the chain is read from.
	pub fn client(&self) -> &Arc<C> {
		&self.client
	}

	/// The chain's consensus parameters.
	pub fn parameters(&self) -> &ChainParameters {
		&self.parameters
	}

	/// The Ethash epoch of a block's number.
	pub fn epoch(&self, number: BlockNumber) -> u64 {
		self.sizes.epoch(number.into())
	}

	/// The Ethash cache of an epoch, made now where it is not kept.
	///
	/// # Errors
	///
	/// Ethash's, where the epoch is too far for this machine.
	pub fn cache(&self, epoch: u64) -> Result<Arc<Cache>, isthmus_ethash::Error> {
		self.caches.get(epoch)
	}

	/// How many light hashes were computed to check seals: what checking cost.
	pub fn light_hashes(&self) -> u64 {
		self.computed.lock().count
	}

	/// What the rules ask of the parent `hash`.
	///
	/// # Errors
	///
	/// [`CheckError::UnknownParent`], or the database's.
	pub fn parent(&self, hash: Hash) -> Result<Parent, CheckError> {
		if hash == self.client.info().genesis_hash {
			return Ok(Parent::genesis(hash, &self.parameters));
		}
		let header = self
			.client
			.header(hash)?
			.ok_or(CheckError::UnknownParent(hash))?;
		Ok(Parent::of(&stored(&header)?))
	}

	/// The sum of H_d of a block in the database and all its ancestors.
	///
	/// # Errors
	///
	/// [`CheckError::MissingTotalDifficulty`], or the database's.
	pub fn total_difficulty(&self, hash: Hash) -> Result<U256, CheckError> {
		if hash == self.client.info().genesis_hash {
			return Ok(self.parameters.genesis_difficulty);
		}
		let bytes = self
			.client
			.get_aux(&total_difficulty_key(hash))?
			.ok_or(CheckError::MissingTotalDifficulty(hash))?;
		U256::decode(&mut &bytes[..])
			.map_err(|e| CheckError::Corrupt(format!("the total difficulty of {hash}: {e}")))
	}

	/// Whether `hash` is `base` or descends from it. Both must be in the database.
	///
	/// # Errors
	///
	/// The database's.
	pub fn descends_from(&self, hash: Hash, base: Hash) -> Result<bool, CheckError> {
		let on_best_chain =
			|number, hash| Ok::<_, CheckError>(self.client.hash(number)? == Some(hash));
		let base_number = self.client.header_metadata(base)?.number;
		// Back to the best chain: a step or none, however far the base is.
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

	/// Every rule of a header that its parent and the clock decide, cheapest first. The clock comes last,
	/// so that [`Rejection::Transient`] means that nothing is missing but time. `now` is in seconds since
	/// the Unix epoch.
	///
	/// # Errors
	///
	/// The first broken rule, or what kept us from checking.
	pub fn check_header(&self, header: &Header, now: u64) -> Result<PowHeader, BlockError> {
		let header = read(header)?;
		rules::validate_static(&self.parameters, &header).map_err(Rejection::from)?;
		let parent = self.parent(header.parent_hash)?;
		rules::validate_against_parent(&self.parameters, &header, &parent)
			.map_err(Rejection::from)?;
		self.check_seal(&header)?;
		rules::validate_not_future(&header, now).map_err(Rejection::from)?;
		Ok(header)
	}

	/// Fails for a block that is not in our chain and no higher than the finalized one.
	///
	/// # Errors
	///
	/// [`CheckError::BehindFinality`], or the database's.
	pub(crate) fn check_above_finality(&self, header: &Header) -> Result<(), CheckError> {
		let hash = header.hash();
		if header.number <= self.client.info().finalized_number && !self.knows(hash)? {
			return Err(CheckError::BehindFinality(hash));
		}
		Ok(())
	}

	/// Checks an announced header, whose parent may be unknown, and says whether the block would be
	/// our new best one.
	///
	/// # Errors
	///
	/// As for [`Self::check_header`]; [`CheckError::BehindFinality`] for an unknown block that could
	/// never be ours; [`CheckError::TooFar`] and [`CheckError::TooEasy`] for blocks on unknown parents.
	pub fn check_announced(&self, announced: &Header, now: u64) -> Result<bool, BlockError> {
		let header = read(announced)?;
		if self.knows(header.hash)? {
			return Ok(false);
		}
		rules::validate_static(&self.parameters, &header).map_err(Rejection::from)?;
		rules::validate_seal_quick(&header).map_err(Rejection::from)?;
		self.check_above_finality(announced)?;
		let best = self.parent(self.client.info().best_hash)?;
		// A stranger must not make us build the cache of any epoch it names.
		let near_epoch = self.epoch(header.number).abs_diff(self.epoch(best.number)) <= 1;
		if !self.knows(header.parent_hash)? {
			rules::validate_not_future(&header, now).map_err(Rejection::from)?;
			// The block's own check is Hashimoto's; here it would cost us more than the sender.
			if header.pre.difficulty < best.difficulty / EASIER {
				return Err(CheckError::TooEasy(header.hash).into());
			}
			let near = near_epoch && header.number <= best.number.saturating_add(NEAR);
			if !near && !self.far.lock().admits(header.hash, now) {
				return Err(CheckError::TooFar(header.hash).into());
			}
			return Ok(false);
		}
		let parent = self.parent(header.parent_hash)?;
		rules::validate_header(&self.parameters, &header, &parent, now)?;
		if !near_epoch {
			return Err(CheckError::TooFar(header.hash).into());
		}
		self.check_seal(&header)?;
		let total = self
			.total_difficulty(header.parent_hash)?
			.saturating_add(header.pre.difficulty);
		let best = (self.total_difficulty(best.hash)?, best.hash);
		Ok(outweighs((total, header.hash), best))
	}

	/// Every rule of the body: H_t, and the uncles. `now` is in seconds since the Unix epoch.
	///
	/// # Errors
	///
	/// As for [`Self::check_header`].
	pub fn check_body(
		&self,
		header: &Header,
		checked: &PowHeader,
		body: Option<&[OpaqueExtrinsic]>,
		now: u64,
	) -> Result<(), BlockError> {
		if let Some(body) = body {
			rules::validate_extrinsics_root(header, body).map_err(Rejection::from)?;
		}
		self.check_uncles(checked, body, now)
	}

	/// Every rule of the uncles that a block's body names.
	///
	/// # Errors
	///
	/// As for [`Self::check_header`].
	pub(crate) fn check_uncles(
		&self,
		header: &PowHeader,
		body: Option<&[OpaqueExtrinsic]>,
		now: u64,
	) -> Result<(), BlockError> {
		if header.pre.uncles_hash == digest::uncles_hash(&[]) {
			// A body that names uncles all the same is refused by the runtime.
			return Ok(());
		}
		let body = body.ok_or(CheckError::MissingBody(header.hash))?;
		// A body that the runtime cannot read names no uncles, so H_o does not match it.
		let uncles = self
			.client
			.runtime_api()
			.uncles(header.parent_hash, body.to_vec())
			.map_err(CheckError::from)?
			.unwrap_or_default();
		let (ancestors, included) = self.ancestry(header.parent_hash)?;
		let ancestry = Ancestry {
			ancestors: &ancestors,
			included: &included,
		};
		rules::validate_uncles(&self.parameters, header, &uncles, &ancestry, now, |uncle| {
			self.hashimoto(uncle)
		})
	}

	/// At most two headers that the next block on `parent` may name as its uncles: blocks in the
	/// database that are brothers of its nearest ancestors and were not named yet. `children` gives
	/// the blocks in the database whose parent a block is.
	///
	/// # Errors
	///
	/// The database's, or the runtime's.
	pub fn uncle_candidates(
		&self,
		parent: Hash,
		children: impl Fn(Hash) -> sp_blockchain::Result<Vec<Hash>>,
	) -> Result<Vec<Header>, CheckError> {
		let (ancestors, included) = self.ancestry(parent)?;
		let mut uncles = Vec::new();
		// An uncle earns the more the younger it is, so the nearest generation goes first.
		for generation in ancestors.windows(2) {
			let [ancestor, its_parent] = generation else {
				continue;
			};
			for brother in children(its_parent.hash)? {
				if brother == ancestor.hash || included.contains(&brother) {
					continue;
				}
				uncles.extend(self.client.header(brother)?);
				if uncles.len() == MAX_UNCLES as usize {
					return Ok(uncles);
				}
			}
		}
		Ok(uncles)
	}

	/// The nearest ancestors of a block on `parent`, nearest first, and the uncles they name.
	fn ancestry(&self, parent: Hash) -> Result<(Vec<Parent>, Vec<Hash>), CheckError> {
		let (mut ancestors, mut included) = (Vec::new(), Vec::new());
		let mut hash = parent;
		while ancestors.len() < UNCLE_ANCESTORS {
			let ancestor = self.parent(hash)?;
			ancestors.push(ancestor);
			if ancestor.number == 0 {
				break;
			}
			let header = self
				.client
				.header(hash)?
				.ok_or(CheckError::UnknownParent(hash))?;
			if stored(&header)?.pre.uncles_hash != digest::uncles_hash(&[]) {
				let body = self
					.client
					.block_body(hash)?
					.ok_or(CheckError::MissingBody(hash))?;
				let uncles = self
					.client
					.runtime_api()
					.uncles(header.parent_hash, body)?
					.unwrap_or_default();
				included.extend(uncles.iter().map(Header::hash));
			}
			hash = header.parent_hash;
		}
		Ok((ancestors, included))
	}

	/// Whether the block is in the database.
	pub(crate) fn knows(&self, hash: Hash) -> Result<bool, CheckError> {
		Ok(self.client.status(hash)? == BlockStatus::InChain)
	}

	fn check_seal(&self, header: &PowHeader) -> Result<(), BlockError> {
		rules::validate_seal(header, |header| self.hashimoto(header))
	}

	fn hashimoto(&self, header: &PowHeader) -> Result<Work, BlockError> {
		if let Some(work) = self.computed.lock().works.get(&header.hash) {
			return Ok(*work);
		}
		let epoch = self.epoch(header.number);
		let cache = self.cache(epoch).map_err(CheckError::from)?;
		// The next epoch's cache is made ahead, so that no block waits for it.
		if self.epoch(header.number.saturating_add(PREPARE_AHEAD)) != epoch {
			self.caches.prepare(epoch.saturating_add(1));
		}
		let work = cache.light(&header.seal_hash.0, header.seal.nonce).into();
		self.computed.lock().add(header.hash, work);
		Ok(work)
	}
}

impl Computed {
	fn add(&mut self, hash: Hash, work: Work) {
		self.count = self.count.saturating_add(1);
		// Two threads may have computed it at once.
		if self.works.insert(hash, work).is_none() {
			self.order.push_back(hash);
		}
		if self.order.len() > WORKS_KEPT {
			if let Some(oldest) = self.order.pop_front() {
				self.works.remove(&oldest);
			}
		}
	}
}

impl Far {
	/// Whether the block may be let through. Of one that was, others may speak, too.
	fn admits(&mut self, block: Hash, now: u64) -> bool {
		self.0
			.retain(|(_, admitted)| now.saturating_sub(*admitted) < FAR_SECONDS);
		if self.0.iter().any(|(known, _)| *known == block) {
			return true;
		}
		if self.0.len() == FAR_ADMITTED {
			return false;
		}
		self.0.push_back((block, now));
		true
	}
}

/// Whether the first block, of this total difficulty and hash, is better than the second: heavier,
/// or as heavy and of the smaller hash.
pub(crate) fn outweighs(first: (U256, Hash), second: (U256, Hash)) -> bool {
	first.0 > second.0 || (first.0 == second.0 && first.1 < second.1)
}

/// What import adds to the database for [`Chain::total_difficulty`].
pub(crate) fn total_difficulty_entry(hash: Hash, total: U256) -> (Vec<u8>, Option<Vec<u8>>) {
	(total_difficulty_key(hash), Some(total.encode()))
}

fn read(header: &Header) -> Result<PowHeader, Rejection> {
	PowHeader::read(header).map_err(|e| rules::HeaderError::Digest(e).into())
}

/// Reads a header that was checked when it came in.
pub(crate) fn stored(header: &Header) -> Result<PowHeader, CheckError> {
	PowHeader::read(header)
		.map_err(|e| CheckError::Corrupt(format!("the header {}: {e}", header.hash())))
}

fn total_difficulty_key(hash: Hash) -> Vec<u8> {
	[TOTAL_DIFFICULTY_PREFIX, hash.as_bytes()].concat()
}

/// The clock, in milliseconds since the Unix epoch. A clock before 1970 reads as 1970.
pub(crate) fn unix_now_millis() -> u64 {
	let now = SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.unwrap_or_default();
	u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The clock, in seconds since the Unix epoch.
pub(crate) fn unix_now() -> u64 {
	unix_now_millis() / 1000
}
