// SPDX-License-Identifier: Apache-2.0
//! Decides when to send the transaction that registers the node's producer, and follows it to its outcome.

use super::{
	identity::Profile,
	transaction::{check_funds, RegistrationError, Signer},
};
use crate::{client::FullClient, pool::FullPool, reminder::Reminder};
use codec::Decode;
use futures::StreamExt;
use futures_timer::Delay;
use isthmus_primitives::{AccountId, Hash};
use isthmus_runtime::{Runtime, RuntimeEvent};
use polkadot_sdk::*;
use sc_client_api::StorageProvider;
use sc_transaction_pool_api::{TransactionPool, TransactionStatus};
use sp_blockchain::HeaderBackend;
use sp_consensus::SyncOracle;
use sp_core::{sr25519, storage::StorageKey};
use sp_keystore::KeystorePtr;
use sp_runtime::{transaction_validity::TransactionSource, DispatchError};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

const LOG_TARGET: &str = "producer";
/// How long to wait before the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// What is needed to register a producer.
pub(crate) struct Deps {
	pub(crate) client: Arc<FullClient>,
	pub(crate) pool: Arc<FullPool>,
	pub(crate) keystore: KeystorePtr,
	pub(crate) profile: Profile,
	pub(crate) key: sr25519::Public,
	/// Register even if the node has no peers.
	pub(crate) force: bool,
}

/// Registers the producer.
pub(crate) struct Registration<SO> {
	deps: Deps,
	sync: SO,
	account: AccountId,
	/// When the last problem was logged.
	reminder: Reminder<String>,
}

/// The outcome of one attempt.
enum Attempt {
	/// The producer is not registered in a finalized block yet. Try again later.
	Pending,
	/// The producer is registered in a finalized block.
	Registered,
}

impl<SO: SyncOracle> Registration<SO> {
	pub(crate) fn new(deps: Deps, sync: SO) -> Self {
		let account = AccountId::from(deps.key.0);
		Self {
			deps,
			sync,
			account,
			reminder: Reminder::default(),
		}
	}

	/// Runs until the producer is registered in a finalized block, or the chain rejects the registration.
	pub(crate) async fn run(mut self) {
		loop {
			match self.attempt().await {
				Ok(Attempt::Registered) => return,
				Ok(Attempt::Pending) => {}
				Err(error @ RegistrationError::Rejected { .. }) => {
					log::error!(target: LOG_TARGET, "{error}");
					return;
				}
				Err(error) => self.log(error.to_string()),
			}
			Delay::new(RETRY_AFTER).await;
		}
	}

	/// Logs a problem once and then rarely, not after every attempt.
	fn log(&mut self, problem: String) {
		for problem in self.reminder.due(&[problem], Instant::now()) {
			log::warn!(target: LOG_TARGET, "not registered yet: {problem}");
		}
	}

	async fn attempt(&mut self) -> Result<Attempt, RegistrationError> {
		let Deps {
			client,
			pool,
			keystore,
			profile,
			key,
			force,
		} = &self.deps;
		if self.sync.is_major_syncing() || (self.sync.is_offline() && !force) {
			return Ok(Attempt::Pending);
		}
		let account = &self.account;
		let chain = client.info();
		if self.is_registered(chain.finalized_hash)? {
			log::info!(target: LOG_TARGET, "{account} is a registered producer");
			return Ok(Attempt::Registered);
		}
		if self.is_registered(chain.best_hash)? {
			// The registration was sent earlier and is not finalized yet. If its block is orphaned, a later
			// attempt sends it again.
			return Ok(Attempt::Pending);
		}
		let signer = Signer {
			client,
			keystore,
			key,
		};
		let transaction = signer.registration(profile, &chain)?;
		check_funds(client, profile, account, chain.best_hash, &transaction)?;
		let statuses = pool
			.submit_and_watch(chain.best_hash, TransactionSource::Local, transaction)
			.await
			.map_err(|e| RegistrationError::Pool(e.to_string()))?;
		log::info!(target: LOG_TARGET, "sent the registration of {:?} by {account}", profile.name);
		self.watch(statuses).await
	}

	/// Follows the transaction until it is finalized or lost.
	async fn watch(
		&self,
		mut statuses: impl futures::Stream<Item = TransactionStatus<Hash, Hash>> + Unpin,
	) -> Result<Attempt, RegistrationError> {
		use RegistrationError::Lost;
		while let Some(status) = statuses.next().await {
			match status {
				TransactionStatus::Retracted(block) => {
					log::info!(target: LOG_TARGET, "block {block}, which included the registration, was orphaned");
				}
				TransactionStatus::Finalized((block, index)) => {
					return if self.is_registered(block)? {
						log::info!(target: LOG_TARGET, "registered; finalized in block {block}");
						Ok(Attempt::Registered)
					} else {
						Err(RegistrationError::Rejected {
							block,
							error: self.failure(block, index)?,
						})
					}
				}
				TransactionStatus::Usurped(_) => {
					return Err(Lost("another transaction took its place"))
				}
				TransactionStatus::Dropped => return Err(Lost("the transaction pool is full")),
				TransactionStatus::Invalid => return Err(Lost("it is no longer valid")),
				TransactionStatus::FinalityTimeout(_) => {
					return Err(Lost("its block was not finalized in time"))
				}
				TransactionStatus::Future
				| TransactionStatus::Ready
				| TransactionStatus::Broadcast(_)
				| TransactionStatus::InBlock(_) => {}
			}
		}
		Err(Lost("the transaction pool stopped watching it"))
	}

	fn is_registered(&self, block: Hash) -> Result<bool, RegistrationError> {
		Ok(is_registered(&self.deps.client, &self.account, block)?)
	}

	/// Finds out from a block's events why a transaction in it failed.
	fn failure(
		&self,
		block: Hash,
		index: usize,
	) -> Result<Option<DispatchError>, RegistrationError> {
		type Records = Vec<frame_system::EventRecord<RuntimeEvent, Hash>>;
		let key = frame_support::storage::storage_prefix(b"System", b"Events").to_vec();
		let Some(events) = self.deps.client.storage(block, &StorageKey(key))? else {
			return Ok(None);
		};
		// The events only serve to explain the failure. If another version of the runtime wrote them and
		// they do not decode, the message states no reason.
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

/// Returns whether an account is a producer in a block's state.
pub(crate) fn is_registered(
	client: &FullClient,
	account: &AccountId,
	block: Hash,
) -> sp_blockchain::Result<bool> {
	let key = pallet_data_sharing::Producers::<Runtime>::hashed_key_for(account);
	Ok(client.storage(block, &StorageKey(key))?.is_some())
}
