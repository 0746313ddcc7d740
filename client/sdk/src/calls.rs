// SPDX-License-Identifier: Apache-2.0
//! The calls of the data-sharing pallet, one function each. The pallet's documentation, which is in the
//! chain's metadata too, explains what each call does and when it fails.

use crate::{
	call::{Address, Bytes, Call, NO_SPACE},
	claim::Claim,
	client::Client,
	error::Error,
	types::*,
};
use codec::Encode;
use isthmus_conditions::Node;
use isthmus_envelope::PublicKey;
use isthmus_sharing::terms::{Footprint, TRIGGER_ENTRIES};
use std::collections::BTreeSet;
use subxt::utils::H256;

/// How many objects' entries to store with one transaction. A block has room for more than two thousand.
pub const OBJECTS_AT_ONCE: usize = 1_000;

/// Returns how many places something under a condition takes among those that wait for facts and credentials. The chain
/// counts a place up to 512 times if many wait for the same.
fn places(condition: &Condition) -> u32 {
	let mut waits_for = BTreeSet::new();
	for test in condition.tests() {
		match test {
			Node::Fact(fact) => {
				let (source, topic) = (fact.source.as_str(), fact.topic.as_str());
				waits_for.extend([(source.to_owned(), ""), (source.to_owned(), topic)]);
			}
			Node::Credential { issuer, kind } => {
				waits_for.insert((format!("{issuer:?}"), kind.as_str()));
			}
			_ => {}
		}
	}
	waits_for.len() as u32
}

/// Returns the space of what is done when a condition is met.
fn trigger(condition: Option<&Condition>) -> Footprint {
	condition.map_or(NO_SPACE, |condition| {
		let entries = places(condition).saturating_add(TRIGGER_ENTRIES);
		Footprint::condition(entries, condition.encoded_size())
	})
}

/// Notes what every call does that stores a record at a place: it takes the leaf and the record's key, and does not go
/// beside one that starts an epoch.
fn taking_place(call: Call, place: &Place) -> Call {
	call.taking(Footprint::ENTRY)
		.claiming(Claim::leaf(place))
		.claiming(Claim::Record(place.key.0))
		.yielding_to(Claim::NewEpoch(place.dataset))
}

impl Client {
	/// Makes a call that registers the account as a producer.
	pub async fn register(&self, kind: ProducerKind, name: &str) -> Result<Call, Error> {
		let arguments = (kind, Bytes(name.as_bytes()));
		Ok(self
			.call(PALLET, "register", arguments)
			.await?
			.claiming(Claim::Producer)
			.taking(Footprint::producer(name.len())))
	}

