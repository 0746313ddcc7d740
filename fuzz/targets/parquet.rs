// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the reader of the end of a Parquet file. The owner of a dataset writes the file, and a gateway describes its columns
//! to other programs.
//!
//! - The description that it finds is in the file.
//! - What it reads has no more columns than bytes, and can be written as JSON.

#![no_main]

use isthmus_tables::{
	parquet::{description, read},
	schema, Column, Kind,
};
use libfuzzer_sys::fuzz_target;

/// How many columns there are, with those inside of others.
fn count(columns: &[Column]) -> usize {
	let inside = |kind: &Kind| match kind {
		Kind::Struct(columns) => count(columns),
		_ => 0,
	};
	columns.len()
		+ columns
			.iter()
			.map(|column| inside(&column.kind))
			.sum::<usize>()
}

fn check(bytes: &[u8]) {
	if let Ok(table) = read(bytes) {
		assert!(count(&table.columns) <= bytes.len());
		assert!(schema(&table.columns).to_string().len() > 10);
	}
}

fuzz_target!(|data: &[u8]| {
	check(data);
	let Some(tail) = data.last_chunk() else {
		return;
	};
	if let Ok(range) = description(data.len() as u64, *tail) {
		check(&data[range.start as usize..range.end as usize]);
	}
});
