// SPDX-License-Identifier: Apache-2.0
//! Defines the metrics of the sync for Prometheus.

use crate::machine::{Census, Offence};
use polkadot_sdk::*;
use substrate_prometheus_endpoint::{
	register, CounterVec, Gauge, GaugeVec, Opts, PrometheusError, Registry, U64,
};

/// Gauges of what the sync does now, and counters of the peers that it disconnected.
#[derive(Clone)]
pub struct SyncMetrics {
	peers: GaugeVec<U64>,
	requests: GaugeVec<U64>,
	used: Gauge<U64>,
	limit: Gauge<U64>,
	headers: Gauge<U64>,
	disconnected: CounterVec<U64>,
}

impl SyncMetrics {
	/// Creates the metrics and registers them.
	///
	/// # Errors
	///
	/// Returns an error if the registry already has metrics of these names.
	pub fn new(registry: &Registry) -> Result<Self, PrometheusError> {
		let gauges = |name: &str, help: &str, label: &str| {
			register(GaugeVec::new(Opts::new(name, help), &[label])?, registry)
		};
		let gauge = |name: &str, help: &str| register(Gauge::new(name, help)?, registry);
		let disconnected = CounterVec::new(
			Opts::new(
				"isthmus_sync_disconnected_total",
				"Peers that the sync disconnected, by reason",
			),
			&["reason"],
		)?;
		// A series that does not exist yet looks like a metric that does not exist.
		for why in Offence::ALL {
			disconnected.with_label_values(&[why.name()]);
		}
		Ok(Self {
			peers: gauges("isthmus_sync_peers", "Peers, by what they do", "state")?,
			requests: gauges(
				"isthmus_sync_requests",
				"Requests to peers that are not answered yet, by what they ask for",
				"kind",
			)?,
			used: gauge(
				"isthmus_sync_used_bytes",
				"How much of --sync-memory is used, open requests included",
			)?,
			limit: gauge("isthmus_sync_limit_bytes", "--sync-memory")?,
			headers: gauge(
				"isthmus_sync_headers",
				"Proved headers whose blocks are not in the database yet",
			)?,
			disconnected: register(disconnected, registry)?,
		})
	}

	/// Sets the gauges.
	pub(crate) fn set(&self, census: Census) {
		let peers = [
			("source", census.sources),
			("proving", census.proving),
			("pausing", census.pausing),
			("idle", census.idle),
		];
		for (state, count) in peers {
			self.peers.with_label_values(&[state]).set(count as u64);
		}
		let requests = [
			("headers", census.header_requests),
			("bodies", census.body_requests),
		];
		for (kind, count) in requests {
			self.requests.with_label_values(&[kind]).set(count as u64);
		}
		self.used.set(census.used);
		self.limit.set(census.limit);
		self.headers.set(census.headers as u64);
	}

	/// Counts a peer that is disconnected.
	pub(crate) fn disconnected(&self, why: Offence) {
		self.disconnected.with_label_values(&[why.name()]).inc();
	}
}
