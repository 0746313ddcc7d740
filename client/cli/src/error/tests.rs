// SPDX-License-Identifier: Apache-2.0
//! Tests what a command says when it fails, and with which exit code.

use super::{
	sdk::{OTHER_UPLOAD, STEADY, WENT_AWAY},
	*,
};
use isthmus_sdk::{
	envelope::{compressed::CompressedError, ErasableError, Form, NewerFile},
	objects::{CertificateFault, Failure, Left, ReadError, UploadError as SendError},
	record_key,
	trust::FinalityError,
	AccountId, CostError, Error as SdkError, FetchError, LeavesError, NotFetched, OperatorError,
	Overlap, PalletError, QueryRefusal, Refusal, Scope, Unproven, UploadError, UploadFolderError,
	H256, UNIT,
};

#[cfg(unix)]
#[test]
fn a_link_that_leads_to_nothing_is_not_called_missing_alone() {
	let folder = tempfile::tempdir().unwrap();
	let link = folder.path().join("link");
	std::os::unix::fs::symlink("nowhere", &link).unwrap();
	let absent = io::Error::from(ErrorKind::NotFound);
	let hint = |path: &Path| Error::file(path, &absent).shown_hint();
	assert!(hint(&link).unwrap().contains("it is a link"));
	assert_eq!(hint(&folder.path().join("other")), None);
	// A folder's link, too.
	let gone = |path: std::path::PathBuf| {
		let unreadable = UploadFolderError::Unreadable(vec![(path, ErrorKind::NotFound.into())]);
		Error::from(unreadable).shown_hint()
	};
	assert!(gone(link).unwrap().contains("it is a link"));
	assert_eq!(gone(folder.path().join("other")), None);
	assert!(hint(Path::new("~/x")).unwrap().starts_with("~ is"));
}

#[test]
fn a_record_is_shown_by_its_name() {
	let key = record_key("marks.csv").unwrap();
	let error = Error::from(SdkError::from(UploadError::AlreadyStored(key)));
	assert_eq!(error.kind, Kind::Refused);
	assert!(error.message.starts_with("marks.csv "), "{}", error.message);
}

#[test]
fn an_object_that_cannot_be_resumed_has_a_way_out() {
	let key = record_key("data.db").unwrap();
	let url = "file:///srv".to_owned();
	for error in [
		SendError::Changed { at: 0 },
		SendError::LengthChanged { expected: 7 },
		SendError::OtherForm { form: Form::Plain },
		SendError::Elsewhere { url },
	] {
		let error = Error::from(SdkError::from(error)).naming(key, Called::Name(key));
		assert_eq!(error.shown_hint().as_deref(), Some(OTHER_UPLOAD));
	}
	let changed = SdkError::from(SendError::NotAsLong { expected: 7 });
	assert_eq!(Error::from(changed).shown_hint().as_deref(), Some(STEADY));
}

#[test]
fn hints_have_what_the_error_knows() {
	let (owner, operator) = (AccountId::from([1; 32]), AccountId::from([2; 32]));
	let scope = Scope {
		dataset: 3,
		epoch: 0,
		from: 5,
		to: 9,
	};
	let url = "file:///srv/my records".to_owned();
	for (error, expected) in [
		(
			SdkError::from(OperatorError::NotAnOperator { owner, operator }),
			format!("isthmus operator add {operator}"),
		),
		(
			OperatorError::OutsideGrants {
				operator,
				scope,
				held: Vec::new(),
			}
			.into(),
			format!("isthmus authorize --to {operator} --leaves 5..9"),
		),
		(
			OperatorError::OwnerLacksDeposit {
				owner,
				needed: 3 * UNIT / 2,
				free: UNIT,
			}
			.into(),
			format!("isthmus transfer {owner} 0.5 --finalized"),
		),
		(
			SdkError::LocationAbsent { url, objects: 2 },
			"mkdir -p '/srv/my records'".into(),
		),
	] {
		let hint = Error::from(error).shown_hint().unwrap();
		assert!(hint.ends_with(&expected), "{hint}");
	}
	let embargoed = Error::from(SdkError::Query(QueryRefusal::Embargoed));
	let embargoed = embargoed.knowing(&[("OWNER", owner.to_string())]);
	let expected = format!("isthmus list embargoes --owner {owner}");
	assert!(embargoed.shown_hint().unwrap().ends_with(&expected));
}

