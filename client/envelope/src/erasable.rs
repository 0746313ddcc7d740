// SPDX-License-Identifier: Apache-2.0
//! The keys of epochs whose records can be erased, in a file beside the key file. The layout is in `docs/formats.md`.
//!
//! The key tree of such an epoch has a random root, so the seed and its 24 words do not bring it back: only this file
//! opens the epoch's records. When a record is erased, its leaf's key and all keys above it are removed from the file
//! ([`isthmus_keys::erasable`]). From then on no one can open the record, unless a reader was granted its key, or
//! an older copy of this file is kept somewhere together with the seed.
//!
//! The file is encrypted under a key that is derived from the master secret. After each change it is written again, as a
//! whole.

use crate::paths::ShowPath;
use crate::{
	derive::{self, random_bytes, redacted_debug, RandomError, Secret},
	input, key_file,
	newer::{is_newer, NewerFile},
	on_disk, EpochId, EpochRoot, KeySet, LeafKey, MasterSecret, Range, TreeError,
};
use isthmus_keys::ErasableTree;
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use std::{
	collections::{BTreeMap, BTreeSet},
	io::{self, ErrorKind, Read},
	path::{Path, PathBuf},
};
use zeroize::Zeroizing;

mod partly;

pub use partly::PartlyErased;

/// What a file starts with, and the HKDF salt of the key that it is encrypted with.
pub const LABEL: &[u8] = b"isthmus/erasable/v1";
/// What files of all formats begin with, and the number of this one.
const FORMATS: (&str, u32) = ("isthmus/erasable/v", 1);
/// What happens without the file of a newer release.
const LOST: &str =
	"what is stored in erasable epochs cannot be read or granted any more, so keep it";
/// Maximum length of a file in bytes: room for 800,000 erased records, and an end to a file that is none.
pub const MAX_LENGTH: u64 = 1 << 30;
/// Length of the file's salt, which is new each time it is written.
const SALT_LEN: usize = 32;

