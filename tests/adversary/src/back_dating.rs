// SPDX-License-Identifier: Apache-2.0

//! Back-dating on real nodes ("uncle maker": Yaish, Stern and Zohar, 2022): an adversary replaces the others' blocks by
//! brothers with earlier timestamps, which must be more difficult.
//!
//! By Homestead's rule, a block that is found 10 s or more after its parent is no more difficult than its parent. A
//! brother dated 1 s after the parent is. If nodes prefer the brother, the adversary takes the place of nearly half of
//! all blocks, and risks nothing.
//!
//! This process draws who finds each block and when, and writes the time into the block, so that a chain of hours takes
//! minutes. The adversary mines a brother of the best block whenever that is someone else's and late enough, and mines
//! on the best block otherwise. The model counts the blocks of the best chain for the same draws.

use crate::{
	error::AttackError,
	network::{count, Counts, MinerRole, Network},
	report::{figures, rounded, Report},
};
use isthmus_primitives::Hash;
use isthmus_security::Share;
use rand::{distributions::Open01, Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The mean time between blocks, in seconds.
const BLOCK_SECONDS: f64 = 13.0;
/// A block this many seconds after its parent or more has a brother that is more difficult.
const LATE: u64 = 10;

/// Mines `blocks` blocks in total, by the adversary and the honest miners, and measures the adversary's share of the
/// nodes' best chain. The chain must have Homestead's difficulty.
///
/// # Errors
///
/// Returns an error if the attack could not be carried out.
pub async fn back_dating(
	network: &Network,
	share: Share,
	blocks: u32,
	seed: u64,
) -> Result<Report, AttackError> {
	let mut random = ChaCha8Rng::seed_from_u64(seed);
	let start = network.maker().best();
	let first = network.header(start)?.number.saturating_add(1);
	let mut miner = BackDatingMiner::new(network, start)?;
	for _ in 0..blocks {
		let uniform: f64 = random.sample(Open01);
		miner.wait(-BLOCK_SECONDS * uniform.ln());
		if random.gen_bool(share.attacker()) {
			miner.adversary_finds().await?;
		} else {
			miner.honest_find().await?;
		}
	}
	let best = network.nodes()[0].best().await?.hash();
	let nodes = count(network, best, first);
	let BackDatingMiner {
		won,
		brothers,
		found,
		model,
		..
	} = miner;
	let part = |counts: Counts| counts.adversarys as f64 / counts.all.max(1) as f64;
	let honest_part = f64::from(found) / f64::from(blocks.max(1));
	let q = share.attacker();
	Ok(Report {
		attack: "back-dating",
		title: "Back-dated brothers of late blocks",
		promise: "the paper does not discuss it; a miner's part of the blocks is its share of the hash power",
		observed: format!(
			"with q = {q} of the hash power, the adversary found {found} of {blocks} blocks ({honest_part:.3}), of which \
			 {brothers} were back-dated brothers of the best block; the nodes preferred {won} of these, and its part of \
			 the best chain was {} of {} ({:.3}). Had they preferred the more difficult block, it would have been {:.3}",
			nodes.adversarys,
			nodes.all,
			part(nodes),
			part(model.replacing),
		),
		figures: figures([
			("q", rounded(q)),
			("blocks_mined", blocks.into()),
			("adversary_found", found.into()),
			("brothers", brothers.into()),
			("brothers_preferred", won.into()),
			("best_chain_blocks", nodes.all.into()),
			("adversarys_blocks", nodes.adversarys.into()),
			("share", rounded(part(nodes))),
			("share_if_heavier_brothers_won", rounded(part(model.replacing))),
			("seed", seed.into()),
		]),
		held: brothers > 0 && won == 0 && nodes == model.first_seen && part(nodes) <= honest_part,
	})
}

/// The adversary and the honest miners on real nodes.
struct BackDatingMiner<'a> {
	network: &'a Network,
	/// The nodes' best block.
	best: Hash,
	/// The best block's parent, if a brother of the best block would be more difficult, and none was mined yet.
	victim: Option<Hash>,
	/// The time, in seconds since the Unix epoch.
	now: f64,
	/// How many blocks the adversary found, how many of them were brothers, and how many of those the nodes preferred.
	found: u32,
	brothers: u32,
	won: u32,
	model: Model,
}

