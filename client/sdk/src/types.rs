//! The chain's words as a client reads them: what the data-sharing pallet keeps in its state, answers
//! and announces. They are decoded by the chain's own metadata, by the names of their fields, so that a
//! chain whose types have moved is understood or refused, and never misread.

// What the derived code of a type without named fields imports, it does not use.
#![allow(unused_imports)]

use subxt::{
	ext::{scale_decode::DecodeAsType, scale_encode::EncodeAsType},
	utils::{AccountId32, H256},
};

/// An account: the public key of the pair that signs for it.
pub type AccountId = AccountId32;
/// An amount of the chain's currency, in its smallest unit; [`UNIT`](isthmus_primitives::UNIT) of them
/// are one IST.
pub type Balance = u128;
/// A block's number.
pub type BlockNumber = u32;
/// A dataset's number among those of its owner.
pub type DatasetId = u32;
/// How often a dataset's keys were renewed.
pub type Epoch = u32;
/// A grant's number.
pub type GrantId = u64;
/// A record's place in its dataset's epoch.
pub type Leaf = u32;
/// What an owner calls a record.
pub type RecordKey = H256;
/// A request's number.
pub type RequestId = u64;
/// A date: seconds since 1970-01-01 UTC.
pub type Seconds = u64;

/// Derives what a type of the chain needs to be read.
macro_rules! read {
	($($item:item)*) => {$(
		#[derive(DecodeAsType, Clone, Debug, PartialEq, Eq)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		$item
	)*};
}

