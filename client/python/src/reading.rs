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
	folder, is_folder, names, parse_key, record_key, to_hex, AccountId, DatasetId, Error, Leaf,
	RecordKey,
};
use pyo3::{exceptions::PyFileNotFoundError, prelude::*, types::PyBytes};

/// A record that the account may read. Its bytes are fetched, checked and decrypted when they are asked for.
#[pyclass(frozen, module = "isthmus._native")]
pub(crate) struct Reading {
	connection: Py<Connection>,
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
		let (key, reading) = find_and_open(py, connection.get(), owner, called, is_name)?;
		let place = reading.answer();
		if dataset.is_some_and(|dataset| dataset != place.dataset) {
			let words = format!("the record {record} is in dataset {}", place.dataset);
			return Err(PyFileNotFoundError::new_err(words));
		}
		let (dataset, leaf) = (place.dataset, place.leaf);
		let (size, chunk_size) = (reading.length(), reading.chunk_size());
		let hash = reading.content_hash();
		let readings = PerProcess::new();
		readings.keep(reading);
		Ok(Self {
			connection,
			owner,
			key,
			hash,
			size,
			chunk_size,
			dataset,
			leaf,
			readings,
		})
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

	/// Returns the folder's files; `None` if the record is not a folder.
	fn files(&self, py: Python<'_>) -> PyResult<Option<Vec<File>>> {
		let reading = self.here(py)?;
		let listed = wait(py, || async move {
			let is_list = async {
				let is_short = reading.length() <= folder::MAX_LENGTH as u64;
				Ok::<_, Error>(is_short && is_folder(reading).await?)
			};
			if !is_list.await.map_err(raised)? {
				return Ok(None);
			}
			let list = reading.read_range(0, reading.length());
			list.await.map(Some).map_err(raised)
		})?;
		let Some(bytes) = listed else {
			return Ok(None);
		};
		let files = folder::from_bytes(&bytes);
		let files = files.map_err(|error| NotAuthentic::new_err(error.to_string()))?;
		Ok(Some(files.into_iter().map(File::from).collect()))
	}
}

impl Reading {
	/// Returns this process's reading.
	fn here(&self, py: Python<'_>) -> PyResult<&isthmus_sdk::Reading> {
		if let Some(reading) = self.readings.get() {
			return Ok(reading);
		}
		let reading = open(py, self.connection.get(), self.owner, self.key)?;
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
) -> PyResult<(RecordKey, isthmus_sdk::Reading)> {
	if !is_name {
		return Ok((called, open(py, connection, owner, called)?));
	}
	let reader = connection.identity()?;
	connection.ask(py, async |client| {
		let key = names::find(&client, reader, &owner, called).await?;
		let reading = names::open_found(&client, reader, &owner, called, key).await?;
		Ok((key, reading))
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
