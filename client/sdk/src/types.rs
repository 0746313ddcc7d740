// SPDX-License-Identifier: Apache-2.0
//! The client's types for the data-sharing pallet's state and for answers to queries. They are the types of
//! [`isthmus_sharing`], with this chain's accounts, amounts and block numbers.
//!
//! They are decoded with the chain's own metadata, by field name: if a chain's types have changed, a client
//! either understands them or rejects them, but never misreads them.

use codec::{Decode, Encode};
use isthmus_sharing::text::is_format;
use subxt::{
	ext::{scale_decode::DecodeAsType, scale_encode::EncodeAsType},
	utils::{AccountId32, H256},
};

pub use isthmus_conditions::{Condition, SyntaxError, Truth};
pub use isthmus_sharing::terms::{DISPUTE_WINDOW, LEAVES_PER_EPOCH};
pub use isthmus_sharing::{
	object, Answered, Attached, ConsumerKinds, DatasetId, Epoch, GrantId, GrantState, Leaf,
	LeafUse, Location, LocationError, Object, ObjectError, Page, ProducerKind, PurposeCode,
	PurposeCodes, QueryError as QueryRefusal, RecordKey, RequestId, Scope, Seconds, UnknownKind,
	UnknownPurpose, Verdict,
};

// The envelope does not depend on a chain and has its own constants. They must fit the protocol's constants.
const _: () = {
	use isthmus_envelope::{
		grant,
		record::{Header, FORMAT_MAX_CHUNKS, MAX_CHUNK_SIZE, TAG_LEN},
		tree::LEAVES,
		PublicKey, Suite,
	};
	use isthmus_sharing::{object, terms::*};
	assert!(LEAVES == LEAVES_PER_EPOCH);
	assert!(FORMAT_MAX_CHUNKS >= MAX_CHUNKS as u64);
	assert!(Header::LEN == object::HEADER_SIZE && TAG_LEN as u32 == object::TAG_SIZE);
	assert!(MAX_CHUNK_SIZE >= object::CHUNK_SIZE - object::TAG_SIZE);
	assert!(FORMAT_MAX_CHUNKS == object::MAX_CHUNKS as u64);
	assert!(Suite::X25519.public_len() as u32 >= MIN_ENCRYPTION_KEY_SIZE - 2);
	assert!(PublicKey::MAX_LEN as u32 <= MAX_ENCRYPTION_KEY_SIZE);
	assert!(grant::MAX_LEN as u32 <= MAX_SEALED_KEYS_SIZE);
	assert!(Header::LEN as u32 + MAX_CHUNK_SIZE + TAG_LEN as u32 <= MAX_VALUE_SIZE);
};

/// The data-sharing pallet's name in the metadata.
pub(crate) const PALLET: &str = "DataSharing";
/// The facts pallet's name in the metadata.
pub(crate) const FACTS: &str = "Facts";
/// The keepers pallet's name in the metadata.
pub(crate) const KEEPERS: &str = "Keepers";

/// An account: the public key of the pair that signs for it.
pub type AccountId = AccountId32;
/// An amount of the chain's currency, in its smallest unit. One IST is [`UNIT`](isthmus_primitives::UNIT) of
/// these.
pub type Balance = u128;
/// A block's number.
pub type BlockNumber = u32;

/// What transactions take from an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
	/// Fees, with the tips.
	pub fees: Balance,
	/// Deposits, which come back when a removal or an end frees their space in the state.
	pub deposits: Balance,
	/// What other accounts get, or what is held for them: transfers, offers and refunds.
	pub payments: Balance,
}

impl Cost {
	/// Returns the sum.
	pub const fn total(&self) -> Balance {
		let kept = self.fees.saturating_add(self.deposits);
		kept.saturating_add(self.payments)
	}

	/// Returns what two transactions cost together.
	#[must_use]
	pub const fn plus(self, other: Self) -> Self {
		Self {
			fees: self.fees.saturating_add(other.fees),
			deposits: self.deposits.saturating_add(other.deposits),
			payments: self.payments.saturating_add(other.payments),
		}
	}
}

/// A producer.
pub type Producer = isthmus_sharing::Producer<Balance, Text>;
/// An account's public encryption key.
pub type RegisteredKey = isthmus_sharing::RegisteredKey<Balance, Vec<u8>>;
/// A dataset.
pub type Dataset = isthmus_sharing::Dataset<Balance, Text>;
/// Who controls a dataset.
pub type Control = isthmus_sharing::Control<AccountId, Balance>;
/// Where a record's bytes are.
pub type Payload = isthmus_sharing::Payload<BlockNumber>;
/// A record.
pub type Record = isthmus_sharing::Record<Balance, BlockNumber>;
/// How many objects a dataset has.
pub(crate) type ObjectCount = isthmus_sharing::ObjectCount<BlockNumber>;
/// The locations of a dataset's objects.
pub type Locations = isthmus_sharing::Locations<Balance, Vec<Vec<u8>>>;
/// A leaf that is taken.
pub type TakenLeaf = isthmus_sharing::TakenLeaf<Balance>;
/// An open request.
pub type Request = isthmus_sharing::Request<AccountId, Balance, BlockNumber, Text, Vec<u8>>;
/// An entry of the authorization list.
pub type Grant = isthmus_sharing::Grant<AccountId, Balance, BlockNumber, Vec<u8>>;
/// Which requests an owner offers to grant.
pub type Policy = isthmus_sharing::Policy<Balance, BlockNumber>;
/// The grant that opens a record, with what its holder needs to use it.
pub type OpeningGrant = isthmus_sharing::OpeningGrant<BlockNumber>;
/// What an authorised caller learns about a record.
pub type Answer = isthmus_sharing::Answer<BlockNumber>;
/// An embargo on a record in a list.
pub use isthmus_sharing::EmbargoEntry;
/// A dataset in a list.
pub type DatasetEntry = isthmus_sharing::DatasetEntry<Balance, BlockNumber, Text>;
/// A record in a list.
pub type RecordEntry = isthmus_sharing::RecordEntry<Balance, BlockNumber>;
/// A request in a list.
pub type RequestEntry =
	isthmus_sharing::RequestEntry<AccountId, Balance, BlockNumber, Text, Vec<u8>>;
