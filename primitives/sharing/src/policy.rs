// SPDX-License-Identifier: Apache-2.0
//! Defines a dataset's standing policy: which requests its owner offers to grant, and for what price.
//!
//! The chain does not enforce a policy. A consumer can still make a request that does not meet it, and the
//! owner can still grant that request manually. Only a request that is known not to meet the policy's condition, which
//! is kept beside the policy, is refused. A request that meets the policy is granted automatically by
//! the owner's own client, which runs with the owner's keys. The chain and its clients judge requests with
//! the same function, [`Policy::judge`].

use crate::{
	ids::ProducerKind,
	purpose::{PurposeCode, PurposeCodes},
	scope::Scope,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The kinds of consumers that a policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct ConsumerKinds {
	/// Consumers registered as schools.
	pub school: bool,
	/// Consumers registered as government bodies.
	pub government: bool,
	/// Consumers registered as businesses.
	pub business: bool,
	/// Consumers registered as anything else.
	pub other: bool,
	/// Consumers that are not registered.
	pub unregistered: bool,
}

impl ConsumerKinds {
	/// All consumers, registered or not.
	pub const ALL: Self = Self {
		school: true,
		government: true,
		business: true,
		other: true,
		unregistered: true,
	};
	/// No consumers.
	pub const NONE: Self = Self {
		school: false,
		government: false,
		business: false,
		other: false,
		unregistered: false,
	};

	/// Returns whether a consumer of this kind is allowed; `None` stands for an unregistered consumer.
	pub fn allow(&self, kind: Option<ProducerKind>) -> bool {
		match kind {
			Some(ProducerKind::School) => self.school,
			Some(ProducerKind::Government) => self.government,
			Some(ProducerKind::Business) => self.business,
			Some(ProducerKind::Other) => self.other,
			None => self.unregistered,
		}
	}
}

/// Which requests an owner offers to grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Policy<Balance, BlockNumber> {
	/// The minimum offer for a request, in the smallest unit; 0 if access is free.
	pub price: Balance,
	/// The minimum offer for a request with a firm term, which cannot be revoked; `None` if the owner offers no
	/// firm terms.
	pub firm_price: Option<Balance>,
	/// The maximum number of leaves a request may cover.
	pub longest_range: u64,
	/// The maximum term of a request, in blocks.
	pub longest_term: BlockNumber,
	/// The kinds of consumers whose requests are granted.
	pub consumers: ConsumerKinds,
	/// The purposes for which requests are granted, by their codes.
	pub purposes: PurposeCodes,
}

/// What a dataset's policy says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub enum Verdict {
	/// The dataset has no policy: its owner decides manually.
	#[codec(index = 0)]
	NoPolicy,
	/// The request meets the policy.
	#[codec(index = 1)]
	Meets,
	/// Consumers of this kind are not allowed.
	#[codec(index = 2)]
	ConsumerNotAllowed,
	/// The range has more leaves than the policy allows.
	#[codec(index = 3)]
	RangeTooLong,
	/// The term is longer than the policy allows.
	#[codec(index = 4)]
	TermTooLong,
	/// The offer is below the price.
	#[codec(index = 5)]
	OfferTooLow,
	/// The owner offers no firm terms.
	#[codec(index = 6)]
	FirmNotOffered,
	/// The policy has a condition, and the request does not meet it, or that is not known because a fact is missing.
	#[codec(index = 7)]
	ConditionNotMet,
	/// Requests for this purpose are not granted.
	#[codec(index = 8)]
	PurposeNotAllowed,
}

impl<Balance: PartialOrd, BlockNumber: PartialOrd> Policy<Balance, BlockNumber> {
	/// Returns the policy's verdict on a request for this range and term, with this offer, from a consumer
	/// of this kind (`None` if not registered) for this purpose. `firm` is whether the request asks for a firm term.
	pub fn judge(
		&self,
		consumer: Option<ProducerKind>,
		code: PurposeCode,
		scope: &Scope,
		term: &BlockNumber,
		offer: &Balance,
		firm: bool,
	) -> Verdict {
		if !self.consumers.allow(consumer) {
			Verdict::ConsumerNotAllowed
		} else if !self.purposes.contains(code) {
			Verdict::PurposeNotAllowed
		} else if scope.leaves() > self.longest_range {
			Verdict::RangeTooLong
		} else if *term > self.longest_term {
			Verdict::TermTooLong
		} else if *offer < self.price {
			Verdict::OfferTooLow
		} else if firm {
			self.judge_firm(offer)
		} else {
			Verdict::Meets
		}
	}

	/// Returns the policy's verdict on a firm term for this offer, whatever else the request asks.
	pub fn judge_firm(&self, offer: &Balance) -> Verdict {
		match &self.firm_price {
			None => Verdict::FirmNotOffered,
			Some(least) if offer < least => Verdict::OfferTooLow,
			Some(_) => Verdict::Meets,
		}
	}
}

