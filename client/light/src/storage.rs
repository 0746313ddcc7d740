// SPDX-License-Identifier: Apache-2.0
//! The keys of the entries in the chain's state, as FRAME builds them: the hash of the pallet's name, the hash of
//! the entry's name, and each of the entry's own keys after its hash.
//!
//! A client must not take these from a node's metadata: a node could call one entry by another's name.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use isthmus_conditions::Name;
use isthmus_sharing::{DatasetId, Epoch, GrantId, Leaf, RecordKey, RequestId, Scope};
use polkadot_sdk::*;
use sp_crypto_hashing::{blake2_128, twox_128, twox_64};

/// The version of the sharing pallet's storage that this crate knows.
pub const SHARING_VERSION: u16 = isthmus_sharing::terms::STORAGE_VERSION;

/// The version of the facts pallet's storage that this crate knows.
pub const FACTS_VERSION: u16 = isthmus_conditions::facts::STORAGE_VERSION;

/// The pallet that keeps the shared data.
const SHARING: &str = "DataSharing";
/// The pallet that keeps facts and credentials.
const FACTS: &str = "Facts";
/// The pallet of those who keep copies of objects.
const KEEPERS: &str = "Keepers";
/// The length of the hashes of the pallet's and the entry's name.
const NAMES: usize = 32;
/// The length of the hash before a part of a key that someone chose.
const HASH: usize = 16;
/// The length of the hash before a part of a key that the chain counts.
const COUNTED: usize = 8;

/// An account: its public key.
pub type Account = [u8; 32];

/// A key of an entry, of which the parts are added one after another.
struct Key(Vec<u8>);

impl Key {
	fn of(pallet: &str, entry: &str) -> Self {
		let names = [twox_128(pallet.as_bytes()), twox_128(entry.as_bytes())];
		Self(names.concat())
	}

	/// Adds a key that anyone may choose.
	fn blake2(mut self, part: impl Encode) -> Self {
		let part = part.encode();
		self.0.extend(blake2_128(&part));
		self.0.extend(part);
		self
	}

	/// Adds a key that the chain counts.
	fn twox(mut self, part: impl Encode) -> Self {
		let part = part.encode();
		self.0.extend(twox_64(&part));
		self.0.extend(part);
		self
	}
}

/// Returns the key of those who vote for finality: a list of public keys and weights.
pub fn voters() -> Vec<u8> {
	Key::of("Grandpa", "Authorities").0
}

/// Returns the key of the time of the block, in milliseconds since 1970.
pub fn now() -> Vec<u8> {
	Key::of("Timestamp", "Now").0
}

/// Returns the key of an account's funds.
pub fn funds(account: &Account) -> Vec<u8> {
	Key::of("System", "Account").blake2(account).0
}

/// Returns the key of the proxies that an account named: a list, and the deposit that is held for it.
pub fn proxies(account: &Account) -> Vec<u8> {
	Key::of("Proxy", "Proxies").twox(account).0
}

/// Returns the key of the hash of an earlier block.
pub fn block_hash(number: u32) -> Vec<u8> {
	Key::of("System", "BlockHash").twox(number).0
}

/// Returns the key of the version of the runtime that last began to execute blocks: its `spec_version`, compact, and its name.
pub fn last_upgrade() -> Vec<u8> {
	Key::of("System", "LastRuntimeUpgrade").0
}

/// Returns the key of the version of the sharing pallet's storage, a `u16`.
pub fn sharing_version() -> Vec<u8> {
	Key::of(SHARING, ":__STORAGE_VERSION__:").0
}

/// Returns the key of a producer.
pub fn producer(account: &Account) -> Vec<u8> {
	Key::of(SHARING, "Producers").blake2(account).0
}

/// Returns the key of an account's public encryption key.
pub fn encryption_key(account: &Account) -> Vec<u8> {
	Key::of(SHARING, "EncryptionKeys").blake2(account).0
}

/// Returns the key of a dataset.
pub fn dataset(owner: &Account, dataset: DatasetId) -> Vec<u8> {
	Key::of(SHARING, "Datasets").blake2(owner).twox(dataset).0
}

