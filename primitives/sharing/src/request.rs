// SPDX-License-Identifier: Apache-2.0
//! Defines T_q, an open request for access, and its digest.
//!
//! An answer to a request names the request's number and its digest. The number alone is not enough: it is a count,
//! so that on another branch of the chain it may belong to another request of the same consumer, for example one
//! that offers nothing. The answer's sealed keys are public as soon as it is sent, and it must meet the request
//! that its owner saw, or fail.

use crate::{
	ids::{RequestId, H256},
	purpose::PurposeCode,
	scope::Scope,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The first bytes of what a request's digest is computed from.
pub const DIGEST_LABEL: &[u8; 16] = b"isthmus:request1";

/// T_q: an open request for access.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Request<AccountId, Balance, BlockNumber, Text, Key> {
	/// The owner of the requested dataset, who receives the request.
	pub owner: AccountId,
	/// The account that makes the request.
	pub consumer: AccountId,
	/// The requested range.
	pub scope: Scope,
	/// The stated purpose, in words.
	pub purpose: Text,
	/// The stated purpose, by its code.
	pub code: PurposeCode,
	/// The term in blocks, counted from the block that authorises the request.
	pub term: BlockNumber,
	/// The payment to the owner upon authorisation, held from the consumer until then.
	pub offer: Balance,
	/// Whether the term is to be firm: the grant cannot be revoked before it is over.
	pub firm: bool,
	/// The public encryption key that the answer has to be sealed to: the suite's number (two bytes), followed by the
	/// key in that suite's encoding. It is the request's own, so that there is no other place to look for it.
	pub key: Key,
	/// The first block at which the request has expired.
	pub valid_until: BlockNumber,
	/// The deposit held for this entry and for the grant that answers it, without the offer.
	pub deposit: Balance,
}

impl<
		AccountId: Encode,
		Balance: Encode,
		BlockNumber: Encode,
		Text: AsRef<[u8]>,
		Key: AsRef<[u8]>,
	> Request<AccountId, Balance, BlockNumber, Text, Key>
{
	/// Returns the request's digest: the hash (BLAKE2b-256 on an Isthmus chain) of [`DIGEST_LABEL`] and, in SCALE,
	/// its owner, consumer, scope, purpose and its code, term, offer, whether it is firm, and its key.
	pub fn digest(&self, hash: impl FnOnce(&[u8]) -> [u8; 32]) -> H256 {
		let Self {
			owner,
			consumer,
			scope,
			purpose,
			code,
			term,
			offer,
			firm,
			key,
			..
		} = self;
		let mut bytes = Vec::from(DIGEST_LABEL.as_slice());
		(owner, consumer, scope, purpose.as_ref(), code).encode_to(&mut bytes);
		(term, offer, firm, key.as_ref()).encode_to(&mut bytes);
		hash(&bytes).into()
	}
}

/// The request that a grant answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Answered {
	/// Its number.
	pub id: RequestId,
	/// Its digest: the owner, the consumer, the scope, the purpose and its code, the term, the offer, whether it is firm, and
	/// the key.
	pub digest: H256,
}

#[cfg(test)]
mod tests {
	use super::*;
	use sha2::{Digest, Sha256};

	#[test]
	fn a_digest_covers_what_was_agreed_and_nothing_else() {
		let request = || Request {
			owner: [1u8; 32],
			consumer: [2u8; 32],
			scope: Scope {
				dataset: 3,
				epoch: 4,
				from: 5,
				to: 6,
			},
			purpose: b"research".to_vec(),
			code: PurposeCode::Research,
			term: 7u32,
			offer: 8u128,
			firm: false,
			key: vec![11; 50],
			valid_until: 9,
			deposit: 10,
		};
		type Example = Request<[u8; 32], u128, u32, Vec<u8>, Vec<u8>>;
		let digest = |request: &Example| request.digest(|bytes| Sha256::digest(bytes).into());
		let before = digest(&request());
		let changes: [fn(&mut Example); 9] = [
			|request| request.owner[0] = 0,
			|request| request.consumer[0] = 0,
			|request| request.scope.to = 7,
			|request| request.purpose.push(0),
			|request| request.code = PurposeCode::Statistics,
			|request| request.term = 8,
			|request| request.offer = 0,
			|request| request.firm = true,
			|request| request.key[49] = 0,
		];
		for change in changes {
			let mut other = request();
			change(&mut other);
			assert_ne!(digest(&other), before);
		}
		let mut same = request();
		(same.valid_until, same.deposit) = (0, 0);
		assert_eq!(digest(&same), before);
	}
}
