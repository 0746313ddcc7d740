// SPDX-License-Identifier: Apache-2.0
//! Tests each call's effects and errors, the work that happens automatically, lists, the cost of calls,
//! parameters that a runtime must not set, and long random sequences of calls.

mod conditions;
mod config;
mod control;
mod cost;
mod direct;
mod exchange;
mod grants;
mod large;
mod lists;
mod migrations;
mod money;
mod objects;
mod policies;
mod producers;
mod random;
mod receipts;
mod records;
mod requests;
mod triggers;
