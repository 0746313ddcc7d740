// SPDX-License-Identifier: Apache-2.0
//! Renews the grants of a dataset's readers for the epoch that a revocation started.

use super::grant;
use crate::{
	account::Identity,
	call::Call,
	client::Client,
	error::Error,
	event::Event,
	outcome::Included,
	state::{every, State},
	trust::Unproven,
	tx::Pending,
	types::*,
	wait::Wait,
};
use std::collections::HashSet;

/// The maximum number of grants in a transaction: at 3.2 kB each, they stay far below the length of a block.
const GRANTS_IN_ONE: usize = 128;

/// Which grants of a dataset are renewed for its current epoch.
#[derive(Clone, Debug, Default)]
pub struct Readers {
	/// The earlier epoch whose grants are given again; `None` for the one before the current epoch.
	pub from: Option<Epoch>,
	/// Readers who get none. The chain remembers for a week which readers had a grant revoked; of readers whose revocation was
	/// earlier, it may still have other grants.
	pub except: Vec<AccountId>,
}

/// The outcome of renewing the grants of a dataset whose epoch has ended.
#[derive(Debug)]
pub struct Renewal {
	/// The epoch that the grants were sealed for.
	pub epoch: Epoch,
	/// The grants that were given.
	pub renewed: Vec<(GrantId, Terms)>,
	/// The grants that were not given, and why.
	pub skipped: Vec<(Terms, Error)>,
	/// The transaction of the last grants, if any were given. It is in a block.
	pub last: Option<Pending>,
	/// The error that stopped the renewal early, if any: run [`revoke`](super::revoke) or [`renew`] again to resume it.
	pub ended: Option<Error>,
}

/// Renews grants: those on an earlier epoch of a dataset are given again for the current one, unless that has already been
/// done. Readers with a revoked grant on the earlier epoch or on one since then get none, as long as the chain remembers it. A
/// reader who cannot be given a grant, for example because it withdrew its encryption key, does not stop the others.
///
/// Programs of the same user on the same machine revoke and renew one after another.
///
/// # Errors
///
/// Returns [`Error::NoSuchDataset`] if the owner has no such dataset, and connection errors.
pub async fn renew(
	client: &Client,
	owner: &Identity,
	dataset: DatasetId,
	readers: &Readers,
) -> Result<Renewal, Error> {
	let _lock = client
		.hold(Wait::OtherRevocation, &lock_name(owner.id()))
		.await;
	let best = client.best().await?;
	let mut grants = every(|after| best.grants_on(owner.id(), dataset, None, after)).await?;
	grants.retain(|entry| !readers.except.contains(&entry.grant.grantee));
	if client.is_limited() {
		let epoch = current_epoch(&best, owner, dataset).await?;
		let due = to_renew(&grants, dataset, readers.before(epoch), epoch);
		let calls = stand_ins(client, &grants, &due).await?;
		client.check_calls(&owner.account, &calls).await?;
	}
	renew_these(client, &best, owner, dataset, &grants, readers).await
}

/// Returns the name of the lock that programs of the same user hold while they revoke and renew.
pub(super) fn lock_name(owner: &AccountId) -> String {
	format!("isthmus-{owner}-revoke.lock")
}

impl Readers {
	/// Returns the epoch whose grants are renewed for this one.
	fn before(&self, epoch: Epoch) -> Epoch {
		self.from.unwrap_or(epoch.saturating_sub(1))
	}
}

pub(super) async fn renew_these(
	client: &Client,
	state: &State,
	owner: &Identity,
	dataset: DatasetId,
	grants: &[GrantEntry],
	readers: &Readers,
) -> Result<Renewal, Error> {
	let epoch = current_epoch(state, owner, dataset).await?;
	let before = readers.before(epoch);
	let mut renewal = Renewal {
		epoch,
		renewed: Vec::new(),
		skipped: Vec::new(),
		last: None,
		ended: None,
	};
	for part in to_renew(grants, dataset, before, epoch).chunks(GRANTS_IN_ONE) {
		if let Err(error) = renew_part(client, state, owner, (before, part), &mut renewal).await {
			renewal.ended = Some(error);
			break;
		}
	}
	Ok(renewal)
}

