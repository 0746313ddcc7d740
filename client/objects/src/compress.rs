// SPDX-License-Identifier: Apache-2.0
//! Compresses a value while it is read for an upload.
//!
//! A resumed upload has to send the same bytes as before, so what comes out depends on nothing but the value, the level and
//! the version of the zstd library: each frame is compressed on its own, in a new context, by one thread.

use isthmus_envelope::{
	compressed::{Frames, Piece, FRAME},
	threads,
};
use std::{
	collections::VecDeque,
	io::{self, Read},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
};
use zstd::bulk::Compressor;

/// zstd's default level. Higher ones are slower than a disk or a network.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;
/// How many frames are compressed at a time, at most.
const MOST_AT_ONCE: usize = 8;

/// A frame and the hash of its part of the value.
type Frame = (Vec<u8>, [u8; blake3::OUT_LEN]);

/// How many bytes of a value were read and are compressed, and how many were made of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
	read: AtomicU64,
	made: AtomicU64,
}

impl Counts {
	/// Returns about how many bytes of the value are in this number of compressed ones: exactly at the end.
	pub(crate) fn of_value(&self, compressed: u64) -> u64 {
		let (read, made) = (&self.read, &self.made);
		let [read, made] = [read, made].map(|count| u128::from(count.load(Ordering::Relaxed)));
		let part = (u128::from(compressed) * read).checked_div(made);
		// It is at most what was read, which has 64 bits.
		part.unwrap_or_default().min(read) as u64
	}
}

/// Why a source is not read on: it has another length than the caller said.
#[derive(Debug, thiserror::Error)]
#[error("the value has other than {expected} bytes")]
pub(crate) struct NotAsLong {
	pub(crate) expected: u64,
}

/// A source whose bytes are compressed.
pub(crate) struct Compressed<R> {
	source: R,
	/// The value's length in bytes, if it is known.
	expected: Option<u64>,
	/// How many bytes of the value were read.
	length: u64,
	counts: Arc<Counts>,
	/// The frames so far; `None` once the value has ended, or could not be read.
	frames: Option<Frames>,
	/// Whether the value was read to its end.
	is_complete: bool,
	/// What is handed out next.
	ready: VecDeque<Piece>,
	/// How many bytes of its first piece were handed out.
	at: usize,
}

impl<R: Read> Compressed<R> {
	/// Prepares to compress what a source has until its end. If a length is given, it must have that.
	pub(crate) fn new(source: R, expected: Option<u64>) -> (Self, Arc<Counts>) {
		let counts = Arc::<Counts>::default();
		let compressed = Self {
			source,
			expected,
			length: 0,
			counts: counts.clone(),
			frames: Some(Frames::default()),
			is_complete: false,
			ready: VecDeque::new(),
			at: 0,
		};
		(compressed, counts)
	}

	/// Reads and compresses some more frames. After the last one, makes what follows them.
	fn more(&mut self, mut frames: Frames) -> io::Result<()> {
		let most = threads::at_most(MOST_AT_ONCE);
		let (mut parts, mut is_end) = (Vec::new(), false);
		while parts.len() < most && !is_end {
			let mut part = vec![0; FRAME];
			let got = fill(&mut self.source, &mut part)?;
			part.truncate(got);
			self.length += got as u64;
			is_end = got < FRAME;
			parts.extend((got > 0).then_some(part));
		}
		let is_wrong =
			|expected: &u64| self.length > *expected || is_end && self.length < *expected;
		if let Some(expected) = self.expected.filter(is_wrong) {
			return Err(io::Error::other(NotAsLong { expected }));
		}
		let made = threads::map(&parts, most, |part| frame(part))?;
		let made: Vec<Frame> = made.into_iter().collect::<io::Result<_>>()?;
		for (part, (bytes, hash)) in parts.iter().zip(made) {
			frames
				.add(bytes.len(), part.len(), &hash)
				.map_err(io::Error::other)?;
			self.ready.push_back(Piece::Bytes(bytes));
		}
		match is_end {
			true => {
				self.ready.extend(frames.finish());
				self.is_complete = true;
			}
			false => self.frames = Some(frames),
		}
		Ok(())
	}
}

impl<R: Read> Read for Compressed<R> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let got = loop {
			match self.ready.front_mut() {
				Some(Piece::Bytes(bytes)) if self.at < bytes.len() => {
					let got = space.len().min(bytes.len() - self.at);
					space[..got].copy_from_slice(&bytes[self.at..self.at + got]);
					self.at += got;
					break got;
				}
				Some(Piece::Zeros(left)) if *left > 0 => {
					// It is at most the space's length.
					let got = (*left).min(space.len() as u64) as usize;
					space[..got].fill(0);
					*left -= got as u64;
					break got;
				}
				Some(_) => {
					self.ready.pop_front();
					self.at = 0;
				}
				None => {
					self.counts.read.store(self.length, Ordering::Relaxed);
					match self.frames.take() {
						Some(frames) => self.more(frames)?,
						None if self.is_complete => break 0,
						// After an error, nothing follows: this must not look like the value's end.
						None => return Err(io::ErrorKind::BrokenPipe.into()),
					}
				}
			}
		};
		self.counts.made.fetch_add(got as u64, Ordering::Relaxed);
		Ok(got)
	}
}

/// Reads until the space is full or the source ends.
pub(crate) fn fill(source: &mut impl Read, space: &mut [u8]) -> io::Result<usize> {
	let mut got = 0;
	while got < space.len() {
		match source.read(&mut space[got..]) {
			Ok(0) => break,
			Ok(count) => got += count,
			Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
			Err(error) => return Err(error),
		}
	}
	Ok(got)
}

/// Compresses a part of a value.
fn frame(part: &[u8]) -> io::Result<Frame> {
	let mut compressor = Compressor::new(LEVEL)?;
	compressor.include_checksum(true)?;
	Ok((compressor.compress(part)?, blake3::hash(part).into()))
}
