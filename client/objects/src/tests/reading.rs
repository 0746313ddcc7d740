// SPDX-License-Identifier: Apache-2.0
//! Reads from stores that send wrong bytes, too few, none, or answer with an error.

use super::{
	store::{Fault, Store},
	*,
};
use crate::{check, prove, read_small, Failure, FolderFault, ReadError};
use proptest::prelude::*;
use std::{fs, slice, sync::Arc, time::Duration};

/// What a store in memory has, it sends at once.
const SILENCE: Duration = Duration::from_millis(1);

/// The faults of a store, and what is said about it.
fn faults() -> [(Fault, Failure); 7] {
	[
		(Fault::Wrong, Failure::WrongList),
		(Fault::Short, Failure::CutShort),
		(Fault::Unavailable, Failure::Unavailable(503)),
		(Fault::Expired, Failure::Expired),
		(Fault::Silent, Failure::Stalled(SILENCE)),
		(Fault::Stuck, Failure::Stalled(SILENCE)),
		(Fault::Gone, Failure::NoList),
	]
}

fn impatient(object: &Object, locations: &[Location]) -> Reader {
	let locations = locations.to_vec();
	Reader::with_silence(&leaf(), &CONTEXT, object.clone(), locations, SILENCE).unwrap()
}

/// Makes two stores that have the same object.
async fn twice(value: &[u8]) -> ([Arc<Store>; 2], [Location; 2], Object) {
	let stores = [Arc::new(Store::default()), Arc::new(Store::default())];
	let locations = [
		stores[0].at("mem://bad/folder"),
		stores[1].at("mem://good/folder"),
	];
	let object = sent(&locations[0], value).await;
	let seen = stores[0].seen.lock().unwrap().clone();
	for (path, offset, bytes) in seen {
		assert_eq!(offset, 0);
		let path = path.into();
		let copy = object_store::ObjectStoreExt::put(&*stores[1], &path, bytes.into());
		copy.await.unwrap();
	}
	if object.chunks() > 1 {
		let path = locations[0].list_path(&object.name());
		let list = object_store::ObjectStoreExt::get(&*stores[0], &path);
		let list = list.await.unwrap().bytes().await.unwrap();
		let copy = object_store::ObjectStoreExt::put(&*stores[1], &path, list.into());
		copy.await.unwrap();
	}
	(stores, locations, object)
}

