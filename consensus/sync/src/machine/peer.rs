// SPDX-License-Identifier: Apache-2.0
//! Keeps what the node knows about a peer: what it says, what it proved, what it was asked for, and how well it
//! answers.

use super::{
	tree::{Lane, Tree},
	types::{Base, Time},
};
use isthmus_primitives::{BlockNumber, Hash};
use std::{collections::HashMap, time::Duration};

/// The maximum number of claims of a peer that wait to be proved.
const MAX_CLAIMS: usize = 8;
/// The maximum number of proved chains that are kept for a peer.
const MAX_TIPS: usize = 8;
/// A peer that fails this many times in a row is disconnected.
const FAILURES: u32 = 3;
/// The pause after the first failure. Each further one doubles it.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(64);
/// A peer that does not have a block is not asked for it again for this long. A peer refuses to answer the same
/// question for the third time within a minute.
const LACKS_FOR: Duration = Duration::from_secs(60);
/// The maximum number of blocks that we remember a peer to lack.
const MAX_LACKS: usize = 256;
/// A peer that has no bodies of old blocks is not asked for such again for this long.
const PRUNED_FOR: Duration = Duration::from_secs(600);
/// The number of bytes of bodies that a new peer is asked for at once.
const FIRST_PORTION: u64 = 4 * 1024 * 1024;
/// The least number of bytes of bodies that a peer is asked for at once, unless a single block has more.
const MIN_PORTION: u64 = 64 * 1024;

/// A block that a peer says it has.
pub(super) struct Claim<H> {
	pub(super) hash: Hash,
	pub(super) number: BlockNumber,
	/// The header, if the peer announced it.
	pub(super) header: Option<H>,
	/// Whether it is the last block that the peer called its best one.
	pub(super) is_best: bool,
	/// Whether a walk up the peer's best chain has ended without finding the block.
	pub(super) tried_up: bool,
	/// Whether a walk down from the block has ended without finding a block that we know.
	pub(super) tried_down: bool,
	/// Whether the peer sent headers below the block, but not the one that these need.
	pub(super) is_broken: bool,
	/// Whether the peer said it itself. GRANDPA only supposes that the peer has the block.
	pub(super) is_own_word: bool,
}

impl<H> Claim<H> {
	pub(super) fn new(hash: Hash, number: BlockNumber) -> Self {
		Self {
			hash,
			number,
			header: None,
			is_best: false,
			tried_up: false,
			tried_down: false,
			is_broken: false,
			is_own_word: true,
		}
	}
}

/// What a peer is doing to prove its claims.
pub(super) enum Job<H, F> {
	/// Nothing.
	Idle,
	/// It was asked for the ancestors of the claim `claim`, from `next` on. `headers` have arrived, highest first.
	Down {
		claim: Hash,
		headers: Vec<H>,
		next: Hash,
	},
	/// It was asked for the descendants of `from` in its best chain, at most `max`.
	Up { claim: Hash, from: Hash, max: u32 },
	/// Its headers, from the child of `base` to `last`, are being checked. `rest` are those that follow, lowest
	/// first.
	Checking {
		base: Hash,
		rest: Vec<H>,
		last: Hash,
	},
	/// Its next header becomes valid at this time.
	Waiting {
		until: Time,
		base: Base<F>,
		headers: Vec<H>,
	},
}

/// How often one kind of request to a peer failed in a row.
#[derive(Default)]
pub(super) struct Turn {
	pub(super) failures: u32,
	not_before: Time,
}

impl Turn {
	/// Returns whether the peer may be asked now.
	pub(super) fn is_open(&self, now: Time) -> bool {
		now >= self.not_before
	}

	/// Remembers a failure. Returns whether the peer is to be disconnected.
	pub(super) fn failed(&mut self, now: Time) -> bool {
		let pause = PAUSE.saturating_mul(1 << self.failures.min(6));
		self.not_before = now.saturating_add(pause.min(MAX_PAUSE));
		self.failures = self.failures.saturating_add(1);
		self.failures.is_multiple_of(FAILURES)
	}

	/// Waits for a moment, because of something that is not the peer's fault.
	pub(super) fn rest(&mut self, now: Time) {
		self.not_before = now.saturating_add(PAUSE.saturating_mul(4));
	}