#[test]
fn what_was_written_in_place_of_a_placeholder_is_none() {
	let folder = || ("FOLDER", "'my NAME'".to_owned());
	let name = || ("NAME", "x".to_owned());
	let error = Error::failed("no").hint("tar c FOLDER | isthmus store - --name NAME");
	let error = error.also_known("nothing matches --exclude NAME");
	let both = error.knowing(&[folder(), name()]);
	let expected = "tar c 'my NAME' | isthmus store - --name x; nothing matches --exclude NAME";
	assert_eq!(both.shown_hint().as_deref(), Some(expected));
	let again = Error::failed("no").hint("FOLDER").knowing(&[folder()]);
	assert_eq!(
		again.knowing(&[name()]).shown_hint().as_deref(),
		Some("'my NAME'")
	);
}

#[test]
fn hints_name_what_the_user_named() {
	let key = record_key("my marks.csv").unwrap();
	let error =
		Error::from(SdkError::from(UploadError::AlreadyStored(key))).naming(key, Called::Name(key));
	let hint = error.shown_hint().unwrap();
	assert!(hint.ends_with("isthmus remove 'my marks.csv'"), "{hint}");
	assert!(error.says_remove());
	let changed = UploadError::ChangedWhileRead { expected: 7 };
	let error = Error::from(SdkError::from(changed)).about(Path::new("a/b.csv"));
	assert!(
		error.message.starts_with("a/b.csv: the value"),
		"{}",
		error.message
	);
	assert!(!error.says_remove());
	let error = error.about(Path::new("a/b.csv")).also("more");
	assert_eq!(error.message.matches("a/b.csv").count(), 1);
	assert!(error.shown_hint().unwrap().ends_with("; more"));
	// Errors that do not name the record.
	let taken = Refusal {
		error: PalletError::KeyTaken,
		docs: String::new(),
	};
	for error in [
		SdkError::Refused(taken),
		UploadError::ValueChanged { chunk: 0 }.into(),
		UploadError::LengthChanged { expected: 7 }.into(),
	] {
		let error = Error::from(error);
		assert!(error.says_remove());
		let shown = |error: &Error| error.shown_hint().unwrap_or_default();
		assert!(shown(&error).ends_with("isthmus remove NAME"), "{error:?}");
		let named = error.naming(key, Called::Name(key));
		assert!(
			shown(&named).ends_with("isthmus remove 'my marks.csv'"),
			"{named:?}"
		);
	}
}

#[test]
fn what_an_error_lists_is_on_lines_of_its_own() {
	let listed = vec!["0: a".to_owned(), "1: b".to_owned()];
	let error = Error::usage("block 7 has 2 events:")
		.listing(listed)
		.hint("choose one");
	let lines = [
		"error: block 7 has 2 events:",
		"  0: a",
		"  1: b",
		"hint: choose one",
	];
	assert_eq!(error.lines(), lines);
}

#[test]
fn bytes_that_are_wrong_everywhere_are_not_authentic() {
	let kind = |failures: &[Failure]| {
		let left = failures.iter().map(|failure| Left {
			url: "file:///store".into(),
			failure: failure.clone(),
		});
		Error::from(SdkError::Object(ReadError::NoneLeft(left.collect()))).kind
	};
	let (expected, got) = (5_000_080, 4_000_000);
	let cut = Failure::Length { expected, got };
	assert_eq!(kind(std::slice::from_ref(&cut)), Kind::NotAuthentic);
	let wrong = [Failure::Wrong(3), Failure::WrongList, cut];
	assert_eq!(kind(&wrong), Kind::NotAuthentic);
	assert_eq!(kind(&[Failure::CutShort]), Kind::Failed);
	assert_eq!(kind(&[]), Kind::Failed);
	// The right ones may be where nothing is known of them.
	assert_eq!(
		kind(&[Failure::Wrong(3), Failure::Unreachable]),
		Kind::Failed
	);
	assert_eq!(kind(&[Failure::Missing]), Kind::Failed);
	let no_table = ReadError::from(CompressedError::NoTable);
	let no_table = Error::from(SdkError::Object(no_table));
	assert_eq!(no_table.kind, Kind::NotAuthentic);
}

