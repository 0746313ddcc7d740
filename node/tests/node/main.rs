// SPDX-License-Identifier: Apache-2.0
//! The parts of the node that can be tested without a running one, through the library: its own test build
//! would compile the whole node a second time. `scripts/tests` tests the running node.

mod cli;
mod miners;
mod producer_identity;
mod producer_transaction;
mod rpc;
mod verifiers;
