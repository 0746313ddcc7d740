// SPDX-License-Identifier: Apache-2.0
//! Checks grants that are paid for, and disputes those that do not open what was promised.

use crate::{
	context::Context,
	dispute::{self, Disputed},
	error::{Error, Kind},
	stop::Stop,
	text::{count, end, stated, Amount, Range},
};
use isthmus_sdk::{
	dispute::{check, disputable, Checked},
	AccountId, BlockNumber, GrantEntry, GrantId, Identity, Leaf, PurposeCode, Seconds,
};
use serde::Serialize;
use std::{fmt, time::Duration};

/// Whether grants are disputed.
#[derive(clap::Args)]
pub(crate) struct Disputes {
	/// Only say so if a grant that was paid for does not open, and do not dispute it
	#[arg(long)]
	no_dispute: bool,
}

/// What was found out about a grant.
pub(crate) enum Found {
	/// It opens the records that could be looked at: their number, and the leaves of the others.
	Opens(usize, Vec<Leaf>),
	/// Nothing can be disputed.
	Settled,
	/// It does not open, and was disputed.
	Disputed(Box<Disputed>),
	/// It does not open.
	Wrong,
}

/// Checks a grant, and disputes it if it does not open.
pub(crate) async fn look(
	context: &Context,
	identity: &Identity,
	grant: GrantId,
	disputes: &Disputes,
) -> Result<Found, Error> {
	let checked = check(&context.client, identity, grant).await?;
	act(context, identity, grant, checked, disputes).await
}

/// Does the same as [`look`], but checks the grant for at most `limit`, and returns `None` if it is asked to end before that is done. A
/// dispute is waited for, however long it takes.
pub(crate) async fn look_within(
	(limit, stop): (Duration, &Stop),
	context: &Context,
	identity: &Identity,
	grant: GrantId,
	disputes: &Disputes,
) -> Result<Option<Found>, Error> {
	let checking = check(&context.client, identity, grant);
	let Some(checked) = stop.or(tokio::time::timeout(limit, checking)).await else {
		return Ok(None);
	};
	let checked = checked.map_err(|_| {
		let seconds = limit.as_secs();
		Error::failed(format!(
			"its records could not be looked at within {seconds} s"
		))
	})?;
	let found = act(context, identity, grant, checked?, disputes);
	Ok(Some(found.await?))
}

/// Disputes a grant that turned out to be wrong.
async fn act(
	context: &Context,
	identity: &Identity,
	grant: GrantId,
	checked: Checked,
	disputes: &Disputes,
) -> Result<Found, Error> {
	Ok(match checked {
		Checked::Opens { records, left_out } => Found::Opens(records, left_out),
		Checked::Settled => Found::Settled,
		Checked::Wrong(_) if disputes.no_dispute => Found::Wrong,
		Checked::Wrong(complaint) => {
			let disputed = dispute::send(context, identity, grant, &complaint).await?;
			Found::Disputed(Box::new(disputed))
		}
	})
}

/// A grant that was waited for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Received {
	#[serde(serialize_with = "crate::requests::code")]
	code: PurposeCode,
	expiry: BlockNumber,
	grant: GrantId,
	paid: Amount,
	/// How many records it was checked to open; `None` if nothing was paid, and so nothing could be disputed.
	records: Option<usize>,
	scope: Range,
	until: Option<Seconds>,
}

impl fmt::Display for Received {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			code,
			expiry,
			grant,
			paid,
			records,
			scope,
			until,
		} = self;
		let end = end(*expiry, *until);
		write!(
			f,
			"grant {grant}: {scope}, {end}, for {paid}{}",
			stated(*code)
		)?;
		match records {
			None => Ok(()),
			Some(0) => f.write_str("; its range has no records yet to check it with"),
			Some(records) => write!(f, "; it opens {}", count(*records as u64, "record")),
		}
	}
}

/// Checks a grant that has arrived.
///
/// # Errors
///
/// Returns an error if it does not open what was paid for.
pub(crate) async fn received(
	context: &Context,
	identity: &Identity,
	entry: GrantEntry,
	disputes: &Disputes,
) -> Result<Received, Error> {
	let GrantEntry { id, grant } = entry;
	let checked = look(context, identity, id, disputes)
		.await
		.map_err(|error| {
			error.also(format!(
				"grant {id} was given, but not checked: isthmus dispute {id}"
			))
		});
	let records = match checked? {
		Found::Opens(records, _) => Some(records),
		Found::Settled => None,
		found => return Err(wrong(id, &found)),
	};
	Ok(Received {
		code: grant.code,
		expiry: grant.expiry,
		grant: id,
		paid: Amount(grant.paid),
		records,
		scope: (&grant.scope).into(),
		until: grant.until,
	})
}

/// Returns the error of a grant that does not open.
fn wrong(grant: GrantId, found: &Found) -> Error {
	let error = Error::new(
		Kind::NotAuthentic,
		format!("grant {grant} does not open what was paid for"),
	);
	match found {
		Found::Disputed(disputed) => error.hint(disputed),
		_ => error.hint(format!("to get the payment back: isthmus dispute {grant}")),
	}
}

/// Adds to an error that kept a record from being read whether that is because of a grant that was paid for and does not
/// open. Such a grant is disputed.
pub(crate) async fn explain(
	context: &Context,
	identity: &Identity,
	owner: &AccountId,
	mut error: Error,
	disputes: &Disputes,
) -> Error {
	// What keeps the grants from being checked is less than the error itself.
	let Ok(paid) = disputable(&context.client, identity).await else {
		return error;
	};
	for (GrantEntry { id, grant }, _) in paid {
		if grant.owner != *owner {
			continue;
		}
		error = match look(context, identity, id, disputes).await {
			Ok(Found::Opens(..) | Found::Settled) => error,
			Ok(Found::Disputed(disputed)) => error.also(format!(
				"grant {id} does not open what was paid for, so it was disputed: {disputed}"
			)),
			Ok(Found::Wrong) => error.also(format!(
				"grant {id} does not open what was paid for: to get the payment back: isthmus dispute {id}"
			)),
			Err(failed) => error.also(format!(
				"grant {id} could not be checked ({}): isthmus dispute {id}",
				failed.message()
			)),
		};
	}
	error
}
