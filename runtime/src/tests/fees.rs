// SPDX-License-Identifier: Apache-2.0
//! Tests what transactions cost, who gets it, and what is refused before it takes a place in a block.

use super::*;
use crate::configs::EXISTENTIAL_DEPOSIT;
use frame_support::dispatch::GetDispatchInfo;
use isthmus_primitives::params::GAS_PER_BYTE;
use pallet_transaction_payment::{Multiplier, Pallet as TransactionPayment};
use sp_keyring::Sr25519Keyring::Charlie;
use sp_runtime::{
	traits::One,
	transaction_validity::{TransactionSource, TransactionValidity},
};

const MEBIBYTE: usize = 1 << 20;

/// Returns a call that only the superuser may make, with a mebibyte of junk.
fn set_storage() -> RuntimeCall {
	frame_system::Call::set_storage {
		items: vec![(vec![1], vec![0; MEBIBYTE])],
	}
	.into()
}

fn sudo(call: RuntimeCall) -> RuntimeCall {
	pallet_sudo::Call::sudo {
		call: Box::new(call),
	}
	.into()
}

fn validate(signer: Sr25519Keyring, call: RuntimeCall) -> TransactionValidity {
	let transaction = signed(signer, call);
	// Validation begins a block, which no one finishes.
	sp_io::storage::start_transaction();
	let validity =
		Executive::validate_transaction(TransactionSource::External, transaction, Hash::zero());
	sp_io::storage::rollback_transaction();
	validity
}

fn free(account: AccountId) -> u128 {
	Balances::free_balance(account)
}

#[test]
fn the_fee_is_burned_and_the_tip_goes_to_the_miner() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		let (issuance, before) = (Balances::total_issuance(), free(Alice.to_account_id()));
		let tip = UNIT / 50;
		let call = transfer(Bob.to_account_id(), UNIT);
		let (block, rejected) = chain.build_with(&[], vec![signed_with_tip(Alice, call, tip)]);
		assert_eq!(rejected, []);
		let header = chain.import(block);
		let fee = before - UNIT - tip - free(Alice.to_account_id());
		assert!(fee > 0 && fee < UNIT / 100, "{fee}");
		assert_eq!(free(miner()), 10 * UNIT + tip);
		assert_eq!(Balances::total_issuance(), issuance + 5 * UNIT - fee);
		assert!(
			(1..100_000).contains(&gas_used(&header)),
			"{}",
			gas_used(&header)
		);
	});
}

#[test]
fn a_tip_below_the_existential_deposit_of_a_new_miner_is_burned() {
	let no_reward = |parameters: &mut ChainParameters| parameters.block_reward = 0;
	Chain::test(DEV_RUNTIME_PRESET, no_reward, |chain| {
		// A signature covers the hash of the first block, which the state has since the second.
		chain.mine(vec![]);
		let (issuance, before) = (Balances::total_issuance(), free(Alice.to_account_id()));
		let call = transfer(Bob.to_account_id(), UNIT);
		let transaction = signed_with_tip(Alice, call, EXISTENTIAL_DEPOSIT - 1);
		let (block, rejected) = chain.build_with(&[], vec![transaction]);
		assert_eq!(rejected, []);
		chain.import(block);
		let paid = before - UNIT - free(Alice.to_account_id());
		assert!(paid >= EXISTENTIAL_DEPOSIT, "{paid}");
		assert_eq!(Balances::total_issuance(), issuance - paid);
		assert_eq!(free(miner()), 0);
	});
}

/// Calls that only the superuser may make once were included, failed, and left no room for others.
#[test]
fn calls_for_the_superuser_take_no_room_from_others() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let mut calls = vec![(Bob, set_storage()); 18];
		calls.push((Charlie, transfer(Bob.to_account_id(), UNIT)));
		let (block, rejected) = chain.build(&[], calls);
		let refused = TransactionValidityError::Invalid(InvalidTransaction::Call);
		assert_eq!(rejected, vec![refused; 18]);
		// The timestamp and the transfer.
		assert_eq!(block.extrinsics.len(), 2);
		chain.import(block);
		assert_eq!(last_error(), None);
	});
}

