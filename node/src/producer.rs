//! A producer's node registers its producer by itself (paper, section III.C: who joins automatically sends
//! a transaction that creates its contract).
//!
//! Once the node is synced and the account is not a producer yet, it sends `DataSharing::register`, signed
//! with the key of type `prod` in its keystore, and watches it until it is final. What is lost on the way is
//! sent again; what the chain refuses is not. Here is when that happens; the transaction itself is made in
//! [`transaction`].

mod transaction;

use crate::service::{FullClient, FullPool};
use codec::Decode;
use futures::StreamExt;
use futures_timer::Delay;
use isthmus_primitives::{AccountId, Hash};
use isthmus_runtime::{Runtime, RuntimeEvent};
use isthmus_sharing::ProducerKind;
use polkadot_sdk::*;
use sc_client_api::StorageProvider;
use sc_transaction_pool_api::{TransactionPool, TransactionStatus};
use sp_blockchain::HeaderBackend;
use sp_consensus::SyncOracle;
use sp_core::{crypto::KeyTypeId, sr25519, storage::StorageKey};
use sp_keystore::KeystorePtr;
use sp_runtime::{transaction_validity::TransactionSource, DispatchError};
use std::{sync::Arc, time::Duration};
use transaction::Problem;

/// The keystore's type of a producer's account key, an sr25519 one.
pub(crate) const PRODUCER_KEY: KeyTypeId = KeyTypeId(*b"prod");
/// The target of this module's log lines.
const LOG_TARGET: &str = "producer";
/// How long to wait before looking again.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// What the producer calls itself, and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
	/// 1 to 64 bytes.
	pub(crate) name: String,
	/// School, government, business or other.
	pub(crate) kind: ProducerKind,
}

/// The producer's key: the one in the keystore, or the development account's where there is none.
///
/// # Errors
///
/// A sentence, where there is no key, or more than one.
pub(crate) fn key(
	keystore: &KeystorePtr,
	development_seed: Option<&str>,
) -> Result<sr25519::Public, String> {
	match (&keystore.sr25519_public_keys(PRODUCER_KEY)[..], development_seed) {
		([key], _) => Ok(*key),
		([], Some(_)) => keystore
			.sr25519_generate_new(PRODUCER_KEY, development_seed)
			.map_err(|e| format!("the development account's key cannot be made: {e}")),
		([], None) => Err(
			"`--producer-name` needs the key of the producer's account: put it into the keystore with \
			 `isthmus-node key insert --key-type prod --scheme sr25519`, and the same `--chain` and \
			 `--base-path`"
				.into(),
		),
		(keys, _) => Err(format!(
			"the keystore has {} keys of the type `prod`, and a node registers one producer: leave one",
			keys.len()
		)),
	}
}

/// Registers the producer.
pub(crate) struct Registration<SO> {
	client: Arc<FullClient>,
	pool: Arc<FullPool>,
	keystore: KeystorePtr,
	sync: SO,
	/// Without peers, too.
	force: bool,
	profile: Profile,
	key: sr25519::Public,
	/// The last problem that was told.
	told: Option<String>,
}

/// What came of one look.
enum Step {
	/// It is too early, or for later blocks to tell.
	Wait,
	/// There is nothing more to do.
	Done,
}

impl<SO: SyncOracle> Registration<SO> {
	pub(crate) fn new(
		client: Arc<FullClient>,
		pool: Arc<FullPool>,
		keystore: KeystorePtr,
		sync: SO,
		force: bool,
		profile: Profile,
		key: sr25519::Public,
	) -> Self {
		Self {
			client,
			pool,
			keystore,
			sync,
			force,
			profile,
			key,
			told: None,
		}
	}

	/// Runs until the producer is registered for good, or the chain refuses it.
	pub(crate) async fn run(mut self) {
		loop {
			match self.step().await {
				Ok(Step::Done) => return,
				Ok(Step::Wait) => {}
				Err(problem @ Problem::Refused { .. }) => {
					log::error!(target: LOG_TARGET, "{problem}");
					return;
				}
				Err(problem) => self.tell(problem.to_string()),
			}
			Delay::new(LOOK_AGAIN).await;
		}
	}

	/// Each problem is told once, and not at every block.
	fn tell(&mut self, problem: String) {
		if self.told.as_ref() != Some(&problem) {
			log::warn!(target: LOG_TARGET, "not registered yet: {problem}");
			self.told = Some(problem);
		}
	}

