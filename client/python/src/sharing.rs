// SPDX-License-Identifier: Apache-2.0
//! What an owner and a reader send to the chain, and what it has of that.

use crate::{
	connection::{account, Connection},
	entries::{Asked, Revoked, Stored},
	error::raised,
	runtime::wait,
};
use isthmus_sdk::{
	every, history::history, parse_key, receipt, revoke as revoke_grant, sharing, trace::trace,
	trace::Subject, Balance, BlockNumber, Call, Client, Condition, DatasetId, Depth, Epoch, Error,
	Event, GrantId, Identity, Included, Leaf, Place, Progress, ProducerKind, RequestId, Scope,
	Seconds, Stage, Stamp, Terms, Upload,
};
use pyo3::{
	exceptions::{PyLookupError, PyValueError},
	prelude::*,
};
use std::{
	fs::File,
	future::Future,
	io::{Cursor, Read, Seek},
	path::PathBuf,
};

/// A range of a dataset's leaves.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Range {
	dataset: DatasetId,
	/// The current one, if it is `None`.
	epoch: Option<Epoch>,
	first: u64,
	end: u64,
}

/// Where a record is stored, and what it is called.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Slot {
	name: String,
	dataset: DatasetId,
	/// The next free one, if it is `None`.
	leaf: Option<Leaf>,
}

/// Registers the account as a producer. Returns the block.
#[pyfunction]
pub(crate) fn register(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	name: &str,
	kind: &str,
) -> PyResult<BlockNumber> {
	let expected = "expected school, government, business or other";
	let kind: ProducerKind = kind.parse().map_err(|_| PyValueError::new_err(expected))?;
	let sent = send(py, connection.get(), async |client, _| client.register(kind, name).await);
	Ok(sent?.number())
}

/// Publishes a key that grants are sealed to which answer no request. Returns the block.
#[pyfunction]
pub(crate) fn publish_key(py: Python<'_>, connection: &Bound<'_, Connection>) -> PyResult<BlockNumber> {
	let sent = send(py, connection.get(), async |client, identity| {
		let pair = identity.encryption.fresh()?;
		client.set_encryption_key(&pair.public_key()).await
	});
	Ok(sent?.number())
}

/// Creates a dataset. Returns its number.
#[pyfunction]
pub(crate) fn create_dataset(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	name: &str,
) -> PyResult<DatasetId> {
	let sent = send(py, connection.get(), async |client, _| client.create_dataset(name).await)?;
	number(&sent, |event| match event {
		Event::DatasetCreated { dataset, .. } => Some(*dataset),
		_ => None,
	})
}

/// Encrypts and stores bytes.
#[pyfunction]
pub(crate) fn store_bytes(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	content: Vec<u8>,
	slot: Slot,
	progress: Option<Py<PyAny>>,
) -> PyResult<Stored> {
	let length = content.len() as u64;
	store(py, connection.get(), (Cursor::new(content), length, None), slot, progress)
}

/// Encrypts and stores a file. Sends nothing if it is written to meanwhile.
#[pyfunction]
pub(crate) fn store_file(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	path: PathBuf,
	slot: Slot,
	progress: Option<Py<PyAny>>,
) -> PyResult<Stored> {
	let file = File::open(path)?;
	let stamp = Stamp::of(&file)?;
	let length = stamp.length();
	store(py, connection.get(), (file, length, Some(stamp)), slot, progress)
}

fn store(
	py: Python<'_>,
	connection: &Connection,
	(mut source, length, stamp): (impl Read + Seek + Send, u64, Option<Stamp>),
	slot: Slot,
	progress: Option<Py<PyAny>>,
) -> PyResult<Stored> {
	let key = parse_key(&slot.name).map_err(|error| raised(error.into()))?;
	let owner = connection.identity()?;
	let mut told = Told(progress);
	let stored = connection.ask(py, async move |client| {
		let best = client.best().await?;
		let dataset = slot.dataset;
		let epoch = current_epoch(&client, owner.id(), dataset).await?;
		let leaf = match slot.leaf {
			Some(leaf) => leaf,
			None => best.free_leaf(owner.id(), dataset, epoch).await?,
		};
		let place = Place {
			key,
			dataset,
			epoch,
			leaf,
		};
		let mut upload = Upload::new(&client, owner, place);
		if slot.leaf.is_none() {
			upload = upload.at_free_leaf().in_current_epoch();
		}
		if let Some(stamp) = &stamp {
			upload = upload.while_unchanged(stamp);
		}
		upload.ensure(&mut source, length, &mut told).await
	})?;
	Ok(Stored::new(&slot_name(&stored.place), length, &stored))
}

