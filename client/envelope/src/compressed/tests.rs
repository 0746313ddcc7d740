// SPDX-License-Identifier: Apache-2.0
//! Tables that are right, and tables that lie.

use super::*;
use proptest::prelude::*;

/// Returns the compressed length of frames of these lengths, and its table.
fn table(frames: &[(usize, usize)]) -> (u64, Vec<u8>) {
	let mut made = Frames::default();
	for (stored, length) in frames {
		made.add(*stored, *length, &[7; HASH_LEN]).unwrap();
	}
	let end = frames.iter().map(|(stored, _)| *stored as u64).sum::<u64>();
	let pieces = made.finish();
	let lengths = pieces.iter().map(|piece| match piece {
		Piece::Bytes(bytes) => bytes.len() as u64,
		Piece::Zeros(zeros) => *zeros,
	});
	let total = end + lengths.sum::<u64>();
	let Some(Piece::Bytes(table)) = pieces.last() else {
		panic!("the table is the last piece");
	};
	(total, table.clone())
}

/// Each is the next length of which only the first ⌊log₂ ⌊log₂ L⌋⌋ + 2 binary digits may be other than zero.
#[test]
fn padded_lengths() {
	for (length, expected) in [
		(0, 0),
		(1, 1),
		(2, 2),
		(7, 7),
		(8, 8),
		(9, 10),
		(15, 16),
		(16, 16),
		(17, 18),
		(99, 104),
		(1000, 1024),
		(1025, 1088),
		(1 << 20, 1 << 20),
		((1 << 20) + 1, (1 << 20) + (1 << 15)),
		((1 << 40) - 1, 1 << 40),
		(u64::MAX, !((1 << 57) - 1)),
	] {
		assert_eq!(padded(length), expected, "{length}");
	}
}

proptest! {
	#[test]
	fn padding_adds_little_and_leaves_few_digits(length in 2u64..1 << 41) {
		let padded = padded(length);
		prop_assert!(padded >= length && padded - length <= length * 12 / 100);
		prop_assert_eq!(super::padded(padded), padded);
		let exponent = length.ilog2();
		let zeros = exponent - (exponent.ilog2() + 1);
		prop_assert_eq!(padded % (1 << zeros), 0);
		prop_assert!(padded - length < 1 << zeros);
	}

	#[test]
	fn a_table_is_read_as_it_was_made(
		stored in prop::collection::vec(1..=MAX_STORED, 0..40),
		last in 1..=FRAME,
	) {
		let count = stored.len();
		let of = |at: usize| if at + 1 == count { last } else { FRAME };
		// A frame that does not shrink grows by little.
		let grown = |at| of(at) + MAX_STORED - FRAME;
		let frames: Vec<_> =
			stored.iter().enumerate().map(|(at, stored)| (*stored.min(&grown(at)), of(at))).collect();
		let (total, bytes) = table(&frames);
		prop_assert_eq!(padded(total), total);
		prop_assert_eq!(Table::len_in(&bytes, total), Ok(bytes.len()));
		let read = Table::read(&bytes, total).unwrap();
		let length: usize = frames.iter().map(|(_, length)| length).sum();
		prop_assert_eq!((read.frames() as usize, read.length()), (count, length as u64));
		prop_assert!(total <= bound(length as u64));
		let mut at = 0;
		for (number, (stored, length)) in (0..).zip(&frames) {
			let next = at + *stored as u64;
			prop_assert_eq!(read.stored(number..number + 1), at..next);
			prop_assert_eq!(read.frame_len(number), *length);
			at = next;
		}
		prop_assert_eq!(read.stored(0..read.frames()), 0..at);
		prop_assert_eq!(read.frame_len(read.frames()), 0);
		prop_assert_eq!(read.stored(count as u32 + 1..u32::MAX), at..at);
		let hashes = at + SKIPPED_LEN as u64;
		prop_assert_eq!(read.hashes(), hashes..hashes + (count * HASH_LEN) as u64);
	}
}

/// The longest value needs padding of more than 2^32 bytes, so of several frames.
#[test]
fn the_longest_value_has_a_table() {
	let frames = vec![(MAX_STORED, FRAME); (MAX_FRAMES - 1) as usize];
	for frames in [&frames[..1 << 19], &frames[..]] {
		let (total, bytes) = table(frames);
		let read = Table::read(&bytes, total).unwrap();
		assert_eq!(read.frames() as usize, frames.len());
		assert_eq!(padded(total), total);
		assert!(total <= bound(read.length()));
	}
	let mut made = Frames {
		count: MAX_FRAMES,
		..Frames::default()
	};
	let refused = made.add(9, 9, &[7; HASH_LEN]);
	let got = MAX_FRAMES + 1;
	assert_eq!(refused, Err(CompressedError::TooManyFrames { got }));
	for (stored, length) in [(MAX_STORED + 1, FRAME), (9, FRAME + 1)] {
		let refused = Frames::default().add(stored, length, &[7; HASH_LEN]);
		let (stored, length) = (stored as u32, length as u32);
		let frame = 0;
		let expected = CompressedError::FrameLength {
			frame,
			stored,
			length,
		};
		assert_eq!(refused, Err(expected));
	}
}