	/// Waits as long as possible.
	pub(super) fn shut(&mut self, now: Time) {
		self.not_before = now.saturating_add(MAX_PAUSE);
	}

	/// Remembers a success.
	pub(super) fn succeeded(&mut self) {
		*self = Self::default();
	}
}

/// What we know of a peer that keeps the bodies of the last blocks only.
#[derive(Clone, Copy)]
struct Pruned {
	/// It is not asked for bodies below this block.
	floor: BlockNumber,
	/// How far to go up if it lacks the next one, too.
	step: BlockNumber,
	until: Time,
}

/// A request for bodies that is under way.
pub(super) struct Asked {
	pub(super) hashes: Vec<Hash>,
	pub(super) since: Time,
}

/// A peer.
pub(super) struct Peer<H, F> {
	/// What it says it has.
	pub(super) claims: Vec<Claim<H>>,
	/// The last block that it called its best one, by hash and number.
	pub(super) last_claim: (Hash, BlockNumber),
	/// The highest blocks of the chains that it proved and that are not in the database yet, newest last.
	pub(super) tips: Vec<Hash>,
	pub(super) job: Job<H, F>,
	/// The walk up the peer's best chain: the block to ask from next, and how far to step back if the peer does
	/// not have it.
	pub(super) up: Option<(Hash, BlockNumber)>,
	pub(super) step: BlockNumber,
	pub(super) headers: Turn,
	pub(super) bodies: Turn,
	pub(super) asked: Option<Asked>,
	lacks: HashMap<Hash, Time>,
	/// The bodies of old blocks that the peer lacks.
	pruned: Option<Pruned>,
	/// How many bytes of bodies to ask for at once.
	portion: u64,
	/// After a failure, the maximum number of blocks to ask for at once. It makes the next request another one, which
	/// the peer cannot take for a repetition.
	most: Option<usize>,
	/// How long the peer takes for 64 KiB on average, if it has ever delivered a body.
	pub(super) pace: Option<Duration>,
	/// Whether a block of it was imported.
	pub(super) has_proved_good: bool,
	/// How far up the main lane the peer can serve, and for which version of the lane that holds.
	pub(super) reach: Option<(u64, Option<BlockNumber>)>,
	/// Whether any of its claims was proved or refuted.
	pub(super) heard: bool,
}

impl<H, F: Clone> Peer<H, F> {
	/// Makes a peer that says this is its best block.
	pub(super) fn new(hash: Hash, number: BlockNumber) -> Self {
		let claim = Claim {
			is_best: true,
			..Claim::new(hash, number)
		};
		Self {
			claims: vec![claim],
			last_claim: (hash, number),
			tips: Vec::new(),
			job: Job::Idle,
			up: None,
			step: 1,
			headers: Turn::default(),
			bodies: Turn::default(),
			asked: None,
			lacks: HashMap::new(),
			pruned: None,
			portion: FIRST_PORTION,
			most: None,
			pace: None,
			has_proved_good: false,
			reach: None,
			heard: false,
		}
	}

	/// Adds a claim. If there are too many, the oldest goes that is not the peer's best block.
	pub(super) fn claim(&mut self, mut claim: Claim<H>) {
		if claim.is_best {
			self.last_claim = (claim.hash, claim.number);
			for known in &mut self.claims {
				known.is_best = false;
			}
		}
		if let Some(index) = self.claims.iter().position(|c| c.hash == claim.hash) {
			let known = self.claims.remove(index);
			claim = Claim {
				header: claim.header.or(known.header),
				is_best: claim.is_best || known.is_best,
				is_own_word: claim.is_own_word || known.is_own_word,
				..known
			};
		}
		if self.claims.len() == MAX_CLAIMS {
			let oldest = self.claims.iter().position(|claim| !claim.is_best);
			self.claims.remove(oldest.unwrap_or(0));
		}
		self.claims.push(claim);
	}

