// SPDX-License-Identifier: Apache-2.0
//! Tests large records, which are stored in chunks: manifests, chunks, and unfinished uploads.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{assert_noop, assert_ok};
use isthmus_sharing::{manifest::verify_chunk, terms::MAX_CHUNKS, Manifest, QueryError};
use polkadot_sdk::*;
use serde_json::Value;
use sp_core::H256;
use sp_io::hashing::sha2_256;

fn payload(number: u8) -> Payload<u64> {
	Records::<Test>::get(SCHOOL, key(number))
		.expect("the record is there")
		.payload
}

fn upload(large: &Large) {
	assert_ok!(submit(SCHOOL, large.open()));
	for index in 0..large.chunks.len() as u8 {
		assert_ok!(submit(SCHOOL, large.chunk(index)));
	}
}

#[test]
fn a_large_record_is_stored_chunk_by_chunk() {
	with_dataset(|| {
		let large = Large::new(7, 3);
		System::set_extrinsic_index(2);
		assert_ok!(submit(SCHOOL, large.open()));
		let manifest = content_hash(&large.manifest());
		let opened = |arrived, last_block| Payload::Chunks {
			manifest,
			root: large.root(),
			length: 11,
			chunk_size: 4,
			arrived,
			block: 1,
			extrinsic: 2,
			last_block,
		};
		assert_eq!(payload(7), opened(0, 1));
		assert_eq!(
			last_event(),
			SharingEvent::RecordOpened {
				owner: SCHOOL,
				key: key(7),
				dataset: 0,
				epoch: 0,
				leaf: 7,
				manifest,
				length: 11,
				chunks: 3,
			}
		);
		assert_eq!(held(HoldReason::Record, SCHOOL), 2 * PER_ITEM);

		run_to(5);
		assert_ok!(submit(SCHOOL, large.chunk(0)));
		assert_ok!(submit(SCHOOL, large.chunk(1)));
		assert_eq!(payload(7), opened(2, 5));
		assert_eq!(
			last_event(),
			SharingEvent::ChunkStored {
				owner: SCHOOL,
				key: key(7),
				dataset: 0,
				index: 1,
				content_hash: content_hash(&large.chunks[1]),
			}
		);
		run_to(9);
		assert_ok!(submit(SCHOOL, large.chunk(2)));
		assert_eq!(payload(7), opened(3, 9));
		assert!(payload(7).is_complete());
		assert_eq!(
			last_event(),
			SharingEvent::RecordCompleted {
				owner: SCHOOL,
				key: key(7),
				dataset: 0,
			}
		);
		// The deposit for a large record is the same as for a small one.
		assert_eq!(held(HoldReason::Record, SCHOOL), 2 * PER_ITEM);
	});
}

#[test]
fn a_record_can_be_queried_when_it_is_complete() {
	with_dataset(|| {
		let large = Large::new(7, 2);
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)));
		assert_ok!(submit(SCHOOL, large.open()));
		assert_ok!(submit(SCHOOL, large.chunk(0)));
		assert_eq!(query(COMPANY, 7), Err(QueryError::Incomplete));
		assert_eq!(query(STRANGER, 7), Err(QueryError::NotAuthorised));
		// The owner resumes the upload from here.
		assert_eq!(
			query(SCHOOL, 7).map(|answer| answer.payload.arrived()),
			Ok(1)
		);
		assert_ok!(submit(SCHOOL, large.chunk(1)));
		assert_eq!(
			query(COMPANY, 7).map(|answer| answer.payload),
			Ok(payload(7))
		);
	});
}

#[test]
fn chunks_may_come_while_the_dataset_moves_on() {
	with_dataset(|| {
		let large = Large::new(7, 2);
		assert_ok!(submit(SCHOOL, large.open()));
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		assert_ok!(submit(SCHOOL, large.chunk(0)));
		assert_ok!(submit(SCHOOL, large.chunk(1)));
		assert!(payload(7).is_complete());
	});
}

