// SPDX-License-Identifier: Apache-2.0
//! Reads the value of an object: its plaintext, or what that decompresses to.
//!
//! Who stored an object may have written anything into it. So a compressed value's table is checked before it is used, and a
//! frame is decompressed into space for what the table says it has, and no more.

use crate::{
	read::{cut, ReadError, Reader},
	turns::Left,
};
use isthmus_envelope::{
	compressed::{CompressedError, Table, FOOTER_LEN, FRAME, HASH_LEN},
	object::CHUNK,
	Form,
};
use std::{
	io::{Read, Write},
	ops::Range,
};
use zstd::{bulk::Decompressor, zstd_safe::find_frame_compressed_size};

/// The first bytes of every frame of zstd (RFC 8878, section 3.1.1). The library also knows formats from before that.
const ZSTD: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// Reads the value of one object. A compressed value's frames take the place of the object's chunks.
#[derive(Debug)]
pub struct ValueReader {
	reader: Reader,
	/// Where the frames are, if the value is compressed.
	table: Option<Table>,
}

impl ValueReader {
	/// Prepares to read the value of an object. If it is compressed, fetches the table of its frames.
	///
	/// # Errors
	///
	/// Returns [`ReadError::NoneLeft`] if no location has the table, and [`ReadError::Compressed`] if it is not one.
	pub async fn open(reader: Reader) -> Result<Self, ReadError> {
		let table = match reader.form() {
			Form::Plain => None,
			Form::Compressed => Some(table(&reader).await?),
		};
		Ok(Self { reader, table })
	}

	/// Returns whether the value is compressed.
	pub fn is_compressed(&self) -> bool {
		self.table.is_some()
	}

	/// Returns the value's length in bytes.
	pub fn length(&self) -> u64 {
		let table = self.table.as_ref();
		table.map_or_else(|| self.reader.length(), Table::length)
	}

	/// Returns the number of the value's chunks, or frames.
	pub fn chunks(&self) -> u32 {
		let table = self.table.as_ref();
		table.map_or_else(|| self.reader.chunks(), Table::frames)
	}

	/// Returns how many bytes of the value are in each chunk, or frame, except the last one.
	pub fn chunk_size(&self) -> u64 {
		match self.table {
			None => CHUNK as u64,
			Some(_) => FRAME as u64,
		}
	}

	/// Returns the locations that were left so far.
	pub fn left(&self) -> Vec<Left> {
		self.reader.left()
	}

	/// Reads bytes of the value: only the chunks, or frames, that they are in. What is beyond the end is left out.
	///
	/// # Errors
	///
	/// Returns [`ReadError::NoneLeft`] if no location has these chunks, and [`ReadError::Compressed`] if a frame does not
	/// decompress.
	pub async fn read_range(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
		let Some(table) = &self.table else {
			return self.reader.read_range(offset, length).await;
		};
		let range = offset..offset.saturating_add(length).min(table.length());
		let mut bytes = Vec::new();
		if range.is_empty() {
			return Ok(bytes);
		}
		let size = FRAME as u64;
		// A table has at most 2^20 frames.
		let frames = (range.start / size) as u32..range.end.div_ceil(size) as u32;
		let mut at = u64::from(frames.start) * size;
		let take = |frame: &[u8]| {
			bytes.extend_from_slice(cut(frame, at, &range));
			at += frame.len() as u64;
			Ok(())
		};
		self.each_frame(table, frames, take).await?;
		Ok(bytes)
	}

	/// Reads the value from chunk, or frame, `first` on, and writes it in order. Reports how many bytes of the value are
	/// written. Only checked bytes are written, even if an error follows.
	///
	/// # Errors
	///
	/// Returns the errors of [`read_range`](Self::read_range), and [`ReadError::Io`] if the bytes cannot be written.
	pub async fn write_to(
		&self,
		out: &mut impl Write,
		first: u32,
		progress: &mut impl FnMut(u64),
	) -> Result<(), ReadError> {
		let Some(table) = &self.table else {
			return self.reader.write_to(out, first, progress).await;
		};
		let mut done = u64::from(first) * FRAME as u64;
		let write = |frame: &[u8]| {
			out.write_all(frame)?;
			done += frame.len() as u64;
			progress(done);
			Ok(())
		};
		self.each_frame(table, first..table.frames(), write).await?;
		Ok(out.flush()?)
	}

