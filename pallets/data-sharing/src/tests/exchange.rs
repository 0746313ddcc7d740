// SPDX-License-Identifier: Apache-2.0
//! Tests fair exchange: payments are held until they can no longer be disputed, a cheated reader gets its money back, and
//! an honest owner never loses.

use crate::{
	exchange::account_bytes,
	mock::{Error, *},
	*,
};
use frame_support::{
	assert_noop, assert_ok,
	storage::{with_transaction, TransactionOutcome},
};
use isthmus_keys::{
	header, seal_with, EncryptionKeyPair, EpochId, EpochRoot, GrantScope, MasterSecret, Range,
	Suite,
};
use polkadot_sdk::*;
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_runtime::DispatchError;

const SALT: [u8; 32] = [9; 32];
/// How many random cases there are of each kind.
const CASES: usize = 1_000;

pub(super) fn dispute(grant: GrantId, leaf: Leaf, secret: [u8; 32], shown: Vec<u8>) -> SharingCall {
	SharingCall::dispute {
		grant,
		leaf,
		secret,
		shown,
	}
}

/// Returns the pair of keys that a reader makes for its requests. In life it makes a new one for each.
pub(super) fn reader_of(suite: Suite, who: u64) -> EncryptionKeyPair {
	EncryptionKeyPair::from_seed(suite, [who as u8; 16], [who as u8; 32])
}

/// Returns the root of the keys of an epoch.
pub(super) fn root_of(owner: u64, scope: &Scope) -> EpochRoot {
	let id = EpochId {
		genesis: account_bytes(&System::block_hash(0)),
		owner: account_bytes(&owner),
		dataset: scope.dataset,
		epoch: scope.epoch,
	};
	MasterSecret::from_bytes([owner as u8; 32]).epoch_root(&id)
}

fn header_of(root: &EpochRoot, leaf: Leaf, version: u8) -> [u8; 77] {
	let labels = match version {
		header::OBJECT_VERSION => header::OBJECT,
		_ => header::RECORD,
	};
	let (_, commitment) = header::chunk_key(&root.leaf_key(leaf), &SALT, &labels);
	let mut header = [0; 77];
	header[0] = version;
	header[header::SALT_AT..header::COMMITMENT_AT].copy_from_slice(&SALT);
	header[header::COMMITMENT_AT..].copy_from_slice(&commitment);
	header
}

/// Returns a value that begins as a record under a leaf's key does.
pub(super) fn record_of(root: &EpochRoot, leaf: Leaf) -> Vec<u8> {
	header_of(root, leaf, header::RECORD_VERSION).to_vec()
}

/// Seals the keys of a range to a reader's key, if that is possible.
pub(super) fn seal_for(
	root: &EpochRoot,
	grantee: u64,
	scope: &Scope,
	expiry: u64,
	pair: &EncryptionKeyPair,
) -> Option<Vec<u8>> {
	let sealed_for = GrantScope {
		grantee: account_bytes(&grantee),
		range: Range::new(scope.from, scope.to).ok()?,
		expiry: expiry as u32,
	};
	seal_with(root, &sealed_for, &pair.public_key(), [8; 64].into()).ok()
}

/// What a record is stored as.
#[derive(Clone, Copy, Debug)]
enum Kind {
	Value,
	Named,
	Large,
	Object,
}

/// A sale of a range with a record in it.
struct Sale {
	pair: EncryptionKeyPair,
	scope: Scope,
	leaf: Leaf,
	kind: Kind,
	/// What the school stores, and shows if asked: the chain has its hash.
	shown: Vec<u8>,
}

const EXPIRY: u64 = 50;
const OFFER: u64 = 500;

impl Sale {
	/// Returns a random sale of a range of the school's dataset 0, epoch 0, to the company.
	fn random(rng: &mut StdRng) -> Self {
		let magnitude = rng.gen_range(0..32);
		let (from, length) = (rng.gen::<u32>(), rng.gen_range(1..=1u64 << magnitude));
		let to = (u64::from(from) + length).min(1 << 32);
		// The larger keys take ten times as long.
		let suite = match rng.gen_ratio(1, 8) {
			true => Suite::XWing,
			false => Suite::X25519,
		};
		let kinds = [Kind::Value, Kind::Named, Kind::Large, Kind::Object];
		Self {
			pair: EncryptionKeyPair::from_seed(suite, rng.gen(), rng.gen()),
			scope: scope(from.into(), to),
			leaf: rng.gen_range(u64::from(from)..to) as u32,
			kind: kinds[rng.gen_range(0..4)],
			shown: Vec::new(),
		}
	}

