//! The pallet's tests: by what they are about.

mod applying;
mod keys;
mod random;
mod sessions;
mod voting;
