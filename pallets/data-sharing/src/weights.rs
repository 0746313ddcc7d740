//! The weights of the calls.
//!
//! These are estimates, not yet measured. Reads and writes are counted as the code does them, at the
//! chain's database weights; computing is allowed 20 to 60 µs a call, and per byte of a value 2 ns,
//! about twice what BLAKE2b-256 and one copy take on a common core. The benchmarks are in
//! `benchmarking`; what they measure will replace this file.

use crate::types::MAX_GRANTS_PER_READER;
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use polkadot_sdk::*;

/// What each call costs at most.
pub trait WeightInfo {
	/// `register`.
	fn register() -> Weight;
	/// `deregister`.
	fn deregister() -> Weight;
	/// `set_encryption_key`.
	fn set_encryption_key() -> Weight;
	/// `remove_encryption_key`.
	fn remove_encryption_key() -> Weight;
	/// `create_dataset`.
	fn create_dataset() -> Weight;
	/// `remove_dataset`.
	fn remove_dataset() -> Weight;
	/// `start_epoch`.
	fn start_epoch() -> Weight;
	/// `store` of a value of `l` bytes.
	fn store(l: u32) -> Weight;
	/// `remove_record`.
	fn remove_record() -> Weight;
	/// `free_leaf`.
	fn free_leaf() -> Weight;
	/// `request_access`.
	fn request_access() -> Weight;
	/// `cancel_request`.
	fn cancel_request() -> Weight;
	/// `reject_request`.
	fn reject_request() -> Weight;
	/// `add_authorize`, answering a request with an offer.
	fn add_authorize() -> Weight;
	/// `revoke`, starting an epoch.
	fn revoke() -> Weight;
	/// `open_record` with a manifest of the length of `n` hashes.
	fn open_record(n: u32) -> Weight;
	/// `store_chunk` of a chunk of `l` bytes.
	fn store_chunk(l: u32) -> Weight;
	/// `set_policy`.
	fn set_policy() -> Weight;
	/// `clear_policy`.
	fn clear_policy() -> Weight;
	/// Looking at one block's agenda and finding nothing.
	fn on_initialize_idle() -> Weight;
	/// One request that lapses, found on the agenda.
	fn lapse_request() -> Weight;
	/// One grant that expires, found on the agenda.
	fn expire_grant() -> Weight;
	/// One grant that is forgotten, found on the agenda.
	fn forget_grant() -> Weight;
	/// The transaction extension, where the call is `store`.
	fn direct_call() -> Weight;
}

/// Estimates at the database weights of the runtime.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// Picoseconds in a microsecond.
const MICROSECOND: u64 = 1_000_000;

fn estimate(db: frame_support::weights::RuntimeDbWeight, us: u64, r: u64, w: u64) -> Weight {
	// Of a proof's bytes, at most the sealed keys and a few hundred bytes for each entry read.
	Weight::from_parts(us.saturating_mul(MICROSECOND), r.saturating_mul(5_000))
		.saturating_add(db.reads_writes(r, w))
}

