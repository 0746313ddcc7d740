// SPDX-License-Identifier: Apache-2.0
//! The errors of the RPC methods on blocks, with their JSON-RPC codes. docs/operations.md lists them.

use super::block::LookUpError;
use crate::verifiers;
use isthmus_security::{RiskError, ShareError};
use jsonrpsee::types::{error::INTERNAL_ERROR_CODE, ErrorObjectOwned};
use polkadot_sdk::*;

/// The block is not in this node's database.
const UNKNOWN_BLOCK: i32 = 7001;
/// The stored verifiers or votes of the block are invalid.
const CORRUPT: i32 = 7002;
/// The attacker's share is not a valid share of the hash power.
const INVALID_SHARE: i32 = 7003;
/// The accepted risk is not a probability, or the odds can never fall below it.
const INVALID_RISK: i32 = 7004;
/// The node cannot prove finality, for example because it does not know the block that the caller knows.
const NO_PROOF: i32 = 7005;

/// Why a method fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	#[error(transparent)]
	LookUp(#[from] LookUpError),
	#[error(transparent)]
	Verifiers(#[from] verifiers::Error),
	#[error(transparent)]
	Share(#[from] ShareError),
	#[error(transparent)]
	Risk(#[from] RiskError),
	#[error(transparent)]
	Check(#[from] isthmus_engine::CheckError),
	#[error("no proof of finality: {0}")]
	NoProof(String),
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

impl Error {
	fn code(&self) -> i32 {
		use verifiers::Error::{CorruptJustification, CorruptSet};
		match self {
			Self::LookUp(LookUpError::NotYet { .. } | LookUpError::Unknown(_)) => UNKNOWN_BLOCK,
			Self::Verifiers(CorruptJustification { .. } | CorruptSet(_)) => CORRUPT,
			Self::Share(_) => INVALID_SHARE,
			Self::Risk(_) => INVALID_RISK,
			Self::NoProof(_) => NO_PROOF,
			Self::LookUp(LookUpError::Database(_))
			| Self::Verifiers(_)
			| Self::Check(_)
			| Self::Database(_) => INTERNAL_ERROR_CODE,
		}
	}
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		Self::owned(error.code(), error.to_string(), None::<()>)
	}
}
