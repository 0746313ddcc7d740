// SPDX-License-Identifier: Apache-2.0
//! Reads the chain's finalized state with proofs, so that it does not matter which node answers.
//!
//! The node's own answer at the newest block serves as a hint which entries to prove, and how far finality has
//! to come before "there is none" is more than "not yet".

mod entries;
mod together;

use crate::{
	block::BlockId,
	client::{Client, Nodes},
	connection::reconnect_after,
	error::{Error, NO_PROOF},
	recent::Recent,
	state::{Funds, State},
	text::{bytes_from_hex, to_hex},
	trust::{Notice, Unproven, OLD},
	types::*,
	wait::Wait,
};
use codec::Decode;
use isthmus_envelope::PublicKey;
use isthmus_light::{storage, Finality, FinalityError, Hash, Proof, ProofError};
use serde::Deserialize;
use std::{
	sync::{atomic::Ordering, Arc, PoisonError},
	time::{Duration, Instant, SystemTime},
};
use subxt::{rpcs::rpc_params, utils::H256};
use tokio::{sync::Mutex, time::sleep};

/// How many entries to have proven in one request: the longest take 4 KiB.
const AT_ONCE: usize = 256;
/// The length of the longest key of the state, in bytes, generously.
const LONGEST_KEY: usize = 512;
/// How many keys to ask for at once. Nodes return no more.
const KEYS: u32 = 1000;
/// How long a proven block is used again where an earlier one does as well.
const MAX_AGE: Duration = Duration::from_secs(10);
/// How many blocks an honest node may be behind another one, generously. Such a node is waited for.
const JUST_BEHIND: BlockNumber = 16;
/// How often to wait for such a node: 1, 2, 4 and 8 seconds.
const WAITS: u32 = 4;
/// How many proofs of finality to follow, one after another. Each has room for thousands of changes of the voters.
pub(crate) const PROOFS: usize = 64;

/// The chain's state after a finalized block. Everything that is read from it is proven.
///
/// ```no_run
/// # async fn example(client: isthmus_sdk::Client, owner: isthmus_sdk::AccountId)
/// # -> Result<(), isthmus_sdk::Error> {
/// let proven = client.proven().await?;
/// for entry in proven.requests_to(&owner).await? {
///     println!("request {}: {}", entry.id, entry.request.purpose);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Proven {
	client: Client,
	block: BlockId,
	/// What is proven so far. Entries of one proof share most of it.
	proof: Arc<Mutex<Proof>>,
}

impl std::fmt::Debug for Proven {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Proven({:?})", self.block)
	}
}

impl Client {
	/// Returns the state after the newest block that the node proves to be finalized. If the client
	/// [trusts](crate::Trust::node) the node: after its best block.
	///
	/// # Errors
	///
	/// Returns [`Error::Unproven`] if the node's proof is wrong, or if its finalized block is older than one that was
	/// proven before.
	pub async fn proven(&self) -> Result<Proven, Error> {
		let (block, state_root) = self.proven_block().await?;
		Ok(Proven::at(self, block, state_root))
	}

	/// Remembers which chain the node's address leads to, and tells the user, if the address is used for the first time. Reads
	/// with proofs do so, too; a program that only shows what the node says calls this before.
	///
	/// # Errors
	///
	/// Returns [`Error::Unproven`] if the node's proof of the first voters is wrong, and the node's error if it has none.
	pub async fn know_chain(&self) -> Result<(), Error> {
		let mut known = self.0.finality.lock().await;
		if known.is_none() && !self.0.trust.node {
			*known = Some(self.known_finality().await?);
		}
		Ok(())
	}

	/// Returns the newest block that is proven or, by choice, believed, and its state root.
	async fn proven_block(&self) -> Result<(BlockId, H256), Error> {
		match self.0.trust.node {
			true => self.believed_head().await,
			false => self.proven_head().await,
		}
	}

