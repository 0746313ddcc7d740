//! The owner's side of sharing: grants are sealed, and when one is revoked the others are sealed anew
//! for the epoch that begins then.

use crate::{
	account::Identity,
	calls::Terms,
	client::Client,
	error::Error,
	event::Event,
	state::{every, State},
	tx::{Call, Included},
	types::*,
};
use isthmus_envelope::{open_grant, seal_grant, EpochId, GrantScope, KeySet, PublicKey, Range};
use isthmus_sharing::terms::{Footprint, Rates};
use std::collections::HashSet;

pub use isthmus_sharing::terms::{LEAST_TIME, TERM_SLACK};

/// More than a grant's fee and what has to stay on an account.
const FEE: Balance = isthmus_primitives::UNIT / 10;
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
	let sealed = sealed(client, state, owner, terms).await?;
	client.add_authorize(terms, &sealed).await
}

async fn sealed(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
) -> Result<Vec<u8>, Error> {
	let key = state
		.encryption_key(&terms.grantee)
		.await?
		.ok_or_else(|| Error::Unknown(format!("encryption key of {}", terms.grantee)))?;
	seal(client, owner, terms, &key)
}

/// A grant of just what a request asks for. It may run a little longer, by [`TERM_SLACK`]: how many
/// blocks pass before it is in one is not known beforehand.
///
/// The reader can open the sealed keys as soon as the call is sent, also where the chain refuses it. So
/// there is no call where it can be known that it would fail, and it is signed so that it is in a block
/// while the request is good, or in none.
///
/// # Errors
///
/// As [`grant`]; [`Error::TooLate`] where the request has fewer than [`LEAST_TIME`] blocks left, and
/// [`Error::TooPoor`] where the owner has not the grant's deposit.
pub async fn authorize(
	client: &Client,
	state: &State,
	owner: &Identity,
	id: RequestId,
	request: &Request,
) -> Result<Call, Error> {
	let (call, _) = answer(client, state, owner, id, request, 0).await?;
	Ok(call)
}

/// [`authorize`], and what the grant takes of the owner's funds, of which `promised` are for others.
pub(crate) async fn answer(
	client: &Client,
	state: &State,
	owner: &Identity,
	id: RequestId,
	request: &Request,
	promised: Balance,
) -> Result<(Call, Balance), Error> {
	let now = state.block().number;
	let last = request.valid_until.saturating_sub(1);
	if request.valid_until.saturating_sub(now) < LEAST_TIME {
		return Err(Error::TooLate { last });
	}
	let terms = Terms {
		grantee: request.consumer,
		scope: request.scope,
		expiry: expiry(state, request.term),
		until: None,
		request: Some(id),
	};
	let sealed = sealed(client, state, owner, &terms).await?;
	let rates = Rates {
		per_item: state.constant("DepositPerItem")?,
		per_byte: state.constant("DepositPerByte")?,
	};
	let cost = Footprint::grant(sealed.len())
		.deposit(&rates)
		// The offer is paid before the deposit is held.
		.saturating_sub(request.offer)
		.saturating_add(FEE);
	let needed = cost.saturating_add(promised);
	let there = state.funds(owner.id()).await?.free;
	if there < needed {
		return Err(Error::TooPoor { needed, there });
	}
	let call = client.add_authorize(&terms, &sealed).await?;
	// Later than that the expiry would come before the term is over.
	let last = last.min(now.saturating_add(TERM_SLACK));
	Ok((call.no_later_than(last), cost))
}

/// The expiry of a grant that is sent now and shall be good for `term` blocks at least.
pub fn expiry(state: &State, term: BlockNumber) -> BlockNumber {
	let now = state.block().number;
	now.saturating_add(term).saturating_add(TERM_SLACK)
}

/// What became of a revocation.
#[derive(Debug)]
pub struct Revocation {
	/// The grant, as it was before.
	pub grant: Grant,
	/// The block that it is revoked in; `None` where it was revoked before.
	pub included: Option<Included>,
	/// What became of the other readers; `None` where the dataset did not move on, as the grant was on
	/// an earlier epoch.
	pub renewal: Option<Renewal>,
	/// The reader's other grants on the dataset, which stay good.
	pub left: Vec<GrantId>,
	/// Whether the dataset moved on before this revocation could do so, by another one at the same time
	/// say: that one may have given this reader a grant of the new epoch, which is to be revoked too.
	pub overtaken: bool,
}

