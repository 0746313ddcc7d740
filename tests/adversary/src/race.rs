//! The forged block attack of the paper's section IV.B on real nodes: a private fork, mined with the
//! share q of the hash power, and published when it is heavier than the chain that a merchant trusted.
//!
//! Whose block is next is a coin's toss with the odds q: with hash attempts that each succeed with the
//! same small chance, that is what a race of miners is. Every honest block is published at once, and the
//! nodes follow it. The merchant's block is the first after the fork; it is trusted once z blocks of the
//! honest miners, its own among them, stand on the fork's point. The attacker has one block in advance, so that to be
//! heavier is the same event as to catch up from z − k behind, and the odds are
//! [`isthmus_security::exact`]'s.
//!
//! All blocks have the same difficulty (the chain's rule must be fixed), so the heavier chain is the
//! longer one.
//!
//! The tosses are ours, so how often a fork becomes heavier shows nothing of the nodes: it is told beside
//! the odds. What the nodes are tried for is what they do with each fork that became heavier. Without
//! finality they must follow every one, and with it none.

use crate::{
	error::AttackError,
	network::{Network, Who},
	report::{figures, rounded, Report},
};
use isthmus_primitives::Hash;
use isthmus_security::{equation_3, exact, Confidence, Interval, Model, Race, Share};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What to race for.
#[derive(Clone, Copy, Debug)]
pub struct Course {
	/// q, the attacker's share of the hash power.
	pub share: Share,
	/// z, the blocks that the merchant waits for.
	pub z: u32,
	/// How many attacks.
	pub trials: u64,
	/// Decides the coin's tosses.
	pub seed: u64,
	/// The nodes finalize, and the merchant waits for that too.
	pub finality: bool,
}

/// Attacks so many times, and counts how often the merchant's block was taken back.
///
/// # Errors
///
/// What keeps it from being carried out.
pub async fn race(
	network: &Network,
	course: Course,
	progress: impl Fn(u64),
) -> Result<Report, AttackError> {
	let Course {
		share,
		z,
		trials,
		seed,
		finality,
	} = course;
	let rules = Race::new(Model::Exact, share, z, trials).map_err(AttackError::Race)?;
	let give_up = u64::from(rules.give_up_behind());
	let mut random = ChaCha8Rng::seed_from_u64(seed);
	let (mut published, mut reversals) = (0u64, 0u64);
	for trial in 1..=trials {
		let outcome = attack(network, course, give_up, &mut random).await?;
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
		("partings_with_the_adversary", network.partings().into()),
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
				"{published} of {trials} private forks of q = {q} became heavier and were published; \
				 {reversals} took a final block back"
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
				"{published} of {trials} private forks of q = {q} became heavier and were published, and the \
				 nodes followed {reversals} of them, {z} blocks deep: {rate:.3} of all, and with 99.9 % \
				 confidence {:.3} to {:.3}; Eq. 3 says {paper:.3}, the exact odds are {odds:.3}",
				interval.low, interval.high,
			),
			figures,
			held: published > 0 && reversals == published,
		}
	})
}

struct Outcome {
	published: bool,
	reversed: bool,
}

async fn attack(
	network: &Network,
	course: Course,
	give_up: u64,
	random: &mut ChaCha8Rng,
) -> Result<Outcome, AttackError> {
	let fork_point = network.maker().best();
	let (mut honest, mut private) = (Vec::<Hash>::new(), 1u64);
	let wins = loop {
		let waited_for = honest.len() as u64 >= u64::from(course.z);
		if waited_for && private > honest.len() as u64 {
			break true;
		}
		if waited_for && (honest.len() as u64).saturating_sub(private) >= give_up {
			break false;
		}
		if random.gen_bool(course.share.attacker()) {
			private += 1;
			continue;
		}
		let tip = honest.last().copied().unwrap_or(fork_point);
		let block = network.mine(Who::Honest, tip, false).await?;
		network.publish(Who::Honest, &[block]).await?;
		honest.push(block);
	};
	let Some((merchants, tip)) = honest.first().copied().zip(honest.last().copied()) else {
		// With z = 0 nobody waits for anything, and the attacker is ahead from the start.
		return Ok(Outcome {
			published: false,
			reversed: true,
		});
	};
	if !network.all_follow(tip).await? {
		return Err(AttackError::NotTaken(tip));
	}
	if !wins {
		return Ok(Outcome {
			published: false,
			reversed: false,
		});
	}
	let number = network.header(merchants)?.number;
	if course.finality {
		network.all_finalize(number).await?;
	}
	// The fork is mined only now: what is secret has no time.
	let mut fork = Vec::new();
	for _ in 0..private {
		let parent = fork.last().copied().unwrap_or(fork_point);
		fork.push(network.mine(Who::Adversary, parent, false).await?);
	}
	network.publish(Who::Adversary, &fork).await?;
	let reversed = if course.finality {
		// An honest block after it shows when the nodes are through with the fork.
		let next = network.mine(Who::Honest, tip, false).await?;
		network.publish(Who::Honest, &[next]).await?;
		let kept = network.all_follow(next).await?;
		let taken_back = taken_back(network, merchants, number).await?;
		// The race goes on where the nodes are.
		network.maker().finalize(next)?;
		!kept || taken_back
	} else {
		let followed = match fork.last() {
			Some(tip) => network.all_follow(*tip).await?,
			None => false,
		};
		followed && taken_back(network, merchants, number).await?
	};
	Ok(Outcome {
		published: true,
		reversed,
	})
}

/// Whether any node has another block where the merchant's was.
async fn taken_back(network: &Network, block: Hash, number: u32) -> Result<bool, AttackError> {
	for node in network.nodes() {
		if node.hash_at(number).await? != Some(block) {
			return Ok(true);
		}
	}
	Ok(false)
}
