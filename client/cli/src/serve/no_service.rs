// SPDX-License-Identifier: Apache-2.0
//! On this system no service manager hears of the command.

use std::{convert::Infallible, future::pending};

/// A service manager that hears nothing.
pub(super) struct Service;

impl Service {
	/// Finds no service manager.
	///
	/// # Errors
	///
	/// Never returns one.
	pub(super) fn from_env() -> Result<Self, String> {
		Ok(Self)
	}

	/// Does nothing.
	pub(super) fn is_ready(&self, _status: &str) {}

	/// Does nothing.
	pub(super) fn is_in_trouble(&self, _status: &str) {}

	/// Does nothing.
	pub(super) fn ends(&self) {}

	/// Never ends.
	pub(super) async fn stay_alive(&self) -> Infallible {
		pending().await
	}
}
