// SPDX-License-Identifier: Apache-2.0
//! Compressed values: as they are sent, and as someone who knows the keys could have written them.

use super::{
	store::{Kill, Store},
	*,
};
use crate::{tree, ReadError, ValueReader};
use isthmus_envelope::{
	compressed::{padded, CompressedError, Frames, Piece, FRAME},
	object::SEALED_CHUNK,
	record::TAG_LEN,
	Form, ObjectCipher,
};
use object_store::ObjectStoreExt;
use proptest::prelude::*;
use std::sync::Arc;

/// Makes a value that cannot be compressed (xorshift64).
fn noise(length: usize) -> Vec<u8> {
	let mut state = 0x9e37_79b9_7f4a_7c15_u64;
	let words = std::iter::repeat_with(|| {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		state.to_le_bytes()
	});
	words.flatten().take(length).collect()
}

/// Makes a value that can.
fn lines(length: usize) -> Vec<u8> {
	let lines = (0..).map(|number| format!("{{\"number\":{number},\"state\":\"passed\"}}\n"));
	lines.flat_map(String::into_bytes).take(length).collect()
}

async fn send_compressed(
	location: &Location,
	journal: &Path,
	value: &[u8],
	length: Option<u64>,
) -> Result<Sent, UploadError> {
	let (leaf, source) = (leaf(), Cursor::new(value.to_vec()));
	let upload = Upload::new(location, &leaf, &CONTEXT, journal).compressed();
	upload.run(source, length, &mut |_| {}).await
}

/// Sends a value and forgets the journal.
async fn sent_compressed(location: &Location, value: &[u8]) -> Object {
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	let length = Some(value.len() as u64);
	let sent = send_compressed(location, &journal, value, length).await;
	sent.unwrap().object
}

async fn opened(object: &Object, location: &Location) -> Result<ValueReader, ReadError> {
	ValueReader::open(reader(object, std::slice::from_ref(location))).await
}

async fn value_of(reader: &ValueReader) -> Vec<u8> {
	let mut out = Vec::new();
	reader.write_to(&mut out, 0, &mut |_| {}).await.unwrap();
	out
}

#[tokio::test]
async fn values_of_all_lengths_come_back() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(folder.path())).unwrap();
	for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 9 * FRAME + 5] {
		for value in [noise(length), lines(length), vec![0; length]] {
			let object = sent_compressed(&location, &value).await;
			let stored = object.header().length();
			assert_eq!(object.header().form(), Form::Compressed);
			assert_eq!(padded(stored), stored, "{length}");
			let reader = opened(&object, &location).await.unwrap();
			assert!(reader.is_compressed());
			assert_eq!(reader.length(), length as u64);
			assert_eq!(reader.chunks() as usize, length.div_ceil(FRAME));
			assert_eq!(value_of(&reader).await, value);
			// Every zstd decompresses it.
			let plain = read_all(&super::reader(&object, std::slice::from_ref(&location))).await;
			assert_eq!(zstd::stream::decode_all(&plain[..]).unwrap(), value);
			// Who has no keys checks it as any other.
			let checked = crate::check(&location, &object, true, &mut |_| {}).await;
			assert!(checked.is_right(), "{length}: {checked:?}");
			location.delete(&object).await.unwrap();
		}
	}
}

#[tokio::test]
async fn what_can_be_compressed_is_shorter_and_what_cannot_hardly_longer() {
	let location = Arc::new(Store::default()).at("mem://store/folder");
	let length = 5 * FRAME as u64 + 7;
	let short = sent_compressed(&location, &lines(5 * FRAME + 7)).await;
	assert!(short.length() < length / 4, "{}", short.length());
	let long = sent_compressed(&location, &noise(5 * FRAME + 7)).await;
	assert!(long.length() > length && long.length() < length * 107 / 100);
	// Two values that are compressed nearly as well have the same length.
	let other = sent_compressed(&location, &noise(5 * FRAME + 700)).await;
	assert_eq!(other.length(), long.length());
}

