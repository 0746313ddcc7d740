// SPDX-License-Identifier: Apache-2.0
//! How long a store is waited for, and how many requests it has to answer in that time.

use crate::failure::Failure;
use std::{
	future::Future,
	sync::{Mutex, PoisonError},
	time::Duration,
};
use tokio::{
	sync::{Semaphore, SemaphorePermit},
	time::Instant,
};

/// After a request that took less, the store gets one more at a time.
const QUICK: Duration = Duration::from_secs(15);
/// After a request that took longer, the store gets one less at a time.
const LONG: Duration = Duration::from_secs(60);

/// How many requests a store has concurrently: one at first, and more as long as the connection is fast enough for more. On a
/// slow one, many requests would take so long together that each of them is given up.
pub(crate) struct Pace {
	room: Semaphore,
	now: Mutex<usize>,
	most: usize,
}

impl Pace {
	/// Begins with one request, for at most this number.
	pub(crate) fn new(most: usize) -> Self {
		Self {
			room: Semaphore::new(1),
			now: Mutex::new(1),
			most,
		}
	}

	/// Asks a store when there is room for another request.
	pub(crate) async fn ask<T>(&self, asked: impl Future<Output = T>) -> T {
		// It is never closed.
		let room = self.room.acquire().await.ok();
		let began = Instant::now();
		let answer = asked.await;
		self.after(began.elapsed(), room);
		answer
	}

	/// Gives room back after a request that took so long.
	fn after(&self, took: Duration, room: Option<SemaphorePermit<'_>>) {
		let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
		if took < QUICK && *now < self.most {
			*now += 1;
			self.room.add_permits(1);
		} else if took > LONG && *now > 1 {
			*now -= 1;
			room.into_iter().for_each(SemaphorePermit::forget);
		}
	}
}

/// The slowest connection that is waited for, in bytes a second.
pub(crate) const SLOWEST: u64 = 32 << 10;
/// How long a store may take for a part: this long, and a second for each [`SLOWEST`] bytes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The slowest store that is waited for when it puts parts together, in bytes a second: it has them.
const SLOWEST_STORE: u64 = 8 << 20;

/// Waits for a store that puts the parts of an object together, as long as that may take for this length in bytes.
pub(crate) async fn patiently_joined<T>(
	length: u64,
	asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
	patiently(joined(length), asked).await
}

/// Returns how many bytes take as long to send as a store takes to put parts of this length together.
fn joined(length: u64) -> usize {
	let size = length / (SLOWEST_STORE / SLOWEST);
	size.try_into().unwrap_or(usize::MAX)
}

/// Returns how long a store is waited for that takes or sends this many bytes.
fn patience(size: usize) -> Duration {
	PATIENCE + Duration::from_secs(size as u64 / SLOWEST)
}

/// Waits for a store as long as `size` bytes may take.
pub(crate) async fn patiently<T>(
	size: usize,
	asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
	let patience = patience(size);
	match tokio::time::timeout(patience, asked).await {
		Ok(done) => done,
		Err(_) => Err(Failure::Stalled(patience)),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_slow_connection_is_not_shared_by_many_requests() {
		let pace = Pace::new(3);
		let after = |times: usize, seconds| {
			for _ in 0..times {
				let room = pace.room.try_acquire().ok();
				assert!(room.is_some());
				pace.after(Duration::from_secs(seconds), room);
			}
			pace.room.available_permits()
		};
		// A part at the slowest speed that is waited for.
		assert_eq!(after(9, 8 * 32), 1);
		assert_eq!(after(1, 1), 2);
		assert_eq!(after(9, 1), 3);
		assert_eq!(after(9, 30), 3);
		// It has become slow.
		assert_eq!(after(1, 90), 2);
		assert_eq!(after(9, 90), 1);
	}

	#[tokio::test]
	async fn what_waits_for_room_is_asked_in_the_end() {
		let pace = Pace::new(2);
		let all = (0..9).map(|number| pace.ask(async move { number }));
		let all = futures::future::join_all(all).await;
		assert_eq!(all, (0..9).collect::<Vec<_>>());
		assert_eq!(pace.room.available_permits(), 2);
	}

	#[test]
	fn a_part_may_take_a_minute_and_a_second_for_each_32_kib() {
		let seconds = |size| patience(size).as_secs();
		assert_eq!([seconds(0), seconds(8 << 20)], [60, 60 + 256]);
		// A store puts a GiB together in two minutes more.
		assert_eq!(seconds(joined(1 << 30)), 60 + 128);
	}
}
