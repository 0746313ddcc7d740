// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::master::MasterSecret;
use hpke::Kem as _;

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

fn consumer() -> EncryptionKeyPair {
	EncryptionKeyPair::from_seed([6; 32])
}

fn seal(scope: &GrantScope) -> Vec<u8> {
	seal_grant(&root(ID), scope, &consumer().public_key()).unwrap()
}

fn open(scope: &GrantScope, sealed: &[u8]) -> Result<KeySet, GrantError> {
	open_grant(&consumer(), &ID, scope, sealed)
}

#[test]
fn the_grantee_gets_the_keys_of_the_range() {
	for (start, end) in [
		(0, 1),
		(3, 9),
		(1, crate::tree::LEAVES - 1),
		(0, crate::tree::LEAVES),
	] {
		let scope = scope(start, end);
		let keys = open(&scope, &seal(&scope)).unwrap();
		assert_eq!(keys.range(), scope.range);
		for leaf in [start, (start + end) / 2, end - 1] {
			let leaf = leaf as u32;
			let expected = root(ID).leaf_key(leaf);
			assert_eq!(keys.leaf_key(leaf).unwrap().secret(), expected.secret());
		}
	}
}

#[test]
fn the_longest_grant_has_the_length_that_is_documented() {
	assert_eq!(seal(&scope(1, crate::tree::LEAVES - 1)).len(), MAX_LEN);
	assert_eq!((PREFIX_LEN, MAX_LEN), (35, 2035));
}

#[test]
fn every_grant_has_its_own_ephemeral_key() {
	assert_ne!(seal(&scope(0, 1))[3..35], seal(&scope(0, 1))[3..35]);
}

#[test]
fn another_key_does_not_open_it() {
	let sealed = seal(&scope(3, 9));
	let other = EncryptionKeyPair::from_seed([5; 32]);
	let refused = open_grant(&other, &ID, &scope(3, 9), &sealed).unwrap_err();
	assert_eq!(refused, GrantError::DoesNotOpen);
}

#[test]
fn every_bound_field_matters() {
	let good = scope(4, 6);
	let sealed = seal(&good);
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
		let refused = open_grant(&consumer(), &id, &good, &sealed).unwrap_err();
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
			open(&scope, &sealed).unwrap_err(),
			GrantError::DoesNotOpen,
			"{scope:?}"
		);
	}
	let expected = sealed.len() + NODE_KEY_LEN;
	let refused = open(&scope(4, 7), &sealed).unwrap_err();
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
	let (scope, good) = (scope(4, 6), seal(&scope(4, 6)));
	for bit in 0..good.len() * 8 {
		let mut bad = good.clone();
		bad[bit / 8] ^= 1 << (bit % 8);
		let expected = match bit / 8 {
			0 => GrantError::UnknownVersion { got: bad[0] },
			1..3 => KeyError::UnknownSuite {
				got: u16::from_be_bytes([bad[1], bad[2]]),
			}
			.into(),
			_ => GrantError::DoesNotOpen,
		};
		assert_eq!(open(&scope, &bad).unwrap_err(), expected, "bit {bit}");
	}
}

#[test]
fn a_truncated_or_extended_grant_is_rejected() {
	let (scope, good) = (scope(3, 9), seal(&scope(3, 9)));
	let expected = good.len();
	for got in 0..expected {
		let error = if got < PREFIX_LEN {
			GrantError::CutShort { got }
		} else {
			GrantError::Length { expected, got }
		};
		assert_eq!(open(&scope, &good[..got]).unwrap_err(), error);
	}
	let long = [&good[..], &[0]].concat();
	let error = GrantError::Length {
		expected,
		got: expected + 1,
	};
	assert_eq!(open(&scope, &long).unwrap_err(), error);
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
	for point in points {
		let point = hex::decode(point).unwrap();
		let key = PublicKey::from_bytes(&[&[0, 1], &point[..]].concat()).unwrap();
		assert_eq!(
			seal_grant(&root(ID), &scope, &key),
			Err(GrantError::LowOrderKey)
		);
		let mut sealed = seal(&scope);
		sealed[3..35].copy_from_slice(&point);
		assert_eq!(open(&scope, &sealed).unwrap_err(), GrantError::LowOrderKey);
	}
}

/// The published test vector for exactly this suite in base mode, first encryption: kem 32, kdf 1,
/// aead 2 in the test vectors of RFC 9180 (cfrg/draft-irtf-cfrg-hpke, test-vectors.json, 5f503c5).
#[test]
fn the_suite_is_rfc_9180s() {
	let vector: serde_json::Value = serde_json::from_str(include_str!("rfc9180.json")).unwrap();
	let field = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
	let seed = |name: &str| -> [u8; 32] { field(name).try_into().unwrap() };

	let pair = EncryptionKeyPair::from_seed(seed("ikmR"));
	assert_eq!(pair.private_key().to_bytes()[..], field("skRm"));
	assert_eq!(pair.public_key().to_bytes()[2..], field("pkRm"));

	let mut entropy = Entropy(Some(Secret::new(seed("ikmE"))));
	let (encapsulated, mut sender) = hpke::setup_sender::<Aead, Kdf, Kem, _>(
		&OpModeS::Base,
		&pair.public_key().to_hpke(),
		&field("info"),
		&mut entropy,
	)
	.unwrap();
	assert_eq!(encapsulated.to_bytes()[..], field("enc"));
	assert_eq!(
		sender.seal(&field("pt"), &field("aad")).unwrap(),
		field("ct")
	);

	let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&field("enc")).unwrap();
	let mut receiver = hpke::setup_receiver::<Aead, Kdf, Kem>(
		&OpModeR::Base,
		&Kem::derive_keypair(&field("ikmR")).0,
		&encapsulated,
		&field("info"),
	)
	.unwrap();
	assert_eq!(
		receiver.open(&field("ct"), &field("aad")).unwrap(),
		field("pt")
	);
}
