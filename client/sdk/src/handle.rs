// SPDX-License-Identifier: Apache-2.0
//! Handles: what a program needs to read one record, and nothing else.
//!
//! Who may read a record opens its grant once and hands the record's handle to the programs that do the work, for example
//! to the tasks of a cluster. They need no account, and none of them can read another record. A handle contains the
//! record's entry as the chain proved it, and the key of its leaf: it is a secret. It stays good after the grant has
//! ended, like any key that was delivered.

use crate::types::*;
use codec::{DecodeAll, Encode};
use isthmus_envelope::LeafKey;

/// The version of [`Handle::entry`].
const VERSION: u8 = 1;

/// What opens one record, without an account: [`Reading::with_handle`](crate::Reading::with_handle).
///
/// ```no_run
/// # use isthmus_sdk::*;
/// # async fn example(client: Client, company: Identity, school: AccountId) -> Result<(), Error> {
/// let reading = Reading::open(&client, &company, &school, record_key("2025-03")?).await?;
/// let handle = reading.handle();
/// // In another program:
/// let handle = Handle::new(&handle.entry(), &handle.secret())?;
/// let reading = Reading::with_handle(&client, &handle).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
	/// The hash of the chain's first block.
	pub(crate) genesis: [u8; 32],
	pub(crate) owner: AccountId,
	pub(crate) key: RecordKey,
	/// The record's entry, without a grant.
	pub(crate) answer: Answer,
	pub(crate) leaf: LeafKey,
}

/// Why a handle does not open its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
	/// It was made by another release, or is damaged.
	#[error("the record's handle is not one of this release: the programs that make and use it need the same release")]
	Malformed,
	/// Its record is on another chain.
	#[error("the record's handle is of another chain than the node's")]
	OtherChain,
}

impl Handle {
	/// Takes a handle's [entry](Self::entry) and [secret](Self::secret).
	///
	/// # Errors
	///
	/// Returns [`HandleError::Malformed`] if the entry is not one that this release made.
	pub fn new(entry: &[u8], secret: &[u8; 32]) -> Result<Self, HandleError> {
		let Some((&VERSION, entry)) = entry.split_first() else {
			return Err(HandleError::Malformed);
		};
		let read = <([u8; 32], AccountId, RecordKey, Answer)>::decode_all(&mut &entry[..]);
		let Ok((genesis, owner, key, answer)) = read else {
			return Err(HandleError::Malformed);
		};
		Ok(Self {
			genesis,
			owner,
			key,
			answer,
			leaf: LeafKey::from_bytes(secret),
		})
	}

	/// Returns what is public of the handle: the version, the chain, the owner, the record's key and its entry, in SCALE.
	/// Only programs of the same release can read it.
	pub fn entry(&self) -> Vec<u8> {
		let entry = (self.genesis, self.owner, self.key, &self.answer);
		[vec![VERSION], entry.encode()].concat()
	}

	/// Returns what is secret of it: the key of the record's leaf.
	pub fn secret(&self) -> [u8; 32] {
		*self.leaf.expose_secret()
	}

	/// Returns the hash of the chain's first block.
	pub fn genesis(&self) -> [u8; 32] {
		self.genesis
	}

	/// Returns the record's owner.
	pub fn owner(&self) -> &AccountId {
		&self.owner
	}

	/// Returns the record's key.
	pub fn key(&self) -> RecordKey {
		self.key
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use subxt::utils::H256;

	fn handle() -> Handle {
		Handle {
			genesis: [1; 32],
			owner: [2; 32].into(),
			key: H256([3; 32]),
			answer: Answer {
				dataset: 4,
				epoch: 5,
				leaf: 6,
				payload: Payload::Value {
					content_hash: H256([7; 32]),
					length: 8,
					block: 9,
					extrinsic: 10,
				},
				locations: vec![b"https://store.example/marks".to_vec()],
				grant: None,
			},
			leaf: LeafKey::from_bytes(&[11; 32]),
		}
	}

	#[test]
	fn a_handle_is_handed_on_in_two_parts_of_which_one_is_secret() {
		let handle = handle();
		let (entry, secret) = (handle.entry(), handle.secret());
		assert_eq!(secret, [11; 32]);
		assert!(!entry.windows(32).any(|part| part == secret));
		let there = Handle::new(&entry, &secret).unwrap();
		assert_eq!(
			(there.genesis, there.owner, there.key),
			(handle.genesis, handle.owner, handle.key)
		);
		assert_eq!(
			(there.answer, there.leaf.expose_secret()),
			(handle.answer, handle.leaf.expose_secret())
		);
	}

	#[test]
	fn another_releases_handle_is_refused() {
		let entry = handle().entry();
		let cut = &entry[..entry.len() - 1];
		let longer = [&entry[..], &[0]].concat();
		let newer = [&[VERSION + 1], &entry[1..]].concat();
		for wrong in [&[][..], cut, &longer, &newer] {
			let refused = Handle::new(wrong, &[0; 32]).unwrap_err();
			assert_eq!(refused, HandleError::Malformed);
		}
	}
}