/// Makes the table of three frames, changes it, and returns what is wrong with it.
fn changed(change: impl FnOnce(&mut Vec<u8>, &mut u64)) -> CompressedError {
	let (mut total, mut bytes) = table(&[(500, FRAME), (600, FRAME), (70, 9)]);
	change(&mut bytes, &mut total);
	Table::read(&bytes, total).unwrap_err()
}

/// Sets a field of the entry with this number.
fn set(at: usize, field: usize, value: u32) -> impl FnOnce(&mut Vec<u8>, &mut u64) {
	move |bytes, _| {
		let at = SKIPPED_LEN + at * ENTRY_LEN + field * 4;
		bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
	}
}

#[test]
fn a_table_that_lies_is_refused() {
	use CompressedError::*;
	let (stored, length) = (0, 1);
	let of = |frame, stored, length| FrameLength {
		frame,
		stored,
		length,
	};
	let (most, frame) = (MAX_STORED as u32 + 1, FRAME as u32);
	for (got, expected) in [
		// The value's frames: too long, too short, empty, beyond a frame.
		(changed(set(0, stored, most)), of(0, most, frame)),
		(changed(set(1, stored, u32::MAX)), of(1, u32::MAX, frame)),
		(changed(set(1, stored, 0)), of(1, 0, frame)),
		(changed(set(1, length, frame - 1)), of(1, 600, frame - 1)),
		(changed(set(1, length, frame + 1)), of(1, 600, frame + 1)),
		(changed(set(2, length, frame + 1)), of(2, 70, frame + 1)),
		(changed(set(2, length, u32::MAX)), of(2, 70, u32::MAX)),
		// Frames that overlap what follows, or leave a gap, or are not said to be the value's.
		(changed(set(2, stored, 71)), Padding { frames: 3 }),
		(changed(set(0, stored, 1)), Padding { frames: 3 }),
		(changed(set(2, length, 0)), Padding { frames: 2 }),
		(changed(set(0, length, 0)), Padding { frames: 0 }),
		(changed(set(3, stored, 9)), Padding { frames: 3 }),
		(changed(set(4, stored, u32::MAX)), Padding { frames: 3 }),
		(changed(set(4, length, 9)), Padding { frames: 3 }),
		// More bytes, or fewer, than the frames need.
		(changed(|_, total| *total += 1), Padding { frames: 3 }),
		(changed(|_, total| *total -= 1), Padding { frames: 3 }),
		(changed(|_, total| *total = u64::MAX), Padding { frames: 3 }),
		// What is not a table.
		(changed(|bytes, _| bytes[0] ^= 1), NoTable),
		(changed(|bytes, _| bytes[4] ^= 1), NoTable),
		(changed(|bytes, _| bytes.push(0)), NoTable),
		(changed(|bytes, _| bytes.insert(0, 0)), NoTable),
		(changed(|bytes, _| bytes.truncate(bytes.len() - 1)), NoTable),
		(changed(|bytes, _| bytes.clear()), NoTable),
		(changed(|bytes, _| bytes.truncate(FOOTER_LEN)), NoTable),
	] {
		assert_eq!(got, expected);
	}
}

#[test]
fn a_footer_that_lies_is_refused_before_the_table_is_fetched() {
	use CompressedError::*;
	let (total, bytes) = table(&[(500, FRAME), (70, 9)]);
	let footer = bytes.len() - FOOTER_LEN;
	assert_eq!(Table::len_in(&bytes[footer..], total), Ok(bytes.len()));
	for got in [MAX_ENTRIES, MAX_ENTRIES + 1, u32::MAX, 900] {
		let mut end = bytes[footer..].to_vec();
		end[..4].copy_from_slice(&got.to_le_bytes());
		assert_eq!(Table::len_in(&end, total), Err(TooManyFrames { got }));
	}
	let mut end = bytes[footer..].to_vec();
	end[..4].copy_from_slice(&MAX_ENTRIES.to_le_bytes());
	let most = SKIPPED_LEN + FOOTER_LEN + MAX_ENTRIES as usize * ENTRY_LEN;
	assert_eq!(Table::len_in(&end, u64::MAX), Ok(most));
	for got in [1, 0x80, 0xff] {
		let mut end = bytes[footer..].to_vec();
		end[4] = got;
		assert_eq!(Table::len_in(&end, total), Err(UnknownKind { got }));
	}
	for short in 0..FOOTER_LEN {
		let end = &bytes[bytes.len() - short..];
		assert_eq!(Table::len_in(end, total), Err(NoTable));
	}
}

proptest! {
	/// Whatever the bytes are, what is read of them stays within the compressed value.
	#[test]
	fn no_table_leads_out_of_the_value(
		noise in prop::collection::vec((0usize..80, any::<u8>()), 0..4),
		total in prop_oneof![Just(None), any::<u64>().prop_map(Some), (0u64..4096).prop_map(Some)],
	) {
		let (right, mut bytes) = table(&[(500, FRAME), (600, FRAME), (70, 9)]);
		let length = bytes.len();
		for (at, value) in noise {
			bytes[at % length] = value;
		}
		let total = total.unwrap_or(right);
		if let Ok(table) = Table::read(&bytes, total) {
			prop_assert!(table.hashes().end <= total);
			prop_assert!(table.stored(0..table.frames()).end <= total);
			prop_assert!(table.length() <= u64::from(table.frames()) * FRAME as u64);
		}
	}
}
