// SPDX-License-Identifier: Apache-2.0
//! Files of metrics in the text format of Prometheus, version 0.0.4, for the textfile collector of its node exporter.

use crate::{error::Error, output::check_folder, stderr::tell};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	envelope::{input, on_disk},
	file, io_words, now, AccountId,
};
use std::{
	fmt,
	io::{self, ErrorKind, Read},
	path::{Path, PathBuf},
};

/// A file of metrics about an account.
pub(crate) struct MetricsFile {
	path: PathBuf,
	/// The name of the command, which all names begin with.
	command: &'static str,
	/// What the metrics are about, as labels.
	labels: Vec<String>,
	/// Whether the file could not be written the last time.
	is_lost: bool,
}

/// A metric.
pub(crate) struct Metric {
	pub(crate) name: &'static str,
	pub(crate) kind: &'static str,
	pub(crate) help: &'static str,
	pub(crate) value: String,
}

/// Makes a metric that only grows.
pub(crate) fn counter(name: &'static str, help: &'static str, value: impl ToString) -> Metric {
	let (kind, value) = ("counter", value.to_string());
	Metric {
		name,
		kind,
		help,
		value,
	}
}

/// Makes a metric that may fall.
pub(crate) fn gauge(name: &'static str, help: &'static str, value: impl ToString) -> Metric {
	let kind = "gauge";
	Metric {
		kind,
		..counter(name, help, value)
	}
}

impl MetricsFile {
	/// Makes the metrics of a command. Writes what the file has already, or an empty file.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be written, if the path leads to something that is not a regular file, such as a
	/// device, or to a file with anything but metrics of this command, such as a key file.
	pub(crate) fn new(path: PathBuf, command: &'static str) -> Result<Self, Error> {
		let failed = |error| Error::file(&path, &error);
		check_folder(&on_disk::target(&path).map_err(failed)?)?;
		let Some(found) = replaceable(&path, command).map_err(failed)? else {
			return Err(Error::usage(format!(
				"{} is not a file of metrics of `isthmus {command}`, and is not replaced",
				path.shown()
			))
			.hint("give --metrics a new file"));
		};
		// A file that cannot be written later does not stop the command.
		file::publish(&path, &found).map_err(failed)?;
		Ok(Self {
			path,
			command,
			labels: Vec::new(),
			is_lost: false,
		})
	}

	/// Names the account.
	pub(crate) fn about(self, account: &AccountId) -> Self {
		self.labelled("account", account)
	}

	/// Adds a label. Its value is an address or a number, which needs no escapes.
	pub(crate) fn labelled(mut self, name: &str, value: impl fmt::Display) -> Self {
		self.labels.push(format!("{name}=\"{value}\""));
		self
	}

	/// Writes the file. A file that cannot be written does not stop the command.
	pub(crate) fn write(&mut self, metrics: &[Metric]) {
		let written = file::publish(&self.path, self.text(metrics).as_bytes());
		if let Err(error) = &written {
			if !self.is_lost {
				let path = self.path.shown();
				tell(format_args!("warning: {path}: {}", io_words(error)));
			}
		}
		self.is_lost = written.is_err();
	}

	fn text(&self, metrics: &[Metric]) -> String {
		let Self {
			command, labels, ..
		} = self;
		let labels = labels.join(",");
		let lines = metrics.iter().map(|metric| {
			let Metric {
				name,
				kind,
				help,
				value,
			} = metric;
			let name = format!("isthmus_{command}_{name}");
			format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{{labels}}} {value}\n")
		});
		lines.collect()
	}
}

/// What a service counts of its work.
pub(crate) trait Counts {
	/// What a look at a block shows.
	type Look;

	/// Returns what was counted, with the errors where they belong.
	fn counters(&self, errors: Metric) -> Vec<Metric>;

	/// Returns what a look showed.
	fn of_look(look: &Self::Look) -> Vec<Metric>;
}

