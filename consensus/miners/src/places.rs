// SPDX-License-Identifier: Apache-2.0
//! Limits the connections to a port: in all, and from one address. When they are used up, the connection that
//! has been idle the longest makes room for a new one. A connection is *settled* once it has done something
//! useful: a worker has logged in, or a request had the port's secret. It keeps its place for longer, so that a
//! stranger who merely connects does not take the places of miners.

use std::{
	collections::HashMap,
	net::{IpAddr, Ipv6Addr},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant},
};

/// A settled connection that did something useful in this time keeps its place. A worker submits a share every
/// ten seconds or so, and must be able to miss a few.
const IDLE: Duration = Duration::from_secs(120);

/// All places, or all of an address, are taken by connections that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
	/// The port has no place for another connection.
	#[error("all {0} connections are in use")]
	Port(usize),
	/// The address has no place for another connection.
	#[error("all {0} connections of this address are in use")]
	Address(usize),
}

/// The places of a port. Clones share them.
pub struct Places<E> {
	most: usize,
	most_of_an_address: usize,
	taken: Arc<Mutex<Taken<E>>>,
}

impl<E> Clone for Places<E> {
	fn clone(&self) -> Self {
		Self {
			taken: self.taken.clone(),
			..*self
		}
	}
}

struct Taken<E> {
	next: u64,
	connections: HashMap<u64, Connection<E>>,
}

struct Connection<E> {
	address: IpAddr,
	/// When it was last useful, or was opened.
	used: Instant,
	is_settled: bool,
	evict: E,
}

impl<E: FnOnce()> Places<E> {
	/// Creates `most` places, of which one address can take `most_of_an_address`.
	pub fn new(most: usize, most_of_an_address: usize) -> Self {
		Self {
			most,
			most_of_an_address,
			taken: Arc::new(Mutex::new(Taken {
				next: 0,
				connections: HashMap::new(),
			})),
		}
	}

	/// Takes a place for a connection from this address. If there is none left, the oldest connection that is not
	/// settled loses its place. If all are settled, it is the one that has been idle the longest. Its `evict` is
	/// called, which must close it.
	///
	/// # Errors
	///
	/// Returns [`Full`] if all connections that would make room are settled and in use.
	pub fn take(&self, address: IpAddr, now: Instant, evict: E) -> Result<Place<E>, Full> {
		let address = network_of(address);
		let mut taken = lock(&self.taken);
		let of_address = |connection: &Connection<E>| connection.address == address;
		if taken.count(of_address) >= self.most_of_an_address {
			let idle = taken.make_room(now, of_address);
			idle.ok_or(Full::Address(self.most_of_an_address))?();
		} else if taken.count(|_| true) >= self.most {
			let idle = taken.make_room(now, |_| true);
			idle.ok_or(Full::Port(self.most))?();
		}
		let id = taken.next;
		taken.next = taken.next.wrapping_add(1);
		let connection = Connection {
			address,
			used: now,
			is_settled: false,
			evict,
		};
		taken.connections.insert(id, connection);
		Ok(Place {
			id,
			taken: self.taken.clone(),
		})
	}

	/// Returns the number of places that are taken.
	pub fn taken(&self) -> usize {
		lock(&self.taken).connections.len()
	}
}

/// Returns what counts as one address: an IPv4 address, by either protocol, or an IPv6 network of 64 bits, all of
/// whose addresses one machine may have.
fn network_of(address: IpAddr) -> IpAddr {
	match address.to_canonical() {
		IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
		address => address,
	}
}

impl<E> Taken<E> {
	fn count(&self, counts: impl Fn(&Connection<E>) -> bool) -> usize {
		self.connections.values().filter(|c| counts(c)).count()
	}

	/// Removes the connection, among those that count, that has been idle the longest. Those that are not settled
	/// come first, however young they are.
	fn make_room(&mut self, now: Instant, counts: impl Fn(&Connection<E>) -> bool) -> Option<E> {
		let idle = |connection: &Connection<E>| {
			let is_idle = now.saturating_duration_since(connection.used) >= IDLE;
			(is_idle || !connection.is_settled) && counts(connection)
		};
		let (id, _) = self
			.connections
			.iter()
			.filter(|(_, connection)| idle(connection))
			.min_by_key(|(id, connection)| (connection.is_settled, connection.used, **id))?;
		let id = *id;
		self.connections
			.remove(&id)
			.map(|connection| connection.evict)
	}
}

/// A connection's place. Dropping it frees the place.
pub struct Place<E> {
	id: u64,
	taken: Arc<Mutex<Taken<E>>>,
}

impl<E> Place<E> {
	/// Notes that the connection did something useful: from then on it is settled.
	pub fn used(&self, now: Instant) {
		if let Some(connection) = lock(&self.taken).connections.get_mut(&self.id) {
			connection.used = now;
			connection.is_settled = true;
		}
	}
}

