// SPDX-License-Identifier: Apache-2.0
//! Makes and checks the test vectors in `vectors.json`, which `scripts/lib/envelope.mjs` has to pass
//! too. After a change of format (which takes a new version byte) rewrite them with
//! `cargo test -p isthmus-envelope -- --ignored write_vectors`.
//!
//! Valid cases contain all random inputs, so that sealing yields the same bytes again. Invalid
//! cases name the error and its values.

use crate::{
	epoch::EpochId,
	grant,
	master::MasterSecret,
	name::NameCipher,
	record::{decrypt_value, encrypt_all, Encryptor, Header, RecordContext},
	shares::{self, Share},
	tree::{KeySet, LeafKey, Range, LEAVES},
	EncryptionKeyPair, GrantError, GrantScope, KeyId, PublicKey, Seed, Suite,
};
use core::fmt::Debug;
use hex::encode;
use isthmus_sharing::merkle;
use serde_json::{json, Map, Value};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors.json");

const MASTER: [u8; 32] = counting(0x00);
const GENESIS: [u8; 32] = counting(0x20);
const OWNER: [u8; 32] = counting(0x40);
const GRANTEE: [u8; 32] = counting(0x60);
const RECORD_KEY: [u8; 32] = counting(0x80);
const SALT: [u8; 32] = counting(0xa0);
const SEED: [u8; 32] = counting(0xc0);
const OTHER_SEED: [u8; 32] = counting(0xe0);
/// The random bytes of an encapsulation. X25519 takes the first half.
const EPHEMERAL: [u8; 64] = {
	let mut bytes = [0; 64];
	let mut i = 0;
	while i < 64 {
		bytes[i] = 0x90 + i as u8;
		i += 1;
	}
	bytes
};

const ID: EpochId = EpochId {
	genesis: GENESIS,
	owner: OWNER,
	dataset: 7,
	epoch: 2,
};
const CONTEXT: RecordContext = RecordContext {
	genesis: GENESIS,
	owner: OWNER,
	key: RECORD_KEY,
	version: 3,
};

fn sha256(bytes: &[u8]) -> merkle::Hash {
	let mut hash = merkle::Hash::default();
	hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
	hash
}

/// Returns 32 bytes that count up from `first`.
const fn counting(first: u8) -> [u8; 32] {
	let mut bytes = [first; 32];
	let mut i = 0;
	while i < 32 {
		bytes[i] += i as u8;
		i += 1;
	}
	bytes
}

/// The name and values of an error, taken from its `Debug` output: `Length { expected: 5, got: 4
/// }`.
fn error(error: impl Debug) -> Value {
	let text = format!("{error:?}");
	let mut words = text
		.split([' ', ',', ':', '{', '}'])
		.filter(|word| !word.is_empty());
	let mut fields = Map::new();
	fields.insert("name".into(), words.next().into());
	while let (Some(name), Some(value)) = (words.next(), words.next()) {
		fields.insert(name.into(), value.parse::<u64>().unwrap().into());
	}
	fields.into()
}

fn epoch_roots() -> Vec<Value> {
	let ids = [
		ID,
		EpochId {
			dataset: 0,
			epoch: 0,
			..ID
		},
		EpochId {
			dataset: u32::MAX,
			epoch: u32::MAX,
			..ID
		},
	];
	ids.iter()
		.map(|id| {
			let keys = MasterSecret::from_bytes(MASTER)
				.epoch_root(id)
				.key_set(Range::ALL);
			json!({
				"master": encode(MASTER), "genesis": encode(id.genesis), "owner": encode(id.owner),
				"dataset": id.dataset, "epoch": id.epoch,
				// The whole tree's only node is its root.
				"root": encode(&keys.to_bytes()[..]),
			})
		})
		.collect()
}

fn leaf(number: u32) -> LeafKey {
	MasterSecret::from_bytes(MASTER)
		.epoch_root(&ID)
		.leaf_key(number)
}

fn leaf_keys() -> Vec<Value> {
	[0, 1, 2, 1000, 1 << 31, u32::MAX]
		.map(|number| json!({ "leaf": number, "key": encode(&leaf(number).expose_secret()[..]) }))
		.into()
}

