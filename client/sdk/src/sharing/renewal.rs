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
use isthmus_sharing::terms::MAX_GRANTS_PER_READER;
use std::{
	collections::{HashMap, HashSet},
	ops::RangeInclusive,
};

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
	/// Whether to renew also if the chain may have forgotten revocations and `except` names no one: all readers who are
	/// [due](renewable) are known to be meant.
	pub all: bool,
}

/// The grants that [`renew`] would give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewable {
	/// The earlier epoch, whose grants are given again.
	pub before: Epoch,
	/// The current epoch, for which they are given.
	pub epoch: Epoch,
	/// The terms of the grants.
	pub terms: Vec<Terms>,
	/// Whether readers may be among them who had a grant revoked: the chain remembers a revocation for a week, and it cannot be
	/// shown that the earlier epoch ended later than that.
	pub may_have_forgotten: bool,
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
/// Returns [`Error::NoSuchDataset`] if the owner has no such dataset, [`Error::RevocationsForgotten`] if the chain
/// [may have forgotten](Renewable::may_have_forgotten) who had a grant revoked, and [`Readers`] neither excepts someone nor says
/// that all are meant, and connection errors.
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
	let (grants, due) = look(client, &best, owner, dataset, readers).await?;
	if due.may_have_forgotten && !readers.are_told() {
		let epoch = due.before;
		return Err(Error::RevocationsForgotten { dataset, epoch });
	}
	if client.is_limited() {
		let calls = stand_ins(client, &grants, &due.terms).await?;
		client.check_calls(&owner.account, &calls).await?;
	}
	renew_these(client, &best, owner, dataset, &grants, readers).await
}

/// Returns the grants that [`renew`] would give, and whether the chain may have forgotten revocations of their readers. For
/// this, a node that keeps old states is believed; one that prunes them cannot show that an epoch ended less than a week ago.
///
/// # Errors
///
/// Returns [`Error::NoSuchDataset`] if the owner has no such dataset, and connection errors.
pub async fn renewable(
	client: &Client,
	owner: &Identity,
	dataset: DatasetId,
	readers: &Readers,
) -> Result<Renewable, Error> {
	let best = client.best().await?;
	Ok(look(client, &best, owner, dataset, readers).await?.1)
}

/// Returns the grants on a dataset of readers who are not excepted, and those that are to be renewed.
async fn look(
	client: &Client,
	best: &State,
	owner: &Identity,
	dataset: DatasetId,
	readers: &Readers,
) -> Result<(Vec<GrantEntry>, Renewable), Error> {
	let mut grants = every(|after| best.grants_on(owner.id(), dataset, None, after)).await?;
	grants.retain(|entry| !readers.except.contains(&entry.grant.grantee));
	let epoch = current_epoch(best, owner, dataset).await?;
	let before = readers.before(epoch);
	let terms = to_renew(&grants, dataset, before, epoch);
	let may_have_forgotten = !terms.is_empty()
		&& (is_crowded(&grants, dataset, before, epoch)
			|| !is_remembered(client, best, owner, (dataset, before)).await?);
	let due = Renewable {
		before,
		epoch,
		terms,
		may_have_forgotten,
	};
	Ok((grants, due))
}

/// Returns whether the chain remembers all revocations of grants on an epoch that is over, and on later ones: an epoch's grants
/// are not revoked before its end, because a revocation ends it.
async fn is_remembered(
	client: &Client,
	best: &State,
	owner: &Identity,
	(dataset, before): (DatasetId, Epoch),
) -> Result<bool, Error> {
	let memory: BlockNumber = best.constant("GrantMemory")?;
	let Some(then) = best.block().number.checked_sub(memory) else {
		return Ok(true);
	};
	let entry = async {
		let state = client.at_number(then).await?;
		state.dataset(owner.id(), dataset).await
	};
	shows_no_end(entry.await, before)
}

/// Returns whether an earlier state shows that an epoch was not over then. A node that lacks the state shows nothing.
fn shows_no_end(then: Result<Option<Dataset>, Error>, before: Epoch) -> Result<bool, Error> {
	match then {
		Ok(entry) => Ok(entry.is_none_or(|entry| entry.epoch <= before)),
		Err(Error::StateGone(_) | Error::NoSuchBlock(_)) => Ok(false),
		Err(error) => Err(error),
	}
}

