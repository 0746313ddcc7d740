//! Every rule kept and broken, with the exact error or the exact reason of the refusal.

use crate::{mock::*, CheckGasLimit, CurrentHead, Error, Event, Head, RecentUncles};
use codec::{DecodeAll, Encode};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchClass, DispatchInfo, Pays},
	inherent::ProvideInherent,
	traits::{FindAuthor, Hooks},
	weights::Weight,
};
use isthmus_primitives::{
	digest::{uncles_hash, GasUsed, PreDigest, POW_ENGINE_ID},
	inherents::{UnclesInherentError, UNCLES_INHERENT_IDENTIFIER},
	params::{ChainParameters, DifficultyRule, MIN_GAS_LIMIT},
	Balance, Hash, Header,
};
use polkadot_sdk::*;
use sp_inherents::InherentData;
use sp_runtime::{
	traits::{DispatchTransaction, Header as _},
	transaction_validity::{InvalidTransaction, TransactionSource::External},
	BuildStorage, Digest, DigestItem, DispatchError, TokenError,
};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The sentence with which the runtime refuses the block that `block` executes.
fn refusal(block: impl FnOnce()) -> String {
	let reason = catch_unwind(AssertUnwindSafe(block)).expect_err("the block is refused");
	match reason.downcast::<String>() {
		Ok(sentence) => *sentence,
		Err(reason) => (*reason.downcast::<&str>().expect("a panic has a message")).to_string(),
	}
}

/// The refusal of a next block that is honest but for what `change` does.
fn refusal_of(change: impl FnOnce(&mut PreDigest)) -> String {
	chain_with(parameters()).execute_with(|| {
		let mut pre = next_pre_digest();
		change(&mut pre);
		refusal(|| begin(&pre))
	})
}

fn gas_used(header: &Header) -> u64 {
	header
		.digest
		.logs
		.iter()
		.find_map(|item| match item {
			DigestItem::Consensus(POW_ENGINE_ID, bytes) => {
				GasUsed::decode_all(&mut &bytes[..]).ok()
			}
			_ => None,
		})
		.expect("every block has H_g")
		.0
}

fn events() -> Vec<Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::ProofOfWork(event) => Some(event),
			_ => None,
		})
		.collect()
}

fn rewarded(seed: u8, amount: Balance) -> Event<Test> {
	Event::BlockRewarded {
		beneficiary: account(seed),
		amount,
	}
}

mod header {
	use super::*;

	#[test]
	fn genesis_has_the_parameters_facts() {
		on_chain(|| {
			let head = ProofOfWork::current_head();
			assert_eq!(head, Head::genesis(&parameters()));
			assert_eq!(head.beneficiary, account(0));
			assert_eq!(head.timestamp, GENESIS_TIME);
		});
	}

	#[test]
	fn genesis_that_breaks_a_static_rule_is_refused() {
		let build = |parameters: ChainParameters| {
			refusal(|| {
				let _ = RuntimeGenesisConfig {
					proof_of_work: crate::GenesisConfig {
						parameters,
						..Default::default()
					},
					..Default::default()
				}
				.build_storage();
			})
		};
		assert_eq!(
			build(ChainParameters {
				genesis_gas_limit: MIN_GAS_LIMIT - 1,
				..parameters()
			}),
			"the gas limit is 124999, and must be at least 125000"
		);
		assert_eq!(
			build(ChainParameters {
				genesis_difficulty: 1.into(),
				..parameters()
			}),
			"the difficulty is 1, and must be at least 131072"
		);
	}

	#[test]
	fn a_good_header_is_accepted_and_kept() {
		on_chain(|| {
			let pre = next_pre_digest();
			mine(&pre);
			assert_eq!(ProofOfWork::current_head(), Head::from(pre));
			assert_eq!(ProofOfWork::beneficiary(), account(1));
			mine_many(20);
		});
	}

	#[test]
	fn a_wrong_difficulty_is_refused() {
		assert_eq!(
			refusal_of(|pre| pre.difficulty += 1.into()),
			"the difficulty is 1000001, and must be 1000000"
		);
		// 9 s after the parent, the difficulty must have risen by ⌊1000000/2048⌋ = 488.
		assert_eq!(
			refusal_of(|pre| pre.timestamp -= 1),
			"the difficulty is 1000000, and must be 1000488"
		);
	}

