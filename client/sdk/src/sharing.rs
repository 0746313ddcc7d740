// SPDX-License-Identifier: Apache-2.0
//! The owner's side of sharing: seals grants to readers, revokes them, and renews the other readers' grants
//! for the new epoch that a revocation starts.

mod partly;

pub use partly::{authorize_left, grant_left, Given};

use crate::{
	account::Identity,
	call::Call,
	claim::Claim,
	client::{Client, Depth},
	error::Error,
	event::Event,
	manifest::content_hash,
	outcome::Included,
	state::{every, State},
	trust::Unproven,
	tx::Pending,
	types::*,
	wait::Wait,
};
use isthmus_envelope::{
	grant::recipient, open_grant, seal_keys, EpochId, GrantScope, KeySet, PublicKey, Range, Suite,
	TreeError,
};
use std::collections::HashSet;
use subxt::utils::H256;

use isthmus_sharing::terms::refund;
pub use isthmus_sharing::terms::{LEAST_TIME, TERM_SLACK};

/// An upper bound on a grant's fee plus the balance that an account has to keep.
const FEE: Balance = isthmus_primitives::UNIT / 10;
/// The maximum number of grants in a transaction: at 3.2 kB each, they stay far below the length of a block.
const GRANTS_IN_ONE: usize = 128;

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
	check(client, key.suite())?;
	let id = epoch_id(client, owner.id(), dataset, epoch);
	let (keys, range) = (owner.epoch_keys(&id)?, Range::new(from, to)?);
	let keys = keys.key_set(range).map_err(|error| match error {
		TreeError::Erased { .. } => Error::PartlyErased(keys.cut(range)),
		error => error.into(),
	})?;
	Ok(seal_keys(&id, &keys, (terms.grantee.0, terms.expiry), key)?)
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
/// Returns [`Error::NoEncryptionKey`] if the grantee has none, and [`Error::Unproven`] if the node's proofs are
/// wrong.
pub async fn grant(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
) -> Result<Call, Error> {
	let key = key_of(client, state, owner, terms).await?;
	let sealed = seal(client, owner, terms, &key)?;
	client.add_authorize(terms, &sealed).await
}

