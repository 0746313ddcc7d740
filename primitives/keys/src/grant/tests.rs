// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::master::MasterSecret;
use hpke::Serializable;

const ID: EpochId = EpochId {
	genesis: [1; 32],
	owner: [2; 32],
	dataset: 3,
	epoch: 4,
};

fn root(id: EpochId) -> EpochRoot {
	MasterSecret::from_bytes([7; 32]).epoch_root(&id)
}

fn scope(start: u64, end: u64) -> GrantScope {
	GrantScope {
		grantee: [8; 32],
		range: Range::new(start, end).unwrap(),
		expiry: 1000,
	}
}

const SUITES: [Suite; 2] = [Suite::X25519, Suite::XWing];
const KEY: KeyId = [0x15; 16];

fn consumer(suite: Suite) -> EncryptionKeyPair {
	EncryptionKeyPair::from_seed(suite, KEY, [6; 32])
}

fn seal(suite: Suite, scope: &GrantScope) -> Vec<u8> {
	seal_grant(&root(ID), scope, &consumer(suite).public_key()).unwrap()
}

fn open(suite: Suite, scope: &GrantScope, sealed: &[u8]) -> Result<KeySet, GrantError> {
	open_grant(&consumer(suite), &ID, scope, sealed)
}

#[test]
fn the_grantee_gets_the_keys_of_the_range() {
	let ranges = [
		(0, 1),
		(3, 9),
		(1, crate::tree::LEAVES - 1),
		(0, crate::tree::LEAVES),
	];
	for (suite, (start, end)) in SUITES.iter().flat_map(|suite| ranges.map(|r| (*suite, r))) {
		let scope = scope(start, end);
		let keys = open(suite, &scope, &seal(suite, &scope)).unwrap();
		assert_eq!(keys.range(), scope.range);
		for leaf in [start, (start + end) / 2, end - 1] {
			let leaf = leaf as u32;
			let expected = root(ID).leaf_key(leaf);
			assert_eq!(
				keys.leaf_key(leaf).unwrap().expose_secret(),
				expected.expose_secret()
			);
		}
	}
}

#[test]
fn the_longest_grant_has_the_length_that_is_documented() {
	let longest = scope(1, crate::tree::LEAVES - 1);
	assert_eq!(seal(Suite::XWing, &longest).len(), MAX_LEN);
	assert_eq!(seal(Suite::X25519, &longest).len(), 2051);
	assert_eq!((PREFIX_LEN, MAX_LEN), (19, 3139));
}

#[test]
fn every_grant_has_its_own_ephemeral_key() {
	for suite in SUITES {
		let (a, b) = (seal(suite, &scope(0, 1)), seal(suite, &scope(0, 1)));
		let end = PREFIX_LEN + suite.encapsulated_len();
		assert_eq!(a[..PREFIX_LEN], b[..PREFIX_LEN]);
		// The lattice part, and the point at the end.
		assert_ne!(a[PREFIX_LEN..][..32], b[PREFIX_LEN..][..32]);
		assert_ne!(a[end - 32..end], b[end - 32..end]);
	}
}

#[test]
fn another_key_does_not_open_it() {
	let others = [
		(Suite::X25519, KEY, [5; 32]),
		(Suite::XWing, KEY, [5; 32]),
		(Suite::X25519, [0; 16], [6; 32]),
		(Suite::XWing, [0; 16], [6; 32]),
	];
	for suite in SUITES {
		let sealed = seal(suite, &scope(3, 9));
		assert_eq!(recipient(&sealed), Ok((suite, KEY)));
		for (other, id, seed) in others {
			let pair = EncryptionKeyPair::from_seed(other, id, seed);
			let refused = open_grant(&pair, &ID, &scope(3, 9), &sealed).unwrap_err();
			assert_eq!(refused, GrantError::DoesNotOpen);
		}
	}
}

#[test]
fn every_bound_field_matters() {
	let good = scope(4, 6);
	let sealed = seal(Suite::XWing, &good);
	let ids = [
		EpochId {
			genesis: [9; 32],
			..ID
		},
		EpochId {
			owner: [9; 32],
			..ID
		},
		EpochId { dataset: 9, ..ID },
		EpochId { epoch: 9, ..ID },
	];
	for id in ids {
		let refused = open_grant(&consumer(Suite::XWing), &id, &good, &sealed).unwrap_err();
		assert_eq!(refused, GrantError::DoesNotOpen, "{id:?}");
	}
	// Each of these ranges is covered by one node too, so the length is the same.
	let scopes = [
		GrantScope {
			grantee: [9; 32],
			..good
		},
		GrantScope {
			expiry: 1001,
			..good
		},
		scope(5, 6),
		scope(4, 5),
		scope(6, 8),
		scope(4, 8),
	];
	for scope in scopes {
		assert_eq!(
			open(Suite::XWing, &scope, &sealed).unwrap_err(),
			GrantError::DoesNotOpen,
			"{scope:?}"
		);
	}
	let expected = sealed.len() + NODE_KEY_LEN;
	let refused = open(Suite::XWing, &scope(4, 7), &sealed).unwrap_err();
	assert_eq!(
		refused,
		GrantError::Length {
			expected,
			got: sealed.len()
		}
	);
}

