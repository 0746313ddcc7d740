//! Each call's effects and each of its errors; what happens by itself; and long random sequences.

mod direct;
mod grants;
mod producers;
mod random;
mod records;
mod requests;
