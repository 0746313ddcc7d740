//! A dataset's standing policy: which requests its owner says it will grant, and for what price. Pure:
//! nothing here reads or writes the state.
//!
//! A policy binds nobody on the chain. A request that does not meet it may still be made and granted
//! by hand; one that meets it is granted by the owner's program, which runs with the owner's keys.
//! Everybody judges a request by this one function, through the runtime API.

use crate::types::{ProducerKind, Scope};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The kinds of consumers that a policy allows.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Debug,
)]
pub struct ConsumerKinds {
	/// Those that are registered as schools.
	pub school: bool,
	/// Those that are registered as government bodies.
	pub government: bool,
	/// Those that are registered as businesses.
	pub business: bool,
	/// Those that are registered as anything else.
	pub other: bool,
	/// Those that are not registered.
	pub unregistered: bool,
}

impl ConsumerKinds {
	/// Everybody.
	pub const ALL: Self = Self {
		school: true,
		government: true,
		business: true,
		other: true,
		unregistered: true,
	};
	/// Nobody.
	pub const NONE: Self = Self {
		school: false,
		government: false,
		business: false,
		other: false,
		unregistered: false,
	};

	/// Whether a consumer of this kind is allowed; `None` for one that is not registered.
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

/// Which requests an owner says it will grant.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Debug,
)]
pub struct Policy<Balance, BlockNumber> {
	/// The least offer, for each request; 0 where it is free.
	pub price: Balance,
	/// The most leaves.
	pub longest_range: u64,
	/// The longest term, in blocks.
	pub longest_term: BlockNumber,
	/// Whose requests.
	pub consumers: ConsumerKinds,
}

/// A dataset's policy as the state has it.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct StandingPolicy<Balance, BlockNumber> {
	/// The policy.
	pub policy: Policy<Balance, BlockNumber>,
	/// What is held for this entry.
	pub deposit: Balance,
}

/// What a dataset's policy says of a request.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
#[scale_info(capture_docs = "always")]
pub enum Verdict {
	/// The dataset has no policy: its owner decides by hand.
	#[codec(index = 0)]
	NoPolicy,
	/// The request meets it.
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
}

impl<Balance: PartialOrd, BlockNumber: PartialOrd> Policy<Balance, BlockNumber> {
	/// What the policy says of a request for this range and term, with this offer, from a consumer of
	/// this kind (`None`: not registered).
	pub fn judge(
		&self,
		consumer: Option<ProducerKind>,
		scope: &Scope,
		term: &BlockNumber,
		offer: &Balance,
	) -> Verdict {
		if !self.consumers.allow(consumer) {
			Verdict::ConsumerNotAllowed
		} else if scope.to.saturating_sub(scope.from) > self.longest_range {
			Verdict::RangeTooLong
		} else if *term > self.longest_term {
			Verdict::TermTooLong
		} else if *offer < self.price {
			Verdict::OfferTooLow
		} else {
			Verdict::Meets
		}
	}
}
