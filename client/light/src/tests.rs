// SPDX-License-Identifier: Apache-2.0
//! A made-up chain with voters, and a node that lies about it in every way that bytes allow.

use crate::{storage, *};
use codec::Encode;
use finality_grandpa::{Commit, Message, Precommit, SignedPrecommit};
use polkadot_sdk::*;
use proptest::prelude::*;
use sp_consensus_grandpa::{
	localized_payload, AuthorityId, AuthorityList, ConsensusLog, GrandpaJustification,
	ScheduledChange, GRANDPA_ENGINE_ID,
};
use sp_core::{ed25519, Blake2Hasher, Pair};
use sp_runtime::{generic::DigestItem, traits::Header as _, Digest};
use sp_trie::{
	trie_types::{TrieDBBuilder, TrieDBMutBuilderV1},
	LayoutV1, MemoryDB, Recorder, Trie, TrieDBKeyIterator, TrieMut,
};
use std::collections::BTreeMap;

mod keeper;
mod receipt;

/// The true entries of a state.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A state, of which a node can prove parts.
struct State {
	db: MemoryDB<Blake2Hasher>,
	root: Hash,
}

impl State {
	fn new(entries: &Entries) -> Self {
		let (mut db, mut root) = (MemoryDB::default(), Hash::default());
		{
			let mut trie = TrieDBMutBuilderV1::new(&mut db, &mut root).build();
			for (key, value) in entries {
				trie.insert(key, value).unwrap();
			}
		}
		Self { db, root }
	}

	/// Returns the nodes that prove these entries, as `state_getReadProof` does.
	fn prove(&self, keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
		let mut recorder = Recorder::<LayoutV1<Blake2Hasher>>::new();
		{
			let builder = TrieDBBuilder::new(&self.db, &self.root);
			let trie = builder.with_recorder(&mut recorder).build();
			for key in keys {
				trie.get(key).unwrap();
			}
		}
		recorder.drain().into_iter().map(|node| node.data).collect()
	}

	/// Returns the nodes that prove all keys with a prefix.
	fn prove_all(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
		let trie = TrieDBBuilder::new(&self.db, &self.root).build();
		let keys = TrieDBKeyIterator::new_prefixed(&trie, prefix).unwrap();
		let mut keys: Vec<_> = keys.map(Result::unwrap).collect();
		keys.push(prefix.to_vec());
		self.prove(&keys)
	}
}

fn voter(seed: u8) -> ed25519::Pair {
	ed25519::Pair::from_seed(&[seed; 32])
}

fn list(seeds: &[u8]) -> AuthorityList {
	let id = |seed: &u8| (AuthorityId::from(voter(*seed).public()), 1);
	seeds.iter().map(id).collect()
}

/// A chain, as an honest node has it.
struct Honest {
	genesis: Header,
	state: State,
	steps: Vec<Step>,
}

fn change(next: &[u8], delay: u32) -> DigestItem {
	let next_authorities = list(next);
	let change = ScheduledChange {
		next_authorities,
		delay,
	};
	DigestItem::Consensus(
		GRANDPA_ENGINE_ID,
		ConsensusLog::ScheduledChange(change).encode(),
	)
}

fn block(number: u32, parent: Hash, logs: Vec<DigestItem>) -> Header {
	Header::new(
		number,
		Hash::repeat_byte(1),
		Hash::repeat_byte(2),
		parent,
		Digest { logs },
	)
}

/// Votes for a block with these voters' keys.
fn votes(header: &Header, set_id: u64, seeds: &[u8]) -> GrandpaJustification<Header> {
	let (round, target_hash, target_number) = (7, header.hash(), header.number);
	let precommit = Precommit {
		target_hash,
		target_number,
	};
	let payload = localized_payload(round, set_id, &Message::Precommit(precommit.clone()));
	let vote = |seed: &u8| SignedPrecommit {
		precommit: precommit.clone(),
		signature: voter(*seed).sign(&payload).into(),
		id: voter(*seed).public().into(),
	};
	GrandpaJustification {
		round,
		commit: Commit {
			target_hash,
			target_number,
			precommits: seeds.iter().map(vote).collect(),
		},
		votes_ancestries: Vec::new(),
	}
}