	/// Returns the best block, as the node says.
	async fn believed_head(&self) -> Result<(BlockId, H256), Error> {
		let hash: H256 = self.request("chain_getBlockHash", rpc_params![]).await?;
		let header: Option<crate::Header> =
			self.request("chain_getHeader", rpc_params![hash]).await?;
		let header = header.ok_or_else(|| Error::Incompatible("the node lost a block".into()))?;
		let number = header.number as BlockNumber;
		Ok((BlockId { number, hash }, header.state_root))
	}

	/// Follows the votes for finality to the newest block that a node proves. A node that proves none, or only an old
	/// one, is left for the next one.
	async fn proven_head(&self) -> Result<(BlockId, H256), Error> {
		let (mut nodes, mut waits, mut began_again) = (Nodes::of(self), 0, false);
		loop {
			nodes.begin();
			let reason = match self.proven_by_this_node().await {
				Ok((head, None)) => return Ok(head),
				Ok((head, Some(notice))) if !self.leaves_old(nodes.others()) => {
					if !self.0.told_age.swap(true, Ordering::Relaxed) {
						self.tell(&notice);
					}
					return Ok(head);
				}
				Err(error) if nodes.others() == 0 && waits < WAITS && is_just_behind(&error) => {
					sleep(reconnect_after(waits)).await;
					waits += 1;
					continue;
				}
				Err(error) if nodes.others() == 0 && !began_again && error.goes_back() => {
					began_again = true;
					match self.forget_development().await {
						true => continue,
						false => return Err(error),
					}
				}
				Err(error) if nodes.others() == 0 || !error.is_of_node() => return Err(error),
				Ok((_, Some(_))) => "its newest finalized block is old".into(),
				Err(error) => error.to_string(),
			};
			nodes.leave(reason).await;
		}
	}

	/// Forgets what is proven of a chain on which only development accounts vote: it is often started again from the same first block,
	/// and its finality proves nothing anyway. Returns whether it is one.
	async fn forget_development(&self) -> bool {
		let mut known = self.0.finality.lock().await;
		let is_one = known.as_ref().is_some_and(Finality::is_development);
		if is_one {
			*known = None;
		}
		is_one
	}

	/// Returns whether a node is left because its newest finalized block is old.
	fn leaves_old(&self, others: usize) -> bool {
		let mut stalled = self
			.0
			.stalled
			.lock()
			.unwrap_or_else(PoisonError::into_inner);
		leaves_old(others, &mut stalled, Instant::now())
	}

	/// Follows the votes for finality to the newest block that the node proves. Also returns what to tell the user if
	/// that is an old one.
	async fn proven_by_this_node(&self) -> Result<((BlockId, H256), Option<Notice>), Error> {
		let mut known = self.0.finality.lock().await;
		let mut finality = match &*known {
			Some(finality) => finality.clone(),
			None => self.known_finality().await?,
		};
		let before = finality.head().number;
		let followed = self.follow(&mut finality, |_| ()).await;
		let finality = known.insert(finality);
		followed?;
		if finality.head().number > before && !finality.is_development() {
			if let Some(Err(error)) = self
				.0
				.memory
				.as_ref()
				.map(|memory| memory.set_finality(finality))
			{
				self.tell(&Notice::NotRemembered(error.to_string()));
			}
		}
		let number = finality.head().number;
		let notice = old(finality).map(|age| Notice::OldHead { number, age });
		let hash = finality.head_hash();
		let head = (BlockId { number, hash }, finality.head().state_root);
		Ok((head, notice))
	}

	/// Returns what was proven by an earlier run, or begins at the first block.
	async fn known_finality(&self) -> Result<Finality, Error> {
		let genesis = Hash::from(self.genesis());
		let memory = self.0.memory.as_ref();
		if let Some(known) = memory
			.map(|memory| memory.finality(genesis))
			.transpose()?
			.flatten()
		{
			// This address may be another one of the same chain.
			self.remember_chain();
			return Ok(known);
		}
		let (header, voters) = self.first_voters().await?;
		let finality = Finality::begin(genesis, &header, voters).map_err(Unproven::from)?;
		if !finality.is_development() {
			self.remember_chain();
		} else if let Some(notice) = Notice::of_development(&self.url()) {
			self.tell(&notice);
		}
		Ok(finality)
	}

