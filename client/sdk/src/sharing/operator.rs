// SPDX-License-Identifier: Apache-2.0
//! Operators: accounts that answer requests for an owner, without the owner's key and master secret.
//!
//! The owner grants its operator the leaves that it may serve, as to any reader, and names it as a proxy of the kind
//! [`ProxyKind::Sharing`]. The operator opens its own grant, derives the keys of a request's range from it, and sends the
//! answer as the owner's ([`Identity::operating_for`]). It has no keys of other leaves or of other epochs.
//!
//! The proxy, who controls the dataset, and the operator's own grant are [proven](crate::proven) in the finalized state, and
//! looked up in the best one: the keys of an answer are public as soon as it is sent.

pub use crate::error::{Held, OperatorError};

use super::keys::open;
use crate::{
	account::Identity,
	call::{Address, Call},
	client::Client,
	cost::rates,
	error::Error,
	state::State,
	types::*,
};
use isthmus_envelope::{KeySet, Range};
use isthmus_sharing::terms::{Footprint, Rates};
use std::{collections::BTreeMap, sync::PoisonError};

/// The bytes for which the deposit of an account's list of proxies is held.
const LIST: u64 = 16;
/// The bytes for which the deposit of each proxy in it is held: an account, a kind and a delay.
const EACH: u64 = 37;

impl Client {
	/// Returns the identity that acts on a dataset of the owner that `identity` [acts for](Identity::acting_for): as the one
	/// who took it over or, if the owner controls it, as the owner's operator. This decides nothing: each use of it
	/// is checked with proofs.
	///
	/// # Errors
	///
	/// Returns connection errors.
	pub async fn acting_on(
		&self,
		identity: Identity,
		dataset: DatasetId,
	) -> Result<Identity, Error> {
		let owner = *identity.id();
		if owner == *identity.account.id() {
			return Ok(identity);
		}
		let control = self.best().await?.control(&owner, dataset).await?;
		Ok(
			match control.is_none_or(|control| control.controller == owner) {
				true => identity.operating_for(owner),
				false => identity,
			},
		)
	}

	/// Makes a call that names an operator of this account: a proxy of the kind [`ProxyKind::Sharing`], without a delay.
	///
	/// # Errors
	///
	/// Fails if the chain's metadata lacks the call.
	pub async fn add_operator(
		&self,
		owner: &AccountId,
		operator: &AccountId,
	) -> Result<Call, Error> {
		let is_first = self.best().await?.proxies(owner).await?.is_empty();
		let arguments = (Address::Id(*operator), ProxyKind::Sharing, BlockNumber::MIN);
		let call = self.call("Proxy", "add_proxy", arguments).await?;
		Ok(call.taking(match is_first {
			true => Footprint {
				entries: 1,
				bytes: LIST + EACH,
			},
			false => Footprint {
				entries: 0,
				bytes: EACH,
			},
		}))
	}

	/// Makes a call that ends what [`add_operator`](Self::add_operator) began, for an operator with this delay.
	///
	/// # Errors
	///
	/// Fails if the chain's metadata lacks the call.
	pub async fn remove_operator(
		&self,
		operator: &AccountId,
		delay: BlockNumber,
	) -> Result<Call, Error> {
		let arguments = (Address::Id(*operator), ProxyKind::Sharing, delay);
		self.call("Proxy", "remove_proxy", arguments).await
	}
}

/// Checks that an identity is an operator of its owner, in the finalized and in the best state.
///
/// # Errors
///
/// Returns [`OperatorError::NotAnOperator`] and [`OperatorError::MustAnnounce`].
pub(crate) async fn check(client: &Client, best: &State, operator: &Identity) -> Result<(), Error> {
	let owner = operator.id();
	for proxies in [
		client.proven().await?.proxies(owner).await?,
		best.proxies(owner).await?,
	] {
		check_named(&proxies, owner, operator.account.id())?;
	}
	Ok(())
}

