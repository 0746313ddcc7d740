//! The words of data circulation as they are kept in the state and shown to clients, and the bounds
//! on them. Nothing here reads or writes the state.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_core::H256;

/// The most bytes the name of a producer or of a dataset may have.
pub const MAX_NAME_SIZE: u32 = 64;
/// The most bytes a request's purpose, or the reason for rejecting one, may have.
pub const MAX_TEXT_SIZE: u32 = 256;
/// The fewest bytes an encryption key may have: the suite's two, and X25519's 32 (RFC 9180).
pub const MIN_ENCRYPTION_KEY_SIZE: u32 = 34;
/// The most bytes an encryption key may have: room for a hybrid of X25519 and ML-KEM-1024.
pub const MAX_ENCRYPTION_KEY_SIZE: u32 = 2048;
/// The most bytes a grant's sealed keys may have. A range's cover has at most 62 nodes of the key
/// tree, about 2 KiB.
pub const MAX_SEALED_KEYS_SIZE: u32 = 4096;
/// The most grants that one reader may have on one epoch of a dataset. Those that ended are remembered
/// as far as there is room beside the good ones.
pub const MAX_GRANTS_PER_READER: u32 = 16;
/// The most bytes that nodes serve by their hash: 2 MiB.
pub const MAX_SERVED_SIZE: u32 = 2 << 20;
/// The most chunks a large record may have: their hashes fill 1 MiB of its manifest. With chunks of 1
/// MiB that is a record of 32 GiB.
pub const MAX_CHUNKS: u32 = 1 << 15;
/// How many entries of the state a grant is: itself, its places in the authorization list and in the
/// grantee's list, and its date on the agenda.
pub const GRANT_ENTRIES: u32 = 4;
/// One past the greatest leaf of an epoch: the key tree's height is 32.
pub const LEAVES_PER_EPOCH: u64 = 1 << 32;

/// A dataset's number among those of its owner, counted from 0 and never used twice: keys are
/// derived from it.
pub type DatasetId = u32;
/// How often a dataset's keys were renewed. Each epoch has a key tree of its own.
pub type Epoch = u32;
/// A record's place in its dataset's epoch: which leaf of the key tree is its key.
pub type Leaf = u32;
/// The number of a request, never used twice on a chain.
pub type RequestId = u64;
/// The number of a grant, never used twice on a chain.
pub type GrantId = u64;
/// What an owner calls a record, chosen by the owner (the paper's `bytes32 key`).
pub type RecordKey = H256;
/// A date: seconds since 1970-01-01 UTC, as a block's timestamp H_s counts them.
pub type Seconds = u64;

/// The name of a producer or of a dataset: UTF-8.
pub type Name = BoundedVec<u8, ConstU32<MAX_NAME_SIZE>>;
/// A request's purpose, or the reason for rejecting one: UTF-8.
pub type Text = BoundedVec<u8, ConstU32<MAX_TEXT_SIZE>>;
/// A public encryption key: the suite's number (two bytes) and the key as that suite writes it. The
/// chain keeps it and does not look inside.
pub type EncryptionKey = BoundedVec<u8, ConstU32<MAX_ENCRYPTION_KEY_SIZE>>;
/// A range's keys, sealed to the grantee's encryption key. The chain does not look inside.
pub type SealedKeys = BoundedVec<u8, ConstU32<MAX_SEALED_KEYS_SIZE>>;

/// What a producer is (paper, figure 1).
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Debug,
)]
pub enum ProducerKind {
	/// A school: data of students.
	#[codec(index = 0)]
	School,
	/// A government body: data of citizens.
	#[codec(index = 1)]
	Government,
	/// A business: data of users.
	#[codec(index = 2)]
	Business,
	/// Anything else.
	#[codec(index = 3)]
	Other,
}

/// A data producer. Its account is the address of its contract.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Producer<Balance> {
	/// What it is.
	pub kind: ProducerKind,
	/// What it calls itself. Nobody checked that it is who it says.
	pub name: Name,
	/// How many datasets it has.
	pub datasets: u32,
	/// What is held for this entry.
	pub deposit: Balance,
}

