// SPDX-License-Identifier: Apache-2.0
//! Tests of the rules' public interface: each rule on its own, at its bounds, with arbitrary input, against
//! published vectors, and with Ethereum's invalid blocks.

mod asert;
mod chain;
mod changes;
mod difficulty;
mod errors;
mod gas;
mod header;
mod invalid_blocks;
mod reward;
mod seal;
mod uncles;
