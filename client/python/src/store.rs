// SPDX-License-Identifier: Apache-2.0
//! Stores and removes records.

use crate::{
	connection::Connection,
	error::Raised,
	source::{keep_stream, Opened, Source, Value},
	told::{Teller, Told},
};
use isthmus_sdk::{
	names,
	objects::Location,
	parse_key, record_key, sharing, to_hex,
	upload::{location_to_write, Stored as Uploaded, MAX_WHOLE},
	BlockNumber, Client, DatasetId, Epoch, Error, Identity, Leaf, LocalFolder, Names, Payload,
	Place, Record, RecordKey, Removal, Upload, UploadFolder,
};
use pyo3::{exceptions::PyValueError, prelude::*, pybacked::PyBackedBytes};
use std::{io::Read, path::PathBuf, sync::atomic::Ordering};

/// What to store, and where.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct ToStore {
	/// One of these three is there.
	path: Option<PathBuf>,
	content: Option<PyBackedBytes>,
	file: Option<Py<PyAny>>,
	name: Option<String>,
	dataset: Option<DatasetId>,
	leaf: Option<Leaf>,
	/// Whether it is an object; `None` to decide by its length and the dataset's locations.
	object: Option<bool>,
	public_name: bool,
}

/// A record that is stored.
#[derive(IntoPyObject)]
pub(crate) struct Stored {
	block: Option<BlockNumber>,
	name: String,
	key: String,
	dataset: DatasetId,
	epoch: Epoch,
	leaf: Leaf,
	size: u64,
	files: Option<usize>,
	location: Option<String>,
	readers: usize,
	resumed: bool,
}

/// What a record is called, and how it is stored.
struct Settings {
	/// What the record is called, as a key.
	called: RecordKey,
	/// Whether that is a name.
	is_name: bool,
	public_name: bool,
	dataset: Option<DatasetId>,
	leaf: Option<Leaf>,
	object: Option<bool>,
	finalized: bool,
}

/// What was stored.
struct Done {
	stored: Uploaded,
	size: u64,
	files: Option<usize>,
	location: Option<String>,
}

/// Stores a file, a folder, bytes, or what a file object has.
#[pyfunction]
pub(crate) fn store(
	py: Python<'_>,
	connection: &Connection,
	what: ToStore,
	progress: Option<Py<PyAny>>,
) -> PyResult<Stored> {
	let source = match (what.path, what.content, what.file) {
		(Some(path), None, None) => Source::Path(path),
		(None, Some(content), None) => Source::Content(content),
		(None, None, Some(file)) => Source::File(file),
		_ => return Err(PyValueError::new_err("one thing is stored at a time")),
	};
	let missing = "missing name=: what should the record be called?";
	let name = what.name.or_else(|| source.name().map(str::to_owned));
	let name = name.ok_or_else(|| PyValueError::new_err(missing))?;
	let settings = &Settings {
		called: parse_key(&name).map_err(|error| PyValueError::new_err(error.to_string()))?,
		is_name: record_key(&name).is_ok(),
		public_name: what.public_name,
		dataset: what.dataset,
		leaf: what.leaf,
		object: what.object,
		finalized: connection.is_finalized(),
	};
	let opened = py.detach(|| source.open())?;
	let told = Told::new(progress);
	let mut teller = told.teller(py);
	let (done, readers) = connection.act(py, &told, async |client, owner| {
		let done = store_opened(&client, &owner, settings, opened, &mut teller).await?;
		let readers = sharing::readers(&client, owner.id(), &done.stored.place).await?;
		Ok((done, readers))
	})?;
	let place = done.stored.place;
	Ok(Stored {
		block: done.stored.done.now().map(|included| included.number()),
		name,
		key: to_hex(&place.key.0),
		dataset: place.dataset,
		epoch: place.epoch,
		leaf: place.leaf,
		size: done.size,
		files: done.files,
		location: done.location,
		readers,
		resumed: done.stored.resumed,
	})
}

async fn store_opened(
	client: &Client,
	owner: &Identity,
	settings: &Settings,
	opened: Opened,
	teller: &mut Teller,
) -> Result<Done, Raised> {
	let best = client.best().await?;
	let (dataset, _) = best.dataset_of(owner.id(), settings.dataset).await?;
	let fits = match &opened {
		Opened::Folder(_) if settings.object == Some(true) => {
			let words = "a folder is stored in blocks: pack it into a file, and store that";
			return Err(PyValueError::new_err(words).into());
		}
		Opened::Folder(_) => false,
		Opened::One(value) => value.length > MAX_WHOLE,
		Opened::Stream(..) => true,
	};
	let location = match settings.object.unwrap_or(fits) {
		true => match location_to_write(client, owner.id(), dataset).await {
			Err(Error::NoLocation(_)) if settings.object.is_none() => None,
			location => Some(location?),
		},
		false => None,
	};
	if let Some(location) = location {
		return store_object(
			client,
			owner,
			(settings, dataset),
			opened,
			&location,
			teller,
		)
		.await;
	}
	// Reading a stream may take long, so the place is chosen after it.
	let value = match opened {
		Opened::Folder(folder) => {
			return store_folder(client, owner, (settings, dataset), &folder, teller).await
		}
		Opened::One(value) => value,
		Opened::Stream(stream, _) => keep_stream(stream).await?,
	};
	let Value {
		mut bytes,
		length,
		stamp,
	} = value;
	let mut upload = settings.upload(client, owner, dataset).await?;
	if let Some(stamp) = &stamp {
		upload = upload.while_unchanged(stamp);
	}
	if let Some(name) = settings.hidden() {
		upload = upload.named(name);
	}
	Ok(Done {
		stored: upload.ensure(&mut bytes, length, teller).await?,
		size: length,
		files: None,
		location: None,
	})
}

