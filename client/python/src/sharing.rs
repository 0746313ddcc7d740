// SPDX-License-Identifier: Apache-2.0
//! What owners and consumers do, besides storing: registering, asking, granting and revoking.

use crate::{
	connection::{account, Connection},
	entries::{Grant, Request},
	error::{raised_by_io, Raised},
	told::Told,
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	authorize as answering,
	conditions::Time,
	envelope::input::{at_most_a_minute, Input},
	every, revoke as revoking,
	sharing::{self, Ask, Given},
	AccountId, Balance, BlockNumber, Call, Client, Condition, DatasetId, Depth, Epoch, Event,
	GrantEntry, GrantId, Identity, LeafNames, LeafQuery, Leaves, ProducerKind, PurposeCode,
	RequestId, Scope, Seconds, Terms, UnknownPurpose,
};
use isthmus_tables::card;
use pyo3::{exceptions::PyValueError, prelude::*};
use std::{
	future::Future,
	io::Read,
	path::{Path, PathBuf},
};

/// Registers the account as a producer.
#[pyfunction]
pub(crate) fn register(
	py: Python<'_>,
	connection: &Connection,
	name: &str,
	kind: &str,
) -> PyResult<BlockNumber> {
	let expected = || PyValueError::new_err("expected school, government, business or other");
	let kind: ProducerKind = kind.parse().map_err(|_| expected())?;
	act(py, connection, async |client, own| {
		let call = client.register(kind, name).await?;
		Ok(connection.send(&client, &own, &call).await?.number())
	})
}

/// Reads a date, which begins at 00:00 UTC, or a time, as conditions and the command do. Returns the seconds since 1970.
#[pyfunction]
pub(crate) fn time(text: &str) -> PyResult<Seconds> {
	let time: Result<Time, _> = text.parse();
	time.map(|Time(seconds)| seconds)
		.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Registers a key to which grants are sealed. Returns the block; `None` if there is one already.
#[pyfunction]
pub(crate) fn publish(py: Python<'_>, connection: &Connection) -> PyResult<Option<BlockNumber>> {
	act(py, connection, async |client, own| {
		let Some(call) = sharing::publish(&client, &own).await? else {
			return Ok(None);
		};
		Ok(Some(connection.send(&client, &own, &call).await?.number()))
	})
}

/// Creates a dataset, and returns its number.
#[pyfunction]
pub(crate) fn create_dataset(
	py: Python<'_>,
	connection: &Connection,
	name: &str,
) -> PyResult<DatasetId> {
	act(py, connection, async |client, own| {
		let call = client.create_dataset(name).await?;
		let events = connection.send(&client, &own, &call).await?.events;
		let number = events.iter().find_map(|event| match event {
			Event::DatasetCreated { dataset, .. } => Some(*dataset),
			_ => None,
		});
		number.ok_or_else(|| no_event("the dataset's number"))
	})
}

/// Publishes where the objects of a dataset are.
#[pyfunction]
pub(crate) fn locate(
	py: Python<'_>,
	connection: &Connection,
	dataset: DatasetId,
	locations: Vec<String>,
) -> PyResult<BlockNumber> {
	act(py, connection, async |client, own| {
		let call = client.set_locations(dataset, &locations).await?;
		Ok(connection.send(&client, &own, &call).await?.number())
	})
}

/// What is asked for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Asked {
	owner: String,
	dataset: Option<DatasetId>,
	epoch: Option<Epoch>,
	leaves: String,
	card: Option<PathBuf>,
	purpose: String,
	code: String,
	term: BlockNumber,
	offer: Balance,
	firm: bool,
}

/// Asks for access, and returns the request.
#[pyfunction]
pub(crate) fn request(py: Python<'_>, connection: &Connection, asked: Asked) -> PyResult<Request> {
	let unknown = |error: UnknownPurpose| PyValueError::new_err(error.to_string());
	let code: PurposeCode = asked.code.parse().map_err(unknown)?;
	let leaves = self::leaves(&asked.leaves)?;
	let card = py.detach(|| asked.card.as_deref().map(read_card).transpose())?;
	let owner = connection.receiver(py, &asked.owner)?;
	act(py, connection, async |client, own| {
		let best = client.best().await?;
		let (dataset, entry) = best.dataset_of(&owner, asked.dataset).await?;
		let names = names(&client, &owner, dataset, card.as_deref()).await?;
		let query = LeafQuery {
			dataset,
			epoch: asked.epoch.unwrap_or(entry.epoch),
			epoch_named: asked.epoch.is_some(),
			leaves: &leaves,
			card: names.as_ref(),
			all_between: false,
		};
		let scope = client.scope(&own, &owner, &query);
		let ask = Ask {
			owner,
			scope: scope.await?,
			purpose: &asked.purpose,
			code,
			term: asked.term,
			offer: asked.offer,
			firm: asked.firm,
		};
		let call = sharing::request(&client, &own, &ask).await?;
		let included = connection.send(&client, &own, &call).await?;
		let number = included.events.iter().find_map(|event| match event {
			Event::AccessRequested { request, .. } => Some(*request),
			_ => None,
		});
		let number = number.ok_or_else(|| no_event("the request's number"))?;
		let state = client.at(included.block.hash).await?;
		let open = every(|after| state.requests_from(own.id(), after)).await?;
		let made = open.into_iter().find(|entry| entry.id == number);
		Ok(Request::from(made.ok_or_else(|| no_event("the request"))?))
	})
}