#[test]
fn a_wrapped_call_for_the_superuser_is_refused_too() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		let calls = || vec![remark(1), set_storage()];
		let refused = Err(InvalidTransaction::Call.into());
		for call in [
			pallet_utility::Call::batch { calls: calls() }.into(),
			pallet_utility::Call::batch_all { calls: calls() }.into(),
			pallet_utility::Call::force_batch { calls: calls() }.into(),
			pallet_verifiers::Call::admit {
				who: Bob.to_account_id(),
			}
			.into(),
			sudo(set_storage()),
			sudo(remark(1)),
		] {
			assert_eq!(validate(Bob, call), refused);
		}
		assert!(validate(
			Bob,
			pallet_utility::Call::batch {
				calls: vec![remark(1)]
			}
			.into()
		)
		.is_ok());
		assert!(validate(Alice, sudo(set_storage())).is_ok());
	});
}

#[test]
fn an_operational_call_has_no_priority_over_others() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		let operational = sudo(set_storage());
		let info = operational.get_dispatch_info();
		assert_eq!(
			info.class,
			frame_support::dispatch::DispatchClass::Operational
		);
		let priority = |call| validate(Alice, call).expect("the call is valid").priority;
		let other = sudo(remark(MEBIBYTE));
		// It may fill a third more of a block, which counts a little.
		assert!(priority(operational) < 2 * priority(other));
	});
}

#[test]
fn fees_rise_while_blocks_are_full_of_bytes() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let multiplier = TransactionPayment::<Runtime>::next_fee_multiplier;
		let fee = |chain: &mut Chain| {
			let before = free(Bob.to_account_id());
			let header = chain.mine(vec![(Bob, remark(MEBIBYTE))]);
			assert!(gas_used(&header) > GAS_PER_BYTE * MEBIBYTE as u64);
			before - free(Bob.to_account_id())
		};
		let cheap = fee(chain);
		// A mebibyte costs about 1.05 units, as much as before bytes were gas.
		assert!((UNIT..UNIT + UNIT / 10).contains(&cheap), "{cheap}");
		assert_eq!(multiplier(), Multiplier::one());
		for _ in 0..5 {
			let before = multiplier();
			chain.mine(vec![(Alice, remark(MEBIBYTE)); 5]);
			assert!(multiplier() > before);
		}
		let (risen, dear) = (multiplier(), fee(chain));
		// The whole price of a byte follows the multiplier.
		assert!(
			dear > cheap + cheap / 100 * 2,
			"{cheap} rises to {dear} at {risen:?}"
		);
		// They fall again.
		chain.mine(vec![]);
		assert!(multiplier() < risen);
	});
}

/// A call that only the superuser may make is operational. With normal calls alone, its bytes would be free of
/// congestion, and blocks full of them would lower the fees.
#[test]
fn fees_rise_while_blocks_are_full_of_operational_bytes() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let multiplier = TransactionPayment::<Runtime>::next_fee_multiplier;
		let mut risen = multiplier();
		for _ in 0..3 {
			chain.mine(vec![(Alice, sudo(set_storage())); 5]);
			assert!(multiplier() > risen, "{:?}", multiplier());
			risen = multiplier();
		}
	});
}