	/// Returns the blocks at the end of the chains that the peer speaks for: its tips, and the block that its
	/// headers in work are built on.
	pub(super) fn ends(&self) -> impl Iterator<Item = Hash> + '_ {
		let base = match &self.job {
			Job::Checking { base, .. } => Some(*base),
			Job::Waiting { base, .. } => Some(base.hash),
			_ => None,
		};
		self.tips.iter().copied().chain(base)
	}

	/// Returns the newest claim.
	pub(super) fn newest_claim(&mut self) -> Option<&mut Claim<H>> {
		self.claims.last_mut()
	}

	/// Removes a claim.
	pub(super) fn forget(&mut self, claim: &Hash) {
		self.claims.retain(|c| c.hash != *claim);
		self.heard = true;
	}

	/// Adds the tip of a proved chain, in place of the tips below it.
	pub(super) fn add_tip<W: Copy + Ord>(&mut self, tip: Hash, tree: &Tree<F, W>) {
		if !self.tips.is_empty() {
			for (hash, _) in tree.chain(&tip) {
				self.tips.retain(|known| *known != hash);
				if self.tips.is_empty() {
					break;
				}
			}
		}
		self.tips.push(tip);
		if self.tips.len() > MAX_TIPS {
			let lightest = (0..self.tips.len())
				.min_by_key(|&index| tree.get(&self.tips[index]).map(|node| node.weight));
			if let Some(lightest) = lightest {
				self.tips.remove(lightest);
			}
		}
		self.reach = None;
		self.heard = true;
	}

	/// Returns the number of the highest block of a lane that the peer has, if it has any.
	pub(super) fn reaches<W: Copy + Ord>(
		&self,
		lane: &Lane,
		tree: &Tree<F, W>,
	) -> Option<BlockNumber> {
		self.tips
			.iter()
			.filter_map(|tip| {
				tree.chain(tip)
					.find(|(hash, node)| lane.has(node.number, hash))
					.map(|(_, node)| node.number)
			})
			.max()
	}

	/// Returns whether the peer is known not to have a block.
	pub(super) fn lacks(&self, hash: &Hash, now: Time) -> bool {
		self.lacks.get(hash).is_some_and(|until| now < *until)
	}

	/// Remembers that the peer did not send a block.
	pub(super) fn note_lack(&mut self, hash: Hash, now: Time) {
		self.lacks.retain(|_, until| now < *until);
		if self.lacks.len() < MAX_LACKS {
			self.lacks.insert(hash, now.saturating_add(LACKS_FOR));
		}
	}

	/// Remembers that the peer has proved a block, but keeps no body that old. The next old block that it is asked for
	/// is further up each time.
	pub(super) fn note_pruned(&mut self, number: BlockNumber, now: Time) {
		let step = self.pruned.map_or(1, |pruned| pruned.step);
		self.pruned = Some(Pruned {
			floor: number.saturating_add(step),
			step: step.saturating_mul(2),
			until: now.saturating_add(PRUNED_FOR),
		});
	}

	/// Returns the lowest block whose body the peer may have.
	pub(super) fn bodies_from(&self, now: Time) -> BlockNumber {
		let pruned = self.pruned.filter(|pruned| now < pruned.until);
		pruned.map_or(0, |pruned| pruned.floor)
	}

	/// Returns how many blocks of this size to ask for, and no more than `most`.
	pub(super) fn blocks_to_ask(&self, size: u64, most: u32) -> usize {
		let blocks = self.portion / size.max(1);
		let blocks = usize::try_from(blocks.clamp(1, most.max(1).into())).unwrap_or(1);
		blocks.min(self.most.unwrap_or(usize::MAX))
	}

	/// Remembers that bodies arrived.
	pub(super) fn delivered(&mut self, bytes: u64, took: Duration, most: u64) {
		self.bodies.succeeded();
		self.most = None;
		let units = u32::try_from(bytes / (64 * 1024)).unwrap_or(u32::MAX);
		let pace = took / units.saturating_add(1);
		self.pace = Some(self.pace.map_or(pace, |before| (before * 3 + pace) / 4));
		if took < Duration::from_secs(4) {
			self.portion = self.portion.saturating_mul(2).min(most);
		}
	}

	/// Remembers that a request for this many bodies was not answered.
	pub(super) fn stayed_silent(&mut self, blocks: usize) {
		self.most = Some((blocks / 2).max(1));
		self.portion = (self.portion / 4).max(MIN_PORTION);
	}

	/// Returns the peer's rank as a source of bodies. The least is the best.
	pub(super) fn rank(&self) -> (u32, bool, Option<Duration>) {
		(self.bodies.failures, self.pace.is_none(), self.pace)
	}
}
