// SPDX-License-Identifier: Apache-2.0
//! Keeps a bounded number of an account's transactions in flight: sent, but not yet in a block.

use crate::{
	error::{Error, Rejection},
	outcome::Included,
	tx::Pending,
};
use std::{collections::VecDeque, future::Future};

/// The maximum number of transactions in flight. If their places are lost, as when another machine starts an epoch, those who
/// watch the network see what is in them.
const IN_FLIGHT: usize = 64;
/// The maximum number of bytes in them: 14 chunks. More would not fit into the node's 20 MiB pool.
const BYTES_IN_FLIGHT: u64 = 14 << 20;

/// Transactions in flight, oldest first.
pub(crate) struct Window<Tag>(VecDeque<Sent<Tag>>);

/// A transaction in flight.
struct Sent<Tag> {
	/// By what its sender knows it.
	tag: Tag,
	/// How many bytes the chunk or the value in it has.
	length: u64,
	pending: Pending,
}

impl<Tag> Window<Tag> {
	/// Returns an empty window.
	pub(crate) fn new() -> Self {
		Self(VecDeque::new())
	}

	/// Returns how many transactions are in flight.
	pub(crate) fn len(&self) -> usize {
		self.0.len()
	}

	/// Returns the nonce of the latest transaction in flight.
	pub(crate) fn last(&self) -> Option<u64> {
		self.0.back().map(|sent| sent.pending.nonce())
	}

	/// Submits a transaction with a chunk or a value of this length. While the window or the node's pool is full, waits for
	/// the oldest transaction and passes its outcome to `done`. Does so at once for those that are in blocks already.
	///
	/// Returns what `submit` returned with the transaction.
	pub(crate) async fn send<Submitted, Extra>(
		&mut self,
		(tag, length): (Tag, u64),
		mut submit: impl FnMut() -> Submitted,
		mut done: impl FnMut(Tag, Result<Included, Error>) -> Result<(), Error>,
	) -> Result<Extra, Error>
	where
		Submitted: Future<Output = Result<(Pending, Extra), Error>>,
	{
		while self
			.0
			.front_mut()
			.is_some_and(|sent| sent.pending.is_in_block())
		{
			if let Some(mut sent) = self.0.pop_front() {
				done(sent.tag, sent.pending.included().await)?;
			}
		}
		loop {
			if has_room(self.0.iter().map(|sent| sent.length), length) {
				match submit().await {
					Ok((pending, extra)) => {
						self.0.push_back(Sent {
							tag,
							length,
							pending,
						});
						return Ok(extra);
					}
					// The pool will have room once one of our transactions has left it.
					Err(error) if !self.0.is_empty() && may_pass(&error) => {}
					Err(error) => return Err(error),
				}
			}
			if let Some(mut sent) = self.0.pop_front() {
				done(sent.tag, sent.pending.included().await)?;
			}
		}
	}

	/// Waits for all transactions in flight and passes the outcome of each to `done`.
	pub(crate) async fn finish(
		&mut self,
		mut done: impl FnMut(Tag, Result<Included, Error>) -> Result<(), Error>,
	) -> Result<(), Error> {
		while let Some(mut sent) = self.0.pop_front() {
			done(sent.tag, sent.pending.included().await)?;
		}
		Ok(())
	}

	/// Waits for all transactions in flight but the last one, and returns that.
	pub(crate) async fn finish_but_last(
		&mut self,
		done: impl FnMut(Tag, Result<Included, Error>) -> Result<(), Error>,
	) -> Result<Option<(Tag, Pending)>, Error> {
		let last = self.0.pop_back();
		self.finish(done).await?;
		Ok(last.map(|sent| (sent.tag, sent.pending)))
	}
}

/// Returns whether one more transaction may be sent beside those with values of these lengths.
fn has_room(in_flight: impl ExactSizeIterator<Item = u64>, length: u64) -> bool {
	let count = in_flight.len();
	let bytes = in_flight.fold(length, u64::saturating_add);
	count == 0 || count < IN_FLIGHT && bytes <= BYTES_IN_FLIGHT
}

/// Returns whether the node might accept the transaction once another one has left its pool.
fn may_pass(error: &Error) -> bool {
	matches!(
		error.rejection(),
		Some(Rejection::PoolFull | Rejection::Other)
	)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::upload::{CHUNK_SIZE, MAX_WHOLE};

	#[test]
	fn a_window_is_full_of_transactions_or_of_bytes() {
		let room = |count: usize, length: u64| has_room(vec![length; count].into_iter(), length);
		for length in [0, 1, 10_000] {
			assert!(room(IN_FLIGHT - 1, length), "{length}");
			assert!(!room(IN_FLIGHT, length), "{length}");
		}
		for length in [MAX_WHOLE, CHUNK_SIZE.into()] {
			assert!(room(13, length) && !room(14, length), "{length}");
		}
		// A longer one goes alone.
		assert!(room(0, 2 * BYTES_IN_FLIGHT) && !room(1, 2 * BYTES_IN_FLIGHT));
	}
}
