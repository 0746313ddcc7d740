// SPDX-License-Identifier: Apache-2.0
//! Answers requests with grants.

use super::{operator, sealing::checked_and_sealed};
use crate::{
	account::Identity,
	call::Call,
	client::{Client, Depth},
	error::Error,
	manifest::content_hash,
	state::State,
	trust::Unproven,
	types::*,
	wait::Wait,
};
use isthmus_envelope::PublicKey;
use isthmus_sharing::terms::{LEAST_TIME, TERM_SLACK};
use subxt::utils::H256;

/// Makes a call that grants exactly what a request asks for, sealed to the request's own key. The request is proven in
/// the finalized state: if it is not there yet, this waits until the block of `state` is finalized. The grant may run up
/// to [`TERM_SLACK`] blocks
/// longer, because the block that will include it is not known.
///
/// The reader can open the sealed keys as soon as the call is sent, even if the chain refuses it. Therefore
/// this function waits until the request is as deep in the chain as `depth` asks, so that no reorganisation
/// takes it back, makes no call that is known to fail, and the call is valid only in blocks in which the
/// request is open. It names the request's digest, so that it can answer no other request.
///
/// An [operator](super::operator) answers with the keys of its own grant, and pays the fee.
///
/// # Errors
///
/// Returns [`Error::RequestGone`] if the request is not open, or is not the one that was passed,
/// [`Error::TooLate`] if it has fewer than [`LEAST_TIME`] blocks left, [`Error::InsufficientFunds`] if the owner
/// or its operator cannot pay the fee, [`Error::Key`] if the request's key is of an unknown suite, [`Error::Operator`] if an operator
/// cannot answer it, and the errors of [`seal`](super::seal). If leaves of the
/// range were erased, [`authorize_left`](super::authorize_left) grants what is left.
pub async fn authorize(
	client: &Client,
	owner: &Identity,
	id: RequestId,
	request: &Request,
	depth: Depth,
) -> Result<Call, Error> {
	let best = settled(client, id, request, depth).await?;
	answer(client, &best, owner, id, request, 0).await
}

/// Waits until a request is as deep in the chain as `depth` asks. Returns a state in which it is still open.
pub(super) async fn settled(
	client: &Client,
	id: RequestId,
	request: &Request,
	depth: Depth,
) -> Result<State, Error> {
	let settled = async {
		let (mut heads, mut first) = (None, None);
		loop {
			let best = client.best().await?;
			if !is_open(&best, id, request).await? {
				return Err(Error::RequestGone(id));
			}
			let first = *first.get_or_insert(best.block().number);
			if is_settled(client, depth, id, request, first).await? {
				return Ok(best);
			}
			let heads = match &mut heads {
				Some(heads) => heads,
				none => none.insert(client.heads_at(depth).await?),
			};
			heads.next().await?;
		}
	};
	client.patiently(Wait::Request, settled).await
}

/// An upper bound on a grant's fee plus the balance that an account has to keep.
const FEE: Balance = isthmus_primitives::UNIT / 10;

/// The upper bound on what an answer costs its owner: its fee. The deposit is the reader's.
pub(crate) const ANSWER_COST: Balance = FEE;

/// Returns whether a request that the node showed at block `shown` is deep enough in the chain. One that has to be
/// finalized is proven.
async fn is_settled(
	client: &Client,
	depth: Depth,
	id: RequestId,
	seen: &Request,
	shown: BlockNumber,
) -> Result<bool, Error> {
	if depth != Depth::Final {
		return is_open(&client.settled(depth).await?, id, seen).await;
	}
	let proven = client.proven().await?;
	let open = proven.request(id).await?;
	let is_open = open.is_some_and(|open| digest(&open) == digest(seen));
	if !is_open && proven.block().number >= shown {
		return Err(Unproven::Forged(format!("request {id}")).into());
	}
	Ok(is_open)
}

/// Returns whether this very request is open in a state.
pub(crate) async fn is_open(state: &State, id: RequestId, seen: &Request) -> Result<bool, Error> {
	let open = state.request(id).await?;
	Ok(open.is_some_and(|open| digest(&open) == digest(seen)))
}

