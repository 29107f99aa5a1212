//! Short programs, each one idea: see `src/bin`. The README's programs are compiled with the tests.

#![cfg_attr(doctest, doc = include_str!("../../README.md"))]