	/// Stores a record whose header is that of `leaf` under `root`, at the sale's leaf.
	fn store(&mut self, root: &EpochRoot, leaf: Leaf) {
		let (key, dataset, epoch) = (key(1), 0, 0);
		let of = |version| header_of(root, leaf, version).to_vec();
		let call = match self.kind {
			Kind::Value | Kind::Named => {
				let version = match self.kind {
					Kind::Named => header::NAMED_RECORD_VERSION,
					_ => header::RECORD_VERSION,
				};
				self.shown = [of(version), vec![5; 60]].concat();
				SharingCall::store {
					key,
					dataset,
					epoch,
					leaf: self.leaf,
					value: self.shown.clone(),
				}
			}
			Kind::Large => {
				self.shown = [&[1, 0, 77][..], &of(header::RECORD_VERSION), &[5; 64]].concat();
				SharingCall::open_record {
					key,
					dataset,
					epoch,
					leaf: self.leaf,
					length: 7,
					chunk_size: 4,
					manifest: self.shown.clone(),
				}
			}
			Kind::Object => {
				let header = header_of(root, leaf, header::OBJECT_VERSION);
				let object = Object {
					header,
					..object_of(1)
				};
				SharingCall::store_object {
					key,
					dataset,
					epoch,
					leaf: self.leaf,
					object,
				}
			}
		};
		assert_ok!(submit(SCHOOL, call));
	}

	/// Makes the company's request, and the school's answer with these keys. Returns the grant.
	fn sell(&self, sealed: Vec<u8>) -> GrantId {
		let mut asked = request(self.scope, OFFER);
		if let SharingCall::request_access { key, .. } = &mut asked {
			*key = self.pair.public_key().to_bytes();
		}
		assert_ok!(submit(COMPANY, asked));
		let id = NextRequest::<Test>::get() - 1;
		let mut answer = authorize(COMPANY, self.scope, EXPIRY, Some(id));
		if let SharingCall::add_authorize { sealed_keys, .. } = &mut answer {
			*sealed_keys = sealed;
		}
		assert_ok!(submit(SCHOOL, answer));
		NextGrant::<Test>::get() - 1
	}

	fn sealed(&self, root: &EpochRoot) -> Vec<u8> {
		seal_for(root, COMPANY, &self.scope, EXPIRY, &self.pair).expect("the key is good")
	}

	fn dispute(&self, grant: GrantId) -> SharingCall {
		let secret = *self.pair.expose_seed();
		dispute(grant, self.leaf, secret, self.shown.clone())
	}
}

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

/// Runs a test with an honest sale of leaf 3 in the range 0 to 10.
fn with_sale(test: impl FnOnce(Sale, GrantId)) {
	with_dataset(|| {
		let mut sale = Sale {
			pair: reader_of(Suite::X25519, COMPANY),
			scope: scope(0, 10),
			leaf: 3,
			kind: Kind::Value,
			shown: Vec::new(),
		};
		let root = root_of(SCHOOL, &sale.scope);
		sale.store(&root, 3);
		let grant = sale.sell(sale.sealed(&root));
		test(sale, grant);
	});
}

#[test]
fn a_dispute_names_what_is_wrong_with_it() {
	with_sale(|sale, grant| {
		let secret = *sale.pair.expose_seed();
		let shown = || sale.shown.clone();
		for (who, call, error) in [
			(
				COMPANY,
				dispute(grant + 1, 3, secret, shown()),
				Error::UnknownGrant,
			),
			(SCHOOL, sale.dispute(grant), Error::UnknownGrant),
			(RIVAL, sale.dispute(grant), Error::UnknownGrant),
			(
				COMPANY,
				dispute(grant, 10, secret, shown()),
				Error::LeafOutsideGrant,
			),
			(
				COMPANY,
				dispute(grant, 4, secret, shown()),
				Error::LeafNotTaken,
			),
			(
				COMPANY,
				dispute(grant, 3, [0; 32], shown()),
				Error::WrongSecret,
			),
			(
				COMPANY,
				dispute(grant, 3, secret, vec![]),
				Error::NotTheRecord,
			),
		] {
			assert_noop!(submit(who, call), error);
		}
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		// A grant that cost nothing, and one that no one asked for.
		assert_ok!(submit(COMPANY, request(scope(0, 9), 0)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 9), 50, Some(1))));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 8), 50, None)));
		for grant in [1, 2] {
			let call = dispute(grant, 3, secret, shown());
			assert_noop!(submit(COMPANY, call), Error::NothingToDispute);
		}
	});
}

