// SPDX-License-Identifier: Apache-2.0
//! Tests that a block's header commits to the block's events, and that the node gets them.

use crate::{
	mock::{tree_root, *},
	*,
};
use codec::{Decode, Encode};
use frame_support::{assert_ok, traits::Hooks};
use frame_system::Phase;
use isthmus_primitives::digest::{read_receipts, Receipts};
use isthmus_sharing::history::{block_key, Entry, Receipt, Subject};
use polkadot_sdk::*;
use sp_core::offchain::OffchainOverlayedChange;
use sp_io::hashing::sha2_256;
use sp_runtime::{
	testing::{Header, UintAuthorityId},
	traits::Header as _,
};

const PARENT: [u8; 32] = [0x42; 32];

/// Executes a block with these transactions on a chain with a dataset, where request 0 lapses at its beginning.
/// Returns the header, the events with their phases, and what the node gets under which key.
#[allow(clippy::type_complexity)] // Three results of one block.
fn execute(
	transactions: &[(u64, RuntimeCall)],
) -> (
	Header,
	Vec<(Phase, SharingEvent)>,
	Vec<(Vec<u8>, Vec<Entry<u64>>)>,
) {
	let mut ext = new_test_ext();
	let (header, events) = ext.execute_with(|| {
		System::reset_events();
		for call in school_with_dataset() {
			assert_ok!(submit(SCHOOL, call));
		}
		assert_ok!(submit(
			COMPANY,
			SharingCall::set_encryption_key { key: vec![3; 34] }
		));
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		// The block under test begins without events, as every block does.
		Sharing::on_finalize(1);
		System::set_block_number(LIFETIME);
		let header = Header::new(
			1 + LIFETIME,
			Default::default(),
			Default::default(),
			PARENT.into(),
			Default::default(),
		);
		Executive::initialize_block(&header);
		for (who, call) in transactions {
			let transaction =
				Extrinsic::new_signed(call.clone(), *who, UintAuthorityId(*who), DirectCall::new());
			let _ = Executive::apply_extrinsic(transaction).unwrap();
		}
		let events = System::events()
			.into_iter()
			.filter_map(|record| match record.event {
				RuntimeEvent::Sharing(event) => Some((record.phase, event)),
				_ => None,
			})
			.collect();
		let header = Executive::finalize_block();
		assert!(!ReceiptTree::<Test>::exists());
		assert!(!ReceiptEntries::<Test>::exists());
		(header, events)
	});
	let mut changes = ext.overlayed_changes().clone();
	let kept = changes
		.offchain_drain_committed()
		.filter_map(|((_, key), change)| match change {
			OffchainOverlayedChange::SetValue(value)
				if key.starts_with(&block_key(&PARENT, &[0; 32])[..49]) =>
			{
				Some((key, Decode::decode(&mut &value[..]).unwrap()))
			}
			_ => None,
		})
		.collect();
	(header, events, kept)
}

fn receipts(header: &Header) -> Receipts {
	read_receipts(header.digest())
		.expect("the item is well-formed")
		.expect("there is one")
}

/// Returns the leaf of an event, written as docs/formats.md describes it.
fn leaf(phase: &Phase, event: &SharingEvent) -> [u8; 32] {
	let place = match phase {
		Phase::ApplyExtrinsic(index) => [&[1][..], &index.to_be_bytes()].concat(),
		_ => vec![0; 5],
	};
	sha2_256(&[&[0], &b"isthmus/receipt/v1"[..], &place, &event.encode()].concat())
}

#[test]
fn the_header_commits_to_the_blocks_events_and_the_node_gets_them() {
	let refused = SharingCall::store {
		key: key(9),
		dataset: 9,
		epoch: 0,
		leaf: 9,
		value: vec![9],
	};
	let undone = pallet_utility::Call::batch_all {
		calls: vec![
			SharingCall::start_epoch { dataset: 0 }.into(),
			SharingCall::start_epoch { dataset: 9 }.into(),
		],
	};
	let (header, events, kept) = execute(&[
		(SCHOOL, store(7).into()),
		(SCHOOL, refused.into()),
		(SCHOOL, undone.into()),
		(COMPANY, request(scope(0, 10), 5).into()),
		(SCHOOL, authorize(COMPANY, scope(0, 10), 99, None).into()),
	]);
	let phases: Vec<_> = events.iter().map(|(phase, _)| phase.clone()).collect();
	assert_eq!(
		phases,
		[
			// Request 0 lapses.
			Phase::Initialization,
			Phase::ApplyExtrinsic(0),
			Phase::ApplyExtrinsic(3),
			Phase::ApplyExtrinsic(4),
		]
	);
	let leaves: Vec<_> = events
		.iter()
		.map(|(phase, event)| leaf(phase, event))
		.collect();
	let expected = Receipts {
		count: 4,
		root: tree_root(&leaves).into(),
	};
	assert_eq!(receipts(&header), expected);

	let [(key, entries)] = &kept[..] else {
		panic!("the events are kept once: {kept:?}");
	};
	assert_eq!(key, &block_key(&PARENT, &expected.root.0));
	let expected: Vec<_> = events
		.iter()
		.map(|(phase, event)| Receipt {
			transaction: match phase {
				Phase::ApplyExtrinsic(index) => Some(*index),
				_ => None,
			},
			event: event.encode(),
		})
		.collect();
	let kept: Vec<_> = entries.iter().map(|entry| entry.receipt.clone()).collect();
	assert_eq!(kept, expected);
}

#[test]
fn an_event_is_found_by_its_accounts_its_dataset_and_its_record() {
	let (_, _, kept) = execute(&[(SCHOOL, store(7).into())]);
	let subjects: Vec<_> = kept[0].1.iter().map(|entry| &entry.subjects[..]).collect();
	let (owner, dataset) = (Subject::Account(SCHOOL), Subject::Dataset(SCHOOL, 0));
	assert_eq!(
		subjects,
		[
			// Request 0 lapses.
			&[
				owner.clone(),
				dataset.clone(),
				Subject::Account(COMPANY),
				Subject::Access(SCHOOL, 0),
			][..],
			&[owner, dataset, Subject::Record(SCHOOL, key(7))],
		]
	);
}

#[test]
fn a_block_without_events_commits_to_that() {
	new_test_ext().execute_with(|| {
		let header = Header::new(
			2,
			Default::default(),
			Default::default(),
			PARENT.into(),
			Default::default(),
		);
		Executive::initialize_block(&header);
		let header = Executive::finalize_block();
		let nothing = Receipts {
			count: 0,
			root: sha2_256(&[]).into(),
		};
		assert_eq!(receipts(&header), nothing);
	});
}
