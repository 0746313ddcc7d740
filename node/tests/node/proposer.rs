// SPDX-License-Identifier: Apache-2.0
//! Tests which transactions a template contains, and that building one stops when it is given up.

use codec::Encode;
use isthmus_node::proposer::{fill, AddTransactions, GivenUp, Limits, Refused};
use isthmus_primitives::Hash;
use polkadot_sdk::*;
use sc_transaction_pool_api::{InPoolTransaction, ReadyTransactions};
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionLongevity, TransactionPriority},
	OpaqueExtrinsic,
};
use std::{
	cell::Cell,
	collections::VecDeque,
	sync::Arc,
	time::{Duration, Instant},
};

/// A transaction in the pool. Its hash is its first byte, repeated.
struct Waiting {
	data: Arc<OpaqueExtrinsic>,
	hash: Hash,
}

impl InPoolTransaction for Waiting {
	type Transaction = Arc<OpaqueExtrinsic>;
	type Hash = Hash;

	fn data(&self) -> &Self::Transaction {
		&self.data
	}

	fn hash(&self) -> &Hash {
		&self.hash
	}

	fn priority(&self) -> &TransactionPriority {
		&0
	}

	fn longevity(&self) -> &TransactionLongevity {
		&0
	}

	fn requires(&self) -> &[Vec<u8>] {
		&[]
	}

	fn provides(&self) -> &[Vec<u8>] {
		&[]
	}

	fn is_propagable(&self) -> bool {
		true
	}
}

/// The ready transactions, and those that were reported as not fitting or invalid.
#[derive(Default)]
struct Ready {
	waiting: VecDeque<Arc<Waiting>>,
	reported: Vec<u8>,
}

impl Ready {
	/// Transactions of these first bytes and sizes.
	fn of(transactions: impl IntoIterator<Item = (u8, usize)>) -> Self {
		let waiting = |(byte, size)| {
			let data = Arc::new(OpaqueExtrinsic::from_blob(vec![byte; size]));
			let hash = Hash::repeat_byte(byte);
			Arc::new(Waiting { data, hash })
		};
		Self {
			waiting: transactions.into_iter().map(waiting).collect(),
			reported: Vec::new(),
		}
	}
}

impl Iterator for Ready {
	type Item = Arc<Waiting>;

	fn next(&mut self) -> Option<Self::Item> {
		self.waiting.pop_front()
	}
}

impl ReadyTransactions for Ready {
	fn report_invalid(&mut self, transaction: &Self::Item) {
		self.reported.push(transaction.hash.0[0]);
	}
}

/// A block that counts bytes. It has no room for transactions that begin with 250 or more, and those that begin
/// with 240 or more are invalid.
#[derive(Default)]
struct Counting {
	size: usize,
	added: Vec<u8>,
}

impl AddTransactions for Counting {
	fn size(&self) -> usize {
		self.size
	}

	fn add(&mut self, transaction: OpaqueExtrinsic) -> Result<(), Refused> {
		match transaction.inner()[0] {
			250.. => Err(Refused::NoRoom),
			240..=249 => Err(Refused::Invalid(Some(InvalidTransaction::Stale.into()))),
			byte => {
				self.size += transaction.encoded_size();
				self.added.push(byte);
				Ok(())
			}
		}
	}
}

fn limits(start: Instant) -> Limits {
	Limits {
		size: 1000,
		soft_deadline: start + Duration::from_secs(1),
		deadline: start + Duration::from_secs(2),
	}
}

#[test]
fn what_does_not_fit_or_is_invalid_is_left_out() {
	let start = Instant::now();
	let mut block = Counting::default();
	let mut ready = Ready::of([
		(1, 400),
		(240, 10),
		(2, 700),
		(250, 10),
		(3, 500),
		(4, 90),
		(5, 90),
	]);
	let invalid = fill(&mut block, &mut ready, limits(start), || start, || false).unwrap();
	assert_eq!(block.added, [1, 3, 4]);
	assert_eq!(ready.reported, [240, 2, 250, 5]);
	assert_eq!(
		invalid.keys().collect::<Vec<_>>(),
		[&Hash::repeat_byte(240)]
	);
}

#[test]
fn a_full_block_ends_the_search_once_half_of_the_time_is_over() {
	let start = Instant::now();
	for (seconds, tried) in [(0, 40), (1, 9), (3, 0)] {
		let mut ready = Ready::of((0..40).map(|_| (255, 10)));
		let now = || start + Duration::from_secs(seconds);
		fill(
			&mut Counting::default(),
			&mut ready,
			limits(start),
			now,
			|| false,
		)
		.unwrap();
		assert_eq!(
			40 - ready.waiting.len(),
			if seconds == 3 { 1 } else { tried }
		);
	}
}

#[test]
fn a_template_that_is_given_up_is_not_built_further() {
	let start = Instant::now();
	let mut block = Counting::default();
	let mut ready = Ready::of((0..40).map(|byte| (byte, 10)));
	let asked = Cell::new(0);
	let is_given_up = || {
		asked.set(asked.get() + 1);
		asked.get() > 3
	};
	let outcome = fill(&mut block, &mut ready, limits(start), || start, is_given_up);
	assert_eq!(outcome.err(), Some(GivenUp));
	assert_eq!(block.added, [0, 1, 2]);
}
