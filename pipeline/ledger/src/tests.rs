//! The ledger as a whole, on disks that fail as disks do.

mod ahead;
mod attacks;
mod basics;
mod clock;
mod cursors;
mod damage;
mod dead_letters;
mod directories;
mod erasure;
mod fixture;
mod forge;
mod full;
mod keeping;
mod model;
mod numbers;
mod offline;
mod power_loss;
mod readers;
mod restarts;
mod retention;
mod rig;
mod starts;
mod verification;
