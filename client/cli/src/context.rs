// SPDX-License-Identifier: Apache-2.0
//! What a command needs to talk to a chain: a connection and the account to act as.

use crate::{
	error::Error,
	key_file,
	options::Options,
	progress::Bar,
	report::{unreported, Output, Report},
	secret::without_password,
	stderr::tell,
	stop::say_if_ended,
};
use isthmus_sdk::{Call, Client, Error as SdkError, Identity, Included, Pending, H256};
use std::{
	future::Future,
	path::Path,
	pin::pin,
	time::{Duration, Instant},
};

/// How long names are looked for without a word.
const PATIENCE: Duration = Duration::from_secs(3);
/// After how long that is said again. Then it is said whenever twice as long has passed.
const AGAIN: Duration = Duration::from_secs(30);

/// What a node lacks looks as if the chain did not have it.
const SYNCING: &str = "warning: the node is still syncing: later blocks are not seen, so funds and records may seem to be missing, \
	and what you send may never be included. `isthmus status` shows its progress; or ask another node: --url";

/// A connection, with the options of the command.
pub(crate) struct Context {
	pub(crate) client: Client,
	pub(crate) output: Output,
	options: Options,
}

impl Context {
	/// Connects to the node, for a command that acts as an account.
	pub(crate) async fn connect_with_key(options: Options) -> Result<Self, Error> {
		Self::connect_as(options, true).await
	}

	/// Connects to the node, for a command that may act as an account. If it does, a missing key, or file of one, is told before.
	pub(crate) async fn connect_as(options: Options, needs_key: bool) -> Result<Self, Error> {
		if needs_key {
			check_key(&options)?;
		}
		Self::connect(options).await
	}

	/// Connects to the node.
	pub(crate) async fn connect(options: Options) -> Result<Self, Error> {
		let trust = options.trust()?;
		if trust.node {
			tell("the node is trusted without proofs (--trust-node)");
		}
		let urls = options.urls()?;
		let client = Client::connect_with(&urls, options.silence(), trust).await?;
		client.on_wait(|waiting| tell(waiting));
		client.on_notice(|notice| tell(notice));
		let sent = options.sent.clone();
		client.on_sent(move |hash| {
			sent.note(hash);
			say_if_ended(&sent);
		});
		if options.pq_only {
			client.post_quantum_only();
		}
		client.set_tip(options.tip);
		client.set_budget(options.budget());
		let is_lost = |error: &SdkError| error.is_connection() && urls.len() == 1;
		// If the node does not answer one of these, what the command asks for shows what is wrong with it, or another node is
		// asked.
		match client.is_syncing().await {
			Ok(true) => tell(SYNCING),
			Err(error) if is_lost(&error) => return Err(error.into()),
			Ok(false) | Err(_) => {}
		}
		match client.know_chain().await {
			Err(error) if is_lost(&error) => return Err(error.into()),
			// What is read with proofs fails with the same error, but not all is.
			Err(error @ SdkError::Unproven(_)) => tell(format_args!(
				"warning: {error}. What the node says may be wrong, too: ask another one with --url"
			)),
			Ok(()) | Err(_) => {}
		}
		// Who sends funds or grants access to such an account does so to everyone.
		if let Some(account) = options.development.first() {
			check_development(&client, account, "name an account by its address").await?;
		}
		Ok(Self {
			client,
			output: options.output(),
			options,
		})
	}

	/// Returns when the node has not answered for as long as `--timeout` says, with the error. Says when it does not answer for
	/// the first time.
	pub(crate) async fn lost(&self) -> Error {
		/// How often the node is asked.
		const LOOK: Duration = Duration::from_secs(2);
		let patience = self.options.silence();
		let mut since = None;
		loop {
			tokio::time::sleep(LOOK).await;
			let Err(error) = self.client.best().await else {
				since = None;
				continue;
			};
			let first = *since.get_or_insert_with(|| {
				let seconds = patience.as_secs();
				tell(format_args!(
					"{error}: reading on, and giving up if this lasts for {seconds} s"
				));
				Instant::now()
			});
			if first.elapsed() >= patience {
				return error.into();
			}
		}
	}

	/// Returns whether to wait until transactions are finalized.
	pub(crate) fn is_finalized(&self) -> bool {
		self.options.finalized
	}

	/// Returns the hash of the last transaction that was sent; `None` if there is none.
	pub(crate) fn last_sent(&self) -> Option<H256> {
		self.options.sent.last()
	}

	/// Returns a report or, if something that it tells went wrong, prints it and returns that error.
	pub(crate) fn with_error<T: Report>(
		&self,
		report: T,
		error: Option<Error>,
	) -> Result<T, Error> {
		let Some(error) = error else {
			return Ok(report);
		};
		let printed = self.output.print(&report);
		printed.map_err(|error| unreported(error, &report.to_string(), self.last_sent()))?;
		Err(error)
	}

	/// Returns whether the command was given a key.
	pub(crate) fn has_key(&self) -> bool {
		self.options.has_key()
	}

