// SPDX-License-Identifier: Apache-2.0
//! Why a call fails. Clients read these sentences from the chain's metadata and show them to users.

use polkadot_sdk::*;

/// The pallet's errors.
#[frame_support::pallet_macros::pallet_section]
mod errors {
	/// Why a call fails. A call that fails changes nothing.
	#[pallet::error]
	pub enum Error<T> {
		/// The account is a registered producer already.
		AlreadyRegistered,
		/// Only a registered producer may do this: call `register` first.
		NotRegistered,
		/// The producer still has datasets: remove them first.
		ProducerHasDatasets,
		/// The name is empty.
		NameEmpty,
		/// The name is longer than `MaxNameSize` bytes.
		NameTooLong,
		/// The name, purpose or reason is not valid UTF-8, or contains control characters, or marks that are
		/// invisible or change the direction of text.
		NotText,
		/// The encryption key is shorter than 34 bytes: two for the suite's number, and the rest for the
		/// key.
		EncryptionKeyTooShort,
		/// The encryption key is longer than the keys of any suite.
		EncryptionKeyTooLong,
		/// The reader has no encryption key to seal keys to: it must call `set_encryption_key` first.
		NoEncryptionKey,
		/// The owner has no dataset with this number.
		UnknownDataset,
		/// The owner already has a dataset with this name.
		DatasetNameTaken,
		/// The producer has used up all dataset numbers.
		DatasetsExhausted,
		/// The dataset still has records, leaves that are not freed, open requests, or grants, including
		/// ended grants that are not yet removed.
		DatasetInUse,
		/// The dataset has used up all epoch numbers.
		EpochsExhausted,
		/// `store`, `open_record` and `store_chunk` must be the transaction's own call: inside a batch, a
		/// proxy or any other call, their bytes cannot be indexed.
		MustBeDirect,
		/// The value is empty.
		EmptyValue,
		/// The value is longer than `MaxValueSize` bytes.
		ValueTooLong,
		/// The epoch is not the dataset's current one: the value is encrypted under keys that new records
		/// no longer use.
		NotCurrentEpoch,
		/// The owner already has a record with this key, or an embargo keeps the key for another of its datasets.
		KeyTaken,
		/// A record already takes, or once took, this leaf of the dataset's epoch.
		LeafTaken,
		/// The owner has no record with this key.
		UnknownRecord,
		/// No record ever took this leaf, or it has already been freed.
		LeafNotTaken,
		/// A record still takes this leaf: remove the record instead.
		LeafInUse,
		/// The leaf stays taken until its epoch is over.
		EpochNotOver,
		/// The dataset has not reached this epoch yet.
		UnknownEpoch,
		/// The range is empty: its end equals its start.
		EmptyRange,
		/// The range is inverted: its end is before its start.
		InvertedRange,
		/// The range ends beyond 2^32, the number of leaves in an epoch.
		RangeTooHigh,
		/// An owner does not need to request access to its own data.
		SelfRequest,
		/// The same request is already open.
		AlreadyRequested,
		/// The request does not state a purpose.
		PurposeEmpty,
		/// The purpose is longer than `MaxTextSize` bytes.
		PurposeTooLong,
		/// The request's term is zero blocks.
		ZeroTerm,
		/// There is no open request with this number that this account may act on.
		UnknownRequest,
		/// The request was not answered in time.
		RequestExpired,
		/// The reason is longer than `MaxTextSize` bytes.
		ReasonTooLong,
		/// An owner does not need a grant on its own data.
		SelfGrant,
		/// The grant's expiry is not in the future.
		ExpiryPassed,
		/// The grant has no sealed keys.
		SealedKeysEmpty,
		/// The sealed keys are longer than `MaxSealedKeysSize` bytes.
		SealedKeysTooLong,
		/// The grant's reader or scope does not match the request that it answers, or the request is not the
		/// one that the answer was made for: its digest differs.
		NotAsRequested,
		/// The grant's term is shorter than the requested term.
		ShorterThanRequested,
		/// The reader already has `MaxGrantsPerReader` active grants and open requests on this epoch of the
		/// dataset.
		TooManyGrants,
		/// This account gave no grant with this number.
		UnknownGrant,
		/// The grant has already expired or been revoked.
		GrantEnded,
		/// The reader paid for a firm term, and it is not over yet.
		TermPaidFor,
		/// A grant that the reader pays for must end at a block, not at a date: the requested term is in
		/// blocks.
		DateOnPaidTerm,
		/// The chunk size is 0, or more than `MaxValueSize` bytes.
		ChunkSizeInvalid,
		/// The record needs more than `MaxChunks` chunks: make them larger, or store it as several
		/// records.
		TooManyChunks,
		/// The manifest's version is unknown.
		ManifestUnknown,
		/// The manifest's length does not match its header and the hashes of the record's chunks.
		ManifestLength,
		/// The record was stored by `store`, or already has all its chunks: there is nothing to add.
		RecordComplete,
		/// Chunks are stored in order, and this is not the record's next chunk. The next chunk's number is
		/// `arrived` in the record's entry.
		NotNextChunk,
		/// The chunk's length is wrong for its place in the record.
		ChunkLength,
		/// The chunk is not the one that the record's manifest lists at this place, or its proof is wrong.
		ChunkNotInManifest,
		/// The policy would allow nothing: its maximum range or term is 0, or it allows no kind of
		/// consumer. To have no policy, use `clear_policy`.
		PolicyEmpty,
		/// The dataset has no policy.
		NoPolicy,
		/// The producer is a verifier, or has applied to become one: call `verifiers.leave` or
		/// `verifiers.withdraw` first.
		ProducerIsVerifier,
		/// The dataset takes no requests.
		DatasetClosed,
		/// The dataset's policy offers no firm terms, or offers them for more.
		FirmNotOffered,
		/// A firm term must have a price, which is at least the price of a term that is not firm.
		FirmForTooLittle,
		/// Nothing of this is due yet.
		NothingDue,
		/// The name begins or ends with a space, or has two spaces in a row or an unusual one.
		NameSpaces,
		/// A reader paid for access to the record, and its term is not over: revoke its grant first, which pays
		/// back the rest. A record in a range that was sold stays until no payment for it can be disputed. If no grant that is left covers the record, send `recount_sold`, and then remove it.
		RecordPaidFor,
		/// The grants are not all that were paid for on this epoch: name each one that is active, or that was revoked and can
		/// still be disputed, once, in ascending order.
		NotAllSold,
		/// Only the condition of a policy can test grants, payments and counts. Other conditions are not looked at when
		/// these change: they can test time, facts and credentials.
		ConditionNotWatched,
		/// A condition can test at most four (`MAX_WATCHED`) different facts, credentials, grants and dates, together.
		/// A fact that is tested with two different ages counts as two, and so does a grant that is tested twice.
		TooManyWatched,
		/// Too many conditions wait for this fact, its source or this credential already.
		TooManyWaiting,
		/// A grant that answers a request cannot be under a condition: the request does not ask for one. Grant access
		/// without a request instead.
		ConditionNotRequested,
		/// The dataset's policy has a condition, and the request is known not to meet it.
		RequestRefused,
		/// The condition is met already, so that there is nothing to wait for.
		ConditionMet,
		/// There is no condition to take away.
		NoCondition,
		/// No object has this length: it consists of chunks of 2^20 bytes, each of which has a tag of 16 bytes at its end, and
		/// has at most 2^40 bytes.
		ObjectLength,
		/// A location must be `s3://`, `gs://`, `az://`, `https://` or `file://` with a bucket, host or folder, of at most 256
		/// bytes, without user, query or fragment, without empty segments, `.` or `..`, and without a slash at its end.
		LocationInvalid,
		/// A dataset has at most 8 locations.
		TooManyLocations,
		/// The same location is there twice.
		LocationTwice,
		/// A term that is paid for must be at least as long as the least time in which a payment can be disputed
		/// (`DisputeWindow`).
		TermTooShort,
		/// There is nothing to dispute: nothing was paid for the grant, or the time for disputes is over and the owner was paid.
		NothingToDispute,
		/// The revealed secret is not that of the key in the request that the grant answers: reveal the one of that request.
		WrongSecret,
		/// The key in the request that the grant answers belongs to a suite that the chain cannot open: a grant sealed to it cannot
		/// be disputed.
		SuiteUnknown,
		/// The leaf is not one that the grant covers.
		LeafOutsideGrant,
		/// The shown bytes are not those of the record at the leaf: show the whole value or, for a large record, the manifest. Show
		/// nothing for an object, whose header the chain has.
		NotTheRecord,
		/// Another account controls the dataset: it was handed over. The account that took it over acts with `act_for`.
		NotController,
		/// The dataset is not offered to this account, or to none: its controller must call `offer_dataset` first.
		NotOffered,
		/// The account that the dataset is offered to controls it already.
		AlreadyController,
		/// More is held for the dataset than this account wants to take over: look at `Controls` again.
		HoldsMore,
		/// The dataset is offered to another account, which must not get grants that it did not see: withdraw the offer first.
		DatasetIsOffered,
		/// The policy allows a purpose for which this chain has no code: name only purposes that it knows.
		PurposeUnknown,
	}
}
