//! Room for the items of a cache or a dataset, in huge pages where they can be had: the reads of Ethash
//! are all over it, and with pages of 4 KiB most of them would wait for an address translation first.

use crate::{error::Error, item::Item};

/// A number of items, zero at first.
pub(crate) struct Memory {
	#[cfg(feature = "std")]
	map: memmap2::MmapMut,
	#[cfg(not(feature = "std"))]
	items: alloc::vec::Vec<Item>,
}

impl Memory {
	/// Refused, not aborted, where the memory can't be had. The system gives it page by page, when it is
	/// first written to.
	#[cfg(feature = "std")]
	pub(crate) fn zeroed(items: u64) -> Result<Self, Error> {
		let bytes = items.saturating_mul(size_of::<Item>() as u64);
		let refused = Error::OutOfMemory { bytes };
		let length = usize::try_from(bytes).map_err(|_| refused.clone())?;
		let map = memmap2::MmapMut::map_anon(length).map_err(|_| refused)?;
		// A wish: where the system has no huge pages, small ones do.
		#[cfg(target_os = "linux")]
		let _ = map.advise(memmap2::Advice::HugePage);
		Ok(Self { map })
	}

	/// Refused, not aborted, where the memory can't be had.
	#[cfg(not(feature = "std"))]
	pub(crate) fn zeroed(count: u64) -> Result<Self, Error> {
		let refused = Error::OutOfMemory {
			bytes: count.saturating_mul(size_of::<Item>() as u64),
		};
		let count = usize::try_from(count).map_err(|_| refused.clone())?;
		let mut items = alloc::vec::Vec::new();
		items.try_reserve_exact(count).map_err(|_| refused)?;
		items.resize(count, Item::ZERO);
		Ok(Self { items })
	}

	/// The items.
	#[cfg(feature = "std")]
	pub(crate) fn items(&self) -> &[Item] {
		use zerocopy::FromBytes;
		<[Item]>::ref_from_bytes(&self.map).expect(WHOLE)
	}

	/// The items, to change.
	#[cfg(feature = "std")]
	pub(crate) fn items_mut(&mut self) -> &mut [Item] {
		use zerocopy::FromBytes;
		<[Item]>::mut_from_bytes(&mut self.map).expect(WHOLE)
	}

	/// The items.
	#[cfg(not(feature = "std"))]
	pub(crate) fn items(&self) -> &[Item] {
		&self.items
	}

	/// The items, to change.
	#[cfg(not(feature = "std"))]
	pub(crate) fn items_mut(&mut self) -> &mut [Item] {
		&mut self.items
	}
}

#[cfg(feature = "std")]
const WHOLE: &str = "a map begins at a page, and its length was made a multiple of an item's; qed";
