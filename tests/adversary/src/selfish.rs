//! Selfish mining (Eyal and Sirer, 2014, algorithm 1) on real nodes: an adversary withholds its blocks,
//! and publishes them when the honest miners' next block would waste theirs.
//!
//! Blocks of one height weigh the same here, and a node takes the one with the smaller hash: so a tie
//! goes to this adversary in half of the cases (γ = 1/2), whatever its connections. It withholds every
//! block; one that withheld only those with small hashes would win more of its ties.
//!
//! The tosses are ours, so the theory's share is met only in the mean. What the nodes are tried for is
//! whether their best chain has just the blocks that the strategy gives it with the same tosses: see
//! [`Model`].

use crate::{
	error::AttackError,
	network::{Network, Who},
	report::{figures, rounded, Report},
};
use isthmus_primitives::Hash;
use isthmus_security::Share;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Who wins a tie for the adversary, of those who mine on: half, by the hash.
const GAMMA: f64 = 0.5;

/// The adversary's share of the blocks in the best chain, when it mines selfishly with the share q of
/// the hash power (Eyal and Sirer, equation 8, with γ = 1/2).
pub fn expected_share(share: Share) -> f64 {
	let q = share.attacker();
	let honest = 1.0 - q;
	let gain = q * honest * honest * (4.0 * q + GAMMA * (1.0 - 2.0 * q)) - q.powi(3);
	gain / (1.0 - q * (1.0 + (2.0 - q) * q))
}

/// Mines `rounds` blocks in all, the adversary's and the honest miners', and says what part of the
/// nodes' best chain is the adversary's.
///
/// # Errors
///
/// What keeps it from being carried out.
pub async fn selfish(
	network: &Network,
	share: Share,
	rounds: u32,
	seed: u64,
) -> Result<Report, AttackError> {
	let mut random = ChaCha8Rng::seed_from_u64(seed);
	let start = network.maker().best();
	let first = network.header(start)?.number.saturating_add(1);
	let mut model = Model::default();
	// The adversary's own chain, from where it left the public one; the blocks that are not published.
	let (mut private, mut public): (Vec<Hash>, Vec<Hash>) = (Vec::new(), Vec::new());
	let (mut base, mut shown) = (start, 0usize);
	for _ in 0..rounds {
		let private_tip = private.last().copied().unwrap_or(base);
		if random.gen_bool(share.attacker()) {
			model.adversary_finds();
			let tie = !private.is_empty() && private.len() == public.len();
			private.push(network.mine(Who::Adversary, private_tip, true).await?);
			if tie {
				// The tie is over: the adversary's chain is the heavier one.
				network.publish(Who::Adversary, &private[shown..]).await?;
				base = settle(network, &mut private, &mut public, &mut shown).await?;
			}
			continue;
		}
		// Honest miners mine on what the nodes have as best, which after a tie may be either's block.
		let best = network.nodes()[0].best().await?.hash();
		let block = network.mine(Who::Honest, best, true).await?;
		network.publish(Who::Honest, &[block]).await?;
		network.all_have(block).await?;
		let on_adversarys = private[..shown].last() == Some(&best);
		model.honest_find(on_adversarys);
		if on_adversarys {
			// What was shown is safe, and the race goes on from there.
			base = best;
			private.drain(..shown);
			public.clear();
			shown = 0;
		}
		public.push(block);
		match private.len().checked_sub(public.len()) {
			// Behind: the adversary joins the others.
			None => {
				base = block;
				(private, public, shown) = (Vec::new(), Vec::new(), 0);
			}
			// The lead was one, and is gone: a tie, in which everything is shown.
			Some(0) => {
				network.publish(Who::Adversary, &private[shown..]).await?;
				shown = private.len();
				network.all_have(private[shown - 1]).await?;
			}
			// The lead was two: published, it is the heavier chain, once and for all.
			Some(1) => {
				network.publish(Who::Adversary, &private[shown..]).await?;
				base = settle(network, &mut private, &mut public, &mut shown).await?;
			}
			// The lead is great: as many are shown as the others have.
			Some(_) => {
				let until = public.len();
				network
					.publish(Who::Adversary, &private[shown..until])
					.await?;
				shown = until;
				network.all_have(private[until - 1]).await?;
			}
		}
	}
	// What is left is published: withheld, it is worth nothing.
	if private.len() > shown {
		network.publish(Who::Adversary, &private[shown..]).await?;
		settle(network, &mut private.clone(), &mut public, &mut shown).await?;
	}
	let best = network.nodes()[0].best().await?;
	let theirs = model.end(private.last() == Some(&best.hash()));
	let mut ours = Chain::default();
	let mut hash = best.hash();
	while let Some(header) = network.maker().client().header(hash).ok().flatten() {
		if header.number < first {
			break;
		}
		ours.all += 1;
		ours.adversarys += u64::from(network.maker().is_by_adversary(&header));
		hash = header.parent_hash;
	}
	let Chain { all, adversarys } = ours;
	let part = adversarys as f64 / all.max(1) as f64;
	let (q, expected) = (share.attacker(), expected_share(share));
	Ok(Report {
		attack: "selfish-mining",
		title: "Selfish mining",
		promise: "the paper is silent on it; an honest miner's part is its share of the hash power",
		observed: format!(
			"with q = {q} of the hash power the adversary had {adversarys} of the best chain's {all} blocks, \
			 {part:.3}; by the same tosses the strategy gives it {} of {}, and in the mean {expected:.3}. \
			 Nothing here prevents it",
			theirs.adversarys, theirs.all,
		),
		figures: figures([
			("q", rounded(q)),
			("blocks_mined", rounds.into()),
			("best_chain_blocks", all.into()),
			("adversarys_blocks", adversarys.into()),
			("model_best_chain_blocks", theirs.all.into()),
			("model_adversarys_blocks", theirs.adversarys.into()),
			("share", rounded(part)),
			("expected_share", rounded(expected)),
			("gamma", rounded(GAMMA)),
			("seed", seed.into()),
		]),
		// The nodes give the strategy neither more nor less than the rule of the heaviest chain does.
		held: ours == theirs,
	})
}

