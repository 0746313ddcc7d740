// SPDX-License-Identifier: Apache-2.0
//! Carries out conditions: evaluates them, notes what waits for which fact or credential, and looks at what waits
//! when something has changed.
//!
//! What a condition depends on is a [`Cause`]. Each cause has a [`Crowd`]: the count of what waits for it. A change
//! begins a **round**: everything in the crowd is looked at once, first some of it in the weight of what brought the
//! change, then the rest when blocks have room. A round goes on where the last one stopped, so that a cause that changes
//! in each block leaves nothing out. Crowds with a round take turns in a queue.
//!
//! What changes by time alone, because a date comes or a fact grows too old, has no cause: the agenda looks at it.

use crate::{pallet::*, types::*, weights::WeightInfo};
use alloc::{collections::BTreeSet, vec::Vec};
use codec::{Decode, Encode};
use core::cell::Cell;
use frame_support::{defensive, ensure, traits::Get, weights::Weight};
use isthmus_conditions::{
	Account, Condition, FactTest, Name as FactName, Node, Truth, Value, World, MAX_NODES,
};
use isthmus_sharing::terms::{Footprint, MAX_WATCHED};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{SaturatedConversion, Saturating},
	DispatchError,
};

/// A fact, as a condition sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
	/// Its value; `None` if it is missing.
	pub value: Option<Value>,
	/// When the fact changes if there is no other report: when the oldest report that counts grows too old.
	pub until: Option<Seconds>,
}

/// The facts and credentials that conditions test. The runtime connects this pallet with the one that keeps them.
///
/// The pallet that keeps them calls [`Pallet::changed`] when one of them changes other than by time.
pub trait Outside<AccountId> {
	/// Returns a source's fact on a topic, by the reports that are at most this old, in seconds.
	fn fact(source: &FactName, topic: &FactName, oldest: Option<u32>) -> Fact;

	/// Returns when the credential of this kind ends that an issuer gave to an account; `None` if there is none.
	fn credential(account: &AccountId, issuer: &AccountId, kind: &FactName) -> Option<Seconds>;

	/// Makes a fact with this value that costs as much to look up as a fact can.
	#[cfg(feature = "runtime-benchmarks")]
	fn make_fact(source: &FactName, topic: &FactName, value: Value);
}

/// No facts and no credentials.
impl<AccountId> Outside<AccountId> for () {
	fn fact(_: &FactName, _: &FactName, _: Option<u32>) -> Fact {
		Fact::default()
	}

	fn credential(_: &AccountId, _: &AccountId, _: &FactName) -> Option<Seconds> {
		None
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn make_fact(_: &FactName, _: &FactName, _: Value) {}
}

/// What a test of a condition depends on.
#[derive(PartialEq)]
enum Watched<'a> {
	Date(Seconds),
	Fact(&'a FactName, &'a FactName, Option<u32>),
	Credential(&'a Account, &'a FactName),
	/// Always another one: it reads all grants of a list, so that no more than a few tests may do it.
	Grant,
}

/// The request that the condition of a policy is evaluated for.
struct Asked<'a, T: Config> {
	/// What the consumer pays.
	offer: &'a BalanceOf<T>,
	/// How many grants on the dataset the chain keeps.
	grants: u64,
}

/// What a condition about an account is evaluated on.
struct Ground<'a, T: Config> {
	account: &'a T::AccountId,
	/// The request that is judged, if the condition is a policy's. Nothing tells other conditions when grants, payments
	/// or counts change, so they cannot test them.
	asked: Option<Asked<'a, T>>,
	/// The first time at which something that was looked at changes by time alone.
	changes: Cell<Option<Seconds>>,
}

impl<T: Config> Ground<'_, T> {
	fn note(&self, time: Option<Seconds>) {
		let time = time.filter(|time| *time > self.now());
		self.changes.set(match (self.changes.get(), time) {
			(Some(one), Some(other)) => Some(one.min(other)),
			(one, other) => one.or(other),
		});
	}
}

