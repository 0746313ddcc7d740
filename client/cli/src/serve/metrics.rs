// SPDX-License-Identifier: Apache-2.0
//! The metrics of `isthmus serve`.

use crate::metrics::{counter, gauge, Metric, MetricsFile};
use isthmus_sdk::{
	serve::{Look, Served},
	AccountId, Balance, UNIT,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is counted since the command began.
pub(super) struct Metrics {
	file: MetricsFile,
	answered: u64,
	unanswered: u64,
	errors: u64,
	earned: Balance,
	look: Option<Look>,
	/// When the newest look was, in seconds since 1970.
	looked: u64,
}

impl Metrics {
	/// Begins to count.
	pub(super) fn new(file: MetricsFile, account: &AccountId) -> Self {
		Self {
			file: file.about(account),
			answered: 0,
			unanswered: 0,
			errors: 0,
			earned: 0,
			look: None,
			looked: 0,
		}
	}

	/// Counts the outcome of a request.
	pub(super) fn served(&mut self, served: &Served) {
		match &served.outcome {
			Ok(_) => {
				self.answered += 1;
				self.earned = self.earned.saturating_add(served.asked.offer);
			}
			Err(_) => self.unanswered += 1,
		}
		self.write();
	}

	/// Takes over what a look at a block showed.
	pub(super) fn looked(&mut self, look: &Look) {
		self.look = Some(*look);
		let since = SystemTime::now().duration_since(UNIX_EPOCH);
		self.looked = since.map_or(0, |since| since.as_secs());
		self.write();
	}

	/// Counts an error after which the command tries again.
	pub(super) fn failed(&mut self) {
		self.errors += 1;
		self.write();
	}

	fn write(&mut self) {
		let metrics = self.metrics();
		self.file.write(&metrics);
	}

	fn metrics(&self) -> Vec<Metric> {
		let ist = |amount: Balance| (amount as f64 / UNIT as f64).to_string();
		let mut metrics = vec![
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
			counter(
				"errors_total",
				"Errors after which the command tried again.",
				self.errors,
			),
			counter(
				"earned_ist_total",
				"Offers of the requests granted since the start.",
				ist(self.earned),
			),
		];
		let Some(look) = &self.look else {
			return metrics;
		};
		metrics.extend([
			gauge("block", "The best block.", look.block),
			gauge("open_requests", "Open requests.", look.open),
			gauge(
				"answers_in_flight",
				"Answers that no block includes yet.",
				look.in_flight,
			),
			gauge("granted", "Requests granted, by the memory.", look.granted),
			gauge("funds_ist", "What the account can spend.", ist(look.free)),
			gauge(
				"looked_timestamp_seconds",
				"When the newest block was looked at, since 1970.",
				self.looked,
			),
		]);
		metrics
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
		metrics.looked(&Look {
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