async fn store_folder(
	client: &Client,
	owner: &Identity,
	(settings, dataset): (&Settings, DatasetId),
	folder: &LocalFolder,
	teller: &mut Teller,
) -> Result<Done, Raised> {
	let place = settings.place(client, owner, dataset).await?;
	let upload = UploadFolder::new(client, owner, place).until_finalized(settings.finalized);
	let upload = match settings.leaf {
		Some(_) => upload,
		None => upload.at_free_leaf().in_current_epoch(),
	};
	let upload = match settings.hidden() {
		Some(name) => upload.named(name),
		None => upload,
	};
	let stored = upload.run(folder, teller).await?;
	Ok(Done {
		stored: stored.list,
		size: stored.bytes,
		files: Some(stored.files),
		location: None,
	})
}

async fn store_object(
	client: &Client,
	owner: &Identity,
	(settings, dataset): (&Settings, DatasetId),
	opened: Opened,
	location: &Location,
	teller: &mut Teller,
) -> Result<Done, Raised> {
	let upload = settings.upload(client, owner, dataset).await?;
	let url = Some(location.url().to_owned());
	let before = client
		.best()
		.await?
		.record(owner.id(), settings.key(client, owner))
		.await?;
	let (stored, size) = match opened {
		// What is stored already is compared, and nothing is sent.
		Opened::One(mut value) if before.as_ref().is_some_and(is_complete) => {
			let is_object = |record: &Record| matches!(record.payload, Payload::Object { .. });
			return Ok(Done {
				stored: upload
					.ensure(&mut value.bytes, value.length, teller)
					.await?,
				size: value.length,
				files: None,
				location: url.filter(|_| before.as_ref().is_some_and(is_object)),
			});
		}
		Opened::One(value) => {
			let Value {
				bytes,
				length,
				stamp,
			} = value;
			let upload = match &stamp {
				Some(stamp) => upload.while_unchanged(stamp),
				None => upload,
			};
			let bytes: Box<dyn Read + Send> = Box::new(bytes);
			let sent = upload
				.run_object(location, bytes, Some(length), teller)
				.await;
			(sent, length)
		}
		Opened::Stream(stream, count) => {
			let sent = upload.run_object(location, stream, None, teller).await;
			(sent, count.load(Ordering::Relaxed))
		}
		Opened::Folder(_) => return Err(PyValueError::new_err("a folder is no object").into()),
	};
	Ok(Done {
		stored: stored?,
		size,
		files: None,
		location: url,
	})
}

fn is_complete(record: &Record) -> bool {
	record.payload.is_complete()
}

impl Settings {
	/// Returns the key under which the record is stored.
	fn key(&self, client: &Client, owner: &Identity) -> RecordKey {
		match self.hidden() {
			Some(name) => Names::new(client, owner).key(&name),
			None => self.called,
		}
	}

	/// Returns the name, if the key hides it.
	fn hidden(&self) -> Option<RecordKey> {
		(self.is_name && !self.public_name).then_some(self.called)
	}

	/// Returns where to store the record.
	async fn place(
		&self,
		client: &Client,
		owner: &Identity,
		dataset: DatasetId,
	) -> Result<Place, Error> {
		let best = client.best().await?;
		let (_, entry) = best.dataset_of(owner.id(), Some(dataset)).await?;
		let leaf = match self.leaf {
			Some(leaf) => leaf,
			None => best.free_leaf(owner.id(), dataset, entry.epoch).await?,
		};
		Ok(Place {
			key: self.key(client, owner),
			dataset,
			epoch: entry.epoch,
			leaf,
		})
	}

	/// Prepares to store one value, at the next free leaf unless one was given.
	async fn upload<'a>(
		&self,
		client: &'a Client,
		owner: &'a Identity,
		dataset: DatasetId,
	) -> Result<Upload<'a>, Error> {
		let place = self.place(client, owner, dataset).await?;
		let upload = Upload::new(client, owner, place).until_finalized(self.finalized);
		Ok(match self.leaf {
			Some(_) => upload,
			None => upload.at_free_leaf().in_current_epoch(),
		})
	}
}

/// Removes a record, or a folder with its files. Returns the block, and how many files a folder had.
#[pyfunction]
pub(crate) fn remove(
	py: Python<'_>,
	connection: &Connection,
	name: &str,
	alone: bool,
	progress: Option<Py<PyAny>>,
) -> PyResult<(BlockNumber, Option<usize>)> {
	let called = parse_key(name).map_err(|error| PyValueError::new_err(error.to_string()))?;
	let is_name = record_key(name).is_ok();
	let told = Told::new(progress);
	let mut teller = told.teller(py);
	connection.act(py, &told, async |client, owner| {
		let key = match is_name {
			true => names::find(&client, &owner, owner.id(), called).await?,
			false => called,
		};
		let removal = match alone {
			true => Removal::alone(key),
			false => Removal::find(&client, &owner, key, &mut teller).await?,
		};
		let removed = removal.run(&client, &owner, &mut teller).await?;
		let last = connection.included(removed.last).await?;
		Ok((last.number(), removed.files))
	})
}
