// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the decryption of a record as fetched from a node: a header, followed by the encrypted chunks.
//!
//! - If a header can be read, writing it again returns the same bytes, and its lengths add up.
//! - A record encrypted here, with or without a name, opens, but not if any of its bits is changed.

#![no_main]

use isthmus_envelope::{
	decrypt_value, Decryptor, Encryptor, EpochId, Header, LeafKey, MasterSecret, RecordContext,
};
use libfuzzer_sys::{
	arbitrary::{Result, Unstructured},
	fuzz_target,
};
use std::sync::OnceLock;

/// The length of the authentication tag that ends each chunk, in bytes.
const TAG: u64 = 16;

const CONTEXT: RecordContext = RecordContext {
	genesis: [1; 32],
	owner: [2; 32],
	key: [3; 32],
	version: 4,
};

fn leaf() -> &'static LeafKey {
	static LEAF: OnceLock<LeafKey> = OnceLock::new();
	LEAF.get_or_init(|| {
		let epoch = EpochId {
			genesis: [1; 32],
			owner: [2; 32],
			dataset: 0,
			epoch: 0,
		};
		MasterSecret::from_bytes([5; 32])
			.epoch_root(&epoch)
			.leaf_key(6)
	})
}

/// Checks that a header is written back as it was read, and that its lengths add up.
fn check_header(data: &[u8]) {
	let Ok(header) = Header::read(data) else {
		return;
	};
	assert_eq!(
		Some(&header.to_bytes()[..]),
		data.get(..header.encoded_len())
	);
	let (chunks, size) = (u64::from(header.chunks()), u64::from(header.chunk_size()));
	assert!(chunks > 0 && size > 0);
	let last = header
		.chunk_len(header.chunks() - 1)
		.expect("there is a last chunk");
	assert_eq!((chunks - 1) * size + last as u64, header.length());
	assert_eq!(
		header.record_len(),
		header.encoded_len() as u64 + header.length() + chunks * TAG
	);
	assert!(header.chunk_len(header.chunks()).is_err());
	if chunks > 1 {
		assert_eq!(header.chunk_len(0), Ok(size as usize));
	}
}

/// Encrypts a value and checks that the record opens, and that a changed record does not.
fn check_made(data: &[u8]) -> Result<()> {
	let mut input = Unstructured::new(data);
	let size = input.int_in_range(1..=64)?;
	let flipped: u16 = input.arbitrary()?;
	let name: Option<[u8; 32]> = input.arbitrary()?;
	let value = input.take_rest();
	let length = value.len() as u64;
	let encryptor = match &name {
		Some(name) => Encryptor::named(leaf(), &CONTEXT, name, size, length),
		None => Encryptor::new(leaf(), &CONTEXT, size, length),
	};
	let mut encryptor = encryptor.expect("a value of a few bytes can be encrypted");
	let mut record = encryptor.header().to_bytes();
	let mut rest = value;
	while let Some(length) = encryptor.next_len() {
		let (chunk, after) = rest.split_at(length);
		let mut chunk = chunk.to_vec();
		encryptor
			.encrypt_chunk(&mut chunk)
			.expect("the chunk has the length that was asked for");
		record.extend(chunk);
		rest = after;
	}
	assert!(rest.is_empty());
	assert_eq!(
		decrypt_value(leaf(), &CONTEXT, &record).as_deref(),
		Ok(value)
	);
	let decryptor = Decryptor::new(leaf(), &CONTEXT, encryptor.header().clone());
	assert_eq!(decryptor.and_then(|decryptor| decryptor.name()), Ok(name));

	let bit = usize::from(flipped) % (8 * record.len());
	record[bit / 8] ^= 1 << (bit % 8);
	assert!(decrypt_value(leaf(), &CONTEXT, &record).is_err());
	Ok(())
}

fuzz_target!(|data: &[u8]| {
	check_header(data);
	// Only the holder of the key can make a record that opens.
	assert!(decrypt_value(leaf(), &CONTEXT, data).is_err());
	let _ = check_made(data);
});
