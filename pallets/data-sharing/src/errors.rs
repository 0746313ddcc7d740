//! Why a call may fail.

use polkadot_sdk::*;

/// The pallet's errors.
#[frame_support::pallet_macros::pallet_section]
mod errors {
	/// What is wrong with a call. A call that fails changes nothing.
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
		/// The reader has no encryption key: keys cannot be sealed to it before it calls
		/// `set_encryption_key`.
		NoEncryptionKey,
		/// The owner has no dataset with this number.
		UnknownDataset,
		/// The owner has a dataset with this name already.
		DatasetNameTaken,
		/// The producer has opened as many datasets as there are numbers.
		DatasetsExhausted,
		/// The dataset still has records, leaves not yet freed, open requests, or grants that are
		/// good or remembered.
		DatasetInUse,
		/// The dataset has had as many epochs as there are numbers.
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
		/// The dataset has not come to this epoch yet.
		UnknownEpoch,
		/// The range is empty: its end is its start.
		EmptyRange,
		/// The range is inverted: its end is before its start.
		InvertedRange,
		/// The range goes beyond 2^32, where the leaves of an epoch end.
		RangeTooHigh,
		/// An owner needs no access to its own data.
		SelfRequest,
		/// The same request is open already.
		AlreadyRequested,
		/// The request does not say what the data is for.
		PurposeEmpty,
		/// The purpose is longer than `MaxTextSize` bytes.
		PurposeTooLong,
		/// The request asks for access for no blocks.
		ZeroTerm,
		/// There is no open request with this number that the account may act on.
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
		/// The grant is for another reader or scope than the request that it answers.
		NotAsRequested,
		/// The grant is for a shorter term than the request that it answers.
		ShorterThanRequested,
		/// The reader has `MaxGrantsPerReader` grants on this epoch of the dataset, all of them good, and
		/// did not ask for another.
		TooManyGrants,
		/// The account has given no grant with this number.
		UnknownGrant,
		/// The grant has expired or was revoked already.
		GrantEnded,
		/// The reader paid for the grant, and the term that it paid for is not over.
		TermPaidFor,
		/// A grant that the reader pays for ends at a block and not at a date: the term that was asked
		/// for is in blocks.
		DateOnPaidTerm,
		/// The chunks have no bytes, or more than `MaxValueSize`.
		ChunkSizeInvalid,
		/// The record needs more than `MaxChunks` chunks: make them larger, or store it as several
		/// records.
		TooManyChunks,
		/// The manifest is not of a version that is known here.
		ManifestUnknown,
		/// The manifest is not as long as its header and the hashes of the record's chunks.
		ManifestLength,
		/// The record was stored by `store`, or has all its chunks: there is nothing to add.
		RecordComplete,
		/// Chunks are stored in order, and the record's next one is another: its number is `arrived` in
		/// the record's entry.
		NotNextChunk,
		/// The chunk has not as many bytes as its place in the record asks for.
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
