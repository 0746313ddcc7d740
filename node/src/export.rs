// SPDX-License-Identifier: Apache-2.0
//! Writes blocks to an output, in the two forms of the framework's function for this. That one says nothing while it works, not
//! even that no program reads the output, and ends as if all were done at a block that is not there.

use crate::{
	import::Signed,
	progress::{Counted, Flow, Reports, Watcher},
};
use codec::Encode;
use polkadot_sdk::sc_cli::Error;
use std::{
	io::{self, BufWriter, Write},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
	time::Duration,
};

/// The progress of an export.
pub(crate) struct Export {
	/// How many blocks there are to write.
	pub(crate) total: u64,
	/// Whether they are written as the chain has them, and not as JSON.
	pub(crate) is_binary: bool,
	/// Where they are written, in words.
	pub(crate) to: String,
	/// How many have been written, or wait in the buffer.
	done: AtomicU64,
	flow: Arc<Flow>,
}

impl Export {
	/// Prepares an export.
	pub(crate) fn new(total: u64, is_binary: bool, to: String) -> Arc<Self> {
		Arc::new(Self {
			total,
			is_binary,
			to,
			done: AtomicU64::new(0),
			flow: Arc::default(),
		})
	}

	/// Returns how many bytes have been written.
	pub(crate) fn bytes(&self) -> u64 {
		self.flow.bytes()
	}

	/// Says every few seconds how far the export is, until what this returns is dropped.
	pub(crate) fn report(self: &Arc<Self>) -> Reports {
		let export = self.clone();
		let mut watcher = Watcher::new(self.flow.clone());
		Reports::start(move |_| log::info!("{}", export.said(watcher.stands())))
	}

	fn said(&self, stands: Option<Duration>) -> String {
		let Self { total, to, .. } = self;
		let done = self.done.load(Ordering::Relaxed);
		let left = total.saturating_sub(done);
		let so_far = format!(
			"{done} of {total} blocks and {} bytes are written, {left} blocks remain",
			self.bytes()
		);
		match stands {
			None => format!("📦 Exporting: {so_far}"),
			Some(since) => format!(
				"waiting until {to} takes more, for {} s: {so_far}. If it is a pipe, does a program read it?",
				since.as_secs()
			),
		}
	}

	/// Opens an output, and writes the blocks to it. A pipe opens when a program reads it.
	///
	/// # Errors
	///
	/// Returns the first error of a block, and the system's if the output cannot be written.
	pub(crate) fn write<W: Write>(
		&self,
		open: impl FnOnce() -> io::Result<W>,
		blocks: impl Iterator<Item = Result<Signed, Error>>,
	) -> Result<(), Error> {
		let output = self.flow.wait_for(open)?;
		let mut output = BufWriter::new(Counted::new(output, self.flow.clone()));
		if self.is_binary {
			output.write_all(&self.total.encode())?;
		}
		for block in blocks {
			let block = block?;
			match self.is_binary {
				true => output.write_all(&block.encode())?,
				false => serde_json::to_writer(&mut output, &block).map_err(io::Error::from)?,
			}
			self.done.fetch_add(1, Ordering::Relaxed);
		}
		output.flush()?;
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::import::Blocks;
	use isthmus_primitives::{Block, Hash, Header};
	use polkadot_sdk::*;
	use sp_runtime::traits::Header as _;

	fn signed(number: u32) -> Signed {
		let hash = Hash::default();
		Signed {
			block: Block {
				header: Header::new(number, hash, hash, hash, Default::default()),
				extrinsics: Vec::new(),
			},
			justifications: None,
		}
	}

	#[test]
	fn what_is_exported_can_be_imported() {
		for is_binary in [false, true] {
			let export = Export::new(3, is_binary, "stdout".into());
			let mut written = Vec::<u8>::new();
			let output = &mut written;
			let blocks = (1..=3).map(|number| Ok(signed(number)));
			export.write(move || Ok(output), blocks).unwrap();
			assert_eq!(export.bytes(), written.len() as u64);
			let read: Vec<_> = Blocks::new(&written[..], is_binary)
				.unwrap()
				.map(|block| block.unwrap().block.header.number)
				.collect();
			assert_eq!(read, [1, 2, 3]);
			let said = export.said(None);
			assert!(said.contains("3 of 3 blocks and "), "{said}");
			assert!(said.ends_with(", 0 blocks remain"), "{said}");
		}
	}

	#[test]
	fn an_output_that_takes_nothing_is_said() {
		let export = Export::new(3, true, "fifo".into());
		let mut watcher = Watcher::new(export.flow.clone());
		let mut said = String::new();
		let open = || {
			said = export.said(watcher.stands());
			Ok(Vec::<u8>::new())
		};
		let blocks = (1..=3).map(|number| Ok(signed(number)));
		export.write(open, blocks).unwrap();
		assert!(
			said.starts_with("waiting until fifo takes more, for "),
			"{said}"
		);
		assert!(
			said.contains("0 of 3 blocks and 0 bytes are written, 3 blocks remain"),
			"{said}"
		);
	}

	#[test]
	fn a_block_that_is_not_there_ends_the_export() {
		let export = Export::new(2, false, "stdout".into());
		let blocks = [Ok(signed(1)), Err(Error::Input("pruned".into()))].into_iter();
		let refused = export.write(|| Ok(io::sink()), blocks).unwrap_err();
		assert!(matches!(refused, Error::Input(said) if said == "pruned"));
	}
}
