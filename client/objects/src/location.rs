// SPDX-License-Identifier: Apache-2.0
//! Where objects lie: a folder or a bucket, named by a URL, and the store behind it.

use crate::{
	failure::{is_past_end, Failure},
	folder::{self, FolderFault},
	location_error::LocationError,
	object::Object,
	parts::{blocking, LocalParts, Parts},
	patience::patiently,
	settings::Settings,
	stores::{self, Store},
	trouble::{Answers, Trouble},
};
use object_store::{path::Path, GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use std::{path::PathBuf, sync::Arc};
use url::Url;

/// A place where objects lie.
#[derive(Clone)]
pub struct Location {
	url: String,
	store: Arc<dyn ObjectStore>,
	parts: Option<Arc<dyn Parts>>,
	folder: Path,
	answers: Arc<Answers>,
}

impl std::fmt::Debug for Location {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Location({})", self.url)
	}
}

impl Location {
	/// Opens a location with the settings and credentials in this program's environment. Nothing is asked of the store
	/// yet.
	///
	/// # Errors
	///
	/// Returns an error if the URL or the store's settings are wrong.
	pub fn open(url: &str) -> Result<Self, LocationError> {
		Self::open_with(url, &Settings::of_environment())
	}

	/// Opens a location with these settings.
	///
	/// # Errors
	///
	/// Returns an error if the URL or the store's settings are wrong.
	pub fn open_with(url: &str, settings: &Settings) -> Result<Self, LocationError> {
		Self::opened(url, |parsed| stores::open(parsed, settings))
	}

	fn opened(
		url: &str,
		open: impl FnOnce(&Url) -> Result<Store, LocationError>,
	) -> Result<Self, LocationError> {
		let parsed = Url::parse(url).map_err(|_| LocationError::NotAUrl(url.to_owned()))?;
		let has_user = !parsed.username().is_empty() || parsed.password().is_some();
		if has_user || parsed.query().is_some() || parsed.fragment().is_some() {
			return Err(LocationError::Secret);
		}
		let Store {
			store,
			parts,
			folder,
			answers,
		} = open(&parsed)?;
		Ok(Self {
			answers,
			..Self::of(url, store, parts, folder)
		})
	}

	/// Opens a location that anyone may have published: without credentials, in a store that the public reaches, and at no address
	/// of this machine or of its network. Only the region of S3 is taken from this program's environment.
	///
	/// # Errors
	///
	/// Returns [`LocationError::NotPublic`] and [`LocationError::Private`] if it is another one, and the errors of
	/// [`open`](Self::open).
	pub fn open_public(url: &str) -> Result<Self, LocationError> {
		let settings = Settings::of_environment().unsigned();
		Self::opened(url, |parsed| stores::open_public(parsed, &settings))
	}

	/// Makes a location of a store. `parts` takes the parts of large objects; without it, nothing is written there.
	pub fn of(
		url: &str,
		store: Arc<dyn ObjectStore>,
		parts: Option<Arc<dyn Parts>>,
		folder: Path,
	) -> Self {
		let url = url.to_owned();
		Self {
			url,
			store,
			parts,
			folder,
			answers: Arc::default(),
		}
	}

	/// Sets the function that is called when the store has given no proper answer for a while, and is asked again. Only
	/// the first call for a location and its clones has an effect.
	pub fn on_trouble(&self, tell: impl Fn(Trouble) + Send + Sync + 'static) {
		self.answers.on_trouble(tell);
	}

	/// Returns the location's URL. It contains no secrets.
	pub fn url(&self) -> &str {
		&self.url
	}

	/// Returns the folder of this machine that an address names; `None` if it names something else.
	pub fn folder_at(url: &str) -> Option<PathBuf> {
		let url = Url::parse(url).ok()?;
		(url.scheme() == "file").then(|| url.to_file_path().ok())?
	}

	/// Checks that objects can be written there, so that this is known before anything is read for one. Nothing is left
	/// behind.
	///
	/// In a folder of this machine, a file without a name is written. A bucket is asked to begin an object in parts, and
	/// to forget it: for that, credentials need not be allowed to list or to read. What Azure allows is not known before
	/// the first part.
	///
	/// # Errors
	///
	/// Returns why nothing can be written there.
	pub async fn check_writable(&self) -> Result<(), Failure> {
		let parts = self.parts()?;
		match self.looked_at().await {
			// It is made for the first object.
			None | Some(FolderFault::Absent) => patiently(0, parts.check(&self.folder)).await,
			Some(fault) => Err(Failure::Folder(fault)),
		}
	}