fn slot_name(place: &Place) -> String {
	isthmus_sdk::key_name(&place.key)
}

/// Asks an owner for access. Returns the request's number.
#[pyfunction]
#[pyo3(signature = (connection, owner, range, purpose, term, offer, firm))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn request(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	owner: &str,
	range: Range,
	purpose: &str,
	term: BlockNumber,
	offer: Balance,
	firm: bool,
) -> PyResult<RequestId> {
	let owner = account(owner)?;
	let sent = send(py, connection.get(), async |client, identity| {
		let scope = range.scope(client, &owner).await?;
		let key = identity.encryption.fresh()?.public_key();
		client
			.request_access(&owner, scope, purpose, term, offer, firm, &key)
			.await
	})?;
	number(&sent, |event| match event {
		Event::AccessRequested { request, .. } => Some(*request),
		_ => None,
	})
}

/// Returns the open requests to the account, or those that it made.
#[pyfunction]
pub(crate) fn requests(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	mine: bool,
) -> PyResult<Vec<Asked>> {
	let connection = connection.get();
	let identity = connection.identity()?;
	let entries = connection.ask(py, async |client| {
		let best = client.best().await?;
		match mine {
			true => every(|after| best.requests_from(identity.id(), after)).await,
			false => every(|after| best.requests_to(identity.id(), after)).await,
		}
	})?;
	Ok(entries.into_iter().map(Asked::from).collect())
}

/// Grants what a request asks for, once it is final or, if a number is given, that many blocks old. Returns the grant's
/// number.
#[pyfunction]
pub(crate) fn answer(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	request: RequestId,
	confirmations: Option<BlockNumber>,
) -> PyResult<GrantId> {
	let depth = confirmations.map_or(Depth::Final, Depth::Blocks);
	let sent = send(py, connection.get(), async |client, identity| {
		let open = client.best().await?.request(request).await?;
		let open = open.filter(|open| open.owner == *identity.id());
		let open = open.ok_or(Error::RequestGone(request))?;
		sharing::authorize(client, identity, request, &open, depth).await
	})?;
	granted(&sent)
}

/// Grants access without a request. Returns the grant's number.
#[pyfunction]
pub(crate) fn grant(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	reader: &str,
	range: Range,
	term: BlockNumber,
	until: Option<Seconds>,
	condition: Option<&str>,
) -> PyResult<GrantId> {
	let reader = account(reader)?;
	let condition = condition.map(str::parse::<Condition>).transpose();
	let condition = condition.map_err(|error| PyValueError::new_err(error.to_string()))?;
	let sent = send(py, connection.get(), async |client, identity| {
		let best = client.best().await?;
		let terms = Terms {
			grantee: reader,
			scope: range.scope(client, identity.id()).await?,
			expiry: sharing::expiry(&best, term),
			until,
			request: None,
			condition,
		};
		sharing::grant(client, &best, identity, &terms).await
	})?;
	granted(&sent)
}

/// Revokes a grant, and renews those of the dataset's other readers.
#[pyfunction]
pub(crate) fn revoke(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	grant: GrantId,
) -> PyResult<Revoked> {
	let connection = connection.get();
	let owner = connection.identity()?;
	let revocation = connection.ask(py, async |client| revoke_grant(&client, owner, grant).await)?;
	match revocation.renewal {
		Some(sharing::Renewal {
			ended: Some(error), ..
		}) => Err(raised(error)),
		_ => Ok(Revoked::from(&revocation)),
	}
}

