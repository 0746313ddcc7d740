//! The network's own words: a peer that a node takes for one of its kind, and that says whatever an
//! attack wants it to.
//!
//! Here are the block announcements (with their handshake) and the block requests of polkadot-sdk's
//! sync, in their wire formats. Not here: what is said (see [`crate::forge`] and [`crate::refuse`]).

mod messages;
mod peer;

pub use messages::{
	announcement, BlockData, BlockRequest, BlockResponse, Direction, FromBlock, Handshake,
	ROLE_FULL,
};
pub use peer::{Link, Peer, PeerOptions, Served, WireError};

/// The fields of a block request: the header, and the body. Bits of the first byte, as sent.
pub const HEADER_AND_BODY: u32 = 0b11 << 24;
/// The fields of a block request: the header alone.
pub const HEADER_ONLY: u32 = 0b1 << 24;