#[test]
fn a_key_that_the_chain_cannot_open_cannot_be_disputed() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 5)));
		let answer = authorize(COMPANY, scope(0, 10), 50, Some(0));
		assert_ok!(submit(SCHOOL, answer));
		let call = dispute(0, 3, [0; 32], vec![]);
		assert_noop!(submit(COMPANY, call), Error::SuiteUnknown);
	});
}

#[test]
fn a_payment_cannot_be_disputed_when_the_agenda_is_late() {
	with_sale(|sale, grant| {
		System::set_block_number(1 + WINDOW);
		Backlog::<Test>::put(1 + WINDOW);
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
		// Anyone can have it made.
		let due = |due| SharingCall::settle {
			due: vec![due].try_into().unwrap(),
		};
		assert_ok!(submit(STRANGER, due(Due::Payment(grant))));
		assert!(matches!(last_event(), SharingEvent::OfferPaid { .. }));
		assert_noop!(
			submit(STRANGER, due(Due::Payment(grant))),
			Error::NothingDue
		);
		Backlog::<Test>::kill();
	});
}

#[test]
fn a_term_that_is_paid_for_is_longer_than_the_time_for_disputes() {
	with_dataset(|| {
		let ask = |term, offer| {
			let mut call = request(scope(0, 10), offer);
			if let SharingCall::request_access { term: asked, .. } = &mut call {
				*asked = term;
			}
			call
		};
		assert_noop!(submit(COMPANY, ask(WINDOW - 1, 1)), Error::TermTooShort);
		assert_ok!(submit(RIVAL, ask(1, 0)));
		assert_ok!(submit(COMPANY, ask(WINDOW, 1)));
		// The window is longer than when the request was made: the payment is made when its term ends.
		DisputeWindow::set(10 * WINDOW);
		let owner = total(SCHOOL);
		let answer = authorize(COMPANY, scope(0, 10), 1 + WINDOW, Some(1));
		assert_ok!(submit(SCHOOL, answer));
		run_to(1 + WINDOW);
		assert_eq!(total(SCHOOL), owner + 1);
		let entry = Grants::<Test>::get(0).unwrap();
		assert_eq!(entry.state, GrantState::Expired);
	});
}

/// An owner that revokes before it is paid keeps nothing, so that it cannot escape a dispute with a part of the payment.
#[test]
fn a_revocation_before_the_payment_gives_all_of_it_back() {
	with_sale(|sale, grant| {
		let (owner, consumer) = (total(SCHOOL), total(COMPANY));
		run_to(WINDOW);
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		assert!(matches!(
			last_event(),
			SharingEvent::Revoked {
				refunded: OFFER,
				..
			}
		));
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner, consumer));
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
		// A good grant is as good as before.
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert!(matches!(last_event(), SharingEvent::DisputeLost { .. }));
		assert_eq!(Sharing::do_try_state(), Ok(()));
		let full = Grants::<Test>::get(grant).unwrap().deposit;
		// The keys go when the time for disputes is over.
		run_to(1 + WINDOW);
		let entry = Grants::<Test>::get(grant).unwrap();
		assert!(entry.sealed_keys.is_empty() && entry.deposit < full);
		assert_eq!(held(HoldReason::Grant, COMPANY), entry.deposit);
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner, consumer));
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
	});
}

/// Runs a test with a sale of leaf 3 in the range 0 to 10, whose keys are garbage.
fn with_garbage(test: impl FnOnce(Sale, GrantId)) {
	with_sale(|sale, _| {
		let sale = Sale {
			scope: scope(1, 10),
			..sale
		};
		let grant = sale.sell(b"garbage".to_vec());
		test(sale, grant);
	});
}

#[test]
fn a_revocation_does_not_save_a_cheat() {
	with_garbage(|sale, grant| {
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		let (owner, consumer) = (total(SCHOOL), total(COMPANY));
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert!(matches!(
			last_event(),
			SharingEvent::DisputeWon {
				refunded: 0,
				slashed: SLASH,
				..
			}
		));
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner - SLASH, consumer));
		assert_eq!(Sharing::do_try_state(), Ok(()));
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
	});
}

