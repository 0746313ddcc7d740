// SPDX-License-Identifier: Apache-2.0
//! Errors of the SDK: the exit code of each, and what to do about it.

use super::{
	disk_hint,
	refusal::{query_hint, refusal_hint, FUNDS, NEXT_LEAF, WITHDRAW},
	Error, Hint, Kind,
};
use crate::tip::quoted_path;
use isthmus_sdk::{
	envelope::{ErasableError, RecordError, TreeError},
	ist,
	objects::{Failure, ReadError, UploadError as SendError},
	CostError, Error as SdkError, LeavesError, OperatorError, Overlap, PalletError, Rejection,
	Unproven, UploadError,
};
use std::io::ErrorKind;

/// What to do if the chain may have forgotten a revocation.
const FORGOTTEN: &str = "who of them may still read? `isthmus list given` shows what they have, and `isthmus trace dataset` the revocations; name those who may not with --except, or pass --yes if all may";

const WAIT_FOR_REQUEST: &str = "wait, and try again: isthmus requests says which are not final";
const WITHOUT_CONFIRMATIONS: &str = "leave --confirmations out; or reject it, and grant what is left: isthmus authorize --to READER --leaves FROM..TO";
/// What to do if the chain has a newer runtime than the program knows.
const NEW_RELEASE: &str = "install the program's release for this chain";

impl Error {
	/// Says of an error of the connection how much arrived before, if anything did. This is for commands that can always be
	/// run again: nothing has to be checked before.
	pub(crate) fn interrupted(mut self, arrived: Option<String>) -> Self {
		for hint in &mut self.hints {
			if matches!(hint, Hint::Words(words) if *words == LOOK) {
				*hint = Hint::Words(RESUME.into());
			}
		}
		match arrived {
			Some(arrived) if self.kind == Kind::Unreachable => self.also(format!(
				"{arrived} arrived, and the same command goes on from there"
			)),
			_ => self,
		}
	}
}

impl From<SdkError> for Error {
	fn from(error: SdkError) -> Self {
		let (kind, words) = match &error {
			error if error.goes_back() => (Kind::NotAuthentic, Some(GOES_BACK)),
			SdkError::Unproven(unproven) => unproven_hint(unproven),
			error => classify(error),
		};
		let hint = words.map(|words| Hint::Words(words.into()));
		let hint = hint.or_else(|| naming_hint(&error));
		let message = match &error {
			// `isthmus store` compares a value with the stored one, so the two differ.
			SdkError::Upload(UploadError::AlreadyStored(_)) => {
				format!("{error}, with different content")
			}
			error => error.to_string(),
		};
		let cost = match &error {
			SdkError::Cost(CostError::NotSent(cost)) => Some(Box::new(*cost)),
			_ => None,
		};
		Self {
			hints: hint.into_iter().collect(),
			cost,
			no_effect: has_no_effect(&error),
			names_own_file: matches!(
				&error,
				SdkError::Erasable(_)
					| SdkError::Newer(_)
					| SdkError::Sending(SendError::Journal { .. })
			),
			..Self::new(kind, message)
		}
		.listing_all(error.listing())
		.knowing(&known_in(&error))
	}
}

/// Returns what an error knows of the placeholders in its hint.
fn known_in(error: &SdkError) -> Vec<(&'static str, String)> {
	use OperatorError::{MustAnnounce, NotAnOperator, OutsideGrants, OwnerLacksDeposit};
	match error {
		SdkError::Operator(NotAnOperator { operator, .. } | MustAnnounce { operator, .. }) => {
			vec![("ACCOUNT", operator.to_string())]
		}
		SdkError::Operator(OutsideGrants {
			operator, scope, ..
		}) => vec![
			("OPERATOR", operator.to_string()),
			("FROM", scope.from.to_string()),
			("TO", scope.to.to_string()),
		],
		SdkError::Operator(OwnerLacksDeposit {
			owner,
			needed,
			free,
		}) => {
			let missing = ist(needed.saturating_sub(*free));
			let missing = missing.trim_end_matches(" IST").to_owned();
			vec![("OWNER", owner.to_string()), ("AMOUNT", missing)]
		}
		SdkError::DatasetIsOffered { dataset, .. } => vec![("NUMBER", dataset.to_string())],
		SdkError::Erasable(ErasableError::NotErasable { dataset, .. }) => {
			vec![("DATASET", dataset.to_string())]
		}
		SdkError::LocationAbsent { url, .. } => {
			let folder = url
				.strip_prefix("file://")
				.filter(|path| !path.contains('%'));
			let folder = folder.map(|folder| ("DIR", quoted_path(folder)));
			folder.into_iter().collect()
		}
		_ => Vec::new(),
	}
}

