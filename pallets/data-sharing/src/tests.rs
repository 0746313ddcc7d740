//! Each call's effects and each of its errors; what happens by itself; what a runtime may not
//! set; and long random sequences.

mod config;
mod direct;
mod grants;
mod producers;
mod random;
mod records;
mod requests;
