// SPDX-License-Identifier: Apache-2.0
//! Tests how a producer becomes a verifier, from its application to GRANDPA's set of voters, through
//! transactions.

use super::*;
use crate::{RuntimeOrigin, Session, SessionKeys};
use frame_support::dispatch::GetDispatchInfo;
use isthmus_primitives::api::{runtime_decl_for_verifiers_api::VerifiersApi, Verifier};
use pallet_collective::Instance1;
use sp_consensus_grandpa::{ConsensusLog, ScheduledChange, GRANDPA_ENGINE_ID};
use sp_core::proof_of_possession::ProofOfPossessionGenerator;
use sp_keyring::{
	Ed25519Keyring,
	Sr25519Keyring::{Charlie, Dave, Eve},
};
use sp_runtime::traits::Dispatchable;

/// How many blocks a session of the local preset has.
const SESSION: u32 = 10;

/// Registers a producer, sets this node's keys as its session keys, and applies.
fn apply(chain: &mut Chain, who: Sr25519Keyring, node: Ed25519Keyring) {
	use isthmus_sharing::ProducerKind::Government;
	let name = b"An office".to_vec();
	let kind = Government;
	let proof = who
		.to_account_id()
		.using_encoded(|owner| node.pair().generate_proof_of_possession(owner));
	for call in [
		pallet_data_sharing::Call::register { kind, name }.into(),
		pallet_session::Call::set_keys {
			keys: SessionKeys {
				grandpa: node.public().into(),
			},
			proof: proof.encode(),
		}
		.into(),
		pallet_verifiers::Call::apply {}.into(),
	] {
		mine_all(chain, vec![(who, call)]);
	}
}

/// Mines a block with these transactions, none of which may fail.
fn mine_all(chain: &mut Chain, calls: Vec<(Sr25519Keyring, RuntimeCall)>) -> Header {
	System::reset_events();
	let header = chain.mine(calls);
	assert_eq!(last_error(), None);
	header
}

/// Proposes a motion unless it is open, votes for it and closes it, in three blocks. Returns the result of the motion, or
/// why it cannot be closed yet.
fn decide(
	chain: &mut Chain,
	voters: &[Sr25519Keyring],
	call: pallet_verifiers::Call<Runtime>,
) -> Result<(), DispatchError> {
	let threshold = crate::Verifiers::votes_needed(&call);
	let proposal = RuntimeCall::from(call);
	let hash = sp_runtime::traits::BlakeTwo256::hash_of(&proposal);
	let weight = proposal.get_dispatch_info().call_weight;
	let length_bound = proposal.encoded_size() as u32 + 4;
	if !pallet_collective::ProposalOf::<Runtime, Instance1>::contains_key(hash) {
		let propose = pallet_collective::Call::propose {
			threshold,
			proposal: Box::new(proposal),
			length_bound,
		};
		mine_all(chain, vec![(voters[0], propose.into())]);
	}
	// These tests decide on one motion after the other.
	let index = pallet_collective::ProposalCount::<Runtime, Instance1>::get() - 1;
	let vote = |who: &Sr25519Keyring| {
		let vote = pallet_collective::Call::vote {
			proposal: hash,
			index,
			approve: true,
		};
		(*who, vote.into())
	};
	mine_all(chain, voters.iter().map(vote).collect());
	let close = pallet_collective::Call::close {
		proposal_hash: hash,
		index,
		proposal_weight_bound: weight,
		length_bound,
	};
	System::reset_events();
	chain.mine(vec![(Bob, close.into())]);
	if let Some(error) = last_error() {
		return Err(error);
	}
	System::events()
		.into_iter()
		.find_map(|record| match record.event {
			RuntimeEvent::Council(pallet_collective::Event::Executed { result, .. }) => {
				Some(result)
			}
			_ => None,
		})
		.expect("the motion was carried")
}

/// The error of a motion that not enough have agreed to.
fn too_early() -> DispatchError {
	pallet_collective::Error::<Runtime, Instance1>::TooEarly.into()
}

/// Mines up to the block with this number, and returns its header.
fn mine_to(chain: &mut Chain, number: u32) -> Header {
	loop {
		let header = chain.mine(vec![]);
		if *header.number() == number {
			return header;
		}
	}
}

fn accounts(verifiers: Vec<Verifier>) -> Vec<AccountId> {
	verifiers.into_iter().map(|entry| entry.account).collect()
}

