//! Each call's effects and each of its errors; what happens by itself; lists; what a call costs; what
//! a runtime may not set; and long random sequences.

mod config;
mod cost;
mod direct;
mod grants;
mod large;
mod lists;
mod policies;
mod producers;
mod random;
mod records;
mod requests;
