// SPDX-License-Identifier: Apache-2.0
//! Encodes and signs only calls that have the [layout](crate::layout) that this release knows.

use crate::{
	call::{Call, Payload},
	client::Client,
	error::Error,
	layout::{layout, newest, Difference},
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
	/// Returns [`Unproven::FalseMetadata`] or [`Error::Outdated`] if it does not.
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

	/// Returns the error of a difference: if it is proven that the chain was upgraded since this release, the release is
	/// outdated; otherwise the node is wrong.
	async fn known(&self, compared: Result<(), Difference>) -> Result<(), Error> {
		let Err(difference) = compared else {
			return Ok(());
		};
		let difference = Box::new(difference);
		match self.proven_runtime().await? {
			Some(runtime) if runtime > newest() => Err(Error::Outdated {
				runtime,
				newest: newest(),
				difference,
			}),
			_ => Err(Unproven::FalseMetadata(difference).into()),
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
