// SPDX-License-Identifier: Apache-2.0
//! How the fields of events are written in JSON.

use crate::{text::to_hex, types::*};
use serde::{Serialize, Serializer};
use std::fmt::{Debug, Display};

/// A scope in JSON.
#[derive(Serialize)]
#[serde(remote = "Scope")]
pub(super) struct ScopeJson {
	dataset: DatasetId,
	epoch: Epoch,
	from: u64,
	to: u64,
}

/// A policy in JSON.
#[derive(Serialize)]
#[serde(remote = "Policy", rename_all = "camelCase")]
pub(super) struct PolicyJson {
	#[serde(serialize_with = "as_text")]
	price: Balance,
	#[serde(serialize_with = "as_text_if_any")]
	firm_price: Option<Balance>,
	longest_range: u64,
	longest_term: BlockNumber,
	#[serde(skip)]
	#[allow(dead_code)] // Events show only the price, the limits and the purposes.
	consumers: ConsumerKinds,
	#[serde(serialize_with = "as_codes")]
	purposes: PurposeCodes,
}

pub(super) fn as_text<T: Display, S: Serializer>(
	value: &T,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	serializer.collect_str(value)
}

pub(super) fn as_text_if_any<T: Display, S: Serializer>(
	value: &Option<T>,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	let text = value.as_ref().map(ToString::to_string);
	text.serialize(serializer)
}

pub(super) fn as_texts<T: Display, S: Serializer>(
	values: &[T],
	serializer: S,
) -> Result<S::Ok, S::Error> {
	serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn as_codes<S: Serializer>(codes: &PurposeCodes, serializer: S) -> Result<S::Ok, S::Error> {
	as_texts(&codes.codes(), serializer)
}

pub(super) fn as_name<T: Debug, S: Serializer>(
	value: &T,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	serializer.collect_str(&format_args!("{value:?}"))
}

pub(super) fn as_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
	serializer.serialize_str(&to_hex(bytes))
}