impl Honest {
	/// Makes a chain on which each set of voters finalizes ten blocks and names the next.
	fn new(sets: &[&[u8]]) -> Self {
		let mut entries = Entries::new();
		entries.insert(storage::voters(), list(sets[0]).encode());
		for other in 0..50u8 {
			entries.insert(vec![other, 7], vec![other; 40]);
		}
		let state = State::new(&entries);
		let mut genesis = block(0, Hash::default(), Vec::new());
		genesis.state_root = state.root;
		let mut steps = Vec::new();
		let mut parent = genesis.hash();
		for (set_id, voters) in (0u64..).zip(sets) {
			let next = sets.get(set_id as usize + 1);
			let logs = next.map(|next| change(next, 0)).into_iter().collect();
			let header = block(10 * (set_id as u32 + 1), parent, logs);
			parent = header.hash();
			let justification = votes(&header, set_id, voters);
			steps.push(Step {
				header,
				justification,
			});
		}
		Self {
			genesis,
			state,
			steps,
		}
	}

	fn first_proof(&self) -> Vec<Vec<u8>> {
		self.state.prove(&[storage::voters()])
	}

	fn begin(&self) -> Finality {
		let header = self.genesis.encode();
		Finality::begin(self.genesis.hash(), &header, self.first_proof()).unwrap()
	}

	fn proof(&self) -> Steps {
		Steps {
			steps: self.steps.clone(),
			is_finished: true,
		}
	}
}

/// Follows one step that is the newest.
fn follow(
	finality: &mut Finality,
	header: &Header,
	votes: GrandpaJustification<Header>,
) -> Result<bool, FinalityError> {
	let step = Step {
		header: header.clone(),
		justification: votes,
	};
	let steps = Steps {
		steps: vec![step],
		is_finished: true,
	};
	finality.follow(&steps.encode())
}

#[test]
fn the_voters_hand_over_to_each_other() {
	let honest = Honest::new(&[&[1, 2, 3, 4], &[2, 3, 4, 5], &[5, 6, 7, 8]]);
	let mut finality = honest.begin();
	assert_eq!(finality.follow(&honest.proof().encode()), Ok(true));
	assert_eq!(finality.head(), &honest.steps[2].header);
	let voters: Vec<_> = [5, 6, 7, 8].map(|seed| voter(seed).public().0).into();
	assert_eq!(finality.voters().collect::<Vec<_>>(), voters);
	// The node has nothing newer, and says the same again.
	let known = finality.clone();
	let newest = Steps {
		steps: honest.steps[2..].to_vec(),
		is_finished: true,
	};
	assert_eq!(finality.follow(&newest.encode()), Ok(true));
	assert_eq!(finality, known);
	let restored = Finality::restore(finality.genesis(), &finality.to_bytes());
	assert_eq!(restored.as_ref(), Ok(&finality));
	let other = Finality::restore(Hash::default(), &finality.to_bytes());
	assert!(matches!(other, Err(FinalityError::WrongGenesis { .. })));
}

#[test]
fn a_proof_may_come_in_parts() {
	let honest = Honest::new(&[&[1, 2, 3, 4], &[2, 3, 4, 5], &[5, 6, 7, 8]]);
	let mut finality = honest.begin();
	let (first, rest) = honest.steps.split_at(1);
	let part = |steps: &[Step], is_finished| Steps {
		steps: steps.to_vec(),
		is_finished,
	};
	assert_eq!(finality.follow(&part(first, false).encode()), Ok(false));
	assert_eq!(finality.follow(&part(rest, true).encode()), Ok(true));
	assert_eq!(finality.head().number, 30);
	// Without the hand-over, the last set's votes are worth nothing.
	let mut finality = honest.begin();
	let skipped = finality.follow(&part(&honest.steps[1..], true).encode());
	assert_eq!(skipped, Err(FinalityError::NotFinal(20)));
	// The last block of an unfinished proof has to name the next voters.
	let mut finality = honest.begin();
	let unfinished = finality.follow(&part(&honest.steps, false).encode());
	assert_eq!(unfinished, Err(FinalityError::NoNextVoters(30)));
	assert_eq!(finality, honest.begin());
}

