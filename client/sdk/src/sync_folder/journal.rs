// SPDX-License-Identifier: Apache-2.0
//! Remembers what an interrupted run leaves to the next one: the packs that are at their location and not on the chain
//! yet, so that they are not sent again, and the records that are not needed any more, so that they are removed. A line
//! that is cut short or damaged is ignored: its pack is sent again. One of a newer release is an error, and the file
//! stays as it is.

use crate::{error::Error, file, lock, manifest::content_hash, types::*};
use isthmus_envelope::{
	input,
	newer::{is_other_form, NewerFile},
	on_disk::sync_name,
};
use serde::{Deserialize, Serialize};
use std::{
	fs::File,
	io::{self, ErrorKind, Write},
	path::{Path, PathBuf},
};
use subxt::utils::H256;

/// The maximum length of a journal in bytes: beyond what a folder of 1 TiB needs.
const LONGEST: u64 = 64 << 20;

/// What happens without the journal of a newer release.
const LOST: &str = "what it has sent of the folder is sent again, and stays at its location under leaves that may be used again";

/// A pack that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
	/// The address of its location.
	pub(super) location: String,
	/// The place that it is encrypted for.
	pub(super) place: Place,
	pub(super) object: Object,
}

/// A record of an object that is not needed any more, or will not be once the new list is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unused {
	pub(super) key: RecordKey,
	pub(super) object: Object,
}

/// What the journal has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
	pub(super) sent: Vec<Sent>,
	pub(super) unused: Vec<Unused>,
}

/// An object as the journal has it, with bytes in hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
	key: String,
	header: String,
	length: u64,
	root: String,
	/// Where it was sent to; `None` if its record is to be removed.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	sent: Option<To>,
}

/// Where a pack was sent to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
	location: String,
	dataset: DatasetId,
	epoch: Epoch,
	leaf: Leaf,
}

impl Line {
	fn new(key: &RecordKey, object: &Object, sent: Option<To>) -> Self {
		Self {
			key: hex::encode(key.0),
			header: hex::encode(object.header),
			length: object.length,
			root: hex::encode(object.root.0),
			sent,
		}
	}

	fn of_sent(sent: &Sent) -> Self {
		let Sent {
			location,
			place,
			object,
		} = sent;
		let to = To {
			location: location.clone(),
			dataset: place.dataset,
			epoch: place.epoch,
			leaf: place.leaf,
		};
		Self::new(&place.key, object, Some(to))
	}

	fn of_unused(unused: &Unused) -> Self {
		Self::new(&unused.key, &unused.object, None)
	}

	/// Returns the line's bytes. The line before may be cut short, so it begins with the end of that.
	fn to_bytes(&self) -> Result<Vec<u8>, Error> {
		let mut bytes = serde_json::to_vec(self).map_err(io::Error::from)?;
		bytes.insert(0, b'\n');
		Ok(bytes)
	}
}

/// The journal of a folder.
pub(super) struct Journal(PathBuf);

impl Journal {
	/// Returns the journal of the folder whose list has this key, on the chain with this genesis hash.
	///
	/// # Errors
	///
	/// Returns an error if no folder takes one.
	pub(super) fn of(
		genesis: &[u8; 32],
		owner: &AccountId,
		key: &RecordKey,
	) -> Result<Self, Error> {
		Ok(Self(lock::needed(&name(genesis, owner, key))?))
	}

	/// Returns whether there is one.
	pub(super) fn is_there(&self) -> bool {
		self.0.exists()
	}

	/// Returns what is noted.
	///
	/// # Errors
	///
	/// Returns [`Error::Newer`] if a line is of a newer release, and the error of the file.
	pub(super) fn read(&self) -> Result<Noted, Error> {
		let mut noted = Noted::default();
		for line in self.lines()? {
			match read(line) {
				Some((unused, None)) => noted.unused.push(unused),
				Some((Unused { key, object }, Some(to))) => noted.sent.push(Sent {
					location: to.location,
					place: Place {
						key,
						dataset: to.dataset,
						epoch: to.epoch,
						leaf: to.leaf,
					},
					object,
				}),
				None => {}
			}
		}
		Ok(noted)
	}

	/// Returns for which leaves packs were sent, also where the rest of a line is damaged.
	///
	/// # Errors
	///
	/// Returns the errors of [`read`](Self::read).
	fn leaves(&self) -> Result<Vec<(DatasetId, Epoch, Leaf)>, Error> {
		let sent = self.lines()?.into_iter().filter_map(|line| line.sent);
		Ok(sent.map(|to| (to.dataset, to.epoch, to.leaf)).collect())
	}

	fn lines(&self) -> Result<Vec<Line>, Error> {
		let bytes = file::read(&self.0, LONGEST)
			.map_err(file::named(&self.0))?
			.unwrap_or_default();
		let mut lines = Vec::new();
		for line in bytes.split(|byte| *byte == b'\n') {
			match serde_json::from_slice(line) {
				Ok(line) => lines.push(line),
				Err(error) if is_other_form(&error) => {
					return Err(NewerFile::new(&self.0, LOST).into())
				}
				Err(_) => {}
			}
		}
		Ok(lines)
	}

	/// Notes a pack that was sent.
	pub(super) fn note(&self, sent: &Sent) -> Result<(), Error> {
		self.append(&Line::of_sent(sent).to_bytes()?)
	}

	/// Notes records that are not needed any more.
	pub(super) fn note_unused(&self, unused: &[Unused]) -> Result<(), Error> {
		let mut bytes = Vec::new();
		for unused in unused {
			bytes.extend(Line::of_unused(unused).to_bytes()?);
		}
		self.append(&bytes)
	}

