// SPDX-License-Identifier: Apache-2.0
//! The Ethereum test suite's invalid blocks (ethereum/tests, BlockchainTests/InvalidBlocks), under the
//! suite's names, on a chain of ours: which rule each block violates here, and the error that rejects it.
//! Some of the suite's blocks are valid at Homestead, and are accepted here too.
//!
//! As in the suite, an uncle "from block n" is a child of block n other than block n + 1.
//!
//! These blocks are missing, because no rule of the header decides them:
//!
//! | name | rejected by |
//! |---|---|
//! | `wrongCoinbase` | a change of H_c breaks the seal, and after a new seal the state root: execution |
//! | `wrongGasUsed` (within H_l) | execution: the runtime deposits H_g and compares the header's |
//! | `wrongStateRoot` | execution: the state root that the runtime computes |
//! | `wrongTransactionsTrie` | `validate_extrinsics_root`: isthmus-engine, `a_body_that_is_not_the_headers_is_rejected` |
//! | `incorrectUncleTimestamp2` | execution: its uncle is valid, and its state root wrong |
//! | `wrongReceiptTrie`, `log1_wrongBloom` | nowhere: there is no receipt trie and no bloom here |
//!
//! An uncle's own state root, H_c and H_g are never executed, on Ethereum as here, so
//! `wrongStateRoot` of an uncle is accepted.

mod header;
mod uncle_header;
mod uncles;