#[test]
fn a_chain_begins_with_its_genesis_and_the_proven_voters() {
	let honest = Honest::new(&[&[1, 2, 3, 4]]);
	let (genesis, header) = (honest.genesis.hash(), honest.genesis.encode());
	let begin = |header: &[u8], proof| Finality::begin(genesis, header, proof);
	let mut other = honest.genesis.clone();
	other.state_root = Hash::repeat_byte(9);
	let wrong = begin(&other.encode(), honest.first_proof());
	let (expected, found) = (genesis, other.hash());
	let refused = FinalityError::WrongGenesis { expected, found };
	// A receipt is refused with these words, too, and no node has anything to do with it.
	assert_eq!(
		refused.to_string(),
		format!(
			"WrongGenesis: this is of the chain that begins with block {found:?}, not of the one that begins with {expected:?}"
		)
	);
	assert_eq!(wrong, Err(refused));
	let none = begin(&header, Vec::new());
	assert_eq!(none, Err(FinalityError::Voters(ProofError::Incomplete)));
	// A proof from another state is not one.
	let forged = Honest::new(&[&[9]]).first_proof();
	assert!(matches!(
		begin(&header, forged),
		Err(FinalityError::Voters(_))
	));
	assert_eq!(begin(&[1], Vec::new()), Err(FinalityError::Malformed));
	let silent = Honest::new(&[&[]]);
	let proof = silent.first_proof();
	let started = Finality::begin(silent.genesis.hash(), &silent.genesis.encode(), proof);
	assert_eq!(started, Err(FinalityError::NoVoters));
}

#[test]
fn votes_have_to_be_enough_and_valid() {
	let honest = Honest::new(&[&[1, 2, 3, 4]]);
	let header = block(5, honest.genesis.hash(), Vec::new());
	let not_final = Err(FinalityError::NotFinal(5));
	let attempt = |votes| follow(&mut honest.begin(), &header, votes);
	assert_eq!(attempt(votes(&header, 0, &[1, 2, 3])), Ok(true));
	// Two of four, one of them three times, strangers, and the votes of another set.
	assert_eq!(attempt(votes(&header, 0, &[1, 2])), not_final);
	assert_eq!(attempt(votes(&header, 0, &[1, 2, 2, 2])), not_final);
	assert_eq!(attempt(votes(&header, 0, &[1, 2, 8, 9])), not_final);
	assert_eq!(attempt(votes(&header, 1, &[1, 2, 3])), not_final);
	assert_eq!(attempt(votes(&header, 0, &[])), not_final);
	// Votes for another block.
	let other = block(5, honest.genesis.hash(), vec![DigestItem::Other(vec![1])]);
	let swapped = attempt(votes(&other, 0, &[1, 2, 3]));
	assert_eq!(swapped, Err(FinalityError::OtherBlock(5)));
	// One signature is another vote's.
	let mut forged = votes(&header, 0, &[1, 2, 3]);
	forged.commit.precommits[1].signature = forged.commit.precommits[0].signature.clone();
	assert_eq!(attempt(forged), not_final);
	// A number of votes that only costs time.
	let many: Vec<u8> = [1, 2, 3].into_iter().cycle().take(9).collect();
	assert_eq!(attempt(votes(&header, 0, &many)), not_final);
	// Headers that no vote needs.
	let mut long = votes(&header, 0, &[1, 2, 3]);
	long.votes_ancestries.push(other);
	assert_eq!(attempt(long), not_final);
}

#[test]
fn a_vote_for_a_later_block_counts_for_its_ancestor() {
	let honest = Honest::new(&[&[1, 2, 3, 4]]);
	let header = block(5, honest.genesis.hash(), Vec::new());
	let child = block(6, header.hash(), Vec::new());
	let mut mixed = votes(&header, 0, &[1, 2]);
	mixed
		.commit
		.precommits
		.extend(votes(&child, 0, &[3]).commit.precommits);
	let without = follow(&mut honest.begin(), &header, mixed.clone());
	assert_eq!(without, Err(FinalityError::NotFinal(5)));
	mixed.votes_ancestries.push(child);
	assert_eq!(follow(&mut honest.begin(), &header, mixed), Ok(true));
}

#[test]
fn votes_on_the_way_to_one_block_count_for_the_first() {
	let honest = Honest::new(&[&[1, 2, 3, 4]]);
	let header = block(5, honest.genesis.hash(), Vec::new());
	let child = block(6, header.hash(), Vec::new());
	let grandchild = block(7, child.hash(), Vec::new());
	let mut mixed = votes(&header, 0, &[1]);
	for (later, seed) in [(&grandchild, 2), (&child, 3)] {
		let vote = votes(later, 0, &[seed]).commit.precommits;
		mixed.commit.precommits.extend(vote);
	}
	mixed.votes_ancestries = vec![child, grandchild];
	assert_eq!(
		follow(&mut honest.begin(), &header, mixed.clone()),
		Ok(true)
	);
	mixed.votes_ancestries.pop();
	let cut = follow(&mut honest.begin(), &header, mixed);
	assert_eq!(cut, Err(FinalityError::NotFinal(5)));
}

