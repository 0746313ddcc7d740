// SPDX-License-Identifier: Apache-2.0
//! X-Wing, the key encapsulation of [`Suite::XWing`](crate::Suite::XWing): ML-KEM-768 (FIPS 203) together with
//! X25519 (RFC 7748). What it seals stays closed as long as either of the two holds.
//!
//! The construction is draft-connolly-cfrg-xwing-kem-06. This module only combines the two parts and lends the
//! result to HPKE; ML-KEM, X25519 and SHA-3 are libraries.

use crate::derive::Secret;
use alloc::vec::Vec;
use hpke::{
	generic_array::{
		typenum::{Sum, U1024, U192, U32, U96},
		GenericArray,
	},
	kem::SharedSecret,
	rand_core::{CryptoRng, RngCore},
	Deserializable, HpkeError, Kem, Serializable,
};
use ml_kem::{
	kem::Decapsulate, Ciphertext, EncapsulateDeterministic, Encoded, EncodedSizeUser, KemCore,
	MlKem768,
};
use sha3::{
	digest::{ExtendableOutput, Update, XofReader},
	Digest, Sha3_256, Shake256,
};
use x25519_dalek::{PublicKey as CurvePoint, SharedSecret as CurveSecret, StaticSecret};
use zeroize::Zeroizing;

/// Length of a public key in bytes: one of ML-KEM-768 and one of X25519.
pub(crate) const PUBLIC_LEN: usize = LATTICE_PUBLIC_LEN + CURVE_LEN;
/// Length of an encapsulated key in bytes: a ciphertext of ML-KEM-768 and a public key of X25519.
pub(crate) const ENCAPSULATED_LEN: usize = LATTICE_CIPHERTEXT_LEN + CURVE_LEN;
/// Number of random bytes that an encapsulation takes.
pub(crate) const RANDOMNESS_LEN: usize = 64;

const LATTICE_PUBLIC_LEN: usize = 1184;
const LATTICE_CIPHERTEXT_LEN: usize = 1088;
const CURVE_LEN: usize = 32;
/// The last input of the combiner.
const LABEL: &[u8; 6] = br"\.//^\";

type LatticePublic = <MlKem768 as KemCore>::EncapsulationKey;
type LatticePrivate = <MlKem768 as KemCore>::DecapsulationKey;

/// The key encapsulation.
pub(crate) struct XWing;

/// A private key: the seed from which both private keys are derived.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PrivateKey(Secret);

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey([u8; PUBLIC_LEN]);

/// An encapsulated key.
#[derive(Clone)]
pub(crate) struct EncappedKey([u8; ENCAPSULATED_LEN]);

/// Implements HPKE's encoding for a type that is its own encoding.
macro_rules! encoded_as_it_is {
	($type:ident, $len:ty, $wrap:expr) => {
		impl Serializable for $type {
			type OutputSize = $len;

			fn write_exact(&self, out: &mut [u8]) {
				out.copy_from_slice(&self.0[..]);
			}
		}

		impl Deserializable for $type {
			fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
				let wrong = HpkeError::IncorrectInputLength(Self::size(), bytes.len());
				bytes.try_into().map($wrap).map_err(|_| wrong)
			}
		}
	};
}

encoded_as_it_is!(PrivateKey, U32, |seed| Self(Secret::new(seed)));
encoded_as_it_is!(PublicKey, Sum<U1024, U192>, Self);
encoded_as_it_is!(EncappedKey, Sum<U1024, U96>, Self);

/// The private keys of the two parts.
struct Expanded {
	lattice: LatticePrivate,
	lattice_public: LatticePublic,
	curve: StaticSecret,
	curve_public: CurvePoint,
}