	/// Adds lines. When this returns, they are on the disk: what they name is forgotten elsewhere, or a transaction is sent after
	/// which nothing else names it.
	fn append(&self, bytes: &[u8]) -> Result<(), Error> {
		if bytes.is_empty() {
			return Ok(());
		}
		let mut options = File::options();
		options.create(true).append(true);
		#[cfg(unix)]
		std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
		let is_new = !self.is_there();
		let mut file = input::open_as(&self.0, &mut options).map_err(file::named(&self.0))?;
		file.write_all(bytes)?;
		file.sync_data()?;
		if is_new {
			sync_name(&self.0)?;
		}
		Ok(())
	}

	/// Notes this in place of what was noted before, in one step.
	pub(super) fn replace(&self, noted: &Noted) -> Result<(), Error> {
		if *noted == Noted::default() {
			return self.forget();
		}
		let sent = noted.sent.iter().map(Line::of_sent);
		let mut bytes = Vec::new();
		for line in sent.chain(noted.unused.iter().map(Line::of_unused)) {
			bytes.extend(line.to_bytes()?);
		}
		Ok(file::replace(&self.0, &bytes)?)
	}

	/// Forgets all.
	fn forget(&self) -> Result<(), Error> {
		match std::fs::remove_file(&self.0) {
			Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
			_ => Ok(()),
		}
	}
}

/// Returns for which leaves packs were sent, by the journal of a folder.
///
/// # Errors
///
/// Returns [`Error::Newer`] if a newer release wrote the journal, and the error of the file.
pub(crate) fn leaves_in(journal: &Path) -> Result<Vec<(DatasetId, Epoch, Leaf)>, Error> {
	Journal(journal.to_owned()).leaves()
}

/// Returns the name of a journal's file. The same account may have the same folder on several chains.
fn name(genesis: &[u8; 32], owner: &AccountId, key: &RecordKey) -> String {
	let of = content_hash(&[*genesis, key.0].concat());
	format!("isthmus-{owner}-{}.packs", hex::encode(&of[..8]))
}

/// Reads a line.
fn read(line: Line) -> Option<(Unused, Option<To>)> {
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
	let key = hash(&line.key)?;
	Some((Unused { key, object }, line.sent))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn sent(leaf: Leaf) -> Sent {
		Sent {
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
		}
	}

	fn unused(key: u8) -> Unused {
		Unused {
			key: H256([key; 32]),
			object: sent(0).object,
		}
	}

	#[test]
	fn what_is_noted_is_read_and_a_torn_line_is_not() {
		let folder = tempfile::tempdir().unwrap();
		let journal = Journal(folder.path().join("journal"));
		assert_eq!(journal.read().unwrap(), Noted::default());
		journal.note(&sent(0)).unwrap();
		let length = std::fs::metadata(&journal.0).unwrap().len();
		journal.note(&sent(1)).unwrap();
		let file = File::options().write(true).open(&journal.0).unwrap();
		file.set_len(length + 40).unwrap();
		journal.note(&sent(u32::MAX)).unwrap();
		let noted = journal.read().unwrap();
		assert_eq!(noted.sent, [sent(0), sent(u32::MAX)]);
		journal.replace(&Noted::default()).unwrap();
		journal.replace(&Noted::default()).unwrap();
		assert_eq!(journal.read().unwrap(), Noted::default());
		assert!(!journal.0.exists());
	}

	#[test]
	fn packs_that_were_sent_and_records_to_be_removed_are_told_apart() {
		let folder = tempfile::tempdir().unwrap();
		let journal = Journal(folder.path().join("journal"));
		let mut noted = Noted {
			sent: vec![sent(1)],
			unused: vec![unused(1), unused(2)],
		};
		journal.note(&sent(0)).unwrap();
		journal.replace(&noted).unwrap();
		assert_eq!(journal.read().unwrap(), noted);
		journal.note(&sent(2)).unwrap();
		journal.note_unused(&[unused(3)]).unwrap();
		noted.sent.push(sent(2));
		noted.unused.push(unused(3));
		assert_eq!(journal.read().unwrap(), noted);
	}

	#[test]
	fn a_line_of_a_newer_release_is_an_error_and_stays() {
		let folder = tempfile::tempdir().unwrap();
		let journal = Journal(folder.path().join("journal"));
		journal.note(&sent(0)).unwrap();
		let known = std::fs::read_to_string(&journal.0).unwrap();
		for newer in [
			known.replacen("\"length\"", "\"form\":1,\"length\"", 1),
			known.replacen("\"leaf\"", "\"leaves\":[1],\"leaf\"", 1),
			"\n{\"isthmus-packs\":2}".to_owned(),
		] {
			let text = format!("{known}{newer}");
			std::fs::write(&journal.0, &text).unwrap();
			let refused = journal.read().unwrap_err();
			assert!(
				matches!(&refused, Error::Newer(file) if file.path == journal.0),
				"{newer}"
			);
			assert_eq!(std::fs::read_to_string(&journal.0).unwrap(), text);
		}
		// What a crash leaves is ignored.
		std::fs::write(&journal.0, format!("{known}\n\0\0{}", &known[..30])).unwrap();
		assert_eq!(journal.read().unwrap().sent, [sent(0)]);
	}

	#[test]
	fn each_chain_account_and_list_has_its_own_journal() {
		let (chain, owner, key) = ([1; 32], [2; 32].into(), H256([3; 32]));
		let names = [
			name(&chain, &owner, &key),
			name(&[4; 32], &owner, &key),
			name(&chain, &[4; 32].into(), &key),
			name(&chain, &owner, &H256([4; 32])),
		];
		let different: std::collections::BTreeSet<_> = names.iter().collect();
		assert_eq!(different.len(), names.len());
	}
}
