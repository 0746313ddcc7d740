// SPDX-License-Identifier: Apache-2.0
//! What is stored already, by another machine or an earlier run: a value is compared with it, and what this machine has started
//! of it is given up. What is not given up now is given up by the next run of the command.

use super::{
	given_up::{give_up, give_up_alone, unfinished},
	stored::{finalized_record, stored_before, streamed_before},
	Stored, Upload,
};
use crate::{
	error::{Error, UploadError},
	progress::Progress,
	types::RecordKey,
};
use std::io::{Read, Seek};

impl Upload<'_> {
	/// Stores a value like [`run`](Self::run), but sends nothing if the record is complete and already
	/// contains this value.
	///
	/// # Errors
	///
	/// Returns [`UploadError::AlreadyStored`] if the record contains another value, and the errors of
	/// [`run`](Self::run).
	pub async fn ensure(
		self,
		source: &mut (impl Read + Seek),
		length: u64,
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		let (client, owner, key) = (self.client, self.owner, self.choice.place.key);
		let finalized = self.finalized;
		match self.run(source, length, progress).await {
			Err(Error::Upload(UploadError::AlreadyStored(_))) => {
				let stored = stored_before(client, owner, key, source, length, progress).await?;
				if finalized {
					finalized_record(client, owner.id(), key).await?;
				}
				if !client.is_dry_run() {
					let _ = give_up(client, owner, &key, false).await;
				}
				Ok(stored)
			}
			stored => stored,
		}
	}

	/// Compares a stream, of which nothing was read yet, with the complete record under the key. The caller holds the
	/// upload's locks.
	///
	/// # Errors
	///
	/// Returns [`UploadError::AlreadyStored`] if the record contains another value.
	pub(super) async fn known_stream(
		self,
		key: RecordKey,
		source: &mut (impl Read + Send),
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		let (client, owner) = (self.client, self.owner);
		let stored = streamed_before(client, owner, key, source, progress).await?;
		if self.finalized {
			finalized_record(client, owner.id(), key).await?;
		}
		if !client.is_dry_run() {
			if let Ok(Some(left)) = unfinished(client, owner.id(), &key) {
				let _ = give_up_alone(client, owner, left, (false, true)).await;
			}
		}
		Ok(stored)
	}
}