impl<T: Config> World for Ground<'_, T> {
	fn now(&self) -> u64 {
		Pallet::<T>::time()
	}

	fn fact(&self, source: &FactName, topic: &FactName, oldest: Option<u32>) -> Option<Value> {
		let fact = T::Outside::fact(source, topic, oldest);
		self.note(fact.until);
		fact.value
	}

	fn has_credential(&self, issuer: &Account, kind: &FactName) -> Option<bool> {
		let issuer = account_of::<T>(issuer)?;
		let until = T::Outside::credential(self.account, &issuer, kind);
		self.note(until);
		Some(until.is_some_and(|until| self.now() < until))
	}

	fn has_grant(&self, owner: &Account, dataset: u32) -> Option<bool> {
		self.asked.as_ref()?;
		let owner = account_of::<T>(owner)?;
		let Some(entry) = Datasets::<T>::get(&owner, dataset) else {
			return Some(false);
		};
		let (now, time) = (frame_system::Pallet::<T>::block_number(), self.now());
		let list = AuthorizationList::<T>::get((&owner, dataset, entry.epoch, self.account));
		let mut grants = list.grants.iter().filter_map(Grants::<T>::get);
		Some(grants.any(|grant| grant.state_at(&now, time) == GrantState::Active))
	}

	fn paid(&self) -> Option<u128> {
		let asked = self.asked.as_ref()?;
		Some((*asked.offer).saturated_into())
	}

	fn grants(&self) -> Option<u32> {
		let asked = self.asked.as_ref()?;
		Some(asked.grants.saturated_into())
	}
}

/// Returns an account of this chain by its bytes.
fn account_of<T: Config>(bytes: &Account) -> Option<T::AccountId> {
	T::AccountId::decode(&mut &bytes[..]).ok()
}

/// Evaluation.
impl<T: Config> Pallet<T> {
	/// Evaluates a condition about an account. Returns also when its truth may change by time alone.
	pub(crate) fn truth(condition: &Condition, account: &T::AccountId) -> (Truth, Option<Seconds>) {
		let ground = Ground::<T> {
			account,
			asked: None,
			changes: Cell::new(None),
		};
		// The parts that decide the whole tell when it changes.
		let truth = condition.evaluate(&ground);
		for test in condition.tests() {
			if let Node::Before(time) | Node::After(time) = test {
				ground.note(Some(*time));
			}
		}
		(truth, ground.changes.get())
	}

	/// Evaluates the condition of a dataset's policy for a request of this consumer with this offer.
	pub(crate) fn truth_for(
		condition: &Condition,
		consumer: &T::AccountId,
		offer: &BalanceOf<T>,
		grants: u64,
	) -> Truth {
		condition.evaluate(&Ground::<T> {
			account: consumer,
			asked: Some(Asked { offer, grants }),
			changes: Cell::new(None),
		})
	}

	/// Checks that a condition tests what this pallet watches, and not too much of it. What brings looks for which no one
	/// pays counts, too: different dates, and different ages of one fact.
	pub(crate) fn check_watched(condition: &Condition) -> Result<(), Error<T>> {
		let is_watched = |test: &&Node| {
			use Node::*;
			matches!(test, Before(_) | After(_) | Fact(_) | Credential { .. })
		};
		ensure!(
			condition.tests().iter().all(is_watched),
			Error::<T>::ConditionNotWatched
		);
		Self::check_reads(condition)
	}

	/// Checks that a condition reads few different things.
	pub(crate) fn check_reads(condition: &Condition) -> Result<(), Error<T>> {
		let mut watched = Vec::new();
		for test in condition.tests() {
			let what = match test {
				Node::Before(time) | Node::After(time) => Watched::Date(*time),
				Node::Fact(fact) => Watched::Fact(&fact.source, &fact.topic, fact.oldest),
				Node::Credential { issuer, kind } => Watched::Credential(issuer, kind),
				Node::Granted { .. } => Watched::Grant,
				// These come with the request.
				_ => continue,
			};
			if what == Watched::Grant || !watched.contains(&what) {
				watched.push(what);
			}
		}
		ensure!(
			watched.len() <= MAX_WATCHED as usize,
			Error::<T>::TooManyWatched
		);
		Ok(())
	}
}

/// What waits.
impl<T: Config> Pallet<T> {
	/// Returns what the truth of a condition about an account depends on, beside time.
	pub(crate) fn causes(
		condition: &Condition,
		about: &T::AccountId,
	) -> BTreeSet<Cause<T::AccountId>> {
		let mut causes = BTreeSet::new();
		for test in condition.tests() {
			match test {
				Node::Fact(FactTest { source, topic, .. }) => {
					causes.insert(Cause::Source(source.clone()));
					causes.insert(Cause::Fact(source.clone(), topic.clone()));
				}
				Node::Credential { issuer, kind } => {
					let account = about.clone();
					let issuer = account_of::<T>(issuer);
					causes.extend(issuer.map(|issuer| Cause::Credential {
						account,
						issuer,
						kind: kind.clone(),
					}));
				}
				_ => {}
			}
		}
		causes
	}