/// The metrics of a command that runs until it is ended: what it counts since it began, its errors, and what the newest
/// look at a block showed. The file is written with each change.
pub(crate) struct ServiceMetrics<C: Counts> {
	file: MetricsFile,
	counts: C,
	errors: u64,
	/// The newest look, and when it was, in seconds since 1970.
	look: Option<(C::Look, u64)>,
}

impl<C: Counts> ServiceMetrics<C> {
	/// Begins to count.
	pub(crate) fn begin(file: MetricsFile, counts: C) -> Self {
		Self {
			file,
			counts,
			errors: 0,
			look: None,
		}
	}

	/// Counts something.
	pub(crate) fn count(&mut self, count: impl FnOnce(&mut C)) {
		count(&mut self.counts);
		self.write();
	}

	/// Takes over what a look at a block showed.
	pub(crate) fn looked(&mut self, look: C::Look) {
		self.look = Some((look, now()));
		self.write();
	}

	/// Counts an error after which the command tries again.
	pub(crate) fn failed(&mut self) {
		self.errors += 1;
		self.write();
	}

	fn write(&mut self) {
		let errors = counter(
			"errors_total",
			"Errors after which the command tried again.",
			self.errors,
		);
		let mut metrics = self.counts.counters(errors);
		if let Some((look, looked)) = &self.look {
			metrics.extend(C::of_look(look));
			metrics.push(gauge(
				"looked_timestamp_seconds",
				"When the newest block was looked at, since 1970.",
				looked,
			));
		}
		self.file.write(&metrics);
	}
}

/// Returns what a file has, nothing if it is missing; `None` if it has anything but metrics of this command, which would be lost.
fn replaceable(path: &Path, command: &str) -> io::Result<Option<Vec<u8>>> {
	let start = format!("# HELP isthmus_{command}_");
	let mut found = Vec::new();
	let mut file = match input::open(path) {
		Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(found)),
		file => file?,
	};
	let length = start.len() as u64;
	file.by_ref().take(length).read_to_end(&mut found)?;
	if !found.is_empty() && found != start.as_bytes() {
		return Ok(None);
	}
	file.read_to_end(&mut found)?;
	Ok(Some(found))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_metric_has_its_help_and_type_and_files_are_files() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("isthmus.prom");
		let account = AccountId::from([1; 32]);
		let file = MetricsFile::new(path.clone(), "test").unwrap();
		let mut metrics = file.about(&account);
		metrics.write(&[
			counter("reads_total", "Reads.", 7),
			gauge("now", "Now.", "1.5"),
		]);
		let expected = format!(
			"# HELP isthmus_test_reads_total Reads.\n# TYPE isthmus_test_reads_total counter\nisthmus_test_reads_total{{account=\"{account}\"}} 7\n# HELP isthmus_test_now Now.\n# TYPE isthmus_test_now gauge\nisthmus_test_now{{account=\"{account}\"}} 1.5\n"
		);
		assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
		// A folder or a device is not replaced, and a folder that does not exist is noticed.
		let missing = folder.path().join("missing/isthmus.prom");
		for path in [folder.path(), Path::new("/dev/null"), &missing] {
			assert!(MetricsFile::new(path.into(), "test").is_err());
		}
		// Nor is a file that holds something else; its own and an empty one are.
		for (content, is_replaced) in [
			(expected.as_str(), true),
			("", true),
			("precious", false),
			("# HELP isthmus_other_reads_total Reads.\n", false),
		] {
			let path = folder.path().join("other");
			std::fs::write(&path, content).unwrap();
			let made = MetricsFile::new(path.clone(), "test");
			assert_eq!(made.is_ok(), is_replaced, "{content:?}");
			assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
		}
		// A file that cannot be written does not stop the command, and is told once.
		metrics.path = missing;
		metrics.write(&[]);
		assert!(metrics.is_lost);
	}
}