	#[test]
	fn the_fixed_rule_is_kept() {
		let fixed = ChainParameters {
			difficulty_rule: DifficultyRule::Fixed,
			minimum_difficulty: 1_000_000.into(),
			..parameters()
		};
		on_chain_with(fixed, || {
			mine(&PreDigest {
				timestamp: GENESIS_TIME + 1,
				..next_pre_digest()
			});
			mine(&PreDigest {
				timestamp: GENESIS_TIME + 1000,
				..next_pre_digest()
			});
		});
	}

	#[test]
	fn a_gas_limit_out_of_bounds_is_refused() {
		// ⌊1000000/1024⌋ = 976, and the bound itself is out.
		assert_eq!(
			refusal_of(|pre| pre.gas_limit += 976),
			"the gas limit is 1000976, and the parent's allows only 999025 to 1000975"
		);
		assert_eq!(
			refusal_of(|pre| pre.gas_limit -= 976),
			"the gas limit is 999024, and the parent's allows only 999025 to 1000975"
		);
		on_chain(|| {
			mine(&PreDigest {
				gas_limit: GENESIS_GAS_LIMIT + 975,
				..next_pre_digest()
			});
		});
	}

	#[test]
	fn a_gas_limit_under_the_minimum_is_refused() {
		let low = ChainParameters {
			genesis_gas_limit: MIN_GAS_LIMIT,
			..parameters()
		};
		chain_with(low).execute_with(|| {
			let pre = PreDigest {
				gas_limit: MIN_GAS_LIMIT - 1,
				..next_pre_digest()
			};
			assert_eq!(
				refusal(|| begin(&pre)),
				"the gas limit is 124999, and must be at least 125000"
			);
		});
	}

	#[test]
	fn a_timestamp_not_after_the_parents_is_refused() {
		assert_eq!(
			refusal_of(|pre| pre.timestamp = GENESIS_TIME),
			"the timestamp is 1600000000 s, and must be above the parent's 1600000000 s"
		);
	}

	#[test]
	fn long_extra_data_is_refused() {
		assert_eq!(
			refusal_of(|pre| pre.extra_data = vec![0; 33]),
			"the extra data has 33 bytes, and may have at most 32"
		);
		on_chain(|| {
			mine(&PreDigest {
				extra_data: vec![0; 32],
				..next_pre_digest()
			});
		});
	}

	#[test]
	fn a_digest_without_exactly_one_pre_runtime_item_is_refused() {
		let refused = |items: fn(DigestItem) -> Vec<DigestItem>| {
			chain_with(parameters()).execute_with(|| {
				let item = DigestItem::PreRuntime(POW_ENGINE_ID, next_pre_digest().encode());
				refusal(|| begin_with(Digest { logs: items(item) }))
			})
		};
		assert_eq!(
			refused(|_| vec![]),
			"the digest has no pow_ pre-runtime item"
		);
		assert_eq!(
			refused(|item| vec![item.clone(), item]),
			"the digest has more than one pow_ pre-runtime item"
		);
		assert_eq!(
			refused(|_| vec![DigestItem::PreRuntime(POW_ENGINE_ID, vec![0; 3])]),
			"the digest's pow_ pre-runtime item does not decode"
		);
	}

	#[test]
	fn the_time_must_be_the_headers() {
		for (milliseconds, accepted) in [
			(999, false),
			(1000, true),
			(1999, true),
			(2000, false),
			(u64::MAX, false),
		] {
			let low = ChainParameters {
				genesis_timestamp: 0,
				..parameters()
			};
			chain_with(low).execute_with(|| {
				let difficulty = 1_000_488.into();
				begin_with(digest(&PreDigest {
					timestamp: 1,
					difficulty,
					..next_pre_digest()
				}));
				let set = || {
					assert_ok!(Timestamp::set(RuntimeOrigin::none(), milliseconds));
				};
				if accepted {
					set();
				} else {
					assert_eq!(
						refusal(set),
						format!(
							"the timestamp inherent says {} s, and the header (H_s) 1 s",
							milliseconds / 1000
						)
					);
				}
			});
		}
	}

