// SPDX-License-Identifier: Apache-2.0
//! Tests the verifiers pallet, with one file per topic.

mod applying;
mod equivocation;
mod government;
mod keys;
mod random;
mod sessions;
mod state;
mod voting;
