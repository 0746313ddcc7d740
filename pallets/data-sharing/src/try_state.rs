// SPDX-License-Identifier: Apache-2.0
//! Checks the invariants of the pallet's state, for tests and `try-runtime`.

use crate::{control::by_reason, pallet::*, types::*};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Get},
};
use isthmus_sharing::{
	location::check_list,
	object,
	terms::{MAX_CHUNKS, MAX_GRANTS_PER_READER},
};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{One, Saturating, Zero},
	TryRuntimeError,
};

/// The deposits that the entries name.
struct Counted<T: Config> {
	/// By the reason of the hold, and the account.
	by_account: BTreeMap<(u8, T::AccountId), BalanceOf<T>>,
	/// Those of datasets by the reason of the hold, and the dataset's address.
	by_dataset: BTreeMap<(u8, T::AccountId, DatasetId), BalanceOf<T>>,
}

fn count<T: Config>(
	held: &mut Counted<T>,
	reason: HoldReason,
	payer: Payer<'_, T::AccountId>,
	amount: BalanceOf<T>,
) {
	let who = match payer {
		Payer::Account(who) => who.clone(),
		Payer::Controller(owner, dataset) => {
			held.by_dataset
				.entry((reason as u8, owner.clone(), dataset))
				.or_insert_with(Zero::zero)
				.saturating_accrue(amount);
			Pallet::<T>::controller(owner, dataset)
		}
	};
	held.by_account
		.entry((reason as u8, who))
		.or_insert_with(Zero::zero)
		.saturating_accrue(amount);
}

