// SPDX-License-Identifier: Apache-2.0
//! Tests of the parts of the node that do not need a running node, through the library: unit tests in the
//! library would compile the whole node a second time. `scripts/tests` tests the running node.

mod cli;
mod miners;
mod producer_identity;
mod producer_transaction;
mod rpc;
mod verifiers;
