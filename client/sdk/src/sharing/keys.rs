// SPDX-License-Identifier: Apache-2.0
//! Seals and opens the keys of grants.

use crate::{account::Identity, client::Client, error::Error, types::*};
use isthmus_envelope::{
	grant::recipient, open_grant, seal_keys, EpochId, GrantScope, KeySet, PublicKey, Range, Suite,
	TreeError,
};

/// Returns the identifier of a dataset's epoch, from which its keys are derived.
pub fn epoch_id(client: &Client, owner: &AccountId, dataset: DatasetId, epoch: Epoch) -> EpochId {
	EpochId {
		genesis: client.genesis(),
		owner: owner.0,
		dataset,
		epoch,
	}
}

/// Seals the keys of a grant's range to a reader's public key.
///
/// # Errors
///
/// Returns [`Error::Range`] for an invalid range, [`Error::PartlyErased`] for one with a leaf that was erased, [`Error::Grant`] if the keys cannot be sealed, and
/// [`Error::NotPostQuantum`] if the client [refuses](Client::post_quantum_only) the key.
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
	let id = epoch_id(client, owner.id(), dataset, epoch);
	let (keys, range) = (owner.epoch_keys(&id)?, Range::new(from, to)?);
	let keys = keys.key_set(range).map_err(|error| match error {
		TreeError::Erased { .. } => Error::PartlyErased(keys.cut(range)),
		error => error.into(),
	})?;
	seal_these(client, owner, terms, &keys, key)
}

/// Seals keys that were derived before, which are those of a grant's range.
pub(super) fn seal_these(
	client: &Client,
	owner: &Identity,
	terms: &Terms,
	keys: &KeySet,
	key: &PublicKey,
) -> Result<Vec<u8>, Error> {
	check(client, key.suite())?;
	let Scope { dataset, epoch, .. } = terms.scope;
	let id = epoch_id(client, owner.id(), dataset, epoch);
	Ok(seal_keys(&id, keys, (terms.grantee.0, terms.expiry), key)?)
}

/// Returns an error if the client refuses what is sealed with this suite.
fn check(client: &Client, suite: Suite) -> Result<(), Error> {
	match client.is_post_quantum_only() && !suite.is_post_quantum() {
		true => Err(Error::NotPostQuantum),
		false => Ok(()),
	}
}

/// Opens a grant with the reader's key pair that it was sealed to.
///
/// # Errors
///
/// Returns [`Error::Grant`] if it is not sealed to a key pair of the reader, and [`Error::NotPostQuantum`] if the
/// client [refuses](Client::post_quantum_only) the key.
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
		grantee: reader.account.id().0,
		range: Range::new(from, to)?,
		expiry: grant.expiry,
	};
	let (suite, key) = recipient(&grant.sealed_keys)?;
	check(client, suite)?;
	let pair = reader.encryption.pair(suite, &key);
	Ok(open_grant(&pair, &id, &scope, &grant.sealed_keys)?)
}
