// SPDX-License-Identifier: Apache-2.0
//! Tests for the parts of the node that can be tested without running it. They are integration tests
//! because unit tests would make us compile the whole node twice.
//!
//! The tests in `scripts/tests` cover a running node.

mod arguments;
mod changes;
mod cli;
mod genesis;
mod logging;
mod miners;
mod producer_identity;
mod producer_transaction;
mod proposer;
mod reminder;
mod rpc;
mod rpc_origins;
mod tasks;
mod verifiers;
mod watch;