	/// Makes a call that ends the account's registration.
	pub async fn deregister(&self) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "deregister", ())
			.await?
			.claiming(Claim::Producer))
	}

	/// Makes a call that publishes the key that grants to the account are sealed to, or replaces it.
	pub async fn set_encryption_key(&self, key: &PublicKey) -> Result<Call, Error> {
		let key = key.to_bytes();
		let arguments = (Bytes(&key),);
		Ok(self
			.call(PALLET, "set_encryption_key", arguments)
			.await?
			.claiming(Claim::EncryptionKey)
			.taking(Footprint::encryption_key(key.len())))
	}

	/// Makes a call that withdraws the encryption key. Until the account publishes another one, it can be
	/// given only grants that it requested.
	pub async fn remove_encryption_key(&self) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "remove_encryption_key", ())
			.await?
			.claiming(Claim::EncryptionKey))
	}

	/// Makes a call that creates a dataset.
	pub async fn create_dataset(&self, name: &str) -> Result<Call, Error> {
		let arguments = (Bytes(name.as_bytes()),);
		Ok(self
			.call(PALLET, "create_dataset", arguments)
			.await?
			.claiming(Claim::DatasetName(name.into()))
			// The first one also takes an entry that counts them.
			.taking(Footprint::dataset(name.len()))
			.taking(Footprint::ENTRY))
	}

	/// Makes a call that removes an empty dataset.
	pub async fn remove_dataset(&self, dataset: DatasetId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "remove_dataset", (dataset,))
			.await?
			.claiming(Claim::Dataset(dataset)))
	}

	/// Makes a call that offers a dataset to another account, which takes it over with
	/// [`accept_dataset`](Self::accept_dataset).
	pub async fn offer_dataset(&self, dataset: DatasetId, to: &AccountId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "offer_dataset", (dataset, *to))
			.await?
			.claiming(Claim::Dataset(dataset)))
	}

	/// Makes a call that withdraws the offer of a dataset.
	pub async fn withdraw_dataset_offer(&self, dataset: DatasetId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "withdraw_dataset_offer", (dataset,))
			.await?
			.claiming(Claim::Dataset(dataset)))
	}

	/// Makes a call that takes over a dataset that was offered to the account, with at most this sum of deposits. `offer` is
	/// the number of the offer, `offers` of [`Control`].
	pub async fn accept_dataset(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		offer: u32,
		most: Balance,
	) -> Result<Call, Error> {
		let call = self.call(PALLET, "accept_dataset", (*owner, dataset, offer, most));
		Ok(call.await?.paying(most))
	}

	/// Makes a call that counts again what readers have paid for on an epoch, with all grants that were.
	pub async fn recount_sold(
		&self,
		dataset: DatasetId,
		epoch: Epoch,
		grants: &[GrantId],
	) -> Result<Call, Error> {
		self.call(PALLET, "recount_sold", (dataset, epoch, grants))
			.await
	}

	/// Makes a call that starts a new epoch of a dataset.
	pub async fn start_epoch(&self, dataset: DatasetId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "start_epoch", (dataset,))
			.await?
			.claiming(Claim::NewEpoch(dataset)))
	}

	/// Makes a call that sets a dataset's policy, which determines the requests that will be granted, and the condition that
	/// they have to meet besides.
	pub async fn set_policy(
		&self,
		dataset: DatasetId,
		policy: Policy,
		condition: Option<Condition>,
	) -> Result<Call, Error> {
		// The condition of a policy waits for nothing.
		let size = condition.as_ref().map_or(0, Encode::encoded_size);
		let arguments = (dataset, policy, condition);
		let call = self.call(PALLET, "set_policy", arguments).await?;
		Ok(call
			.taking(Footprint::ENTRY)
			.taking(Footprint::condition(0, size)))
	}

	/// Makes a call that removes a dataset's policy.
	pub async fn clear_policy(&self, dataset: DatasetId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "clear_policy", (dataset,))
			.await?
			.claiming(Claim::Dataset(dataset)))
	}

	/// Makes T_s: a call that stores an encrypted value that fits in one transaction.
	pub async fn store(&self, place: &Place, value: &[u8]) -> Result<Call, Error> {
		let Place {
			key,
			dataset,
			epoch,
			leaf,
		} = *place;
		let arguments = (key, dataset, epoch, leaf, Bytes(value));
		let call = self.call(PALLET, "store", arguments).await?;
		Ok(taking_place(call, place).taking(Footprint::ENTRY))
	}

	/// Makes the first part of T_s for a large value: a call that stores its manifest. `length` and
	/// `chunk_size` count encrypted bytes.
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
		let call = self.call(PALLET, "open_record", arguments).await?;
		Ok(taking_place(call, place).taking(Footprint::ENTRY))
	}

	/// Makes the next part of T_s for a large value: a call that stores its next chunk, with the Merkle proof
	/// that the chunk is in the manifest.
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

	/// Makes T_s for a record whose bytes are an object: a call that stores its entry. Store the object first.
	///
	/// # Errors
	///
	/// Fails if the chain's metadata lacks the call.
	pub async fn store_object(&self, place: &Place, object: &Object) -> Result<Call, Error> {
		let Place {
			key,
			dataset,
			epoch,
			leaf,
		} = *place;
		let arguments = (key, dataset, epoch, leaf, object.clone());
		let call = self.call(PALLET, "store_object", arguments).await?;
		Ok(taking_place(call, place).taking(Footprint::OBJECT))
	}

	/// Makes a call that stores the entries of many objects, or none of them. At most [`OBJECTS_AT_ONCE`] fit.
	///
	/// # Errors
	///
	/// Fails if the chain's metadata lacks one of the calls.
	pub async fn store_objects(&self, objects: &[(Place, Object)]) -> Result<Call, Error> {
		let mut calls = Vec::new();
		for (place, object) in objects {
			calls.push(self.store_object(place, object).await?);
		}
		self.batch(&calls).await
	}

	/// Makes a call that publishes where a dataset's objects are. It replaces what was published before; an empty list
	/// withdraws it. See [`Location`] for what an address may be.
	///
	/// # Errors
	///
	/// Fails if the chain's metadata lacks the call.
	pub async fn set_locations<Url: AsRef<[u8]>>(
		&self,
		dataset: DatasetId,
		locations: &[Url],
	) -> Result<Call, Error> {
		let locations: Vec<_> = locations.iter().map(|url| Bytes(url.as_ref())).collect();
		let length = locations.iter().map(|Bytes(url)| url.len()).sum();
		let call = self.call(PALLET, "set_locations", (dataset, locations));
		let call = call.await?.claiming(Claim::Dataset(dataset));
		Ok(match length {
			0 => call,
			length => call.taking(Footprint::locations(length)),
		})
	}

	/// Makes a call that removes a record, or abandons one that is not complete.
	pub async fn remove_record(&self, key: RecordKey) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "remove_record", (key,))
			.await?
			.claiming(Claim::Record(key.0)))
	}

	/// Makes a call that frees the leaf of a removed record, once its epoch is over.
	pub async fn free_leaf(
		&self,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
	) -> Result<Call, Error> {
		let call = self
			.call(PALLET, "free_leaf", (dataset, epoch, leaf))
			.await?;
		Ok(call.claiming(Claim::Leaf(dataset, epoch, leaf)))
	}

	/// Makes T_q: a call that asks a producer for access, for `term` blocks. A `firm` term cannot be revoked
	/// before it is over; the dataset's policy has to offer that. `code` says the purpose to policies. The answer is sealed to `key`: use a
	/// [fresh](isthmus_envelope::EncryptionSecret::fresh) one for each request.
	#[allow(clippy::too_many_arguments)] // They are the call's.
	pub async fn request_access(
		&self,
		owner: &AccountId,
		scope: Scope,
		purpose: &str,
		code: PurposeCode,
		term: BlockNumber,
		offer: Balance,
		firm: bool,
		key: &PublicKey,
	) -> Result<Call, Error> {
		let (purpose, key) = (Bytes(purpose.as_bytes()), key.to_bytes());
		let arguments = (*owner, scope, purpose, code, term, offer, firm, Bytes(&key));
		let call = self.call(PALLET, "request_access", arguments).await?;
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = scope;
		Ok(call
			.claiming(Claim::Ask(owner.0, dataset, epoch, from, to))
			.taking(Footprint::REQUEST)
			.paying(offer))
	}

	/// Makes a call that cancels a request of this account.
	pub async fn cancel_request(&self, request: RequestId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "cancel_request", (request,))
			.await?
			.claiming(Claim::Request(request)))
	}

	/// Makes a call that cancels a request of this account when a condition is met. Without a condition, the offer stands.
	pub async fn withdraw_when(
		&self,
		request: RequestId,
		condition: Option<Condition>,
	) -> Result<Call, Error> {
		let space = trigger(condition.as_ref());
		let call = self.call(PALLET, "withdraw_when", (request, condition));
		Ok(call.await?.taking(space))
	}

	/// Makes a call that puts a record of a dataset of this account under an embargo, also one that is stored later: no one
	/// else can query it until the condition is met. Without a condition, lifts the embargo.
	pub async fn embargo(
		&self,
		key: RecordKey,
		dataset: DatasetId,
		condition: Option<Condition>,
	) -> Result<Call, Error> {
		let space = trigger(condition.as_ref());
		let arguments = (key, dataset, condition);
		let call = self.call(PALLET, "embargo", arguments).await?;
		Ok(call.taking(space))
	}

	/// Makes a call that rejects a request.
	pub async fn reject_request(&self, request: RequestId, reason: &str) -> Result<Call, Error> {
		let arguments = (request, Bytes(reason.as_bytes()));
		Ok(self
			.call(PALLET, "reject_request", arguments)
			.await?
			.claiming(Claim::Request(request)))
	}

	/// Makes a call that authorises a reader, with sealed keys; see
	/// [`authorize`](crate::sharing::authorize), which seals them.
	pub async fn add_authorize(&self, terms: &Terms, sealed_keys: &[u8]) -> Result<Call, Error> {
		let Terms {
			grantee,
			scope,
			expiry,
			until,
			request,
			condition,
		} = terms.clone();
		let conditional = condition
			.as_ref()
			.map(|condition| Footprint::condition(places(condition), condition.encoded_size()));
		let arguments = (
			grantee,
			scope,
			expiry,
			until,
			Bytes(sealed_keys),
			request,
			condition,
		);
		let call = self.call(PALLET, "add_authorize", arguments).await?;
		Ok(match request {
			// The reader pays for the grant that it asked for.
			Some(request) => call.claiming(Claim::Request(request.id)),
			None => call
				.taking(Footprint::grant(sealed_keys.len()))
				.taking(conditional.unwrap_or(NO_SPACE)),
		})
	}

	/// Makes a call that revokes a grant; see [`revoke`](crate::sharing::revoke), which also renews the other
	/// readers' grants.
	pub async fn revoke(&self, grant: GrantId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "revoke", (grant,))
			.await?
			.claiming(Claim::Grant(grant)))
	}

	/// Makes a call that gives up a grant of this account, and releases its deposit.
	pub async fn renounce(&self, grant: GrantId) -> Result<Call, Error> {
		Ok(self
			.call(PALLET, "renounce", (grant,))
			.await?
			.claiming(Claim::Grant(grant)))
	}

	/// Makes a call that disputes a grant that this account pays for; see [`dispute`](fn@crate::dispute), which finds out what to
	/// show. `secret` is the seed of the key pair of the request, and everyone can open the grant with it.
	pub async fn dispute(
		&self,
		grant: GrantId,
		leaf: Leaf,
		secret: &[u8; 32],
		shown: &[u8],
	) -> Result<Call, Error> {
		let arguments = (grant, leaf, *secret, Bytes(shown));
		Ok(self
			.call(PALLET, "dispute", arguments)
			.await?
			.claiming(Claim::Grant(grant)))
	}

	/// Makes a call that closes a dataset to requests, or opens it to them again.
	pub async fn set_closed(&self, dataset: DatasetId, closed: bool) -> Result<Call, Error> {
		self.call(PALLET, "set_closed", (dataset, closed)).await
	}

	/// Makes a call that ends what is overdue, of any account, and releases what is held for it.
	pub async fn settle(&self, due: &[Due]) -> Result<Call, Error> {
		self.call(PALLET, "settle", (due,)).await
	}

	/// Makes a call that pays another account.
	pub async fn transfer(&self, to: &AccountId, amount: Balance) -> Result<Call, Error> {
		let arguments = (Address::Id(*to), amount);
		let call = self.call("Balances", "transfer_keep_alive", arguments);
		Ok(call.await?.paying(amount))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_grant_waits_in_one_place_for_each_thing_that_its_condition_depends_on() {
		let issuer = "01".repeat(32);
		let accredited = format!("credential(0x{issuer}, hospital.accredited)");
		for (condition, expected) in [
			("before(2027-01-01)", 0),
			("fact(weather/beijing, pm25) > 75", 2),
			(
				"fact(weather/beijing, pm25) > 75 and fact(weather/beijing, pm25, 10m) < 200",
				2,
			),
			(
				"fact(weather/beijing, pm25) > 75 or fact(weather/beijing, pm10) > 75",
				3,
			),
			(&accredited, 1),
		] {
			let condition: Condition = condition.parse().unwrap();
			assert_eq!(places(&condition), expected, "{condition}");
		}
	}
}