#[test]
fn files_that_were_not_fetched_are_named_up_to_a_bound() {
	let group = |paths: &[&str], error| NotFetched {
		paths: paths.iter().map(|path| (*path).to_owned()).collect(),
		error,
	};
	let failed = vec![
		group(
			&["a", "b"],
			SdkError::from(QueryRefusal::UnknownRecord).into(),
		),
		group(&["c"], FetchError::Differs("out/c".into())),
	];
	let error = Error::from(FetchError::Incomplete { failed, files: 9 });
	assert_eq!(error.kind, Kind::Refused);
	let lines = [
		"error: 3 of 9 files were not fetched",
		"  a: the owner has no record with this key",
		"  b: the owner has no record with this key",
		"  c: out/c already exists and differs",
	];
	assert_eq!(error.lines()[..4], lines);
	let hint = error.shown_hint().unwrap();
	assert!(hint.contains("--force"), "{hint}");
	assert!(hint.ends_with("the same command again fetches only what is missing"));

	// What is wrong is worse than what is not there.
	let many: Vec<String> = (0..25).map(|number| number.to_string()).collect();
	let failed = vec![
		group(&["z"], FetchError::Differs("out/z".into())),
		NotFetched {
			paths: many,
			error: FetchError::NotListed("out/0".into()),
		},
	];
	let error = Error::from(FetchError::Incomplete { failed, files: 30 });
	assert_eq!(error.kind, Kind::NotAuthentic);
	assert_eq!(error.listed.len(), 26);
	let lines = error.lines();
	assert_eq!(lines.len(), 1 + 20 + 1 + 1);
	assert_eq!(lines[21], "  and 6 more");
}

#[test]
fn hints_name_the_dataset_and_its_owner() {
	let owner = isthmus_sdk::AccountId::from([1; 32]);
	let hint = |error| Error::from(error).shown_hint().unwrap();
	let (dataset, epoch) = (7, 0);
	let full = hint(SdkError::NoFreeLeaf { dataset, epoch });
	assert_eq!(full, "isthmus dataset epoch 7");
	let unknown = hint(SdkError::NoSuchDataset { owner, dataset });
	assert!(unknown.ends_with(&format!("--owner {owner}")), "{unknown}");
}

#[test]
fn an_upload_in_an_ended_epoch_says_which_record_to_remove() {
	let key = record_key("marks.csv").unwrap();
	let (epoch, now) = (0, 1);
	let error = Error::from(SdkError::from(UploadError::EpochOver { key, epoch, now }));
	let hint = "isthmus remove marks.csv, and then the same command again";
	assert_eq!(error.shown_hint().as_deref(), Some(hint));
}

#[test]
fn a_pruned_state_is_a_refusal_with_a_way_out() {
	let error = Error::from(SdkError::StateGone("discarded".into()));
	assert_eq!(error.kind, Kind::Refused);
	assert!(error
		.shown_hint()
		.is_some_and(|hint| hint.contains("--state-pruning archive")));
}

#[test]
fn a_history_that_is_gone_or_false_has_a_way_out() {
	let gone = Error::from(SdkError::HistoryGone { since: 9 });
	assert_eq!(gone.kind, Kind::Refused);
	assert!(gone
		.shown_hint()
		.is_some_and(|hint| hint.contains("--from")));
	let (block, reason) = (9, "made up".into());
	let lie = Error::from(SdkError::NotProven { block, reason });
	assert_eq!(lie.kind, Kind::Failed);
	assert!(lie
		.shown_hint()
		.is_some_and(|hint| hint.contains("another")));
}

#[test]
fn what_was_sent_is_not_to_be_sent_again_without_a_look() {
	let hash = H256::repeat_byte(7);
	for error in [
		SdkError::Unconfirmed { hash, last: 7 },
		SdkError::Behind { hash, last: 7 },
		SdkError::NotIncluded("dropped".into()),
		SdkError::NotFinal {
			hash,
			block: 7,
			reason: "timeout".into(),
		},
	] {
		let is_named = !matches!(error, SdkError::NotIncluded(_));
		let error = Error::from(error);
		// A wallet or an explorer finds it by its hash.
		assert_eq!(
			error.message.contains(&"07".repeat(32)),
			is_named,
			"{}",
			error.message
		);
		let hint = error.shown_hint().unwrap();
		assert!(!hint.contains("run the same command again"), "{hint}");
		assert!(hint.contains("isthmus "), "{hint}");
	}
}

