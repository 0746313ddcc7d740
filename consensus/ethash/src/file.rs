// SPDX-License-Identifier: Apache-2.0
//! Saves a dataset to a file and loads it, so that it does not have to be generated again at the next start.
//!
//! The layout of the file, with little-endian numbers:
//!
//! | bytes | contents |
//! |---|---|
//! | 0..8 | `ETHASH-D` |
//! | 8..12 | version, 1 |
//! | 12..16 | number of pages |
//! | 16..24 | epoch |
//! | 24..32 | XXH3-64 of all pages |
//! | 32..64 | zero |
//! | 64.. | the pages, 128 bytes each |
//!
//! The file is read into memory rather than mapped, for three reasons. The check before use reads every byte
//! anyway. Files are mapped in pages of 4 KiB, which slow the search down (docs/performance.md). And
//! truncating a mapped file kills the process.

use crate::{
	cache::Cache,
	dataset::{fill, Dataset, Progress},
	error::Error,
	item::Item,
	memory::Memory,
};
use std::{
	fs::{self, File},
	hash::Hasher,
	io::{self, Read, Seek, Write},
	ops::ControlFlow,
	path::{Path, PathBuf},
};
use twox_hash::XxHash3_64;

const MAGIC: [u8; 8] = *b"ETHASH-D";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
/// The number of items that are read or written at once: 1 MiB.
const BLOCK_ITEMS: usize = 16_384;
/// The number of pages that are generated into a file at once: 16 MiB.
const PART_PAGES: u32 = 131_072;
/// The number of items of a loaded file, evenly spread, that are compared with the cache.
const SAMPLES: usize = 256;

/// Why a dataset could not be saved to a file or loaded from one. In each case the dataset can be generated
/// again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
	/// The system could not read or write the file.
	#[error("cannot read or write the dataset file: {0}")]
	Io(#[from] io::Error),
	/// The file does not begin with the header of a dataset file of this version.
	#[error("not a dataset file of version {VERSION}")]
	Format,
	/// The file is for another epoch or other sizes.
	#[error("the dataset file has {got_pages} pages for epoch {got_epoch}, expected {pages} for epoch {epoch}")]
	Other {
		/// The file's epoch.
		got_epoch: u64,
		/// The file's number of pages.
		got_pages: u32,
		/// The cache's epoch.
		epoch: u64,
		/// The cache's number of pages.
		pages: u32,
	},
	/// The file's length does not match its number of pages.
	#[error("the dataset file has {got} bytes, expected {expected}")]
	Length {
		/// The file's length in bytes.
		got: u64,
		/// The length that its number of pages requires.
		expected: u64,
	},
	/// The pages were changed after they were written.
	#[error("the checksum of the pages is {got:016x}, expected {expected:016x}")]
	Checksum {
		/// The checksum of the pages read.
		got: u64,
		/// The checksum in the file's header.
		expected: u64,
	},
	/// The checksum is right, but an item differs from the item computed from the cache.
	#[error("item {index} differs from the item computed from the cache")]
	Item {
		/// The item's index.
		index: u32,
	},
	/// The progress callback stopped loading the dataset.
	#[error("loading the dataset was stopped")]
	Stopped,
	/// The memory for the dataset could not be allocated.
	#[error(transparent)]
	Memory(Error),
}

impl Dataset {
	/// Saves the dataset to `path`. It is first written to `path` with `.partial` appended and renamed when
	/// complete, so a crash never leaves an incomplete file at `path`. If it cannot be written, nothing is left.
	///
	/// # Errors
	///
	/// Returns [`FileError::Io`] if the file cannot be written.
	pub fn save(&self, path: &Path) -> Result<(), FileError> {
		let mut writer = Writer::create(path)?;
		writer.write(self.pages().as_flattened())?;
		Ok(writer.finish(self.epoch())?)
	}

	/// Generates the dataset of the cache's epoch into a file, as [`Dataset::generate`] and [`Dataset::save`]
	/// would, without room for the whole dataset in memory: it takes 16 MiB.
	///
	/// # Errors
	///
	/// Returns [`FileError::Io`] if the file cannot be written, [`FileError::Memory`] if the 16 MiB cannot be
	/// allocated, and [`FileError::Stopped`] if `progress` stopped it.
	pub fn generate_file(
		cache: &Cache,
		threads: usize,
		path: &Path,
		progress: impl Fn(Progress) -> ControlFlow<()> + Sync,
	) -> Result<(), FileError> {
		let mut writer = Writer::create(path)?;
		let total = cache.dataset_pages();
		let part = total.min(PART_PAGES);
		let mut memory = Memory::zeroed(2 * u64::from(part)).map_err(FileError::Memory)?;
		for first in (0..total).step_by(PART_PAGES as usize) {
			let items = 2 * part.min(total - first) as usize;
			let items = &mut memory.items_mut()[..items];
			let (pages, _) = items.as_chunks_mut();
			fill(cache, threads, first, pages, &progress).map_err(|_| FileError::Stopped)?;
			writer.write(items)?;
		}
		Ok(writer.finish(cache.epoch())?)
	}

