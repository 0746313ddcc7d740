// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::{epoch::EpochId, master::MasterSecret};

const CONTEXT: RecordContext = RecordContext {
	genesis: [1; 32],
	owner: [2; 32],
	key: [5; 32],
	version: 6,
};

fn leaf(number: u32) -> LeafKey {
	let id = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 3,
		epoch: 4,
	};
	MasterSecret::from_bytes([7; 32])
		.epoch_root(&id)
		.leaf_key(number)
}

fn value(len: usize) -> Vec<u8> {
	(0..len).map(|i| i as u8).collect()
}

/// A record of `len` bytes in chunks of 16.
fn record(len: usize) -> Vec<u8> {
	encrypt_all(
		Encryptor::new(&leaf(0), &CONTEXT, 16, len as u64).unwrap(),
		&value(len),
	)
	.unwrap()
}

fn decrypt(record: &[u8]) -> Result<Vec<u8>, RecordError> {
	decrypt_value(&leaf(0), &CONTEXT, record)
}

#[test]
fn values_of_all_lengths_come_back() {
	for len in 0..100 {
		let record = record(len);
		let chunks = len.div_ceil(16).max(1);
		assert_eq!(record.len(), Header::LEN + len + chunks * TAG_LEN);
		assert_eq!(decrypt(&record), Ok(value(len)));
	}
}

#[test]
fn a_value_around_the_largest_chunk_comes_back() {
	let size = MAX_CHUNK_SIZE as usize;
	for (len, chunks) in [(size - 1, 1), (size, 1), (size + 1, 2), (2 * size + 3, 3)] {
		let record = encrypt_value(&leaf(0), &CONTEXT, &value(len)).unwrap();
		assert_eq!(Header::read(&record).unwrap().chunks(), chunks);
		assert!(decrypt(&record).unwrap() == value(len));
	}
}

#[test]
fn chunk_by_chunk_is_the_same_as_all_at_once() {
	let mut encryptor = Encryptor::with_salt(&leaf(0), &CONTEXT, None, 16, 40, [9; 32]).unwrap();
	let header = encryptor.header().clone();
	let mut chunks = Vec::new();
	let plain = value(40);
	let mut at = 0;
	while let Some(len) = encryptor.next_len() {
		let mut chunk = plain[at..at + len].to_vec();
		encryptor.encrypt_chunk(&mut chunk).unwrap();
		at += len;
		chunks.push(chunk);
	}
	assert_eq!((at, chunks.len()), (40, 3));
	assert_eq!(
		encryptor.encrypt_chunk(&mut Vec::new()),
		Err(RecordError::NoSuchChunk {
			chunk: 3,
			chunks: 3
		})
	);

	let again = Encryptor::with_salt(&leaf(0), &CONTEXT, None, 16, 40, [9; 32]).unwrap();
	let whole = encrypt_all(again, &plain).unwrap();
	assert_eq!([&header.to_bytes()[..], &chunks.concat()].concat(), whole);

	// The chunks are read in another order.
	let decryptor = Decryptor::new(&leaf(0), &CONTEXT, header).unwrap();
	for number in [2, 0, 1] {
		let mut chunk = chunks[number].clone();
		decryptor.decrypt_chunk(number as u32, &mut chunk).unwrap();
		assert_eq!(chunk, plain[number * 16..40.min(number * 16 + 16)]);
	}
	assert_eq!(
		decryptor.decrypt_chunk(3, &mut chunks[2].clone()),
		Err(RecordError::NoSuchChunk {
			chunk: 3,
			chunks: 3
		})
	);
}

#[test]
fn a_chunk_of_another_length_is_rejected() {
	let mut encryptor = Encryptor::new(&leaf(0), &CONTEXT, 16, 20).unwrap();
	for got in [0, 15, 17] {
		let refused = encryptor.encrypt_chunk(&mut vec![0; got]);
		assert_eq!(
			refused,
			Err(RecordError::ChunkLength {
				chunk: 0,
				expected: 16,
				got
			})
		);
	}
	// A rejected chunk changes nothing.
	assert_eq!(encryptor.next_len(), Some(16));
	let record = record(20);
	let decryptor = Decryptor::new(&leaf(0), &CONTEXT, Header::read(&record).unwrap()).unwrap();
	for (chunk, expected, got) in [
		(0, 32, 31),
		(0, 32, 33),
		(0, 32, 0),
		(1, 20, 32),
		(1, 20, 19),
	] {
		let refused = decryptor.decrypt_chunk(chunk, &mut vec![0; got]);
		assert_eq!(
			refused,
			Err(RecordError::ChunkLength {
				chunk,
				expected,
				got
			})
		);
	}
}