/// For normal transactions alone, the multiplier is the framework's.
#[test]
fn fees_follow_the_formula_of_the_framework() {
	use crate::configs::AdjustFees;
	use frame_support::{dispatch::DispatchClass, parameter_types, weights::Weight};
	use pallet_transaction_payment::{MultiplierUpdate, TargetedFeeAdjustment};
	use sp_runtime::{traits::Convert, Perquintill};
	parameter_types! {
		pub Target: Perquintill = AdjustFees::target();
		pub Variability: Multiplier = AdjustFees::variability();
		pub Min: Multiplier = AdjustFees::min();
		pub Max: Multiplier = AdjustFees::max();
	}
	type Framework = TargetedFeeAdjustment<Runtime, Target, Variability, Min, Max>;
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		let normal = crate::configs::RuntimeBlockWeights::get()
			.get(DispatchClass::Normal)
			.max_total
			.expect("it is bounded");
		sp_io::storage::start_transaction();
		let step = Weight::from_parts(normal.ref_time() / 16, 0);
		for sixteenth in 0..=20 {
			for before in [0.5, 1.0, 1.7, 250.0] {
				let before = Multiplier::from_float(before);
				let next = AdjustFees::convert(before);
				assert_eq!(next, Framework::convert(before), "{sixteenth}/16");
			}
			System::register_extra_weight_unchecked(step, DispatchClass::Normal);
		}
		sp_io::storage::rollback_transaction();
	});
}

/// Strangers' calls of the council are operational: they would be included, and only then fail.
#[test]
fn what_the_council_would_refuse_takes_no_place_in_a_block() {
	use pallet_collective::{Call, Instance1};
	use sp_runtime::traits::BlakeTwo256;
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		let admit = || -> RuntimeCall {
			pallet_verifiers::Call::admit {
				who: Bob.to_account_id(),
			}
			.into()
		};
		let propose = |proposal| Call::<Runtime, Instance1>::propose {
			threshold: 1,
			proposal: Box::new(proposal),
			length_bound: 1_000,
		};
		let vote = || Call::<Runtime, Instance1>::vote {
			proposal: BlakeTwo256::hash(&[]),
			index: 0,
			approve: true,
		};
		let execute = Call::<Runtime, Instance1>::execute {
			proposal: Box::new(remark(MEBIBYTE)),
			length_bound: u32::MAX,
		};
		let batched = pallet_utility::Call::batch {
			calls: vec![vote().into()],
		};
		let refused = Err(InvalidTransaction::Call.into());
		for (who, call) in [
			(Bob, propose(admit()).into()),
			(Bob, vote().into()),
			(Bob, batched.into()),
			(Alice, propose(remark(MEBIBYTE)).into()),
			(Alice, execute.into()),
		] {
			assert_eq!(validate(who, call), refused);
		}
		assert!(validate(Alice, propose(admit()).into()).is_ok());
		assert!(validate(Alice, vote().into()).is_ok());
	});
}

/// Miners decide on H_l. Blocks that are full by it would otherwise look empty, and the price would fall.
#[test]
fn fees_rise_while_blocks_are_full_of_what_the_gas_limit_allows() {
	let small = |parameters: &mut ChainParameters| parameters.genesis_gas_limit = 1_000_000;
	Chain::test(DEV_RUNTIME_PRESET, small, |chain| {
		let multiplier = TransactionPayment::<Runtime>::next_fee_multiplier;
		chain.mine(vec![]);
		let mut risen = multiplier();
		for _ in 0..3 {
			// A tenth of what the static limit allows.
			let header = chain.mine(vec![(Bob, remark(MEBIBYTE * 2 / 5))]);
			assert!(gas_used(&header) > 800_000);
			assert!(multiplier() > risen, "{:?}", multiplier());
			risen = multiplier();
		}
		chain.mine(vec![]);
		assert!(multiplier() < risen);
	});
}

#[test]
fn the_gas_limit_bounds_the_bytes_of_a_block() {
	let small = |parameters: &mut ChainParameters| parameters.genesis_gas_limit = 1_000_000;
	Chain::test(DEV_RUNTIME_PRESET, small, |chain| {
		let (_, rejected) = chain.build(&[], vec![(Bob, remark(MEBIBYTE))]);
		let exhausted = TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources);
		assert_eq!(rejected, [exhausted]);
		let header = chain.mine(vec![(Bob, remark(MEBIBYTE / 4))]);
		assert!(gas_used(&header) > GAS_PER_BYTE * MEBIBYTE as u64 / 4);
	});
}