#[test]
fn what_does_not_exist_on_the_chain_has_one_exit_code() {
	let owner = isthmus_sdk::AccountId::from([1; 32]);
	let refused = |name| {
		SdkError::Refused(Refusal {
			error: PalletError::new("DataSharing", name),
			docs: String::new(),
		})
	};
	for error in [
		SdkError::NoSuchGrant { owner, grant: 1 },
		SdkError::NotGiven {
			reader: owner,
			grant: 1,
		},
		SdkError::NothingToDispute(1),
		SdkError::NoSuchDataset { owner, dataset: 1 },
		SdkError::NoEncryptionKey(owner),
		SdkError::Query(QueryRefusal::UnknownRecord),
		SdkError::NoSuchBlock(7),
		refused("UnknownGrant"),
		refused("UnknownRequest"),
		refused("UnknownRecord"),
		refused("NoEncryptionKey"),
	] {
		assert_eq!(Error::from(error).kind, Kind::Refused);
	}
	// As documented: there are some, and none is named.
	let several = Error::from(SdkError::SeveralDatasets(owner));
	assert_eq!(several.kind, Kind::Usage);
	assert!(several.shown_hint().unwrap().contains("--dataset"));
}

#[test]
fn a_path_with_a_tilde_that_no_shell_replaced_is_explained() {
	let missing = || io::Error::from(ErrorKind::NotFound);
	let hint = |path: &str, error| Error::file(Path::new(path), &error).shown_hint();
	for path in ["~", "~/school.key"] {
		assert!(hint(path, missing()).unwrap().contains("no shell"));
	}
	for path in ["school.key~", "/~/a", "./~/a", "~school/a"] {
		assert_eq!(hint(path, missing()), None, "{path}");
	}
	assert_eq!(hint("~/a", ErrorKind::PermissionDenied.into()), None);
	let full = hint("~/a", ErrorKind::StorageFull.into()).unwrap();
	assert!(full.contains("free some space"), "{full}");
}

#[test]
fn a_node_that_went_away_is_no_node_that_was_never_there() {
	let (url, reason) = ("ws://a".to_owned(), "refused".to_owned());
	let gone = || {
		let (url, reason) = (url.clone(), reason.clone());
		Error::from(SdkError::Gone { url, reason })
	};
	assert_eq!(gone().kind, Kind::Unreachable);
	let arrived = Some("2 of 5 files".to_owned());
	let hint = gone().interrupted(arrived.clone()).shown_hint().unwrap();
	assert!(!hint.contains("isthmus-node"), "{hint}");
	assert!(hint.starts_with("the node went away: start it again, or"));
	assert!(
		hint.ends_with("run the same command again; 2 of 5 files arrived, and the same command goes on from there"),
		"{hint}"
	);
	assert_eq!(
		gone().interrupted(None).shown_hint().as_deref(),
		Some(WENT_AWAY)
	);
	// Who stores looks at nothing before the same command is run again.
	let lost = || {
		Error::from(SdkError::Unconfirmed {
			hash: [7; 32].into(),
			last: 9,
		})
	};
	assert!(lost().shown_hint().unwrap().contains("isthmus balance"));
	assert_eq!(
		lost().interrupted(arrived.clone()).shown_hint().as_deref(),
		Some("run the same command again to resume; 2 of 5 files arrived, and the same command goes on from there")
	);
	let never = Error::from(SdkError::Unreachable { url, reason });
	assert!(never.shown_hint().unwrap().contains("isthmus-node --dev"));
	let refused = Error::refused("no").interrupted(arrived);
	assert_eq!(refused.shown_hint(), None);
}

#[test]
fn who_does_not_control_a_dataset_is_told_what_an_operator_may_do() {
	let hint = super::refusal::refusal_hint(&PalletError::NotController).unwrap();
	for words in ["--for OWNER", "requests, authorize, reject and serve"] {
		assert!(hint.contains(words), "{hint}");
	}
}

#[test]
fn a_server_that_refuses_the_connection_says_what_to_do() {
	for (status, word) in [
		(200, "Upgrade"),
		(400, "Upgrade"),
		(401, "PASSWORD"),
		(403, "--rpc-cors all"),
		(404, "Upgrade"),
		(429, "later"),
		(502, "in front of the node"),
	] {
		let url = "ws://a".to_owned();
		let error = Error::from(SdkError::Rejected { url, status });
		assert_eq!(error.kind, Kind::Unreachable);
		let hint = error.shown_hint().unwrap();
		assert!(hint.contains(word), "{status}: {hint}");
	}
	// What the certificate lacks is not mended by a node on this machine.
	let error = Error::from(SdkError::Certificate {
		url: "wss://a".into(),
		fault: CertificateFault::Expired,
	});
	assert_eq!(error.kind, Kind::Unreachable);
	assert_eq!(error.shown_hint(), None);
	assert!(error.message.contains("has expired"), "{}", error.message);
}

