// SPDX-License-Identifier: Apache-2.0
//! Remembers the packs that are at their location and not on the chain yet, so that an interrupted run does not send them
//! again. A line that is cut short is ignored, and its pack is sent again.

use crate::{error::Error, file, lock, manifest::content_hash, types::*};
use serde::{Deserialize, Serialize};
use std::{
	fs::File,
	io::{self, ErrorKind, Write},
	path::PathBuf,
};
use subxt::utils::H256;

/// The maximum length of a journal in bytes: beyond what a folder of 1 TiB needs.
const LONGEST: u64 = 64 << 20;

/// A pack that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
	/// The address of its location.
	pub(super) location: String,
	/// The place that it is encrypted for.
	pub(super) place: Place,
	pub(super) object: Object,
}

/// A pack as the journal has it, with bytes in hexadecimal digits.
#[derive(Serialize, Deserialize)]
struct Line {
	location: String,
	key: String,
	dataset: DatasetId,
	epoch: Epoch,
	leaf: Leaf,
	header: String,
	length: u64,
	root: String,
}

/// The journal of a folder.
pub(super) struct Journal(PathBuf);

impl Journal {
	/// Returns the journal of the folder whose list has this key.
	///
	/// # Errors
	///
	/// Returns an error if no folder takes one.
	pub(super) fn of(owner: &AccountId, key: &RecordKey) -> Result<Self, Error> {
		let key = content_hash(&key.0);
		let name = format!("isthmus-{owner}-{}.packs", hex::encode(&key[..8]));
		let none = || io::Error::new(ErrorKind::NotFound, "no folder takes the upload's journal");
		Ok(Self(lock::path(&name).ok_or_else(none)?))
	}

	/// Returns the packs that are noted.
	pub(super) fn read(&self) -> Result<Vec<Sent>, Error> {
		let bytes = file::read(&self.0, LONGEST)?.unwrap_or_default();
		Ok(bytes
			.split(|byte| *byte == b'\n')
			.filter_map(read)
			.collect())
	}

	/// Notes a pack.
	pub(super) fn note(&self, sent: &Sent) -> Result<(), Error> {
		let Sent {
			location,
			place,
			object,
		} = sent;
		let line = Line {
			location: location.clone(),
			key: hex::encode(place.key.0),
			dataset: place.dataset,
			epoch: place.epoch,
			leaf: place.leaf,
			header: hex::encode(object.header),
			length: object.length,
			root: hex::encode(object.root.0),
		};
		let mut bytes = serde_json::to_vec(&line).map_err(io::Error::from)?;
		// The line before may be cut short.
		bytes.insert(0, b'\n');
		let mut options = File::options();
		options.create(true).append(true);
		#[cfg(unix)]
		std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
		Ok(options.open(&self.0)?.write_all(&bytes)?)
	}

	/// Forgets all packs.
	pub(super) fn forget(&self) -> Result<(), Error> {
		match std::fs::remove_file(&self.0) {
			Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
			_ => Ok(()),
		}
	}
}

/// Reads a line.
fn read(line: &[u8]) -> Option<Sent> {
	let line: Line = serde_json::from_slice(line).ok()?;
	let hash = |text: &str| -> Option<H256> {
		let mut hash = [0; 32];
		hex::decode_to_slice(text, &mut hash).ok()?;
		Some(H256(hash))
	};
	let mut object = Object {
		header: [0; isthmus_sharing::object::HEADER_SIZE],
		length: line.length,
		root: hash(&line.root)?,
	};
	hex::decode_to_slice(&line.header, &mut object.header).ok()?;
	Some(Sent {
		location: line.location,
		place: Place {
			key: hash(&line.key)?,
			dataset: line.dataset,
			epoch: line.epoch,
			leaf: line.leaf,
		},
		object,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_is_noted_is_read_and_a_torn_line_is_not() {
		let folder = tempfile::tempdir().unwrap();
		let journal = Journal(folder.path().join("journal"));
		assert!(journal.read().unwrap().is_empty());
		let sent = |leaf| Sent {
			location: "file:///a\nb".into(),
			place: Place {
				key: H256([7; 32]),
				dataset: 1,
				epoch: 2,
				leaf,
			},
			object: Object {
				header: [3; isthmus_sharing::object::HEADER_SIZE],
				length: 4,
				root: H256([5; 32]),
			},
		};
		journal.note(&sent(0)).unwrap();
		let length = std::fs::metadata(&journal.0).unwrap().len();
		journal.note(&sent(1)).unwrap();
		let file = File::options().write(true).open(&journal.0).unwrap();
		file.set_len(length + 40).unwrap();
		journal.note(&sent(u32::MAX)).unwrap();
		assert_eq!(journal.read().unwrap(), [sent(0), sent(u32::MAX)]);
		journal.forget().unwrap();
		journal.forget().unwrap();
		assert!(journal.read().unwrap().is_empty());
	}
}
