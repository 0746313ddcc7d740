// SPDX-License-Identifier: Apache-2.0
//! The consumer's side: publishes a key, and asks for access.

use crate::{account::Identity, call::Call, client::Client, error::Error, state::every, types::*};

/// Makes a call that registers a key of the account to which grants are sealed; `None` if one is registered already.
///
/// # Errors
///
/// Returns [`Error::Random`] if the system provides no randomness, and connection errors.
pub async fn publish(client: &Client, reader: &Identity) -> Result<Option<Call>, Error> {
	let registered = client
		.best()
		.await?
		.encryption_key(reader.account.id())
		.await?;
	if registered.is_some_and(|key| reader.encryption.pair_of(&key).is_some()) {
		return Ok(None);
	}
	let key = reader.encryption.fresh()?.public_key();
	Ok(Some(client.set_encryption_key(&key).await?))
}

/// What a consumer asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
	/// The owner of the data.
	pub owner: AccountId,
	/// The leaves to read.
	pub scope: Scope,
	/// The purpose in words, which is public.
	pub purpose: &'a str,
	/// The purpose by its code, which policies understand.
	pub code: PurposeCode,
	/// For how many blocks the grant has to last.
	pub term: BlockNumber,
	/// What the owner gets when it grants the request.
	pub offer: Balance,
	/// Whether the grant may not be revoked before its term is over.
	pub firm: bool,
}

/// Makes a call that asks for access. The answer will be sealed to a new key of the consumer.
///
/// # Errors
///
/// Returns [`Error::AlreadyAsked`] if a request of the consumer for the same leaves is open, [`Error::Random`] if the
/// system provides no randomness, and connection errors.
pub async fn request(client: &Client, consumer: &Identity, ask: &Ask<'_>) -> Result<Call, Error> {
	let best = client.best().await?;
	let open = every(|after| best.requests_from(consumer.account.id(), after)).await?;
	let is_same = |entry: &&RequestEntry| {
		(entry.request.owner, entry.request.scope) == (ask.owner, ask.scope)
	};
	if let Some(same) = open.iter().find(is_same) {
		return Err(Error::AlreadyAsked(same.id));
	}
	let Ask {
		ref owner,
		scope,
		purpose,
		code,
		term,
		offer,
		firm,
	} = *ask;
	let key = consumer.encryption.fresh()?.public_key();
	client
		.request_access(owner, scope, purpose, code, term, offer, firm, &key)
		.await
}
