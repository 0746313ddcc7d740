// SPDX-License-Identifier: Apache-2.0
//! The metrics of `isthmus keep`.

use crate::metrics::{counter, gauge, Counts, Metric, MetricsFile, ServiceMetrics};
use isthmus_sdk::{
	keepers::{Look, Step},
	AccountId, DatasetId,
};

/// What a keeper has done.
#[derive(Default)]
pub(super) struct Kept {
	copied: u64,
	copied_bytes: u64,
	not_copied: u64,
	proven: u64,
	not_proven: u64,
}

/// The metrics of the command.
pub(super) type Metrics = ServiceMetrics<Kept>;

impl Metrics {
	/// Begins to count what a keeper does for a dataset of an owner.
	pub(super) fn new(
		file: MetricsFile,
		keeper: &AccountId,
		(owner, dataset): (&AccountId, DatasetId),
	) -> Self {
		let file = file.about(keeper).labelled("owner", owner);
		Self::begin(file.labelled("dataset", dataset), Kept::default())
	}

	/// Counts a step.
	pub(super) fn did(&mut self, step: &Step) {
		let counter: fn(&mut Kept) -> &mut u64 = match step {
			Step::Copied { .. } => |kept| &mut kept.copied,
			Step::NotCopied { .. } => |kept| &mut kept.not_copied,
			Step::Proven { .. } => |kept| &mut kept.proven,
			Step::NotProven { .. } => |kept| &mut kept.not_proven,
			_ => return,
		};
		self.count(|kept| {
			*counter(kept) += 1;
			if let Step::Copied { length, .. } = step {
				kept.copied_bytes = kept.copied_bytes.saturating_add(*length);
			}
		});
	}
}

impl Counts for Kept {
	type Look = Look;

	fn counters(&self, errors: Metric) -> Vec<Metric> {
		vec![
			counter(
				"copies_total",
				"Objects copied since the start.",
				self.copied,
			),
			counter(
				"copied_bytes_total",
				"Bytes of the objects copied since the start.",
				self.copied_bytes,
			),
			counter(
				"copy_failures_total",
				"Attempts to copy an object that failed since the start.",
				self.not_copied,
			),
			counter(
				"proofs_total",
				"Proofs that a block includes since the start.",
				self.proven,
			),
			counter(
				"proof_failures_total",
				"Attempts to prove a piece that failed since the start.",
				self.not_proven,
			),
			errors,
		]
	}

	fn of_look(look: &Look) -> Vec<Metric> {
		let place = look.place.as_ref();
		let of_place = |value: Option<u32>| value.unwrap_or_default();
		vec![
			gauge("block", "The newest block.", look.block),
			gauge("period", "The period of the newest block.", look.period),
			gauge("objects", "Objects of the dataset.", look.objects),
			gauge(
				"objects_copied",
				"Objects of the dataset that are copied.",
				look.copied,
			),
			gauge(
				"place",
				"Whether the account has a place among the keepers.",
				u8::from(place.is_some()),
			),
			gauge(
				"proven_block",
				"The block with the last proof; 0 if there is none.",
				of_place(place.and_then(|place| place.proven)),
			),
			gauge(
				"periods_kept",
				"Periods with a proof, for this place.",
				of_place(place.map(|place| place.kept)),
			),
			gauge(
				"periods_missed",
				"Periods without a proof, for this place.",
				of_place(place.map(|place| place.missed)),
			),
			gauge(
				"periods_missed_in_a_row",
				"Periods without a proof since the last one.",
				of_place(place.map(|place| place.in_a_row)),
			),
		]
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{Keeper, RecordKey, Text};

	#[test]
	fn every_metric_is_there_once_and_says_whose_it_is() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("isthmus.prom");
		let file = MetricsFile::new(path.clone(), "keep").unwrap();
		let (keeper, owner) = (AccountId::from([1; 32]), AccountId::from([2; 32]));
		let mut metrics = Metrics::new(file, &keeper, (&owner, 7));
		metrics.failed();
		metrics.did(&Step::Copied {
			key: RecordKey::zero(),
			length: 1 << 20,
			again: false,
		});
		let place = Keeper {
			location: Text(b"file:///a".to_vec()),
			deposit: 10,
			since: 3,
			proven: Some(41),
			settled: 2,
			objects: 2,
			kept: 5,
			missed: 4,
			in_a_row: 3,
		};
		let look = Look {
			block: 60,
			period: 3,
			copied: 1,
			objects: 2,
			place: Some(place),
		};
		metrics.looked(look.clone());
		let read = || std::fs::read_to_string(&path).unwrap();
		let value = |text: &str, name: &str| {
			let start = format!(
				"isthmus_keep_{name}{{account=\"{keeper}\",owner=\"{owner}\",dataset=\"7\"}} "
			);
			let found: Vec<&str> = text
				.lines()
				.filter_map(|line| line.strip_prefix(&start))
				.collect();
			assert_eq!(found.len(), 1, "{name} in {text}");
			found[0].to_owned()
		};
		let text = read();
		for (name, expected) in [
			("copies_total", "1"),
			("copied_bytes_total", "1048576"),
			("copy_failures_total", "0"),
			("proofs_total", "0"),
			("proof_failures_total", "0"),
			("errors_total", "1"),
			("block", "60"),
			("period", "3"),
			("objects", "2"),
			("objects_copied", "1"),
			("place", "1"),
			("proven_block", "41"),
			("periods_kept", "5"),
			("periods_missed", "4"),
			("periods_missed_in_a_row", "3"),
		] {
			assert_eq!(value(&text, name), expected, "{name}");
		}
		let values = text.lines().filter(|line| !line.starts_with('#'));
		assert_eq!((values.count(), text.lines().count()), (16, 48), "{text}");
		// A place that is not there yet, or lost.
		metrics.looked(Look {
			place: None,
			..look
		});
		let text = read();
		assert_eq!(
			(value(&text, "place"), value(&text, "proven_block")),
			("0".into(), "0".into())
		);
	}
}
