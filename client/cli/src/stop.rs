// SPDX-License-Identifier: Apache-2.0
//! How services end: on SIGINT or SIGTERM they begin nothing new, finish what is in hand, and end with success.

use crate::{error::Error, stderr::tell};
use std::{future::Future, io, pin::pin};
use tokio::sync::watch;

/// Tells a service that it was asked to end. Clones tell the same.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
	/// Waits until the service is asked to end.
	pub(crate) async fn asked(&self) {
		// The sender lives as long as the service.
		let _ = self.0.clone().wait_for(|asked| *asked).await;
	}

	/// Returns whether the service was asked to end.
	pub(crate) fn is_asked(&self) -> bool {
		*self.0.borrow()
	}

	/// Waits for something, but no longer than until the service is asked to end; then returns `None`.
	pub(crate) async fn or<T>(&self, done: impl Future<Output = T>) -> Option<T> {
		tokio::select! {
			done = done => Some(done),
			() = self.asked() => None,
		}
	}
}

/// Runs a service until it ends. From here on, the first SIGINT or SIGTERM asks it to end; a second one does not wait for
/// that.
///
/// # Errors
///
/// Returns the service's error, or that it did not finish what was in hand.
pub(crate) async fn on_signals<Service>(serve: impl FnOnce(Stop) -> Service) -> Result<(), Error>
where
	Service: Future<Output = Result<(), Error>>,
{
	// Before the service says that it has started.
	let mut signals = Signals::listen().map_err(Error::failed)?;
	let (ask, asked) = watch::channel(false);
	let mut service = pin!(serve(Stop(asked)));
	loop {
		tokio::select! {
			ended = &mut service => return ended,
			() = signals.next() => {
				if ask.send_replace(true) {
					return Err(Error::failed("ended by a second signal, before all that was in hand was done"));
				}
				tell("ending");
			}
		}
	}
}

/// The signals that ask a program to end.
#[cfg(unix)]
struct Signals {
	interrupt: tokio::signal::unix::Signal,
	terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
	/// Catches the signals from now on.
	fn listen() -> io::Result<Self> {
		use tokio::signal::unix::{signal, SignalKind};
		Ok(Self {
			interrupt: signal(SignalKind::interrupt())?,
			terminate: signal(SignalKind::terminate())?,
		})
	}

	async fn next(&mut self) {
		tokio::select! {
			_ = self.interrupt.recv() => {}
			_ = self.terminate.recv() => {}
		}
	}
}

/// The signals that ask a program to end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
	fn listen() -> io::Result<Self> {
		Ok(Self)
	}

	async fn next(&mut self) {
		let _ = tokio::signal::ctrl_c().await;
	}
}
