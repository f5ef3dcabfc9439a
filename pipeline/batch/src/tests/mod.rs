//! What holds for every batch; `oracle` compares with `prost`.

mod edits;
mod neighbours;
mod oracle;
mod tags;
mod tape;