fn file_keys() -> Vec<Value> {
	let root = MasterSecret::from_bytes(MASTER).epoch_root(&ID);
	["a", "deep/ä"]
		.map(|path| {
			let key = root.file_key(&RECORD_KEY, path);
			json!({ "folder": encode(RECORD_KEY), "path": path, "key": encode(key) })
		})
		.into()
}

/// Returns a name, filled up with zeros.
fn name(text: &str) -> [u8; 32] {
	let mut name = [0; 32];
	name[..text.len()].copy_from_slice(text.as_bytes());
	name
}

fn names() -> Vec<Value> {
	let cipher = NameCipher::new(&MasterSecret::from_bytes(MASTER), &GENESIS, &OWNER);
	[
		"a",
		"marks-of-ada.csv",
		"ä",
		"a name of exactly 32 characters!",
	]
	.map(|text| {
		let (name, master) = (name(text), MASTER);
		let key = cipher.key(&name);
		assert_eq!(cipher.name(&key), name);
		json!({
			"master": encode(master), "genesis": encode(GENESIS), "owner": encode(OWNER),
			"name": encode(name), "key": encode(key),
		})
	})
	.into()
}

fn ranges() -> Vec<Value> {
	let ranges = [
		(0, LEAVES),
		(0, 1),
		(5, 6),
		(0, 1000),
		(3, 9),
		(LEAVES - 3, LEAVES),
		(1, LEAVES - 1),
	];
	ranges
		.map(|(start, end)| {
			let range = Range::new(start, end).unwrap();
			let keys = MasterSecret::from_bytes(MASTER)
				.epoch_root(&ID)
				.key_set(range);
			let cover: Vec<Value> = range
				.cover()
				.iter()
				.map(|at| json!([at.depth(), at.index()]))
				.collect();
			let keys = encode(&keys.to_bytes()[..]);
			json!({ "start": start, "end": end, "cover": cover, "keys": keys })
		})
		.into()
}

fn refused_ranges() -> Vec<Value> {
	[(0, 0), (9, 8), (LEAVES, LEAVES), (0, LEAVES + 1)]
		.map(|(start, end)| {
			let error = error(Range::new(start, end).unwrap_err());
			json!({ "start": start, "end": end, "error": error })
		})
		.into()
}

fn record(leaf_number: u32, name: Option<&[u8; 32]>, chunk_size: u32, value: &[u8]) -> Vec<u8> {
	let (leaf, length) = (leaf(leaf_number), value.len() as u64);
	let encryptor = Encryptor::with_salt(&leaf, &CONTEXT, name, chunk_size, length, SALT).unwrap();
	encrypt_all(encryptor, value).unwrap()
}

fn context_json(leaf: u32, context: &RecordContext) -> Map<String, Value> {
	let value = json!({
		"leaf": leaf, "genesis": encode(context.genesis), "owner": encode(context.owner),
		"key": encode(context.key), "version": context.version,
	});
	value.as_object().unwrap().clone()
}

fn records() -> Vec<Value> {
	[
		(0, None, 1 << 20, 0),
		(1, None, 1 << 20, 1),
		(1000, None, 1 << 20, 100),
		(u32::MAX, None, 16, 16),
		(6, Some(name("ä")), 1 << 20, 0),
		(5, None, 16, 50),
		(5, Some(name("marks-of-ada.csv")), 16, 50),
	]
	.map(|(number, name, chunk_size, len)| {
		let value: Vec<u8> = (0..len).collect();
		let record = record(number, name.as_ref(), chunk_size, &value);
		assert_eq!(
			decrypt_value(&leaf(number), &CONTEXT, &record),
			Ok(value.clone())
		);
		let header = Header::read(&record).unwrap();
		let sealed = record[header.encoded_len()..].chunks(chunk_size as usize + 16);
		let leaves = sealed.map(|chunk| merkle::leaf_hash(sha256, chunk));
		let mut fields = context_json(number, &CONTEXT);
		fields.insert("name".into(), name.map(encode).into());
		fields.insert("chunkSize".into(), chunk_size.into());
		fields.insert("salt".into(), encode(SALT).into());
		fields.insert("value".into(), encode(&value).into());
		fields.insert("record".into(), encode(&record).into());
		fields.insert(
			"chunksRoot".into(),
			encode(merkle::root(sha256, leaves)).into(),
		);
		fields.into()
	})
	.into()
}

