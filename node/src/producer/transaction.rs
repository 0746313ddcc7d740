//! The registration's transaction: what it says, what it is signed over, and what it costs.

use super::{Profile, Registration, PRODUCER_KEY};
use codec::{Decode, Encode};
use isthmus_primitives::{AccountId, Balance, Block, BlockNumber, Hash, Nonce, UNIT};
use isthmus_runtime::{
	Runtime, RuntimeCall, SignedPayload, TxExtension, UncheckedExtrinsic, EXISTENTIAL_DEPOSIT,
	VERSION,
};
use isthmus_sharing::terms::{Footprint, Rates};
use pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi;
use polkadot_sdk::*;
use sc_client_api::StorageProvider;
use sp_api::{Core, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_core::{sr25519, storage::StorageKey, Get};
use sp_runtime::{generic::Era, DispatchError, MultiSignature, OpaqueExtrinsic};
use substrate_frame_rpc_system::AccountNonceApi;

/// For how many blocks the transaction is good.
const LIFETIME: u64 = 64;
/// The block that its lifetime begins at is so many below the best, where a reorganisation seldom comes.
const BEGIN_BELOW: BlockNumber = 8;

/// What keeps the producer from being registered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
	#[error("account {account} needs at least {} IST, and has {}", Ist(*.needed), Ist(*.free))]
	Funds {
		account: AccountId,
		needed: Balance,
		free: Balance,
	},
	#[error(
		"the chain's transactions are of version {chain}, and this node writes version {ours}: use the node's \
		 release for the chain's runtime"
	)]
	Version { chain: u32, ours: u32 },
	#[error("the producer's key is no longer in the keystore")]
	NoKey,
	#[error("the keystore: {0}")]
	Keystore(#[from] sp_keystore::Error),
	#[error("the transaction pool does not take it: {0}")]
	Pool(String),
	#[error("it was lost: {0}; it is sent again")]
	Lost(&'static str),
	#[error(
		"the chain refused the registration in block {block}: {}. It is not sent again: start the node anew \
		 when that is mended",
		.error.map_or("for a reason that is not known".into(), |e| format!("{e:?}"))
	)]
	Refused {
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

/// What a transaction is signed over besides its call: the chain as the account sees it.
struct SigningContext {
	spec_version: u32,
	transaction_version: u32,
	genesis: Hash,
	/// The block that its lifetime begins at.
	begin: (BlockNumber, Hash),
	nonce: Nonce,
}

/// The signed transaction.
fn signed(
	profile: &Profile,
	account: &AccountId,
	place: &SigningContext,
	sign: impl FnOnce(&[u8]) -> Result<sr25519::Signature, Problem>,
) -> Result<OpaqueExtrinsic, Problem> {
	let call = RuntimeCall::DataSharing(pallet_data_sharing::Call::register {
		kind: profile.kind,
		name: profile.name.clone().into_bytes(),
	});
	let (begin, begin_hash) = place.begin;
	let extension: TxExtension = (
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(Era::mortal(LIFETIME, begin.into())),
		frame_system::CheckNonce::from(place.nonce),
		frame_system::CheckWeight::new(),
		pallet_proof_of_work::CheckGasLimit::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(0),
		pallet_data_sharing::DirectCall::new(),
		frame_system::WeightReclaim::new(),
	);
	let implicit = (
		(),
		(),
		place.spec_version,
		place.transaction_version,
		place.genesis,
		begin_hash,
		(),
		(),
		(),
		(),
		(),
		(),
	);
	let payload = SignedPayload::from_raw(call, extension, implicit);
	let signature = payload.using_encoded(sign)?;
	let (call, extension, _) = payload.deconstruct();
	let signature = MultiSignature::Sr25519(signature);
	Ok(UncheckedExtrinsic::new_signed(call, account.clone().into(), signature, extension).into())
}

impl<SO> Registration<SO> {
	/// The registration, signed for the best block.
	pub(super) fn transaction(
		&self,
		account: &AccountId,
		chain: &sp_blockchain::Info<Block>,
	) -> Result<OpaqueExtrinsic, Problem> {
		let best = chain.best_hash;
		let version = self.client.runtime_api().version(best)?;
		if version.transaction_version != VERSION.transaction_version {
			return Err(Problem::Version {
				chain: version.transaction_version,
				ours: VERSION.transaction_version,
			});
		}
		let number = chain.best_number.saturating_sub(BEGIN_BELOW);
		let begin = match self.client.hash(number)? {
			Some(hash) => (number, hash),
			None => (chain.best_number, best),
		};
		let place = SigningContext {
			spec_version: version.spec_version,
			transaction_version: version.transaction_version,
			genesis: chain.genesis_hash,
			begin,
			nonce: self
				.client
				.runtime_api()
				.account_nonce(best, account.clone())?,
		};
		signed(&self.profile, account, &place, |payload| {
			let signature = self
				.keystore
				.sr25519_sign(PRODUCER_KEY, &self.key, payload)?;
			signature.ok_or(Problem::NoKey)
		})
	}

	/// Sends nothing that must fail: a failed transaction costs its fee all the same.
	pub(super) fn check_funds(
		&self,
		account: &AccountId,
		block: Hash,
		transaction: &OpaqueExtrinsic,
	) -> Result<(), Problem> {
		type Info =
			frame_system::AccountInfo<Nonce, <Runtime as frame_system::Config>::AccountData>;
		let key = StorageKey(frame_system::Account::<Runtime>::hashed_key_for(account));
		let free = match self.client.storage(block, &key)? {
			None => 0,
			Some(info) => {
				let info = Info::decode(&mut &info.0[..]);
				info.map_err(|_| Problem::Account(account.clone()))?
					.data
					.free
			}
		};
		let length = u32::try_from(transaction.encoded_size()).unwrap_or(u32::MAX);
		let cost = self
			.client
			.runtime_api()
			.query_info(block, transaction.clone(), length)?
			.partial_fee;
		let needed = deposit(&self.profile.name)
			.saturating_add(cost)
			.saturating_add(EXISTENTIAL_DEPOSIT);
		if free < needed {
			return Err(Problem::Funds {
				account: account.clone(),
				needed,
				free,
			});
		}
		Ok(())
	}
}

/// Returns the deposit for a producer's entry.
fn deposit(name: &str) -> Balance {
	let rates = Rates {
		per_item: <Runtime as pallet_data_sharing::Config>::DepositPerItem::get(),
		per_byte: <Runtime as pallet_data_sharing::Config>::DepositPerByte::get(),
	};
	Footprint::producer(name.len()).deposit(&rates)
}

/// An amount in IST, rounded up to a millionth.
struct Ist(Balance);

impl std::fmt::Display for Ist {
	fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
		const MILLIONTH: Balance = UNIT / 1_000_000;
		let millionths = self.0.div_ceil(MILLIONTH);
		write!(
			f,
			"{}.{:06}",
			millionths / 1_000_000,
			millionths % 1_000_000
		)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::DecodeAll;
	use isthmus_sharing::ProducerKind;
	use sp_keyring::Sr25519Keyring::Eve;
	use sp_runtime::{generic::Preamble, traits::Verify};

	fn place() -> SigningContext {
		SigningContext {
			spec_version: 7,
			transaction_version: 1,
			genesis: Hash::repeat_byte(1),
			begin: (100, Hash::repeat_byte(2)),
			nonce: 3,
		}
	}

	#[test]
	fn the_transaction_says_who_and_is_signed_over_its_place() {
		let profile = Profile {
			name: "A school".into(),
			kind: ProducerKind::School,
		};
		let mut signed_over = Vec::new();
		let opaque = signed(&profile, &Eve.to_account_id(), &place(), |payload| {
			signed_over = payload.to_vec();
			Ok(Eve.sign(payload))
		})
		.expect("the key is there");

		let read = UncheckedExtrinsic::decode_all(&mut &opaque.encode()[..]).expect("an extrinsic");
		let call = RuntimeCall::DataSharing(pallet_data_sharing::Call::register {
			kind: ProducerKind::School,
			name: b"A school".to_vec(),
		});
		assert_eq!(read.function, call);
		let Preamble::Signed(address, signature, extension) = read.preamble else {
			panic!("it is not signed");
		};
		assert_eq!(address, Eve.to_account_id().into());
		assert_eq!((extension.5 .0, extension.6 .0), (Era::mortal(64, 100), 3));
		assert!(signature.verify(&signed_over[..], &Eve.to_account_id()));
		// The place is in what was signed, though not in the transaction: versions, genesis and begin.
		let tail = (7_u32, 1_u32, place().genesis, place().begin.1).encode();
		assert!(signed_over.ends_with(&tail));
	}

	#[test]
	fn without_its_key_there_is_no_transaction() {
		let profile = Profile {
			name: "A school".into(),
			kind: ProducerKind::School,
		};
		let none = signed(&profile, &Eve.to_account_id(), &place(), |_| {
			Err(Problem::NoKey)
		});
		assert!(matches!(none, Err(Problem::NoKey)));
	}

	#[test]
	fn a_longer_name_holds_more() {
		assert_eq!(deposit("ab") - deposit("a"), UNIT / 10_000);
		assert_eq!(deposit(""), UNIT / 10);
	}

	#[test]
	fn amounts_are_rounded_up() {
		assert_eq!(Ist(0).to_string(), "0.000000");
		assert_eq!(Ist(1).to_string(), "0.000001");
		assert_eq!(Ist(UNIT).to_string(), "1.000000");
		assert_eq!(Ist(UNIT * 12 + UNIT / 10 + 1).to_string(), "12.100001");
		let problem = Problem::Funds {
			account: Eve.to_account_id(),
			needed: UNIT / 10,
			free: 0,
		};
		assert_eq!(
			problem.to_string(),
			format!(
				"account {} needs at least 0.100000 IST, and has 0.000000",
				Eve.to_account_id()
			)
		);
	}
}
