// SPDX-License-Identifier: Apache-2.0
//! Tells those who watch a transaction that the pool had to drop it.
//!
//! The framework's pool reports what happens to the transactions that it has. When the pool takes some out, checks them
//! again and does not get them all back, the framework reports nothing about the ones that are missing.

use futures::{channel::oneshot, future, FutureExt, Stream, StreamExt};
use std::{collections::HashMap, hash::Hash};

/// Who watches which transaction. `S` is what they are told.
pub(super) struct Watchers<H, S>(HashMap<H, Vec<oneshot::Sender<S>>>);

impl<H, S> Default for Watchers<H, S> {
	fn default() -> Self {
		Self(HashMap::new())
	}
}

impl<H: Eq + Hash, S: Clone + Send + Sync + 'static> Watchers<H, S> {
	/// Returns a wrapper for the framework's reports on a transaction, which ends with what [`Watchers::tell`] is given.
	pub(super) fn watch<T: Stream<Item = S> + Send + 'static>(
		&mut self,
		transaction: H,
	) -> impl FnOnce(T) -> futures::stream::BoxStream<'static, S> {
		let (tell, told) = oneshot::channel();
		self.0.entry(transaction).or_default().push(tell);
		let told = async move {
			match told.await {
				Ok(status) => status,
				// There will be nothing more to tell than what the framework reports.
				Err(oneshot::Canceled) => future::pending().await,
			}
		};
		let told = told.boxed().shared();
		|reports| {
			let last = told.clone();
			let last = futures::stream::once(async move { last.now_or_never() });
			reports
				.take_until(told)
				.chain(last.filter_map(future::ready))
				.boxed()
		}
	}

	/// Tells those who watch a transaction what happened to it. Their reports end with that.
	pub(super) fn tell(&mut self, transaction: &H, status: S) {
		for watcher in self.0.remove(transaction).unwrap_or_default() {
			// It fails if the watcher is gone.
			let _ = watcher.send(status.clone());
		}
	}

	/// Forgets those who do not watch this transaction any more.
	pub(super) fn release(&mut self, transaction: &H) {
		if let Some(watchers) = self.0.get_mut(transaction) {
			watchers.retain(|watcher| !watcher.is_canceled());
			if watchers.is_empty() {
				self.0.remove(transaction);
			}
		}
	}

	/// Forgets those who do not watch any more.
	pub(super) fn forget(&mut self) {
		self.0.retain(|_, watchers| {
			watchers.retain(|watcher| !watcher.is_canceled());
			!watchers.is_empty()
		});
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use futures::{channel::mpsc, executor::block_on};

	#[test]
	fn reports_end_with_what_is_told() {
		let mut watchers = Watchers::default();
		let (report, reports) = mpsc::unbounded();
		let (other_report, other_reports) = mpsc::unbounded();
		let mut one = watchers.watch(1)(reports);
		let mut other = watchers.watch(2)(other_reports);
		report.unbounded_send("ready").unwrap();
		assert_eq!(block_on(one.next()), Some("ready"));
		watchers.tell(&1, "dropped");
		assert_eq!(block_on(one.next()), Some("dropped"));
		assert_eq!(block_on(one.next()), None);
		other_report.unbounded_send("ready").unwrap();
		assert_eq!(block_on(other.next()), Some("ready"));
	}

	#[test]
	fn reports_that_end_otherwise_are_not_held_open() {
		let mut watchers = Watchers::default();
		let (report, reports) = mpsc::unbounded();
		let watched = watchers.watch(1)(reports);
		report.unbounded_send("finalized").unwrap();
		drop(report);
		assert_eq!(block_on(watched.collect::<Vec<_>>()), ["finalized"]);
		watchers.forget();
		assert!(watchers.0.is_empty());
	}

	#[test]
	fn a_transaction_that_was_refused_is_released() {
		let mut watchers = Watchers::<_, &str>::default();
		let refused = watchers.watch::<mpsc::UnboundedReceiver<_>>(1);
		let (_report, reports) = mpsc::unbounded();
		let watched = watchers.watch(2)(reports);
		drop(refused);
		watchers.release(&1);
		watchers.release(&2);
		assert_eq!(watchers.0.keys().collect::<Vec<_>>(), [&2]);
		drop(watched);
	}

	#[test]
	fn who_is_forgotten_by_mistake_still_gets_the_frameworks_reports() {
		let mut watchers = Watchers::default();
		let (report, reports) = mpsc::unbounded();
		let watched = watchers.watch(1)(reports);
		drop(watchers);
		report.unbounded_send("finalized").unwrap();
		drop(report);
		assert_eq!(block_on(watched.collect::<Vec<_>>()), ["finalized"]);
	}
}
