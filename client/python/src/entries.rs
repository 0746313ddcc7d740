// SPDX-License-Identifier: Apache-2.0
//! Entries of the chain's state as Python dictionaries. Amounts are in the currency's smallest unit.

use isthmus_sdk::{
	key_name, to_hex, Balance, BlockNumber, DatasetEntry, DatasetId, Epoch, GrantEntry, GrantId,
	Leaf, Listed, RecordEntry, RequestEntry, RequestId, Scope, Seconds,
};
use pyo3::prelude::*;

/// A dataset.
#[derive(IntoPyObject)]
pub(crate) struct Dataset {
	number: DatasetId,
	name: String,
	epoch: Epoch,
	grants: u64,
	requests: u64,
	price: Option<Balance>,
	condition: Option<String>,
}

impl From<DatasetEntry> for Dataset {
	fn from(entry: DatasetEntry) -> Self {
		let DatasetEntry {
			id,
			dataset,
			policy,
			condition,
			..
		} = entry;
		Self {
			number: id,
			name: dataset.name.to_string(),
			epoch: dataset.epoch,
			grants: dataset.grants,
			requests: dataset.requests,
			price: policy.map(|policy| policy.price),
			condition: condition.map(|condition| condition.to_string()),
		}
	}
}

/// A record.
#[derive(IntoPyObject)]
pub(crate) struct Record {
	name: String,
	key: String,
	dataset: DatasetId,
	epoch: Epoch,
	leaf: Leaf,
	encrypted_size: u64,
	complete: bool,
	block: BlockNumber,
}

impl Record {
	/// Returns a record with the name that its key hides, if that is known.
	pub(crate) fn of(entry: RecordEntry, name: Option<String>) -> Self {
		let RecordEntry { key, record } = entry;
		let (_, block) = record.payload.blocks();
		Self {
			name: name.unwrap_or_else(|| key_name(&key)),
			key: to_hex(&key.0),
			dataset: record.dataset,
			epoch: record.epoch,
			leaf: record.leaf,
			encrypted_size: record.payload.length(),
			complete: record.payload.is_complete(),
			block,
		}
	}
}

/// A grant.
#[derive(IntoPyObject)]
pub(crate) struct Grant {
	number: GrantId,
	owner: String,
	reader: String,
	state: String,
	dataset: DatasetId,
	epoch: Epoch,
	first: u64,
	end: u64,
	expiry: BlockNumber,
	until: Option<Seconds>,
	paid: Balance,
	code: &'static str,
	condition: Option<String>,
}

impl From<GrantEntry> for Grant {
	fn from(entry: GrantEntry) -> Self {
		let GrantEntry { id, grant } = entry;
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = grant.scope;
		Self {
			number: id,
			owner: grant.owner.to_string(),
			reader: grant.grantee.to_string(),
			state: format!("{:?}", grant.state).to_lowercase(),
			dataset,
			epoch,
			first: from,
			end: to,
			expiry: grant.expiry,
			until: grant.until,
			paid: grant.paid,
			code: grant.code.name(),
			condition: grant
				.condition
				.map(|attached| attached.condition.to_string()),
		}
	}
}

/// An open request.
#[derive(IntoPyObject)]
pub(crate) struct Request {
	number: RequestId,
	owner: String,
	consumer: String,
	dataset: DatasetId,
	epoch: Epoch,
	first: u64,
	end: u64,
	purpose: String,
	code: &'static str,
	term: BlockNumber,
	offer: Balance,
	firm: bool,
	valid_until: BlockNumber,
	verdict: String,
}

impl From<RequestEntry> for Request {
	fn from(entry: RequestEntry) -> Self {
		let RequestEntry {
			id,
			request,
			verdict,
		} = entry;
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = request.scope;
		Self {
			number: id,
			owner: request.owner.to_string(),
			consumer: request.consumer.to_string(),
			dataset,
			epoch,
			first: from,
			end: to,
			purpose: request.purpose.to_string(),
			code: request.code.name(),
			term: request.term,
			offer: request.offer,
			firm: request.firm,
			valid_until: request.valid_until,
			verdict: format!("{verdict:?}"),
		}
	}
}

/// A file of a folder.
#[derive(IntoPyObject)]
pub(crate) struct File {
	path: String,
	folder: bool,
	size: u64,
	record: String,
	/// Where it begins in its record, if the folder is packed.
	offset: Option<u64>,
}

impl From<Listed> for File {
	fn from(Listed { file, offset }: Listed) -> Self {
		Self {
			record: key_name(&file.key),
			path: file.path,
			folder: file.folder,
			size: file.length,
			offset,
		}
	}
}
