// SPDX-License-Identifier: Apache-2.0
//! Tests the invalid blocks of Ethereum's test suite (ethereum/tests, BlockchainTests/InvalidBlocks), rebuilt
//! on a chain of our own. Each test has the suite's name for its block, and checks which error rejects the
//! block here. Some of the suite's blocks are valid at Homestead, and are accepted here too.
//!
//! As in the suite, an uncle "from block n" is a child of block n other than block n + 1.
//!
//! Some of the suite's blocks are missing, because no header rule decides about them:
//!
//! | name | rejected by |
//! |---|---|
//! | `wrongCoinbase` | execution: changing H_c breaks the seal and, if the block is sealed again, the state root is wrong |
//! | `wrongGasUsed` (within H_l) | execution: the runtime deposits H_g and compares it with the header's |
//! | `wrongStateRoot` | execution: the state root that the runtime computes |
//! | `wrongTransactionsTrie` | `validate_extrinsics_root`: isthmus-engine, `a_body_that_is_not_the_headers_is_rejected` |
//! | `incorrectUncleTimestamp2` | execution: its uncle is valid, but its state root is wrong |
//! | `wrongReceiptTrie`, `log1_wrongBloom` | nowhere: there is no receipt trie and no bloom here |
//!
//! Uncles are not executed, on Ethereum as here. So an uncle's own state root, H_c and H_g are never compared
//! with an execution's results, and an uncle with `wrongStateRoot` is accepted.

mod header;
mod uncle_header;
mod uncles;
