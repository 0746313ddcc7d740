// SPDX-License-Identifier: Apache-2.0
//! Connects the Stratum port (`isthmus_miners::stratum`) with the node's sealer.

use crate::client::FullSealer;
use isthmus_engine::Job;
use isthmus_miners::{
	stratum::{Hashed, Mine},
	Work,
};
use isthmus_primitives::{digest::Seal, Hash};
use std::time::Instant;

const LOG_TARGET: &str = "miners";

/// Checks the shares, and seals the blocks, of a Stratum port.
#[derive(Clone)]
pub(crate) struct StratumMine(pub(crate) FullSealer);

impl Mine for StratumMine {
	fn hash(&self, work: &Work, nonce: u64) -> Option<Hashed> {
		let number = u32::try_from(work.number).ok()?;
		match self.0.hash(number, work.seal_hash.into(), nonce) {
			Ok(output) => Some(Hashed {
				mix_hash: output.mix_hash,
				result: output.result,
			}),
			Err(error) => {
				log::warn!(target: LOG_TARGET, "cannot check a share of block #{number}: {error}");
				None
			}
		}
	}

	fn submit(&self, work: &Work, nonce: u64, hashed: Hashed) {
		let (sealer, seal_hash) = (self.0.clone(), Hash::from(work.seal_hash));
		let seal = Seal {
			mix_hash: hashed.mix_hash.into(),
			nonce,
		};
		tokio::spawn(async move {
			if let Err(error) = sealer.submit(seal_hash, seal).await {
				log::debug!(target: LOG_TARGET, "a worker's seal made no block: {error}");
			}
		});
	}

	fn set_rate(&self, connection: u16, rate: u64) {
		let id = Hash::from_low_u64_be(connection.into());
		self.0.hash_rate().submit(id, rate, Instant::now());
	}

	fn count_share(&self, outcome: &'static str) {
		self.0.metrics().share(outcome);
	}

	fn set_connections(&self, connections: usize) {
		self.0.metrics().set_connections("stratum", connections);
	}
}

/// Returns what a worker receives of a job.
pub(crate) fn work(job: &Job) -> Work {
	Work {
		seal_hash: job.seal_hash.0,
		seed: job.epoch_seed(),
		number: job.number.into(),
		boundary: job.boundary(),
		difficulty: u64::try_from(job.difficulty.0).unwrap_or(u64::MAX),
		parent: job.parent.0,
	}
}