#[test]
fn finality_never_goes_back() {
	let honest = Honest::new(&[&[1, 2, 3, 4]]);
	let mut finality = honest.begin();
	let header = block(5, honest.genesis.hash(), Vec::new());
	follow(&mut finality, &header, votes(&header, 0, &[1, 2, 3])).unwrap();
	let older = block(4, honest.genesis.hash(), Vec::new());
	let back = follow(&mut finality, &older, votes(&older, 0, &[1, 2, 3]));
	let (offered, known) = (4, 5);
	assert_eq!(back, Err(FinalityError::Rollback { offered, known }));
	let fork = block(5, honest.genesis.hash(), vec![DigestItem::Other(vec![1])]);
	let forked = follow(&mut finality, &fork, votes(&fork, 0, &[1, 2, 3]));
	assert_eq!(forked, Err(FinalityError::Fork(5)));
	assert_eq!(finality.head(), &header);
}

#[test]
fn a_change_of_voters_that_votes_do_not_prove_is_refused() {
	let honest = Honest::new(&[&[1, 2, 3, 4]]);
	let forced = ConsensusLog::ForcedChange(
		0u32,
		ScheduledChange {
			next_authorities: list(&[9]),
			delay: 0u32,
		},
	);
	let forced = DigestItem::Consensus(GRANDPA_ENGINE_ID, forced.encode());
	for log in [forced, change(&[9], 3)] {
		let header = block(5, honest.genesis.hash(), vec![log]);
		let changed = follow(&mut honest.begin(), &header, votes(&header, 0, &[1, 2, 3]));
		assert_eq!(changed, Err(FinalityError::ForcedChange(5)));
	}
}

#[test]
fn development_voters_are_known() {
	let mut voters = Vec::new();
	for name in ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"] {
		let pair = ed25519::Pair::from_string(&format!("//{name}"), None).unwrap();
		voters.push((AuthorityId::from(pair.public()), 1));
	}
	let begin = |voters: AuthorityList| {
		let entries = Entries::from([(storage::voters(), voters.encode())]);
		let state = State::new(&entries);
		let mut genesis = block(0, Hash::default(), Vec::new());
		genesis.state_root = state.root;
		let proof = state.prove(&[storage::voters()]);
		Finality::begin(genesis.hash(), &genesis.encode(), proof).unwrap()
	};
	assert!(begin(voters.clone()).is_development());
	voters.extend(list(&[1]));
	assert!(!begin(voters).is_development());
}

#[test]
fn the_keys_of_entries_are_those_that_frame_makes() {
	let hash = |name: &str| sp_crypto_hashing::twox_128(name.as_bytes());
	let names = |pallet: &str, entry: &str| [hash(pallet), hash(entry)].concat();
	assert_eq!(storage::voters(), names("Grandpa", "Authorities"));
	let owner = [1; 32];
	let key = storage::dataset(&owner, 7);
	let blake = sp_crypto_hashing::blake2_128(&owner);
	let twox = sp_crypto_hashing::twox_64(&7u32.to_le_bytes());
	let expected = [
		&names("DataSharing", "Datasets")[..],
		&blake,
		&owner,
		&twox,
		&7u32.to_le_bytes(),
	];
	assert_eq!(key, expected.concat());
	assert!(key.starts_with(&storage::datasets_of(&owner)));
	let rest = &mut &key[storage::datasets().len()..];
	assert_eq!(storage::chosen(rest), Some(owner));
	assert_eq!(storage::counted(rest), Some(7u32));
	assert!(rest.is_empty());
	let number = [
		storage::requests_to(&owner),
		vec![0; 8],
		77u64.to_le_bytes().into(),
	]
	.concat();
	assert_eq!(storage::last_number(&number), Some(77));
	assert_eq!(storage::last_number(&[1; 39]), None);
}

