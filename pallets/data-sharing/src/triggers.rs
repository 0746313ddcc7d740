// SPDX-License-Identifier: Apache-2.0
//! Triggers: conditions that do one thing when they are met, and are removed then. A request's takes its offer back, as
//! its consumer could with `cancel_request`. A record's lifts the embargo on it.
//!
//! Until its condition is met, a trigger waits for facts, credentials and time as the condition of a grant does (see
//! [`conditions`](crate::conditions)).

use crate::{pallet::*, types::*};
use frame_support::{defensive, ensure};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_conditions::Condition;
use isthmus_sharing::terms::TRIGGER_ENTRIES;
use polkadot_sdk::*;
use sp_runtime::{traits::Zero, ArithmeticError, DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	/// Returns the dataset that an embargo keeps a key for, and who set the embargo; `None` if there is none on the key.
	pub(crate) fn embargo_on(
		owner: &T::AccountId,
		key: &RecordKey,
	) -> Option<(DatasetId, T::AccountId)> {
		let trigger = Triggers::<T>::get(Embargoes::<T>::get(owner, key)?)?;
		match trigger.target {
			Target::Record { dataset, .. } => Some((dataset, trigger.by)),
			Target::Request(_) => None,
		}
	}

	/// Sets the trigger of a request or record, in place of the one that it has. Without a condition, removes that. Returns
	/// who set the one that it had.
	///
	/// # Errors
	///
	/// Returns an error if the condition is met already, or if there is neither an old nor a new one.
	fn set_trigger(
		target: Target<T::AccountId>,
		by: T::AccountId,
		condition: Option<Condition>,
	) -> Result<Option<T::AccountId>, DispatchError> {
		let before = Self::drop_trigger(&target);
		let Some(condition) = condition else {
			ensure!(before.is_some(), Error::<T>::NoCondition);
			return Ok(before);
		};
		let attached = Self::attach(condition, &by, Payer::Account(&by), TRIGGER_ENTRIES)?;
		let (truth, changes) = Self::truth(&attached.condition, &by);
		ensure!(!truth.is_met(), Error::<T>::ConditionMet);
		let id = NextTrigger::<T>::get();
		NextTrigger::<T>::put(id.checked_add(1).ok_or(ArithmeticError::Overflow)?);
		match &target {
			Target::Request(request) => Withdrawals::<T>::insert(request, id),
			Target::Record { owner, key, .. } => Embargoes::<T>::insert(owner, key, id),
		}
		Self::wait(Waiter::Trigger(id), &attached.condition, &by);
		let due = Self::look_after(changes);
		if let Some(due) = due {
			Agenda::<T>::insert(due, Due::Trigger(id), ());
		}
		let trigger = Trigger {
			target,
			by,
			attached,
			due,
		};
		Triggers::<T>::insert(id, trigger);
		Ok(before)
	}

	/// Removes the trigger of a request or record, if it has one, and releases its deposit. Returns who set it.
	pub(crate) fn drop_trigger(target: &Target<T::AccountId>) -> Option<T::AccountId> {
		let id = match target {
			Target::Request(request) => Withdrawals::<T>::take(request),
			Target::Record { owner, key, .. } => Embargoes::<T>::take(owner, key),
		}?;
		let Some(trigger) = Triggers::<T>::take(id) else {
			defensive!("a trigger that is named does not exist");
			return None;
		};
		if let Some(due) = trigger.due {
			Agenda::<T>::remove(due, Due::Trigger(id));
		}
		let Trigger { by, attached, .. } = trigger;
		Self::detach(Waiter::Trigger(id), &attached, &by, Payer::Account(&by));
		Some(by)
	}

	/// Puts the offer of a consumer's request under a condition, or takes the condition away.
	pub(crate) fn do_withdraw_when(
		consumer: T::AccountId,
		request: RequestId,
		condition: Option<Condition>,
	) -> DispatchResult {
		let entry = Requests::<T>::get(request)
			.filter(|entry| entry.consumer == consumer)
			.ok_or(Error::<T>::UnknownRequest)?;
		// The agenda may be late.
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(now < entry.valid_until, Error::<T>::RequestExpired);
		Self::set_trigger(
			Target::Request(request),
			consumer.clone(),
			condition.clone(),
		)?;
		Self::deposit_event(Event::WithdrawalSet {
			request,
			owner: entry.owner,
			consumer,
			scope: entry.scope,
			condition,
		});
		Ok(())
	}

	/// Puts a record of a dataset under an embargo, stored already or not, or lifts the embargo. Who acts pays.
	pub(crate) fn do_embargo(
		acting: Acting<T::AccountId>,
		dataset: DatasetId,
		key: RecordKey,
		condition: Option<Condition>,
	) -> DispatchResult {
		let Acting { owner, by } = acting;
		if condition.is_some() {
			// What was paid for must not be taken away.
			let record = Records::<T>::get(&owner, key);
			ensure!(
				!record.is_some_and(|record| Self::is_paid_for(&owner, &record)),
				Error::<T>::RecordPaidFor
			);
		}
		let target = Target::Record {
			owner: owner.clone(),
			dataset,
			key,
		};
		let before = Self::set_trigger(target, by.clone(), condition.clone())?;
		Self::deposit_event(match condition {
			Some(condition) => Event::Embargoed {
				owner,
				key,
				condition,
				dataset,
				by,
			},
			None => Event::EmbargoLifted {
				owner,
				key,
				met: false,
				dataset,
				by: before.unwrap_or(by),
			},
		});
		Ok(())
	}

	/// Looks at a trigger, which fires if its condition is met. Returns whether it did.
	pub(crate) fn look_at_trigger(id: TriggerId, mut trigger: TriggerOf<T>) -> bool {
		let (truth, changes) = Self::truth(&trigger.attached.condition, &trigger.by);
		if truth.is_met() {
			Self::fire(trigger.target);
			return true;
		}
		let now = frame_system::Pallet::<T>::block_number();
		let due = Self::look_after(changes);
		let is_past = trigger.due.is_none_or(|due| due <= now);
		let is_earlier = due
			.zip(trigger.due)
			.is_some_and(|(new, before)| new < before);
		// As for a grant, looking too early costs less than moving the entry each time.
		if due != trigger.due && (is_past || is_earlier) {
			if let Some(before) = trigger.due {
				Agenda::<T>::remove(before, Due::Trigger(id));
			}
			if let Some(due) = due {
				Agenda::<T>::insert(due, Due::Trigger(id), ());
			}
			trigger.due = due;
			Triggers::<T>::insert(id, trigger);
		}
		false
	}

	/// Does what a trigger is for, and removes it.
	fn fire(target: Target<T::AccountId>) {
		let Some(by) = Self::drop_trigger(&target) else {
			return;
		};
		match target {
			Target::Request(request) => Self::withdraw(request),
			Target::Record {
				owner,
				dataset,
				key,
			} => Self::deposit_event(Event::EmbargoLifted {
				owner,
				key,
				met: true,
				dataset,
				by,
			}),
		}
	}

	/// Cancels a request for its consumer.
	fn withdraw(request: RequestId) {
		let Some(mut entry) = Requests::<T>::get(request) else {
			defensive!("a trigger is set on a request that does not exist");
			return;
		};
		let valid_until = Self::cancel(request, &mut entry);
		Self::deposit_event(Event::OfferReleased {
			request,
			owner: entry.owner,
			consumer: entry.consumer,
			scope: entry.scope,
			valid_until,
		});
	}

	/// Cancels a request: closes it at once if it has no offer or is overdue, or lets it expire after a notice. Returns the
	/// first block at which it is no longer valid.
	pub(crate) fn cancel(id: RequestId, request: &mut RequestOf<T>) -> BlockNumberFor<T> {
		let now = frame_system::Pallet::<T>::block_number();
		if request.offer.is_zero() || now >= request.valid_until {
			Self::close_request(id, request);
			return now;
		}
		Self::shorten_request(id, request);
		request.valid_until
	}
}