#[test]
fn every_bit_matters() {
	for suite in SUITES {
		let (scope, good) = (scope(4, 6), seal(suite, &scope(4, 6)));
		for bit in 0..good.len() * 8 {
			let mut bad = good.clone();
			bad[bit / 8] ^= 1 << (bit % 8);
			let got = u16::from_be_bytes([bad[1], bad[2]]);
			let expected = match (bit / 8, Suite::from_id(got)) {
				(0, _) => GrantError::UnknownVersion { got: bad[0] },
				(1..3, Err(unknown)) => unknown.into(),
				(1..3, Ok(_)) => unreachable!("the suites' numbers differ in two bits"),
				_ => GrantError::DoesNotOpen,
			};
			assert_eq!(
				open(suite, &scope, &bad).unwrap_err(),
				expected,
				"bit {bit}"
			);
		}
	}
}

#[test]
fn a_truncated_or_extended_grant_is_rejected() {
	for suite in SUITES {
		let (scope, good) = (scope(3, 9), seal(suite, &scope(3, 9)));
		let expected = good.len();
		for got in 0..expected {
			let error = if got < PREFIX_LEN {
				GrantError::CutShort { got }
			} else {
				GrantError::Length { expected, got }
			};
			assert_eq!(open(suite, &scope, &good[..got]).unwrap_err(), error);
		}
		let long = [&good[..], &[0]].concat();
		let error = GrantError::Length {
			expected,
			got: expected + 1,
		};
		assert_eq!(open(suite, &scope, &long).unwrap_err(), error);
	}
}

#[test]
fn keys_of_low_order_are_rejected() {
	// 0 and 1, and a point of order 8 (RFC 7748, section 6.1, and its references).
	let points = [
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	];
	let scope = scope(3, 9);
	for (suite, point) in SUITES.iter().flat_map(|suite| points.map(|p| (*suite, p))) {
		let point = hex::decode(point).unwrap();
		// In both suites, the point is the end of the key, and of the encapsulated key.
		let mut key = consumer(suite).public_key().to_bytes();
		let at = key.len() - 32;
		key[at..].copy_from_slice(&point);
		let key = PublicKey::from_bytes(&key).unwrap();
		assert_eq!(
			seal_grant(&root(ID), &scope, &key),
			Err(GrantError::InvalidKey)
		);
		let mut sealed = seal(suite, &scope);
		let end = PREFIX_LEN + suite.encapsulated_len();
		sealed[end - 32..end].copy_from_slice(&point);
		assert_eq!(
			open(suite, &scope, &sealed).unwrap_err(),
			GrantError::InvalidKey
		);
	}
}

/// The published test vector for exactly this suite in base mode, first encryption: kem 32, kdf 1,
/// aead 2 in the test vectors of RFC 9180 (cfrg/draft-irtf-cfrg-hpke, test-vectors.json, 5f503c5).
#[test]
fn the_suite_is_rfc_9180s() {
	let vector: serde_json::Value = serde_json::from_str(include_str!("rfc9180.json")).unwrap();
	let field = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
	let seed = |name: &str| -> [u8; 32] { field(name).try_into().unwrap() };

	let pair = EncryptionKeyPair::from_seed(Suite::X25519, KEY, seed("ikmR"));
	assert_eq!(pair.x25519().to_bytes()[..], field("skRm"));
	assert_eq!(pair.public_key().to_bytes()[18..], field("pkRm"));

	let mut random = Randomness::new([0; RANDOMNESS_LEN]);
	random[..32].copy_from_slice(&seed("ikmE"));
	let (encapsulated, mut sender) = hpke::setup_sender::<Aead, Kdf, X25519, _>(
		&OpModeS::Base,
		&pair.public_key().to_hpke::<X25519>().unwrap(),
		&field("info"),
		&mut Entropy(Some(random)),
	)
	.unwrap();
	assert_eq!(encapsulated.to_bytes()[..], field("enc"));
	assert_eq!(
		sender.seal(&field("pt"), &field("aad")).unwrap(),
		field("ct")
	);

	let encapsulated = Deserializable::from_bytes(&field("enc")).unwrap();
	let mut receiver = hpke::setup_receiver::<Aead, Kdf, X25519>(
		&OpModeR::Base,
		&X25519::derive_keypair(&field("ikmR")).0,
		&encapsulated,
		&field("info"),
	)
	.unwrap();
	assert_eq!(
		receiver.open(&field("ct"), &field("aad")).unwrap(),
		field("pt")
	);
}