/// Returns whether an error says that the transaction was refused, or not sent at all.
fn has_no_effect(error: &SdkError) -> bool {
	match error {
		SdkError::Refused(_) | SdkError::Cost(_) | SdkError::InsufficientFunds { .. } => true,
		error => matches!(error.rejection(), Some(Rejection::CannotPay)),
	}
}

/// Returns the kind of an error, and a hint if one helps.
fn classify(error: &SdkError) -> (Kind, Option<&'static str>) {
	use SdkError::*;
	match error {
		Unreachable { .. } => (
			Kind::Unreachable,
			Some("start a node with `isthmus-node --dev`, or give the address of one: --url ws://HOST:PORT"),
		),
		Gone { .. } => (Kind::Unreachable, Some(WENT_AWAY)),
		Rejected { status, .. } => (Kind::Unreachable, Some(rejected_hint(*status))),
		Certificate { .. } => (Kind::Unreachable, None),
		Connection(_) => (Kind::Unreachable, Some(RESUME)),
		Sending(error) => (Kind::Failed, send_hint(error)),
		Object(error) if is_wrong(error) => (Kind::NotAuthentic, None),
		Unconfirmed { .. } => (Kind::Unreachable, Some(LOOK)),
		NotIncluded(_) | Behind { .. } => (Kind::Refused, Some(LOOK)),
		NotFinal { .. } => (
			Kind::Refused,
			Some("do not run it again, but wait until its block is finalized: isthmus status"),
		),
		Refused(refusal) => (Kind::Refused, refusal_hint(&refusal.error)),
		NotAccepted(_) => (
			Kind::Refused,
			match error.rejection() {
				Some(Rejection::CannotPay) => Some("the account cannot pay the fee: isthmus balance"),
				Some(Rejection::PoolFull) => Some("the node is busy: run the same command again later"),
				Some(Rejection::NonceTaken) => Some(SHARED),
				Some(Rejection::Overtaken) => Some("another record took the leaf, or the dataset has a new epoch or was removed: isthmus dataset list, and run the same command again"),
				_ => Some(REJECTED),
			},
		),
		InsufficientFunds { .. } => (
			Kind::Refused,
			Some("check the account's funds: isthmus balance"),
		),
		OnlyWhenFinal(_) => (Kind::Refused, Some(WITHOUT_CONFIRMATIONS)),
		RequestNotFinal(_) => (Kind::Refused, Some(WAIT_FOR_REQUEST)),
		RevocationsForgotten { .. } => (Kind::Refused, Some(FORGOTTEN)),
		RequestGone(_) => (Kind::Refused, Some("list the open requests: isthmus requests")),
		TooLate { .. } => (
			Kind::Refused,
			Some("a late answer would publish its keys without being paid: the reader can make a new request, or you can grant access without one: isthmus authorize --to READER --leaves FROM..TO"),
		),
		Query(refusal) => (Kind::Refused, query_hint(refusal)),
		StateGone(_) => (Kind::Refused, Some(OLD_STATES)),
		HistoryGone { .. } => (Kind::Refused, Some(WHOLE_HISTORY)),
		NotIndexed { .. } => (Kind::Refused, Some("try again later, or ask another node: --url")),
		NotProven { .. } => (Kind::Failed, Some(FALSE_NODE)),
		Receipt(_) => (Kind::NotAuthentic, Some(FALSE_NODE)),
		Upload(error) => upload_hint(error),
		Cost(CostError::NotEnoughFunds { .. }) => (Kind::Refused, Some(FUNDS)),
		Cost(_) => (Kind::Refused, Some("raise --max-cost, or see what it costs with --dry-run")),
		Rpc { .. } | NoSuchBlock(_) | Card(_) | PartlyErased(_) | Range(TreeError::Erased { .. }) => (Kind::Refused, None),
		error if is_refusal(error) => (Kind::Refused, None),
		Io(error) => (Kind::Failed, disk_hint(error)),
		LocationAbsent { .. } => (Kind::Failed, Some("mount the disk; if the folder is to be a new one, make it: mkdir -p DIR")),
		KeptByAnother { .. } => (Kind::Failed, Some("end that program, or keep the copies in another folder: --at")),
		WrongContent(_) => (Kind::NotAuthentic, Some("use another node: --url")),
		NoEncryptionKey(_) => (Kind::Refused, Some("the reader has to publish one first: isthmus key publish")),
		NotPostQuantum => (Kind::Refused, Some(NEW_KEY)),
		OtherSecret { .. } => (Kind::NotAuthentic, Some(OTHER_SEED)),
		Outdated { .. } | OlderRuntime { .. } => (Kind::NotAuthentic, Some(NEW_RELEASE)),
		NotController { .. } => (Kind::Refused, Some("who took it over acts with --for OWNER")),
		DatasetIsOffered { .. } => (Kind::Refused, Some(WITHDRAW)),
		Operator(error) => (Kind::Refused, operator_hint(error)),
		SeveralDatasets(_) => (Kind::Usage, Some("name one: --dataset NUMBER")),
		NoSuchGrant { .. } => (Kind::Refused, Some("list the grants: isthmus list given")),
		NotGiven { .. } | NothingToDispute(_) => (Kind::Refused, Some("list your grants: isthmus list received")),
		NothingWrong { left_out, .. } if !left_out.is_empty() => {
			(Kind::Refused, Some("ask a node that keeps old blocks about the others: --url"))
		}
		NothingWrong { .. } => (Kind::Refused, Some("name another record with --leaf, if one is still to come")),
		Name(_) | InvalidSecret | InvalidAccount | InvalidDevelopmentAccount => (Kind::Usage, None),
		Leaves(error) => leaves_hint(error),
		Erasable(error) => erasable_hint(error),
		Malformed { .. } | Record(_) | Grant(_) | Range(_) | Key(_) => unopened(error),
		_ => (Kind::Failed, None),
	}
}

