//! Whatever fails and whenever the power goes: what a sender was told OK for is there, and every exporter gets it.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::forge::verify;
use super::model::World;
use super::rig::{plain, settings};
use super::verification::assert_whole;
use crate::disk::{Fault, FaultKind, NameOrder, Operation, SimulatedDisk, When};
use crate::{Retention, Settings, Verdict};

/// The clock of the readers stands still but for their sleeps, so that nobody waits for a retry.
fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

fn kinds_of_ledger() -> [Settings; 3] {
    let narrow = |base| Settings {
        segment_bytes: 700,
        ..base
    };
    let forgetful = Settings {
        retention: Retention {
            time: std::time::Duration::ZERO,
            bytes: 0,
        },
        cache_bytes: 1,
        ..narrow(plain())
    };
    [narrow(settings()), narrow(plain()), forgetful]
}

/// A short life with all that can happen in one: two processes, some requests, deliveries, letters.
async fn live(world: &mut World) {
    if !world.start() {
        return;
    }
    world.append(&[(2, 1), (1, 0)]).await;
    for exporter in 0..3 {
        world.lease(exporter).await;
    }
    world.settle(0, 0, 1, true).await;
    world.settle(1, 0, 2, false).await;
    world.append(&[(1, 2)]).await;
    world.settle(1, 0, 0, false).await;
    world.settle(2, 0, 0, true).await;
    world.append(&[(3, 1)]).await;
    world.close();
    if !world.start() {
        return;
    }
    world.append(&[(1, 1)]).await;
    world.lease(0).await;
    world.settle(0, 0, 0, true).await;
    world.close();
}

#[test]
fn a_power_cut_at_every_change_of_a_life_costs_nothing_that_was_acknowledged() {
    for settings in kinds_of_ledger() {
        let disk = SimulatedDisk::new(0);
        run(live(&mut World::new(disk.clone(), settings.clone())));
        // Threads make it a few more or less.
        let changes = disk.counts().changes + 5;
        for n in 1..=changes {
            let order = if n % 2 == 0 {
                NameOrder::Kept
            } else {
                NameOrder::Any
            };
            for (seed, order) in [(n, order), (n + 1000, NameOrder::Any)] {
                let disk = SimulatedDisk::new(seed);
                disk.set_name_order(order);
                disk.crash_at(n);
                let mut world = World::new(disk, settings.clone());
                run(async {
                    live(&mut world).await;
                    world.finish().await;
                });
            }
        }
    }
}

/// What was lost was never acknowledged, and nothing that was signed: no auditor may be told otherwise.
#[test]
fn a_power_cut_at_every_change_of_a_life_leaves_nothing_that_a_verification_calls_broken() {
    let settings = &kinds_of_ledger()[0];
    let disk = SimulatedDisk::new(0);
    run(live(&mut World::new(disk.clone(), settings.clone())));
    for n in 1..=disk.counts().changes + 5 {
        let disk = SimulatedDisk::new(n);
        disk.crash_at(n);
        let mut world = World::new(disk, settings.clone());
        run(live(&mut world));
        world.close();
        let found = verify(&world.disk.restarted());
        assert_ne!(found.verdict, Verdict::Broken, "cut at {n}: {found:#?}");
        run(world.finish());
        assert_whole(&verify(&world.disk));
    }
}

#[test]
fn a_kill_at_every_change_and_a_power_cut_later_cost_nothing_that_was_acknowledged() {
    let settings = &kinds_of_ledger()[1];
    let disk = SimulatedDisk::new(0);
    run(live(&mut World::new(disk.clone(), settings.clone())));
    for n in 1..=disk.counts().changes + 5 {
        let disk = SimulatedDisk::new(n);
        disk.set_name_order(NameOrder::Any);
        disk.kill_at(n);
        let mut world = World::new(disk, settings.clone());
        run(async {
            live(&mut world).await;
            world.restart();
            world.append(&[(1, 1), (2, 0)]).await;
            world.lease(0).await;
            world.disk.crash_losing_all();
            world.finish().await;
        });
    }
}

const OPERATIONS: [Operation; 11] = [
    Operation::CreateDirectory,
    Operation::Create,
    Operation::Append,
    Operation::Sync,
    Operation::Rename,
    Operation::SyncDirectory,
    Operation::Truncate,
    Operation::Remove,
    Operation::Open,
    Operation::List,
    Operation::Read,
];

const PLACES: [&str; 7] = [
    "segments",
    "cursors",
    "dead_letters",
    "tree",
    "checkpoint",
    "epoch.json",
    "",
];

