// SPDX-License-Identifier: Apache-2.0
//! Encodes calls, the operations that transactions carry, with the chain's metadata.

use crate::{
	claim::Claim,
	client::Client,
	error::Error,
	types::{AccountId, Balance, BlockNumber, ProxyKind, PALLET},
};
use codec::Encode;
use isthmus_sharing::terms::Footprint;
use std::sync::Arc;
use subxt::{
	ext::{
		codec,
		scale_encode::{EncodeAsFields, EncodeAsType, FieldIter},
		scale_type_resolver::TypeResolver,
	},
	tx,
};

/// A call, ready to be signed on its own or as part of a batch. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct Call {
	pallet: &'static str,
	name: &'static str,
	/// The encoded arguments.
	fields: Raw,
	/// Whether it carries data that nodes index.
	direct: bool,
	/// The last block that may include the call, if it has a limit.
	pub(crate) last: Option<BlockNumber>,
	/// What only one transaction in flight can have.
	pub(crate) claims: Vec<Claim>,
	/// The claims that this call does not make, but whose transactions have to be in blocks before it is made.
	pub(crate) yields_to: Vec<Claim>,
	/// The space in the state for which the chain holds a deposit from the account: what is new, or all of what
	/// replaces something.
	pub(crate) takes: Footprint,
	/// What other accounts get from the account, or what is held for them.
	pub(crate) pays: Balance,
}

/// No space in the state.
pub(crate) const NO_SPACE: Footprint = Footprint {
	entries: 0,
	bytes: 0,
};

impl Call {
	/// Adds space that the call takes in the state.
	pub(crate) fn taking(mut self, space: Footprint) -> Self {
		self.takes = sum(self.takes, space);
		self
	}

	/// Adds a payment.
	pub(crate) fn paying(mut self, amount: Balance) -> Self {
		self.pays = self.pays.saturating_add(amount);
		self
	}

	/// Adds a claim.
	pub(crate) fn claiming(mut self, claim: Claim) -> Self {
		self.claims.push(claim);
		self
	}

	/// Makes the call wait for transactions in flight that have a claim.
	pub(crate) fn yielding_to(mut self, claim: Claim) -> Self {
		self.yields_to.push(claim);
		self
	}

	/// Returns whether the call carries data that nodes index. It can be as long as a block, and must be a
	/// transaction's own call.
	pub(crate) fn is_direct(&self) -> bool {
		self.direct
	}

	/// Limits the call to blocks up to `last`: its transaction is signed so that it is not valid later.
	pub fn no_later_than(self, last: BlockNumber) -> Self {
		let last = Some(self.last.map_or(last, |other| other.min(last)));
		Self { last, ..self }
	}
}

/// Returns the space of two things together.
fn sum(one: Footprint, other: Footprint) -> Footprint {
	Footprint {
		entries: one.entries.saturating_add(other.entries),
		bytes: one.bytes.saturating_add(other.bytes),
	}
}

/// Bytes that are already encoded.
#[derive(Clone, Debug)]
pub(crate) struct Raw(Arc<[u8]>);

impl EncodeAsFields for Raw {
	fn encode_as_fields_to<R: TypeResolver>(
		&self,
		_: &mut dyn FieldIter<'_, R::TypeId>,
		_: &R,
		out: &mut Vec<u8>,
	) -> Result<(), subxt::ext::scale_encode::Error> {
		out.extend_from_slice(&self.0);
		Ok(())
	}
}

/// Passes a call to `subxt`.
pub(crate) struct Payload<'a>(pub(crate) &'a Call);

impl tx::Payload for Payload<'_> {
	type CallData = Raw;

	fn pallet_name(&self) -> &str {
		self.0.pallet
	}

	fn call_name(&self) -> &str {
		self.0.name
	}

	fn call_data(&self) -> &Raw {
		&self.0.fields
	}
}

/// An argument that consists of bytes. `Vec<u8>` would be encoded byte by byte, which is slow for a megabyte.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl EncodeAsType for Bytes<'_> {
	fn encode_as_type_to<R: TypeResolver>(
		&self,
		_: R::TypeId,
		_: &R,
		out: &mut Vec<u8>,
	) -> Result<(), subxt::ext::scale_encode::Error> {
		self.0.encode_to(out);
		Ok(())
	}
}