	/// Returns whether objects can be written there, as far as this is known without asking.
	pub fn takes_objects(&self) -> bool {
		self.parts.is_some()
	}

	/// Returns what is wrong with the whole of the location, if it is a folder of this machine; `None` if this program can look into
	/// it, and for any other location.
	pub fn fault(&self) -> Option<FolderFault> {
		match self.is_folder() {
			true => folder::fault(&self.folder_path()),
			false => None,
		}
	}

	/// Does the same as [`fault`](Self::fault) on a thread for what waits for a disk. Of a disk that does not answer, nothing is
	/// known.
	pub async fn looked_at(&self) -> Option<FolderFault> {
		if !self.is_folder() {
			return None;
		}
		let location = self.clone();
		let looked = blocking(move || Ok(location.fault()));
		patiently(0, looked).await.ok().flatten()
	}

	/// Returns why something failed here: what is wrong with the whole of the location, if that may be the reason.
	pub(crate) async fn why(&self, failure: Failure) -> Failure {
		use Failure::*;
		// A folder that vanishes takes its unfinished objects along.
		if !matches!(failure, Missing | NoList | Dropped | DeniedFile | File(_)) {
			return failure;
		}
		match (self.looked_at().await, failure) {
			// It cannot be made for the first object.
			(Some(FolderFault::Absent), failure @ (DeniedFile | File(_))) => failure,
			(Some(fault), _) => Folder(fault),
			(None, failure) => failure,
		}
	}

	/// Makes the folder, if it is one of this machine, so that it is known later whether it has vanished.
	///
	/// # Errors
	///
	/// Returns the system's error.
	pub fn make_folder(&self) -> std::io::Result<()> {
		match self.is_folder() {
			true => std::fs::create_dir_all(self.folder_path()),
			false => Ok(()),
		}
	}

	/// Returns whether it is a folder of this machine with nothing in it, as that on which a disk is mounted later.
	pub fn is_empty(&self) -> bool {
		let has_none =
			|folder| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_none());
		self.is_folder() && has_none(self.folder_path())
	}

	fn folder_path(&self) -> PathBuf {
		LocalParts::files(&self.folder).0
	}

	pub(crate) fn store(&self) -> &dyn ObjectStore {
		&*self.store
	}

	pub(crate) fn parts(&self) -> Result<&Arc<dyn Parts>, Failure> {
		self.parts.as_ref().ok_or(Failure::ReadOnly)
	}

	/// Returns the folder of all objects.
	pub(crate) fn folder(&self) -> &Path {
		&self.folder
	}

	/// Returns the path of an object.
	pub(crate) fn path(&self, name: &str) -> Path {
		self.folder.clone().join(name)
	}

	/// Returns the path of an object's list of chaining values.
	pub(crate) fn list_path(&self, name: &str) -> Path {
		self.folder.clone().join(format!("{name}.b3"))
	}

	/// Returns the length of a file in bytes, as the store says. A file is only called missing after a GET, if it is not one of
	/// this machine: some web servers do not know HEAD, and the answer to it has no content that would say why, such as that S3
	/// has no such bucket.
	pub(crate) async fn length(&self, path: &Path) -> Result<u64, Failure> {
		use Failure::*;
		let failure = match self.store.head(path).await.map_err(Failure::from) {
			Ok(meta) => return Ok(meta.size),
			Err(failure) => failure,
		};
		let was_not_answered = matches!(
			failure,
			NoCredentials | Plain | Unreachable | Unresolved | NoTls | Proxy | Certificate(_)
		);
		if self.is_folder() || was_not_answered {
			return Err(failure);
		}
		let options = GetOptions {
			range: Some(GetRange::Bounded(0..1)),
			..GetOptions::default()
		};
		// The rest of an answer with the whole file is not read.
		let got = self.store.get_opts(path, options).await;
		match got {
			Ok(got) => Ok(got.meta.size),
			// A file without bytes has no first one.
			Err(error) if is_past_end(&error) => Ok(0),
			Err(error) => Err(self.meant(error.into())),
		}
	}

	/// Returns what a failure means here.
	pub(crate) fn meant(&self, failure: Failure) -> Failure {
		match self.is_web() {
			true => failure.at_web_server(),
			false => failure,
		}
	}

	/// Deletes an object and its list. Returns whether the object was there.
	///
	/// # Errors
	///
	/// Returns why the store did not delete it. What is in a folder that is not there, as that of a disk that is not mounted, is not
	/// deleted.
	pub async fn delete(&self, object: &Object) -> Result<bool, Failure> {
		match self.looked_at().await {
			Some(fault) => Err(Failure::Folder(fault)),
			None => self.delete_named(&object.name()).await,
		}
	}

	/// Deletes the object with this name and its list, and in a folder what an interrupted program has left of it. Returns whether the
	/// object was there.
	pub(crate) async fn delete_named(&self, name: &str) -> Result<bool, Failure> {
		self.parts()?;
		// The list goes last: while it is there, another attempt finds both.
		let there = match self.has_named(name).await {
			// An account may be allowed to delete, and not to read.
			Err(Failure::Denied) => true,
			there => there?,
		};
		if self.is_folder() {
			self.delete_at(&self.path(&format!("{name}.unfinished")))
				.await?;
		}
		self.delete_at(&self.path(name)).await?;
		self.delete_at(&self.list_path(name)).await?;
		Ok(there)
	}

	/// Returns whether the object with this name is there.
	pub(crate) async fn has_named(&self, name: &str) -> Result<bool, Failure> {
		match patiently(0, self.length(&self.path(name))).await {
			Ok(_) => Ok(true),
			Err(Failure::Missing) => Ok(false),
			Err(failure) => Err(failure),
		}
	}

	/// Returns whether it is a folder of this machine.
	pub(crate) fn is_folder(&self) -> bool {
		self.url.starts_with("file:")
	}

	/// Returns whether it is on a web server.
	pub(crate) fn is_web(&self) -> bool {
		self.url.starts_with("https:") || self.url.starts_with("http:")
	}

	/// Deletes a file, if it is there. Waits as long as for a small object.
	pub(crate) async fn delete_at(&self, path: &Path) -> Result<(), Failure> {
		let delete = async { gone(self.store.delete(path).await) };
		patiently(0, delete).await.map(|_| ())
	}
}

