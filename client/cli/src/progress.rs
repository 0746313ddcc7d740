// SPDX-License-Identifier: Apache-2.0
//! Progress bars on stderr, drawn only on a terminal that can redraw a line, and only while the command is in its foreground:
//! in the background, a bar would be drawn over what the user types.

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
}

impl Bar {
	pub(crate) fn new() -> Self {
		Self {
			bar: ProgressBar::hidden(),
			hidden: is_dumb(),
			background: false,
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

const BYTES: &str = "{msg:10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const BLOCKS: &str = "{msg:10} {wide_bar} {pos}/{len} blocks {eta}";
