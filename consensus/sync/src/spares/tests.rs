// SPDX-License-Identifier: Apache-2.0
//! Tests the justifications that came with blocks, one by one and in simulated syncs.

use super::*;
use crate::thinning::thin_out;
use codec::Encode;
use isthmus_primitives::Header;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sc_consensus::ImportedAux;
use sp_consensus_grandpa::ConsensusLog;
use sp_runtime::{traits::Header as _, Digest, DigestItem, Justifications};
use std::collections::BTreeSet;

type ImportOutcome = Result<BlockImportStatus<BlockNumber>, BlockImportError>;

fn hash(number: BlockNumber) -> Hash {
	Hash::from_low_u64_be(number.into())
}

/// Returns a block, which changes the verifiers or not.
fn block(
	number: BlockNumber,
	peer: PeerId,
	changes: bool,
	justification: Option<Vec<u8>>,
) -> IncomingBlock<Block> {
	let change = ConsensusLog::<BlockNumber>::Resume(0).encode();
	let logs = changes.then_some(DigestItem::Consensus(GRANDPA_ENGINE_ID, change));
	let digest = Digest {
		logs: logs.into_iter().collect(),
	};
	let none = Default::default();
	IncomingBlock {
		hash: hash(number),
		header: Some(Header::new(number, none, none, none, digest)),
		body: None,
		indexed_body: None,
		justifications: justification.map(|j| Justifications::from((GRANDPA_ENGINE_ID, j))),
		origin: Some(peer),
		allow_missing_state: false,
		import_existing: false,
		state: None,
		skip_execution: false,
	}
}

fn imported(number: BlockNumber, aux: ImportedAux) -> ImportOutcome {
	Ok(BlockImportStatus::ImportedUnknown(number, aux, None))
}

/// Keeps the justifications of blocks that are in the database.
fn here(peer: PeerId, numbers: impl IntoIterator<Item = BlockNumber>) -> Spares {
	let mut spares = Spares::default();
	for number in numbers {
		spares.keep(&block(number, peer, false, Some(vec![1])));
		spares.imported(hash(number), &imported(number, ImportedAux::default()));
	}
	spares
}

fn next(spares: &mut Spares, change: Option<BlockNumber>) -> Option<BlockNumber> {
	let trial = spares.next(change)?;
	spares.ended(&trial, Verdict::Useless);
	Some(trial.number)
}

#[test]
fn the_highest_is_tried_first_and_one_at_a_time() {
	let mut spares = here(PeerId::random(), [3, 1, 4]);
	let trial = spares.next(None).unwrap();
	assert_eq!((trial.number, trial.hash), (4, hash(4)));
	assert_eq!(spares.next(None), None);
	spares.ended(&trial, Verdict::Useless);
	assert_eq!(next(&mut spares, None), Some(3));
	assert_eq!(next(&mut spares, None), Some(1));
	assert_eq!(next(&mut spares, None), None);
	assert_eq!(spares.bytes, 0);
}

#[test]
fn what_is_final_not_imported_or_known_as_bad_is_not_tried() {
	let mut spares = here(PeerId::random(), 1..=4);
	let peer = PeerId::random();
	for number in 5..=8 {
		spares.keep(&block(number, peer, false, Some(vec![1])));
	}
	spares.imported(hash(5), &Err(BlockImportError::UnknownParent));
	let bad = ImportedAux {
		bad_justification: true,
		..ImportedAux::default()
	};
	spares.imported(hash(6), &imported(6, bad));
	spares.imported(hash(7), &Ok(BlockImportStatus::ImportedKnown(7, None)));
	spares.finalized(2);
	assert_eq!(next(&mut spares, None), Some(7));
	assert_eq!(next(&mut spares, None), Some(4));
	assert_eq!(next(&mut spares, None), Some(3));
	assert_eq!(next(&mut spares, None), None);
	// Only block 8 is left.
	assert_eq!((spares.spares.len(), spares.bytes), (1, MIN_BYTES));
}

#[test]
fn what_later_verifiers_signed_waits_until_they_take_over() {
	let mut spares = here(PeerId::random(), [2, 5, 6]);
	assert_eq!(next(&mut spares, Some(4)), Some(2));
	assert_eq!(next(&mut spares, Some(4)), None);
	// The justification of the block that changes them may be here, too.
	assert_eq!(next(&mut spares, Some(5)), Some(5));
	assert_eq!(next(&mut spares, Some(5)), None);
	assert_eq!(next(&mut spares, None), Some(6));
}

