// SPDX-License-Identifier: Apache-2.0
//! The datasets of a chain, all of them or an owner's, as they are proven, and the hashes of their cards.
//!
//! ```no_run
//! # async fn example(client: isthmus_sdk::Client) -> Result<(), isthmus_sdk::Error> {
//! for entry in client.proven().await?.catalog(None).await? {
//!     println!("dataset {} of {}: {}", entry.id, entry.owner, entry.dataset.name);
//! }
//! # Ok(())
//! # }
//! ```

use crate::{
	account::Identity,
	card::{self, CardError, PublishedCard},
	client::Client,
	error::Error,
	facts::response_hash,
	fetch_file::is_packed_folder,
	leaves::{LeafQuery, Leaves, LeavesError},
	names::Names,
	object::is_compressed,
	proven::Proven,
	reading::Reading,
	text::{key_name, parse_key},
	types::*,
};
use isthmus_conditions::Name;
use isthmus_light::storage;

/// The largest number of leaves, from one record to another one, of which each is looked at.
const MOST_BETWEEN: u64 = 1000;

/// A dataset in the catalogue.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
	/// The account in the dataset's address.
	pub owner: AccountId,
	/// The dataset's number.
	pub id: DatasetId,
	/// The dataset.
	pub dataset: Dataset,
	/// The account that controls it.
	pub controller: AccountId,
	/// That account's entry as a producer.
	pub producer: Option<Producer>,
	/// Which requests are granted automatically, and the condition that they have to meet besides.
	pub policy: Option<(Policy, Option<Condition>)>,
	/// The hash of its card, if there is one.
	pub card: Option<PublishedCard>,
}

impl Client {
	/// Checks that a file is the card of a dataset: that its hash is the one that the account which controls the dataset
	/// published, in the finalized state. After a dataset was taken over, the card of its former controller counts no more.
	///
	/// # Errors
	///
	/// Returns a [`CardError`] if it is not, and [`Error::NoSuchDataset`].
	pub async fn check_card(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		text: &[u8],
	) -> Result<PublishedCard, Error> {
		let proven = self.proven().await?;
		let controller = proven.controller(owner, dataset).await?;
		let published = proven.card_by(&controller, owner, dataset).await?;
		match published {
			None => Err(CardError::NotPublished {
				controller,
				dataset,
			}
			.into()),
			Some(card) if card.hash != response_hash(text) => Err(CardError::Differs {
				controller,
				dataset,
			}
			.into()),
			Some(card) => Ok(card),
		}
	}

	/// Returns the leaves of an epoch of a dataset that are asked for. Names and dates are those of its card, if one is
	/// passed, and otherwise names of records, whose places are proven. A record that hides its name is found by its owner
	/// only.
	///
	/// If it is the owner who names two records, each leaf between them is looked at, in the finalized state: another record there
	/// is refused by its name, unless [all between](LeafQuery::all_between) them is meant.
	///
	/// # Errors
	///
	/// Returns a [`LeavesError`] if a name or a date is not there, stands for no range or for another epoch, may be a number, or
	/// if other records are between two that the owner names.
	pub async fn scope(
		&self,
		asking: &Identity,
		owner: &AccountId,
		query: &LeafQuery<'_>,
	) -> Result<Scope, Error> {
		let (from, to) = match (query.leaves, query.card) {
			(_, Some(card)) => card.range(query)?,
			(Leaves::Numbers { from, to }, None) => (*from, *to),
			(Leaves::Named { from, to }, None) => {
				self.leaves_of(asking, owner, query, (from, to)).await?
			}
		};
		Ok(Scope {
			dataset: query.dataset,
			epoch: query.epoch,
			from,
			to,
		})
	}

	/// Returns the leaves from one record to another one, both included.
	async fn leaves_of(
		&self,
		asking: &Identity,
		owner: &AccountId,
		query: &LeafQuery<'_>,
		(from, to): (&String, &String),
	) -> Result<(u64, u64), Error> {
		let proven = self.proven().await?;
		let place = (owner, query.dataset, query.epoch);
		let first = self.leaf_of(&proven, asking, place, from).await?;
		let last = match to == from {
			true => first,
			false => self.leaf_of(&proven, asking, place, to).await?,
		};
		let (from, to) = (from.clone(), to.clone());
		if last < first {
			return Err(LeavesError::Backwards { from, to }.into());
		}
		let range = (u64::from(first), u64::from(last).saturating_add(1));
		if asking.id() != owner || query.all_between {
			return Ok(range);
		}
		let leaves = range.1.saturating_sub(range.0);
		if leaves > MOST_BETWEEN {
			return Err(LeavesError::ManyBetween { from, to, leaves }.into());
		}
		let between: Vec<Leaf> = (first..last).skip(1).collect();
		let names = Names::new(self, asking);
		let others: Vec<_> = proven
			.taken(owner, (query.dataset, query.epoch), &between)
			.await?
			.into_iter()
			.map(|(leaf, by)| match by {
				LeafUse::Record(key) => key_name(&names.name(&key).unwrap_or(key)),
				LeafUse::Spent => format!("leaf {leaf}, whose record was removed"),
			})
			.collect();
		match others.is_empty() {
			true => Ok(range),
			false => Err(LeavesError::OthersBetween { from, to, others }.into()),
		}
	}

