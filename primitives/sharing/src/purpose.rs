// SPDX-License-Identifier: Apache-2.0
//! Defines the codes for what data is requested for, so that a policy can tell requests apart.
//!
//! A request states its purpose in words, for people, and by one of these codes, for programs. The chain cannot know whether
//! either is true: it keeps what the consumer stated and the owner accepted. `docs/purposes.md` says which terms of DPV and
//! ODRL the codes stand for.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// What data is requested for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub enum PurposeCode {
	/// None is stated. So is that of a request of a runtime without codes, and of a grant that answers no request.
	#[default]
	#[codec(index = 0)]
	Unspecified,
	/// Research and development.
	#[codec(index = 1)]
	Research,
	/// Statistics, which say nothing about single persons.
	#[codec(index = 2)]
	Statistics,
	/// A service to those whom the data is about.
	#[codec(index = 3)]
	Service,
	/// An obligation by law: an audit, a report, an inspection.
	#[codec(index = 4)]
	Compliance,
	/// Teaching and learning, and what they need.
	#[codec(index = 5)]
	Education,
	/// The care of patients, and public health.
	#[codec(index = 6)]
	Health,
	/// The security of people, data and systems.
	#[codec(index = 7)]
	Security,
	/// Reporting to the public.
	#[codec(index = 8)]
	Journalism,
	/// The making of public policy.
	#[codec(index = 9)]
	PublicPolicy,
	/// A commercial use that no other code names.
	#[codec(index = 10)]
	Commercial,
	/// Advertising and sales.
	#[codec(index = 11)]
	Marketing,
}

impl PurposeCode {
	/// All codes, in the order of their numbers.
	pub const ALL: [Self; 12] = [
		Self::Unspecified,
		Self::Research,
		Self::Statistics,
		Self::Service,
		Self::Compliance,
		Self::Education,
		Self::Health,
		Self::Security,
		Self::Journalism,
		Self::PublicPolicy,
		Self::Commercial,
		Self::Marketing,
	];

	/// Returns the code's name, as people write it.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Unspecified => "unspecified",
			Self::Research => "research",
			Self::Statistics => "statistics",
			Self::Service => "service",
			Self::Compliance => "compliance",
			Self::Education => "education",
			Self::Health => "health",
			Self::Security => "security",
			Self::Journalism => "journalism",
			Self::PublicPolicy => "public-policy",
			Self::Commercial => "commercial",
			Self::Marketing => "marketing",
		}
	}
}

impl fmt::Display for PurposeCode {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.pad(self.name())
	}
}

impl core::str::FromStr for PurposeCode {
	type Err = UnknownPurpose;

	fn from_str(name: &str) -> Result<Self, Self::Err> {
		let code = Self::ALL.into_iter().find(|code| code.name() == name);
		code.ok_or_else(|| UnknownPurpose(name.to_owned()))
	}
}

/// A word that is not the name of a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown purpose `{0}`: expected one of {names}", names = names())]
pub struct UnknownPurpose(pub String);

/// Returns the names of all codes.
fn names() -> String {
	PurposeCode::ALL.map(PurposeCode::name).join(", ")
}

/// A set of codes: bit `n` stands for the code with the number `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct PurposeCodes(
	/// Bit `n` is set if the code with the number `n` is in the set.
	pub u32,
);

impl PurposeCodes {
	/// All codes that there are. A code that is added later is not among them, so that what someone allowed before does not
	/// grow.
	pub const ALL: Self = Self(u32::MAX >> (u32::BITS - PurposeCode::ALL.len() as u32));
	/// No codes.
	pub const NONE: Self = Self(0);

	/// Returns whether a code is in the set.
	pub const fn contains(self, code: PurposeCode) -> bool {
		self.0 & 1 << code as u32 != 0
	}

	/// Returns the codes that are in the set.
	pub fn codes(self) -> Vec<PurposeCode> {
		let codes = PurposeCode::ALL.into_iter();
		codes.filter(|code| self.contains(*code)).collect()
	}

	/// Returns whether there is a code for each bit that is set.
	pub const fn are_known(self) -> bool {
		self.0 & !Self::ALL.0 == 0
	}

	/// Returns whether none of the codes is in the set.
	pub fn is_empty(self) -> bool {
		PurposeCode::ALL.iter().all(|code| !self.contains(*code))
	}
}

impl FromIterator<PurposeCode> for PurposeCodes {
	fn from_iter<T: IntoIterator<Item = PurposeCode>>(codes: T) -> Self {
		let bits = codes.into_iter().map(|code| 1 << code as u32);
		Self(bits.fold(0, |set, bit: u32| set | bit))
	}
}

impl fmt::Display for PurposeCodes {
	/// Writes the names of the codes, or `any`.
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let codes = self.codes();
		match codes.len() == PurposeCode::ALL.len() {
			true => f.write_str("any"),
			false => f.write_str(
				&codes
					.into_iter()
					.map(PurposeCode::name)
					.collect::<Vec<_>>()
					.join(", "),
			),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::string::ToString;
	use proptest::prelude::*;

	#[test]
	fn numbers_and_names_are_fixed() {
		for (number, code) in PurposeCode::ALL.into_iter().enumerate() {
			let number = u8::try_from(number).expect("there are few");
			assert_eq!(code.encode(), [number]);
			assert_eq!(PurposeCode::decode(&mut &[number][..]), Ok(code));
			assert_eq!(code.to_string().parse(), Ok(code));
		}
		let next = u8::try_from(PurposeCode::ALL.len()).expect("there are few");
		assert!(PurposeCode::decode(&mut &[next][..]).is_err());
		assert_eq!(PurposeCode::default(), PurposeCode::Unspecified);
		// Each code has a bit.
		assert!(PurposeCode::ALL.len() <= u32::BITS as usize);
	}

	#[test]
	fn an_unknown_name_is_told_what_there_is() {
		let error = "Research".parse::<PurposeCode>().unwrap_err();
		let text = error.to_string();
		assert!(
			text.starts_with("unknown purpose `Research`: expected one of unspecified, research, "),
			"{text}"
		);
	}

	#[test]
	fn all_and_none_are_what_they_say() {
		assert_eq!(PurposeCodes::ALL.codes(), PurposeCode::ALL);
		assert_eq!(PurposeCodes::ALL.to_string(), "any");
		assert!(PurposeCodes::NONE.is_empty());
		assert_eq!(PurposeCodes::ALL, PurposeCode::ALL.into_iter().collect());
		// A bit for which there is no code yet.
		let next = PurposeCodes(1 << PurposeCode::ALL.len());
		assert!(next.is_empty() && !next.are_known());
		assert_eq!(PurposeCodes::ALL.0 & next.0, 0);
	}

	proptest! {
		#[test]
		fn a_set_contains_what_it_is_made_of(bits: u32) {
			let set = PurposeCodes(bits);
			let again: PurposeCodes = set.codes().into_iter().collect();
			for code in PurposeCode::ALL {
				let is_in = bits & (1 << (code as u32)) != 0;
				prop_assert_eq!(set.contains(code), is_in);
				prop_assert_eq!(again.contains(code), is_in);
			}
			prop_assert_eq!(set.is_empty(), set.codes().is_empty());
			prop_assert_eq!(set.are_known(), set == again);
			prop_assert_eq!(set.encode(), bits.to_le_bytes());
		}
	}
}