	/// Returns the first block's header and the proof of the first voters, as the node sends them.
	pub(crate) async fn first_voters(&self) -> Result<(Vec<u8>, Vec<Vec<u8>>), Error> {
		#[derive(Deserialize)]
		struct First {
			header: String,
			proof: Vec<String>,
		}
		let first: First = self.request("isthmus_genesisProof", rpc_params![]).await?;
		Ok((bytes(&first.header)?, nodes(&first.proof)?))
	}

	/// Asks the node for its proof of finality from a block on.
	async fn finality_proof(&self, known: H256) -> Result<Vec<u8>, Error> {
		let proof: String = self
			.request("isthmus_finalityProof", rpc_params![known])
			.await?;
		bytes(&proof)
	}

	/// Asks the node for the parts of the state after a block that prove these entries.
	pub(crate) async fn state_proof(
		&self,
		keys: &[Vec<u8>],
		block: H256,
	) -> Result<Vec<Vec<u8>>, Error> {
		#[derive(Deserialize)]
		struct Read {
			proof: Vec<String>,
		}
		let keys: Vec<_> = keys.iter().map(|key| to_hex(key)).collect();
		let read: Read = self
			.request("state_getReadProof", rpc_params![keys, block])
			.await?;
		nodes(&read.proof)
	}

	/// Follows the node's proofs of finality as far as they go, and passes on each that was verified.
	pub(crate) async fn follow(
		&self,
		finality: &mut Finality,
		mut verified: impl FnMut(&[u8]),
	) -> Result<(), Error> {
		for _ in 0..PROOFS {
			let before = finality.head().number;
			let proof = match self.finality_proof(finality.head_hash()).await {
				Err(error @ Error::Rpc { code: NO_PROOF, .. }) => {
					let (offered, known) = (self.finalized_number().await?, before);
					// A node may be ahead and lack the history between, for example after a warp sync.
					return Err(match offered < known {
						true => Unproven::from(FinalityError::Rollback { offered, known }).into(),
						false => error,
					});
				}
				proof => proof?,
			};
			let is_newest = finality.follow(&proof).map_err(Unproven::from)?;
			verified(&proof);
			if is_newest {
				return Ok(());
			}
			if finality.head().number == before {
				break;
			}
		}
		Err(Unproven::from(FinalityError::Malformed).into())
	}

	/// Looks something up in the finalized state. If it differs from what the node `said` about the block `tip`, looks
	/// again in each later finalized state, until they agree or `tip` is finalized.
	pub(crate) async fn confirmed<T: PartialEq>(
		&self,
		tip: &State,
		said: &T,
		look: impl AsyncFn(&Proven) -> Result<T, Error>,
	) -> Result<T, Error> {
		let confirmed = async {
			let mut heads = None;
			loop {
				let proven = self.proven().await?;
				let shown = look(&proven).await?;
				if shown == *said || proven.block.number >= tip.block().number {
					return Ok(shown);
				}
				let heads = match &mut heads {
					Some(heads) => heads,
					none => none.insert(self.final_heads().await?),
				};
				heads.next().await?;
			}
		};
		self.patiently(Wait::FinalState, confirmed).await
	}

	/// Waits until a block with this number is finalized, and returns the state after it or a later one, with proofs.
	pub(crate) async fn proven_since(&self, number: BlockNumber) -> Result<Proven, Error> {
		let proven = async {
			let mut heads = None;
			loop {
				let proven = self.proven().await?;
				if proven.block.number >= number {
					return Ok(proven);
				}
				let heads = match &mut heads {
					Some(heads) => heads,
					none => none.insert(self.final_heads().await?),
				};
				heads.next().await?;
			}
		};
		self.patiently(Wait::FinalState, proven).await
	}

