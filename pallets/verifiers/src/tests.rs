// SPDX-License-Identifier: Apache-2.0
//! The pallet's tests, by topic.

mod applying;
mod keys;
mod random;
mod sessions;
mod voting;