/// Returns whether something was there that an operation needed.
pub(crate) fn gone(done: object_store::Result<()>) -> Result<bool, Failure> {
	match done.map_err(Failure::from) {
		Ok(()) => Ok(true),
		Err(Failure::Missing) => Ok(false),
		Err(failure) => Err(failure),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_folder_that_is_not_there_is_known_from_one_with_nothing_in_it() {
		let folder = tempfile::tempdir().unwrap();
		let at = folder.path().join("a b");
		let url = Url::from_directory_path(&at).unwrap();
		let location = Location::open(url.as_str()).unwrap();
		let state = || (location.fault(), location.is_empty());
		assert_eq!(state(), (Some(FolderFault::Absent), false));
		location.make_folder().unwrap();
		assert_eq!(state(), (None, true));
		std::fs::write(at.join("lost+found"), "").unwrap();
		assert_eq!(state(), (None, false));
		let web = Location::open("https://example.org/a").unwrap();
		web.make_folder().unwrap();
		assert_eq!((web.fault(), web.is_empty()), (None, false));
	}

	#[test]
	fn a_url_with_a_secret_is_refused_without_repeating_it() {
		for url in [
			"https://me:geheim@example.org/data",
			"https://example.org/data?sig=geheim",
			"https://example.org/#geheim",
		] {
			let refused = Location::open(url).unwrap_err();
			assert_eq!(refused, LocationError::Secret);
			assert!(!refused.to_string().contains("geheim"));
		}
	}

	#[test]
	fn a_location_may_be_a_folder_of_this_machine() {
		let folder = Location::folder_at;
		assert_eq!(folder("file:///srv/a%20b"), Some("/srv/a b".into()));
		assert_eq!(folder("https://example.org/srv"), None);
	}

	#[test]
	fn what_is_no_location_is_refused() {
		for url in ["data", "/data", ""] {
			assert!(matches!(
				Location::open(url),
				Err(LocationError::NotAUrl(_))
			));
		}
		assert_eq!(
			Location::open("ftp://example.org/data").unwrap_err(),
			LocationError::Scheme("ftp".into())
		);
	}
}
