// SPDX-License-Identifier: Apache-2.0

//! The forged-block attack (paper, section IV.B) on real nodes: an attacker with the share q of the hash
//! power mines a private fork, and publishes it when it is heavier than the chain that a merchant trusted.
//!
//! A random draw decides who finds the next block: the attacker with probability q. This is equivalent to a
//! race between miners in which every hash attempt succeeds with the same small probability. Every honest
//! block is published at once, and the nodes follow it.
//!
//! The merchant's block is the first honest block after the point where the fork starts. The merchant
//! trusts it once z honest blocks have been built from that point, including the block itself. The attacker
//! is one block ahead at the start. It therefore becomes heavier exactly when an attacker without this lead
//! would catch up from z − k blocks behind, where k is the number of blocks that it found in the meantime.
//! So its odds are those of [`isthmus_security::exact`].
//!
//! All blocks have the same difficulty (the chain's difficulty rule must be fixed), so the heavier chain is
//! the longer one.
//!
//! This process makes the random draws, so how often a fork becomes heavier says nothing about the nodes.
//! The report shows this rate beside the odds. What the attack tests is how the nodes react to each fork
//! that became heavier: without finality they must follow every such fork, and with finality none.

use crate::{
	error::AttackError,
	network::{MinerRole, Network},
	report::{figures, rounded, Report},
};
use isthmus_primitives::Hash;
use isthmus_security::{equation_3, exact, Confidence, Interval, Model, Race, Share};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The options of a series of races.
#[derive(Clone, Copy, Debug)]
pub struct RaceOptions {
	/// q: the attacker's share of the hash power.
	pub share: Share,
	/// z: how many blocks the merchant waits for.
	pub z: u32,
	/// How many attacks to carry out.
	pub trials: u64,
	/// The seed of the random draws.
	pub seed: u64,
	/// Whether the nodes finalize blocks; the merchant then waits for that too.
	pub finality: bool,
}

/// Attacks `trials` times and counts how often the merchant's block was reverted.
///
/// # Errors
///
/// Returns an error if the attacks could not be carried out.
pub async fn race(
	network: &Network,
	options: RaceOptions,
	progress: impl Fn(u64),
) -> Result<Report, AttackError> {
	let RaceOptions {
		share,
		z,
		trials,
		seed,
		finality,
	} = options;
	let rules = Race::new(Model::Exact, share, z, trials).map_err(AttackError::Race)?;
	let give_up = u64::from(rules.give_up_behind());
	let mut random = ChaCha8Rng::seed_from_u64(seed);
	let (mut published, mut reversals) = (0u64, 0u64);
	for trial in 1..=trials {
		let outcome = attack(network, options, give_up, &mut random).await?;
		published += u64::from(outcome.published);
		reversals += u64::from(outcome.reversed);
		progress(trial);
	}
	let interval = Interval::wilson(reversals, trials, Confidence::P999);
	let (odds, paper) = (exact(share, z), equation_3(share, z));
	let rate = reversals as f64 / trials.max(1) as f64;
	let figures = figures([
		("q", rounded(share.attacker())),
		("z", z.into()),
		("trials", trials.into()),
		("heavier_forks_published", published.into()),
		(
			"partings_with_the_adversary",
			network.disconnections().into(),
		),
		("reversals", reversals.into()),
		("rate", rounded(rate)),
		("rate_least_999", rounded(interval.low)),
		("rate_most_999", rounded(interval.high)),
		("equation_3", rounded(paper)),
		("exact", rounded(odds)),
		("give_up_behind", give_up.into()),
		("nodes", network.nodes().len().into()),
		("finality", finality.into()),
		("seed", seed.into()),
	]);
	let q = share.attacker();
	Ok(if finality {
		Report {
			attack: "private-fork-final",
			title: "Private fork, finality on",
			promise: "a block that more than half of the nodes verified is linked (section III.B)",
			observed: format!(
				"{published} of {trials} private forks with q = {q} became heavier and were published; \
				 {reversals} reverted a finalized block"
			),
			figures,
			held: published > 0 && reversals == 0,
		}
	} else {
		Report {
			attack: "private-fork",
			title: "Private fork, finality off",
			promise: "the odds fall with z as Eq. 3 says (section IV.B)",
			observed: format!(
				"{published} of {trials} private forks with q = {q} became heavier and were published; the \
				 nodes followed {reversals} of them, to a depth of {z}: a rate of {rate:.3} (99.9 % confidence \
				 interval {:.3} to {:.3}); Eq. 3 gives {paper:.3}, the exact odds are {odds:.3}",
				interval.low, interval.high,
			),
			figures,
			held: published > 0 && reversals == published,
		}
	})
}

/// The result of one attack.
struct Attack {
	/// Whether the fork became heavier and was published.
	published: bool,
	/// Whether the merchant's block was reverted.
	reversed: bool,
}

/// Attacks one of the merchant's blocks.
async fn attack(
	network: &Network,
	options: RaceOptions,
	give_up: u64,
	random: &mut ChaCha8Rng,
) -> Result<Attack, AttackError> {
	let fork_point = network.maker().best();
	let (mut honest, mut private) = (Vec::<Hash>::new(), 1u64);
	let wins = loop {
		let waited_for = honest.len() as u64 >= u64::from(options.z);
		if waited_for && private > honest.len() as u64 {
			break true;
		}
		if waited_for && (honest.len() as u64).saturating_sub(private) >= give_up {
			break false;
		}
		if random.gen_bool(options.share.attacker()) {
			private += 1;
			continue;
		}
		let tip = honest.last().copied().unwrap_or(fork_point);
		let block = network.mine(MinerRole::Honest, tip, false).await?;
		network.publish(MinerRole::Honest, &[block]).await?;
		honest.push(block);
	};
	let Some((merchants, tip)) = honest.first().copied().zip(honest.last().copied()) else {
		// With z = 0 the merchant does not wait, and the attacker is ahead from the start.
		return Ok(Attack {
			published: false,
			reversed: true,
		});
	};
	if !network.all_follow(tip).await? {
		return Err(AttackError::NotImported(tip));
	}
	if !wins {
		return Ok(Attack {
			published: false,
			reversed: false,
		});
	}
	let number = network.header(merchants)?.number;
	if options.finality {
		network.all_finalize(number).await?;
	}
	// Make the fork only now. No one can tell when a secret block was mined.
	let mut fork = Vec::new();
	for _ in 0..private {
		let parent = fork.last().copied().unwrap_or(fork_point);
		fork.push(network.mine(MinerRole::Adversary, parent, false).await?);
	}
	network.publish(MinerRole::Adversary, &fork).await?;
	let reversed = if options.finality {
		// Once a later honest block is the best block, the nodes have finished with the fork.
		let next = network.mine(MinerRole::Honest, tip, false).await?;
		network.publish(MinerRole::Honest, &[next]).await?;
		let kept = network.all_follow(next).await?;
		let reverted = is_reverted(network, merchants, number).await?;
		// The next race starts from the nodes' best block.
		network.maker().finalize(next)?;
		!kept || reverted
	} else {
		let followed = match fork.last() {
			Some(tip) => network.all_follow(*tip).await?,
			None => false,
		};
		followed && is_reverted(network, merchants, number).await?
	};
	Ok(Attack {
		published: true,
		reversed,
	})
}

/// Returns whether any node's best chain has another block in place of the merchant's block.
async fn is_reverted(network: &Network, block: Hash, number: u32) -> Result<bool, AttackError> {
	for node in network.nodes() {
		if node.hash_at(number).await? != Some(block) {
			return Ok(true);
		}
	}
	Ok(false)
}
