// SPDX-License-Identifier: Apache-2.0
//! Gives the blocks of an input to the import queue.
//!
//! The framework's function for this drops the blocks that it has read when the rest cannot be read, so that chance decides
//! how many are imported, and its rate counts the blocks that the chain had before.

use crate::{client::FullClient, database::DatabaseError};
use codec::{Decode, IoReader};
use isthmus_primitives::{Block, BlockNumber, Hash, Header};
use polkadot_sdk::*;
use sc_consensus::{
	BlockImportError, BlockImportStatus, DefaultImportQueue, ImportQueue, IncomingBlock, Link,
};
use serde_json::{de::IoRead, Deserializer, StreamDeserializer};
use sp_blockchain::HeaderBackend;
use sp_consensus::BlockOrigin;
use sp_runtime::generic::SignedBlock;
use std::{
	future::poll_fn,
	io::{self, Read},
	task::Poll,
	time::{Duration, Instant},
};

/// How many blocks may wait in the queue. A block may have 8 MiB.
const MOST_WAITING: u64 = 64;
/// The free space, in MiB, below which no block waits in the queue while another one is written.
const ROOM: u64 = 1024;
/// How often the log reports the progress of an import.
const REPORT_EVERY: Duration = Duration::from_secs(3);
/// What decoders say of an input that ends too early.
const ENDS: [&str; 3] = ["UnexpectedEof", "Not enough data", "EOF while parsing"];

/// A block and the votes for it.
pub(crate) type Signed = SignedBlock<Block>;

/// Why an import ended before all blocks of its input were imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
	/// The input is of another chain.
	#[error(
		"these blocks are of another chain: its genesis block is {found:?}, and that of this chain is {genesis:?}. Give \
		 `--chain` the specification of their chain, and another `--base-path`"
	)]
	OtherChain {
		/// The genesis block of the input's chain.
		found: Hash,
		/// The genesis block of this chain.
		genesis: Hash,
	},
	/// The first block does not follow any block of the chain.
	#[error(
		"block #{number}, the first of the input, follows block {parent:?}, which this database does not have: import the \
		 blocks before it first; or the input is of another chain"
	)]
	NoParent {
		/// The first block's number.
		number: BlockNumber,
		/// Its parent.
		parent: Hash,
	},
	/// A block is not valid.
	#[error("block {position} of the input ({hash:?}) is refused: {reason}. {kept}")]
	Refused {
		/// Its place in the input, counted from 1.
		position: u64,
		/// Its hash.
		hash: Hash,
		/// What is wrong with it.
		reason: String,
		/// What is left of the import.
		kept: String,
	},
	/// The rest of the input cannot be read.
	#[error("block {position} of the input cannot be read: {reason}. {kept}")]
	Unreadable {
		/// Its place in the input, counted from 1.
		position: u64,
		/// Why.
		reason: String,
		/// What is left of the import.
		kept: String,
	},
	/// The disk is full. That a block is refused then says nothing against it.
	#[error("{full}. {kept}")]
	Full {
		/// What is full.
		full: DatabaseError,
		/// What is left of the import.
		kept: String,
	},
	/// The database failed.
	#[error(transparent)]
	Database(#[from] sp_blockchain::Error),
}

/// The blocks of an input, as `export-blocks` writes them.
pub(crate) enum Blocks<R: Read> {
	/// One after the other, after their number.
	Binary {
		/// How many are left.
		left: u64,
		/// The rest of the input.
		input: IoReader<R>,
	},
	/// One after the other.
	Json(StreamDeserializer<'static, IoRead<R>, Signed>),
}

impl<R: Read> Blocks<R> {
	/// Begins to read an input.
	///
	/// # Errors
	///
	/// Returns an error if the number of blocks cannot be read.
	pub(crate) fn new(mut input: R, is_binary: bool) -> io::Result<Self> {
		if !is_binary {
			return Ok(Self::Json(Deserializer::from_reader(input).into_iter()));
		}
		let mut left = [0; 8];
		input.read_exact(&mut left)?;
		Ok(Self::Binary {
			left: u64::from_le_bytes(left),
			input: IoReader(input),
		})
	}
}

impl<R: Read> Iterator for Blocks<R> {
	type Item = Result<Signed, String>;

