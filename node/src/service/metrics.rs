// SPDX-License-Identifier: Apache-2.0
//! The metrics about the chain as this node sees it: forks, finality, and what the node refuses.

use super::parts::{application, Core};
use crate::verifiers::{VerifierSets, Votes};
use futures::{FutureExt, StreamExt};
use futures_timer::Delay;
use isthmus_engine::Refused;
use isthmus_primitives::{BlockNumber, Hash};
use polkadot_sdk::*;
use sc_client_api::{Backend as _, BlockBackend, BlockchainEvents};
use sc_service::error::Error as ServiceError;
use sp_blockchain::{Backend as _, HeaderBackend};
use sp_consensus_grandpa::GRANDPA_ENGINE_ID;
use std::{
	collections::HashMap,
	sync::Arc,
	time::{Duration, Instant},
};
use substrate_prometheus_endpoint::{
	register, Counter, CounterVec, Gauge, Opts, PrometheusError, Registry, F64, U64,
};

/// How often the values are brought up to date that no event changes.
const INTERVAL: Duration = Duration::from_secs(5);
/// The rules that exist as metrics from the start. The others appear when they are violated.
const RULES: [&str; 4] = [
	"seal_above_boundary",
	"mix_hash",
	"extrinsics_root",
	"future_timestamp",
];

/// The metrics, and what their values come from.
pub(super) struct ChainMetrics {
	core: Core,
	sets: Arc<VerifierSets>,
	refused: CounterVec<U64>,
	/// The counts of `refused` so far.
	counted: HashMap<(Refused, &'static str), u64>,
	light_hashes: Counter<U64>,
	reorganisations: Counter<U64>,
	reorganised_blocks: Counter<U64>,
	last_depth: Gauge<U64>,
	total_difficulty: Gauge<F64>,
	leaves: Gauge<U64>,
	finality_age: Gauge<U64>,
	pool_fullness: Gauge<F64>,
	missing_votes: CounterVec<U64>,
	/// When the last block was finalized, or this node was started.
	finalized_at: Instant,
}

impl ChainMetrics {
	/// Registers the metrics.
	///
	/// # Errors
	///
	/// Returns an error if a metric of the same name exists.
	pub(super) fn new(
		core: &Core,
		sets: Arc<VerifierSets>,
		registry: &Registry,
	) -> Result<Self, ServiceError> {
		Self::register(core.clone(), sets, registry).map_err(application)
	}

	fn register(
		core: Core,
		sets: Arc<VerifierSets>,
		registry: &Registry,
	) -> Result<Self, PrometheusError> {
		let counter = |name: &str, help: &str| register(Counter::new(name, help)?, registry);
		let gauge = |name: &str, help: &str| register(Gauge::new(name, help)?, registry);
		let vector = |name: &str, help: &str, labels: &[&str]| {
			register(CounterVec::new(Opts::new(name, help), labels)?, registry)
		};
		let refused = vector(
			"isthmus_refused_total",
			"Announcements and blocks that were refused, by the rule that they violate",
			&["what", "rule"],
		)?;
		for what in [Refused::Announcement, Refused::Block] {
			for rule in RULES {
				refused.with_label_values(&[name_of(what), rule]);
			}
		}
		let metrics = Self {
			core,
			sets,
			refused,
			counted: HashMap::new(),
			light_hashes: counter("isthmus_light_hashes_total", "Light Ethash hashes computed")?,
			reorganisations: counter(
				"isthmus_reorganisations_total",
				"Switches of the best chain to another fork",
			)?,
			reorganised_blocks: counter(
				"isthmus_reorganised_blocks_total",
				"Blocks that left the best chain",
			)?,
			last_depth: gauge(
				"isthmus_last_reorganisation_depth",
				"Blocks that left the best chain in the last reorganisation",
			)?,
			total_difficulty: register(
				Gauge::new(
					"isthmus_total_difficulty",
					"The best block's total difficulty",
				)?,
				registry,
			)?,
			leaves: gauge("isthmus_leaves", "Tips of all forks in the database")?,
			finality_age: gauge(
				"isthmus_finality_age_seconds",
				"Seconds since a block was finalized, or since the node started",
			)?,
			pool_fullness: register(
				Gauge::new(
					"isthmus_pool_fullness",
					"Share of the room for ready transactions that is taken, by number or by size, whichever is more",
				)?,
				registry,
			)?,
			missing_votes: vector(
				"isthmus_missing_votes_total",
				"Finished rounds of votes without the vote of a verifier",
				&["verifier"],
			)?,
			finalized_at: Instant::now(),
		};
		metrics.name_verifiers();
		Ok(metrics)
	}