	#[test]
	fn the_author_is_found_in_the_digest() {
		let bytes = PreDigest {
			beneficiary: account(7),
			difficulty: 1.into(),
			gas_limit: 1,
			timestamp: 1,
			uncles_hash: Hash::zero(),
			extra_data: vec![],
		}
		.encode();
		let find = |items: Vec<([u8; 4], &[u8])>| ProofOfWork::find_author(items);
		assert_eq!(
			find(vec![(*b"aura", &[1]), (POW_ENGINE_ID, &bytes)]),
			Some(account(7))
		);
		assert_eq!(find(vec![(*b"aura", &bytes)]), None);
		assert_eq!(find(vec![(POW_ENGINE_ID, &bytes[1..])]), None);
	}
}

mod rewards {
	use super::*;

	#[test]
	fn the_miner_is_rewarded() {
		on_chain(|| {
			mine(&next_pre_digest());
			assert_eq!(events(), [rewarded(1, REWARD)]);
			mine(&PreDigest {
				beneficiary: account(2),
				..next_pre_digest()
			});
			assert_eq!(events(), [rewarded(2, REWARD)]);
			assert_eq!(Balances::free_balance(account(1)), REWARD);
			assert_eq!(Balances::free_balance(account(2)), REWARD);
			assert_eq!(Balances::total_issuance(), 2 * REWARD);
		});
	}

	#[test]
	fn a_reward_that_cannot_be_minted_is_reported() {
		let poor = ChainParameters {
			block_reward: EXISTENTIAL_DEPOSIT - 1,
			..parameters()
		};
		on_chain_with(poor, || {
			mine(&next_pre_digest());
			assert_eq!(
				events(),
				[Event::RewardLost {
					beneficiary: account(1),
					amount: EXISTENTIAL_DEPOSIT - 1,
					reason: DispatchError::Token(TokenError::BelowMinimum),
				}]
			);
			assert_eq!(Balances::total_issuance(), 0);
		});
	}

	#[test]
	fn no_reward_is_no_event() {
		on_chain_with(
			ChainParameters {
				block_reward: 0,
				..parameters()
			},
			|| {
				mine(&next_pre_digest());
				assert_eq!(events(), []);
			},
		);
	}
}

mod uncles {
	use super::*;

	/// Begins a block that commits to the uncles, and names them.
	fn name(uncles: &[Header]) -> Result<(), DispatchError> {
		begin(&pre_digest_naming(uncles));
		ProofOfWork::set_uncles(RuntimeOrigin::none(), uncles.to_vec())
	}

	/// The uncle is refused by the block that follows, with this error.
	fn assert_refused(uncles: &[Header], error: Error<Test>) {
		begin(&pre_digest_naming(uncles));
		assert_noop!(
			ProofOfWork::set_uncles(RuntimeOrigin::none(), uncles.to_vec()),
			error
		);
		// The block goes nowhere; let the test's state be one between blocks.
		assert_eq!(
			refusal(|| ProofOfWork::on_finalize(System::block_number())),
			"the header commits to uncles (H_o) that the block's body does not name"
		);
	}

	#[test]
	fn uncles_and_their_nephew_are_rewarded() {
		on_chain(|| {
			let blocks = mine_many(7);
			// Block 8 names uncles of numbers 7 and 2.
			let uncles = [uncle_of(&blocks[6], 8), uncle_of(&blocks[1], 9)];
			assert_ok!(name(&uncles));
			let header = end();
			assert_eq!(
				events(),
				[
					Event::UncleRewarded {
						beneficiary: account(8),
						number: 7,
						amount: REWARD * 7 / 8,
					},
					Event::UncleRewarded {
						beneficiary: account(9),
						number: 2,
						amount: REWARD * 2 / 8,
					},
					rewarded(1, REWARD + 2 * REWARD / 32),
				]
			);
			assert_eq!(
				RecentUncles::<Test>::get().into_inner(),
				[(8, uncles[0].hash()), (8, uncles[1].hash())]
			);
			assert_eq!(*header.number(), 8);
		});
	}

	#[test]
	fn an_uncle_may_be_six_generations_old_and_not_seven() {
		for (generation, good) in [(0, false), (1, true), (6, true), (7, false)] {
			on_chain(|| {
				let mut blocks = mine_many(9);
				// Block 10; a brother of it has its number and its parent.
				let mut next = blocks[8].clone();
				next.number = 10;
				next.parent_hash = blocks[8].hash();
				blocks.push(next);
				let uncle = uncle_of(&blocks[9 - generation], 9);
				if good {
					assert_ok!(name(&[uncle]));
					end();
				} else {
					assert_refused(&[uncle], Error::<Test>::UncleOutOfRange);
				}
			});
		}
	}

