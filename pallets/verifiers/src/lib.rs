//! Which producers' nodes verify blocks.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