/// A value is the same whether its length is known or not, and however it is read.
#[tokio::test]
async fn a_stream_is_compressed_in_one_pass() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(&folder.path().join("out"))).unwrap();
	let (value, journal) = (lines(11 * FRAME + 3), folder.path().join("journal"));
	let sent = send_compressed(&location, &journal, &value, None).await;
	let streamed = sent.unwrap().object;
	forget(&journal).unwrap();
	let known = sent_compressed(&location, &value).await;
	let there = std::slice::from_ref(&location);
	let [streamed, known] = [streamed, known].map(|object| reader(&object, there));
	assert!(read_all(&streamed).await == read_all(&known).await);
	let reader = ValueReader::open(streamed).await.unwrap();
	assert!(value_of(&reader).await == value);
}

#[tokio::test]
async fn the_progress_of_a_compressed_value_is_its_own() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(&folder.path().join("out"))).unwrap();
	let journal = folder.path().join("journal");
	let value = noise(40 * FRAME + 3);
	let length = value.len() as u64;
	let (leaf, mut seen) = (leaf(), Vec::new());
	let upload = Upload::new(&location, &leaf, &CONTEXT, &journal).compressed();
	let mut tell = |done| seen.push(done);
	let source = Cursor::new(value);
	upload.run(source, Some(length), &mut tell).await.unwrap();
	assert!(seen.is_sorted() && seen.last() == Some(&length), "{seen:?}");
}

#[tokio::test]
async fn a_compressed_value_of_another_length_than_was_said_is_refused() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(&folder.path().join("out"))).unwrap();
	for (length, said) in [
		(100, 99),
		(100, 101),
		(FRAME, FRAME + 1),
		(2 * FRAME, FRAME),
	] {
		let journal = folder.path().join("journal");
		let said = said as u64;
		let refused = send_compressed(&location, &journal, &lines(length), Some(said)).await;
		assert!(matches!(refused, Err(UploadError::NotAsLong { expected }) if expected == said));
		forget(&journal).unwrap();
	}
	assert!(!folder.path().join("out").exists());
}

/// Only the chunks with a range's frames are fetched: the others may be damaged.
#[tokio::test]
async fn a_range_needs_only_its_own_frames() {
	let folder = tempfile::tempdir().unwrap();
	let location = Location::open(&folder_url(folder.path())).unwrap();
	let value = noise(20 * FRAME);
	let object = sent_compressed(&location, &value).await;
	let file = folder.path().join(object.name());
	let mut bytes = std::fs::read(&file).unwrap();
	bytes[12 * SEALED_CHUNK] ^= 1;
	std::fs::write(&file, bytes).unwrap();
	let reader = opened(&object, &location).await.unwrap();
	for (offset, length) in [(0, 7), (5 * FRAME - 1, 2), (15 * FRAME, 3 * FRAME)] {
		let read = reader.read_range(offset as u64, length as u64).await;
		assert!(read.unwrap() == value[offset..offset + length]);
	}
	let refused = reader.read_range(12 * FRAME as u64, 1).await;
	assert!(matches!(refused, Err(ReadError::NoneLeft(_))));
}

#[tokio::test]
async fn what_was_decompressed_before_is_compared() {
	let location = Arc::new(Store::default()).at("mem://store/folder");
	let value = lines(4 * FRAME + 7);
	let object = sent_compressed(&location, &value).await;
	let reader = opened(&object, &location).await.unwrap();
	let mut changed = value.clone();
	changed[2 * FRAME] ^= 1;
	for (bytes, frames) in [
		(&value[..], 5),
		(&value[..4 * FRAME + 6], 4),
		(&value[..FRAME], 1),
		(b"", 0),
		(&changed, 2),
	] {
		let mut bytes = bytes;
		let intact = reader.intact(&mut bytes, &mut |_| {}).await.unwrap();
		assert_eq!(intact, frames);
		let mut out = value[..FRAME * 4.min(frames as usize)].to_vec();
		reader
			.write_to(&mut out, frames, &mut |_| {})
			.await
			.unwrap();
		assert!(out == value || frames == 5);
	}
}