#[test]
fn a_record_that_cannot_be_opened_is_refused() {
	with_dataset(|| {
		let large = Large::new(7, 3);
		let open = |length, chunk_size, manifest| SharingCall::open_record {
			key: key(7),
			dataset: 0,
			epoch: 0,
			leaf: 7,
			length,
			chunk_size,
			manifest,
		};
		let manifest = large.manifest();
		for (call, error) in [
			(open(11, 4, vec![]), Error::EmptyValue),
			(open(0, 4, manifest.clone()), Error::EmptyValue),
			(
				open(11, 4, vec![1; MAX_VALUE as usize + 1]),
				Error::ValueTooLong,
			),
			(open(11, 0, manifest.clone()), Error::ChunkSizeInvalid),
			(
				open(11, MAX_VALUE + 1, manifest.clone()),
				Error::ChunkSizeInvalid,
			),
			(
				open(u64::from(MAX_CHUNKS) + 1, 1, manifest.clone()),
				Error::TooManyChunks,
			),
			(open(u64::MAX, 1, manifest.clone()), Error::TooManyChunks),
			(
				open(11, 4, [&[2], &manifest[1..]].concat()),
				Error::ManifestUnknown,
			),
			// One chunk more than there are hashes, and one chunk fewer.
			(open(13, 4, manifest.clone()), Error::ManifestLength),
			(open(8, 4, manifest.clone()), Error::ManifestLength),
			(
				open(11, 4, [&manifest[..], &[0]].concat()),
				Error::ManifestLength,
			),
		] {
			assert_noop!(submit(SCHOOL, call), error);
		}
		assert_noop!(submit(STRANGER, large.open()), Error::NotRegistered);
		assert_ok!(submit(SCHOOL, store(7)));
		assert_noop!(submit(SCHOOL, large.open()), Error::KeyTaken);
		assert_ok!(submit(SCHOOL, SharingCall::remove_record { key: key(7) }));
		assert_noop!(submit(SCHOOL, large.open()), Error::LeafTaken);
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		assert_noop!(submit(SCHOOL, large.open()), Error::NotCurrentEpoch);
	});
}

#[test]
fn the_largest_record_opens() {
	MaxValueSize::set(2 << 20);
	with_dataset(|| {
		let manifest = [&[1, 0, 0][..], &vec![7; 32 * MAX_CHUNKS as usize]].concat();
		let open = SharingCall::open_record {
			key: key(7),
			dataset: 0,
			epoch: 0,
			leaf: 7,
			length: u64::from(MAX_CHUNKS) << 20,
			chunk_size: 1 << 20,
			manifest,
		};
		assert_ok!(submit(SCHOOL, open));
		assert_eq!(payload(7).chunks(), MAX_CHUNKS);
	});
}

#[test]
fn a_chunk_that_is_not_the_next_is_refused() {
	with_dataset(|| {
		let large = Large::new(7, 5);
		assert_noop!(submit(SCHOOL, large.chunk(0)), Error::UnknownRecord);
		assert_ok!(submit(SCHOOL, large.open()));
		assert_noop!(submit(STRANGER, large.chunk(0)), Error::UnknownRecord);
		assert_noop!(submit(SCHOOL, large.chunk(1)), Error::NotNextChunk);
		assert_ok!(submit(SCHOOL, large.chunk(0)));
		assert_noop!(submit(SCHOOL, large.chunk(0)), Error::NotNextChunk);

		let chunk = |index, proof: Vec<H256>, bytes| SharingCall::store_chunk {
			key: key(7),
			index,
			proof: proof.try_into().expect("a proof is short"),
			bytes,
		};
		let (proof, bytes) = (large.proof(1), large.chunks[1].clone());
		for (call, error) in [
			(chunk(1, proof.clone(), vec![]), Error::EmptyValue),
			(
				chunk(1, proof.clone(), vec![0; MAX_VALUE as usize + 1]),
				Error::ValueTooLong,
			),
			(chunk(1, proof.clone(), vec![7, 1, 0]), Error::ChunkLength),
			(
				chunk(1, proof.clone(), vec![7, 1, 0, 0, 0]),
				Error::ChunkLength,
			),
			(
				chunk(1, proof.clone(), vec![7, 1, 0, 1]),
				Error::ChunkNotInManifest,
			),
			(
				chunk(1, proof[1..].to_vec(), bytes.clone()),
				Error::ChunkNotInManifest,
			),
			(
				chunk(1, [&proof[..], &[H256::zero()]].concat(), bytes.clone()),
				Error::ChunkNotInManifest,
			),
			(
				chunk(1, large.proof(2), bytes.clone()),
				Error::ChunkNotInManifest,
			),
			(
				chunk(1, proof.clone(), large.chunks[2].clone()),
				Error::ChunkNotInManifest,
			),
		] {
			assert_noop!(submit(SCHOOL, call), error);
		}
		for index in 1..5 {
			assert_ok!(submit(SCHOOL, large.chunk(index)));
		}
		let beyond = chunk(5, vec![], vec![0; 4]);
		assert_noop!(submit(SCHOOL, beyond), Error::RecordComplete);
		assert_ok!(submit(SCHOOL, store(8)));
		let to_a_value = Large::new(8, 1).chunk(0);
		assert_noop!(submit(SCHOOL, to_a_value), Error::RecordComplete);
	});
}