impl PrivateKey {
	/// Derives the two private keys: 96 bytes of SHAKE256 over the seed.
	fn expand(&self) -> Expanded {
		let mut bytes = Zeroizing::new([0; 96]);
		let mut shake = Shake256::default();
		shake.update(&self.0[..]);
		shake.finalize_xof().read(&mut bytes[..]);
		let [d, z, curve] = core::array::from_fn(|part| {
			let mut seed = Secret::default();
			seed.copy_from_slice(&bytes[32 * part..][..32]);
			seed
		});
		let (lattice, lattice_public) =
			MlKem768::generate_deterministic(&(*d).into(), &(*z).into());
		let curve = StaticSecret::from(*curve);
		Expanded {
			lattice,
			lattice_public,
			curve_public: CurvePoint::from(&curve),
			curve,
		}
	}
}

impl PublicKey {
	/// Returns the two public keys, or an error if the first is not one of ML-KEM (FIPS 203, section 7.2).
	fn parts(&self) -> Result<(LatticePublic, CurvePoint), HpkeError> {
		let (lattice, curve) = self.0.split_at(LATTICE_PUBLIC_LEN);
		let encoded: Encoded<LatticePublic> =
			lattice.try_into().map_err(|_| HpkeError::EncapError)?;
		let key = LatticePublic::from_bytes(&encoded);
		// A coefficient that is not below the modulus is encoded differently.
		if key.as_bytes() != encoded {
			return Err(HpkeError::EncapError);
		}
		let mut point = [0; CURVE_LEN];
		point.copy_from_slice(curve);
		Ok((key, point.into()))
	}
}

/// Returns `SHA3-256(lattice secret ‖ curve secret ‖ curve ciphertext ‖ curve public key ‖ label)`.
fn combine(
	lattice: &[u8],
	curve: &CurveSecret,
	ciphertext: &[u8],
	public: &CurvePoint,
) -> SharedSecret<XWing> {
	let hash = Sha3_256::new()
		.chain_update(lattice)
		.chain_update(curve.as_bytes())
		.chain_update(ciphertext)
		.chain_update(public.as_bytes())
		.chain_update(LABEL);
	let mut secret = SharedSecret::default();
	secret.0.copy_from_slice(&hash.finalize());
	secret
}

impl Kem for XWing {
	type PublicKey = PublicKey;
	type PrivateKey = PrivateKey;
	type EncappedKey = EncappedKey;
	type NSecret = U32;
	/// As registered in draft-ietf-hpke-pq.
	const KEM_ID: u16 = 0x647a;

	fn sk_to_pk(private: &PrivateKey) -> PublicKey {
		let keys = private.expand();
		let mut bytes = [0; PUBLIC_LEN];
		bytes[..LATTICE_PUBLIC_LEN].copy_from_slice(&keys.lattice_public.as_bytes());
		bytes[LATTICE_PUBLIC_LEN..].copy_from_slice(keys.curve_public.as_bytes());
		PublicKey(bytes)
	}

	/// Derives a pair from 32 or more bytes. The drafts differ in how; the formats of this crate use private keys
	/// directly, so this is SHAKE256 alone, as in the draft of X-Wing.
	fn derive_keypair(input: &[u8]) -> (PrivateKey, PublicKey) {
		let mut seed = Secret::default();
		let mut shake = Shake256::default();
		shake.update(input);
		shake.finalize_xof().read(&mut seed[..]);
		let private = PrivateKey(seed);
		let public = Self::sk_to_pk(&private);
		(private, public)
	}

	fn encap<R: CryptoRng + RngCore>(
		recipient: &PublicKey,
		sender: Option<(&PrivateKey, &PublicKey)>,
		random: &mut R,
	) -> Result<(SharedSecret<Self>, EncappedKey), HpkeError> {
		// X-Wing cannot authenticate a sender.
		if sender.is_some() {
			return Err(HpkeError::EncapError);
		}
		let (lattice, point) = recipient.parts()?;
		let mut bytes = Zeroizing::new([0; RANDOMNESS_LEN]);
		random.fill_bytes(&mut bytes[..]);
		let [message, ephemeral] = core::array::from_fn(|part| {
			let mut half = Secret::default();
			half.copy_from_slice(&bytes[32 * part..][..32]);
			half
		});
		let (ciphertext, shared) = lattice
			.encapsulate_deterministic(&(*message).into())
			.map_err(|()| HpkeError::EncapError)?;
		let ephemeral = StaticSecret::from(*ephemeral);
		let curve = ephemeral.diffie_hellman(&point);
		if !curve.was_contributory() {
			return Err(HpkeError::EncapError);
		}
		let public = CurvePoint::from(&ephemeral);
		let mut encapsulated = [0; ENCAPSULATED_LEN];
		encapsulated[..LATTICE_CIPHERTEXT_LEN].copy_from_slice(&ciphertext);
		encapsulated[LATTICE_CIPHERTEXT_LEN..].copy_from_slice(public.as_bytes());
		let secret = combine(&shared, &curve, public.as_bytes(), &point);
		Ok((secret, EncappedKey(encapsulated)))
	}

