// SPDX-License-Identifier: Apache-2.0
//! What other mining programs send to a node, and what the node answers: the requests of getWork miners, and
//! whole Stratum sessions.
//!
//! Only `stratum/server.rs` opens sockets and reads the clock: all else gets bytes and times, and returns what to
//! do. So every session can be tested line by line. Nothing here needs Substrate, so the parsers can be fuzzed and
//! the server be tested in seconds.
//!
//! ```
//! use isthmus_miners::{stratum::{Action, Config, Session}, Board};
//! use std::time::Instant;
//!
//! let mut session = Session::new(7, &Config::default(), Instant::now());
//! let line = br#"{"id":1,"method":"mining.subscribe","params":["miner","EthereumStratum/1.0.0"]}"#;
//! let actions = session.line(line, &mut Board::default(), Instant::now());
//! assert!(matches!(&actions[..], [Action::Send(answer)] if answer.contains("EthereumStratum/1.0.0")));
//! ```
//!
//! # Out of scope
//!
//! A share earns nothing: the node's beneficiary gets every reward, and this crate pays no one. It does not know
//! blocks; a [`Work`] is the part of a template that a miner receives.

#![forbid(unsafe_code)]

mod board;
#[cfg(feature = "server")]
mod connections;
mod difficulty;
mod lines;
mod places;
pub mod request;
mod secret;
pub mod stratum;

pub use board::{Board, Work, KEPT_WORKS};
#[cfg(feature = "server")]
pub use connections::{Connection, Connections, Evict, Evicted, Eviction};
pub use difficulty::{ShareDifficulty, START_DIFFICULTY};
pub use isthmus_ethash::Boundary;
pub use lines::{LineTooLong, Lines, MAX_LINE};
pub use places::{Full, Place, Places};
pub use secret::{BadSecret, Secret};
