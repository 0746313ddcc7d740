// SPDX-License-Identifier: Apache-2.0
//! Computes what it costs at least to store something, before anything of it is sent.

use crate::{
	call::Call,
	client::Client,
	error::{Error, UploadError},
	state::State,
	types::{Balance, Place, RecordKey},
};

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
	let item: Balance = state.constant("DepositPerItem")?;
	Ok(item.saturating_mul(ENTRIES).saturating_mul(records.into()))
}

/// Returns an error if an account has less than `needed`.
pub(crate) fn check(needed: Balance, free: Balance) -> Result<(), UploadError> {
	match free < needed {
		true => Err(UploadError::NotEnoughFunds { needed, free }),
		false => Ok(()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_primitives::UNIT;

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

	#[test]
	fn what_is_missing_is_said() {
		assert_eq!(check(5, 5), Ok(()));
		let refused = check(3 * UNIT, UNIT).unwrap_err().to_string();
		assert_eq!(
			refused,
			"NotEnoughFunds: storing this needs at least 3 IST for fees and deposits, the account has 1 IST, and 2 IST are missing"
		);
	}
}
