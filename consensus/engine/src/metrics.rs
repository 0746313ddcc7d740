// SPDX-License-Identifier: Apache-2.0
//! Defines the mining metrics for Prometheus.

use polkadot_sdk::*;
use substrate_prometheus_endpoint::{
	register, Counter, CounterVec, Gauge, GaugeVec, Opts, PrometheusError, Registry, U64,
};

/// Counters of seals and blocks, and the hash rate. They count whether or not a registry exports them.
#[derive(Clone, Debug)]
pub struct MiningMetrics {
	pub(crate) hashes: Counter<U64>,
	pub(crate) hash_rate_built_in: Gauge<U64>,
	pub(crate) hash_rate_submitted: Gauge<U64>,
	pub(crate) templates: Counter<U64>,
	pub(crate) best_blocks: Counter<U64>,
	pub(crate) side_blocks: Counter<U64>,
	pub(crate) lost_blocks: Counter<U64>,
	pub(crate) unknown_seals: Counter<U64>,
	pub(crate) refused_seals: Counter<U64>,
	pub(crate) uncles_named: Counter<U64>,
}

impl MiningMetrics {
	/// Creates the metrics, and registers them if there is a `registry`.
	///
	/// # Errors
	///
	/// Returns an error if the registry already has metrics of these names.
	pub fn new(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
		let hashes = Counter::new(
			"isthmus_hashes_total",
			"Hashes that the built-in miner tried",
		)?;
		let hash_rate = GaugeVec::new(
			Opts::new(
				"isthmus_hash_rate",
				"Hashes a second, of the built-in miner and as submitted by others",
			),
			&["miner"],
		)?;
		let templates = Counter::new("isthmus_templates_total", "Block templates that were built")?;
		let seals = CounterVec::new(
			Opts::new(
				"isthmus_seals_total",
				"Seals that miners submitted, by outcome",
			),
			&["outcome"],
		)?;
		let uncles_named = Counter::new(
			"isthmus_uncles_named_total",
			"Uncles that the blocks mined by this node name",
		)?;
		if let Some(registry) = registry {
			register(hashes.clone(), registry)?;
			register(hash_rate.clone(), registry)?;
			register(templates.clone(), registry)?;
			register(seals.clone(), registry)?;
			register(uncles_named.clone(), registry)?;
		}
		Ok(Self {
			hashes,
			hash_rate_built_in: hash_rate.with_label_values(&["built_in"]),
			hash_rate_submitted: hash_rate.with_label_values(&["submitted"]),
			templates,
			best_blocks: seals.with_label_values(&["best_block"]),
			side_blocks: seals.with_label_values(&["side_block"]),
			lost_blocks: seals.with_label_values(&["lost_block"]),
			unknown_seals: seals.with_label_values(&["unknown_work"]),
			refused_seals: seals.with_label_values(&["refused"]),
			uncles_named,
		})
	}
}
