// SPDX-License-Identifier: Apache-2.0
//! Which columns a table has. `isthmus gateway` describes tables of Parquet with it to programs of Delta Sharing.
//!
//! - [`parquet`] reads the end of a Parquet file.
//! - [`Column`] is a column, and [`schema`] writes columns as Spark and Delta Sharing do.
//!
//! What is read comes from others: no bytes make it panic, recurse without end, or ask for memory out of proportion.

#![forbid(unsafe_code)]

mod columns;
pub mod parquet;
mod thrift;

pub use columns::{schema, Column, Kind};
