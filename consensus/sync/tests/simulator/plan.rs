// SPDX-License-Identifier: Apache-2.0
//! What a simulated network consists of.

use isthmus_sync::machine::{Offence, MIN_BUDGET};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What makes up a network.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
	pub(crate) seed: u64,
	pub(crate) nodes: usize,
	pub(crate) liars: usize,
	/// The blocks that all nodes have at the start, except the first one if it comes late.
	pub(crate) history: u32,
	pub(crate) late: bool,
	/// The largest body, in bytes.
	pub(crate) body: u64,
	/// How many of a thousand answers are lost.
	pub(crate) loss: u32,
	/// How many of a thousand imports fail, through the node's own fault.
	pub(crate) hiccups: u32,
	/// For how long the nodes mine, in milliseconds.
	pub(crate) mining: u64,
	/// The mean time between two blocks of all nodes, in milliseconds.
	pub(crate) interval: u64,
	/// From when to when the nodes are split in two, in milliseconds.
	pub(crate) split: Option<(u64, u64)>,
	pub(crate) finality: bool,
	pub(crate) budget: u64,
	/// How many nodes keep only the bodies of the last blocks. The last node keeps all.
	pub(crate) pruned: usize,
}

impl Plan {
	/// Makes the plan that belongs to a seed.
	pub(crate) fn of(seed: u64) -> Self {
		let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
		let mining = random.gen_range(10_000..60_000);
		let split = random.gen_bool(0.5).then(|| {
			let from = random.gen_range(0..mining / 2);
			(from, random.gen_range(from..mining))
		});
		// The plans of earlier seeds stay as they are.
		let mut more = ChaCha8Rng::seed_from_u64(seed ^ 0x9a1e);
		let nodes = random.gen_range(2..5);
		Self {
			seed,
			nodes,
			liars: *[0, 0, 1, 1, 2, 4].get(random.gen_range(0..6)).unwrap(),
			history: *[0, 3, 40, 200, 600].get(random.gen_range(0..5)).unwrap(),
			late: random.gen_bool(0.5),
			body: *[1000, 100_000, 6_000_000]
				.get(random.gen_range(0..3))
				.unwrap(),
			loss: *[0, 0, 10, 100].get(random.gen_range(0..4)).unwrap(),
			hiccups: *[0, 0, 5].get(random.gen_range(0..3)).unwrap(),
			mining,
			interval: random.gen_range(500..5_000),
			split,
			finality: random.gen_bool(0.3),
			budget: MIN_BUDGET * random.gen_range(1..4),
			// In a partition, a chain whose old bodies are gone could never be joined again.
			pruned: match split.is_none() && more.gen_bool(0.5) {
				true => more.gen_range(0..nodes),
				false => 0,
			},
		}
	}
}

/// What an honest peer may be disconnected for.
pub(crate) fn is_pardonable(plan: &Plan, why: Offence) -> bool {
	match why {
		Offence::Unanswered => plan.loss > 0,
		// A peer that has not delivered anything yet, and a fault of our own twice in a row.
		Offence::BadBlock => plan.hiccups > 0,
		_ => false,
	}
}
