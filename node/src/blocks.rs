// SPDX-License-Identifier: Apache-2.0
//! `export-blocks` and `import-blocks`: their arguments are checked before the chain is opened, which takes seconds, and errors
//! name the file. An export replaces a file only when it is complete, and an import of nothing is an error.

use crate::{
	client::FullClient,
	database,
	explain::named,
	export::Export,
	files::{announce, NewFile},
	import::{self, Blocks, Signed},
	progress::{Counted, Flow, Reports, Watcher},
};
use isthmus_primitives::{Block, BlockNumber};
use polkadot_sdk::*;
use sc_cli::{Error, ExportBlocksCmd, GenericNumber, ImportBlocksCmd};
use sc_client_api::BlockBackend;
use sc_consensus::DefaultImportQueue;
use sc_service::{Configuration, DatabaseSource};
use sp_blockchain::HeaderBackend;
use std::{
	fs::{self, File},
	io::{self, stdin, stdout, BufRead, BufReader, Chain, Cursor, Read, Write},
	ops::RangeInclusive,
	path::Path,
	sync::Arc,
};

/// The length of the number of blocks that a binary file begins with.
const COUNT_SIZE: u64 = 8;

/// Why no blocks are exported or imported.
#[derive(Debug, thiserror::Error)]
enum BlocksError {
	/// The output cannot be written.
	#[error(
		"the blocks cannot be written to {path}: {error}. Name a file in a folder that exists"
	)]
	Output {
		/// The file.
		path: String,
		/// The system's error.
		error: io::Error,
	},
	/// The input cannot be read.
	#[error(
		"the blocks cannot be read from {path}: {error}. Name a file that `export-blocks` wrote"
	)]
	Input {
		/// The file.
		path: String,
		/// The system's error.
		error: io::Error,
	},
	/// The input has no block.
	#[error(
		"there are no blocks in {0}: it is empty, as after an export that failed. Export the blocks again"
	)]
	Nothing(String),
	/// The number is too large for any block.
	#[error("`{0}` needs the number of a block, from 0 to {max}", max = BlockNumber::MAX)]
	Number(&'static str),
	/// There is nothing to export.
	#[error(
		"the database has no blocks but the genesis block, which every node has. Check `--chain` and `--base-path`"
	)]
	Empty,
	/// No range ends with the genesis block.
	#[error(
		"`--to` needs 1 or more: every node has the genesis block, so it is not exported alone"
	)]
	Genesis,
	/// The node keeps the headers of old blocks only.
	#[error(
		"block {0} was pruned: this node keeps the bodies of recent blocks only. Begin later with `--from`, or export from a \
		 node that keeps all of them, without `--blocks-pruning NUMBER`"
	)]
	Pruned(BlockNumber),
	/// The range is not in the chain.
	#[error("there are no blocks from `--from {from}` to `--to {to}`: the best block is {best}")]
	Range {
		/// The first block.
		from: BlockNumber,
		/// The last block.
		to: BlockNumber,
		/// The best block.
		best: BlockNumber,
	},
}

impl From<BlocksError> for Error {
	fn from(error: BlocksError) -> Self {
		Self::Application(Box::new(error))
	}
}

/// Checks that the output can be written, and that the chain has the blocks.
///
/// # Errors
///
/// Returns an error that names what is wrong.
pub(crate) fn check_export(cmd: &ExportBlocksCmd, config: &Configuration) -> Result<(), Error> {
	if let Some(path) = &cmd.output {
		// Nothing is written yet, so that a command that fails leaves the file alone.
		NewFile::for_path(path).map_err(|error| BlocksError::Output {
			path: path.display().to_string(),
			error,
		})?;
	}
	number("--from", cmd.from.as_ref())?;
	number("--to", cmd.to.as_ref())?;
	database::check_present(&config.database)
		.map_err(|error| Error::Application(Box::new(error)))?;
	match best_block(config)? {
		// It may be the database of another chain, which its opening finds out.
		0 => Ok(()),
		best => check_range(cmd, best).map(drop),
	}
}

