//! Short programs.
