// SPDX-License-Identifier: Apache-2.0
//! Tests which uncles (B_U) a block may name, and their rewards.

use super::*;

/// Starts a block whose header commits to the uncles, and names them in its inherent.
fn name(uncles: &[Header]) -> Result<(), DispatchError> {
	begin(&pre_digest_naming(uncles));
	ProofOfWork::set_uncles(RuntimeOrigin::none(), uncles.to_vec())
}

/// Asserts that the next block rejects the uncles with this error.
fn assert_rejected(uncles: &[Header], error: Error<Test>) {
	begin(&pre_digest_naming(uncles));
	assert_noop!(
		ProofOfWork::set_uncles(RuntimeOrigin::none(), uncles.to_vec()),
		error
	);
	// The block is invalid, so ending it panics. The panic leaves the state unchanged.
	assert_eq!(
		rejection(|| ProofOfWork::on_finalize(System::block_number())),
		"the header commits to uncles (H_o) that the block's body does not name"
	);
}

#[test]
fn uncles_and_their_nephew_are_rewarded() {
	on_chain(|| {
		let blocks = mine_many(7);
		// Block 8 names uncles with numbers 7 and 2.
		let uncles = [uncle_of(&blocks[6], 8), uncle_of(&blocks[1], 9)];
		assert_ok!(name(&uncles));
		let header = end();
		assert_eq!(
			events(),
			[
				Event::UncleRewarded {
					beneficiary: account(8),
					number: 7,
					amount: REWARD * 7 / 8,
				},
				Event::UncleRewarded {
					beneficiary: account(9),
					number: 2,
					amount: REWARD * 2 / 8,
				},
				rewarded(1, REWARD + 2 * REWARD / 32),
			]
		);
		assert_eq!(
			RecentUncles::<Test>::get().into_inner(),
			[(8, uncles[0].hash()), (8, uncles[1].hash())]
		);
		assert_eq!(*header.number(), 8);
	});
}

#[test]
fn an_uncle_may_be_six_generations_old_and_not_seven() {
	for (generation, good) in [(0, false), (1, true), (6, true), (7, false)] {
		on_chain(|| {
			let mut blocks = mine_many(9);
			// Add block 10, whose number and parent are all that `uncle_of` needs to make a sibling of it.
			let mut next = blocks[8].clone();
			next.number = 10;
			next.parent_hash = blocks[8].hash();
			blocks.push(next);
			let uncle = uncle_of(&blocks[9 - generation], 9);
			if good {
				assert_ok!(name(&[uncle]));
				end();
			} else {
				assert_rejected(&[uncle], Error::<Test>::UncleOutOfRange);
			}
		});
	}
}

#[test]
fn genesis_and_future_blocks_cannot_be_uncles() {
	on_chain(|| {
		let first = mine(&next_pre_digest());
		let mut genesis = uncle_of(&first, 9);
		genesis.number = 0;
		assert_rejected(&[genesis], Error::<Test>::UncleOutOfRange);
	});
	on_chain(|| {
		let first = mine(&next_pre_digest());
		let mut future = uncle_of(&first, 9);
		future.number = u32::MAX;
		assert_rejected(&[future], Error::<Test>::UncleOutOfRange);
	});
}

#[test]
fn an_ancestor_cannot_be_an_uncle() {
	on_chain(|| {
		let blocks = mine_many(3);
		assert_rejected(&blocks[1..2], Error::<Test>::UncleIsAncestor);
	});
}

#[test]
fn an_uncle_of_another_chain_is_rejected() {
	on_chain(|| {
		let blocks = mine_many(3);
		let mut foreign = uncle_of(&blocks[1], 9);
		foreign.parent_hash = Hash::repeat_byte(1);
		assert_rejected(&[foreign], Error::<Test>::UncleParentNotAncestor);
	});
}

#[test]
fn an_uncle_is_named_once() {
	on_chain(|| {
		let blocks = mine_many(3);
		let uncle = uncle_of(&blocks[2], 9);
		assert_rejected(&[uncle.clone(), uncle], Error::<Test>::UncleAlreadyIncluded);
	});
	// A later block must not name it again either, although its generation would allow that.
	for blocks_between in 0..5 {
		on_chain(|| {
			let blocks = mine_many(3);
			let uncle = uncle_of(&blocks[2], 9);
			assert_ok!(name(std::slice::from_ref(&uncle)));
			end();
			mine_many(blocks_between);
			assert_rejected(&[uncle], Error::<Test>::UncleAlreadyIncluded);
		});
	}
}

#[test]
fn named_uncles_are_pruned() {
	on_chain(|| {
		let mut blocks = mine_many(1);
		for seed in 0..40_u8 {
			let sibling = &blocks[blocks.len() - 1];
			let uncles = [uncle_of(sibling, 100 + seed), uncle_of(sibling, 200 + seed)];
			assert_ok!(name(&uncles));
			blocks.push(end());
			ProofOfWork::do_try_state().expect("at most fourteen are kept");
		}
		assert_eq!(RecentUncles::<Test>::get().len(), 14);
	});
}