#[test]
fn every_encryption_has_its_own_salt() {
	let [a, b] = [record(20), record(20)];
	assert_ne!(a[13..45], b[13..45]);
	assert_ne!(a[45..], b[45..]);
}

#[test]
fn impossible_sizes_are_rejected() {
	let new = |size, length| Encryptor::new(&leaf(0), &CONTEXT, size, length).map(|_| ());
	for got in [0, MAX_CHUNK_SIZE + 1, u32::MAX] {
		assert_eq!(new(got, 1), Err(RecordError::ChunkSize { got }));
	}
	assert_eq!(new(16, FORMAT_MAX_CHUNKS * 16), Ok(()));
	let got = FORMAT_MAX_CHUNKS + 1;
	assert_eq!(
		new(16, FORMAT_MAX_CHUNKS * 16 + 1),
		Err(RecordError::TooManyChunks { got })
	);
	assert_eq!(
		new(1, u64::MAX),
		Err(RecordError::TooManyChunks { got: u64::MAX })
	);
}

/// Returns the error that is expected after a header bit is flipped. It depends on the field that the
/// bit is in.
fn expected_after_header_flip(record: &[u8], bit: usize) -> RecordError {
	let got = record.len() as u64;
	match (bit / 8, Header::read(record)) {
		(0, _) => RecordError::UnknownVersion { got: record[0] },
		(_, Err(refused)) => refused,
		(1..5, Ok(header)) if header.record_len() == got => RecordError::NotAuthentic { chunk: 0 },
		(1..13, Ok(header)) => RecordError::Length {
			expected: header.record_len(),
			got,
		},
		(_, Ok(_)) => RecordError::WrongKey,
	}
}

#[test]
fn every_bit_matters() {
	let good = record(40);
	for bit in 0..good.len() * 8 {
		let mut bad = good.clone();
		bad[bit / 8] ^= 1 << (bit % 8);
		let expected = if bit / 8 < Header::LEN {
			expected_after_header_flip(&bad, bit)
		} else {
			// Two chunks of 16 + 16 bytes, one of 8 + 16.
			RecordError::NotAuthentic {
				chunk: ((bit / 8 - Header::LEN) / 32) as u32,
			}
		};
		assert_eq!(decrypt(&bad), Err(expected), "bit {bit}");
	}
}

#[test]
fn header_flips_meet_every_rule() {
	// Checks the sizes and the length one by one, so that the expectations above are checked too.
	let good = record(40);
	let with = |at: usize, bytes: &[u8]| {
		let mut bad = good.clone();
		bad[at..at + bytes.len()].copy_from_slice(bytes);
		decrypt(&bad).unwrap_err()
	};
	let got = good.len() as u64;
	assert_eq!(with(0, &[0]), RecordError::UnknownVersion { got: 0 });
	assert_eq!(with(0, &[3]), RecordError::UnknownVersion { got: 3 });
	assert_eq!(
		with(0, &[2]),
		RecordError::Length {
			expected: got + SEALED_NAME_LEN as u64,
			got
		}
	);
	assert_eq!(with(1, &[0; 4]), RecordError::ChunkSize { got: 0 });
	assert_eq!(
		with(1, &[0xff; 4]),
		RecordError::ChunkSize { got: u32::MAX }
	);
	assert_eq!(
		with(1, &8u32.to_be_bytes()),
		RecordError::Length {
			expected: 77 + 40 + 80,
			got
		}
	);
	// There are still three chunks: the length agrees, but the chunks are bound to another header.
	assert_eq!(
		with(1, &17u32.to_be_bytes()),
		RecordError::NotAuthentic { chunk: 0 }
	);
	assert_eq!(
		with(5, &39u64.to_be_bytes()),
		RecordError::Length {
			expected: got - 1,
			got
		}
	);
	assert_eq!(
		with(5, &[0xff; 8]),
		RecordError::TooManyChunks { got: 1 << 60 }
	);
	assert_eq!(with(13, &[0; 32]), RecordError::WrongKey);
	assert_eq!(with(45, &[0; 32]), RecordError::WrongKey);
}

/// A named record of 40 bytes in chunks of 16.
fn named() -> Vec<u8> {
	let encryptor = Encryptor::named(&leaf(0), &CONTEXT, &[b'n'; 32], 16, 40).unwrap();
	encrypt_all(encryptor, &value(40)).unwrap()
}

fn name_in(record: &[u8]) -> Result<Option<[u8; 32]>, RecordError> {
	Decryptor::new(&leaf(0), &CONTEXT, Header::read(record)?)?.name()
}

