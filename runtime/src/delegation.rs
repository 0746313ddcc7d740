// SPDX-License-Identifier: Apache-2.0
//! Accounts that act together or for each other: the kinds of proxies, and the calls that a call carries out.

use crate::{AccountId, Address, Multisig, Proxy, RuntimeCall};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::InstanceFilter;
use isthmus_primitives::{Balance, UNIT};
use polkadot_sdk::*;
use scale_info::TypeInfo;

/// The deposit for this many entries in the state with this many bytes together, as `pallet-data-sharing` takes it.
pub const fn deposit(items: Balance, bytes: Balance) -> Balance {
	items * (UNIT / 10) + bytes * (UNIT / 10_000)
}

/// What a proxy may do for the account that named it.
///
/// Calls of the utility pallet that carry out others are allowed with every kind: each of the others is checked on its
/// own.
#[derive(
	Clone,
	Copy,
	Debug,
	Decode,
	DecodeWithMemTracking,
	Default,
	Encode,
	Eq,
	MaxEncodedLen,
	Ord,
	PartialEq,
	PartialOrd,
	TypeInfo,
)]
#[scale_info(capture_docs = "always")]
pub enum ProxyType {
	/// Everything that the account itself may do.
	#[default]
	#[codec(index = 0)]
	Any,
	/// Everything that does not give the account's money to others, does not replace its verifier's keys, and is no call
	/// that acts for another account, where this limit would end.
	#[codec(index = 1)]
	NonTransfer,
	/// Calls of data sharing, but no request that offers money, and no handover of a dataset. Of keepers, to prove, to leave and to report. `store`, `openRecord` and `storeChunk` are never carried
	/// out for another account: they must be a transaction's own call.
	#[codec(index = 2)]
	Sharing,
	/// To report facts, and to withdraw reports.
	#[codec(index = 3)]
	Facts,
}

impl InstanceFilter<RuntimeCall> for ProxyType {
	fn filter(&self, call: &RuntimeCall) -> bool {
		match self {
			Self::Any => true,
			Self::NonTransfer => {
				carries_others(call)
					|| is_free_sharing(call)
					|| is_keeping(call)
					|| matches!(
						call,
						RuntimeCall::System(_)
							| RuntimeCall::Verifiers(_)
							| RuntimeCall::Council(_)
							| RuntimeCall::Facts(_)
					)
			}
			Self::Sharing => carries_others(call) || is_free_sharing(call) || is_keeping(call),
			Self::Facts => carries_others(call) || is_report(call),
		}
	}

	fn is_superset(&self, other: &Self) -> bool {
		match (self, other) {
			(Self::Any, _) => true,
			(_, Self::Any) => false,
			(Self::NonTransfer, _) => true,
			_ => self == other,
		}
	}
}

/// Returns whether a call only carries out others with the same account and the same limits.
fn carries_others(call: &RuntimeCall) -> bool {
	use pallet_utility::Call;
	matches!(
		call,
		RuntimeCall::Utility(
			Call::batch { .. } | Call::batch_all { .. } | Call::force_batch { .. }
		)
	)
}

/// Returns whether a call is one of data sharing that pays no one, and gives no dataset away.
fn is_free_sharing(call: &RuntimeCall) -> bool {
	use pallet_data_sharing::Call;
	match call {
		RuntimeCall::DataSharing(Call::request_access { offer, .. }) => *offer == 0,
		// Deposits and what readers pay go with a dataset.
		RuntimeCall::DataSharing(Call::offer_dataset { .. } | Call::accept_dataset { .. }) => false,
		// What this carries out is checked on its own, as the calls of a batch are.
		RuntimeCall::DataSharing(_) => true,
		_ => false,
	}
}

/// Returns whether a call is one of keepers that neither has a deposit held nor puts money into a pot.
fn is_keeping(call: &RuntimeCall) -> bool {
	use pallet_keepers::Call;
	matches!(
		call,
		RuntimeCall::Keepers(Call::prove { .. } | Call::leave { .. } | Call::report_missed { .. })
	)
}

