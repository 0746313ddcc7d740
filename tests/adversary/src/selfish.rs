//! Selfish mining (Eyal and Sirer, 2014, algorithm 1) on real nodes: an adversary withholds its blocks,
//! and publishes them when the honest miners' next block would waste theirs.
//!
//! Blocks of one height weigh the same here, and a node takes the one with the smaller hash: so a tie
//! goes to the adversary in half of the cases (γ = 1/2), whatever its connections.

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
	// The adversary's own chain, from where it left the public one; the blocks that are not published.
	let (mut private, mut public): (Vec<Hash>, Vec<Hash>) = (Vec::new(), Vec::new());
	let (mut base, mut shown) = (start, 0usize);
	for _ in 0..rounds {
		let private_tip = private.last().copied().unwrap_or(base);
		if random.gen_bool(share.attacker()) {
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
		if private
			.get(..shown)
			.is_some_and(|shown| shown.last() == Some(&best))
		{
			// On the adversary's own block: its lead is safe, and all is public again.
			base = block;
			(private, public, shown) = (Vec::new(), Vec::new(), 0);
			continue;
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
		if let Some(tip) = private.last() {
			network.all_have(*tip).await?;
		}
	}
	let (mut all, mut adversarys) = (0u64, 0u64);
	let best = network.nodes()[0].best().await?;
	let mut hash = best.hash();
	while let Some(header) = network.maker().client().header(hash).ok().flatten() {
		if header.number < first {
			break;
		}
		all += 1;
		adversarys += u64::from(network.maker().is_by_adversary(&header));
		hash = header.parent_hash;
	}
	let part = adversarys as f64 / all.max(1) as f64;
	let (q, expected) = (share.attacker(), expected_share(share));
	Ok(Report {
		attack: "selfish-mining",
		title: "Selfish mining",
		promise: "the paper is silent on it; an honest miner's part is its share of the hash power",
		observed: format!(
			"with q = {q} of the hash power the adversary had {adversarys} of the best chain's {all} blocks, \
			 {part:.3}; the theory says {expected:.3}. Nothing here prevents it"
		),
		figures: figures([
			("q", rounded(q)),
			("blocks_mined", rounds.into()),
			("best_chain_blocks", all.into()),
			("adversarys_blocks", adversarys.into()),
			("share", rounded(part)),
			("expected_share", rounded(expected)),
			("gamma", rounded(GAMMA)),
			("seed", seed.into()),
		]),
		// An adversary under half of the power must not get more than the theory gives it: four standard
		// deviations of a binomial are allowed, as few blocks scatter.
		held: part <= expected + 4.0 * (expected * (1.0 - expected) / all.max(1) as f64).sqrt(),
	})
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
}
