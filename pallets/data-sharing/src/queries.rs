// SPDX-License-Identifier: Apache-2.0
//! Implements the runtime API: `query`, and lists in pages. Nothing here changes the state.

use crate::{
	pallet::*,
	runtime_api::{DatasetEntry, GrantEntry, ProducerEntry, RequestEntry},
	types::*,
};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{ensure, storage::PrefixIterator};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_sharing::{
	query::{Answer, EmbargoEntry, OpeningGrant, Page, QueryError, RecordEntry},
	terms::{LEAVES_PER_EPOCH, MAX_PAGE},
};
use polkadot_sdk::*;

/// The paper's `query(key)`.
impl<T: Config> Pallet<T> {
	/// Returns what `caller` is allowed to learn about the record `key` of `owner`; see
	/// [`DataSharingApi::query`](crate::runtime_api::runtime_decl_for_data_sharing_api::DataSharingApi::query).
	///
	/// # Errors
	///
	/// Returns why the query is refused. If several grants cover the record but none is active, the newest
	/// of them determines whether the reason is that it expired or that it was revoked.
	pub fn query(
		caller: &T::AccountId,
		owner: &T::AccountId,
		key: RecordKey,
	) -> Result<Answer<BlockNumberFor<T>>, QueryError> {
		let Record {
			dataset,
			epoch,
			leaf,
			payload,
			..
		} = Records::<T>::get(owner, key).ok_or(QueryError::UnknownRecord)?;
		let grant = if *caller == Self::controller(owner, dataset) {
			// Who took the dataset over may have a grant on what was there before, whose keys it cannot derive.
			Self::opening_grant(caller, owner, dataset, epoch, leaf).ok()
		} else {
			let grant = Self::opening_grant(caller, owner, dataset, epoch, leaf)?;
			ensure!(payload.is_complete(), QueryError::Incomplete);
			ensure!(
				!Embargoes::<T>::contains_key(owner, key),
				QueryError::Embargoed
			);
			Some(grant)
		};
		let locations = match payload {
			Payload::Object { .. } => Self::locations(owner, dataset),
			Payload::Value { .. } | Payload::Chunks { .. } => Vec::new(),
		};
		Ok(Answer {
			dataset,
			epoch,
			leaf,
			payload,
			locations,
			grant,
		})
	}

	fn opening_grant(
		caller: &T::AccountId,
		owner: &T::AccountId,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
	) -> Result<OpeningGrant<BlockNumberFor<T>>, QueryError> {
		let (now, time) = (frame_system::Pallet::<T>::block_number(), Self::time());
		let mut refusal = QueryError::NotAuthorised;
		// The newest grant that is active counts.
		let list = AuthorizationList::<T>::get((owner, dataset, epoch, caller));
		for id in list.grants.into_iter().rev() {
			let Some(grant) = Grants::<T>::get(id) else {
				continue;
			};
			let why_not = match grant.state_at(&now, time) {
				_ if !grant.scope.covers(leaf) => QueryError::OutOfRange,
				GrantState::Revoked => QueryError::Revoked,
				GrantState::Expired => QueryError::Expired,
				GrantState::Suspended => QueryError::Suspended,
				GrantState::Active => {
					return Ok(OpeningGrant {
						grant: id,
						scope: grant.scope,
						expiry: grant.expiry,
						until: grant.until,
						sealed_keys: grant.sealed_keys.into_inner(),
					})
				}
			};
			// The newest grant that covers the leaf determines the reason.
			if matches!(refusal, QueryError::NotAuthorised | QueryError::OutOfRange) {
				refusal = why_not;
			}
		}
		Err(refusal)
	}
}

/// Reads one page of a list. `add` receives each entry and appends to the list what should be shown.
fn page<Entry, Shown>(
	mut entries: PrefixIterator<Entry>,
	after: Option<Vec<u8>>,
	limit: u32,
	mut add: impl FnMut(Entry, &mut Vec<Shown>),
) -> Page<Shown> {
	let prefix = entries.prefix().to_vec();
	if let Some(after) = after {
		// The caller can pass any bytes as `after`, but only keys with the prefix are read.
		entries.set_last_raw_key([&prefix[..], &after].concat());
	}
	let limit = limit.clamp(1, MAX_PAGE);
	let (mut looked_at, mut items) = (0, Vec::new());
	let mut last = Vec::new();
	while let Some(entry) = entries.next() {
		if looked_at >= limit || items.len() >= limit as usize {
			// There are more entries.
			return Page {
				items,
				next: Some(last),
			};
		}
		looked_at += 1;
		add(entry, &mut items);
		last = entries
			.last_raw_key()
			.get(prefix.len()..)
			.unwrap_or_default()
			.to_vec();
	}
	Page { items, next: None }
}

