// SPDX-License-Identifier: Apache-2.0
//! Seals the keys of a grant with those that the one who gives it has.

use super::{
	keys::{seal, seal_these},
	operator,
};
use crate::{account::Identity, client::Client, error::Error, state::State, types::*};
use isthmus_envelope::PublicKey;

/// Seals the keys of a grant's range: those that an owner derives, once it is checked that its secret is the one of the epoch's
/// records, or those that an [operator](super::operator) has.
///
/// # Errors
///
/// Returns [`Error::OtherSecret`], the errors of [`seal`] and, for an operator, [`Error::Operator`].
pub(super) async fn checked_and_sealed(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
	key: &PublicKey,
) -> Result<Vec<u8>, Error> {
	let Scope { dataset, epoch, .. } = terms.scope;
	if owner.account.is_operator() {
		let keys = operator::keys(client, state, owner, &terms.scope).await?;
		return seal_these(client, owner, terms, &keys, key);
	}
	client.check_secret(owner, dataset, epoch).await?;
	seal(client, owner, terms, key)
}
