// SPDX-License-Identifier: Apache-2.0
//! Lets programs that speak S3, Delta Sharing or HTTP read what an account may read on an Isthmus chain, and nothing else. `isthmus
//! gateway` runs it; `docs/gateway.md` is for its users.
//!
//! - A [`Source`] has datasets and their files: [`Chain`] is what an account may read on a chain.
//! - A [`Gateway`] answers over a listener, to those who have its [`Credentials`], and tells a [`Watch`] what was read.
//!
//! Each read asks the chain whether the account may still read the record. What was decrypted is kept in memory, up to a
//! limit, and is never written to disk. The gateway writes nothing to the chain.

#![forbid(unsafe_code)]

mod answer;
pub mod bucket;
mod cache;
mod chain;
mod credentials;
mod found;
mod gateway;
mod guard;
mod http;
mod kept;
mod kind;
mod pace;
mod page;
mod question;
mod range;
mod s3;
mod server;
mod sharing;
mod signature;
mod source;
#[cfg(test)]
mod tests;
mod token;
mod watch;
mod xml;

pub use chain::Chain;
pub use credentials::{Credentials, CredentialsError};
pub use gateway::{Gateway, Settings};
pub use source::{Dataset, File, Opened, Pack, Place, Readable, Record, Refusal, Source};
pub use watch::{Event, Read, Refused, Totals, Watch};
