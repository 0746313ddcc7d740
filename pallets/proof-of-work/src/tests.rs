// SPDX-License-Identifier: Apache-2.0
//! Tests each of the pallet's rules, both kept and violated. A violation must return the exact error, or
//! reject the block with the exact message.

mod gas;
mod header;
mod parameters;
mod rewards;
mod uncles;

use crate::{mock::*, CheckGasLimit, CurrentHead, Error, Event, Head, RecentUncles};
use codec::{DecodeAll, Encode};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchClass, DispatchInfo, Pays},
	inherent::ProvideInherent,
	traits::Hooks,
	weights::Weight,
};
use isthmus_primitives::{
	digest::{uncles_hash, GasUsed, PreDigest, POW_ENGINE_ID},
	inherents::{UnclesInherentError, UNCLES_INHERENT_IDENTIFIER},
	params::{ChainParameters, RuleChange, MIN_GAS_LIMIT},
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

/// Returns the runtime's message when it rejects the block that `block` executes.
fn rejection(block: impl FnOnce()) -> String {
	let reason = catch_unwind(AssertUnwindSafe(block)).expect_err("the block is rejected");
	match reason.downcast::<String>() {
		Ok(sentence) => *sentence,
		Err(reason) => (*reason.downcast::<&str>().expect("a panic has a message")).to_string(),
	}
}

/// Returns the message with which the next block is rejected if it is honest except for `change`.
fn rejection_of(change: impl FnOnce(&mut PreDigest)) -> String {
	chain_with(parameters()).execute_with(|| {
		let mut pre = next_pre_digest();
		change(&mut pre);
		rejection(|| begin(&pre))
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
