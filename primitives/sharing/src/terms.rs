// SPDX-License-Identifier: Apache-2.0
//! Defines the protocol's limits, times and deposits: each constant and each formula once.
//!
//! Values that may differ between chains are in each runtime's configuration and its metadata, where
//! clients read them: the deposit rates, how long a request waits for an answer, and how long an ended
//! grant is kept.

/// The maximum length of the name of a producer or a dataset, in bytes.
pub const MAX_NAME_SIZE: u32 = 64;
/// The maximum length of a request's purpose, or of the reason for rejecting a request, in bytes.
pub const MAX_TEXT_SIZE: u32 = 256;
/// The minimum length of an encryption key, in bytes: 2 for the suite and 32 for X25519 (RFC 9180).
pub const MIN_ENCRYPTION_KEY_SIZE: u32 = 34;
/// The maximum length of an encryption key, in bytes. It leaves room for a hybrid of X25519 and
/// ML-KEM-1024.
pub const MAX_ENCRYPTION_KEY_SIZE: u32 = 2048;
/// The maximum length of a grant's sealed keys, in bytes. The keys of a range are at most 62 nodes of the key
/// tree, which take about 2 KiB; sealed with X-Wing, the largest grant has 3,139 bytes.
pub const MAX_SEALED_KEYS_SIZE: u32 = 4096;
/// The maximum number of grants that one reader may have on one epoch of a dataset. Ended grants are kept
/// as long as the active ones leave room.
pub const MAX_GRANTS_PER_READER: u32 = 16;
/// The maximum length of a value, a chunk or a manifest, in bytes: 1 MiB of plaintext or of chunk hashes,
/// and 1 KiB for what surrounds it.
pub const MAX_VALUE_SIZE: u32 = (1 << 20) + (1 << 10);
/// The maximum length of the bytes that nodes serve by their hash: 2 MiB.
pub const MAX_SERVED_SIZE: u32 = 2 << 20;
/// The maximum number of chunks in a large record. The hashes of this number of chunks fill 1 MiB of its
/// manifest, and with chunks of 1 MiB, the record has 32 GiB.
pub const MAX_CHUNKS: u32 = 1 << 15;
/// One past the last leaf of an epoch: the key tree's height is 32.
pub const LEAVES_PER_EPOCH: u64 = 1 << 32;
/// The version of the data-sharing pallet's storage, which the state names. A client that verifies reads the state
/// itself, and refuses one of a version that it does not know. Raise this when the layout of an entry or of a key
/// changes on a chain that goes on.
pub const STORAGE_VERSION: u16 = 1;

/// The maximum number of state entries that the chain reads for one page of a list.
pub const MAX_PAGE: u32 = 256;

/// How many blocks may pass between the signing of an answer and the block that includes it. The owner signs
/// the grant's expiry before it knows that block, but the chain counts the term from that block. So the owner
/// adds this number to the expiry.
pub const TERM_SLACK: u32 = 16;
/// The minimum number of blocks that a request must have left for its owner to answer it, so that one of them
/// can still include the answer.
pub const LEAST_TIME: u32 = 8;
/// How many blocks a request with an offer stays open after its consumer has cancelled it, so that an answer
/// in flight can still be included. Otherwise a consumer could read the keys in that answer, cancel, and keep
/// the offer.
pub const CANCEL_NOTICE: u32 = 16;
const _: () = assert!(CANCEL_NOTICE >= TERM_SLACK);
/// For how many blocks at least a reader can dispute a grant that it pays for, counted from the grant's block. The owner is
/// paid after that. It can for half of the term if that is longer, and up to a limit of the chain.
pub const DISPUTE_WINDOW: u32 = 24;
/// That limit, unless the chain's genesis sets another one: a day, at a block in 13 s. A reader need not look at what it
/// bought within minutes.
pub const LONGEST_DISPUTE_WINDOW: u32 = 24 * 60 * 60 / 13;
/// A signed query may name a block at most this many blocks before a node's best block.
pub const QUERY_BLOCKS_BEFORE: u32 = 64;
/// A signed query may name a block at most this many blocks after a node's best block, because the caller's
/// node may be ahead.
pub const QUERY_BLOCKS_AFTER: u32 = 8;

/// How many state entries a dataset takes: one for itself, one for its name, one for who controls it, and one for its place
/// in the list of an account that takes it over. Who creates a dataset pays for the last one, too, so that a handover moves
/// the deposits as they are.
pub const DATASET_ENTRIES: u32 = 4;
/// How many state entries a request takes: one for itself, one each for its places in the owner's and the
/// consumer's lists, and one for its place on the agenda, the chain's list of what expires in each block.
pub const REQUEST_ENTRIES: u32 = 4;
/// How many state entries a grant takes: one for itself, one each for its places in the authorization list
/// and the grantee's list, and one for its place on the agenda.
pub const GRANT_ENTRIES: u32 = 4;
const _: () = assert!(REQUEST_ENTRIES <= GRANT_ENTRIES && MAX_TEXT_SIZE <= MAX_SEALED_KEYS_SIZE);
/// How many state entries a trigger takes beside its places among what waits: one for itself, one by which its request or
/// record finds it, and one for its place on the agenda.
pub const TRIGGER_ENTRIES: u32 = 3;
/// How many different facts, credentials, grants and dates a condition may test, together.
pub const MAX_WATCHED: u32 = 4;
/// The maximum number of sibling hashes in the proof that a chunk is in its record's manifest.
pub const MAX_PROOF: u32 = MAX_CHUNKS.ilog2();

