// SPDX-License-Identifier: Apache-2.0
//! The agenda: what happens automatically at each block.

use super::*;

/// The agenda.
impl<T: Config> Pallet<T> {
	/// Processes up to `MaxEndingsPerBlock` agenda entries that are due by this block, oldest first.
	pub(crate) fn begin_agenda(now: BlockNumberFor<T>) -> Weight {
		if Migrating::<T>::exists() {
			// What is due may not be readable yet. It is overdue when it is.
			if !Backlog::<T>::exists() {
				Backlog::<T>::put(now);
			}
			return T::DbWeight::get().reads_writes(2, 1);
		}
		Self::work_off_agenda(now, T::MaxEndingsPerBlock::get())
	}

	/// Processes overdue agenda entries until this weight is used up.
	pub(crate) fn catch_up_agenda(now: BlockNumberFor<T>, room: Weight) -> Weight {
		let look = T::DbWeight::get().reads(1);
		if room.any_lt(look) || !Backlog::<T>::exists() {
			return look.min(room);
		}
		// The last entry begins when steps are left, and may be a trigger.
		let trigger = Self::weight_of_trigger(MAX_NODES.saturated_into());
		let heaviest = trigger.max(Self::weight_of_settling(1));
		let last = T::WeightInfo::on_initialize_idle().saturating_add(heaviest);
		let room = room.saturating_sub(look.saturating_add(last));
		let steps = room.checked_div_per_component(&Self::weight_of_step());
		let steps = steps.unwrap_or(0).saturated_into::<u32>();
		if steps == 0 {
			return look;
		}
		look.saturating_add(Self::work_off_agenda(now, steps))
	}

	/// Returns the weight of processing this number of agenda entries, whatever they are.
	pub(crate) fn weight_of_settling(entries: u64) -> Weight {
		Self::weight_of_step()
			.saturating_add(Self::weight_of_condition())
			.saturating_mul(entries)
	}

	/// Returns the weight of processing an agenda entry without a condition.
	pub(crate) fn weight_of_step() -> Weight {
		T::WeightInfo::lapse_request()
			.max(T::WeightInfo::expire_grant())
			.max(T::WeightInfo::forget_grant())
			.max(T::WeightInfo::pay_owner())
			.max(T::WeightInfo::on_initialize_idle())
	}

	/// Returns the additional weight if the entry has a condition, which is evaluated or removed, or a payment.
	fn weight_of_condition() -> Weight {
		Self::weight_of_look()
			.max(T::WeightInfo::detach())
			.max(T::WeightInfo::pay_owner())
	}

	/// Returns the weight of processing an agenda entry that is a trigger whose condition has this many nodes: the trigger
	/// fires, or is put off.
	pub(crate) fn weight_of_trigger(nodes: u32) -> Weight {
		let look = T::WeightInfo::carry_out(nodes).max(T::WeightInfo::detach());
		Self::weight_of_firing(nodes).max(Self::weight_of_step().saturating_add(look))
	}

	/// Returns the weight of processing this agenda entry, by what it has: a condition, a payment, or nothing of them.
	pub(crate) fn weight_of_due(due: Due) -> Weight {
		match due {
			Due::Grant(id) if Self::takes_more(id) => Self::weight_of_settling(1),
			Due::Request(id) if Withdrawals::<T>::contains_key(id) => Self::weight_of_settling(1),
			Due::Trigger(id) => Self::weight_of_trigger(Self::nodes_of(id)),
			_ => Self::weight_of_step(),
		}
	}

	/// Processes agenda entries that are due by this block, oldest first. Moving on from one block's agenda to
	/// the next takes a step, too. A grant with a condition takes more weight, and so more than one step.
	fn work_off_agenda(now: BlockNumberFor<T>, steps: u32) -> Weight {
		let backlog = Backlog::<T>::get();
		let mut block = backlog.unwrap_or(now);
		let weight = T::WeightInfo::on_initialize_idle();
		// Processing an entry removes it from the agenda. It may add an entry, but only for a later block.
		let mut agenda = Agenda::<T>::iter_key_prefix(block);
		let most = Self::weight_of_step().saturating_mul(steps.into());
		let mut spent = Weight::zero();
		for _ in 0..steps {
			if spent.any_gt(most) {
				break;
			}
			match agenda.next() {
				Some(due) => spent.saturating_accrue(Self::on_due(block, due)),
				None if block < now => {
					block.saturating_inc();
					agenda = Agenda::<T>::iter_key_prefix(block);
					spent.saturating_accrue(T::WeightInfo::on_initialize_idle());
				}
				None => {
					if backlog.is_some() {
						Backlog::<T>::kill();
					}
					return weight.saturating_add(spent);
				}
			}
		}
		Backlog::<T>::put(block);
		weight.saturating_add(spent)
	}

