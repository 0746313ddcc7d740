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
use sp_runtime::{traits::Zero, ArithmeticError, DispatchResult};

impl<T: Config> Pallet<T> {
	/// Sets the trigger of a request or record, in place of the one that it has. Without a condition, removes that.
	///
	/// # Errors
	///
	/// Returns an error if the condition is met already, or if there is neither an old nor a new one.
	fn set_trigger(
		target: Target<T::AccountId>,
		by: T::AccountId,
		condition: Option<Condition>,
	) -> DispatchResult {
		let had_one = Self::drop_trigger(&target);
		let Some(condition) = condition else {
			ensure!(had_one, Error::<T>::NoCondition);
			return Ok(());
		};
		let attached = Self::attach(condition, &by, Payer::Account(&by), TRIGGER_ENTRIES)?;
		let (truth, changes) = Self::truth(&attached.condition, &by);
		ensure!(!truth.is_met(), Error::<T>::ConditionMet);
		let id = NextTrigger::<T>::get();
		NextTrigger::<T>::put(id.checked_add(1).ok_or(ArithmeticError::Overflow)?);
		match &target {
			Target::Request(request) => Withdrawals::<T>::insert(request, id),
			Target::Record(owner, key) => Embargoes::<T>::insert(owner, key, id),
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
		Ok(())
	}

	/// Removes the trigger of a request or record, if it has one, and releases its deposit. Returns whether it had one.
	pub(crate) fn drop_trigger(target: &Target<T::AccountId>) -> bool {
		let id = match target {
			Target::Request(request) => Withdrawals::<T>::take(request),
			Target::Record(owner, key) => Embargoes::<T>::take(owner, key),
		};
		let Some(id) = id else {
			return false;
		};
		let Some(trigger) = Triggers::<T>::take(id) else {
			defensive!("a trigger that is named does not exist");
			return false;
		};
		if let Some(due) = trigger.due {
			Agenda::<T>::remove(due, Due::Trigger(id));
		}
		let Trigger { by, attached, .. } = &trigger;
		Self::detach(Waiter::Trigger(id), attached, by, Payer::Account(by));
		true
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

	/// Puts a record of an owner under an embargo, stored already or not, or lifts the embargo. Who acts pays.
	pub(crate) fn do_embargo(
		acting: Acting<T::AccountId>,
		key: RecordKey,
		condition: Option<Condition>,
	) -> DispatchResult {
		let Acting { owner, by } = acting;
		if condition.is_some() {
			ensure!(Producers::<T>::contains_key(&by), Error::<T>::NotRegistered);
			// What was paid for must not be taken away.
			let record = Records::<T>::get(&owner, key);
			ensure!(
				!record.is_some_and(|record| Self::is_paid_for(&owner, &record)),
				Error::<T>::RecordPaidFor
			);
		}
		let target = Target::Record(owner.clone(), key);
		Self::set_trigger(target, by, condition.clone())?;
		Self::deposit_event(match condition {
			Some(condition) => Event::Embargoed {
				owner,
				key,
				condition,
			},
			None => Event::EmbargoLifted {
				owner,
				key,
				met: false,
			},
		});
		Ok(())
	}

	/// Looks at a trigger, which fires if its condition is met. Returns whether it did.
	pub(crate) fn look_at_trigger(id: TriggerId, mut trigger: TriggerOf<T>) -> bool {
		let (truth, changes) = Self::truth(&trigger.attached.condition, &trigger.by);
		if truth.is_met() {
			Self::fire(&trigger.target);
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
	fn fire(target: &Target<T::AccountId>) {
		Self::drop_trigger(target);
		match target {
			Target::Request(request) => Self::withdraw(*request),
			Target::Record(owner, key) => Self::deposit_event(Event::EmbargoLifted {
				owner: owner.clone(),
				key: *key,
				met: true,
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
