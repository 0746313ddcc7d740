// SPDX-License-Identifier: Apache-2.0

//! The message formats of the network protocol: SCALE for announcements and their handshake, and protobuf
//! (`api.v1` of `sc-network-sync`) for block requests.

use codec::{Decode, DecodeAll, Encode};
use isthmus_primitives::{BlockNumber, Hash, Header};
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;

/// A full node's role in a handshake.
pub const ROLE_FULL: u8 = 1;
/// The `fields` of a block request for headers and bodies. The bits are in the most significant byte.
pub const HEADER_AND_BODY: u32 = 0b11 << 24;
/// The `fields` of a block request for headers only.
pub const HEADER_ONLY: u32 = 0b1 << 24;

/// The handshake of the announcement protocol, which both sides send first.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, Debug)]
pub struct Handshake {
	/// The sender's roles, one bit each: see [`ROLE_FULL`].
	pub roles: u8,
	/// The number of the block that the sender claims as its best.
	pub best_number: BlockNumber,
	/// The hash of the block that the sender claims as its best.
	pub best_hash: Hash,
	/// The hash of the chain's genesis block.
	pub genesis_hash: Hash,
}

/// Encodes an announcement: the header, whether the block is the sender's best, and additional data (this
/// chain's nodes send none).
pub fn announcement(header: &Header, is_best: bool, data: &[u8]) -> Vec<u8> {
	(header, u8::from(is_best), data.to_vec()).encode()
}

/// A request for blocks.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BlockRequest {
	/// Which parts of each block to return: see [`HEADER_AND_BODY`].
	#[prost(uint32, tag = "1")]
	pub fields: u32,
	/// The first block.
	#[prost(oneof = "FromBlock", tags = "2, 3")]
	pub from_block: Option<FromBlock>,
	/// The [`Direction`] from there.
	#[prost(enumeration = "Direction", tag = "5")]
	pub direction: i32,
	/// The maximum number of blocks to return; 0 for no limit.
	#[prost(uint32, tag = "6")]
	pub max_blocks: u32,
	/// Whether the sender supports justifications of several engines.
	#[prost(bool, tag = "7")]
	pub support_multiple_justifications: bool,
}

/// The first block of a request, SCALE-encoded.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum FromBlock {
	/// By its hash.
	#[prost(bytes, tag = "2")]
	Hash(Vec<u8>),
	/// By its number.
	#[prost(bytes, tag = "3")]
	Number(Vec<u8>),
}

/// The direction of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Direction {
	/// From a block to its children.
	Ascending = 0,
	/// From a block to its ancestors.
	Descending = 1,
}

/// The response to a [`BlockRequest`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BlockResponse {
	/// The blocks, in the order of the request.
	#[prost(message, repeated, tag = "1")]
	pub blocks: Vec<BlockData>,
}

/// A block in a response.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BlockData {
	/// The block's hash.
	#[prost(bytes = "vec", tag = "1")]
	pub hash: Vec<u8>,
	/// The SCALE-encoded header, if requested.
	#[prost(bytes = "vec", tag = "2")]
	pub header: Vec<u8>,
	/// The SCALE-encoded extrinsics, if requested.
	#[prost(bytes = "vec", repeated, tag = "3")]
	pub body: Vec<Vec<u8>>,
}

impl BlockRequest {
	/// Makes a request for up to `max` blocks, starting at this hash and going towards the genesis block.
	pub fn down_from(hash: Hash, fields: u32, max: u32) -> Self {
		Self {
			fields,
			from_block: Some(FromBlock::Hash(hash.encode())),
			direction: Direction::Descending as i32,
			max_blocks: max,
			support_multiple_justifications: true,
		}
	}

	/// Makes a request for up to `max` blocks, starting at this number and going away from the genesis
	/// block.
	pub fn up_from(number: BlockNumber, fields: u32, max: u32) -> Self {
		Self {
			fields,
			from_block: Some(FromBlock::Number(number.encode())),
			direction: Direction::Ascending as i32,
			max_blocks: max,
			support_multiple_justifications: true,
		}
	}
}

impl BlockData {
	/// Encodes a block. The body does not have to match the header.
	pub fn new(header: &Header, body: &[OpaqueExtrinsic]) -> Self {
		Self {
			hash: header.hash().encode(),
			header: header.encode(),
			body: body.iter().map(Encode::encode).collect(),
		}
	}

	/// Decodes the block. Returns `None` if the header or the body does not decode.
	pub fn read(&self) -> Option<(Header, Vec<OpaqueExtrinsic>)> {
		let header = Header::decode_all(&mut &self.header[..]).ok()?;
		let body = self
			.body
			.iter()
			.map(|extrinsic| OpaqueExtrinsic::decode_all(&mut &extrinsic[..]).ok())
			.collect::<Option<_>>()?;
		Some((header, body))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use prost::Message;

	#[test]
	fn an_announcement_is_the_header_then_the_state_then_the_data() {
		let header = Header::new_from_number(7);
		let bytes = announcement(&header, true, b"ab");
		let rest = bytes.strip_prefix(&header.encode()[..]).unwrap();
		assert_eq!(rest, [1, 2 << 2, b'a', b'b']);
	}

	#[test]
	fn a_request_has_the_bytes_of_the_schema() {
		let request = BlockRequest::up_from(5, HEADER_ONLY, 2);
		// Field 1 is the varint 0x01000000, field 3 is four bytes, and field 5 is omitted because ascending
		// is the default. Field 6 is the varint 2, and field 7 is true.
		assert_eq!(
			request.encode_to_vec(),
			[0x08, 0x80, 0x80, 0x80, 0x08, 0x1a, 4, 5, 0, 0, 0, 0x30, 2, 0x38, 1]
		);
	}

	#[test]
	fn a_block_decodes_as_it_was_encoded() {
		let header = Header::new_from_number(7);
		let body = vec![OpaqueExtrinsic::from_blob(vec![5, 1, 2, 3])];
		let data = BlockData::new(&header, &body);
		assert_eq!(data.read(), Some((header, body)));
	}

	/// Makes a header in which only the number is set.
	trait FromNumber {
		fn new_from_number(number: u32) -> Self;
	}

	impl FromNumber for Header {
		fn new_from_number(number: u32) -> Self {
			Self {
				number,
				parent_hash: Default::default(),
				state_root: Default::default(),
				extrinsics_root: Default::default(),
				digest: Default::default(),
			}
		}
	}
}
