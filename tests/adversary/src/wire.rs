// SPDX-License-Identifier: Apache-2.0

//! Speaks the nodes' network protocol: a peer that nodes accept as one of their own, and that sends
//! whatever an attack needs.
//!
//! It implements block announcements (with their handshake) and block requests in the wire formats of polkadot-sdk's
//! sync. [`crate::forge`] and [`crate::refuse`] decide what to send.

mod messages;
mod peer;

pub use messages::{
	announcement, BlockData, BlockRequest, BlockResponse, Direction, FromBlock, Handshake,
	HEADER_AND_BODY, HEADER_ONLY, ROLE_FULL,
};
pub use peer::{LinkState, Manner, Peer, PeerOptions, Served, WireError};
