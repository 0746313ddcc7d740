// SPDX-License-Identifier: Apache-2.0
//! A made-up chain with voters: what an honest node proves of it, for the targets that change that.

use codec::Encode;
use finality_grandpa::{Commit, Message, Precommit, SignedPrecommit};
use isthmus_light::{
	storage, EventProof, EventReceipt, Finality, Hash, Header, Receipt, Step, Steps,
};
use isthmus_primitives::digest::{Receipts, RECEIPTS_ENGINE_ID};
use isthmus_sharing::{history::Receipt as Event, merkle::Tree};
use polkadot_sdk::{
	sp_consensus_grandpa::{
		localized_payload, AuthorityId, AuthorityList, ConsensusLog, GrandpaJustification,
		ScheduledChange, GRANDPA_ENGINE_ID,
	},
	sp_core::{ed25519, Pair},
	sp_crypto_hashing::blake2_256,
	sp_runtime::{generic::DigestItem, traits::Header as _, Digest},
};
use sha2::{Digest as _, Sha256};

/// How many bytes of an input make one change.
const CHANGE: usize = 3;
/// The maximum number of changes.
const CHANGES: usize = 8;

/// What an honest node proves of the chain.
pub struct Chain {
	/// The header of the first block.
	pub first: Header,
	/// The proof of the first voters.
	pub voters: Vec<Vec<u8>>,
	/// The votes of both sets of voters.
	pub steps: Vec<Step>,
	/// The events of the last block.
	pub events: Vec<Event>,
}

fn voter(seed: u8) -> ed25519::Pair {
	ed25519::Pair::from_seed(&[seed; 32])
}

fn list(seeds: &[u8]) -> AuthorityList {
	let id = |seed: &u8| (AuthorityId::from(voter(*seed).public()), 1);
	seeds.iter().map(id).collect()
}

fn block(number: u32, parent: Hash, logs: Vec<DigestItem>) -> Header {
	let [extrinsics, state] = [1, 2].map(Hash::repeat_byte);
	Header::new(number, extrinsics, state, parent, Digest { logs })
}

/// Returns a block with the votes of these voters for it.
fn step(header: Header, set_id: u64, seeds: &[u8]) -> Step {
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
	let justification = GrandpaJustification {
		round,
		commit: Commit {
			target_hash,
			target_number,
			precommits: seeds.iter().map(vote).collect(),
		},
		votes_ancestries: Vec::new(),
	};
	Step {
		header,
		justification,
	}
}

/// The hash function of trees of events.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
	Sha256::digest(bytes).into()
}

impl Chain {
	/// Makes the chain.
	pub fn new() -> Self {
		// A state with one entry is one leaf: its kind with the length of the key, the key, and the value.
		let voters = list(&[1, 2, 3, 4]).encode();
		let leaf = [&[0x7f, 1], &storage::voters()[..], &voters.encode()[..]].concat();
		let mut first = block(0, Hash::default(), Vec::new());
		first.state_root = blake2_256(&leaf).into();

		let next_authorities = list(&[2, 3, 4, 5]);
		let change = ConsensusLog::ScheduledChange(ScheduledChange {
			next_authorities,
			delay: 0u32,
		});
		let change = DigestItem::Consensus(GRANDPA_ENGINE_ID, change.encode());
		let handover = block(10, first.hash(), vec![change]);

		let events = [(None, 1), (Some(0), 2), (Some(7), 3)].map(|(transaction, byte)| Event {
			transaction,
			event: vec![byte; 5],
		});
		let leaves = events.iter().map(|event| event.leaf(sha256)).collect();
		let receipts = Receipts {
			count: 3,
			root: Tree::new(sha256, leaves).root().into(),
		};
		let receipts = DigestItem::Consensus(RECEIPTS_ENGINE_ID, receipts.encode());
		let last = block(20, handover.hash(), vec![receipts]);
		Self {
			first,
			voters: vec![leaf],
			steps: vec![step(handover, 0, &[1, 2, 3]), step(last, 1, &[3, 4, 5])],
			events: events.into(),
		}
	}

	/// Begins at the first block.
	pub fn begin(&self) -> Finality {
		let first = self.first.encode();
		Finality::begin(self.first.hash(), &first, self.voters.clone())
			.expect("the first voters are proven")
	}

	/// Returns the proof that the last block is finalized.
	pub fn proof(&self) -> Vec<u8> {
		let steps = self.steps.clone();
		let is_finished = true;
		Steps { steps, is_finished }.encode()
	}

	/// Returns the receipt of the second event.
	pub fn receipt(&self) -> EventReceipt {
		let leaves = self.events.iter().map(|event| event.leaf(sha256)).collect();
		let path = Tree::new(sha256, leaves).proof(1);
		Receipt {
			first: self.first.clone(),
			voters: self.voters.clone(),
			steps: self.steps.clone(),
			content: EventProof {
				headers: Vec::new(),
				index: 1,
				event: self.events[1].clone(),
				path: path.expect("there is such an event"),
			},
		}
	}
}

/// Changes bytes: each three bytes of the input say where, and which bits.
pub fn changed(bytes: &[u8], input: &[u8]) -> Vec<u8> {
	let mut changed = bytes.to_vec();
	for change in input.chunks_exact(CHANGE).take(CHANGES) {
		let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
		let length = changed.len();
		changed[at % length] ^= change[2];
	}
	changed
}
