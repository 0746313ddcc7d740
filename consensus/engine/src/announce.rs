//! The gossip's door: an announced header is checked before its body is asked for.

use crate::{
	chain::{unix_now, Chain, ChainClient},
	BlockError, LOG_TARGET,
};
use isthmus_primitives::{Block, Header};
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sp_consensus::block_validation::{BlockAnnounceValidator, Validation};
use std::{error::Error, future::Future, pin::Pin, sync::Arc};

/// Checks an announced header by all rules that its own bytes and a known parent allow.
///
/// With an unknown parent only what stands by itself is checked: the digest's shape, the static
/// bounds, and, for epochs next to our best block's, the seal.
pub struct PowAnnounceValidator<C> {
	chain: Arc<Chain<C>>,
}

impl<C> PowAnnounceValidator<C> {
	/// A validator for announcements of blocks of `chain`.
	pub fn new(chain: Arc<Chain<C>>) -> Self {
		Self { chain }
	}
}

impl<C: ChainClient> BlockAnnounceValidator<Block> for PowAnnounceValidator<C> {
	fn validate(
		&mut self,
		header: &Header,
		data: &[u8],
	) -> Pin<Box<dyn Future<Output = Result<Validation, Box<dyn Error + Send>>> + Send>> {
		let chain = self.chain.clone();
		let header = header.clone();
		let foreign_data = !data.is_empty();
		Box::pin(async move {
			if foreign_data {
				return Ok(Validation::Failure { disconnect: true });
			}
			Ok(match chain.check_announced(&header, unix_now()) {
				Ok(is_new_best) => Validation::Success { is_new_best },
				Err(BlockError::Rejected(Rejection::Invalid(rule))) => {
					log::warn!(
						target: LOG_TARGET,
						"announced block #{} ({}) is refused: {rule}",
						header.number,
						header.hash(),
					);
					Validation::Failure { disconnect: true }
				}
				// The peer may be right and we may not: no block, and no blame.
				Err(BlockError::Rejected(Rejection::Transient(future))) => return skip(future),
				Err(BlockError::CouldNotCheck(error)) => return skip(error),
			})
		})
	}
}

/// The answer by which the network layer drops the announcement and blames nobody.
fn skip(error: impl Error + Send + 'static) -> Result<Validation, Box<dyn Error + Send>> {
	log::debug!(target: LOG_TARGET, "an announcement is left aside: {error}");
	Err(Box::new(error))
}
