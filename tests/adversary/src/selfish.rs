// SPDX-License-Identifier: Apache-2.0

//! Selfish mining (Eyal and Sirer, 2014, algorithm 1) on real nodes: an adversary withholds its blocks and
//! publishes them when that wastes the honest miners' work.
//!
//! Blocks at the same height have the same weight here, and a node keeps the one that it saw first. The adversary
//! publishes after the honest block has reached every node, so it wins no tie (γ = 0). An adversary that is much better
//! connected than the honest miners would win some.
//!
//! This process makes the random draws, so the adversary's share matches the theory only on average. What
//! the attack tests is whether the nodes' best chain has exactly the blocks that the strategy predicts for
//! the same draws: see `Strategy`.

use crate::{
	error::AttackError,
	network::{count, Counts, MinerRole, Network},
	report::{figures, rounded, Report},
};
use isthmus_primitives::Hash;
use isthmus_security::Share;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The fraction of ties that the adversary wins: none, because the block that was seen first stays.
const GAMMA: f64 = 0.0;

/// Returns the share of the best chain's blocks that an adversary can expect if it mines selfishly with the share
/// q of the hash power (Eyal and Sirer, equation 8, with γ = 0).
pub fn expected_share(share: Share) -> f64 {
	let q = share.attacker();
	let honest = 1.0 - q;
	let gain = q * honest * honest * (4.0 * q + GAMMA * (1.0 - 2.0 * q)) - q.powi(3);
	gain / (1.0 - q * (1.0 + (2.0 - q) * q))
}

/// Mines `rounds` blocks in total, by the adversary and the honest miners, and measures the adversary's share of
/// the nodes' best chain.
///
/// # Errors
///
/// Returns an error if the attack could not be carried out.
pub async fn selfish(
	network: &Network,
	share: Share,
	rounds: u32,
	seed: u64,
) -> Result<Report, AttackError> {
	let mut random = ChaCha8Rng::seed_from_u64(seed);
	let start = network.maker().best();
	let first = network.header(start)?.number.saturating_add(1);
	let mut miner = SelfishMiner::new(network, start);
	for _ in 0..rounds {
		if random.gen_bool(share.attacker()) {
			miner.adversary_finds().await?;
		} else {
			miner.honest_find().await?;
		}
	}
	let Ended {
		best,
		model,
		ties_won,
	} = miner.end().await?;
	let nodes = count(network, best, first);
	let Counts { all, adversarys } = nodes;
	let part = adversarys as f64 / all.max(1) as f64;
	let (q, expected) = (share.attacker(), expected_share(share));
	Ok(Report {
		attack: "selfish-mining",
		title: "Selfish mining",
		promise: "the paper does not discuss it; an honest miner's part of the blocks is its share of the hash power",
		observed: format!(
			"with q = {q} of the hash power, the adversary mined {adversarys} of the best chain's {all} blocks \
			 ({part:.3}); with the same random draws the strategy yields {} of {}, and {expected:.3} on \
			 average. Nothing here prevents it",
			model.adversarys, model.all,
		),
		figures: figures([
			("q", rounded(q)),
			("blocks_mined", rounds.into()),
			("best_chain_blocks", all.into()),
			("adversarys_blocks", adversarys.into()),
			("model_best_chain_blocks", model.all.into()),
			("model_adversarys_blocks", model.adversarys.into()),
			("share", rounded(part)),
			("expected_share", rounded(expected)),
			("gamma", rounded(GAMMA)),
			("ties_won", ties_won.into()),
			("seed", seed.into()),
		]),
		// True if the strategy gained exactly what it gains on a network that follows the heaviest chain, and of equal
		// ones the first.
		held: nodes == model && ties_won == 0,
	})
}

/// How selfish mining ended.
struct Ended {
	/// The nodes' best block.
	best: Hash,
	/// The counts that the strategy predicts.
	model: Counts,
	/// How many ties the adversary won.
	ties_won: u32,
}

/// The adversary and the honest miners on real nodes.
struct SelfishMiner<'a> {
	network: &'a Network,
	/// The block at which the adversary's chain leaves the public one.
	base: Hash,
	/// The adversary's blocks since the base.
	private: Vec<Hash>,
	/// How many of them are published.
	published: usize,
	/// The honest miners' blocks since the base.
	public: Vec<Hash>,
	/// How many ties the adversary won.
	ties_won: u32,
	/// The strategy's counts for the same draws.
	strategy: Strategy,
}

