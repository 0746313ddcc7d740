// SPDX-License-Identifier: Apache-2.0
//! Progress bars on stderr, drawn only on a terminal that can redraw a line.

use indicatif::{ProgressBar, ProgressStyle};
use isthmus_sdk::{Progress, Shown, Stage};

/// A bar for a long operation. It is hidden until the first report, and cleared when it is dropped.
pub(crate) struct Bar {
	bar: ProgressBar,
	/// Whether it stays hidden.
	hidden: bool,
	/// What is done, and how much of it there is.
	task: Option<(Stage, u64)>,
	/// The path of the current file of a folder; empty if the operation is not about a folder.
	file: String,
}

impl Bar {
	pub(crate) fn new() -> Self {
		Self {
			bar: ProgressBar::hidden(),
			hidden: false,
			task: None,
			file: String::new(),
		}
	}

	/// Returns a bar that is never drawn.
	pub(crate) fn hidden() -> Self {
		let mut bar = Self::new();
		bar.hidden = true;
		bar
	}
}

impl Drop for Bar {
	fn drop(&mut self) {
		self.bar.finish_and_clear();
	}
}

impl Progress for Bar {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		if self.task != Some((stage, total)) {
			self.task = Some((stage, total));
			self.bar.finish_and_clear();
			self.bar = match self.hidden {
				true => ProgressBar::hidden(),
				false => bar(total),
			};
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
			let message = format!("{doing} {}", self.file);
			self.bar.set_message(message.trim_end().to_owned());
		}
		self.bar.set_position(done);
	}

	fn file(&mut self, path: &str) {
		// Start a new bar for the file, with its own length and speed.
		self.task = None;
		self.file = Shown(path).to_string();
		self.bar.set_message(self.file.clone());
	}
}

/// Returns a bar, which is hidden if stderr is not such a terminal.
pub(crate) fn bar(total: u64) -> ProgressBar {
	match std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb") {
		true => ProgressBar::hidden(),
		false => ProgressBar::new(total),
	}
}

const BYTES: &str = "{msg:10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const BLOCKS: &str = "{msg:10} {wide_bar} {pos}/{len} blocks {eta}";
