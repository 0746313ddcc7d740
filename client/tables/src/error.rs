// SPDX-License-Identifier: Apache-2.0
//! Why a Parquet file cannot be described.

/// How many columns there may be, with those inside of others.
pub(crate) const MOST_COLUMNS: usize = 10_000;

/// Why a file cannot be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParquetError {
	/// The file does not end as a Parquet file does.
	#[error("it is not a Parquet file: it does not end with PAR1")]
	Foreign,
	/// The description is encrypted, with Parquet's own encryption.
	#[error(
		"its columns are encrypted by Parquet's own encryption, whose keys are not known here"
	)]
	Encrypted,
	/// The description ends too early, or is longer than the file.
	#[error("it is not a Parquet file: the description of its columns is cut off")]
	Short,
	/// The file has too many columns.
	#[error("it has more than {MOST_COLUMNS} columns, with those inside of others")]
	TooManyColumns,
	/// The description cannot be read.
	#[error("it is not a Parquet file: the description of its columns has {0}")]
	Malformed(&'static str),
}