fn sorted(accounts: &[Sr25519Keyring]) -> Vec<AccountId> {
	let mut list: Vec<_> = accounts.iter().map(|who| who.to_account_id()).collect();
	list.sort();
	list
}

/// Returns the change to GRANDPA's set that a block schedules.
fn change(header: &Header) -> Option<ScheduledChange<u32>> {
	header.digest.logs.iter().find_map(|item| match item {
		DigestItem::Consensus(GRANDPA_ENGINE_ID, log) => {
			match ConsensusLog::decode_all(&mut &log[..]).expect("the item is a GRANDPA log") {
				ConsensusLog::ScheduledChange(change) => Some(change),
				other => panic!("not a change: {other:?}"),
			}
		}
		_ => None,
	})
}

#[test]
fn sessions_end_within_the_gas_limit_and_keep_the_verifiers() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let (authorities, verifiers) = (Grandpa::grandpa_authorities(), Runtime::verifiers());
		let expected = [
			(Alice, Ed25519Keyring::Alice),
			(Bob, Ed25519Keyring::Bob),
			(Charlie, Ed25519Keyring::Charlie),
			(Dave, Ed25519Keyring::Dave),
		]
		.map(|(who, node)| Verifier {
			account: who.to_account_id(),
			grandpa: node.public().into(),
		});
		assert_eq!(verifiers, expected);
		for _ in 0..=2 * SESSION {
			assert_eq!(gas_used(&chain.mine(vec![])), 0);
		}
		assert_eq!(Session::current_index(), 2);
		assert_eq!(Grandpa::grandpa_authorities(), authorities);
		assert_eq!(Runtime::verifiers(), verifiers);
		assert_eq!(Runtime::queued_verifiers(), verifiers);
		assert_eq!(pallet_grandpa::CurrentSetId::<Runtime>::get(), 0);
	});
}

#[test]
fn a_sessions_first_block_has_no_ordinary_transactions() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		mine_to(chain, SESSION - 1);
		let (block, rejected) = chain.build(&[], vec![(Bob, remark(1))]);
		assert_eq!(*block.header.number(), SESSION);
		let exhausted = TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources);
		assert_eq!(rejected, [exhausted]);
		chain.import(block);
		chain.mine(vec![(Bob, remark(1))]);
	});
}

#[test]
fn an_admitted_verifier_votes_on_blocks_until_it_is_removed() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		apply(chain, Eve, Ed25519Keyring::Eve);
		let who = Eve.to_account_id();
		let admit = pallet_verifiers::Call::admit { who: who.clone() };
		assert_eq!(decide(chain, &[Alice, Bob, Charlie], admit), Ok(()));
		assert_eq!(
			pallet_collective::Members::<Runtime, Instance1>::get(),
			sorted(&[Alice, Bob, Charlie, Dave, Eve])
		);
		// The set for session 2 is chosen when session 1 begins.
		assert_eq!(change(&mine_to(chain, SESSION)), None);
		let five = sorted(&[Alice, Bob, Charlie, Dave, Eve]);
		assert_eq!(accounts(Runtime::queued_verifiers()), five);
		assert_eq!(accounts(Runtime::verifiers()).len(), 4);
		let first = mine_to(chain, 2 * SESSION);
		let next = change(&first).expect("the set changes");
		assert_eq!((next.delay, next.next_authorities.len()), (0, 5));
		assert_eq!(Grandpa::grandpa_authorities(), next.next_authorities);
		assert_eq!(accounts(Runtime::verifiers()), five);
		let eve = Verifier {
			account: who.clone(),
			grandpa: Ed25519Keyring::Eve.public().into(),
		};
		assert!(Runtime::verifiers().contains(&eve));
		assert_eq!(pallet_grandpa::CurrentSetId::<Runtime>::get(), 1);

		// Four of the five verifiers remove Eve; three are not enough.
		let remove = || pallet_verifiers::Call::remove { who: who.clone() };
		let three = decide(chain, &[Alice, Bob, Dave], remove());
		assert_eq!(three, Err(too_early()));
		assert_eq!(decide(chain, &[Charlie], remove()), Ok(()));
		assert_eq!(change(&mine_to(chain, 3 * SESSION)), None);
		assert!(Runtime::verifiers().contains(&eve));
		let last = change(&mine_to(chain, 4 * SESSION)).expect("the set changes");
		let four = sorted(&[Alice, Bob, Charlie, Dave]);
		assert_eq!(accounts(Runtime::verifiers()), four);
		assert_eq!(last.next_authorities, Grandpa::grandpa_authorities());
		assert_eq!(pallet_grandpa::CurrentSetId::<Runtime>::get(), 2);
	});
}

