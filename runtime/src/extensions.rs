// SPDX-License-Identifier: Apache-2.0
//! The runtime's own transaction extension.

use crate::{Runtime, RuntimeCall, RuntimeOrigin};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{ensure, weights::Weight};
use isthmus_primitives::AccountId;
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::{
	impl_tx_ext_default,
	traits::{AsSystemOriginSigner, DispatchInfoOf, TransactionExtension, ValidateResult},
	transaction_validity::{InvalidTransaction, TransactionSource, ValidTransaction},
};

/// Rejects a signed transaction whose call no signature is enough for, before it takes a place in a block.
///
/// Otherwise anyone could fill blocks with such calls, for example with `system.set_storage` of a mebibyte: they
/// would be included and only then fail. The extension adds no bytes to a transaction.
#[derive(Encode, Decode, DecodeWithMemTracking, Clone, Debug, Default, Eq, PartialEq, TypeInfo)]
pub struct CheckRootCalls;

impl TransactionExtension<RuntimeCall> for CheckRootCalls {
	const IDENTIFIER: &'static str = "CheckRootCalls";
	type Implicit = ();
	type Val = ();
	type Pre = ();

	fn weight(&self, _: &RuntimeCall) -> Weight {
		// At most one entry is read, the superuser's key.
		<Runtime as frame_system::Config>::DbWeight::get().reads(1)
	}

	fn validate(
		&self,
		origin: RuntimeOrigin,
		call: &RuntimeCall,
		_info: &DispatchInfoOf<RuntimeCall>,
		_len: usize,
		_self_implicit: Self::Implicit,
		_inherited_implication: &impl Encode,
		_source: TransactionSource,
	) -> ValidateResult<Self::Val, RuntimeCall> {
		let signer = origin.as_system_origin_signer();
		ensure!(
			signer.is_none_or(|signer| !is_beyond(signer, call)),
			InvalidTransaction::Call
		);
		Ok((ValidTransaction::default(), (), origin))
	}

	impl_tx_ext_default!(RuntimeCall; prepare);
}

/// Returns whether a call, or a call that it wraps, fails whenever this account signs it: it needs the origin
/// of the superuser or of the verifiers' council.
fn is_beyond(signer: &AccountId, call: &RuntimeCall) -> bool {
	use frame_system::Call as System;
	use pallet_balances::Call as Balances;
	use pallet_collective::Call as Council;
	use pallet_utility::Call as Utility;
	match call {
		RuntimeCall::System(call) => matches!(
			call,
			System::set_heap_pages { .. }
				| System::set_code { .. }
				| System::set_code_without_checks { .. }
				| System::set_storage { .. }
				| System::kill_storage { .. }
				| System::kill_prefix { .. }
				| System::authorize_upgrade { .. }
				| System::authorize_upgrade_without_checks { .. }
		),
		RuntimeCall::Balances(call) => matches!(
			call,
			Balances::force_transfer { .. }
				| Balances::force_unreserve { .. }
				| Balances::force_set_balance { .. }
				| Balances::force_adjust_total_issuance { .. }
		),
		RuntimeCall::Grandpa(call) => matches!(call, pallet_grandpa::Call::note_stalled { .. }),
		RuntimeCall::Council(call) => matches!(
			call,
			Council::set_members { .. }
				| Council::disapprove_proposal { .. }
				| Council::kill { .. }
		),
		RuntimeCall::Verifiers(call) => matches!(
			call,
			pallet_verifiers::Call::admit { .. } | pallet_verifiers::Call::remove { .. }
		),
		RuntimeCall::Sudo(_) => pallet_sudo::Key::<Runtime>::get().as_ref() != Some(signer),
		RuntimeCall::Utility(call) => match call {
			Utility::batch { calls }
			| Utility::batch_all { calls }
			| Utility::force_batch { calls } => calls.iter().any(|call| is_beyond(signer, call)),
			Utility::if_else { main, fallback } => {
				is_beyond(signer, main) || is_beyond(signer, fallback)
			}
			Utility::dispatch_as { .. }
			| Utility::dispatch_as_fallible { .. }
			| Utility::with_weight { .. } => true,
			_ => false,
		},
		_ => false,
	}
}
