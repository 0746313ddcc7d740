// SPDX-License-Identifier: Apache-2.0
//! Tests that the pallet rejects parameters that a runtime must not set.

use crate::mock::*;
use frame_support::traits::Hooks;
use isthmus_sharing::terms::MAX_SERVED_SIZE;
use polkadot_sdk::*;

fn check() {
	<Sharing as Hooks<u64>>::integrity_test();
}

#[test]
fn the_bounds_themselves_are_good() {
	MaxEndingsPerBlock::set(2);
	RequestLifetime::set(1);
	DisputeWindow::set(1);
	MaxValueSize::set(MAX_SERVED_SIZE);
	check();
}

#[test]
#[should_panic(expected = "MaxEndingsPerBlock is less than 2")]
fn one_ending_a_block_is_too_few() {
	MaxEndingsPerBlock::set(1);
	check();
}

#[test]
#[should_panic(expected = "RequestLifetime is zero")]
fn a_request_must_live() {
	RequestLifetime::set(0);
	check();
}

#[test]
#[should_panic(expected = "DisputeWindow is zero")]
fn a_payment_must_wait_for_disputes() {
	DisputeWindow::set(0);
	check();
}

#[test]
#[should_panic(expected = "MaxValueSize is more than 2 MiB")]
fn a_value_must_be_served() {
	MaxValueSize::set(MAX_SERVED_SIZE + 1);
	check();
}