#[test]
fn half_of_the_verifiers_cannot_admit() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		apply(chain, Eve, Ed25519Keyring::Eve);
		let who = Eve.to_account_id();
		let admit = pallet_verifiers::Call::admit { who };
		assert_eq!(decide(chain, &[Alice, Bob], admit), Err(too_early()));
	});
}

#[test]
fn a_verifier_that_renews_its_key_is_known_by_its_position() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let before = Runtime::verifiers();
		let node = Ed25519Keyring::Ferdie;
		let proof = Dave
			.to_account_id()
			.using_encoded(|owner| node.pair().generate_proof_of_possession(owner));
		let keys = SessionKeys {
			grandpa: node.public().into(),
		};
		let proof = proof.encode();
		let call = pallet_session::Call::set_keys { keys, proof };
		mine_all(chain, vec![(Dave, call.into())]);
		assert_eq!(Runtime::verifiers(), before);
		mine_to(chain, 2 * SESSION);
		let mut after = before;
		after[3].grandpa = node.public().into();
		assert_eq!(Runtime::verifiers(), after);
	});
}

#[test]
fn a_verifier_or_applicant_cannot_deregister() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		apply(chain, Eve, Ed25519Keyring::Eve);
		let deregister = || pallet_data_sharing::Call::deregister {}.into();
		let error = pallet_data_sharing::Error::<Runtime>::ProducerIsVerifier;
		chain.mine(vec![(Eve, deregister())]);
		assert_eq!(last_error(), Some(error.into()));
		mine_all(
			chain,
			vec![
				(Eve, pallet_verifiers::Call::withdraw {}.into()),
				(Eve, deregister()),
			],
		);
	});
}

#[test]
fn the_filter_rejects_these_calls() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let filtered = Some(frame_system::Error::<Runtime>::CallFiltered.into());
		let motion = |proposal: RuntimeCall| -> RuntimeCall {
			pallet_collective::Call::propose {
				threshold: 3,
				proposal: Box::new(proposal),
				length_bound: 1_000,
			}
			.into()
		};
		let wrapped = pallet_utility::Call::batch_all {
			calls: vec![pallet_verifiers::Call::leave {}.into()],
		};
		chain.mine(vec![(Alice, pallet_session::Call::purge_keys {}.into())]);
		assert_eq!(last_error(), filtered);
		let refused = TransactionValidityError::Invalid(InvalidTransaction::Call);
		for call in [
			motion(remark(1)),
			motion(wrapped.into()),
			motion(pallet_verifiers::Call::leave {}.into()),
			pallet_collective::Call::execute {
				proposal: Box::new(remark(1)),
				length_bound: 1_000,
			}
			.into(),
		] {
			// A transaction with such a call is not even included.
			let (_, rejected) = chain.build(&[], vec![(Alice, call.clone())]);
			assert_eq!(rejected, [refused], "{call:?}");
			let origin = RuntimeOrigin::signed(Alice.to_account_id());
			let error = call.clone().dispatch(origin).map_err(|failed| failed.error);
			assert_eq!(error.err(), filtered, "{call:?}");
		}
		System::reset_events();
		// The call is not allowed inside another call either.
		System::reset_events();
		let calls = vec![pallet_session::Call::purge_keys {}.into()];
		chain.mine(vec![(
			Alice,
			pallet_utility::Call::batch_all { calls }.into(),
		)]);
		assert_eq!(last_error(), filtered);
		assert!(pallet_collective::Proposals::<Runtime, Instance1>::get().is_empty());
	});
}

