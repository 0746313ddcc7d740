// SPDX-License-Identifier: Apache-2.0
//! Keepers: accounts that keep copies of a dataset's objects, and prove it to the chain in every period.
//!
//! [`keep`] does all that a keeper has to do. The calls and the state are here, too:
//!
//! ```no_run
//! # async fn example(client: isthmus_sdk::Client, owner: isthmus_sdk::AccountId)
//! # -> Result<(), isthmus_sdk::Error> {
//! for kept in client.proven().await?.keepers(&owner).await? {
//!     let last = kept.keeper.proven;
//!     println!("dataset {}: {} has a copy, last proven in block {last:?}", kept.dataset, kept.account);
//! }
//! # Ok(())
//! # }
//! ```

mod chain;
mod service;

pub use chain::{Challenge, Kept};
pub use isthmus_storage_proof::{periods::Period, Proof};
pub use service::{keep, keep_until, Keeping, Look, Step, Watch};