	/// Returns for how many entries a new place pays where this many wait: one, and double that for each tenth of
	/// `MaxWaiting` that is taken. So the last places, which someone would take to keep out all others, are dear.
	fn price_of_place(waiting: u32) -> u32 {
		let most = u64::from(T::MaxWaiting::get()).max(1);
		let tenths = u64::from(waiting).saturating_mul(10) / most;
		// Fewer than `MaxWaiting` wait, so that there are at most nine.
		1 << tenths.min(9)
	}

	/// Holds the deposit for a condition that has to be watched: for its places among what waits, and for this number of
	/// other entries.
	pub(crate) fn attach(
		condition: Condition,
		about: &T::AccountId,
		payer: Payer<'_, T::AccountId>,
		entries: u32,
	) -> Result<Attached<BalanceOf<T>>, DispatchError> {
		Self::check_watched(&condition)?;
		let mut places = entries;
		for cause in &Self::causes(&condition, about) {
			let waiting = Crowds::<T>::get(cause).map_or(0, |crowd| crowd.waiting);
			ensure!(waiting < T::MaxWaiting::get(), Error::<T>::TooManyWaiting);
			places.saturating_accrue(Self::price_of_place(waiting));
		}
		let deposit = Self::deposit(Footprint::condition(places, condition.encoded_size()));
		Self::hold_from(HoldReason::Condition, payer, deposit)?;
		Ok(Attached { condition, deposit })
	}

	/// Lets what has a condition wait for what the condition depends on.
	pub(crate) fn wait(waiter: Waiter, condition: &Condition, about: &T::AccountId) {
		for cause in Self::causes(condition, about) {
			Waiting::<T>::insert(&cause, waiter, ());
			Crowds::<T>::mutate(&cause, |crowd| {
				let crowd = crowd.get_or_insert_with(Crowd::default);
				crowd.waiting.saturating_inc();
				// The round under way may come by the new place, and must still come by all others.
				if crowd.left > 0 {
					crowd.left.saturating_inc();
				}
			});
		}
	}

	/// Takes the condition from what ends, and releases its deposit.
	pub(crate) fn detach(
		waiter: Waiter,
		attached: &Attached<BalanceOf<T>>,
		about: &T::AccountId,
		payer: Payer<'_, T::AccountId>,
	) {
		for cause in Self::causes(&attached.condition, about) {
			Waiting::<T>::remove(&cause, waiter);
			Crowds::<T>::mutate_exists(&cause, |stored| {
				let Some(crowd) = stored else {
					defensive!("what waits was not counted");
					return;
				};
				crowd.waiting.saturating_dec();
				// The queue names a crowd until its turn comes.
				if crowd.waiting == 0 && !crowd.queued {
					*stored = None;
				}
			});
		}
		Self::release_to(HoldReason::Condition, payer, attached.deposit);
	}

	/// Looks at a grant: suspends or resumes it as its condition says. Returns whether that changed.
	pub(crate) fn look_at(id: GrantId, grant: &mut GrantOf<T>) -> bool {
		let Some(attached) = &grant.condition else {
			return false;
		};
		let (truth, changes) = Self::truth(&attached.condition, &grant.grantee);
		let before = grant.state;
		grant.state = Self::state_by(truth);
		let has_changed = grant.state != before;
		let due = Self::due(grant.expiry, grant.until, changes);
		// Looking too early costs less than moving the entry each time that a fact is reported.
		if grant.due <= frame_system::Pallet::<T>::block_number() || due < grant.due {
			Self::put_off(id, grant, due);
		} else if has_changed {
			Grants::<T>::insert(id, &*grant);
		}
		if has_changed {
			Self::tell_state(id, grant, truth);
		}
		has_changed
	}

	/// Returns the state of a grant that has not ended.
	pub(crate) fn state_by(truth: Truth) -> GrantState {
		match truth.is_met() {
			true => GrantState::Active,
			false => GrantState::Suspended,
		}
	}

	/// Deposits the event that a grant was suspended or resumed.
	pub(crate) fn tell_state(grant: GrantId, entry: &GrantOf<T>, truth: Truth) {
		let (owner, grantee) = (entry.owner.clone(), entry.grantee.clone());
		let scope = entry.scope;
		Self::deposit_event(match truth.is_met() {
			true => Event::GrantResumed {
				grant,
				owner,
				grantee,
				scope,
			},
			false => Event::GrantSuspended {
				grant,
				owner,
				grantee,
				scope,
				truth,
			},
		});
	}
}

