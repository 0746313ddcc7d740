// SPDX-License-Identifier: Apache-2.0
//! The rules from outside: each one alone, at its bounds, under arbitrary input, against published
//! vectors, and in the words of Ethereum's invalid blocks.

mod chain;
mod difficulty;
mod errors;
mod gas;
mod header;
mod invalid_blocks;
mod reward;
mod seal;
mod uncles;
