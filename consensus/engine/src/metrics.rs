// SPDX-License-Identifier: Apache-2.0
//! Defines the mining metrics for Prometheus.

use polkadot_sdk::*;
use std::time::Duration;
use substrate_prometheus_endpoint::{
	exponential_buckets, prometheus::core::Collector, register, Counter, CounterVec, Gauge,
	GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts, PrometheusError, Registry, U64,
};

/// The usual outcomes of a share.
const SHARE_OUTCOMES: [&str; 5] = [
	"accepted",
	"stale",
	"duplicate",
	"low_difficulty",
	"wrong_mix",
];

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
		let of = Families(registry);
		let hash_rate = of.gauges(
			"isthmus_hash_rate",
			"Hashes a second, of the built-in miner and as submitted by others",
			("miner", &[]),
		)?;
		let seals = of.counters(
			"isthmus_seals_total",
			"Seals that miners submitted, by outcome",
			("outcome", &[]),
		)?;
		Ok(Self {
			hashes: of.counter(
				"isthmus_hashes_total",
				"Hashes that the built-in miner tried",
			)?,
			hash_rate_built_in: hash_rate.with_label_values(&["built_in"]),
			hash_rate_submitted: hash_rate.with_label_values(&["submitted"]),
			templates: of.counter("isthmus_templates_total", "Block templates that were built")?,
			best_blocks: seals.with_label_values(&["best_block"]),
			side_blocks: seals.with_label_values(&["side_block"]),
			lost_blocks: seals.with_label_values(&["lost_block"]),
			unknown_seals: seals.with_label_values(&["unknown_work"]),
			refused_seals: seals.with_label_values(&["refused"]),
			uncles_named: of.counter(
				"isthmus_uncles_named_total",
				"Uncles that the blocks mined by this node name",
			)?,
			new_work_seconds: of
				.seconds(
					"isthmus_new_work_seconds",
					"Time between a new best block and the first template on it",
					&[],
				)?
				.with_label_values(&[]),
			dataset_epoch: of.gauge(
				"isthmus_dataset_epoch",
				"Epoch of the Ethash dataset that was generated last, or is being generated",
			)?,
			dataset_percent: of.gauge(
				"isthmus_dataset_percent",
				"How much of the dataset of isthmus_dataset_epoch is generated",
			)?,
			datasets_generated: of.counter(
				"isthmus_datasets_generated_total",
				"Ethash datasets that this node generated",
			)?,
			refusals: of.counters(
				"isthmus_refused_seals_total",
				"Seals that break a rule, by the rule",
				("reason", &["seal_above_boundary", "mix_hash"]),
			)?,
			template_seconds: of.seconds(
				"isthmus_template_seconds",
				"Time to build a template, by contents",
				&["contents"],
			)?,
			shares: of.counters(
				"isthmus_shares_total",
				"Shares that Stratum workers submitted, by outcome",
				("outcome", &SHARE_OUTCOMES),
			)?,
			connections: of.gauges(
				"isthmus_miner_connections",
				"Connections of miners, by port",
				("port", &["getwork", "stratum"]),
			)?,
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

/// Creates metrics, and registers them if there is a registry.
struct Families<'a>(Option<&'a Registry>);

impl Families<'_> {
	fn registered<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, PrometheusError> {
		match self.0 {
			Some(registry) => register(metric, registry),
			None => Ok(metric),
		}
	}

	fn counter(&self, name: &str, help: &str) -> Result<Counter<U64>, PrometheusError> {
		self.registered(Counter::new(name, help)?)
	}

	/// Creates a counter for each value of a label. A series that does not exist yet looks like a metric that
	/// does not exist, so those of the usual `values` exist from the start.
	fn counters(
		&self,
		name: &str,
		help: &str,
		(label, values): (&str, &[&str]),
	) -> Result<CounterVec<U64>, PrometheusError> {
		let counters = CounterVec::new(Opts::new(name, help), &[label])?;
		for value in values {
			counters.with_label_values(&[value]);
		}
		self.registered(counters)
	}

	fn gauge(&self, name: &str, help: &str) -> Result<Gauge<U64>, PrometheusError> {
		self.registered(Gauge::new(name, help)?)
	}

	/// Creates a gauge for each value of a label, as [`Self::counters`] does.
	fn gauges(
		&self,
		name: &str,
		help: &str,
		(label, values): (&str, &[&str]),
	) -> Result<GaugeVec<U64>, PrometheusError> {
		let gauges = GaugeVec::new(Opts::new(name, help), &[label])?;
		for value in values {
			gauges.with_label_values(&[value]);
		}
		self.registered(gauges)
	}

	/// Creates a histogram of durations, with bounds from 1 ms to 4 s.
	fn seconds(
		&self,
		name: &str,
		help: &str,
		labels: &[&str],
	) -> Result<HistogramVec, PrometheusError> {
		let bounds = exponential_buckets(0.001, 2.0, 13)?;
		let options = HistogramOpts::new(name, help).buckets(bounds);
		self.registered(HistogramVec::new(options, labels)?)
	}
}
