// SPDX-License-Identifier: Apache-2.0
//! Tells what a program's parent gave it: which standard streams were closed when it started, as by `>&-` in a shell, or open
//! the wrong way, as by `1< FILE`, and whether the end of the terminal should end it ([`minds_hangup`]).
//!
//! Rust opens `/dev/null` in their place before `main`, for reading and writing. Many programs that start others do the
//! same on purpose, such as Python with `DEVNULL`, and from then on nothing tells the two apart. So this crate looks when
//! the program is loaded, before that. It knows nothing on systems other than Linux.

// One attribute is allowed below.
#![deny(unsafe_code)]

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
	/// Standard input.
	Stdin = 0,
	/// Standard output.
	Stdout = 1,
	/// Standard error.
	Stderr = 2,
}

impl Stream {
	/// Returns whether the stream was closed when the program started, or open in the wrong direction: Rust's library then takes
	/// output for written, and input for ended. Returns `false` where that is not known.
	pub fn was_closed(self) -> bool {
		loading::closed() & (1 << self as u8) != 0
	}
}

/// Returns whether SIGHUP, as from a terminal that closes, should end this program: not if the program was started to ignore
/// it, as by `nohup`. Returns `false` where that is not known, and leaves the signal to the system.
pub fn minds_hangup() -> bool {
	minds(HANGUP)
}

/// Returns whether a signal, of which this is the number, should act on this program: not if the program was started to ignore
/// it, as a script's commands in the background ignore SIGINT. Returns `false` where that is not known.
pub fn minds(signal: i32) -> bool {
	let status = std::fs::read_to_string("/proc/self/status");
	status.is_ok_and(|status| {
		ignored(&status).is_some_and(|signals| (signals >> (signal - 1)) & 1 == 0)
	})
}

/// The number of SIGHUP.
const HANGUP: i32 = 1;

/// Returns the set of signals that a process ignores, from what Linux says of it.
fn ignored(status: &str) -> Option<u64> {
	let mut lines = status.lines();
	let signals = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
	u64::from_str_radix(signals.trim(), 16).ok()
}

#[cfg(target_os = "linux")]
mod loading {
	use rustix::fs::{fcntl_getfl, OFlags};
	use std::{
		hint::black_box,
		io::{stderr, stdin, stdout},
		os::fd::AsFd,
		sync::atomic::{AtomicU8, Ordering::Relaxed},
	};

	/// The closed streams, one bit each.
	static CLOSED: AtomicU8 = AtomicU8::new(0);

	/// The loader calls the functions in this section before the program's own `main`, in which Rust opens the streams.
	// Sound: `look` calls nothing that needs a runtime which is started later, and cannot panic.
	#[allow(unsafe_code)]
	#[used]
	#[link_section = ".init_array"]
	static LOOK: extern "C" fn() = look;

	extern "C" fn look() {
		let is_closed = |stream: &dyn AsFd, wrong: OFlags| match fcntl_getfl(stream.as_fd()) {
			Ok(flags) => flags & OFlags::RWMODE == wrong,
			Err(_) => true,
		};
		let streams: [(&dyn AsFd, OFlags); 3] = [
			(&stdin(), OFlags::WRONLY),
			(&stdout(), OFlags::RDONLY),
			(&stderr(), OFlags::RDONLY),
		];
		for (bit, (stream, wrong)) in streams.into_iter().enumerate() {
			CLOSED.fetch_or(u8::from(is_closed(stream, wrong)) << bit, Relaxed);
		}
	}

	pub(super) fn closed() -> u8 {
		// The linker keeps what is used.
		black_box(LOOK);
		CLOSED.load(Relaxed)
	}
}

#[cfg(not(target_os = "linux"))]
mod loading {
	pub(super) fn closed() -> u8 {
		0
	}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
	use super::*;
	use std::{env, process};

	/// Set for the process that is looked at: it ends with the closed streams as its exit code.
	const LOOKED_AT: &str = "ISTHMUS_STREAMS_LOOKED_AT";

	#[test]
	fn a_program_that_nohup_started_does_not_mind_a_hangup() {
		if env::var_os(LOOKED_AT).is_some() {
			process::exit(i32::from(minds_hangup()));
		}
		for (before, expected) in [(":", i32::from(minds_hangup())), ("trap '' HUP", 0)] {
			let name = "tests::a_program_that_nohup_started_does_not_mind_a_hangup";
			let status = process::Command::new("sh")
				.args(["-c", &format!("{before}; exec \"$0\" --exact {name}")])
				.arg(env::current_exe().unwrap())
				.env(LOOKED_AT, "1")
				.status();
			assert_eq!(status.unwrap().code(), Some(expected), "{before}");
		}
		assert_eq!(
			ignored("Name:\tx\nSigIgn:\t0000000000001001\n"),
			Some(0x1001)
		);
		assert_eq!(ignored("SigIgn:\tx\n"), None);
	}

	#[test]
	fn a_closed_stream_is_told_from_dev_null() {
		if env::var_os(LOOKED_AT).is_some() {
			let streams = [Stream::Stdin, Stream::Stdout, Stream::Stderr];
			let bits = streams.map(|stream| i32::from(stream.was_closed()) << stream as i32);
			process::exit(bits.iter().sum());
		}
		for (redirections, expected) in [
			("", 0),
			("<&-", 1),
			(">&-", 2),
			("2>&-", 4),
			("<&- >&- 2>&-", 7),
			("</dev/null >/dev/null 2>/dev/null", 0),
			("<>/dev/null 1<>/dev/null 2<>/dev/null", 0),
			("<&- 1<>/dev/null", 1),
			("0>/dev/null 1</dev/null 2</dev/null", 7),
		] {
			let script = format!(
				"exec \"$0\" --exact tests::a_closed_stream_is_told_from_dev_null {redirections}"
			);
			let status = process::Command::new("sh")
				.args(["-c", &script])
				.arg(env::current_exe().unwrap())
				.env(LOOKED_AT, "1")
				.status();
			assert_eq!(status.unwrap().code(), Some(expected), "{redirections}");
		}
	}
}