	#[test]
	fn the_genesis_block_and_what_is_to_come_are_no_uncles() {
		on_chain(|| {
			let first = mine(&next_pre_digest());
			let mut genesis = uncle_of(&first, 9);
			genesis.number = 0;
			assert_refused(&[genesis], Error::<Test>::UncleOutOfRange);
		});
		on_chain(|| {
			let first = mine(&next_pre_digest());
			let mut future = uncle_of(&first, 9);
			future.number = u32::MAX;
			assert_refused(&[future], Error::<Test>::UncleOutOfRange);
		});
	}

	#[test]
	fn an_ancestor_is_no_uncle() {
		on_chain(|| {
			let blocks = mine_many(3);
			assert_refused(&blocks[1..2], Error::<Test>::UncleIsAncestor);
		});
	}

	#[test]
	fn an_uncle_of_another_chain_is_refused() {
		on_chain(|| {
			let blocks = mine_many(3);
			let mut stranger = uncle_of(&blocks[1], 9);
			stranger.parent_hash = Hash::repeat_byte(1);
			assert_refused(&[stranger], Error::<Test>::UncleParentNotAncestor);
		});
	}

	#[test]
	fn an_uncle_is_named_once() {
		on_chain(|| {
			let blocks = mine_many(3);
			let uncle = uncle_of(&blocks[2], 9);
			assert_refused(&[uncle.clone(), uncle], Error::<Test>::UncleAlreadyIncluded);
		});
		// Not again for as long as its generation would allow it.
		for blocks_between in 0..5 {
			on_chain(|| {
				let blocks = mine_many(3);
				let uncle = uncle_of(&blocks[2], 9);
				assert_ok!(name(std::slice::from_ref(&uncle)));
				end();
				mine_many(blocks_between);
				assert_refused(&[uncle], Error::<Test>::UncleAlreadyIncluded);
			});
		}
	}

	#[test]
	fn named_uncles_are_forgotten_in_time() {
		on_chain(|| {
			let mut blocks = mine_many(1);
			for seed in 0..40_u8 {
				let brother = &blocks[blocks.len() - 1];
				let uncles = [uncle_of(brother, 100 + seed), uncle_of(brother, 200 + seed)];
				assert_ok!(name(&uncles));
				blocks.push(end());
				ProofOfWork::do_try_state().expect("at most fourteen are kept");
			}
			assert_eq!(RecentUncles::<Test>::get().len(), 14);
		});
	}

	#[test]
	fn three_uncles_are_too_many() {
		on_chain(|| {
			let blocks = mine_many(3);
			let uncles: Vec<_> = (7..10).map(|seed| uncle_of(&blocks[2], seed)).collect();
			assert_refused(&uncles, Error::<Test>::TooManyUncles);
		});
	}

	#[test]
	fn an_uncle_without_its_fields_is_refused() {
		on_chain(|| {
			let blocks = mine_many(3);
			let mut unsealed = uncle_of(&blocks[2], 9);
			unsealed.digest.pop();
			assert_refused(&[unsealed], Error::<Test>::UncleMalformed);
		});
	}

	#[test]
	fn the_body_and_the_header_must_agree() {
		on_chain(|| {
			let blocks = mine_many(3);
			let committed = [uncle_of(&blocks[2], 8)];
			begin(&pre_digest_naming(&committed));
			assert_noop!(
				ProofOfWork::set_uncles(RuntimeOrigin::none(), vec![uncle_of(&blocks[2], 9)]),
				Error::<Test>::UnclesHashMismatch
			);
			// The body names none at all.
			assert_eq!(
				refusal(|| ProofOfWork::on_finalize(System::block_number())),
				"the header commits to uncles (H_o) that the block's body does not name"
			);
		});
		on_chain(|| {
			let blocks = mine_many(3);
			begin(&next_pre_digest());
			assert_noop!(
				ProofOfWork::set_uncles(RuntimeOrigin::none(), vec![uncle_of(&blocks[2], 9)]),
				Error::<Test>::UnclesHashMismatch
			);
			end();
		});
	}

