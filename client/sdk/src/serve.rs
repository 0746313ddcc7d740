//! Answering requests by itself: an owner's program that grants what the datasets' policies allow.
//!
//! Which requests a policy allows is the chain's own judgement. That nothing is granted twice is the
//! chain's doing too: a grant that answers a request takes the request away, in one step, so a second
//! one is refused, whoever sends it and however often this program is ended and started again.

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	sharing,
	state::{every, State},
	tx::Included,
	types::*,
};
use std::collections::{HashMap, HashSet};
use tokio::{sync::mpsc, task::JoinSet};

/// How many answers are on their way at most.
const IN_FLIGHT: usize = 64;

/// What the owner allows besides what the policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
	/// Only these datasets; `None` for all that have a policy.
	pub datasets: Option<Vec<DatasetId>>,
	/// How many requests are granted before it ends; `None` for no end.
	pub grants: Option<u64>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Served {
	/// Its number.
	pub request: RequestId,
	/// Who asked, for what, and what for.
	pub asked: Request,
	/// The block of the grant, or why there is none. What can be tried again is.
	pub outcome: Result<Included, Error>,
}

/// Grants what the policies allow, request after request, and tells of each. Ends when the limit is
/// reached, or with an error when the connection does.
///
/// # Errors
///
/// [`Error::Connection`], after which it may be called again.
pub async fn serve(
	client: &Client,
	owner: &Identity,
	limits: &Limits,
	mut tell: impl FnMut(Served),
) -> Result<(), Error> {
	let mut heads = client.heads().await?;
	let (done, mut answers) = mpsc::channel::<Served>(IN_FLIGHT);
	// Ends what it watches when this function does.
	let mut watching = JoinSet::new();
	let mut answering: HashSet<RequestId> = HashSet::new();
	// Why a request cannot be answered, so that it is told once and not upon every block.
	let mut told: HashMap<RequestId, String> = HashMap::new();
	let mut granted = 0u64;
	loop {
		let best = client.best().await?;
		for entry in every(|after| best.requests_to(owner.id(), after)).await? {
			let room = limits
				.grants
				.is_none_or(|most| granted.saturating_add(answering.len() as u64) < most);
			let allowed = limits
				.datasets
				.as_ref()
				.is_none_or(|datasets| datasets.contains(&entry.request.scope.dataset));
			let meets = entry.verdict == Verdict::Meets;
			let in_time = best.block().number < entry.request.valid_until;
			if !(room && allowed && meets && in_time)
				|| answering.len() >= IN_FLIGHT
				|| answering.contains(&entry.id)
			{
				continue;
			}
			let RequestEntry { id, request, .. } = entry;
			match answer(client, &best, owner, id, &request).await {
				Ok(mut pending) => {
					answering.insert(id);
					let done = done.clone();
					watching.spawn(async move {
						let outcome = pending.included().await;
						let served = Served {
							request: id,
							asked: request,
							outcome,
						};
						// Nobody listens any more when the program ends.
						let _ = done.send(served).await;
					});
				}
				Err(error @ (Error::Connection(_) | Error::Unreachable { .. })) => {
					return Err(error)
				}
				Err(error) => {
					let reason = error.to_string();
					if told.insert(id, reason.clone()) != Some(reason) {
						tell(Served {
							request: id,
							asked: request,
							outcome: Err(error),
						});
					}
				}
			}
		}
		// Until there is a new block, and whatever was answered in the meantime.
		let mut next = std::pin::pin!(heads.next());
		loop {
			tokio::select! {
				head = &mut next => { head?; break }
				Some(served) = answers.recv() => {
					answering.remove(&served.request);
					granted += u64::from(served.outcome.is_ok());
					tell(served);
					if limits.grants.is_some_and(|most| granted >= most) {
						return Ok(());
					}
				}
				Some(_) = watching.join_next() => {}
			}
		}
	}
}

async fn answer(
	client: &Client,
	best: &State,
	owner: &Identity,
	id: RequestId,
	request: &Request,
) -> Result<crate::tx::Pending, Error> {
	let call = sharing::authorize(client, best, owner, id, request).await?;
	client.submit(&owner.account, &call).await
}
