// SPDX-License-Identifier: Apache-2.0
//! Splits the bytes of a connection into lines of bounded length.

/// The maximum length of a line in bytes. The longest that miners send has about 300.
pub const MAX_LINE: usize = 4096;

/// A line is longer than [`MAX_LINE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line has more than {MAX_LINE} bytes")]
pub struct LineTooLong;

/// The bytes of a line that is not complete yet.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Lines {
	/// Adds bytes that arrived, and returns the lines that they complete, without their ends. Empty lines are
	/// left out.
	///
	/// # Errors
	///
	/// Returns [`LineTooLong`] if a line, complete or not, is too long.
	pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, LineTooLong> {
		let mut lines = Vec::new();
		for part in bytes.split_inclusive(|byte| *byte == b'\n') {
			if self.0.len().saturating_add(part.len()) > MAX_LINE.saturating_add(1) {
				return Err(LineTooLong);
			}
			self.0.extend_from_slice(part);
			if part.ends_with(b"\n") {
				let mut line = std::mem::take(&mut self.0);
				while matches!(line.last(), Some(b'\n' | b'\r')) {
					line.pop();
				}
				if !line.is_empty() {
					lines.push(line);
				}
			}
		}
		if self.0.len() > MAX_LINE {
			return Err(LineTooLong);
		}
		Ok(lines)
	}

	/// Returns whether the beginning of a line has arrived, but not its end.
	pub fn is_partial(&self) -> bool {
		!self.0.is_empty()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn lines_end_with_a_line_feed_and_perhaps_a_carriage_return() {
		let mut lines = Lines::default();
		assert_eq!(lines.push(b"a\r\n\nb").unwrap(), [b"a".to_vec()]);
		assert!(lines.is_partial());
		assert_eq!(lines.push(b"c\n").unwrap(), [b"bc".to_vec()]);
		assert!(!lines.is_partial());
	}

	#[test]
	fn a_line_that_is_too_long_is_refused_with_or_without_its_end() {
		let long = vec![b'x'; MAX_LINE];
		assert!(Lines::default().push(&long).unwrap().is_empty());
		assert_eq!(
			Lines::default().push(&[&long[..], b"x"].concat()),
			Err(LineTooLong)
		);
		assert_eq!(
			Lines::default().push(&[&long[..], b"x\n"].concat()),
			Err(LineTooLong)
		);
		let whole = Lines::default().push(&[&long[..], b"\n"].concat()).unwrap();
		assert_eq!(whole, std::slice::from_ref(&long));
		let mut slow = Lines::default();
		for _ in 0..MAX_LINE {
			slow.push(b"x").unwrap();
		}
		assert_eq!(slow.push(b"x"), Err(LineTooLong));
	}

	proptest! {
		#[test]
		fn lines_do_not_depend_on_how_the_bytes_arrive(
			bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
			cuts in prop::collection::vec(1usize..20, 0..50),
		) {
			let whole = Lines::default().push(&bytes).unwrap();
			let (mut lines, mut parts, mut rest) = (Lines::default(), Vec::new(), &bytes[..]);
			for cut in cuts {
				let (part, after) = rest.split_at(cut.min(rest.len()));
				parts.extend(lines.push(part).unwrap());
				rest = after;
			}
			parts.extend(lines.push(rest).unwrap());
			prop_assert_eq!(parts, whole);
		}
	}
}
