//! The calls of the data-sharing pallet, one function each. What they do, and when the chain refuses
//! them, is said in the chain's metadata.

use crate::{
	client::Client,
	error::Error,
	tx::{Bytes, Call},
	types::*,
};
use isthmus_envelope::PublicKey;
use subxt::{ext::scale_encode::EncodeAsType, utils::H256};

/// The pallet's name in the metadata.
const PALLET: &str = "DataSharing";

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
	/// The record's key.
	pub key: RecordKey,
	/// The owner's dataset.
	pub dataset: DatasetId,
	/// The dataset's epoch.
	pub epoch: Epoch,
	/// The leaf of that epoch.
	pub leaf: Leaf,
}

/// What a grant says besides the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
	/// Who shall have it.
	pub grantee: AccountId,
	/// What it opens.
	pub scope: Scope,
	/// The first block at which it is no longer good.
	pub expiry: BlockNumber,
	/// The date from which on it is no longer good, if it has one.
	pub until: Option<Seconds>,
	/// The request that it answers, if any.
	pub request: Option<RequestId>,
}

/// An account as the address of a transfer.
#[derive(EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
enum Address {
	Id(AccountId),
}

impl Client {
	/// Join as a producer.
	pub async fn register(&self, kind: ProducerKind, name: &str) -> Result<Call, Error> {
		let arguments = (kind, Bytes(name.as_bytes()));
		self.call(PALLET, "register", arguments).await
	}

	/// Leave.
	pub async fn deregister(&self) -> Result<Call, Error> {
		self.call(PALLET, "deregister", ()).await
	}

	/// Register the public key that grants are sealed to, or replace the one there is.
	pub async fn set_encryption_key(&self, key: &PublicKey) -> Result<Call, Error> {
		let arguments = (Bytes(&key.to_bytes()),);
		self.call(PALLET, "set_encryption_key", arguments).await
	}

	/// Take the encryption key back: until there is another, nothing is granted to this account but what
	/// it asked for.
	pub async fn remove_encryption_key(&self) -> Result<Call, Error> {
		self.call(PALLET, "remove_encryption_key", ()).await
	}

	/// Open a dataset.
	pub async fn create_dataset(&self, name: &str) -> Result<Call, Error> {
		let arguments = (Bytes(name.as_bytes()),);
		self.call(PALLET, "create_dataset", arguments).await
	}

	/// Remove an empty dataset.
	pub async fn remove_dataset(&self, dataset: DatasetId) -> Result<Call, Error> {
		self.call(PALLET, "remove_dataset", (dataset,)).await
	}

	/// Move a dataset on to a new epoch.
	pub async fn start_epoch(&self, dataset: DatasetId) -> Result<Call, Error> {
		self.call(PALLET, "start_epoch", (dataset,)).await
	}

	/// Say which requests for a dataset will be granted.
	pub async fn set_policy(&self, dataset: DatasetId, policy: Policy) -> Result<Call, Error> {
		self.call(PALLET, "set_policy", (dataset, policy)).await
	}

	/// Take a dataset's policy back.
	pub async fn clear_policy(&self, dataset: DatasetId) -> Result<Call, Error> {
		self.call(PALLET, "clear_policy", (dataset,)).await
	}

	/// T_s: store an encrypted value that fits in one transaction.
	pub async fn store(&self, place: &Place, value: &[u8]) -> Result<Call, Error> {
		let Place {
			key,
			dataset,
			epoch,
			leaf,
		} = *place;
		let arguments = (key, dataset, epoch, leaf, Bytes(value));
		self.call(PALLET, "store", arguments).await
	}

	/// T_s for a large value, first part: its manifest.
	pub async fn open_record(
		&self,
		place: &Place,
		length: u64,
		chunk_size: u32,
		manifest: &[u8],
	) -> Result<Call, Error> {
		let Place {
			key,
			dataset,
			epoch,
			leaf,
		} = *place;
		let manifest = Bytes(manifest);
		let arguments = (key, dataset, epoch, leaf, length, chunk_size, manifest);
		self.call(PALLET, "open_record", arguments).await
	}

	/// T_s for a large value: its next chunk.
	pub async fn store_chunk(
		&self,
		key: RecordKey,
		index: u32,
		proof: Vec<[u8; 32]>,
		bytes: &[u8],
	) -> Result<Call, Error> {
		let proof: Vec<H256> = proof.into_iter().map(H256).collect();
		let arguments = (key, index, proof, Bytes(bytes));
		self.call(PALLET, "store_chunk", arguments).await
	}

	/// Remove a record, or give up one that is not complete.
	pub async fn remove_record(&self, key: RecordKey) -> Result<Call, Error> {
		self.call(PALLET, "remove_record", (key,)).await
	}

	/// Free the leaf of a record that was removed, once its epoch is over.
	pub async fn free_leaf(
		&self,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
	) -> Result<Call, Error> {
		self.call(PALLET, "free_leaf", (dataset, epoch, leaf)).await
	}

	/// T_q: ask a producer for access.
	pub async fn request_access(
		&self,
		owner: &AccountId,
		scope: Scope,
		purpose: &str,
		term: BlockNumber,
		offer: Balance,
	) -> Result<Call, Error> {
		let purpose = Bytes(purpose.as_bytes());
		let arguments = (*owner, scope, purpose, term, offer);
		self.call(PALLET, "request_access", arguments).await
	}

	/// Take back a request that this account made.
	pub async fn cancel_request(&self, request: RequestId) -> Result<Call, Error> {
		self.call(PALLET, "cancel_request", (request,)).await
	}

	/// Refuse a request.
	pub async fn reject_request(&self, request: RequestId, reason: &str) -> Result<Call, Error> {
		let arguments = (request, Bytes(reason.as_bytes()));
		self.call(PALLET, "reject_request", arguments).await
	}

	/// Authorise a reader, with keys that are sealed already; see
	/// [`authorize`](crate::sharing::authorize).
	pub async fn add_authorize(&self, terms: &Terms, sealed_keys: &[u8]) -> Result<Call, Error> {
		let Terms {
			grantee,
			scope,
			expiry,
			until,
			request,
		} = terms.clone();
		let sealed_keys = Bytes(sealed_keys);
		let arguments = (grantee, scope, expiry, until, sealed_keys, request);
		self.call(PALLET, "add_authorize", arguments).await
	}

	/// Revoke a grant; see [`revoke`](crate::sharing::revoke), which keeps the other readers.
	pub async fn revoke(&self, grant: GrantId) -> Result<Call, Error> {
		self.call(PALLET, "revoke", (grant,)).await
	}

	/// Pay another account.
	pub async fn transfer(&self, to: &AccountId, amount: Balance) -> Result<Call, Error> {
		let arguments = (Address::Id(*to), amount);
		self.call("Balances", "transfer_keep_alive", arguments)
			.await
	}
}
