// SPDX-License-Identifier: Apache-2.0
//! What the calls do.

use crate::{pallet::*, Draw, Keeper, Objects};
use codec::Encode;
use frame_support::{
	ensure,
	traits::{
		fungible::{Inspect, Mutate, MutateHold},
		tokens::{Fortitude, Precision, Preservation, Restriction},
		Get,
	},
};
use isthmus_sharing::{DatasetId, Location};
use isthmus_storage_proof::{
	periods::{self, Period, DEPTH},
	tree::verify,
	ProofError, Value,
};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{AccountIdConversion, CheckedDiv, Saturating, UniqueSaturatedInto, Zero},
	DispatchError, DispatchResult,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_keep(
		owner: T::AccountId,
		dataset: DatasetId,
		keeper: T::AccountId,
		location: Url,
	) -> DispatchResult {
		Location::read(&location).map_err(|_| Error::<T>::LocationInvalid)?;
		let key = (owner.clone(), dataset, keeper.clone());
		if let Some(mut entry) = Keepers::<T>::get(&key) {
			entry.location = location.clone();
			Keepers::<T>::insert(key, entry);
			Self::deposit_event(Event::KeeperMoved {
				owner,
				dataset,
				keeper,
				location,
			});
			return Ok(());
		}
		ensure!(
			T::Objects::has_dataset(&owner, dataset),
			Error::<T>::UnknownDataset
		);
		let mut pot = Pots::<T>::get(&owner, dataset);
		ensure!(
			pot.keepers < T::MaxKeepers::get(),
			Error::<T>::TooManyKeepers
		);
		Self::open_pots(&keeper)?;
		let deposit = T::Deposit::get();
		T::Currency::hold(&HoldReason::Keeper.into(), &keeper, deposit)?;
		pot.keepers = pot.keepers.saturating_add(1);
		Pots::<T>::insert(&owner, dataset, pot);
		let (now, period) = Self::now();
		let entry = Keeper {
			location: location.clone(),
			deposit,
			since: now,
			proven: None,
			settled: period,
			objects: T::Objects::count(&owner, dataset),
			kept: 0,
			missed: 0,
			in_a_row: 0,
		};
		Keepers::<T>::insert(key, entry);
		Self::deposit_event(Event::KeeperCame {
			owner,
			dataset,
			keeper,
			location,
		});
		Ok(())
	}

	pub(crate) fn do_leave(
		owner: T::AccountId,
		dataset: DatasetId,
		keeper: T::AccountId,
	) -> DispatchResult {
		let mut entry = Self::keeper(&owner, dataset, &keeper)?;
		Self::count_missed(&owner, dataset, &mut entry);
		if entry.in_a_row >= T::MaxMissed::get() {
			return Self::lose(owner, dataset, keeper, entry);
		}
		let reason = HoldReason::Keeper.into();
		T::Currency::release(&reason, &keeper, entry.deposit, Precision::BestEffort)?;
		Self::remove(&owner, dataset, &keeper, Zero::zero());
		Self::deposit_event(Event::KeeperLeft {
			owner,
			dataset,
			keeper,
		});
		Ok(())
	}

	pub(crate) fn do_prove(
		owner: T::AccountId,
		dataset: DatasetId,
		keeper: T::AccountId,
		piece: &[u8],
		path: Path,
	) -> DispatchResult {
		let mut entry = Self::keeper(&owner, dataset, &keeper)?;
		let (now, period) = Self::now();
		ensure!(entry.settled < period, Error::<T>::NotDue);
		let missed = Self::count_missed(&owner, dataset, &mut entry);
		ensure!(
			entry.in_a_row < T::MaxMissed::get(),
			Error::<T>::MissedTooMany
		);
		let count = T::Objects::count(&owner, dataset);
		let draw = Self::draw(&owner, dataset, &keeper, period)?;
		let place = draw.object(entry.objects, count);
		let stored = place.and_then(|place| T::Objects::at(&owner, dataset, place));
		let (Some(place), Some(stored)) = (place, stored) else {
			return Err(Error::<T>::NothingToProve.into());
		};
		let index = draw.piece(stored.length);
		let path: alloc::vec::Vec<Value> = path.into_iter().map(|value| value.0).collect();
		verify(&stored.root, stored.length, index, piece, &path).map_err(Self::refused)?;
		Self::tell_missed(&owner, dataset, &keeper, &entry, missed);
		entry.prove(now, period, count);
		Keepers::<T>::insert((&owner, dataset, &keeper), entry);
		let paid = Self::pay(&owner, dataset, &keeper, period);
		Self::deposit_event(Event::Proven {
			owner,
			dataset,
			keeper,
			period,
			object: place,
			piece: index,
			paid,
		});
		Ok(())
	}

	pub(crate) fn do_report_missed(
		owner: T::AccountId,
		dataset: DatasetId,
		keeper: T::AccountId,
	) -> DispatchResult {
		let mut entry = Self::keeper(&owner, dataset, &keeper)?;
		let missed = Self::count_missed(&owner, dataset, &mut entry);
		ensure!(missed > 0, Error::<T>::NothingMissed);
		Self::tell_missed(&owner, dataset, &keeper, &entry, missed);
		if entry.in_a_row >= T::MaxMissed::get() {
			return Self::lose(owner, dataset, keeper, entry);
		}
		Keepers::<T>::insert((owner, dataset, keeper), entry);
		Ok(())
	}

	pub(crate) fn do_fund(
		owner: T::AccountId,
		dataset: DatasetId,
		by: T::AccountId,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		ensure!(!amount.is_zero(), Error::<T>::NoAmount);
		ensure!(
			T::Objects::has_dataset(&owner, dataset),
			Error::<T>::UnknownDataset
		);
		Self::open_pots(&by)?;
		T::Currency::transfer(&by, &Self::pots_account(), amount, Preservation::Preserve)?;
		Pots::<T>::mutate(&owner, dataset, |pot| {
			pot.amount = pot.amount.saturating_add(amount);
		});
		Self::deposit_event(Event::PotFunded {
			owner,
			dataset,
			by,
			amount,
		});
		Ok(())
	}

	/// Returns the account that has the money of all pots, and its own least balance besides.
	pub fn pots_account() -> T::AccountId {
		T::PotsId::get().into_account_truncating()
	}

	/// Returns whether the chain keeps the hashes that periods of this length need.
	pub(crate) fn remembers(length: u32) -> bool {
		let kept: u32 = T::BlockHashCount::get().unique_saturated_into();
		length.saturating_add(DEPTH) < kept
	}

	/// Returns the place of the object and its piece that are due from a keeper; `None` if nothing is.
	pub(crate) fn due_from(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
	) -> Option<(u32, u64)> {
		let mut entry = Keepers::<T>::get((owner, dataset, keeper))?;
		let (_, period) = Self::now();
		if entry.settled >= period {
			return None;
		}
		let count = T::Objects::count(owner, dataset);
		entry.settle(period, count);
		if entry.in_a_row >= T::MaxMissed::get() {
			return None;
		}
		let draw = Self::draw(owner, dataset, keeper, period).ok()?;
		let place = draw.object(entry.objects, count)?;
		let stored = T::Objects::at(owner, dataset, place)?;
		Some((place, draw.piece(stored.length)))
	}

	/// Returns this block's number and its period.
	pub(crate) fn now() -> (u32, Period) {
		let now: u32 = frame_system::Pallet::<T>::block_number().unique_saturated_into();
		(now, periods::of(now, PeriodLength::<T>::get()).unwrap_or(0))
	}

	/// Makes sure that the account of the pots exists: the first one who needs it pays its least balance. That stays there, so
	/// that the smallest amount in a pot is not lost as dust.
	fn open_pots(payer: &T::AccountId) -> DispatchResult {
		let (account, least) = (Self::pots_account(), T::Currency::minimum_balance());
		if T::Currency::balance(&account) < least {
			T::Currency::transfer(payer, &account, least, Preservation::Preserve)?;
		}
		Ok(())
	}

	fn keeper(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
	) -> Result<KeeperOf<T>, Error<T>> {
		Keepers::<T>::get((owner, dataset, keeper)).ok_or(Error::<T>::NotKeeper)
	}

	/// Counts the periods that a keeper has missed, and returns how many were not counted yet.
	fn count_missed(owner: &T::AccountId, dataset: DatasetId, entry: &mut KeeperOf<T>) -> u32 {
		let (_, period) = Self::now();
		entry.settle(period, T::Objects::count(owner, dataset))
	}

	/// Deposits the event of missed periods, if there are any.
	fn tell_missed(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
		entry: &KeeperOf<T>,
		periods: u32,
	) {
		if periods > 0 {
			Self::deposit_event(Event::Missed {
				owner: owner.clone(),
				dataset,
				keeper: keeper.clone(),
				periods,
				in_a_row: entry.in_a_row,
			});
		}
	}

	/// Draws for a keeper in a period.
	fn draw(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
		period: Period,
	) -> Result<Draw, Error<T>> {
		let block = periods::drawn_by(period, PeriodLength::<T>::get());
		let hash = frame_system::Pallet::<T>::block_hash(
			frame_system::pallet_prelude::BlockNumberFor::<T>::from(block),
		);
		// The system returns zeros for a block that it has forgotten.
		ensure!(hash != Default::default(), Error::<T>::DrawUnknown);
		let hash = hash.encode();
		let hash = <[u8; 32]>::try_from(&hash[..]).map_err(|_| Error::<T>::DrawUnknown)?;
		Ok(Draw::new(&hash, keeper, owner, dataset, period))
	}

	fn refused(error: ProofError) -> DispatchError {
		match error {
			ProofError::PieceLength { .. } => Error::<T>::PieceLengthWrong,
			ProofError::PathLength { .. } => Error::<T>::PathLengthWrong,
			// The piece was drawn from the object's own.
			ProofError::NoPiece { .. } | ProofError::WrongBytes => Error::<T>::ProofWrong,
		}
		.into()
	}

	/// Pays a keeper its share of the period, and returns how much that is. The first one who is paid in a period
	/// determines it for all.
	fn pay(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
		period: Period,
	) -> BalanceOf<T> {
		Pots::<T>::mutate(owner, dataset, |pot| {
			if pot.period != period {
				let parts = T::PotPeriods::get().saturating_mul(pot.keepers.max(1));
				let share = pot.amount.checked_div(&parts.into());
				pot.share = share.unwrap_or_else(Zero::zero);
				pot.period = period;
			}
			let share = pot.share.min(pot.amount);
			if share.is_zero() {
				return Zero::zero();
			}
			let pots = Self::pots_account();
			let paid = T::Currency::transfer(&pots, keeper, share, Preservation::Preserve);
			// A keeper that cannot be paid has proven all the same.
			let paid = paid.unwrap_or_else(|_| Zero::zero());
			pot.amount = pot.amount.saturating_sub(paid);
			paid
		})
	}

	/// Takes a keeper's place and deposit.
	fn lose(
		owner: T::AccountId,
		dataset: DatasetId,
		keeper: T::AccountId,
		entry: KeeperOf<T>,
	) -> DispatchResult {
		let deposit = T::Currency::transfer_on_hold(
			&HoldReason::Keeper.into(),
			&keeper,
			&Self::pots_account(),
			entry.deposit,
			Precision::BestEffort,
			Restriction::Free,
			Fortitude::Force,
		)?;
		Self::remove(&owner, dataset, &keeper, deposit);
		Self::deposit_event(Event::KeeperLost {
			owner,
			dataset,
			keeper,
			deposit,
		});
		Ok(())
	}

	/// Removes a keeper, and adds to the pot.
	fn remove(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
		added: BalanceOf<T>,
	) {
		Keepers::<T>::remove((owner, dataset, keeper));
		let mut pot = Pots::<T>::get(owner, dataset);
		pot.keepers = pot.keepers.saturating_sub(1);
		pot.amount = pot.amount.saturating_add(added);
		match pot.keepers == 0 && pot.amount.is_zero() {
			true => Pots::<T>::remove(owner, dataset),
			false => Pots::<T>::insert(owner, dataset, pot),
		}
	}
}