/// Returns whether a call reports a fact or withdraws a report.
fn is_report(call: &RuntimeCall) -> bool {
	use pallet_facts::Call;
	matches!(
		call,
		RuntimeCall::Facts(Call::report { .. } | Call::withdraw_report { .. })
	)
}

/// The account that signs a call. It is found out only where it matters, because that can take a hash or a read.
pub type Signer<'a> = &'a dyn Fn() -> AccountId;

/// Returns the first result of `test` for a call or for one that it carries out, each with the account that signs it.
/// Calls of which only the hash is known are left out, and those that only the superuser can have carried out.
///
/// A call for an account that has named no such proxy fails, so its signer stays the one who sends it.
pub fn find_within<R>(
	signer: Signer<'_>,
	call: &RuntimeCall,
	test: &dyn Fn(Signer<'_>, &RuntimeCall) -> Option<R>,
) -> Option<R> {
	use pallet_multisig::Call as Multi;
	use pallet_proxy::Call as Delegate;
	use pallet_utility::Call as Utility;
	let found = test(signer, call);
	if found.is_some() {
		return found;
	}
	match call {
		RuntimeCall::Utility(
			Utility::batch { calls }
			| Utility::batch_all { calls }
			| Utility::force_batch { calls },
		) => calls
			.iter()
			.find_map(|call| find_within(signer, call, test)),
		RuntimeCall::Utility(Utility::if_else { main, fallback }) => {
			find_within(signer, main, test).or_else(|| find_within(signer, fallback, test))
		}
		RuntimeCall::Utility(Utility::as_derivative { index, call }) => {
			let derived = || pallet_utility::derivative_account_id(signer(), *index);
			find_within(&derived, call, test)
		}
		RuntimeCall::Proxy(Delegate::proxy {
			real,
			force_proxy_type,
			call,
		}) => {
			let acting = || acting_as(real, signer(), *force_proxy_type, call, true);
			find_within(&acting, call, test)
		}
		RuntimeCall::Proxy(Delegate::proxy_announced {
			delegate,
			real,
			force_proxy_type,
			call,
		}) => {
			let acting = || match delegate {
				Address::Id(delegate) => {
					acting_as(real, delegate.clone(), *force_proxy_type, call, false)
				}
				_ => signer(),
			};
			find_within(&acting, call, test)
		}
		RuntimeCall::Multisig(Multi::as_multi_threshold_1 {
			other_signatories,
			call,
		}) => find_within(&|| together(other_signatories, signer(), 1), call, test),
		RuntimeCall::Multisig(Multi::as_multi {
			threshold,
			other_signatories,
			call,
			..
		}) => find_within(
			&|| together(other_signatories, signer(), *threshold),
			call,
			test,
		),
		RuntimeCall::DataSharing(pallet_data_sharing::Call::act_for { call, .. }) => {
			find_within(signer, call, test)
		}
		_ => None,
	}
}

/// Returns the account that a proxy carries out a call for; the proxy itself if the account has not named it for such
/// calls, or wants a call announced first that is to be carried out at once.
fn acting_as(
	real: &Address,
	proxy: AccountId,
	kind: Option<ProxyType>,
	call: &RuntimeCall,
	at_once: bool,
) -> AccountId {
	match real {
		Address::Id(real)
			if Proxy::find_proxy(real, &proxy, kind).is_ok_and(|named| {
				named.proxy_type.filter(call) && (named.delay == 0 || !at_once)
			}) =>
		{
			real.clone()
		}
		_ => proxy,
	}
}

/// Returns the account of which these accounts, in their order, and one more are the signatories.
fn together(others: &[AccountId], one: AccountId, threshold: u16) -> AccountId {
	let mut all = others.to_vec();
	let place = all.iter().take_while(|other| **other < one).count();
	all.insert(place, one);
	Multisig::multi_account_id(&all, threshold)
}
