// SPDX-License-Identifier: Apache-2.0
//! The owner's side of sharing: seals grants to readers, revokes them, and renews the other readers' grants
//! for the new epoch that a revocation starts.

mod answers;
mod asking;
mod keys;
pub mod operator;
mod partly;
mod received;
mod renewal;
mod revocation;
mod sealing;

pub(crate) use answers::{answer, is_open, ANSWER_COST};
pub use answers::{authorize, check_final, digest, expiry};
pub use asking::{publish, request, Ask};
pub use isthmus_sharing::terms::{LEAST_TIME, TERM_SLACK};
pub use keys::{epoch_id, open, seal};
pub use partly::{authorize_left, grant_left, Given};
pub use renewal::{renew, renewable, Readers, Renewable, Renewal};
pub use revocation::{revoke, Revocation};

use answers::check_control;
use sealing::checked_and_sealed;

use crate::{
	account::Identity,
	call::Call,
	client::Client,
	error::Error,
	state::{every, State},
	types::*,
};
use isthmus_envelope::PublicKey;
use std::collections::HashSet;

/// Returns how many accounts have a grant that covers a place of an owner and has not ended.
///
/// # Errors
///
/// Returns connection errors.
pub async fn readers(client: &Client, owner: &AccountId, place: &Place) -> Result<usize, Error> {
	let best = client.best().await?;
	let grants = every(|after| best.grants_on(owner, place.dataset, None, after)).await?;
	let covers = |grant: &Grant| {
		let Grant { scope, state, .. } = grant;
		scope.epoch == place.epoch && scope.covers(place.leaf) && !state.has_ended()
	};
	let readers = grants.iter().filter(|entry| covers(&entry.grant));
	let readers: HashSet<[u8; 32]> = readers.map(|entry| entry.grant.grantee.0).collect();
	Ok(readers.len())
}

/// Makes a call that gives a grant on these terms, sealed to the grantee's encryption key. The key is proven in the
/// finalized state: if it differs from the one in `state`, this waits until the block of `state` is finalized.
///
/// # Errors
///
/// Returns [`Error::NoEncryptionKey`] if the grantee has none, [`Error::Unproven`] if the node's proofs are
/// wrong, and [`Error::Operator`] if the identity acts as an operator and cannot give this grant, or its owner has not the
/// deposit for it.
pub async fn grant(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
) -> Result<Call, Error> {
	if owner.account.is_operator() {
		check_control(client, state, owner, &terms.scope).await?;
	}
	let key = key_of(client, state, owner, terms).await?;
	let sealed = checked_and_sealed(client, state, owner, terms, &key).await?;
	let call = client.add_authorize(terms, &sealed).await?;
	if owner.account.is_operator() {
		operator::check_takes(client, state, owner.id(), &call).await?;
	}
	Ok(call)
}

/// Returns the registered key of a grantee, once it is checked that the epoch has started.
async fn key_of(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
) -> Result<PublicKey, Error> {
	let Scope { dataset, epoch, .. } = terms.scope;
	client
		.check_started(state, owner.id(), dataset, epoch)
		.await?;
	let said = state.encryption_key(&terms.grantee).await?;
	client
		.confirmed(state, &said, async |proven| {
			proven.encryption_key(&terms.grantee).await
		})
		.await?
		.ok_or(Error::NoEncryptionKey(terms.grantee))
}

/// Returns an account's requests and grants, given or received, that the chain should have ended or removed
/// already, and the payments that it should have made: [`Client::settle`] does so, and releases what is held for them.
///
/// # Errors
///
/// Returns connection errors.
pub async fn overdue(state: &State, account: &AccountId) -> Result<Vec<Due>, Error> {
	let now = state.block().number;
	let mut requests = every(|after| state.requests_to(account, after)).await?;
	requests.extend(every(|after| state.requests_from(account, after)).await?);
	let mut grants = every(|after| state.grants_of(account, None, after)).await?;
	grants.extend(every(|after| state.grants_to(account, None, after)).await?);
	// A grant that has ended has no keys any more.
	let is_late = |grant: &Grant| match grant.sealed_keys.is_empty() {
		true => now >= grant.due,
		false => grant.state == GrantState::Expired,
	};
	let requests = requests
		.iter()
		.filter(|entry| now >= entry.request.valid_until);
	let mut due: Vec<_> = requests.map(|entry| Due::Request(entry.id)).collect();
	for GrantEntry { id, grant } in &grants {
		if is_late(grant) {
			due.push(Due::Grant(*id));
		} else if grant.paid > 0 && !grant.state.has_ended() {
			let payment = state.payment(*id).await?;
			due.extend(
				payment
					.filter(|payment| now >= payment.until)
					.map(|_| Due::Payment(*id)),
			);
		}
	}
	Ok(due)
}
