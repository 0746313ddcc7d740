// SPDX-License-Identifier: Apache-2.0
//! The tests of the pallet, by subject.

mod conditions;
mod credentials;
mod random;
mod reports;
mod sources;
mod watching;
