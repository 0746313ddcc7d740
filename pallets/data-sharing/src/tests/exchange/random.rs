// SPDX-License-Identifier: Apache-2.0
//! Tests fair exchange with random sales: no cheat escapes, and no honest owner loses.

use super::{dispute, root_of, seal_for, Sale, EXPIRY, OFFER};
use crate::{
	exchange::account_bytes,
	mock::{Error, *},
	*,
};
use frame_support::{
	assert_noop, assert_ok,
	storage::{with_transaction, TransactionOutcome},
};
use isthmus_keys::{EncryptionKeyPair, GrantScope, MasterSecret, Range};
use polkadot_sdk::*;
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_runtime::DispatchError;

/// How many random cases there are of each kind.
const CASES: usize = 1_000;

/// Runs random cases, each on the same chain.
fn cases(seed: u64, case: impl Fn(&mut StdRng, Sale)) {
	with_dataset(|| {
		let mut rng = StdRng::seed_from_u64(seed);
		for _ in 0..CASES {
			let sale = Sale::random(&mut rng);
			let run = || {
				case(&mut rng, sale);
				assert_eq!(Sharing::do_try_state(), Ok(()));
				TransactionOutcome::Rollback(Ok::<_, DispatchError>(()))
			};
			with_transaction(run).expect("nothing fails");
		}
	});
}

/// Returns another root, leaf or bytes than those that were promised.
fn cheat(rng: &mut StdRng, sale: &mut Sale) -> Vec<u8> {
	let root = root_of(SCHOOL, &sale.scope);
	let other_leaf = sale.leaf ^ (1 << rng.gen_range(0..32));
	let how = rng.gen_range(0..8);
	sale.store(
		&root,
		match how {
			// The keys are right, and the record is under another leaf's.
			0 => other_leaf,
			_ => sale.leaf,
		},
	);
	let good = sale.sealed(&root);
	match how {
		0 => good,
		// The keys of another tree, which open.
		1 => sale.sealed(&MasterSecret::from_bytes(rng.gen()).epoch_root(root.id())),
		// Those of another epoch are bound to it, and do not open.
		2 => {
			let later = Scope {
				epoch: 1,
				..sale.scope
			};
			sale.sealed(&root_of(SCHOOL, &later))
		}
		// Garbage, of the right length or another.
		3 => (0..good.len()).map(|_| rng.gen()).collect(),
		4 => (0..rng.gen_range(1..200)).map(|_| rng.gen()).collect(),
		5 => good[..rng.gen_range(1..good.len())].to_vec(),
		6 => {
			let mut changed = good;
			let at = rng.gen_range(0..changed.len());
			changed[at] ^= 1 << rng.gen_range(0..8);
			changed
		}
		// Sealed to another key.
		_ => {
			let suite = sale.pair.suite();
			let other = EncryptionKeyPair::from_seed(suite, *sale.pair.id(), rng.gen());
			seal_for(&root, COMPANY, &sale.scope, EXPIRY, &other).expect("the key is good")
		}
	}
}

#[test]
fn a_cheated_reader_gets_its_money_back() {
	cases(1, |rng, mut sale| {
		let before = (total(SCHOOL), total(COMPANY));
		let sealed = cheat(rng, &mut sale);
		let grant = sale.sell(sealed);
		let last = rng.gen_range(1..=WINDOW);
		run_to(last);
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert_eq!(
			last_event(),
			SharingEvent::DisputeWon {
				grant,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: sale.scope,
				leaf: sale.leaf,
				refunded: OFFER,
				slashed: SLASH,
				controller: SCHOOL,
			}
		);
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
		assert_eq!(
			(total(SCHOOL), total(COMPANY)),
			(before.0 - SLASH, before.1),
			"what the owner loses is burned"
		);
		let entry = Grants::<Test>::get(grant).unwrap();
		assert_eq!(entry.state, GrantState::Revoked);
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
	});
}

#[test]
fn an_honest_owner_never_loses() {
	cases(2, |rng, mut sale| {
		let before = (total(SCHOOL), total(COMPANY));
		let root = root_of(SCHOOL, &sale.scope);
		sale.store(&root, sale.leaf);
		let grant = sale.sell(sale.sealed(&root));
		run_to(rng.gen_range(1..=WINDOW));
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert_eq!(
			last_event(),
			SharingEvent::DisputeLost {
				grant,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: sale.scope,
				leaf: sale.leaf,
				controller: SCHOOL,
			}
		);
		// Nor with other secrets or bytes.
		let mut secret = *sale.pair.expose_seed();
		secret[rng.gen_range(0..32)] ^= 1 << rng.gen_range(0..8);
		let wrong = dispute(grant, sale.leaf, secret, sale.shown.clone());
		assert_noop!(submit(COMPANY, wrong), Error::WrongSecret);
		let shown = [&sale.shown[..], &[0]].concat();
		let wrong = dispute(grant, sale.leaf, *sale.pair.expose_seed(), shown);
		assert_noop!(submit(COMPANY, wrong), Error::NotTheRecord);
		let entry = Grants::<Test>::get(grant).unwrap();
		assert_eq!(entry.state, GrantState::Active);
		run_to(1 + WINDOW);
		assert_eq!(
			(total(SCHOOL), total(COMPANY)),
			(before.0 + OFFER, before.1 - OFFER)
		);
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
	});
}

/// The secret of a request opens neither another grant of the same reader nor one of the same range to another reader.
#[test]
fn what_is_revealed_opens_one_grant_and_no_other() {
	cases(3, |rng, mut sale| {
		let root = root_of(SCHOOL, &sale.scope);
		sale.store(&root, sale.leaf);
		let grant = sale.sell(sale.sealed(&root));
		let suite = sale.pair.suite();
		let other = Sale {
			pair: EncryptionKeyPair::from_seed(suite, rng.gen(), rng.gen()),
			shown: sale.shown.clone(),
			..sale
		};
		let second = other.sell(other.sealed(&root));
		let (first_keys, second_keys) = (
			Grants::<Test>::get(grant).unwrap().sealed_keys,
			Grants::<Test>::get(second).unwrap().sealed_keys,
		);
		let scope = GrantScope {
			grantee: account_bytes(&COMPANY),
			range: Range::new(sale.scope.from, sale.scope.to).unwrap(),
			expiry: EXPIRY as u32,
		};
		let open = |pair: &EncryptionKeyPair, sealed: &[u8]| {
			isthmus_keys::open_grant(pair, root.id(), &scope, sealed).is_ok()
		};
		assert!(open(&sale.pair, &first_keys) && open(&other.pair, &second_keys));
		assert!(!open(&sale.pair, &second_keys) && !open(&other.pair, &first_keys));
		// Even with the identifier that the other grant names.
		let forged =
			EncryptionKeyPair::from_seed(suite, *other.pair.id(), *sale.pair.expose_seed());
		assert!(!open(&forged, &second_keys));
		let wrong = dispute(
			second,
			sale.leaf,
			*sale.pair.expose_seed(),
			sale.shown.clone(),
		);
		assert_noop!(submit(COMPANY, wrong), Error::WrongSecret);
	});
}
