// SPDX-License-Identifier: Apache-2.0
//! Reads the chain's state after a block: its stored entries, its lists, and what a caller may know about a
//! record.

use crate::{block::BlockId, error::Error, refusal::Refusal, types::*};
use isthmus_envelope::PublicKey;
use std::{
	collections::BTreeMap,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use subxt::{
	client::OnlineClientAtBlock,
	config::SubstrateConfig,
	dynamic,
	error::DispatchError,
	ext::{
		frame_decode::{
			runtime_apis::IntoEncodableValues as Arguments,
			storage::{self, StorageTypeInfo},
		},
		scale_decode::DecodeAsType,
		scale_value::ValueDef,
	},
};

/// Entries of the storage by their keys, encoded; `None` stands for one that is not there.
type Entries = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

pub use isthmus_sharing::terms::MAX_PAGE as PAGE;

/// The position in a list where a page ended: [`Page::next`]. `None` requests the first page.
pub type Cursor = Option<Vec<u8>>;

/// The chain's state after a block.
///
/// Lists come in pages; [`every`] collects all of them:
///
/// ```no_run
/// # async fn example(client: isthmus_sdk::Client, owner: isthmus_sdk::AccountId)
/// # -> Result<(), isthmus_sdk::Error> {
/// let best = client.best().await?;
/// for entry in isthmus_sdk::every(|after| best.requests_to(&owner, after)).await? {
///     println!("request {}: {}", entry.id, entry.request.purpose);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct State {
	at: OnlineClientAtBlock<SubstrateConfig>,
	block: BlockId,
	/// The entries that were asked for together. They do not change: this is the state after one block.
	known: Arc<Mutex<Entries>>,
}

/// What readers have paid for on one epoch of a dataset.
#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(crate) struct Sold {
	/// The first of the leaves.
	pub(crate) from: u64,
	/// One past the last of them.
	pub(crate) to: u64,
	/// The block of the latest payment.
	pub(crate) paid: BlockNumber,
	/// The block at which the last of the terms is over.
	pub(crate) until: BlockNumber,
}

/// An account's funds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funds {
	/// The amount that can be spent. A small part of it must stay, or the account is closed.
	pub free: Balance,
	/// The amount that is held: deposits and the offers of open requests.
	pub held: Balance,
}

/// Collects all pages of a list; see [`State`] for an example.
///
/// # Errors
///
/// Returns the error of the first page that fails.
pub async fn every<Item, Asked>(mut page: impl FnMut(Cursor) -> Asked) -> Result<Vec<Item>, Error>
where
	Asked: std::future::Future<Output = Result<Page<Item>, Error>>,
{
	let (mut items, mut after) = (Vec::new(), None);
	loop {
		let page = page(after).await?;
		items.extend(page.items);
		after = page.next;
		if after.is_none() {
			return Ok(items);
		}
	}
}

impl State {
	pub(crate) fn new(at: OnlineClientAtBlock<SubstrateConfig>) -> Self {
		let block = BlockId {
			// This chain has 32-bit block numbers.
			number: BlockNumber::try_from(at.block_number()).unwrap_or(BlockNumber::MAX),
			hash: at.block_hash(),
		};
		Self {
			at,
			block,
			known: Arc::default(),
		}
	}

	pub(crate) fn inner(&self) -> &OnlineClientAtBlock<SubstrateConfig> {
		&self.at
	}

	/// Returns the block.
	pub fn block(&self) -> BlockId {
		self.block
	}

	/// Returns whether the chain has a pallet with this name.
	pub fn has_pallet(&self, name: &str) -> bool {
		self.at.metadata_ref().pallet_by_name(name).is_some()
	}

	/// Returns a constant of the data-sharing pallet.
	///
	/// # Errors
	///
	/// Returns [`Error::Incompatible`] if the pallet has no such constant with this type.
	pub fn constant<Value: DecodeAsType>(&self, name: &str) -> Result<Value, Error> {
		self.constant_of(PALLET, name)
	}

