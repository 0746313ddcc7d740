// SPDX-License-Identifier: Apache-2.0
//! Revokes grants.

use super::renewal::{current_epoch, lock_name, renew_these, renewals, Readers, Renewal};
use crate::{
	account::Identity,
	claim::Claim,
	client::Client,
	error::Error,
	event::Event,
	outcome::Included,
	state::{every, State},
	tx::Pending,
	types::*,
	wait::Wait,
};
use isthmus_sharing::terms::refund;

/// The outcome of a revocation.
#[derive(Debug)]
pub struct Revocation {
	/// The grant as it was before the revocation.
	pub grant: Grant,
	/// The block of the transaction that revoked it; `None` if it had already been revoked.
	pub included: Option<Included>,
	/// The last transaction that was sent: the revocation or, after it, the last grants. It is in a block.
	pub last: Option<Pending>,
	/// The renewal of the other readers' grants; `None` if the dataset stayed in its epoch, because the
	/// grant was on an earlier one.
	pub renewal: Option<Renewal>,
	/// The reader's other grants on the dataset, which stay active.
	pub left: Vec<GrantId>,
	/// Whether the dataset moved on to a new epoch just before this revocation, for example through another
	/// revocation. The other revocation may have given this reader a grant on the new epoch, which has to be
	/// revoked too.
	pub overtaken: bool,
}

/// Revokes a grant, and renews the grants of the dataset's other readers.
///
/// The revocation is a separate transaction, so that an error in the renewal does not undo it. If the grant
/// is on the dataset's current epoch, a new epoch starts with it, and the other readers' grants are
/// [renewed](super::renew) for that epoch. The revoked reader gets no access to the new epoch; its other grants on
/// the ended epoch stay active, but only for that epoch.
///
/// Records that were stored before stay readable to all other readers, as their old grants stay active.
///
/// If the grant's revocation already started the dataset's current epoch, this resumes the renewal.
///
/// Programs of the same user on the same machine revoke one grant after another.
///
/// # Errors
///
/// Returns [`Error::NoSuchGrant`] if the owner has given no such grant, [`Error::Refused`] if the grant has
/// ended, if its term is firm and not over, or if the owner cannot pay back what is left of a paid term, and [`Error::StateGone`] if resuming
/// needs the state of the revocation's block and the node has pruned it. Errors after the revocation are in
/// the [`Revocation`].
pub async fn revoke(client: &Client, owner: &Identity, id: GrantId) -> Result<Revocation, Error> {
	let _lock = client
		.hold(Wait::OtherRevocation, &lock_name(owner.id()))
		.await;
	let best = client.best().await?;
	let grant = best
		.grant(id)
		.await?
		.filter(|grant| grant.owner == *owner.id())
		.ok_or(Error::NoSuchGrant {
			owner: *owner.id(),
			grant: id,
		})?;
	let Scope { dataset, epoch, .. } = grant.scope;
	let current = current_epoch(&best, owner, dataset).await?;
	let started =
		epoch.checked_add(1) == Some(current) && has_started_epoch(client, &best, &grant).await?;
	let mut revocation = Revocation {
		grant,
		included: None,
		last: None,
		renewal: None,
		left: Vec::new(),
		overtaken: false,
	};
	if started {
		revocation.follow(client, owner, id, Ok(best), true).await;
		return Ok(revocation);
	}
	let call = client.revoke(id).await?;
	let call = call.claiming(Claim::NewEpoch(dataset));
	let now = best.block().number;
	let is_held = best
		.payment(id)
		.await?
		.is_some_and(|payment| now.saturating_add(1) < payment.until);
	// What the owner was not paid yet comes back from the reader's own funds.
	let refund = match is_held {
		true => 0,
		false => refund_of(&revocation.grant, now),
	};
	let call = call.paying(refund);
	if client.is_limited() && epoch == current {
		let mut calls = vec![call.clone()];
		calls.extend(renewals(client, &best, owner, dataset, id).await?);
		client.check_calls(&owner.account, &calls).await?;
	}
	let mut pending = client.submit(&owner.account, &call).await?;
	let included = pending.included().await?;
	revocation.last = Some(pending);
	let is_start = |event: &Event| matches!(event, Event::EpochStarted { .. });
	let moved = included.events.iter().any(is_start);
	// A grant that had expired, although the chain had not ended it yet, is ended without a new epoch.
	let is_revocation = |event: &Event| matches!(event, Event::Revoked { .. });
	let revoked = included.events.iter().any(is_revocation);
	revocation.overtaken = epoch == current && revoked && !moved;
	let state = client.at(included.block.hash).await;
	revocation.included = Some(included);
	revocation.follow(client, owner, id, state, moved).await;
	Ok(revocation)
}