read! {
	/// Text that the chain keeps: a name, a purpose, a reason.
	#[derive(Default)]
	pub struct Text(pub Vec<u8>);

	/// A producer.
	pub struct Producer {
		/// What it is.
		pub kind: ProducerKind,
		/// What it calls itself.
		pub name: Text,
		/// How many datasets it has.
		pub datasets: u32,
		/// What is held for it.
		pub deposit: Balance,
	}

	/// An account's public encryption key.
	pub struct RegisteredKey {
		/// The key, with its suite's number before it.
		pub key: Vec<u8>,
		/// What is held for it.
		pub deposit: Balance,
	}

	/// A dataset.
	pub struct Dataset {
		/// What the owner calls it.
		pub name: Text,
		/// The epoch that new records go to.
		pub epoch: Epoch,
		/// How many leaves are taken, in all epochs.
		pub leaves: u64,
		/// How many requests for it are open.
		pub requests: u64,
		/// How many grants on it are remembered.
		pub grants: u64,
		/// What is held for it.
		pub deposit: Balance,
	}

	/// Where a record's bytes are.
	pub enum Payload {
		/// One value.
		Value {
			/// BLAKE2b-256 of the value.
			content_hash: H256,
			/// How many bytes it has.
			length: u32,
			/// The block whose body has it.
			block: BlockNumber,
			/// The index of its extrinsic in that block.
			extrinsic: u32,
		},
		/// A large value in chunks.
		Chunks {
			/// BLAKE2b-256 of the manifest, which names the chunks.
			manifest: H256,
			/// The Merkle root over the chunks' hashes.
			root: H256,
			/// How many bytes all chunks have together.
			length: u64,
			/// How many bytes each chunk but the last has.
			chunk_size: u32,
			/// How many chunks are stored.
			arrived: u32,
			/// The block whose body has the manifest.
			block: BlockNumber,
			/// The index of the manifest's extrinsic in that block.
			extrinsic: u32,
			/// The block whose body has the latest chunk.
			last_block: BlockNumber,
		},
	}

	/// What the state has of a record.
	pub struct Record {
		/// The dataset it belongs to.
		pub dataset: DatasetId,
		/// The dataset's epoch when it was stored.
		pub epoch: Epoch,
		/// Its leaf in that epoch.
		pub leaf: Leaf,
		/// Where its bytes are.
		pub payload: Payload,
		/// What is held for it.
		pub deposit: Balance,
	}

	/// What a leaf is taken by.
	pub enum LeafUse {
		/// The record with this key.
		Record(RecordKey),
		/// A record that was removed.
		Spent,
	}

	/// A leaf that is taken.
	pub struct TakenLeaf {
		/// By what.
		pub by: LeafUse,
	}

	/// An open request.
	pub struct Request {
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
		/// What is paid upon authorisation.
		pub offer: Balance,
		/// The first block at which the request is no longer good.
		pub valid_until: BlockNumber,
		/// What is held for it, the offer not counted.
		pub deposit: Balance,
	}

	/// An entry of the authorization list.
	pub struct Grant {
		/// Who gave it.
		pub owner: AccountId,
		/// Who has it.
		pub grantee: AccountId,
		/// What it opens.
		pub scope: Scope,
		/// The first block at which it is no longer good.
		pub expiry: BlockNumber,
		/// The date from which on it is no longer good, if it has one.
		pub until: Option<Seconds>,
		/// The first block at which the owner may revoke it.
		pub paid_until: BlockNumber,
		/// Whether it is good.
		pub state: GrantState,
		/// The range's keys, sealed to the grantee; empty once it ended.
		pub sealed_keys: Vec<u8>,
		/// What is held for it.
		pub deposit: Balance,
		/// The block that ends it, where it is good, or forgets it: the chain's constant `GrantMemory`
		/// after its end.
		pub due: BlockNumber,
	}

	/// Which requests an owner says it will grant.
	#[derive(Copy, EncodeAsType)]
	#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
	pub struct Policy {
		/// The least offer for a request; 0 where it is free.
		pub price: Balance,
		/// The most leaves.
		pub longest_range: u64,
		/// The longest term, in blocks.
		pub longest_term: BlockNumber,
		/// Whose requests.
		pub consumers: ConsumerKinds,
	}

	/// The kinds of consumers that a policy allows.
	#[derive(Copy, EncodeAsType)]
	#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
	pub struct ConsumerKinds {
		/// Registered as schools.
		pub school: bool,
		/// Registered as government bodies.
		pub government: bool,
		/// Registered as businesses.
		pub business: bool,
		/// Registered as anything else.
		pub other: bool,
		/// Not registered.
		pub unregistered: bool,
	}

	/// What a dataset's policy says of a request.
	#[derive(Copy)]
	pub enum Verdict {
		/// The dataset has no policy.
		NoPolicy,
		/// The request meets it.
		Meets,
		/// Consumers of this kind are not allowed.
		ConsumerNotAllowed,
		/// The range is too long.
		RangeTooLong,
		/// The term is too long.
		TermTooLong,
		/// The offer is below the price.
		OfferTooLow,
	}

	/// The grant that opens a record, with what its holder needs to use it.
	pub struct OpeningGrant {
		/// Its number.
		pub grant: GrantId,
		/// What it opens.
		pub scope: Scope,
		/// The first block at which it is no longer good.
		pub expiry: BlockNumber,
		/// The date from which on it is no longer good, if it has one.
		pub until: Option<Seconds>,
		/// The scope's keys, sealed to the grantee.
		pub sealed_keys: Vec<u8>,
	}

	/// What an authorised caller is told about a record.
	pub struct Answer {
		/// The record's dataset.
		pub dataset: DatasetId,
		/// The dataset's epoch that the record belongs to.
		pub epoch: Epoch,
		/// The record's leaf in that epoch.
		pub leaf: Leaf,
		/// Where its bytes are.
		pub payload: Payload,
		/// The grant that opens it; `None` for the owner.
		pub grant: Option<OpeningGrant>,
	}

	/// Why a query is refused.
	#[derive(Copy, thiserror::Error)]
	pub enum QueryRefusal {
		/// The owner has no record with this key.
		#[error("the owner has no record with this key")]
		UnknownRecord,
		/// No grant on the record's epoch of its dataset.
		#[error("the caller has no grant on the record's epoch of its dataset")]
		NotAuthorised,
		/// The record is outside the grant's range.
		#[error("the record is outside the range of the caller's grant")]
		OutOfRange,
		/// The grant has expired.
		#[error("the caller's grant has expired")]
		Expired,
		/// The grant was revoked.
		#[error("the caller's grant was revoked")]
		Revoked,
		/// The record does not have all its chunks yet.
		#[error("the record does not have all its chunks yet")]
		Incomplete,
	}

	/// One page of a list.
	pub struct Page<Item> {
		/// The entries.
		pub items: Vec<Item>,
		/// What to give for the next page; `None` if this is the last.
		pub next: Option<Vec<u8>>,
	}

	/// A dataset in a list.
	pub struct DatasetEntry {
		/// Its number.
		pub id: DatasetId,
		/// The dataset.
		pub dataset: Dataset,
		/// Its policy, if it has one.
		pub policy: Option<Policy>,
	}

	/// A record in a list.
	pub struct RecordEntry {
		/// Its key.
		pub key: RecordKey,
		/// The record.
		pub record: Record,
	}

	/// A request in a list.
	pub struct RequestEntry {
		/// Its number.
		pub id: RequestId,
		/// The request.
		pub request: Request,
		/// What the dataset's policy says of it.
		pub verdict: Verdict,
	}

	/// A grant in a list.
	pub struct GrantEntry {
		/// Its number.
		pub id: GrantId,
		/// The grant.
		pub grant: Grant,
	}

	/// What a producer is.
	#[derive(Copy, EncodeAsType)]
	#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
	pub enum ProducerKind {
		/// A school.
		School,
		/// A government body.
		Government,
		/// A business.
		Business,
		/// Anything else.
		Other,
	}

	/// Whether a grant is good.
	#[derive(Copy, EncodeAsType)]
	#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
	pub enum GrantState {
		/// It is.
		Active,
		/// Its expiry came.
		Expired,
		/// The owner revoked it.
		Revoked,
	}

	/// What a request asks for and a grant opens: a range of leaves of one epoch of a dataset.
	#[derive(Copy, EncodeAsType)]
	#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
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
}

