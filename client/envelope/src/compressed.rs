// SPDX-License-Identifier: Apache-2.0
//! Compressed values: the plaintext of an [object](crate::object) of the form [`Compressed`](crate::Form::Compressed).
//!
//! It is zstd's [seekable format](https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md),
//! so that any zstd decompresses it: frames of [`FRAME`] bytes of the value each, compressed independently, skippable frames
//! with hashes and with padding, and a table of all frames at the end. The padding hides the compressed length, which tells
//! something about the value: the whole has one of the few lengths that [`padded`] returns.
//!
//! This module has the layout, and compresses nothing itself. Who stored a value may have written anything, so a reader learns
//! from [`Table::read`] all that it needs to find a frame, and that no length exceeds what a frame needs.

use std::{iter, ops::Range};

/// How many bytes of the value a frame has, except the last one, which may have fewer.
pub const FRAME: usize = 1 << 20;
/// The most bytes that a compressed frame has. One that cannot be compressed grows by a few bytes for every 128 KiB.
pub const MAX_STORED: usize = FRAME + FRAME / 256;
/// The most frames of a value.
pub const MAX_FRAMES: u32 = 1 << 20;
/// Length of a frame's hash in bytes.
pub const HASH_LEN: usize = 32;
/// The last bytes of a table: the number of frames, the descriptor and the seekable format's magic number.
pub const FOOTER_LEN: usize = 9;

/// The magic number of the skippable frames with hashes and with padding (RFC 8878, section 3.1.2, the first of 16).
const SKIPPED: u32 = 0x184d_2a50;
/// The magic number of the skippable frame with the table.
const TABLE: u32 = 0x184d_2a5e;
/// The last four bytes of the table.
const SEEKABLE: u32 = 0x8f92_eab1;
/// Length of a skippable frame's magic number and length, in bytes.
const SKIPPED_LEN: usize = 8;
/// Length of a frame's entry in the table, in bytes: its compressed length and that of its part of the value.
const ENTRY_LEN: usize = 8;
/// The most bytes of padding in one frame. A frame's length has 32 bits.
const MAX_PADDING: u64 = 1 << 30;
/// The most frames in a table: those of the value, one with hashes, and those with padding.
const MAX_ENTRIES: u32 = MAX_FRAMES + 64;

/// Why a compressed value is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressedError {
	/// It does not end with a table.
	#[error("the compressed value does not end with a table of its frames")]
	NoTable,
	/// The table's descriptor asks for what this version does not read.
	#[error("the compressed value's table is of an unknown kind, {got:#04x}")]
	UnknownKind {
		/// The descriptor.
		got: u8,
	},
	/// The table has more frames than any value needs, or than there is space for.
	#[error("the compressed value's table has {got} frames, which is too many")]
	TooManyFrames {
		/// The number of frames.
		got: u32,
	},
	/// A frame is longer than any compressed frame, or has none or too few bytes of the value.
	#[error("frame {frame} of the compressed value cannot have {stored} bytes for {length} bytes of the value")]
	FrameLength {
		/// The frame's number, from 0.
		frame: u32,
		/// Its length in bytes.
		stored: u32,
		/// How many bytes of the value it is said to have.
		length: u32,
	},
	/// The frames after the value's are not those with hashes and padding that these need.
	#[error("the compressed value's padding is not what its {frames} frames need")]
	Padding {
		/// The number of the value's frames.
		frames: u32,
	},
	/// A frame is not one of zstd with the length in the table.
	#[error("frame {frame} of the compressed value is not what the table says")]
	Frame {
		/// The frame's number, from 0.
		frame: u32,
	},
}

/// Rounds a length up so that its binary digits after the first few are zeros (Padmé, in Nikitin et al., "Reducing metadata
/// leakage from encrypted files and communication with PURBs", 2019, algorithm 1).
///
/// Of the lengths up to L, it leaves O(log L · log log L) many, and adds at most 12 %.
///
/// ```text
/// E = ⌊log₂ L⌋, S = ⌊log₂ E⌋ + 1: the last E − S digits become zeros
/// ```
pub fn padded(length: u64) -> u64 {
	let Some(exponent) = length.checked_ilog2().filter(|exponent| *exponent > 0) else {
		return length;
	};
	let kept = exponent.ilog2() + 1;
	let mask = (1u64 << exponent.saturating_sub(kept)) - 1;
	length.saturating_add(mask) & !mask
}

/// Returns the most bytes that a compressed value of this length has, in frames, hashes, padding and table.
pub fn bound(length: u64) -> u64 {
	let frames = length.div_ceil(FRAME as u64);
	let of_frame = (MAX_STORED - FRAME + HASH_LEN + ENTRY_LEN) as u64;
	let rest = (1 << 10) as u64;
	padded(
		frames
			.saturating_mul(of_frame)
			.saturating_add(length)
			.saturating_add(rest),
	)
}