/// Checks that an account is among those that may act at once as operators.
fn check_named(
	proxies: &[Proxy],
	owner: &AccountId,
	operator: &AccountId,
) -> Result<(), OperatorError> {
	let (owner, operator) = (*owner, *operator);
	let is_named =
		|proxy: &&Proxy| proxy.delegate == operator && proxy.proxy_type == ProxyKind::Sharing;
	// The list is in order: the one without a delay comes first.
	match proxies.iter().find(is_named).map(|proxy| proxy.delay) {
		Some(0) => Ok(()),
		Some(delay) => Err(OperatorError::MustAnnounce {
			owner,
			operator,
			delay,
		}),
		None => Err(OperatorError::NotAnOperator { owner, operator }),
	}
}

/// Derives the keys of a range from the operator's own grant, which has to be good in the finalized and in the best state. Only the
/// owner adds to the list of the operator's grants on an epoch, and it is short: what others give to the operator is not read.
///
/// # Errors
///
/// Returns [`OperatorError::OutsideGrants`] if no grant covers the range, [`Error::Grant`] if those that do are not sealed to a
/// key pair of the operator, and [`OperatorError::WrongKeys`] if they do not open the records in their ranges.
pub(crate) async fn keys(
	client: &Client,
	best: &State,
	operator: &Identity,
	asked: &Scope,
) -> Result<KeySet, Error> {
	let (owner, own) = (operator.id(), operator.account.id());
	let proven = client.proven().await?;
	let proven = proven
		.grants_on(owner, asked.dataset, asked.epoch, own)
		.await?;
	let now = states(best, &proven).await?;
	let grants = good_in_both(proven, &now);
	let mut refused = None;
	for entry in grants.iter().filter(|entry| covers(&entry.grant, asked)) {
		let Grant {
			scope,
			expiry,
			until,
			ref sealed_keys,
			..
		} = entry.grant;
		let grant = OpeningGrant {
			grant: entry.id,
			scope,
			expiry,
			until,
			sealed_keys: sealed_keys.clone(),
		};
		let keys = match open(client, operator, owner, &grant) {
			Ok(keys) => keys,
			Err(error) => {
				refused = Some(error);
				continue;
			}
		};
		if do_open(client, best, owner, &grant, &keys).await? {
			return Ok(keys.part(Range::new(asked.from, asked.to)?)?);
		}
		let grant = entry.id;
		refused = Some(OperatorError::WrongKeys { grant }.into());
	}
	Err(refused.unwrap_or_else(|| {
		let held = grants.iter().map(|entry| Held {
			grant: entry.id,
			scope: entry.grant.scope,
			state: entry.grant.state,
		});
		let (operator, scope, held) = (*own, *asked, held.collect());
		OperatorError::OutsideGrants {
			operator,
			scope,
			held,
		}
		.into()
	}))
}

/// Returns whether a grant's keys open a record in its range, as far as a record tells. A reader would dispute an answer with wrong
/// keys, and the owner would lose its deposit.
async fn do_open(
	client: &Client,
	best: &State,
	owner: &AccountId,
	grant: &OpeningGrant,
	keys: &KeySet,
) -> Result<bool, Error> {
	let known = || {
		let known = client.0.opening.lock();
		known.unwrap_or_else(PoisonError::into_inner)
	};
	if known().contains(&grant.grant) {
		return Ok(true);
	}
	let page = best.records_in(owner, grant.scope, None).await?;
	let leaf_key = |leaf| keys.leaf_key(leaf);
	let opens = client.opens(owner, page.items, leaf_key).await?;
	if opens == Some(true) {
		known().insert(grant.grant);
	}
	Ok(opens != Some(false))
}

/// Returns the states in which the best block has these grants, without those that it has no more.
async fn states(
	best: &State,
	grants: &[GrantEntry],
) -> Result<BTreeMap<GrantId, GrantState>, Error> {
	let (now, time) = (best.block().number, best.time().await?);
	let mut states = BTreeMap::new();
	for GrantEntry { id, .. } in grants {
		let grant = best.grant(*id).await?;
		states.extend(grant.map(|grant| (*id, grant.state_at(&now, time))));
	}
	Ok(states)
}