impl<'a> SelfishMiner<'a> {
	fn new(network: &'a Network, start: Hash) -> Self {
		Self {
			network,
			base: start,
			private: Vec::new(),
			published: 0,
			public: Vec::new(),
			ties_won: 0,
			strategy: Strategy::default(),
		}
	}

	/// The adversary finds the next block, and withholds it unless there is a tie.
	async fn adversary_finds(&mut self) -> Result<(), AttackError> {
		self.strategy.adversary_finds();
		let tie = !self.private.is_empty() && self.private.len() == self.public.len();
		let tip = self.private.last().copied().unwrap_or(self.base);
		let block = self.network.mine(MinerRole::Adversary, tip, true).await?;
		self.private.push(block);
		if tie {
			// The adversary's chain is now the heavier one.
			self.publish(self.private.len()).await?;
			self.settle().await?;
		}
		Ok(())
	}

	/// The honest miners find the next block, and the adversary reacts.
	async fn honest_find(&mut self) -> Result<(), AttackError> {
		// Honest miners mine on the nodes' best block. In a tie, it can belong to either side.
		let best = self.network.nodes()[0].best().await?.hash();
		let block = self.network.mine(MinerRole::Honest, best, true).await?;
		self.network.publish(MinerRole::Honest, &[block]).await?;
		self.network.all_have(block).await?;
		let on_adversarys = self.private[..self.published].last() == Some(&best);
		self.strategy.honest_find(on_adversarys);
		if on_adversarys {
			// The published blocks are safe, and the race continues from there.
			self.ties_won += 1;
			self.base = best;
			self.private.drain(..self.published);
			self.public.clear();
			self.published = 0;
		}
		self.public.push(block);
		match self.private.len().checked_sub(self.public.len()) {
			// The adversary is behind, so it adopts the public chain.
			None => {
				self.base = block;
				self.private.clear();
				self.public.clear();
				self.published = 0;
			}
			// The lead was one. Now there is a tie, so the adversary publishes everything.
			Some(0) => {
				self.publish(self.private.len()).await?;
				self.network
					.all_have(self.private[self.published - 1])
					.await?;
			}
			// The lead was two. When the adversary publishes its blocks, its chain is the heavier one.
			Some(1) => {
				self.publish(self.private.len()).await?;
				self.settle().await?;
			}
			// The lead is larger: the adversary publishes up to the height of the public chain.
			Some(_) => {
				self.publish(self.public.len()).await?;
				self.network
					.all_have(self.private[self.published - 1])
					.await?;
			}
		}
		Ok(())
	}

	/// Publishes the remaining blocks, because a withheld block is worth nothing.
	async fn end(mut self) -> Result<Ended, AttackError> {
		let tip = self.private.last().copied();
		if self.private.len() > self.published {
			self.publish(self.private.len()).await?;
			self.settle().await?;
		}
		let best = self.network.nodes()[0].best().await?.hash();
		Ok(Ended {
			best,
			model: self.strategy.end(tip == Some(best)),
			ties_won: self.ties_won,
		})
	}

	/// Publishes the first `until` of the adversary's blocks, as far as they are not published yet.
	async fn publish(&mut self, until: usize) -> Result<(), AttackError> {
		let blocks = &self.private[self.published..until];
		self.network.publish(MinerRole::Adversary, blocks).await?;
		self.published = until;
		Ok(())
	}

	/// Waits until all nodes follow the adversary's chain, which is published and the heaviest. All miners then
	/// continue from its tip.
	async fn settle(&mut self) -> Result<(), AttackError> {
		let tip = self.private.last().copied();
		let tip = tip.unwrap_or_else(|| self.network.maker().best());
		if !self.network.all_follow(tip).await? {
			return Err(AttackError::NotImported(tip));
		}
		self.private.clear();
		self.public.clear();
		self.published = 0;
		self.base = tip;
		Ok(())
	}
}

/// A model of the strategy that only counts blocks: Eyal and Sirer's algorithm 1 on a network that follows the
/// heaviest chain. Its input is who finds each block, and on whose block an honest miner mines in a tie.
#[derive(Debug, Default)]
struct Strategy {
	/// The blocks that can no longer be reverted.
	settled: Counts,
	/// The number of later blocks on the adversary's chain, and on the public one.
	private: u64,
	public: u64,
	/// How many of the adversary's blocks are published.
	published: u64,
}

