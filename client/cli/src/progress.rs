// SPDX-License-Identifier: Apache-2.0
//! Progress bars on stderr, drawn only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use isthmus_sdk::{Progress, Stage};

/// A bar for a long operation. It is hidden until the first report, and cleared when it is dropped.
pub(crate) struct Bar {
	bar: ProgressBar,
	stage: Option<Stage>,
}

impl Bar {
	pub(crate) fn new() -> Self {
		Self {
			bar: ProgressBar::hidden(),
			stage: None,
		}
	}
}

impl Drop for Bar {
	fn drop(&mut self) {
		self.bar.finish_and_clear();
	}
}

impl Progress for Bar {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		if self.stage != Some(stage) {
			self.stage = Some(stage);
			self.bar.finish_and_clear();
			self.bar = ProgressBar::new(total);
			let (doing, template) = match stage {
				Stage::Naming => ("hashing", BYTES),
				Stage::Sending => ("storing", BYTES),
				Stage::Checking => ("checking", BYTES),
				Stage::Fetching => ("fetching", BYTES),
				Stage::Searching => ("searching", BLOCKS),
			};
			if let Ok(style) = ProgressStyle::with_template(template) {
				self.bar.set_style(style);
			}
			self.bar.set_message(doing);
		}
		// A folder's next file has its own length.
		self.bar.set_length(total);
		self.bar.set_position(done);
	}
}

const BYTES: &str = "{msg:10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const BLOCKS: &str = "{msg:10} {wide_bar} {pos}/{len} blocks {eta}";
