//! What conditions say about records, and what the parser says about mistakes.

mod evaluate;
mod parse;
mod round_trip;