/// Returns the prefix of the keys of all datasets. [`chosen`] reads the owners, and [`counted`] after each the dataset's
/// number.
pub fn datasets() -> Vec<u8> {
	Key::of(SHARING, "Datasets").0
}

/// Returns the prefix of the keys of an owner's datasets.
pub fn datasets_of(owner: &Account) -> Vec<u8> {
	Key::of(SHARING, "Datasets").blake2(owner).0
}

/// Returns the key of a dataset's policy.
pub fn policy(owner: &Account, dataset: DatasetId) -> Vec<u8> {
	Key::of(SHARING, "Policies").blake2(owner).twox(dataset).0
}

/// Returns the key of who controls a dataset.
pub fn control(owner: &Account, dataset: DatasetId) -> Vec<u8> {
	Key::of(SHARING, "Controls").blake2(owner).twox(dataset).0
}

/// Returns the key of the locations of a dataset's objects.
pub fn locations(owner: &Account, dataset: DatasetId) -> Vec<u8> {
	Key::of(SHARING, "Locations").blake2(owner).twox(dataset).0
}

/// Returns the key of the number of a dataset's objects, a `u32`.
pub fn object_count(owner: &Account, dataset: DatasetId) -> Vec<u8> {
	Key::of(SHARING, "ObjectCounts")
		.blake2(owner)
		.twox(dataset)
		.0
}

/// Returns the key of a place in the list of a dataset's objects: a record's key.
pub fn object(owner: &Account, dataset: DatasetId, ordinal: u32) -> Vec<u8> {
	let objects = Key::of(SHARING, "Objects").blake2(owner);
	objects.twox(dataset).twox(ordinal).0
}

/// Returns the key of a record.
pub fn record(owner: &Account, key: RecordKey) -> Vec<u8> {
	Key::of(SHARING, "Records").blake2(owner).blake2(key).0
}

/// Returns the key of a record's embargo, which is there as long as the embargo lasts.
pub fn embargo(owner: &Account, key: RecordKey) -> Vec<u8> {
	Key::of(SHARING, "Embargoes").blake2(owner).blake2(key).0
}

/// Returns the prefix of the keys of an owner's embargoes. [`chosen`] reads the records' keys.
pub fn embargoes(owner: &Account) -> Vec<u8> {
	Key::of(SHARING, "Embargoes").blake2(owner).0
}

/// Returns the key of a taken leaf.
pub fn leaf(owner: &Account, dataset: DatasetId, epoch: Epoch, leaf: Leaf) -> Vec<u8> {
	let leaves = Key::of(SHARING, "Leaves").blake2(owner);
	leaves.twox(dataset).twox(epoch).twox(leaf).0
}

/// Returns the key of an open request.
pub fn request(id: RequestId) -> Vec<u8> {
	Key::of(SHARING, "Requests").twox(id).0
}

/// Returns the prefix of the keys of the open requests to an owner. [`last_number`] reads the requests' numbers.
pub fn requests_to(owner: &Account) -> Vec<u8> {
	Key::of(SHARING, "RequestsTo").blake2(owner).0
}

/// Returns the key of a consumer's open request for a scope: a request's number.
pub fn request_from(consumer: &Account, owner: &Account, scope: &Scope) -> Vec<u8> {
	let from = Key::of(SHARING, "RequestsFrom").blake2(consumer);
	from.blake2(owner).blake2(scope).0
}

/// Returns the key of a grant.
pub fn grant(id: GrantId) -> Vec<u8> {
	Key::of(SHARING, "Grants").twox(id).0
}

/// Returns the key of the payment for a grant, as long as it can be disputed.
pub fn payment(grant: GrantId) -> Vec<u8> {
	Key::of(SHARING, "Payments").twox(grant).0
}

/// Returns the key of a reader's entry on a dataset's epoch: a list of grants' numbers, and a count.
pub fn grants_on(owner: &Account, dataset: DatasetId, epoch: Epoch, reader: &Account) -> Vec<u8> {
	let list = Key::of(SHARING, "AuthorizationList").blake2(owner);
	list.twox(dataset).twox(epoch).blake2(reader).0
}

