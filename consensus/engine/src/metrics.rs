// SPDX-License-Identifier: Apache-2.0
//! Defines the mining metrics for Prometheus.

use polkadot_sdk::*;
use std::time::Duration;
use substrate_prometheus_endpoint::{
	exponential_buckets, register, Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts,
	HistogramVec, Opts, PrometheusError, Registry, U64,
};

/// What a template contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
	/// No transactions and no uncles.
	Empty,
	/// The waiting transactions and possible uncles.
	Full,
}

/// Counters of seals and blocks, the hash rate, and how long templates and datasets take. They count whether or not a registry exports them.
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
	/// The time between a new best block and the first template on it.
	pub(crate) new_work_seconds: Histogram,
	/// The epoch of the dataset that was generated last, or is being generated.
	pub(crate) dataset_epoch: Gauge<U64>,
	/// How much of that dataset is done.
	pub(crate) dataset_percent: Gauge<U64>,
	pub(crate) datasets_generated: Counter<U64>,
	refusals: CounterVec<U64>,
	template_seconds: HistogramVec,
	shares: CounterVec<U64>,
	connections: GaugeVec<U64>,
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
		let refusals = CounterVec::new(
			Opts::new(
				"isthmus_refused_seals_total",
				"Seals that break a rule, by the rule's name",
			),
			&["reason"],
		)?;
		let template_seconds = HistogramVec::new(
			HistogramOpts::new(
				"isthmus_template_seconds",
				"Time to build a template, by contents",
			)
			.buckets(seconds()?),
			&["contents"],
		)?;
		let new_work_seconds = Histogram::with_opts(
			HistogramOpts::new(
				"isthmus_new_work_seconds",
				"Time between a new best block and the first template on it",
			)
			.buckets(seconds()?),
		)?;
		let shares = CounterVec::new(
			Opts::new(
				"isthmus_shares_total",
				"Shares that Stratum workers submitted, by outcome",
			),
			&["outcome"],
		)?;
		let connections = GaugeVec::new(
			Opts::new(
				"isthmus_miner_connections",
				"Connections of miners, by port",
			),
			&["port"],
		)?;
		let dataset_epoch = Gauge::new(
			"isthmus_dataset_epoch",
			"The epoch of the Ethash dataset that was generated last, or is being generated",
		)?;
		let dataset_percent = Gauge::new(
			"isthmus_dataset_percent",
			"How much of the dataset of isthmus_dataset_epoch is generated",
		)?;
		let datasets_generated = Counter::new(
			"isthmus_datasets_generated_total",
			"Ethash datasets that this node generated",
		)?;
		if let Some(registry) = registry {
			register(hashes.clone(), registry)?;
			register(hash_rate.clone(), registry)?;
			register(templates.clone(), registry)?;
			register(seals.clone(), registry)?;
			register(uncles_named.clone(), registry)?;
			register(refusals.clone(), registry)?;
			register(template_seconds.clone(), registry)?;
			register(new_work_seconds.clone(), registry)?;
			register(shares.clone(), registry)?;
			register(connections.clone(), registry)?;
			register(dataset_epoch.clone(), registry)?;
			register(dataset_percent.clone(), registry)?;
			register(datasets_generated.clone(), registry)?;
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
			new_work_seconds,
			dataset_epoch,
			dataset_percent,
			datasets_generated,
			refusals,
			template_seconds,
			shares,
			connections,
		})
	}

	/// Counts a template that took this long to build.
	pub(crate) fn built(&self, contents: Contents, took: Duration) {
		let contents = match contents {
			Contents::Empty => "empty",
			Contents::Full => "full",
		};
		let histogram = self.template_seconds.with_label_values(&[contents]);
		histogram.observe(took.as_secs_f64());
	}

	/// Counts a seal that breaks the rule `reason`.
	pub(crate) fn refused(&self, reason: &'static str) {
		self.refused_seals.inc();
		self.refusals.with_label_values(&[reason]).inc();
	}

	/// Counts a share of a Stratum worker: accepted, or why it was refused.
	pub fn share(&self, outcome: &'static str) {
		self.shares.with_label_values(&[outcome]).inc();
	}

	/// Sets the number of miners connected to a port.
	pub fn set_connections(&self, port: &'static str, connections: usize) {
		let gauge = self.connections.with_label_values(&[port]);
		gauge.set(connections as u64);
	}
}

/// The bounds of the histograms: 1 ms to 4 s.
fn seconds() -> Result<Vec<f64>, PrometheusError> {
	exponential_buckets(0.001, 2.0, 13)
}
