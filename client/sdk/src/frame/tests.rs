// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::{
	account::Identity,
	error::Error,
	example::{epoch_keys, GENESIS},
	folder::packed,
	sync_folder::pack_key,
};
use isthmus_objects::{check, Location, UploadError};
use std::io::{self, Cursor, Read};

const FIRST: Leaf = 7;
const PARTS: u16 = 3;

fn keys(epoch: Epoch) -> EpochKeys {
	epoch_keys(&Identity::development("//Bob").unwrap(), epoch)
}

/// Plans a frame without a chain.
fn frame(location: &str) -> (Frame, KeySet) {
	let (keys, list) = (keys(5), RecordKey::from([3; 32]));
	let mark = mark_of(&keys, FIRST, PARTS, [9; 4]);
	let parts = (0..PARTS)
		.map(|number| pack_key(&keys, &list, &part_id(&mark, number)))
		.collect();
	let leaves = Leaves {
		dataset: 4,
		epoch: 5,
		first: FIRST,
		parts: PARTS,
		mark,
		location: location.to_owned(),
	};
	let opened = keys.key_set(leaves.range().unwrap()).unwrap();
	let owner = *Identity::development("//Bob").unwrap().id();
	let frame = Frame {
		genesis: GENESIS,
		owner,
		list,
		leaves,
		parts,
	};
	(frame, opened)
}

fn store(folder: &tempfile::TempDir) -> (String, Location) {
	let url = format!("file://{}/store", folder.path().display());
	let location = Location::open(&url).unwrap();
	(url, location)
}

#[test]
fn a_frame_is_handed_on_in_two_parts_of_which_one_is_secret() {
	let (frame, keys) = frame("file:///srv/marks");
	let (bytes, secret) = (frame.to_bytes(), keys.to_bytes());
	assert_eq!(Frame::from_bytes(&bytes).unwrap(), frame);
	let opened = frame.keys(&secret).unwrap();
	assert_eq!(opened.range(), Range::new(7, 10).unwrap());
	for key in secret.chunks(32) {
		assert!(!bytes.windows(32).any(|part| part == key));
	}
	// Neither the list's key nor an earlier leaf's is among them.
	for leaf in [FIRST - 1, FIRST + Leaf::from(PARTS)] {
		assert!(opened.leaf_key(leaf).is_err());
	}
	let master = Identity::development("//Bob").unwrap().master;
	for kept in [&bytes[..], &secret[..]] {
		assert!(!kept.windows(32).any(|part| part == master.expose_secret()));
	}
}

#[test]
fn what_is_no_frame_or_part_of_this_release_is_refused() {
	let (frame, keys) = frame("file:///srv/marks");
	let bytes = frame.to_bytes();
	let newer = [&[VERSION + 1], &bytes[1..]].concat();
	let longer = [&bytes[..], &[0]].concat();
	let empty = Frame {
		parts: Vec::new(),
		..frame.clone()
	};
	let (cut, empty) = (&bytes[..bytes.len() - 1], empty.to_bytes());
	for wrong in [&[][..], cut, &newer, &longer, &empty] {
		let refused = Frame::from_bytes(wrong);
		assert!(matches!(refused, Err(FrameError::Malformed)));
		let refused = Part::from_bytes(wrong);
		assert!(matches!(refused, Err(FrameError::Malformed)));
	}
	let secret = keys.to_bytes();
	let refused = frame.keys(&secret[1..]);
	assert!(matches!(refused, Err(FrameError::Malformed)));
	// No leaf is after the last one of an epoch.
	let mut end = frame.clone();
	end.leaves.first = Leaf::MAX;
	let refused = Frame::from_bytes(&end.to_bytes());
	assert!(matches!(refused, Err(FrameError::Malformed)));
}

#[test]
fn an_owner_recognises_its_marks() {
	let mark = mark_of(&keys(5), FIRST, PARTS, [9; 4]);
	assert_eq!(read_mark(&keys(5), &mark), Some((FIRST, PARTS)));
	assert_eq!(read_mark(&keys(6), &mark), None);
	for at in 0..mark.len() {
		let mut other = mark;
		other[at] ^= 1;
		assert_eq!(read_mark(&keys(5), &other), None);
	}
	assert_ne!(mark, mark_of(&keys(5), FIRST, PARTS, [8; 4]));
}