/// States with short and long values, and keys that share prefixes.
fn entries() -> impl Strategy<Value = Entries> {
	let key = prop::collection::vec(0..4u8, 1..6);
	let value = prop_oneof![
		prop::collection::vec(any::<u8>(), 1..8),
		prop::collection::vec(any::<u8>(), 33..80),
	];
	prop::collection::btree_map(key, value, 1..40)
}

/// What a lying node does to bytes.
#[derive(Clone, Debug)]
enum Lie {
	Flip(prop::sample::Index, u8),
	Cut(prop::sample::Index),
	Insert(prop::sample::Index, u8),
	Double(prop::sample::Index),
}

fn lie() -> impl Strategy<Value = Lie> {
	let at = any::<prop::sample::Index>;
	prop_oneof![
		6 => (at(), 0..8u8).prop_map(|(at, bit)| Lie::Flip(at, bit)),
		1 => at().prop_map(Lie::Cut),
		1 => (at(), any::<u8>()).prop_map(|(at, byte)| Lie::Insert(at, byte)),
		1 => at().prop_map(Lie::Double),
	]
}

impl Lie {
	fn tell(&self, bytes: &mut Vec<u8>) {
		if bytes.is_empty() {
			return;
		}
		let length = bytes.len();
		match self {
			Self::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
			Self::Cut(at) => bytes.truncate(at.index(length)),
			Self::Insert(at, byte) => bytes.insert(at.index(length), *byte),
			Self::Double(at) => bytes.extend_from_within(at.index(length)..),
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(4_000))]

	/// A changed proof of finality never leads to a block that the honest node does not have.
	#[test]
	fn a_lie_about_finality_leads_nowhere(lies in prop::collection::vec(lie(), 1..3)) {
		let honest = Honest::new(&[&[1, 2, 3, 4], &[2, 3, 5]]);
		let mut proof = honest.proof().encode();
		for lie in &lies {
			lie.tell(&mut proof);
		}
		let mut finality = honest.begin();
		if finality.follow(&proof).is_ok() {
			let head = finality.head();
			let heads: Vec<_> = honest.steps.iter().map(|step| &step.header).collect();
			prop_assert!(*head == honest.genesis || heads.contains(&head));
		} else {
			prop_assert_eq!(finality, honest.begin());
		}
	}

	/// A changed proof of entries shows the truth or nothing.
	#[test]
	fn a_lie_about_an_entry_shows_nothing(
		entries in entries(),
		wanted in prop::collection::vec(0..4u8, 1..6),
		lies in prop::collection::vec((any::<prop::sample::Index>(), lie()), 0..3),
		without in prop::option::of(any::<prop::sample::Index>()),
	) {
		let state = State::new(&entries);
		let present = entries.keys().next().cloned().unwrap_or_default();
		let mut nodes = state.prove(&[wanted.clone(), present.clone()]);
		let is_honest = lies.is_empty() && without.is_none();
		for (at, lie) in &lies {
			let at = at.index(nodes.len());
			lie.tell(&mut nodes[at]);
		}
		if let Some(without) = without {
			nodes.remove(without.index(nodes.len()));
		}
		let mut proof = Proof::new(state.root);
		proof.add(nodes);
		for key in [wanted, present] {
			match proof.value(&key) {
				Ok(value) => prop_assert_eq!(value.as_ref(), entries.get(&key)),
				Err(_) => prop_assert!(!is_honest),
			}
		}
	}

	/// A list that lacks an entry, or has one more, is no list.
	#[test]
	fn a_lie_of_omission_is_refused(
		entries in entries(),
		prefix in prop::collection::vec(0..4u8, 0..3),
		lies in prop::collection::vec((any::<prop::sample::Index>(), lie()), 0..2),
		without in prop::option::of(any::<prop::sample::Index>()),
	) {
		let state = State::new(&entries);
		let mut nodes = state.prove_all(&prefix);
		let is_honest = lies.is_empty() && without.is_none();
		for (at, lie) in &lies {
			let at = at.index(nodes.len());
			lie.tell(&mut nodes[at]);
		}
		if let Some(without) = without {
			nodes.remove(without.index(nodes.len()));
		}
		let mut proof = Proof::new(state.root);
		proof.add(nodes);
		let truth: Vec<_> = entries.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
		match proof.keys(&prefix) {
			Ok(keys) => prop_assert_eq!(keys, truth),
			Err(_) => prop_assert!(!is_honest),
		}
	}
}
