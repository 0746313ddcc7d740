// SPDX-License-Identifier: Apache-2.0
//! Conditions and truths inside of what a client decodes and encodes by the names in a chain's metadata.
//!
//! A condition is decoded as what this crate knows, not by names: its bounds are checked as everywhere, and a condition of a
//! chain that has other nodes is refused.

use crate::{condition::Condition, evaluate::Truth};
use alloc::{string::ToString, vec::Vec};
use codec::{Decode, Encode};
use core::marker::PhantomData;
use scale_decode::{
	visitor::{DecodeAsTypeResult, TypeIdFor},
	IntoVisitor, Visitor,
};
use scale_encode::{EncodeAsType, Error as EncodeError};

/// Decodes a value from its SCALE encoding, whatever the metadata calls it.
pub struct Encoded<T, R>(PhantomData<(T, R)>);

impl<T: Decode, R: scale_decode::TypeResolver> Visitor for Encoded<T, R> {
	type Value<'scale, 'resolver> = T;
	type Error = scale_decode::Error;
	type TypeResolver = R;

	fn unchecked_decode_as_type(
		self,
		input: &mut &[u8],
		_: TypeIdFor<Self>,
		_: &R,
	) -> DecodeAsTypeResult<Self, Result<T, scale_decode::Error>> {
		let value =
			T::decode(input).map_err(|error| scale_decode::Error::custom_string(error.to_string()));
		DecodeAsTypeResult::Decoded(value)
	}
}

impl IntoVisitor for Condition {
	type AnyVisitor<R: scale_decode::TypeResolver> = Encoded<Self, R>;

	fn into_visitor<R: scale_decode::TypeResolver>() -> Encoded<Self, R> {
		Encoded(PhantomData)
	}
}

impl IntoVisitor for Truth {
	type AnyVisitor<R: scale_decode::TypeResolver> = Encoded<Self, R>;

	fn into_visitor<R: scale_decode::TypeResolver>() -> Encoded<Self, R> {
		Encoded(PhantomData)
	}
}

impl EncodeAsType for Condition {
	fn encode_as_type_to<R: scale_encode::TypeResolver>(
		&self,
		_: R::TypeId,
		_: &R,
		out: &mut Vec<u8>,
	) -> Result<(), EncodeError> {
		self.encode_to(out);
		Ok(())
	}
}
