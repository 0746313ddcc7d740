// SPDX-License-Identifier: Apache-2.0
//! Grants for ranges in which leaves were erased: one for each range that is left.
//!
//! The keys in a grant open all leaves of its range, so it cannot leave any out. The reader sees the leaves that are left out by
//! the ranges of its grants and, if it asked for them, by the reason with which its request is rejected.

use super::{
	answers::{answer, expiry, last_block, settled},
	grant, key_of,
	keys::seal,
};
use crate::{
	account::Identity,
	call::Call,
	client::{Client, Depth},
	error::Error,
	state::State,
	types::*,
};
use isthmus_envelope::PartlyErased;
use isthmus_sharing::terms::{MAX_GRANTS_PER_READER, MAX_TEXT_SIZE};

/// A call that grants a range, or what is left of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Given {
	/// The call.
	pub call: Call,
	/// What is left of the range and granted, and what was erased; `None` if no leaf was erased.
	pub cut: Option<PartlyErased>,
}

impl From<Call> for Given {
	fn from(call: Call) -> Self {
		Self { call, cut: None }
	}
}

/// Makes a call that gives a grant on these terms, as [`grant()`](super::grant()) does. If leaves of the range were erased, it
/// gives one for each range that is left, all or none.
///
/// # Errors
///
/// Returns [`Error::PartlyErased`] if nothing is left of the range, or more ranges than a reader can have grants, and the
/// errors of [`grant()`](super::grant()).
pub async fn grant_left(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
) -> Result<Given, Error> {
	match grant(client, state, owner, terms).await {
		Err(Error::PartlyErased(cut)) => {
			let calls = calls(client, state, owner, terms, &cut).await?;
			together(client, calls, cut).await
		}
		call => Ok(call?.into()),
	}
}

/// Makes a call that grants what a request asks for, as [`authorize`](super::authorize) does. If leaves of the range were
/// erased, no grant can answer the request: the call then rejects it, with a reason that names these leaves, and gives a grant
/// for each range that is left, for as long as the request asks and sealed to the reader's registered key. The owner takes the
/// deposits for them. All of this happens or none.
///
/// These grants answer no request, so the chain keeps neither the purpose with them nor the digest of what was agreed. The
/// reason of the rejection names the purpose instead. A rejection names its request by the number only, which on another branch of the
/// chain may be another request's: the request has to be final.
///
/// # Errors
///
/// Returns [`Error::PartlyErased`] if leaves were erased, and the request offers a payment or asks for a firm term, which only
/// its answer could get, nothing is left, or more ranges are than a reader can have grants. Returns
/// [`Error::OnlyWhenFinal`] if leaves were erased and `depth` is another one than [`Depth::Final`],
/// [`Error::NoEncryptionKey`] if leaves were erased and the reader has registered no key, and the errors of
/// [`authorize`](super::authorize).
pub async fn authorize_left(
	client: &Client,
	owner: &Identity,
	id: RequestId,
	request: &Request,
	depth: Depth,
) -> Result<Given, Error> {
	let best = settled(client, id, request, depth).await?;
	let cut = match answer(client, &best, owner, id, request, 0).await {
		Err(Error::PartlyErased(cut)) if request.offer == 0 && !request.firm => cut,
		call => return Ok(call?.into()),
	};
	if depth != Depth::Final {
		return Err(Error::OnlyWhenFinal(id));
	}
	let terms = Terms {
		grantee: request.consumer,
		scope: request.scope,
		expiry: expiry(&best, request.term),
		until: None,
		request: None,
		condition: None,
	};
	let given = calls(client, &best, owner, &terms, &cut).await?;
	// The request counts as one of the grants that the reader can have, so it goes first.
	let mut calls = vec![client.reject_request(id, &reason(&cut, request)).await?];
	calls.extend(given);
	let Given { call, cut } = together(client, calls, cut).await?;
	let call = call.no_later_than(last_block(request.valid_until, best.block().number));
	Ok(Given { call, cut })
}

/// Returns the reason with which a request for leaves that were erased is rejected. It is public, and all that is left of the
/// purpose, of which it has as much as fits.
fn reason(cut: &PartlyErased, request: &Request) -> String {
	let (erased, code) = (cut.erased_leaves(), request.code);
	let words = String::from_utf8_lossy(&request.purpose.0);
	let mut reason = format!(
		"{erased} were erased; grants given with this answer open the others; purpose {code}: {words}"
	);
	const MORE: &str = "...";
	let most = MAX_TEXT_SIZE as usize;
	if reason.len() > most {
		reason.truncate(reason.floor_char_boundary(most - MORE.len()));
		reason.push_str(MORE);
	}
	reason
}

/// Makes the calls that grant the ranges that are left, on the same terms.
async fn calls(
	client: &Client,
	state: &State,
	owner: &Identity,
	terms: &Terms,
	cut: &PartlyErased,
) -> Result<Vec<Call>, Error> {
	if cut.left.is_empty() || cut.left.len() > MAX_GRANTS_PER_READER as usize {
		return Err(Error::PartlyErased(cut.clone()));
	}
	let key = key_of(client, state, owner, terms).await?;
	let mut calls = Vec::new();
	for range in &cut.left {
		let terms = Terms {
			scope: Scope {
				from: range.start(),
				to: range.end(),
				..terms.scope
			},
			..terms.clone()
		};
		let sealed = seal(client, owner, &terms, &key)?;
		calls.push(client.add_authorize(&terms, &sealed).await?);
	}
	Ok(calls)
}

/// Combines calls so that all of them take effect or none.
async fn together(client: &Client, calls: Vec<Call>, cut: PartlyErased) -> Result<Given, Error> {
	let call = match &calls[..] {
		[only] => only.clone(),
		calls => client.batch(calls).await?,
	};
	let cut = Some(cut);
	Ok(Given { call, cut })
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::example::EPOCH;
	use isthmus_envelope::{EpochKeys, ErasableTree, Range};

	/// A request with this purpose.
	fn request(code: PurposeCode, purpose: &str) -> Request {
		Request {
			owner: [1; 32].into(),
			consumer: [2; 32].into(),
			scope: Scope {
				dataset: 0,
				epoch: 0,
				from: 0,
				to: 6,
			},
			purpose: Text(purpose.into()),
			code,
			term: 500,
			offer: 0,
			firm: false,
			key: Vec::new(),
			valid_until: 1000,
			deposit: 0,
		}
	}

	#[test]
	fn the_reason_of_a_rejection_fits_however_many_leaves_were_erased() {
		let mut tree = ErasableTree::new(EPOCH, [3; 32]);
		let start = u32::MAX - 100;
		for leaf in (start..u32::MAX).step_by(2) {
			tree.erase(leaf);
		}
		let range = Range::new(start.into(), u64::from(u32::MAX)).unwrap();
		let cut = EpochKeys::Erasable(tree).cut(range);
		assert_eq!(cut.left.len(), 50);
		for purpose in [
			"a study",
			&"x".repeat(256),
			&"ü".repeat(128),
			&"\u{1f40b}".repeat(64),
		] {
			let reason = reason(&cut, &request(PurposeCode::PublicPolicy, purpose));
			for part in [
				"and 46 more ranges were erased",
				"; purpose public-policy: ",
				&purpose[..4],
			] {
				assert!(reason.contains(part), "{reason}");
			}
			assert!(reason.len() <= MAX_TEXT_SIZE as usize, "{reason}");
			assert_eq!(reason.ends_with("..."), purpose != "a study", "{reason}");
		}
	}
}
