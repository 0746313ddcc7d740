// SPDX-License-Identifier: Apache-2.0
//! Tests of fetching packed folders.

use super::*;
use isthmus_objects::{Failure, Left, ReadError};

fn file(key: u8, content: &[u8]) -> folder::File {
	folder::File {
		path: format!("{key}"),
		executable: false,
		folder: false,
		length: content.len() as u64,
		key: [key; 32].into(),
		hash: folder::content_hash(content).unwrap(),
	}
}

fn wanted(file: &folder::File, offset: u64, path: PathBuf) -> Wanted<'_> {
	Wanted {
		file,
		offset,
		path,
		differs: false,
	}
}

#[test]
fn files_beside_each_other_are_fetched_together() {
	let of = |key: u8, length: u64| folder::File {
		length,
		..file(key, b"")
	};
	let files = [
		of(1, 10),
		of(1, 10),
		of(1, 10),
		of(2, SPAN),
		of(2, 1),
		of(0, 0),
	];
	let offsets = [0, 5, 15 + GAP, 0, SPAN, 0];
	let all = files.iter().zip(offsets);
	let spans = spans(
		all.map(|(file, at)| wanted(file, at, PathBuf::new()))
			.collect(),
	);
	let found: Vec<_> = spans
		.iter()
		.map(|span| (span.start, span.end, span.files.len()))
		.collect();
	let expected = [
		(0, 0, 1),
		(0, 25 + GAP, 3),
		(0, SPAN, 1),
		(SPAN, SPAN + 1, 1),
	];
	assert_eq!(found, expected);
	assert!(spans[0].file().is_none());
}

#[test]
fn copies_are_written_only_where_they_fit() {
	let folder = tempfile::tempdir().unwrap();
	let check = |copies: usize, length: u64, next: u64, free| {
		let file = folder::File {
			length,
			..file(1, b"")
		};
		let all = (0..copies).map(|_| wanted(&file, 0, PathBuf::new()));
		let mut written = Written::default();
		match length > SPAN {
			true => written.add_long(&all.collect::<Vec<_>>()),
			false => {
				for span in spans(all.collect()) {
					written.add(&span);
				}
			}
		}
		assert_eq!(
			(written.length, written.fetched),
			(copies as u64 * length, length)
		);
		match free {
			Some(free) => written.check_space(next, free),
			None => written.check(next, folder.path()),
		}
	};
	// 16 MiB become 1.6 TB, whether the system says what is free or not.
	let bomb = 100_000 * SPAN;
	for free in [Some(None), Some(Some(1 << 40)), None] {
		let error = check(100_000, SPAN, bomb.max(1 << 63), free).unwrap_err();
		assert!(
			matches!(error, FetchError::TooManyCopies { length, fetched, .. }
				if length == bomb && fetched == SPAN)
		);
	}
	check(1000, SPAN + 1, 1 << 63, None).unwrap_err();
	// Many copies of a small file, and few of a long one, are nothing special.
	check(100_000, 1000, 100_000_000, Some(Some(1 << 30))).unwrap();
	check(COPIES as usize, SPAN, 1 << 63, None).unwrap();
}

#[test]
fn a_file_with_the_longest_name_has_room_for_its_parts() {
	let folder = tempfile::tempdir().unwrap();
	for (letter, length) in [("x", 255), ("x", 230), ("ä", 127)] {
		let output = folder.path().join(letter.repeat(length));
		let lock = output.with_file_name(part_name(&output, &[7; 32]));
		fs::write(&lock, "").unwrap();
		drop(Parts::create(&lock).unwrap());
		fs::write(&output, "").unwrap();
	}
}

#[test]
fn what_the_list_does_not_say_is_not_written() {
	let folder = tempfile::tempdir().unwrap();
	let at = |name: &str| folder.path().join(name);
	let (first, second) = (file(1, b"first"), file(1, b"second"));
	let all = || {
		let files = vec![wanted(&first, 0, at("a")), wanted(&second, 5, at("b"))];
		spans(files).pop().unwrap()
	};
	let write = |bytes: &[u8]| {
		let parts = Parts::create(&at("lock")).unwrap();
		let mut failures = Failures::default();
		parts.write(&all(), bytes, &mut failures).unwrap();
		failures.first()
	};
	let is_b = |path: &PathBuf| *path == at("b");
	assert!(matches!(write(b"firstsecons"), Some(FetchError::NotListed(path)) if is_b(&path)));
	// The other one is there.
	assert_eq!(fs::read(at("a")).unwrap(), b"first");
	assert!(!at("b").exists());
	fs::remove_file(at("a")).unwrap();
	assert!(matches!(
		write(b"firstsecon"),
		Some(FetchError::WrongLength(_))
	));
	fs::remove_file(at("a")).unwrap();
	assert!(write(b"firstsecond").is_none());
	assert_eq!(fs::read(at("b")).unwrap(), b"second");
	assert!(matches!(write(b"firstsecond"), Some(FetchError::Exists(_))));
	assert!(!at("lock.parts").exists());
}

/// Once, --force did not replace a file that was put there after it was looked for.
#[test]
fn what_may_be_replaced_need_not_be_there() {
	let folder = tempfile::tempdir().unwrap();
	let (at, lock) = (folder.path().join("a"), folder.path().join("lock"));
	let listed = file(1, b"new");
	for there in [None, Some("other")] {
		if let Some(there) = there {
			fs::write(&at, there).unwrap();
		}
		let wanted = Wanted {
			differs: true,
			..wanted(&listed, 0, at.clone())
		};
		let parts = Parts::create(&lock).unwrap();
		let mut failures = Failures::default();
		let span = Span::of(vec![wanted]);
		parts.write(&span, b"new", &mut failures).unwrap();
		assert!(failures.first().is_none());
		assert_eq!(fs::read(&at).unwrap(), b"new");
	}
}

