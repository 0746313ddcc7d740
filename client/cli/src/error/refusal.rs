// SPDX-License-Identifier: Apache-2.0
//! What to do about a refusal: by the chain, of a call or a query.

use isthmus_sdk::{PalletError, QueryRefusal};

/// Returns a hint for a call that the chain refused.
pub(super) fn refusal_hint(error: &PalletError) -> Option<&'static str> {
	use PalletError::*;
	Some(match error {
		NotController => "`isthmus list datasets --owner OWNER` shows who controls the dataset; if that is you, pass --for OWNER. An operator of the owner runs requests, authorize, reject and serve for it, and nothing else",
		NotOffered => "the dataset's controller must offer it first: isthmus dataset transfer NUMBER --to ACCOUNT",
		DatasetIsOffered => WITHDRAW,
		HoldsMore => "run the command again to take over what is held now",
		NotRegistered => "register first: isthmus register --kind school NAME",
		NoEncryptionKey => "publish your encryption key first: isthmus key publish",
		UnknownDataset => "list the datasets: isthmus list datasets",
		UnknownRequest => {
			"list the requests: isthmus requests, or isthmus requests --mine for your own"
		}
		UnknownGrant => "list the grants: isthmus list given, or isthmus list received for those that you were given",
		TermPaidFor => {
			"`isthmus list given` shows until which block the reader paid for a firm term; to close what you store from now on: isthmus dataset epoch NUMBER"
		}
		AlreadyRequested => "list your requests: isthmus requests --mine",
		TooManyGrants => {
			"the reader has too many grants and open requests on this epoch: give one up (isthmus renounce), cancel one (isthmus request --cancel), or revoke one (isthmus revoke)"
		}
		DatasetClosed => "the owner takes no more requests for it",
		TermTooShort => "ask for a longer --term, or without --offer",
		NothingToDispute => "a grant can be disputed for half of its term, for at least 24 blocks and at most a day",
		WrongSecret => "use the key file with which the request was made: --key",
		FirmNotOffered => "see the policy: isthmus list datasets --owner OWNER; or ask without --firm",
		GrantEnded => "list the grants: isthmus list given, or isthmus list received for those that you were given",
		LeafTaken => NEXT_LEAF,
		RecordPaidFor => {
			"`isthmus list given` shows the grants and until which block they are paid for; revoke one: isthmus revoke. If the one that covered the record has ended, count again: isthmus dataset recount. \
			 What was sold within a day may be disputed, and stays until then"
		}
		UnknownRecord => "list your records: isthmus list records",
		SelfRequest => "fetch your own records without a grant: isthmus fetch",
		NameTaken | NotOwner | UnknownSource => "list the sources: isthmus facts list",
		NameOfAnother => "choose another name",
		SourceIsClosed => "its owner can open it again: isthmus facts change SOURCE",
		NotReporter => "the source's owner can add the account: isthmus facts change SOURCE --reporters ACCOUNTS",
		ObservedInFuture | ObservedTooLongAgo | NotNewer => CLOCK,
		NoReport => "list the reports: isthmus facts list SOURCE",
		UnknownCredential => "list the account's credentials: isthmus facts credentials ACCOUNT",
		DatasetNameTaken => "list your datasets: isthmus dataset list",
		AlreadyRegistered => "to change the name, leave and register again: isthmus register --leave",
		ProducerHasDatasets => "remove them: isthmus dataset list, isthmus dataset remove NUMBER",
		DatasetInUse => "list what it still contains: isthmus dataset list",
		Other { pallet, name } if pallet == "Token" => match name.as_str() {
			"BelowMinimum" | "CannotCreate" | "CannotCreateHold" => {
				"send more: what an account gets first has to be that much"
			}
			"NotExpendable" | "OnlyProvider" => {
				"leave that much in the account, which cannot be emptied: isthmus balance"
			}
			_ => FUNDS,
		},
		Other { pallet, .. } if pallet == "Arithmetic" => FUNDS,
		Other { name, .. } if name == "InsufficientBalance" => FUNDS,
		_ => return None,
	})
}

pub(super) fn query_hint(refusal: &QueryRefusal) -> Option<&'static str> {
	use QueryRefusal::*;
	match refusal {
		NotAuthorised | OutOfRange | Expired | Revoked => {
			Some("see your grants: isthmus list received")
		}
		Suspended => Some("see its condition, and try again when it is met: isthmus list received"),
		Embargoed => Some("see its condition: isthmus list embargoes --owner OWNER"),
		Incomplete => {
			Some("the owner has to finish the upload, with the same isthmus store as before")
		}
		UnknownRecord => None,
	}
}

/// The hint if a leaf is taken.
pub(super) const NEXT_LEAF: &str = "omit --leaf to use the next free leaf";

/// The hint if a dataset is offered to another account.
pub(super) const WITHDRAW: &str =
	"withdraw the offer first: isthmus dataset transfer NUMBER --withdraw";

/// The hint if an account lacks funds.
pub(super) const FUNDS: &str = "check the account's funds: isthmus balance";

/// The hint if the chain does not take the time of an observation.
const CLOCK: &str = "the time is --observed, or that of this machine's clock, which may be wrong: compare `date -u` with a clock that is right";