#[test]
fn what_may_still_be_included_is_not_taken_for_refused() {
	let hash = H256::repeat_byte(7);
	let refusal = Refusal {
		error: PalletError::new("DataSharing", "DatasetNameTaken"),
		docs: String::new(),
	};
	assert!(Error::from(SdkError::Refused(refusal)).has_no_effect());
	let unfunded = CostError::NotEnoughFunds { needed: 2, free: 1 };
	assert!(Error::from(SdkError::from(unfunded)).has_no_effect());
	let reason = || "no".to_owned();
	for error in [
		SdkError::Unconfirmed { hash, last: 7 },
		SdkError::Behind { hash, last: 7 },
		SdkError::NotIncluded(reason()),
		SdkError::NotAccepted(reason()),
		SdkError::Connection(reason()),
		SdkError::NotFinal {
			hash,
			block: 7,
			reason: reason(),
		},
	] {
		assert!(!Error::from(error).has_no_effect());
	}
	assert!(!Error::failed("no").has_no_effect());
}

#[test]
fn a_full_disk_has_one_hint_wherever_it_is_met() {
	// ENOSPC.
	let full = || io::Error::from_raw_os_error(28);
	let path = || std::path::PathBuf::from("school.key.erasable");
	let erasable = ErasableError::Io {
		path: path(),
		error: full(),
	};
	let journal = SendError::Journal {
		path: path(),
		source: full(),
	};
	for error in [
		Error::file(&path(), &full()),
		Error::from(SdkError::from(erasable)),
		Error::from(SdkError::from(journal)),
		Error::from(SdkError::from(full())),
		Error::from(UploadFolderError::Io {
			path: path(),
			source: full(),
		}),
	] {
		assert_eq!(error.kind, Kind::Failed);
		assert!(!error.message.contains("os error"), "{}", error.message);
		assert_eq!(
			error.shown_hint().as_deref(),
			Some(FULL),
			"{}",
			error.message
		);
	}
}

#[test]
fn an_error_of_the_erasable_keys_is_not_about_the_file_that_is_stored() {
	let error = ErasableError::Io {
		path: "school.key.erasable".into(),
		error: ErrorKind::IsADirectory.into(),
	};
	let error = Error::from(SdkError::from(error)).about(Path::new("marks.csv"));
	assert!(
		error.message.starts_with("school.key.erasable: "),
		"{}",
		error.message
	);
	let hint = error.shown_hint().unwrap();
	assert!(hint.starts_with("the erasable keys are kept"), "{hint}");
}

#[test]
fn a_file_that_changes_is_no_refusal_of_the_chain() {
	let key = record_key("a").unwrap();
	for error in [
		Error::from(SdkError::from(UploadError::ChangedWhileRead {
			expected: 1,
		})),
		Error::from(SdkError::from(UploadError::ValueChanged { chunk: 0 })),
		Error::from(UploadFolderError::ChangedWhileRead("a".into())),
		Error::from(UploadFolderError::Io {
			path: "a".into(),
			source: ErrorKind::NotFound.into(),
		}),
		Error::from(UploadFolderError::Changed {
			path: "a".into(),
			key,
		}),
	] {
		assert_eq!(error.kind, Kind::Failed);
		assert!(error.shown_hint().is_some(), "{}", error.message);
	}
}

#[test]
fn a_refusal_has_the_hint_of_its_error() {
	let hint = |pallet: &str, name: &str| {
		let refusal = Refusal {
			error: PalletError::new(pallet, name),
			docs: String::new(),
		};
		Error::from(SdkError::Refused(refusal)).shown_hint()
	};
	let taken = hint("DataSharing", "LeafTaken");
	assert_eq!(
		taken.as_deref(),
		Some("omit --leaf to use the next free leaf")
	);
	assert_eq!(hint("Balances", "LeafTaken"), None);
	// What is too little for the other account has nothing to do with the funds of this one.
	for (name, words) in [
		("BelowMinimum", "send more"),
		("NotExpendable", "leave that much in the account"),
		("FundsUnavailable", "check the account's funds"),
	] {
		let funds = hint("Token", name).unwrap();
		assert!(funds.starts_with(words), "{name}: {funds}");
	}
	for name in ["ObservedInFuture", "ObservedTooLongAgo", "NotNewer"] {
		let clock = hint("Facts", name).unwrap();
		assert!(clock.contains("this machine's clock"), "{name}: {clock}");
	}
}

