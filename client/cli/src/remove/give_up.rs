// SPDX-License-Identifier: Apache-2.0
//! Gives up uploads of objects that were interrupted on this machine.

use super::removed::{Counts, Deleted, Removed};
use crate::{
	confirm::confirm,
	error::{Error, Kind},
	text::{Called, Key},
	tip::Tip,
};
use isthmus_sdk::{
	objects::UploadError as SendError,
	upload::{give_up, unfinished, GiveUpError, GivenUp},
	Client, Cost, CostError, Error as SdkError, Identity, Names, RecordKey,
};

/// Gives up the unfinished uploads of a name, if the chain has no record of it. Returns `None` if there is none.
///
/// # Errors
///
/// Returns an error if all that there were have been finished meanwhile: their records stay.
pub(super) async fn instead_of_removal(
	client: &Client,
	identity: &Identity,
	(called, found): (Called, RecordKey),
	(erases, yes): (bool, bool),
) -> Result<Option<Removed>, Error> {
	let owner = identity.id();
	if client.best().await?.record(owner, found).await?.is_some() {
		return Ok(None);
	}
	// The name may be public in one upload and hidden in another.
	let mut uploads = Vec::new();
	for key in called.keys(&Names::new(client, identity)) {
		uploads.extend(unfinished(client, owner, &key)?);
	}
	if uploads.is_empty() {
		return Ok(None);
	}
	if client.is_dry_run() {
		return Err(SdkError::from(CostError::NotSent(Cost::default())).into());
	}
	let name = called.shown();
	let question = match erases {
		true => {
			format!("Give up the unfinished upload of {name}, and erase what opens it for ever?")
		}
		false => format!("Give up the unfinished upload of {name}?"),
	};
	confirm(&question, yes)?;
	let (mut first, mut objects, mut erased) = (None, Vec::new(), 0);
	for upload in &uploads {
		let key = upload.place.key;
		// A program that was still running may have finished it: then the record stays, and so does its key.
		let Some(given_up) = give_up(client, identity, &key, erases).await? else {
			continue;
		};
		erased += given_up.erased.unwrap_or_default();
		first.get_or_insert(key);
		objects.push(deleted(given_up));
	}
	let key = first.ok_or_else(|| finished(&name.to_string()))?;
	Ok(Some(Removed {
		block: None,
		counts: Counts::default(),
		stays: false,
		key: Key(key),
		name: name.to_string(),
		objects,
		erased: erases.then_some(erased),
	}))
}

/// Says that nothing was given up. The record is not what the user wanted to remove, and its object would stay.
fn finished(name: &str) -> Error {
	Error::refused(format!(
		"the upload of {name} was finished meanwhile, so its record stays"
	))
	.hint("to remove the record, run the same command again")
}

/// Forgets what this machine noted to resume the upload of a record that is going to be removed. Returns what became of an object
/// that was sent under its key and is not the record's, if not all of it is deleted. An update of a packed folder has notes of
/// its own, which the next one sorts out.
pub(super) async fn forget(
	client: &Client,
	identity: &Identity,
	key: RecordKey,
) -> Result<Option<Deleted>, Error> {
	if client.is_dry_run() {
		return Ok(None);
	}
	match give_up(client, identity, &key, false).await {
		Ok(given_up) => Ok(given_up
			.filter(|given_up| given_up.failure.is_some())
			.map(deleted)),
		Err(GiveUpError::PackedFolder) => Ok(None),
		Err(error) => Err(error.into()),
	}
}

/// Says what became of what an upload had sent.
fn deleted(given_up: GivenUp) -> Deleted {
	Deleted {
		location: given_up.location,
		gone: usize::from(given_up.failure.is_none()),
		failure: given_up.failure.map(|failure| {
			let object = given_up.object;
			format!("{failure}; the same command tries it again; its name there is {object}")
		}),
		left: Vec::new(),
	}
}