impl<T: Config> Pallet<T> {
	/// Checks that all entries are consistent with each other and with the deposits held for them.
	///
	/// # Errors
	///
	/// Returns a sentence about the first violated invariant.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		if Migrating::<T>::exists() {
			// Some entries are still as an earlier runtime wrote them.
			return Ok(());
		}
		ensure!(
			!DirectStore::<T>::exists(),
			"the note of a direct store outlived its transaction"
		);
		let mut held = Counted::<T> {
			by_account: BTreeMap::new(),
			by_dataset: BTreeMap::new(),
		};
		for (who, key) in EncryptionKeys::<T>::iter() {
			let payer = Payer::Account(&who);
			count::<T>(&mut held, HoldReason::EncryptionKey, payer, key.deposit);
		}
		Self::check_datasets(&mut held)?;
		Self::check_records(&mut held)?;
		Self::check_objects(&mut held)?;
		Self::check_requests(&mut held)?;
		Self::check_grants(&mut held)?;
		Self::check_payments(&mut held)?;
		Self::check_sold()?;
		Self::check_conditions(&mut held)?;
		Self::check_agenda()?;
		Self::check_controls(&held)?;
		Self::check_held(&held)
	}

	fn check_datasets(held: &mut Counted<T>) -> Result<(), TryRuntimeError> {
		for (owner, producer) in Producers::<T>::iter() {
			let controls = |control: &ControlOf<T>| control.controller == owner;
			ensure!(
				Controls::<T>::iter_values().filter(controls).count() == producer.datasets as usize,
				"a producer's count of datasets is wrong"
			);
			let payer = Payer::Account(&owner);
			count::<T>(held, HoldReason::Producer, payer, producer.deposit);
		}
		for (owner, counter) in NextDataset::<T>::iter() {
			ensure!(counter.next > 0, "a count of datasets is zero");
			let payer = Payer::Account(&owner);
			count::<T>(held, HoldReason::Dataset, payer, counter.deposit);
		}
		for (owner, id, dataset) in Datasets::<T>::iter() {
			ensure!(
				Controls::<T>::contains_key(&owner, id),
				"no one controls a dataset"
			);
			ensure!(
				NextDataset::<T>::get(&owner).is_some_and(|counter| id < counter.next),
				"a dataset's number is not below the next one"
			);
			ensure!(
				DatasetNames::<T>::get(&owner, &dataset.name) == Some(id),
				"a dataset is not found by its name"
			);
			ensure!(
				Leaves::<T>::iter_key_prefix((&owner, id)).count() as u64 == dataset.leaves,
				"a dataset's count of leaves is wrong"
			);
			let payer = Payer::Controller(&owner, id);
			count::<T>(held, HoldReason::Dataset, payer, dataset.deposit);
		}
		for (owner, dataset, policy) in Policies::<T>::iter() {
			ensure!(
				Datasets::<T>::contains_key(&owner, dataset),
				"a policy has no dataset"
			);
			ensure!(
				policy.policy.purposes.are_known(),
				"a policy allows purposes for which there is no code yet"
			);
			let payer = || Payer::Controller(&owner, dataset);
			count::<T>(held, HoldReason::Dataset, payer(), policy.deposit);
			if let Some(attached) = &policy.condition {
				ensure!(
					Self::check_reads(&attached.condition).is_ok(),
					"the condition of a policy reads too much"
				);
				count::<T>(held, HoldReason::Condition, payer(), attached.deposit);
			}
		}
		ensure!(
			DatasetNames::<T>::iter_keys().count() == Datasets::<T>::iter_keys().count(),
			"a name does not lead to a dataset"
		);
		Ok(())
	}

	fn check_records(held: &mut Counted<T>) -> Result<(), TryRuntimeError> {
		for (owner, key, record) in Records::<T>::iter() {
			let leaf = Leaves::<T>::get((&owner, record.dataset, record.epoch, record.leaf))
				.ok_or("a record's leaf is not taken")?;
			ensure!(
				leaf.by == LeafUse::Record(key),
				"a record's leaf is taken by another"
			);
			let chunks = record.payload.chunks();
			let most = match record.payload {
				Payload::Value { .. } | Payload::Chunks { .. } => MAX_CHUNKS,
				Payload::Object { .. } => object::MAX_CHUNKS,
			};
			ensure!(
				(1..=most).contains(&chunks),
				"a record has no chunks, or too many"
			);
			ensure!(
				record.payload.arrived() <= chunks,
				"more of a record's chunks arrived than it has"
			);
			let (first, last) = record.payload.blocks();
			ensure!(
				first <= last,
				"a record's last chunk is before its manifest"
			);
			ensure!(
				!record.deposit.is_zero() || T::DepositPerItem::get().is_zero(),
				"nothing is held for a record"
			);
			let payer = Payer::Controller(&owner, record.dataset);
			count::<T>(held, HoldReason::Record, payer, record.deposit);
		}
		for ((owner, id, epoch, _), leaf) in Leaves::<T>::iter() {
			let dataset = Datasets::<T>::get(&owner, id).ok_or("a leaf has no dataset")?;
			ensure!(
				epoch <= dataset.epoch,
				"a leaf's epoch is after the dataset's"
			);
			if let LeafUse::Record(key) = leaf.by {
				ensure!(
					Records::<T>::contains_key(&owner, key),
					"a leaf is taken by a record that does not exist"
				);
			}
			let payer = Payer::Controller(&owner, id);
			count::<T>(held, HoldReason::Record, payer, leaf.deposit);
		}
		Ok(())
	}

	fn check_objects(held: &mut Counted<T>) -> Result<(), TryRuntimeError> {
		let mut listed = 0;
		for (owner, key, record) in Records::<T>::iter() {
			let Payload::Object {
				object, ordinal, ..
			} = record.payload
			else {
				continue;
			};
			ensure!(object.check().is_ok(), "an object has an impossible length");
			ensure!(
				Objects::<T>::get((&owner, record.dataset, ordinal)) == Some(key),
				"an object is not where it says in its dataset's list"
			);
			ensure!(
				ordinal < ObjectCounts::<T>::get(&owner, record.dataset).count,
				"an object's place is not below the count"
			);
			listed += 1;
		}
		ensure!(
			Objects::<T>::iter_keys().count() == listed,
			"a dataset's list names an object that does not exist"
		);
		let counts: u64 = ObjectCounts::<T>::iter_values()
			.map(|objects| u64::from(objects.count))
			.sum();
		ensure!(counts == listed as u64, "a count of objects is wrong");
		ensure!(
			ObjectCounts::<T>::iter_values().all(|objects| objects.count > 0),
			"a count of objects is zero"
		);
		for (owner, dataset, locations) in Locations::<T>::iter() {
			ensure!(
				Datasets::<T>::contains_key(&owner, dataset),
				"locations have no dataset"
			);
			ensure!(
				!locations.urls.is_empty() && check_list(&locations.urls).is_ok(),
				"a dataset has no locations, or wrong ones"
			);
			let payer = Payer::Controller(&owner, dataset);
			count::<T>(held, HoldReason::Dataset, payer, locations.deposit);
		}
		Ok(())
	}

	fn check_requests(held: &mut Counted<T>) -> Result<(), TryRuntimeError> {
		let (mut per_dataset, mut per_reader) = (BTreeMap::new(), BTreeMap::new());
		for (id, request) in Requests::<T>::iter() {
			let Request {
				owner,
				consumer,
				scope,
				..
			} = &request;
			ensure!(
				id < NextRequest::<T>::get(),
				"a request's number is not below the next one"
			);
			ensure!(
				RequestsTo::<T>::contains_key(owner, id),
				"an owner does not list a request"
			);
			ensure!(
				RequestsFrom::<T>::get((consumer, owner, scope)) == Some(id),
				"a consumer does not list a request"
			);
			ensure!(
				Agenda::<T>::contains_key(request.valid_until, Due::Request(id)),
				"a request is not on the agenda"
			);
			*per_dataset
				.entry((owner.clone(), scope.dataset))
				.or_insert(0u64) += 1;
			let reader = (owner.clone(), scope.dataset, scope.epoch, consumer.clone());
			*per_reader.entry(reader).or_insert(0u32) += 1;
			let payer = || Payer::Account(consumer);
			count::<T>(held, HoldReason::Request, payer(), request.deposit);
			count::<T>(held, HoldReason::Offer, payer(), request.offer);
		}
		let requests = Requests::<T>::iter_keys().count();
		ensure!(
			RequestsTo::<T>::iter_keys().count() == requests,
			"an owner lists a request that does not exist"
		);
		ensure!(
			RequestsFrom::<T>::iter_keys().count() == requests,
			"a consumer lists a request that does not exist"
		);
		for (owner, id, dataset) in Datasets::<T>::iter() {
			ensure!(
				per_dataset.remove(&(owner, id)).unwrap_or(0) == dataset.requests,
				"a dataset's count of requests is wrong"
			);
		}
		ensure!(per_dataset.is_empty(), "a request has no dataset");
		for (reader, entry) in AuthorizationList::<T>::iter() {
			ensure!(
				per_reader.remove(&reader).unwrap_or(0) == entry.asked,
				"a reader's count of open requests is wrong"
			);
			ensure!(
				entry.asked > 0 || !entry.grants.is_empty(),
				"the authorization list has an empty entry"
			);
			ensure!(
				entry.asked as usize + Self::active(&entry) <= MAX_GRANTS_PER_READER as usize,
				"a request has no place among its reader's grants"
			);
		}
		ensure!(per_reader.is_empty(), "a request has no reserved place");
		Ok(())
	}

	/// Checks that a grant has what it needs in its state.
	fn check_state_of(id: GrantId, grant: &GrantOf<T>) -> Result<(), TryRuntimeError> {
		ensure!(
			grant.condition.is_some() || grant.state != GrantState::Suspended,
			"a grant without a condition is suspended"
		);
		ensure!(
			grant.agreement.is_some() || grant.code == PurposeCode::Unspecified,
			"a grant has the purpose of a request that it does not answer"
		);
		if !grant.state.has_ended() {
			ensure!(!grant.sealed_keys.is_empty(), "an active grant has no keys");
			ensure!(
				grant.due <= grant.expiry,
				"an active grant is due after it expires"
			);
		} else {
			ensure!(
				grant.condition.is_none(),
				"a grant that ended still has a condition"
			);
			ensure!(
				grant.sealed_keys.is_empty() != Payments::<T>::contains_key(id),
				"a grant that ended still has keys, or lacks those that can be disputed"
			);
		}
		Ok(())
	}

	fn check_grants(held: &mut Counted<T>) -> Result<(), TryRuntimeError> {
		let mut per_dataset = BTreeMap::new();
		for (id, grant) in Grants::<T>::iter() {
			let Scope { dataset, epoch, .. } = grant.scope;
			ensure!(
				id < NextGrant::<T>::get(),
				"a grant's number is not below the next one"
			);
			ensure!(
				AuthorizationList::<T>::get((&grant.owner, dataset, epoch, &grant.grantee))
					.grants
					.contains(&id),
				"the authorization list lacks a grant"
			);
			ensure!(
				GrantsTo::<T>::contains_key(&grant.grantee, id),
				"a grantee does not list a grant"
			);
			ensure!(
				Agenda::<T>::contains_key(grant.due, Due::Grant(id)),
				"a grant is not on the agenda"
			);
			Self::check_state_of(id, &grant)?;
			ensure!(
				grant.paid_from <= grant.paid_until && grant.paid_until <= grant.expiry,
				"a grant expires before the term that was paid for is over"
			);
			ensure!(
				grant.depositor == grant.owner || grant.depositor == grant.grantee,
				"a stranger has a grant's deposit"
			);
			ensure!(
				!grant.deposit.is_zero() || T::DepositPerItem::get().is_zero(),
				"nothing is held for a grant"
			);
			*per_dataset
				.entry((grant.owner.clone(), dataset))
				.or_insert(0u64) += 1;
			count::<T>(
				held,
				HoldReason::Grant,
				Self::payer_of(&grant),
				grant.deposit,
			);
		}
		let grants = Grants::<T>::iter_keys().count();
		ensure!(
			GrantsTo::<T>::iter_keys().count() == grants,
			"a grantee lists a grant that does not exist"
		);
		ensure!(
			AuthorizationList::<T>::iter_values()
				.map(|entry| entry.grants.len())
				.sum::<usize>()
				== grants,
			"the authorization list has a grant that does not exist"
		);
		for (owner, id, dataset) in Datasets::<T>::iter() {
			ensure!(
				per_dataset.remove(&(owner, id)).unwrap_or(0) == dataset.grants,
				"a dataset's count of grants is wrong"
			);
		}
		ensure!(per_dataset.is_empty(), "a grant has no dataset");
		Ok(())
	}

	fn check_payments(held: &mut Counted<T>) -> Result<(), TryRuntimeError> {
		for (id, payment) in Payments::<T>::iter() {
			let grant = Grants::<T>::get(id).ok_or("a payment is for no grant")?;
			ensure!(
				grant.state != GrantState::Expired && !grant.paid.is_zero(),
				"a payment is for a grant that has expired, or for nothing"
			);
			ensure!(
				payment.until <= grant.paid_until,
				"a payment can be disputed after the term is over"
			);
			ensure!(
				Agenda::<T>::contains_key(payment.until, Due::Payment(id)),
				"a payment is not on the agenda"
			);
			// Who revoked the grant gave the payment back.
			if !grant.state.has_ended() {
				let payer = Payer::Account(&grant.grantee);
				count::<T>(held, HoldReason::Offer, payer, grant.paid);
			}
		}
		Ok(())
	}

	fn check_sold() -> Result<(), TryRuntimeError> {
		let mut sold = BTreeMap::new();
		for grant in Grants::<T>::iter_values().filter(Self::is_sold) {
			let Scope {
				dataset,
				epoch,
				from,
				to,
			} = grant.scope;
			let place = (grant.owner, dataset, epoch);
			let counted =
				SoldRanges::<T>::get(&place).ok_or("a grant that was paid for is not counted")?;
			ensure!(
				counted.from <= from && to <= counted.to,
				"a leaf that was paid for is outside the range that is sold"
			);
			ensure!(
				grant.paid_until <= counted.until,
				"a term that was paid for ends after the last one"
			);
			*sold.entry(place).or_insert(0u64) += 1;
		}
		for (place, counted) in SoldRanges::<T>::iter() {
			ensure!(
				sold.remove(&place) == Some(counted.grants),
				"the count of the grants that were paid for is wrong"
			);
		}
		Ok(())
	}

	fn check_conditions(held: &mut Counted<T>) -> Result<(), TryRuntimeError> {
		let mut waiting = BTreeMap::new();
		let mut check = |waiter,
		                 attached: &Attached<BalanceOf<T>>,
		                 about: &T::AccountId,
		                 payer: Payer<'_, T::AccountId>| {
			ensure!(
				Self::check_watched(&attached.condition).is_ok(),
				"a condition that waits is not watched"
			);
			for cause in Self::causes(&attached.condition, about) {
				ensure!(
					Waiting::<T>::contains_key(&cause, waiter),
					"something does not wait for what its condition depends on"
				);
				*waiting.entry(cause).or_insert(0u32) += 1;
			}
			count::<T>(held, HoldReason::Condition, payer, attached.deposit);
			Ok::<_, TryRuntimeError>(())
		};
		for (id, grant) in Grants::<T>::iter() {
			if let Some(attached) = &grant.condition {
				let payer = Payer::Controller(&grant.owner, grant.scope.dataset);
				check(Waiter::Grant(id), attached, &grant.grantee, payer)?;
			}
		}
		for (id, trigger) in Triggers::<T>::iter() {
			let Trigger { by, attached, .. } = &trigger;
			check(Waiter::Trigger(id), attached, by, Payer::Account(by))?;
		}
		ensure!(
			Waiting::<T>::iter_keys().count() as u64
				== waiting.values().copied().map(u64::from).sum::<u64>(),
			"something waits that has no such condition"
		);
		Self::check_triggers()?;
		let (first, end) = QueueEnds::<T>::get();
		ensure!(
			Queue::<T>::iter_keys().count() as u64 == end.saturating_sub(first)
				&& Queue::<T>::iter_keys().all(|place| (first..end).contains(&place)),
			"the queue of what has changed has a gap"
		);
		let mut queued: Vec<_> = Queue::<T>::iter_values().collect();
		queued.sort();
		for (cause, crowd) in Crowds::<T>::iter() {
			ensure!(
				waiting.remove(&cause).unwrap_or(0) == crowd.waiting,
				"the count of what waits is wrong"
			);
			ensure!(
				crowd.queued || (crowd.left == 0 && crowd.waiting > 0),
				"what waits for a change would never be looked at"
			);
			let places = queued.iter().filter(|other| **other == cause).count();
			ensure!(
				places == usize::from(crowd.queued),
				"a cause is in the queue without need, or twice"
			);
		}
		ensure!(waiting.is_empty(), "what waits is not counted");
		Ok(())
	}

	fn check_triggers() -> Result<(), TryRuntimeError> {
		for (id, trigger) in Triggers::<T>::iter() {
			ensure!(
				id < NextTrigger::<T>::get(),
				"a trigger's number is not below the next one"
			);
			let (by_target, may_set) = match &trigger.target {
				Target::Request(request) => (
					Withdrawals::<T>::get(request),
					Requests::<T>::get(request).is_some_and(|entry| entry.consumer == trigger.by),
				),
				// Who set it controlled the dataset then. The dataset may be gone, but no other one takes the key.
				Target::Record {
					owner,
					dataset,
					key,
				} => (
					Embargoes::<T>::get(owner, key),
					Records::<T>::get(owner, key).is_none_or(|record| record.dataset == *dataset),
				),
			};
			ensure!(
				by_target == Some(id),
				"a request or record does not name its trigger"
			);
			ensure!(
				may_set,
				"a trigger is set on a request that does not exist, by a stranger, or on the record of another dataset"
			);
			ensure!(
				trigger
					.due
					.is_none_or(|due| Agenda::<T>::contains_key(due, Due::Trigger(id))),
				"a trigger is not on the agenda"
			);
		}
		ensure!(
			Withdrawals::<T>::iter_keys().count() + Embargoes::<T>::iter_keys().count()
				== Triggers::<T>::iter_keys().count(),
			"a request or record names a trigger that does not exist"
		);
		Ok(())
	}

	fn check_agenda() -> Result<(), TryRuntimeError> {
		let triggers = Triggers::<T>::iter_values().filter(|trigger| trigger.due.is_some());
		ensure!(
			Agenda::<T>::iter_keys().count()
				== Requests::<T>::iter_keys().count()
					+ Grants::<T>::iter_keys().count()
					+ Payments::<T>::iter_keys().count()
					+ triggers.count(),
			"the agenda has an entry for nothing"
		);
		let now = frame_system::Pallet::<T>::block_number();
		// This block's agenda was processed when the block began.
		let oldest = Backlog::<T>::get().unwrap_or_else(|| now.saturating_add(One::one()));
		ensure!(
			Agenda::<T>::iter_keys().all(|(block, _)| block >= oldest),
			"the agenda has an entry that would never be done"
		);
		Ok(())
	}

	fn check_controls(held: &Counted<T>) -> Result<(), TryRuntimeError> {
		let mut listed = 0;
		for (owner, dataset, control) in Controls::<T>::iter() {
			ensure!(
				Datasets::<T>::get(&owner, dataset)
					.is_some_and(|entry| control.since <= entry.epoch),
				"a dataset that does not exist is controlled, or since an epoch to come"
			);
			ensure!(
				Producers::<T>::contains_key(&control.controller),
				"a dataset has no producer"
			);
			ensure!(
				control.offered_to.as_ref() != Some(&control.controller),
				"a dataset is offered to who controls it"
			);
			let is_listed = Controlled::<T>::contains_key((&control.controller, &owner, dataset));
			ensure!(
				is_listed == (control.controller != owner),
				"an account does not list a dataset that it took over, or lists its own"
			);
			listed += usize::from(is_listed);
			for (reason, sum) in by_reason(&control.held) {
				let counted = held.by_dataset.get(&(reason as u8, owner.clone(), dataset));
				ensure!(
					counted.copied().unwrap_or_else(Zero::zero) == sum,
					"the sum of a dataset's deposits is wrong"
				);
			}
		}
		ensure!(
			Controlled::<T>::iter_keys().count() == listed,
			"an account lists a dataset that it does not control"
		);
		Ok(())
	}

	fn check_held(held: &Counted<T>) -> Result<(), TryRuntimeError> {
		for who in frame_system::Account::<T>::iter_keys() {
			for reason in [
				HoldReason::Producer,
				HoldReason::EncryptionKey,
				HoldReason::Dataset,
				HoldReason::Record,
				HoldReason::Request,
				HoldReason::Offer,
				HoldReason::Grant,
				HoldReason::Condition,
			] {
				let counted = held
					.by_account
					.get(&(reason as u8, who.clone()))
					.copied()
					.unwrap_or_else(Zero::zero);
				ensure!(
					T::Currency::balance_on_hold(&reason.into(), &who) == counted,
					"the amount held differs from the entries' deposits"
				);
			}
		}
		Ok(())
	}
}