/// Renews the grants of one transaction.
async fn renew_part(
	client: &Client,
	state: &State,
	owner: &Identity,
	(before, part): (Epoch, &[Terms]),
	renewal: &mut Renewal,
) -> Result<(), Error> {
	let (mut sealed, mut calls) = (Vec::new(), Vec::new());
	for terms in part {
		match renewed(client, state, owner, before, terms).await {
			Ok(call) => {
				sealed.push(terms.clone());
				calls.push(call);
			}
			Err(error) if error.is_connection() => return Err(error),
			Err(error) => renewal.skipped.push((terms.clone(), error)),
		}
	}
	if calls.is_empty() {
		return Ok(());
	}
	let call = client.batch_each(&calls).await?;
	let mut pending = client.submit(&owner.account, &call).await?;
	let included = pending.included().await?;
	renewal.sort_out(sealed, &included)?;
	renewal.last = Some(pending);
	Ok(())
}

/// Makes the call that renews a grant, if a finalized state that has the new epoch still says that it is due.
async fn renewed(
	client: &Client,
	state: &State,
	owner: &Identity,
	before: Epoch,
	terms: &Terms,
) -> Result<Call, Error> {
	let Scope { dataset, epoch, .. } = terms.scope;
	let is_there = client.confirmed(state, &true, async |proven| {
		// A state before the new epoch does not show a revocation that began it.
		let has_epoch = proven.dataset(owner.id(), dataset).await?;
		if has_epoch.is_none_or(|dataset| dataset.epoch < epoch) {
			return Ok(false);
		}
		let mut grants = Vec::new();
		for earlier in before..epoch {
			let on = proven.grants_on(owner.id(), dataset, earlier, &terms.grantee);
			grants.extend(on.await?);
		}
		Ok(is_due(terms, before, &grants))
	});
	match is_there.await? {
		true => grant(client, state, owner, terms).await,
		false => Err(Unproven::Forged(format!("a grant to {}", terms.grantee)).into()),
	}
}

/// Makes transactions that cost what the renewal of the other readers' grants will cost if a grant is revoked. They renew
/// nothing, because they hold no keys.
pub(super) async fn renewals(
	client: &Client,
	best: &State,
	owner: &Identity,
	dataset: DatasetId,
	revoked: GrantId,
) -> Result<Vec<Call>, Error> {
	let mut grants = every(|after| best.grants_on(owner.id(), dataset, None, after)).await?;
	let current = current_epoch(best, owner, dataset).await?;
	for entry in &mut grants {
		if entry.id == revoked {
			entry.grant.state = GrantState::Revoked;
		}
	}
	let next = current.saturating_add(1);
	stand_ins(client, &grants, &to_renew(&grants, dataset, current, next)).await
}

/// Makes transactions that cost what the renewal of these grants will cost. They renew nothing, because they hold no keys.
async fn stand_ins(
	client: &Client,
	grants: &[GrantEntry],
	due: &[Terms],
) -> Result<Vec<Call>, Error> {
	// Keys for the same leaves are as long in each epoch.
	let length = |terms: &Terms| {
		let same = grants.iter().map(|entry| &entry.grant).find(|grant| {
			let Scope { from, to, .. } = grant.scope;
			(grant.grantee, from, to) == (terms.grantee, terms.scope.from, terms.scope.to)
				&& !grant.state.has_ended()
		});
		same.map_or(0, |grant| grant.sealed_keys.len())
	};
	let mut transactions = Vec::new();
	for part in due.chunks(GRANTS_IN_ONE) {
		let mut calls = Vec::new();
		for terms in part {
			calls.push(client.add_authorize(terms, &vec![0; length(terms)]).await?);
		}
		transactions.push(client.batch_each(&calls).await?);
	}
	Ok(transactions)
}

pub(super) async fn current_epoch(
	state: &State,
	owner: &Identity,
	dataset: DatasetId,
) -> Result<Epoch, Error> {
	let entry = state.dataset(owner.id(), dataset).await?;
	let owner = *owner.id();
	let entry = entry.ok_or(Error::NoSuchDataset { owner, dataset })?;
	Ok(entry.epoch)
}

/// Returns whether a reader's grants on the epochs from an earlier one to that of these terms include one on the former that
/// gives the same, and none that was revoked.
fn is_due(terms: &Terms, before: Epoch, grants: &[GrantEntry]) -> bool {
	let revoked = |entry: &GrantEntry| entry.grant.state == GrantState::Revoked;
	let same = |entry: &GrantEntry| is_renewal(terms, before, &entry.grant);
	!grants.iter().any(revoked) && grants.iter().any(same)
}