/// A chain's deposit rates for space in its state, in the currency's smallest unit: its constants
/// `DepositPerItem` and `DepositPerByte`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
	/// The deposit per entry.
	pub per_item: u128,
	/// The deposit per byte of the parts whose size the caller chooses.
	pub per_byte: u128,
}

/// How much space something takes in the state, which determines its deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
	/// The number of entries.
	pub entries: u32,
	/// The number of bytes in the parts whose size the caller chooses.
	pub bytes: u64,
}

impl Footprint {
	/// One entry of fixed size: a record, a leaf, a policy, or the count of an account's datasets.
	pub const ENTRY: Self = Self::new(1, 0);

	const fn new(entries: u32, bytes: usize) -> Self {
		// A usize has at most 64 bits.
		let bytes = bytes as u64;
		Self { entries, bytes }
	}

	/// A record that is an object: one entry for itself, and one for its place among its dataset's objects.
	pub const OBJECT: Self = Self::new(2, 0);

	/// Returns the footprint of a dataset's locations with this length, together.
	pub const fn locations(length: usize) -> Self {
		Self::new(1, length)
	}

	/// Returns the footprint of a producer with a name of this length.
	pub const fn producer(name: usize) -> Self {
		Self::new(1, name)
	}

	/// Returns the footprint of an encryption key of this length.
	pub const fn encryption_key(key: usize) -> Self {
		Self::new(1, key)
	}

	/// Returns the footprint of a dataset with a name of this length. The name is in the state twice.
	pub const fn dataset(name: usize) -> Self {
		Self::new(DATASET_ENTRIES, name.saturating_mul(2))
	}

	/// A request: as much as the largest grant that can answer it. The consumer pays for both places: when the
	/// request is answered, its deposit becomes the grant's, and what the grant does not take is released.
	pub const REQUEST: Self = Self::new(GRANT_ENTRIES, MAX_SEALED_KEYS_SIZE as usize);

	/// Returns the footprint of a grant with sealed keys of this length. Once the grant has ended, the length
	/// is 0.
	pub const fn grant(sealed_keys: usize) -> Self {
		Self::new(GRANT_ENTRIES, sealed_keys)
	}

	/// Returns the footprint of a condition of this encoded length, with this number of places among what waits for
	/// facts and credentials, and of other entries. Each place has the name of what it waits for, which is in the condition, too.
	pub const fn condition(places: u32, length: usize) -> Self {
		Self::new(places, length.saturating_mul(2))
	}

	/// Returns the deposit.
	///
	/// `entries · per_item + bytes · per_byte`
	pub const fn deposit(&self, rates: &Rates) -> u128 {
		let items = rates.per_item.saturating_mul(self.entries as u128);
		items.saturating_add(rates.per_byte.saturating_mul(self.bytes as u128))
	}
}

/// Returns what is paid back of a payment for `term` blocks when `left` of them are left: the same share of it,
/// rounded up.
///
/// `ceil(paid · left / term)`; nothing if the term is empty, and never more than `paid`.
pub const fn refund(paid: u128, left: u64, term: u64) -> u128 {
	if term == 0 || left == 0 {
		return 0;
	}
	if left >= term {
		return paid;
	}
	let (left, term) = (left as u128, term as u128);
	// Neither part overflows: the first is less than `paid`, and the second less than 2^128.
	(paid / term) * left + ((paid % term) * left).div_ceil(term)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	const RATES: Rates = Rates {
		per_item: 1000,
		per_byte: 1,
	};

	#[test]
	fn deposits_are_by_entries_and_bytes() {
		for (footprint, expected) in [
			(Footprint::ENTRY, 1000),
			(Footprint::OBJECT, 2000),
			(Footprint::locations(40), 1040),
			(Footprint::producer(7), 1007),
			(Footprint::encryption_key(34), 1034),
			(Footprint::dataset(6), 4012),
			(Footprint::REQUEST, 8096),
			(Footprint::grant(51), 4051),
			(Footprint::grant(0), 4000),
			(Footprint::condition(0, 9), 18),
			(Footprint::condition(2, 40), 2080),
		] {
			assert_eq!(footprint.deposit(&RATES), expected, "{footprint:?}");
		}
	}

	#[test]
	fn a_refund_is_the_share_that_is_left() {
		for (paid, left, term, expected) in [
			(100, 20, 20, 100),
			(100, 10, 20, 50),
			(100, 1, 3, 34),
			(1, 1, 10_000, 1),
			(100, 0, 20, 0),
			(100, 21, 20, 100),
			(100, 5, 0, 0),
			(u128::MAX, 1, 1, u128::MAX),
		] {
			assert_eq!(refund(paid, left, term), expected);
		}
	}

	proptest! {
		#[test]
		fn a_refund_never_exceeds_the_payment_and_falls_with_time(
			paid: u128, left: u64, term: u64,
		) {
			let now = refund(paid, left, term);
			prop_assert!(now <= paid);
			prop_assert!(refund(paid, left.saturating_sub(1), term) <= now);
		}

		#[test]
		fn deposits_saturate(entries: u32, bytes: u64, per_item: u128, per_byte: u128) {
			let deposit = Footprint { entries, bytes }.deposit(&Rates { per_item, per_byte });
			let exact = per_item
				.checked_mul(entries.into())
				.zip(per_byte.checked_mul(bytes.into()))
				.and_then(|(items, bytes)| items.checked_add(bytes));
			prop_assert_eq!(deposit, exact.unwrap_or(u128::MAX));
		}
	}
}