	/// Returns the identity to act as. Asks for the passphrase if the key is in a file.
	pub(crate) async fn identity(&self) -> Result<Identity, Error> {
		let identity = self.own_identity().await?;
		Ok(match self.options.acts_for {
			Some(owner) => identity.acting_for(owner),
			None => identity,
		})
	}

	/// Returns the identity of the key.
	async fn own_identity(&self) -> Result<Identity, Error> {
		let key = self.options.key()?;
		if !key.starts_with("//") {
			let opened = key_file::open(Path::new(&key));
			return opened.map_err(|error| self.options.naming_key(error));
		}
		let own = "create your own key: isthmus key generate FILE";
		check_development(&self.client, &key, own).await?;
		Ok(Identity::development(&key)?)
	}

	/// Signs and sends a call, and waits for a block, or for finality if that was requested.
	pub(crate) async fn send(&self, identity: &Identity, call: &Call) -> Result<Included, Error> {
		self.wait(self.client.submit(&identity.account, call).await?)
			.await
	}

	/// Waits until a transaction is in a block, or in a finalized one if that was requested.
	pub(crate) async fn wait(&self, pending: Pending) -> Result<Included, Error> {
		Ok(self.included(pending).await?)
	}

	/// Waits like [`Self::wait`], for callers that look at the error.
	pub(crate) async fn included(&self, mut pending: Pending) -> Result<Included, SdkError> {
		match self.options.finalized {
			true => pending.finalized().await,
			false => pending.included().await,
		}
	}

	/// Sends calls in order, in as few transactions as possible, and returns the last transaction;
	/// `None` without calls. The calls of one transaction succeed or fail together.
	pub(crate) async fn send_all(
		&self,
		identity: &Identity,
		calls: &[Call],
	) -> Result<Option<Included>, Error> {
		// The bar is gone before the last block is waited for.
		let account = &identity.account;
		let last = self
			.client
			.submit_all(account, calls, &mut Bar::new())
			.await?;
		match last {
			Some(last) => Ok(Some(self.wait(last).await?)),
			None => Ok(None),
		}
	}

	/// Waits until a transaction that is in a block is finalized, if that was requested.
	pub(crate) async fn settle(&self, last: Option<Pending>) -> Result<(), Error> {
		if let Some(mut last) = last.filter(|_| self.options.finalized) {
			last.finalized().await?;
		}
		Ok(())
	}
}

/// Checks that a key is named and, if it is a file, that something is there.
fn check_key(options: &Options) -> Result<(), Error> {
	let key = options.key()?;
	if key.starts_with("//") {
		return Ok(());
	}
	let there = key_file::check_there(Path::new(&key));
	there.map_err(|error| options.naming_key(error))
}

/// Waits for the names of records that a reader may read, each of which the node is asked for. Says so if that takes some
/// seconds, and again while it goes on.
pub(crate) async fn with_names<T>(finding: impl Future<Output = T>) -> T {
	let announce = |waited: Duration| {
		tell(format_args!(
			"waiting for the names of the records that you may read, for {} s",
			waited.as_secs()
		));
	};
	told_after(finding, tokio::time::sleep, announce).await
}

/// Waits for something, and says each time after how long if it takes long.
async fn told_after<T, Slept: Future<Output = ()>>(
	doing: impl Future<Output = T>,
	sleep: impl Fn(Duration) -> Slept,
	announce: impl Fn(Duration),
) -> T {
	let mut doing = pin!(doing);
	let (mut waited, mut next) = (Duration::ZERO, PATIENCE);
	loop {
		tokio::select! {
			biased;
			done = &mut doing => return done,
			() = sleep(next.saturating_sub(waited)) => announce(next),
		}
		waited = next;
		next = waited.saturating_mul(2).max(AGAIN);
	}
}

/// Returns an error, with this hint, unless a development account may be used on the chain.
async fn check_development(client: &Client, account: &str, hint: &str) -> Result<(), Error> {
	match client.is_development().await? {
		true => Ok(()),
		false => {
			let account = without_password(account);
			let error = format!(
				"{account} works only on development chains, because its secrets are public"
			);
			Err(Error::usage(error).hint(hint))
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{cell::RefCell, future, task::Poll};

	#[tokio::test]
	async fn what_takes_long_is_said_again_and_again_and_waited_for() {
		let never = |_| future::pending();
		let quick = told_after(async { 5 }, never, |_| panic!("it was not long"));
		assert_eq!(quick.await, 5);
		// It ends only after something was said five times.
		let (slept, said) = (RefCell::new(Duration::ZERO), RefCell::new(Vec::new()));
		let doing = future::poll_fn(|_| match said.borrow().len() {
			5 => Poll::Ready(7),
			_ => Poll::Pending,
		});
		let sleep = |time: Duration| {
			*slept.borrow_mut() += time;
			future::ready(())
		};
		let announce = |waited: Duration| {
			assert_eq!(waited, *slept.borrow());
			said.borrow_mut().push(waited.as_secs());
		};
		assert_eq!(told_after(doing, sleep, announce).await, 7);
		assert_eq!(*said.borrow(), [3, 30, 60, 120, 240]);
	}
}