#[tokio::test]
async fn a_store_that_fails_from_the_start_is_named_and_left() {
	let value = value(3 * CHUNK + 7);
	for (fault, failure) in faults() {
		let ([bad, _], locations, object) = twice(&value).await;
		bad.fail(0, fault);
		let both = impatient(&object, &locations);
		assert_eq!(read_all(&both).await, value, "{fault:?}");
		let [left] = &both.left()[..] else {
			panic!("{fault:?}: {:?}", both.left());
		};
		assert_eq!((&*left.url, &left.failure), ("mem://bad/folder", &failure));
		// Without the other one, the value is not read, and nothing wrong is written.
		let alone = impatient(&object, &locations[..1]);
		let mut out = Vec::new();
		let refused = alone.write_to(&mut out, 0, &mut |_| {}).await.unwrap_err();
		assert!(
			refused.to_string().contains("mem://bad/folder: "),
			"{refused}"
		);
		assert!(matches!(refused, ReadError::NoneLeft(left) if left.len() == 1));
		assert_eq!(out, b"");
	}
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_is_named_and_left() {
	let value = value(7 * CHUNK + 7);
	for (fault, failure) in faults() {
		let failure = match failure {
			// Only the chunk that the range is in was asked for.
			Failure::WrongList => Failure::Wrong(0),
			Failure::NoList => Failure::Missing,
			failure => failure,
		};
		let ([bad, _], locations, object) = twice(&value).await;
		// The list is read properly.
		bad.fail(1, fault);
		let both = impatient(&object, &locations);
		let range = both.read_range(1, 100).await.unwrap();
		assert_eq!(range, value[1..101], "{fault:?}");
		assert_eq!(both.left()[0].failure, failure, "{fault:?}");
		assert_eq!(read_all(&both).await, value, "{fault:?}");
	}
}

#[tokio::test]
async fn what_was_fetched_before_is_compared() {
	let value = value(4 * CHUNK + 7);
	let (_, locations, object) = twice(&value).await;
	let reader = reader(&object, &locations);
	let mut changed = value.clone();
	changed[2 * CHUNK] ^= 1;
	for (bytes, chunks) in [
		(&value[..], 5),
		(&value[..4 * CHUNK + 6], 4),
		(&value[..CHUNK], 1),
		(b"", 0),
		(&changed, 2),
	] {
		let mut bytes = bytes;
		let intact = reader.intact(&mut bytes, &mut |_| {}).await.unwrap();
		assert_eq!(intact, chunks);
		let mut out = value[..CHUNK * 4.min(chunks as usize)].to_vec();
		out.truncate(chunks as usize * CHUNK);
		reader
			.write_to(&mut out, chunks, &mut |_| {})
			.await
			.unwrap();
		assert!(out == value || chunks == 5);
	}
}

#[tokio::test]
async fn a_check_names_what_is_wrong() {
	let value = value(6 * CHUNK + 7);
	let ([bad, good], [there, mirror], object) = twice(&value).await;
	let all = async |location| check(location, &object, true, &mut |_| {}).await;
	assert!(all(&mirror).await.is_right());
	bad.fail(2, Fault::Wrong);
	let checked = all(&there).await;
	assert_eq!(checked.wrong, [3, 6]);
	assert_eq!(checked.failure, Some(Failure::Wrong(3)));
	let path = there.path(&object.name());
	let cut = object_store::ObjectStoreExt::put(&*good, &path, vec![0; 9].into());
	cut.await.unwrap();
	let (expected, got) = (object.length(), 9);
	let failure = Some(Failure::Length { expected, got });
	assert_eq!(all(&mirror).await.failure, failure);
	mirror.delete(&object).await.unwrap();
	assert_eq!(all(&mirror).await.failure, Some(Failure::Missing));
}

/// Returns why an object cannot be read from a location.
async fn why(object: &Object, location: &Location) -> Failure {
	let alone = reader(object, slice::from_ref(location));
	let read = alone.write_to(&mut Vec::new(), 0, &mut |_| {}).await;
	match read {
		Err(ReadError::NoneLeft(left)) => left[0].failure.clone(),
		read => panic!("{read:?}"),
	}
}

#[tokio::test]
async fn an_object_that_is_cut_short_is_wrong_and_one_that_is_too_long_is_read() {
	let value = value(3 * CHUNK + 7);
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(folder.path())).unwrap();
	let object = sent(&location, &value).await;
	let file = folder.path().join(object.name());
	let list = folder.path().join(format!("{}.b3", object.name()));
	let expected = object.length();
	let cut = |got| (&file, got, Failure::Length { expected, got });
	for (path, length, failure) in [
		cut(0),
		cut(9),
		cut(CHUNK as u64),
		cut(expected - 1),
		(&list, 0, Failure::WrongList),
		(&list, 33, Failure::WrongList),
	] {
		let whole = fs::read(path).unwrap();
		fs::write(path, &whole[..length as usize]).unwrap();
		assert_eq!(why(&object, &location).await, failure, "{length}");
		let checked = check(&location, &object, true, &mut |_| {}).await;
		assert_eq!(checked.failure, Some(failure), "{length}");
		fs::write(path, [&whole[..], b"more"].concat()).unwrap();
		let read = read_all(&reader(&object, slice::from_ref(&location))).await;
		assert!(read == value, "{}", path.display());
		fs::write(path, whole).unwrap();
	}
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_from_an_object_that_is_not() {
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("disk");
	let location = Location::open(&folder_url(&path)).unwrap();
	let object = sent(&location, &value(CHUNK + 7)).await;
	fs::rename(&path, folder.path().join("unmounted")).unwrap();
	let file = FolderFault::NoFolder {
		path: path.clone(),
		kind: "file",
	};
	for fault in [FolderFault::Absent, file] {
		if fault != FolderFault::Absent {
			fs::write(&path, "").unwrap();
		}
		let failure = Failure::Folder(fault.clone());
		assert_eq!(why(&object, &location).await, failure);
		let checked = check(&location, &object, false, &mut |_| {}).await;
		assert_eq!(checked.failure, Some(failure.clone()));
		let proof = prove(&location, &object, 0).await;
		assert_eq!(proof.err(), Some(failure.clone()));
		let card = read_small(&location, "card", 9).await;
		assert_eq!(card, Err(failure.clone()));
		// The folder is made for the first object.
		let listed = location.marked(&[], &[]).await;
		match fault {
			FolderFault::Absent => assert_eq!(listed, Ok(Vec::new())),
			_ => assert_eq!(listed, Err(failure.clone())),
		}
		assert_eq!(location.delete(&object).await, Err(failure));
		assert_eq!(location.fault(), Some(fault));
	}
	fs::remove_file(&path).unwrap();
	fs::create_dir(&path).unwrap();
	assert_eq!(why(&object, &location).await, Failure::NoList);
	assert_eq!(location.delete(&object).await, Ok(false));
}

#[tokio::test]
async fn the_wrong_key_opens_nothing() {
	let (_, locations, object) = twice(&value(9)).await;
	let other = MasterSecret::from_bytes([8; 32]);
	let epoch = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 0,
		epoch: 0,
	};
	let leaf = other.epoch_root(&epoch).leaf_key(5);
	let refused = Reader::new(&leaf, &CONTEXT, object.clone(), locations.to_vec());
	assert!(matches!(refused, Err(ReadError::Record(_))));
	// The right key and another place: the bytes are the object's, so no location is to blame.
	let elsewhere = RecordContext {
		key: [4; 32],
		..CONTEXT
	};
	let reader = Reader::new(&super::leaf(), &elsewhere, object, locations.to_vec()).unwrap();
	let refused = reader.read_range(0, 1).await;
	assert!(matches!(refused, Err(ReadError::Record(_))));
	assert_eq!(reader.left(), []);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	/// A range is the same bytes of the value, wherever it begins and ends.
	#[test]
	fn a_range_is_those_bytes(
		length in prop::sample::select(vec![0, 1, CHUNK, CHUNK + 1, 5 * CHUNK + 3]),
		offset in 0..6 * CHUNK as u64,
		count in prop_oneof![Just(0), Just(1), 0..3 * CHUNK as u64, Just(u64::MAX)],
	) {
		let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
		runtime.block_on(async {
			let value = value(length);
			let location = Arc::new(Store::default()).at("mem://store/folder");
			let object = sent(&location, &value).await;
			let read = reader(&object, &[location]).read_range(offset, count).await.unwrap();
			let from = value.len().min(offset as usize);
			let to = value.len().min(offset.saturating_add(count) as usize);
			assert!(read == value[from..to.max(from)]);
		});
	}
}