/// Why the keys of erasable epochs cannot be read, changed or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasableError {
	/// The file is not one of this format, or belongs to another identity, or was changed.
	#[error("{} does not hold this identity's erasable keys, or was changed", .path.shown())]
	DoesNotOpen {
		/// The file.
		path: PathBuf,
	},
	/// A newer release wrote the file.
	#[error(transparent)]
	Newer(#[from] NewerFile),
	/// The file says that the epoch is erasable, and lacks its keys.
	#[error("the keys of epoch {epoch} of dataset {dataset} are not in {}: it is an old copy, or the epoch was started with another one, or without it", .path.shown())]
	Missing {
		/// The dataset.
		dataset: u32,
		/// The epoch.
		epoch: u32,
		/// The file.
		path: PathBuf,
	},
	/// The epoch's keys come from the seed, so they cannot be forgotten.
	#[error("epoch {epoch} of dataset {dataset} is not erasable: its keys come from the seed, which brings them back")]
	NotErasable {
		/// The dataset.
		dataset: u32,
		/// The epoch.
		epoch: u32,
	},
	/// The file would be longer than it may be.
	#[error("{} would be longer than {MAX_LENGTH} bytes: start a new epoch for what is still to be erased", .path.shown())]
	Full {
		/// The file.
		path: PathBuf,
	},
	/// The folder cannot be locked, so that two programs could overwrite what the other one has written.
	#[error("the folder of {} cannot be locked, and keys could be lost: keep the key file on a disk of this machine", .path.shown())]
	NoLock {
		/// The file.
		path: PathBuf,
	},
	/// The identity has no file for such keys.
	#[error("erasable keys are kept beside a key file, and this identity has none")]
	NoFile,
	/// The system provides no randomness.
	#[error(transparent)]
	Random(#[from] RandomError),
	/// The file cannot be read or written.
	#[error("{}: {error}", .path.shown())]
	Io {
		/// The file.
		path: PathBuf,
		/// What happened.
		error: io::Error,
	},
}

/// An epoch's keys, which are either derived from the owner's master secret or kept in a file.
#[derive(Clone, Debug)]
pub enum EpochKeys {
	/// They are derived, whole, and can always be derived again.
	Derived(EpochRoot),
	/// They are what is left after records were erased.
	Erasable(ErasableTree),
}

impl EpochKeys {
	/// Returns the epoch.
	pub fn id(&self) -> &EpochId {
		match self {
			Self::Derived(root) => root.id(),
			Self::Erasable(tree) => tree.id(),
		}
	}

	/// Derives the key of a leaf.
	///
	/// # Errors
	///
	/// Returns [`TreeError::Erased`] if the leaf was erased.
	pub fn leaf_key(&self, leaf: u32) -> Result<LeafKey, TreeError> {
		match self {
			Self::Derived(root) => Ok(root.leaf_key(leaf)),
			Self::Erasable(tree) => tree.leaf_key(leaf),
		}
	}

	/// Derives the keys that open a range and nothing else.
	///
	/// # Errors
	///
	/// Returns [`TreeError::Erased`] if a leaf of the range was erased.
	pub fn key_set(&self, range: Range) -> Result<KeySet, TreeError> {
		match self {
			Self::Derived(root) => Ok(root.key_set(range)),
			Self::Erasable(tree) => tree.key_set(range),
		}
	}

	/// Cuts a range into what [`Self::key_set`] can open and what was erased.
	pub fn cut(&self, range: Range) -> PartlyErased {
		match self {
			Self::Derived(_) => PartlyErased::whole(range),
			Self::Erasable(tree) => PartlyErased::of(tree, range),
		}
	}

	/// Derives the record key under which a folder's file is stored.
	pub fn file_key(&self, folder: &[u8; 32], path: &str) -> [u8; 32] {
		match self {
			Self::Derived(root) => root.file_key(folder, path),
			Self::Erasable(tree) => tree.file_key(folder, path),
		}
	}
}

/// A dataset on a chain: the chain's genesis hash, and the dataset's number.
type Dataset = ([u8; 32], u32);

/// What is in a file.
#[derive(Default)]
struct Contents {
	/// The datasets, each with its first erasable epoch.
	datasets: BTreeMap<Dataset, u32>,
	/// Leaves whose records are being removed, and that are erased when they are.
	doomed: BTreeSet<(Dataset, u32, u32)>,
	/// What is left of each epoch's tree.
	trees: BTreeMap<(Dataset, u32), ErasableTree>,
}

/// The file that holds an identity's erasable keys. Nothing is read or written before it is asked for something.
#[derive(Clone)]
pub struct ErasableFile {
	path: PathBuf,
	owner: [u8; 32],
	secret: Secret,
}

redacted_debug!(ErasableFile);

impl ErasableFile {
	/// Names the file for the key file at this path: the same name, with `.erasable` after it. If the path is a link, this
	/// is the name of the file that it leads to.
	pub fn beside(key_file: &Path, master: &MasterSecret, owner: [u8; 32]) -> Self {
		let prk = derive::extract(LABEL, master.expose_secret());
		Self {
			path: path_beside(key_file),
			owner,
			secret: derive::expand(&prk, &[&owner]),
		}
	}

	/// Returns the file's path.
	pub fn path(&self) -> &Path {
		&self.path
	}

	/// Makes a dataset's epochs from this one on erasable.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be read or written.
	pub fn begin(&self, genesis: [u8; 32], dataset: u32, epoch: u32) -> Result<(), ErasableError> {
		self.change(|contents| {
			let first = contents.datasets.entry((genesis, dataset)).or_insert(epoch);
			*first = epoch.min(*first);
			Ok(())
		})
	}

	/// Returns the first of a dataset's epochs that are erasable; `None` if none is.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be read.
	pub fn first(&self, genesis: [u8; 32], dataset: u32) -> Result<Option<u32>, ErasableError> {
		Ok(self.read()?.datasets.get(&(genesis, dataset)).copied())
	}

	/// Takes back what [`Self::begin`] did, if the dataset or the epoch was not made after all. A dataset for which keys
	/// were drawn stays as it is. If nothing else is in the file, it is removed.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be read or written.
	pub fn end(&self, genesis: [u8; 32], dataset: u32) -> Result<(), ErasableError> {
		let place = (genesis, dataset);
		let is_unused = |contents: &Contents| {
			contents.datasets.contains_key(&place)
				&& !contents.trees.keys().any(|(of, _)| *of == place)
		};
		if !is_unused(&self.read()?) {
			return Ok(());
		}
		self.change(|contents| {
			if is_unused(contents) {
				contents.datasets.remove(&place);
			}
			Ok(())
		})
	}

	/// Makes a dataset's epochs erasable from this one on only, if [`Self::begin`] named an earlier one that was not made after
	/// all. Does nothing if keys of an earlier one were drawn.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be read or written.
	pub fn postpone(
		&self,
		genesis: [u8; 32],
		dataset: u32,
		epoch: u32,
	) -> Result<(), ErasableError> {
		let place = (genesis, dataset);
		let is_early = |contents: &Contents| {
			let mut drawn = contents.trees.keys();
			let is_used = drawn.any(|(of, earlier)| *of == place && *earlier < epoch);
			let first = contents.datasets.get(&place);
			!is_used && first.is_some_and(|first| *first < epoch)
		};
		if !is_early(&self.read()?) {
			return Ok(());
		}
		self.change(|contents| {
			if is_early(contents) {
				contents.datasets.insert(place, epoch);
			}
			Ok(())
		})
	}

	/// Notes leaves whose records are going to be removed, so that they can be erased after an interruption, too.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be read or written.
	pub fn intend(&self, id: &EpochId, leaves: &[u32]) -> Result<(), ErasableError> {
		self.change(|contents| {
			let (dataset, epoch) = place(id);
			let doomed = leaves.iter().map(|leaf| (dataset, epoch, *leaf));
			contents.doomed.extend(doomed);
			Ok(())
		})
	}

	/// Returns the leaves that were noted on a chain, and are not erased.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be read.
	pub fn intended(&self, genesis: [u8; 32]) -> Result<Vec<(EpochId, u32)>, ErasableError> {
		let contents = self.read()?;
		let here = contents.doomed.iter();
		let here = here.filter(|((at, _), ..)| *at == genesis);
		let entry = |((genesis, dataset), epoch, leaf): &(Dataset, u32, u32)| {
			let id = EpochId {
				genesis: *genesis,
				owner: self.owner,
				dataset: *dataset,
				epoch: *epoch,
			};
			(id, *leaf)
		};
		Ok(here.map(entry).collect())
	}

	/// Draws the keys of an epoch that has no records yet. Does nothing if it has keys, or is not erasable.
	///
	/// # Errors
	///
	/// Returns an error if the file cannot be read or written.
	pub fn start(&self, id: &EpochId) -> Result<(), ErasableError> {
		let is_new = |contents: &Contents| {
			contents.is_erasable(id) && !contents.trees.contains_key(&place(id))
		};
		if !is_new(&self.read()?) {
			return Ok(());
		}
		self.change(|contents| {
			// Another program may have drawn them meanwhile.
			if is_new(contents) {
				contents
					.trees
					.insert(place(id), ErasableTree::generate(*id)?);
			}
			Ok(())
		})
	}

	/// Returns an epoch's keys; `None` if the epoch is not erasable.
	///
	/// # Errors
	///
	/// Returns [`ErasableError::Missing`] if it is and its keys are not in the file, and an error if the file cannot be read.
	pub fn keys(&self, id: &EpochId) -> Result<Option<ErasableTree>, ErasableError> {
		let mut contents = self.read()?;
		if !contents.is_erasable(id) {
			return Ok(None);
		}
		match contents.trees.remove(&place(id)) {
			Some(tree) => Ok(Some(tree)),
			None => Err(self.missing(id)),
		}
	}

	/// Erases the keys of leaves, and returns how many of them there were. When this returns, the new file is on disk.
	///
	/// # Errors
	///
	/// Returns [`ErasableError::NotErasable`] and [`ErasableError::Missing`] if there are no such keys, and an error if the
	/// file cannot be read or written. Then nothing is erased.
	pub fn erase(&self, id: &EpochId, leaves: &[u32]) -> Result<usize, ErasableError> {
		self.change(|contents| {
			if !contents.is_erasable(id) {
				return Err(ErasableError::NotErasable {
					dataset: id.dataset,
					epoch: id.epoch,
				});
			}
			let (dataset, epoch) = place(id);
			let tree = contents.trees.get_mut(&(dataset, epoch));
			let tree = tree.ok_or_else(|| self.missing(id))?;
			for leaf in leaves {
				contents.doomed.remove(&(dataset, epoch, *leaf));
			}
			Ok(leaves.iter().filter(|leaf| tree.erase(**leaf)).count())
		})
	}

	/// Returns how many keys [`Self::erase`] would erase, and erases none.
	///
	/// # Errors
	///
	/// Returns [`ErasableError::NotErasable`] and [`ErasableError::Missing`] if there are no such keys, and an error if the
	/// file cannot be read.
	pub fn count(&self, id: &EpochId, leaves: &[u32]) -> Result<usize, ErasableError> {
		let mut tree = self.keys(id)?.ok_or(ErasableError::NotErasable {
			dataset: id.dataset,
			epoch: id.epoch,
		})?;
		// This one is a copy.
		Ok(leaves.iter().filter(|leaf| tree.erase(**leaf)).count())
	}

	fn missing(&self, id: &EpochId) -> ErasableError {
		ErasableError::Missing {
			dataset: id.dataset,
			epoch: id.epoch,
			path: self.path.clone(),
		}
	}

	fn io(&self, error: io::Error) -> ErasableError {
		ErasableError::Io {
			path: self.path.clone(),
			error,
		}
	}

	/// Reads the file. One that does not exist is empty.
	fn read(&self) -> Result<Contents, ErasableError> {
		let file = match input::open(&self.path) {
			Ok(file) => file,
			Err(error) if error.kind() == ErrorKind::NotFound => {
				on_disk::check_absent(&self.path).map_err(|error| self.io(error))?;
				return Ok(Contents::default());
			}
			Err(error) => return Err(self.io(error)),
		};
		let mut bytes = Zeroizing::new(Vec::new());
		let read = file.take(MAX_LENGTH + 1).read_to_end(&mut bytes);
		read.map_err(|error| self.io(error))?;
		let (label, known) = FORMATS;
		if !bytes.starts_with(LABEL) && is_newer(&bytes, label, known) {
			return Err(NewerFile::new(&self.path, LOST).into());
		}
		self.open(&mut bytes).ok_or(ErasableError::DoesNotOpen {
			path: self.path.clone(),
		})
	}

	/// Changes the file, while no other program changes it. A file in which nothing is left is removed.
	fn change<T>(
		&self,
		change: impl FnOnce(&mut Contents) -> Result<T, ErasableError>,
	) -> Result<T, ErasableError> {
		let failed = |error| self.io(error);
		let lock = key_file::lock(&self.path).map_err(failed)?;
		if !lock.is_held() {
			let path = self.path.clone();
			return Err(ErasableError::NoLock { path });
		}
		let mut contents = self.read()?;
		let changed = change(&mut contents)?;
		let path = on_disk::target(&self.path).map_err(failed)?;
		if contents.is_empty() && !self.path.is_symlink() {
			on_disk::remove(&path).map_err(failed)?;
			return Ok(changed);
		}
		let sealed = self.seal(&contents)?;
		if sealed.len() as u64 > MAX_LENGTH {
			return Err(ErasableError::Full { path });
		}
		on_disk::replace_alone(&path, &sealed).map_err(failed)?;
		Ok(changed)
	}

	/// Returns `label ‖ salt ‖ ciphertext`.
	fn seal(&self, contents: &Contents) -> Result<Vec<u8>, ErasableError> {
		let salt = random_bytes()?;
		let mut bytes = contents.to_bytes();
		let tag = self
			.cipher(&salt)
			.seal_in_place_separate_tag(zero_nonce(), self.associated_data(), &mut bytes)
			.expect("the keys of a million records fit into AES-GCM's 64 GiB; qed");
		Ok([LABEL, &salt, &bytes, tag.as_ref()].concat())
	}

	fn open(&self, bytes: &mut [u8]) -> Option<Contents> {
		let rest = bytes.strip_prefix(LABEL)?.len();
		let at = bytes.len() - rest;
		let (salt, sealed) = bytes.get_mut(at..)?.split_first_chunk_mut::<SALT_LEN>()?;
		let cipher = self.cipher(salt);
		let opened = cipher.open_in_place(zero_nonce(), self.associated_data(), sealed);
		Contents::from_bytes(self.owner, opened.ok()?)
	}

	/// Returns the cipher for one version of the file: its key follows from the salt, so it encrypts one plaintext only.
	fn cipher(&self, salt: &[u8; SALT_LEN]) -> LessSafeKey {
		let key = derive::hmac_sha256(&self.secret, salt);
		let key = UnboundKey::new(&AES_256_GCM, &key[..])
			.expect("an AES-256 key has 32 bytes, as this one does; qed");
		LessSafeKey::new(key)
	}

	fn associated_data(&self) -> Aad<Vec<u8>> {
		Aad::from([LABEL, &self.owner].concat())
	}
}

/// Returns the path of the file that a key file, behind all links, has beside it.
pub fn path_beside(key_file: &Path) -> PathBuf {
	let there = on_disk::target(key_file);
	let mut path = there.map_or_else(|_| key_file.into(), PathBuf::into_os_string);
	path.push(".erasable");
	path.into()
}

/// Returns whether a file that begins so has erasable keys, of this release or of a newer one.
pub fn has_keys(start: &[u8]) -> bool {
	let (label, known) = FORMATS;
	start.starts_with(LABEL) || is_newer(start, label, known)
}

/// The key encrypts a single plaintext, so the nonce may be constant.
fn zero_nonce() -> Nonce {
	Nonce::assume_unique_for_key([0; 12])
}

fn place(id: &EpochId) -> (Dataset, u32) {
	((id.genesis, id.dataset), id.epoch)
}

impl Contents {
	fn is_empty(&self) -> bool {
		self.datasets.is_empty() && self.doomed.is_empty() && self.trees.is_empty()
	}

	fn is_erasable(&self, id: &EpochId) -> bool {
		let first = self.datasets.get(&(id.genesis, id.dataset));
		first.is_some_and(|first| id.epoch >= *first)
	}

	/// Returns the number of datasets, each as `genesis ‖ dataset ‖ first epoch`, the number of noted leaves, each as
	/// `genesis ‖ dataset ‖ epoch ‖ leaf`, then for each epoch `genesis ‖ dataset ‖ epoch ‖ length ‖ tree`. Integers are
	/// big-endian, with four bytes.
	fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
		let trees: Vec<_> = self.trees.values().map(ErasableTree::to_bytes).collect();
		// The buffer never grows, so no copy of a key is left behind.
		let length = 8
			+ 40 * self.datasets.len()
			+ 44 * self.doomed.len()
			+ trees.iter().map(|tree| 44 + tree.len()).sum::<usize>();
		let mut bytes = Zeroizing::new(Vec::with_capacity(length));
		bytes.extend_from_slice(&(self.datasets.len() as u32).to_be_bytes());
		for ((genesis, dataset), first) in &self.datasets {
			bytes.extend_from_slice(genesis);
			bytes.extend_from_slice(&dataset.to_be_bytes());
			bytes.extend_from_slice(&first.to_be_bytes());
		}
		bytes.extend_from_slice(&(self.doomed.len() as u32).to_be_bytes());
		for ((genesis, dataset), epoch, leaf) in &self.doomed {
			bytes.extend_from_slice(genesis);
			for number in [dataset, epoch, leaf] {
				bytes.extend_from_slice(&number.to_be_bytes());
			}
		}
		for (((genesis, dataset), epoch), tree) in self.trees.keys().zip(&trees) {
			bytes.extend_from_slice(genesis);
			bytes.extend_from_slice(&dataset.to_be_bytes());
			bytes.extend_from_slice(&epoch.to_be_bytes());
			bytes.extend_from_slice(&(tree.len() as u32).to_be_bytes());
			bytes.extend_from_slice(tree);
		}
		bytes
	}

	fn from_bytes(owner: [u8; 32], bytes: &[u8]) -> Option<Self> {
		let mut contents = Self::default();
		let mut rest = bytes;
		for _ in 0..number(&mut rest)? {
			let genesis = take(&mut rest)?;
			let dataset = number(&mut rest)?;
			contents
				.datasets
				.insert((genesis, dataset), number(&mut rest)?);
		}
		for _ in 0..number(&mut rest)? {
			let dataset = (take(&mut rest)?, number(&mut rest)?);
			let (epoch, leaf) = (number(&mut rest)?, number(&mut rest)?);
			contents.doomed.insert((dataset, epoch, leaf));
		}
		while !rest.is_empty() {
			let id = EpochId {
				genesis: take(&mut rest)?,
				owner,
				dataset: number(&mut rest)?,
				epoch: number(&mut rest)?,
			};
			let length = number(&mut rest)? as usize;
			let (tree, after) = rest.split_at_checked(length)?;
			contents
				.trees
				.insert(place(&id), ErasableTree::from_bytes(id, tree).ok()?);
			rest = after;
		}
		Some(contents)
	}
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
	let (taken, rest) = bytes.split_first_chunk()?;
	*bytes = rest;
	Some(*taken)
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
	take(bytes).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests;
