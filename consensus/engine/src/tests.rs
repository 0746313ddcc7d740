// SPDX-License-Identifier: Apache-2.0
//! Tests the engine against an in-memory chain, with real proofs of work at the development sizes.

mod announcements;
mod authoring;
mod changes;
mod fork_choice;
mod history;
mod imports;
mod mock;
mod room;
mod submissions;
mod uncles;
mod verification;