	/// Returns the leaf of a record, which has to be in this epoch of the dataset. The list of a packed folder is not what its
	/// owner means by the folder's name.
	async fn leaf_of(
		&self,
		proven: &Proven,
		asking: &Identity,
		(owner, dataset, epoch): (&AccountId, DatasetId, Epoch),
		name: &str,
	) -> Result<Leaf, Error> {
		let named = parse_key(name)?;
		let mut found = None;
		if asking.id() == owner {
			let hidden = Names::new(self, asking).key(&named);
			let record = proven.record(owner, hidden).await?;
			found = record.map(|record| (hidden, record));
		}
		if found.is_none() {
			let record = proven.record(owner, named).await?;
			found = record.map(|record| (named, record));
		}
		let name = name.to_owned();
		let Some((key, record)) = found else {
			return Err(LeavesError::NoRecord { name }.into());
		};
		if (record.dataset, record.epoch) != (dataset, epoch) {
			return Err(LeavesError::Elsewhere {
				name,
				dataset: record.dataset,
				epoch: record.epoch,
			}
			.into());
		}
		let is_object = matches!(record.payload, Payload::Object { .. });
		if asking.id() == owner && is_object && !is_compressed(&record) {
			let reading = Reading::open(self, asking, owner, key).await?;
			if is_packed_folder(&reading).await? {
				return Err(LeavesError::PackedFolder { name }.into());
			}
		}
		Ok(record.leaf)
	}
}

/// Returns the names of the source and the topic under which an account reports the hash of a card.
///
/// # Errors
///
/// Returns no error: both names are short enough for any account and number.
pub fn card_place(
	controller: &AccountId,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<(Name, Name), Error> {
	let place = card::place(controller, owner, dataset);
	place.map_err(|error| Error::Incompatible(error.to_string()))
}

impl Proven {
	/// Returns which of these leaves of an epoch are taken, and for what.
	async fn taken(
		&self,
		owner: &AccountId,
		(dataset, epoch): (DatasetId, Epoch),
		leaves: &[Leaf],
	) -> Result<Vec<(Leaf, LeafUse)>, Error> {
		let places = leaves.iter();
		let places = places.map(|leaf| storage::leaf(&owner.0, dataset, epoch, *leaf));
		self.load(&places.collect::<Vec<_>>()).await?;
		let mut taken = Vec::new();
		for leaf in leaves {
			let entry = self.leaf(owner, dataset, epoch, *leaf).await?;
			taken.extend(entry.map(|entry| (*leaf, entry.by)));
		}
		Ok(taken)
	}

	/// Returns the account that controls a dataset.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchDataset`] if there is none that is finalized.
	pub async fn controller(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<AccountId, Error> {
		let control = self.control(owner, dataset).await?;
		let controller = control.map(|control| control.controller);
		let owner = *owner;
		controller.ok_or(Error::NoSuchDataset { owner, dataset })
	}

	/// Returns the card of a dataset: the one that the account which controls it published.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchDataset`] if there is none that is finalized.
	pub async fn card(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<PublishedCard>, Error> {
		let controller = self.controller(owner, dataset).await?;
		self.card_by(&controller, owner, dataset).await
	}

	/// Returns the card of a dataset that an account published, which counts as long as it controls the dataset.
	async fn card_by(
		&self,
		controller: &AccountId,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<PublishedCard>, Error> {
		let (source, topic) = card_place(controller, owner, dataset)?;
		Ok(card::published(
			&self.reports(&source, &topic).await?,
			controller,
		))
	}

	/// Returns the datasets of an owner, or of all: it is proven that there are no others. They come in the order of their
	/// owners' public keys and their numbers.
	///
	/// # Errors
	///
	/// Returns [`Unproven`](crate::Unproven) errors if the node's proofs are wrong, and connection errors.
	pub async fn catalog(&self, owner: Option<&AccountId>) -> Result<Vec<CatalogEntry>, Error> {
		let all = storage::datasets();
		let prefix = owner.map_or_else(|| all.clone(), |owner| storage::datasets_of(&owner.0));
		let place = |key: &Vec<u8>| {
			let rest = &mut key.get(all.len()..)?;
			let owner = storage::chosen::<[u8; 32]>(rest)?;
			Some((owner, storage::counted::<DatasetId>(rest)?))
		};
		let mut places: Vec<_> = self.keys(prefix).await?.iter().filter_map(place).collect();
		places.sort_unstable();
		let keys = places.iter().flat_map(|(owner, id)| {
			[
				storage::control(owner, *id),
				storage::policy(owner, *id),
				storage::dataset(owner, *id),
			]
		});
		self.load(&keys.collect::<Vec<_>>()).await?;
		self.check_facts().await?;
		let mut controlled = Vec::new();
		let mut keys = Vec::new();
		for (owner, id) in places {
			let owner = AccountId::from(owner);
			let controller = self.controller(&owner, id).await?;
			let (source, topic) = card_place(&controller, &owner, id)?;
			keys.push(storage::producer(&controller.0));
			keys.push(storage::reports(&source, &topic));
			controlled.push((owner, id, controller));
		}
		self.load(&keys).await?;
		let mut entries = Vec::new();
		for (owner, id, controller) in controlled {
			let Some(dataset) = self.dataset(&owner, id).await? else {
				continue;
			};
			entries.push(CatalogEntry {
				owner,
				id,
				dataset,
				controller,
				producer: self.producer(&controller).await?,
				policy: self.policy(&owner, id).await?,
				card: self.card_by(&controller, &owner, id).await?,
			});
		}
		Ok(entries)
	}
}
