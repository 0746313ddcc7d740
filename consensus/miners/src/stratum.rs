// SPDX-License-Identifier: Apache-2.0
//! Stratum sessions, in the two dialects that Ethash miners speak.
//!
//! | dialect | begins with | source |
//! |---|---|---|
//! | EthereumStratum/1.0.0 | `mining.subscribe` | NiceHash's specification, revision 2 |
//! | eth-proxy | `eth_submitLogin` | the programs eth-proxy and ethminer (`stratum1+tcp`) |
//!
//! A [`Session`] is a state machine without input or output of its own. It receives lines, new work and the
//! results of the hashes that it asked for, and returns [`Action`]s. [`serve`] carries them out.

mod message;
#[cfg(feature = "server")]
mod server;
mod session;

pub use message::Refusal;
#[cfg(feature = "server")]
pub use server::{serve, Limits, Mine};
pub use session::{Action, Closing, Config, Hashed, Session, Share};
