// SPDX-License-Identifier: Apache-2.0
//! Parses requests and writes answers, one JSON object a line.

use serde::Deserialize;
use serde_json::{json, Value};

/// A request, as far as its method is not known yet.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
	#[serde(default)]
	id: Value,
	pub(super) method: String,
	#[serde(default)]
	params: Value,
	/// eth-proxy's name of the worker.
	#[serde(default)]
	pub(super) worker: Value,
}

impl Request {
	/// Parses a line. Returns `None` if it is not a request.
	pub(super) fn parse(line: &[u8]) -> Option<Self> {
		serde_json::from_slice(line).ok()
	}

	/// Returns the identifier to answer with: a number or a string, and null for anything else.
	pub(super) fn id(&self) -> Value {
		match &self.id {
			id @ (Value::Number(_) | Value::String(_)) => id.clone(),
			_ => Value::Null,
		}
	}

	/// Returns a parameter that is a text.
	pub(super) fn text(&self, index: usize) -> Option<&str> {
		self.params.get(index)?.as_str()
	}
}

/// The dialect of a session. It determines the form of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
	/// EthereumStratum/1.0.0: answers have the members `id`, `result` and `error`, all of them always.
	NiceHash,
	/// eth-proxy: JSON-RPC 2.0, where an answer has a result or an error. ethminer disconnects if it has
	/// both.
	EthProxy,
}

/// Why a request is refused, with the codes that Stratum servers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
	/// The method or the protocol is unknown, or not part of the session's dialect.
	#[error("unknown method: this port speaks EthereumStratum/1.0.0 and eth-proxy")]
	Method,
	/// A parameter is missing or has another form.
	#[error("invalid parameters")]
	Parameters,
	/// There is no work yet.
	#[error("no work available yet")]
	NoWork,
	/// The share's work was replaced, and its block would be late.
	#[error("stale share")]
	Stale,
	/// The share was submitted before.
	#[error("duplicate share")]
	Duplicate,
	/// The result is above the share's boundary.
	#[error("low difficulty share")]
	LowDifficulty,
	/// The mix hash is not the one that the nonce gives.
	#[error("wrong mix hash")]
	WrongMix,
	/// The node could not compute the hash.
	#[error("the share could not be checked")]
	NotChecked,
	/// The worker did not give the port's secret.
	#[error("wrong password")]
	Unauthorised,
	/// The worker has not subscribed or logged in.
	#[error("not logged in")]
	NotLoggedIn,
}

impl Refusal {
	/// Returns the error code: 20 to 25, as Stratum servers use them.
	pub fn code(self) -> u8 {
		match self {
			Self::Method | Self::Parameters | Self::NoWork | Self::WrongMix | Self::NotChecked => {
				20
			}
			Self::Stale => 21,
			Self::Duplicate => 22,
			Self::LowDifficulty => 23,
			Self::Unauthorised => 24,
			Self::NotLoggedIn => 25,
		}
	}

	/// Returns a word for metrics.
	pub fn name(self) -> &'static str {
		match self {
			Self::Stale => "stale",
			Self::Duplicate => "duplicate",
			Self::LowDifficulty => "low_difficulty",
			Self::WrongMix => "wrong_mix",
			Self::Unauthorised | Self::NotLoggedIn => "unauthorised",
			Self::Method | Self::Parameters | Self::NoWork | Self::NotChecked => "other",
		}
	}
}

/// Writes an answer.
pub(super) fn answer(dialect: Dialect, id: Value, result: Value) -> String {
	match dialect {
		Dialect::NiceHash => json!({ "id": id, "result": result, "error": null }),
		Dialect::EthProxy => json!({ "id": id, "jsonrpc": "2.0", "result": result }),
	}
	.to_string()
}

/// Writes a refusal.
pub(super) fn refuse(dialect: Dialect, id: Value, refusal: Refusal) -> String {
	let (code, message) = (refusal.code(), refusal.to_string());
	match dialect {
		// ethminer takes any result but null for success.
		Dialect::NiceHash => {
			json!({ "id": id, "result": null, "error": [code, message, null] })
		}
		Dialect::EthProxy => json!({
			"id": id,
			"jsonrpc": "2.0",
			"result": null,
			"error": { "code": code, "message": message },
		}),
	}
	.to_string()
}

/// Writes a notification of EthereumStratum/1.0.0.
pub(super) fn notice(method: &str, params: Value) -> String {
	json!({ "id": null, "method": method, "params": params }).to_string()
}