	/// Returns how many chunks, or frames, these bytes have in common with the value, from its start. Reports how many bytes
	/// are compared.
	///
	/// # Errors
	///
	/// Returns [`ReadError::NoneLeft`] if no location has what they are compared with, and [`ReadError::Io`] if the bytes
	/// cannot be read.
	pub async fn intact(
		&self,
		bytes: &mut impl Read,
		progress: &mut impl FnMut(u64),
	) -> Result<u32, ReadError> {
		let Some(table) = &self.table else {
			return self.reader.intact(bytes, progress).await;
		};
		let Range { start, end } = table.hashes();
		let hashes = self.reader.read_range(start, end - start).await?;
		let (mut part, mut done) = (Vec::new(), 0);
		let (hashes, _) = hashes.as_chunks::<HASH_LEN>();
		for (frame, hash) in (0..).zip(hashes) {
			part.clear();
			let length = table.frame_len(frame);
			bytes.by_ref().take(length as u64).read_to_end(&mut part)?;
			if part.len() < length || blake3::hash(&part) != *hash {
				return Ok(frame);
			}
			done += length as u64;
			progress(done);
			tokio::task::yield_now().await;
		}
		Ok(table.frames())
	}

	/// Reads frames, and passes on what each of them decompresses to, in order.
	async fn each_frame(
		&self,
		table: &Table,
		frames: Range<u32>,
		mut take: impl FnMut(&[u8]) -> Result<(), ReadError>,
	) -> Result<(), ReadError> {
		let mut zstd = Decompressor::new()?;
		let (mut stored, mut part) = (Vec::new(), vec![0; FRAME]);
		let mut frame = frames.start;
		let open = |mut bytes: &[u8]| {
			while !bytes.is_empty() {
				let Range { start, end } = table.stored(frame..frame + 1);
				// `Table` bounds a frame by `MAX_STORED`.
				let missing = (end - start) as usize - stored.len();
				let (now, later) = bytes.split_at(missing.min(bytes.len()));
				stored.extend_from_slice(now);
				bytes = later;
				if now.len() < missing {
					break;
				}
				let part = &mut part[..table.frame_len(frame)];
				match decompresses(&mut zstd, &stored, part) {
					true => take(part)?,
					false => return Err(CompressedError::Frame { frame }.into()),
				}
				stored.clear();
				frame += 1;
			}
			Ok(())
		};
		self.reader.each_byte(table.stored(frames), open).await
	}
}

/// Fetches the table of a compressed value's frames.
async fn table(reader: &Reader) -> Result<Table, ReadError> {
	let total = reader.length();
	// A short table is in the last chunk.
	let last = total.saturating_sub(1) / CHUNK as u64 * CHUNK as u64;
	let start = last.min(total.saturating_sub(FOOTER_LEN as u64));
	let end = reader.read_range(start, total - start).await?;
	let length = Table::len_in(&end, total)?;
	Ok(match end.len().checked_sub(length) {
		Some(at) => Table::read(&end[at..], total)?,
		None => {
			let bytes = reader.read_range(total - length as u64, length as u64);
			Table::read(&bytes.await?, total)?
		}
	})
}

/// Decompresses a frame. Returns whether it is exactly one of zstd, and has exactly these many bytes of the value.
fn decompresses(zstd: &mut Decompressor<'_>, stored: &[u8], part: &mut [u8]) -> bool {
	let is_one =
		stored.starts_with(&ZSTD) && find_frame_compressed_size(stored) == Ok(stored.len());
	// The library writes nothing beyond the space, whatever the frame says.
	is_one && matches!(zstd.decompress_to_buffer(stored, part), Ok(got) if got == part.len())
}
