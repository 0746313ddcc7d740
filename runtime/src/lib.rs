// SPDX-License-Identifier: Apache-2.0
//! The runtime: the code that executes blocks, compiled to Wasm and stored in the chain's state. The
//! pallets contain all the rules, and this crate only combines them. It contains their configurations
//! ([`configs`]), who may act for whom ([`delegation`]), a transaction extension ([`extensions`]), the runtime APIs
//! ([`apis`]), the genesis presets ([`genesis`]) and the [`migrations`].

#![cfg_attr(not(feature = "std"), no_std)]
// The code written here is documented; the code that the runtime's macros generate from it is not.
#![allow(missing_docs)]

extern crate alloc;

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

#[cfg(feature = "runtime-benchmarks")]
#[macro_use]
mod benchmarks;

pub mod apis;
pub mod configs;
pub mod delegation;
pub mod extensions;
pub mod genesis;
pub mod migrations;

#[cfg(test)]
mod tests;

#[cfg(feature = "std")]
pub use apis::RuntimeApi;
pub use apis::VERSION;
pub use configs::{BLOCK_WEIGHT_SECONDS, EXISTENTIAL_DEPOSIT, MAX_BLOCK_LENGTH, MAX_VERIFIERS};

use alloc::vec::Vec;
use isthmus_primitives::{AccountId, Balance, Header, Nonce, Signature};
use polkadot_sdk::*;
use sp_runtime::{generic, impl_opaque_keys, MultiAddress};

/// The address of an account in an extrinsic.
pub type Address = MultiAddress<AccountId, ()>;
/// A block with decoded extrinsics. The node's block type, `isthmus_primitives::Block`, has opaque
/// extrinsics.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// A block with its justifications.
pub type SignedBlock = generic::SignedBlock<Block>;
/// An extrinsic of this runtime.
pub type UncheckedExtrinsic =
	generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// The payload that an extrinsic's signature covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Executes blocks.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
>;

/// The checks of every transaction, in this order.
///
/// `CheckRootCalls` comes early, before a transaction takes any of a block's room. It and `CheckMetadataHash` share
/// places because a tuple has at most twelve.
/// `CheckGasLimit` must follow `CheckWeight`, because it reads the sum that `CheckWeight` updates.
/// `WeightReclaim` must be last, because only then is all unspent weight known.
pub type TxExtension = (
	frame_system::AuthorizeCall<Runtime>,
	(
		frame_system::CheckNonZeroSender<Runtime>,
		extensions::CheckRootCalls<Runtime>,
	),
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckEra<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_proof_of_work::CheckGasLimit<Runtime>,
	(
		pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
		frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
	),
	pallet_data_sharing::DirectCall<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);

/// Checks the invariants of the state of this chain's own pallets, between blocks.
///
/// # Errors
///
/// Returns a sentence about the first invariant that is violated.
#[cfg(feature = "std")]
pub fn check_state() -> Result<(), &'static str> {
	ProofOfWork::do_try_state()?;
	Verifiers::do_try_state()?;
	DataSharing::do_try_state()?;
	Facts::do_try_state()?;
	Keepers::do_try_state()?;
	let members = pallet_collective::Members::<Runtime, pallet_collective::Instance1>::get();
	let verifiers = pallet_verifiers::Verifiers::<Runtime>::get();
	if !members.iter().eq(verifiers.keys()) {
		return Err("the council's members are not the verifiers");
	}
	Ok(())
}

/// Returns the extension of a transaction that is valid in this era, has this nonce and pays this tip.
pub fn tx_extension(era: generic::Era, nonce: Nonce, tip: Balance) -> TxExtension {
	(
		frame_system::AuthorizeCall::new(),
		(
			frame_system::CheckNonZeroSender::new(),
			extensions::CheckRootCalls::new(),
		),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(era),
		frame_system::CheckNonce::from(nonce),
		frame_system::CheckWeight::new(),
		pallet_proof_of_work::CheckGasLimit::new(),
		(
			pallet_transaction_payment::ChargeTransactionPayment::from(tip),
			// Programs that sign on their own know the metadata; the hash is for devices that have to be shown it.
			frame_metadata_hash_extension::CheckMetadataHash::new(false),
		),
		pallet_data_sharing::DirectCall::new(),
		frame_system::WeightReclaim::new(),
	)
}

/// Makes a transaction that has no signer, because the evidence in its call is enough.
fn without_signer(call: RuntimeCall) -> UncheckedExtrinsic {
	UncheckedExtrinsic::new_transaction(call, tx_extension(generic::Era::Immortal, 0, 0))
}

impl_opaque_keys! {
	/// The keys with which a verifier's node votes.
	pub struct SessionKeys {
		/// The GRANDPA key.
		pub grandpa: Grandpa,
	}
}

#[frame_support::runtime]
mod runtime {
	/// The runtime.
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	// This pallet reads the header, so it must precede the pallets that need the block's miner or time.
	#[runtime::pallet_index(1)]
	pub type ProofOfWork = pallet_proof_of_work;
	#[runtime::pallet_index(2)]
	pub type Timestamp = pallet_timestamp;
	#[runtime::pallet_index(3)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(4)]
	pub type TransactionPayment = pallet_transaction_payment;
	#[runtime::pallet_index(5)]
	pub type Session = pallet_session;
	#[runtime::pallet_index(6)]
	pub type Grandpa = pallet_grandpa;
	#[runtime::pallet_index(7)]
	pub type Utility = pallet_utility;
	#[runtime::pallet_index(8)]
	pub type Sudo = pallet_sudo;
	// At genesis this pallet reads the first verifiers from the session pallet, so it must follow that
	// pallet.
	#[runtime::pallet_index(9)]
	pub type Verifiers = pallet_verifiers;
	#[runtime::pallet_index(10)]
	pub type DataSharing = pallet_data_sharing;
	// The verifiers as a collective that votes. Polkadot.js Apps has a page for this name.
	#[runtime::pallet_index(11)]
	pub type Council = pallet_collective<Instance1>;
	#[runtime::pallet_index(12)]
	pub type Facts = pallet_facts;
	#[runtime::pallet_index(13)]
	pub type Multisig = pallet_multisig;
	#[runtime::pallet_index(14)]
	pub type Proxy = pallet_proxy;
	#[runtime::pallet_index(15)]
	pub type Keepers = pallet_keepers;
}