impl<T: frame_system::Config> SubstrateWeight<T> {
	fn estimate(us: u64, reads: u64, writes: u64) -> Weight {
		estimate(T::DbWeight::get(), us, reads, writes)
	}
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	// Producers, Holds, Account.
	fn register() -> Weight {
		Self::estimate(40, 3, 3)
	}
	// Producers, Verifiers, Applicants, Holds, Account.
	fn deregister() -> Weight {
		Self::estimate(40, 5, 3)
	}
	// EncryptionKeys, Holds, Account.
	fn set_encryption_key() -> Weight {
		Self::estimate(60, 3, 3)
	}
	// EncryptionKeys, Holds, Account.
	fn remove_encryption_key() -> Weight {
		Self::estimate(40, 3, 3)
	}
	// Producers, DatasetNames, NextDataset, Datasets (write only), Holds, Account.
	fn create_dataset() -> Weight {
		Self::estimate(50, 5, 6)
	}
	// Producers, Datasets, Policies, DatasetNames (write only), Holds, Account.
	fn remove_dataset() -> Weight {
		Self::estimate(50, 5, 6)
	}
	// Datasets; Producers on failure.
	fn start_epoch() -> Weight {
		Self::estimate(20, 2, 1)
	}
	// DirectStore, Datasets, Producers on failure, Records, Leaves, Holds, Account.
	fn store(l: u32) -> Weight {
		Self::estimate(60, 7, 6)
			.saturating_add(Weight::from_parts(2_000, 0).saturating_mul(l.into()))
	}
	// Records, Datasets, Leaves, Holds, Account.
	fn remove_record() -> Weight {
		Self::estimate(50, 5, 5)
	}
	// Datasets, Leaves, Holds, Account; Producers on failure.
	fn free_leaf() -> Weight {
		Self::estimate(40, 5, 4)
	}
	// Datasets, EncryptionKeys (read only), RequestsFrom, NextRequest, Holds, Account; Requests,
	// RequestsTo, Agenda (write only).
	fn request_access() -> Weight {
		Self::estimate(60, 6, 8)
	}
	// Requests, RequestsTo, RequestsFrom, Agenda (write only but the first), Datasets, Holds, Account.
	fn cancel_request() -> Weight {
		Self::estimate(60, 4, 7)
	}
	// As for `cancel_request`.
	fn reject_request() -> Weight {
		Self::estimate(60, 4, 7)
	}
	// Datasets, Producers on failure, EncryptionKeys (read only), NextGrant, AuthorizationList, Holds
	// and Account twice; Grants, GrantsTo, Agenda (write only); the request as for `cancel_request`.
	// Where the reader's list is full, all its Grants, and Grants, GrantsTo and Agenda of the one that
	// is forgotten (write only).
	fn add_authorize() -> Weight {
		Self::estimate(140, 10 + u64::from(MAX_GRANTS_PER_READER), 17)
	}
	// Grants, Datasets, Producers on failure, Holds, Account; Agenda twice (write only).
	fn revoke() -> Weight {
		Self::estimate(50, 5, 6)
	}
	// As for `store`; and for each hash one leaf and at most one inner node of the tree, and BLAKE2b-256
	// of its 32 bytes: about 1 µs.
	fn open_record(n: u32) -> Weight {
		Self::estimate(60, 7, 6)
			.saturating_add(Weight::from_parts(MICROSECOND, 0).saturating_mul(n.into()))
	}
	// DirectStore, Records; Records.
	fn store_chunk(l: u32) -> Weight {
		Self::estimate(60, 2, 1)
			.saturating_add(Weight::from_parts(2_000, 0).saturating_mul(l.into()))
	}
	// Datasets, Producers on failure, Policies, Holds, Account.
	fn set_policy() -> Weight {
		Self::estimate(40, 5, 3)
	}
	// Datasets, Producers on failure, Policies, Holds, Account.
	fn clear_policy() -> Weight {
		Self::estimate(40, 5, 3)
	}
	// Backlog, the agenda's next key; Backlog.
	fn on_initialize_idle() -> Weight {
		Self::estimate(10, 2, 1)
	}
	// As for `cancel_request`, and the agenda's next key.
	fn lapse_request() -> Weight {
		Self::estimate(60, 5, 7)
	}
	// Grants, Holds, Account, the agenda's next key; Agenda twice (write only).
	fn expire_grant() -> Weight {
		Self::estimate(50, 4, 5)
	}
	// Grants, AuthorizationList, Datasets, Holds, Account, the agenda's next key; GrantsTo, Agenda
	// (write only).
	fn forget_grant() -> Weight {
		Self::estimate(60, 6, 7)
	}
	// DirectStore, written and removed in memory: it never gets to the database.
	fn direct_call() -> Weight {
		Self::estimate(5, 1, 0)
	}
}
