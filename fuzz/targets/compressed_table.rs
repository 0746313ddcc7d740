// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the reader of the table at the end of a compressed value. Who stores a value writes its table, and a reader finds by it
//! what to fetch and how much space to provide. An input is the length of the compressed value, in 8 bytes, and its last bytes.
//!
//! - A table that can be read is the one that is written for its frames.
//! - What it leads to is within the compressed value, and no frame is longer than one can be.

#![no_main]

use isthmus_envelope::compressed::{padded, Frames, Piece, Table, FRAME, HASH_LEN, MAX_STORED};
use libfuzzer_sys::fuzz_target;

fn check(bytes: &[u8], total: u64) {
	let Ok(table) = Table::read(bytes, total) else {
		return;
	};
	assert_eq!(Table::len_in(bytes, total), Ok(bytes.len()));
	let (mut made, mut at) = (Frames::default(), 0);
	for frame in 0..table.frames() {
		let place = table.stored(frame..frame + 1);
		let (stored, length) = ((place.end - place.start) as usize, table.frame_len(frame));
		assert_eq!(place.start, at);
		assert!(stored <= MAX_STORED && length <= FRAME);
		assert_eq!(made.add(stored, length, &[0; HASH_LEN]), Ok(()));
		at = place.end;
	}
	assert!(at < table.hashes().start && table.hashes().end < total);
	assert_eq!(padded(total), total);
	assert_eq!(made.finish().pop(), Some(Piece::Bytes(bytes.to_vec())));
}

fuzz_target!(|data: &[u8]| {
	if let Some((total, bytes)) = data.split_first_chunk() {
		check(bytes, u64::from_le_bytes(*total));
	}
});