/// Cancels a request. Returns the first block in which it can no longer be granted, if it can until then.
#[pyfunction]
pub(crate) fn cancel(
	py: Python<'_>,
	connection: &Connection,
	request: RequestId,
) -> PyResult<Option<BlockNumber>> {
	act(py, connection, async |client, own| {
		client.best().await?.request_from(own.id(), request).await?;
		let call = client.cancel_request(request).await?;
		let included = connection.send(&client, &own, &call).await?;
		// With an offer the request stays open for a while, because an answer may be in flight.
		let state = client.at(included.block.hash).await?;
		let open = state.request(request).await?;
		Ok(open.map(|open| open.valid_until))
	})
}

/// Rejects a request.
#[pyfunction]
pub(crate) fn reject(
	py: Python<'_>,
	connection: &Connection,
	request: RequestId,
	reason: &str,
) -> PyResult<BlockNumber> {
	act(py, connection, async |client, own| {
		client.best().await?.request_to(own.id(), request).await?;
		let call = client.reject_request(request, reason).await?;
		Ok(connection.send(&client, &own, &call).await?.number())
	})
}

/// Returns the open requests that the account received, or that it made.
#[pyfunction]
pub(crate) fn requests(
	py: Python<'_>,
	connection: &Connection,
	mine: bool,
) -> PyResult<Vec<Request>> {
	act(py, connection, async |client, own| {
		let best = client.best().await?;
		let open = match mine {
			true => every(|after| best.requests_from(own.id(), after)).await?,
			false => every(|after| best.requests_to(own.id(), after)).await?,
		};
		Ok(open.into_iter().map(Request::from).collect())
	})
}

/// Grants a request exactly as it asks or, with `left`, what is left of a range with erased leaves. Returns the grants.
#[pyfunction]
pub(crate) fn answer(
	py: Python<'_>,
	connection: &Connection,
	request: RequestId,
	confirmations: Option<BlockNumber>,
	left: bool,
) -> PyResult<Vec<Grant>> {
	let depth = confirmations.map_or(Depth::Final, Depth::Blocks);
	act(py, connection, async |client, own| {
		let open = client.best().await?.request_to(own.id(), request).await?;
		let given = match left {
			true => sharing::authorize_left(&client, &own, request, &open, depth).await?,
			false => Given::from(answering(&client, &own, request, &open, depth).await?),
		};
		granted(connection, &client, &own, &given.call).await
	})
}

/// The terms of a grant that no one asked for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Offered {
	reader: String,
	dataset: Option<DatasetId>,
	epoch: Option<Epoch>,
	leaves: String,
	card: Option<PathBuf>,
	all_between: bool,
	term: BlockNumber,
	until: Option<Seconds>,
	when: Option<String>,
	/// Whether to grant what is left of a range with erased leaves.
	left: bool,
}

/// Grants access that no one asked for, and returns the grants.
#[pyfunction]
pub(crate) fn authorize(
	py: Python<'_>,
	connection: &Connection,
	offered: Offered,
) -> PyResult<Vec<Grant>> {
	let grantee = connection.receiver(py, &offered.reader)?;
	let condition = offered.when.as_deref().map(condition).transpose()?;
	let leaves = self::leaves(&offered.leaves)?;
	let card = py.detach(|| offered.card.as_deref().map(read_card).transpose())?;
	act(py, connection, async |client, own| {
		let best = client.best().await?;
		let (dataset, entry) = best.dataset_of(own.id(), offered.dataset).await?;
		let names = names(&client, own.id(), dataset, card.as_deref()).await?;
		let query = LeafQuery {
			dataset,
			epoch: offered.epoch.unwrap_or(entry.epoch),
			epoch_named: offered.epoch.is_some(),
			leaves: &leaves,
			card: names.as_ref(),
			all_between: offered.all_between,
		};
		let scope = client.scope(&own, own.id(), &query);
		let terms = Terms {
			grantee,
			scope: scope.await?,
			expiry: sharing::expiry(&best, offered.term),
			until: offered.until,
			request: None,
			condition: condition.clone(),
		};
		let given = match offered.left {
			true => sharing::grant_left(&client, &best, &own, &terms).await?,
			false => Given::from(sharing::grant(&client, &best, &own, &terms).await?),
		};
		granted(connection, &client, &own, &given.call).await
	})
}

