// SPDX-License-Identifier: Apache-2.0
//! Files of metrics in the text format of Prometheus, version 0.0.4, for the textfile collector of its node exporter.

use crate::{error::Error, stderr::tell};
use isthmus_sdk::{envelope::on_disk, file, io_words, AccountId};
use std::path::PathBuf;

/// A file of metrics about an account.
pub(crate) struct MetricsFile {
	path: PathBuf,
	/// The name of the command, which all names begin with.
	command: &'static str,
	account: String,
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
	/// Makes the metrics of a command. Nothing is written yet.
	///
	/// # Errors
	///
	/// Returns an error if the path leads to something that is not a regular file, such as a device.
	pub(crate) fn new(
		path: PathBuf,
		command: &'static str,
		account: &AccountId,
	) -> Result<Self, Error> {
		on_disk::target(&path).map_err(|error| Error::file(&path, &error))?;
		Ok(Self {
			path,
			command,
			account: account.to_string(),
			is_lost: false,
		})
	}

	/// Writes the file. A file that cannot be written does not stop the command.
	pub(crate) fn write(&mut self, metrics: &[Metric]) {
		let written = file::publish(&self.path, self.text(metrics).as_bytes());
		if let Err(error) = &written {
			if !self.is_lost {
				let path = self.path.display();
				tell(format_args!("warning: {path}: {}", io_words(error)));
			}
		}
		self.is_lost = written.is_err();
	}

	fn text(&self, metrics: &[Metric]) -> String {
		let Self {
			command, account, ..
		} = self;
		let lines = metrics.iter().map(|metric| {
			let Metric {
				name,
				kind,
				help,
				value,
			} = metric;
			let name = format!("isthmus_{command}_{name}");
			format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{account=\"{account}\"}} {value}\n")
		});
		lines.collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::path::Path;

	#[test]
	fn a_metric_has_its_help_and_type_and_files_are_files() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("isthmus.prom");
		let account = AccountId::from([1; 32]);
		let mut metrics = MetricsFile::new(path.clone(), "test", &account).unwrap();
		metrics.write(&[
			counter("reads_total", "Reads.", 7),
			gauge("now", "Now.", "1.5"),
		]);
		let expected = format!(
			"# HELP isthmus_test_reads_total Reads.\n# TYPE isthmus_test_reads_total counter\nisthmus_test_reads_total{{account=\"{account}\"}} 7\n# HELP isthmus_test_now Now.\n# TYPE isthmus_test_now gauge\nisthmus_test_now{{account=\"{account}\"}} 1.5\n"
		);
		assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
		// A folder or a device is not replaced.
		for path in [folder.path(), Path::new("/dev/null")] {
			assert!(MetricsFile::new(path.into(), "test", &account).is_err());
		}
		// A file that cannot be written does not stop the command, and is told once.
		metrics.path = folder.path().join("missing/isthmus.prom");
		metrics.write(&[]);
		assert!(metrics.is_lost);
	}
}
