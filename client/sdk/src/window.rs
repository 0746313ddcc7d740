// SPDX-License-Identifier: Apache-2.0
//! Keeps a bounded number of an account's transactions in flight: sent, but not yet in a block.

use crate::{
	account::Account,
	call::Call,
	client::Client,
	error::{Error, Rejection},
	outcome::Included,
	tx::Pending,
};
use std::collections::VecDeque;

/// The maximum number of transactions in flight, each with a chunk or a small value. More would not fit into
/// the node's 20 MiB pool.
const IN_FLIGHT: usize = 14;

/// An account's transactions in flight, oldest first.
pub(crate) struct Window<'a> {
	client: &'a Client,
	account: &'a Account,
	pending: VecDeque<Pending>,
}

impl<'a> Window<'a> {
	/// Returns an empty window.
	pub(crate) fn new(client: &'a Client, account: &'a Account) -> Self {
		Self {
			client,
			account,
			pending: VecDeque::new(),
		}
	}

	/// Sends a call. While the window or the node's pool is full, waits for the oldest transaction and
	/// passes it to `done`.
	pub(crate) async fn send(
		&mut self,
		call: &Call,
		mut done: impl FnMut(Included),
	) -> Result<(), Error> {
		loop {
			if self.pending.len() < IN_FLIGHT {
				match self.client.submit(self.account, call).await {
					Ok(pending) => {
						self.pending.push_back(pending);
						return Ok(());
					}
					// The pool will have room once one of our transactions has left it.
					Err(error) if !self.pending.is_empty() && may_pass(&error) => {}
					Err(error) => return Err(error),
				}
			}
			if let Some(included) = self.next().await? {
				done(included);
			}
		}
	}

	/// Waits for the oldest transaction; returns `None` if none is in flight.
	pub(crate) async fn next(&mut self) -> Result<Option<Included>, Error> {
		match self.pending.pop_front() {
			Some(mut pending) => Ok(Some(pending.included().await?)),
			None => Ok(None),
		}
	}

	/// Waits for all transactions in flight and passes each to `done`.
	pub(crate) async fn finish(&mut self, mut done: impl FnMut(Included)) -> Result<(), Error> {
		while let Some(included) = self.next().await? {
			done(included);
		}
		Ok(())
	}
}

/// Returns whether the node might accept the transaction once another one has left its pool.
fn may_pass(error: &Error) -> bool {
	matches!(
		error.rejection(),
		Some(Rejection::PoolFull | Rejection::Other)
	)
}