#[test]
fn what_the_old_verifiers_signed_goes_when_they_are_replaced_by_force() {
	let mut spares = here(PeerId::random(), [2, 3]);
	let forced = ImportedAux {
		clear_justification_requests: true,
		..ImportedAux::default()
	};
	spares.keep(&block(5, PeerId::random(), false, Some(vec![1])));
	spares.imported(hash(4), &imported(4, forced));
	spares.imported(hash(5), &imported(5, ImportedAux::default()));
	assert_eq!(next(&mut spares, None), Some(5));
	assert_eq!(next(&mut spares, None), None);
}

#[test]
fn a_bad_justification_costs_its_sender_the_others() {
	let (good, bad) = (PeerId::random(), PeerId::random());
	let mut spares = here(bad, [2, 4]);
	spares.keep(&block(1, good, false, Some(vec![1])));
	spares.imported(hash(1), &imported(1, ImportedAux::default()));
	let trial = spares.next(None).unwrap();
	assert_eq!((trial.number, trial.peer), (4, bad));
	spares.ended(&trial, Verdict::Bad);
	assert_eq!(spares.bytes, MIN_BYTES);
	assert_eq!(next(&mut spares, None), Some(1));
}

#[test]
fn large_ones_do_not_displace_small_ones() {
	let (good, bad) = (PeerId::random(), PeerId::random());
	let mut spares = here(good, 1..=64);
	for number in 65..200 {
		spares.keep(&block(number, bad, false, Some(vec![0; 1024 * 1024])));
	}
	assert!(spares.bytes <= MAX_BYTES);
	let honest = spares.spares.values().filter(|spare| spare.peer == good);
	assert_eq!(honest.count(), 64);
	// Nor does their number grow without end.
	let spares = here(good, 1..10_000);
	assert_eq!(spares.spares.len(), MAX_BYTES / MIN_BYTES);
	assert_eq!(spares.spares.keys().next_back().unwrap().0, 9_999);
}

#[test]
fn only_what_cannot_be_explained_otherwise_is_bad() {
	let bad = || Err(ConsensusError::ClientImport("bad justification".into()));
	let outdated = Err(ConsensusError::OutdatedJustification);
	assert_eq!(Verdict::of(&Ok(()), 5, 5), Verdict::Good);
	assert_eq!(Verdict::of(&outdated, 5, 4), Verdict::Useless);
	assert_eq!(Verdict::of(&bad(), 5, 5), Verdict::Useless);
	assert_eq!(Verdict::of(&bad(), 5, 4), Verdict::Bad);
}

/// GRANDPA's part of the import, as far as it decides here.
struct Grandpa {
	/// The blocks that change the verifiers.
	changes: BTreeSet<BlockNumber>,
	/// Those that are imported and not final, and those of them whose justification was not there or false.
	pending: BTreeSet<BlockNumber>,
	needed: BTreeSet<BlockNumber>,
	finalized: BlockNumber,
}

impl Grandpa {
	/// Returns the set of verifiers that decide on a block.
	fn set(&self, number: BlockNumber) -> u64 {
		self.changes.range(..number).count() as u64
	}

	fn current_set(&self) -> u64 {
		self.changes.range(..=self.finalized).count() as u64
	}

	/// Returns a true justification.
	fn sign(&self, number: BlockNumber) -> Vec<u8> {
		(number, self.set(number)).encode()
	}

	fn finalize(
		&mut self,
		number: BlockNumber,
		justification: &[u8],
	) -> Result<(), ConsensusError> {
		if justification != (number, self.current_set()).encode() {
			return Err(ConsensusError::ClientImport("bad justification".into()));
		}
		self.finalized = self.finalized.max(number);
		self.pending.retain(|change| *change > number);
		self.needed.retain(|change| *change > number);
		Ok(())
	}

	fn import(&mut self, block: &IncomingBlock<Block>) -> ImportOutcome {
		let number = block.header.as_ref().unwrap().number;
		let justification = block.justifications.as_ref();
		let justification = justification.and_then(|all| all.get(GRANDPA_ENGINE_ID));
		let mut aux = ImportedAux::default();
		if !self.changes.contains(&number) {
			// Whether this succeeds is not reported.
			let _ = justification.map(|justification| self.finalize(number, justification));
			return imported(number, aux);
		}
		// It takes effect after those before it, and its justification is not looked at until then.
		let is_first = self.pending.is_empty();
		self.pending.insert(number);
		let tried = justification
			.filter(|_| is_first)
			.map(|justification| self.finalize(number, justification));
		aux.bad_justification = matches!(tried, Some(Err(_)));
		aux.needs_justification = !matches!(tried, Some(Ok(())));
		if aux.needs_justification {
			self.needed.insert(number);
		}
		imported(number, aux)
	}
}

/// A node that syncs a chain whose blocks come from honest peers and from liars.
struct Simulation {
	random: ChaCha8Rng,
	grandpa: Grandpa,
	spares: Spares,
	tries_spares: bool,
	liars: Vec<PeerId>,
	dropped: BTreeSet<PeerId>,
	trial: Option<Trial>,
	/// The results of imports that the sync has not heard of, in batches.
	results: Vec<Vec<(Hash, ImportOutcome)>>,
	/// The highest block for which an honest peer gave a justification.
	best: BlockNumber,
}