#[test]
fn a_record_contains_its_name_sealed() {
	let record = named();
	assert_eq!(record.len(), Header::NAMED_LEN + 40 + 3 * TAG_LEN);
	assert_eq!(decrypt(&record), Ok(value(40)));
	assert_eq!(name_in(&record), Ok(Some([b'n'; 32])));
	assert!(!record.windows(2).any(|pair| pair == b"nn"));
	assert_eq!(name_in(&self::record(40)), Ok(None));
	let whole = encrypt_named(&leaf(0), &CONTEXT, &[b'm'; 32], &value(3)).unwrap();
	assert_eq!(decrypt(&whole), Ok(value(3)));
	assert_eq!(name_in(&whole), Ok(Some([b'm'; 32])));
}

#[test]
fn every_bit_of_a_named_record_matters() {
	let good = named();
	for bit in 0..good.len() * 8 {
		let mut bad = good.clone();
		bad[bit / 8] ^= 1 << (bit % 8);
		let expected = match bit / 8 {
			..Header::LEN => match expected_after_header_flip(&bad, bit) {
				// The name is bound to the header as the chunks are, and comes first.
				RecordError::NotAuthentic { .. } => RecordError::NameNotAuthentic,
				other => other,
			},
			Header::LEN..Header::NAMED_LEN => RecordError::NameNotAuthentic,
			at => RecordError::NotAuthentic {
				chunk: ((at - Header::NAMED_LEN) / 32) as u32,
			},
		};
		assert_eq!(decrypt(&bad), Err(expected), "bit {bit}");
	}
}

#[test]
fn a_name_cannot_be_taken_off_or_moved() {
	let (good, other) = (named(), named());
	let (fixed, rest) = good.split_at(Header::LEN);
	let (name, chunks) = rest.split_at(SEALED_NAME_LEN);
	let without = [&[VERSION], &fixed[1..], chunks].concat();
	assert_eq!(
		decrypt(&without),
		Err(RecordError::NotAuthentic { chunk: 0 })
	);
	let moved = [&other[..Header::LEN], name, &other[Header::NAMED_LEN..]].concat();
	assert_eq!(decrypt(&moved), Err(RecordError::NameNotAuthentic));
	// A chunk does not pass for a name, although both are sealed under one key.
	let chunk = [fixed, &chunks[..32], &chunks[..16], chunks].concat();
	assert_eq!(decrypt(&chunk), Err(RecordError::NameNotAuthentic));
	for got in 1..Header::NAMED_LEN {
		let expected = Header::NAMED_LEN;
		let short = RecordError::HeaderCutShort { expected, got };
		assert_eq!(decrypt(&good[..got]), Err(short));
	}
}

#[test]
fn a_named_record_is_resumed_with_its_name() {
	let first = named();
	let header = Header::read(&first).unwrap();
	let again = Resumed::new(&leaf(0), &CONTEXT, header).unwrap();
	assert_eq!(encrypt_again(again, &value(40), &first), Ok(first));
}

/// Encrypts a value again, as that of a record.
fn encrypt_again(mut again: Resumed, value: &[u8], record: &[u8]) -> Result<Vec<u8>, RecordError> {
	let (mut out, mut rest) = (again.header().to_bytes(), value);
	while let Some(length) = again.next_len() {
		let (plain, after) = rest.split_at(length);
		let (mut chunk, at) = (plain.to_vec(), out.len());
		again.encrypt_chunk(&mut chunk, |_, sealed| {
			record.get(at..at + sealed.len()) == Some(sealed)
		})?;
		out.extend_from_slice(&chunk);
		rest = after;
	}
	Ok(out)
}

#[test]
fn another_value_is_not_encrypted_again_as_that_of_a_record() {
	let first = record(100);
	let header = Header::read(&first).unwrap();
	let again = || Resumed::new(&leaf(0), &CONTEXT, header.clone()).unwrap();
	assert_eq!(
		encrypt_again(again(), &value(100), &first).as_ref(),
		Ok(&first)
	);
	for at in 0..100 {
		let mut other = value(100);
		other[at] ^= 1;
		let chunk = u32::try_from(at / 16).unwrap();
		let refused = Err(RecordError::Changed { chunk });
		assert_eq!(encrypt_again(again(), &other, &first), refused, "byte {at}");
	}
	// What is refused is not handed out.
	let (mut again, mut chunk) = (again(), value(100)[..16].to_vec());
	let refused = again.encrypt_chunk(&mut chunk, |number, _| number != 0);
	assert_eq!(refused, Err(RecordError::Changed { chunk: 0 }));
	assert!(chunk.is_empty());
}

