// SPDX-License-Identifier: Apache-2.0
//! Names of records that the chain does not show.
//!
//! The record is stored under a key that hides its name ([`Names::key`]). Its owner gets the name back from the
//! key. The record also contains the name, sealed under the key of its leaf ([`Upload::named`]), so those who may
//! read it find it by its name ([`find`], [`readable`]).
//!
//! [`Upload::named`]: crate::Upload::named

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	query,
	reading::{context, fetch_manifest, name_in, Reading},
	sharing,
	state::{every, State},
	text::exact_name,
	trust::Unproven,
	types::*,
};
use isthmus_envelope::{Header, KeySet, NameCipher};
use std::collections::BTreeSet;

/// Turns the names of an account's own records into the keys that hide them, and back.
///
/// ```no_run
/// use isthmus_sdk::*;
///
/// # async fn example(client: Client, school: Identity) -> Result<(), Error> {
/// let name = record_key("marks-of-ada.csv")?;
/// let key = Names::new(&client, &school).key(&name);
/// let place = Place { key, dataset: 0, epoch: 0, leaf: 0 };
/// let upload = Upload::new(&client, &school, place).named(name);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Names(NameCipher);

impl Names {
	/// Derives what hides the names of an owner's records on the client's chain.
	pub fn new(client: &Client, owner: &Identity) -> Self {
		let (genesis, id) = (client.genesis(), owner.id());
		Self(NameCipher::new(&owner.master, &genesis, &id.0))
	}

	/// Returns the key that hides a name. The name is given as [`record_key`](crate::record_key) makes it.
	pub fn key(&self, name: &RecordKey) -> RecordKey {
		self.0.key(&name.0).into()
	}

	/// Returns the name that a key hides; `None` if it hides none.
	pub fn name(&self, key: &RecordKey) -> Option<RecordKey> {
		let name = RecordKey::from(self.0.name(&key.0));
		// A key that hides no name becomes random bytes, which are a name less than once in 10^12 times.
		exact_name(&name).is_some().then_some(name)
	}
}

/// Returns the key of the record that its owner calls `name`: one that hides the name, or the name itself if that is
/// public. If there is no such record, the owner gets the key that hides the name, and a reader gets the name. The node
/// is asked for the name itself only after all others.
///
/// Of another owner's records, those in the reader's grants are looked at, from the highest leaf of each grant
/// down, over another node if this one lies. For each, the node sends the bytes of a small value, or the manifest of a large one. What the node says
/// decides nothing: who opens the record gets proofs, and [`open_found`] compares its name.
///
/// # Errors
///
/// Returns [`Error::Grant`] if no such record was found and a grant of the reader does not open, and the errors of
/// the lists of [`State`].
pub async fn find(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	name: RecordKey,
) -> Result<RecordKey, Error> {
	let find = || client.persist(|| find_once(client, reader, owner, name));
	client.elsewhere(find).await
}

/// Does the same as [`find`], and fails if the connection is lost.
async fn find_once(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	name: RecordKey,
) -> Result<RecordKey, Error> {
	if reader.id() == owner {
		return own_key(client, reader, name).await;
	}
	let mut found = None;
	let visit = |key, named| {
		found = (named == name).then_some(key);
		found.is_none()
	};
	let searched = search(client, reader, owner, visit).await;
	match (found, searched) {
		(Some(key), _) => Ok(key),
		(None, Ok(())) => Ok(name),
		// A public name needs no grant to be found.
		(None, Err(error @ (Error::Grant(_) | Error::NotPostQuantum))) => {
			let is_public = client.best().await?.record(owner, name).await?.is_some();
			is_public.then_some(name).ok_or(error)
		}
		(None, Err(error)) => Err(error),
	}
}

/// Returns the key of an owner's record. The node learns the name only if it proves that no record hides it, and the
/// name is the key only of a record that is proven: what is sent next contains the key.
async fn own_key(client: &Client, owner: &Identity, name: RecordKey) -> Result<RecordKey, Error> {
	let hidden = Names::new(client, owner).key(&name);
	let (tip, id) = (client.best().await?, owner.id());
	if tip.record(id, hidden).await?.is_some()
		|| client.proven().await?.record(id, hidden).await?.is_some()
		|| tip.record(id, name).await?.is_none()
		|| !client.is_stored(&tip, id, name).await?
	{
		return Ok(hidden);
	}
	Ok(name)
}

/// Finds a record by its name and opens it, and checks that it has this name.
///
/// # Errors
///
/// Returns [`Unproven::Forged`] if the node listed another record under the name, and the errors of [`find`] and
/// [`Reading::open`].
pub async fn open(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	name: RecordKey,
) -> Result<Reading, Error> {
	let open = || async {
		let key = find(client, reader, owner, name).await?;
		open_found(client, reader, owner, name, key).await
	};
	client.elsewhere(open).await
}

/// Opens the record with the key that [`find`] returned, and checks that it has the name that was looked for.
///
/// # Errors
///
/// Returns [`Unproven::Forged`] if the node listed another record under the name, and the errors of
/// [`Reading::open`].
pub async fn open_found(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	name: RecordKey,
	key: RecordKey,
) -> Result<Reading, Error> {
	let reading = Reading::open(client, reader, owner, key).await?;
	let is_own = reader.id() == owner && key == Names::new(client, reader).key(&name);
	match is_own || is_called(name, key, reading.name()) {
		true => Ok(reading),
		false => Err(Unproven::Forged("the name of a record".into()).into()),
	}
}