	/// Keeps the metrics up to date until the client is dropped.
	pub(super) async fn run(mut self) {
		let client = self.core.client.clone();
		let mut imports = client.import_notification_stream().fuse();
		let mut finalized = client.finality_notification_stream().fuse();
		loop {
			self.refresh();
			let mut timer = Delay::new(INTERVAL).fuse();
			futures::select! {
				import = imports.next() => match import {
					Some(import) => {
						let route = import.tree_route.as_ref();
						self.reorganised(route.map_or(0, |route| route.retracted().len()));
					}
					None => return,
				},
				block = finalized.next() => match block {
					Some(block) => {
						self.finalized_at = Instant::now();
						self.count_votes(block.header.number, block.hash);
					}
					None => return,
				},
				() = timer => {}
			}
		}
	}

	fn reorganised(&self, depth: usize) {
		if depth == 0 {
			return;
		}
		let depth = u64::try_from(depth).unwrap_or(u64::MAX);
		self.reorganisations.inc();
		self.reorganised_blocks.inc_by(depth);
		self.last_depth.set(depth);
	}

	/// Brings the values up to date that are read from elsewhere. A value that cannot be read stays as it is.
	fn refresh(&mut self) {
		let chain = &self.core.chain;
		for (what, rule, count) in chain.refusals().all() {
			let before = self.counted.insert((what, rule), count).unwrap_or_default();
			self.refused
				.with_label_values(&[name_of(what), rule])
				.inc_by(count.saturating_sub(before));
		}
		let hashes = chain.light_hashes();
		self.light_hashes
			.inc_by(hashes.saturating_sub(self.light_hashes.get()));
		if let Ok(total) = chain.total_difficulty(self.core.client.info().best_hash) {
			// A gauge is a double: it has the first 16 digits.
			let total = total.0.to_string().parse();
			self.total_difficulty.set(total.unwrap_or(f64::INFINITY));
		}
		if let Ok(leaves) = self.core.backend.blockchain().leaves() {
			self.leaves
				.set(u64::try_from(leaves.len()).unwrap_or(u64::MAX));
		}
		self.finality_age.set(self.finalized_at.elapsed().as_secs());
		self.pool_fullness.set(self.core.pool.fullness());
	}

	/// Counts the verifiers whose votes are missing in the justification of a finalized block.
	fn count_votes(&self, number: BlockNumber, hash: Hash) {
		let kept = self.core.client.justifications(hash).ok().flatten();
		let votes = kept.and_then(|kept| kept.into_justification(GRANDPA_ENGINE_ID));
		let (Some(votes), Ok(Some(set))) = (votes, self.sets.of_finalized(number)) else {
			return;
		};
		let Ok(votes) = Votes::read(&votes, number, hash, &set) else {
			return;
		};
		for (member, signed) in set.members.iter().zip(votes.signed) {
			self.missing_votes
				.with_label_values(&[&member.name()])
				.inc_by(u64::from(!signed));
		}
	}

	/// Makes a metric of each verifier, so that an operator sees them before a vote is missing.
	fn name_verifiers(&self) {
		let finalized = self.core.client.info().finalized_hash;
		let members = self.sets.after(finalized).map(|set| set.members);
		for member in members.unwrap_or_default() {
			self.missing_votes.with_label_values(&[&member.name()]);
		}
	}
}

fn name_of(what: Refused) -> &'static str {
	match what {
		Refused::Announcement => "announcement",
		Refused::Block => "block",
	}
}
