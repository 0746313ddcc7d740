// SPDX-License-Identifier: Apache-2.0
//! Keeps a bounded number of an account's transactions in flight: sent, but not yet in a block.

use crate::{
	error::{Error, Rejection},
	outcome::Included,
	tx::Pending,
};
use std::{collections::VecDeque, future::Future};

/// The maximum number of transactions in flight, each with a chunk or a small value. More would not fit into
/// the node's 20 MiB pool.
const IN_FLIGHT: usize = 14;

/// Transactions in flight, oldest first, each with a tag by which its sender knows it.
pub(crate) struct Window<Tag>(VecDeque<(Tag, Pending)>);

impl<Tag> Window<Tag> {
	/// Returns an empty window.
	pub(crate) fn new() -> Self {
		Self(VecDeque::new())
	}

	/// Returns the nonce of the latest transaction in flight.
	pub(crate) fn last(&self) -> Option<u64> {
		self.0.back().map(|(_, pending)| pending.nonce())
	}

	/// Submits a transaction. While the window or the node's pool is full, waits for the oldest transaction
	/// and passes its outcome to `done`.
	///
	/// Returns what `submit` returned with the transaction.
	pub(crate) async fn send<Submitted, Extra>(
		&mut self,
		tag: Tag,
		mut submit: impl FnMut() -> Submitted,
		mut done: impl FnMut(Tag, Result<Included, Error>) -> Result<(), Error>,
	) -> Result<Extra, Error>
	where
		Submitted: Future<Output = Result<(Pending, Extra), Error>>,
	{
		loop {
			if self.0.len() < IN_FLIGHT {
				match submit().await {
					Ok((pending, extra)) => {
						self.0.push_back((tag, pending));
						return Ok(extra);
					}
					// The pool will have room once one of our transactions has left it.
					Err(error) if !self.0.is_empty() && may_pass(&error) => {}
					Err(error) => return Err(error),
				}
			}
			if let Some((tag, mut pending)) = self.0.pop_front() {
				done(tag, pending.included().await)?;
			}
		}
	}

	/// Waits for all transactions in flight and passes the outcome of each to `done`.
	pub(crate) async fn finish(
		&mut self,
		mut done: impl FnMut(Tag, Result<Included, Error>) -> Result<(), Error>,
	) -> Result<(), Error> {
		while let Some((tag, mut pending)) = self.0.pop_front() {
			done(tag, pending.included().await)?;
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
		Ok(last)
	}
}

/// Returns whether the node might accept the transaction once another one has left its pool.
fn may_pass(error: &Error) -> bool {
	matches!(
		error.rejection(),
		Some(Rejection::PoolFull | Rejection::Other)
	)
}
