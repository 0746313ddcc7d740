// SPDX-License-Identifier: Apache-2.0
//! What happened: histories, and receipts of events.

use crate::{
	connection::{account, block_hash, Connection},
	error::NotAuthentic,
	told::Told,
};
use isthmus_sdk::{
	history::history,
	names, parse_key,
	receipt::{receipt as make_receipt, EventReceipt, ReceiptError},
	record_key, to_hex,
	trace::{trace as search, trace_known, Happening, Subject},
	AccountId, BlockNumber, DatasetId, Error, Event, Names, Trust,
};
use pyo3::{
	exceptions::{PyLookupError, PyValueError},
	prelude::*,
	types::PyBytes,
};
use std::path::PathBuf;

/// An event: its block, its transaction, and its name and fields in JSON.
type Told3 = (BlockNumber, Option<u32>, String);

/// What is traced.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Traced {
	/// `record`, `dataset`, `reader` or `account`.
	what: String,
	account: String,
	dataset: Option<DatasetId>,
	record: Option<String>,
	first: Option<BlockNumber>,
	last: Option<BlockNumber>,
}

/// Returns the history of a record, a dataset, a reader or an account, and the block that it begins with.
#[pyfunction]
pub(crate) fn trace(
	py: Python<'_>,
	connection: &Connection,
	traced: Traced,
	progress: Option<Py<PyAny>>,
) -> PyResult<(BlockNumber, Vec<Told3>)> {
	let of = account(&traced.account)?;
	let told = Told::new(progress);
	let mut teller = told.teller(py);
	connection.look(py, &told, async |client, identity| {
		let to = match traced.last {
			Some(last) => last,
			None => client.finalized().await?.block().number,
		};
		let mut subjects = subjects(&client, identity, of, &traced).await?.into_iter();
		let mut found = (traced.first.unwrap_or(1), Vec::new());
		// A name that the owner gave may be hidden or public.
		while let (true, Some(subject)) = (found.1.is_empty(), subjects.next()) {
			found = match traced.first {
				Some(first) => (
					first,
					search(&client, &subject, first, to, &mut teller).await?,
				),
				None => trace_known(&client, &subject, to, &mut teller).await?,
			};
		}
		let (since, happenings) = found;
		Ok((since, happenings.iter().map(in_json).collect()))
	})
}

fn in_json(happening: &Happening) -> Told3 {
	let Happening {
		block,
		transaction,
		event,
	} = happening;
	(block.number, *transaction, event.to_json().to_string())
}

/// Returns what may be meant, in the order in which it is looked for.
async fn subjects(
	client: &isthmus_sdk::Client,
	identity: Option<&isthmus_sdk::Identity>,
	of: AccountId,
	traced: &Traced,
) -> Result<Vec<Subject>, crate::error::Raised> {
	let missing = |what: &str| PyValueError::new_err(format!("missing the {what}"));
	Ok(match traced.what.as_str() {
		"record" => {
			let record = traced.record.as_deref().ok_or_else(|| missing("record"))?;
			let called = parse_key(record).map_err(Error::from)?;
			let keys = match identity {
				Some(reader) if record_key(record).is_ok() => match *reader.id() == of {
					true => vec![Names::new(client, reader).key(&called), called],
					false => vec![names::find(client, reader, &of, called).await?],
				},
				_ => vec![called],
			};
			let record = |key| Subject::Record { owner: of, key };
			keys.into_iter().map(record).collect()
		}
		"dataset" => vec![Subject::Dataset {
			owner: of,
			dataset: traced.dataset.ok_or_else(|| missing("dataset"))?,
		}],
		"reader" => vec![Subject::Reader(of)],
		"account" => vec![Subject::Account(of)],
		_ => {
			let expected = "expected record, dataset, reader or account";
			return Err(PyValueError::new_err(expected).into());
		}
	})
}

/// Makes the receipt of an event: its number in the block, the event in JSON, and the receipt.
#[pyfunction]
pub(crate) fn receipt<'py>(
	py: Python<'py>,
	connection: &Connection,
	block: BlockNumber,
	event: Option<u32>,
	progress: Option<Py<PyAny>>,
) -> PyResult<(u32, Told3, Bound<'py, PyBytes>)> {
	let told = Told::new(progress);
	let mut teller = told.teller(py);
	let (number, told, bytes) = connection.look(py, &told, async |client, _| {
		let found = history(&client, None, block, block, &mut teller).await?;
		if found.since > block {
			return Err(Error::HistoryGone { since: found.since }.into());
		}
		let names: Vec<String> = found
			.events
			.iter()
			.map(|event| named(&event.event))
			.collect();
		let several = || {
			let listed: Vec<String> = (0..)
				.zip(&names)
				.map(|(at, name): (u32, _)| format!("{at}: {name}"))
				.collect();
			let listed = listed.join(", ");
			PyValueError::new_err(format!("choose an event of block {block}: {listed}"))
		};
		let none = || {
			PyLookupError::new_err(format!(
				"nothing about shared data happened in block {block}"
			))
		};
		let chosen = match (&found.events[..], event) {
			([], _) => return Err(none().into()),
			([only], None) => only,
			(events, Some(number)) => {
				let chosen = events.iter().find(|event| event.index == number);
				chosen.ok_or_else(several)?
			}
			(_, None) => return Err(several().into()),
		};
		let receipt = make_receipt(&client, chosen).await?.to_bytes();
		let told = in_json(&Happening::from(chosen.clone()));
		Ok((chosen.index, told, receipt))
	})?;
	Ok((number, told, PyBytes::new(py, &bytes)))
}

/// Returns an event's name.
fn named(event: &Event) -> String {
	let json = event.to_json();
	json["event"].as_str().unwrap_or_default().to_owned()
}

/// What a receipt proves.
#[derive(IntoPyObject)]
pub(crate) struct Proved {
	happened: Told3,
	number: u32,
	hash: String,
	genesis: String,
	timestamp: Option<u64>,
	/// Whether the verifiers are development accounts, whose secrets are public.
	development: bool,
}

/// Checks a receipt, without a node.
#[pyfunction]
pub(crate) fn verify(
	py: Python<'_>,
	receipt: &[u8],
	genesis: Option<&str>,
	memory: Option<PathBuf>,
) -> PyResult<Proved> {
	let wrong = |error: ReceiptError| NotAuthentic::new_err(error.to_string());
	let receipt = EventReceipt::read(receipt).map_err(wrong)?;
	let own = receipt.genesis().0;
	let trust = Trust {
		genesis: None,
		memory,
		node: false,
	};
	let genesis = match genesis {
		Some(genesis) => block_hash(genesis)?,
		None if trust.address_of(&own)?.is_some() => own,
		None => {
			let words = format!(
				"the receipt is about a chain that is not known here: it begins with block {}. If that is the right chain, pass genesis=",
				to_hex(&own)
			);
			return Err(PyValueError::new_err(words));
		}
	};
	let proved = py.detach(|| receipt.verify(genesis.into()));
	let proved = proved.map_err(wrong)?;
	let placed = &proved.what;
	let event = Event::from_bytes(&placed.event.event);
	let unknown = "the event has a layout that this release does not know";
	let event = event.ok_or_else(|| PyValueError::new_err(unknown))?;
	Ok(Proved {
		happened: (
			proved.header.number,
			placed.event.transaction,
			event.to_json().to_string(),
		),
		number: placed.index,
		hash: to_hex(proved.header.hash().as_bytes()),
		genesis: to_hex(&genesis),
		timestamp: proved.timestamp(),
		development: proved.is_development,
	})
}
