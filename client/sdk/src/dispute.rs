// SPDX-License-Identifier: Apache-2.0
//! The reader's side of fair exchange: finds out whether a grant opens what was paid for, and complains if it does not.

use crate::{
	account::Identity,
	call::Call,
	client::Client,
	error::Error,
	own_secret::to_fetch,
	proven::Proven,
	query,
	sharing::{digest, epoch_id, LEAST_TIME},
	state::{every, State},
	types::*,
	wait::Wait,
};
use isthmus_envelope::{
	header, open_grant, EncryptionKeyPair, GrantScope, KeyId, KeySet, LeafKey, Range, Suite,
};
use isthmus_light::storage;

/// What is wrong with a grant, and the call that shows it to the chain.
#[derive(Debug)]
pub struct Complaint {
	/// The grant.
	pub grant: Grant,
	/// The leaf whose record the grant does not open. If the grant does not open at all, its first leaf.
	pub leaf: Leaf,
	/// The record at that leaf; `None` if the grant does not open at all.
	pub key: Option<RecordKey>,
	/// The call that disputes the grant. It contains the secret of the request's key: with it, everyone can open the grant.
	pub call: Call,
}

/// Looks for a record in the range of a grant that the grant does not open, and makes the call that disputes it.
///
/// Only records that are there now are looked at, those with few bytes first: the chain has the hash of a value, so the
/// call has to show all of it. Those whose bytes the node lacks are left out. `leaf` names one instead.
///
/// # Errors
///
/// Returns [`Error::NotGiven`] if the reader has no such grant, [`Error::NothingToDispute`] if its payment cannot be
/// disputed, [`Error::NothingWrong`] if it opens all the records, and [`Error::Key`] if the request's key is of an unknown
/// suite.
pub async fn dispute(
	client: &Client,
	reader: &Identity,
	id: GrantId,
	leaf: Option<Leaf>,
) -> Result<Complaint, Error> {
	let best = client.best().await?;
	let not_given = || Error::NotGiven {
		reader: *reader.account.id(),
		grant: id,
	};
	// A node that shows other keys than the owner's could make the reader reveal the secret for nothing.
	let said = (best.grant(id).await?, best.payment(id).await?);
	let proven = client.confirmed(&best, &said, async |proven| {
		Ok((proven.grant(id).await?, proven.payment(id).await?))
	});
	let (grant, payment) = proven.await?;
	let grant = grant
		.filter(|grant| grant.grantee == *reader.account.id())
		.ok_or_else(not_given)?;
	let payment = payment
		.filter(|payment| best.block().number < payment.until)
		.ok_or(Error::NothingToDispute(id))?;
	let pair = pair_of(reader, &payment)?;
	let secret = pair.expose_seed();
	let Some(keys) = open(client, &grant, &pair)? else {
		// Leaves of a range are below 2^32.
		let leaf = leaf.unwrap_or(grant.scope.from as Leaf);
		let call = client.dispute(id, leaf, secret, &[]).await?;
		return Ok(Complaint {
			grant,
			leaf,
			key: None,
			call,
		});
	};
	let records = records(&best, &grant, leaf).await?;
	let mut left_out = Vec::new();
	for RecordEntry { key, record } in &records {
		let shown = match shown(client, record).await {
			Err(error) if leaf.is_none() && error.lacks_bytes() => {
				left_out.push(record.leaf);
				continue;
			}
			shown => shown?,
		};
		let opens = keys
			.leaf_key(record.leaf)
			.is_ok_and(|leaf| is_under(record, &shown, &leaf));
		if !opens && is_proven(client, &best, &grant.owner, *key, record).await? {
			let call = client.dispute(id, record.leaf, secret, &shown).await?;
			return Ok(Complaint {
				grant,
				leaf: record.leaf,
				key: Some(*key),
				call,
			});
		}
	}
	Err(Error::NothingWrong {
		grant: id,
		records: records.len().saturating_sub(left_out.len()),
		left_out,
	})
}

/// Returns the pair of the key that the request named.
fn pair_of(reader: &Identity, payment: &Payment) -> Result<EncryptionKeyPair, Error> {
	let [hi, lo, id @ ..] = payment.prefix;
	let id: KeyId = id;
	let suite = Suite::from_id(u16::from_be_bytes([hi, lo]))?;
	Ok(reader.encryption.pair(suite, &id))
}

/// Opens a grant with this pair, as the chain does; `None` if it does not open.
fn open(client: &Client, grant: &Grant, pair: &EncryptionKeyPair) -> Result<Option<KeySet>, Error> {
	let Scope {
		dataset,
		epoch,
		from,
		to,
	} = grant.scope;
	let scope = GrantScope {
		grantee: grant.grantee.0,
		range: Range::new(from, to)?,
		expiry: grant.expiry,
	};
	let id = epoch_id(client, &grant.owner, dataset, epoch);
	Ok(open_grant(pair, &id, &scope, &grant.sealed_keys).ok())
}

/// Returns the records in a grant's range, or the one at a leaf, those with few bytes first.
async fn records(
	state: &State,
	grant: &Grant,
	leaf: Option<Leaf>,
) -> Result<Vec<RecordEntry>, Error> {
	let scope = match leaf {
		Some(leaf) => Scope {
			from: leaf.into(),
			to: u64::from(leaf).saturating_add(1),
			..grant.scope
		},
		None => grant.scope,
	};
	let page = |after| state.records_in(&grant.owner, scope, after);
	let mut records = every(page).await?;
	records.sort_by_key(|entry| to_fetch(&entry.record.payload));
	Ok(records)
}

