// SPDX-License-Identifier: Apache-2.0
//! What the chain should have done by now.

use crate::{mock::*, *};

/// Returns the grants that are suspended although their conditions are met, or the other way round.
pub(super) fn misjudged() -> Vec<GrantId> {
	let is_wrong = |grant: &GrantOf<Test>| {
		let attached = grant.condition.as_ref();
		attached.is_some_and(|attached| {
			let (truth, _) = Sharing::truth(&attached.condition, &grant.grantee);
			!Sharing::is_over(grant) && Sharing::state_by(truth) != grant.state
		})
	};
	let grants = Grants::<Test>::iter().filter(|(_, grant)| is_wrong(grant));
	grants.map(|(id, _)| id).collect()
}

/// Returns the triggers that have not fired although their conditions are met.
pub(super) fn unfired() -> Vec<TriggerId> {
	let is_met = |trigger: &TriggerOf<Test>| {
		let (truth, _) = Sharing::truth(&trigger.attached.condition, &trigger.by);
		truth.is_met()
	};
	let triggers = Triggers::<Test>::iter().filter(|(_, trigger)| is_met(trigger));
	triggers.map(|(id, _)| id).collect()
}

pub(super) fn settle(due: &[Due]) -> SharingCall {
	let due = due.to_vec().try_into().expect("there are few");
	SharingCall::settle { due }
}

/// Returns what should have ended or been removed by now.
pub(super) fn overdue() -> Vec<Due> {
	let (now, time) = (System::block_number(), Time::get());
	let requests = Requests::<Test>::iter()
		.filter(|(_, request)| now >= request.valid_until)
		.map(|(id, _)| Due::Request(id));
	let is_late = |grant: &GrantOf<Test>| match grant.state.has_ended() {
		false => grant.state_at(&now, time) == GrantState::Expired,
		true => now >= grant.due,
	};
	let grants = Grants::<Test>::iter()
		.filter(|(_, grant)| is_late(grant))
		.map(|(id, _)| Due::Grant(id));
	let payments = Payments::<Test>::iter()
		.filter(|(_, payment)| now >= payment.until)
		.map(|(id, _)| Due::Payment(id));
	requests.chain(grants).chain(payments).collect()
}
