// SPDX-License-Identifier: Apache-2.0
//! Checks the test vectors in `vectors.json`, which no code of this repository has made: objects, the chaining values of
//! their chunks, and proofs of pieces. `scripts/tests/envelope.test.mjs` decrypts the same objects.

use crate::{
	tree::{root, value, Value},
	Object,
};
use isthmus_envelope::{
	object::{CHUNK, SEALED_CHUNK},
	record::TAG_LEN,
	EpochId, MasterSecret, ObjectCipher, ObjectHeader, RecordContext,
};
use isthmus_storage_proof::{group_of, prove, verify, Proof};
use serde_json::Value as Json;

fn bytes<const N: usize>(vector: &Json) -> [u8; N] {
	let digits = vector.as_str().expect("bytes are in hex");
	let bytes = hex::decode(digits).expect("they are digits");
	bytes.try_into().expect("it has this length")
}

fn number(vector: &Json) -> u64 {
	vector.as_u64().expect("it is a number")
}

fn list(vector: &Json) -> &[Json] {
	vector.as_array().expect("it is a list")
}

/// Encrypts the value of a vector again, chunk by chunk.
fn encrypted(cipher: &ObjectCipher, length: usize) -> Vec<u8> {
	let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
	let chunks = match plain.is_empty() {
		true => vec![&plain[..]],
		false => plain.chunks(CHUNK).collect(),
	};
	let sealed = chunks.iter().enumerate().map(|(number, chunk)| {
		let mut slot = [*chunk, &[0; TAG_LEN]].concat();
		let is_last = number + 1 == chunks.len();
		let sealed = cipher.seal(number as u32, is_last, &mut slot);
		sealed.expect("its length is right");
		slot
	});
	sealed.collect::<Vec<_>>().concat()
}

/// Checks that pieces are proven with the paths of the vectors, and not with others.
fn prove_pieces(object: &[u8], values: &[Value], proofs: &[Json]) {
	let (whole, length) = (root(values).expect("there are chunks"), object.len() as u64);
	for vector in proofs {
		let piece = number(&vector["piece"]);
		let chunk = group_of(piece).expect("it is in a chunk") as usize;
		let chunk = object.chunks(SEALED_CHUNK).nth(chunk);
		let Proof { piece: data, path } =
			prove(piece, chunk.expect("it is there"), values).expect("it is there");
		let expected: Vec<Value> = list(&vector["path"]).iter().map(bytes).collect();
		assert_eq!(path, expected, "piece {piece} of {length} bytes");
		assert_eq!(verify(&whole, length, piece, &data, &path), Ok(()));
		let mut other = path.clone();
		if let Some(first) = other.first_mut() {
			first[0] ^= 1;
			assert!(verify(&whole, length, piece, &data, &other).is_err());
		}
	}
}

#[test]
fn objects_are_those_of_the_vectors() {
	let all: Json = serde_json::from_str(include_str!("../../vectors.json")).expect("it is JSON");
	let (genesis, owner) = (bytes(&all["genesis"]), bytes(&all["owner"]));
	let id = EpochId {
		genesis,
		owner,
		dataset: number(&all["dataset"]) as u32,
		epoch: number(&all["epoch"]) as u32,
	};
	let context = RecordContext {
		genesis,
		owner,
		key: bytes(&all["key"]),
		version: number(&all["version"]) as u32,
	};
	let master = MasterSecret::from_bytes(bytes(&all["master"]));
	let leaf = master.epoch_root(&id).leaf_key(number(&all["leaf"]) as u32);
	for vector in list(&all["objects"]) {
		let encoded = bytes(&vector["header"]);
		let header = ObjectHeader::read(&encoded).expect("it is a header");
		assert_eq!(header.length(), number(&vector["length"]));
		let cipher = ObjectCipher::open(&leaf, &context, &header).expect("the commitment is right");
		let made = cipher.header(header.length()).expect("it is not too long");
		assert_eq!(made.to_bytes(), encoded);
		let object = encrypted(&cipher, header.length() as usize);
		if let Some(expected) = vector["object"].as_str() {
			assert_eq!(hex::encode(&object), expected);
		}
		let only = header.chunks() == 1;
		let chunks = (0..).zip(object.chunks(SEALED_CHUNK));
		let values: Vec<Value> = chunks.map(|(at, chunk)| value(at, only, chunk)).collect();
		let expected: Vec<Value> = list(&vector["chunkValues"]).iter().map(bytes).collect();
		assert_eq!(values, expected);
		let whole = bytes(&vector["root"]);
		assert_eq!(root(&values), Some(whole));
		assert!(Object::new(&encoded, object.len() as u64, whole).is_ok());
		prove_pieces(&object, &values, list(&vector["proofs"]));
	}
}