/// Returns whether a grant on an earlier epoch than these terms' gives the same.
fn is_renewal(terms: &Terms, before: Epoch, grant: &Grant) -> bool {
	let Scope { from, to, .. } = grant.scope;
	!grant.state.has_ended()
		&& grant.scope.epoch == before
		&& (from, to) == (terms.scope.from, terms.scope.to)
		&& (grant.expiry, grant.until) == (terms.expiry, terms.until)
		&& condition(grant) == terms.condition.as_ref()
}

/// Returns the condition under which a grant is good, if any.
fn condition(grant: &Grant) -> Option<&Condition> {
	grant.condition.as_ref().map(|attached| &attached.condition)
}

/// Returns the grants to give on a dataset's current epoch: those on an earlier one that have not ended and that the
/// current one lacks, under the same conditions, except those of readers who were revoked on it or since.
fn to_renew(grants: &[GrantEntry], dataset: DatasetId, before: Epoch, epoch: Epoch) -> Vec<Terms> {
	if before >= epoch {
		return Vec::new();
	}
	let on = |epoch| {
		grants
			.iter()
			.map(|entry| &entry.grant)
			.filter(move |grant| (grant.scope.dataset, grant.scope.epoch) == (dataset, epoch))
	};
	let what = |grant: &Grant| {
		let Scope { from, to, .. } = grant.scope;
		let condition = condition(grant).map(ToString::to_string);
		let reader = grant.grantee.0;
		(reader, from, to, grant.expiry, grant.until, condition)
	};
	let revoked: HashSet<[u8; 32]> = (before..epoch)
		.flat_map(on)
		.filter(|grant| grant.state == GrantState::Revoked)
		.map(|grant| grant.grantee.0)
		.collect();
	let mut there: HashSet<_> = on(epoch).map(what).collect();
	on(before)
		.filter(|grant| !grant.state.has_ended() && !revoked.contains(&grant.grantee.0))
		.filter(|grant| there.insert(what(grant)))
		.map(|grant| Terms {
			grantee: grant.grantee,
			scope: Scope {
				epoch,
				..grant.scope
			},
			expiry: grant.expiry,
			until: grant.until,
			request: None,
			condition: condition(grant).cloned(),
		})
		.collect()
}

impl Renewal {
	/// Returns a renewal that an error stopped before its start.
	pub(super) fn stopped(epoch: Epoch, error: Error) -> Self {
		Self {
			epoch,
			renewed: Vec::new(),
			skipped: Vec::new(),
			last: None,
			ended: Some(error),
		}
	}