	#[test]
	fn there_is_one_inherent_or_none() {
		on_chain(|| {
			let blocks = mine_many(3);
			let uncles = [uncle_of(&blocks[2], 9)];
			assert_ok!(name(&uncles));
			assert_noop!(
				ProofOfWork::set_uncles(RuntimeOrigin::none(), uncles.to_vec()),
				Error::<Test>::UnclesAlreadySet
			);
			end();
			begin(&next_pre_digest());
			assert_noop!(
				ProofOfWork::set_uncles(RuntimeOrigin::none(), vec![]),
				Error::<Test>::NoUncles
			);
			end();
		});
	}

	#[test]
	fn nobody_can_send_it() {
		on_chain(|| {
			let blocks = mine_many(3);
			let uncles = vec![uncle_of(&blocks[2], 9)];
			begin(&next_pre_digest());
			assert_noop!(
				ProofOfWork::set_uncles(RuntimeOrigin::signed(account(1)), uncles.clone()),
				DispatchError::BadOrigin
			);
			assert_noop!(
				ProofOfWork::set_uncles(RuntimeOrigin::root(), uncles),
				DispatchError::BadOrigin
			);
			end();
		});
	}

	#[test]
	fn the_inherent_is_made_of_the_inherent_data() {
		on_chain(|| {
			let blocks = mine_many(3);
			let uncles = vec![uncle_of(&blocks[2], 9)];
			let data = |uncles: &dyn Fn(&mut InherentData)| {
				let mut data = InherentData::new();
				uncles(&mut data);
				data
			};
			let none = data(&|_| ());
			let empty = data(&|data| {
				data.put_data(UNCLES_INHERENT_IDENTIFIER, &Vec::<Header>::new())
					.expect("is new")
			});
			let some = data(&|data| {
				data.put_data(UNCLES_INHERENT_IDENTIFIER, &uncles)
					.expect("is new")
			});
			for nothing in [none, empty] {
				assert_eq!(ProofOfWork::create_inherent(&nothing), None);
				assert_eq!(ProofOfWork::is_inherent_required(&nothing), Ok(None));
			}
			let call = crate::Call::set_uncles {
				uncles: uncles.clone(),
			};
			assert_eq!(ProofOfWork::create_inherent(&some), Some(call.clone()));
			assert!(ProofOfWork::is_inherent(&call));
			assert_eq!(
				ProofOfWork::is_inherent_required(&some),
				Ok(Some(UnclesInherentError::Missing))
			);
		});
	}

	#[test]
	fn a_bodys_uncles_are_found() {
		on_chain(|| {
			let blocks = mine_many(1);
			let uncles = vec![uncle_of(&blocks[0], 9)];
			let time = Extrinsic::new_bare(pallet_timestamp::Call::set { now: 1 }.into());
			let naming = || {
				crate::Call::set_uncles {
					uncles: uncles.clone(),
				}
				.into()
			};
			let bare = Extrinsic::new_bare(naming());
			let signed = Extrinsic::new_signed(naming(), account(1), (), ());
			assert_eq!(ProofOfWork::uncles(Vec::<Extrinsic>::new()), Some(vec![]));
			assert_eq!(ProofOfWork::uncles([time.clone(), signed]), Some(vec![]));
			assert_eq!(
				ProofOfWork::uncles([time.clone(), bare.clone()]),
				Some(uncles.clone())
			);
			assert_eq!(ProofOfWork::uncles([bare.clone(), time, bare]), None);
		});
	}

	#[test]
	fn the_empty_lists_hash_is_known() {
		// KEC256 of one zero byte.
		assert_eq!(
			format!("{:?}", uncles_hash(&[])),
			"0xbc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"
		);
	}
}

mod gas {
	use super::*;

	/// A transaction of this gas, its base weight not counted.
	fn info(gas: u64, class: DispatchClass) -> DispatchInfo {
		DispatchInfo {
			call_weight: Weight::from_parts(gas * 100_000, 0),
			extension_weight: Weight::zero(),
			class,
			pays_fee: Pays::Yes,
		}
	}

	/// The gas of a transaction that does nothing.
	fn base() -> u64 {
		let weights = BlockWeights::get();
		crate::gas::gas_of(weights.get(DispatchClass::Normal).base_extrinsic)
	}

	fn call() -> RuntimeCall {
		frame_system::Call::remark { remark: vec![] }.into()
	}