#[test]
fn a_truncated_or_extended_record_is_rejected() {
	let good = record(40);
	for got in 0..good.len() {
		let expected = if got < Header::LEN {
			RecordError::HeaderCutShort { expected: 77, got }
		} else {
			RecordError::Length {
				expected: good.len() as u64,
				got: got as u64,
			}
		};
		assert_eq!(decrypt(&good[..got]), Err(expected));
	}
	let long = [&good[..], &[0]].concat();
	let expected = RecordError::Length {
		expected: 165,
		got: 166,
	};
	assert_eq!(decrypt(&long), Err(expected));
}

#[test]
fn chunks_cannot_change_places() {
	let good = record(48);
	let (header, body) = good.split_at(Header::LEN);
	let chunks: Vec<&[u8]> = body.chunks(32).collect();
	for order in [[0, 2, 1], [1, 0, 2], [2, 1, 0], [0, 0, 2], [0, 1, 1]] {
		let body: Vec<u8> = order.iter().flat_map(|i| chunks[*i]).copied().collect();
		let first = order
			.iter()
			.enumerate()
			.position(|(at, i)| at != *i)
			.unwrap();
		let expected = RecordError::NotAuthentic {
			chunk: first as u32,
		};
		assert_eq!(decrypt(&[header, &body].concat()), Err(expected));
	}
}

#[test]
fn a_chunk_knows_whether_it_is_the_last() {
	// The same key and the same other bytes of nonce and associated data, but one more chunk to come.
	let (key, commitment) = chunk_key(&leaf(0), &[9; 32], &header::RECORD);
	let header = Header::new(16, 16, [9; 32], commitment).unwrap();
	let last = Chunks::new(header, key, &CONTEXT);
	let (key, _) = chunk_key(&leaf(0), &[9; 32], &header::RECORD);
	let header = Header::new(16, 16 * 515, [9; 32], commitment).unwrap();
	let aad = last.cipher.aad;
	let more = Chunks {
		header,
		cipher: ChunkCipher { key, aad },
	};
	let nonce = |chunks: &Chunks, chunk| ChunkCipher::nonce(chunk, chunks.is_last(chunk));
	assert_eq!(
		nonce(&last, 0).as_ref(),
		&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
	);
	assert_eq!(nonce(&more, 0).as_ref(), &[0; 12]);
	assert_eq!(
		nonce(&more, 513).as_ref(),
		&[0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0]
	);
	assert_eq!(
		nonce(&more, 514).as_ref(),
		&[0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 1]
	);

	let mut chunk = vec![0; 16];
	let tag = more.seal(0, &mut chunk).unwrap();
	chunk.extend_from_slice(&tag);
	assert_eq!(
		last.open(0, &mut chunk.clone()),
		Err(RecordError::NotAuthentic { chunk: 0 })
	);
	assert_eq!(more.open(0, &mut chunk), Ok(()));
}

#[test]
fn a_record_opens_only_in_its_own_place() {
	let good = record(20);
	let elsewhere = [
		RecordContext {
			genesis: [9; 32],
			..CONTEXT
		},
		RecordContext {
			owner: [9; 32],
			..CONTEXT
		},
		RecordContext {
			key: [9; 32],
			..CONTEXT
		},
		RecordContext {
			version: 7,
			..CONTEXT
		},
	];
	for context in elsewhere {
		let refused = decrypt_value(&leaf(0), &context, &good);
		assert_eq!(
			refused,
			Err(RecordError::NotAuthentic { chunk: 0 }),
			"{context:?}"
		);
	}
}

#[test]
fn another_leaf_does_not_open_it() {
	for number in [1, 2, 1 << 31, u32::MAX] {
		let refused = decrypt_value(&leaf(number), &CONTEXT, &record(20));
		assert_eq!(refused, Err(RecordError::WrongKey));
	}
}

#[test]
fn an_encryption_is_resumed_to_the_byte() {
	let first = record(100);
	let header = Header::read(&first).unwrap();
	let mut again = Resumed::new(&leaf(0), &CONTEXT, header.clone()).unwrap();
	again.seek(3).unwrap();
	let mut chunk = value(100)[48..64].to_vec();
	again
		.encrypt_chunk(&mut chunk, |number, _| number == 3)
		.unwrap();
	let at = Header::LEN + 3 * (16 + TAG_LEN);
	assert_eq!(chunk, first[at..at + 16 + TAG_LEN]);
	assert_eq!(again.next_len(), Some(16));
	assert_eq!(again.seek(7), Ok(()));
	assert_eq!(again.next_len(), None);
	assert_eq!(
		again.seek(8),
		Err(RecordError::NoSuchChunk {
			chunk: 8,
			chunks: 7
		})
	);
	assert!(matches!(
		Resumed::new(&leaf(1), &CONTEXT, header),
		Err(RecordError::WrongKey)
	));
}