/// A record that is rejected: the case's name, the leaf whose key is used, the place and the bytes.
type RecordCase = (&'static str, u32, RecordContext, Vec<u8>);

/// Returns records whose bytes were changed.
fn changed_records() -> Vec<RecordCase> {
	let good = record(5, None, 16, &[0x55; 50]);
	let (header, body) = good.split_at(Header::LEN);
	let flip = |at: usize| {
		let mut bad = good.clone();
		bad[at] ^= 1;
		bad
	};
	let swapped = [header, &body[32..64], &body[..32], &body[64..]].concat();
	vec![
		("no bytes", 5, CONTEXT, vec![]),
		("the header cut short", 5, CONTEXT, good[..76].to_vec()),
		(
			"another version byte",
			5,
			CONTEXT,
			[&[3], &good[1..]].concat(),
		),
		(
			"the version byte of a record with a name",
			5,
			CONTEXT,
			[&[2], &good[1..]].concat(),
		),
		(
			"chunks of 0 bytes",
			5,
			CONTEXT,
			[&[1, 0, 0, 0, 0], &good[5..]].concat(),
		),
		(
			"chunks of 1 MiB + 1",
			5,
			CONTEXT,
			[&[1, 0, 0x10, 0, 1], &good[5..]].concat(),
		),
		(
			"too many chunks",
			5,
			CONTEXT,
			[&good[..5], &[0, 0, 1], &good[8..]].concat(),
		),
		("another chunk size", 5, CONTEXT, flip(4)),
		("another length", 5, CONTEXT, flip(12)),
		("another salt", 5, CONTEXT, flip(13)),
		("another commitment", 5, CONTEXT, flip(76)),
		("another first chunk", 5, CONTEXT, flip(77)),
		(
			"another tag on the last chunk",
			5,
			CONTEXT,
			flip(good.len() - 1),
		),
		(
			"the last chunk gone",
			5,
			CONTEXT,
			good[..good.len() - 18].to_vec(),
		),
		("a byte appended", 5, CONTEXT, [&good[..], &[0]].concat()),
		("two chunks exchanged", 5, CONTEXT, swapped),
		("another leaf's key", 6, CONTEXT, good.clone()),
	]
}

/// Returns records with a name whose bytes were changed.
fn changed_named_records() -> Vec<RecordCase> {
	let good = record(5, Some(&name("marks-of-ada.csv")), 16, &[0x55; 50]);
	let flip = |at: usize| {
		let mut bad = good.clone();
		bad[at] ^= 1;
		bad
	};
	let without = [&[1], &good[1..77], &good[125..]].concat();
	let elsewhere = RecordContext {
		key: OWNER,
		..CONTEXT
	};
	vec![
		("a name cut short", 5, CONTEXT, good[..124].to_vec()),
		("another name", 5, CONTEXT, flip(77)),
		("another tag on the name", 5, CONTEXT, flip(124)),
		("another first chunk after a name", 5, CONTEXT, flip(125)),
		("the name gone", 5, CONTEXT, without),
		("a name under another key", 5, elsewhere, good.clone()),
		("a name of another leaf", 6, CONTEXT, good),
	]
}

/// Returns a good record that is read in another place.
fn misplaced_records() -> Vec<RecordCase> {
	let good = record(5, None, 16, &[0x55; 50]);
	let places = [
		(
			"another chain",
			RecordContext {
				genesis: OWNER,
				..CONTEXT
			},
		),
		(
			"another owner",
			RecordContext {
				owner: GENESIS,
				..CONTEXT
			},
		),
		(
			"another key",
			RecordContext {
				key: OWNER,
				..CONTEXT
			},
		),
		(
			"another version",
			RecordContext {
				version: 4,
				..CONTEXT
			},
		),
	];
	places
		.map(|(name, context)| (name, 5, context, good.clone()))
		.into()
}

fn refused_records() -> Vec<Value> {
	let cases = [
		changed_records(),
		changed_named_records(),
		misplaced_records(),
	]
	.concat();
	cases
		.into_iter()
		.map(|(case, number, context, record)| {
			let refused = decrypt_value(&leaf(number), &context, &record).unwrap_err();
			let mut fields = context_json(number, &context);
			fields.insert("case".into(), case.into());
			fields.insert("record".into(), encode(record).into());
			fields.insert("error".into(), error(refused));
			fields.into()
		})
		.collect()
}

const SUITES: [Suite; 2] = [Suite::X25519, Suite::XWing];
const KEY_ID: KeyId = [0x15; 16];

fn pair(suite: Suite, seed: [u8; 32]) -> EncryptionKeyPair {
	EncryptionKeyPair::from_seed(suite, KEY_ID, seed)
}

fn public_keys() -> Vec<Value> {
	let pairs = SUITES.map(|suite| [SEED, OTHER_SEED].map(|seed| (suite, seed)));
	pairs
		.concat()
		.into_iter()
		.map(|(suite, seed)| {
			let key = pair(suite, seed).public_key();
			json!({
				"suite": suite.id(), "id": encode(KEY_ID), "seed": encode(seed),
				"publicKey": encode(key.to_bytes()),
			})
		})
		.collect()
}

fn refused_public_keys() -> Vec<Value> {
	let [short, long] = SUITES.map(|suite| pair(suite, SEED).public_key().to_bytes());
	[
		vec![],
		short[..17].to_vec(),
		short[..49].to_vec(),
		[&short[..], &[0]].concat(),
		[&[0, 3], &short[2..]].concat(),
		[&[0, 2], &short[2..]].concat(),
		long[..long.len() - 1].to_vec(),
		[&long[..], &[0]].concat(),
	]
	.map(|key| {
		let error = error(PublicKey::from_bytes(&key).unwrap_err());
		json!({ "publicKey": encode(key), "error": error })
	})
	.into()
}

/// What is derived from a seed: its words, the account, the master secret, and key pairs by their identifiers.
fn seeds() -> Vec<Value> {
	[SEED, OTHER_SEED]
		.map(|bytes| {
			let seed = Seed::from_bytes(bytes);
			let encryption = seed.encryption();
			let pairs: Vec<Value> = SUITES
				.iter()
				.map(|suite| {
					let pair = encryption.pair(*suite, &KEY_ID);
					json!({
						"suite": suite.id(), "id": encode(KEY_ID), "seed": encode(pair.expose_seed()),
					})
				})
				.collect();
			json!({
				"seed": encode(bytes), "words": *seed.words(), "account": encode(*seed.account()),
				"master": encode(seed.master().expose_secret()),
				"encryption": encode(encryption.expose_secret()),
				"fingerprint": encode(seed.fingerprint()), "pairs": pairs,
			})
		})
		.into()
}

fn seal(suite: Suite, scope: &GrantScope) -> Vec<u8> {
	let root = MasterSecret::from_bytes(MASTER).epoch_root(&ID);
	let recipient = pair(suite, SEED).public_key();
	grant::seal_with(&root, scope, &recipient, EPHEMERAL.into()).unwrap()
}

fn open(
	suite: Suite,
	seed: [u8; 32],
	id: &EpochId,
	scope: &GrantScope,
	sealed: &[u8],
) -> Result<KeySet, GrantError> {
	grant::open_grant(&pair(suite, seed), id, scope, sealed)
}

fn scope(start: u64, end: u64) -> GrantScope {
	GrantScope {
		grantee: GRANTEE,
		range: Range::new(start, end).unwrap(),
		expiry: 5000,
	}
}

fn grant_json(
	suite: Suite,
	seed: [u8; 32],
	id: &EpochId,
	scope: &GrantScope,
) -> Map<String, Value> {
	let value = json!({
		"suite": suite.id(), "id": encode(KEY_ID), "seed": encode(seed), "genesis": encode(id.genesis), "owner": encode(id.owner),
		"dataset": id.dataset, "epoch": id.epoch, "grantee": encode(scope.grantee),
		"start": scope.range.start(), "end": scope.range.end(), "expiry": scope.expiry,
	});
	value.as_object().unwrap().clone()
}

fn grants() -> Vec<Value> {
	let scopes = [
		scope(0, LEAVES),
		scope(5, 6),
		scope(0, 1000),
		scope(1, LEAVES - 1),
	];
	let cases = SUITES.map(|suite| scopes.map(|scope| (suite, scope)));
	cases
		.concat()
		.into_iter()
		.map(|(suite, scope)| {
			let sealed = seal(suite, &scope);
			let opened = open(suite, SEED, &ID, &scope, &sealed).unwrap();
			let expected = MasterSecret::from_bytes(MASTER)
				.epoch_root(&ID)
				.key_set(scope.range);
			assert_eq!(opened.to_bytes(), expected.to_bytes());
			let mut fields = grant_json(suite, SEED, &ID, &scope);
			fields.insert("random".into(), encode(EPHEMERAL).into());
			fields.insert("sealed".into(), encode(sealed).into());
			fields.into()
		})
		.collect()
}

/// A grant that is rejected: the case's name, the seed of the reader's key, the epoch, the scope
/// and the bytes.
type GrantCase = (&'static str, [u8; 32], EpochId, GrantScope, Vec<u8>);

/// Returns grants whose bytes were changed, or that are for another key or range.
fn changed_grants(suite: Suite) -> Vec<GrantCase> {
	let granted = scope(4, 6);
	let good = seal(suite, &granted);
	let at = grant::PREFIX_LEN + suite.encapsulated_len();
	let changed = |at: usize, byte: u8| {
		let mut bad = good.clone();
		bad[at] = byte;
		bad
	};
	let low_order = [&good[..at - 32], &[0; 32], &good[at..]].concat();
	let mut cases = vec![
		("no bytes", SEED, granted, vec![]),
		(
			"cut short in the prefix",
			SEED,
			granted,
			good[..18].to_vec(),
		),
		("cut short", SEED, granted, good[..good.len() - 1].to_vec()),
		("a byte appended", SEED, granted, [&good[..], &[0]].concat()),
		("another version byte", SEED, granted, changed(0, 1)),
		("an unknown suite", SEED, granted, changed(2, 9)),
		("another identifier", SEED, granted, changed(3, !good[3])),
		(
			"another encapsulated key",
			SEED,
			granted,
			changed(19, !good[19]),
		),
		(
			"another point",
			SEED,
			granted,
			changed(at - 1, good[at - 1] ^ 1),
		),
		("a point of low order", SEED, granted, low_order),
		("another ciphertext", SEED, granted, changed(at, !good[at])),
		("another recipient", OTHER_SEED, granted, good.clone()),
		(
			"a range with a longer cover",
			SEED,
			scope(4, 7),
			good.clone(),
		),
	];
	cases
		.drain(..)
		.map(|(case, seed, scope, bytes)| (case, seed, ID, scope, bytes))
		.collect()
}

/// Returns a good grant that is opened in another place or scope.
fn misplaced_grants(suite: Suite) -> Vec<GrantCase> {
	let granted = scope(4, 6);
	let good = seal(suite, &granted);
	let chain = EpochId {
		genesis: OWNER,
		..ID
	};
	let owner = EpochId {
		owner: GENESIS,
		..ID
	};
	let grantee = GrantScope {
		grantee: OWNER,
		..granted
	};
	let expiry = GrantScope {
		expiry: 5001,
		..granted
	};
	let places = [
		("another chain", chain, granted),
		("another owner", owner, granted),
		("another dataset", EpochId { dataset: 8, ..ID }, granted),
		("another epoch", EpochId { epoch: 3, ..ID }, granted),
		("another grantee", ID, grantee),
		("another start", ID, scope(5, 6)),
		("another end", ID, scope(4, 8)),
		("another expiry", ID, expiry),
	];
	places
		.map(|(name, id, scope)| (name, SEED, id, scope, good.clone()))
		.into()
}

fn refused_grants() -> Vec<Value> {
	let cases = |suite| [changed_grants(suite), misplaced_grants(suite)].concat();
	SUITES
		.into_iter()
		.flat_map(|suite| cases(suite).into_iter().map(move |case| (suite, case)))
		.map(|(suite, (case, seed, id, scope, sealed))| {
			let refused = match open(suite, seed, &id, &scope, &sealed).unwrap_err() {
				GrantError::Suite(inner) => error(inner),
				other => error(other),
			};
			let mut fields = grant_json(suite, seed, &id, &scope);
			fields.insert("case".into(), case.into());
			fields.insert("sealed".into(), encode(sealed).into());
			fields.insert("error".into(), refused);
			fields.into()
		})
		.collect()
}

/// Shares of a seed. They are drawn at random, so the file's are checked instead of made again.
fn shares(written: Option<&Value>) -> Value {
	let seed = Seed::from_bytes(SEED);
	let Some(written) = written else {
		let shares = shares::split(&seed, 5, 3).unwrap();
		let shares: Vec<String> = shares.iter().map(Share::to_string).collect();
		return json!({ "seed": encode(SEED), "need": 3, "shares": shares });
	};
	let read: Vec<Share> = written["shares"]
		.as_array()
		.unwrap()
		.iter()
		.map(|share| share.as_str().unwrap().parse().unwrap())
		.collect();
	assert_eq!(read.len(), 5);
	for three in read.windows(3) {
		let joined = shares::join(three).unwrap();
		assert_eq!(joined.expose_secret(), seed.expose_secret());
	}
	written.clone()
}

fn merkle_trees() -> Vec<Value> {
	(1..=7usize)
		.map(|count| {
			let chunks: Vec<Vec<u8>> = (0..count).map(|i| vec![i as u8; i]).collect();
			let leaves = chunks.iter().map(|chunk| merkle::leaf_hash(sha256, chunk));
			let tree = merkle::Tree::new(sha256, leaves.collect());
			let proofs: Vec<Vec<String>> = (0..count)
				.map(|i| tree.proof(i).unwrap().iter().map(encode).collect())
				.collect();
			let chunks: Vec<String> = chunks.iter().map(encode).collect();
			json!({ "chunks": chunks, "root": encode(tree.root()), "proofs": proofs })
		})
		.collect()
}

/// Returns the vectors. What is random is taken from those that are written already.
fn vectors(written: Option<&Value>) -> Value {
	json!({
		"about": "Test vectors of docs/formats.md, written by client/envelope. Bytes are in hex.",
		"epochRoots": epoch_roots(),
		"leafKeys": leaf_keys(),
		"fileKeys": file_keys(),
		"names": names(),
		"ranges": ranges(),
		"refusedRanges": refused_ranges(),
		"records": records(),
		"refusedRecords": refused_records(),
		"seeds": seeds(),
		"shares": shares(written.map(|written| &written["shares"])),
		"publicKeys": public_keys(),
		"refusedPublicKeys": refused_public_keys(),
		"grants": grants(),
		"refusedGrants": refused_grants(),
		"merkleTrees": merkle_trees(),
	})
}

#[test]
fn the_vectors_pass() {
	let written: Value = serde_json::from_str(&std::fs::read_to_string(PATH).unwrap()).unwrap();
	let made = vectors(Some(&written));
	let written = written.as_object().unwrap();
	for (name, cases) in made.as_object().unwrap() {
		assert_eq!(written.get(name), Some(cases), "{name}");
	}
	assert_eq!(written.len(), made.as_object().unwrap().len());
}

#[test]
#[ignore = "rewrites vectors.json"]
fn write_vectors() {
	let text = serde_json::to_string_pretty(&vectors(None)).unwrap();
	std::fs::write(PATH, text.replace("  ", "\t") + "\n").unwrap();
}