impl<Balance, BlockNumber: Default + PartialEq> Policy<Balance, BlockNumber> {
	/// Returns whether no request can meet the policy, because it allows no leaves, no blocks, no
	/// consumers or no purposes.
	pub fn allows_nothing(&self) -> bool {
		self.longest_range == 0
			|| self.longest_term == BlockNumber::default()
			|| self.consumers == ConsumerKinds::NONE
			|| self.purposes.is_empty()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	const POLICY: Policy<u128, u32> = Policy {
		price: 5,
		firm_price: Some(7),
		longest_range: 10,
		longest_term: 20,
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	};
	const KINDS: [Option<ProducerKind>; 5] = [
		Some(ProducerKind::School),
		Some(ProducerKind::Government),
		Some(ProducerKind::Business),
		Some(ProducerKind::Other),
		None,
	];

	fn scope(from: u64, to: u64) -> Scope {
		Scope {
			dataset: 0,
			epoch: 0,
			from,
			to,
		}
	}

	#[test]
	fn the_first_condition_that_fails_is_the_verdict() {
		let code = PurposeCode::Research;
		let judge =
			|kind, to, term, offer| POLICY.judge(kind, code, &scope(3, to), &term, &offer, false);
		assert_eq!(judge(None, 13, 20, 5), Verdict::Meets);
		assert_eq!(judge(None, 14, 21, 4), Verdict::RangeTooLong);
		assert_eq!(judge(None, 13, 21, 4), Verdict::TermTooLong);
		assert_eq!(judge(None, 13, 20, 4), Verdict::OfferTooLow);
		let schools = Policy {
			consumers: ConsumerKinds {
				school: true,
				..ConsumerKinds::NONE
			},
			..POLICY
		};
		let judge = |kind| schools.judge(kind, code, &scope(0, 99), &20, &5, false);
		assert_eq!(judge(None), Verdict::ConsumerNotAllowed);
		assert_eq!(judge(KINDS[0]), Verdict::RangeTooLong);
	}

	#[test]
	fn other_purposes_wait_for_the_owner() {
		let policy = Policy {
			purposes: [PurposeCode::Research, PurposeCode::Health]
				.into_iter()
				.collect(),
			..POLICY
		};
		for code in PurposeCode::ALL {
			let verdict = policy.judge(None, code, &scope(3, 13), &20, &5, false);
			let expected = match code {
				PurposeCode::Research | PurposeCode::Health => Verdict::Meets,
				_ => Verdict::PurposeNotAllowed,
			};
			assert_eq!(verdict, expected, "{code}");
			let any = POLICY.judge(None, code, &scope(3, 13), &20, &5, false);
			assert_eq!(any, Verdict::Meets, "{code}");
		}
	}

	#[test]
	fn a_firm_term_is_offered_at_its_own_price() {
		let code = PurposeCode::Unspecified;
		let judge = |policy: Policy<u128, u32>, offer| {
			policy.judge(None, code, &scope(3, 13), &20, &offer, true)
		};
		assert_eq!(judge(POLICY, 7), Verdict::Meets);
		assert_eq!(judge(POLICY, 6), Verdict::OfferTooLow);
		let none = Policy {
			firm_price: None,
			..POLICY
		};
		assert_eq!(judge(none, u128::MAX), Verdict::FirmNotOffered);
	}

	#[test]
	fn a_policy_that_allows_nothing_is_recognised() {
		assert!(!POLICY.allows_nothing());
		let (longest_range, longest_term, consumers) = (0, 0, ConsumerKinds::NONE);
		let purposes = PurposeCodes::NONE;
		for policy in [
			Policy {
				longest_range,
				..POLICY
			},
			Policy {
				longest_term,
				..POLICY
			},
			Policy {
				consumers,
				..POLICY
			},
			Policy { purposes, ..POLICY },
		] {
			assert!(policy.allows_nothing());
		}
	}

	proptest! {
		#[test]
		fn a_policy_that_allows_nothing_is_met_by_no_request(
			longest_range in 0..3u64, longest_term in 0..3u32, all: bool, bits in 0..4u32,
			to in 1..5u64, term in 1..5u32, offer in 0..9u128, kind in 0..5usize, code in 0..3usize,
		) {
			let consumers = if all { ConsumerKinds::ALL } else { ConsumerKinds::NONE };
			let purposes = PurposeCodes(bits);
			let policy = Policy { price: 5, firm_price: None, longest_range, longest_term, consumers, purposes };
			let code = PurposeCode::ALL[code];
			let meets = policy.judge(KINDS[kind], code, &scope(0, to), &term, &offer, false) == Verdict::Meets;
			prop_assert!(!(meets && policy.allows_nothing()));
		}
	}
}