/// Interrupts an upload at a write, and resumes it. Returns whether it was interrupted.
async fn interrupted_at(kill: (usize, Kill), value: &[u8], length: Option<u64>) -> bool {
	let store = Arc::new(Store::default());
	let location = store.at("mem://store/folder");
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	store.interrupt(Some(kill));
	let first = send_compressed(&location, &journal, value, length).await;
	store.interrupt(None);
	let again = send_compressed(&location, &journal, value, length).await;
	let object = again.unwrap().object;
	let reader = opened(&object, &location).await.unwrap();
	assert!(value_of(&reader).await == value);
	super::interrupted::saw_nothing_twice(&store);
	let seen = store.seen.lock().unwrap();
	let name = object.name();
	assert!(seen.iter().all(|(seen, ..)| seen.contains(&name)));
	first.is_err()
}

#[tokio::test]
async fn a_compressed_upload_goes_on_wherever_it_was_interrupted() {
	for (value, length) in [
		(lines(9), Some(9)),
		(noise(9 * FRAME), Some(9 * FRAME as u64)),
	] {
		for kind in [Kill::Before, Kill::After] {
			let mut steps = 0;
			while interrupted_at((steps, kind), &value, length).await {
				steps += 1;
			}
			// Begin, two parts, complete, list; or one step.
			assert_eq!(steps, if value.len() == 9 { 1 } else { 5 });
		}
	}
}

#[tokio::test]
async fn a_compressed_value_that_changed_is_not_sent() {
	let store = Arc::new(Store::default());
	let location = store.at("mem://store/folder");
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	let mut value = noise(17 * FRAME);
	let length = Some(value.len() as u64);
	store.interrupt(Some((3, Kill::After)));
	let interrupted = send_compressed(&location, &journal, &value, length).await;
	interrupted.unwrap_err();
	store.interrupt(None);
	let before = store.seen.lock().unwrap().len();
	value[5] ^= 1;
	let refused = send_compressed(&location, &journal, &value, length).await;
	assert!(matches!(refused, Err(UploadError::Changed { at: 0 })));
	assert!(matches!(
		send_compressed(&location, &journal, &value[1..], length.map(|length| length - 1)).await,
		Err(UploadError::LengthChanged { expected }) if Some(expected) == length
	));
	super::interrupted::saw_nothing_twice(&store);
	value[5] ^= 1;
	let sent = send_compressed(&location, &journal, &value, length).await;
	assert!(sent.unwrap().resumed);
	assert!(store.seen.lock().unwrap().len() >= before);
}

/// A plain value under the header of a compressed one could never be read.
#[tokio::test]
async fn an_upload_goes_on_in_the_form_in_which_it_began() {
	let store = Arc::new(Store::default());
	let location = store.at("mem://store/folder");
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	for began in [Form::Compressed, Form::Plain] {
		store.interrupt(Some((0, Kill::Before)));
		let sent = match began {
			Form::Compressed => send_compressed(&location, &journal, b"x", Some(1)).await,
			Form::Plain => send(&location, &journal, b"x", Some(1)).await,
		};
		sent.unwrap_err();
		store.interrupt(None);
		let before = store.seen.lock().unwrap().len();
		let refused = match began {
			Form::Compressed => send(&location, &journal, b"x", Some(1)).await,
			Form::Plain => send_compressed(&location, &journal, b"x", Some(1)).await,
		};
		assert!(matches!(refused, Err(UploadError::OtherForm { form }) if form == began));
		assert_eq!(store.seen.lock().unwrap().len(), before);
		forget(&journal).unwrap();
	}
}

