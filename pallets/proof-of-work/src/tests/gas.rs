// SPDX-License-Identifier: Apache-2.0
//! Tests the gas that a block uses (H_g) and its gas limit (H_l).

use super::*;

/// Returns the dispatch info of a transaction with this gas, without its base weight.
fn info(gas: u64, class: DispatchClass) -> DispatchInfo {
	DispatchInfo {
		call_weight: Weight::from_parts(gas * 100_000, 0),
		extension_weight: Weight::zero(),
		class,
		pays_fee: Pays::Yes,
	}
}

/// Returns the gas of a transaction that does nothing.
fn base() -> u64 {
	let weights = BlockWeights::get();
	crate::gas::gas_of(weights.get(DispatchClass::Normal).base_extrinsic)
}

fn call() -> RuntimeCall {
	frame_system::Call::remark { remark: vec![] }.into()
}

/// Validates a transaction and books its weight, as the runtime does.
fn apply(info: &DispatchInfo) -> Result<(), InvalidTransaction> {
	(
		frame_system::CheckWeight::<Test>::new(),
		CheckGasLimit::<Test>::new(),
	)
		.validate_and_prepare(Some(account(1)).into(), &call(), info, 0, 0)
		.map(|_| ())
		.map_err(|error| match error {
			sp_runtime::transaction_validity::TransactionValidityError::Invalid(invalid) => invalid,
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
fn a_transaction_above_the_limit_is_rejected() {
	on_chain(|| {
		begin(&next_pre_digest());
		let half = info(GENESIS_GAS_LIMIT / 2, DispatchClass::Normal);
		assert_eq!(apply(&half), Ok(()));
		// A transaction with too much gas is rejected; a transaction that uses exactly the rest is
		// accepted.
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
fn a_transaction_that_fits_no_block_is_rejected_by_the_pool() {
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