#[test]
fn files_of_this_machine_that_stop_a_command_say_what_to_do() {
	let folder = || std::path::PathBuf::from("photos");
	let location = || "file:///srv/photos/store".to_owned();
	let inside = Overlap::LocationInFolder {
		folder: folder(),
		location: location(),
	};
	let output = Overlap::OutputInLocation {
		output: folder(),
		location: location(),
	};
	for (overlap, hint) in [
		(inside, "isthmus dataset locate"),
		(output, "another --output"),
	] {
		let error = Error::from(SdkError::from(overlap));
		assert_eq!(error.kind, Kind::Failed);
		for words in ["photos", "file:///srv/photos/store"] {
			assert!(error.message.contains(words), "{}", error.message);
		}
		assert!(error.shown_hint().is_some_and(|shown| shown.contains(hint)));
	}
	let newer = || NewerFile::new(&folder(), "the upload begins again");
	let io = io::Error::from(newer());
	for error in [
		SdkError::from(newer()),
		SdkError::from(SendError::from(newer())),
		SdkError::from(io),
	] {
		assert!(matches!(error, SdkError::Newer(_)) && error.ends_signing());
		let error = Error::from(error);
		assert_eq!(error.kind, Kind::Failed);
		assert!(error
			.message
			.starts_with("photos was written by a newer release"));
	}
}

#[test]
fn a_file_system_that_does_not_take_a_file_is_said() {
	let hint = |kind: ErrorKind| {
		let path = "disk/a?b".into();
		let error = FetchError::Io {
			path,
			source: kind.into(),
		};
		Error::from(error).shown_hint().unwrap_or_default()
	};
	assert!(hint(ErrorKind::InvalidInput).contains("may not take such a name"));
	assert!(hint(ErrorKind::InvalidFilename).contains("may not take such a name"));
	assert!(hint(ErrorKind::FileTooLarge).contains("ulimit -f"));
	assert_eq!(hint(ErrorKind::PermissionDenied), "");
}

#[test]
fn a_path_that_is_too_long_is_told_from_a_name_that_is() {
	let hint = |path: String| {
		let error = FetchError::Io {
			path: path.into(),
			source: ErrorKind::InvalidFilename.into(),
		};
		Error::from(error).shown_hint().unwrap_or_default()
	};
	let deep = format!("/{}", "folder/".repeat(600));
	assert!(hint(format!("{deep}a")).starts_with("from the root on, the path is longer"));
	let long = "a".repeat(256);
	for name in ["a".to_owned(), long.clone(), format!("{deep}{long}")] {
		assert!(hint(name).contains("may not take such a name"));
	}
	let file = Error::file(deep.as_ref(), &ErrorKind::InvalidFilename.into());
	assert!(file
		.shown_hint()
		.unwrap_or_default()
		.contains("a folder with a shorter path"));
}

#[test]
fn a_folder_that_cannot_be_stored_has_a_way_out() {
	let unreadable =
		|kind: ErrorKind| UploadFolderError::Unreadable(vec![("d/a".into(), kind.into())]);
	for (error, words) in [
		(
			UploadFolderError::Names(vec!["d/a:b".into()]),
			"rename them, leave them out",
		),
		(
			unreadable(ErrorKind::PermissionDenied),
			"let this user read them, or leave",
		),
		(
			unreadable(ErrorKind::Other),
			"see whether the disk is faulty; to store the others, leave these out with --exclude",
		),
		(
			unreadable(ErrorKind::InvalidFilename),
			"from the root on, their paths are longer than the system takes: move the folder",
		),
	] {
		let error = Error::from(error);
		assert_eq!(error.kind, Kind::Failed);
		let hint = error.shown_hint().unwrap_or_default();
		assert!(hint.starts_with(words), "{hint}");
	}
	// An archive would lack it, too.
	let missing = Error::from(unreadable(ErrorKind::NotFound));
	assert_eq!(missing.shown_hint(), None);
}