/// Sends a call that gives grants, and returns them.
async fn granted(
	connection: &Connection,
	client: &Client,
	own: &Identity,
	call: &Call,
) -> Result<Vec<Grant>, Raised> {
	let included = connection.send(client, own, call).await?;
	let state = client.at(included.block.hash).await?;
	let mut grants = Vec::new();
	for granted in included.events.iter().filter_map(Event::granted) {
		let id = granted.grant;
		let grant = state.grant(id).await?;
		let grant = grant.ok_or_else(|| no_event("the grant"))?;
		grants.push(Grant::from(GrantEntry { id, grant }));
	}
	match grants.is_empty() {
		true => Err(no_event("the grant")),
		false => Ok(grants),
	}
}

/// A grant that was revoked.
#[derive(IntoPyObject)]
pub(crate) struct Revoked {
	block: Option<BlockNumber>,
	grant: GrantId,
	reader: String,
	refunded: Balance,
	epoch: Option<Epoch>,
	renewed: Vec<GrantId>,
	/// The readers whose grants were not renewed, and why.
	skipped: Vec<(String, String)>,
	left: Vec<GrantId>,
	overtaken: bool,
	/// What stopped the renewal of the other readers' grants.
	stopped: Option<String>,
}

/// Revokes a grant, and renews the grants of the other readers.
#[pyfunction]
pub(crate) fn revoke(py: Python<'_>, connection: &Connection, grant: GrantId) -> PyResult<Revoked> {
	act(py, connection, async |client, own| {
		let done = revoking(&client, &own, grant).await?;
		let refunded = done.refunded();
		if let Some(last) = done.last {
			connection.included(last).await?;
		}
		let (epoch, renewed, skipped, stopped) = match done.renewal {
			Some(renewal) => (
				Some(renewal.epoch),
				renewal.renewed,
				renewal.skipped,
				renewal.ended,
			),
			None => (None, Vec::new(), Vec::new(), None),
		};
		let skipped = skipped.iter();
		Ok(Revoked {
			block: done.included.map(|included| included.number()),
			grant,
			reader: done.grant.grantee.to_string(),
			refunded,
			epoch,
			renewed: renewed.iter().map(|(id, _)| *id).collect(),
			skipped: skipped
				.map(|(terms, error)| (terms.grantee.to_string(), error.to_string()))
				.collect(),
			left: done.left,
			overtaken: done.overtaken,
			stopped: stopped.map(|error| error.to_string()),
		})
	})
}

/// Leaves, and the card that may have names for them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Placed {
	owner: String,
	dataset: DatasetId,
	epoch: Epoch,
	first: u64,
	end: u64,
	card: PathBuf,
}

/// Returns what a dataset's card calls leaves, as they may be asked for; `None` if it has no names for them.
#[pyfunction]
pub(crate) fn called(
	py: Python<'_>,
	connection: &Connection,
	placed: Placed,
) -> PyResult<Option<String>> {
	let owner = account(&placed.owner)?;
	let text = py.detach(|| read_card(&placed.card))?;
	let scope = Scope {
		dataset: placed.dataset,
		epoch: placed.epoch,
		from: placed.first,
		to: placed.end,
	};
	connection.look(py, &Told::new(None), async |client, _| {
		let names = names(&client, &owner, scope.dataset, Some(&text)).await?;
		Ok(names.and_then(|names| names.text(&scope)))
	})
}

/// Does something that tells of no progress.
fn act<Value: Send, Acted: Future<Output = Result<Value, Raised>>>(
	py: Python<'_>,
	connection: &Connection,
	act: impl FnOnce(Client, Identity) -> Acted + Send,
) -> PyResult<Value> {
	connection.act(py, &Told::new(None), act)
}

/// The longest card, in bytes.
const LONGEST: u64 = 256 << 10;

fn leaves(text: &str) -> PyResult<Leaves> {
	let read = text.parse::<Leaves>();
	read.map_err(|error| PyValueError::new_err(format!("{error}: {text:?}")))
}

/// Reads a card.
fn read_card(path: &Path) -> PyResult<Vec<u8>> {
	let mut text = Vec::new();
	let file = Input::open(path, at_most_a_minute);
	let read = file.and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text));
	read.map_err(|error| raised_by_io(path, &error))?;
	match text.len() as u64 <= LONGEST {
		true => Ok(text),
		false => Err(PyValueError::new_err(format!(
			"{} is too long to be a card",
			path.shown()
		))),
	}
}

/// Returns the names of leaves in a dataset's card, if one is passed, after its hash was compared with the chain's.
async fn names(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
	card: Option<&[u8]>,
) -> Result<Option<LeafNames>, Raised> {
	let Some(text) = card else {
		return Ok(None);
	};
	let said = card::read(text, &owner.to_string(), dataset);
	let said = said.map_err(|error| PyValueError::new_err(error.to_string()))?;
	client.check_card(owner, dataset, text).await?;
	Ok(Some(LeafNames {
		names: said.leaves,
		epoch: said.epoch,
	}))
}

fn condition(text: &str) -> PyResult<Condition> {
	let read = text.parse::<Condition>();
	read.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// This does not happen on a chain of this release.
fn no_event(of: &str) -> Raised {
	let words = format!("the block does not tell {of}");
	isthmus_sdk::Error::Incompatible(words).into()
}