impl From<GiveUpError> for Error {
	fn from(error: GiveUpError) -> Self {
		match error {
			GiveUpError::Client(error) => error.into(),
			GiveUpError::Busy(_) => Self::refused(error)
				.hint("end that program, or wait until it is done, and run the same command again"),
			GiveUpError::InFlight => Self::refused(error).hint(
				"wait until it is in a block: the record is stored then, and the same command removes it",
			),
			GiveUpError::Entering { last, .. } => Self::refused(error).hint(format!(
				"wait until block {} is finalized, and run the same command again",
				last.saturating_add(1)
			)),
			GiveUpError::LeafInUse(_) => Self::refused(error).hint(
				"run the same command without --erase, or an hour after the last transaction for this leaf",
			),
			GiveUpError::NoLock(_) => {
				Self::failed(error).hint("let this user write to $HOME/.local/state/isthmus")
			}
			GiveUpError::PackedFolder => Self::refused(error)
				.hint("finish it with the same isthmus store as before, and then remove it"),
			error => Self::new(Kind::Failed, error),
		}
	}
}

/// Returns what to do about an object that is not the one whose upload began under this key; `None` for other errors. The
/// hint names the key: another record may have the same name.
pub(crate) fn way_out(error: &SdkError, key: RecordKey) -> Option<String> {
	let SdkError::Sending(
		SendError::Changed { .. }
		| SendError::LengthChanged { .. }
		| SendError::OtherForm { .. }
		| SendError::Elsewhere { .. },
	) = error
	else {
		return None;
	};
	let remove = Tip::new("isthmus remove").operand(&isthmus_sdk::to_hex(&key.0));
	Some(format!(
		"store it under another --name, or give the unfinished upload up: {remove}, and then the same command again"
	))
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{envelope::Form, objects::Failure, Place};

	#[test]
	fn the_way_out_names_the_uploads_own_key() {
		let key = RecordKey::from([7; 32]);
		let url = "file:///srv".to_owned();
		for error in [
			SendError::Changed { at: 0 },
			SendError::LengthChanged { expected: 7 },
			SendError::OtherForm {
				form: Form::Compressed,
			},
			SendError::Elsewhere { url },
		] {
			let hint = way_out(&error.into(), key).unwrap();
			let command = format!(": isthmus remove 0x{}, and then", "07".repeat(32));
			assert!(hint.contains(&command), "{hint}");
		}
		assert_eq!(
			way_out(&SendError::NotAsLong { expected: 7 }.into(), key),
			None
		);
	}

	#[test]
	fn what_keeps_an_upload_from_being_given_up_has_a_hint() {
		for (error, kind) in [
			(GiveUpError::Busy(None), Kind::Refused),
			(GiveUpError::InFlight, Kind::Refused),
			(
				GiveUpError::Entering {
					last: 300,
					finalized: 9,
				},
				Kind::Refused,
			),
			(GiveUpError::LeafInUse(5), Kind::Refused),
			(GiveUpError::NoLock("no".into()), Kind::Failed),
			(GiveUpError::PackedFolder, Kind::Refused),
		] {
			let error = Error::from(error);
			assert_eq!(error.kind(), kind);
			assert!(format!("{error:?}").contains("Words("), "{error:?}");
		}
	}

	#[test]
	fn a_record_that_was_stored_meanwhile_stays_and_this_is_said() {
		let error = finished("photos");
		assert_eq!(error.kind(), Kind::Refused);
		assert!(
			format!("{error:?}").contains("finished meanwhile"),
			"{error:?}"
		);
	}

	#[test]
	fn what_stays_at_a_location_is_named() {
		let given_up = |failure| GivenUp {
			place: Place {
				key: RecordKey::from([7; 32]),
				dataset: 0,
				epoch: 0,
				leaf: 0,
			},
			location: "s3://a/b".into(),
			object: "07".into(),
			failure,
			erased: None,
		};
		let gone = deleted(given_up(None));
		assert_eq!((gone.gone, gone.failure), (1, None));
		let left = deleted(given_up(Some(Failure::Unreachable)));
		assert_eq!(left.gone, 0);
		assert!(left.failure.unwrap().ends_with("its name there is 07"));
	}
}
