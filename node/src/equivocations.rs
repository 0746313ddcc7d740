// SPDX-License-Identifier: Apache-2.0
//! Watches for verifiers that voted twice. GRANDPA's voter reports what it sees to the chain; this task logs each report
//! that is finalized, and counts the reports in a metric.

use crate::client::FullClient;
use futures::StreamExt;
use isthmus_primitives::{
	api::{Verifier, VerifiersApi},
	Hash,
};
use polkadot_sdk::*;
use sc_client_api::{BlockchainEvents, HeaderBackend};
use sp_api::{ApiError, ProvideRuntimeApi};
use sp_consensus_grandpa::SetId;
use std::sync::Arc;
use substrate_prometheus_endpoint::{register, Gauge, PrometheusError, Registry, U64};

/// Watches a chain for reports.
pub(crate) struct Equivocations {
	client: Arc<FullClient>,
	reported: Gauge<U64>,
}

impl Equivocations {
	/// Creates the task, and registers its metric if there is a `registry`.
	///
	/// # Errors
	///
	/// Returns an error if the registry already has a metric of this name.
	pub(crate) fn new(
		client: Arc<FullClient>,
		registry: Option<&Registry>,
	) -> Result<Self, PrometheusError> {
		let reported = Gauge::new(
			"isthmus_equivocations",
			"Vote keys that were reported on the chain for two votes in one round",
		)?;
		if let Some(registry) = registry {
			register(reported.clone(), registry)?;
		}
		Ok(Self { client, reported })
	}

	/// Follows the finalized chain until the client shuts down.
	pub(crate) async fn run(self) {
		let mut finalized = self.client.finality_notification_stream();
		let mut known = self.read(self.client.info().finalized_hash);
		while let Some(notification) = finalized.next().await {
			let Some(now) = self.read(notification.hash) else {
				continue;
			};
			for report in new(known.as_deref().unwrap_or_default(), &now) {
				let (Verifier { account, grandpa }, set) = report;
				log::error!(
					"🚨 Verifier {account} voted twice in one round: its key {grandpa} signed different votes in set \
					 {set}. It loses its deposit and its place. If it is yours, stop the second machine \
					 that votes with this key",
				);
			}
			known = Some(now);
		}
	}

	/// Returns the reports after a block, or `None` if its state cannot be read.
	fn read(&self, block: Hash) -> Option<Vec<(Verifier, SetId)>> {
		let read: Result<_, ApiError> = self.client.runtime_api().equivocations(block);
		let reports = read
			.inspect_err(|error| log::debug!("cannot read the reports of equivocations: {error}"))
			.ok()?;
		self.reported.set(reports.len() as u64);
		Some(reports)
	}
}

/// Returns the reports of `now` that are not in `known`.
fn new<'a>(
	known: &'a [(Verifier, SetId)],
	now: &'a [(Verifier, SetId)],
) -> impl Iterator<Item = &'a (Verifier, SetId)> {
	now.iter().filter(|report| !known.contains(report))
}
