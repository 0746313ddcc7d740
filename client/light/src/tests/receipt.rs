// SPDX-License-Identifier: Apache-2.0
//! A receipt is believed as it was made, and not with a single bit changed.

use super::*;
use isthmus_primitives::digest::{Receipts, RECEIPTS_ENGINE_ID};
use isthmus_sharing::{
	history::Receipt as Event,
	merkle::{MerkleError, Tree},
};
use sp_crypto_hashing::sha2_256;
use std::{collections::BTreeSet, fmt::Debug};

/// Returns a header whose block has these events, and the path of each.
fn block_with(number: u32, events: &[Event]) -> (Header, Vec<Vec<[u8; 32]>>) {
	let leaves = events.iter().map(|event| event.leaf(sha2_256)).collect();
	let tree = Tree::new(sha2_256, leaves);
	let item = Receipts {
		count: events.len() as u32,
		root: tree.root().into(),
	};
	let item = DigestItem::Consensus(RECEIPTS_ENGINE_ID, item.encode());
	let paths = (0..events.len()).map(|index| tree.proof(index).unwrap());
	let header = block(number, Hash::repeat_byte(3), vec![item]);
	(header, paths.collect())
}

fn events() -> [Event; 3] {
	[(None, 1), (Some(0), 2), (Some(7), 3)].map(|(transaction, byte)| Event {
		transaction,
		event: vec![byte; 5],
	})
}

/// Returns a chain's first block, and the receipt of an event after a change of the voters, in a block that is finalized
/// by the votes for a later one.
fn made() -> (Hash, EventReceipt) {
	let honest = Honest::new(&[&[1, 2, 3, 4], &[2, 3, 4, 5]]);
	let events = events();
	let (own, paths) = block_with(15, &events);
	let child = block(16, own.hash(), Vec::new());
	let head = block(17, child.hash(), Vec::new());
	let newest = Step {
		justification: votes(&head, 1, &[2, 3, 5]),
		header: head,
	};
	let receipt = Receipt {
		voters: honest.first_proof(),
		first: honest.genesis.clone(),
		steps: vec![honest.steps[0].clone(), newest],
		content: EventProof {
			headers: vec![own, child],
			index: 1,
			event: events[1].clone(),
			path: paths[1].clone(),
		},
	};
	(honest.genesis.hash(), receipt)
}

/// Reads and checks a receipt.
fn check<C: Content>(genesis: Hash, bytes: &[u8]) -> Result<Proved<C::Proves>, ReceiptError> {
	Receipt::<C>::read(bytes)?.verify(genesis)
}

/// Checks that a receipt is refused with any bit flipped, cut at any length, or with one more byte. Returns the names of the
/// errors that flipped bits lead to.
pub(super) fn refusals<C: Content>(genesis: Hash, receipt: &Receipt<C>) -> BTreeSet<String>
where
	C::Proves: Debug,
{
	let bytes = receipt.to_bytes();
	let mut names = BTreeSet::new();
	for bit in 0..bytes.len() * 8 {
		let mut flipped = bytes.clone();
		flipped[bit / 8] ^= 1 << (bit % 8);
		let refused = check::<C>(genesis, &flipped);
		let refused = refused.expect_err(&format!("bit {bit} does not matter"));
		let text = refused.to_string();
		let name = text.split(": ").next().unwrap().to_owned();
		assert!(
			name.chars().all(|c| c.is_ascii_alphabetic() || c == ' '),
			"{text}"
		);
		names.insert(name);
	}
	for length in 0..bytes.len() {
		let cut = check::<C>(genesis, &bytes[..length]);
		assert!(cut.is_err(), "{length} bytes");
	}
	let longer = check::<C>(genesis, &[&bytes[..], &[0]].concat());
	assert_eq!(longer.unwrap_err(), ReceiptError::Malformed);
	names
}

#[test]
fn a_receipt_proves_its_event() {
	let (genesis, receipt) = made();
	let proved = check::<EventProof>(genesis, &receipt.to_bytes()).unwrap();
	assert_eq!(proved.header, receipt.content.headers[0]);
	let (index, event) = (1, events()[1].clone());
	assert_eq!(proved.what, PlacedEvent { index, event });
	assert!(!proved.is_development);
	assert_eq!(receipt.genesis(), genesis);
	// The block that is voted for may be the event's own.
	let (own, paths) = block_with(15, &events());
	let step = Step {
		justification: votes(&own, 1, &[2, 3, 4]),
		header: own.clone(),
	};
	let direct = Receipt {
		steps: vec![receipt.steps[0].clone(), step],
		content: EventProof {
			headers: Vec::new(),
			index: 2,
			event: events()[2].clone(),
			path: paths[2].clone(),
		},
		..receipt
	};
	let proved = check::<EventProof>(genesis, &direct.to_bytes()).unwrap();
	assert_eq!(proved.header, own);
}

#[test]
fn every_flipped_bit_of_a_receipt_is_refused_by_name() {
	let (genesis, receipt) = made();
	let names = refusals(genesis, &receipt);
	for name in [
		"NotAReceipt",
		"Malformed",
		"WrongGenesis",
		"NotFinal",
		"NotAncestor",
		"WrongEvent",
	] {
		assert!(names.contains(name), "{name} is not among {names:?}");
	}
}

#[test]
fn a_receipt_of_something_else_is_refused() {
	let (genesis, made) = made();
	let attempt = |change: fn(&mut EventReceipt)| {
		let mut receipt = made.clone();
		change(&mut receipt);
		check::<EventProof>(genesis, &receipt.to_bytes()).unwrap_err()
	};
	let is_not_final =
		|error: &ReceiptError| matches!(error, ReceiptError::Finality(FinalityError::NotFinal(_)));
	// The votes of the second set, without the block that names it.
	assert!(is_not_final(&attempt(|receipt| drop(
		receipt.steps.remove(0)
	))));
	// Votes of strangers.
	let forged = attempt(|receipt| {
		let header = receipt.steps[1].header.clone();
		receipt.steps[1].justification = votes(&header, 1, &[8, 9, 10]);
	});
	assert!(is_not_final(&forged), "{forged:?}");
	// A step that says nothing, whose votes would not be looked at.
	let repeated = attempt(|receipt| {
		let first = Step {
			header: receipt.first.clone(),
			..receipt.steps[0].clone()
		};
		receipt.steps.insert(0, first);
	});
	assert_eq!(repeated, ReceiptError::Malformed);
	let gap = attempt(|receipt| drop(receipt.content.headers.remove(1)));
	assert_eq!(gap, ReceiptError::NotAncestor(15));
	let none = attempt(|receipt| receipt.content.headers.clear());
	assert_eq!(none, ReceiptError::NoEvents(17));
	let other = attempt(|receipt| receipt.content.event = events()[0].clone());
	let (block, reason) = (15, MerkleError::WrongRoot);
	assert_eq!(other, ReceiptError::WrongEvent { block, reason });
	let nothing = attempt(|receipt| receipt.steps.clear());
	assert_eq!(nothing, ReceiptError::NotAncestor(16));
}

#[test]
fn a_proof_of_finality_is_cut_after_the_block() {
	let honest = Honest::new(&[&[1, 2, 3, 4], &[2, 3, 4, 5], &[5, 6, 7, 8]]);
	let until = |number| {
		let mut steps = honest.proof().steps;
		let goes_that_far = keep_until(&mut steps, number);
		goes_that_far.then(|| steps.last().map(|step| step.header.number))?
	};
	assert_eq!(
		(until(1), until(10), until(11)),
		(Some(10), Some(10), Some(20))
	);
	assert_eq!((until(30), until(31)), (Some(30), None));
}