/// Returns whether the record with this key, which contains the name `named`, is the one that is looked for by `name`.
fn is_called(name: RecordKey, key: RecordKey, named: Option<&RecordKey>) -> bool {
	key == name || named == Some(&name)
}

/// Returns the keys and names of an owner's records that hide their names, as far as the reader's grants open
/// them. Each record's bytes, or its manifest, are fetched. They are not proven: a node may list one record's bytes
/// under another one's key.
///
/// # Errors
///
/// Returns the errors of [`find`].
pub async fn readable(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
) -> Result<Vec<(RecordKey, RecordKey)>, Error> {
	let mut names = Vec::new();
	let visit = |key, name| {
		names.push((key, name));
		true
	};
	match search(client, reader, owner, visit).await {
		// Of several grants, one may be sealed to a key that the reader has lost.
		Err(Error::Grant(_) | Error::NotPostQuantum) if !names.is_empty() => Ok(names),
		searched => searched.map(|()| names),
	}
}

/// Shows the key and the name of each record that hides its name and is in a grant of the reader, until `visit` wants
/// no more of them. A grant that does not open is an error only if the visitor has seen all others.
async fn search(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	mut visit: impl FnMut(RecordKey, RecordKey) -> bool,
) -> Result<(), Error> {
	// Not proven: a grant may be too new for that, and the record is proven when it is opened.
	let best = client.best().await?;
	let grants = client.grants_from(&best, (owner, None), reader.account.id());
	let mut grants = grants.await?;
	grants.sort_by_key(|entry| entry.id);
	// A grant that has ended has no keys any more.
	grants.retain(|entry| !entry.grant.sealed_keys.is_empty());
	let mut refused = None;
	let mut seen = BTreeSet::new();
	for GrantEntry { id, grant } in grants.into_iter().rev() {
		let scope = grant.scope;
		let grant = OpeningGrant {
			grant: id,
			scope,
			expiry: grant.expiry,
			until: grant.until,
			sealed_keys: grant.sealed_keys,
		};
		let keys = match sharing::open(client, reader, owner, &grant) {
			Ok(keys) => keys,
			Err(error) => {
				refused = Some(error);
				continue;
			}
		};
		for RecordEntry { key, record } in hiding(&best, owner, scope).await? {
			if !seen.insert(key.0) {
				continue;
			}
			let name = name_of(client, &keys, owner, key, &record).await?;
			if name.is_some_and(|name| !visit(key, name)) {
				return Ok(());
			}
		}
	}
	refused.map_or(Ok(()), Err)
}

/// Returns the complete records in a scope whose keys are not names, from the highest leaf down: the list of a folder
/// comes before its files.
async fn hiding(best: &State, owner: &AccountId, scope: Scope) -> Result<Vec<RecordEntry>, Error> {
	let mut records = every(|after| best.records_in(owner, scope, after)).await?;
	records.retain(|entry| entry.record.payload.is_complete() && exact_name(&entry.key).is_none());
	records.sort_by_key(|entry| std::cmp::Reverse(entry.record.leaf));
	Ok(records)
}

/// Returns the name in a record; `None` if it contains none, or none that the keys open.
async fn name_of(
	client: &Client,
	keys: &KeySet,
	owner: &AccountId,
	key: RecordKey,
	record: &Record,
) -> Result<Option<RecordKey>, Error> {
	let header = match header_of(client, key, record).await {
		// The node has pruned the bytes.
		Err(Error::Rpc { .. }) => None,
		header => header?,
	};
	let (Some(header), Ok(leaf)) = (header, keys.leaf_key(record.leaf)) else {
		return Ok(None);
	};
	Ok(name_in(&leaf, &context(client, owner, key), header).unwrap_or_default())
}

/// Fetches a record's header; `None` if what is stored is not a record: the chain takes any bytes.
pub(crate) async fn header_of(
	client: &Client,
	key: RecordKey,
	record: &Record,
) -> Result<Option<Header>, Error> {
	match &record.payload {
		Payload::Value {
			content_hash: hash, ..
		} => {
			let stored = query::checked_content(client, &hash.0, "the record's value").await?;
			Ok(Header::read(&stored).ok())
		}
		Payload::Chunks { manifest, .. } => match fetch_manifest(client, key, &manifest.0).await {
			Ok(manifest) => Ok(Some(manifest.header)),
			Err(Error::Malformed { .. }) => Ok(None),
			Err(error) => Err(error),
		},
		// An object's header contains no name.
		Payload::Object { .. } => Ok(None),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn another_record_is_not_taken_for_the_one_with_the_name() {
		let [name, other, key] = [[1; 32], [2; 32], [3; 32]].map(RecordKey::from);
		assert!(is_called(name, key, Some(&name)));
		assert!(is_called(name, name, None));
		assert!(!is_called(name, key, Some(&other)));
		assert!(!is_called(name, key, None));
	}
}
