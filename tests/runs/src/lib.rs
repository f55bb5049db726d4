//! The runs have no code of their own but what their tests share.
