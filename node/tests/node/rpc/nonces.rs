// SPDX-License-Identifier: Apache-2.0
//! Tests the memory of answered queries: each query is answered once, and no caller can take all the room.

use isthmus_node::rpc::sharing::nonces::{NonceError, Nonces, MAX_IN_ALL, MAX_PER_CALLER};
use isthmus_primitives::AccountId;
use std::collections::HashMap;

const ALICE: AccountId = AccountId::new([1; 32]);
const BOB: AccountId = AccountId::new([2; 32]);

fn nonce(number: u64) -> [u8; 16] {
	u128::from(number).to_be_bytes()
}

#[test]
fn a_nonce_serves_a_caller_once() {
	let mut nonces = Nonces::new(None);
	assert_eq!(nonces.take(&ALICE, nonce(1), 10, 0), Ok(()));
	assert!(nonces.is_used(&ALICE, &nonce(1)));
	assert_eq!(nonces.take(&ALICE, nonce(1), 11, 0), Err(NonceError::Used));
	assert_eq!(nonces.take(&ALICE, nonce(2), 10, 0), Ok(()));
	assert!(!nonces.is_used(&BOB, &nonce(1)));
	assert_eq!(nonces.take(&BOB, nonce(1), 10, 0), Ok(()));
}

#[test]
fn a_nonce_is_forgotten_with_its_block_which_is_then_too_old() {
	let mut nonces = Nonces::new(Some(4));
	assert_eq!(nonces.oldest(3), 5);
	assert_eq!(nonces.take(&ALICE, nonce(1), 10, 5), Ok(()));
	assert_eq!(nonces.take(&ALICE, nonce(2), 11, 10), Ok(()));
	assert!(nonces.is_used(&ALICE, &nonce(1)));
	assert_eq!(nonces.take(&ALICE, nonce(3), 11, 11), Ok(()));
	assert!(!nonces.is_used(&ALICE, &nonce(1)));
	assert!(nonces.is_used(&ALICE, &nonce(2)));
	// The best block has moved back, but the oldest allowed block has not, so a removed nonce cannot be
	// used again.
	assert_eq!(nonces.oldest(4), 11);
	assert_eq!(nonces.count, 2);
}

#[test]
fn one_callers_nonces_are_bounded() {
	let mut nonces = Nonces::new(None);
	for number in 0..MAX_PER_CALLER as u64 {
		assert_eq!(nonces.take(&ALICE, nonce(number), 10, 0), Ok(()));
	}
	let another = nonce(MAX_PER_CALLER as u64);
	assert_eq!(
		nonces.take(&ALICE, another, 10, 0),
		Err(NonceError::TooMany)
	);
	assert_eq!(nonces.take(&BOB, another, 10, 0), Ok(()));
	// When the best block advances, old nonces are removed and there is room again.
	assert_eq!(nonces.take(&ALICE, another, 11, 11), Ok(()));
}

#[test]
fn the_most_active_caller_is_refused_and_a_newcomer_is_not() {
	let mut nonces = Nonces::new(None);
	let caller = |number: u8| AccountId::new([number; 32]);
	// Together these callers want more nonces than the memory holds. In turn, each takes as many as it
	// gets.
	let greedy = 1..=20u8;
	let (mut number, mut refused) = (0u64, 0);
	while refused < greedy.len() {
		refused = 0;
		for greedy in greedy.clone() {
			number += 1;
			let taken = nonces.take(&caller(greedy), nonce(number), 10, 0);
			refused += usize::from(taken == Err(NonceError::TooMany));
		}
	}
	let share = nonces.used[&caller(1)].len();
	assert!(share.abs_diff(MAX_IN_ALL / 21) <= 20, "{share}");
	let newcomer = caller(99);
	for _ in 0..1000 {
		number += 1;
		assert_eq!(nonces.take(&newcomer, nonce(number), 10, 0), Ok(()));
	}
	let counted: usize = nonces.used.values().map(HashMap::len).sum();
	assert!(counted == nonces.count && counted <= MAX_IN_ALL);
}

#[test]
fn a_refused_caller_takes_no_room() {
	let mut nonces = Nonces::new(None);
	nonces.count = MAX_IN_ALL;
	assert_eq!(
		nonces.take(&ALICE, nonce(1), 10, 0),
		Err(NonceError::TooMany)
	);
	assert!(nonces.used.is_empty());
}

#[test]
fn a_query_from_before_a_restart_is_too_old_after_it() {
	let mut kept = None;
	let mut answer = |nonces: &mut Nonces, block| {
		nonces.before_answer(block, |block| {
			kept = Some(block);
			Ok::<_, ()>(())
		})
	};
	let mut nonces = Nonces::new(None);
	assert_eq!(nonces.oldest(0), 0);
	assert_eq!(answer(&mut nonces, 18), Ok(()));
	assert_eq!(answer(&mut nonces, 11), Ok(()));
	assert_eq!(kept, Some(18));
	let mut nonces = Nonces::new(kept);
	assert_eq!(nonces.oldest(10), 19);
	// If writing a query's block fails, the query must not be answered, neither now nor when it is retried.
	for _ in 0..2 {
		assert_eq!(nonces.before_answer(20, |_| Err("disk")), Err("disk"));
	}
	assert_eq!(nonces.before_answer(17, |_| Err("not newest")), Ok(()));
}
