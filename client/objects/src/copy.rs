// SPDX-License-Identifier: Apache-2.0
//! Copies an object from one location to another, without any key, and proves pieces of a copy.

use crate::{
	check::check,
	failure::Failure,
	location::Location,
	object::{offset, Object},
	parts::blocking,
	patience::{patiently, patiently_joined},
	source::{self, SILENCE},
	tree::{self, Value},
	turns::{none, Left, Turns},
	upload::{part_chunks, IN_FLIGHT},
};
use bytes::Bytes;
use futures::{stream, StreamExt};
use isthmus_envelope::object::SEALED_CHUNK;
use isthmus_storage_proof::{group_of, prove as prove_piece, Proof};
use object_store::{path::Path, ObjectStoreExt};
use std::{fmt, sync::Arc};

/// How many parts are copied at a time, at most.
const AT_ONCE: usize = 4;

/// Why an object was not copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
	/// No other location has the object.
	#[error("{}{}", none(.0), Listed(.0))]
	NoneLeft(Vec<Left>),
	/// The copy cannot be written.
	#[error("{0}")]
	Target(Left),
}

/// Locations that were left.
struct Listed<'a>(&'a [Left]);

impl fmt::Display for Listed<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.0 {
			[] => f.write_str(": the dataset has no other locations"),
			left => left.iter().try_for_each(|left| write!(f, "; {left}")),
		}
	}
}

/// Copies an object from the first of these locations that has it, MiB by MiB, to another location. What it has already
/// stays, if its length and its list are right. A location that fails, or has wrong bytes, is left for the next one.
/// Returns the locations that were left; `None` if there was nothing to copy.
///
/// # Errors
///
/// Returns [`CopyError::NoneLeft`] if no location has the whole object, and [`CopyError::Target`] if the copy cannot be
/// written.
pub async fn copy(
	object: &Object,
	from: &[Location],
	to: &Location,
) -> Result<Option<Vec<Left>>, CopyError> {
	if check(to, object, false, &mut |_| {}).await.is_right() {
		return Ok(None);
	}
	copy_again(object, from, to).await.map(Some)
}

/// Copies an object whatever the other location has of it: for a copy that is damaged. Returns the locations that were left.
///
/// # Errors
///
/// Returns the errors of [`copy`].
pub async fn copy_again(
	object: &Object,
	from: &[Location],
	to: &Location,
) -> Result<Vec<Left>, CopyError> {
	match send(object, from, to).await {
		Err(CopyError::Target(Left { failure, .. })) => {
			let failure = to.why(failure).await;
			Err(CopyError::Target(Left::new(to, failure)))
		}
		sent => sent,
	}
}

/// Sends an object from the first of these locations that has it to another one. Returns the locations that were left.
async fn send(object: &Object, from: &[Location], to: &Location) -> Result<Vec<Left>, CopyError> {
	let sources = Arc::new(Sources {
		object: object.clone(),
		turns: Turns::new(from.to_vec()),
	});
	let values = Arc::new(sources.clone().list().await?);
	let at_target = |failure| CopyError::Target(Left::new(to, failure));
	let (name, chunks) = (object.name(), object.chunks());
	let path = to.path(&name);
	if chunks <= part_of(object) {
		let bytes = sources.chunks(values.clone(), 0, chunks).await?;
		put(to, &path, bytes).await.map_err(at_target)?;
	} else {
		let parts = Arc::clone(to.parts().map_err(at_target)?);
		let id = patiently(0, parts.begin(&path)).await.map_err(at_target)?;
		let sent = send_parts(&sources, &values, to, &path, &id).await;
		if sent.is_err() {
			// Nothing more can be done about a failure.
			let _ = patiently(0, parts.abandon(&path, &id)).await;
		}
		sent?;
	}
	if chunks > 1 {
		let list = tree::list_bytes(&values);
		let written = put(to, &to.list_path(&name), list).await;
		written.map_err(at_target)?;
	}
	Ok(sources.turns.left())
}

