// SPDX-License-Identifier: Apache-2.0

//! Defines what a peer offers to a node: a block or arbitrary bytes.

use crate::wire::announcement;
use isthmus_primitives::Header;
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;

/// What a peer offers to a node.
pub enum Offer {
	/// A block. The peer announces its header and serves its body.
	Block {
		/// The header.
		header: Header,
		/// The body.
		body: Vec<OpaqueExtrinsic>,
	},
	/// Bytes to send in place of an announcement.
	Bytes(Vec<u8>),
}

impl Offer {
	/// Returns the bytes of the announcement.
	pub fn announcement(&self) -> Vec<u8> {
		match self {
			Self::Block { header, .. } => announcement(header, true, &[]),
			Self::Bytes(bytes) => bytes.clone(),
		}
	}

	/// Returns how the node's log names the block, or an empty string for bytes.
	pub fn log_name(&self) -> String {
		match self {
			Self::Block { header, .. } => format!("block #{} ({})", header.number, header.hash()),
			Self::Bytes(_) => String::new(),
		}
	}
}
