// SPDX-License-Identifier: Apache-2.0
//! Tests of the node's own RPC methods.

mod block;
mod mining;
mod nonces;
mod risk;
mod sharing;
mod verification;