/// Returns the registered key of a grantee, once it is checked that the owner has the keys of the epoch.
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
	client.check_secret(owner, dataset, epoch).await?;
	let said = state.encryption_key(&terms.grantee).await?;
	client
		.confirmed(state, &said, async |proven| {
			proven.encryption_key(&terms.grantee).await
		})
		.await?
		.ok_or(Error::NoEncryptionKey(terms.grantee))
}

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
/// # Errors
///
/// Returns [`Error::RequestGone`] if the request is not open, or is not the one that was passed,
/// [`Error::TooLate`] if it has fewer than [`LEAST_TIME`] blocks left, [`Error::InsufficientFunds`] if the owner
/// cannot pay the fee, [`Error::Key`] if the request's key is of an unknown suite, and the errors of [`seal`]. If leaves of the
/// range were erased, [`authorize_left`] grants what is left.
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
async fn settled(
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

/// Returns a request's digest, which its answer names.
pub fn digest(request: &Request) -> H256 {
	request.digest(content_hash)
}

/// Checks that an account may answer requests for a range: that it controls the dataset and does not hand it over, and can
/// derive the keys. The node could say so falsely, to get the keys with an answer that the chain refuses. Therefore it
/// proves it, too.
///
/// # Errors
///
/// Returns [`Error::NotController`], [`Error::DatasetIsOffered`], and [`Error::OtherSecret`] if the epoch is from before the
/// account took the dataset over.
async fn check_control(
	client: &Client,
	state: &State,
	owner: &Identity,
	scope: &Scope,
) -> Result<(), Error> {
	let Scope { dataset, epoch, .. } = *scope;
	let acting = owner.account.id();
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
	Ok(())
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
	let Scope { dataset, epoch, .. } = request.scope;
	check_control(client, state, owner, &request.scope).await?;
	client.check_secret(owner, dataset, epoch).await?;
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
	let sealed = seal(client, owner, &terms, &PublicKey::from_bytes(&request.key)?)?;
	let call = client.add_authorize(&terms, &sealed).await?;
	Ok(call.no_later_than(last_block(request.valid_until, now)))
}

/// Returns the last block that may include the answer to a request. In a later one the request has expired, or the grant would
/// expire before its term is over.
fn last_block(valid_until: BlockNumber, now: BlockNumber) -> BlockNumber {
	let last = valid_until.saturating_sub(1);
	last.min(now.saturating_add(TERM_SLACK))
}

/// Returns the expiry of a grant that is sent now and has to be active for at least `term` blocks.
pub fn expiry(state: &State, term: BlockNumber) -> BlockNumber {
	let now = state.block().number;
	now.saturating_add(term).saturating_add(TERM_SLACK)
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
	/// The error that stopped the renewal early, if any: run [`revoke`] or [`renew`] again to resume it.
	pub ended: Option<Error>,
}

/// Revokes a grant, and renews the grants of the dataset's other readers.
///
/// The revocation is a separate transaction, so that an error in the renewal does not undo it. If the grant
/// is on the dataset's current epoch, a new epoch starts with it, and the other readers' grants are
/// [renewed](renew) for that epoch. The revoked reader gets no access to the new epoch; its other grants on
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
	let name = format!("isthmus-{}-revoke.lock", owner.id());
	let _lock = client.hold(Wait::OtherRevocation, &name).await;
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

/// Makes transactions that cost what the renewal of the other readers' grants will cost if a grant is revoked. They renew
/// nothing, because they hold no keys.
async fn renewals(
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
	for part in to_renew(&grants, dataset, current.saturating_add(1)).chunks(GRANTS_IN_ONE) {
		let mut calls = Vec::new();
		for terms in part {
			calls.push(client.add_authorize(terms, &vec![0; length(terms)]).await?);
		}
		transactions.push(client.batch_each(&calls).await?);
	}
	Ok(transactions)
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
				true => Ok(Some(
					renew_these(client, &state, owner, dataset, &grants).await?,
				)),
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

/// Renews grants: those on the epoch before a dataset's current one are given again for the current one,
/// unless that has already been done. Readers with a revoked grant on the earlier epoch get none. A reader
/// who cannot be given a grant, for example because it withdrew its encryption key, does not stop the others.
///
/// # Errors
///
/// Returns [`Error::NoSuchDataset`] if the owner has no such dataset, and connection errors.
pub async fn renew(
	client: &Client,
	owner: &Identity,
	dataset: DatasetId,
) -> Result<Renewal, Error> {
	let best = client.best().await?;
	let grants = every(|after| best.grants_on(owner.id(), dataset, None, after)).await?;
	renew_these(client, &best, owner, dataset, &grants).await
}

async fn current_epoch(
	state: &State,
	owner: &Identity,
	dataset: DatasetId,
) -> Result<Epoch, Error> {
	let entry = state.dataset(owner.id(), dataset).await?;
	let owner = *owner.id();
	let entry = entry.ok_or(Error::NoSuchDataset { owner, dataset })?;
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

/// Renews the grants of one transaction.
async fn renew_part(
	client: &Client,
	state: &State,
	owner: &Identity,
	part: &[Terms],
	renewal: &mut Renewal,
) -> Result<(), Error> {
	let (mut sealed, mut calls) = (Vec::new(), Vec::new());
	for terms in part {
		match renewed(client, state, owner, terms).await {
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
	terms: &Terms,
) -> Result<Call, Error> {
	let Scope { dataset, epoch, .. } = terms.scope;
	let before = epoch.saturating_sub(1);
	let is_there = client.confirmed(state, &true, async |proven| {
		// A state before the new epoch does not show a revocation that began it.
		let has_epoch = proven.dataset(owner.id(), dataset).await?;
		if has_epoch.is_none_or(|dataset| dataset.epoch < epoch) {
			return Ok(false);
		}
		let grants = proven.grants_on(owner.id(), dataset, before, &terms.grantee);
		Ok(is_due(terms, &grants.await?))
	});
	match is_there.await? {
		true => grant(client, state, owner, terms).await,
		false => Err(Unproven::Forged(format!("a grant to {}", terms.grantee)).into()),
	}
}

/// Returns whether a reader's grants on the epoch before these terms' include one that gives the same, and none that
/// was revoked.
fn is_due(terms: &Terms, grants: &[GrantEntry]) -> bool {
	let revoked = |entry: &GrantEntry| entry.grant.state == GrantState::Revoked;
	!grants.iter().any(revoked) && grants.iter().any(|entry| is_renewal(terms, &entry.grant))
}

/// Returns whether a grant on the epoch before these terms' gives the same.
fn is_renewal(terms: &Terms, grant: &Grant) -> bool {
	let Scope { from, to, .. } = grant.scope;
	!grant.state.has_ended()
		&& (from, to) == (terms.scope.from, terms.scope.to)
		&& (grant.expiry, grant.until) == (terms.expiry, terms.until)
		&& condition(grant) == terms.condition.as_ref()
}

/// Returns the condition under which a grant is good, if any.
fn condition(grant: &Grant) -> Option<&Condition> {
	grant.condition.as_ref().map(|attached| &attached.condition)
}

/// Returns the grants to give on a dataset's current epoch: those on the epoch before it that have not ended and that the
/// current one lacks, under the same conditions, except those of revoked readers.
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
		let condition = condition(grant).map(ToString::to_string);
		let reader = grant.grantee.0;
		(reader, from, to, grant.expiry, grant.until, condition)
	};
	let revoked: HashSet<[u8; 32]> = on(before)
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
	fn stopped(epoch: Epoch, error: Error) -> Self {
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

	#[test]
	fn an_answer_comes_before_its_request_or_its_term_ends() {
		assert_eq!(last_block(1000, 100), 100 + TERM_SLACK);
		assert_eq!(last_block(105, 100), 104);
		assert_eq!(last_block(0, BlockNumber::MAX), 0);
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
		let terms = to_renew(std::slice::from_ref(&suspended), 3, 1);
		assert_eq!(terms[0].condition.as_ref(), condition(&suspended.grant));
		assert!(is_due(&terms[0], std::slice::from_ref(&suspended)));
		let without = Terms {
			condition: None,
			..terms[0].clone()
		};
		assert!(!is_due(&without, &[suspended]));
		// Other epochs and datasets do not matter.
		assert_eq!(renewed(&grants, 0), []);
		assert_eq!(renewed(&grants, 2), [(5, 2, 20)]);
		assert_eq!(to_renew(&grants, 4, 1), []);
	}

	#[test]
	fn a_reader_with_a_revoked_grant_is_not_renewed_whatever_the_node_leaves_out() {
		use GrantState::*;
		let active = entry(1, 7, 0, 10, Active);
		let [terms] = &to_renew(std::slice::from_ref(&active), 3, 1)[..] else {
			panic!("one grant is due");
		};
		assert!(is_due(terms, std::slice::from_ref(&active)));
		assert!(!is_due(terms, &[active, entry(2, 7, 0, 5, Revoked)]));
		assert!(!is_due(terms, &[entry(1, 7, 0, 10, Revoked)]));
		assert!(!is_due(terms, &[entry(1, 7, 0, 11, Active)]));
		assert!(!is_due(terms, &[]));
	}
}
