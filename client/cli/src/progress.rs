// SPDX-License-Identifier: Apache-2.0
//! Progress bars on stderr, drawn only on a terminal that can redraw a line, and only while the command is in its foreground:
//! in the background, a bar would be drawn over what the user types.

use crate::text::{bytes, count};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use isthmus_sdk::{Progress, Shown, Stage};
use std::io::IsTerminal;

/// A bar for a long operation. It is hidden until the first report, and cleared when it is dropped.
pub(crate) struct Bar {
	bar: ProgressBar,
	/// Whether it stays hidden.
	hidden: bool,
	/// Whether it is hidden because the command is in the background.
	background: bool,
	/// Only what has more bytes than this is shown; `None` if all is.
	more_than: Option<u64>,
	/// What the bar is about: the stage, unless it is about a folder, and how much of it there is.
	task: Option<(Option<Stage>, u64)>,
	/// What is being done.
	stage: Option<Stage>,
	/// The path of the current file of a folder; empty if the operation is not about a folder.
	file: String,
	/// How many bytes of a value were sent or fetched, and of how many.
	value: Option<(u64, u64)>,
	/// How many files of a folder are stored, and of how many.
	files: Option<(u64, u64)>,
	/// How many bytes of a folder are done without those of the current file, and of how many.
	whole: Option<(u64, u64)>,
}