/// One verifier could hold all places for motions, so that no one else could propose anything for a week.
#[test]
fn a_verifier_has_places_for_three_motions() {
	use crate::configs::MOTIONS_PER_MEMBER;
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let admit = |number: u32| -> RuntimeCall {
			let who = AccountId::new([number as u8; 32]);
			pallet_verifiers::Call::admit { who }.into()
		};
		let propose = |who, number| {
			let propose = pallet_collective::Call::propose {
				threshold: 3,
				proposal: Box::new(admit(number)),
				length_bound: 1_000,
			};
			(who, propose.into())
		};
		let full = pallet_collective::Error::<Runtime, Instance1>::TooManyProposals.into();
		let mut refused = |call: (Sr25519Keyring, RuntimeCall)| {
			// The first block of a session has no ordinary transactions.
			if (System::block_number() + 1).is_multiple_of(SESSION) {
				chain.mine(vec![]);
			}
			System::reset_events();
			chain.mine(vec![call]);
			last_error() == Some(full)
		};
		for number in 0..MOTIONS_PER_MEMBER {
			assert!(!refused(propose(Alice, number)));
		}
		assert!(refused(propose(Alice, 10)));
		// Also several at once, and in another transaction's name.
		let calls = vec![propose(Alice, 10).1];
		let batch = pallet_utility::Call::batch_all { calls };
		assert!(refused((Alice, batch.into())));
		assert!(!refused(propose(Bob, 11)), "others have their own");
		// A motion that is closed frees its place.
		let hash = sp_runtime::traits::BlakeTwo256::hash_of(&admit(0));
		for who in [Bob, Charlie] {
			let vote = pallet_collective::Call::vote {
				proposal: hash,
				index: 0,
				approve: false,
			};
			assert!(!refused((who, vote.into())));
		}
		let close = pallet_collective::Call::close {
			proposal_hash: hash,
			index: 0,
			proposal_weight_bound: admit(0).get_dispatch_info().call_weight,
			length_bound: 1_000,
		};
		assert!(!refused((Bob, close.into())));
		assert_eq!(last_error(), None);
		// What the council has left of it goes when a session starts.
		let left = || pallet_collective::CostOf::<Runtime, Instance1>::contains_key(hash);
		assert!(left());
		mine_to(chain, (System::block_number() / SESSION + 1) * SESSION);
		assert!(!left());
		let open = pallet_collective::CostOf::<Runtime, Instance1>::iter_keys().count();
		assert_eq!(open, 3, "of Alice and Bob");
		let mut refused = |call: (Sr25519Keyring, RuntimeCall)| {
			System::reset_events();
			chain.mine(vec![call]);
			last_error() == Some(full)
		};
		assert!(!refused(propose(Alice, 10)));
		assert!(refused(propose(Alice, 12)));
	});
}

/// Otherwise a verifier could propose and close motions all through a session, and the block that begins the next one
/// would have to forget them all.
#[test]
fn a_proposal_forgets_the_motions_that_are_closed() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let admit = |number: u8| -> RuntimeCall {
			let who = AccountId::new([number; 32]);
			pallet_verifiers::Call::admit { who }.into()
		};
		let entries = || pallet_collective::CostOf::<Runtime, Instance1>::iter_keys().count();
		chain.mine(vec![]);
		// All in one session: its end forgets them, too.
		for number in 0..2 {
			let motion = admit(number);
			let proposal_hash = sp_runtime::traits::BlakeTwo256::hash_of(&motion);
			let propose = pallet_collective::Call::propose {
				threshold: 3,
				proposal: Box::new(motion.clone()),
				length_bound: 1_000,
			};
			let against = |who| -> (Sr25519Keyring, RuntimeCall) {
				let vote = pallet_collective::Call::vote {
					proposal: proposal_hash,
					index: number.into(),
					approve: false,
				};
				(who, vote.into())
			};
			let close = pallet_collective::Call::close {
				proposal_hash,
				index: number.into(),
				proposal_weight_bound: motion.get_dispatch_info().call_weight,
				length_bound: 1_000,
			};
			chain.mine(vec![(Alice, propose.into())]);
			assert_eq!((last_error(), entries()), (None, 1));
			chain.mine(vec![against(Bob), against(Charlie)]);
			chain.mine(vec![(Bob, close.into())]);
			assert_eq!(
				(last_error(), entries()),
				(None, 1),
				"closed, and not forgotten yet"
			);
		}
	});
}

