// SPDX-License-Identifier: Apache-2.0
//! Tests fair exchange: payments are held until they can no longer be disputed, a cheated reader gets its money back, and
//! an honest owner never loses.

mod disputes;
mod payments;
mod random;

use crate::{exchange::account_bytes, mock::*, *};
use frame_support::assert_ok;
use isthmus_keys::{
	header, seal_with, EncryptionKeyPair, EpochId, EpochRoot, GrantScope, MasterSecret, Range,
	Suite,
};
use polkadot_sdk::*;
use rand::{rngs::StdRng, Rng};

const SALT: [u8; 32] = [9; 32];

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
