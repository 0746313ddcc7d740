// SPDX-License-Identifier: Apache-2.0
//! Explains why the chain refused a call: the error, and its documentation in the chain's metadata.

use crate::types::PALLET;
use std::fmt;
use subxt::error::DispatchError;

/// A failed call: its error and the sentence that explains it in the chain's metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {docs}")]
pub struct Refusal {
	/// The error.
	pub error: PalletError,
	/// The description of the error in the chain's metadata.
	pub docs: String,
}

/// Declares [`PalletError`] with its names.
macro_rules! pallet_errors {
	($($name:ident,)*) => {
		/// An error of a call, identified by its name in the chain's metadata.
		///
		/// The variants are the errors of the data-sharing pallet, whose documentation explains them.
		#[derive(Debug, Clone, PartialEq, Eq)]
		#[non_exhaustive]
		#[allow(missing_docs)]
		pub enum PalletError {
			$($name,)*
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
					$((PALLET, stringify!($name)) => Self::$name,)*
					_ => Self::Other { pallet: pallet.to_owned(), name: name.to_owned() },
				}
			}

			/// Returns the name of the error's pallet.
			pub fn pallet(&self) -> &str {
				match self {
					Self::Other { pallet, .. } => pallet,
					_ => PALLET,
				}
			}

			/// Returns the error's name.
			pub fn name(&self) -> &str {
				match self {
					$(Self::$name => stringify!($name),)*
					Self::Other { name, .. } => name,
				}
			}
		}
	};
}

pallet_errors! {
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
}

impl fmt::Display for PalletError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}.{}", self.pallet(), self.name())
	}
}

impl From<DispatchError> for Refusal {
	fn from(error: DispatchError) -> Self {
		if let DispatchError::Module(module) = &error {
			if let Ok(details) = module.details() {
				return Self {
					error: PalletError::new(details.pallet.name(), &details.variant.name),
					docs: details.variant.docs.join(" ").trim().to_owned(),
				};
			}
		}
		Self {
			error: PalletError::new("the runtime", "DispatchError"),
			docs: error.to_string(),
		}
	}
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
	fn every_error_of_the_pallet_is_known() {
		let source = include_str!("../../../pallets/data-sharing/src/errors.rs");
		let names: Vec<&str> = source
			.lines()
			.filter_map(|line| line.trim().strip_suffix(','))
			.collect();
		assert!(names.len() > 50, "{names:?}");
		for name in names {
			let error = PalletError::new(PALLET, name);
			assert!(!matches!(error, PalletError::Other { .. }), "{name}");
			assert_eq!(error.name(), name);
		}
	}
}