/// What follows the frames of a value: a frame with their hashes, frames with padding, and the table.
struct Ending {
	/// The lengths of the skippable frames before the table in bytes: first that of the hashes, then those of the padding.
	skipped: Vec<u32>,
	/// The length of the whole in bytes.
	total: u64,
}

impl Ending {
	/// Returns what follows this number of frames, which end at a byte.
	fn of(frames: u32, end: u64) -> Self {
		let hashes = SKIPPED_LEN + frames as usize * HASH_LEN;
		// The padding of the longest value, of 2^40 bytes, has at most 2^34: it fits into a few frames.
		let mut count = 1;
		loop {
			let entries = u64::from(frames) + 1 + count;
			let table = (SKIPPED_LEN + FOOTER_LEN) as u64 + entries * ENTRY_LEN as u64;
			let needed = end + hashes as u64 + count * SKIPPED_LEN as u64 + table;
			let total = padded(needed);
			let mut left = total - needed;
			if left > count * MAX_PADDING {
				count += 1;
				continue;
			}
			let mut skipped = vec![hashes as u32];
			skipped.extend((0..count).map(|_| {
				let now = left.min(MAX_PADDING);
				left -= now;
				SKIPPED_LEN as u32 + now as u32
			}));
			return Self { skipped, total };
		}
	}
}

/// The frames of a value that is being compressed.
#[derive(Debug, Default)]
pub struct Frames {
	/// The table's entries.
	entries: Vec<u8>,
	hashes: Vec<u8>,
	count: u32,
	end: u64,
}

/// A piece of what follows the frames of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
	/// These bytes.
	Bytes(Vec<u8>),
	/// This number of zeros.
	Zeros(u64),
}

impl Frames {
	/// Notes the next frame: its length in bytes, that of its part of the value, and the hash of that part. All parts but the
	/// last one have [`FRAME`] bytes.
	///
	/// # Errors
	///
	/// Returns [`CompressedError::TooManyFrames`] if there are [`MAX_FRAMES`] frames, and [`CompressedError::FrameLength`] if no
	/// reader takes a frame of these lengths.
	pub fn add(
		&mut self,
		stored: usize,
		length: usize,
		hash: &[u8; HASH_LEN],
	) -> Result<(), CompressedError> {
		let got = self.count.saturating_add(1);
		if got > MAX_FRAMES {
			return Err(CompressedError::TooManyFrames { got });
		}
		let is_frame = (1..=MAX_STORED).contains(&stored) && (1..=FRAME).contains(&length);
		let (stored, length) = (stored as u32, length as u32);
		if !is_frame {
			let frame = self.count;
			return Err(CompressedError::FrameLength {
				frame,
				stored,
				length,
			});
		}
		self.entries.extend(entry(stored, length));
		self.hashes.extend(hash);
		self.count = got;
		self.end += u64::from(stored);
		Ok(())
	}

	/// Returns what follows the frames.
	pub fn finish(self) -> Vec<Piece> {
		let Ending { skipped, .. } = Ending::of(self.count, self.end);
		let mut pieces = Vec::new();
		let mut table = self.entries;
		let hashes = iter::once(Piece::Bytes(self.hashes));
		let zeros = skipped.iter().skip(1);
		let zeros = zeros.map(|length| Piece::Zeros(u64::from(*length) - SKIPPED_LEN as u64));
		for (length, content) in skipped.iter().zip(hashes.chain(zeros)) {
			table.extend(entry(*length, 0));
			pieces.push(Piece::Bytes(skippable(
				SKIPPED,
				length - SKIPPED_LEN as u32,
			)));
			pieces.push(content);
		}
		let entries = (table.len() / ENTRY_LEN) as u32;
		let mut last = skippable(TABLE, (table.len() + FOOTER_LEN) as u32);
		last.extend(table);
		last.extend(entries.to_le_bytes());
		last.push(0);
		last.extend(SEEKABLE.to_le_bytes());
		pieces.push(Piece::Bytes(last));
		pieces
	}
}

/// Returns the beginning of a skippable frame with this number of bytes after it.
fn skippable(magic: u32, length: u32) -> Vec<u8> {
	[magic.to_le_bytes(), length.to_le_bytes()].concat()
}

fn entry(stored: u32, length: u32) -> [u8; ENTRY_LEN] {
	let mut entry = [0; ENTRY_LEN];
	entry[..4].copy_from_slice(&stored.to_le_bytes());
	entry[4..].copy_from_slice(&length.to_le_bytes());
	entry
}

/// Where the frames of a value are in the compressed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
	/// Where each frame begins, and where the last one ends.
	starts: Vec<u64>,
	/// The value's length in bytes.
	length: u64,
}

