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
			}
		);
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
		assert_eq!(
			(total(SCHOOL), total(COMPANY)),
			(before.0 - SLASH, before.1 + SLASH)
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
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
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

/// An owner loses no more than the deposit for its dataset.
#[test]
fn what_an_owner_loses_is_bounded() {
	with_dataset(|| {
		let mut left = Datasets::<Test>::get(SCHOOL, 0).unwrap().deposit;
		let pair = reader_of(Suite::X25519, COMPANY);
		for from in 0..6 {
			let sale = Sale {
				pair: pair.clone(),
				scope: scope(from, 10),
				leaf: 9,
				kind: Kind::Value,
				shown: Vec::new(),
			};
			let grant = sale.sell(b"garbage".to_vec());
			assert_ok!(submit(COMPANY, sale.dispute(grant)));
			let lost = left.min(SLASH);
			assert!(matches!(
				last_event(),
				SharingEvent::DisputeWon { slashed, .. } if slashed == lost
			));
			left -= lost;
			assert_eq!(Datasets::<Test>::get(SCHOOL, 0).unwrap().deposit, left);
		}
		assert_eq!(left, 0);
		run_to(20);
		assert_ok!(submit(SCHOOL, SharingCall::remove_dataset { dataset: 0 }));
	});
}
