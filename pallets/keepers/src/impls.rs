// SPDX-License-Identifier: Apache-2.0
//! What the calls do.

use crate::{pallet::*, Draw, Keeper, Objects, Stored};
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
		let (now, _) = Self::now();
		// A keeper that knows a draw before it comes could choose it.
		let first = periods::first_drawn_after(now, PeriodLength::<T>::get());
		let entry = Keeper {
			location: location.clone(),
			deposit,
			since: now,
			proven: None,
			settled: first.saturating_sub(1),
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
		let lost = entry.deposit.saturating_mul(entry.in_a_row.into()) / T::MaxMissed::get().into();
		Self::take(&keeper, lost)?;
		let (reason, kept) = (
			HoldReason::Keeper.into(),
			entry.deposit.saturating_sub(lost),
		);
		T::Currency::release(&reason, &keeper, kept, Precision::Exact)?;
		let share = Self::last_share(&owner, dataset, &keeper, &entry);
		Self::remove(&owner, dataset, &keeper, lost, share);
		Self::deposit_event(Event::KeeperLeft {
			owner,
			dataset,
			keeper,
			lost,
			share,
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
		if !Self::was_there(&stored, period) {
			entry.excuse(period);
			Self::tell_missed(&owner, dataset, &keeper, &entry, missed);
			Keepers::<T>::insert((&owner, dataset, &keeper), entry);
			Self::deposit_event(Event::Excused {
				owner,
				dataset,
				keeper,
				period,
				object: place,
			});
			return Ok(());
		}
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
		ensure!(amount >= T::LeastFund::get(), Error::<T>::TooLittle);
		ensure!(
			T::Objects::has_dataset(&owner, dataset),
			Error::<T>::UnknownDataset
		);
		// Anyone may clear the pot of a dataset without objects and keepers.
		ensure!(
			T::Objects::count(&owner, dataset) > 0,
			Error::<T>::NothingToProve
		);
		Self::put(&owner, dataset, &by, amount)?;
		Self::deposit_event(Event::PotFunded {
			owner,
			dataset,
			by,
			amount,
		});
		Ok(())
	}

	/// Puts money into a pot.
	pub(crate) fn put(
		owner: &T::AccountId,
		dataset: DatasetId,
		by: &T::AccountId,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		Self::open_pots(by)?;
		T::Currency::transfer(by, &Self::pots_account(), amount, Preservation::Preserve)?;
		Pots::<T>::mutate(owner, dataset, |pot| {
			pot.amount = pot.amount.saturating_add(amount);
		});
		Ok(())
	}

	pub(crate) fn do_clear_pot(owner: T::AccountId, dataset: DatasetId) -> DispatchResult {
		let pot = Pots::<T>::get(&owner, dataset);
		ensure!(!pot.amount.is_zero(), Error::<T>::NoPot);
		let is_needed = pot.keepers > 0 || T::Objects::count(&owner, dataset) > 0;
		ensure!(!is_needed, Error::<T>::PotNeeded);
		T::Currency::burn_from(
			&Self::pots_account(),
			pot.amount,
			Preservation::Preserve,
			Precision::Exact,
			Fortitude::Polite,
		)?;
		Pots::<T>::remove(&owner, dataset);
		Self::deposit_event(Event::PotCleared {
			owner,
			dataset,
			amount: pot.amount,
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

	/// Returns the place of the object and its piece that are due from a keeper; `None` if nothing is. For an object
	/// that was stored after the drawing block, the piece is none that has to be proven: see [`Self::was_there`].
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
		Self::count_missed(owner, dataset, &mut entry);
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
		let since = T::Objects::since(owner, dataset);
		let first = periods::first_drawn_after(since, PeriodLength::<T>::get());
		entry.settle(period, T::Objects::count(owner, dataset), first)
	}

	/// Returns whether an object was there when the block of a period's draw was made. Otherwise its owner could have
	/// stored it because of the draw, and a keeper had no time to copy it.
	pub(crate) fn was_there(stored: &Stored, period: Period) -> bool {
		stored.block <= periods::drawn_by(period, PeriodLength::<T>::get())
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
		let deposit = entry.deposit;
		Self::take(&keeper, deposit)?;
		Self::remove(&owner, dataset, &keeper, deposit, Zero::zero());
		Self::deposit_event(Event::KeeperLost {
			owner,
			dataset,
			keeper,
			deposit,
		});
		Ok(())
	}

	/// Moves a part of a keeper's deposit to the account of the pots.
	fn take(keeper: &T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
		if amount.is_zero() {
			return Ok(());
		}
		T::Currency::transfer_on_hold(
			&HoldReason::Keeper.into(),
			keeper,
			&Self::pots_account(),
			amount,
			Precision::Exact,
			Restriction::Free,
			Fortitude::Force,
		)?;
		Ok(())
	}

	/// Pays a keeper that leaves its equal share of the pot, if the dataset is gone and it has proven at least once. Returns
	/// how much that is.
	fn last_share(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
		entry: &KeeperOf<T>,
	) -> BalanceOf<T> {
		if entry.kept == 0 || T::Objects::has_dataset(owner, dataset) {
			return Zero::zero();
		}
		let pot = Pots::<T>::get(owner, dataset);
		let share = pot.amount / pot.keepers.max(1).into();
		let pots = Self::pots_account();
		match T::Currency::transfer(&pots, keeper, share, Preservation::Preserve) {
			Ok(paid) => paid,
			// A keeper that cannot be paid leaves all the same.
			Err(_) => Zero::zero(),
		}
	}

	/// Removes a keeper, adds to the pot, and takes what was paid from it.
	fn remove(
		owner: &T::AccountId,
		dataset: DatasetId,
		keeper: &T::AccountId,
		added: BalanceOf<T>,
		paid: BalanceOf<T>,
	) {
		Keepers::<T>::remove((owner, dataset, keeper));
		let mut pot = Pots::<T>::get(owner, dataset);
		pot.keepers = pot.keepers.saturating_sub(1);
		pot.amount = pot.amount.saturating_sub(paid).saturating_add(added);
		match pot.keepers == 0 && pot.amount.is_zero() {
			true => Pots::<T>::remove(owner, dataset),
			false => Pots::<T>::insert(owner, dataset, pot),
		}
	}
}