/// What became of the readers of a dataset whose epoch has ended.
#[derive(Debug)]
pub struct Renewal {
	/// The epoch that their grants were sealed anew for.
	pub epoch: Epoch,
	/// The grants that were given.
	pub renewed: Vec<(GrantId, Terms)>,
	/// The grants that were not, and why.
	pub skipped: Vec<(Terms, Error)>,
	/// The block of the last grants, if any were given.
	pub last: Option<Included>,
	/// What ended it before its end, if anything did: [`revoke`] or [`renew`] again goes on.
	pub ended: Option<Error>,
}

/// Revokes a grant and keeps the dataset's other readers.
///
/// The revocation is a transaction of its own, so that nothing undoes it. If the grant was on the
/// dataset's current epoch, a new one begins with it, and the other readers' grants are [renewed](renew)
/// for it. The reader whose grant it was gets nothing of the new epoch, also where it has further grants
/// on the one that ended: those stay good, for that epoch alone.
///
/// What was stored before stays readable by all, as their old grants stay good.
///
/// For a grant whose revocation began the dataset's current epoch, the renewal is gone on with.
///
/// # Errors
///
/// [`Error::Unknown`] where there is no such grant, [`Error::Refused`] where it ended or was paid for.
/// [`Error::StateGone`] where going on takes the state of the revocation's block, which the node has no more.
/// What goes wrong after the revocation is in what is returned.
pub async fn revoke(client: &Client, owner: &Identity, id: GrantId) -> Result<Revocation, Error> {
	let best = client.best().await?;
	let grant = best
		.grant(id)
		.await?
		.filter(|grant| grant.owner == *owner.id())
		.ok_or_else(|| Error::Unknown(format!("grant {id} of this owner")))?;
	let Scope { dataset, epoch, .. } = grant.scope;
	let current = current_epoch(&best, owner, dataset).await?;
	let mut revocation = Revocation {
		grant,
		included: None,
		renewal: None,
		left: Vec::new(),
		overtaken: false,
	};
	let again = epoch.checked_add(1) == Some(current)
		&& has_begun_epoch(client, &best, &revocation.grant).await?;
	let (state, moved) = if again {
		(best, true)
	} else {
		let call = client.revoke(id).await?;
		let included = client.send(&owner.account, &call).await?;
		let moved = included
			.events
			.iter()
			.any(|event| matches!(event, Event::EpochStarted { .. }));
		revocation.overtaken = epoch == current && !moved;
		let state = client.at(included.block.hash).await;
		revocation.included = Some(included);
		match state {
			Ok(state) => (state, moved),
			Err(error) => {
				revocation.renewal =
					moved.then(|| Renewal::stopped(epoch.saturating_add(1), error));
				return Ok(revocation);
			}
		}
	};
	let reader = revocation.grant.grantee;
	match every(|after| state.grants_of(owner.id(), None, after)).await {
		Ok(grants) => {
			revocation.left = grants
				.iter()
				.filter(|entry| {
					entry.id != id
						&& entry.grant.scope.dataset == dataset
						&& entry.grant.grantee == reader
						&& entry.grant.state == GrantState::Active
				})
				.map(|entry| entry.id)
				.collect();
			if moved {
				let renewal = renew_these(client, &state, owner, dataset, &grants).await;
				revocation.renewal = Some(
					renewal
						.unwrap_or_else(|error| Renewal::stopped(epoch.saturating_add(1), error)),
				);
			}
		}
		Err(error) if moved => {
			revocation.renewal = Some(Renewal::stopped(epoch.saturating_add(1), error));
		}
		// The grant is revoked; of what is left nothing could be learned.
		Err(_) => {}
	}
	Ok(revocation)
}

/// Whether the dataset was still at the grant's epoch in the block before the one that revoked it.
async fn has_begun_epoch(client: &Client, best: &State, grant: &Grant) -> Result<bool, Error> {
	if grant.state != GrantState::Revoked {
		return Ok(false);
	}
	let memory: BlockNumber = best.constant("GrantMemory")?;
	let before = grant.due.saturating_sub(memory).saturating_sub(1);
	let state = client.at_number(before).await?;
	let dataset = state.dataset(&grant.owner, grant.scope.dataset).await?;
	Ok(dataset.is_some_and(|dataset| dataset.epoch == grant.scope.epoch))
}

/// Seals anew, for a dataset's current epoch, the grants on the epoch before it that have no like on the
/// current one. Readers of whom a grant on that epoch was revoked are left out. Best effort: a reader
/// who cannot be given its grant, having taken its encryption key back say, does not stop the others.
///
/// # Errors
///
/// Those of the connection, and [`Error::Unknown`] where there is no such dataset.
pub async fn renew(
	client: &Client,
	owner: &Identity,
	dataset: DatasetId,
) -> Result<Renewal, Error> {
	let best = client.best().await?;
	let grants = every(|after| best.grants_of(owner.id(), None, after)).await?;
	renew_these(client, &best, owner, dataset, &grants).await
}