/// Returns the proven history of an account, of a dataset or of a record, up to the last finalized block: each event in
/// JSON, with its block.
#[pyfunction]
pub(crate) fn history_of(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	owner: &str,
	dataset: Option<DatasetId>,
	record: Option<&str>,
	from: BlockNumber,
) -> PyResult<Vec<(BlockNumber, String)>> {
	let owner = account(owner)?;
	let record = record.map(parse_key).transpose();
	let record = record.map_err(|error| raised(error.into()))?;
	let subject = match (record, dataset) {
		(Some(key), _) => Subject::Record { owner, key },
		(None, Some(dataset)) => Subject::Dataset { owner, dataset },
		(None, None) => Subject::Account(owner),
	};
	let happenings = connection.get().ask(py, async |client| {
		let to = client.finalized().await?.block().number;
		trace(&client, &subject, from, to, &mut ()).await
	})?;
	let shown = happenings.iter();
	Ok(shown
		.map(|one| (one.block.number, one.event.to_json().to_string()))
		.collect())
}

/// Returns a receipt: bytes that prove an event to anyone, without a node.
#[pyfunction]
pub(crate) fn receipt_of(
	py: Python<'_>,
	connection: &Bound<'_, Connection>,
	block: BlockNumber,
	event: u32,
) -> PyResult<Vec<u8>> {
	let made = connection.get().ask(py, async |client| {
		let found = history(&client, None, block, block, &mut ()).await?;
		let wanted = found.events.into_iter().find(|one| one.index == event);
		match wanted {
			Some(event) => Ok(Some(receipt(&client, &event).await?.to_bytes())),
			None => Ok(None),
		}
	})?;
	made.ok_or_else(|| PyLookupError::new_err(format!("block {block} has no event {event}")))
}

/// Signs and sends the call that `make` makes, and waits for its block.
fn send<Made>(
	py: Python<'_>,
	connection: &Connection,
	make: impl FnOnce(&Client, &Identity) -> Made + Send,
) -> PyResult<Included>
where
	Made: Future<Output = Result<Call, Error>>,
{
	let identity = connection.identity()?;
	wait(py, || async move {
		let client = connection.client().await.map_err(raised)?;
		let call = make(&client, identity).await.map_err(raised)?;
		let sent = client.send(&identity.account, &call).await;
		sent.map_err(raised)
	})
}

/// Returns the number that an event of a transaction gives.
fn number<Number>(
	included: &Included,
	of: impl Fn(&Event) -> Option<Number>,
) -> PyResult<Number> {
	let found = included.events.iter().find_map(of);
	let missing = "the block has no event with the number";
	found.ok_or_else(|| PyLookupError::new_err(missing))
}

fn granted(included: &Included) -> PyResult<GrantId> {
	number(included, |event| event.granted().map(|granted| granted.grant))
}

/// Returns the epoch that a dataset is in.
async fn current_epoch(
	client: &Client,
	owner: &isthmus_sdk::AccountId,
	dataset: DatasetId,
) -> Result<Epoch, Error> {
	let entry = client.best().await?.dataset(owner, dataset).await?;
	let owner = *owner;
	let entry = entry.ok_or(Error::NoSuchDataset { owner, dataset })?;
	Ok(entry.epoch)
}

impl Range {
	/// Returns the range, in the dataset's current epoch if it names none.
	async fn scope(self, client: &Client, owner: &isthmus_sdk::AccountId) -> Result<Scope, Error> {
		let Self {
			dataset,
			epoch,
			first,
			end,
		} = self;
		let epoch = match epoch {
			Some(epoch) => epoch,
			None => current_epoch(client, owner, dataset).await?,
		};
		Ok(Scope {
			dataset,
			epoch,
			from: first,
			to: end,
		})
	}
}

/// A Python function that is told of progress.
struct Told(Option<Py<PyAny>>);

impl Progress for Told {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		let Some(tell) = &self.0 else {
			return;
		};
		let stage = format!("{stage:?}").to_lowercase();
		Python::attach(|py| {
			if let Err(error) = tell.call1(py, (stage, done, total)) {
				error.write_unraisable(py, None);
			}
		});
	}
}
