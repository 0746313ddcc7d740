// SPDX-License-Identifier: Apache-2.0
//! Stores tables that the tasks of a cluster write.

use crate::{
	connection::Connection,
	error::Raised,
	runtime::wait,
	source::{Opened, Source},
	told::Told,
};
use isthmus_sdk::{
	frame::{self, Ended, FrameAsked, Part},
	parse_key, record_key, to_hex, BlockNumber, DatasetId, Epoch, Frame, Leaf, Names,
};
use pyo3::{
	exceptions::{PyLookupError, PyTypeError, PyValueError},
	prelude::*,
	pybacked::PyBackedBytes,
	types::PyBytes,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// The frame that is asked for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct ToPlan {
	name: String,
	dataset: DatasetId,
	leaf: Option<Leaf>,
	parts: u16,
	public_name: bool,
}

/// A frame that is planned.
#[derive(IntoPyObject)]
pub(crate) struct Planned<'py> {
	/// What is not secret of it.
	frame: Bound<'py, PyBytes>,
	/// The keys of its parts' leaves.
	keys: Bound<'py, PyBytes>,
	mark: String,
	leaf: Leaf,
}

/// A frame that is stored.
#[derive(IntoPyObject)]
pub(crate) struct Committed {
	block: BlockNumber,
	key: String,
	dataset: DatasetId,
	epoch: Epoch,
	leaf: Leaf,
	parts: usize,
	size: u64,
	location: String,
	spent: bool,
	left: Option<String>,
}

/// What a frame has left in the store.
#[derive(IntoPyObject)]
pub(crate) struct Leftover {
	mark: String,
	location: String,
	leaf: Leaf,
	parts: u16,
	objects: usize,
	size: u64,
	/// In seconds since 1970.
	modified: u64,
}

/// How a frame that was not committed ended: whether it is on the chain after all, and whether its leaves are spent.
type How = (bool, bool);

fn how(ended: Ended) -> How {
	(ended.is_stored, ended.is_spent)
}

/// Plans a frame.
#[pyfunction]
pub(crate) fn plan_frame<'py>(
	py: Python<'py>,
	connection: &Connection,
	what: ToPlan,
) -> PyResult<Planned<'py>> {
	let called = parse_key(&what.name).map_err(|error| PyValueError::new_err(error.to_string()))?;
	let is_hidden = record_key(&what.name).is_ok() && !what.public_name;
	let told = Told::new(None);
	let (frame, keys) = connection.act(py, &told, async |client, owner| {
		let key = match is_hidden {
			true => Names::new(&client, &owner).key(&called),
			false => called,
		};
		let asked = FrameAsked {
			key,
			dataset: what.dataset,
			leaf: what.leaf,
			parts: what.parts,
		};
		Ok(Frame::plan(&client, &owner, asked).await?)
	})?;
	Ok(Planned {
		frame: PyBytes::new(py, &frame.to_bytes()),
		keys: PyBytes::new(py, &keys.to_bytes()),
		mark: frame.mark(),
		leaf: frame.first(),
	})
}

/// Stores a part of a frame: what a file object has. Needs no connection.
#[pyfunction]
pub(crate) fn store_part<'py>(
	py: Python<'py>,
	frame: &[u8],
	keys: &[u8],
	number: u16,
	source: Py<PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
	let frame = read(frame)?;
	let keys = frame.keys(keys).map_err(Raised::from)?;
	let Opened::Stream(stream, _) = Source::File(source).open()? else {
		return Err(PyTypeError::new_err("a part is what a binary file has"));
	};
	let store = || async move {
		let stored = frame.store_part(&keys, number, stream).await;
		stored.map_err(|error| PyErr::from(Raised::from(error)))
	};
	let part: Part = wait(py, store)?;
	Ok(PyBytes::new(py, &part.to_bytes()))
}

/// Puts a frame on the chain: its parts, with the paths of their files by their numbers.
#[pyfunction]
pub(crate) fn commit_frame(
	py: Python<'_>,
	connection: &Connection,
	frame: &[u8],
	parts: Vec<PyBackedBytes>,
	paths: Vec<String>,
) -> PyResult<Committed> {
	let frame = read(frame)?;
	let parts: Result<Vec<Part>, _> = parts.iter().map(|part| Part::from_bytes(part)).collect();
	let parts = parts.map_err(Raised::from)?;
	let path = |number| {
		let path = paths.get(usize::from(number));
		path.cloned().unwrap_or_default()
	};
	let (told, finalized) = (Told::new(None), connection.is_finalized());
	let stored = connection.act(py, &told, async |client, owner| {
		let stored = frame.commit(&client, &owner, &parts, path, finalized).await;
		Ok(stored?)
	})?;
	Ok(Committed {
		block: stored.done.number(),
		key: to_hex(&stored.place.key.0),
		dataset: stored.place.dataset,
		epoch: stored.place.epoch,
		leaf: frame.first(),
		parts: stored.parts,
		size: stored.bytes,
		location: stored.location,
		spent: stored.is_spent,
		left: stored.left,
	})
}

/// Ends a frame that is not to be committed.
#[pyfunction]
pub(crate) fn abort_frame(py: Python<'_>, connection: &Connection, frame: &[u8]) -> PyResult<How> {
	let frame = read(frame)?;
	let told = Told::new(None);
	connection.act(py, &told, async |client, owner| {
		Ok(how(frame.abort(&client, &owner).await?))
	})
}

/// Returns what frames of a dataset have left at its locations.
#[pyfunction]
pub(crate) fn frames_left(
	py: Python<'_>,
	connection: &Connection,
	dataset: DatasetId,
) -> PyResult<Vec<Leftover>> {
	let told = Told::new(None);
	let left = connection.act(py, &told, async |client, owner| {
		Ok(frame::frames_left(&client, &owner, dataset).await?)
	})?;
	let seconds = |at: SystemTime| {
		let since = at.duration_since(UNIX_EPOCH);
		since.map_or(0, |since| since.as_secs())
	};
	let shown = left.iter().map(|left| {
		let (leaf, parts) = left.leaves();
		Leftover {
			mark: left.mark(),
			location: left.location().to_owned(),
			leaf,
			parts,
			objects: left.objects,
			size: left.bytes,
			modified: seconds(left.modified),
		}
	});
	Ok(shown.collect())
}

/// Gives up what a frame has left, which is named by its mark.
#[pyfunction]
pub(crate) fn give_up_frame(
	py: Python<'_>,
	connection: &Connection,
	dataset: DatasetId,
	mark: &str,
) -> PyResult<How> {
	let told = Told::new(None);
	connection.act(py, &told, async |client, owner| {
		let left = frame::frames_left(&client, &owner, dataset).await?;
		let left = left.iter().find(|left| left.mark() == mark);
		let none =
			|| PyLookupError::new_err(format!("no frame with the mark {mark} left anything"));
		let left = left.ok_or_else(none)?;
		Ok(how(left.give_up(&client, &owner).await?))
	})
}

fn read(frame: &[u8]) -> PyResult<Frame> {
	Ok(Frame::from_bytes(frame).map_err(Raised::from)?)
}