/// With a threshold of its own choice, a verifier that is to be removed could propose that itself, hold the motion's place
/// with a threshold that is out of reach, or have it used up by one that is too low.
#[test]
fn a_motions_threshold_is_the_runtimes() {
	use crate::configs::WRONG_THRESHOLD;
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let remove = || -> RuntimeCall {
			let who = Dave.to_account_id();
			pallet_verifiers::Call::remove { who }.into()
		};
		let propose = |threshold| -> RuntimeCall {
			pallet_collective::Call::propose {
				threshold,
				proposal: Box::new(remove()),
				length_bound: 1_000,
			}
			.into()
		};
		let batch = |call| pallet_utility::Call::batch { calls: vec![call] }.into();
		let wrong = InvalidTransaction::Custom(WRONG_THRESHOLD);
		let filtered = Some(frame_system::Error::<Runtime>::CallFiltered.into());
		for threshold in [0, 1, 2, 4, 100, u32::MAX] {
			for call in [propose(threshold), batch(propose(threshold))] {
				let (_, rejected) = chain.build(&[], vec![(Dave, call)]);
				assert_eq!(rejected, [wrong.into()], "{threshold}");
			}
			// Nor does the call succeed where no transaction shows it, as when a proxy is asked by its hash.
			let origin = RuntimeOrigin::signed(Dave.to_account_id());
			let failed = propose(threshold)
				.dispatch(origin)
				.map_err(|failed| failed.error);
			assert_eq!(failed.err(), filtered);
		}
		assert!(pallet_collective::Proposals::<Runtime, Instance1>::get().is_empty());
		// It proposes the motion as everyone has to, and so helps the others.
		mine_all(chain, vec![(Dave, propose(3))]);
		let who = Dave.to_account_id();
		let call = pallet_verifiers::Call::remove { who };
		assert_eq!(decide(chain, &[Alice, Bob, Charlie], call), Ok(()));
	});
}

/// The set changes after a motion is proposed: one vote against frees the place of one that needs too many votes.
#[test]
fn a_motion_of_a_greater_set_is_closed_by_one_vote() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let upgrade = || pallet_verifiers::Call::authorize_upgrade {
			code_hash: Hash::repeat_byte(7),
		};
		let motion = RuntimeCall::from(upgrade());
		let propose = |threshold| pallet_collective::Call::propose {
			threshold,
			proposal: Box::new(motion.clone()),
			length_bound: 1_000,
		};
		mine_all(chain, vec![(Dave, propose(3).into())]);
		let leave = || pallet_verifiers::Call::leave {};
		mine_all(
			chain,
			vec![(Charlie, leave().into()), (Dave, leave().into())],
		);
		let proposal_hash = sp_runtime::traits::BlakeTwo256::hash_of(&motion);
		let (proposal, index) = (proposal_hash, 0);
		let approve = false;
		let no = pallet_collective::Call::vote {
			proposal,
			index,
			approve,
		};
		let close = pallet_collective::Call::close {
			proposal_hash,
			index,
			proposal_weight_bound: motion.get_dispatch_info().call_weight,
			length_bound: 1_000,
		};
		mine_all(chain, vec![(Bob, no.into()), (Alice, close.into())]);
		assert_eq!(decide(chain, &[Alice, Bob], upgrade()), Ok(()));
	});
}

/// Returns the forced change to GRANDPA's set that a block announces, with the last finalized block.
fn forced_change(header: &Header) -> Option<(u32, ScheduledChange<u32>)> {
	header.digest.logs.iter().find_map(|item| match item {
		DigestItem::Consensus(GRANDPA_ENGINE_ID, log) => {
			match ConsensusLog::decode_all(&mut &log[..]).expect("the item is a GRANDPA log") {
				ConsensusLog::ForcedChange(finalized, change) => Some((finalized, change)),
				other => panic!("not a forced change: {other:?}"),
			}
		}
		_ => None,
	})
}

#[test]
fn two_of_four_restart_finality_with_a_forced_change() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let delay = pallet_verifiers::Delays::<Runtime>::get().restart;
		mine_to(chain, delay);
		let absent = [Charlie, Dave].map(|who| who.to_account_id());
		let restart = pallet_verifiers::Call::restart_finality {
			set: 0,
			finalized: 0,
			absent: absent.to_vec().try_into().expect("two are few"),
		};
		assert_eq!(decide(chain, &[Alice, Bob], restart), Ok(()));
		let due = System::block_number() + delay;
		let announced = (due / SESSION + 2) * SESSION;
		let before = mine_to(chain, announced - 1);
		assert_eq!(forced_change(&before), None);
		assert_eq!(Grandpa::grandpa_authorities().len(), 4);
		let (finalized, change) =
			forced_change(&mine_to(chain, announced)).expect("the change is announced");
		// In the order of their accounts.
		let left = [Ed25519Keyring::Bob, Ed25519Keyring::Alice].map(|key| (key.public().into(), 1));
		assert_eq!(
			(finalized, change.delay, &change.next_authorities[..]),
			(0, delay, &left[..])
		);
		assert_eq!(Grandpa::grandpa_authorities().len(), 4);
		mine_to(chain, announced + delay);
		assert_eq!(Grandpa::grandpa_authorities(), left);
		assert_eq!(accounts(Runtime::verifiers()), sorted(&[Alice, Bob]));
		// No set of voters changes after that.
		let set = pallet_grandpa::CurrentSetId::<Runtime>::get();
		mine_to(chain, announced + delay + 3 * SESSION);
		assert_eq!(Grandpa::grandpa_authorities(), left);
		assert!(pallet_grandpa::CurrentSetId::<Runtime>::get() <= set + 1);
	});
}

