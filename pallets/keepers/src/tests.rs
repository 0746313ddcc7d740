// SPDX-License-Identifier: Apache-2.0
//! The tests of the pallet, by subject.

mod objects;
mod periods;
mod places;
mod pots;
mod proofs;
mod random;