	/// Processes one due entry and removes it from the agenda.
	fn on_due(block: BlockNumberFor<T>, due: Due) -> Weight {
		let weight = Self::weight_of_due(due);
		if !Self::settle_one(due) {
			match due {
				// The grant's condition was evaluated. Or it ends at a date, and blocks are faster than expected.
				Due::Grant(id) => match Grants::<T>::get(id) {
					Some(grant) if grant.due > block => {}
					Some(mut grant) => {
						let due = Self::due(grant.expiry, grant.until, None);
						Self::put_off(id, &mut grant, due);
					}
					None => {
						defensive!("the agenda has a grant that does not exist");
						Agenda::<T>::remove(block, due);
					}
				},
				// It was looked at, and is on the agenda of a later block or of none.
				Due::Trigger(id) if Triggers::<T>::contains_key(id) => {}
				Due::Request(_) | Due::Trigger(_) | Due::Payment(_) => {
					defensive!("the agenda has an entry that does not exist");
					Agenda::<T>::remove(block, due);
				}
			}
		}
		weight
	}

	/// Returns whether a grant has a condition or a payment.
	fn takes_more(id: GrantId) -> bool {
		let has_condition = |grant: GrantOf<T>| grant.condition.is_some();
		Grants::<T>::get(id).is_some_and(has_condition) || Payments::<T>::contains_key(id)
	}

	/// Ends a request or grant, or removes an ended grant, if it is due; suspends or resumes a grant, or fires a trigger, if
	/// its condition says so; pays an owner. Returns whether anything was done.
	pub(crate) fn settle_one(due: Due) -> bool {
		let now = frame_system::Pallet::<T>::block_number();
		match due {
			Due::Request(id) => {
				let overdue = |request: &RequestOf<T>| now >= request.valid_until;
				let Some(request) = Requests::<T>::get(id).filter(overdue) else {
					return false;
				};
				Self::close_request(id, &request);
				let Request {
					owner,
					consumer,
					scope,
					..
				} = request;
				Self::deposit_event(Event::RequestLapsed {
					request: id,
					owner,
					consumer,
					scope,
				});
			}
			Due::Grant(id) => {
				let Some(mut grant) = Grants::<T>::get(id) else {
					return false;
				};
				match grant.state {
					GrantState::Active | GrantState::Suspended => {
						if !Self::is_over(&grant) {
							return Self::look_at(id, &mut grant);
						}
						Self::expire_grant(id, &mut grant);
					}
					_ if now < grant.due => return false,
					_ => Self::remember_no_longer(id, grant),
				}
			}
			Due::Trigger(id) => {
				let trigger = Triggers::<T>::get(id);
				return trigger.is_some_and(|trigger| Self::look_at_trigger(id, trigger));
			}
			Due::Payment(id) => {
				let over = Payments::<T>::get(id).is_some_and(|payment| now >= payment.until);
				let Some(mut grant) = Grants::<T>::get(id).filter(|_| over) else {
					return false;
				};
				match grant.state.has_ended() {
					true => Self::close_payment(id, &mut grant),
					false => Self::pay_owner(id, &grant),
				}
			}
		}
		true
	}

	/// Removes an ended grant, whose time is over or whose place is needed.
	pub(super) fn remember_no_longer(id: GrantId, grant: GrantOf<T>) {
		Self::forget_grant(id, &grant);
		let Grant {
			owner,
			grantee,
			scope,
			..
		} = grant;
		Self::deposit_event(Event::GrantForgotten {
			grant: id,
			owner,
			grantee,
			scope,
		});
	}
}