impl Table {
	/// Returns how many bytes at the end of a compressed value of `total` bytes are its table. `end` has its last bytes, at
	/// least [`FOOTER_LEN`].
	///
	/// # Errors
	///
	/// Returns [`CompressedError::NoTable`], [`CompressedError::UnknownKind`] or [`CompressedError::TooManyFrames`] if they are not
	/// a table's.
	pub fn len_in(end: &[u8], total: u64) -> Result<usize, CompressedError> {
		let footer = end.last_chunk::<FOOTER_LEN>();
		let &[a, b, c, d, kind, ref magic @ ..] = footer.ok_or(CompressedError::NoTable)?;
		if *magic != SEEKABLE.to_le_bytes() {
			return Err(CompressedError::NoTable);
		}
		if kind != 0 {
			return Err(CompressedError::UnknownKind { got: kind });
		}
		let got = u32::from_le_bytes([a, b, c, d]);
		let length = SKIPPED_LEN + FOOTER_LEN + got as usize * ENTRY_LEN;
		match got <= MAX_ENTRIES && length as u64 <= total {
			true => Ok(length),
			false => Err(CompressedError::TooManyFrames { got }),
		}
	}

	/// Reads the table of a compressed value of `total` bytes. It is exactly the last bytes, as many as [`Self::len_in`] returns.
	///
	/// # Errors
	///
	/// Returns the errors of [`Self::len_in`], [`CompressedError::FrameLength`] if a frame cannot have its length, and
	/// [`CompressedError::Padding`] if what follows the value's frames is not what [`Frames::finish`] returns for them.
	pub fn read(bytes: &[u8], total: u64) -> Result<Self, CompressedError> {
		let length = Self::len_in(bytes, total)?;
		let content = (length - SKIPPED_LEN) as u32;
		let entries = bytes.strip_prefix(&skippable(TABLE, content)[..]);
		let entries = entries.filter(|_| bytes.len() == length);
		let entries = entries.ok_or(CompressedError::NoTable)?;
		let entries = &entries[..entries.len() - FOOTER_LEN];
		let (entries, _) = entries.as_chunks::<ENTRY_LEN>();
		let mut entries = entries
			.iter()
			.map(|&[a, b, c, d, e, f, g, h]| {
				let [stored, length] = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes);
				(stored, length)
			})
			.peekable();
		let mut table = Self {
			starts: vec![0],
			length: 0,
		};
		let (mut end, mut frame) = (0u64, 0);
		while let Some((stored, length)) = entries.next_if(|(_, length)| *length > 0) {
			let is_last = entries.peek().is_none_or(|(_, next)| *next == 0);
			let fits = match is_last {
				true => length as usize <= FRAME,
				false => length as usize == FRAME,
			};
			if !fits || stored == 0 || stored as usize > MAX_STORED || frame >= MAX_FRAMES {
				return Err(CompressedError::FrameLength {
					frame,
					stored,
					length,
				});
			}
			// At most 2^20 frames of little more than 2^20 bytes.
			end += u64::from(stored);
			table.starts.push(end);
			table.length += u64::from(length);
			frame += 1;
		}
		let Ending { skipped, total: at } = Ending::of(frame, end);
		let skipped = skipped.into_iter().map(|length| (length, 0));
		match entries.eq(skipped) && at == total {
			true => Ok(table),
			false => Err(CompressedError::Padding { frames: frame }),
		}
	}

	/// Returns the value's length in bytes.
	pub fn length(&self) -> u64 {
		self.length
	}

	/// Returns the number of the value's frames.
	pub fn frames(&self) -> u32 {
		// `read` bounds it.
		(self.starts.len() - 1) as u32
	}

	/// Returns how many bytes of the value a frame has; none if there is no such frame.
	pub fn frame_len(&self, frame: u32) -> usize {
		let rest = self.length.saturating_sub(u64::from(frame) * FRAME as u64);
		rest.min(FRAME as u64) as usize
	}

	/// Returns where these frames are in the compressed value: nowhere, if there are no such frames.
	pub fn stored(&self, frames: Range<u32>) -> Range<u64> {
		let last = self.starts.last().copied().unwrap_or_default();
		let start = |frame: u32| self.starts.get(frame as usize).copied().unwrap_or(last);
		start(frames.start)..start(frames.end)
	}

	/// Returns where the hashes of all frames are in the compressed value, of [`HASH_LEN`] bytes each.
	pub fn hashes(&self) -> Range<u64> {
		let start = self.stored(self.frames()..u32::MAX).start + SKIPPED_LEN as u64;
		start..start + u64::from(self.frames()) * HASH_LEN as u64
	}
}

#[cfg(test)]
mod tests;
