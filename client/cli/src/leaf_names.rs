// SPDX-License-Identifier: Apache-2.0
//! What leaves are called where commands list them: by the names and dates in the cards of their datasets.

use crate::{catalog::Cards, context::Context, error::Error, options::variable, text::Range};
use isthmus_sdk::{AccountId, DatasetId, Error as SdkError, LeafNames, Proven, Scope};
use std::{
	collections::{btree_map::Entry, BTreeMap},
	path::PathBuf,
};

/// The option of commands that list leaves.
#[derive(clap::Args)]
pub(crate) struct FromCards {
	/// Show leaves by their names and dates in these cards of datasets: files, or folders of files that end with .jsonld or
	/// .json; may be repeated [default: $ISTHMUS_CARDS]
	#[arg(long, value_name = "PATH")]
	cards: Vec<PathBuf>,
}

impl FromCards {
	/// Reads the cards, if leaves are listed.
	///
	/// # Errors
	///
	/// Returns an error if a card cannot be read, or cards are named and no leaves are listed.
	pub(crate) fn read_if(self, lists_leaves: bool) -> Result<Names, Error> {
		match (lists_leaves, self.cards.is_empty()) {
			(true, _) => self.read(),
			(false, true) => Names::in_cards(&[], false),
			(false, false) => Err(Error::usage(
				"--cards is for `list records`, `list given` and `list received`",
			)),
		}
	}

	/// Reads the cards.
	pub(crate) fn read(self) -> Result<Names, Error> {
		let mut paths = self.cards;
		let is_asked = !paths.is_empty();
		if !is_asked {
			paths.extend(variable("ISTHMUS_CARDS").map(PathBuf::from));
		}
		Names::in_cards(&paths, is_asked)
	}
}

/// What the leaves of datasets are called.
pub(crate) struct Names {
	cards: Cards,
	/// Whether the cards were named on the command line.
	is_asked: bool,
	/// The finalized state, once it was needed.
	proven: Option<Proven>,
	/// What is known of datasets, by their owners and numbers.
	known: BTreeMap<([u8; 32], DatasetId), Option<LeafNames>>,
}

impl Names {
	/// Reads the cards at these paths.
	fn in_cards(paths: &[PathBuf], is_asked: bool) -> Result<Self, Error> {
		Ok(Self {
			cards: Cards::read(paths)?,
			is_asked,
			proven: None,
			known: BTreeMap::new(),
		})
	}

	/// Names the cards that are no listed dataset's, if they were named on the command line.
	pub(crate) fn tell_unused(&self) {
		if self.is_asked {
			self.cards.tell_unused();
		}
	}

	/// Returns a range with the names of its leaves, if the card of its dataset is at hand: the one whose hash is on the chain.
	pub(crate) async fn range(
		&mut self,
		context: &Context,
		owner: &AccountId,
		scope: &Scope,
	) -> Result<Range, Error> {
		let called = self.text(context, owner, scope).await?;
		Ok(Range::from(scope).called(called))
	}

	/// Returns what leaves are called, if the card of their dataset is at hand.
	pub(crate) async fn text(
		&mut self,
		context: &Context,
		owner: &AccountId,
		scope: &Scope,
	) -> Result<Option<String>, Error> {
		let names = self.of(context, owner, scope.dataset).await?;
		Ok(names.and_then(|names| names.text(scope)))
	}

	/// Returns the names of a dataset's leaves, if its card is at hand.
	async fn of(
		&mut self,
		context: &Context,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<&LeafNames>, Error> {
		if self.cards.is_empty() {
			return Ok(None);
		}
		let place = match self.known.entry((owner.0, dataset)) {
			Entry::Occupied(known) => return Ok(known.into_mut().as_ref()),
			Entry::Vacant(place) => place,
		};
		let proven = match &mut self.proven {
			Some(proven) => proven,
			none => none.insert(context.client.proven().await?),
		};
		let card = match proven.card(owner, dataset).await {
			// It was removed, or is not final yet.
			Err(SdkError::NoSuchDataset { .. }) => None,
			card => card?,
		};
		let said = card.and_then(|card| self.cards.said(&card.hash, owner, dataset));
		let names = said.map(|said| LeafNames {
			names: said.leaves,
			epoch: said.epoch,
		});
		Ok(place.insert(names).as_ref())
	}
}
