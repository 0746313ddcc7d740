// SPDX-License-Identifier: Apache-2.0
//! The blocks of a simulated network, and each node's database.

use isthmus_primitives::{BlockNumber, Hash};
use isthmus_sync::machine::{Head, Ledger, Link, Place};
use std::{
	cell::{Cell, RefCell},
	collections::{HashMap, HashSet},
	rc::Rc,
};

/// A node's or a liar's name. A liar that connects again has a new one.
pub(crate) type Name = u32;

/// What is wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
	/// Nothing.
	None,
	/// The header breaks a rule that needs the parent.
	Header,
	/// The header is from the future: it becomes valid at this time, in milliseconds.
	Early(u64),
	/// The block breaks a rule that only the import checks.
	Rule,
	/// The import of the block fails.
	Execution,
}

/// A block.
#[derive(Clone, Debug)]
pub(crate) struct SimBlock {
	pub(crate) hash: Hash,
	pub(crate) parent: Hash,
	pub(crate) number: BlockNumber,
	/// The weight of the chain that ends with the block.
	pub(crate) weight: u64,
	/// The size of the body, in bytes.
	pub(crate) size: u64,
	pub(crate) fault: Fault,
}

impl Link for SimBlock {
	fn hash(&self) -> Hash {
		self.hash
	}

	fn parent(&self) -> Hash {
		self.parent
	}

	fn number(&self) -> BlockNumber {
		self.number
	}
}

/// All blocks that exist.
#[derive(Default)]
pub(crate) struct Store {
	blocks: RefCell<HashMap<Hash, SimBlock>>,
	made: Cell<u64>,
}

impl Store {
	/// Makes the store with the genesis block.
	pub(crate) fn new() -> (Rc<Self>, Hash) {
		let store = Self::default();
		let genesis = store.add(Hash::zero(), 0, 0, 0, Fault::None);
		(Rc::new(store), genesis)
	}

	/// Returns a hash that no block has.
	pub(crate) fn no_hash(&self) -> Hash {
		self.made.set(self.made.get() + 1);
		// Spread the bits, so that hashes are not in the order of their making.
		let mixed = self.made.get().wrapping_mul(0x9e37_79b9_7f4a_7c15);
		Hash::from_low_u64_be(mixed)
	}

	/// Makes a block.
	pub(crate) fn add(
		&self,
		parent: Hash,
		number: BlockNumber,
		weight: u64,
		size: u64,
		fault: Fault,
	) -> Hash {
		let hash = self.no_hash();
		let block = SimBlock {
			hash,
			parent,
			number,
			weight,
			size,
			fault,
		};
		self.blocks.borrow_mut().insert(hash, block);
		hash
	}

	/// Makes a child of a block.
	pub(crate) fn child(&self, parent: Hash, work: u64, size: u64, fault: Fault) -> Hash {
		let (number, weight) = match self.get(&parent) {
			Some(block) => (block.number + 1, block.weight + work),
			None => (1, work),
		};
		self.add(parent, number, weight, size, fault)
	}

	/// Returns a block.
	pub(crate) fn get(&self, hash: &Hash) -> Option<SimBlock> {
		self.blocks.borrow().get(hash).cloned()
	}

	/// Returns the parent of a block and its number.
	pub(crate) fn link(&self, hash: &Hash) -> Option<(Hash, BlockNumber)> {
		let blocks = self.blocks.borrow();
		let block = blocks.get(hash)?;
		Some((block.parent, block.number))
	}
}

/// A node's database.
pub(crate) struct Database {
	store: Rc<Store>,
	known: RefCell<HashSet<Hash>>,
	canonical: RefCell<Vec<Hash>>,
	finalized: Cell<BlockNumber>,
	/// What is finalized right after the number was read.
	soon: Cell<BlockNumber>,
	best: RefCell<SimBlock>,
}