#[test]
fn an_upload_is_given_up_and_its_deposit_comes_back() {
	with_dataset(|| {
		let large = Large::new(7, 3);
		let remove = SharingCall::remove_record { key: key(7) };
		assert_ok!(submit(SCHOOL, large.open()));
		assert_ok!(submit(SCHOOL, large.chunk(0)));
		assert_ok!(submit(SCHOOL, remove.clone()));
		assert_eq!(
			last_event(),
			SharingEvent::RecordAbandoned {
				owner: SCHOOL,
				key: key(7),
				dataset: 0,
				arrived: 1
			}
		);
		// The leaf stays taken: something was encrypted under its key.
		assert_eq!(held(HoldReason::Record, SCHOOL), PER_ITEM);
		assert_noop!(submit(SCHOOL, large.open()), Error::LeafTaken);
		assert_noop!(submit(SCHOOL, large.chunk(1)), Error::UnknownRecord);
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		assert_ok!(submit(
			SCHOOL,
			SharingCall::free_leaf {
				dataset: 0,
				epoch: 0,
				leaf: 7
			}
		));
		assert_eq!(held(HoldReason::Record, SCHOOL), 0);
	});
}

#[test]
fn a_complete_record_is_removed() {
	with_dataset(|| {
		upload(&Large::new(7, 3));
		assert_ok!(submit(SCHOOL, SharingCall::remove_record { key: key(7) }));
		assert_eq!(
			last_event(),
			SharingEvent::RecordRemoved {
				owner: SCHOOL,
				key: key(7),
				dataset: 0,
			}
		);
		assert_eq!(held(HoldReason::Record, SCHOOL), PER_ITEM);
	});
}

#[test]
fn trees_of_every_shape_prove_their_chunks_and_no_others() {
	new_test_ext().execute_with(|| {
		for chunks in 1..=20 {
			let large = Large::new(1, chunks);
			let manifest = large.manifest();
			let count = u32::from(chunks);
			let read = Manifest::read(&manifest, count).expect("it is well formed");
			assert_eq!(read.header, HEADER);
			let root = read.root(sha2_256);
			assert_eq!(H256(root), large.root());
			let belongs = |root, at, hash: &H256, proof: &[H256]| {
				let proof = proof.iter().map(|node| &node.0);
				verify_chunk(sha2_256, root, count, at, &hash.0, proof).is_ok()
			};
			assert_eq!(read.hash_of(count), None);
			for index in 0..count {
				let hash = content_hash(&large.chunks[index as usize]);
				assert_eq!(read.hash_of(index), Some(hash.0));
				let proof = large.proof(index as usize);
				for at in 0..=count {
					let here = belongs(&root, at, &hash, &proof);
					assert_eq!(here, at == index, "chunk {index} of {count} at {at}");
				}
				// The same proof is invalid under another root.
				assert!(!belongs(&[0; 32], index, &hash, &proof));
				for level in 0..proof.len() {
					let mut wrong = proof.clone();
					wrong[level].0[0] ^= 1;
					assert!(!belongs(&root, index, &hash, &wrong));
				}
			}
		}
	});
}

fn bytes(value: &Value) -> Vec<u8> {
	let hex = value.as_str().expect("it is a string");
	(0..hex.len())
		.step_by(2)
		.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hex"))
		.collect()
}

fn hash(value: &Value) -> H256 {
	H256::from_slice(&bytes(value))
}

fn list(value: &Value) -> &[Value] {
	value.as_array().expect("it is a list")
}

fn vectors() -> Value {
	serde_json::from_str(include_str!("../../../../primitives/sharing/vectors.json"))
		.expect("the vectors are JSON")
}

/// Checks the test vectors with the host's hash functions. `isthmus-sharing` has all other checks of these
/// vectors.
#[test]
fn the_manifests_vectors_pass() {
	new_test_ext().execute_with(|| {
		let vectors = vectors();
		let manifests = list(&vectors["manifests"]);
		assert!(!manifests.is_empty());
		for vector in manifests {
			let chunks = list(&vector["chunks"]);
			let count = chunks.len() as u32;
			let manifest = bytes(&vector["manifest"]);
			let read = Manifest::read(&manifest, count).expect("it is valid");
			assert_eq!(content_hash(&manifest), hash(&vector["manifestHash"]));
			assert_eq!(H256(read.root(sha2_256)), hash(&vector["root"]));
			for (index, chunk) in (0..).zip(chunks) {
				let content = content_hash(&bytes(&chunk["bytes"]));
				assert_eq!(content, hash(&chunk["hash"]));
				assert_eq!(read.hash_of(index), Some(content.0));
			}
			let root = read.root(sha2_256);
			let last = chunks.last().expect("a manifest has chunks");
			let proof: Vec<[u8; 32]> = list(&last["proof"])
				.iter()
				.map(|node| hash(node).0)
				.collect();
			let content = hash(&last["hash"]).0;
			let verified = verify_chunk(sha2_256, &root, count, count - 1, &content, &proof);
			assert_eq!(verified, Ok(()));
		}
	});
}