#[test]
fn three_uncles_are_too_many() {
	on_chain(|| {
		let blocks = mine_many(3);
		let uncles: Vec<_> = (7..10).map(|seed| uncle_of(&blocks[2], seed)).collect();
		assert_rejected(&uncles, Error::<Test>::TooManyUncles);
	});
}

#[test]
fn an_uncle_without_its_fields_is_rejected() {
	on_chain(|| {
		let blocks = mine_many(3);
		let mut unsealed = uncle_of(&blocks[2], 9);
		unsealed.digest.pop();
		assert_rejected(&[unsealed], Error::<Test>::UncleMalformed);
	});
}

#[test]
fn the_body_and_the_header_must_agree() {
	on_chain(|| {
		let blocks = mine_many(3);
		let committed = [uncle_of(&blocks[2], 8)];
		begin(&pre_digest_naming(&committed));
		assert_noop!(
			ProofOfWork::set_uncles(RuntimeOrigin::none(), vec![uncle_of(&blocks[2], 9)]),
			Error::<Test>::UnclesHashMismatch
		);
		// The body names no uncles.
		assert_eq!(
			rejection(|| ProofOfWork::on_finalize(System::block_number())),
			"the header commits to uncles (H_o) that the block's body does not name"
		);
	});
	on_chain(|| {
		let blocks = mine_many(3);
		begin(&next_pre_digest());
		assert_noop!(
			ProofOfWork::set_uncles(RuntimeOrigin::none(), vec![uncle_of(&blocks[2], 9)]),
			Error::<Test>::UnclesHashMismatch
		);
		end();
	});
}

#[test]
fn a_block_has_at_most_one_inherent() {
	on_chain(|| {
		let blocks = mine_many(3);
		let uncles = [uncle_of(&blocks[2], 9)];
		assert_ok!(name(&uncles));
		assert_noop!(
			ProofOfWork::set_uncles(RuntimeOrigin::none(), uncles.to_vec()),
			Error::<Test>::UnclesAlreadySet
		);
		end();
		begin(&next_pre_digest());
		assert_noop!(
			ProofOfWork::set_uncles(RuntimeOrigin::none(), vec![]),
			Error::<Test>::NoUncles
		);
		end();
	});
}

#[test]
fn no_account_can_send_it() {
	on_chain(|| {
		let blocks = mine_many(3);
		let uncles = vec![uncle_of(&blocks[2], 9)];
		begin(&next_pre_digest());
		assert_noop!(
			ProofOfWork::set_uncles(RuntimeOrigin::signed(account(1)), uncles.clone()),
			DispatchError::BadOrigin
		);
		assert_noop!(
			ProofOfWork::set_uncles(RuntimeOrigin::root(), uncles),
			DispatchError::BadOrigin
		);
		end();
	});
}

#[test]
fn the_inherent_is_made_from_the_inherent_data() {
	on_chain(|| {
		let blocks = mine_many(3);
		let uncles = vec![uncle_of(&blocks[2], 9)];
		let data = |uncles: &dyn Fn(&mut InherentData)| {
			let mut data = InherentData::new();
			uncles(&mut data);
			data
		};
		let none = data(&|_| ());
		let empty = data(&|data| {
			data.put_data(UNCLES_INHERENT_IDENTIFIER, &Vec::<Header>::new())
				.expect("is new")
		});
		let some = data(&|data| {
			data.put_data(UNCLES_INHERENT_IDENTIFIER, &uncles)
				.expect("is new")
		});
		for nothing in [none, empty] {
			assert_eq!(ProofOfWork::create_inherent(&nothing), None);
			assert_eq!(ProofOfWork::is_inherent_required(&nothing), Ok(None));
		}
		let call = crate::Call::set_uncles {
			uncles: uncles.clone(),
		};
		assert_eq!(ProofOfWork::create_inherent(&some), Some(call.clone()));
		assert!(ProofOfWork::is_inherent(&call));
		assert_eq!(
			ProofOfWork::is_inherent_required(&some),
			Ok(Some(UnclesInherentError::Missing))
		);
	});
}

#[test]
fn the_uncles_of_a_body_are_found() {
	on_chain(|| {
		let blocks = mine_many(1);
		let uncles = vec![uncle_of(&blocks[0], 9)];
		let time = Extrinsic::new_bare(pallet_timestamp::Call::set { now: 1 }.into());
		let naming = || {
			crate::Call::set_uncles {
				uncles: uncles.clone(),
			}
			.into()
		};
		let bare = Extrinsic::new_bare(naming());
		let signed = Extrinsic::new_signed(naming(), account(1), (), ());
		assert_eq!(ProofOfWork::uncles(Vec::<Extrinsic>::new()), Some(vec![]));
		assert_eq!(ProofOfWork::uncles([time.clone(), signed]), Some(vec![]));
		assert_eq!(
			ProofOfWork::uncles([time.clone(), bare.clone()]),
			Some(uncles.clone())
		);
		assert_eq!(ProofOfWork::uncles([bare.clone(), time, bare]), None);
	});
}

#[test]
fn the_hash_of_the_empty_list_is_known() {
	// The empty list is encoded as one zero byte. This is its KEC256 hash.
	assert_eq!(
		format!("{:?}", uncles_hash(&[])),
		"0xbc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"
	);
}