impl Database {
	/// Makes a database with the genesis block.
	pub(crate) fn new(store: Rc<Store>, genesis: Hash) -> Rc<Self> {
		let block = store.get(&genesis).unwrap();
		Rc::new(Self {
			store,
			known: RefCell::new(HashSet::from([genesis])),
			canonical: RefCell::new(vec![genesis]),
			finalized: Cell::new(0),
			soon: Cell::new(0),
			best: RefCell::new(block),
		})
	}

	/// Returns whether a block is in the database.
	pub(crate) fn has(&self, hash: &Hash) -> bool {
		self.known.borrow().contains(hash)
	}

	/// Returns the best block.
	pub(crate) fn head(&self) -> SimBlock {
		self.best.borrow().clone()
	}

	/// Returns the number of the finalized block.
	pub(crate) fn finalized_number(&self) -> BlockNumber {
		self.finalized.get()
	}

	/// Finalizes the block of the best chain with this number.
	pub(crate) fn finalize(&self, number: BlockNumber) {
		self.finalized.set(self.finalized.get().max(number));
	}

	/// Finalizes a block as an import on another thread does: right after the state machine has read which one is
	/// finalized.
	pub(crate) fn finalize_soon(&self, number: BlockNumber) {
		self.soon.set(number);
	}

	/// Returns the block of the best chain with this number.
	pub(crate) fn at(&self, number: BlockNumber) -> Option<Hash> {
		self.canonical.borrow().get(number as usize).copied()
	}

	/// Adds a block, whose parent must be in the database. The heaviest block becomes the best.
	pub(crate) fn insert(&self, block: &SimBlock) {
		assert!(self.has(&block.parent), "imports are in order");
		self.known.borrow_mut().insert(block.hash);
		if block.weight <= self.best.borrow().weight || !self.is_live(&block.hash) {
			return;
		}
		let mut canonical = self.canonical.borrow_mut();
		canonical.resize(block.number as usize + 1, block.hash);
		let (mut hash, mut number) = (block.hash, block.number as usize);
		loop {
			if number + 1 < canonical.len() && canonical[number] == hash {
				break;
			}
			canonical[number] = hash;
			let Some((parent, _)) = self.store.link(&hash).filter(|_| number > 0) else {
				break;
			};
			hash = parent;
			number -= 1;
		}
		*self.best.borrow_mut() = block.clone();
	}

	/// Removes a block.
	pub(crate) fn remove(&self, hash: &Hash) {
		self.known.borrow_mut().remove(hash);
	}

	/// Returns whether a block is the finalized one or descends from it.
	fn is_live(&self, hash: &Hash) -> bool {
		let Some((mut parent, mut number)) = self.store.link(hash) else {
			return false;
		};
		let mut hash = *hash;
		let finalized = self.finalized.get();
		while number > finalized {
			if self.at(number) == Some(hash) {
				return true;
			}
			hash = parent;
			let Some((above, n)) = self.store.link(&hash) else {
				return false;
			};
			(parent, number) = (above, n);
		}
		number == finalized && self.at(number) == Some(hash)
	}
}

/// A node's database, as the state machine sees it.
pub(crate) struct SimLedger(pub(crate) Rc<Database>);

impl Ledger for SimLedger {
	type Peer = Name;
	type Header = SimBlock;
	type Facts = ();
	type Block = SimBlock;
	type Weight = u64;

	fn place(&self, hash: &Hash) -> Place {
		match self.0.has(hash) {
			false => Place::Unknown,
			true if self.0.is_live(hash) => Place::Live,
			true => Place::Dead,
		}
	}

	fn best(&self) -> Head<u64> {
		let best = self.0.best.borrow();
		Head {
			hash: best.hash,
			number: best.number,
			weight: best.weight,
		}
	}

	fn finalized(&self) -> BlockNumber {
		let finalized = self.0.finalized.get();
		self.0.finalize(self.0.soon.take());
		finalized
	}

	fn canonical(&self, number: BlockNumber) -> Option<Hash> {
		self.0.at(number)
	}
}
