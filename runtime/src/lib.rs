//! The runtime: composition only. Every rule is in a pallet; here are their configurations, the
//! runtime APIs ([`apis`]) and the genesis presets ([`genesis`]).

#![cfg_attr(not(feature = "std"), no_std)]
// What is written here is documented; what the macros that compose a runtime make of it is not.
#![allow(missing_docs)]

extern crate alloc;

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

#[cfg(feature = "runtime-benchmarks")]
#[macro_use]
mod benchmarks;

pub mod apis;
pub mod configs;
pub mod genesis;

#[cfg(test)]
mod tests;

#[cfg(feature = "std")]
pub use apis::RuntimeApi;
pub use configs::{BLOCK_WEIGHT_SECONDS, EXISTENTIAL_DEPOSIT, MAX_BLOCK_LENGTH};

use alloc::vec::Vec;
use isthmus_primitives::{AccountId, Header, Signature};
use polkadot_sdk::*;
use sp_runtime::{generic, impl_opaque_keys, MultiAddress};
use sp_version::RuntimeVersion;

/// How an extrinsic names an account.
pub type Address = MultiAddress<AccountId, ()>;
/// A block with the runtime's own extrinsics. The node's is `isthmus_primitives::Block`.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// A block with its signature.
pub type SignedBlock = generic::SignedBlock<Block>;
/// An extrinsic of this runtime.
pub type UncheckedExtrinsic =
	generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What an extrinsic's signature is over.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Runs blocks.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
>;

/// What is checked of every transaction, in this order.
///
/// `CheckGasLimit` follows `CheckWeight`, whose sum it reads; `WeightReclaim` is last, when all that
/// can be unspent is.
pub type TxExtension = (
	frame_system::AuthorizeCall<Runtime>,
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckEra<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_proof_of_work::CheckGasLimit<Runtime>,
	pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	pallet_data_sharing::DirectCall<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);

impl_opaque_keys! {
	/// The keys a verifier's node votes with.
	pub struct SessionKeys {
		/// GRANDPA's.
		pub grandpa: Grandpa,
	}
}

/// The runtime's version.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: alloc::borrow::Cow::Borrowed("isthmus"),
	impl_name: alloc::borrow::Cow::Borrowed("isthmus"),
	authoring_version: 1,
	spec_version: 2,
	impl_version: 1,
	apis: apis::RUNTIME_API_VERSIONS,
	transaction_version: 1,
	system_version: 1,
};

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
	// Before all that ask who mined the block or what time it is: it reads the header first.
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
	// After the session, whose genesis names the first verifiers.
	#[runtime::pallet_index(9)]
	pub type Verifiers = pallet_verifiers;
	#[runtime::pallet_index(10)]
	pub type DataSharing = pallet_data_sharing;
	// The verifiers once more, as those who vote about verifiers. Polkadot.js Apps knows this name,
	// and has a page for it.
	#[runtime::pallet_index(11)]
	pub type Council = pallet_collective<Instance1>;
}
