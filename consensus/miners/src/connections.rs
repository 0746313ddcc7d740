// SPDX-License-Identifier: Apache-2.0
//! Accepts the connections of a port, as far as it has [places](Places) for them.

use crate::places::{Place, Places};
use std::{
	io,
	net::SocketAddr,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{
	net::{TcpListener, TcpStream},
	sync::Notify,
	time::sleep,
};

const LOG_TARGET: &str = "miners";
/// How long to wait after the system fails to accept a connection, for example for lack of file handles.
const RETRY_ACCEPT_AFTER: Duration = Duration::from_millis(100);

/// Closes a connection that must make room for another one.
pub type Evict = Box<dyn FnOnce() + Send>;

/// A connection lost its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("made room for another connection")]
pub struct Evicted;

/// The connections of a port.
pub struct Connections {
	listener: TcpListener,
	places: Places<Evict>,
}

impl Connections {
	/// Takes over an open port with `most` places, of which one address can take `most_of_an_address`.
	///
	/// # Errors
	///
	/// Returns the operating system's error if the port cannot be used.
	pub fn new(
		listener: std::net::TcpListener,
		most: usize,
		most_of_an_address: usize,
	) -> io::Result<Self> {
		Ok(Self {
			listener: TcpListener::from_std(listener)?,
			places: Places::new(most, most_of_an_address),
		})
	}

	/// Returns the port's places.
	pub fn places(&self) -> Places<Evict> {
		self.places.clone()
	}

	/// Waits for the next connection that has a place. The others are closed. No connection that has a place is lost
	/// if this is cancelled.
	pub async fn next(&self) -> Connection {
		loop {
			let (stream, peer) = match self.listener.accept().await {
				Ok(accepted) => accepted,
				Err(error) => {
					log::warn!(target: LOG_TARGET, "cannot accept a miner's connection: {error}");
					sleep(RETRY_ACCEPT_AFTER).await;
					continue;
				}
			};
			let evicted = Arc::new(Notify::new());
			let evict: Evict = {
				let evicted = evicted.clone();
				Box::new(move || evicted.notify_one())
			};
			match self.places.take(peer.ip(), Instant::now(), evict) {
				Ok(place) => {
					return Connection {
						stream,
						peer,
						place,
						evicted: Eviction(evicted),
					}
				}
				Err(full) => {
					log::warn!(target: LOG_TARGET, "closing the connection of {peer}: {full}");
				}
			}
		}
	}
}

/// A connection that has a place.
pub struct Connection {
	/// What it reads and writes.
	pub stream: TcpStream,
	/// The other end.
	pub peer: SocketAddr,
	/// Its place, which is free again when this is dropped.
	pub place: Place<Evict>,
	/// Whether it must make room for another one.
	pub evicted: Eviction,
}

/// Tells a connection when it loses its place.
pub struct Eviction(Arc<Notify>);

impl Eviction {
	/// Waits until the connection loses its place.
	pub async fn wait(&self) -> Evicted {
		self.0.notified().await;
		Evicted
	}
}