/// Other grants to the reader do not push one out that can be disputed.
#[test]
fn a_full_list_keeps_what_can_be_disputed() {
	with_garbage(|sale, grant| {
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		let mut given = 0;
		while submit(SCHOOL, authorize(COMPANY, scope(0, 9), 50, None)).is_ok() {
			given += 1;
		}
		assert_eq!(given, 14);
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 9), 50, None)));
		assert!(!Grants::<Test>::contains_key(grant));
	});
}

#[test]
fn who_gives_a_revoked_grant_up_pays_nothing() {
	with_sale(|_, grant| {
		let (owner, consumer) = (total(SCHOOL), total(COMPANY));
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		assert_ok!(submit(COMPANY, SharingCall::renounce { grant }));
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner, consumer));
		assert_eq!(Payments::<Test>::iter_keys().count(), 0);
		assert_eq!(SoldRanges::<Test>::iter_keys().count(), 0);
	});
}

#[test]
fn a_payment_that_waits_is_in_order() {
	with_sale(|_, _| assert_eq!(Sharing::do_try_state(), Ok(())));
}

/// The time for disputes is half of the term, from the least one to the chain's longest.
#[test]
fn a_longer_term_can_be_disputed_longer() {
	for (longest, window) in [(WINDOW, WINDOW), (1, WINDOW), (8, 8), (100, 10)] {
		with_dataset(|| {
			LongestWindow::<Test>::put(longest);
			assert_ok!(submit(COMPANY, request(scope(0, 10), OFFER)));
			assert_ok!(submit(
				SCHOOL,
				authorize(COMPANY, scope(0, 10), 50, Some(0))
			));
			assert_eq!(Payments::<Test>::get(0).unwrap().until, 1 + window);
		});
	}
}

#[test]
fn the_genesis_sets_the_longest_time_for_disputes() {
	use sp_runtime::BuildStorage;
	for (set, longest) in [(0, WINDOW), (9, 9)] {
		let genesis = GenesisConfig::<Test> {
			longest_window: set,
		};
		let storage = genesis.build_storage().expect("it is good");
		sp_io::TestExternalities::new(storage)
			.execute_with(|| assert_eq!(LongestWindow::<Test>::get(), longest));
	}
}

/// What shows that a grant is bad stays as long as that can be shown: records that came later, and unfinished ones, too.
#[test]
fn evidence_stays_while_a_payment_is_open() {
	with_sale(|_, grant| {
		run_to(2);
		let later = SharingCall::store {
			key: key(2),
			dataset: 0,
			epoch: 0,
			leaf: 4,
			value: vec![1],
		};
		assert_ok!(submit(SCHOOL, later));
		let outside = SharingCall::store {
			key: key(3),
			dataset: 0,
			epoch: 0,
			leaf: 10,
			value: vec![1],
		};
		assert_ok!(submit(SCHOOL, outside));
		let large = SharingCall::open_record {
			key: key(4),
			dataset: 0,
			epoch: 0,
			leaf: 5,
			length: 7,
			chunk_size: 4,
			manifest: [&[1, 0, 1, 0][..], &[5; 64]].concat(),
		};
		assert_ok!(submit(SCHOOL, large));
		let remove = |number| submit(SCHOOL, SharingCall::remove_record { key: key(number) });
		assert_ok!(remove(3));
		for number in [1, 2, 4] {
			assert_noop!(remove(number), Error::RecordPaidFor);
		}
		// Nor after a revocation.
		run_to(3);
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		for number in [1, 2, 4] {
			assert_noop!(remove(number), Error::RecordPaidFor);
		}
		run_to(1 + WINDOW);
		for number in [1, 2, 4] {
			assert_ok!(remove(number));
		}
	});
}

/// The keys of the range are public after a dispute, won or lost.
#[test]
fn a_dispute_starts_an_epoch() {
	let epoch = || Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch;
	let check = |sale: Sale, grant| {
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert_eq!(epoch(), 1);
		System::assert_has_event(
			SharingEvent::EpochStarted {
				owner: SCHOOL,
				dataset: 0,
				epoch: 1,
			}
			.into(),
		);
	};
	with_garbage(check);
	with_sale(|sale, grant| {
		let again = sale.dispute(grant);
		check(sale, grant);
		// A grant on an earlier epoch starts none.
		assert_ok!(submit(COMPANY, again));
		assert_eq!(epoch(), 1);
	});
}