#[cfg(unix)]
#[test]
fn permissions_are_those_of_a_file_and_never_those_of_a_link() {
	use std::os::unix::fs::{symlink, PermissionsExt};
	let folder = tempfile::tempdir().unwrap();
	let at = |name: &str| folder.path().join(name);
	let listed = file(1, b"new");
	for path in ["old", "theirs"].map(at) {
		fs::write(&path, "old").unwrap();
		fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
	}
	// As if another program put it there after the file was looked at.
	symlink("theirs", at("link")).unwrap();
	for (name, mode) in [("old", 0o640), ("link", 0o600)] {
		let wanted = Wanted {
			differs: true,
			..wanted(&listed, 0, at(name))
		};
		let parts = Parts::create(&at("lock")).unwrap();
		let mut failures = Failures::default();
		parts
			.write(&Span::of(vec![wanted]), b"new", &mut failures)
			.unwrap();
		assert!(failures.first().is_none());
		let there = fs::symlink_metadata(at(name)).unwrap();
		assert!(there.is_file(), "{name}");
		assert_eq!(there.permissions().mode() & 0o777, mode, "{name}");
	}
	assert_eq!(fs::read(at("theirs")).unwrap(), b"old");
}

#[test]
fn a_span_is_parted_near_its_middle_down_to_what_is_read_together() {
	let of = |length: u64| folder::File {
		length,
		..file(1, b"")
	};
	let chunk = CHUNK as u64;
	let (long, small) = (of(3 * chunk), of(10));
	let at = |file, offset| wanted(file, offset, PathBuf::new());
	let all = || {
		Span::of(vec![
			at(&long, 0),
			at(&small, 3 * chunk),
			at(&small, 3 * chunk + 10),
		])
	};
	let Ok([first, second]) = all().halves() else {
		panic!("it has two halves")
	};
	assert_eq!(
		(first.start, first.end, first.files.len()),
		(0, 3 * chunk, 1)
	);
	let bounds = (second.start, second.end, second.files.len());
	assert_eq!(bounds, (3 * chunk, 3 * chunk + 20, 2));
	assert!(first.halves().is_err());
	assert!(second.halves().is_err());
	// Files with the same bytes are not parted, and neither are others that have bytes in common.
	let same = || vec![at(&long, 0), at(&long, 0)];
	assert!(Span::of(same()).halves().is_err());
	let over = Span::of(vec![at(&long, 0), at(&long, chunk), at(&long, 2 * chunk)]);
	assert!(over.halves().is_err());
	let mut beside = vec![at(&small, 0)];
	beside.extend([10, 10].map(|offset| at(&long, offset)));
	let Ok([first, second]) = Span::of(beside).halves() else {
		panic!("it has two halves")
	};
	assert_eq!((first.files.len(), second.files.len()), (1, 2));
	// A small file within the bytes of a long one.
	let within = Span::of(vec![at(&long, 0), at(&small, 2 * chunk)]);
	assert!(within.halves().is_err());
}

/// Reads a span of a pack that has a wrong byte. Returns the numbers of files that were fetched and that were not, and how
/// many bytes were asked for.
async fn read_with_wrong_byte(span: Span<'_>, wrong: u64) -> (usize, usize, u64) {
	let asked = std::cell::Cell::new(0);
	let read = async |span: &Span<'_>| {
		asked.set(asked.get() + span.length());
		match (span.start..span.end).contains(&wrong) {
			false => Ok(vec![0; span.length() as usize]),
			true => Err(FetchError::from(Error::Object(ReadError::NoneLeft(vec![
				Left {
					url: "file:///store".into(),
					failure: Failure::Wrong(0),
				},
			])))),
		}
	};
	let first = read(&span).await;
	let (mut there, mut missing) = (0, 0);
	let take = |span: Span<'_>, bytes: Result<Vec<u8>, FetchError>| {
		match bytes {
			Ok(bytes) => {
				assert_eq!(bytes.len() as u64, span.length());
				there += span.files.len();
			}
			Err(_) => missing += span.files.len(),
		}
		Ok(())
	};
	as_far_as_possible((span, first), read, take).await.unwrap();
	(there, missing, asked.get())
}

#[tokio::test]
async fn a_wrong_byte_keeps_back_the_files_around_it_and_costs_little() {
	let of = |length: u64| folder::File {
		length,
		..file(1, b"")
	};
	let (small, whole) = (of(1 << 20), of(SPAN));
	let at = |file, offset| wanted(file, offset, PathBuf::new());
	let apart = (0..16).map(|number| at(&small, number << 20)).collect();
	let (there, missing, asked) = read_with_wrong_byte(Span::of(apart), 5 << 20).await;
	assert_eq!((there, missing), (15, 1));
	// Each byte is asked for at most once for each time that its span was halved, and once before.
	assert!(asked <= 5 * SPAN);
	// A list of a thousand files that are the same bytes does not make a reader ask a thousand times.
	let same = (0..1000).map(|_| at(&whole, 0)).collect();
	let found = read_with_wrong_byte(Span::of(same), 0).await;
	assert_eq!(found, (0, 1000, SPAN));
	let nearly = (0..1000).map(|offset| at(&small, offset)).collect();
	let span = Span::of(nearly);
	let length = span.length();
	assert_eq!(read_with_wrong_byte(span, 0).await, (0, 1000, length));
}