	/// Reads why a call failed in this state, by its metadata.
	pub(crate) fn refusal(&self, error: &[u8]) -> Result<Refusal, Error> {
		let error = DispatchError::decode_from(error, self.inner().metadata())?;
		let refusal = Refusal::from(error);
		Ok(match self.constant_of("Balances", "ExistentialDeposit") {
			Ok(least) => refusal.naming(least),
			Err(_) => refusal,
		})
	}

	/// Returns a constant of a pallet.
	pub(crate) fn constant_of<Value: DecodeAsType>(
		&self,
		pallet: &str,
		name: &str,
	) -> Result<Value, Error> {
		let address = subxt::constants::dynamic::<Value>(pallet, name);
		Ok(self.at.constants().entry(address)?)
	}

	fn entries(&self) -> MutexGuard<'_, Entries> {
		self.known.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Returns what is known of an entry, encoded; `None` if it was not asked for together with others.
	pub(crate) fn known(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
		self.entries().get(key).cloned()
	}

	/// Remembers entries as the node shows them.
	pub(crate) fn know(&self, entries: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) {
		self.entries().extend(entries);
	}

	/// Reads an entry of the chain's storage.
	async fn get<Keys, Value>(
		&self,
		pallet: &str,
		name: &str,
		keys: Keys,
	) -> Result<Option<Value>, Error>
	where
		Keys: storage::IntoEncodableValues + storage::IntoDecodableValues + Clone,
		Value: DecodeAsType,
	{
		let address = dynamic::storage::<Keys, Value>(pallet, name);
		let entry = self.at.storage().entry(address)?;
		let value = match self.known(&entry.fetch_key(keys.clone())?) {
			Some(Some(bytes)) => return Ok(Some(self.decode(pallet, name, &bytes)?)),
			Some(None) => entry.default_value(),
			None => entry.try_fetch(keys).await?,
		};
		match value {
			Some(value) => Ok(Some(value.decode()?)),
			None => Ok(None),
		}
	}

	/// Decodes an entry by the metadata.
	fn decode<Value: DecodeAsType>(
		&self,
		pallet: &str,
		name: &str,
		bytes: &[u8],
	) -> Result<Value, Error> {
		let unknown = |reason: String| Error::Incompatible(format!("{pallet}.{name}: {reason}"));
		let metadata = self.at.metadata_ref();
		let info = metadata.storage_info(pallet, name);
		let info = info.map_err(|error| unknown(error.to_string()))?;
		let mut rest = bytes;
		let value = Value::decode_as_type(&mut rest, info.value_id, metadata.types())?;
		match rest.is_empty() {
			true => Ok(value),
			false => Err(unknown("bytes are left over".into())),
		}
	}

	/// Calls a method of the data-sharing runtime API.
	async fn ask<Answer: DecodeAsType>(
		&self,
		method: &str,
		arguments: impl Arguments,
	) -> Result<Answer, Error> {
		let question = dynamic::runtime_api_call::<_, Answer>("DataSharingApi", method, arguments);
		Ok(self.at.runtime_apis().call(question).await?)
	}

	/// Returns the producer with this account.
	pub async fn producer(&self, account: &AccountId) -> Result<Option<Producer>, Error> {
		self.get(PALLET, "Producers", (*account,)).await
	}

	/// Returns an account's public encryption key.
	pub async fn encryption_key(&self, account: &AccountId) -> Result<Option<PublicKey>, Error> {
		let registered: Option<RegisteredKey> =
			self.get(PALLET, "EncryptionKeys", (*account,)).await?;
		Ok(match registered {
			Some(registered) => Some(PublicKey::from_bytes(&registered.key)?),
			None => None,
		})
	}