	/// Returns whether a record that the node showed in the state `tip` is proven. If the finalized state does not have it
	/// yet, waits until it has, or until the block of `tip` is finalized.
	pub(crate) async fn is_stored(
		&self,
		tip: &State,
		owner: &AccountId,
		key: RecordKey,
	) -> Result<bool, Error> {
		let stored = async {
			let mut heads = None;
			loop {
				let proven = self.proven().await?;
				let is_there = proven.record(owner, key).await?.is_some();
				if is_there || proven.block.number >= tip.block().number {
					return Ok(is_there);
				}
				let heads = match &mut heads {
					Some(heads) => heads,
					none => none.insert(self.final_heads().await?),
				};
				heads.next().await?;
			}
		};
		self.patiently(Wait::FinalState, stored).await
	}

	/// Checks that an epoch of a dataset that the node showed in the state `tip` has started. If the finalized state does
	/// not have it yet, waits until it has, or until the block of `tip` is finalized. The keys of an epoch that has not
	/// started would open what is stored after a revocation.
	pub(crate) async fn check_started(
		&self,
		tip: &State,
		owner: &AccountId,
		dataset: DatasetId,
		epoch: Epoch,
	) -> Result<(), Error> {
		// Not by `confirmed`: the future of a function that is given to it cannot be sent to another thread.
		let started = async {
			let mut heads = None;
			loop {
				let proven = self.proven().await?;
				let entry = proven.dataset(owner, dataset).await?;
				if entry.is_some_and(|entry| entry.epoch >= epoch) {
					return Ok(());
				}
				if proven.block.number >= tip.block().number {
					let what = format!("epoch {epoch} of dataset {dataset}");
					return Err(Unproven::Forged(what).into());
				}
				let heads = match &mut heads {
					Some(heads) => heads,
					none => none.insert(self.final_heads().await?),
				};
				heads.next().await?;
			}
		};
		self.patiently(Wait::FinalState, started).await
	}

	/// Checks a free place that the node showed in the state `tip`: in the finalized state, its dataset is in this epoch, and
	/// its leaf is not taken. Otherwise a node could have a record encrypted under keys that other readers have, or will
	/// have.
	pub(crate) async fn check_place(
		&self,
		tip: &State,
		owner: &AccountId,
		place: &Place,
	) -> Result<(), Error> {
		let Place {
			dataset,
			epoch,
			leaf,
			..
		} = *place;
		let proven = self.recently_proven().await?;
		let keys = [
			storage::dataset(&owner.0, dataset),
			storage::leaf(&owner.0, dataset, epoch, leaf),
		];
		proven.load(&keys).await?;
		let entry = proven.dataset(owner, dataset).await?;
		// The first epoch of a new dataset, which need not be finalized, has no earlier readers.
		let proven_epoch = entry.map_or(0, |entry| entry.epoch);
		if proven_epoch > epoch {
			let what = format!("epoch {epoch} of dataset {dataset}");
			return Err(Unproven::Forged(what).into());
		}
		if proven_epoch < epoch {
			self.check_started(tip, owner, dataset, epoch).await?;
		}
		match proven.leaf(owner, dataset, epoch, leaf).await? {
			None => Ok(()),
			Some(_) => Err(Unproven::Forged(format!("the free leaf {leaf}")).into()),
		}
	}

	/// Returns a state that was proven a short while ago, or the newest one.
	async fn recently_proven(&self) -> Result<Proven, Error> {
		let mut recent = self.0.proven.lock().await;
		let now = Instant::now();
		if let Some((block, proof)) = recent.get(MAX_AGE, now) {
			let client = self.clone();
			return Ok(Proven {
				client,
				block,
				proof,
			});
		}
		let (block, state_root) = self.proven_block().await?;
		let proven = Proven::at(self, block, state_root);
		recent.set((block, proven.proof.clone()), now);
		Ok(proven)
	}

