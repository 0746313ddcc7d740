// SPDX-License-Identifier: Apache-2.0
//! Progress reports of long operations.

use std::{
	io::{self, Read},
	time::Duration,
};

/// How often work reports progress that goes on beside it.
pub(crate) const REPORT: Duration = Duration::from_millis(200);

/// Receives progress reports of a long operation. `()` ignores them.
pub trait Progress {
	/// Reports that `done` of `total` bytes have passed a stage: blocks for [`Stage::Searching`], calls for [`Stage::Calling`].
	fn at(&mut self, _stage: Stage, _done: u64, _total: u64) {}

	/// Reports that work on a folder's next file starts. The reports that follow are about this file.
	fn file(&mut self, _path: &str) {}

	/// Reports that files with `done` of a folder's `total` bytes have passed a stage. What [`Self::at`] reports until the next such
	/// report comes on top of that.
	fn whole(&mut self, _stage: Stage, _done: u64, _total: u64) {}

	/// Reports that `done` of a folder's `total` files, each of which is a record, are stored or fetched. A file is stored
	/// when its last transaction is included in a block.
	fn files(&mut self, _done: u64, _total: u64) {}
}

impl Progress for () {}

/// A stage of a long operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
	/// Reading a stream to its end. Its length is what was read so far.
	Reading,
	/// Reading and encrypting the value to compute its chunks' hashes.
	Naming,
	/// Sending chunks. A chunk counts when it is included in a block.
	Sending,
	/// Comparing what is there with the chain: a part that was fetched before, a file that is fetched, or a value that is stored
	/// already.
	Checking,
	/// Fetching chunks.
	Fetching,
	/// Searching blocks.
	Searching,
	/// Sending many calls, in several transactions. A call counts when its transaction is included in a block.
	Calling,
}

/// Between how many bytes of a file progress is reported.
const STEP: u64 = 1 << 20;

/// Reports how much of a file is read.
pub(crate) struct Telling<'a, R, P> {
	file: R,
	stage: Stage,
	done: u64,
	length: u64,
	progress: &'a mut P,
}

impl<'a, R: Read, P: Progress> Telling<'a, R, P> {
	/// Reports that the file's `length` bytes pass a stage as they are read.
	pub(crate) fn new(file: R, stage: Stage, length: u64, progress: &'a mut P) -> Self {
		Self {
			file,
			stage,
			done: 0,
			length,
			progress,
		}
	}
}

impl<R: Read, P: Progress> Read for Telling<'_, R, P> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let got = self.file.read(space)?;
		let before = self.done;
		self.done = before.saturating_add(got as u64);
		if before / STEP != self.done / STEP {
			let done = self.done.min(self.length);
			self.progress.at(self.stage, done, self.length);
		}
		Ok(got)
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;

	/// Notes all reports about bytes.
	#[derive(Default)]
	pub(crate) struct Reports(pub(crate) Vec<(Stage, u64, u64)>);

	impl Progress for Reports {
		fn at(&mut self, stage: Stage, done: u64, total: u64) {
			self.0.push((stage, done, total));
		}
	}

	#[test]
	fn each_mib_of_a_file_is_reported() {
		let mut reports = Reports::default();
		let length = 2 * STEP + 7;
		let file = io::repeat(7).take(length);
		let mut telling = Telling::new(file, Stage::Checking, length, &mut reports);
		let mut read = [0; 1 << 16];
		while telling.read(&mut read).unwrap() > 0 {}
		let expected = [STEP, 2 * STEP].map(|done| (Stage::Checking, done, length));
		assert_eq!(reports.0, expected);
	}
}
