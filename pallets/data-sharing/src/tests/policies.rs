// SPDX-License-Identifier: Apache-2.0
//! Tests datasets' policies (the conditions under which owners grant requests), and their verdicts on
//! requests.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{assert_noop, assert_ok};
use polkadot_sdk::*;

pub(super) const POLICY: Policy<u64, u64> = Policy {
	price: 5,
	firm_price: None,
	longest_range: 10,
	longest_term: 20,
	consumers: ConsumerKinds::ALL,
	purposes: PurposeCodes::ALL,
};

pub(super) fn set(policy: Policy<u64, u64>) -> SharingCall {
	SharingCall::set_policy {
		dataset: 0,
		policy,
		condition: None,
	}
}

fn clear() -> SharingCall {
	SharingCall::clear_policy { dataset: 0 }
}

fn standing() -> Option<Policy<u64, u64>> {
	Policies::<Test>::get(SCHOOL, 0).map(|entry| entry.policy)
}

#[test]
fn a_policy_is_set_changed_and_cleared() {
	with_dataset(|| {
		let before = held(HoldReason::Dataset, SCHOOL);
		assert_ok!(submit(SCHOOL, set(POLICY)));
		assert_eq!(
			last_event(),
			SharingEvent::PolicySet {
				owner: SCHOOL,
				dataset: 0,
				policy: POLICY,
				condition: None,
			}
		);
		let other = Policy { price: 0, ..POLICY };
		assert_ok!(submit(SCHOOL, set(other)));
		assert_eq!(standing(), Some(other));
		assert_eq!(held(HoldReason::Dataset, SCHOOL), before + PER_ITEM);
		assert_ok!(submit(SCHOOL, clear()));
		assert_eq!(
			last_event(),
			SharingEvent::PolicyCleared {
				owner: SCHOOL,
				dataset: 0
			}
		);
		assert_eq!(standing(), None);
		assert_eq!(held(HoldReason::Dataset, SCHOOL), before);
	});
}

#[test]
fn a_policy_goes_with_its_dataset() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, set(POLICY)));
		assert_ok!(submit(SCHOOL, SharingCall::remove_dataset { dataset: 0 }));
		assert_eq!(standing(), None);
		// The deposit for the count of datasets stays.
		assert_eq!(held(HoldReason::Dataset, SCHOOL), PER_ITEM);
	});
}

#[test]
fn a_bad_policy_is_refused() {
	with_dataset(|| {
		for policy in [
			Policy {
				longest_range: 0,
				..POLICY
			},
			Policy {
				longest_term: 0,
				..POLICY
			},
			Policy {
				consumers: ConsumerKinds::NONE,
				..POLICY
			},
			Policy {
				purposes: PurposeCodes::NONE,
				..POLICY
			},
		] {
			assert_noop!(submit(SCHOOL, set(policy)), Error::PolicyEmpty);
		}
		// A purpose that is added later is not in a policy that was set before.
		let next = 1 << PurposeCode::ALL.len();
		for bits in [u32::MAX, next, next | 1] {
			let purposes = PurposeCodes(bits);
			let policy = Policy { purposes, ..POLICY };
			assert_noop!(submit(SCHOOL, set(policy)), Error::PurposeUnknown);
		}
		assert_noop!(submit(SCHOOL, clear()), Error::NoPolicy);
		assert_noop!(submit(STRANGER, set(POLICY)), Error::NotRegistered);
		assert_noop!(submit(STRANGER, clear()), Error::NotRegistered);
		let (dataset, policy) = (1, POLICY);
		let condition = None;
		let unknown = SharingCall::set_policy {
			dataset,
			policy,
			condition,
		};
		assert_noop!(submit(SCHOOL, unknown), Error::UnknownDataset);
	});
}

#[test]
fn every_kind_of_consumer_is_told_apart() {
	let kinds = [
		Some(ProducerKind::School),
		Some(ProducerKind::Government),
		Some(ProducerKind::Business),
		Some(ProducerKind::Other),
		None,
	];
	let one = |kind| {
		let mut consumers = ConsumerKinds::NONE;
		match kind {
			0 => consumers.school = true,
			1 => consumers.government = true,
			2 => consumers.business = true,
			3 => consumers.other = true,
			_ => consumers.unregistered = true,
		}
		consumers
	};
	for (allowed, _) in kinds.iter().enumerate() {
		for (asks, kind) in kinds.into_iter().enumerate() {
			assert_eq!(one(allowed).allow(kind), allowed == asks);
		}
	}
}