	/// Has entries proven together that [`check_place`](Self::check_place) will look at, unless the first of them is proven
	/// already.
	pub(crate) async fn prove_ahead(&self, keys: &[Vec<u8>]) -> Result<(), Error> {
		let proven = self.recently_proven().await?;
		match keys.first() {
			Some(first) if !proven.has(first).await => proven.load(keys).await,
			_ => Ok(()),
		}
	}

	/// Asks what a caller may know about a record, as [`State::query`] does, and proves the answer.
	///
	/// # Errors
	///
	/// Returns [`Error::Query`] if the caller may not read the record, and [`Error::Unproven`] if the node's
	/// proofs are wrong.
	pub async fn query(
		&self,
		caller: &AccountId,
		owner: &AccountId,
		key: RecordKey,
	) -> Result<Answer, Error> {
		let tip = self.best().await?;
		let said = refused(tip.query(caller, owner, key).await)?;
		let answer = self
			.confirmed(&tip, &said, async |proven: &Proven| {
				proven.prove_query(caller, owner, key, &said).await
			})
			.await?;
		Ok(answer?)
	}
}

/// Separates a refused query from an error.
fn refused(answer: Result<Answer, Error>) -> Result<Result<Answer, QueryRefusal>, Error> {
	match answer {
		Ok(answer) => Ok(Ok(answer)),
		Err(Error::Query(refusal)) => Ok(Err(refusal)),
		Err(error) => Err(error),
	}
}

/// Returns whether a node is left because its newest finalized block is old. After all nodes proved only an old one, none
/// is left for a while: the connection, with all that is in flight over it, would be replaced for nothing.
fn leaves_old(others: usize, stalled: &mut Recent<()>, now: Instant) -> bool {
	let is_stalled = stalled.get(OLD, now).is_some();
	if others == 0 && !is_stalled {
		stalled.set((), now);
	}
	others > 0 && !is_stalled
}

/// Returns whether a node has nearly caught up with what another one proved.
fn is_just_behind(error: &Error) -> bool {
	match error {
		Error::Unproven(Unproven::Finality(FinalityError::Rollback { offered, known })) => {
			known.saturating_sub(*offered) <= JUST_BEHIND
		}
		_ => false,
	}
}

/// Returns the age of the newest finalized block, if it is old. Blocks of development chains come only when there are
/// transactions.
fn old(finality: &Finality) -> Option<Duration> {
	let date = Duration::from_secs(finality.timestamp()?);
	let date = SystemTime::UNIX_EPOCH.checked_add(date)?;
	let age = SystemTime::now().duration_since(date).ok()?;
	(age > OLD && !finality.is_development()).then_some(age)
}

/// Reads bytes that a node sent.
fn bytes(text: &str) -> Result<Vec<u8>, Error> {
	bytes_from_hex(text).ok_or_else(|| Unproven::from(ProofError::Malformed).into())
}

/// Checks that the chain keeps something in the version that this program knows.
pub(crate) fn check_version(
	kept: &'static str,
	found: Option<u16>,
	known: u16,
) -> Result<(), Error> {
	let found = found.unwrap_or_default();
	match found == known {
		true => Ok(()),
		false => Err(Unproven::UnknownStorage { kept, found, known }.into()),
	}
}

fn nodes(texts: &[String]) -> Result<Vec<Vec<u8>>, Error> {
	texts.iter().map(|text| bytes(text)).collect()
}

impl Proven {
	/// Makes the state after a block with this state root.
	fn at(client: &Client, block: BlockId, state_root: H256) -> Self {
		Self {
			client: client.clone(),
			block,
			proof: Arc::new(Mutex::new(Proof::new(state_root))),
		}
	}

	/// Returns the block.
	pub fn block(&self) -> BlockId {
		self.block
	}

	/// Returns whether an entry is proven already, or that there is none.
	async fn has(&self, key: &[u8]) -> bool {
		self.proof.lock().await.value(key).is_ok()
	}

