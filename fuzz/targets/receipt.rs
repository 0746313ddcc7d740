// SPDX-License-Identifier: Apache-2.0
//! Fuzzes receipts: files that anyone can send to anyone, and that are checked without a node.
//!
//! - A receipt that can be read is written as it was read.
//! - A receipt of an event that proves something proves an event that the chain has. One that was changed proves nothing, or
//!   the same.

#![no_main]

#[allow(dead_code)]
#[path = "../chain.rs"]
mod chain;

use chain::{changed, Chain};
use isthmus_light::{Content, EventProof, EventReceipt, KeeperProof, Receipt};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// The chain, and a receipt of it.
fn known() -> &'static (Chain, Vec<u8>) {
	static KNOWN: OnceLock<(Chain, Vec<u8>)> = OnceLock::new();
	KNOWN.get_or_init(|| {
		let chain = Chain::new();
		let receipt = chain.receipt().to_bytes();
		let proved = EventReceipt::read(&receipt).map(|receipt| receipt.verify(chain.first.hash()));
		assert!(matches!(proved, Ok(Ok(_))), "the receipt proves its event");
		(chain, receipt)
	})
}

/// Reads a receipt, of an event or of a keeper.
fn read<C: Content>(bytes: &[u8]) -> Option<Receipt<C>> {
	let receipt = Receipt::<C>::read(bytes).ok()?;
	assert!(Receipt::<C>::is_one(bytes));
	assert_eq!(receipt.to_bytes(), bytes);
	Some(receipt)
}

fn check(bytes: &[u8]) {
	let (chain, _) = known();
	let genesis = chain.first.hash();
	if let Some(receipt) = read::<EventProof>(bytes) {
		// Of its own chain, which anyone can make up.
		let own = receipt.genesis();
		let _ = receipt.clone().verify(own);
		if let Ok(proved) = receipt.verify(genesis) {
			let index = proved.what.index as usize;
			assert_eq!(chain.events.get(index), Some(&proved.what.event));
			let last = chain.steps.last().map(|step| &step.header);
			assert_eq!(last, Some(&proved.header));
		}
	}
	if let Some(receipt) = read::<KeeperProof>(bytes) {
		// No state of this chain has a keeper.
		assert!(receipt.verify(genesis).is_err());
	}
}

fuzz_target!(|data: &[u8]| {
	let (_, receipt) = known();
	check(data);
	check(&changed(receipt, data));
	// As the rest of a receipt of either kind.
	check(&[EventProof::LABEL, data].concat());
	check(&[KeeperProof::LABEL, data].concat());
});