#[tokio::test]
async fn attempts_at_a_part_are_objects_of_their_own_and_any_of_them_can_be_committed() {
	let folder = tempfile::tempdir().unwrap();
	let (url, location) = store(&folder);
	let (frame, opened) = frame(&url);
	let frame = Frame::from_bytes(&frame.to_bytes()).unwrap();
	let values = [&b"first attempt"[..], b"second attempt", b"another part"];
	let mut parts = Vec::new();
	for (number, value) in [1, 1, 0].into_iter().zip(values) {
		let part = frame.store_part(&opened, number, Cursor::new(value));
		parts.push(part.await.unwrap());
	}
	let salt = |part: &Part| part.object.header[13..45].to_vec();
	assert!(salt(&parts[0]).starts_with(&frame.leaves.mark));
	assert_ne!(salt(&parts[0]), salt(&parts[1]));
	assert_eq!(location.marked(&[], &[]).await.unwrap().len(), 3);
	let keys = keys(5);
	let mut checked = Vec::new();
	for part in &parts[1..] {
		let read = Part::from_bytes(&part.to_bytes()).unwrap();
		assert_eq!(&read, part);
		let path = format!("part-{:05}", part.number());
		checked.push(
			frame
				.check_part(&location, &keys, &read, path)
				.await
				.unwrap(),
		);
	}
	let list = frame.list_of(&checked);
	assert_eq!(
		packed::from_bytes(&packed::to_bytes(&list).unwrap()).unwrap(),
		list
	);
	let files: Vec<_> = list.files.iter().map(|packed| &packed.file).collect();
	assert_eq!(files[0].path, "part-00000");
	assert_eq!(
		(files[1].path.as_str(), files[1].length),
		("part-00001", 14)
	);
	assert_eq!(
		files[1].hash,
		crate::folder::content_hash(values[1]).unwrap()
	);
	assert_eq!(files[1].key, frame.parts[1]);
	// What no record names is deleted, and nothing else.
	let kept = [salt(&parts[1]), salt(&parts[2])].map(|salt| salt.try_into().unwrap());
	location.set_mark(&frame.leaves.mark).await.unwrap();
	frame.leaves.clean(&location, &kept.into()).await.unwrap();
	let left = location.marked(&[], &[]).await.unwrap();
	let left: std::collections::BTreeSet<_> = left.iter().map(|object| object.salt).collect();
	assert_eq!(left, kept.into());
}

#[tokio::test]
async fn a_part_that_is_not_the_frames_is_not_committed() {
	let folder = tempfile::tempdir().unwrap();
	let (url, location) = store(&folder);
	let (frame, opened) = frame(&url);
	let part = frame.store_part(&opened, 2, Cursor::new("marks"));
	let part = part.await.unwrap();
	let keys = keys(5);
	let check_part = async |frame: &Frame, part: &Part| {
		let checked = frame.check_part(&location, &keys, part, "marks".into());
		checked.await.map(|_| ()).unwrap_err()
	};
	// Another part's leaf has another key.
	let moved = Part {
		number: 1,
		..part.clone()
	};
	assert!(matches!(
		check_part(&frame, &moved).await,
		FrameError::WrongKey(1)
	));
	let mut other = frame.clone();
	other.leaves.mark = mark_of(&keys, FIRST, PARTS, [8; 4]);
	assert!(matches!(
		check_part(&other, &part).await,
		FrameError::WrongKey(2)
	));
	let outside = Part {
		number: PARTS,
		..part.clone()
	};
	assert!(matches!(
		check_part(&frame, &outside).await,
		FrameError::NoSuchPart {
			number: PARTS,
			parts: PARTS
		}
	));
	let mut header = part.clone();
	header.object.length += 1;
	assert!(matches!(
		check_part(&frame, &header).await,
		FrameError::WrongKey(2)
	));
	let object = crate::object::of_entry(frame.parts[2], &part.object).unwrap();
	assert!(check(&location, &object, true, &mut |_| {})
		.await
		.is_right());
	location.delete(&object).await.unwrap();
	assert!(matches!(
		check_part(&frame, &part).await,
		FrameError::NotThere { number: 2, .. }
	));
}

/// A source that fails after some bytes, as a task does whose input is lost.
struct Lost(bool);

impl Read for Lost {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		match std::mem::replace(&mut self.0, true) {
			true => Err(io::Error::other("the input is lost")),
			false => Ok(space.len()),
		}
	}
}

#[tokio::test]
async fn what_cannot_be_a_part_leaves_nothing_in_the_store() {
	let folder = tempfile::tempdir().unwrap();
	let (url, location) = store(&folder);
	let (frame, opened) = frame(&url);
	let empty = frame.store_part(&opened, 0, io::empty()).await;
	assert!(matches!(empty, Err(FrameError::Empty(0))));
	let failed = frame.store_part(&opened, 0, Lost(false)).await;
	assert!(matches!(
		failed,
		Err(FrameError::Client(Error::Sending(UploadError::Read(_))))
	));
	let outside = frame.store_part(&opened, PARTS, io::empty()).await;
	assert!(matches!(
		outside,
		Err(FrameError::NoSuchPart {
			number: PARTS,
			parts: PARTS
		})
	));
	assert_eq!(location.marked(&[], &[]).await.unwrap(), []);
	let (read_only, opened) = self::frame("https://store.example/marks");
	let refused = read_only.store_part(&opened, 0, Cursor::new("marks")).await;
	assert!(matches!(
		refused,
		Err(FrameError::Client(Error::Sending(
			UploadError::Store { .. }
		)))
	));
}