	fn next(&mut self) -> Option<Self::Item> {
		match self {
			Self::Binary { left, input } => {
				*left = left.checked_sub(1)?;
				Some(Signed::decode(input).map_err(|error| error.to_string()))
			}
			Self::Json(blocks) => Some(blocks.next()?.map_err(|error| error.to_string())),
		}
	}
}

/// The progress of an import.
#[derive(Clone, Default)]
struct Progress {
	/// How many blocks are in the chain now. All after a refused one are left out.
	done: u64,
	/// How many of them were there before.
	known: u64,
	/// The first refused block, and why.
	refused: Option<(Hash, String)>,
}

/// Hears from the queue what became of the blocks.
#[derive(Default)]
struct Counter(parking_lot::Mutex<Progress>);

impl Link<Block> for Counter {
	fn blocks_processed(
		&self,
		_: usize,
		_: usize,
		results: Vec<(
			Result<BlockImportStatus<BlockNumber>, BlockImportError>,
			Hash,
		)>,
	) {
		let mut progress = self.0.lock();
		for (result, hash) in results {
			if progress.refused.is_some() {
				return;
			}
			match result {
				Ok(status) => {
					progress.done += 1;
					if matches!(status, BlockImportStatus::ImportedKnown(..)) {
						progress.known += 1;
					}
				}
				Err(BlockImportError::VerificationFailed(_, reason)) => {
					progress.refused = Some((hash, reason));
				}
				Err(error) => progress.refused = Some((hash, error.to_string())),
			}
		}
	}
}

/// Reports the progress of an import in the log.
struct Report<'a> {
	client: &'a FullClient,
	last: Instant,
	/// How many new blocks there were then.
	new: u64,
}

impl Report<'_> {
	fn log(&mut self, progress: &Progress) {
		let elapsed = self.last.elapsed();
		if elapsed < REPORT_EVERY {
			return;
		}
		let new = progress.done - progress.known;
		let rate = (new - self.new) as f64 / elapsed.as_secs_f64();
		log::info!(
			"📦 Current best block: {} ({} blocks of the input are done, {rate:.1} new ones per second)",
			self.client.info().best_number,
			progress.done
		);
		self.last = Instant::now();
		self.new = new;
	}
}

/// Imports blocks. `check_space` returns an error if fewer MiB than that are free on the disk of the database.
///
/// # Errors
///
/// Returns an error if they are of another chain or if the disk is full, and the first one that cannot be read or that is
/// refused. All before it are imported then.
pub(crate) async fn import<R: Read>(
	client: &FullClient,
	mut queue: DefaultImportQueue<Block>,
	blocks: Blocks<R>,
	check_space: impl Fn(u64) -> Result<(), DatabaseError>,
) -> Result<(), ImportError> {
	let counter = Counter::default();
	let mut report = Report {
		client,
		last: Instant::now(),
		new: 0,
	};
	let mut given: u64 = 0;
	let mut unreadable = None;
	let mut full = None;
	for block in blocks {
		let block = match block {
			Ok(block) => block,
			Err(error) => {
				unreadable = Some(error);
				break;
			}
		};
		if given == 0 {
			let genesis = client.info().genesis_hash;
			check_first(&block.block.header, genesis, |hash| {
				Ok(client.number(hash)?.is_some())
			})?;
		}
		// The database maps its files into memory: to write there without room would end the process.
		full = check_space(0).err();
		if full.is_some() {
			break;
		}
		give(&mut queue, block);
		given += 1;
		let enough = match check_space(ROOM) {
			Ok(()) => given.saturating_sub(MOST_WAITING),
			Err(_) => given,
		};
		let progress = wait(&mut queue, &counter, enough, &mut report).await;
		if progress.refused.is_some() {
			break;
		}
	}
	let Progress {
		done,
		known,
		refused,
	} = wait(&mut queue, &counter, given, &mut report).await;
	let best = client.info().best_number;
	if refused.is_some() {
		full = full.or_else(|| check_space(0).err());
	}
	if let Some(full) = full {
		let kept = kept_of_all(done, best);
		return Err(ImportError::Full { full, kept });
	}
	if let Some((hash, reason)) = refused {
		return Err(ImportError::Refused {
			position: done + 1,
			hash,
			reason,
			kept: kept(done, best),
		});
	}
	if let Some(error) = unreadable {
		return Err(ImportError::Unreadable {
			position: given + 1,
			reason: why_unreadable(&error),
			kept: kept(done, best),
		});
	}
	let before = match known {
		0 => String::new(),
		known => format!(", {known} of which the chain had before"),
	};
	log::info!("🎉 Imported {done} blocks{before}. Best: #{best}");
	Ok(())
}