impl<E> Drop for Place<E> {
	fn drop(&mut self) {
		lock(&self.taken).connections.remove(&self.id);
	}
}

/// Locks the list. Each change of it is a single step, so a panic leaves it intact.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::sync::mpsc::{channel, Receiver, Sender};

	type Evict = Box<dyn FnOnce()>;

	struct Port {
		places: Places<Evict>,
		start: Instant,
		sender: Sender<&'static str>,
		evicted: Receiver<&'static str>,
	}

	impl Port {
		fn new(most: usize, most_of_an_address: usize) -> Self {
			let (sender, evicted) = channel();
			Self {
				places: Places::new(most, most_of_an_address),
				start: Instant::now(),
				sender,
				evicted,
			}
		}

		fn at(&self, seconds: u64) -> Instant {
			self.start + Duration::from_secs(seconds)
		}

		fn take(
			&self,
			name: &'static str,
			address: u8,
			seconds: u64,
		) -> Result<Place<Evict>, Full> {
			let sender = self.sender.clone();
			let evict: Evict = Box::new(move || sender.send(name).unwrap());
			self.places
				.take([10, 0, 0, address].into(), self.at(seconds), evict)
		}

		/// Takes a place for a connection that does something useful at once.
		fn settle(
			&self,
			name: &'static str,
			address: u8,
			seconds: u64,
		) -> Result<Place<Evict>, Full> {
			let place = self.take(name, address, seconds)?;
			place.used(self.at(seconds));
			Ok(place)
		}

		fn evicted(&self) -> Vec<&'static str> {
			self.evicted.try_iter().collect()
		}
	}

	#[test]
	fn one_address_cannot_take_all_places() {
		let port = Port::new(4, 2);
		let _mine = [
			port.settle("a", 1, 0).unwrap(),
			port.settle("b", 1, 0).unwrap(),
		];
		assert_eq!(port.take("c", 1, 1).err(), Some(Full::Address(2)));
		let _other = port.take("d", 2, 1).unwrap();
		assert!(port.evicted().is_empty());
		assert_eq!(port.places.taken(), 3);
	}

	#[test]
	fn an_idle_connection_of_the_same_address_makes_room_first() {
		let port = Port::new(4, 2);
		let _other = port.settle("other", 2, 0).unwrap();
		let old = port.settle("old", 1, 1).unwrap();
		let _young = port.settle("young", 1, 2).unwrap();
		let _new = port.settle("new", 1, 130).unwrap();
		assert_eq!(port.evicted(), ["old"]);
		// The place is no longer its own, so that closing it frees no other.
		drop(old);
		assert_eq!(port.places.taken(), 3);
	}

	#[test]
	fn when_the_port_is_full_the_longest_idle_connection_makes_room() {
		let port = Port::new(3, 3);
		let used = port.settle("used", 1, 0).unwrap();
		let _idle = port.settle("idle", 2, 5).unwrap();
		let _last = port.settle("last", 3, 6).unwrap();
		used.used(port.at(20));
		let _new = port.settle("new", 4, 126).unwrap();
		assert_eq!(port.evicted(), ["idle"]);
		let _more = port.settle("more", 5, 127).unwrap();
		assert_eq!(port.evicted(), ["last"]);
		assert_eq!(port.take("none", 6, 128).err(), Some(Full::Port(3)));
		drop(used);
		assert!(port.take("room", 6, 128).is_ok());
	}

	#[test]
	fn strangers_take_each_others_places_and_not_those_of_miners() {
		let port = Port::new(3, 3);
		let _miners = [
			port.settle("first", 1, 0).unwrap(),
			port.settle("second", 2, 0).unwrap(),
		];
		let _strangers = [
			port.take("stranger", 3, 60).unwrap(),
			port.take("another", 3, 61).unwrap(),
		];
		assert_eq!(port.evicted(), ["stranger"]);
		// Not even when the miners have been idle for long.
		let _last = port.take("last", 4, 600).unwrap();
		assert_eq!(port.evicted(), ["another"]);
	}

	#[test]
	fn an_address_is_the_same_by_either_protocol_and_in_its_ipv6_network() {
		for [first, second] in [
			["10.0.0.1", "::ffff:10.0.0.1"],
			["2001:db8:0:1::1", "2001:db8:0:1:2:3:4:5"],
		] {
			let places = Places::<fn()>::new(4, 1);
			let take = |address: &str| places.take(address.parse().unwrap(), Instant::now(), || ());
			let place = take(first).unwrap();
			place.used(Instant::now());
			assert_eq!(take(second).err(), Some(Full::Address(1)));
			assert!(take("2001:db8:0:2::1").is_ok());
		}
	}
}
