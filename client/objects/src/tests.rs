// SPDX-License-Identifier: Apache-2.0
//! Objects on stores that fail in every way, and on files.

mod compressed;
mod copies;
mod heads;
mod interrupted;
mod marks;
mod reading;
mod store;
mod unmounted;
mod vectors;
mod writable;

use crate::{forget, Location, Object, Reader, Sent, Upload, UploadError};
use isthmus_envelope::{object::CHUNK, EpochId, LeafKey, MasterSecret, RecordContext};
use std::{io::Cursor, path::Path};

const CONTEXT: RecordContext = RecordContext {
	genesis: [1; 32],
	owner: [2; 32],
	key: [3; 32],
	version: 0,
};

fn leaf() -> LeafKey {
	let epoch = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 0,
		epoch: 0,
	};
	MasterSecret::from_bytes([7; 32])
		.epoch_root(&epoch)
		.leaf_key(5)
}

/// Makes a value in which no two MiB are equal.
fn value(length: usize) -> Vec<u8> {
	(0..length as u32)
		.map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8)
		.collect()
}

async fn send(
	location: &Location,
	journal: &Path,
	value: &[u8],
	length: Option<u64>,
) -> Result<Sent, UploadError> {
	let (leaf, source) = (leaf(), Cursor::new(value.to_vec()));
	let upload = Upload::new(location, &leaf, &CONTEXT, journal);
	upload.run(source, length, &mut |_| {}).await
}

/// Sends a value and forgets the journal.
async fn sent(location: &Location, value: &[u8]) -> Object {
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	let length = Some(value.len() as u64);
	let sent = send(location, &journal, value, length).await.unwrap();
	forget(&journal).unwrap();
	sent.object
}

fn reader(object: &Object, locations: &[Location]) -> Reader {
	Reader::new(&leaf(), &CONTEXT, object.clone(), locations.to_vec()).unwrap()
}

async fn read_all(reader: &Reader) -> Vec<u8> {
	let mut out = Vec::new();
	reader.write_to(&mut out, 0, &mut |_| {}).await.unwrap();
	out
}

fn folder_url(folder: &Path) -> String {
	url::Url::from_directory_path(folder).unwrap().to_string()
}

#[tokio::test]
async fn values_of_all_lengths_come_back_from_files() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(&folder.path().join("new"))).unwrap();
	for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 9 * CHUNK + 5] {
		let value = value(length);
		let object = sent(&location, &value).await;
		assert_eq!(object.header().length(), length as u64);
		let file = folder.path().join("new").join(object.name());
		let bytes = std::fs::read(&file).unwrap();
		assert_eq!(bytes.len() as u64, object.length());
		assert_eq!(blake3::hash(&bytes).as_bytes(), object.root());
		let again = Object::new(&object.header().to_bytes(), object.length(), *object.root());
		assert_eq!(again.as_ref(), Ok(&object));
		assert_eq!(
			read_all(&reader(&object, std::slice::from_ref(&location))).await,
			value
		);
		let checked = crate::check(&location, &object, true, &mut |_| {}).await;
		assert!(checked.is_right(), "{length}: {checked:?}");
		assert!(location.delete(&object).await.unwrap());
		assert!(!location.delete(&object).await.unwrap());
	}
	assert_eq!(
		std::fs::read_dir(folder.path().join("new"))
			.unwrap()
			.count(),
		0
	);
}

#[tokio::test]
async fn a_stream_of_unknown_length_is_sent_in_one_pass() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(folder.path())).unwrap();
	for length in [0, CHUNK, 33 * CHUNK + 1] {
		let (value, journal) = (value(length), folder.path().join("journal"));
		let sent = send(&location, &journal, &value, None).await.unwrap();
		forget(&journal).unwrap();
		let reader = reader(&sent.object, std::slice::from_ref(&location));
		assert_eq!(read_all(&reader).await, value);
	}
}

#[tokio::test]
async fn a_value_of_another_length_than_was_said_is_refused() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(&folder.path().join("out"))).unwrap();
	for said in [99, 101] {
		let journal = folder.path().join("journal");
		let refused = send(&location, &journal, &value(100), Some(said)).await;
		assert!(matches!(refused, Err(UploadError::NotAsLong { expected }) if expected == said));
		forget(&journal).unwrap();
	}
	assert!(!folder.path().join("out").exists());
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_named() {
	let folder = tempfile::tempdir().unwrap();
	let file = folder.path().join("file");
	std::fs::write(&file, "").unwrap();
	let location = Location::open(&folder_url(&file.join("under"))).unwrap();
	let journal = folder.path().join("journal");
	let length = Some(9 * CHUNK as u64);
	let refused = send(&location, &journal, &value(9 * CHUNK), length).await;
	let refused = refused.unwrap_err().to_string();
	assert!(refused.starts_with("file:///"), "{refused}");
}

#[tokio::test]
async fn a_small_file_beside_the_objects_is_read_up_to_a_limit() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(folder.path())).unwrap();
	for (name, content) in [("card.jsonld", &b"{}"[..]), ("empty", b"")] {
		std::fs::write(folder.path().join(name), content).unwrap();
		let read = crate::read_small(&location, name, 2).await;
		assert_eq!(read, Ok(content.to_vec()));
	}
	let (expected, got) = (1, 2);
	assert_eq!(
		crate::read_small(&location, "card.jsonld", 1).await,
		Err(crate::Failure::Length { expected, got })
	);
	assert_eq!(
		crate::read_small(&location, "none", 2).await,
		Err(crate::Failure::Missing)
	);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_neither_waited_for_nor_taken_for_one() {
	use rustix::fs::{mkfifoat, Mode, CWD};
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(folder.path())).unwrap();
	let object = sent(&location, &value(9 * CHUNK)).await;
	let no_file = crate::Failure::NoFile("FIFO");
	for name in [object.name(), format!("{}.b3", object.name())] {
		let (file, kept) = (folder.path().join(name), folder.path().join("kept"));
		std::fs::rename(&file, &kept).unwrap();
		mkfifoat(CWD, &file, Mode::RUSR | Mode::WUSR).unwrap();
		let reader = reader(&object, std::slice::from_ref(&location));
		let refused = reader.write_to(&mut Vec::new(), 0, &mut |_| {}).await;
		let words = format!("{:?}", refused.unwrap_err());
		assert!(words.contains("NoFile"), "{words}");
		let checked = crate::check(&location, &object, true, &mut |_| {}).await;
		assert_eq!(checked.failure, Some(no_file.clone()), "{checked:?}");
		std::fs::rename(&kept, &file).unwrap();
	}
	let journal = folder.path().join("journal");
	let length = Some(9 * CHUNK as u64);
	let mkfifo = |name: String| {
		let path = folder.path().join(name);
		mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
	};
	std::fs::create_dir(folder.path().join("small")).unwrap();
	mkfifo("small/card".into());
	let small = Location::open(&folder_url(&folder.path().join("small"))).unwrap();
	assert_eq!(crate::read_small(&small, "card", 9).await, Err(no_file));
	mkfifo("journal".into());
	let refused = send(&location, &journal, &value(9 * CHUNK), length).await;
	assert!(matches!(refused, Err(UploadError::Journal { .. })));
}
