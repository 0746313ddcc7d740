// SPDX-License-Identifier: Apache-2.0
//! On this system no service manager hears of the command.

use std::{convert::Infallible, future::pending};

/// A service manager that hears nothing.
pub(crate) struct Service;

impl Service {
	/// Finds no service manager.
	///
	/// # Errors
	///
	/// Never returns one.
	pub(crate) fn from_env() -> Result<Self, String> {
		Ok(Self)
	}

	/// Does nothing.
	pub(crate) fn is_ready(&self, _status: &str) {}

	/// Does nothing.
	pub(crate) fn is_at(&self, _status: &str) {}

	/// Does nothing.
	pub(crate) fn ends(&self) {}

	/// Never ends.
	pub(crate) async fn stay_alive(&self) -> Infallible {
		pending().await
	}
}