/// Returns what to do if a server refuses the connection with a status.
fn rejected_hint(status: u16) -> &'static str {
	match status {
		401 | 407 => "the server asks for a name and a password: wss://NAME:PASSWORD@HOST",
		403 => "a node on the loopback interface answers only at its own address and port: forward a port of the same number, or start the node with --rpc-cors all. A web server in front of the node has to pass on the Host that the node expects",
		429 => "the server limits its connections: try again later, or ask another node: --url",
		502..=504 => "the server in front of the node does not reach it: try again later, or ask another node: --url",
		_ => "this looks like a web server: the address is that of a node's RPC, and a web server in front of a node has to pass WebSockets on (Upgrade)",
	}
}

/// Returns whether every location of an object has other bytes than it must have, or those that it must have do not decompress.
fn is_wrong(error: &ReadError) -> bool {
	let left = match error {
		ReadError::Compressed(_) => return true,
		ReadError::NoneLeft(left) => left,
		_ => return false,
	};
	let mut failures = left.iter().map(|left| &left.failure);
	!left.is_empty() && failures.all(Failure::is_wrong)
}

/// Returns whether an error refuses something by what is on the chain, in a sentence that says all.
fn is_refusal(error: &SdkError) -> bool {
	use SdkError::*;
	matches!(
		error,
		NoFreeLeaf { .. }
			| NoSuchDataset { .. }
			| NoDataset(_)
			| NoSuchRequest { .. }
			| AlreadyAsked(_)
			| NoLocation(_)
			| NotWritable { .. }
			| NothingLeft
	)
}

/// Returns the kind of an error about what a node does not prove, and a hint.
fn unproven_hint(error: &Unproven) -> (Kind, Option<&'static str>) {
	let hint = match error {
		Unproven::NotLocal => return (Kind::Usage, Some("leave --trust-node out")),
		Unproven::WrongGenesis { .. } => "ask a node of the right chain. If the chain was started again on purpose, name it: --genesis HASH",
		Unproven::TwoChains(_) => "give only addresses of one chain, or name the right one: --genesis HASH",
		Unproven::UnknownStorage { .. } => NEW_RELEASE,
		_ => "the node lies or is damaged: ask another one: --url ws://HOST:PORT",
	};
	(Kind::NotAuthentic, Some(hint))
}

