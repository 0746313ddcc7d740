// SPDX-License-Identifier: Apache-2.0
//! How services end: on SIGINT, SIGTERM or SIGHUP they begin nothing new, finish what is in hand, and end with success. Other
//! commands end at once, and say what is known of a transaction that they have sent.

use crate::{error::Error, passphrase::leave_to_service, report::Sent, stderr::tell};
use std::{
	future::Future,
	io,
	pin::pin,
	sync::atomic::{AtomicBool, Ordering},
};
use tokio::sync::watch;

/// Whether a service acts on signals.
static SERVES: AtomicBool = AtomicBool::new(false);

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
	SERVES.store(true, Ordering::SeqCst);
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

/// Lets a signal that ends the command say what is known of the last transaction that it sent, from now on. A service acts on
/// signals itself.
#[cfg(unix)]
pub(crate) fn say_if_ended(sent: &Sent) {
	use signal_hook::{
		consts::{SIGHUP, SIGINT, SIGTERM},
		iterator,
	};
	use std::{
		sync::{mpsc, Once},
		thread,
	};
	static FIRST: Once = Once::new();
	FIRST.call_once(|| {
		// Those that this program was started to ignore stay so.
		let numbers = [SIGHUP, SIGINT, SIGTERM].into_iter();
		let minded: Vec<i32> = numbers
			.filter(|number| isthmus_streams::minds(*number))
			.collect();
		let sent = sent.clone();
		// A thread of its own acts also while a disk keeps the others busy. Without it, signals end this program without a word.
		let (ready, are_caught) = mpsc::channel::<()>();
		let _ = thread::Builder::new()
			.name("signals".into())
			.spawn(move || {
				let caught = iterator::Signals::new(minded).inspect(|_| leave_to_service());
				drop(ready);
				if let Ok(mut caught) = caught {
					caught.forever().for_each(|number| end(number, &sent));
				}
			});
		// The other end is closed when they are caught, or if the thread cannot start.
		let _ = are_caught.recv();
	});
}

#[cfg(not(unix))]
pub(crate) fn say_if_ended(_: &Sent) {}

/// Says what is known of the last transaction, and ends this program as the signal would have.
#[cfg(unix)]
fn end(signal: i32, sent: &Sent) {
	static ALWAYS: AtomicBool = AtomicBool::new(true);
	if SERVES.load(Ordering::SeqCst) {
		return;
	}
	// A second one does not wait for a stderr that no one reads.
	let _ = signal_hook::flag::register_conditional_default(signal, &ALWAYS);
	if let Some(hash) = sent.last() {
		tell(format_args!(
			"interrupted: the transaction {hash:?} was sent, and is in a block or may still be included: check whether it took \
			 effect, for example with `isthmus balance`, before you run this again"
		));
	}
	let _ = signal_hook::low_level::emulate_default_handler(signal);
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