impl Bar {
	pub(crate) fn new() -> Self {
		Self {
			bar: ProgressBar::hidden(),
			hidden: is_dumb(),
			background: false,
			more_than: None,
			task: None,
			stage: None,
			file: String::new(),
			value: None,
			files: None,
			whole: None,
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

	/// Hides the bar if the data goes to stdout and that is a terminal, on which it would be drawn over the data. A
	/// program that reads from stdout may write to the same terminal, so the bar is not drawn for what comes at once.
	pub(crate) fn beside_stdout(&mut self) {
		self.hidden |= std::io::stdout().is_terminal();
		self.more_than = Some(AT_ONCE);
	}

	/// Returns a bar that is never drawn.
	#[cfg(test)]
	fn hidden() -> Self {
		let mut bar = Self::new();
		bar.hidden = true;
		bar
	}

	/// Returns whether the bar is drawn if the command is in the foreground.
	fn is_drawn(&self) -> bool {
		let length = self.task.map_or(0, |(_, length)| length);
		!self.hidden && self.more_than.is_none_or(|most| length > most)
	}

	/// Hides the bar when the command has gone to the background, and shows it again when it has come back.
	fn look(&mut self) {
		let background = !is_in_foreground();
		if background != self.background && self.is_drawn() {
			self.bar.set_draw_target(match background {
				true => ProgressDrawTarget::hidden(),
				false => ProgressDrawTarget::stderr(),
			});
		}
		self.background = background;
	}
}

impl Bar {
	/// Shows how much is done, in a new bar if it is about something else than the last one.
	fn show(&mut self, stage: Stage, done: u64, total: u64) {
		self.look();
		let task = (self.whole.is_none().then_some(stage), total);
		let is_new = self.task != Some(task) && !self.grows(task, done);
		if is_new {
			self.end();
			self.task = Some(task);
			self.bar = ProgressBar::new(total);
			if !self.is_drawn() || self.background {
				self.bar.set_draw_target(ProgressDrawTarget::hidden());
			}
			self.style(match (self.whole, stage) {
				(Some(_), _) => FOLDER,
				(None, Stage::Calling) => CALLS,
				(None, Stage::Searching) => BLOCKS,
				(None, _) if total == 0 => STREAM,
				(None, _) => BYTES,
			});
			self.count();
		}
		if is_new || self.stage != Some(stage) {
			self.stage = Some(stage);
			self.say();
		}
		self.bar.set_position(done);
	}

	/// Continues the bar of a stream, whose length is what was sent of it so far. Returns whether the task is one.
	fn grows(&mut self, task: (Option<Stage>, u64), done: u64) -> bool {
		let (stage, total) = task;
		let grows = self.task.is_some_and(|(before, length)| {
			let is_complete = done == total && self.bar.position() == length;
			stage.is_some() && stage == before && total > length && is_complete
		});
		if grows {
			self.task = Some(task);
			self.style(STREAM);
			self.bar.set_length(total);
		}
		grows
	}

	fn style(&self, template: &str) {
		if let Ok(style) = ProgressStyle::with_template(template) {
			self.bar.set_style(style);
		}
	}

	/// Shows what is being done, and with which file.
	fn say(&self) {
		let doing = match self.stage {
			Some(Stage::Reading) => "reading",
			Some(Stage::Naming) => "hashing",
			Some(Stage::Sending) => "storing",
			Some(Stage::Checking) => "checking",
			Some(Stage::Fetching) => "fetching",
			Some(Stage::Searching) => "searching",
			Some(Stage::Calling) => "sending",
			None => "",
		};
		let message = format!("{doing} {}", self.file);
		self.bar.set_message(message.trim().to_owned());
	}

	/// Shows how many files are done.
	fn count(&self) {
		if let Some((done, total)) = self.files {
			let files = count(total, "file");
			self.bar.set_prefix(format!("{done}/{files}"));
		}
	}

	/// Clears the bar. One that is complete is shown so before.
	fn end(&self) {
		if self.bar.length() == Some(self.bar.position()) {
			self.bar.force_draw();
		}
		self.bar.finish_and_clear();
	}
}

impl Drop for Bar {
	fn drop(&mut self) {
		self.look();
		self.end();
	}
}

impl Progress for Bar {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		if matches!(stage, Stage::Sending | Stage::Fetching) {
			self.value = Some((done, total));
		}
		match self.whole {
			Some((before, all)) => self.show(stage, before.saturating_add(done).min(all), all),
			None => self.show(stage, done, total),
		}
	}

	fn file(&mut self, path: &str) {
		self.look();
		self.file = shortened(&Shown(path).to_string());
		if self.whole.is_none() {
			// Start a new bar for the file, with its own length and speed.
			self.task = None;
		}
		self.say();
	}

	fn whole(&mut self, stage: Stage, done: u64, total: u64) {
		self.whole = Some((done, total));
		self.show(stage, done, total);
	}

	fn files(&mut self, done: u64, total: u64) {
		self.files = Some((done, total));
		self.count();
	}
}

/// Returns the end of a path, so that there is space for the bar beside it.
fn shortened(path: &str) -> String {
	let length = path.chars().count();
	match length > LONGEST {
		true => {
			let end = path.chars().skip(length - LONGEST + 1);
			std::iter::once('…').chain(end).collect()
		}
		false => path.to_owned(),
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

/// How many bytes go to stdout at once, so that a bar would tell nothing: a chunk.
const AT_ONCE: u64 = 1 << 20;

/// How many characters of a path are shown.
const LONGEST: usize = 30;

const BYTES: &str =
	"{msg:10} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
const STREAM: &str = "{msg:10} {decimal_bytes} {decimal_bytes_per_sec}";
const FOLDER: &str =
	"{msg:10} {wide_bar} {prefix} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
const BLOCKS: &str = "{msg:10} {wide_bar} {pos}/{len} blocks {eta}";
const CALLS: &str = "{msg:10} {wide_bar} {pos}/{len} calls {eta}";

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

	#[test]
	fn the_bar_of_a_folder_is_about_all_of_it() {
		let mut bar = Bar::hidden();
		let shown = |bar: &Bar| (bar.bar.position(), bar.bar.length());
		// Its list comes before its length is known.
		bar.at(Stage::Fetching, 7, 7);
		assert_eq!(shown(&bar), (7, Some(7)));
		bar.whole(Stage::Sending, 0, 100);
		bar.files(0, 3);
		assert_eq!(shown(&bar), (0, Some(100)));
		// It moves within a file.
		bar.file("long");
		for (stage, done, position) in [
			(Stage::Naming, 35, 35),
			(Stage::Sending, 0, 0),
			(Stage::Sending, 70, 70),
		] {
			bar.at(stage, done, 70);
			assert_eq!(shown(&bar), (position, Some(100)));
		}
		assert_eq!(bar.bar.message(), "storing long");
		// It moves from one file to the next.
		for (files, bytes) in [(1, 70), (2, 90), (3, 100)] {
			bar.files(files, 3);
			bar.whole(Stage::Sending, bytes, 100);
			bar.file("short");
			assert_eq!(shown(&bar), (bytes, Some(100)));
			assert_eq!(bar.bar.prefix(), format!("{files}/3 files"));
		}
		// Its list comes last, and a file may have grown.
		bar.at(Stage::Sending, 500, 500);
		assert_eq!(shown(&bar), (100, Some(100)));
		assert_eq!(bar.arrived_files().as_deref(), Some("3 of 3 files"));
	}

	/// A bar for each part would show the rate of no time.
	#[test]
	fn the_bar_of_a_stream_goes_on_as_it_grows() {
		let mut bar = Bar::hidden();
		bar.at(Stage::Sending, 0, 0);
		let first = bar.bar.downgrade();
		for sent in [100, 300, 300, 700] {
			bar.at(Stage::Sending, sent, sent);
			assert_eq!((bar.bar.position(), bar.bar.length()), (sent, Some(sent)));
		}
		assert!(first.upgrade().is_some());
		assert_eq!(bar.arrived().as_deref(), Some("700 B"));
		// Something else has a bar of its own.
		bar.at(Stage::Sending, 0, 900);
		assert!(first.upgrade().is_none());
	}

	#[test]
	fn beside_stdout_only_what_takes_long_has_a_bar() {
		let mut bar = Bar::new();
		bar.hidden = false;
		bar.more_than = Some(AT_ONCE);
		for (length, is_drawn) in [(6, false), (AT_ONCE, false), (AT_ONCE + 1, true)] {
			bar.task = Some((Some(Stage::Fetching), length));
			assert_eq!(bar.is_drawn(), is_drawn);
		}
	}

	#[test]
	fn a_long_path_leaves_space_for_the_bar() {
		assert_eq!(shortened("a/b"), "a/b");
		let long = format!("{}/é.jpg", "folder/".repeat(9));
		let short = shortened(&long);
		assert_eq!(short.chars().count(), LONGEST);
		assert!(
			short.starts_with('…') && short.ends_with("/é.jpg"),
			"{short}"
		);
	}
}