/// Returns whether a record that a node shows is proven: it can make one up.
async fn is_proven(
	client: &Client,
	best: &State,
	owner: &AccountId,
	key: RecordKey,
	record: &Record,
) -> Result<bool, Error> {
	let said = Some(record.clone());
	let look = async |proven: &Proven| proven.record(owner, key).await;
	Ok(client.confirmed(best, &said, look).await? == said)
}

/// Returns the bytes of a record that the chain has the hash of, and no header.
async fn shown(client: &Client, record: &Record) -> Result<Vec<u8>, Error> {
	let (hash, what) = match &record.payload {
		Payload::Value { content_hash, .. } => (content_hash, "the record's value"),
		Payload::Chunks { manifest, .. } => (manifest, "the record's manifest"),
		Payload::Object { .. } => return Ok(Vec::new()),
	};
	query::checked_content(client, &hash.0, what).await
}

/// Returns whether a record's header commits to a leaf's key, as the chain decides it.
fn is_under(record: &Record, shown: &[u8], leaf: &LeafKey) -> bool {
	match &record.payload {
		Payload::Value { .. } => header::is_record_of(shown, leaf),
		Payload::Chunks { .. } => isthmus_sharing::Manifest::parse(shown)
			.is_ok_and(|manifest| header::is_record_of(manifest.header, leaf)),
		Payload::Object { object, .. } => header::is_object_of(&object.header, leaf),
	}
}

/// What a grant turns out to be for the reader who paid for it.
#[derive(Debug)]
pub enum Checked {
	/// It opens all records in its range that could be looked at.
	Opens {
		/// How many those are.
		records: usize,
		/// The leaves of the others: the node lacks their bytes.
		left_out: Vec<Leaf>,
	},
	/// Nothing can be disputed: it cost nothing, or its owner was paid already.
	Settled,
	/// It does not open what was paid for.
	Wrong(Box<Complaint>),
}

/// Checks a grant that the reader pays for, as [`dispute`] does, and says what it found.
///
/// # Errors
///
/// Returns the errors of [`dispute`] that say nothing about the grant.
pub async fn check(client: &Client, reader: &Identity, id: GrantId) -> Result<Checked, Error> {
	match dispute(client, reader, id, None).await {
		Ok(complaint) => Ok(Checked::Wrong(Box::new(complaint))),
		Err(Error::NothingWrong {
			records, left_out, ..
		}) => Ok(Checked::Opens { records, left_out }),
		Err(Error::NothingToDispute(_)) => Ok(Checked::Settled),
		Err(error) => Err(error),
	}
}

/// Returns the grants of a reader whose payments it can still dispute, and until which block. A revoked grant is among them,
/// as long as its keys are in the state.
///
/// # Errors
///
/// Returns connection errors.
pub async fn disputable(
	client: &Client,
	reader: &Identity,
) -> Result<Vec<(GrantEntry, BlockNumber)>, Error> {
	let best = client.best().await?;
	let grants = every(|after| best.grants_to(reader.account.id(), None, after)).await?;
	let paid = grants.into_iter().filter(|entry| entry.grant.paid > 0);
	let paid: Vec<_> = paid.collect();
	let payments = paid.iter().map(|entry| storage::payment(entry.id));
	client.load(&best, &payments.collect::<Vec<_>>()).await?;
	let mut open = Vec::new();
	for entry in paid {
		let payment = best.payment(entry.id).await?;
		let payment = payment.filter(|payment| best.block().number < payment.until);
		open.extend(payment.map(|payment| (entry, payment.until)));
	}
	Ok(open)
}

/// Waits until a request of this reader is answered. Returns the grant; `None` if the request ended without one.
///
/// `seen` is a state in which the request is open.
///
/// # Errors
///
/// Returns [`Error::RequestGone`] if it is not, and connection errors.
pub async fn answered(
	client: &Client,
	reader: &Identity,
	seen: &State,
	id: RequestId,
) -> Result<Option<GrantEntry>, Error> {
	let asked = seen.request(id).await?.ok_or(Error::RequestGone(id))?;
	let (agreement, on) = (Some(digest(&asked)), asked.scope);
	let (mut heads, mut finals) = (client.heads().await?, client.final_heads().await?);
	let mut gone = None;
	let answer = async {
		loop {
			let best = client.best().await?;
			let grants = best
				.reader_entry(&asked.owner, on.dataset, on.epoch, reader.account.id())
				.await?;
			for grant in grants {
				let answer = best.entry(grant).await?;
				let answer = answer.filter(|entry| entry.grant.agreement == agreement);
				if answer.is_some() {
					return Ok(answer);
				}
			}
			if best.request(id).await?.is_some() {
				gone = None;
			} else {
				// The block with the request may have been replaced, and the request is in a later one.
				let number = best.block().number;
				let since = *gone.get_or_insert(number);
				let last = client.finalized().await?.block().number;
				if last >= since || number >= since.saturating_add(LEAST_TIME) {
					return Ok(None);
				}
			}
			// The block that closed the request may be finalized, and no other one follow it.
			tokio::select! {
				head = heads.next() => head?,
				head = finals.next() => head?,
			};
		}
	};
	let shown = seen.block().number;
	let what = move |blocks| Wait::of_answer(shown, blocks);
	client.patiently_for(what, answer).await
}