impl Scope {
	/// Whether the range has this leaf. Dataset and epoch are not looked at.
	pub fn covers(&self, leaf: Leaf) -> bool {
		(self.from..self.to).contains(&u64::from(leaf))
	}
}

impl ConsumerKinds {
	/// Everybody.
	pub const ALL: Self = Self {
		school: true,
		government: true,
		business: true,
		other: true,
		unregistered: true,
	};
}

impl Payload {
	/// How many bytes it has, encrypted.
	pub fn length(&self) -> u64 {
		match self {
			Payload::Value { length, .. } => (*length).into(),
			Payload::Chunks { length, .. } => *length,
		}
	}

	/// How many chunks it has when it is complete: 1 for a value.
	pub fn chunks(&self) -> u64 {
		match self {
			Payload::Value { .. } => 1,
			Payload::Chunks {
				length, chunk_size, ..
			} => length.div_ceil((*chunk_size).max(1).into()),
		}
	}

	/// How many of them are stored.
	pub fn arrived(&self) -> u64 {
		match self {
			Payload::Value { .. } => 1,
			Payload::Chunks { arrived, .. } => (*arrived).into(),
		}
	}

	/// Whether all of it is stored.
	pub fn is_complete(&self) -> bool {
		self.arrived() >= self.chunks()
	}

	/// The blocks that have its bytes, the first and the last.
	pub fn blocks(&self) -> (BlockNumber, BlockNumber) {
		match self {
			Payload::Value { block, .. } => (*block, *block),
			Payload::Chunks {
				block, last_block, ..
			} => (*block, *last_block),
		}
	}
}

impl std::fmt::Display for Text {
	/// As [`Shown`] writes it; what is not text is replaced.
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		Shown(&String::from_utf8_lossy(&self.0)).fmt(f)
	}
}

/// Text for a terminal: what would move its cursor, or turn, hide or break what stands there, is escaped.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl std::fmt::Display for Shown<'_> {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		use std::fmt::Write;
		self.0
			.chars()
			.try_for_each(|c| match c.is_control() || is_format(c) {
				true => write!(f, "{}", c.escape_default()),
				false => f.write_char(c),
			})
	}
}

/// Whether a character is of Unicode's categories Cf, Zl or Zp: marks that turn the direction of what
/// follows, or are not seen themselves.
fn is_format(c: char) -> bool {
	matches!(
		u32::from(c),
		0xad | 0x600..=0x605
			| 0x61c | 0x6dd
			| 0x70f | 0x890..=0x891
			| 0x8e2 | 0x180e
			| 0x200b..=0x200f
			| 0x2028..=0x202e
			| 0x2060..=0x206f
			| 0xfeff | 0xfff9..=0xfffb
			| 0x110bd
			| 0x110cd
			| 0x13430..=0x1343f
			| 0x1bca0..=0x1bca3
			| 0x1d173..=0x1d17a
			| 0xe0001
			| 0xe0020..=0xe007f
	)
}

impl std::str::FromStr for ProducerKind {
	type Err = UnknownKind;

	fn from_str(name: &str) -> Result<Self, Self::Err> {
		match name {
			"school" => Ok(Self::School),
			"government" => Ok(Self::Government),
			"business" => Ok(Self::Business),
			"other" => Ok(Self::Other),
			_ => Err(UnknownKind(name.to_owned())),
		}
	}
}

/// A producer's kind that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of producer; there are school, government, business and other")]
pub struct UnknownKind(pub String);

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn text_does_not_steer_a_terminal() {
		for (text, shown) in [
			(
				"Gymnasium Nr. 1 – \u{e4}\u{301}",
				"Gymnasium Nr. 1 – \u{e4}\u{301}",
			),
			("a\x1b[2J\n", "a\\u{1b}[2J\\n"),
			("\u{202e}loohcs", "\\u{202e}loohcs"),
			("sch\u{200b}ool", "sch\\u{200b}ool"),
			("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
		] {
			assert_eq!(Text(text.into()).to_string(), shown);
		}
		assert_eq!(Text(vec![b'a', 0xff]).to_string(), "a\u{fffd}");
	}
}