/// An account's public encryption key, apart from the key it signs with.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct RegisteredKey<Balance> {
	/// The key.
	pub key: EncryptionKey,
	/// What is held for this entry.
	pub deposit: Balance,
}

/// How an account's datasets are numbered.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct DatasetCounter<Balance> {
	/// The number of its next dataset.
	pub next: DatasetId,
	/// What is held for this entry, for ever.
	pub deposit: Balance,
}

/// A dataset of a producer.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Dataset<Balance> {
	/// What the owner calls it. No two datasets of one owner have the same name.
	pub name: Name,
	/// The epoch that new records go to.
	pub epoch: Epoch,
	/// How many leaves are taken, in all epochs: by records, and by records removed in the epoch
	/// that is still the current one.
	pub leaves: u64,
	/// How many requests for it are open.
	pub requests: u64,
	/// How many grants on it are remembered.
	pub grants: u64,
	/// What is held for this entry.
	pub deposit: Balance,
}

/// Where a record's bytes are.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub enum Payload<BlockNumber> {
	/// One value: the last argument of one extrinsic of `store`, in a block's body.
	#[codec(index = 0)]
	Value {
		/// BLAKE2b-256 of the value: the name under which any node serves it.
		content_hash: H256,
		/// How many bytes the value has.
		length: u32,
		/// The block whose body has it.
		block: BlockNumber,
		/// The index of its extrinsic in that block.
		extrinsic: u32,
	},
	/// A large value in chunks, each the last argument of one extrinsic of `store_chunk`.
	#[codec(index = 1)]
	Chunks {
		/// BLAKE2b-256 of the manifest: the name under which any node serves it. It has the hash of
		/// every chunk; see [`manifest`](crate::manifest).
		manifest: H256,
		/// The Merkle root over the chunks' hashes: RFC 6962's tree with SHA-256.
		root: H256,
		/// How many bytes all chunks have together.
		length: u64,
		/// How many bytes each chunk but the last has.
		chunk_size: u32,
		/// How many chunks are stored, counted from the first: the number of the next one.
		arrived: u32,
		/// The block whose body has the manifest. No chunk is in an earlier one.
		block: BlockNumber,
		/// The index of the manifest's extrinsic in that block.
		extrinsic: u32,
		/// The block whose body has the latest chunk, or the manifest where there is none yet. No chunk
		/// is in a later one.
		last_block: BlockNumber,
	},
}

impl<BlockNumber> Payload<BlockNumber> {
	/// How many chunks it has when it is complete: 1 for a value.
	pub fn chunks(&self) -> u32 {
		match self {
			Payload::Value { .. } => 1,
			Payload::Chunks {
				length, chunk_size, ..
			} => chunk_count(*length, *chunk_size).unwrap_or(u32::MAX),
		}
	}

	/// How many of them are stored.
	pub fn arrived(&self) -> u32 {
		match self {
			Payload::Value { .. } => 1,
			Payload::Chunks { arrived, .. } => *arrived,
		}
	}

	/// Whether all of it is stored.
	pub fn is_complete(&self) -> bool {
		self.arrived() >= self.chunks()
	}

	/// How many bytes it has.
	pub fn length(&self) -> u64 {
		match self {
			Payload::Value { length, .. } => (*length).into(),
			Payload::Chunks { length, .. } => *length,
		}
	}
}

/// How many chunks of `chunk_size` bytes, the last of which may be shorter, make `length` bytes.
/// `None` where that is no number of chunks: chunks of no bytes, or more than a `u32` counts.
pub fn chunk_count(length: u64, chunk_size: u32) -> Option<u32> {
	if chunk_size == 0 {
		return None;
	}
	u32::try_from(length.div_ceil(chunk_size.into())).ok()
}

/// How many bytes chunk `index` has, of those that make `length` bytes.
pub fn chunk_length(length: u64, chunk_size: u32, index: u32) -> u64 {
	let before = u64::from(index).saturating_mul(chunk_size.into());
	length.saturating_sub(before).min(chunk_size.into())
}

/// What the state has of a record.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Record<Balance, BlockNumber> {
	/// The dataset it belongs to.
	pub dataset: DatasetId,
	/// The dataset's epoch when it was stored.
	pub epoch: Epoch,
	/// Its leaf in that epoch.
	pub leaf: Leaf,
	/// Where its bytes are.
	pub payload: Payload<BlockNumber>,
	/// What is held for this entry.
	pub deposit: Balance,
}

