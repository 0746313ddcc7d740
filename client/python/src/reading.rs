// SPDX-License-Identifier: Apache-2.0
//! A record that is read.

use crate::{
	connection::{account, Connection},
	entries::File,
	error::{raised, NotAuthentic},
	per_process::PerProcess,
	runtime::wait,
};
use isthmus_sdk::{
	listed, names, parse_key, record_key, to_hex, AccountId, DatasetId, FetchError, Handle, Leaf,
	RecordKey,
};
use pyo3::{exceptions::PyFileNotFoundError, prelude::*, types::PyBytes};
use zeroize::Zeroizing;

/// A record that is read. Its bytes are fetched, checked and decrypted when they are asked for.
#[pyclass(frozen, module = "isthmus._native")]
pub(crate) struct Reading {
	connection: Py<Connection>,
	/// What opens the record without an account; `None` if the account may read it.
	handle: Option<Handle>,
	owner: AccountId,
	key: RecordKey,
	hash: [u8; 32],
	/// The value's length in bytes.
	#[pyo3(get)]
	size: u64,
	/// How many bytes are fetched together, from a multiple of this number on.
	#[pyo3(get)]
	chunk_size: u64,
	/// The dataset, and the place in it.
	#[pyo3(get)]
	dataset: DatasetId,
	#[pyo3(get)]
	leaf: Leaf,
	readings: PerProcess<isthmus_sdk::Reading>,
}

#[pymethods]
impl Reading {
	/// Opens a record of an owner, in a dataset if one is given.
	#[new]
	fn new(
		py: Python<'_>,
		connection: Py<Connection>,
		owner: &str,
		dataset: Option<DatasetId>,
		record: &str,
	) -> PyResult<Self> {
		let owner = account(owner)?;
		let called = parse_key(record).map_err(|error| raised(error.into()))?;
		// A key in hexadecimal digits is too long for a name.
		let is_name = record_key(record).is_ok();
		let reading = find_and_open(py, connection.get(), owner, called, is_name)?;
		let place = reading.answer().dataset;
		if dataset.is_some_and(|dataset| dataset != place) {
			let words = format!("the record {record} is in dataset {place}");
			return Err(PyFileNotFoundError::new_err(words));
		}
		Ok(Self::of(connection, None, reading))
	}

	/// Opens a record with the two parts of its handle.
	#[staticmethod]
	fn with_handle(
		py: Python<'_>,
		connection: Py<Connection>,
		entry: &[u8],
		secret: [u8; 32],
	) -> PyResult<Self> {
		let handle = Handle::new(entry, &secret).map_err(|error| raised(error.into()))?;
		let reading = connection.get().ask(py, async |client| {
			isthmus_sdk::Reading::with_handle(&client, &handle).await
		})?;
		Ok(Self::of(connection, Some(handle), reading))
	}

	/// Returns the two parts of the record's handle: what is public, and the secret that opens the record.
	fn handle<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
		let handle = self.here(py)?.handle();
		let (entry, secret) = (handle.entry(), Zeroizing::new(handle.secret()));
		Ok((PyBytes::new(py, &entry), PyBytes::new(py, &secret[..])))
	}

	/// The record's owner.
	#[getter]
	fn owner(&self) -> String {
		self.owner.to_string()
	}

	/// The record's key on the chain.
	#[getter]
	fn key(&self) -> String {
		to_hex(&self.key.0)
	}

	/// The hash of what is stored, in hexadecimal digits.
	#[getter]
	fn content_hash(&self) -> String {
		to_hex(&self.hash)
	}

	/// Returns bytes of the value from an offset on: fewer at its end, and none after it.
	fn read<'py>(
		&self,
		py: Python<'py>,
		offset: u64,
		length: u64,
	) -> PyResult<Bound<'py, PyBytes>> {
		let reading = self.here(py)?;
		let read = || async move { reading.read_range(offset, length).await.map_err(raised) };
		Ok(PyBytes::new(py, &wait(py, read)?))
	}

	/// Returns the folder's files, packed or not; `None` if the record is not a folder.
	fn files(&self, py: Python<'_>) -> PyResult<Option<Vec<File>>> {
		let reading = self.here(py)?;
		let listed = wait(py, || async move {
			listed(reading).await.map_err(|error| match error {
				FetchError::Client(error) => raised(error),
				error => NotAuthentic::new_err(error.to_string()),
			})
		})?;
		Ok(listed.map(|files| files.into_iter().map(File::from).collect()))
	}
}

impl Reading {
	fn of(
		connection: Py<Connection>,
		handle: Option<Handle>,
		reading: isthmus_sdk::Reading,
	) -> Self {
		let (owner, key, hash) = (*reading.owner(), reading.key(), reading.content_hash());
		let (size, chunk_size) = (reading.length(), reading.chunk_size());
		let (dataset, leaf) = (reading.answer().dataset, reading.answer().leaf);
		let readings = PerProcess::new();
		readings.keep(reading);
		Self {
			connection,
			handle,
			owner,
			key,
			hash,
			size,
			chunk_size,
			dataset,
			leaf,
			readings,
		}
	}

	/// Returns this process's reading.
	fn here(&self, py: Python<'_>) -> PyResult<&isthmus_sdk::Reading> {
		if let Some(reading) = self.readings.get() {
			return Ok(reading);
		}
		let connection = self.connection.get();
		let reading = match &self.handle {
			Some(handle) => connection.ask(py, async |client| {
				isthmus_sdk::Reading::with_handle(&client, handle).await
			})?,
			None => open(py, connection, self.owner, self.key)?,
		};
		let replaced = || NotAuthentic::new_err("the record was removed and stored again");
		if reading.content_hash() != self.hash {
			return Err(replaced());
		}
		self.readings.keep(reading).ok_or_else(replaced)
	}
}

/// Finds a record by its name, or takes its key, and opens it.
fn find_and_open(
	py: Python<'_>,
	connection: &Connection,
	owner: AccountId,
	called: RecordKey,
	is_name: bool,
) -> PyResult<isthmus_sdk::Reading> {
	if !is_name {
		return open(py, connection, owner, called);
	}
	let reader = connection.identity()?;
	connection.ask(py, async |client| {
		names::open(&client, reader, &owner, called).await
	})
}

/// Opens a record over this process's connection.
fn open(
	py: Python<'_>,
	connection: &Connection,
	owner: AccountId,
	key: RecordKey,
) -> PyResult<isthmus_sdk::Reading> {
	let reader = connection.identity()?;
	connection.ask(py, async |client| {
		isthmus_sdk::Reading::open(&client, reader, &owner, key).await
	})
}