#[test]
fn a_request_is_judged_and_let_through_all_the_same() {
	with_dataset(|| {
		let judge = |range, offer| {
			let id = NextRequest::<Test>::get();
			assert_ok!(submit(COMPANY, request(range, offer)));
			Sharing::verdict(&Requests::<Test>::get(id).expect("it was made"))
		};
		assert_eq!(judge(scope(0, 9), 5), Verdict::NoPolicy);
		assert_ok!(submit(SCHOOL, set(POLICY)));
		assert_eq!(judge(scope(0, 10), 5), Verdict::Meets);
		assert_eq!(judge(scope(1, 10), 4), Verdict::OfferTooLow);
		assert_eq!(judge(scope(0, 11), 5), Verdict::RangeTooLong);
		let shorter = Policy {
			longest_term: 19,
			..POLICY
		};
		assert_ok!(submit(SCHOOL, set(shorter)));
		assert_eq!(judge(scope(1, 11), 5), Verdict::TermTooLong);
		let schools = Policy {
			consumers: ConsumerKinds {
				school: true,
				..ConsumerKinds::NONE
			},
			..POLICY
		};
		assert_ok!(submit(SCHOOL, set(schools)));
		assert_eq!(judge(scope(2, 12), 5), Verdict::ConsumerNotAllowed);
		let register = SharingCall::register {
			kind: ProducerKind::School,
			name: b"another school".to_vec(),
		};
		assert_ok!(submit(COMPANY, register));
		assert_eq!(judge(scope(3, 13), 5), Verdict::Meets);
	});
}

/// What a consumer asks before it makes a request is what it learns about the request afterwards.
#[test]
fn the_verdict_of_a_request_is_known_before_it_is_made() {
	with_dataset(|| {
		let code = PurposeCode::Unspecified;
		let verdict =
			|offer| Sharing::verdict_of(&COMPANY, &SCHOOL, &scope(0, 10), code, &20, &offer, false);
		assert_eq!(verdict(100), Verdict::NoPolicy);
		let policy = Policy {
			price: 50,
			..POLICY
		};
		assert_ok!(submit(SCHOOL, set(policy)));
		for (offer, id) in [(49, 0), (50, 1)] {
			assert_ok!(submit(COMPANY, request(scope(0, 10), offer)));
			let made = Requests::<Test>::get(id).expect("it is open");
			assert_eq!(verdict(offer), Sharing::verdict(&made));
			assert_eq!(verdict(offer) == Verdict::Meets, offer == 50);
			let reject = SharingCall::reject_request {
				request: id,
				reason: vec![],
			};
			assert_ok!(submit(SCHOOL, reject));
		}
	});
}

/// Makes the mock's request, for this purpose.
fn request_for(range: Scope, purpose: PurposeCode) -> SharingCall {
	let mut call = request(range, 5);
	if let SharingCall::request_access { code, .. } = &mut call {
		*code = purpose;
	}
	call
}

#[test]
fn a_request_for_another_purpose_waits_for_the_owner_and_the_grant_keeps_its_code() {
	with_dataset(|| {
		let policy = Policy {
			purposes: [PurposeCode::Research, PurposeCode::Statistics]
				.into_iter()
				.collect(),
			..POLICY
		};
		assert_ok!(submit(SCHOOL, set(policy)));
		for (id, code) in (0u64..).zip(PurposeCode::ALL) {
			assert_ok!(submit(COMPANY, request_for(scope(id, id + 9), code)));
			let asked = Requests::<Test>::get(id).expect("it is open");
			assert_eq!(asked.code, code);
			let meets = matches!(code, PurposeCode::Research | PurposeCode::Statistics);
			let expected = match meets {
				true => Verdict::Meets,
				false => Verdict::PurposeNotAllowed,
			};
			assert_eq!(Sharing::verdict(&asked), expected, "{code}");
			// The owner may grant it all the same, but as it was asked.
			let mut other = answered(id);
			let restated = Request {
				code: PurposeCode::ALL[(code as usize + 1) % PurposeCode::ALL.len()],
				..asked.clone()
			};
			other.digest = restated.digest(sp_io::hashing::blake2_256);
			let answer = |request| SharingCall::add_authorize {
				grantee: COMPANY,
				scope: scope(id, id + 9),
				expiry: 50,
				until: None,
				sealed_keys: b"sealed".to_vec(),
				request: Some(request),
				condition: None,
			};
			assert_noop!(submit(SCHOOL, answer(other)), Error::NotAsRequested);
			let agreed = answered(id);
			assert_ok!(submit(SCHOOL, answer(agreed)));
			let event = last_event();
			assert!(
				matches!(event, SharingEvent::Authorized { code: kept, agreement: Some(digest), .. }
					if kept == code && digest == agreed.digest),
				"{event:?}"
			);
			let grant = Grants::<Test>::get(id).expect("it was given");
			assert_eq!((grant.code, grant.agreement), (code, Some(agreed.digest)));
			assert_ok!(submit(SCHOOL, SharingCall::revoke { grant: id }));
		}
	});
}
