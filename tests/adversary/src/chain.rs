//! A whole chain at once, with forks and uncles: for nodes that sync it.

use crate::{
	forge::BENEFICIARY,
	maker::{MakeError, Maker, Plan},
};
use isthmus_primitives::{AccountId, BlockNumber, Hash};
use polkadot_sdk::sp_blockchain::HeaderBackend;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::time::Instant;

/// The most blocks of one fork. An uncle may be older, but the younger ones are named first.
const LONGEST_FORK: u32 = 3;

/// The chain to make.
#[derive(Clone, Copy, Debug)]
pub struct Order {
	/// Blocks of the best chain.
	pub blocks: BlockNumber,
	/// A fork leaves the best chain every so many blocks; 0 for no forks.
	pub fork_every: BlockNumber,
	/// Seconds between blocks.
	pub interval: u64,
	/// Decides how long each fork is.
	pub seed: u64,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
	/// The best block.
	pub best: Tip,
	/// Its total difficulty, in decimal.
	pub total_difficulty: String,
	/// Blocks that are not in the best chain.
	pub fork_blocks: u32,
	/// Forks.
	pub forks: u32,
	/// Uncles that the best chain names.
	pub uncles: u32,
	/// How long it took, in seconds.
	pub seconds: f64,
}

/// A block.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tip {
	/// Its number.
	pub number: BlockNumber,
	/// Its hash.
	pub hash: Hash,
}

/// Makes the chain on top of what the maker's database holds. `progress` is told each block's number.
///
/// Where the chain's genesis has no timestamp, the first block's is such that the last one's is just
/// past.
///
/// # Errors
///
/// The maker's.
pub async fn make(
	maker: &Maker,
	order: Order,
	progress: impl Fn(BlockNumber),
) -> Result<Summary, MakeError> {
	let started = Instant::now();
	let mut random = ChaCha8Rng::seed_from_u64(order.seed);
	let (mut fork_blocks, mut forks, mut uncles) = (0u32, 0u32, 0u32);
	let mut tip = maker.best();
	let mut time = maker.parent(tip)?.timestamp;
	if time == 0 {
		let length = u64::from(order.blocks).saturating_add(1);
		time = crate::now().saturating_sub(length.saturating_mul(order.interval));
	}
	for index in 1..=order.blocks {
		// The best chain must pass each fork before the next one leaves it, and before its own end.
		let longest = LONGEST_FORK.min(order.fork_every.saturating_sub(1)).max(1);
		let ends = index.saturating_add(longest) >= order.blocks;
		if order.fork_every != 0 && index % order.fork_every == 0 && !ends {
			let length = random.gen_range(1..=longest);
			let mut fork = tip;
			for step in 1..=u64::from(length) {
				let timestamp = time.saturating_add(order.interval.saturating_mul(step));
				fork = maker
					.mine(Plan {
						parent: fork,
						timestamp,
						beneficiary: AccountId::new([0xf0; 32]),
						extra_data: b"fork".to_vec(),
						uncles: Vec::new(),
						extrinsics: Vec::new(),
					})
					.await?;
			}
			forks = forks.saturating_add(1);
			fork_blocks = fork_blocks.saturating_add(length);
		}
		time = time.saturating_add(order.interval);
		let named = maker.uncle_candidates(tip)?;
		uncles = uncles.saturating_add(u32::try_from(named.len()).unwrap_or(u32::MAX));
		tip = maker
			.mine(Plan {
				parent: tip,
				timestamp: time,
				beneficiary: BENEFICIARY,
				extra_data: Vec::new(),
				uncles: named,
				extrinsics: Vec::new(),
			})
			.await?;
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
		seconds: started.elapsed().as_secs_f64(),
	})
}
