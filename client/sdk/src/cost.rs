// SPDX-License-Identifier: Apache-2.0
//! Computes what something costs at present, and checks that it may cost that, before it is sent.

use crate::{
	account::Account,
	budget::Purse,
	call::Call,
	client::Client,
	error::{CostError, Error, Rejection},
	state::State,
	types::{AccountId, Balance, Cost, Place, RecordKey},
};
use isthmus_sharing::terms::{Footprint, Rates};
use std::sync::{MutexGuard, PoisonError};

/// How many entries of the state a record takes, each with a deposit: its own, and its leaf's.
const ENTRIES: Balance = 2;

/// The bytes of data in the transaction whose fee is asked for: fees and weights grow with the length, so that of a
/// megabyte follows from it.
const SAMPLE: usize = 64 * 1024;

/// What a kind of transaction costs at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prices {
	/// The fee of a transaction without data.
	empty: Balance,
	/// The fee of a transaction with [`SAMPLE`] bytes.
	sample: Balance,
}

impl Prices {
	/// Asks the node what it costs to store chunks of the record under `key`.
	pub(crate) async fn of_chunks(client: &Client, key: RecordKey) -> Result<Self, Error> {
		let call = async |bytes: &[u8]| client.store_chunk(key, 0, Vec::new(), bytes).await;
		let (empty, sample) = (call(&[]).await?, call(&[0; SAMPLE]).await?);
		Self::of_calls(client, &empty, &sample).await
	}

	/// Asks the node what it costs to store values in one transaction each.
	pub(crate) async fn of_values(client: &Client, place: &Place) -> Result<Self, Error> {
		let empty = client.store(place, &[]).await?;
		let sample = client.store(place, &[0; SAMPLE]).await?;
		Self::of_calls(client, &empty, &sample).await
	}

	/// Asks the node for the fees of a call without data and of one with [`SAMPLE`] bytes.
	async fn of_calls(client: &Client, empty: &Call, sample: &Call) -> Result<Self, Error> {
		Ok(Self {
			empty: client.fee(empty).await?,
			sample: client.fee(sample).await?,
		})
	}

	/// Returns the fees of transactions that contain `bytes` together.
	pub(crate) fn of(&self, transactions: u64, bytes: u64) -> Balance {
		let data = self.sample.saturating_sub(self.empty);
		let data = data.saturating_mul(bytes.into()) / SAMPLE as Balance;
		let each = self.empty.saturating_mul(transactions.into());
		each.saturating_add(data)
	}
}

/// Returns the deposits of new records.
pub(crate) fn deposits(state: &State, records: u64) -> Result<Balance, Error> {
	let record = Footprint::ENTRY.deposit(&rates(state)?);
	Ok(record
		.saturating_mul(ENTRIES)
		.saturating_mul(records.into()))
}

/// Returns the chain's deposit rates.
pub(crate) fn rates(state: &State) -> Result<Rates, Error> {
	Ok(Rates {
		per_item: state.constant("DepositPerItem")?,
		per_byte: state.constant("DepositPerByte")?,
	})
}

impl Client {
	/// Returns what is spent, and what may be.
	fn purse(&self) -> MutexGuard<'_, Purse> {
		self.0.purse.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Returns whether there is a limit to what this client's transactions may cost, or none is sent.
	pub(crate) fn is_limited(&self) -> bool {
		self.purse().is_limited()
	}

	/// Returns whether this client sends no transactions.
	pub fn is_dry_run(&self) -> bool {
		self.purse().is_dry()
	}

	/// In a dry run, counts a call that would be sent besides what is sent next, in a transaction of its own. Returns
	/// whether this is a dry run.
	///
	/// # Errors
	///
	/// Returns the node's error if it does not say what the call costs.
	pub async fn plan(&self, call: &Call) -> Result<bool, Error> {
		if !self.is_dry_run() {
			return Ok(false);
		}
		let cost = self.cost(call).await?;
		self.purse().plan(cost);
		Ok(true)
	}

	/// Checks that an account can, and may, spend this.
	///
	/// # Errors
	///
	/// Returns [`Error::Cost`] if it cannot or may not, and if this client sends nothing.
	pub(crate) async fn check_cost(&self, account: &AccountId, cost: Cost) -> Result<(), Error> {
		let free = self.best().await?.funds(account).await?.free;
		Ok(self.purse().check(cost, free)?)
	}

	/// Says what is missing, if the node rejects a transaction because its account cannot pay for it: the node only says that it
	/// cannot. Returns other errors as they are.
	pub(crate) async fn with_missing_funds(
		&self,
		account: &AccountId,
		call: &Call,
		error: Error,
	) -> Error {
		if error.rejection() != Some(Rejection::CannotPay) {
			return error;
		}
		let look = async {
			let free = self.best().await?.funds(account).await?.free;
			Ok::<_, Error>((self.cost(call).await?.total(), free))
		};
		match look.await {
			Ok((needed, free)) if free < needed => {
				CostError::NotEnoughFunds { needed, free }.into()
			}
			_ => error,
		}
	}

	/// Checks that an account can, and may, send these calls, each as a transaction. Asks nothing of the node if there is
	/// no limit.
	///
	/// # Errors
	///
	/// Returns the errors of [`Self::check_cost`].
	pub(crate) async fn check_calls(&self, account: &Account, calls: &[Call]) -> Result<(), Error> {
		if !self.is_limited() {
			return Ok(());
		}
		let mut cost = Cost::default();
		for call in calls {
			cost = cost.plus(self.cost(call).await?);
		}
		self.check_cost(account.id(), cost).await
	}

	/// Counts a transaction that was sent.
	pub(crate) fn spend(&self, cost: &Cost) {
		self.purse().spend(cost);
	}

	/// Returns what a call costs at present.
	pub(crate) async fn cost(&self, call: &Call) -> Result<Cost, Error> {
		let rates = rates(&self.best().await?)?;
		Ok(Cost {
			fees: self.fee(call).await?,
			deposits: call.takes.deposit(&rates),
			payments: call.pays,
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn fees_grow_with_the_transactions_and_their_bytes() {
		let prices = Prices {
			empty: 10,
			sample: 10 + 2 * SAMPLE as Balance,
		};
		assert_eq!(prices.of(0, 0), 0);
		assert_eq!(prices.of(3, 0), 30);
		assert_eq!(prices.of(1, SAMPLE as u64), prices.sample);
		assert_eq!(prices.of(2, 100), 20 + 200);
		let most = Prices {
			empty: Balance::MAX,
			sample: Balance::MAX,
		};
		assert_eq!(most.of(u64::MAX, u64::MAX), Balance::MAX);
	}
}
