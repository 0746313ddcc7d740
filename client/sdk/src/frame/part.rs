// SPDX-License-Identifier: Apache-2.0
//! Stores a part of a frame, where a task runs: with the frame's keys, and without an account or a node.

use super::{Frame, FrameError, Part};
use crate::{error::Error, types::*};
use isthmus_envelope::{KeySet, LeafKey};
use isthmus_objects::{give_up, Location, Mark, Sent, Upload, Whole};
use ring::digest::{Context, SHA256};
use std::{
	io::{self, Read},
	sync::{Arc, Mutex, PoisonError},
};
use subxt::utils::H256;

impl Frame {
	/// Stores a part: all that `source` has, which need not be the same at another attempt. Each attempt is an object with a
	/// salt, and so a name and a key, of its own. An attempt that fails has the store forget what it sent, if it can.
	///
	/// # Errors
	///
	/// Returns [`FrameError::NoSuchPart`] if no leaf was planned for the part, [`FrameError::Empty`] if the source has nothing,
	/// [`FrameError::Location`] if this program cannot use the frame's location, and [`Error::Sending`] if the store or the
	/// source fails.
	pub async fn store_part(
		&self,
		keys: &KeySet,
		number: u16,
		source: impl Read + Send + 'static,
	) -> Result<Part, FrameError> {
		let place = self.place(number)?;
		let leaf = keys.leaf_key(place.leaf).map_err(Error::from)?;
		let location = Location::open(&self.leaves.location)?;
		let (object, hash) = self.send(&location, &place, &leaf, source).await?;
		if object.header().length() == 0 {
			// What cannot be deleted now is deleted with the mark.
			let _ = location.delete(&object).await;
			return Err(FrameError::Empty(number));
		}
		Ok(Part {
			number,
			object: entry(&object),
			hash,
		})
	}

	/// Sends an object under the frame's mark, and returns it with the SHA-256 of the value. Nothing of it is left on this
	/// machine: an attempt that was interrupted is not resumed.
	pub(super) async fn send(
		&self,
		location: &Location,
		place: &Place,
		leaf: &LeafKey,
		source: impl Read + Send + 'static,
	) -> Result<(isthmus_objects::Object, [u8; 32]), FrameError> {
		let mark: &Mark = &self.leaves.mark;
		let folder = tempfile::tempdir().map_err(Error::from)?;
		let journal = folder.path().join("journal");
		let context = self.context(place.key);
		let hash = Arc::new(Mutex::new(Context::new(&SHA256)));
		let source = Hashed(source, hash.clone());
		let upload = Upload::new(location, leaf, &context, &journal).marked(mark);
		match upload.run(source, None, &mut |_| {}).await {
			Ok(Sent { object, .. }) => {
				let context = hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
				let mut hash = [0; 32];
				hash.copy_from_slice(context.finish().as_ref());
				Ok((object, hash))
			}
			Err(error) => {
				// What cannot be deleted is found by its mark when the frame is given up.
				let _ = give_up(&journal, Some(location), Whole::Deleted).await;
				Err(error.into())
			}
		}
	}
}

/// Returns an object's entry for the chain.
pub(super) fn entry(object: &isthmus_objects::Object) -> Object {
	Object {
		header: object.header().to_bytes(),
		length: object.length(),
		root: H256(*object.root()),
	}
}

/// Computes the SHA-256 of what is read.
struct Hashed<R>(R, Arc<Mutex<Context>>);

impl<R: Read> Read for Hashed<R> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let got = self.0.read(space)?;
		let mut hash = self.1.lock().unwrap_or_else(PoisonError::into_inner);
		hash.update(&space[..got]);
		Ok(got)
	}
}