async fn current_epoch(
	state: &State,
	owner: &Identity,
	dataset: DatasetId,
) -> Result<Epoch, Error> {
	let entry = state.dataset(owner.id(), dataset).await?;
	let entry = entry.ok_or_else(|| Error::Unknown(format!("dataset {dataset}")))?;
	Ok(entry.epoch)
}

async fn renew_these(
	client: &Client,
	state: &State,
	owner: &Identity,
	dataset: DatasetId,
	grants: &[GrantEntry],
) -> Result<Renewal, Error> {
	let epoch = current_epoch(state, owner, dataset).await?;
	let mut renewal = Renewal {
		epoch,
		renewed: Vec::new(),
		skipped: Vec::new(),
		last: None,
		ended: None,
	};
	for part in to_renew(grants, dataset, epoch).chunks(GRANTS_IN_ONE) {
		if let Err(error) = renew_part(client, state, owner, part, &mut renewal).await {
			renewal.ended = Some(error);
			break;
		}
	}
	Ok(renewal)
}

/// Renews as many grants as go into one transaction.
async fn renew_part(
	client: &Client,
	state: &State,
	owner: &Identity,
	part: &[Terms],
	renewal: &mut Renewal,
) -> Result<(), Error> {
	let (mut sealed, mut calls) = (Vec::new(), Vec::new());
	for terms in part {
		match grant(client, state, owner, terms).await {
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
	let included = client.send(&owner.account, &call).await?;
	// Both are in the order of the calls.
	let mut given = included.events.iter().filter_map(|event| match event {
		Event::Authorized {
			grant,
			grantee,
			scope,
			expiry,
			until,
			..
		} => Some((*grant, (grantee, scope, expiry, until))),
		_ => None,
	});
	let mut given_next = given.next();
	let mut refusals = included.refused.iter();
	for terms in sealed {
		let this = (&terms.grantee, &terms.scope, &terms.expiry, &terms.until);
		match given_next {
			Some((id, grant)) if grant == this => {
				renewal.renewed.push((id, terms));
				given_next = given.next();
			}
			_ => match refusals.next() {
				Some(refusal) => renewal
					.skipped
					.push((terms, Error::Refused(refusal.clone()))),
				None => {
					return Err(Error::Incompatible(
						"a batch that says nothing of one of its calls".into(),
					))
				}
			},
		}
	}
	renewal.last = Some(included);
	Ok(())
}

/// The grants to be given on a dataset's current epoch: those on the one before that have no like there,
/// but not those of readers of whom a grant on it was revoked.
fn to_renew(grants: &[GrantEntry], dataset: DatasetId, epoch: Epoch) -> Vec<Terms> {
	let Some(before) = epoch.checked_sub(1) else {
		return Vec::new();
	};
	let on = |epoch| {
		grants
			.iter()
			.map(|entry| &entry.grant)
			.filter(move |grant| (grant.scope.dataset, grant.scope.epoch) == (dataset, epoch))
	};
	let what = |grant: &Grant| {
		let Scope { from, to, .. } = grant.scope;
		(grant.grantee.0, from, to, grant.expiry, grant.until)
	};
	let put_out: HashSet<[u8; 32]> = on(before)
		.filter(|grant| grant.state == GrantState::Revoked)
		.map(|grant| grant.grantee.0)
		.collect();
	let mut there: HashSet<_> = on(epoch).map(what).collect();
	on(before)
		.filter(|grant| grant.state == GrantState::Active && !put_out.contains(&grant.grantee.0))
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
		})
		.collect()
}

impl Renewal {
	/// One that could not begin.
	fn stopped(epoch: Epoch, error: Error) -> Self {
		Self {
			epoch,
			renewed: Vec::new(),
			skipped: Vec::new(),
			last: None,
			ended: Some(error),
		}
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
			paid_until: 0,
			state,
			sealed_keys: Vec::new(),
			deposit: 0,
			due: 100,
		};
		GrantEntry { id, grant }
	}

	fn renewed(grants: &[GrantEntry], epoch: Epoch) -> Vec<(u8, Epoch, u64)> {
		to_renew(grants, 3, epoch)
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
		// Gone on with: what is there is not given again.
		grants.push(entry(7, 5, 1, 20, Active));
		grants.push(entry(8, 8, 1, 10, Expired));
		assert_eq!(renewed(&grants, 1), [(5, 1, 10)]);
		// Other epochs and datasets are not looked at.
		assert_eq!(renewed(&grants, 0), []);
		assert_eq!(renewed(&grants, 2), [(5, 2, 20)]);
		assert_eq!(to_renew(&grants, 4, 1), []);
	}
}
