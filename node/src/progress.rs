// SPDX-License-Identifier: Apache-2.0
//! Says every few seconds what a command does that takes long, also while it can only wait.

use std::{
	io::{self, Read, Write},
	sync::{
		atomic::{AtomicBool, AtomicU64, Ordering},
		mpsc::{self, RecvTimeoutError},
		Arc,
	},
	thread,
	time::{Duration, Instant},
};

/// How often.
pub(crate) const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Calls a function again and again until this is dropped.
pub(crate) struct Reports {
	_done: mpsc::Sender<()>,
}

impl Reports {
	/// Calls `report` every few seconds, with the time since now.
	pub(crate) fn start(report: impl FnMut(Duration) + Send + 'static) -> Self {
		Self::every(REPORT_EVERY, report)
	}

	fn every(period: Duration, mut report: impl FnMut(Duration) + Send + 'static) -> Self {
		let (done, waiting) = mpsc::channel::<()>();
		let start = Instant::now();
		let run = move || {
			while waiting.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
				report(start.elapsed());
			}
		};
		// The work is done without these lines, too.
		if let Err(error) = thread::Builder::new().spawn(run) {
			log::debug!("cannot start a thread: {error}");
		}
		Self { _done: done }
	}
}

/// How much has gone through a stream, and whether who uses it waits for it now.
#[derive(Default)]
pub(crate) struct Flow {
	bytes: AtomicU64,
	waits: AtomicBool,
}

impl Flow {
	/// Returns how many bytes have gone through the stream.
	pub(crate) fn bytes(&self) -> u64 {
		self.bytes.load(Ordering::Relaxed)
	}

	/// Does something that may wait for the other end of the stream.
	pub(crate) fn wait_for<T>(&self, work: impl FnOnce() -> T) -> T {
		self.waits.store(true, Ordering::Relaxed);
		let done = work();
		self.waits.store(false, Ordering::Relaxed);
		done
	}
}

/// A stream whose flow is known.
pub(crate) struct Counted<S> {
	stream: S,
	flow: Arc<Flow>,
}

impl<S> Counted<S> {
	/// Counts in `flow` what goes through a stream.
	pub(crate) fn new(stream: S, flow: Arc<Flow>) -> Self {
		Self { stream, flow }
	}

	fn transfer(
		&mut self,
		transfer: impl FnOnce(&mut S) -> io::Result<usize>,
	) -> io::Result<usize> {
		let Self { stream, flow } = self;
		let length = flow.wait_for(|| transfer(stream))?;
		flow.bytes.fetch_add(length as u64, Ordering::Relaxed);
		Ok(length)
	}
}

impl<R: Read> Read for Counted<R> {
	fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		self.transfer(|stream| stream.read(buffer))
	}
}

impl<W: Write> Write for Counted<W> {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		self.transfer(|stream| stream.write(bytes))
	}

	fn flush(&mut self) -> io::Result<()> {
		let Self { stream, flow } = self;
		flow.wait_for(|| stream.flush())
	}
}

/// Looks again and again whether a stream stands.
pub(crate) struct Watcher {
	flow: Arc<Flow>,
	/// How much had gone through it at the last look.
	bytes: u64,
	/// When it was last seen to move.
	since: Instant,
}

impl Watcher {
	/// Watches a stream from now on.
	pub(crate) fn new(flow: Arc<Flow>) -> Self {
		Self {
			bytes: flow.bytes(),
			flow,
			since: Instant::now(),
		}
	}

	/// Returns for how long the stream has kept its user waiting; `None` if something has gone through it since the last look, or
	/// if no one waits for it.
	pub(crate) fn stands(&mut self) -> Option<Duration> {
		let bytes = self.flow.bytes();
		let waits = self.flow.waits.load(Ordering::Relaxed);
		if bytes == self.bytes && waits {
			return Some(self.since.elapsed());
		}
		self.bytes = bytes;
		self.since = Instant::now();
		None
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn reports_come_until_the_work_ends() {
		let (told, reports) = mpsc::channel();
		let work = Reports::every(Duration::from_millis(1), move |_| {
			// The last may come when no one listens any more.
			let _ = told.send(());
		});
		for _ in 0..3 {
			reports.recv().unwrap();
		}
		drop(work);
		// The thread owns the other end, and has ended when that is closed.
		while reports.recv().is_ok() {}
	}

	#[test]
	fn a_stream_that_takes_nothing_is_seen_to_stand() {
		let flow = Arc::new(Flow::default());
		let mut watcher = Watcher::new(flow.clone());
		assert_eq!(watcher.stands(), None);
		flow.wait_for(|| assert!(watcher.stands().is_some()));
		let mut output = Counted::new(Vec::<u8>::new(), flow.clone());
		output.write_all(&[7; 3]).unwrap();
		let mut input = Counted::new(&[7_u8; 2][..], flow.clone());
		input.read_exact(&mut [0; 2]).unwrap();
		assert_eq!((output.stream.len(), flow.bytes()), (3, 5));
		flow.wait_for(|| {
			assert_eq!(watcher.stands(), None);
			assert!(watcher.stands().is_some());
		});
		assert_eq!(watcher.stands(), None);
	}
}
