// SPDX-License-Identifier: Apache-2.0
//! Explains why the chain refused a call: the error, and its documentation in the chain's metadata.

use crate::{
	text::ist,
	types::{Balance, FACTS, PALLET},
};
use isthmus_sharing::terms::{
	DISPUTE_WINDOW, MAX_CHUNKS, MAX_GRANTS_PER_READER, MAX_NAME_SIZE, MAX_SEALED_KEYS_SIZE,
	MAX_TEXT_SIZE, MAX_VALUE_SIZE,
};
use std::fmt;
use subxt::error::{ArithmeticError, DispatchError, TokenError};

/// A failed call: its error, and a sentence that explains it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {docs}")]
pub struct Refusal {
	/// The error.
	pub error: PalletError,
	/// What the error means: its description in the chain's metadata or, if that names parts of the runtime,
	/// other words for it.
	pub docs: String,
}

/// Declares [`PalletError`] with its names.
macro_rules! pallet_errors {
	($([$pallet:ident] $($name:ident,)*)*) => {
		/// An error of a call, identified by its name in the chain's metadata.
		///
		/// The variants are the errors of the data-sharing and the facts pallet, whose documentation explains them.
		#[derive(Debug, Clone, PartialEq, Eq)]
		#[non_exhaustive]
		#[allow(missing_docs)]
		pub enum PalletError {
			$($($name,)*)*
			/// An error of another pallet, or one that this version of the library does not know.
			Other {
				/// The pallet's name, for example `Balances`.
				pallet: String,
				/// The error's name, for example `InsufficientBalance`.
				name: String,
			},
		}

		impl PalletError {
			/// Returns the error with this name.
			pub fn new(pallet: &str, name: &str) -> Self {
				match (pallet, name) {
					$($(($pallet, stringify!($name)) => Self::$name,)*)*
					_ => Self::Other { pallet: pallet.to_owned(), name: name.to_owned() },
				}
			}

			/// Returns the name of the error's pallet.
			pub fn pallet(&self) -> &str {
				match self {
					Self::Other { pallet, .. } => pallet,
					$($(Self::$name => $pallet,)*)*
				}
			}

			/// Returns the error's name.
			pub fn name(&self) -> &str {
				match self {
					$($(Self::$name => stringify!($name),)*)*
					Self::Other { name, .. } => name,
				}
			}
		}
	};
}

pallet_errors! {
	[PALLET]
	AlreadyRegistered,
	NotRegistered,
	ProducerHasDatasets,
	NameEmpty,
	NameTooLong,
	NotText,
	EncryptionKeyTooShort,
	EncryptionKeyTooLong,
	NoEncryptionKey,
	UnknownDataset,
	DatasetNameTaken,
	DatasetsExhausted,
	DatasetInUse,
	EpochsExhausted,
	MustBeDirect,
	EmptyValue,
	ValueTooLong,
	NotCurrentEpoch,
	KeyTaken,
	LeafTaken,
	UnknownRecord,
	LeafNotTaken,
	LeafInUse,
	EpochNotOver,
	UnknownEpoch,
	EmptyRange,
	InvertedRange,
	RangeTooHigh,
	SelfRequest,
	AlreadyRequested,
	PurposeEmpty,
	PurposeTooLong,
	ZeroTerm,
	UnknownRequest,
	RequestExpired,
	ReasonTooLong,
	SelfGrant,
	ExpiryPassed,
	SealedKeysEmpty,
	SealedKeysTooLong,
	NotAsRequested,
	ShorterThanRequested,
	TooManyGrants,
	UnknownGrant,
	GrantEnded,
	TermPaidFor,
	DateOnPaidTerm,
	ChunkSizeInvalid,
	TooManyChunks,
	ManifestUnknown,
	ManifestLength,
	RecordComplete,
	NotNextChunk,
	ChunkLength,
	ChunkNotInManifest,
	PolicyEmpty,
	NoPolicy,
	ProducerIsVerifier,
	DatasetClosed,
	FirmNotOffered,
	FirmForTooLittle,
	NothingDue,
	NameSpaces,
	RecordPaidFor,
	NotAllSold,
	ConditionNotWatched,
	TooManyWatched,
	TooManyWaiting,
	ConditionNotRequested,
	RequestRefused,
	ConditionMet,
	NoCondition,
	ObjectLength,
	LocationInvalid,
	TooManyLocations,
	LocationTwice,
	TermTooShort,
	NothingToDispute,
	WrongSecret,
	SuiteUnknown,
	LeafOutsideGrant,
	NotTheRecord,
	NotController,
	NotOffered,
	AlreadyController,
	HoldsMore,
	DatasetIsOffered,
	PurposeUnknown,
	[FACTS]
	NameTaken,
	UnknownSource,
	NotOwner,
	NoReporters,
	RepeatedReporter,
	InvalidQuorum,
	NoTime,
	SourceIsClosed,
	NotReporter,
	ObservedInFuture,
	ObservedTooLongAgo,
	NotNewer,
	NoReport,
	EndIsPast,
	UnknownCredential,
	NameOfAnother,
}

