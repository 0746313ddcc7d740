// SPDX-License-Identifier: Apache-2.0
//! Reports the hash rates in the metrics and in the log.

use crate::{chain::ChainClient, hash_rate::SAMPLE_PERIOD, sealer::Sealer, LOG_TARGET};
use futures_timer::Delay;
use isthmus_primitives::Block;
use polkadot_sdk::*;
use sc_consensus::BlockImport;
use sp_consensus::Error as ConsensusError;
use std::time::Instant;

/// A log line is written once every this many sample periods.
const LOG_EVERY: u64 = 6;

/// Updates the metrics of the hash rate, and logs a line every half minute if any miner worked. Runs
/// forever.
pub async fn report<I, C>(sealer: Sealer<I, C>)
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
	C: ChainClient,
{
	let mut tried_before = 0;
	for period in 1u64.. {
		Delay::new(SAMPLE_PERIOD).await;
		let (now, rate, metrics) = (Instant::now(), sealer.hash_rate(), sealer.metrics());
		rate.sample(now);
		let (tried, built_in, submitted) = (rate.tried(), rate.built_in(now), rate.submitted(now));
		metrics.hashes.inc_by(tried.saturating_sub(tried_before));
		tried_before = tried;
		metrics.hash_rate_built_in.set(built_in);
		metrics.hash_rate_submitted.set(submitted);
		if period % LOG_EVERY == 0 && built_in.saturating_add(submitted) > 0 {
			log::info!(
				target: LOG_TARGET,
				"⛏️  {} here, {} submitted by other miners; {} blocks mined, {} late",
				DisplayRate(built_in),
				DisplayRate(submitted),
				metrics.best_blocks.get(),
				metrics.side_blocks.get(),
			);
		}
	}
}

/// Displays a hash rate with its unit.
struct DisplayRate(u64);

impl std::fmt::Display for DisplayRate {
	fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		const UNITS: [(u64, &str); 4] = [
			(1_000_000_000_000, "TH/s"),
			(1_000_000_000, "GH/s"),
			(1_000_000, "MH/s"),
			(1_000, "kH/s"),
		];
		match UNITS.into_iter().find(|(unit, _)| self.0 >= *unit) {
			Some((unit, name)) => {
				write!(formatter, "{:.1} {name}", self.0 as f64 / unit as f64)
			}
			None => write!(formatter, "{} H/s", self.0),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn rates_are_shown_with_their_unit() {
		let shown =
			[0, 999, 1_000, 123_456, 2_500_000, u64::MAX].map(|r| DisplayRate(r).to_string());
		assert_eq!(
			shown,
			[
				"0 H/s",
				"999 H/s",
				"1.0 kH/s",
				"123.5 kH/s",
				"2.5 MH/s",
				"18446744.1 TH/s"
			]
		);
	}
}
