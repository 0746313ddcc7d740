// SPDX-License-Identifier: Apache-2.0
//! Objects are copied without keys, and their pieces are proven from the copy.

use super::{
	store::{Kill, Store},
	*,
};
use crate::{check, copy, prove, CopyError, Failure, Left};
use isthmus_storage_proof::{pieces, verify};
use std::{fs, sync::Arc};

fn location(folder: &Path) -> Location {
	Location::open(&folder_url(folder)).unwrap()
}

async fn is_right(location: &Location, object: &Object) -> bool {
	check(location, object, true, &mut |_| {}).await.is_right()
}

#[tokio::test]
async fn an_object_of_any_length_is_copied_once_and_proven() {
	let folder = tempfile::tempdir().unwrap();
	let from = location(&folder.path().join("from"));
	let to = location(&folder.path().join("to"));
	for length in [0, 1, 1_024, CHUNK, CHUNK + 1, 9 * CHUNK + 5, 33 * CHUNK] {
		let object = sent(&from, &value(length)).await;
		let sources = [from.clone()];
		let copied = copy(&object, &sources, &to).await.unwrap();
		assert_eq!(copied, Some(Vec::new()), "{length}");
		assert!(is_right(&to, &object).await, "{length}");
		assert_eq!(
			copy(&object, &sources, &to).await.unwrap(),
			None,
			"{length}"
		);
		let last = pieces(object.length()) - 1;
		for piece in [0, last / 2, last] {
			let proof = prove(&to, &object, piece).await.unwrap();
			let proven = verify(
				object.root(),
				object.length(),
				piece,
				&proof.piece,
				&proof.path,
			);
			assert_eq!(proven, Ok(()), "piece {piece} of {length}");
		}
		for beyond in [last + 1, u64::MAX] {
			assert_eq!(prove(&to, &object, beyond).await, Err(Failure::Missing));
		}
	}
}

#[tokio::test]
async fn a_source_with_wrong_bytes_is_left_for_the_next_one() {
	let folder = tempfile::tempdir().unwrap();
	let [wrong, right, to] = ["wrong", "right", "to"].map(|name| folder.path().join(name));
	let object = sent(&location(&right), &value(9 * CHUNK)).await;
	copy(&object, &[location(&right)], &location(&wrong))
		.await
		.unwrap();
	let file = wrong.join(object.name());
	let mut bytes = fs::read(&file).unwrap();
	bytes[8 << 20] ^= 1;
	fs::write(&file, bytes).unwrap();

	let wrong = location(&wrong);
	let alone = copy(&object, std::slice::from_ref(&wrong), &location(&to)).await;
	let Err(CopyError::NoneLeft(left)) = alone else {
		panic!("it was copied from wrong bytes: {alone:?}");
	};
	let expected = Left {
		url: wrong.url().to_owned(),
		failure: Failure::Wrong(8),
	};
	assert_eq!(left, std::slice::from_ref(&expected));
	assert!(!to.join(object.name()).exists());
	// A keeper whose copy is wrong notices it before it proves.
	assert_eq!(
		prove(&wrong, &object, 8 * 1_024).await,
		Err(Failure::Wrong(8))
	);
	assert!(prove(&wrong, &object, 0).await.is_ok());

	let to = location(&to);
	let copied = copy(&object, &[wrong, location(&right)], &to).await;
	// Who copies other objects may ask it last.
	assert_eq!(copied.unwrap(), Some(vec![expected]));
	assert!(is_right(&to, &object).await);
}

#[tokio::test]
async fn a_copy_that_fails_leaves_no_unfinished_upload() {
	let folder = tempfile::tempdir().unwrap();
	let from = folder.path().join("from");
	let object = sent(&location(&from), &value(33 * CHUNK)).await;
	let store = Arc::new(Store::default());
	let to = store.at("s3://bucket/copy");
	// The second write is that of a part: only the upload has started.
	store.interrupt(Some((1, Kill::Before)));
	let copied = copy(&object, &[location(&from)], &to).await;
	assert!(matches!(copied, Err(CopyError::Target(_))), "{copied:?}");
	assert_eq!(store.unfinished(), 0);
	store.interrupt(None);

	let file = from.join(object.name());
	let mut bytes = fs::read(&file).unwrap();
	bytes[32 << 20] ^= 1;
	fs::write(&file, bytes).unwrap();
	let copied = copy(&object, &[location(&from)], &to).await;
	assert!(matches!(copied, Err(CopyError::NoneLeft(_))), "{copied:?}");
	assert_eq!(store.unfinished(), 0);
}

#[tokio::test]
async fn a_copy_that_cannot_be_written_names_its_location() {
	let folder = tempfile::tempdir().unwrap();
	let from = location(&folder.path().join("from"));
	let object = sent(&from, &value(CHUNK)).await;
	let file = folder.path().join("file");
	fs::write(&file, "not a folder").unwrap();
	let copied = copy(&object, &[from], &location(&file)).await;
	assert!(matches!(copied, Err(CopyError::Target(_))), "{copied:?}");
	let missing = location(&folder.path().join("missing"));
	let copied = copy(&object, &[missing], &location(&folder.path().join("to"))).await;
	assert!(matches!(copied, Err(CopyError::NoneLeft(_))), "{copied:?}");
}
