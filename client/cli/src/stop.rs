// SPDX-License-Identifier: Apache-2.0
//! How services end: on SIGINT, SIGTERM or SIGHUP they begin nothing new, finish what is in hand, and end with success.

use crate::{error::Error, passphrase::leave_to_service, stderr::tell};
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

/// Runs a service until it ends. From here on, the first SIGINT, SIGTERM or SIGHUP asks it to end; a second one does not
/// wait for that, unless it is SIGHUP, which a terminal and its shell send both.
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
			hurries = signals.next() => {
				let was_asked = ask.send_replace(true);
				if was_asked && !hurries {
					continue;
				}
				if was_asked {
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
	/// Comes when the terminal closes. `None` if this process was started to ignore that.
	hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
	/// Catches the signals from now on.
	fn listen() -> io::Result<Self> {
		use tokio::signal::unix::{signal, SignalKind};
		let signals = Self {
			interrupt: signal(SignalKind::interrupt())?,
			terminate: signal(SignalKind::terminate())?,
			hangup: isthmus_streams::minds_hangup()
				.then(|| signal(SignalKind::hangup()))
				.transpose()?,
		};
		leave_to_service();
		Ok(signals)
	}

	/// Waits for a signal. Returns whether it ends a service that was asked to end before.
	async fn next(&mut self) -> bool {
		let hangup = async {
			match &mut self.hangup {
				Some(hangup) => hangup.recv().await,
				None => std::future::pending().await,
			}
		};
		tokio::select! {
			_ = self.interrupt.recv() => true,
			_ = self.terminate.recv() => true,
			_ = hangup => false,
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

	async fn next(&mut self) -> bool {
		let _ = tokio::signal::ctrl_c().await;
		true
	}
}