/// Changes.
impl<T: Config> Pallet<T> {
	/// Carries out what waits for a fact, a source or a credential that has changed: some of it now, and the rest in
	/// this block or later ones, as they have room. Returns the weight of what was done.
	pub fn changed(cause: &Cause<T::AccountId>) -> Weight {
		let read = T::DbWeight::get().reads(1);
		let Some(mut crowd) = Crowds::<T>::get(cause) else {
			return read;
		};
		crowd.left = crowd.waiting;
		Crowds::<T>::insert(cause, crowd);
		let done = Self::carry_out(cause, T::MaxCarriedOut::get());
		if let Some(mut crowd) = Crowds::<T>::get(cause).filter(|crowd| !crowd.queued) {
			crowd.queued = crowd.left > 0;
			if crowd.queued {
				Self::queue(cause);
			}
			Self::put_crowd(cause, crowd);
		}
		Self::weight_of_carrying_out(done)
	}

	/// Returns the maximum weight of [`Self::changed`].
	pub fn weight_of_change() -> Weight {
		Self::weight_of_carrying_out(T::MaxCarriedOut::get())
	}

	/// Returns the weight of evaluating the largest condition of a grant, and suspending or resuming the grant.
	pub(crate) fn weight_of_look() -> Weight {
		T::WeightInfo::carry_out(MAX_NODES as u32)
	}

	/// Returns what a condition adds to the weight of giving a grant, if there is one.
	pub(crate) fn weight_of_attaching(condition: Option<&Condition>) -> Weight {
		condition.map_or(Weight::zero(), |condition| {
			T::WeightInfo::attach(condition.nodes().saturated_into())
		})
	}

	/// Returns the weight of a call that sets a trigger with this condition or, if it is none, removes one. `by_nodes` is the
	/// weight of the call that sets one with a condition of this many nodes in place of another one.
	///
	/// The other one stays counted with the most nodes: only the state knows it. After a handover, another account may have
	/// set it, whose balance and deposits change: they are added.
	pub(crate) fn weight_of_setting(
		by_nodes: fn(u32) -> Weight,
		condition: Option<&Condition>,
	) -> Weight {
		by_nodes(condition.map_or(0, Condition::nodes).saturated_into())
			.saturating_add(T::DbWeight::get().reads_writes(2, 2))
	}

	/// Returns the weight of a trigger that fires, whose condition has this many nodes. Its place on the agenda is not
	/// measured: its write is added.
	pub(crate) fn weight_of_firing(nodes: u32) -> Weight {
		T::WeightInfo::fire(nodes).saturating_add(T::DbWeight::get().writes(1))
	}

	/// Returns the weight of judging a policy's condition. Measured is one that only tests grants. The other nodes that
	/// it can have test facts: they are added.
	pub(crate) fn weight_of_judging() -> Weight {
		let facts = T::WeightInfo::carry_out(MAX_NODES as u32)
			.saturating_sub(T::WeightInfo::carry_out(MAX_WATCHED));
		T::WeightInfo::judge().saturating_add(facts)
	}

	/// Returns what an embargo on a record adds to the weight of removing the record. Another account may have set it.
	pub(crate) fn weight_of_lifting() -> Weight {
		T::WeightInfo::detach().saturating_add(T::DbWeight::get().reads_writes(4, 5))
	}

	/// Returns the number of nodes in the condition of a trigger; 0 if there is no such trigger.
	pub(crate) fn nodes_of(trigger: TriggerId) -> u32 {
		let trigger = Triggers::<T>::get(trigger);
		let nodes = trigger.map_or(0, |trigger| trigger.attached.condition.nodes());
		nodes.saturated_into()
	}

	/// Returns the weight of looking at this many waiting entries of one crowd.
	fn weight_of_carrying_out(entries: u32) -> Weight {
		// The crowd and its place in the queue.
		let turn = T::DbWeight::get().reads_writes(4, 4);
		turn.saturating_add(Self::weight_of_look().saturating_mul(entries.into()))
	}

