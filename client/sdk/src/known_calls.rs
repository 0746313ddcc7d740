// SPDX-License-Identifier: Apache-2.0
//! Encodes and signs only calls that have the [layout](crate::layout) that this release knows.

use crate::{
	call::{Call, Payload},
	client::Client,
	error::Error,
	layout::{layout, runtimes, Difference},
	state::State,
	trust::Unproven,
};
use codec::Decode;
use isthmus_light::storage;
use subxt::tx::{self, Payload as _};

impl Client {
	/// Encodes a call by the metadata of a state, if that says of it what this release knows.
	///
	/// # Errors
	///
	/// Returns [`Unproven::FalseMetadata`], [`Error::Outdated`] or [`Error::OlderRuntime`] if it does not.
	pub(crate) async fn encoded(
		&self,
		at: &State,
		call: &impl tx::Payload,
	) -> Result<Vec<u8>, Error> {
		let metadata = at.inner().metadata_ref();
		let compared = layout(at.inner().transaction_version())
			.and_then(|layout| layout.check_call(metadata, call.pallet_name(), call.call_name()));
		self.known(compared).await?;
		Ok(at.inner().tx().call_data(call)?)
	}

	/// Checks a call that is about to be signed at a state, and the extensions of its transaction.
	///
	/// # Errors
	///
	/// Returns the errors of [`encoded`](Self::encoded).
	pub(crate) async fn check_layout(&self, at: &State, call: &Call) -> Result<(), Error> {
		let (metadata, call) = (at.inner().metadata_ref(), Payload(call));
		let compared = layout(at.inner().transaction_version()).and_then(|layout| {
			layout.check_call(metadata, call.pallet_name(), call.call_name())?;
			layout.check_extensions(metadata)
		});
		self.known(compared).await
	}

	/// Returns the [error](error_of) of a difference.
	async fn known(&self, compared: Result<(), Difference>) -> Result<(), Error> {
		match compared {
			Ok(()) => Ok(()),
			Err(difference) => Err(error_of(difference, self.proven_runtime().await?)),
		}
	}

	/// Returns the version of the chain's runtime in the newest finalized state, with a proof. `None` while no block after the
	/// first one is finalized.
	async fn proven_runtime(&self) -> Result<Option<u32>, Error> {
		/// `frame_system::LastRuntimeUpgradeInfo`.
		#[derive(Decode)]
		struct Upgrade {
			#[codec(compact)]
			spec_version: u32,
			_spec_name: String,
		}
		let upgrade: Option<Upgrade> = self.proven().await?.get(storage::last_upgrade()).await?;
		Ok(upgrade.map(|upgrade| upgrade.spec_version))
	}
}

/// Returns the error of a difference: the chain is proven to have another runtime than this release knows, or the node is wrong.
fn error_of(difference: Difference, runtime: Option<u32>) -> Error {
	let (known, is_of_version) = (runtimes(), difference.is_of_version());
	let difference = Box::new(difference);
	match runtime {
		Some(runtime) if runtime > *known.end() => Error::Outdated {
			runtime,
			newest: *known.end(),
			difference,
		},
		Some(runtime) if is_of_version && runtime < *known.start() => Error::OlderRuntime {
			runtime,
			oldest: *known.start(),
			difference,
		},
		_ => Unproven::FalseMetadata(difference).into(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Returns the text of the error if this is the proven runtime.
	fn text(difference: &Difference, runtime: Option<u32>) -> String {
		error_of(difference.clone(), runtime).to_string()
	}

	#[test]
	fn only_a_newer_runtime_that_is_proven_makes_a_release_outdated() {
		let (first, last) = runtimes().into_inner();
		let difference = layout(u32::MAX).map(|_| ()).unwrap_err();
		let error = error_of(difference.clone(), Some(last + 1));
		let is_outdated = matches!(&error, Error::Outdated { runtime, newest, .. }
			if (*runtime, *newest) == (last + 1, last));
		assert!(is_outdated, "{error:?}");
		for runtime in [Some(first), Some(last), None] {
			let text = text(&difference, runtime);
			assert!(text.starts_with("FalseMetadata: "), "{text}");
			assert!(text.contains("wait until that is final"), "{text}");
		}
	}

	#[test]
	fn a_node_of_an_older_chain_is_not_called_a_liar() {
		let oldest = *runtimes().start();
		let version = layout(0).map(|_| ()).unwrap_err();
		let error = error_of(version.clone(), Some(oldest - 1));
		let is_older = matches!(&error, Error::OlderRuntime { runtime, oldest: known, .. }
			if (*runtime, *known) == (oldest - 1, oldest));
		assert!(is_older, "{error:?}");
		// A call that differs within a version that the table has is a lie on any chain.
		let call = Difference {
			what: "DataSharing.revoke".into(),
			..version
		};
		let text = text(&call, Some(oldest - 1));
		assert!(text.starts_with("FalseMetadata: "), "{text}");
		assert!(!text.contains("upgraded"), "{text}");
	}
}
