// SPDX-License-Identifier: Apache-2.0
//! The metrics of `isthmus serve`.

use crate::metrics::{counter, gauge, Counts, Metric, MetricsFile, ServiceMetrics};
use isthmus_sdk::{
	serve::{Look, Served},
	AccountId, Balance, UNIT,
};

/// What became of requests.
#[derive(Default)]
pub(super) struct Answers {
	answered: u64,
	unanswered: u64,
	earned: Balance,
}

/// The metrics of the command.
pub(super) type Metrics = ServiceMetrics<Answers>;

impl Metrics {
	/// Begins to count.
	pub(super) fn new(file: MetricsFile, account: &AccountId) -> Self {
		Self::begin(file.about(account), Answers::default())
	}

	/// Counts the outcome of a request.
	pub(super) fn served(&mut self, served: &Served) {
		self.count(|answers| match &served.outcome {
			Ok(included)
				if included
					.events
					.iter()
					.any(|event| event.granted().is_some()) =>
			{
				answers.answered += 1;
				answers.earned = answers.earned.saturating_add(served.asked.offer);
			}
			// One that was rejected, too.
			Ok(_) | Err(_) => answers.unanswered += 1,
		});
	}
}

/// Returns an amount in IST.
fn ist(amount: Balance) -> String {
	(amount as f64 / UNIT as f64).to_string()
}

impl Counts for Answers {
	type Look = Look;

	fn counters(&self, errors: Metric) -> Vec<Metric> {
		vec![
			counter(
				"answers_total",
				"Requests granted since the start.",
				self.answered,
			),
			counter(
				"failures_total",
				"Requests that were reported as not granted since the start.",
				self.unanswered,
			),
			errors,
			counter(
				"earned_ist_total",
				"Offers of the requests granted since the start.",
				ist(self.earned),
			),
		]
	}

	fn of_look(look: &Look) -> Vec<Metric> {
		vec![
			gauge("block", "The best block.", look.block),
			gauge("open_requests", "Open requests.", look.open),
			gauge(
				"answers_in_flight",
				"Answers that no block includes yet.",
				look.in_flight,
			),
			gauge("granted", "Requests granted, by the memory.", look.granted),
			gauge("funds_ist", "What the account can spend.", ist(look.free)),
		]
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn every_metric_is_there_once() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("isthmus.prom");
		let file = MetricsFile::new(path.clone(), "serve").unwrap();
		let mut metrics = Metrics::new(file, &[1; 32].into());
		metrics.failed();
		metrics.looked(Look {
			block: 7,
			open: 2,
			in_flight: 1,
			granted: 5,
			free: UNIT * 3 / 2,
		});
		let text = std::fs::read_to_string(&path).unwrap();
		let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
		assert_eq!((values.len(), text.lines().count()), (10, 30), "{text}");
		let value = |name: &str| {
			let start = format!("isthmus_serve_{name}{{");
			let mut lines = values.iter().filter(|line| line.starts_with(&start));
			let (line, other) = (lines.next().unwrap(), lines.next());
			assert_eq!(other, None);
			line.split(' ').nth(1).unwrap()
		};
		assert_eq!(
			(value("errors_total"), value("funds_ist"), value("granted")),
			("1", "1.5", "5")
		);
	}
}