	async fn step(&mut self) -> Result<Step, Problem> {
		if self.sync.is_major_syncing() || (self.sync.is_offline() && !self.force) {
			return Ok(Step::Wait);
		}
		let account = self.account();
		let chain = self.client.info();
		if self.is_registered(chain.finalized_hash)? {
			log::info!(target: LOG_TARGET, "{account} is a registered producer");
			return Ok(Step::Done);
		}
		if self.is_registered(chain.best_hash)? {
			// Sent before, and not final yet: if its block is lost, this is asked again.
			return Ok(Step::Wait);
		}
		let transaction = self.transaction(&account, &chain)?;
		self.check_funds(&account, chain.best_hash, &transaction)?;
		let statuses = self
			.pool
			.submit_and_watch(chain.best_hash, TransactionSource::Local, transaction)
			.await
			.map_err(|e| Problem::Pool(e.to_string()))?;
		log::info!(target: LOG_TARGET, "sent the registration of {:?} by {account}", self.profile.name);
		self.watch(statuses).await
	}

	/// Follows the transaction to its end.
	async fn watch(
		&self,
		mut statuses: impl futures::Stream<Item = TransactionStatus<Hash, Hash>> + Unpin,
	) -> Result<Step, Problem> {
		while let Some(status) = statuses.next().await {
			match status {
				TransactionStatus::Retracted(block) => {
					log::info!(target: LOG_TARGET, "the registration's block {block} was overtaken");
				}
				TransactionStatus::Finalized((block, index)) => {
					return if self.is_registered(block)? {
						log::info!(target: LOG_TARGET, "registered; final by block {block}");
						Ok(Step::Done)
					} else {
						Err(Problem::Refused {
							block,
							error: self.failure(block, index)?,
						})
					}
				}
				TransactionStatus::Usurped(_) => {
					return Err(Problem::Lost("another transaction took its place"))
				}
				TransactionStatus::Dropped => {
					return Err(Problem::Lost("the transaction pool is full"))
				}
				TransactionStatus::Invalid => {
					return Err(Problem::Lost("it is not valid any more"))
				}
				TransactionStatus::FinalityTimeout(_) => {
					return Err(Problem::Lost("its block did not become final"))
				}
				TransactionStatus::Future
				| TransactionStatus::Ready
				| TransactionStatus::Broadcast(_)
				| TransactionStatus::InBlock(_) => {}
			}
		}
		Err(Problem::Lost("the transaction pool forgot it"))
	}

	fn account(&self) -> AccountId {
		AccountId::from(self.key.0)
	}

	fn is_registered(&self, block: Hash) -> Result<bool, Problem> {
		let key = pallet_data_sharing::Producers::<Runtime>::hashed_key_for(self.account());
		Ok(self.client.storage(block, &StorageKey(key))?.is_some())
	}

	/// Why a transaction of a block failed, as the block's events say.
	fn failure(&self, block: Hash, index: usize) -> Result<Option<DispatchError>, Problem> {
		type Records = Vec<frame_system::EventRecord<RuntimeEvent, Hash>>;
		let key = frame_support::storage::storage_prefix(b"System", b"Events").to_vec();
		let Some(events) = self.client.storage(block, &StorageKey(key))? else {
			return Ok(None);
		};
		// They are read for a message only: where another runtime wrote them, it goes without a reason.
		let records = Records::decode(&mut &events.0[..]).unwrap_or_default();
		Ok(records
			.into_iter()
			.find_map(|record| match (record.phase, record.event) {
				(
					frame_system::Phase::ApplyExtrinsic(of),
					RuntimeEvent::System(frame_system::Event::ExtrinsicFailed {
						dispatch_error,
						..
					}),
				) if usize::try_from(of) == Ok(index) => Some(dispatch_error),
				_ => None,
			}))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_keyring::Sr25519Keyring::{Alice, Eve};
	use sp_keystore::{testing::MemoryKeystore, Keystore};

	fn keystore(seeds: &[&str]) -> KeystorePtr {
		let keystore = MemoryKeystore::new();
		for seed in seeds {
			let made = keystore.sr25519_generate_new(PRODUCER_KEY, Some(seed));
			made.expect("a development account's seed");
		}
		Arc::new(keystore)
	}

	#[test]
	fn the_keystores_key_comes_before_the_development_accounts() {
		assert_eq!(
			key(&keystore(&["//Eve"]), Some("//Alice")),
			Ok(Eve.public())
		);
		assert_eq!(key(&keystore(&["//Eve"]), None), Ok(Eve.public()));
		assert_eq!(key(&keystore(&[]), Some("//Alice")), Ok(Alice.public()));
	}

	#[test]
	fn no_key_and_two_keys_are_told() {
		let none = key(&keystore(&[]), None).expect_err("no key");
		assert!(none.contains("key insert --key-type prod"), "{none}");
		let two = key(&keystore(&["//Eve", "//Ferdie"]), Some("//Alice"));
		assert_eq!(
			two,
			Err("the keystore has 2 keys of the type `prod`, and a node registers one producer: leave one".into())
		);
	}
}
