//! The owner's side of sharing: grants are sealed, and when one is revoked the others are sealed anew
//! for the epoch that begins then.

use crate::{
	account::Identity,
	calls::Terms,
	client::Client,
	error::Error,
	state::{every, State},
	tx::Call,
	types::*,
};
use isthmus_envelope::{open_grant, seal_grant, EpochId, GrantScope, KeySet, PublicKey, Range};

/// How many blocks later than now a transaction may come into one, when a grant's expiry is counted
/// from now on: the chain counts the term from the block that the grant is in.
pub const TERM_SLACK: BlockNumber = 16;
/// How many grants go into one transaction: with 2.1 kB each they stay far below a block's length.
const GRANTS_IN_ONE: usize = 200;

/// The name of a dataset's epoch, from which its keys follow.
pub fn epoch_id(client: &Client, owner: &AccountId, dataset: DatasetId, epoch: Epoch) -> EpochId {
	EpochId {
		genesis: client.genesis(),
		owner: owner.0,
		dataset,
		epoch,
	}
}

/// Seals the keys of a grant.
///
/// # Errors
///
/// [`Error::Range`] and [`Error::Grant`] for a range or a key that is none.
pub fn seal(
	client: &Client,
	owner: &Identity,
	terms: &Terms,
	key: &PublicKey,
) -> Result<Vec<u8>, Error> {
	let Scope {
		dataset,
		epoch,
		from,
		to,
	} = terms.scope;
	let root = owner
		.master
		.epoch_root(&epoch_id(client, owner.id(), dataset, epoch));
	let scope = GrantScope {
		grantee: terms.grantee.0,
		range: Range::new(from, to)?,
		expiry: terms.expiry,
	};
	Ok(seal_grant(&root, &scope, key)?)
}

/// Opens a grant with whichever of the reader's key pairs it was sealed to.
///
/// # Errors
///
/// [`Error::Grant`] where none of them opens it.
pub fn open(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	grant: &OpeningGrant,
) -> Result<KeySet, Error> {
	let Scope {
		dataset,
		epoch,
		from,
		to,
	} = grant.scope;
	let id = epoch_id(client, owner, dataset, epoch);
	let scope = GrantScope {
		grantee: reader.id().0,
		range: Range::new(from, to)?,
		expiry: grant.expiry,
	};
	let mut refused = Error::Unknown("key pair of the reader's".into());
	for pair in &reader.encryption {
		match open_grant(pair, &id, &scope, &grant.sealed_keys) {
			Ok(keys) => return Ok(keys),
			Err(error) => refused = error.into(),
		}
	}
	Err(refused)
}

/// A grant by these terms, its keys sealed to the encryption key that the grantee has now.
///
/// # Errors
///
/// [`Error::Unknown`] where the grantee has none.
pub async fn grant(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
) -> Result<Call, Error> {
	let key = state
		.encryption_key(&terms.grantee)
		.await?
		.ok_or_else(|| Error::Unknown(format!("encryption key of {}", terms.grantee)))?;
	let sealed = seal(client, owner, terms, &key)?;
	client.add_authorize(terms, &sealed).await
}

/// A grant of just what a request asks for. It may run a little longer, by [`TERM_SLACK`]: how many
/// blocks pass before it is in one is not known beforehand.
///
/// # Errors
///
/// As [`grant`].
pub async fn authorize(
	client: &Client,
	state: &State,
	owner: &Identity,
	id: RequestId,
	request: &Request,
) -> Result<Call, Error> {
	let terms = Terms {
		grantee: request.consumer,
		scope: request.scope,
		expiry: expiry(state, request.term),
		until: None,
		request: Some(id),
	};
	grant(client, state, owner, &terms).await
}

/// The expiry of a grant that is sent now and shall be good for `term` blocks at least.
pub fn expiry(state: &State, term: BlockNumber) -> BlockNumber {
	let now = state.block().number;
	now.saturating_add(term).saturating_add(TERM_SLACK)
}

/// Revokes a grant and keeps the dataset's other readers: the calls, in the order in which they have to
/// be sent. The first revokes, which begins the dataset's next epoch; in it, and in further ones where
/// there are very many readers, the others' grants on the current epoch are sealed anew for the next.
///
/// What was stored before stays readable by all, as their old grants stay good.
///
/// # Errors
///
/// [`Error::Unknown`] where there is no such grant, or a reader has taken its encryption key back.
pub async fn revoke(
	client: &Client,
	state: &State,
	owner: &Identity,
	id: GrantId,
) -> Result<Vec<Call>, Error> {
	let revoked = state
		.grant(id)
		.await?
		.filter(|grant| grant.owner == *owner.id())
		.ok_or_else(|| Error::Unknown(format!("grant {id} of this owner")))?;
	let dataset = revoked.scope.dataset;
	let epoch = state
		.dataset(owner.id(), dataset)
		.await?
		.ok_or_else(|| Error::Unknown(format!("dataset {dataset}")))?
		.epoch;
	let grants =
		every(|after| state.grants_of(owner.id(), Some(GrantState::Active), after)).await?;
	let mut calls = vec![client.revoke(id).await?];
	for GrantEntry { id: other, grant } in grants {
		if other == id || grant.scope.dataset != dataset || grant.scope.epoch != epoch {
			continue;
		}
		let terms = Terms {
			grantee: grant.grantee,
			scope: Scope {
				epoch: epoch.saturating_add(1),
				..grant.scope
			},
			expiry: grant.expiry,
			until: grant.until,
			request: None,
		};
		calls.push(self::grant(client, state, owner, &terms).await?);
	}
	if calls.len() == 1 {
		return Ok(calls);
	}
	let mut batches = Vec::new();
	for calls in calls.chunks(GRANTS_IN_ONE) {
		batches.push(client.batch(calls).await?);
	}
	Ok(batches)
}
