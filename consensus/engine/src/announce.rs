// SPDX-License-Identifier: Apache-2.0
//! Checks announced headers before their bodies are requested.

use crate::{
	chain::{Chain, ChainClient},
	clock::unix_now,
	error::BlockError,
	rate_limit::RateLimitedLog,
	refusals::Refused,
	LOG_TARGET,
};
use isthmus_primitives::{Block, Header};
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sp_consensus::block_validation::{BlockAnnounceValidator, Validation};
use std::{error::Error, future::Future, pin::Pin, sync::Arc, time::Instant};
use tokio::runtime::Handle;

/// Checks an announced header against every rule that needs only its own bytes and its parent.
///
/// If the parent is unknown, only the rules that need no parent are checked: the digest's shape, the static
/// rules, and the quick half of the seal, against a difficulty that is not far below our best block's.
///
/// The check runs on a blocking thread of the Tokio runtime if there is one, because sync waits for the
/// answer.
pub struct PowAnnounceValidator<C> {
	chain: Arc<Chain<C>>,
	warnings: Arc<RateLimitedLog>,
}

impl<C> PowAnnounceValidator<C> {
	/// Creates the check for announced blocks of `chain`.
	pub fn new(chain: Arc<Chain<C>>) -> Self {
		Self {
			chain,
			warnings: Arc::default(),
		}
	}
}

impl<C: ChainClient> BlockAnnounceValidator<Block> for PowAnnounceValidator<C> {
	fn validate(
		&mut self,
		header: &Header,
		data: &[u8],
	) -> Pin<Box<dyn Future<Output = Result<Validation, Box<dyn Error + Send>>> + Send>> {
		if !data.is_empty() {
			return Box::pin(async { Ok(Validation::Failure { disconnect: true }) });
		}
		let (chain, warnings) = (self.chain.clone(), self.warnings.clone());
		let header = header.clone();
		let judge = move || judge(&chain, &header, &warnings);
		Box::pin(async move {
			match Handle::try_current() {
				Ok(runtime) => runtime.spawn_blocking(judge).await.unwrap_or_else(ignore),
				Err(_) => judge(),
			}
		})
	}
}

fn judge<C: ChainClient>(
	chain: &Chain<C>,
	header: &Header,
	warnings: &RateLimitedLog,
) -> Result<Validation, Box<dyn Error + Send>> {
	Ok(match chain.check_announced(header, unix_now()) {
		Ok(is_new_best) => Validation::Success { is_new_best },
		Err(BlockError::Rejected(Rejection::Invalid(rule))) => {
			chain.refusals.count(Refused::Announcement, rule.name());
			let (number, hash) = (header.number, header.hash());
			let rejected = format!("announced block #{number} ({hash}) is rejected: {rule}");
			match warnings.may_write(rule.name(), Instant::now()) {
				Some(end) => log::warn!(target: LOG_TARGET, "{rejected}{end}"),
				None => log::debug!(target: LOG_TARGET, "{rejected}"),
			}
			Validation::Failure { disconnect: true }
		}
		// The peer may be right and we may be wrong, so it is not penalised.
		Err(BlockError::Rejected(Rejection::Transient(future))) => {
			chain.refusals.count(Refused::Announcement, future.name());
			return ignore(future);
		}
		Err(BlockError::CouldNotCheck(error)) => return ignore(error),
	})
}

/// Ignores the announcement without penalising the peer.
fn ignore(error: impl Error + Send + 'static) -> Result<Validation, Box<dyn Error + Send>> {
	log::debug!(target: LOG_TARGET, "ignoring an announcement: {error}");
	Err(Box::new(error))
}