impl fmt::Display for PalletError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}.{}", self.pallet(), self.name())
	}
}

impl From<DispatchError> for Refusal {
	fn from(error: DispatchError) -> Self {
		let runtime = |pallet: &str, name: String, docs: &str| Self {
			error: PalletError::new(pallet, &name),
			docs: docs.to_owned(),
		};
		match &error {
			DispatchError::Module(module) => {
				if let Ok(details) = module.details() {
					let error = PalletError::new(details.pallet.name(), &details.variant.name);
					let docs = details.variant.docs.join(" ").trim().to_owned();
					let docs = in_words(&error).unwrap_or(docs);
					return Self { error, docs };
				}
			}
			DispatchError::Token(token) => {
				return runtime("Token", format!("{token:?}"), of_token(token));
			}
			DispatchError::Arithmetic(ArithmeticError::Underflow) => {
				return runtime("Arithmetic", "Underflow".into(), NO_FUNDS);
			}
			_ => {}
		}
		runtime("Runtime", "Failed".into(), &error.to_string())
	}
}

impl Refusal {
	/// Says what the smallest amount is that an account must keep, if that is why the call failed.
	pub(crate) fn naming(mut self, least: Balance) -> Self {
		let named = format!("{LEAST}, {}", ist(least));
		self.docs = self.docs.replace(LEAST, &named);
		self
	}
}

/// What an account never goes below, in the sentences that are about it.
const LEAST: &str = "the smallest amount that an account must keep";
/// The account has less than the call needs.
const NO_FUNDS: &str = "The account does not have the funds for this.";

/// Returns what an error of the runtime's balances means.
fn of_token(error: &TokenError) -> &'static str {
	match error {
		TokenError::FundsUnavailable | TokenError::Frozen => NO_FUNDS,
		TokenError::OnlyProvider | TokenError::NotExpendable => {
			"The account would have less than the smallest amount that an account must keep."
		}
		TokenError::BelowMinimum | TokenError::CannotCreate | TokenError::CannotCreateHold => {
			"The other account would have less than the smallest amount that an account must keep."
		}
		_ => "The funds cannot be moved.",
	}
}