/// Stores any bytes as the plaintext of an object whose value is said to be compressed.
async fn crafted(location: &Location, plain: &[u8]) -> Object {
	let cipher = ObjectCipher::new(&leaf(), &CONTEXT, Form::Compressed).unwrap();
	let mut chunks: Vec<&[u8]> = plain.chunks(CHUNK).collect();
	if chunks.is_empty() {
		chunks.push(b"");
	}
	let (mut bytes, mut values) = (Vec::new(), Vec::new());
	for (number, chunk) in (0..).zip(&chunks) {
		let mut slot = [chunk, &[0; TAG_LEN][..]].concat();
		let is_last = number as usize + 1 == chunks.len();
		cipher.seal(number, is_last, &mut slot).unwrap();
		values.push(tree::value(number, chunks.len() == 1, &slot));
		bytes.extend(slot);
	}
	let header = cipher.header(plain.len() as u64).unwrap();
	let object = Object::with_header(header, tree::root(&values).unwrap());
	let path = location.path(&object.name());
	let put = location.store().put(&path, bytes.into());
	put.await.unwrap();
	if values.len() > 1 {
		let path = location.list_path(&object.name());
		let list = tree::list_bytes(&values).into();
		let put = location.store().put(&path, list);
		put.await.unwrap();
	}
	object
}

/// Returns these frames with the table that belongs to them: of each, what is stored and the length that the table says.
fn with_table(frames: &[(Vec<u8>, usize)]) -> Vec<u8> {
	let (mut made, mut bytes) = (Frames::default(), Vec::new());
	for (stored, length) in frames {
		made.add(stored.len(), *length, &[7; 32]).unwrap();
		bytes.extend(stored);
	}
	for piece in made.finish() {
		match piece {
			Piece::Bytes(piece) => bytes.extend(piece),
			Piece::Zeros(zeros) => bytes.resize(bytes.len() + zeros as usize, 0),
		}
	}
	bytes
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
	zstd::bulk::compress(bytes, 1).unwrap()
}

#[tokio::test]
async fn a_frame_that_lies_is_refused() {
	let location = Arc::new(Store::default()).at("mem://store/folder");
	let right = zstd(b"123456789");
	let changed = |at: usize, by: u8| {
		let mut changed = right.clone();
		changed[at] ^= by;
		changed
	};
	let skippable = [&0x184d_2a50_u32.to_le_bytes()[..], &[1, 0, 0, 0, 7]].concat();
	for (what, frame) in [
		// A MiB of zeros, and 64 of them, in a few bytes that are said to be nine.
		("a bomb", zstd(&vec![0; FRAME])),
		("a greater bomb", zstd(&vec![0; 64 * FRAME])),
		("too few bytes", zstd(b"12345678")),
		("none", zstd(b"")),
		("one byte too many", zstd(b"1234567890")),
		("two frames", [zstd(b"1234"), zstd(b"56789")].concat()),
		(
			"a skipped frame before it",
			[&skippable[..], &right].concat(),
		),
		(
			"a skipped frame after it",
			[&right[..], &skippable].concat(),
		),
		("only a skipped frame", skippable.clone()),
		("bytes after it", [&right[..], &[0]].concat()),
		("a frame cut short", right[..right.len() - 1].to_vec()),
		("no frame", b"123456789".to_vec()),
		// The magic number of zstd 0.7.
		("an old format", changed(0, 0x28 ^ 0x27)),
		("another header", changed(4, 0xff)),
		("no more than the magic number", right[..4].to_vec()),
	] {
		let stored = [(zstd(&vec![5; FRAME]), FRAME), (frame, 9)];
		let object = crafted(&location, &with_table(&stored)).await;
		let reader = opened(&object, &location).await.unwrap();
		assert_eq!(reader.length(), FRAME as u64 + 9);
		let is_second = |read| {
			matches!(
				read,
				ReadError::Compressed(CompressedError::Frame { frame: 1 })
			)
		};
		let mut out = Vec::new();
		let refused = reader.write_to(&mut out, 0, &mut |_| {}).await;
		assert!(is_second(refused.unwrap_err()), "{what}");
		// What was right before it was written.
		assert!(out == vec![5; FRAME], "{what}");
		let refused = reader.read_range(FRAME as u64 - 1, 2).await;
		assert!(is_second(refused.unwrap_err()), "{what}");
		let first = reader.read_range(FRAME as u64 - 1, 1).await;
		assert_eq!(first.unwrap(), [5], "{what}");
	}
	let stored = [(zstd(&vec![5; FRAME]), FRAME), (right.clone(), 9)];
	let object = crafted(&location, &with_table(&stored)).await;
	let reader = opened(&object, &location).await.unwrap();
	let last = reader.read_range(FRAME as u64 - 1, u64::MAX).await;
	assert_eq!(last.unwrap(), b"\x05123456789");
	// Its hashes are wrong, so nothing that was fetched before counts as right.
	let mut before = vec![5; FRAME];
	before.extend(b"123456789");
	let intact = reader.intact(&mut &before[..], &mut |_| {}).await;
	assert_eq!(intact.unwrap(), 0);
}