impl Simulation {
	/// Returns the block up to which all is final in the end, and the one up to which it could be.
	fn run(seed: u64, tries_spares: bool) -> (BlockNumber, BlockNumber) {
		let mut random = ChaCha8Rng::seed_from_u64(seed);
		let length = random.gen_range(1..150);
		let rarity = random.gen_range(5..60);
		let changes = (1..=length).filter(|_| random.gen_ratio(1, rarity));
		let changes = changes.collect();
		let peer = |_| PeerId::random();
		let (honest, liars): (Vec<_>, Vec<_>) = (
			(0..random.gen_range(1..4)).map(peer).collect(),
			(0..random.gen_range(0..4)).map(peer).collect(),
		);
		let mut simulation = Self {
			random,
			grandpa: Grandpa {
				changes,
				pending: BTreeSet::new(),
				needed: BTreeSet::new(),
				finalized: 0,
			},
			spares: Spares::default(),
			tries_spares,
			liars,
			dropped: BTreeSet::new(),
			trial: None,
			results: Vec::new(),
			best: 0,
		};
		let mut from = 1;
		while from <= length {
			let to = length.min(from + simulation.random.gen_range(0..16));
			let batch = (from..=to).map(|number| simulation.block(number, &honest));
			let batch = batch.collect();
			simulation.import(batch);
			simulation.step(0.5);
			from = to + 1;
		}
		// Nothing more arrives.
		for _ in 0..1000 {
			simulation.step(1.0);
		}
		for peer in &simulation.dropped {
			assert!(simulation.liars.contains(peer), "seed {seed}");
		}
		(simulation.grandpa.finalized, simulation.best)
	}

	/// Returns a block from any peer. It has a justification or not, which is true if the peer is honest.
	fn block(&mut self, number: BlockNumber, honest: &[PeerId]) -> IncomingBlock<Block> {
		let changes = self.grandpa.changes.contains(&number);
		let index = self.random.gen_range(0..honest.len() + self.liars.len());
		let is_justified = changes || self.random.gen_bool(0.6);
		let (peer, justification) = match honest.get(index) {
			Some(peer) => (*peer, self.grandpa.sign(number)),
			None => (self.liars[index - honest.len()], vec![7]),
		};
		if is_justified && index < honest.len() {
			self.best = number;
		}
		block(number, peer, changes, is_justified.then_some(justification))
	}

	/// Imports a batch, as the sync and the import do.
	fn import(&mut self, mut batch: Vec<IncomingBlock<Block>>) {
		batch.iter().for_each(|block| self.spares.keep(block));
		thin_out(&mut batch);
		let results = batch
			.iter()
			.map(|block| (block.hash, self.grandpa.import(block)));
		let results = results.collect();
		self.results.push(results);
	}

	/// Does some of what is due, each with this probability.
	fn step(&mut self, probability: f64) {
		if self.random.gen_bool(probability) {
			for (hash, result) in std::mem::take(&mut self.results).into_iter().flatten() {
				self.spares.imported(hash, &result);
			}
		}
		// An honest peer is asked for a justification that is needed.
		if self.random.gen_bool(probability / 2.0) {
			if let Some(lowest) = self.grandpa.needed.first().copied() {
				let justification = self.grandpa.sign(lowest);
				assert!(self.grandpa.finalize(lowest, &justification).is_ok());
			}
		}
		if !self.tries_spares {
			return;
		}
		if let Some(trial) = self.trial.take_if(|_| self.random.gen_bool(probability)) {
			let result = self.grandpa.finalize(trial.number, &trial.justification);
			let verdict = Verdict::of(&result, trial.number, self.grandpa.finalized);
			self.spares.ended(&trial, verdict);
			if verdict == Verdict::Bad {
				self.dropped.insert(trial.peer);
			}
		}
		if self.trial.is_none() {
			self.spares.finalized(self.grandpa.finalized);
			self.trial = self.spares.next(self.grandpa.needed.first().copied());
		}
	}
}

#[test]
fn false_justifications_cost_nothing_that_honest_peers_gave() {
	for seed in 0..3000 {
		let (finalized, best) = Simulation::run(seed, true);
		assert!(
			finalized >= best,
			"seed {seed}: {finalized} instead of {best}"
		);
	}
}

#[test]
fn without_spares_the_simulation_finds_the_fault() {
	let finalizes_less = |seed: &u64| {
		let (finalized, best) = Simulation::run(*seed, false);
		finalized < best
	};
	assert!((0..100).any(|seed| finalizes_less(&seed)));
}
