//! The gossip's door: an announced header is checked before its body is asked for.

use crate::{
	chain::{unix_now, Chain, ChainClient},
	seldom::Seldom,
	BlockError, LOG_TARGET,
};
use isthmus_primitives::{Block, Header};
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sp_consensus::block_validation::{BlockAnnounceValidator, Validation};
use std::{error::Error, future::Future, pin::Pin, sync::Arc, time::Instant};
use tokio::runtime::Handle;

/// Checks an announced header by all rules that its own bytes and a known parent allow.
///
/// With an unknown parent only what stands by itself is checked: the digest's shape, the static
/// bounds, and the quick half of the seal, against a difficulty that is not far under our best block's.
///
/// The check runs on a thread of its own where there are some, as sync itself waits for the answer.
pub struct PowAnnounceValidator<C> {
	chain: Arc<Chain<C>>,
	warnings: Arc<Seldom>,
}

impl<C> PowAnnounceValidator<C> {
	/// A validator for announcements of blocks of `chain`.
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
				Ok(runtime) => runtime.spawn_blocking(judge).await.unwrap_or_else(skip),
				Err(_) => judge(),
			}
		})
	}
}

fn judge<C: ChainClient>(
	chain: &Chain<C>,
	header: &Header,
	warnings: &Seldom,
) -> Result<Validation, Box<dyn Error + Send>> {
	Ok(match chain.check_announced(header, unix_now()) {
		Ok(is_new_best) => Validation::Success { is_new_best },
		Err(BlockError::Rejected(Rejection::Invalid(rule))) => {
			let (number, hash) = (header.number, header.hash());
			let refused = format!("announced block #{number} ({hash}) is refused: {rule}");
			match warnings.may_write(rule.name(), Instant::now()) {
				Some(end) => log::warn!(target: LOG_TARGET, "{refused}{end}"),
				None => log::debug!(target: LOG_TARGET, "{refused}"),
			}
			Validation::Failure { disconnect: true }
		}
		// The peer may be right and we may not: no block, and no blame.
		Err(BlockError::Rejected(Rejection::Transient(future))) => return skip(future),
		Err(BlockError::CouldNotCheck(error)) => return skip(error),
	})
}

/// The answer by which the network layer drops the announcement and blames nobody.
fn skip(error: impl Error + Send + 'static) -> Result<Validation, Box<dyn Error + Send>> {
	log::debug!(target: LOG_TARGET, "an announcement is left aside: {error}");
	Err(Box::new(error))
}
