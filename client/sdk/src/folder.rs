// SPDX-License-Identifier: Apache-2.0
//! The list of a folder's files; see [`isthmus_sharing::folder`].

use ring::digest::{Context, SHA256};
use std::io::{self, ErrorKind, Read, Write};

pub use isthmus_sharing::{folder::*, packed};

/// Returns the SHA-256 of all that is left to read, as it is in a folder's list.
///
/// # Errors
///
/// Returns the error of reading.
pub fn content_hash(mut source: impl Read) -> io::Result<[u8; 32]> {
	let mut context = Context::new(&SHA256);
	let mut buffer = vec![0; 1 << 16];
	loop {
		match source.read(&mut buffer) {
			Ok(0) => break,
			Ok(length) => context.update(&buffer[..length]),
			Err(error) if error.kind() == ErrorKind::Interrupted => {}
			Err(error) => return Err(error),
		}
	}
	let mut hash = [0; 32];
	hash.copy_from_slice(context.finish().as_ref());
	Ok(hash)
}

/// Computes [`content_hash`] of what is written through it.
pub(crate) struct Hashed<W> {
	out: W,
	context: Context,
}

impl<W: Write> Hashed<W> {
	pub(crate) fn new(out: W) -> Self {
		let context = Context::new(&SHA256);
		Self { out, context }
	}

	/// Returns the hash of all that was written.
	pub(crate) fn finish(self) -> [u8; 32] {
		let mut hash = [0; 32];
		hash.copy_from_slice(self.context.finish().as_ref());
		hash
	}
}

impl<W: Write> Write for Hashed<W> {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		let written = self.out.write(bytes)?;
		self.context.update(&bytes[..written]);
		Ok(written)
	}

	fn flush(&mut self) -> io::Result<()> {
		self.out.flush()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_is_written_through_is_hashed() {
		let mut out = Vec::new();
		let mut hashed = Hashed::new(&mut out);
		for part in [&b"a"[..], b"", b"bc"] {
			hashed.write_all(part).unwrap();
		}
		assert_eq!(hashed.finish(), content_hash(&b"abc"[..]).unwrap());
		assert_eq!(out, b"abc");
	}

	/// The vectors of FIPS 180-2, appendix B.
	#[test]
	fn a_files_hash_is_sha_256() {
		let hash = |bytes: &[u8]| hex::encode(content_hash(bytes).unwrap());
		let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
		assert_eq!(hash(b"abc"), abc);
		let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
		assert_eq!(hash(&[b'a'; 1_000_000]), million);
	}
}