	/// Sorts a batch's grants into those that were given and those that were refused. Events and refusals
	/// are both in the order of the calls.
	fn sort_out(&mut self, sealed: Vec<Terms>, included: &Included) -> Result<(), Error> {
		let granted = included.events.iter().filter_map(Event::granted);
		let mut granted = granted.peekable();
		let mut refusals = included.refused.iter();
		for terms in sealed {
			match granted.next_if(|granted| granted.terms == terms) {
				Some(granted) => self.renewed.push((granted.grant, terms)),
				None => {
					let refusal = refusals.next().ok_or_else(|| {
						Error::Incompatible("a call of a batch has no outcome".into())
					})?;
					self.skipped.push((terms, Error::Refused(refusal.clone())));
				}
			}
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn entry(id: GrantId, reader: u8, epoch: Epoch, to: u64, state: GrantState) -> GrantEntry {
		let grant = Grant {
			owner: [1; 32].into(),
			grantee: [reader; 32].into(),
			scope: Scope {
				dataset: 3,
				epoch,
				from: 0,
				to,
			},
			expiry: 100,
			until: None,
			agreement: None,
			code: PurposeCode::Unspecified,
			paid: 0,
			paid_from: 0,
			paid_until: 0,
			firm: false,
			state,
			sealed_keys: Vec::new(),
			depositor: [1; 32].into(),
			deposit: 0,
			due: 100,
			condition: None,
		};
		GrantEntry { id, grant }
	}

	fn renewed(grants: &[GrantEntry], epoch: Epoch) -> Vec<(u8, Epoch, u64)> {
		renewed_from(grants, epoch.saturating_sub(1), epoch)
	}

	fn renewed_from(grants: &[GrantEntry], before: Epoch, epoch: Epoch) -> Vec<(u8, Epoch, u64)> {
		to_renew(grants, 3, before, epoch)
			.into_iter()
			.map(|terms| (terms.grantee.0[0], terms.scope.epoch, terms.scope.to))
			.collect()
	}

	#[test]
	fn only_readers_who_stay_are_renewed_and_each_grant_once() {
		use GrantState::*;
		let mut grants = vec![
			entry(0, 5, 0, 10, Active),
			entry(1, 5, 0, 20, Active),
			entry(2, 6, 0, 10, Revoked),
			entry(3, 6, 0, 20, Active),
			entry(4, 7, 0, 10, Expired),
			entry(5, 8, 0, 10, Active),
			entry(6, 8, 0, 10, Active),
		];
		assert_eq!(renewed(&grants, 1), [(5, 1, 10), (5, 1, 20), (8, 1, 10)]);
		// A renewal is resumed: grants that exist already are not given again.
		grants.push(entry(7, 5, 1, 20, Active));
		grants.push(entry(8, 8, 1, 10, Expired));
		assert_eq!(renewed(&grants, 1), [(5, 1, 10)]);
		// A suspended grant is renewed, under its condition.
		let mut suspended = entry(9, 9, 0, 10, Suspended);
		suspended.grant.condition = Some(Attached {
			condition: "after(2027-01-01)".parse().expect("it is a condition"),
			deposit: 0,
		});
		let terms = to_renew(std::slice::from_ref(&suspended), 3, 0, 1);
		assert_eq!(terms[0].condition.as_ref(), condition(&suspended.grant));
		assert!(is_due(&terms[0], 0, std::slice::from_ref(&suspended)));
		let without = Terms {
			condition: None,
			..terms[0].clone()
		};
		assert!(!is_due(&without, 0, &[suspended]));
		// Other epochs and datasets do not matter.
		assert_eq!(renewed(&grants, 0), []);
		assert_eq!(renewed(&grants, 2), [(5, 2, 20)]);
		assert_eq!(to_renew(&grants, 4, 0, 1), []);
	}

	#[test]
	fn an_epoch_that_nobody_was_granted_lies_between() {
		use GrantState::*;
		let mut grants = vec![
			entry(0, 5, 0, 10, Active),
			entry(1, 6, 0, 10, Active),
			entry(2, 7, 0, 10, Active),
		];
		assert_eq!(renewed(&grants, 2), []);
		let all = [(5, 2, 10), (6, 2, 10), (7, 2, 10)];
		assert_eq!(renewed_from(&grants, 0, 2), all);
		// Who was revoked since then gets none, and who has a grant already no other one.
		grants.push(entry(3, 6, 1, 5, Revoked));
		grants.push(entry(4, 7, 2, 10, Active));
		assert_eq!(renewed_from(&grants, 0, 2), [(5, 2, 10)]);
		let [terms] = &to_renew(&grants, 3, 0, 2)[..] else {
			panic!("one grant is due");
		};
		assert!(is_due(terms, 0, &grants[..1]));
		assert!(!is_due(terms, 1, &grants[..1]));
		assert!(!is_due(
			terms,
			0,
			&[grants[0].clone(), entry(5, 5, 1, 3, Revoked)]
		));
		// The current epoch and later ones are none to renew from.
		assert_eq!(renewed_from(&grants, 2, 2), []);
		assert_eq!(renewed_from(&grants, 3, 2), []);
	}

	#[test]
	fn a_reader_with_a_revoked_grant_is_not_renewed_whatever_the_node_leaves_out() {
		use GrantState::*;
		let active = entry(1, 7, 0, 10, Active);
		let [terms] = &to_renew(std::slice::from_ref(&active), 3, 0, 1)[..] else {
			panic!("one grant is due");
		};
		assert!(is_due(terms, 0, std::slice::from_ref(&active)));
		assert!(!is_due(terms, 0, &[active, entry(2, 7, 0, 5, Revoked)]));
		assert!(!is_due(terms, 0, &[entry(1, 7, 0, 10, Revoked)]));
		assert!(!is_due(terms, 0, &[entry(1, 7, 0, 11, Active)]));
		assert!(!is_due(terms, 0, &[]));
	}
}