	/// Loads the dataset of the cache's epoch from a file, and checks every byte against the checksum and a
	/// sample of items against the cache. Calls `progress` after each MiB; a [`ControlFlow::Break`] stops
	/// loading.
	///
	/// # Errors
	///
	/// Returns a [`FileError`] if the file cannot be read, is for another dataset or fails a check, if the
	/// memory cannot be allocated, or if `progress` stopped loading.
	pub fn load(
		cache: &Cache,
		path: &Path,
		mut progress: impl FnMut(Progress) -> ControlFlow<()>,
	) -> Result<Self, FileError> {
		let mut file = File::open(path)?;
		let got = file.metadata()?.len();
		let mut bytes = [0; HEADER_BYTES];
		if got < HEADER_BYTES as u64 {
			return Err(FileError::Format);
		}
		file.read_exact(&mut bytes)?;
		let header = Header::parse(&bytes).ok_or(FileError::Format)?;
		let (epoch, pages) = (cache.epoch(), cache.dataset_pages());
		if (header.epoch, header.pages) != (epoch, pages) {
			let (got_epoch, got_pages) = (header.epoch, header.pages);
			return Err(FileError::Other {
				got_epoch,
				got_pages,
				epoch,
				pages,
			});
		}
		let expected = HEADER_BYTES as u64 + u64::from(pages) * 128;
		if got != expected {
			return Err(FileError::Length { got, expected });
		}

		let mut memory = Memory::zeroed(2 * u64::from(pages)).map_err(FileError::Memory)?;
		let mut checksum = XxHash3_64::new();
		let mut buffer = vec![0; BLOCK_ITEMS * 64];
		let mut done = 0;
		for items in memory.items_mut().chunks_mut(BLOCK_ITEMS) {
			let bytes = &mut buffer[..items.len() * 64];
			file.read_exact(bytes)?;
			checksum.write(bytes);
			for (item, bytes) in items.iter_mut().zip(bytes.as_chunks().0) {
				*item = Item::from_bytes(bytes);
			}
			done += (items.len() / 2) as u32;
			if progress(Progress { done, total: pages }).is_break() {
				return Err(FileError::Stopped);
			}
		}
		let (got, expected) = (checksum.finish(), header.checksum);
		if got != expected {
			return Err(FileError::Checksum { got, expected });
		}
		let items = memory.items();
		for index in (0..items.len()).step_by((items.len() / SAMPLES).max(1)) {
			if cache.dataset_item(index as u32) != items[index] {
				return Err(FileError::Item {
					index: index as u32,
				});
			}
		}
		Ok(Self::of(cache, memory))
	}
}

/// Writes a dataset file, items first and the header last.
struct Writer {
	file: File,
	partial: PathBuf,
	path: PathBuf,
	checksum: XxHash3_64,
	items: usize,
	/// Whether the file has its name.
	is_named: bool,
}

/// Removes a file that was not finished: no one uses it, and the disk may be full.
impl Drop for Writer {
	fn drop(&mut self) {
		if !self.is_named {
			// The error of writing it is the one to report.
			let _ = fs::remove_file(&self.partial);
		}
	}
}

impl Writer {
	/// Creates the file, under its preliminary name.
	fn create(path: &Path) -> io::Result<Self> {
		let partial = path.with_added_extension("partial");
		let mut writer = Self {
			file: File::create(&partial)?,
			partial,
			path: path.into(),
			checksum: XxHash3_64::new(),
			items: 0,
			is_named: false,
		};
		writer.file.write_all(&[0; HEADER_BYTES])?;
		Ok(writer)
	}

	/// Appends items.
	fn write(&mut self, items: &[Item]) -> io::Result<()> {
		let mut buffer = vec![[0; 64]; BLOCK_ITEMS.min(items.len())];
		for items in items.chunks(BLOCK_ITEMS) {
			for (bytes, item) in buffer.iter_mut().zip(items) {
				*bytes = item.bytes();
			}
			let bytes = buffer[..items.len()].as_flattened();
			self.checksum.write(bytes);
			self.file.write_all(bytes)?;
		}
		self.items += items.len();
		Ok(())
	}

	/// Writes the header, and gives the file its name.
	fn finish(mut self, epoch: u64) -> io::Result<()> {
		let header = Header {
			pages: (self.items / 2) as u32,
			epoch,
			checksum: self.checksum.finish(),
		};
		self.file.seek(io::SeekFrom::Start(0))?;
		self.file.write_all(&header.bytes())?;
		self.file.sync_all()?;
		fs::rename(&self.partial, &self.path)?;
		self.is_named = true;
		Ok(())
	}
}

/// The fields of a file's header that differ between files.
struct Header {
	pages: u32,
	epoch: u64,
	checksum: u64,
}

impl Header {
	fn bytes(&self) -> [u8; HEADER_BYTES] {
		let mut bytes = [0; HEADER_BYTES];
		bytes[..8].copy_from_slice(&MAGIC);
		bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
		bytes[12..16].copy_from_slice(&self.pages.to_le_bytes());
		bytes[16..24].copy_from_slice(&self.epoch.to_le_bytes());
		bytes[24..32].copy_from_slice(&self.checksum.to_le_bytes());
		bytes
	}

	/// Parses a header. Returns `None` if it is not a header of this version.
	fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
		let header = Self {
			pages: u32::from_le_bytes(*bytes[12..].first_chunk()?),
			epoch: u64::from_le_bytes(*bytes[16..].first_chunk()?),
			checksum: u64::from_le_bytes(*bytes[24..].first_chunk()?),
		};
		(header.bytes() == *bytes).then_some(header)
	}
}
