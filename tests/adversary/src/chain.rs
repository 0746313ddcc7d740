// SPDX-License-Identifier: Apache-2.0

//! Makes a whole chain with forks and uncles in a node's database, for other nodes to sync.

use crate::{
	filler,
	forge::BENEFICIARY,
	justify::Voter,
	maker::{MakeError, Maker, Plan},
};
use isthmus_primitives::{AccountId, BlockNumber, Hash};
use polkadot_sdk::sp_blockchain::HeaderBackend;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::time::Instant;

/// The maximum number of blocks in a fork. Uncles can be further back than that, but younger uncles are
/// named first.
const LONGEST_FORK: u32 = 3;

/// The shape of the chain to make.
#[derive(Clone, Copy, Debug)]
pub struct ChainOptions {
	/// How many blocks the best chain has.
	pub blocks: BlockNumber,
	/// Start a fork each time the best chain has grown by this number of blocks; 0 for no forks.
	pub fork_every: BlockNumber,
	/// The time between blocks, in seconds.
	pub interval: u64,
	/// The seed that determines the length of each fork.
	pub seed: u64,
	/// The number of bytes of transactions in each block of the best chain.
	pub body_bytes: usize,
	/// Finalize the best chain each time it has grown by this number of blocks; 0 for never. The last block of each set of
	/// voters is finalized, too.
	pub finalize_every: BlockNumber,
	/// Change the verifier's vote key each time the best chain has grown by this number of blocks; 0 for never.
	pub change_every: BlockNumber,
}

/// A description of the chain that was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
	/// The best block.
	pub best: Tip,
	/// Its total difficulty, in decimal.
	pub total_difficulty: String,
	/// How many blocks are not on the best chain.
	pub fork_blocks: u32,
	/// How many forks there are.
	pub forks: u32,
	/// How many uncles the best chain names.
	pub uncles: u32,
	/// How many times the set of voters changed.
	pub changes: u64,
	/// How long making the chain took, in seconds.
	pub seconds: f64,
}

/// A block.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tip {
	/// The block's number.
	pub number: BlockNumber,
	/// The block's hash.
	pub hash: Hash,
}

/// Makes a chain on top of the maker's best block. Calls `progress` with the index of each block that it
/// makes.
///
/// If the chain's genesis block has no timestamp, the timestamps are chosen so that the last one is just before
/// the current time.
///
/// # Errors
///
/// Returns the error of the maker.
pub async fn make(
	maker: &Maker,
	options: ChainOptions,
	progress: impl Fn(BlockNumber),
) -> Result<Summary, MakeError> {
	let started = Instant::now();
	let mut random = ChaCha8Rng::seed_from_u64(options.seed);
	let (mut fork_blocks, mut forks, mut uncles) = (0u32, 0u32, 0u32);
	let mut tip = maker.best();
	let mut time = maker.parent(tip)?.timestamp;
	if time == 0 {
		let length = u64::from(options.blocks).saturating_add(1);
		time = crate::now().saturating_sub(length.saturating_mul(options.interval));
	}
	let is_due = |index: BlockNumber, every: BlockNumber| every != 0 && index.is_multiple_of(every);
	let mut voter = Voter::at_genesis();
	// Whether a change of the vote key is due: the first block of a session takes no ordinary transactions.
	let mut must_change = false;
	for index in 1..=options.blocks {
		// The best chain must outgrow each fork before the next fork starts, and before the chain ends.
		let longest = LONGEST_FORK
			.min(options.fork_every.saturating_sub(1))
			.max(1);
		let ends = index.saturating_add(longest) >= options.blocks;
		if is_due(index, options.fork_every) && !ends {
			let length = random.gen_range(1..=longest);
			let times = (1..=u64::from(length)).map(|step| options.interval.saturating_mul(step));
			fork(maker, tip, times.map(|after| time.saturating_add(after))).await?;
			forks = forks.saturating_add(1);
			fork_blocks = fork_blocks.saturating_add(length);
		}
		time = time.saturating_add(options.interval);
		let named = maker.uncle_candidates(tip)?;
		uncles = uncles.saturating_add(u32::try_from(named.len()).unwrap_or(u32::MAX));
		must_change |= is_due(index, options.change_every);
		let calls = must_change.then(|| voter.change_key());
		let calls = calls.into_iter().collect();
		let extrinsics = filler::transactions(maker, tip, calls, options.body_bytes)?;
		let first = extrinsics.first().cloned();
		let made = maker.make(Plan {
			parent: tip,
			timestamp: time,
			beneficiary: BENEFICIARY,
			extra_data: Vec::new(),
			uncles: named,
			extrinsics,
		})?;
		must_change &= first.is_some_and(|first| !made.body.contains(&first));
		let ends_set = Voter::ends_set(&made.header);
		let is_final = ends_set || is_due(index, options.finalize_every);
		let (hash, number) = (made.header.hash(), made.header.number);
		tip = maker
			.import(made, is_final.then(|| voter.justify(hash, number)))
			.await?;
		if ends_set {
			voter.begin_set();
		}
		progress(index);
	}
	let best = maker.best();
	Ok(Summary {
		best: Tip {
			number: maker.client().info().best_number,
			hash: best,
		},
		total_difficulty: maker.total_difficulty(best)?.to_string(),
		fork_blocks,
		forks,
		uncles,
		changes: voter.changes(),
		seconds: started.elapsed().as_secs_f64(),
	})
}

/// Makes a fork from a block on, with a block for each timestamp.
async fn fork(
	maker: &Maker,
	from: Hash,
	timestamps: impl Iterator<Item = u64>,
) -> Result<(), MakeError> {
	let mut parent = from;
	for timestamp in timestamps {
		parent = maker
			.mine(Plan {
				parent,
				timestamp,
				beneficiary: AccountId::new([0xf0; 32]),
				extra_data: b"fork".to_vec(),
				uncles: Vec::new(),
				extrinsics: Vec::new(),
			})
			.await?;
	}
	Ok(())
}