/// Blocks of the best chain, since selfish mining began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chain {
	all: u64,
	adversarys: u64,
}

/// The strategy without any blocks: Eyal and Sirer's algorithm 1 as numbers, on a network where the
/// heaviest chain is followed. Only whose block is next, and whose an honest miner mines on in a tie, is
/// told to it.
#[derive(Debug, Default)]
struct Model {
	/// What nobody can change any more.
	settled: Chain,
	/// Blocks since then, of the adversary's chain and of the others'.
	private: u64,
	public: u64,
	/// How many of the adversary's are published.
	shown: u64,
}

impl Model {
	fn adversary_finds(&mut self) {
		let tie = self.private > 0 && self.private == self.public;
		self.private += 1;
		if tie {
			self.adversary_wins();
		}
	}

	fn honest_find(&mut self, on_adversarys: bool) {
		if on_adversarys {
			self.settled.all += self.shown;
			self.settled.adversarys += self.shown;
			self.private -= self.shown;
			(self.public, self.shown) = (0, 0);
		}
		self.public += 1;
		if self.private < self.public {
			self.settled.all += self.public;
			(self.private, self.public, self.shown) = (0, 0, 0);
		} else if self.private == self.public + 1 {
			self.adversary_wins();
		} else {
			self.shown = self.public;
		}
	}

	fn adversary_wins(&mut self) {
		self.settled.all += self.private;
		self.settled.adversarys += self.private;
		(self.private, self.public, self.shown) = (0, 0, 0);
	}

	/// All is published. `tie_won` says whose chain is followed if both are as long.
	fn end(mut self, tie_won: bool) -> Chain {
		if self.private > self.public || tie_won {
			self.adversary_wins();
		}
		self.settled.all += self.public;
		self.settled
	}
}

/// Everything is public, and the adversary's tip is the heaviest block: everybody starts from it.
async fn settle(
	network: &Network,
	private: &mut Vec<Hash>,
	public: &mut Vec<Hash>,
	shown: &mut usize,
) -> Result<Hash, AttackError> {
	let tip = private
		.last()
		.copied()
		.unwrap_or_else(|| network.maker().best());
	if !network.all_follow(tip).await? {
		return Err(AttackError::NotTaken(tip));
	}
	private.clear();
	public.clear();
	*shown = 0;
	Ok(tip)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_theory_pays_above_a_quarter_of_the_power() {
		// With γ = 1/2 the threshold is (1 − γ)/(3 − 2γ) = 1/4: there selfish mining pays as honest mining.
		let at = |q| expected_share(Share::new(q).unwrap());
		assert!((at(0.25) - 0.25).abs() < 1e-12);
		assert!(at(0.2) < 0.2 && at(0.4) > 0.4);
	}

	fn played(finds: &[Find]) -> Chain {
		let mut model = Model::default();
		for find in finds {
			match find {
				Find::Adversary => model.adversary_finds(),
				Find::Honest => model.honest_find(false),
				Find::OnAdversarys => model.honest_find(true),
			}
		}
		model.end(false)
	}

	enum Find {
		Adversary,
		Honest,
		OnAdversarys,
	}
	use Find::{Adversary as A, Honest as H, OnAdversarys as O};

	#[test]
	fn the_model_plays_every_case_of_the_strategy() {
		let chain = |adversarys, all| Chain { all, adversarys };
		assert_eq!(played(&[H, H]), chain(0, 2));
		// A lead of one, a tie, and each of its three ends.
		assert_eq!(played(&[A, H, A]), chain(2, 2));
		assert_eq!(played(&[A, H, O]), chain(1, 2));
		assert_eq!(played(&[A, H, H]), chain(0, 2));
		// A tie that nobody ended went the other way.
		assert_eq!(played(&[A, H]), chain(0, 1));
		// A lead of two, which the next honest block would make one.
		assert_eq!(played(&[A, A, H]), chain(2, 2));
		// A lead of three: one is shown, and honest miners mine on it, or on their own.
		assert_eq!(played(&[A, A, A, H, O]), chain(3, 3));
		assert_eq!(played(&[A, A, A, H, H]), chain(3, 3));
		assert_eq!(played(&[A, A, A, A, H, O, A, H]), chain(5, 5));
		// What is withheld at the end is published.
		assert_eq!(played(&[A, A, A, H]), chain(3, 3));
	}

	#[test]
	fn the_model_has_the_theorys_share_in_the_mean() {
		let mut random = ChaCha8Rng::seed_from_u64(1);
		for q in [0.1, 0.3, 0.4] {
			let mut model = Model::default();
			for _ in 0..1_000_000 {
				if random.gen_bool(q) {
					model.adversary_finds();
				} else {
					let on_adversarys = model.shown > 0 && random.gen_bool(GAMMA);
					model.honest_find(on_adversarys);
				}
			}
			let Chain { all, adversarys } = model.end(false);
			let (got, expected) = (
				adversarys as f64 / all as f64,
				expected_share(Share::new(q).unwrap()),
			);
			assert!((got - expected).abs() < 0.003, "{q}: {got}, not {expected}");
		}
	}
}