	/// Validates and books a transaction as the runtime does.
	fn apply(info: &DispatchInfo) -> Result<(), InvalidTransaction> {
		(
			frame_system::CheckWeight::<Test>::new(),
			CheckGasLimit::<Test>::new(),
		)
			.validate_and_prepare(Some(account(1)).into(), &call(), info, 0, 0)
			.map(|_| ())
			.map_err(|error| match error {
				sp_runtime::transaction_validity::TransactionValidityError::Invalid(invalid) => {
					invalid
				}
				other => panic!("{other:?}"),
			})
	}

	#[test]
	fn a_block_without_transactions_uses_none() {
		on_chain(|| {
			begin(&next_pre_digest());
			System::register_extra_weight_unchecked(
				Weight::from_parts(u64::MAX, 0),
				DispatchClass::Mandatory,
			);
			assert_eq!(gas_used(&end()), 0);
		});
	}

	#[test]
	fn transactions_use_their_weight_rounded_up() {
		for (picoseconds, gas) in [
			(0, 0),
			(1, 1),
			(100_000, 1),
			(100_001, 2),
			(u64::MAX, 184467440737096),
		] {
			assert_eq!(crate::gas::gas_of(Weight::from_parts(picoseconds, 0)), gas);
		}
		on_chain(|| {
			begin(&next_pre_digest());
			for class in [DispatchClass::Normal, DispatchClass::Operational] {
				System::register_extra_weight_unchecked(Weight::from_parts(250_000, 7), class);
			}
			assert_eq!(ProofOfWork::gas_used(), 5);
			assert_eq!(gas_used(&end()), 5);
		});
	}

	#[test]
	fn what_does_not_fit_the_limit_is_refused() {
		on_chain(|| {
			begin(&next_pre_digest());
			let half = info(GENESIS_GAS_LIMIT / 2, DispatchClass::Normal);
			assert_eq!(apply(&half), Ok(()));
			// What is left, without and with one gas too many.
			let rest = GENESIS_GAS_LIMIT / 2 - 2 * base();
			for class in [DispatchClass::Normal, DispatchClass::Operational] {
				let state = frame_support::storage::with_transaction(|| {
					let outcome = apply(&info(rest + 3, class));
					frame_support::storage::TransactionOutcome::Rollback(Ok::<_, DispatchError>(
						outcome,
					))
				});
				assert_eq!(state, Ok(Err(InvalidTransaction::ExhaustsResources)));
			}
			assert_eq!(apply(&info(rest, DispatchClass::Normal)), Ok(()));
			let used = gas_used(&end());
			assert!(
				used <= GENESIS_GAS_LIMIT && used > GENESIS_GAS_LIMIT - 4,
				"{used}"
			);
		});
	}

	#[test]
	fn what_fits_no_block_is_refused_by_the_pool() {
		use sp_runtime::traits::{TransactionExtension, TxBaseImplication};
		on_chain(|| {
			mine_many(1);
			let validate = |gas| {
				CheckGasLimit::<Test>::new()
					.validate(
						RuntimeOrigin::signed(account(1)),
						&call(),
						&info(gas, DispatchClass::Normal),
						0,
						(),
						&TxBaseImplication(()),
						External,
					)
					.map(|_| ())
			};
			assert_eq!(validate(GENESIS_GAS_LIMIT - base()), Ok(()));
			assert_eq!(
				validate(GENESIS_GAS_LIMIT + 1),
				Err(InvalidTransaction::ExhaustsResources.into())
			);
		});
	}

	#[test]
	fn mandatory_work_is_not_limited() {
		use sp_runtime::traits::TransactionExtension;
		on_chain(|| {
			begin(&next_pre_digest());
			let heavy = info(10 * GENESIS_GAS_LIMIT, DispatchClass::Mandatory);
			assert_ok!(
				frame_system::CheckWeight::<Test>::bare_validate_and_prepare(&call(), &heavy, 0)
			);
			assert_ok!(CheckGasLimit::<Test>::bare_validate_and_prepare(
				&call(),
				&heavy,
				0
			));
			assert_eq!(gas_used(&end()), 0);
		});
	}

	#[test]
	fn the_limit_is_the_blocks_own() {
		on_chain(|| {
			let more = GENESIS_GAS_LIMIT + 975;
			begin(&PreDigest {
				gas_limit: more,
				..next_pre_digest()
			});
			assert_eq!(ProofOfWork::gas_limit(), more);
			assert_eq!(CurrentHead::<Test>::get().gas_limit, more);
			assert_eq!(apply(&info(more - base(), DispatchClass::Normal)), Ok(()));
			end();
		});
	}
}