	/// Fetches the proof of these entries, if it is not there yet.
	pub(crate) async fn load(&self, keys: &[Vec<u8>]) -> Result<(), Error> {
		self.client.elsewhere(|| self.load_here(keys)).await
	}

	/// Does the same as [`load`](Self::load) from one node.
	async fn load_here(&self, keys: &[Vec<u8>]) -> Result<(), Error> {
		let mut proof = self.proof.lock().await;
		let version = storage::sharing_version();
		let missing: Vec<_> = keys
			.iter()
			.chain([&version])
			.filter(|key| proof.value(key).is_err())
			.cloned()
			.collect();
		for part in missing.chunks(AT_ONCE) {
			proof.add(self.client.state_proof(part, self.block.hash).await?);
		}
		for key in keys {
			proof.value(key).map_err(Unproven::from)?;
		}
		let found: Option<u16> = proof.get(&version).map_err(Unproven::from)?;
		check_version("shared data", found, storage::SHARING_VERSION)
	}

	/// Checks that the chain keeps facts in the way that this program knows.
	pub(crate) async fn check_facts(&self) -> Result<(), Error> {
		let found = self.get(storage::facts_version()).await?;
		check_version("facts", found, storage::FACTS_VERSION)
	}

	/// Returns an entry, or `None` if there is none.
	pub(crate) async fn get<Value: Decode>(&self, key: Vec<u8>) -> Result<Option<Value>, Error> {
		let keys = [key];
		self.load(&keys).await?;
		let proof = self.proof.lock().await;
		Ok(proof.get(&keys[0]).map_err(Unproven::from)?)
	}

	/// Returns all keys with this prefix.
	pub(crate) async fn keys(&self, prefix: Vec<u8>) -> Result<Vec<Vec<u8>>, Error> {
		self.client.elsewhere(|| self.keys_here(&prefix)).await
	}

	/// Does the same as [`keys`](Self::keys) with one node.
	async fn keys_here(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
		if let Ok(keys) = self.proof.lock().await.keys(prefix) {
			return Ok(keys);
		}
		// The node says which keys there are, and the proof shows whether these are all.
		let mut all = vec![prefix.to_vec()];
		loop {
			let after = (all.len() > 1).then(|| to_hex(&all[all.len() - 1]));
			let params = rpc_params![to_hex(prefix), KEYS, after, self.block.hash];
			let page: Vec<String> = self.client.request("state_getKeysPaged", params).await?;
			let is_last = page.len() < KEYS as usize;
			for key in nodes(&page)? {
				let is_next = all.last().is_none_or(|last| key > *last);
				if !is_next || !key.starts_with(prefix) || key.len() > LONGEST_KEY {
					return Err(Unproven::from(ProofError::Malformed).into());
				}
				all.push(key);
			}
			if is_last {
				break;
			}
		}
		self.load_here(&all).await?;
		let proof = self.proof.lock().await;
		Ok(proof.keys(prefix).map_err(Unproven::from)?)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn nodes_that_all_stand_still_are_not_left_again_and_again() {
		let (mut stalled, now) = (Recent::default(), Instant::now());
		let mut leaves = |others, at| leaves_old(others, &mut stalled, now + at);
		let second = Duration::from_secs(1);
		// Of three nodes, two are left once.
		assert_eq!(
			[2, 1, 0].map(|others| leaves(others, second)),
			[true, true, false]
		);
		for at in 2..600 {
			assert!(!leaves(2, at * second), "left again after {at} s");
		}
		// Another one may have gone on since then.
		assert!(leaves(2, OLD + second));
	}

	#[test]
	fn only_a_node_that_nearly_caught_up_is_waited_for() {
		let behind = |offered| {
			let known = 1_000;
			is_just_behind(&Unproven::from(FinalityError::Rollback { offered, known }).into())
		};
		assert!(behind(999) && behind(984));
		assert!(!behind(983) && !behind(0));
		assert!(!is_just_behind(
			&Unproven::from(FinalityError::Malformed).into()
		));
	}
}
