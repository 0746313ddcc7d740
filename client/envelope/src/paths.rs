// SPDX-License-Identifier: Apache-2.0
//! Shows paths to people.

use std::{fmt, path::Path};

/// Shows a path so that a person finds the file. Bytes that are not UTF-8, which would all look alike, are escaped: `x\xff1`.
/// Backslashes are doubled where a name would look like that: `x\\xff1`.
///
/// ```
/// # #[cfg(unix)] {
/// use isthmus_envelope::paths::ShowPath;
/// use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};
///
/// let path = Path::new(OsStr::from_bytes(b"photos/x\xff1"));
/// assert_eq!(path.shown().to_string(), "photos/x\\xff1");
/// # }
/// ```
pub trait ShowPath {
	/// Returns what shows the path. Control characters are not escaped here.
	fn shown(&self) -> ShownPath<'_>;
}

impl ShowPath for Path {
	fn shown(&self) -> ShownPath<'_> {
		ShownPath(self)
	}
}

/// A path as it is shown: see [`ShowPath`].
#[derive(Clone, Copy, Debug)]
pub struct ShownPath<'a>(&'a Path);

impl fmt::Display for ShownPath<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		for part in self.0.as_os_str().as_encoded_bytes().utf8_chunks() {
			let mut rest = part.valid();
			while let Some(at) = rest.find('\\') {
				let (before, from) = rest.split_at(at);
				let after = from.trim_start_matches('\\');
				let backslashes = &from[..from.len() - after.len()];
				f.write_str(before)?;
				f.write_str(backslashes)?;
				let is_before_byte = after.is_empty() && !part.invalid().is_empty();
				if is_before_byte || is_like_byte(after) {
					f.write_str(backslashes)?;
				}
				rest = after;
			}
			f.write_str(rest)?;
			for byte in part.invalid() {
				write!(f, "\\x{byte:02x}")?;
			}
		}
		Ok(())
	}
}

/// Returns whether a text after a backslash looks like a byte that is escaped.
fn is_like_byte(text: &str) -> bool {
	match text.as_bytes() {
		[b'x', first, second, ..] => first.is_ascii_hexdigit() && second.is_ascii_hexdigit(),
		_ => false,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_path_is_shown_as_it_is() {
		for path in ["", "a/b c", "\u{e9}/\u{fffd}", "a\\b", "\\xfg\\"] {
			assert_eq!(Path::new(path).shown().to_string(), path);
		}
	}

	#[cfg(unix)]
	#[test]
	fn names_that_are_not_utf8_do_not_look_alike() {
		use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
		for (bytes, expected) in [
			(&b"x\xff1"[..], "x\\xff1"),
			(b"x\xfe1", "x\\xfe1"),
			(b"\xc3/\xc3\xa9\xe2\x82", "\\xc3/\u{e9}\\xe2\\x82"),
			(br"x\xff1", r"x\\xff1"),
			(br"x\\xff1", r"x\\\\xff1"),
			(b"x\\\xff1", r"x\\\xff1"),
			(br"\a\xff\", r"\a\\xff\"),
		] {
			let path = Path::new(OsStr::from_bytes(bytes));
			assert_eq!(path.shown().to_string(), expected);
		}
	}
}