/// Who shows that it was cheated pays no fee, and who is wrong does.
#[test]
fn a_won_dispute_is_free() {
	use frame_support::dispatch::Pays;
	let pays = |sale: &Sale, grant| {
		let Sale { leaf, shown, .. } = sale;
		let secret = *sale.pair.expose_seed();
		let origin = RuntimeOrigin::signed(COMPANY);
		let done = Sharing::dispute(origin, grant, *leaf, secret, shown.clone());
		done.expect("it is decided").pays_fee
	};
	with_garbage(|sale, grant| assert_eq!(pays(&sale, grant), Pays::No));
	with_sale(|sale, grant| assert_eq!(pays(&sale, grant), Pays::Yes));
}

/// A payment that the owner's account cannot take goes back to the reader.
#[test]
fn a_payment_that_cannot_be_made_is_not_lost() {
	with_sale(|_, _| {
		let before = total(COMPANY);
		frame_system::Account::<Test>::mutate(SCHOOL, |account| {
			account.data.free = u64::MAX - account.data.reserved - 1;
		});
		run_to(1 + WINDOW);
		assert_eq!(total(COMPANY), before);
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
		assert_eq!(Payments::<Test>::iter_keys().count(), 0);
		assert_eq!(Sharing::do_try_state(), Ok(()));
	});
}

#[test]
fn who_gives_a_grant_up_pays_for_it() {
	with_sale(|_, grant| {
		let owner = total(SCHOOL);
		assert_ok!(submit(COMPANY, SharingCall::renounce { grant }));
		assert_eq!(total(SCHOOL), owner + OFFER);
		assert_eq!(Payments::<Test>::iter_keys().count(), 0);
	});
}

/// An owner loses no more than the deposit for its dataset, and must restore it to sell again.
#[test]
fn what_an_owner_loses_is_bounded() {
	with_dataset(|| {
		let deposit = || Datasets::<Test>::get(SCHOOL, 0).unwrap().deposit;
		let full = deposit();
		let pair = reader_of(Suite::X25519, COMPANY);
		let sale = |from| Sale {
			pair: pair.clone(),
			scope: scope(from, 10),
			leaf: 9,
			kind: Kind::Value,
			shown: Vec::new(),
		};
		let sell = |from| sale(from).sell(b"garbage".to_vec());
		let sales = full.div_ceil(SLASH);
		let sold: Vec<_> = (0..sales).map(sell).collect();
		let mut left = full;
		for (from, grant) in (0..sales).zip(sold) {
			assert_ok!(submit(COMPANY, sale(from).dispute(grant)));
			let lost = left.min(SLASH);
			assert!(matches!(
				last_event(),
				SharingEvent::DisputeWon { slashed, .. } if slashed == lost
			));
			left -= lost;
			assert_eq!(deposit(), left);
			assert_eq!(Sharing::do_try_state(), Ok(()));
		}
		assert_eq!(left, 0);
		// Without the funds for it, the owner sells nothing.
		let poor = || {
			assert_ok!(submit(COMPANY, request(scope(6, 10), OFFER)));
			let free = Balances::free_balance(SCHOOL);
			let all = free - full / 2;
			assert_ok!(Balances::transfer_allow_death(
				RuntimeOrigin::signed(SCHOOL),
				STRANGER,
				all
			));
			let id = NextRequest::<Test>::get() - 1;
			let answer = authorize(COMPANY, scope(6, 10), EXPIRY, Some(id));
			assert_eq!(
				submit(SCHOOL, answer),
				Err(sp_runtime::TokenError::FundsUnavailable.into())
			);
			TransactionOutcome::Rollback(Ok::<_, DispatchError>(()))
		};
		with_transaction(poor).expect("nothing fails");
		// Nothing is needed to give access for nothing.
		assert_ok!(submit(COMPANY, request(scope(7, 10), 0)));
		let id = NextRequest::<Test>::get() - 1;
		let answer = authorize(COMPANY, scope(7, 10), EXPIRY, Some(id));
		assert_ok!(submit(SCHOOL, answer));
		assert_eq!(deposit(), 0);
		sell(8);
		assert_eq!(deposit(), full);
	});
}