/// Returns the hint for an error that names something, such as the record to remove.
fn naming_hint(error: &SdkError) -> Option<Hint> {
	use UploadError::*;
	Some(match error {
		SdkError::Upload(AlreadyStored(key)) => Hint::remove(OTHER_NAME, Some(*key)),
		SdkError::Upload(ValueChanged { .. } | LengthChanged { .. }) => {
			Hint::remove(OTHER_VALUE, None)
		}
		SdkError::Upload(EpochOver { key, .. }) => Hint::Remove {
			before: "",
			record: Some(*key),
			after: ", and then the same command again",
		},
		SdkError::Refused(refusal) if refusal.error == PalletError::KeyTaken => {
			Hint::remove(OTHER_NAME, None)
		}
		SdkError::Overlap(overlap) => Hint::Words(overlap_hint(overlap).into()),
		SdkError::NoFreeLeaf { dataset, .. } => {
			Hint::Words(format!("isthmus dataset epoch {dataset}").into())
		}
		SdkError::NoSuchDataset { owner, .. } => {
			let list = "list the datasets: isthmus list datasets --owner";
			Hint::Words(format!("{list} {owner}").into())
		}
		_ => return None,
	})
}

/// Returns the kind of an error about a value that cannot be stored, and a hint if one helps.
fn upload_hint(error: &UploadError) -> (Kind, Option<&'static str>) {
	match error {
		UploadError::ChangedWhileRead { .. } => (Kind::Failed, Some(STEADY)),
		UploadError::ValueChanged { .. } | UploadError::LengthChanged { .. } => {
			(Kind::Failed, None)
		}
		UploadError::TooLong { .. } => (Kind::Refused, Some(AS_OBJECT)),
		UploadError::LeafTaken(_) => (Kind::Refused, Some(NEXT_LEAF)),
		UploadError::NotCurrentEpoch { .. } => (
			Kind::Refused,
			Some("run the same command again to store in the current epoch"),
		),
		UploadError::Overtaken => (Kind::Refused, Some(SHARED)),
		UploadError::PlaceGone => (Kind::Refused, Some("run the same command again")),
		_ => (Kind::Refused, None),
	}
}

/// Returns what to do if folders lie in one another.
fn overlap_hint(overlap: &Overlap) -> &'static str {
	match overlap {
		Overlap::LocationInFolder { .. } | Overlap::FolderInLocation { .. } => {
			"store another folder; or move the objects, and say where they are: isthmus dataset locate DATASET URL"
		}
		Overlap::OutputInLocation { .. } => "choose another --output",
		_ => "store another folder",
	}
}

/// Returns a hint for an object that was not sent.
fn send_hint(error: &SendError) -> Option<&'static str> {
	match error {
		SendError::Store { failure, .. } => failure.is_passing().then_some(RESUME),
		SendError::Journal { source, .. } => disk_hint(source),
		SendError::NotAsLong { .. } => Some(STEADY),
		SendError::GivenUp => Some("run the same command again"),
		SendError::Changed { .. }
		| SendError::LengthChanged { .. }
		| SendError::OtherForm { .. }
		| SendError::Elsewhere { .. } => Some(OTHER_UPLOAD),
		_ => None,
	}
}

/// Returns the kind of an error about leaves that are asked for by names, and a hint if one helps.
fn leaves_hint(error: &LeavesError) -> (Kind, Option<&'static str>) {
	use LeavesError::*;
	match error {
		Backwards { .. } | NumberOrName { .. } => (Kind::Usage, None),
		OtherEpoch { .. } | NoEpoch { .. } => {
			(Kind::Refused, Some("name the epoch: --epoch NUMBER"))
		}
		OthersBetween { .. } | ManyBetween { .. } => (
			Kind::Refused,
			Some("to mean all between them: --all-between"),
		),
		_ => (Kind::Refused, None),
	}
}

/// Returns the kind of an error about data that does not open, and a hint if one helps.
fn unopened(error: &SdkError) -> (Kind, Option<&'static str>) {
	let is_other_key = matches!(error, SdkError::Record(RecordError::WrongKey));
	(Kind::NotAuthentic, is_other_key.then_some(ERASABLE_FILE))
}

/// Returns what to do if an operator cannot answer for its owner.
fn operator_hint(error: &OperatorError) -> Option<&'static str> {
	use OperatorError::*;
	match error {
		NotAnOperator { .. } => Some("the owner names it, and waits until that is final: isthmus operator add ACCOUNT"),
		MustAnnounce { .. } => Some("the owner names it without a delay: isthmus operator add ACCOUNT"),
		OutsideGrants { .. } => Some("the owner answers it, or grants these leaves to the operator: isthmus authorize --to OPERATOR --leaves FROM..TO"),
		WrongKeys { .. } => Some("the owner checks its key file, revokes this grant and gives another one: isthmus key verify"),
		NoSecret { .. } => Some("only the owner can do this"),
		OwnerLacksDeposit { .. } => Some("send the owner what is missing, and wait until that is final: isthmus transfer OWNER AMOUNT --finalized"),
		_ => None,
	}
}