	fn decap(
		recipient: &PrivateKey,
		sender: Option<&PublicKey>,
		encapsulated: &EncappedKey,
	) -> Result<SharedSecret<Self>, HpkeError> {
		if sender.is_some() {
			return Err(HpkeError::DecapError);
		}
		let keys = recipient.expand();
		let (ciphertext, point) = encapsulated.0.split_at(LATTICE_CIPHERTEXT_LEN);
		let ciphertext: Ciphertext<MlKem768> =
			ciphertext.try_into().map_err(|_| HpkeError::DecapError)?;
		let shared = keys
			.lattice
			.decapsulate(&ciphertext)
			.map_err(|()| HpkeError::DecapError)?;
		let mut bytes = [0; CURVE_LEN];
		bytes.copy_from_slice(point);
		let curve = keys.curve.diffie_hellman(&bytes.into());
		// As for X25519 alone (RFC 9180, section 7.1.4).
		if !curve.was_contributory() {
			return Err(HpkeError::DecapError);
		}
		Ok(combine(&shared, &curve, point, &keys.curve_public))
	}
}

/// Returns the bytes of a GenericArray as a vector.
pub(crate) fn to_vec<T: Serializable>(value: &T) -> Vec<u8> {
	let bytes: GenericArray<u8, T::OutputSize> = value.to_bytes();
	bytes.to_vec()
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Passes an encapsulation its random bytes.
	struct Given(Vec<u8>);

	impl RngCore for Given {
		fn next_u32(&mut self) -> u32 {
			unreachable!()
		}

		fn next_u64(&mut self) -> u64 {
			unreachable!()
		}

		fn fill_bytes(&mut self, out: &mut [u8]) {
			out.copy_from_slice(&self.0);
		}
	}

	impl CryptoRng for Given {}

	/// The published test vectors of the draft (dconnolly/draft-connolly-cfrg-xwing-kem, test-vectors.json).
	#[test]
	fn the_construction_is_the_drafts() {
		let vectors: serde_json::Value =
			serde_json::from_str(include_str!("xwing/draft.json")).unwrap();
		let vectors = vectors.as_array().unwrap();
		assert_eq!(vectors.len(), 3);
		for vector in vectors {
			let field = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
			let private = PrivateKey::from_bytes(&field("sk")).unwrap();
			let public = XWing::sk_to_pk(&private);
			assert_eq!(to_vec(&public), field("pk"));
			let (secret, encapsulated) =
				XWing::encap(&public, None, &mut Given(field("eseed"))).unwrap();
			assert_eq!(to_vec(&encapsulated), field("ct"));
			assert_eq!(secret.0[..], field("ss"));
			let opened = XWing::decap(&private, None, &encapsulated).unwrap();
			assert_eq!(opened.0, secret.0);
		}
	}

	#[test]
	fn nothing_is_sealed_to_a_key_that_is_not_one() {
		let (_, good) = XWing::derive_keypair(&[1; 32]);
		let sealed = |key: &PublicKey| XWing::encap(key, None, &mut Given(vec![2; 64])).is_ok();
		assert!(sealed(&good));
		// A coefficient of 4095, where the modulus is 3329.
		let mut beyond = good.clone();
		beyond.0[..2].fill(0xff);
		assert!(!sealed(&beyond));
		// A point of low order.
		let mut low = good;
		low.0[LATTICE_PUBLIC_LEN..].fill(0);
		assert!(!sealed(&low));
	}
}
