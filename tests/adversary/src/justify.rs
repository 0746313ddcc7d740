// SPDX-License-Identifier: Apache-2.0

//! Votes as the only verifier of a chain, so that a made chain has final blocks and the proofs of that.

use codec::Encode;
use finality_grandpa::{Commit, Message, Precommit, SignedPrecommit};
use isthmus_primitives::{BlockNumber, Hash, Header};
use polkadot_sdk::{
	sp_consensus_grandpa::{localized_payload, GrandpaJustification, SetId, GRANDPA_ENGINE_ID},
	sp_keyring::Ed25519Keyring::Alice,
	sp_runtime::Justifications,
};

/// The round of all votes.
const ROUND: u64 = 1;
/// The set of verifiers, which never changes.
const SET: SetId = 0;

/// Returns the proof that a block is final, if Alice of the development accounts is the chain's only verifier.
pub fn justify(hash: Hash, number: BlockNumber) -> Justifications {
	let precommit = Precommit {
		target_hash: hash,
		target_number: number,
	};
	let message = Message::Precommit(precommit.clone());
	let vote = SignedPrecommit {
		precommit,
		signature: Alice.sign(&localized_payload(ROUND, SET, &message)).into(),
		id: Alice.public().into(),
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