impl Strategy {
	fn adversary_finds(&mut self) {
		let tie = self.private > 0 && self.private == self.public;
		self.private += 1;
		if tie {
			self.adversary_wins();
		}
	}

	fn honest_find(&mut self, on_adversarys: bool) {
		if on_adversarys {
			self.settled.all += self.published;
			self.settled.adversarys += self.published;
			self.private -= self.published;
			(self.public, self.published) = (0, 0);
		}
		self.public += 1;
		if self.private < self.public {
			self.settled.all += self.public;
			(self.private, self.public, self.published) = (0, 0, 0);
		} else if self.private == self.public + 1 {
			self.adversary_wins();
		} else {
			self.published = self.public;
		}
	}

	fn adversary_wins(&mut self) {
		self.settled.all += self.private;
		self.settled.adversarys += self.private;
		(self.private, self.public, self.published) = (0, 0, 0);
	}

	/// Publishes everything and returns the counts. `tie_won` is true if the nodes follow the adversary in a tie.
	fn end(mut self, tie_won: bool) -> Counts {
		if self.private > self.public || tie_won {
			self.adversary_wins();
		}
		self.settled.all += self.public;
		self.settled
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn selfish_mining_pays_above_a_third_of_the_power() {
		// The threshold is the share at which selfish mining pays as much as honest mining: (1 − γ)/(3 −
		// 2γ), which is 1/3 for γ = 0.
		let at = |q| expected_share(Share::new(q).unwrap());
		assert!((at(1.0 / 3.0) - 1.0 / 3.0).abs() < 1e-12);
		assert!(at(0.3) < 0.3 && at(0.4) > 0.4);
	}

	fn played(finds: &[Find]) -> Counts {
		let mut strategy = Strategy::default();
		for find in finds {
			match find {
				Find::Adversary => strategy.adversary_finds(),
				Find::Honest => strategy.honest_find(false),
				Find::OnAdversarys => strategy.honest_find(true),
			}
		}
		strategy.end(false)
	}

	enum Find {
		Adversary,
		Honest,
		OnAdversarys,
	}
	use Find::{Adversary as A, Honest as H, OnAdversarys as O};

	#[test]
	fn the_strategy_handles_every_case() {
		let chain = |adversarys, all| Counts { all, adversarys };
		assert_eq!(played(&[H, H]), chain(0, 2));
		// The adversary leads by one. Then there is a tie, which can end in three ways.
		assert_eq!(played(&[A, H, A]), chain(2, 2));
		assert_eq!(played(&[A, H, O]), chain(1, 2));
		assert_eq!(played(&[A, H, H]), chain(0, 2));
		// If no further block decides a tie, the adversary loses it.
		assert_eq!(played(&[A, H]), chain(0, 1));
		// The adversary leads by two, and the honest block reduces its lead to one.
		assert_eq!(played(&[A, A, H]), chain(2, 2));
		// The adversary leads by three. It publishes one block, and the honest miners mine on it or on
		// their own block.
		assert_eq!(played(&[A, A, A, H, O]), chain(3, 3));
		assert_eq!(played(&[A, A, A, H, H]), chain(3, 3));
		assert_eq!(played(&[A, A, A, A, H, O, A, H]), chain(5, 5));
		// The adversary publishes its withheld blocks at the end.
		assert_eq!(played(&[A, A, A, H]), chain(3, 3));
	}

	#[test]
	fn the_strategy_earns_the_theoretical_share_on_average() {
		let mut random = ChaCha8Rng::seed_from_u64(1);
		for q in [0.1, 0.3, 0.4] {
			let mut strategy = Strategy::default();
			for _ in 0..1_000_000 {
				if random.gen_bool(q) {
					strategy.adversary_finds();
				} else {
					let on_adversarys = strategy.published > 0 && random.gen_bool(GAMMA);
					strategy.honest_find(on_adversarys);
				}
			}
			let Counts { all, adversarys } = strategy.end(false);
			let (got, expected) = (
				adversarys as f64 / all as f64,
				expected_share(Share::new(q).unwrap()),
			);
			assert!((got - expected).abs() < 0.003, "{q}: {got}, not {expected}");
		}
	}
}