/// Returns the prefix of the keys of the grants that an owner gave: readers' entries.
pub fn grants_of(owner: &Account) -> Vec<u8> {
	Key::of(SHARING, "AuthorizationList").blake2(owner).0
}

/// Returns the prefix of the keys of the grants that a reader has. [`last_number`] reads the grants' numbers.
pub fn grants_to(reader: &Account) -> Vec<u8> {
	Key::of(SHARING, "GrantsTo").blake2(reader).0
}

/// Returns the number at the end of a key, for example a request's; `None` if the key is too short.
pub fn last_number(key: &[u8]) -> Option<u64> {
	let rest = key.get(NAMES..)?;
	let (_, number) = rest.split_last_chunk::<8>()?;
	Some(u64::from_le_bytes(*number))
}

/// Returns the key of the version of the facts pallet's storage, a `u16`.
pub fn facts_version() -> Vec<u8> {
	Key::of(FACTS, ":__STORAGE_VERSION__:").0
}

/// Returns the key of a source of facts.
pub fn source(name: &Name) -> Vec<u8> {
	Key::of(FACTS, "Sources").blake2(name).0
}

/// Returns the prefix of the keys of all sources. [`chosen`] reads the sources' names.
pub fn sources() -> Vec<u8> {
	Key::of(FACTS, "Sources").0
}

/// Returns the key of the reports for a source about a topic.
pub fn reports(source: &Name, topic: &Name) -> Vec<u8> {
	Key::of(FACTS, "Reports").blake2(source).blake2(topic).0
}

/// Returns the prefix of the keys of the reports for a source. [`chosen`] reads the topics' names.
pub fn reports_for(source: &Name) -> Vec<u8> {
	Key::of(FACTS, "Reports").blake2(source).0
}

/// Returns the key of a credential that `issuer` issued about `subject`.
pub fn credential(subject: &Account, issuer: &Account, kind: &Name) -> Vec<u8> {
	let key = Key::of(FACTS, "Credentials").blake2(subject);
	key.blake2(issuer).blake2(kind).0
}

/// Returns the prefix of the keys of the credentials about an account. [`chosen`] reads the issuers, and after each the
/// credential's kind.
pub fn credentials_of(subject: &Account) -> Vec<u8> {
	Key::of(FACTS, "Credentials").blake2(subject).0
}

/// Returns the key of the version of the keepers pallet's storage, a `u16`.
pub fn keepers_version() -> Vec<u8> {
	Key::of(KEEPERS, ":__STORAGE_VERSION__:").0
}

/// Returns the key of the length of keepers' periods, a `u32`. There is none if it is the runtime's default.
pub fn keepers_period() -> Vec<u8> {
	Key::of(KEEPERS, "PeriodLength").0
}

/// Returns the key of a keeper of a dataset.
pub fn keeper(owner: &Account, dataset: DatasetId, keeper: &Account) -> Vec<u8> {
	let keepers = Key::of(KEEPERS, "Keepers").blake2(owner);
	keepers.twox(dataset).blake2(keeper).0
}

/// Returns the prefix of the keys of the keepers of an owner's datasets. [`counted`] reads the datasets' numbers, and
/// [`chosen`] after each the keeper's account.
pub fn keepers_of(owner: &Account) -> Vec<u8> {
	Key::of(KEEPERS, "Keepers").blake2(owner).0
}

/// Returns the key of the pot from which a dataset's keepers are paid.
pub fn pot(owner: &Account, dataset: DatasetId) -> Vec<u8> {
	Key::of(KEEPERS, "Pots").blake2(owner).twox(dataset).0
}

/// Reads from the rest of a key the next part that the chain counts, and leaves what follows. Returns `None` if there is
/// none.
pub fn counted<Part: Decode>(rest: &mut &[u8]) -> Option<Part> {
	*rest = rest.get(COUNTED..)?;
	Part::decode(rest).ok()
}

/// Reads from the rest of a key, after its prefix, the next part that someone chose, and leaves what follows. Returns
/// `None` if there is none.
pub fn chosen<Part: Decode>(rest: &mut &[u8]) -> Option<Part> {
	*rest = rest.get(HASH..)?;
	Part::decode(rest).ok()
}