fn erasable_hint(error: &ErasableError) -> (Kind, Option<&'static str>) {
	use ErasableError::*;
	match error {
		DoesNotOpen { .. } | Missing { .. } => (
			Kind::NotAuthentic,
			Some("bring back the newest copy of this file; the 24 words do not bring its keys back"),
		),
		NotErasable { .. } => (
			Kind::Refused,
			Some("remove it without --erase. For what is stored from now on: isthmus dataset epoch DATASET --erasable"),
		),
		NoFile => (Kind::Refused, Some("use a key file: isthmus key generate")),
		Io { error, .. } => {
			let is_in_the_way = matches!(
				error.kind(),
				ErrorKind::IsADirectory | ErrorKind::InvalidInput
			);
			let in_the_way = is_in_the_way.then_some(NO_LIST);
			(Kind::Failed, disk_hint(error).or(in_the_way))
		}
		_ => (Kind::Failed, None),
	}
}

/// The hint for something else in the place of the list of erasable keys.
const NO_LIST: &str =
	"the erasable keys are kept in a file there, beside the key file: move away what is in its place, and bring back the newest copy of the file, if there was one";

/// The hint for a record that exists with other content.
pub(super) const OTHER_NAME: &str = "store it under another --name, or remove the record first: ";

/// The hint for a value that is not the one whose upload began.
const OTHER_VALUE: &str = "store it under another --name, or remove the unfinished record: ";

/// The hint for a value that is too long for blocks.
const AS_OBJECT: &str = "store it as an object, which may have up to 1 TiB: isthmus dataset locate DATASET URL, and then --object in place of --in-blocks; or split it, and store the parts as a folder";

/// The hint for an object that is not the one whose upload began.
pub(super) const OTHER_UPLOAD: &str = "store it under another --name: this one's unfinished upload goes on only with what it began with";

/// The hint for a file that changes while it is read.
pub(super) const STEADY: &str =
	"run the same command again when nothing writes to it, or store a copy of it";

/// The hint for a node that does not have the whole history.
const WHOLE_HISTORY: &str = "start later with --from BLOCK, or ask a node that keeps all block bodies, as nodes do without --blocks-pruning";

/// The hint for a node that has pruned a state.
const OLD_STATES: &str = "this node keeps only the states of recent blocks: use one that runs with --state-pruning archive";

/// The hint for a node that sends what is not proven.
const FALSE_NODE: &str = "this node is faulty or lies: ask another one";

/// The hint if the records of an epoch were stored with another seed.
const OTHER_SEED: &str = "the same account is in another key file, with another seed: use that file, or bring it back from its 24 words (isthmus key restore). isthmus key verify checks a file. The keys of erasable epochs are in a file beside it, with .erasable after its name";

/// The hint for a record that another key opens.
const ERASABLE_FILE: &str = "if the record is your own and its keys can be erased, they are in a file beside your key file, with .erasable after its name: bring that file back";

/// The hint if a key is not a post-quantum one.
const NEW_KEY: &str =
	"the reader has to publish a new key: isthmus key rotate; or leave out --pq-only";

/// The hint if a node does not have the block that was final before.
const GOES_BACK: &str = "the node lies, or has not caught up with its chain yet: ask another one: --url ws://HOST:PORT. If the chain was started again on purpose from the same first block, remove what this machine remembers of it: the file final-HASH, with the hash of that block, in $XDG_CONFIG_HOME/isthmus, by default ~/.config/isthmus";

/// The hint if a node's pool rejected a transaction for a reason that nothing here can mend.
const REJECTED: &str = "the chain may just have changed to another branch or another runtime: see whether it took effect, for example with `isthmus balance`, and run the same command again; if it is rejected again, ask another node: --url ws://HOST:PORT";

/// The hint if the node that answered before does not any more.
pub(super) const WENT_AWAY: &str = "the node went away: start it again, or give the address of another node of the same chain (--url ws://HOST:PORT), and run the same command again";

/// The hint after a connection was lost, and after what can always be run again.
const RESUME: &str = "run the same command again to resume";

/// The hint if a transaction was sent and may still be included.
const LOOK: &str = "the transaction may still be included: check whether it took effect, for example with `isthmus balance`, before you run this again";

/// The hint if another program uses the same account.
const SHARED: &str = "another program seems to use the same account: run the same command again";