/// A grant in a list.
pub type GrantEntry = isthmus_sharing::GrantEntry<AccountId, Balance, BlockNumber, Vec<u8>>;

/// A source of facts.
pub type Source = isthmus_conditions::facts::Source<AccountId, Balance, Vec<AccountId>>;
/// The last report of one account about one topic.
pub type Report = isthmus_conditions::facts::Report<AccountId, Balance>;
/// A credential of an account.
pub type Credential = isthmus_conditions::facts::Credential<Balance>;

/// An account that keeps a copy of a dataset's objects.
pub type Keeper = isthmus_storage_proof::Keeper<Balance, Text>;
/// What a dataset's keepers are paid from.
pub type Pot = isthmus_storage_proof::Pot<Balance>;

/// Where a record is stored, and under which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
	/// The record's key.
	pub key: RecordKey,
	/// The owner's dataset.
	pub dataset: DatasetId,
	/// The dataset's epoch.
	pub epoch: Epoch,
	/// The leaf in that epoch.
	pub leaf: Leaf,
}

/// The terms of a grant: everything but its sealed keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
	/// The reader.
	pub grantee: AccountId,
	/// The range that the grant opens.
	pub scope: Scope,
	/// The first block in which the grant is no longer active.
	pub expiry: BlockNumber,
	/// The date from which the grant is no longer active, if any.
	pub until: Option<Seconds>,
	/// The request that the grant answers, if any, and its digest.
	pub request: Option<Answered>,
	/// The condition under which the grant is good, if any: it is suspended while the condition is not met. The chain
	/// refuses one in the answer to a request (`ConditionNotRequested`).
	pub condition: Option<Condition>,
}

/// What can be settled when it is overdue.
#[derive(EncodeAsType, Clone, Copy, Debug, PartialEq, Eq)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub enum Due {
	/// A request, whose deposit and offer are then released.
	Request(RequestId),
	/// A grant: one that has expired is ended, and one that ended long ago is removed.
	Grant(GrantId),
	/// The payment for a grant that can no longer be disputed, which is made to the owner.
	Payment(GrantId),
}

/// A payment that its reader can still dispute: it is held from the reader, and the amount is what the grant says was paid.
#[derive(Decode, DecodeAsType, Clone, Debug, PartialEq, Eq)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Payment {
	/// The block in which the owner is paid. Before it, the reader can dispute.
	pub until: BlockNumber,
	/// The number of the suite and the identifier of the request's key, as they are encoded in the key.
	pub prefix: [u8; isthmus_envelope::PublicKey::PREFIX_LEN],
	/// The BLAKE2b-256 hash of the request's key.
	pub key: H256,
}

/// What an account may do for another one that named it as a proxy, as the runtime's `ProxyType` says.
#[derive(
	Decode, DecodeAsType, Encode, EncodeAsType, serde::Serialize, Clone, Copy, Debug, PartialEq, Eq,
)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub enum ProxyKind {
	/// Everything.
	Any,
	/// Everything but to give money away.
	NonTransfer,
	/// The calls of data sharing, but no offers of money and no handovers: an operator.
	Sharing,
	/// To report facts.
	Facts,
}

/// An account that may act for another one.
#[derive(Decode, DecodeAsType, Clone, Debug, PartialEq, Eq)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Proxy {
	/// The account that acts.
	pub delegate: AccountId,
	/// What it may do.
	pub proxy_type: ProxyKind,
	/// For how many blocks it has to announce each call before.
	pub delay: BlockNumber,
}

/// Text that the chain keeps: a name, a purpose or a reason. The chain checks that it is UTF-8.
#[derive(Encode, Decode, DecodeAsType, Clone, Debug, Default, PartialEq, Eq)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Text(pub Vec<u8>);

impl AsRef<[u8]> for Text {
	fn as_ref(&self) -> &[u8] {
		&self.0
	}
}

impl std::fmt::Display for Text {
	/// Writes the text like [`Shown`]. Bytes that are not UTF-8 are replaced.
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		Shown(&String::from_utf8_lossy(&self.0)).fmt(f)
	}
}

/// Text for a terminal: characters that would move its cursor, or that reverse, hide or break text, are
/// escaped.
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
