// SPDX-License-Identifier: Apache-2.0
//! Allocates memory for the items of a cache or a dataset, in huge pages if the system has them. Ethash reads
//! at random addresses, and with pages of 4 KiB most reads would first wait for an address translation.

use crate::{error::Error, item::Item};

/// An array of items, initially zero.
pub(crate) struct Memory {
	#[cfg(feature = "std")]
	map: memmap2::MmapMut,
	#[cfg(not(feature = "std"))]
	items: alloc::vec::Vec<Item>,
}

impl Memory {
	/// Allocates items. The system provides each page when it is first written to.
	///
	/// # Errors
	///
	/// Returns [`Error::OutOfMemory`], instead of aborting, if the allocation fails.
	#[cfg(feature = "std")]
	pub(crate) fn zeroed(items: u64) -> Result<Self, Error> {
		let bytes = items.saturating_mul(size_of::<Item>() as u64);
		let refused = Error::OutOfMemory { bytes };
		let length = usize::try_from(bytes).map_err(|_| refused.clone())?;
		let map = memmap2::MmapMut::map_anon(length).map_err(|_| refused)?;
		// This is only advice: small pages work too.
		#[cfg(target_os = "linux")]
		let _ = map.advise(memmap2::Advice::HugePage);
		Ok(Self { map })
	}

	/// Allocates items.
	///
	/// # Errors
	///
	/// Returns [`Error::OutOfMemory`], instead of aborting, if the allocation fails.
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

	/// Returns the items.
	#[cfg(feature = "std")]
	pub(crate) fn items(&self) -> &[Item] {
		use zerocopy::FromBytes;
		<[Item]>::ref_from_bytes(&self.map).expect(WHOLE)
	}

	/// Returns the items for writing.
	#[cfg(feature = "std")]
	pub(crate) fn items_mut(&mut self) -> &mut [Item] {
		use zerocopy::FromBytes;
		<[Item]>::mut_from_bytes(&mut self.map).expect(WHOLE)
	}

	/// Returns the items.
	#[cfg(not(feature = "std"))]
	pub(crate) fn items(&self) -> &[Item] {
		&self.items
	}

	/// Returns the items for writing.
	#[cfg(not(feature = "std"))]
	pub(crate) fn items_mut(&mut self) -> &mut [Item] {
		&mut self.items
	}
}

#[cfg(feature = "std")]
const WHOLE: &str = "a map begins at a page, and its length is a multiple of an item's; qed";