/// Checks that the chain has the blocks to export. Returns their numbers.
///
/// # Errors
///
/// Returns an error that names the best block.
fn check_range(
	cmd: &ExportBlocksCmd,
	best: BlockNumber,
) -> Result<RangeInclusive<BlockNumber>, Error> {
	if best == 0 {
		return Err(BlocksError::Empty.into());
	}
	let from = number("--from", cmd.from.as_ref())?.unwrap_or(1);
	let to = number("--to", cmd.to.as_ref())?.unwrap_or(best);
	if to == 0 {
		return Err(BlocksError::Genesis.into());
	}
	if from > to || to > best {
		return Err(BlocksError::Range { from, to, best }.into());
	}
	Ok(from..=to)
}

/// Writes blocks. A file is replaced when all of them are written.
///
/// # Errors
///
/// Returns an error if the chain lacks the blocks, and one that names the output if that cannot be written.
pub(crate) fn export(cmd: &ExportBlocksCmd, client: &FullClient) -> Result<(), Error> {
	let numbers = check_range(cmd, client.info().best_number)?;
	let (from, last) = (*numbers.start(), *numbers.end());
	// Older ones are pruned first. Nothing is written then.
	signed_block(client, from)?;
	let to = cmd.output.as_deref().unwrap_or(Path::new("stdout"));
	let failed = |error: Error| named("the blocks cannot be written", to, &error);
	let new = match &cmd.output {
		Some(path) => NewFile::for_path(path).map_err(|error| failed(error.into()))?,
		None => None,
	};
	let path = new.as_ref().map(NewFile::path).or(cmd.output.as_deref());
	let open = || -> io::Result<Box<dyn Write>> {
		match path {
			Some(path) => Ok(Box::new(File::create(path)?)),
			None => Ok(Box::new(stdout())),
		}
	};
	log::info!("Exporting blocks from #{from} to #{last}");
	let total = u64::from(last - from) + 1;
	let export = Export::new(total, cmd.binary, to.display().to_string());
	let reports = export.report();
	let blocks = numbers.map(|number| signed_block(client, number));
	export.write(open, blocks).map_err(failed)?;
	drop(reports);
	if let Some(new) = new {
		new.keep().map_err(|error| failed(error.into()))?;
	}
	log::info!(
		"🎉 Exported {total} blocks ({} bytes) to {}",
		export.bytes(),
		export.to
	);
	Ok(())
}

/// Returns a block and the votes for it.
///
/// # Errors
///
/// Returns an error if the database does not have it.
fn signed_block(client: &FullClient, number: BlockNumber) -> Result<Signed, Error> {
	let hash = client.hash(number)?;
	let block = hash.map(|hash| client.block(hash)).transpose()?.flatten();
	Ok(block.ok_or(BlocksError::Pruned(number))?)
}

fn number(
	option: &'static str,
	given: Option<&GenericNumber>,
) -> Result<Option<BlockNumber>, BlocksError> {
	let number = given.map(GenericNumber::parse).transpose();
	number.map_err(|_| BlocksError::Number(option))
}

/// Returns the number of the best block in the database.
fn best_block(config: &Configuration) -> Result<BlockNumber, Error> {
	let backend = sc_service::new_db_backend::<Block>(config.db_config())?;
	Ok(sc_client_api::Backend::blockchain(&*backend)
		.info()
		.best_number)
}

/// Checks that the input can be read.
///
/// # Errors
///
/// Returns an error that names the file.
pub(crate) fn check_import(cmd: &ImportBlocksCmd) -> Result<(), Error> {
	let Some(path) = &cmd.input else {
		return Ok(());
	};
	let checked = fs::metadata(path).and_then(|found| {
		if found.is_dir() {
			return Err(io::ErrorKind::IsADirectory.into());
		}
		// Opening a pipe would take away what it has, or wait for its writer.
		if found.is_file() {
			File::open(path)?;
		}
		Ok(())
	});
	Ok(checked.map_err(|error| BlocksError::Input {
		path: path.display().to_string(),
		error,
	})?)
}