impl<'a> BackDatingMiner<'a> {
	fn new(network: &'a Network, start: Hash) -> Result<Self, AttackError> {
		let now = network.maker().parent(start)?.timestamp as f64;
		Ok(Self {
			network,
			best: start,
			victim: None,
			now,
			found: 0,
			brothers: 0,
			won: 0,
			model: Model::default(),
		})
	}

	/// Lets time pass until the next block is found.
	fn wait(&mut self, seconds: f64) {
		self.now += seconds;
	}

	/// The honest miners find a block on the best block and date it truly.
	async fn honest_find(&mut self) -> Result<(), AttackError> {
		let late = self.extend(MinerRole::Honest).await?;
		self.model.extend(false);
		self.victim = late;
		Ok(())
	}

	/// The adversary finds a brother of the best block, if it is late, and otherwise a block on it.
	async fn adversary_finds(&mut self) -> Result<(), AttackError> {
		self.found += 1;
		let Some(parent) = self.victim.take() else {
			self.extend(MinerRole::Adversary).await?;
			self.model.extend(true);
			return Ok(());
		};
		self.brothers += 1;
		self.model.replace();
		let early = self
			.network
			.maker()
			.parent(parent)?
			.timestamp
			.saturating_add(1);
		let block = self.publish(MinerRole::Adversary, parent, early).await?;
		let best = self.network.nodes()[0].best().await?.hash();
		if best == block {
			self.won += 1;
			self.best = block;
		}
		Ok(())
	}

	/// Mines on the best block. Returns its parent if the block is late.
	async fn extend(&mut self, role: MinerRole) -> Result<Option<Hash>, AttackError> {
		let parent = self.best;
		let before = self.network.maker().parent(parent)?.timestamp;
		let timestamp = (self.now as u64).max(before.saturating_add(1));
		self.best = self.publish(role, parent, timestamp).await?;
		Ok((timestamp.saturating_sub(before) >= LATE).then_some(parent))
	}

	/// Mines a block, and publishes it to all nodes.
	async fn publish(
		&self,
		role: MinerRole,
		parent: Hash,
		timestamp: u64,
	) -> Result<Hash, AttackError> {
		let block = self.network.mine_at(role, parent, timestamp, true).await?;
		self.network.publish(role, &[block]).await?;
		self.network.all_have(block).await?;
		Ok(block)
	}
}

/// The blocks of the best chain, for the same draws.
#[derive(Clone, Copy, Debug, Default)]
struct Model {
	/// If the block that was seen first stays.
	first_seen: Counts,
	/// If the more difficult brother wins.
	replacing: Counts,
}

impl Model {
	/// A block is found on the best block.
	fn extend(&mut self, by_adversary: bool) {
		for counts in [&mut self.first_seen, &mut self.replacing] {
			counts.all += 1;
			counts.adversarys += u64::from(by_adversary);
		}
	}

	/// A brother of the best block, which is not the adversary's, is found.
	fn replace(&mut self) {
		self.replacing.adversarys += 1;
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn back_dating_pays_only_where_the_more_difficult_brother_wins() {
		let mut random = ChaCha8Rng::seed_from_u64(1);
		let q = 0.3;
		let (mut model, mut late) = (Model::default(), false);
		for _ in 0..1_000_000 {
			// The probability that a block takes 10 s or more.
			let is_late = random.gen_bool((-10.0_f64 / BLOCK_SECONDS).exp());
			if !random.gen_bool(q) {
				model.extend(false);
				late = is_late;
			} else if std::mem::take(&mut late) {
				model.replace();
			} else {
				model.extend(true);
			}
		}
		let part = |counts: Counts| counts.adversarys as f64 / counts.all as f64;
		let attacked = (1.0 - q) * (-10.0_f64 / BLOCK_SECONDS).exp();
		let chain = 1.0 - q * attacked;
		assert!((part(model.replacing) - q / chain).abs() < 0.002);
		assert!((part(model.first_seen) - q * (1.0 - attacked) / chain).abs() < 0.002);
		assert!(part(model.replacing) > q && part(model.first_seen) < q);
	}
}