/// Returns the grants that are proven, each in the state in which the best block has it. One that the best block has no more is left
/// out.
fn good_in_both(proven: Vec<GrantEntry>, best: &BTreeMap<GrantId, GrantState>) -> Vec<GrantEntry> {
	let mut grants = Vec::new();
	for mut entry in proven {
		let Some(state) = best.get(&entry.id) else {
			continue;
		};
		if entry.grant.state == GrantState::Active {
			entry.grant.state = *state;
		}
		grants.push(entry);
	}
	grants
}

/// Returns whether a grant is good, and opens all leaves of a range.
fn covers(grant: &Grant, asked: &Scope) -> bool {
	let Scope {
		dataset,
		epoch,
		from,
		to,
	} = grant.scope;
	grant.state == GrantState::Active
		&& (dataset, epoch) == (asked.dataset, asked.epoch)
		&& from <= asked.from
		&& asked.to <= to
}

/// Checks that the owner can hold again what disputes took of a dataset's deposit. The chain does so before something is sold. A
/// transaction of an operator succeeds even if the chain refuses what it carries out, so executing it beforehand
/// does not show that.
///
/// # Errors
///
/// Returns [`OperatorError::OwnerLacksDeposit`].
pub(crate) async fn check_deposit(
	client: &Client,
	best: &State,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<(), Error> {
	let proven = client.proven().await?.dataset(owner, dataset).await?;
	let entries = [proven, best.dataset(owner, dataset).await?];
	let rates = rates(best)?;
	let taken = entries.iter().flatten().map(|entry| taken(entry, &rates));
	check_funds(client, best, owner, taken.max().unwrap_or_default()).await
}

/// Returns what disputes took of a dataset's deposit.
fn taken(entry: &Dataset, rates: &Rates) -> Balance {
	let full = Footprint::dataset(entry.name.0.len()).deposit(rates);
	full.saturating_sub(entry.deposit)
}

/// Checks that the chain can hold the deposit of a call from the owner that an operator sends it for.
///
/// # Errors
///
/// Returns [`OperatorError::OwnerLacksDeposit`].
pub(crate) async fn check_takes(
	client: &Client,
	best: &State,
	owner: &AccountId,
	call: &Call,
) -> Result<(), Error> {
	check_funds(client, best, owner, call.takes.deposit(&rates(best)?)).await
}

/// Checks that an owner can have `needed` held from it, in the finalized and in the best state.
async fn check_funds(
	client: &Client,
	best: &State,
	owner: &AccountId,
	needed: Balance,
) -> Result<(), Error> {
	if needed == 0 {
		return Ok(());
	}
	let proven = client.proven().await?.funds(owner).await?;
	let free = proven.free.min(best.funds(owner).await?.free);
	// The chain holds nothing of the part without which it closes an account.
	let least: Balance = best.constant_of("Balances", "ExistentialDeposit")?;
	let free = free.saturating_sub(least);
	match free < needed {
		true => Err(OperatorError::OwnerLacksDeposit {
			owner: *owner,
			needed,
			free,
		}
		.into()),
		false => Ok(()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const OWNER: [u8; 32] = [1; 32];
	const OPERATOR: [u8; 32] = [2; 32];

	fn proxy(delegate: [u8; 32], proxy_type: ProxyKind, delay: BlockNumber) -> Proxy {
		Proxy {
			delegate: delegate.into(),
			proxy_type,
			delay,
		}
	}

	#[test]
	fn only_a_proxy_for_sharing_without_a_delay_is_an_operator() {
		let (owner, operator) = (OWNER.into(), OPERATOR.into());
		let check = |proxies: &[Proxy]| check_named(proxies, &owner, &operator);
		let none = Err(OperatorError::NotAnOperator { owner, operator });
		assert_eq!(check(&[]), none);
		assert_eq!(check(&[proxy([3; 32], ProxyKind::Sharing, 0)]), none);
		// The call names the kind, so the chain would not take one of another kind.
		for kind in [ProxyKind::Any, ProxyKind::NonTransfer, ProxyKind::Facts] {
			assert_eq!(check(&[proxy(OPERATOR, kind, 0)]), none);
		}
		let (at_once, later) = (
			proxy(OPERATOR, ProxyKind::Sharing, 0),
			proxy(OPERATOR, ProxyKind::Sharing, 7),
		);
		assert_eq!(
			check(std::slice::from_ref(&later)),
			Err(OperatorError::MustAnnounce {
				owner,
				operator,
				delay: 7
			})
		);
		assert_eq!(check(&[at_once, later]), Ok(()));
	}

	fn scope(epoch: Epoch, from: u64, to: u64) -> Scope {
		Scope {
			dataset: 3,
			epoch,
			from,
			to,
		}
	}

	fn entry(id: GrantId, scope: Scope, state: GrantState) -> GrantEntry {
		let grant = Grant {
			owner: OWNER.into(),
			grantee: OPERATOR.into(),
			scope,
			expiry: 100,
			until: None,
			agreement: None,
			code: PurposeCode::Unspecified,
			paid: 0,
			paid_from: 0,
			paid_until: 0,
			firm: false,
			state,
			sealed_keys: vec![1],
			depositor: OWNER.into(),
			deposit: 0,
			due: 100,
			condition: None,
		};
		GrantEntry { id, grant }
	}

	#[test]
	fn a_grant_serves_its_own_range_and_epoch_while_it_is_good() {
		let of = |state| entry(1, scope(2, 10, 20), state).grant;
		let active = of(GrantState::Active);
		for inside in [(10, 20), (10, 11), (19, 20), (12, 15)] {
			assert!(covers(&active, &scope(2, inside.0, inside.1)), "{inside:?}");
		}
		for outside in [(9, 20), (10, 21), (0, 10), (20, 21), (0, LEAVES_PER_EPOCH)] {
			assert!(
				!covers(&active, &scope(2, outside.0, outside.1)),
				"{outside:?}"
			);
		}
		assert!(!covers(&active, &scope(1, 10, 20)) && !covers(&active, &scope(3, 10, 20)));
		let other = Scope {
			dataset: 4,
			..scope(2, 10, 20)
		};
		assert!(!covers(&active, &other));
		for state in [
			GrantState::Revoked,
			GrantState::Expired,
			GrantState::Suspended,
		] {
			assert!(!covers(&of(state), &scope(2, 10, 20)), "{state:?}");
		}
	}

	#[test]
	fn a_grant_counts_if_it_is_proven_and_the_best_block_has_it_too() {
		use GrantState::{Active, Expired, Revoked};
		let one = |id, state| entry(id, scope(0, 0, 10), state);
		// The best block has no grant 4.
		let proven = vec![
			one(1, Active),
			one(2, Active),
			one(3, Expired),
			one(4, Active),
		];
		// Grant 7 is not final.
		let best = BTreeMap::from([(1, Active), (2, Revoked), (3, Active), (7, Active)]);
		let grants = good_in_both(proven, &best);
		let found: Vec<_> = grants
			.iter()
			.map(|entry| (entry.id, entry.grant.state))
			.collect();
		assert_eq!(found, [(1, Active), (2, Revoked), (3, Expired)]);
	}

	#[test]
	fn what_disputes_took_of_a_dataset_is_what_its_deposit_lacks() {
		let rates = Rates {
			per_item: 1000,
			per_byte: 1,
		};
		let dataset = |deposit| Dataset {
			name: Text(b"marks".to_vec()),
			epoch: 0,
			leaves: 0,
			requests: 0,
			grants: 0,
			closed: false,
			deposit,
		};
		let full = Footprint::dataset("marks".len()).deposit(&rates);
		for (deposit, expected) in [(full, 0), (full - 1, 1), (0, full), (full + 1, 0)] {
			assert_eq!(taken(&dataset(deposit), &rates), expected, "{deposit}");
		}
	}
}