/// The pallet of GRANDPA would accept any evidence, so no transaction may carry it.
#[test]
fn grandpas_own_reports_do_not_decode() {
	use codec::Decode;
	let proof = (0_u64, 0_u8, 5_u64, Ed25519Keyring::Dave.public());
	let vote = |hash| {
		let target = (Hash::repeat_byte(hash), 7_u32);
		(target, Ed25519Keyring::Dave.sign(&target.encode()))
	};
	let votes = [vote(1), vote(2)];
	// The first byte is the pallet's index, the second the call's; any bytes may follow as the key's proof.
	for call in [0_u8, 1] {
		for key_proof in [&[][..], &[0; 64]] {
			let bytes = [
				vec![6, call],
				proof.encode(),
				votes.encode(),
				key_proof.to_vec(),
			]
			.concat();
			assert!(RuntimeCall::decode(&mut &bytes[..]).is_err());
		}
	}
	let note_stalled = pallet_grandpa::Call::<Runtime>::note_stalled {
		delay: 0,
		best_finalized_block_number: 0,
	};
	let encoded = RuntimeCall::from(note_stalled).encode();
	assert_eq!(encoded[0], 6, "this is the index of the pallet");
}

/// Returns a report that this node's key prevoted for two blocks in round 5 of set 0.
fn two_votes(node: Ed25519Keyring) -> UncheckedExtrinsic {
	let (set, round) = (0_u64, 5_u64);
	let vote = |hash| {
		let target = (Hash::repeat_byte(hash), 7_u32);
		(target, node.sign(&(0_u8, target, round, set).encode()))
	};
	let proof = (set, 0_u8, round, node.public(), [1, 2].map(vote)).encode();
	let proof = DecodeAll::decode_all(&mut &proof[..]).expect("this is the layout of a proof");
	crate::without_signer(
		pallet_verifiers::Call::report_equivocation {
			proof: Box::new(proof),
		}
		.into(),
	)
}

#[test]
fn a_verifier_that_votes_twice_leaves_the_set_of_voters() {
	use sp_consensus_grandpa::runtime_decl_for_grandpa_api::GrandpaApi;
	use sp_runtime::transaction_validity::TransactionSource;
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		let proves = |node: Ed25519Keyring| {
			Runtime::generate_key_ownership_proof(0, node.public().into()).is_some()
		};
		assert!(proves(Ed25519Keyring::Dave) && !proves(Ed25519Keyring::Eve));
		// Returns what the pool thinks of a report of this node.
		let validity = |last, node| {
			sp_io::storage::start_transaction();
			let source = TransactionSource::External;
			let validity = Executive::validate_transaction(source, two_votes(node), last);
			sp_io::storage::rollback_transaction();
			validity
		};
		let valid = validity(chain.last, Ed25519Keyring::Dave).expect("the evidence is valid");
		assert!(valid.propagate);
		assert!(validity(chain.last, Ed25519Keyring::Eve).is_err());

		System::reset_events();
		let (block, rejected) = chain.build_with(&[], vec![two_votes(Ed25519Keyring::Dave)]);
		assert_eq!(rejected, []);
		chain.import(block);
		let session = Some(2);
		let equivocated = pallet_verifiers::Event::Equivocated {
			who: Dave.to_account_id(),
			set: 0,
			round: 5,
			burned: 0,
			session,
		};
		assert!(System::events()
			.iter()
			.any(|record| record.event == equivocated.clone().into()));
		assert!(validity(chain.last, Ed25519Keyring::Dave).is_err());
		let header = mine_to(chain, 2 * SESSION);
		assert_eq!(
			change(&header).map(|change| change.next_authorities.len()),
			Some(3)
		);
		assert_eq!(
			accounts(Runtime::verifiers()),
			sorted(&[Alice, Bob, Charlie])
		);
	});
}