/// Checks that the first block of an input belongs to the chain.
fn check_first(
	header: &Header,
	genesis: Hash,
	knows: impl Fn(Hash) -> sp_blockchain::Result<bool>,
) -> Result<(), ImportError> {
	let (hash, parent) = (header.hash(), header.parent_hash);
	if knows(hash)? {
		return Ok(());
	}
	match header.number {
		0 => Err(ImportError::OtherChain {
			found: hash,
			genesis,
		}),
		1 if parent != genesis => Err(ImportError::OtherChain {
			found: parent,
			genesis,
		}),
		number if !knows(parent)? => Err(ImportError::NoParent { number, parent }),
		_ => Ok(()),
	}
}

/// Gives a block to the queue.
fn give(queue: &mut DefaultImportQueue<Block>, signed: Signed) {
	let Block { header, extrinsics } = signed.block;
	let block = IncomingBlock {
		hash: header.hash(),
		header: Some(header),
		body: Some(extrinsics),
		indexed_body: None,
		justifications: signed.justifications,
		origin: None,
		allow_missing_state: false,
		skip_execution: false,
		import_existing: false,
		state: None,
	};
	queue
		.service_ref()
		.import_blocks(BlockOrigin::File, vec![block]);
}

/// Waits until that number of blocks is done, or one is refused.
async fn wait(
	queue: &mut DefaultImportQueue<Block>,
	counter: &Counter,
	enough: u64,
	report: &mut Report<'_>,
) -> Progress {
	poll_fn(|context| {
		queue.poll_actions(context, counter);
		let progress = counter.0.lock().clone();
		report.log(&progress);
		match progress.done >= enough || progress.refused.is_some() {
			true => Poll::Ready(progress),
			false => Poll::Pending,
		}
	})
	.await
}

/// Says why a block cannot be read, in one line.
fn why_unreadable(error: &str) -> String {
	// The decoder names first what contains the fault.
	let why = error.trim().lines().last().unwrap_or_default().trim();
	match ENDS.iter().any(|end| why.contains(end)) {
		true => "the input ends in it, as one that was cut off".into(),
		false => format!(
			"{why}. The input is damaged, compressed, or no export of a chain like this one"
		),
	}
}

/// Says what is left of an import that ended early.
fn kept(blocks: u64, best: BlockNumber) -> String {
	match blocks {
		0 => format!("No block of the input is imported; the best block is #{best}"),
		1 => format!("The block before it is imported; the best block is #{best}"),
		blocks => {
			format!("The {blocks} blocks before it are imported; the best block is #{best}")
		}
	}
}

