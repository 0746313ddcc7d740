// SPDX-License-Identifier: Apache-2.0
//! Which columns a table has. `isthmus gateway` describes tables of Parquet with it to programs of Delta Sharing, and
//! `isthmus dataset describe` makes the cards of datasets.
//!
//! - [`parquet`] reads the end of a Parquet file, and [`csv`] guesses from the beginning of a CSV file.
//! - [`card`] writes what is in a dataset as Croissant, which programs that search for data read.
//! - [`Column`] is a column, and [`schema`] writes columns as Spark and Delta Sharing do.
//!
//! What is read comes from others: no bytes make it panic, recurse without end, or ask for memory out of proportion.

#![forbid(unsafe_code)]

pub mod card;
mod columns;
pub mod csv;
mod error;
pub mod parquet;
mod thrift;

pub use columns::{schema, Column, Kind};