/// Imports blocks.
///
/// # Errors
///
/// Returns an error that names the input if there are no blocks in it, or if it cannot be read or imported to its end, as when
/// the disk of the database is full.
pub(crate) async fn import(
	cmd: &ImportBlocksCmd,
	client: Arc<FullClient>,
	queue: DefaultImportQueue<Block>,
	database: &DatabaseSource,
) -> Result<(), Error> {
	let from = cmd.input.as_deref().unwrap_or(Path::new("stdin"));
	let failed = |error: Error| named("the blocks cannot be imported", from, &error);
	let flow = Arc::new(Flow::default());
	let _reports = report_waits(&flow, from);
	let file: Box<dyn Read + Send> = match &cmd.input {
		Some(path) => {
			announce("the blocks", path);
			let opened = flow.wait_for(|| File::open(path));
			Box::new(opened.map_err(|error| failed(error.into()))?)
		}
		None => Box::new(stdin()),
	};
	let started = begin(BufReader::new(Counted::new(file, flow.clone())), cmd.binary);
	let Some(input) = started.map_err(|error| failed(error.into()))? else {
		return Err(BlocksError::Nothing(from.display().to_string()).into());
	};
	let blocks = Blocks::new(input, cmd.binary).map_err(|error| failed(error.into()))?;
	let check_space = |wanted| database::check_space_left(database, wanted);
	let done = import::import(&client, queue, blocks, check_space).await;
	done.map_err(|error| failed(Error::Input(error.to_string())))
}

/// Says every few seconds that an input gives nothing, until what this returns is dropped.
fn report_waits(flow: &Arc<Flow>, from: &Path) -> Reports {
	let (mut watcher, from) = (Watcher::new(flow.clone()), from.display().to_string());
	Reports::start(move |_| {
		if let Some(since) = watcher.stands() {
			let seconds = since.as_secs();
			log::info!(
				"waiting for more blocks from {from}, for {seconds} s: does a program write there?"
			);
		}
	})
}

/// Reads the beginning of an input, and returns the input with it; `None` if there are no blocks in it.
fn begin<R: BufRead>(
	mut input: R,
	is_binary: bool,
) -> io::Result<Option<Chain<Cursor<Vec<u8>>, R>>> {
	let mut head = Vec::new();
	if is_binary {
		input.by_ref().take(COUNT_SIZE).read_to_end(&mut head)?;
		if !head.is_empty() && (head.len() as u64) < COUNT_SIZE {
			return Err(other_form(
				"it ends before the number of its blocks: it was cut off, or `export-blocks --binary` did not write it",
			));
		}
		// A number of blocks has zeros at its end.
		if head.starts_with(b"{") && !head.contains(&0) {
			return Err(other_form(
				"its blocks are written as JSON: leave out `--binary`",
			));
		}
		let is_empty = head.iter().all(|byte| *byte == 0);
		return Ok((!is_empty).then(|| Cursor::new(head).chain(input)));
	}
	loop {
		let bytes = input.fill_buf()?;
		let blank = bytes
			.iter()
			.take_while(|byte| byte.is_ascii_whitespace())
			.count();
		match bytes.len() {
			0 => return Ok(None),
			length if blank < length && bytes.get(blank) != Some(&b'{') => {
				return Err(other_form(
					"it does not begin with a block written as JSON. If it was exported with `--binary`, import it with \
					 `--binary`, too; unpack what is compressed",
				))
			}
			length if blank < length => return Ok(Some(Cursor::new(head).chain(input))),
			_ => input.consume(blank),
		}
	}
}

fn other_form(sentence: &'static str) -> io::Error {
	io::Error::new(io::ErrorKind::InvalidData, sentence)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_other_form_of_a_file_is_named() {
		let begin = |bytes: &[u8], is_binary| {
			let input = Cursor::new(bytes.to_vec());
			let started = begin(input, is_binary).map_err(|error| error.to_string())?;
			Ok::<_, String>(started.is_some())
		};
		let json = b" \n{\"block\":{}}";
		let binary = [3, 0, 0, 0, 0, 0, 0, 0, 0x7b];
		assert_eq!(begin(json, false), Ok(true));
		assert_eq!(begin(&binary, true), Ok(true));
		// 8827 blocks, a number that begins as JSON does.
		assert_eq!(begin(b"{\"\0\0\0\0\0\0", true), Ok(true));
		assert!(begin(&binary, false)
			.unwrap_err()
			.contains("with `--binary`, too"));
		assert!(begin(&json[2..], true)
			.unwrap_err()
			.contains("leave out `--binary`"));
		assert_eq!(begin(b" \n", false), Ok(false));
		assert_eq!(begin(&[0; 8], true), Ok(false));
		assert!(begin(b"hello\n", true).unwrap_err().contains("cut off"));
	}
}
