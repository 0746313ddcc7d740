// SPDX-License-Identifier: Apache-2.0
//! Shares work among threads. They only make it faster: if the system does not start one (`ulimit -u`, or no memory), the
//! others do the work, and the caller's is one of them.

use std::{
	io,
	sync::atomic::{AtomicUsize, Ordering},
	thread::{self, Builder},
};

/// Returns how many threads can run concurrently on this machine, or the given number if it is less.
pub fn at_most(most: usize) -> usize {
	thread::available_parallelism().map_or(1, |count| count.get().min(most))
}

/// Does something with each item, on up to `most` threads, and returns the results in the order of the items.
///
/// # Errors
///
/// Returns an error if a thread panicked.
pub fn map<Item: Sync, Made: Send>(
	items: &[Item],
	most: usize,
	make: impl Fn(&Item) -> Made + Sync,
) -> io::Result<Vec<Made>> {
	map_on(Builder::new, items, most, make)
}

/// Does the same on threads that are started as `builder` says.
fn map_on<Item: Sync, Made: Send>(
	builder: impl Fn() -> Builder,
	items: &[Item],
	most: usize,
	make: impl Fn(&Item) -> Made + Sync,
) -> io::Result<Vec<Made>> {
	let next = AtomicUsize::new(0);
	let work = || {
		let mut made = Vec::new();
		loop {
			let at = next.fetch_add(1, Ordering::Relaxed);
			match items.get(at) {
				Some(item) => made.push((at, make(item))),
				None => return made,
			}
		}
	};
	let (mut all, others) = thread::scope(|scope| {
		let started: Vec<_> = (1..most.min(items.len()))
			.map_while(|_| builder().spawn_scoped(scope, work).ok())
			.collect();
		let own = work();
		let others: Vec<_> = started.into_iter().map(|thread| thread.join()).collect();
		(own, others)
	});
	for made in others {
		all.extend(made.map_err(|_| io::Error::other("a thread ended"))?);
	}
	all.sort_unstable_by_key(|(at, _)| *at);
	Ok(all.into_iter().map(|(_, made)| made).collect())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn results_have_the_order_of_the_items() {
		let items: Vec<usize> = (0..1000).collect();
		for most in [0, 1, 3, 8] {
			let made = map(&items, most, |item| item * 2).unwrap();
			assert!(made.iter().enumerate().all(|(at, made)| at * 2 == *made));
			assert_eq!(made.len(), items.len());
		}
		assert!(map(&[0; 0], 8, |item| *item).unwrap().is_empty());
	}

	#[test]
	fn threads_that_cannot_be_started_are_not_needed() {
		// No machine has room for such a stack.
		let builder = || Builder::new().stack_size(usize::MAX / 2 + 1);
		assert!(builder().spawn(|| ()).is_err());
		let made = map_on(builder, &[1, 2, 3], 8, |item| item + 1).unwrap();
		assert_eq!(made, [2, 3, 4]);
	}

	#[test]
	fn a_thread_that_panics_is_an_error_or_the_callers_panic() {
		let panics = || map(&[0; 8], 4, |_| -> u8 { panic!("no") });
		let ended = std::panic::catch_unwind(panics);
		assert!(ended.is_err() || ended.is_ok_and(|made| made.is_err()));
	}
}