/// Each operation fails in each way at each kind of place, in the middle of a life that goes on, ends in a power cut and
/// begins again.
#[test]
fn any_operation_that_fails_anywhere_costs_nothing_that_was_acknowledged() {
    for settings in &kinds_of_ledger()[..2] {
        for operation in OPERATIONS {
            for place in PLACES {
                for kind in [FaultKind::Io, FaultKind::NoSpace, FaultKind::Forgotten] {
                    for when in [When::Nth(1), When::Nth(2), When::From(1)] {
                        let seed = operation as u64 * 31 + kind as u64;
                        let mut world = World::new(SimulatedDisk::new(seed), settings.clone());
                        assert!(world.start());
                        run(async {
                            world.append(&[(1, 1)]).await;
                            world.lease(0).await;
                            let fault = Fault::new(operation, when, kind).below(place);
                            world.disk.fail(fault);
                            world.append(&[(2, 0)]).await;
                            world.settle(0, 0, 0, false).await;
                            world.append(&[(1, 1), (1, 1)]).await;
                            world.close();
                            if world.start() {
                                world.append(&[(1, 2)]).await;
                            }
                            world.disk.heal();
                            let taken = world.append(&[(1, 0)]).await;
                            let _ = taken;
                            world.disk.crash(seed);
                            world.finish().await;
                        });
                    }
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<(usize, usize)>),
    Lease(usize),
    Settle(usize, usize, usize, bool),
    Restart,
    Kill,
    Crash(u64),
    CrashAt(u64),
    Fail(usize, usize, usize, u64),
    Full(u64),
    Heal,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => prop::collection::vec((0..4_usize, 0..3_usize), 1..4).prop_map(Act::Append),
        5 => (0..3_usize).prop_map(Act::Lease),
        5 => (0..3_usize, 0..4_usize, 0..4_usize, any::<bool>())
            .prop_map(|(e, l, p, well)| Act::Settle(e, l, p, well)),
        1 => Just(Act::Restart),
        1 => Just(Act::Kill),
        1 => any::<u64>().prop_map(Act::Crash),
        2 => (1..40_u64).prop_map(Act::CrashAt),
        3 => (0..OPERATIONS.len(), 0..PLACES.len(), 0..3_usize, 0..5_u64)
            .prop_map(|(o, p, k, n)| Act::Fail(o, p, k, n)),
        1 => (0..2_000_u64).prop_map(Act::Full),
        2 => Just(Act::Heal),
    ]
}

async fn perform(world: &mut World, act: &Act) {
    match act {
        Act::Append(requests) => {
            world.append(requests).await;
        }
        Act::Lease(exporter) => world.lease(*exporter).await,
        Act::Settle(exporter, lease, part, well) => {
            world.settle(*exporter, *lease, *part, *well).await;
        }
        Act::Restart => world.restart(),
        Act::Kill => {
            world.disk.kill();
            world.restart();
        }
        Act::Crash(seed) => {
            world.disk.crash(*seed);
            world.restart();
        }
        Act::CrashAt(n) => world.disk.crash_at(*n),
        Act::Fail(operation, place, kind, nth) => {
            let kind = [FaultKind::Io, FaultKind::NoSpace, FaultKind::Forgotten][*kind];
            let when = match nth {
                0 => When::Chance(0.3),
                1 => When::From(1),
                nth => When::Nth(nth - 1),
            };
            let fault = Fault::new(OPERATIONS[*operation], when, kind);
            world.disk.fail(fault.below(PLACES[*place]));
        }
        Act::Full(bytes) => {
            let used = world.disk.used();
            world.disk.set_capacity(Some(used + bytes));
        }
        Act::Heal => {
            world.disk.heal();
            world.disk.set_capacity(None);
        }
    }
    // A process that ended is followed by another.
    if !world.disk.is_alive() {
        world.restart();
    }
}

fn lives(acts: &[Act], kind: usize, seed: u64, order: NameOrder) -> TestCaseResult {
    let disk = SimulatedDisk::new(seed);
    disk.set_name_order(order);
    let mut world = World::new(disk, kinds_of_ledger()[kind].clone());
    prop_assert!(world.start());
    run(async {
        for act in acts {
            perform(&mut world, act).await;
        }
        world.disk.crash(seed);
        world.finish().await;
    });
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(150),
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_in_whatever_order_every_exporter_gets_what_was_acknowledged(
        acts in prop::collection::vec(act(), 1..40), kind in 0..3_usize, seed: u64, any_order: bool,
    ) {
        let order = if any_order { NameOrder::Any } else { NameOrder::Kept };
        lives(&acts, kind, seed, order)?;
    }
}