	/// Returns a dataset.
	pub async fn dataset(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<Dataset>, Error> {
		self.get(PALLET, "Datasets", (*owner, dataset)).await
	}

	/// Returns who controls a dataset, and what is held from that account for it; `None` if there is no such dataset.
	pub async fn control(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<Control>, Error> {
		self.get(PALLET, "Controls", (*owner, dataset)).await
	}

	/// Returns the accounts that may act for another one: those of the kinds that this library knows.
	pub async fn proxies(&self, account: &AccountId) -> Result<Vec<Proxy>, Error> {
		Ok(self.proxies_and_deposit(account).await?.0)
	}

	/// Returns the accounts that may act for another one, of the kinds that this library knows, and what is held from it for
	/// their whole list.
	pub async fn proxies_and_deposit(
		&self,
		account: &AccountId,
	) -> Result<(Vec<Proxy>, Balance), Error> {
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Named {
			delegate: AccountId,
			proxy_type: dynamic::Value,
			delay: BlockNumber,
		}
		let entry: Option<(Vec<Named>, Balance)> =
			self.get("Proxy", "Proxies", (*account,)).await?;
		let (named, deposit) = entry.unwrap_or_default();
		let known = |named: Named| {
			Some(Proxy {
				delegate: named.delegate,
				proxy_type: proxy_kind(&named.proxy_type)?,
				delay: named.delay,
			})
		};
		Ok((named.into_iter().filter_map(known).collect(), deposit))
	}

	/// Returns the addresses of the datasets of other accounts that an account took over.
	pub async fn controlled(
		&self,
		controller: &AccountId,
	) -> Result<Vec<(AccountId, DatasetId)>, Error> {
		type Keys = (AccountId, AccountId, DatasetId);
		let address = dynamic::storage::<Keys, ()>(PALLET, "Controlled");
		let entry = self.at.storage().entry(address)?;
		let mut entries = entry.iter((*controller,)).await?;
		let mut datasets = Vec::new();
		while let Some(entry) = entries.next().await {
			let unknown =
				|error: subxt::error::StorageKeyError| Error::Incompatible(error.to_string());
			let entry = entry?;
			let (_, owner, dataset) = entry.key().and_then(|key| key.decode()).map_err(unknown)?;
			datasets.push((owner, dataset));
		}
		datasets.sort_by_key(|(owner, dataset)| (owner.0, *dataset));
		Ok(datasets)
	}

	/// Returns how many objects a dataset has.
	pub(crate) async fn object_count(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<u32, Error> {
		let place = (*owner, dataset);
		let objects: Option<ObjectCount> = self.get(PALLET, "ObjectCounts", place).await?;
		Ok(objects.map_or(0, |objects| objects.count))
	}

	/// Returns the key of the record at a place in the list of a dataset's objects.
	pub(crate) async fn object_key(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		ordinal: u32,
	) -> Result<Option<RecordKey>, Error> {
		self.get(PALLET, "Objects", (*owner, dataset, ordinal))
			.await
	}

	/// Returns what readers have paid for on an epoch of an owner's dataset; `None` if nothing.
	pub(crate) async fn sold(
		&self,
		owner: &AccountId,
		(dataset, epoch): (DatasetId, Epoch),
	) -> Result<Option<Sold>, Error> {
		self.get(PALLET, "SoldRanges", (*owner, dataset, epoch))
			.await
	}

	/// Returns where a dataset's objects are, as its owner published; empty if it did not.
	pub async fn locations(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Vec<String>, Error> {
		let entry: Option<Locations> = self.get(PALLET, "Locations", (*owner, dataset)).await?;
		// The chain takes only visible ASCII.
		let text = |url: Vec<u8>| String::from_utf8_lossy(&url).into_owned();
		let urls = entry.map_or_else(Vec::new, |entry| entry.urls);
		Ok(urls.into_iter().map(text).collect())
	}

	/// Returns an owner's dataset with its number: the one that is named or, if none is, the owner's only one.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchDataset`] and, if none is named, [`Error::NoDataset`] or [`Error::SeveralDatasets`].
	pub async fn dataset_of(
		&self,
		owner: &AccountId,
		named: Option<DatasetId>,
	) -> Result<(DatasetId, Dataset), Error> {
		if let Some(dataset) = named {
			let entry = self.dataset(owner, dataset).await?;
			let owner = *owner;
			let entry = entry.ok_or(Error::NoSuchDataset { owner, dataset })?;
			return Ok((dataset, entry));
		}
		let mut datasets = every(|after| self.datasets(owner, after)).await?;
		match (datasets.pop(), datasets.is_empty()) {
			(Some(only), true) => Ok((only.id, only.dataset)),
			(None, _) => Err(Error::NoDataset(*owner)),
			(Some(_), false) => Err(Error::SeveralDatasets(*owner)),
		}
	}

	/// Returns the number that an owner's next dataset gets.
	pub async fn next_dataset(&self, owner: &AccountId) -> Result<DatasetId, Error> {
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Counter {
			next: DatasetId,
		}
		let counter: Option<Counter> = self.get(PALLET, "NextDataset", (*owner,)).await?;
		Ok(counter.map_or(0, |counter| counter.next))
	}

	/// Returns a record, complete or not.
	pub async fn record(&self, owner: &AccountId, key: RecordKey) -> Result<Option<Record>, Error> {
		self.get(PALLET, "Records", (*owner, key)).await
	}

	/// Returns the entry of a taken leaf; `None` if the leaf is free.
	pub async fn leaf(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
	) -> Result<Option<TakenLeaf>, Error> {
		let keys = (*owner, dataset, epoch, leaf);
		self.get(PALLET, "Leaves", keys).await
	}

	/// Returns the taken leaves of a dataset, in all its epochs, and what each is used for.
	pub async fn leaves(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Vec<(Epoch, Leaf, LeafUse)>, Error> {
		type Keys = (AccountId, DatasetId, Epoch, Leaf);
		let address = dynamic::storage::<Keys, TakenLeaf>(PALLET, "Leaves");
		let entry = self.at.storage().entry(address)?;
		let mut entries = entry.iter((*owner, dataset)).await?;
		let mut leaves = Vec::new();
		while let Some(entry) = entries.next().await {
			let entry = entry?;
			let unknown =
				|error: subxt::error::StorageKeyError| Error::Incompatible(error.to_string());
			let (_, _, epoch, leaf) = entry.key().and_then(|key| key.decode()).map_err(unknown)?;
			leaves.push((epoch, leaf, entry.value().decode()?.by));
		}
		Ok(leaves)
	}

	/// Finds a free leaf of an epoch by bisection, in at most 65 queries. If leaves were taken in order, all
	/// leaves after it are free.
	///
	/// # Errors
	///
	/// Returns [`Error::NoFreeLeaf`] if none was found.
	pub async fn free_leaf(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		epoch: Epoch,
	) -> Result<Leaf, Error> {
		let taken = |leaf: Leaf| async move {
			Ok::<_, Error>(self.leaf(owner, dataset, epoch, leaf).await?.is_some())
		};
		if !taken(0).await? {
			return Ok(0);
		}
		// `low` is taken; `high` is free once the first loop has ended.
		let (mut low, mut high): (Leaf, Leaf) = (0, 1);
		while taken(high).await? {
			low = high;
			high = high
				.checked_mul(2)
				.ok_or(Error::NoFreeLeaf { dataset, epoch })?;
		}
		while high - low > 1 {
			let middle = low + (high - low) / 2;
			if taken(middle).await? {
				low = middle;
			} else {
				high = middle;
			}
		}
		Ok(high)
	}

	/// Returns an open request.
	pub async fn request(&self, id: RequestId) -> Result<Option<Request>, Error> {
		self.get(PALLET, "Requests", (id,)).await
	}

	/// Returns an open request to an owner.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchRequest`] if there is none.
	pub async fn request_to(
		&self,
		owner: &AccountId,
		request: RequestId,
	) -> Result<Request, Error> {
		let open = self.request(request).await?;
		let account = *owner;
		open.filter(|open| open.owner == account)
			.ok_or(Error::NoSuchRequest { account, request })
	}

	/// Returns an open request of a consumer.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchRequest`] if there is none.
	pub async fn request_from(
		&self,
		consumer: &AccountId,
		request: RequestId,
	) -> Result<Request, Error> {
		let open = self.request(request).await?;
		let account = *consumer;
		open.filter(|open| open.consumer == account)
			.ok_or(Error::NoSuchRequest { account, request })
	}

	/// Returns the numbers of a reader's grants on an epoch of a dataset. Only who controls the dataset adds to them.
	pub(crate) async fn reader_entry(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		epoch: Epoch,
		reader: &AccountId,
	) -> Result<Vec<GrantId>, Error> {
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Entry {
			grants: Vec<GrantId>,
		}
		let keys = (*owner, dataset, epoch, *reader);
		let entry: Option<Entry> = self.get(PALLET, "AuthorizationList", keys).await?;
		Ok(entry.map_or_else(Vec::new, |entry| entry.grants))
	}

	/// Returns a grant: an active one, or one that the chain still remembers.
	pub async fn grant(&self, id: GrantId) -> Result<Option<Grant>, Error> {
		self.get(PALLET, "Grants", (id,)).await
	}

	/// Returns a grant in the state in which it is after this block.
	pub(crate) async fn entry(&self, id: GrantId) -> Result<Option<GrantEntry>, Error> {
		let Some(mut grant) = self.grant(id).await? else {
			return Ok(None);
		};
		grant.state = grant.state_at(&self.block.number, self.time().await?);
		Ok(Some(GrantEntry { id, grant }))
	}

	/// Returns the payment for a grant, as long as its reader can dispute it. A chain that makes payments at once has none.
	pub async fn payment(&self, id: GrantId) -> Result<Option<Payment>, Error> {
		let pallet = self.at.metadata_ref().pallet_by_name(PALLET);
		let storage = pallet.and_then(|pallet| pallet.storage());
		match storage.and_then(|storage| storage.entry_by_name("Payments")) {
			Some(_) => self.get(PALLET, "Payments", (id,)).await,
			None => Ok(None),
		}
	}

	/// Returns the time of the block, in seconds since 1970.
	pub(crate) async fn time(&self) -> Result<Seconds, Error> {
		let milliseconds: Option<u64> = self.get("Timestamp", "Now", ()).await?;
		Ok(milliseconds.unwrap_or_default() / 1000)
	}

	/// Returns an account's funds.
	pub async fn funds(&self, account: &AccountId) -> Result<Funds, Error> {
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Info {
			data: Data,
		}
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Data {
			free: Balance,
			reserved: Balance,
		}
		let info: Option<Info> = self.get("System", "Account", (*account,)).await?;
		Ok(info.map_or_else(Funds::default, |info| Funds {
			free: info.data.free,
			held: info.data.reserved,
		}))
	}

	/// Returns how many transactions of an account are in the blocks up to this one.
	pub(crate) async fn nonce(&self, account: &AccountId) -> Result<u64, Error> {
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Info {
			nonce: u32,
		}
		let info: Option<Info> = self.get("System", "Account", (*account,)).await?;
		Ok(info.map_or(0, |info| info.nonce.into()))
	}

	/// Asks what a caller may know about a record: the paper's `query(key)`. The state is public, so anyone
	/// can ask for any caller; the sealed keys in the answer are useful only to the grantee.
	///
	/// # Errors
	///
	/// Returns [`Error::Query`] if the caller may not read the record.
	pub async fn query(
		&self,
		caller: &AccountId,
		owner: &AccountId,
		key: RecordKey,
	) -> Result<Answer, Error> {
		let arguments = (*caller, *owner, key);
		let answer: Result<Answer, QueryRefusal> = self.ask("query", arguments).await?;
		Ok(answer?)
	}

	/// Returns a page of an owner's datasets.
	pub async fn datasets(
		&self,
		owner: &AccountId,
		after: Cursor,
	) -> Result<Page<DatasetEntry>, Error> {
		self.ask("datasets", (*owner, after, PAGE)).await
	}

	/// Returns a page of an owner's records.
	pub async fn records(
		&self,
		owner: &AccountId,
		after: Cursor,
	) -> Result<Page<RecordEntry>, Error> {
		self.ask("records", (*owner, after, PAGE)).await
	}

	/// Returns a page of an owner's records in a range of one epoch of a dataset.
	pub async fn records_in(
		&self,
		owner: &AccountId,
		scope: Scope,
		after: Cursor,
	) -> Result<Page<RecordEntry>, Error> {
		self.ask("records_in", (*owner, scope, after, PAGE)).await
	}

	/// Returns a page of an owner's embargoes, on records that are stored and on keys that have no record yet.
	pub async fn embargoes(
		&self,
		owner: &AccountId,
		after: Cursor,
	) -> Result<Page<EmbargoEntry>, Error> {
		self.ask("embargoes", (*owner, after, PAGE)).await
	}

	/// Returns a page of the open requests to an owner.
	pub async fn requests_to(
		&self,
		owner: &AccountId,
		after: Cursor,
	) -> Result<Page<RequestEntry>, Error> {
		self.ask("requests_to", (*owner, after, PAGE)).await
	}

	/// Returns a page of a consumer's open requests.
	pub async fn requests_from(
		&self,
		consumer: &AccountId,
		after: Cursor,
	) -> Result<Page<RequestEntry>, Error> {
		self.ask("requests_from", (*consumer, after, PAGE)).await
	}

	/// Returns a page of the grants that an owner gave: those in one state, or all.
	pub async fn grants_of(
		&self,
		owner: &AccountId,
		state: Option<GrantState>,
		after: Cursor,
	) -> Result<Page<GrantEntry>, Error> {
		self.ask("grants_of", (*owner, state, after, PAGE)).await
	}

	/// Returns a page of the grants that an owner gave on a dataset: those in one state, or all.
	pub async fn grants_on(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		state: Option<GrantState>,
		after: Cursor,
	) -> Result<Page<GrantEntry>, Error> {
		let arguments = (*owner, dataset, state, after, PAGE);
		self.ask("grants_on", arguments).await
	}

	/// Returns a page of the grants that a reader was given: those in one state, or all.
	pub async fn grants_to(
		&self,
		grantee: &AccountId,
		state: Option<GrantState>,
		after: Cursor,
	) -> Result<Page<GrantEntry>, Error> {
		self.ask("grants_to", (*grantee, state, after, PAGE)).await
	}
}

/// Returns what a proxy may do; `None` if this library does not know that kind.
fn proxy_kind(kind: &dynamic::Value) -> Option<ProxyKind> {
	let ValueDef::Variant(kind) = &kind.value else {
		return None;
	};
	let known = [
		("Any", ProxyKind::Any),
		("NonTransfer", ProxyKind::NonTransfer),
		("Sharing", ProxyKind::Sharing),
		("Facts", ProxyKind::Facts),
	];
	let known = known.into_iter().find(|(name, _)| *name == kind.name);
	known.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
	use super::*;
	use subxt::ext::scale_value::Composite;

	#[test]
	fn a_kind_of_proxy_that_is_not_known_is_skipped() {
		let kind = |name: &str| {
			let value = dynamic::Value::variant(name, Composite::Unnamed(Vec::new()));
			proxy_kind(&value)
		};
		assert_eq!(kind("Any"), Some(ProxyKind::Any));
		assert_eq!(kind("NonTransfer"), Some(ProxyKind::NonTransfer));
		assert_eq!(kind("Sharing"), Some(ProxyKind::Sharing));
		assert_eq!(kind("Facts"), Some(ProxyKind::Facts));
		assert_eq!(kind("Governance"), None);
		assert_eq!(proxy_kind(&dynamic::Value::u128(2)), None);
	}
}
