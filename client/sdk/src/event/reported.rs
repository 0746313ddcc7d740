// SPDX-License-Identifier: Apache-2.0
//! The event of a report, which is the facts pallet's.

use crate::types::*;
use codec::{Decode, DecodeAll};
use isthmus_conditions::{Name, Value as Fact};
use subxt::{config::SubstrateConfig, utils::H256};

/// A report in a block, as its event tells.
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
pub struct Reported {
	/// The source.
	pub source: Name,
	/// What the report is about.
	pub topic: Name,
	/// The account that reported.
	pub reporter: AccountId,
	/// What it observed.
	pub value: Fact,
	/// When it observed that, in seconds since 1970.
	pub observed: Seconds,
	/// The hash of the response.
	pub response: H256,
	/// The fact after this report; `None` if too few accounts have reported lately, or they do not agree.
	pub fact: Option<Fact>,
}

impl Reported {
	/// Reads an event of a block. Returns `None` for other events, and if the chain lays the event out in another way.
	pub(crate) fn read(event: &subxt::events::Event<'_, SubstrateConfig>) -> Option<Self> {
		let is_report = event.pallet_name() == FACTS && event.event_name() == "Reported";
		let fields = is_report.then(|| event.field_bytes())?;
		Self::decode_all(&mut &*fields).ok()
	}
}