/// Lists.
impl<T: Config> Pallet<T> {
	/// Returns the datasets of an owner.
	pub fn datasets(
		owner: &T::AccountId,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<DatasetEntry<BalanceOf<T>, BlockNumberFor<T>>> {
		page(
			Datasets::<T>::iter_prefix(owner),
			after,
			limit,
			|(id, dataset), items| {
				let standing = Policies::<T>::get(owner, id);
				let (policy, attached) = standing
					.map(|entry| (entry.policy, entry.condition))
					.unzip();
				items.push(DatasetEntry {
					id,
					dataset,
					policy,
					condition: attached.flatten().map(|attached| attached.condition),
					objects: Self::object_count(owner, id),
					locations: Self::locations(owner, id),
				})
			},
		)
	}

	/// Returns the records of an owner.
	pub fn records(
		owner: &T::AccountId,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<RecordEntry<BalanceOf<T>, BlockNumberFor<T>>> {
		page(
			Records::<T>::iter_prefix(owner),
			after,
			limit,
			|(key, record), items| items.push(RecordEntry { key, record }),
		)
	}

	/// Returns the records in a range of a dataset. The state does not store leaves in their order, so there are two
	/// ways to find those of a range: to look up each of them, or to walk over all that are taken in the epoch.
	/// The cheaper one is chosen for the first page; the cursor says which one it was.
	pub fn records_in(
		owner: &T::AccountId,
		scope: &Scope,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<RecordEntry<BalanceOf<T>, BlockNumberFor<T>>> {
		let by_leaf = match &after {
			// A leaf itself; a walk's cursor has a hash in front of it.
			Some(after) => after.len() <= Leaf::max_encoded_len(),
			None => {
				// In all epochs: this one may have fewer.
				let taken =
					Datasets::<T>::get(owner, scope.dataset).map_or(0, |entry| entry.leaves);
				scope.leaves() <= taken.max(MAX_PAGE.into())
			}
		};
		if by_leaf {
			return Self::records_at(owner, scope, after, limit);
		}
		page(
			Leaves::<T>::iter_prefix((owner, scope.dataset, scope.epoch)),
			after,
			limit,
			|(leaf, taken), items| {
				if let (true, LeafUse::Record(key)) = (scope.covers(leaf), taken.by) {
					if let Some(record) = Records::<T>::get(owner, key) {
						items.push(RecordEntry { key, record });
					}
				}
			},
		)
	}

	/// Returns the records at up to `limit` leaves of a range, after the leaf that `after` encodes.
	fn records_at(
		owner: &T::AccountId,
		scope: &Scope,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<RecordEntry<BalanceOf<T>, BlockNumberFor<T>>> {
		let last = after.and_then(|after| Leaf::decode(&mut &after[..]).ok());
		let first = last.map_or(scope.from, |last| u64::from(last).saturating_add(1));
		let first = first.max(scope.from);
		let end = scope.to.min(LEAVES_PER_EPOCH);
		let past = first
			.saturating_add(limit.clamp(1, MAX_PAGE).into())
			.min(end);
		let record = |leaf| {
			let place = (owner, scope.dataset, scope.epoch, leaf);
			let LeafUse::Record(key) = Leaves::<T>::get(place)?.by else {
				return None;
			};
			Some(RecordEntry {
				key,
				record: Records::<T>::get(owner, key)?,
			})
		};
		let leaves = (first..past).filter_map(|leaf| Leaf::try_from(leaf).ok());
		let next = past.checked_sub(1).filter(|_| past < end);
		Page {
			items: leaves.filter_map(record).collect(),
			next: next
				.and_then(|last| Leaf::try_from(last).ok())
				.map(|last| last.encode()),
		}
	}

	/// Returns the open requests to an owner.
	pub fn requests_to(
		owner: &T::AccountId,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<RequestEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		page(
			RequestsTo::<T>::iter_prefix(owner),
			after,
			limit,
			|(id, ()), items| items.extend(Self::request_entry(id)),
		)
	}

	/// Returns the open requests of a consumer.
	pub fn requests_from(
		consumer: &T::AccountId,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<RequestEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		page(
			RequestsFrom::<T>::iter_prefix((consumer,)),
			after,
			limit,
			|(_, id), items| items.extend(Self::request_entry(id)),
		)
	}

	/// Returns the grants that an owner gave: those in one state, or all.
	pub fn grants_of(
		owner: &T::AccountId,
		state: Option<GrantState>,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<GrantEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		page(
			AuthorizationList::<T>::iter_prefix((owner,)),
			after,
			limit,
			|(_, entry), items| items.extend(Self::grant_entries(entry, state)),
		)
	}

	/// Returns the grants that an owner gave on a dataset: those in one state, or all.
	pub fn grants_on(
		owner: &T::AccountId,
		dataset: DatasetId,
		state: Option<GrantState>,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<GrantEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		page(
			AuthorizationList::<T>::iter_prefix((owner, dataset)),
			after,
			limit,
			|(_, entry), items| items.extend(Self::grant_entries(entry, state)),
		)
	}

	/// Returns the producers.
	pub fn producers(
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<ProducerEntry<T::AccountId, BalanceOf<T>>> {
		page(
			Producers::<T>::iter(),
			after,
			limit,
			|(account, producer), items| items.push(ProducerEntry { account, producer }),
		)
	}

	/// Returns what the dataset's policy would say about a request of `consumer`.
	pub fn verdict_of(
		consumer: &T::AccountId,
		owner: &T::AccountId,
		scope: &Scope,
		code: PurposeCode,
		term: &BlockNumberFor<T>,
		offer: &BalanceOf<T>,
		firm: bool,
	) -> Verdict {
		let Some(standing) = Policies::<T>::get(owner, scope.dataset) else {
			return Verdict::NoPolicy;
		};
		let kind = Producers::<T>::get(consumer).map(|consumer| consumer.kind);
		let verdict = standing.policy.judge(kind, code, scope, term, offer, firm);
		match (verdict, standing.condition) {
			(Verdict::Meets, Some(attached)) => {
				let dataset = Datasets::<T>::get(owner, scope.dataset);
				let grants = dataset.map_or(0, |dataset| dataset.grants);
				match Self::truth_for(&attached.condition, consumer, offer, grants).is_met() {
					true => Verdict::Meets,
					false => Verdict::ConditionNotMet,
				}
			}
			_ => verdict,
		}
	}

	/// Returns the embargoes of an owner, on records that are stored and on keys that have no record yet.
	pub fn embargoes(
		owner: &T::AccountId,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<EmbargoEntry> {
		page(
			Embargoes::<T>::iter_prefix(owner),
			after,
			limit,
			|(key, id), items| {
				let Some(trigger) = Triggers::<T>::get(id) else {
					return;
				};
				let record = Records::<T>::get(owner, key);
				items.push(EmbargoEntry {
					key,
					condition: trigger.attached.condition,
					place: record.map(|record| (record.dataset, record.epoch, record.leaf)),
				})
			},
		)
	}

	/// Returns the oldest block at which something was due that the chain has not done yet; `None` if it is not late.
	pub fn overdue_since() -> Option<BlockNumberFor<T>> {
		Backlog::<T>::get()
	}

	/// Returns the grants that a reader has: those in one state, or all.
	pub fn grants_to(
		grantee: &T::AccountId,
		state: Option<GrantState>,
		after: Option<Vec<u8>>,
		limit: u32,
	) -> Page<GrantEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		page(
			GrantsTo::<T>::iter_prefix(grantee),
			after,
			limit,
			|(id, ()), items| items.extend(Self::grant_entry(id, state)),
		)
	}

	/// Returns what the dataset's policy says about a request.
	pub fn verdict(request: &RequestOf<T>) -> Verdict {
		let Request {
			owner,
			consumer,
			scope,
			code,
			term,
			offer,
			firm,
			..
		} = request;
		Self::verdict_of(consumer, owner, scope, *code, term, offer, *firm)
	}

	fn request_entry(
		id: RequestId,
	) -> Option<RequestEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		let request = Requests::<T>::get(id)?;
		let verdict = Self::verdict(&request);
		Some(RequestEntry {
			id,
			request,
			verdict,
		})
	}

	fn grant_entries(
		entry: ReaderEntry,
		wanted: Option<GrantState>,
	) -> impl Iterator<Item = GrantEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		let grants = entry.grants.into_iter();
		grants.filter_map(move |id| Self::grant_entry(id, wanted))
	}

	fn grant_entry(
		id: GrantId,
		wanted: Option<GrantState>,
	) -> Option<GrantEntry<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
		let mut grant = Grants::<T>::get(id)?;
		let now = frame_system::Pallet::<T>::block_number();
		grant.state = grant.state_at(&now, Self::time());
		wanted
			.is_none_or(|wanted| wanted == grant.state)
			.then_some(GrantEntry { id, grant })
	}
}
