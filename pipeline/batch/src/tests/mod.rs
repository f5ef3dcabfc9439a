//! What holds for every batch; `oracle` compares with `prost`.

mod edits;
mod oracle;
mod tape;