#[tokio::test]
async fn what_has_no_table_is_refused() {
	let location = Arc::new(Store::default()).at("mem://store/folder");
	let right = with_table(&[(zstd(b"123456789"), 9)]);
	let mut after = right.clone();
	after.push(0);
	let mut before = right.clone();
	before.insert(0, 0);
	let first = [(noise(2 * CHUNK), CompressedError::NoTable)];
	for (plain, expected) in first.into_iter().chain([
		(Vec::new(), CompressedError::NoTable),
		(b"12345678".to_vec(), CompressedError::NoTable),
		(zstd(b"123456789"), CompressedError::NoTable),
		(after, CompressedError::NoTable),
		(before, CompressedError::Padding { frames: 1 }),
	]) {
		let object = crafted(&location, &plain).await;
		let refused = opened(&object, &location).await.unwrap_err();
		assert!(matches!(refused, ReadError::Compressed(error) if error == expected));
	}
}

#[tokio::test]
async fn a_table_may_be_longer_than_a_chunk() {
	let location = Arc::new(Store::default()).at("mem://store/folder");
	let empty = zstd(&vec![0; FRAME]);
	let end = zstd(b"end");
	// The table of 140,000 frames has 1.07 MiB, so it is in at least two chunks.
	for count in [3, 21_000, 140_000] {
		let mut frames = vec![(empty.clone(), FRAME); count];
		frames.push((end.clone(), 3));
		let object = crafted(&location, &with_table(&frames)).await;
		let reader = opened(&object, &location).await.unwrap();
		assert_eq!(reader.length(), (count * FRAME) as u64 + 3);
		let last = reader.read_range((count * FRAME) as u64 - 1, 9).await;
		assert_eq!(last.unwrap(), b"\0end");
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(32))]

	/// A range is the same bytes of the value, wherever it begins and ends.
	#[test]
	fn a_range_is_those_bytes(
		length in prop::sample::select(vec![0, 1, FRAME, FRAME + 1, 4 * FRAME + 3]),
		is_noise in any::<bool>(),
		ranges in prop::collection::vec((
			0..5 * FRAME as u64,
			prop_oneof![Just(0), Just(1), 0..3 * FRAME as u64, Just(u64::MAX)],
		), 4),
	) {
		let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
		runtime.block_on(async {
			let value = if is_noise { noise(length) } else { lines(length) };
			let location = Arc::new(Store::default()).at("mem://store/folder");
			let object = sent_compressed(&location, &value).await;
			let reader = opened(&object, &location).await.unwrap();
			for (offset, count) in ranges {
				let read = reader.read_range(offset, count).await.unwrap();
				let from = value.len().min(offset as usize);
				let to = value.len().min(offset.saturating_add(count) as usize);
				assert!(read == value[from..to.max(from)]);
			}
		});
	}
}
