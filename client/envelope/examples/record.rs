// SPDX-License-Identifier: Apache-2.0
//! Encrypts a value chunk by chunk, as it would come from a file, and reads one chunk of it.
//!
//! ```sh
//! cargo run --release -p isthmus-envelope --example record
//! ```

use isthmus_envelope::{
	record::TAG_LEN, Decryptor, Encryptor, EpochId, Header, MasterSecret, RecordContext,
};
use std::io::Read;

/// Plaintext bytes per chunk.
const CHUNK_SIZE: u32 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
	let (genesis, owner) = ([1; 32], [2; 32]);
	let epoch = EpochId {
		genesis,
		owner,
		dataset: 0,
		epoch: 0,
	};
	// The owner keeps this secret. Every key of every record is derived from it.
	let master = MasterSecret::generate()?;
	let leaf_key = master.epoch_root(&epoch).leaf_key(7);
	let context = RecordContext {
		genesis,
		owner,
		key: *b"marks-2025.csv\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		version: 0,
	};

	let value: Vec<u8> = (0..3500).map(|i| i as u8).collect();
	let mut file = &value[..];
	let mut encryptor = Encryptor::new(&leaf_key, &context, CHUNK_SIZE, value.len() as u64)?;
	let mut record = encryptor.header().to_bytes();
	let mut chunk = Vec::new();
	while let Some(length) = encryptor.next_len() {
		chunk.resize(length, 0);
		file.read_exact(&mut chunk)?;
		encryptor.encrypt_chunk(&mut chunk)?;
		record.extend_from_slice(&chunk);
	}

	// A reader decrypts only the third chunk.
	let (number, sealed_size) = (2, CHUNK_SIZE as usize + TAG_LEN);
	let decryptor = Decryptor::new(&leaf_key, &context, Header::read(&record)?)?;
	let sealed = record[Header::LEN..]
		.chunks(sealed_size)
		.nth(number)
		.ok_or("the record has four chunks")?;
	let mut chunk = sealed.to_vec();
	decryptor.decrypt_chunk(number as u32, &mut chunk)?;
	assert_eq!(chunk, value[2000..3000]);
	println!(
		"{} bytes are stored as {} in {} chunks; chunk {number} decrypts alone",
		value.len(),
		record.len(),
		decryptor.header().chunks(),
	);

	// A changed chunk does not decrypt.
	let mut changed = sealed.to_vec();
	changed[0] ^= 1;
	let error = decryptor.decrypt_chunk(number as u32, &mut changed);
	println!(
		"one bit changed: {}",
		error.expect_err("it is not authentic")
	);
	Ok(())
}

#[test]
fn it_runs() {
	main().unwrap();
}