/// Returns what an error means, if its description in the metadata names calls or constants of the runtime.
fn in_words(error: &PalletError) -> Option<String> {
	use PalletError::*;
	let words = match error {
		NotRegistered => "Only a registered producer may do this.",
		NotController => "Another account controls the dataset: it was handed over.",
		NotOffered => "The dataset is not offered to this account, or the offer is another one than was seen.",
		HoldsMore => "More is held for the dataset than this account wants to take over.",
		NameTooLong => return Some(format!("The name is longer than {MAX_NAME_SIZE} bytes.")),
		PurposeTooLong => return Some(format!("The purpose is longer than {MAX_TEXT_SIZE} bytes.")),
		ReasonTooLong => return Some(format!("The reason is longer than {MAX_TEXT_SIZE} bytes.")),
		ValueTooLong => return Some(format!("The value is longer than {MAX_VALUE_SIZE} bytes.")),
		SealedKeysTooLong => {
			return Some(format!("The sealed keys are longer than {MAX_SEALED_KEYS_SIZE} bytes."))
		}
		TooManyGrants => {
			return Some(format!(
				"The reader already has {MAX_GRANTS_PER_READER} active grants on this epoch of the dataset, and did not request another."
			))
		}
		TooManyChunks => return Some(format!("The record needs more than {MAX_CHUNKS} chunks.")),
		ChunkSizeInvalid => {
			return Some(format!("The chunk size is 0, or more than {MAX_VALUE_SIZE} bytes."))
		}
		TermTooShort => {
			return Some(format!(
				"A term that is paid for must be at least as long as the least time in which a payment can be disputed: {DISPUTE_WINDOW} blocks."
			))
		}
		NoEncryptionKey => "The reader has no encryption key on the chain.",
		MustBeDirect => "A call that stores bytes must be a transaction of its own.",
		RecordComplete => "The record already has all its chunks: there is nothing to add.",
		NotNextChunk => "Chunks are stored in order, and this is not the record's next chunk.",
		PolicyEmpty => {
			"The policy would allow nothing: its maximum range or term is 0, or it allows no kind of consumer."
		}
		NameOfAnother => {
			"The part of the name before the first slash belongs to another account, or to the owner of the source with that name."
		}
		UnknownSource => "No source of facts has this name.",
		SourceIsClosed => "The source is closed, and has no facts.",
		NotReporter => "The account does not report for the source.",
		ProducerIsVerifier => "The producer is a verifier, or has applied to become one.",
		TooManyWatched => {
			"A condition can test at most four different facts, credentials, grants and dates, together. A fact that is tested with two different ages counts as two, and so does a grant that is tested twice."
		}
		RecordPaidFor => {
			"A reader paid for access to the record, and its term is not over, or the payment can still be disputed. Revoke its grant first, which pays back the rest, and wait until no payment for the range can be disputed."
		}
		LocationInvalid => {
			"A location must be s3://, gs://, az://, https:// or file:// with a bucket, host or folder, of at most 256 bytes, without user, query or fragment, without empty parts, . or .., and without a slash at its end."
		}
		Other { pallet, name } if pallet == "Balances" && name == "InsufficientBalance" => NO_FUNDS,
		_ => return None,
	};
	Some(words.to_owned())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_error_is_known_by_its_pallet_and_name() {
		let taken = PalletError::new(PALLET, "KeyTaken");
		assert_eq!(taken, PalletError::KeyTaken);
		assert_eq!(taken.to_string(), "DataSharing.KeyTaken");
		let other = PalletError::new("Utility", "KeyTaken");
		assert_ne!(other, PalletError::KeyTaken);
		assert_eq!(other.to_string(), "Utility.KeyTaken");
	}

	#[test]
	fn the_smallest_amount_of_an_account_is_named() {
		let read = |error| Refusal::from(DispatchError::Token(error)).naming(1_000_000_000);
		assert_eq!(
			read(TokenError::BelowMinimum).to_string(),
			"Token.BelowMinimum: The other account would have less than the smallest amount that an account must keep, 0.001 IST."
		);
		let emptied = read(TokenError::NotExpendable).docs;
		assert!(emptied.ends_with("must keep, 0.001 IST."), "{emptied}");
		assert_eq!(read(TokenError::FundsUnavailable).docs, NO_FUNDS);
	}

	/// The errors of the pallets, as their sources declare them.
	fn declared() -> [(&'static str, &'static str); 2] {
		let facts = include_str!("../../../pallets/facts/src/lib.rs");
		let errors = facts
			.split_once("pub enum Error<T> {")
			.expect("it has them");
		let errors = errors.1.split_once("\n\t}").expect("they end").0;
		let sharing = include_str!("../../../pallets/data-sharing/src/errors.rs");
		[(PALLET, sharing), (FACTS, errors)]
	}

	/// People read these sentences, and know neither the runtime's calls nor its constants.
	#[test]
	fn no_sentence_names_parts_of_the_runtime() {
		for (pallet, source) in declared() {
			let mut docs = Vec::new();
			for line in source.lines().map(str::trim) {
				match (line.strip_prefix("/// "), line.strip_suffix(',')) {
					(Some(doc), _) => docs.push(doc),
					(None, Some(name)) => {
						let error = PalletError::new(pallet, name);
						let sentence = in_words(&error).unwrap_or(docs.join(" "));
						assert!(!sentence.contains('`'), "{name}: {sentence}");
						docs.clear();
					}
					_ => docs.clear(),
				}
			}
		}
	}

	#[test]
	fn funds_that_are_missing_are_called_so() {
		for error in [
			DispatchError::Token(TokenError::FundsUnavailable),
			DispatchError::Arithmetic(ArithmeticError::Underflow),
		] {
			let refusal = Refusal::from(error).to_string();
			assert!(refusal.ends_with(NO_FUNDS), "{refusal}");
		}
	}

	#[test]
	fn every_error_of_the_pallets_is_known() {
		for (pallet, source) in declared() {
			let names: Vec<&str> = source
				.lines()
				.filter_map(|line| line.trim().strip_suffix(','))
				.collect();
			let least = if pallet == PALLET { 51 } else { 15 };
			assert!(names.len() >= least, "{names:?}");
			for name in names {
				let error = PalletError::new(pallet, name);
				assert!(!matches!(error, PalletError::Other { .. }), "{name}");
				assert_eq!((error.pallet(), error.name()), (pallet, name));
			}
		}
	}
}
