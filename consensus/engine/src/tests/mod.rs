//! Tests of the engine against a chain in memory, with real proofs of work on the development sizes.

mod announcements;
mod authoring;
mod fork_choice;
mod imports;
mod mock;
mod submissions;
mod uncles;
mod verification;