/// Says what is left of an import that ended early, and not for one of its blocks.
fn kept_of_all(blocks: u64, best: BlockNumber) -> String {
	match blocks {
		0 => format!("No block of the input is imported; the best block is #{best}"),
		blocks => format!(
			"The first {blocks} of the input's blocks are imported; the best block is #{best}. Import the same input again, which \
			 goes on from there"
		),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Encode;
	use sp_runtime::traits::Header as _;

	fn header(number: BlockNumber, parent: Hash) -> Header {
		Header::new(
			number,
			Hash::default(),
			Hash::default(),
			parent,
			Default::default(),
		)
	}

	fn signed(number: BlockNumber) -> Signed {
		Signed {
			block: Block {
				header: header(number, Hash::default()),
				extrinsics: Vec::new(),
			},
			justifications: None,
		}
	}

	/// Returns how many blocks of an input can be read, and what is wrong with the next one.
	fn read(input: &[u8], is_binary: bool) -> (usize, Option<String>) {
		let mut count = 0;
		for block in Blocks::new(input, is_binary).unwrap() {
			match block {
				Ok(_) => count += 1,
				Err(error) => return (count, Some(why_unreadable(&error))),
			}
		}
		(count, None)
	}

	#[test]
	fn whole_blocks_of_a_cut_input_are_read() {
		let json: String = [1, 2, 3]
			.map(|number| serde_json::to_string(&signed(number)).unwrap())
			.concat();
		let blocks = [1, 2, 3].map(|number| signed(number).encode()).concat();
		let binary = [&3u64.to_le_bytes()[..], &blocks[..]].concat();
		for (input, is_binary) in [(json.as_bytes(), false), (&binary[..], true)] {
			assert_eq!(read(input, is_binary), (3, None));
			let (count, why) = read(&input[..input.len() - 3], is_binary);
			assert_eq!(count, 2);
			assert!(why.unwrap().ends_with("was cut off"));
		}
	}

	#[test]
	fn a_block_that_cannot_be_read_is_said_on_one_line() {
		let nested = "Could not decode `Header::number`:\n\t\tout of range decoding Compact<u32>\n";
		let said = why_unreadable(nested);
		assert!(said.starts_with("out of range") && !said.contains(['\n', '\t']));
	}

	#[test]
	fn a_block_of_another_chain_is_recognised() {
		let [genesis, other] = [Hash::repeat_byte(1), Hash::repeat_byte(2)];
		let check = |header: Header| {
			let checked = check_first(&header, genesis, |hash| Ok(hash == genesis));
			checked.map_err(|error| error.to_string())
		};
		assert_eq!(check(header(1, genesis)), Ok(()));
		for first in [header(1, other), header(0, Hash::default())] {
			let said = check(first).unwrap_err();
			assert!(said.contains("of another chain: its genesis"), "{said}");
			assert!(said.contains(&format!("{genesis:?}")), "{said}");
		}
		let said = check(header(7, other)).unwrap_err();
		assert!(said.contains("block #7") && said.contains(&format!("{other:?}")));
		// What is there already needs no parent.
		let known = header(7, other);
		let hash = known.hash();
		assert!(check_first(&known, genesis, |asked| Ok(asked == hash)).is_ok());
	}

	#[test]
	fn blocks_are_counted_up_to_the_first_refused_one() {
		let counter = Counter::default();
		let hash = Hash::repeat_byte(3);
		let known = || Ok(BlockImportStatus::ImportedKnown(1, None));
		let new = || {
			Ok(BlockImportStatus::ImportedUnknown(
				2,
				Default::default(),
				None,
			))
		};
		let refused = || Err(BlockImportError::VerificationFailed(None, "a rule".into()));
		for result in [known(), new(), new(), refused(), new()] {
			counter.blocks_processed(1, 1, vec![(result, hash)]);
		}
		let progress = counter.0.lock().clone();
		assert_eq!((progress.done, progress.known), (3, 1));
		assert_eq!(progress.refused, Some((hash, "a rule".into())));
		assert!(kept(3, 9).starts_with("The 3 blocks before it are imported; the best block is #9"));
		assert!(kept(0, 9).starts_with("No block"));
		assert!(kept_of_all(3, 9).starts_with("The first 3 of the input's blocks are imported"));
		assert!(kept_of_all(0, 9).starts_with("No block"));
	}
}
