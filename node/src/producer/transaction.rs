// SPDX-License-Identifier: Apache-2.0
//! Builds the transaction that registers the node's producer: its content, the signed bytes and its cost.

use super::identity::{Profile, PRODUCER_KEY};
use crate::client::FullClient;
use codec::{Decode, Encode};
use isthmus_primitives::{amount::Ist, AccountId, Balance, Block, BlockNumber, Hash, Nonce};
use isthmus_runtime::{
	tx_extension, Runtime, RuntimeCall, SignedPayload, UncheckedExtrinsic, EXISTENTIAL_DEPOSIT,
	VERSION,
};
use isthmus_sharing::terms::{Footprint, Rates};
use pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi;
use polkadot_sdk::*;
use sc_client_api::StorageProvider;
use sp_api::{Core, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_core::{sr25519, storage::StorageKey, Get};
use sp_keystore::KeystorePtr;
use sp_runtime::{generic::Era, DispatchError, MultiSignature, OpaqueExtrinsic};
use substrate_frame_rpc_system::AccountNonceApi;

/// The transaction's lifetime, in blocks.
const LIFETIME: u64 = 64;
/// How far below the best block the lifetime starts, in blocks. At that depth a reorganisation is rare.
const BEGIN_BELOW: BlockNumber = 8;

/// Why the producer is not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
	#[error("account {account} needs at least {}, and has {}", Ist(*.needed), Ist(*.free))]
	Funds {
		account: AccountId,
		needed: Balance,
		free: Balance,
	},
	#[error(
		"the chain's runtime expects transactions of version {chain}, but this node writes version {ours}: use \
		 the release of the node that matches the runtime"
	)]
	Version { chain: u32, ours: u32 },
	#[error("the producer's key is no longer in the keystore")]
	NoKey,
	#[error("keystore: {0}")]
	Keystore(#[from] sp_keystore::Error),
	#[error("the transaction pool rejected the registration: {0}")]
	Pool(String),
	#[error("the transaction was lost and is sent again: {0}")]
	Lost(&'static str),
	#[error(
		"the chain rejected the registration in block {block}: {}. It is not sent again: fix the cause, then \
		 restart the node",
		.error.map_or("for an unknown reason".into(), |e| format!("{e:?}"))
	)]
	Rejected {
		block: Hash,
		error: Option<DispatchError>,
	},
	#[error("account {0} does not decode in the chain's state")]
	Account(AccountId),
	#[error("runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

/// What a transaction's signature depends on besides the call: the chain, the runtime's version, the
/// account's nonce and the lifetime.
pub struct ChainContext {
	pub spec_version: u32,
	pub transaction_version: u32,
	pub genesis: Hash,
	/// The block at which the transaction's lifetime starts.
	pub begin: (BlockNumber, Hash),
	pub nonce: Nonce,
}

/// Builds the transaction and signs it with `sign`.
pub fn signed(
	profile: &Profile,
	account: &AccountId,
	context: &ChainContext,
	sign: impl FnOnce(&[u8]) -> Result<sr25519::Signature, RegistrationError>,
) -> Result<OpaqueExtrinsic, RegistrationError> {
	let call = RuntimeCall::DataSharing(pallet_data_sharing::Call::register {
		kind: profile.kind,
		name: profile.name.clone().into_bytes(),
	});
	signed_call(call, account, context, sign)
}

/// Builds the transaction that carries this call, and signs it with `sign`.
pub fn signed_call<E>(
	call: RuntimeCall,
	account: &AccountId,
	context: &ChainContext,
	sign: impl FnOnce(&[u8]) -> Result<sr25519::Signature, E>,
) -> Result<OpaqueExtrinsic, E> {
	let (begin, begin_hash) = context.begin;
	let extension = tx_extension(Era::mortal(LIFETIME, begin.into()), context.nonce, 0);
	let implicit = (
		(),
		((), ()),
		context.spec_version,
		context.transaction_version,
		context.genesis,
		begin_hash,
		(),
		(),
		(),
		// The hash of the metadata is not signed.
		((), None),
		(),
		(),
	);
	let payload = SignedPayload::from_raw(call, extension, implicit);
	let signature = payload.using_encoded(sign)?;
	let (call, extension, _) = payload.deconstruct();
	let signature = MultiSignature::Sr25519(signature);
	Ok(UncheckedExtrinsic::new_signed(call, account.clone().into(), signature, extension).into())
}

/// Signs with the producer's key, for the client's chain.
pub(super) struct Signer<'a> {
	pub(super) client: &'a FullClient,
	pub(super) keystore: &'a KeystorePtr,
	pub(super) key: &'a sr25519::Public,
}

impl Signer<'_> {
	/// Returns the registration, signed for the best block.
	pub(super) fn registration(
		&self,
		profile: &Profile,
		chain: &sp_blockchain::Info<Block>,
	) -> Result<OpaqueExtrinsic, RegistrationError> {
		let best = chain.best_hash;
		let account = AccountId::from(self.key.0);
		let version = self.client.runtime_api().version(best)?;
		if version.transaction_version != VERSION.transaction_version {
			return Err(RegistrationError::Version {
				chain: version.transaction_version,
				ours: VERSION.transaction_version,
			});
		}
		let number = chain.best_number.saturating_sub(BEGIN_BELOW);
		let begin = match self.client.hash(number)? {
			Some(hash) => (number, hash),
			None => (chain.best_number, best),
		};
		let context = ChainContext {
			spec_version: version.spec_version,
			transaction_version: version.transaction_version,
			genesis: chain.genesis_hash,
			begin,
			nonce: self
				.client
				.runtime_api()
				.account_nonce(best, account.clone())?,
		};
		signed(profile, &account, &context, |payload| {
			let signature = self
				.keystore
				.sr25519_sign(PRODUCER_KEY, self.key, payload)?;
			signature.ok_or(RegistrationError::NoKey)
		})
	}
}

/// Checks that the account can pay before sending, since a failed transaction still costs its fee.
pub(super) fn check_funds(
	client: &FullClient,
	profile: &Profile,
	account: &AccountId,
	block: Hash,
	transaction: &OpaqueExtrinsic,
) -> Result<(), RegistrationError> {
	type Info = frame_system::AccountInfo<Nonce, <Runtime as frame_system::Config>::AccountData>;
	let key = StorageKey(frame_system::Account::<Runtime>::hashed_key_for(account));
	let free = match client.storage(block, &key)? {
		None => 0,
		Some(info) => {
			let info = Info::decode(&mut &info.0[..]);
			info.map_err(|_| RegistrationError::Account(account.clone()))?
				.data
				.free
		}
	};
	let length = u32::try_from(transaction.encoded_size()).unwrap_or(u32::MAX);
	let fee = client
		.runtime_api()
		.query_info(block, transaction.clone(), length)?
		.partial_fee;
	let needed = deposit(&profile.name)
		.saturating_add(fee)
		.saturating_add(EXISTENTIAL_DEPOSIT);
	if free < needed {
		return Err(RegistrationError::Funds {
			account: account.clone(),
			needed,
			free,
		});
	}
	Ok(())
}

/// Returns the deposit for a producer's entry, in the smallest unit.
pub fn deposit(name: &str) -> Balance {
	let rates = Rates {
		per_item: <Runtime as pallet_data_sharing::Config>::DepositPerItem::get(),
		per_byte: <Runtime as pallet_data_sharing::Config>::DepositPerByte::get(),
	};
	Footprint::producer(name.len()).deposit(&rates)
}