/// Copies an object in parts into an upload that has started, and completes it.
async fn send_parts(
	sources: &Arc<Sources>,
	values: &Arc<Vec<Value>>,
	to: &Location,
	path: &Path,
	id: &str,
) -> Result<(), CopyError> {
	let at_target = |failure| CopyError::Target(Left::new(to, failure));
	let parts = to.parts().map_err(at_target)?;
	let object = &sources.object;
	let (chunks, part) = (object.chunks(), part_of(object));
	let at_once = (IN_FLIGHT / (part as usize * SEALED_CHUNK)).clamp(1, AT_ONCE);
	let firsts = (0..chunks).step_by(part as usize).enumerate();
	let mut sent = stream::iter(firsts.map(|(index, first)| {
		let (sources, values, parts) = (sources.clone(), values.clone(), parts.clone());
		let (to, path, id) = (to.clone(), path.clone(), id.to_owned());
		async move {
			let count = part.min(chunks - first);
			let bytes = sources.chunks(values, first, count).await?;
			let size = bytes.len();
			let put = parts.put(&path, &id, index, offset(first), bytes.into());
			let put = patiently(size, put).await;
			put.map_err(|failure| CopyError::Target(Left::new(&to, failure)))
		}
	}))
	.buffered(at_once);
	let mut names = Vec::new();
	while let Some(name) = sent.next().await {
		names.push(name?);
	}
	drop(sent);
	let complete = parts.complete(path, id, names);
	let completed = patiently_joined(object.length(), complete).await;
	completed.map_err(at_target)
}

/// Returns how many chunks a part of an object has.
fn part_of(object: &Object) -> u32 {
	part_chunks(Some(object.header().length())).max(1)
}

/// Proves a piece of an object from what a location has of it.
///
/// # Errors
///
/// Returns what is wrong there. [`Failure::Missing`] if the object has no such piece.
pub async fn prove(location: &Location, object: &Object, piece: u64) -> Result<Proof, Failure> {
	match proven(location, object, piece).await {
		Ok(proof) => Ok(proof),
		Err(failure) => Err(location.why(failure).await),
	}
}

async fn proven(location: &Location, object: &Object, piece: u64) -> Result<Proof, Failure> {
	let chunk = group_of(piece).filter(|chunk| *chunk < object.chunks());
	let chunk = chunk.ok_or(Failure::Missing)?;
	let values = source::list(location, object, SILENCE).await?;
	let bytes = source::chunks(location, object, chunk, 1, SILENCE).await?;
	let object = object.clone();
	let proven = blocking(move || {
		let wrong = source::wrong(&object, &values, chunk, &bytes);
		Ok(match wrong.is_empty() {
			true => prove_piece(piece, &bytes, &values).ok_or(Failure::Missing),
			false => Err(Failure::Wrong(chunk)),
		})
	});
	proven.await?
}

/// Writes a small object in one step.
async fn put(to: &Location, path: &Path, bytes: impl Into<Bytes>) -> Result<(), Failure> {
	to.parts()?;
	let bytes: Bytes = bytes.into();
	let size = bytes.len();
	let put = async {
		let put = to.store().put(path, bytes.into()).await;
		Ok(put.map(|_| ())?)
	};
	patiently(size, put).await
}

/// An object, and the locations that it is copied from.
struct Sources {
	object: Object,
	turns: Turns,
}

impl Sources {
	/// Reads the object's list of chaining values.
	async fn list(self: Arc<Self>) -> Result<Vec<Value>, CopyError> {
		let list = |location: Location| {
			let sources = self.clone();
			async move { source::list(&location, &sources.object, SILENCE).await }
		};
		self.turns.ask(list).await.map_err(CopyError::NoneLeft)
	}

	/// Reads chunks, and checks them.
	async fn chunks(
		self: &Arc<Self>,
		values: Arc<Vec<Value>>,
		first: u32,
		count: u32,
	) -> Result<Vec<u8>, CopyError> {
		let chunks = |location: Location| {
			let (sources, values) = (self.clone(), values.clone());
			async move {
				let read = source::chunks(&location, &sources.object, first, count, SILENCE);
				let bytes = read.await?;
				let checked = blocking(move || {
					let wrong = source::wrong(&sources.object, &values, first, &bytes);
					Ok((wrong.first().copied(), bytes))
				});
				match checked.await? {
					(None, bytes) => Ok(bytes),
					(Some(wrong), _) => Err(Failure::Wrong(wrong)),
				}
			}
		};
		self.turns.ask(chunks).await.map_err(CopyError::NoneLeft)
	}
}
