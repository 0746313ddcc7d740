// SPDX-License-Identifier: Apache-2.0
//! How a keeper proves, in each period, what is drawn.

use super::{Service, Step, Watch};
use crate::{
	error::Error,
	keepers::chain::{Challenge, Due},
	proven::Proven,
	types::*,
};
use isthmus_objects::prove;
use isthmus_storage_proof::{periods::Period, Proof};

/// How often to send a proof in one period, if it is refused: objects may be removed while it is in flight.
const ATTEMPTS: u32 = 3;

impl<W: Watch> Service<'_, W> {
	/// Proves what is drawn, if something is due. Returns whether there is nothing more to do in this period.
	pub(super) async fn prove(&mut self, proven: &Proven, place: &Keeper) -> Result<bool, Error> {
		let (owner, dataset) = (self.keeping.owner, self.keeping.dataset);
		let id = *self.keeper.account.id();
		let (period, _) = proven.period(self.period_length).await?;
		let in_a_row = place.in_a_row;
		if in_a_row >= self.most_missed {
			return Err(Error::Keeper(
				"the account has missed too many periods in a row: give its place up with --leave, without the deposit, and run the command again to take a new one",
			));
		}
		let default = self.period_length;
		let challenge = match proven.due(&owner, dataset, &id, place, default).await {
			Ok(Due::Proof(challenge)) => challenge,
			Ok(Due::Nothing) => return Ok(true),
			Ok(Due::Excuse(period)) => return self.excuse(period).await,
			Err(Error::Malformed { .. }) => {
				self.save_deposit(in_a_row).await?;
				return Ok(true);
			}
			Err(error) => return Err(error),
		};
		let is_refused = self.refused.0 == period && self.refused.1 >= ATTEMPTS;
		if self.proven_in == Some(period) {
			return Ok(true);
		}
		if is_refused {
			self.save_deposit(in_a_row).await?;
			return Ok(true);
		}
		let key = challenge.key;
		let Some(known) = self.objects.get_mut(&key).filter(|known| known.here) else {
			if !self.is_settled() {
				return Ok(false);
			}
			self.save_deposit(in_a_row).await?;
			return Ok(true);
		};
		let proof = prove(&self.keeping.at, &challenge.object, challenge.piece);
		let proof = match proof.await {
			Ok(proof) => proof,
			// All of it was checked or copied already: what is left is to wait until its store can be read.
			Err(_) if self.repaired_in == Some(period) => {
				self.save_deposit(in_a_row).await?;
				return Ok(true);
			}
			Err(failure) => {
				(known.here, known.damaged) = (false, true);
				self.repaired_in = Some(period);
				self.waiting.push_front(key);
				self.not_proven(period, key, failure.to_string());
				return Ok(false);
			}
		};
		self.send_proof(challenge, &proof).await
	}

	/// Sends a proof. Returns whether there is nothing more to do in this period.
	async fn send_proof(
		&mut self,
		challenge: Box<Challenge>,
		proof: &Proof,
	) -> Result<bool, Error> {
		let (owner, dataset) = (self.keeping.owner, self.keeping.dataset);
		let (period, key) = (challenge.period, challenge.key);
		let call = self.client.prove_piece(&owner, dataset, proof).await?;
		match self.client.send(&self.keeper.account, &call).await {
			Ok(included) => {
				self.proven_in = Some(period);
				self.watch.did(Step::Proven {
					challenge,
					included,
				});
				Ok(true)
			}
			Err(Error::Refused(refusal)) if refusal.error.name() == "NotDue" => {
				// Another program of the account has proven it, or an earlier run of this one.
				self.proven_in = Some(period);
				Ok(true)
			}
			Err(Error::Refused(refusal)) => {
				let before = match self.refused.0 == period {
					true => self.refused.1,
					false => 0,
				};
				self.refused = (period, before.saturating_add(1));
				self.not_proven(period, key, refusal.to_string());
				Ok(false)
			}
			Err(error) => Err(error),
		}
	}

	/// Lets a period pass in which the drawn object was stored too late to be proven.
	async fn excuse(&mut self, period: Period) -> Result<bool, Error> {
		if self.proven_in == Some(period) {
			return Ok(true);
		}
		let (owner, dataset) = (self.keeping.owner, self.keeping.dataset);
		let nothing = Proof {
			piece: Vec::new(),
			path: Vec::new(),
		};
		let call = self.client.prove_piece(&owner, dataset, &nothing).await?;
		match self.client.send(&self.keeper.account, &call).await {
			Ok(included) => self.watch.did(Step::Excused { included }),
			// Another program of the account has done it.
			Err(Error::Refused(refusal)) if refusal.error.name() == "NotDue" => {}
			// The list has changed in the meantime: the next block shows what is drawn now.
			Err(Error::Refused(_)) => return Ok(true),
			Err(error) => return Err(error),
		}
		self.proven_in = Some(period);
		Ok(true)
	}

	/// Gives the place up while a part of the deposit can be saved: each period missed in a row costs a part of it.
	async fn save_deposit(&mut self, in_a_row: u32) -> Result<(), Error> {
		if !is_time_to_leave(in_a_row, self.most_missed) {
			return Ok(());
		}
		let (owner, dataset) = (self.keeping.owner, self.keeping.dataset);
		let call = self.client.stop_keeping(&owner, dataset).await?;
		self.client.send(&self.keeper.account, &call).await?;
		Err(Error::Keeper(
			"the account has given up its place among the keepers, to save the rest of its deposit: what is drawn cannot be copied or read. Run the command again when the objects are there",
		))
	}

	fn not_proven(&mut self, period: Period, key: RecordKey, reason: String) {
		self.watch.did(Step::NotProven {
			period,
			key,
			reason,
		});
	}
}

/// Returns whether to give a place up after this many periods missed in a row: after half of those that cost the place.
fn is_time_to_leave(in_a_row: u32, most_missed: u32) -> bool {
	in_a_row >= most_missed.div_ceil(2)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_place_is_given_up_while_half_of_the_deposit_is_left() {
		let left = (0..20).find(|missed| is_time_to_leave(*missed, 12));
		assert_eq!(left, Some(6));
		assert!(!is_time_to_leave(0, 1) && is_time_to_leave(1, 1));
	}
}
