// SPDX-License-Identifier: Apache-2.0
//! Finds out from a block's events what happened in each of its transactions.

use crate::{
	block::BlockId,
	error::Error,
	event::{Event, Reported},
	refusal::Refusal,
	state::State,
	types::BlockNumber,
};
use std::sync::Arc;
use subxt::events::Phase;

/// A transaction that is in a block and whose call succeeded.
#[derive(Clone, Debug)]
pub struct Included {
	/// The block. Until it is finalized, a reorganisation may replace it.
	pub block: BlockId,
	/// The transaction's index in the block.
	pub index: u32,
	/// The transaction's data-sharing events, in order.
	pub events: Vec<Event>,
	/// The transaction's reports of facts, in order.
	pub reports: Vec<Reported>,
	/// The errors of the calls that failed inside a batch without undoing the others, in the order of the
	/// calls; see [`Client::batch_each`](crate::Client::batch_each).
	pub refused: Vec<Refusal>,
}

impl Included {
	/// Returns the block's number.
	pub fn number(&self) -> BlockNumber {
		self.block.number
	}
}

/// Something that happened in a block, with the index of its transaction. The index is `None` for what the
/// chain did on its own, between transactions.
pub(crate) type Outcome = (Option<u32>, Happened);

/// What happened.
#[derive(Clone)]
pub(crate) enum Happened {
	/// An event of the data-sharing pallet.
	Event(Event),
	/// An account reported for a source of facts.
	Reported(Reported),
	/// The transaction's call failed, or the one that it carried out for another account.
	Refused(Refusal),
	/// One call of a batch failed, without undoing the others.
	OneRefused(Refusal),
}

/// A block's outcomes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct BlockEvents {
	/// The block.
	pub(crate) block: BlockId,
	/// Its outcomes, in order.
	pub(crate) outcomes: Arc<Vec<Outcome>>,
}

impl BlockEvents {
	/// Fetches and decodes a block's events.
	pub(crate) async fn fetch(state: &State) -> Result<Self, Error> {
		let mut outcomes = Vec::new();
		for event in state.inner().events().fetch().await?.iter() {
			let event = event?;
			let index = match event.phase() {
				Phase::ApplyExtrinsic(index) => Some(index),
				Phase::Initialization | Phase::Finalization => None,
			};
			let refusal = |error: &[u8]| state.refusal(error);
			let happened = match (event.pallet_name(), event.event_name()) {
				("System", "ExtrinsicFailed") => {
					Some(Happened::Refused(refusal(event.field_bytes())?))
				}
				("Utility", "ItemFailed") => {
					Some(Happened::OneRefused(refusal(event.field_bytes())?))
				}
				// A transaction of a proxy succeeds, whatever becomes of the call that it carries out.
				("Proxy", "ProxyExecuted") => match event.field_bytes() {
					[1, error @ ..] => Some(Happened::Refused(refusal(error)?)),
					_ => None,
				},
				_ => match Reported::read(&event) {
					Some(reported) => Some(Happened::Reported(reported)),
					None => Event::read(&event)?.map(Happened::Event),
				},
			};
			outcomes.extend(happened.map(|happened| (index, happened)));
		}
		Ok(Self {
			block: state.block(),
			outcomes: Arc::new(outcomes),
		})
	}

	/// Returns what happened in one transaction.
	///
	/// # Errors
	///
	/// Returns [`Error::Refused`] if its call failed.
	pub(crate) fn of(&self, index: u32) -> Result<Included, Error> {
		let mut included = Included {
			block: self.block,
			index,
			events: Vec::new(),
			reports: Vec::new(),
			refused: Vec::new(),
		};
		for (_, happened) in self.outcomes.iter().filter(|(at, _)| *at == Some(index)) {
			match happened.clone() {
				Happened::Event(event) => included.events.push(event),
				Happened::Reported(reported) => included.reports.push(reported),
				Happened::OneRefused(refusal) => included.refused.push(refusal),
				Happened::Refused(refusal) => return Err(Error::Refused(refusal)),
			}
		}
		Ok(included)
	}
}