/// Checks that this very request is open in the finalized state, as proven. Its number can then belong to no other one. A rejection
/// names its request by the number only.
///
/// # Errors
///
/// Returns [`Error::RequestNotFinal`] if it is not.
pub async fn check_final(client: &Client, id: RequestId, seen: &Request) -> Result<(), Error> {
	let open = client.proven().await?.request(id).await?;
	match open.is_some_and(|open| digest(&open) == digest(seen)) {
		true => Ok(()),
		false => Err(Error::RequestNotFinal(id)),
	}
}

/// Returns a request's digest, which its answer names.
pub fn digest(request: &Request) -> H256 {
	request.digest(content_hash)
}

/// Checks that an account may answer requests for a range: that it controls the dataset and does not hand it over, and can
/// derive the keys; or that it is an operator of the owner that does. The node could say so falsely, to get the keys with an answer that the chain refuses. Therefore it
/// proves it, too.
///
/// # Errors
///
/// Returns [`Error::NotController`], [`Error::DatasetIsOffered`], [`Error::Operator`] if it is an operator no more, and
/// [`Error::OtherSecret`] if the epoch is from before the account took the dataset over.
pub(super) async fn check_control(
	client: &Client,
	state: &State,
	owner: &Identity,
	scope: &Scope,
) -> Result<(), Error> {
	let Scope { dataset, epoch, .. } = *scope;
	let acting = match owner.account.is_operator() {
		true => owner.id(),
		false => owner.account.id(),
	};
	let proven = client.proven().await?.control(owner.id(), dataset).await?;
	let best = state.control(owner.id(), dataset).await?;
	for control in [proven, best].into_iter().flatten() {
		if control.controller != *acting {
			return Err(Error::NotController {
				dataset,
				controller: control.controller,
			});
		}
		if let Some(to) = control.offered_to {
			return Err(Error::DatasetIsOffered { dataset, to });
		}
		if epoch < control.since && acting != owner.id() {
			return Err(Error::OtherSecret { dataset, epoch });
		}
	}
	match owner.account.is_operator() {
		true => operator::check(client, state, owner).await,
		false => Ok(()),
	}
}

/// Does the same as [`authorize`], for a request that is settled. `promised` is the cost of the answers in
/// flight.
pub(crate) async fn answer(
	client: &Client,
	state: &State,
	owner: &Identity,
	id: RequestId,
	request: &Request,
	promised: Balance,
) -> Result<Call, Error> {
	let now = state.block().number;
	if request.valid_until.saturating_sub(now) < LEAST_TIME {
		let last = request.valid_until.saturating_sub(1);
		return Err(Error::TooLate { last });
	}
	let needed = ANSWER_COST.saturating_add(promised);
	let free = state.funds(owner.account.id()).await?.free;
	if free < needed {
		return Err(Error::InsufficientFunds { needed, free });
	}
	check_control(client, state, owner, &request.scope).await?;
	if owner.account.is_operator() && request.offer > 0 {
		operator::check_deposit(client, state, owner.id(), request.scope.dataset).await?;
	}
	let terms = Terms {
		grantee: request.consumer,
		scope: request.scope,
		expiry: expiry(state, request.term),
		until: None,
		request: Some(Answered {
			id,
			digest: digest(request),
		}),
		condition: None,
	};
	// The request's own key, not the registered one: there is nothing to ask a node for.
	let key = PublicKey::from_bytes(&request.key)?;
	let sealed = checked_and_sealed(client, state, owner, &terms, &key).await?;
	let call = client.add_authorize(&terms, &sealed).await?;
	Ok(call.no_later_than(last_block(request.valid_until, now)))
}

/// Returns the last block that may include the answer to a request. In a later one the request has expired, or the grant would
/// expire before its term is over.
pub(super) fn last_block(valid_until: BlockNumber, now: BlockNumber) -> BlockNumber {
	let last = valid_until.saturating_sub(1);
	last.min(now.saturating_add(TERM_SLACK))
}

/// Returns the expiry of a grant that is sent now and has to be active for at least `term` blocks.
pub fn expiry(state: &State, term: BlockNumber) -> BlockNumber {
	let now = state.block().number;
	now.saturating_add(term).saturating_add(TERM_SLACK)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_answer_comes_before_its_request_or_its_term_ends() {
		assert_eq!(last_block(1000, 100), 100 + TERM_SLACK);
		assert_eq!(last_block(105, 100), 104);
		assert_eq!(last_block(0, BlockNumber::MAX), 0);
	}
}