#[test]
fn programs_get_all_that_an_error_lists() {
	let names = |count: usize| (0..count).map(|number| format!("d/{number}:"));
	let of_paths = |count| UploadFolderError::Names(names(count).map(Into::into).collect());
	let few = Error::from(of_paths(2));
	assert_eq!(few.listed, ["d/0:", "d/1:"]);
	let lines = few.lines();
	assert_eq!(lines.len(), 2, "{lines:?}");
	let words = "error: these names cannot be in a folder: d/0:, d/1:. A name is";
	assert!(lines[0].starts_with(words), "{lines:?}");
	let unreadable = |count| {
		let files = names(count).map(|name| (name.into(), ErrorKind::PermissionDenied.into()));
		UploadFolderError::Unreadable(files.collect())
	};
	let (from, to, others) = ("a".into(), "b".into(), names(25).collect());
	let between = LeavesError::OthersBetween { from, to, others };
	for (many, words, first) in [
		(
			Error::from(of_paths(25)),
			"error: 25 names cannot be in a folder. A name is",
			"  d/0:",
		),
		(
			Error::from(unreadable(25)),
			"error: 25 files or folders cannot be read",
			"  d/0:: permission denied",
		),
		(
			Error::from(SdkError::from(between)),
			"error: the leaves from a to b also have 25 other records: ask",
			"  d/0:",
		),
	] {
		assert_eq!(many.listed.len(), 25);
		let lines = many.lines();
		assert!(lines[0].starts_with(words), "{lines:?}");
		assert_eq!(
			(lines[1].as_str(), lines[21].as_str()),
			(first, "  and 5 more")
		);
		assert_eq!(lines.len(), 23, "{lines:?}");
		// In one line, the first ones are named.
		let message = many.message();
		assert!(message.contains(first.trim_start()), "{message}");
		assert!(message.ends_with(" and 21 more"), "{message}");
	}
	assert_eq!(few.message(), few.message);
}

#[test]
fn what_several_hints_advise_is_said_once() {
	let failed = [
		FetchError::Differs("out/a".into()),
		FetchError::NotAFile("out/b".into()),
		FetchError::Foreign("out/c".into()),
	];
	let failed = failed.map(|error| NotFetched {
		paths: vec!["a".into()],
		error,
	});
	let failed = failed.into();
	let hint = Error::from(FetchError::Incomplete { failed, files: 3 }).shown_hint();
	let expected = "choose another --output, or replace files that differ with --force; \
		move away what is there: --force replaces only files by files; remove what is in the way; \
		the same command again fetches only what is missing";
	assert_eq!(hint.as_deref(), Some(expected));
	// A name may have any words.
	let known = Error::failed("no")
		.also_known("x, or y")
		.also_known("z, or y");
	assert_eq!(known.shown_hint().as_deref(), Some("x, or y; z, or y"));
}

/// Someone who starts a chain of their own again, from the same specification, is told what to remove.
#[test]
fn a_chain_that_was_started_again_has_a_hint() {
	let (offered, known) = (1, 2);
	let answer = |code| SdkError::Rpc {
		code,
		message: "no".into(),
		reason: None,
	};
	for error in [
		SdkError::from(Unproven::from(FinalityError::Rollback { offered, known })),
		Unproven::from(FinalityError::Fork(2)).into(),
		answer(7005),
	] {
		let error = Error::from(error);
		assert_eq!(error.kind, Kind::NotAuthentic);
		let hint = error.shown_hint().unwrap_or_default();
		assert!(hint.contains("final-HASH"), "{hint}");
	}
	assert_eq!(Error::from(answer(7001)).kind, Kind::Refused);
	let other = Error::from(SdkError::from(Unproven::from(FinalityError::Malformed)));
	assert!(!other
		.shown_hint()
		.unwrap_or_default()
		.contains("final-HASH"));
}

#[test]
fn a_transaction_that_the_pool_rejects_has_a_hint() {
	for sentence in [
		"Invalid transaction: Transaction has a bad signature",
		"Invalid transaction: Transaction has an ancient birth block",
		"Transaction is temporarily banned",
		"The priority of the transaction is too low (pool 5 > current 4)",
		"The transaction could not enter the pool because of the limit",
		"Invalid transaction: Inability to pay some fees (e.g. account balance too low)",
	] {
		let error = Error::from(SdkError::NotAccepted(sentence.into()));
		assert_eq!(error.kind, Kind::Refused);
		assert!(error.shown_hint().is_some(), "{sentence}");
	}
}
