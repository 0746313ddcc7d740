// SPDX-License-Identifier: Apache-2.0
//! Defines the values of facts and constants.

use crate::name::Text;
use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use core::cmp::Ordering;
use scale_info::TypeInfo;

/// The maximum number of a decimal's digits after the point.
pub const MAX_SCALE: u8 = 18;

/// A value that a source reports, or a constant that a fact is compared with.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(capture_docs = "always")]
pub enum Value {
	/// An integer.
	#[codec(index = 0)]
	Integer(i64),
	/// An exact decimal number.
	#[codec(index = 1)]
	Decimal(Decimal),
	/// A text.
	#[codec(index = 2)]
	Text(Text),
	/// A hash.
	#[codec(index = 3)]
	Hash([u8; 32]),
}

impl Value {
	/// Orders two numbers exactly, integers and decimals alike. Returns `None` if one of the values is not a number.
	pub fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
		let (mantissa, scale) = self.number()?;
		let (other_mantissa, other_scale) = other.number()?;
		let common = scale.max(other_scale);
		// A mantissa is below 2^63, and 10^18 below 2^60, so that the products fit.
		let scaled =
			|mantissa: i64, scale: u8| i128::from(mantissa) * 10i128.pow(u32::from(common - scale));
		Some(scaled(mantissa, scale).cmp(&scaled(other_mantissa, other_scale)))
	}

	/// Returns whether the value is a number.
	pub fn is_number(&self) -> bool {
		self.number().is_some()
	}

	/// Returns whether two values are the same: numbers by what they amount to, texts and hashes byte for byte. Returns
	/// `None` if the values are of different types.
	pub fn equals(&self, other: &Self) -> Option<bool> {
		match (self, other) {
			(Self::Text(one), Self::Text(other)) => Some(one == other),
			(Self::Hash(one), Self::Hash(other)) => Some(one == other),
			_ => self.compare_numbers(other).map(Ordering::is_eq),
		}
	}

	/// Returns a number as a mantissa, and the number of its digits that are after the point.
	fn number(&self) -> Option<(i64, u8)> {
		match self {
			Self::Integer(integer) => Some((*integer, 0)),
			Self::Decimal(decimal) => Some((decimal.mantissa, decimal.scale)),
			Self::Text(_) | Self::Hash(_) => None,
		}
	}
}

/// An exact decimal number: `mantissa / 10^scale`.
///
/// Each number has one form: a mantissa that ends with a zero has scale 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, MaxEncodedLen, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Decimal {
	/// The number without its point.
	mantissa: i64,
	/// How many of the mantissa's digits are after the point: at most [`MAX_SCALE`].
	scale: u8,
}

/// Why something is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
	"a decimal has at most 18 digits after the point, and without its point it is a 64-bit integer"
)]
pub struct DecimalError;

impl Decimal {
	/// Returns `mantissa / 10^scale`, without zeros at the end.
	///
	/// # Errors
	///
	/// Fails if, without zeros at the end, the mantissa does not fit into 64 bits or the scale is more than
	/// [`MAX_SCALE`].
	pub fn new(mut mantissa: i128, mut scale: u32) -> Result<Self, DecimalError> {
		if mantissa == 0 {
			scale = 0;
		}
		while scale > 0 && mantissa % 10 == 0 {
			mantissa /= 10;
			scale -= 1;
		}
		match (i64::try_from(mantissa), u8::try_from(scale)) {
			(Ok(mantissa), Ok(scale)) if scale <= MAX_SCALE => Ok(Self { mantissa, scale }),
			_ => Err(DecimalError),
		}
	}

	/// Returns the number without its point.
	pub fn mantissa(self) -> i64 {
		self.mantissa
	}

	/// Returns how many of the mantissa's digits are after the point.
	pub fn scale(self) -> u8 {
		self.scale
	}
}

impl Decode for Decimal {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		let (mantissa, scale) = <(i64, u8)>::decode(input)?;
		let decimal = Self { mantissa, scale };
		if Self::new(mantissa.into(), scale.into()) == Ok(decimal) {
			Ok(decimal)
		} else {
			Err("a decimal is not in its canonical form".into())
		}
	}
}

impl DecodeWithMemTracking for Decimal {}