/// Returns whether a reader has no place left for grants on one of these epochs: another one takes the place of one that was
/// revoked.
fn is_crowded(grants: &[GrantEntry], dataset: DatasetId, before: Epoch, epoch: Epoch) -> bool {
	let mut counts = HashMap::new();
	for Grant { scope, grantee, .. } in grants.iter().map(|entry| &entry.grant) {
		if scope.dataset == dataset && (before..=epoch).contains(&scope.epoch) {
			*counts.entry((grantee.0, scope.epoch)).or_insert(0u32) += 1;
		}
	}
	counts
		.into_values()
		.any(|count| count >= MAX_GRANTS_PER_READER)
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

	/// Returns whether it was said who may read, so that it does not matter what the chain may have forgotten.
	fn are_told(&self) -> bool {
		self.all || !self.except.is_empty()
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
		let given = renew_part(client, state, owner, (before, part, readers), &mut renewal);
		if let Err(error) = given.await {
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
	(before, part, readers): (Epoch, &[Terms], &Readers),
	renewal: &mut Renewal,
) -> Result<(), Error> {
	let (mut sealed, mut calls) = (Vec::new(), Vec::new());
	for terms in part {
		match renewed(client, state, owner, (before, terms, readers)).await {
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

/// Makes the call that renews a grant, if a finalized state that has the new epoch still says that it is due, and has
/// forgotten no revocation of its reader for want of places.
async fn renewed(
	client: &Client,
	state: &State,
	owner: &Identity,
	(before, terms, readers): (Epoch, &Terms, &Readers),
) -> Result<Call, Error> {
	let Scope { dataset, epoch, .. } = terms.scope;
	let is_there = client.confirmed(state, &true, async |proven| {
		// A state before the new epoch does not show a revocation that began it.
		let has_epoch = proven.dataset(owner.id(), dataset).await?;
		if has_epoch.is_none_or(|dataset| dataset.epoch < epoch) {
			return Ok(false);
		}
		let mut grants = Vec::new();
		for one in looked_at(before, epoch) {
			let on = proven.grants_on(owner.id(), dataset, one, &terms.grantee);
			grants.extend(on.await?);
		}
		if !readers.are_told() && is_crowded(&grants, dataset, before, epoch) {
			let epoch = before;
			return Err(Error::RevocationsForgotten { dataset, epoch });
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

/// Returns the epochs in which a revocation keeps a reader from a renewal. The last one is the one that grants are given for: it
/// may be over, too, by the time that the last of them are sent.
fn looked_at(before: Epoch, epoch: Epoch) -> RangeInclusive<Epoch> {
	before..=epoch
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
	let revoked: HashSet<[u8; 32]> = looked_at(before, epoch)
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

	#[test]
	fn a_reader_who_is_revoked_between_two_parts_is_not_renewed() {
		use GrantState::*;
		let mut grants = vec![entry(0, 5, 0, 10, Active), entry(1, 6, 0, 10, Active)];
		let terms = to_renew(&grants, 3, 0, 1);
		assert_eq!(terms.len(), 2);
		// After the first part, the second reader's grant on the ended epoch is revoked, or another one on the new epoch, which
		// ends with it.
		for epoch in [0, 1] {
			assert!(looked_at(0, 1).contains(&epoch));
			grants.push(entry(2, 6, epoch, 4, Revoked));
			let of = |reader| {
				let all = grants.iter();
				let of = all.filter(|entry| entry.grant.grantee.0[0] == reader);
				of.cloned().collect::<Vec<_>>()
			};
			assert!(is_due(&terms[0], 0, &of(5)));
			assert!(!is_due(&terms[1], 0, &of(6)));
			assert_eq!(renewed(&grants, 1), [(5, 1, 10)]);
			grants.pop();
		}
	}

	#[test]
	fn a_state_of_a_week_ago_shows_whether_revocations_are_remembered() {
		let dataset = |epoch| Dataset {
			name: Text::default(),
			epoch,
			leaves: 0,
			requests: 0,
			grants: 0,
			closed: false,
			deposit: 0,
		};
		// The dataset was in this epoch or in an earlier one, or it was not there yet.
		for epoch in [0, 2] {
			assert!(shows_no_end(Ok(Some(dataset(epoch))), 2).unwrap());
		}
		assert!(shows_no_end(Ok(None), 2).unwrap());
		// The epoch had ended, or no one can say.
		assert!(!shows_no_end(Ok(Some(dataset(3))), 2).unwrap());
		assert!(!shows_no_end(Err(Error::StateGone("pruned".into())), 2).unwrap());
		assert!(!shows_no_end(Err(Error::NoSuchBlock(7)), 2).unwrap());
		let lost = shows_no_end(Err(Error::Connection("lost".into())), 2);
		assert!(matches!(lost, Err(Error::Connection(_))), "{lost:?}");
	}

	#[test]
	fn a_revocation_may_be_forgotten_early_if_its_reader_has_all_places() {
		use GrantState::*;
		let most = u64::from(MAX_GRANTS_PER_READER);
		let mut grants: Vec<_> = (1..most).map(|to| entry(to, 5, 1, to, Active)).collect();
		grants.push(entry(100, 5, 0, 4, Active));
		grants.push(entry(101, 6, 1, 4, Active));
		assert!(!is_crowded(&grants, 3, 0, 2));
		grants.push(entry(102, 5, 1, 4, Expired));
		assert!(is_crowded(&grants, 3, 0, 2));
		assert!(is_crowded(&grants, 3, 1, 2));
		// Earlier epochs and other datasets do not matter.
		assert!(!is_crowded(&grants, 3, 2, 3));
		assert!(!is_crowded(&grants, 4, 0, 2));
	}
}
