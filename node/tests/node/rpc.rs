// SPDX-License-Identifier: Apache-2.0
//! The RPC methods.

mod block;
mod mining;
mod nonces;
mod risk;
mod sharing;
mod verification;
