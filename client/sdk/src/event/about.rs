// SPDX-License-Identifier: Apache-2.0
//! What an event is about: its owner, reader, record, dataset, range, request and grant.

use super::Event;
use crate::types::*;

/// A grant, as the event of its authorisation tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
	/// The grant.
	pub grant: GrantId,
	/// Its terms.
	pub terms: Terms,
	/// How much the reader paid for it.
	pub paid: Balance,
}

impl Event {
	/// Returns the owner's account or, for events without an owner, the account that the event is about.
	pub fn owner(&self) -> &AccountId {
		use Event::*;
		match self {
			Registered { producer, .. } | Deregistered { producer } => producer,
			EncryptionKeySet { account, .. } | EncryptionKeyRemoved { account } => account,
			DatasetCreated { owner, .. }
			| DatasetRemoved { owner, .. }
			| EpochStarted { owner, .. }
			| PolicySet { owner, .. }
			| PolicyCleared { owner, .. }
			| DatasetClosed { owner, .. }
			| Stored { owner, .. }
			| ObjectStored { owner, .. }
			| LocationsSet { owner, .. }
			| RecordOpened { owner, .. }
			| ChunkStored { owner, .. }
			| RecordCompleted { owner, .. }
			| RecordAbandoned { owner, .. }
			| RecordRemoved { owner, .. }
			| LeafFreed { owner, .. }
			| AccessRequested { owner, .. }
			| RequestCancelled { owner, .. }
			| RequestRejected { owner, .. }
			| RequestLapsed { owner, .. }
			| Authorized { owner, .. }
			| Revoked { owner, .. }
			| Renounced { owner, .. }
			| GrantForgotten { owner, .. }
			| GrantSuspended { owner, .. }
			| GrantResumed { owner, .. }
			| GrantExpired { owner, .. }
			| OfferPaid { owner, .. }
			| DisputeWon { owner, .. }
			| DisputeLost { owner, .. }
			| DatasetOffered { owner, .. }
			| DatasetOfferWithdrawn { owner, .. }
			| DatasetAccepted { owner, .. }
			| WithdrawalSet { owner, .. }
			| OfferReleased { owner, .. }
			| Embargoed { owner, .. }
			| EmbargoLifted { owner, .. } => owner,
		}
	}

	/// Returns the reader that the event is about, if any.
	pub fn reader(&self) -> Option<&AccountId> {
		use Event::*;
		match self {
			AccessRequested { consumer, .. }
			| RequestCancelled { consumer, .. }
			| RequestRejected { consumer, .. }
			| RequestLapsed { consumer, .. }
			| WithdrawalSet { consumer, .. }
			| OfferReleased { consumer, .. } => Some(consumer),
			Authorized { grantee, .. }
			| Revoked { grantee, .. }
			| Renounced { grantee, .. }
			| GrantForgotten { grantee, .. }
			| GrantSuspended { grantee, .. }
			| GrantResumed { grantee, .. }
			| GrantExpired { grantee, .. }
			| OfferPaid { grantee, .. }
			| DisputeWon { grantee, .. }
			| DisputeLost { grantee, .. } => Some(grantee),
			_ => None,
		}
	}

	/// Returns the key of the record that the event is about, if any.
	pub fn key(&self) -> Option<&RecordKey> {
		use Event::*;
		match self {
			Stored { key, .. }
			| ObjectStored { key, .. }
			| RecordOpened { key, .. }
			| ChunkStored { key, .. }
			| RecordCompleted { key, .. }
			| RecordAbandoned { key, .. }
			| RecordRemoved { key, .. }
			| Embargoed { key, .. }
			| EmbargoLifted { key, .. } => Some(key),
			_ => None,
		}
	}

	/// Returns the dataset that the event is about, if any.
	pub fn dataset(&self) -> Option<DatasetId> {
		use Event::*;
		match self {
			DatasetCreated { dataset, .. }
			| DatasetRemoved { dataset, .. }
			| EpochStarted { dataset, .. }
			| PolicySet { dataset, .. }
			| PolicyCleared { dataset, .. }
			| DatasetClosed { dataset, .. }
			| Stored { dataset, .. }
			| ObjectStored { dataset, .. }
			| LocationsSet { dataset, .. }
			| DatasetOffered { dataset, .. }
			| DatasetOfferWithdrawn { dataset, .. }
			| DatasetAccepted { dataset, .. }
			| RecordOpened { dataset, .. }
			| ChunkStored { dataset, .. }
			| RecordCompleted { dataset, .. }
			| RecordAbandoned { dataset, .. }
			| RecordRemoved { dataset, .. }
			| Embargoed { dataset, .. }
			| EmbargoLifted { dataset, .. }
			| LeafFreed { dataset, .. } => Some(*dataset),
			_ => self.scope().map(|scope| scope.dataset),
		}
	}

	/// Returns the range that the event is about, if any.
	pub fn scope(&self) -> Option<&Scope> {
		use Event::*;
		match self {
			AccessRequested { scope, .. }
			| RequestCancelled { scope, .. }
			| RequestRejected { scope, .. }
			| RequestLapsed { scope, .. }
			| WithdrawalSet { scope, .. }
			| OfferReleased { scope, .. }
			| Authorized { scope, .. }
			| Revoked { scope, .. }
			| Renounced { scope, .. }
			| GrantForgotten { scope, .. }
			| GrantSuspended { scope, .. }
			| GrantResumed { scope, .. }
			| GrantExpired { scope, .. }
			| OfferPaid { scope, .. }
			| DisputeWon { scope, .. }
			| DisputeLost { scope, .. } => Some(scope),
			_ => None,
		}
	}

	/// Returns the request that the event is about, if any.
	pub fn request(&self) -> Option<RequestId> {
		use Event::*;
		match self {
			AccessRequested { request, .. }
			| RequestCancelled { request, .. }
			| RequestRejected { request, .. }
			| RequestLapsed { request, .. }
			| WithdrawalSet { request, .. }
			| OfferReleased { request, .. } => Some(*request),
			Authorized { request, .. } => *request,
			_ => None,
		}
	}

	/// Returns the grant that the event is about, if an owner authorised a reader.
	pub fn granted(&self) -> Option<Granted> {
		match *self {
			Self::Authorized {
				grant,
				grantee,
				scope,
				expiry,
				until,
				request,
				agreement,
				paid,
				ref condition,
				..
			} => Some(Granted {
				grant,
				terms: Terms {
					grantee,
					scope,
					expiry,
					until,
					request: request
						.zip(agreement)
						.map(|(id, digest)| Answered { id, digest }),
					condition: condition.clone(),
				},
				paid,
			}),
			_ => None,
		}
	}
}
