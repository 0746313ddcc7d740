// SPDX-License-Identifier: Apache-2.0
//! The metrics of `isthmus serve`: a file in the text format of Prometheus, version 0.0.4, for the textfile collector of
//! its node exporter.

use crate::{error::Error, stderr::tell};
use isthmus_sdk::{
	envelope::on_disk,
	file, io_words,
	serve::{Look, Served},
	AccountId, Balance, UNIT,
};
use std::{
	fmt::Write,
	path::PathBuf,
	time::{SystemTime, UNIX_EPOCH},
};

/// What is counted since the command began.
pub(super) struct Metrics {
	path: PathBuf,
	account: String,
	answered: u64,
	unanswered: u64,
	errors: u64,
	earned: Balance,
	look: Option<Look>,
	/// When the newest look was, in seconds since 1970.
	looked: u64,
	/// Whether the file could not be written the last time.
	is_lost: bool,
}

impl Metrics {
	/// Begins to count.
	///
	/// # Errors
	///
	/// Returns an error if the path leads to something that is not a regular file, such as a device.
	pub(super) fn new(path: PathBuf, account: &AccountId) -> Result<Self, Error> {
		on_disk::target(&path).map_err(|error| Error::file(&path, &error))?;
		Ok(Self {
			path,
			account: account.to_string(),
			answered: 0,
			unanswered: 0,
			errors: 0,
			earned: 0,
			look: None,
			looked: 0,
			is_lost: false,
		})
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

	/// Writes the file. The requests are served without it, too.
	fn write(&mut self) {
		let written = file::publish(&self.path, self.text().as_bytes());
		if let Err(error) = &written {
			if !self.is_lost {
				let path = self.path.display();
				tell(format_args!("warning: {path}: {}", io_words(error)));
			}
		}
		self.is_lost = written.is_err();
	}

	fn text(&self) -> String {
		let mut text = String::new();
		let mut add = |name: &str, kind: &str, help: &str, value: String| {
			let account = &self.account;
			let _ = write!(
				text,
				"# HELP isthmus_serve_{name} {help}\n# TYPE isthmus_serve_{name} {kind}\nisthmus_serve_{name}{{account=\"{account}\"}} {value}\n"
			);
		};
		let mut count = |name, help, value: u64| add(name, "counter", help, value.to_string());
		count(
			"answers_total",
			"Requests granted since the start.",
			self.answered,
		);
		count(
			"failures_total",
			"Requests that were reported as not granted since the start.",
			self.unanswered,
		);
		count(
			"errors_total",
			"Errors after which the command tried again.",
			self.errors,
		);
		let ist = |amount: Balance| (amount as f64 / UNIT as f64).to_string();
		add(
			"earned_ist_total",
			"counter",
			"Offers of the requests granted since the start.",
			ist(self.earned),
		);
		let Some(look) = &self.look else {
			return text;
		};
		let mut gauge = |name, help, value: String| add(name, "gauge", help, value);
		gauge("block", "The best block.", look.block.to_string());
		gauge("open_requests", "Open requests.", look.open.to_string());
		gauge(
			"answers_in_flight",
			"Answers that no block includes yet.",
			look.in_flight.to_string(),
		);
		gauge(
			"granted",
			"Requests granted, by the memory.",
			look.granted.to_string(),
		);
		gauge("funds_ist", "What the account can spend.", ist(look.free));
		gauge(
			"looked_timestamp_seconds",
			"When the newest block was looked at, since 1970.",
			self.looked.to_string(),
		);
		text
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::path::Path;

	#[test]
	fn the_file_has_every_metric_once_with_its_help_and_type() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("isthmus.prom");
		let mut metrics = Metrics::new(path.clone(), &[1; 32].into()).unwrap();
		metrics.failed();
		metrics.looked(&Look {
			block: 7,
			open: 2,
			in_flight: 1,
			granted: 5,
			free: UNIT * 3 / 2,
		});
		let text = std::fs::read_to_string(&path).unwrap();
		let lines: Vec<_> = text.lines().collect();
		assert_eq!(lines.len(), 3 * 10, "{text}");
		for metric in lines.chunks(3) {
			let name = metric[2].split('{').next().unwrap();
			assert!(metric[0].starts_with(&format!("# HELP {name} ")), "{text}");
			assert!(metric[1].starts_with(&format!("# TYPE {name} ")), "{text}");
			assert!(metric[2].split(' ').nth(1).unwrap().parse::<f64>().is_ok());
		}
		let value = |name: &str| {
			let line = lines
				.iter()
				.find(|line| line.starts_with(&format!("isthmus_serve_{name}{{")));
			line.unwrap().split(' ').nth(1).unwrap()
		};
		assert_eq!(
			(value("errors_total"), value("funds_ist"), value("granted")),
			("1", "1.5", "5")
		);
		// A folder or a device is not replaced.
		for path in [folder.path(), Path::new("/dev/null")] {
			assert!(Metrics::new(path.into(), &[1; 32].into()).is_err());
		}
		// A file that cannot be written does not stop the command, and is told once.
		metrics.path = folder.path().join("missing/isthmus.prom");
		metrics.failed();
		assert!(metrics.is_lost);
	}
}
