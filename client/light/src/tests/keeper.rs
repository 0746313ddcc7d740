// SPDX-License-Identifier: Apache-2.0
//! A keeper's receipt is believed as it was made, and not with a single bit changed.

use super::{receipt::refusals, *};

const OWNER: [u8; 32] = [7; 32];
const KEEPER: [u8; 32] = [8; 32];
const DATASET: u32 = 3;
/// The length of a period.
const PERIOD: u32 = 3;

/// A state in which an account keeps a copy, among others.
fn state() -> State {
	let mut entries = Entries::new();
	entries.insert(storage::keepers_version(), 0u16.encode());
	entries.insert(storage::keepers_period(), PERIOD.encode());
	for other in 0..40u8 {
		let keeper = storage::keeper(&OWNER, DATASET, &[other; 32]);
		entries.insert(keeper, vec![other; 60]);
	}
	State::new(&entries)
}

/// Returns a chain's first block, and the receipt of a keeper after a change of the voters.
fn made_of(keeper: [u8; 32]) -> (Hash, KeeperReceipt) {
	let honest = Honest::new(&[&[1, 2, 3, 4], &[2, 3, 4, 5]]);
	let state = state();
	let mut head = block(17, Hash::repeat_byte(3), Vec::new());
	head.state_root = state.root;
	let keys = KeeperProof::keys(&OWNER, DATASET, &keeper);
	let newest = Step {
		justification: votes(&head, 1, &[2, 3, 5]),
		header: head,
	};
	let receipt = KeeperReceipt {
		voters: honest.first_proof(),
		first: honest.genesis.clone(),
		steps: vec![honest.steps[0].clone(), newest],
		content: KeeperProof::new(state.root, OWNER, DATASET, keeper, state.prove(&keys)).unwrap(),
	};
	(honest.genesis.hash(), receipt)
}

/// Reads and checks a receipt.
fn check(genesis: Hash, bytes: &[u8]) -> Result<Proved<KeeperEntry>, ReceiptError> {
	KeeperReceipt::read(bytes)?.verify(genesis)
}

#[test]
fn a_receipt_proves_what_the_state_has_of_a_keeper() {
	let (genesis, receipt) = made_of(KEEPER);
	let bytes = receipt.to_bytes();
	assert!(KeeperReceipt::is_one(&bytes) && !EventReceipt::is_one(&bytes));
	let other = EventReceipt::read(&bytes);
	assert_eq!(other, Err(ReceiptError::NotAReceipt));
	let proved = check(genesis, &bytes).unwrap();
	assert_eq!(proved.header, receipt.steps[1].header);
	let expected = KeeperEntry {
		owner: OWNER,
		dataset: DATASET,
		keeper: KEEPER,
		version: 0,
		entry: vec![8; 60],
		period_length: Some(PERIOD),
	};
	assert_eq!(proved.what, expected);
	assert!(!proved.is_development);
	assert_eq!(receipt.genesis(), genesis);
}

#[test]
fn who_keeps_nothing_gets_no_receipt() {
	let (genesis, receipt) = made_of([0xee; 32]);
	let refused = check(genesis, &receipt.to_bytes()).unwrap_err();
	assert_eq!(refused, ReceiptError::NoKeeper(17));
}

#[test]
fn every_flipped_bit_of_a_keepers_receipt_is_refused_by_name() {
	let (genesis, receipt) = made_of(KEEPER);
	let names = refusals(genesis, &receipt);
	for name in [
		"NotAReceipt",
		"Malformed",
		"WrongGenesis",
		"NotFinal",
		"BadProof",
	] {
		assert!(names.contains(name), "{name} is not among {names:?}");
	}
}

#[test]
fn a_keepers_receipt_has_no_part_that_proves_nothing() {
	let (genesis, made) = made_of(KEEPER);
	let attempt = |change: fn(&mut KeeperReceipt)| {
		let mut receipt = made.clone();
		change(&mut receipt);
		check(genesis, &receipt.to_bytes()).unwrap_err()
	};
	let more = attempt(|receipt| receipt.content.parts.push(vec![0xff; 40]));
	assert_eq!(more, ReceiptError::Malformed);
	let many = attempt(|receipt| {
		receipt.content.parts = (0..=256u32)
			.map(|part| part.to_be_bytes().to_vec())
			.collect();
	});
	assert_eq!(many, ReceiptError::Malformed);
	let twice = attempt(|receipt| {
		receipt
			.content
			.parts
			.insert(0, receipt.content.parts[0].clone())
	});
	assert_eq!(twice, ReceiptError::Malformed);
	let turned = attempt(|receipt| receipt.content.parts.reverse());
	assert_eq!(turned, ReceiptError::Malformed);
	let less = attempt(|receipt| drop(receipt.content.parts.pop()));
	assert!(matches!(less, ReceiptError::State(_)), "{less:?}");
	let none = attempt(|receipt| receipt.steps.clear());
	assert!(matches!(none, ReceiptError::State(_)), "{none:?}");
}

#[test]
fn parts_of_more_than_256_kib_are_not_looked_at() {
	let state = state();
	let keys = KeeperProof::keys(&OWNER, DATASET, &KEEPER);
	let proof = state.prove(&keys);
	let room = 256 * 1024 - proof.iter().map(Vec::len).sum::<usize>();
	let made = |parts| KeeperProof::new(state.root, OWNER, DATASET, KEEPER, parts);
	let with = |length| made([proof.clone(), vec![vec![0xff; length]]].concat());
	// What is not needed is left out.
	assert_eq!(with(room), made(proof.clone()));
	assert_eq!(with(room + 1), Err(ProofError::Malformed));
}
