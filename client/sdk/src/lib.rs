//! What a program does with an Isthmus chain.

#![forbid(unsafe_code)]
