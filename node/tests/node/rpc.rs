// SPDX-License-Identifier: Apache-2.0
//! The RPC methods.

mod block;
mod mining;
mod risk;
mod verification;