	/// Carries out more of what waits, until this weight is used up, but never for longer than an eighth of a block.
	/// One report begins a round of up to `MaxWaiting` looks and pays for a few of them, so the rest must leave blocks
	/// their room.
	pub(crate) fn carry_out_rest(room: Weight) -> Weight {
		let room = room.min(T::BlockWeights::get().max_block / 8);
		let look = T::DbWeight::get().reads(2);
		let (mut first, mut end) = QueueEnds::<T>::get();
		if room.any_lt(look) || first == end || Migrating::<T>::exists() {
			return look.min(room);
		}
		let mut used = look;
		let mut left = room.saturating_sub(look);
		// A turn looks at no more entries than a change does.
		while first < end && left.all_gte(Self::weight_of_change()) {
			let turn = Queue::<T>::take(first);
			first.saturating_inc();
			QueueEnds::<T>::put((first, end));
			let weight = match turn {
				Some(cause) => Self::take_turn(&cause),
				None => {
					defensive!("the queue of what has changed has a gap");
					look
				}
			};
			end = QueueEnds::<T>::get().1;
			used.saturating_accrue(weight);
			left.saturating_reduce(weight);
		}
		used
	}

	/// Resumes the round of a crowd whose turn it is.
	fn take_turn(cause: &Cause<T::AccountId>) -> Weight {
		let done = Self::carry_out(cause, T::MaxCarriedOut::get());
		if let Some(mut crowd) = Crowds::<T>::get(cause) {
			crowd.queued = crowd.left > 0;
			if crowd.queued {
				Self::queue(cause);
			}
			Self::put_crowd(cause, crowd);
		}
		Self::weight_of_carrying_out(done)
	}

	fn queue(cause: &Cause<T::AccountId>) {
		QueueEnds::<T>::mutate(|(_, end)| {
			Queue::<T>::insert(*end, cause);
			end.saturating_inc();
		});
	}

	/// Writes a crowd, unless nothing is left of it.
	fn put_crowd(cause: &Cause<T::AccountId>, crowd: Crowd) {
		match crowd.waiting == 0 && !crowd.queued {
			true => Crowds::<T>::remove(cause),
			false => Crowds::<T>::insert(cause, crowd),
		}
	}

	/// Returns how many looks at a grant weigh as much as a look at what waits. A trigger may fire.
	fn looks_for(waiter: Waiter) -> u32 {
		let look = Self::weight_of_look().ref_time().max(1);
		match waiter {
			Waiter::Grant(_) => 1,
			Waiter::Trigger(id) => {
				let firing = Self::weight_of_firing(Self::nodes_of(id));
				let looks = firing.ref_time().div_ceil(look);
				// A turn must be long enough for one.
				looks.saturated_into::<u32>().min(T::MaxCarriedOut::get())
			}
		}
	}

	/// Looks at the next of what waits for a cause, for at most this many looks. Returns how many it took.
	fn carry_out(cause: &Cause<T::AccountId>, most: u32) -> u32 {
		let mut done = 0_u32;
		while done < most {
			let Some(mut crowd) = Crowds::<T>::get(cause).filter(|crowd| crowd.left > 0) else {
				return done;
			};
			let Some(waiter) = Self::next_waiter(cause, crowd.last) else {
				crowd.left = 0;
				Crowds::<T>::insert(cause, crowd);
				return done;
			};
			let looks = done.saturating_add(Self::looks_for(waiter));
			if looks > most {
				// It begins the next turn.
				return done;
			}
			done = looks;
			crowd.last = Some(waiter);
			crowd.left.saturating_dec();
			Crowds::<T>::insert(cause, crowd);
			Self::look_at_waiter(waiter);
		}
		done
	}

	/// Looks at what waits.
	fn look_at_waiter(waiter: Waiter) {
		match waiter {
			Waiter::Grant(id) => match Grants::<T>::get(id) {
				// The agenda ends what has expired.
				Some(grant) if Self::is_over(&grant) => {}
				Some(mut grant) => drop(Self::look_at(id, &mut grant)),
				None => {
					defensive!("a grant that does not exist waits");
				}
			},
			Waiter::Trigger(id) => match Triggers::<T>::get(id) {
				Some(trigger) => drop(Self::look_at_trigger(id, trigger)),
				None => {
					defensive!("a trigger that does not exist waits");
				}
			},
		}
	}

	/// Returns whether a grant has ended, or has expired and will be ended by the agenda.
	pub(crate) fn is_over(grant: &GrantOf<T>) -> bool {
		let now = frame_system::Pallet::<T>::block_number();
		grant.state_at(&now, Self::time()).has_ended()
	}

	/// Returns what waits for a cause after this entry, and after the last one the first.
	fn next_waiter(cause: &Cause<T::AccountId>, last: Option<Waiter>) -> Option<Waiter> {
		let after = last.and_then(|last| {
			let last = Waiting::<T>::hashed_key_for(cause, last);
			Waiting::<T>::iter_key_prefix_from(cause, last).next()
		});
		after.or_else(|| Waiting::<T>::iter_key_prefix(cause).next())
	}
}
