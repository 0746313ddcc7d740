// SPDX-License-Identifier: Apache-2.0
//! Progress bars on stderr, drawn only on a terminal that can redraw a line, and only while the command is in its foreground:
//! in the background, a bar would be drawn over what the user types.

use crate::text::{bytes, count};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use isthmus_sdk::{Progress, Shown, Stage};

/// A bar for a long operation. It is hidden until the first report, and cleared when it is dropped.
pub(crate) struct Bar {
	bar: ProgressBar,
	/// Whether it stays hidden.
	hidden: bool,
	/// Whether it is hidden because the command is in the background.
	background: bool,
	/// What is done, and how much of it there is.
	task: Option<(Stage, u64)>,
	/// The path of the current file of a folder; empty if the operation is not about a folder.
	file: String,
	/// How many bytes of a value were sent or fetched, and of how many.
	value: Option<(u64, u64)>,
	/// How many files of a folder are stored, and of how many.
	files: Option<(u64, u64)>,
}

impl Bar {
	pub(crate) fn new() -> Self {
		Self {
			bar: ProgressBar::hidden(),
			hidden: is_dumb(),
			background: false,
			task: None,
			file: String::new(),
			value: None,
			files: None,
		}
	}

	/// Says how much was sent or fetched so far, as in "2 of 5 files"; `None` if nothing was, or it is not known.
	pub(crate) fn arrived(&self) -> Option<String> {
		let (done, total) = match self.files {
			// The bytes are those of one of its files.
			Some(_) => return self.arrived_files(),
			None => self.value?,
		};
		match done {
			0 => None,
			// The length of a stream is not known before its end.
			done if done >= total => Some(bytes(done)),
			done => Some(format!("{} of {}", bytes(done), bytes(total))),
		}
	}

	/// Does the same for a folder whose files are records.
	pub(crate) fn arrived_files(&self) -> Option<String> {
		let (done, total) = self.files?;
		(done > 0).then(|| format!("{done} of {}", count(total, "file")))
	}

	/// Returns a bar that is never drawn.
	pub(crate) fn hidden() -> Self {
		let mut bar = Self::new();
		bar.hidden = true;
		bar
	}

	/// Hides the bar when the command has gone to the background, and shows it again when it has come back.
	fn look(&mut self) {
		let background = !is_in_foreground();
		if background != self.background && !self.hidden {
			self.bar.set_draw_target(match background {
				true => ProgressDrawTarget::hidden(),
				false => ProgressDrawTarget::stderr(),
			});
		}
		self.background = background;
	}
}

impl Drop for Bar {
	fn drop(&mut self) {
		self.look();
		self.bar.finish_and_clear();
	}
}

impl Progress for Bar {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		if matches!(stage, Stage::Sending | Stage::Fetching) {
			self.value = Some((done, total));
		}
		self.look();
		if self.task != Some((stage, total)) {
			self.task = Some((stage, total));
			self.bar.finish_and_clear();
			self.bar = bar(total);
			if self.hidden || self.background {
				self.bar.set_draw_target(ProgressDrawTarget::hidden());
			}
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
		self.look();
		// Start a new bar for the file, with its own length and speed.
		self.task = None;
		self.file = Shown(path).to_string();
		self.bar.set_message(self.file.clone());
	}

	fn files(&mut self, done: u64, total: u64) {
		self.files = Some((done, total));
	}
}

/// Returns a bar, which is hidden if stderr is not such a terminal.
pub(crate) fn bar(total: u64) -> ProgressBar {
	match is_dumb() {
		true => ProgressBar::hidden(),
		false => ProgressBar::new(total),
	}
}

/// Returns whether the terminal cannot redraw a line.
fn is_dumb() -> bool {
	std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// Returns whether the terminal is this program's to draw on: not while it runs as a job in the background.
#[cfg(unix)]
fn is_in_foreground() -> bool {
	rustix::termios::tcgetpgrp(std::io::stderr())
		.map_or(true, |group| group == rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn is_in_foreground() -> bool {
	true
}

const BYTES: &str =
	"{msg:10} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
const BLOCKS: &str = "{msg:10} {wide_bar} {pos}/{len} blocks {eta}";

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_arrived_is_known_after_an_interruption() {
		let mut bar = Bar::hidden();
		assert_eq!(bar.arrived(), None);
		bar.at(Stage::Naming, 9_000_000, 9_000_000);
		assert_eq!(bar.arrived(), None);
		bar.at(Stage::Sending, 2_000_000, 9_000_000);
		assert_eq!(bar.arrived().as_deref(), Some("2.0 MB of 9.0 MB"));
		bar.at(Stage::Sending, 9_000_000, 9_000_000);
		assert_eq!(bar.arrived().as_deref(), Some("9.0 MB"));
		// Of a folder, the files count.
		bar.file("a");
		bar.files(0, 5);
		assert_eq!(bar.arrived(), None);
		bar.files(2, 5);
		assert_eq!(bar.arrived().as_deref(), Some("2 of 5 files"));
		bar.files(5, 5);
		assert_eq!(bar.arrived().as_deref(), Some("5 of 5 files"));
	}
}
