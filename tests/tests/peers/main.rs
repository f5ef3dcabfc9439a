//! Sluice between real servers. Each test says in its name what was real; `tests/peers/README.md` says where they come
//! from. Without a peer a test only says why it did not run; with `CI=true` that is a failure.

mod chain;
mod peer;
mod reload;
mod search;
mod telemetrygen;
mod toxic;