/// Returns what the owner pays back if it revokes a grant after this block.
fn refund_of(grant: &Grant, now: BlockNumber) -> Balance {
	let left = grant.paid_until.saturating_sub(now.saturating_add(1));
	let term = grant.paid_until.saturating_sub(grant.paid_from);
	refund(grant.paid, left.into(), term.into())
}

impl Revocation {
	/// Returns what was paid back to the reader.
	pub fn refunded(&self) -> Balance {
		let events = self.included.iter().flat_map(|included| &included.events);
		let refund = |event: &Event| match event {
			Event::Revoked { refunded, .. } => Some(*refunded),
			_ => None,
		};
		events.filter_map(refund).sum()
	}

	/// Finds the reader's other grants in the state after the revocation, and renews the other readers'
	/// grants if the dataset has `moved` on to a new epoch. The grant is revoked already, so an error here
	/// only ends the renewal.
	async fn follow(
		&mut self,
		client: &Client,
		owner: &Identity,
		id: GrantId,
		state: Result<State, Error>,
		moved: bool,
	) {
		let Scope { dataset, epoch, .. } = self.grant.scope;
		let renewed = async {
			let state = state?;
			let page = |after| state.grants_on(owner.id(), dataset, None, after);
			let grants = every(page).await?;
			self.left = active(&grants, dataset, &self.grant.grantee)
				.filter(|other| *other != id)
				.collect();
			match moved {
				true => {
					// The chain remembers who was revoked: the epoch has only just ended.
					let readers = Readers {
						all: true,
						..Readers::default()
					};
					let renewal = renew_these(client, &state, owner, dataset, &grants, &readers);
					Ok(Some(renewal.await?))
				}
				false => Ok(None),
			}
		};
		self.renewal = match renewed.await {
			Ok(renewal) => renewal,
			Err(error) => moved.then(|| Renewal::stopped(epoch.saturating_add(1), error)),
		};
		let last = self
			.renewal
			.as_mut()
			.and_then(|renewal| renewal.last.take());
		self.last = last.or(self.last.take());
	}
}

/// Returns a reader's grants on a dataset that have not ended.
fn active<'a>(
	grants: &'a [GrantEntry],
	dataset: DatasetId,
	reader: &'a AccountId,
) -> impl Iterator<Item = GrantId> + 'a {
	let is_active = move |grant: &Grant| {
		grant.scope.dataset == dataset && grant.grantee == *reader && !grant.state.has_ended()
	};
	grants
		.iter()
		.filter(move |entry| is_active(&entry.grant))
		.map(|entry| entry.id)
}

/// Returns whether the grant's revocation started the epoch after the grant's: whether the dataset was still
/// in the grant's epoch one block earlier.
async fn has_started_epoch(client: &Client, best: &State, grant: &Grant) -> Result<bool, Error> {
	if grant.state != GrantState::Revoked {
		return Ok(false);
	}
	let memory: BlockNumber = best.constant("GrantMemory")?;
	let before = grant.due.saturating_sub(memory).saturating_sub(1);
	let state = client.at_number(before).await?;
	let dataset = state.dataset(&grant.owner, grant.scope.dataset).await?;
	Ok(dataset.is_some_and(|dataset| dataset.epoch == grant.scope.epoch))
}
