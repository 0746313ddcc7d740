// SPDX-License-Identifier: Apache-2.0
//! Each call's effects and errors; what happens automatically; lists; the cost of calls; parameters that
//! a runtime must not set; and long random sequences.

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