/// An argument that is already encoded.
struct Encoded<'a>(&'a [u8]);

impl EncodeAsType for Encoded<'_> {
	fn encode_as_type_to<R: TypeResolver>(
		&self,
		_: R::TypeId,
		_: &R,
		out: &mut Vec<u8>,
	) -> Result<(), subxt::ext::scale_encode::Error> {
		out.extend_from_slice(self.0);
		Ok(())
	}
}

/// An account in the arguments of a call of another pallet than the sharing one.
#[derive(EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub(crate) enum Address {
	Id(AccountId),
}

impl Client {
	/// Encodes a call with the chain's metadata.
	pub(crate) async fn call(
		&self,
		pallet: &'static str,
		name: &'static str,
		arguments: impl EncodeAsFields,
	) -> Result<Call, Error> {
		let at = self.anchor().await?;
		let payload = tx::dynamic(pallet, name, arguments);
		let mut bytes = self.encoded(&at, &payload).await?;
		// Drop the indices of the pallet and the call, because `Payload` names both and `subxt` adds the
		// indices again.
		bytes.drain(..2.min(bytes.len()));
		Ok(Call {
			pallet,
			name,
			fields: Raw(bytes.into()),
			direct: pallet == PALLET && matches!(name, "store" | "open_record" | "store_chunk"),
			last: None,
			claims: Vec::new(),
			yields_to: Vec::new(),
			takes: NO_SPACE,
			pays: 0,
		})
	}

	/// Combines several calls into one: either all of them take effect or none.
	pub async fn batch(&self, calls: &[Call]) -> Result<Call, Error> {
		self.batch_by("batch_all", calls).await
	}

	/// Combines several calls into one, in which they succeed or fail independently: the errors of those that
	/// fail are in [`Included::refused`](crate::Included::refused), and the others take effect.
	pub async fn batch_each(&self, calls: &[Call]) -> Result<Call, Error> {
		self.batch_by("force_batch", calls).await
	}

	/// Makes a call that carries out another one as the owner of datasets that the account took over.
	pub(crate) async fn act_for(&self, owner: &AccountId, call: Call) -> Result<Call, Error> {
		let at = self.anchor().await?;
		let mut fields = owner.encode();
		fields.extend(self.encoded(&at, &Payload(&call)).await?);
		Ok(Call {
			pallet: PALLET,
			name: "act_for",
			fields: Raw(fields.into()),
			..call
		})
	}

	/// Makes a call that carries out another one as an owner, by its operator. What the call takes is held from the owner, so
	/// it costs the operator a fee only.
	pub(crate) async fn operate_for(&self, owner: &AccountId, call: Call) -> Result<Call, Error> {
		let at = self.anchor().await?;
		let carried = self.encoded(&at, &Payload(&call)).await?;
		let kind = Some(ProxyKind::Sharing);
		let arguments = (Address::Id(*owner), kind, Encoded(&carried));
		let Call { fields, .. } = self.call("Proxy", "proxy", arguments).await?;
		Ok(Call {
			pallet: "Proxy",
			name: "proxy",
			fields,
			takes: NO_SPACE,
			pays: 0,
			..call
		})
	}

	async fn batch_by(&self, name: &'static str, calls: &[Call]) -> Result<Call, Error> {
		let at = self.anchor().await?;
		let mut fields = codec::Compact(calls.len() as u32).encode();
		for call in calls {
			fields.extend(self.encoded(&at, &Payload(call)).await?);
		}
		Ok(Call {
			pallet: "Utility",
			name,
			fields: Raw(fields.into()),
			direct: false,
			last: calls.iter().filter_map(|call| call.last).min(),
			claims: calls.iter().flat_map(|call| call.claims.clone()).collect(),
			yields_to: calls
				.iter()
				.flat_map(|call| call.yields_to.clone())
				.collect(),
			takes: calls
				.iter()
				.fold(NO_SPACE, |all, call| sum(all, call.takes)),
			pays: calls
				.iter()
				.fold(0, |all, call| all.saturating_add(call.pays)),
		})
	}
}
