// SPDX-License-Identifier: Apache-2.0
//! Why a call fails. Clients show these sentences, which they read in the chain's metadata.

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
		/// The name, purpose or reason is not UTF-8, or has control characters.
		NotText,
		/// The encryption key has fewer than 34 bytes: the suite's two, and the key.
		EncryptionKeyTooShort,
		/// The encryption key is longer than any suite's.
		EncryptionKeyTooLong,
		/// The reader has no encryption key to seal keys to: it must call `set_encryption_key` first.
		NoEncryptionKey,
		/// The owner has no dataset with this number.
		UnknownDataset,
		/// The owner has a dataset with this name already.
		DatasetNameTaken,
		/// The producer has used up the numbers of datasets.
		DatasetsExhausted,
		/// The dataset still has records, leaves not yet freed, open requests, or grants that are
		/// active or remembered.
		DatasetInUse,
		/// The dataset has used up the numbers of epochs.
		EpochsExhausted,
		/// `store`, `open_record` and `store_chunk` must be the transaction's own call: inside a batch, a
		/// proxy or any other call their bytes cannot be indexed.
		MustBeDirect,
		/// The value has no bytes.
		EmptyValue,
		/// The value is longer than `MaxValueSize` bytes.
		ValueTooLong,
		/// The epoch is not the dataset's current one: the value is under keys that new records no
		/// longer use.
		NotCurrentEpoch,
		/// The owner has a record with this key already.
		KeyTaken,
		/// A record has, or had, this leaf of the dataset's epoch already.
		LeafTaken,
		/// The owner has no record with this key.
		UnknownRecord,
		/// No record ever took this leaf, or it was freed already.
		LeafNotTaken,
		/// A record has this leaf: remove the record instead.
		LeafInUse,
		/// The leaf stays taken until its epoch is over.
		EpochNotOver,
		/// The dataset has not reached this epoch yet.
		UnknownEpoch,
		/// The range is empty: its end equals its start.
		EmptyRange,
		/// The range is inverted: its end is before its start.
		InvertedRange,
		/// The range ends beyond 2^32, where the leaves of an epoch end.
		RangeTooHigh,
		/// An owner needs no access to its own data.
		SelfRequest,
		/// The same request is open already.
		AlreadyRequested,
		/// The request does not state a purpose.
		PurposeEmpty,
		/// The purpose is longer than `MaxTextSize` bytes.
		PurposeTooLong,
		/// The request's term is zero blocks.
		ZeroTerm,
		/// This account may act on no open request with this number.
		UnknownRequest,
		/// The request was not answered in time.
		RequestExpired,
		/// The reason is longer than `MaxTextSize` bytes.
		ReasonTooLong,
		/// An owner needs no grant on its own data.
		SelfGrant,
		/// The grant's expiry is not in the future.
		ExpiryPassed,
		/// The grant has no sealed keys.
		SealedKeysEmpty,
		/// The sealed keys are longer than `MaxSealedKeysSize` bytes.
		SealedKeysTooLong,
		/// The grant's reader or scope differs from those of the request that it answers.
		NotAsRequested,
		/// The grant's term is shorter than that of the request that it answers.
		ShorterThanRequested,
		/// The reader has `MaxGrantsPerReader` grants on this epoch of the dataset, all of them active, and
		/// did not ask for another.
		TooManyGrants,
		/// This account gave no grant with this number.
		UnknownGrant,
		/// The grant has expired or was revoked already.
		GrantEnded,
		/// The reader paid for the grant, and the paid term is not over.
		TermPaidFor,
		/// A grant that the reader pays for ends at a block and not at a date: the requested term is in
		/// blocks.
		DateOnPaidTerm,
		/// The chunks have no bytes, or more than `MaxValueSize`.
		ChunkSizeInvalid,
		/// The record needs more than `MaxChunks` chunks: make them larger, or store it as several
		/// records.
		TooManyChunks,
		/// The manifest's version is unknown.
		ManifestUnknown,
		/// The manifest is not as long as its header and the hashes of the record's chunks.
		ManifestLength,
		/// The record was stored by `store`, or has all its chunks: there is nothing to add.
		RecordComplete,
		/// Chunks are stored in order, and this is not the record's next one: the next one's number is
		/// `arrived` in the record's entry.
		NotNextChunk,
		/// The chunk does not have the length that its place in the record calls for.
		ChunkLength,
		/// The chunk is not the one that the record's manifest has in this place, or its proof is wrong.
		ChunkNotInManifest,
		/// The policy would allow nothing: its longest range or term is 0, or it allows no consumers.
		/// Use `clear_policy` to have none.
		PolicyEmpty,
		/// The dataset has no policy.
		NoPolicy,
		/// The producer is a verifier, or has applied to become one: call `verifiers.leave` or
		/// `verifiers.withdraw` first.
		ProducerIsVerifier,
	}
}