/// What a leaf is taken by.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub enum LeafUse {
	/// The record with this key.
	#[codec(index = 0)]
	Record(RecordKey),
	/// A record that was removed. Until the epoch is over the leaf stays taken, so that no two values
	/// are ever encrypted under one leaf's key.
	#[codec(index = 1)]
	Spent,
}

/// A leaf that is taken.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct TakenLeaf<Balance> {
	/// By what.
	pub by: LeafUse,
	/// What is held for this entry.
	pub deposit: Balance,
}

/// What a request asks for and a grant opens: a range of leaves of one epoch of a dataset (the
/// paper's "data range").
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Debug,
)]
pub struct Scope {
	/// The owner's dataset.
	pub dataset: DatasetId,
	/// The dataset's epoch.
	pub epoch: Epoch,
	/// The first leaf.
	pub from: u64,
	/// One past the last leaf, at most 2^32.
	pub to: u64,
}

impl Scope {
	/// Whether the range has this leaf. Dataset and epoch are not looked at.
	pub fn covers(&self, leaf: Leaf) -> bool {
		(self.from..self.to).contains(&u64::from(leaf))
	}
}

/// T_q: an open request for access.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Request<AccountId, Balance, BlockNumber> {
	/// Who is asked.
	pub owner: AccountId,
	/// Who asks.
	pub consumer: AccountId,
	/// For what.
	pub scope: Scope,
	/// What for.
	pub purpose: Text,
	/// For how many blocks, counted from the block that authorises it.
	pub term: BlockNumber,
	/// What is paid to the owner upon authorisation, held from the consumer meanwhile.
	pub offer: Balance,
	/// The first block at which the request is no longer good.
	pub valid_until: BlockNumber,
	/// What is held for this entry, the offer not counted.
	pub deposit: Balance,
}

/// Whether a grant is good.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub enum GrantState {
	/// It is, until it expires.
	#[codec(index = 0)]
	Active,
	/// Its expiry came.
	#[codec(index = 1)]
	Expired,
	/// The owner revoked it.
	#[codec(index = 2)]
	Revoked,
}

/// An entry of the authorization list (the paper's `AuthoList[user]`).
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Grant<AccountId, Balance, BlockNumber> {
	/// Who gave it.
	pub owner: AccountId,
	/// Who has it.
	pub grantee: AccountId,
	/// What it opens.
	pub scope: Scope,
	/// The first block at which it is no longer good.
	pub expiry: BlockNumber,
	/// The date from which on it is no longer good, if it has one: the first block with this H_s or a
	/// later one.
	pub until: Option<Seconds>,
	/// The first block at which the owner may revoke it: the end of the term that the grantee paid for,
	/// or the grant's own block if nothing was paid. Never later than `expiry`.
	pub paid_until: BlockNumber,
	/// Whether it is good. One that ended stays for a while, unless its place is needed, so that
	/// a query can say why it is refused.
	pub state: GrantState,
	/// The range's keys, sealed to the grantee. Empty once the grant ended.
	pub sealed_keys: SealedKeys,
	/// What is held for this entry. Once the grant ended, without the part for the sealed keys.
	pub deposit: Balance,
	/// When the chain looks at it next: `expiry`, or, once it ended, when it is forgotten.
	pub due: BlockNumber,
}

impl<AccountId, Balance, BlockNumber: PartialOrd> Grant<AccountId, Balance, BlockNumber> {
	/// Whether the grant is good in this block, which has this H_s, and if not, why.
	pub fn state_at(&self, block: &BlockNumber, time: Seconds) -> GrantState {
		let over = *block >= self.expiry || self.until.is_some_and(|until| time >= until);
		match self.state {
			// The agenda may be late, and does not look at dates.
			GrantState::Active if over => GrantState::Expired,
			state => state,
		}
	}
}

/// Something that happens by itself at a block.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub enum Due {
	/// The request lapses.
	#[codec(index = 0)]
	Request(RequestId),
	/// The grant expires or, where it ended already, is forgotten.
	#[codec(index = 1)]
	Grant(GrantId),
}
