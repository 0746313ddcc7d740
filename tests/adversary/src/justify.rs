// SPDX-License-Identifier: Apache-2.0

//! Votes as the only verifier of a chain, so that a made chain has final blocks and the proofs of that. The verifier is
//! Alice of the development accounts. It can change the key that it votes with, which begins a new set of voters.

use codec::Encode;
use finality_grandpa::{Commit, Message, Precommit, SignedPrecommit};
use isthmus_primitives::{BlockNumber, Hash, Header};
use isthmus_runtime::{RuntimeCall, SessionKeys};
use polkadot_sdk::*;
use sp_consensus_grandpa::{
	localized_payload, ConsensusLog, GrandpaJustification, SetId, GRANDPA_ENGINE_ID,
};
use sp_core::{ed25519, proof_of_possession::ProofOfPossessionGenerator, Pair};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::{generic::OpaqueDigestItemId, Justifications};

/// The round of all votes.
const ROUND: u64 = 1;

/// The only verifier of a chain.
pub struct Voter {
	/// The set that it is.
	set: SetId,
	/// The key that it votes with.
	key: ed25519::Pair,
	/// The key that it votes with from the next set on.
	next: ed25519::Pair,
}

impl Voter {
	/// Returns the verifier at the beginning of a chain, whose vote key is that of Alice.
	pub fn at_genesis() -> Self {
		let key = Ed25519Keyring::Alice.pair();
		Self {
			set: 0,
			key,
			next: key,
		}
	}

	/// Returns how many times the set of voters has changed.
	pub fn changes(&self) -> SetId {
		self.set
	}

	/// Makes the call with which the verifier's account changes its vote key. The change takes effect two sessions later.
	pub fn change_key(&mut self) -> RuntimeCall {
		let mut seed = *b"the votes of isthmus-adversary..";
		seed[24..].copy_from_slice(&self.set.to_be_bytes());
		self.next = ed25519::Pair::from_seed(&seed);
		let owner = Sr25519Keyring::Alice.to_account_id();
		let proof = owner.using_encoded(|owner| self.next.generate_proof_of_possession(owner));
		RuntimeCall::Session(pallet_session::Call::set_keys {
			keys: SessionKeys {
				grandpa: self.next.public().into(),
			},
			proof: proof.encode(),
		})
	}

	/// Returns whether a block is the last one of a set of voters. It has to be final before any later one.
	pub fn ends_set(header: &Header) -> bool {
		let id = OpaqueDigestItemId::Consensus(&GRANDPA_ENGINE_ID);
		let logs = header.digest.logs.iter();
		logs.filter_map(|item| item.try_to::<ConsensusLog<BlockNumber>>(id))
			.any(|log| matches!(log, ConsensusLog::ScheduledChange(_)))
	}

	/// Goes on to the next set of voters.
	pub fn begin_set(&mut self) {
		self.set = self.set.saturating_add(1);
		self.key = self.next;
	}

	/// Returns the proof that a block is final.
	pub fn justify(&self, hash: Hash, number: BlockNumber) -> Justifications {
		let precommit = Precommit {
			target_hash: hash,
			target_number: number,
		};
		let message = Message::Precommit(precommit.clone());
		let payload = localized_payload(ROUND, self.set, &message);
		let vote = SignedPrecommit {
			precommit,
			signature: self.key.sign(&payload).into(),
			id: self.key.public().into(),
		};
		let justification = GrandpaJustification::<Header> {
			round: ROUND,
			commit: Commit {
				target_hash: hash,
				target_number: number,
				precommits: vec![vote],
			},
			votes_ancestries: Vec::new(),
		};
		(GRANDPA_ENGINE_ID, justification.encode()).into()
	}
}
