// SPDX-License-Identifier: Apache-2.0
//! The pallet's calls. Their doc comments are also in the chain's metadata, where users read them.

use polkadot_sdk::*;

/// The pallet's calls.
#[frame_support::pallet_macros::pallet_section]
mod calls {
	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Registers the account as a data producer (the paper's contract creation).
		///
		/// The account becomes the address of the producer's contract. A deposit is held until `deregister`.
		///
		/// - `kind`: the kind of producer: school, government, business or other.
		/// - `name`: the producer's name, text of 1 to `MaxNameSize` bytes.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register())]
		pub fn register(origin: OriginFor<T>, kind: ProducerKind, name: Vec<u8>) -> DispatchResult {
			let producer = ensure_signed(origin)?;
			ensure!(
				!Producers::<T>::contains_key(&producer),
				Error::<T>::AlreadyRegistered
			);
			let name = Self::checked_name(name)?;
			let deposit = Self::deposit(Footprint::producer(name.len()));
			Self::hold(HoldReason::Producer, &producer, deposit)?;
			Producers::<T>::insert(
				&producer,
				Producer {
					kind,
					name: name.clone(),
					datasets: 0,
					deposit,
				},
			);
			Self::deposit_event(Event::Registered {
				producer,
				kind,
				name,
			});
			Ok(())
		}

		/// Ends the account's registration.
		///
		/// The producer must have no datasets, must not be a verifier and must not have applied to become
		/// one. The deposit for the registration is released; the deposit for the count of the account's
		/// datasets, if it ever had any, is not.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::deregister())]
		pub fn deregister(origin: OriginFor<T>) -> DispatchResult {
			let producer = ensure_signed(origin)?;
			let entry = Producers::<T>::get(&producer).ok_or(Error::<T>::NotRegistered)?;
			ensure!(entry.datasets == 0, Error::<T>::ProducerHasDatasets);
			ensure!(
				!T::MustStay::contains(&producer),
				Error::<T>::ProducerIsVerifier
			);
			Producers::<T>::remove(&producer);
			Self::release(HoldReason::Producer, &producer, entry.deposit);
			Self::deposit_event(Event::Deregistered { producer });
			Ok(())
		}

		/// Registers or replaces this account's public encryption key.
		///
		/// Owners seal the keys of their grants to it. Existing grants stay sealed to the old key: keep its
		/// private key for as long as you need them. A deposit is held until `remove_encryption_key`.
		///
		/// - `key`: the suite's number (two bytes) followed by the key in that suite's encoding; 1,234 bytes in all for
		///   X-Wing.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::set_encryption_key())]
		pub fn set_encryption_key(origin: OriginFor<T>, key: Vec<u8>) -> DispatchResult {
			let account = ensure_signed(origin)?;
			let key = Self::checked_key(key)?;
			if let Some(old) = EncryptionKeys::<T>::get(&account) {
				Self::release(HoldReason::EncryptionKey, &account, old.deposit);
			}
			let deposit = Self::deposit(Footprint::encryption_key(key.len()));
			Self::hold(HoldReason::EncryptionKey, &account, deposit)?;
			EncryptionKeys::<T>::insert(
				&account,
				RegisteredKey {
					key: key.clone(),
					deposit,
				},
			);
			Self::deposit_event(Event::EncryptionKeySet { account, key });
			Ok(())
		}

		/// Removes the account's encryption key and releases its deposit.
		///
		/// Grants sealed to the key stay active. Until the account registers another key, it can only receive
		/// grants that it requests.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::remove_encryption_key())]
		pub fn remove_encryption_key(origin: OriginFor<T>) -> DispatchResult {
			let account = ensure_signed(origin)?;
			let old = EncryptionKeys::<T>::take(&account).ok_or(Error::<T>::NoEncryptionKey)?;
			Self::release(HoldReason::EncryptionKey, &account, old.deposit);
			Self::deposit_event(Event::EncryptionKeyRemoved { account });
			Ok(())
		}

		/// Creates a dataset.
		///
		/// It gets the producer's next dataset number, counted from 0, and starts at epoch 0. A deposit is
		/// held until `remove_dataset`. An account's first dataset takes a second deposit, for the entry that
		/// counts the account's datasets. That entry is never removed and its deposit never released, not
		/// even by `deregister`.
		///
		/// - `name`: the dataset's name, text of 1 to `MaxNameSize` bytes. It must differ from the names of
		///   the producer's other datasets.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::create_dataset())]
		pub fn create_dataset(origin: OriginFor<T>, name: Vec<u8>) -> DispatchResult {
			Self::do_create_dataset(ensure_signed(origin)?, name)
		}

		/// Removes a dataset, its policy and its locations, and releases their deposits.
		///
		/// The dataset must have no records, no leaves that are still taken, no open requests and no grants,
		/// including ended grants that are not yet removed. Its number is never used again.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::remove_dataset())]
		pub fn remove_dataset(origin: OriginFor<T>, dataset: DatasetId) -> DispatchResult {
			Self::do_remove_dataset(Self::ensure_owner(origin, dataset)?, dataset)
		}

		/// Starts a new epoch of a dataset, with its own key tree.
		///
		/// Records stored from now on are closed to all readers until they get grants for the new epoch.
		/// `revoke` does this automatically. Call this after a grant has expired if its reader must not read
		/// later records.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::start_epoch())]
		pub fn start_epoch(origin: OriginFor<T>, dataset: DatasetId) -> DispatchResult {
			let owner = Self::ensure_owner(origin, dataset)?;
			let mut entry = Self::own_dataset(&owner, dataset)?;
			Self::next_epoch(&owner, dataset, &mut entry)?;
			Datasets::<T>::insert(&owner, dataset, entry);
			Ok(())
		}

		/// T_s: stores an encrypted value under a key.
		///
		/// The value goes into the block's body; the state keeps only its hash, length and location. Deposits
		/// are held for the record and its leaf until they are removed.
		///
		/// This must be the transaction's own call, not wrapped in a batch or a proxy.
		///
		/// - `key`: the record's key, 32 bytes. It must differ from the keys of the owner's other records.
		/// - `dataset`, `epoch`: one of the producer's datasets and its current epoch.
		/// - `leaf`: the leaf of that epoch's key tree whose key encrypts the value. It must never have
		///   been taken before.
		/// - `value`: the ciphertext, 1 to `MaxValueSize` bytes.
		#[pallet::call_index(7)]
		#[pallet::weight(
			T::WeightInfo::store(Pallet::<T>::len(value))
				.saturating_add(Pallet::<T>::weight_of_embargo_on())
		)]
		pub fn store(
			origin: OriginFor<T>,
			key: RecordKey,
			dataset: DatasetId,
			epoch: Epoch,
			leaf: Leaf,
			// The value must be the last argument, because the client indexes the last bytes of the
			// extrinsic.
			value: Vec<u8>,
		) -> DispatchResult {
			let place = RecordPlace {
				key,
				dataset,
				epoch,
				leaf,
			};
			Self::do_store(Self::ensure_owner(origin, dataset)?, place, &value)
		}

		/// Removes a record from the state; queries for it are refused from now on.
		///
		/// This call also abandons an unfinished large record. The record's deposit is released and, if the
		/// leaf's epoch is over, so is the leaf's deposit. Otherwise the leaf stays taken until `free_leaf`,
		/// so that no two values are ever encrypted under the same leaf's key. Nodes that keep old blocks
		/// still have the bytes in the block's body. An object stays where it was stored: delete it there.
		///
		/// A record stays while a term runs that a reader paid for when the record was there. Revoke the grants
		/// first, which pays back the rest of their terms. Each record in a range that was sold, complete or not, stays for
		/// `LongestWindow` blocks after the last sale on its epoch, as it may show in a dispute what a grant opens. A record counts as paid for if its leaf is between the
		/// first and the last leaf of all grants on its epoch that are paid for and active.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::remove_object().saturating_add(Pallet::<T>::weight_of_lifting()))]
		pub fn remove_record(origin: OriginFor<T>, key: RecordKey) -> DispatchResultWithPostInfo {
			let weight = Self::do_remove_record(Self::ensure_owner_of_record(origin, key)?, key)?;
			Ok(Some(weight).into())
		}

		/// Frees the leaf of a removed record after the leaf's epoch is over, and releases the leaf's deposit.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::free_leaf())]
		pub fn free_leaf(
			origin: OriginFor<T>,
			dataset: DatasetId,
			epoch: Epoch,
			leaf: Leaf,
		) -> DispatchResult {
			let owner = Self::ensure_owner(origin, dataset)?;
			let mut entry = Self::own_dataset(&owner, dataset)?;
			let place = (&owner, dataset, epoch, leaf);
			let taken = Leaves::<T>::get(place).ok_or(Error::<T>::LeafNotTaken)?;
			ensure!(taken.by == LeafUse::Spent, Error::<T>::LeafInUse);
			ensure!(epoch < entry.epoch, Error::<T>::EpochNotOver);
			Leaves::<T>::remove(place);
			entry.leaves = entry.leaves.saturating_sub(1);
			Datasets::<T>::insert(&owner, dataset, entry);
			let payer = Payer::Controller(&owner, dataset);
			Self::release_to(HoldReason::Record, payer, taken.deposit);
			Self::deposit_event(Event::LeafFreed {
				owner,
				dataset,
				epoch,
				leaf,
			});
			Ok(())
		}

		/// T_q: requests access to a range of a producer's dataset.
		///
		/// The request waits `RequestLifetime` blocks for an answer and then expires automatically. The
		/// offered payment, if any, is held until the request is closed, and so is a deposit for the largest
		/// grant that could answer it: who asks for a place in the state pays for it. When the owner answers,
		/// the part of the deposit that the grant takes stays held from this account until the grant has
		/// ended, and the rest is released.
		///
		/// The request reserves a place among the `MaxGrantsPerReader` grants and requests that the reader may
		/// have on that epoch. Ended grants do not count: the oldest is removed if its place is needed.
		///
		/// A request that is known not to meet the condition of the dataset's policy is refused. If that is not known, because
		/// a fact is missing, the request is made, and its verdict says so.
		///
		/// - `owner`: the producer that owns the dataset.
		/// - `scope`: the producer's dataset, an epoch that the dataset has reached, and the range of
		///   leaves: `from` (the first) to `to` (one past the last, at most 2^32).
		/// - `purpose`: what the data is for, text of 1 to `MaxTextSize` bytes.
		/// - `code`: the same by its code, which policies understand. Both are in the digest that the answer names, and the
		///   grant keeps the code. `Unspecified` if no other fits.
		/// - `term`: the minimum term of the grant in blocks, counted from the block that authorises it. At least
		///   `DisputeWindow` if there is an offer.
		/// - `offer`: the payment to the owner, in the smallest unit; 0 for none. It stays held from this account
		///   for the time in which it can be disputed, and is then made: for half of the term from the block that authorises
		///   the grant, but at least `DisputeWindow` and at most `LongestWindow` blocks.
		/// - `firm`: whether the grant must not be revoked before the term is over. The dataset's policy must
		///   offer that, for at most this offer. A grant whose term is not firm can be revoked at any time,
		///   and the share of the payment for the rest of the term is then paid back.
		/// - `key`: the public encryption key that the answer is sealed to, as in `set_encryption_key`. Use a new
		///   one for each request. The account needs no registered key.
		#[allow(clippy::too_many_arguments)] // A transaction's arguments have no other place.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::request_access().saturating_add(Pallet::<T>::weight_of_judging()))]
		pub fn request_access(
			origin: OriginFor<T>,
			owner: T::AccountId,
			scope: Scope,
			purpose: Vec<u8>,
			code: PurposeCode,
			term: BlockNumberFor<T>,
			offer: BalanceOf<T>,
			firm: bool,
			key: Vec<u8>,
		) -> DispatchResultWithPostInfo {
			let consumer = ensure_signed(origin)?;
			ensure!(consumer != owner, Error::<T>::SelfRequest);
			let dataset =
				Datasets::<T>::get(&owner, scope.dataset).ok_or(Error::<T>::UnknownDataset)?;
			ensure!(!dataset.closed, Error::<T>::DatasetClosed);
			Self::check_scope(&scope, &dataset)?;
			let was_judged = Self::check_policy(&owner, &scope, &consumer, &offer, firm)?;
			let purpose: Text = Self::text(purpose, Error::<T>::PurposeTooLong)?;
			ensure!(!purpose.is_empty(), Error::<T>::PurposeEmpty);
			ensure!(!term.is_zero(), Error::<T>::ZeroTerm);
			ensure!(
				offer.is_zero() || term >= T::DisputeWindow::get(),
				Error::<T>::TermTooShort
			);
			let key = Self::checked_key(key)?;
			ensure!(
				!RequestsFrom::<T>::contains_key((&consumer, &owner, &scope)),
				Error::<T>::AlreadyRequested
			);
			let id = NextRequest::<T>::get();
			let next = id.checked_add(1).ok_or(ArithmeticError::Overflow)?;

			Self::reserve_place(&owner, &scope, &consumer)?;
			let deposit = Self::deposit(Footprint::REQUEST);
			Self::hold(HoldReason::Request, &consumer, deposit)?;
			Self::hold(HoldReason::Offer, &consumer, offer)?;
			let valid_until =
				frame_system::Pallet::<T>::block_number().saturating_add(T::RequestLifetime::get());
			let request = Request {
				owner,
				consumer,
				scope,
				purpose: purpose.clone(),
				code,
				term,
				offer,
				firm,
				key,
				valid_until,
				deposit,
			};
			NextRequest::<T>::put(next);
			Self::open_request(id, &request);
			let Request {
				owner, consumer, ..
			} = request;
			Self::deposit_event(Event::AccessRequested {
				request: id,
				owner,
				consumer,
				scope,
				purpose,
				code,
				term,
				offer,
				firm,
				valid_until,
			});
			let plain = (!was_judged).then(T::WeightInfo::request_access);
			Ok(plain.into())
		}

		/// Cancels a request made by this account.
		///
		/// A request without an offer, or one that is overdue, is closed at once and its deposit and offer are
		/// released. Another request stays open until it expires, at most `CancelNotice` blocks from now, and
		/// its deposit and offer are released then. Until then the owner may still answer it and be paid, because an answer in flight
		/// reveals its keys to the reader even if it fails.
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::cancel_request().saturating_add(T::WeightInfo::detach()))]
		pub fn cancel_request(
			origin: OriginFor<T>,
			request: RequestId,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			let mut entry = Requests::<T>::get(request)
				.filter(|entry| entry.consumer == who)
				.ok_or(Error::<T>::UnknownRequest)?;
			let has_trigger = Withdrawals::<T>::contains_key(request);
			let valid_until = Self::cancel(request, &mut entry);
			let Request {
				owner,
				consumer,
				scope,
				..
			} = entry;
			Self::deposit_event(Event::RequestCancelled {
				request,
				owner,
				consumer,
				scope,
				valid_until,
			});
			let plain = (!has_trigger).then(T::WeightInfo::cancel_request);
			Ok(plain.into())
		}

		/// Rejects a request made to this account.
		///
		/// The consumer's deposit and offer are released.
		///
		/// - `reason`: an explanation for the consumer, text of at most `MaxTextSize` bytes; may be empty.
		#[pallet::call_index(12)]
		#[pallet::weight(T::WeightInfo::reject_request().saturating_add(T::WeightInfo::detach()))]
		pub fn reject_request(
			origin: OriginFor<T>,
			request: RequestId,
			reason: Vec<u8>,
		) -> DispatchResultWithPostInfo {
			let acting = Self::acting(origin)?;
			let entry = Requests::<T>::get(request)
				.filter(|entry| entry.owner == acting.owner)
				.ok_or(Error::<T>::UnknownRequest)?;
			Self::ensure_controls(&acting, entry.scope.dataset)?;
			let reason: Text = Self::text(reason, Error::<T>::ReasonTooLong)?;
			let has_trigger = Withdrawals::<T>::contains_key(request);
			Self::close_request(request, &entry);
			let Request {
				owner,
				consumer,
				scope,
				..
			} = entry;
			Self::deposit_event(Event::RequestRejected {
				request,
				owner,
				consumer,
				scope,
				reason,
				controller: acting.by,
			});
			let plain = (!has_trigger).then(T::WeightInfo::reject_request);
			Ok(plain.into())
		}

		/// Authorises a reader: adds an entry to the authorization list.
		///
		/// The entry contains the range's keys, sealed to the reader's encryption key. If it answers a
		/// request, the request is closed and its deposit becomes the grant's. Its offer is paid to this account
		/// when it can no longer be disputed, unless the reader shows with `dispute` that the keys are wrong. What disputes took of the
		/// deposit for the dataset is held again, or the call fails. A grant that no one requested takes a deposit from this account. The part of the deposit
		/// for the sealed keys is held until the grant expires or is revoked, the rest until the grant is
		/// removed from the state.
		///
		/// A reader has at most `MaxGrantsPerReader` active grants and open requests on one epoch of a
		/// dataset. If ended grants take the place that this one needs, the oldest of them is removed and its
		/// deposit released.
		///
		/// The sealed keys appear in a block even if this call fails, and the reader can open them. For
		/// this reason, a reader has no way to make the answer to its request fail.
		///
		/// - `grantee`: the reader. It must have an encryption key, unless this grant answers its request.
		/// - `scope`: this account's dataset, an epoch that the dataset has reached, and the range of
		///   leaves, `from` to `to`.
		/// - `expiry`: the first block at which the grant is no longer valid.
		/// - `until`: an optional date at which the grant also expires, in seconds since 1970 as in block
		///   timestamps. Queries are refused from the first block at or after that date. Must be none if the
		///   reader pays.
		/// - `sealed_keys`: the keys of the range, sealed to the reader; 1 to `MaxSealedKeysSize` bytes.
		/// - `request`: the request that this grant answers, if any: its number and its digest, so that it can
		///   answer no other request. The reader and the scope must match the request, and the term must be
		///   at least the requested one.
		/// - `condition`: an optional condition under which the grant is good. While it is not met, or depends on a fact
		///   that is missing, the grant is suspended and queries under it are refused. It can test at most `MAX_WATCHED`
		///   different facts, credentials of the reader and dates, together. It takes a deposit from this account until
		///   the grant ends. Must be none if this grant answers a request, which does not ask for one.
		#[allow(clippy::too_many_arguments)] // A transaction's arguments have no other place.
		#[pallet::call_index(13)]
		#[pallet::weight(
			// The grant whose place is taken may be overdue and still under a condition, or be paid for.
			T::WeightInfo::add_authorize_to_full_list()
				.saturating_add(T::WeightInfo::detach().max(T::WeightInfo::pay_owner()))
				.saturating_add(match (condition, request) {
					(Some(condition), _) => Pallet::<T>::weight_of_attaching(Some(condition)),
					// The offer may be under a condition.
					(None, Some(_)) => T::WeightInfo::detach(),
					(None, None) => Weight::zero(),
				})
		)]
		pub fn add_authorize(
			origin: OriginFor<T>,
			grantee: T::AccountId,
			scope: Scope,
			expiry: BlockNumberFor<T>,
			until: Option<Seconds>,
			sealed_keys: Vec<u8>,
			request: Option<Answered>,
			condition: Option<Condition>,
		) -> DispatchResultWithPostInfo {
			let Acting {
				owner,
				by: controller,
			} = Self::ensure_controller(origin, scope.dataset)?;
			Self::ensure_not_offered(&owner, scope.dataset)?;
			ensure!(owner != grantee, Error::<T>::SelfGrant);
			let dataset = Self::own_dataset(&owner, scope.dataset)?;
			Self::check_scope(&scope, &dataset)?;
			let now = frame_system::Pallet::<T>::block_number();
			ensure!(expiry > now, Error::<T>::ExpiryPassed);
			ensure!(
				until.is_none_or(|until| until > Self::time()),
				Error::<T>::ExpiryPassed
			);
			ensure!(!sealed_keys.is_empty(), Error::<T>::SealedKeysEmpty);
			let sealed_keys: SealedKeys = sealed_keys
				.try_into()
				.map_err(|_| Error::<T>::SealedKeysTooLong)?;
			let mut grant = Grant {
				owner: owner.clone(),
				grantee,
				scope,
				expiry,
				until,
				agreement: None,
				code: PurposeCode::Unspecified,
				paid: Zero::zero(),
				paid_from: now,
				paid_until: now,
				firm: false,
				state: GrantState::Active,
				sealed_keys,
				depositor: owner,
				deposit: Zero::zero(),
				due: Self::due(expiry, until, None),
				condition: None,
			};
			let attached = Self::weight_of_attaching(condition.as_ref());
			let truth = Self::put_under_condition(&mut grant, condition)?;
			let had_trigger =
				request.is_some_and(|answered| Withdrawals::<T>::contains_key(answered.id));
			let (paid_with, looked_for_room) = match &request {
				Some(answered) => (Self::fulfil(answered, &mut grant)?, false),
				None => (None, Self::give(&mut grant)?),
			};
			let (id, was_full) = Self::open_grant(&grant)?;
			Self::keep_payment(id, &grant, paid_with);
			let answered = request.map(|answered| answered.id);
			Self::tell_authorized(id, &grant, answered, controller);
			if let Some(truth) = truth.filter(|truth| !truth.is_met()) {
				Self::tell_state(id, &grant, truth);
			}
			Ok(match was_full || looked_for_room || had_trigger {
				true => None,
				false => Some(T::WeightInfo::add_authorize().saturating_add(attached)),
			}
			.into())
		}

		/// Revokes a grant that this account gave, and pays back what its reader paid for the rest of the term.
		///
		/// The sealed keys are removed, their part of the deposit is released, and queries under the grant
		/// are refused. The rest of the deposit is released when the grant is removed from the state:
		/// `GrantMemory` blocks later, or earlier if a new grant to the reader needs its place. If the grant
		/// was on the dataset's current epoch, a new epoch starts, so that the reader cannot read records
		/// stored from now on; it can still read later chunks of large records that are already open. Give
		/// the other readers grants for the new epoch.
		///
		/// If the reader paid for a term that is not over, this account pays back the share of the payment for
		/// the blocks that are left, or the call fails. If the payment was not made yet, the reader gets all of it back; it can
		/// dispute the grant as long as before, and the sealed keys stay until then. Only a
		/// grant with a firm term cannot be revoked before
		/// the term is over. A grant that has expired, and that the chain has not ended yet, is ended as
		/// expired: no epoch starts.
		///
		/// What the reader already has cannot be taken back: its keys still open the values stored in its
		/// scope before the revocation.
		#[pallet::call_index(14)]
		#[pallet::weight(
			T::WeightInfo::revoke()
				.saturating_add(T::WeightInfo::detach().max(T::WeightInfo::pay_owner()))
		)]
		pub fn revoke(origin: OriginFor<T>, grant: GrantId) -> DispatchResult {
			let acting = Self::acting(origin)?;
			let mut entry = Grants::<T>::get(grant)
				.filter(|entry| entry.owner == acting.owner)
				.ok_or(Error::<T>::UnknownGrant)?;
			Self::ensure_controls(&acting, entry.scope.dataset)?;
			ensure!(!entry.state.has_ended(), Error::<T>::GrantEnded);
			let now = frame_system::Pallet::<T>::block_number();
			if entry.state_at(&now, Self::time()) == GrantState::Expired {
				Self::expire_grant(grant, &mut entry);
				return Ok(());
			}
			ensure!(
				!entry.firm || now >= entry.paid_until,
				Error::<T>::TermPaidFor
			);
			let mut dataset = Self::own_dataset(&acting.owner, entry.scope.dataset)?;
			// If the agenda is late.
			Self::settle_one(Due::Payment(grant));
			let refunded = match Self::pay_back(grant, &entry) {
				Some(all) => all,
				None => Self::refund(&entry, now)?,
			};
			Self::end_grant(grant, &mut entry, GrantState::Revoked);
			let Grant {
				owner,
				grantee,
				scope,
				..
			} = entry;
			if scope.epoch == dataset.epoch {
				Self::next_epoch(&owner, scope.dataset, &mut dataset)?;
				Datasets::<T>::insert(&owner, scope.dataset, dataset);
			}
			Self::deposit_event(Event::Revoked {
				grant,
				owner,
				grantee,
				scope,
				refunded,
				controller: acting.by,
			});
			Ok(())
		}

		/// Reserves a place for a large record: the first step of T_s for a value of any size.
		///
		/// Stores the record's manifest, which lists the hashes of its chunks. The chunks follow in order through
		/// `store_chunk`; the record can be queried when all of them are stored. The record's entry in the
		/// state has the same size however large the record is. Deposits are held for the record and its
		/// leaf until they are removed. `remove_record` abandons an unfinished record.
		///
		/// This must be the transaction's own call, not wrapped in a batch or a proxy.
		///
		/// - `key`, `dataset`, `epoch`, `leaf`: as for `store`.
		/// - `length`: the total length of the chunks, in bytes.
		/// - `chunk_size`: the length in bytes of each chunk except the last: 1 to `MaxValueSize`, and
		///   large enough that there are at most `MaxChunks` chunks.
		/// - `manifest`: the version (1), the length of the header in two bytes, the header, and the
		///   BLAKE2b-256 hash of each chunk.
		#[allow(clippy::too_many_arguments)] // A transaction's arguments have no other place.
		#[pallet::call_index(15)]
		#[pallet::weight(
			T::WeightInfo::open_record(Pallet::<T>::len(manifest).div_ceil(32))
				.saturating_add(Pallet::<T>::weight_of_embargo_on())
		)]
		pub fn open_record(
			origin: OriginFor<T>,
			key: RecordKey,
			dataset: DatasetId,
			epoch: Epoch,
			leaf: Leaf,
			length: u64,
			chunk_size: u32,
			// The manifest must be the last argument, because the client indexes the last bytes of the
			// extrinsic.
			manifest: Vec<u8>,
		) -> DispatchResult {
			let place = RecordPlace {
				key,
				dataset,
				epoch,
				leaf,
			};
			Self::do_open_record(
				Self::ensure_owner(origin, dataset)?,
				place,
				length,
				chunk_size,
				&manifest,
			)
		}

		/// T_s for a value of any size, next steps: stores the next chunk of a large record.
		///
		/// Its bytes go into the block's body, not into the state. Several chunks may be in flight at once,
		/// because an account's transactions keep their order.
		///
		/// This must be the transaction's own call, not wrapped in a batch or a proxy.
		///
		/// - `key`: the record's key.
		/// - `index`: the chunk's number, counted from 0. It must be the record's next chunk.
		/// - `proof`: the sibling hashes on the path from the chunk's hash to the manifest's Merkle root,
		///   from the bottom up; at most 15.
		/// - `bytes`: the chunk's ciphertext.
		#[pallet::call_index(16)]
		#[pallet::weight(T::WeightInfo::store_chunk(Pallet::<T>::len(bytes)))]
		pub fn store_chunk(
			origin: OriginFor<T>,
			key: RecordKey,
			index: u32,
			proof: BoundedVec<H256, ConstU32<MAX_PROOF>>,
			// The chunk must be the last argument, because the client indexes the last bytes of the
			// extrinsic.
			bytes: Vec<u8>,
		) -> DispatchResult {
			Self::do_store_chunk(
				Self::ensure_owner_of_record(origin, key)?,
				key,
				index,
				&proof,
				&bytes,
			)
		}

		/// Sets or changes a dataset's policy: which requests this account offers to grant, and at what price.
		///
		/// The chain does not enforce the policy but for its condition; the owner's own program honours it. Other requests
		/// may still be made, and granted manually. A deposit is held until `clear_policy` or `remove_dataset`.
		///
		/// - `policy`: the minimum offer, the minimum offer for a firm term if there is one, the maximum range
		///   and term, and the kinds of consumer and the purposes whose requests qualify. Only purposes for which there is
		///   a code can be named: a code that is added later is not in the policy until it is set again.
		/// - `condition`: an optional condition that a request must meet when it is made and when it is answered
		///   automatically. It is about the consumer and what it offers, and can test at most `MAX_WATCHED` different facts,
		///   credentials, grants and dates, together. `granted` counts a grant that is active on the current epoch of its
		///   dataset; `count` is the number of grants on this dataset that the chain keeps, with those that have ended and are
		///   not yet removed. A request that is known not to meet the condition is refused.
		#[pallet::call_index(17)]
		#[pallet::weight(T::WeightInfo::set_policy())]
		pub fn set_policy(
			origin: OriginFor<T>,
			dataset: DatasetId,
			policy: Policy<BalanceOf<T>, BlockNumberFor<T>>,
			condition: Option<Condition>,
		) -> DispatchResult {
			let owner = Self::ensure_owner(origin, dataset)?;
			Self::own_dataset(&owner, dataset)?;
			ensure!(policy.purposes.are_known(), Error::<T>::PurposeUnknown);
			ensure!(!policy.allows_nothing(), Error::<T>::PolicyEmpty);
			ensure!(
				policy
					.firm_price
					.is_none_or(|firm| !firm.is_zero() && firm >= policy.price),
				Error::<T>::FirmForTooLittle
			);
			Self::put_policy(&owner, dataset, policy, condition.clone())?;
			Self::deposit_event(Event::PolicySet {
				owner,
				dataset,
				policy,
				condition,
			});
			Ok(())
		}

		/// Removes a dataset's policy and releases its deposit.
		#[pallet::call_index(18)]
		#[pallet::weight(T::WeightInfo::clear_policy())]
		pub fn clear_policy(origin: OriginFor<T>, dataset: DatasetId) -> DispatchResult {
			let owner = Self::ensure_owner(origin, dataset)?;
			Self::own_dataset(&owner, dataset)?;
			ensure!(Self::drop_policy(&owner, dataset), Error::<T>::NoPolicy);
			Self::deposit_event(Event::PolicyCleared { owner, dataset });
			Ok(())
		}

		/// Ends requests and grants that are overdue, and removes ended grants whose time is over.
		///
		/// The chain does this automatically, but only a bounded amount of it in each block. With this call anyone
		/// can do it: it releases the deposits and offers that are held past their dates.
		///
		/// - `due`: the requests and grants, at most `MAX_SETTLED`. Those that are not due, or no longer exist,
		///   are left out. The condition of a grant is evaluated: the grant is due if that suspends or resumes it. A trigger is
		///   due if its condition is met, and a payment when it can no longer be disputed. The call fails if nothing was due. What
		///   it has cost is charged when it is done: less than is declared if few of them have conditions, or small ones.
		#[pallet::call_index(19)]
		#[pallet::weight(
			due.iter().fold(Weight::zero(), |weight, due| {
				weight.saturating_add(match due {
					Due::Request(_) | Due::Grant(_) | Due::Payment(_) => {
						Pallet::<T>::weight_of_settling(1)
					}
					Due::Trigger(_) => Pallet::<T>::weight_of_trigger(MAX_NODES as u32),
				})
			})
		)]
		pub fn settle(
			origin: OriginFor<T>,
			due: BoundedVec<Due, ConstU32<MAX_SETTLED>>,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let mut was_due = false;
			let mut used = Weight::zero();
			for due in due {
				used.saturating_accrue(Self::weight_of_due(due));
				was_due |= Self::settle_one(due);
			}
			ensure!(was_due, Error::<T>::NothingDue);
			Ok(Some(used).into())
		}

		/// Gives up a grant that this account has.
		///
		/// The grant is removed from the state and its deposit released. Nothing is paid back: a payment that could still be
		/// disputed is made. What the account already read it still has.
		#[pallet::call_index(20)]
		#[pallet::weight(
			// And what was sold.
			T::WeightInfo::forget_grant()
				.saturating_add(T::WeightInfo::detach().max(T::WeightInfo::pay_owner()))
				.saturating_add(T::DbWeight::get().reads_writes(1, 1))
		)]
		pub fn renounce(origin: OriginFor<T>, grant: GrantId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let entry = Grants::<T>::get(grant)
				.filter(|entry| entry.grantee == who)
				.ok_or(Error::<T>::UnknownGrant)?;
			Self::pay_owner(grant, &entry);
			Self::forget_grant(grant, &entry);
			let Grant {
				owner,
				grantee,
				scope,
				..
			} = entry;
			Self::deposit_event(Event::Renounced {
				grant,
				owner,
				grantee,
				scope,
			});
			Ok(())
		}

		/// Closes a dataset to requests, or opens it to them again.
		///
		/// Requests that are open stay so. A dataset that is to be removed is closed first, so that new
		/// requests do not keep it.
		#[pallet::call_index(21)]
		#[pallet::weight(T::WeightInfo::start_epoch())]
		pub fn set_closed(
			origin: OriginFor<T>,
			dataset: DatasetId,
			closed: bool,
		) -> DispatchResult {
			let owner = Self::ensure_owner(origin, dataset)?;
			let mut entry = Self::own_dataset(&owner, dataset)?;
			entry.closed = closed;
			Datasets::<T>::insert(&owner, dataset, entry);
			Self::deposit_event(Event::DatasetClosed {
				owner,
				dataset,
				closed,
			});
			Ok(())
		}

		/// Counts again what readers have paid for on an epoch of a dataset of this account.
		///
		/// The chain keeps one range of leaves for all grants on an epoch, from the first leaf that one of them covers to
		/// the last. It stays as it is when one of several grants ends, is revoked or is given up. With the others at
		/// hand, this call narrows it to them, so that records that only the one covered can be removed.
		///
		/// - `grants`: all grants on the epoch that were paid for and are active or can still be disputed, in ascending order,
		///   at most `MAX_RECOUNTED`.
		#[pallet::call_index(22)]
		#[pallet::weight(
			// More than reading a grant takes.
			T::WeightInfo::expire_grant().saturating_mul((grants.len() as u64).saturating_add(1))
		)]
		pub fn recount_sold(
			origin: OriginFor<T>,
			dataset: DatasetId,
			epoch: Epoch,
			grants: BoundedVec<GrantId, ConstU32<MAX_RECOUNTED>>,
		) -> DispatchResult {
			let owner = Self::ensure_owner(origin, dataset)?;
			Self::do_recount_sold(owner, dataset, epoch, &grants)
		}

		/// T_s: stores the entry of a record whose bytes are an object, in a store outside the chain.
		///
		/// The entry has the same size however large the object is. With the hash in it, each part of the object can be
		/// checked alone, wherever it comes from. Store the object first, and publish where with `set_locations`. Deposits
		/// are held for the record, its leaf and its place among the dataset's objects until they are removed.
		///
		/// This call may be part of a batch, as nothing is indexed.
		///
		/// - `key`, `dataset`, `epoch`, `leaf`: as for `store`.
		/// - `object`: the record's header, which readers need before the object; the object's length in bytes, which is
		///   that of its encrypted chunks; and its BLAKE3 hash.
		#[pallet::call_index(23)]
		#[pallet::weight(
			T::WeightInfo::store_object().saturating_add(Pallet::<T>::weight_of_embargo_on())
		)]
		pub fn store_object(
			origin: OriginFor<T>,
			key: RecordKey,
			dataset: DatasetId,
			epoch: Epoch,
			leaf: Leaf,
			object: Object,
		) -> DispatchResult {
			let place = RecordPlace {
				key,
				dataset,
				epoch,
				leaf,
			};
			Self::do_store_object(Self::ensure_owner(origin, dataset)?, place, object)
		}

		/// Publishes where the objects of a dataset are, and replaces what was published before.
		///
		/// Readers try the locations in this order. They check what they get, so a location needs no trust, but what is
		/// published here is public for ever: it must not contain a password. A deposit is held by the length of the
		/// locations, until they are withdrawn or the dataset is removed.
		///
		/// - `locations`: at most 8 addresses of at most 256 bytes each: `s3://bucket/path`, `gs://bucket/path`,
		///   `az://container/path`, `https://host/path` or `file:///path`. An empty list withdraws them.
		#[pallet::call_index(24)]
		#[pallet::weight(T::WeightInfo::set_locations())]
		pub fn set_locations(
			origin: OriginFor<T>,
			dataset: DatasetId,
			locations: Vec<Vec<u8>>,
		) -> DispatchResult {
			Self::do_set_locations(Self::ensure_owner(origin, dataset)?, dataset, locations)
		}

		/// Puts the offer of a request of this account under a condition, or takes the condition away.
		///
		/// When it is met, the request is cancelled as if this account had sent `cancel_request`. So an offer is released at
		/// once if it is 0, and after a notice of at most `CancelNotice` blocks if it is not: the owner may still answer until
		/// then. An answer at any time before that is as good as to another request.
		///
		/// - `condition`: what takes the offer back, in place of what did before; none if the offer stands. It must not be
		///   met yet, and can test at most `MAX_WATCHED` different facts, credentials of this account and dates, together. It
		///   takes a deposit from this account until the request is closed.
		#[pallet::call_index(27)]
		#[pallet::weight(
			Pallet::<T>::weight_of_setting(T::WeightInfo::withdraw_when, condition.as_ref())
		)]
		pub fn withdraw_when(
			origin: OriginFor<T>,
			request: RequestId,
			condition: Option<Condition>,
		) -> DispatchResult {
			Self::do_withdraw_when(ensure_signed(origin)?, request, condition)
		}

		/// Puts a record of a dataset under an embargo, or lifts the embargo.
		///
		/// While a record is under an embargo, queries for it are refused to all but its owner. The embargo ends when its
		/// condition is met, for good: it does not return if the condition ceases to be met. The chain cannot take back keys:
		/// who has a grant on the record's leaf, and gets the bytes from a block's body, can open them. Give the embargo
		/// before the record is stored, and grants on its leaf when it has ended; the owner's own program waits for that.
		///
		/// - `key`: the record's key. There need not be a record yet: until the embargo ends, no other dataset at the same
		///   address can take the key. A record that a reader has paid for cannot be put under an embargo while the term
		///   runs.
		/// - `dataset`: the record's dataset, which this account controls. Who set an embargo may lift it, also when another
		///   account controls the dataset by then.
		/// - `condition`: what ends the embargo, in place of what did before; none to lift it. It must not be met yet, and can
		///   test at most `MAX_WATCHED` different facts, credentials of this account and dates, together. It takes a deposit
		///   from this account until the embargo ends or the record is removed.
		#[pallet::call_index(28)]
		#[pallet::weight(
			Pallet::<T>::weight_of_setting(T::WeightInfo::embargo, condition.as_ref())
		)]
		pub fn embargo(
			origin: OriginFor<T>,
			key: RecordKey,
			dataset: DatasetId,
			condition: Option<Condition>,
		) -> DispatchResult {
			let acting = Self::ensure_may_embargo(origin, dataset, key, condition.is_none())?;
			Self::do_embargo(acting, dataset, key, condition)
		}

		/// Disputes a grant that this account pays for: shows that its keys do not open what was promised.
		///
		/// The chain opens the grant with the revealed secret, derives the key of one leaf from it, and compares it with what
		/// the header of the record at that leaf commits to. If the grant does not open, or this is another key, the grant is
		/// ended. This account gets its payment back, if the owner did not give it back yet, and the call is free. The owner loses
		/// at most `DisputeSlash` of the deposit for the dataset, which is burned. Otherwise the payment waits as before, and this
		/// account has paid the fee. In both cases the dataset's next epoch starts, if the grant is on the current one.
		///
		/// It must be sent before the block that `Payments` names for the grant, even if the grant was revoked.
		///
		/// With the revealed secret, everyone can open this one grant. It opens no other, as each request has its own key.
		///
		/// - `leaf`: a leaf of the grant at which there is a record. If the grant does not open at all, any of its leaves.
		/// - `secret`: the secret of the key that the request named: for the known suites, the seed of the pair.
		/// - `shown`: the record's bytes, since the chain has only their hash: the whole value or, for a large record, its
		///   manifest. Empty for an object, whose header the chain has, and if the grant does not open at all.
		#[pallet::call_index(29)]
		#[pallet::weight(T::WeightInfo::dispute(Pallet::<T>::len(shown)))]
		pub fn dispute(
			origin: OriginFor<T>,
			grant: GrantId,
			leaf: Leaf,
			secret: [u8; 32],
			shown: Vec<u8>,
		) -> DispatchResultWithPostInfo {
			Self::do_dispute(ensure_signed(origin)?, grant, leaf, secret, &shown)
		}

		/// Offers a dataset that this account controls to another account, which takes it over with `accept_dataset`.
		///
		/// Until then no grants can be given on the dataset, and the offer can be withdrawn. There is one offer at a time: it
		/// replaces the one before.
		/// Before, give the other account a grant on all leaves of each epoch whose records it is to read: it cannot derive
		/// their keys.
		#[pallet::call_index(33)]
		#[pallet::weight(T::WeightInfo::offer_dataset())]
		pub fn offer_dataset(
			origin: OriginFor<T>,
			dataset: DatasetId,
			to: T::AccountId,
		) -> DispatchResult {
			Self::do_offer_dataset(Self::ensure_owner(origin, dataset)?, dataset, to)
		}

		/// Withdraws the offer of a dataset that this account controls.
		#[pallet::call_index(34)]
		#[pallet::weight(T::WeightInfo::withdraw_dataset_offer())]
		pub fn withdraw_dataset_offer(origin: OriginFor<T>, dataset: DatasetId) -> DispatchResult {
			Self::do_withdraw_dataset(Self::ensure_owner(origin, dataset)?, dataset)
		}

		/// Takes over a dataset that is offered to this account, which must be a registered producer.
		///
		/// From now on this account controls the dataset: it acts as the owner with `act_for`, and gets what readers pay, also
		/// for grants that were given before and whose payments still wait. It pays back what is left of a term if it revokes such
		/// a grant, and loses the deposit if a reader shows that the keys of one are wrong. The deposits for all that belongs
		/// to the dataset are released to the account that offered it and held from this one: for the dataset, its policy,
		/// locations, records and leaves, and for the grants that no one requested and their conditions. Deposits of readers,
		/// and those for embargoes, stay with the accounts that have them.
		///
		/// The dataset's address stays as it is, with its records, grants, requests, policy and locations. A new epoch starts.
		///
		/// - `owner`, `dataset`: the dataset's address.
		/// - `offer`: the number of the offer, `offers` in `Controls`. No grants can be given while an offer stands, so what is
		///   seen together with its number is what is taken over.
		/// - `most`: the largest sum of deposits that may be held from this account with that.
		#[pallet::call_index(35)]
		#[pallet::weight(T::WeightInfo::accept_dataset())]
		pub fn accept_dataset(
			origin: OriginFor<T>,
			owner: T::AccountId,
			dataset: DatasetId,
			offer: u32,
			most: BalanceOf<T>,
		) -> DispatchResult {
			Self::do_accept_dataset(ensure_signed(origin)?, owner, dataset, offer, most)
		}

		/// Carries out a call as the owner of datasets that this account took over.
		///
		/// The call may be any that an owner makes about a dataset, its records, requests and grants, or a batch of such calls.
		/// This account signs, pays the fee and the deposits, and must control each dataset. Other calls fail.
		///
		/// - `owner`: the account in the addresses of the datasets.
		/// - `call`: what to do. `store`, `open_record` and `store_chunk` are allowed if this is the transaction's own call, and
		///   not in a batch.
		#[pallet::call_index(36)]
		#[pallet::weight(
			T::WeightInfo::act_for().saturating_add(call.get_dispatch_info().call_weight)
		)]
		pub fn act_for(
			origin: OriginFor<T>,
			owner: T::AccountId,
			// It must be the last argument, because the client indexes the last bytes of the extrinsic.
			call: Box<T::Carried>,
		) -> DispatchResultWithPostInfo {
			Self::do_act_for(origin, owner, *call, T::WeightInfo::act_for())
		}
	}
}
