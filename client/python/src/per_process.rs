// SPDX-License-Identifier: Apache-2.0
//! Values that each process makes for itself.
//!
//! A process that was forked has a copy of its parent's memory, but none of its threads: a connection, or a runtime, of
//! the parent does not work there.

use std::{mem, process, sync::OnceLock};

/// A value of which a forked process makes its own. No lock is held while it is made, so none can be left locked in a
/// process that is forked meanwhile.
pub(crate) struct PerProcess<Value> {
	first: OnceLock<Box<Node<Value>>>,
}

/// The value of one process, and those of the processes that were forked from it.
struct Node<Value> {
	process: u32,
	value: Option<Value>,
	next: OnceLock<Box<Node<Value>>>,
}

impl<Value> PerProcess<Value> {
	pub(crate) const fn new() -> Self {
		let first = OnceLock::new();
		Self { first }
	}

	/// Returns this process's value, if it has made one.
	pub(crate) fn get(&self) -> Option<&Value> {
		let process = process::id();
		let mut at = self.first.get();
		while let Some(node) = at {
			if node.process == process {
				return node.value.as_ref();
			}
			at = node.next.get();
		}
		None
	}

	/// Keeps a value for this process, unless another thread has just made one. Returns the one that is kept.
	pub(crate) fn keep(&self, value: Value) -> Option<&Value> {
		let mut node = Box::new(Node {
			process: process::id(),
			value: Some(value),
			next: OnceLock::new(),
		});
		let mut place = &self.first;
		while let Err(back) = place.set(node) {
			node = back;
			match place.get() {
				Some(there) if there.process == node.process => break,
				Some(there) => place = &there.next,
				None => break,
			}
		}
		self.get()
	}
}

impl<Value> Drop for Node<Value> {
	fn drop(&mut self) {
		// A parent's value is not dropped: that could wait for the parent's threads.
		if self.process != process::id() {
			mem::forget(self.value.take());
		}
	}
}
