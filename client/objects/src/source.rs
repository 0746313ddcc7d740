// SPDX-License-Identifier: Apache-2.0
//! Reads bytes of an object from one location, and checks them.

use crate::{
	failure::Failure,
	location::Location,
	object::{offset, Object},
	parts::blocking,
	patience::SLOWEST,
	tree::{self, Value},
};
use futures::StreamExt;
use isthmus_envelope::object::SEALED_CHUNK;
use object_store::{path::Path, GetOptions, GetRange, GetResultPayload};
use std::{
	future::Future,
	io::{Read, Seek, SeekFrom},
	ops::Range,
	time::Duration,
};

/// How long a store may be silent.
pub const SILENCE: Duration = Duration::from_secs(30);
/// How long it may take until a store sends at that speed.
const STARTING: Duration = Duration::from_secs(10);

/// Returns how long a store may take to send this many bytes, if it may be silent for so long.
fn patience(silence: Duration, bytes: u64) -> Duration {
	silence + STARTING + Duration::from_secs(bytes / SLOWEST)
}

/// Reads a range of a file of the store. Fails if there are fewer bytes, or if they come too slowly.
async fn read(
	location: &Location,
	path: &Path,
	range: Range<u64>,
	silence: Duration,
) -> Result<Vec<u8>, Failure> {
	let patience = patience(silence, range.end - range.start);
	let read = read_all(location, path, range, silence);
	let read = tokio::time::timeout(patience, read).await;
	let read = read.unwrap_or(Err(Failure::Slow(patience)));
	read.map_err(|failure| location.meant(failure))
}

/// Reads a range of a file of the store. Fails if there are fewer bytes.
async fn read_all(
	location: &Location,
	path: &Path,
	range: Range<u64>,
	silence: Duration,
) -> Result<Vec<u8>, Failure> {
	// The caller's ranges are of at most some MiB, or the length of a list.
	let length = (range.end - range.start) as usize;
	let options = GetOptions {
		range: Some(GetRange::Bounded(range)),
		..GetOptions::default()
	};
	let got = within(silence, location.store().get_opts(path, options)).await??;
	let start = got.range.start;
	let bytes = match got.payload {
		GetResultPayload::File(mut file, _) => {
			let read = blocking(move || {
				let mut bytes = vec![0; length];
				file.seek(SeekFrom::Start(start))?;
				file.read_exact(&mut bytes)?;
				Ok(bytes)
			});
			within(silence, read).await??
		}
		GetResultPayload::Stream(mut stream) => {
			let mut bytes = Vec::with_capacity(length);
			while let Some(piece) = within(silence, stream.next()).await? {
				bytes.extend_from_slice(&piece?);
				if bytes.len() > length {
					return Err(Failure::Other);
				}
			}
			bytes
		}
	};
	match bytes.len() == length {
		true => Ok(bytes),
		false => Err(Failure::CutShort),
	}
}

async fn within<T>(silence: Duration, asked: impl Future<Output = T>) -> Result<T, Failure> {
	tokio::time::timeout(silence, asked)
		.await
		.map_err(|_| Failure::Stalled(silence))
}

/// Returns why a file was not read that must have `expected` bytes: the store may have another number of them.
async fn why_not(
	location: &Location,
	path: &Path,
	expected: u64,
	failure: Failure,
	silence: Duration,
) -> Failure {
	// A web server may send a file without bytes as if it knew no ranges.
	if !matches!(failure, Failure::CutShort | Failure::NoRanges) {
		return failure;
	}
	match within(silence, location.length(path)).await {
		Ok(Ok(got)) if got != expected => Failure::Length { expected, got },
		// The connection broke off, or the store does not say.
		_ => failure,
	}
}

/// Reads a file of at most `longest` bytes that lies beside the objects of a location, such as a dataset's card. Nothing
/// is checked but its length: the caller knows its hash.
///
/// # Errors
///
/// Returns why the store did not send it.
pub async fn read_small(location: &Location, name: &str, longest: u64) -> Result<Vec<u8>, Failure> {
	match small(location, name, longest).await {
		Ok(bytes) => Ok(bytes),
		Err(failure) => Err(location.why(failure).await),
	}
}

async fn small(location: &Location, name: &str, longest: u64) -> Result<Vec<u8>, Failure> {
	let path = location.path(name);
	let length = within(SILENCE, location.length(&path)).await??;
	match length {
		0 => Ok(Vec::new()),
		length if length <= longest => read(location, &path, 0..length, SILENCE).await,
		got => Err(Failure::Length {
			expected: longest,
			got,
		}),
	}
}

/// Reads the object's list of chaining values from a location, and checks it against the root.
pub(crate) async fn list(
	location: &Location,
	object: &Object,
	silence: Duration,
) -> Result<Vec<Value>, Failure> {
	if object.chunks() == 1 {
		return Ok(vec![*object.root()]);
	}
	let path = location.list_path(&object.name());
	let length = u64::from(object.chunks()) * 32;
	let bytes = match read(location, &path, 0..length, silence).await {
		Ok(bytes) => bytes,
		Err(Failure::Missing) => return Err(Failure::NoList),
		Err(failure) => {
			let failure = why_not(location, &path, length, failure, silence).await;
			return Err(match failure {
				Failure::Length { .. } => Failure::WrongList,
				failure => failure,
			});
		}
	};
	let (chunks, root) = (object.chunks(), *object.root());
	let values = blocking(move || Ok(tree::read_list(&bytes, chunks, &root)));
	values.await?.ok_or(Failure::WrongList)
}

/// Reads `count` chunks from number `first` on, without checking them.
pub(crate) async fn chunks(
	location: &Location,
	object: &Object,
	first: u32,
	count: u32,
	silence: Duration,
) -> Result<Vec<u8>, Failure> {
	let path = location.path(&object.name());
	let end = offset(first + count).min(object.length());
	let range = offset(first)..end;
	match read(location, &path, range, silence).await {
		Ok(bytes) => Ok(bytes),
		Err(failure) => {
			let length = object.length();
			Err(why_not(location, &path, length, failure, silence).await)
		}
	}
}

/// Returns the numbers of those of these chunks that are wrong.
pub(crate) fn wrong(object: &Object, values: &[Value], first: u32, bytes: &[u8]) -> Vec<u32> {
	let only = object.chunks() == 1;
	let chunks = (first..).zip(bytes.chunks(SEALED_CHUNK));
	let is_wrong = |(number, chunk): &(u32, &[u8])| {
		values.get(*number as usize) != Some(&tree::value(*number, only, chunk))
	};
	let wrong = chunks.filter(is_wrong);
	wrong.map(|(number, _)| number).collect()
}

/// Checks that the store has the object, and that it has the right length.
pub(crate) async fn is_there(
	location: &Location,
	object: &Object,
	silence: Duration,
) -> Result<(), Failure> {
	let path = location.path(&object.name());
	let length = within(silence, location.length(&path)).await??;
	match (object.length(), length) {
		(expected, got) if expected == got => Ok(()),
		(expected, got) => Err(Failure::Length { expected, got }),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_store_may_take_a_second_for_each_32_kib() {
		let seconds = |bytes| patience(SILENCE, bytes).as_secs();
		assert_eq!(
			[seconds(0), seconds(1 << 20), seconds(4 << 20)],
			[40, 72, 168]
		);
	}
}
