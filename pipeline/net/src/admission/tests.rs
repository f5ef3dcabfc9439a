use super::*;

const KIB: usize = 1024;

#[test]
fn a_charge_fits_exactly_and_is_given_back_when_dropped() {
    let admission = Admission::new(10);
    let mut charge = admission.charge();
    charge.add(10).unwrap();
    assert_eq!(charge.add(1), Err(Full));
    assert_eq!((charge.bytes(), admission.used()), (10, 10));
    assert_eq!(admission.charge().add(1), Err(Full));
    drop(charge);
    assert_eq!(admission.used(), 0);
}

#[test]
fn raising_a_charge_takes_only_what_is_missing() {
    let admission = Admission::new(10);
    let mut charge = admission.charge();
    charge.raise_to(4).unwrap();
    charge.raise_to(3).unwrap();
    charge.raise_to(6).unwrap();
    assert_eq!(admission.used(), 6);
    assert_eq!(charge.raise_to(11), Err(Full));
    assert_eq!(admission.used(), 6);
}

#[tokio::test(start_paused = true)]
async fn arriving_bodies_may_use_half_of_the_budget_and_what_has_arrived_no_longer_counts_there() {
    let admission = Admission::new(100);
    let mut first = admission.arrival();
    first.add(50).await.unwrap();
    let mut second = admission.arrival();
    assert_eq!(second.add(1).await, Err(Full));
    let first = first.arrived();
    second.add(50).await.unwrap();
    assert_eq!(admission.used(), 100);
    drop((first, second));
    assert_eq!(admission.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_slowest_body_gives_way_to_a_good_one() {
    let admission = Admission::new(200 * KIB);
    let mut stalled = admission.arrival();
    stalled.add(40 * KIB).await.unwrap();
    let mut slow = admission.arrival();
    slow.add(60 * KIB).await.unwrap();
    tokio::time::advance(LEAST_AGE).await;
    let victim = tokio::spawn(async move {
        stalled.asked_to_give_way().await;
        drop(stalled);
    });
    let mut good = admission.arrival();
    good.add(30 * KIB).await.unwrap();
    victim.await.unwrap();
    assert_eq!(admission.used(), 90 * KIB);
}

#[tokio::test(start_paused = true)]
async fn a_body_younger_than_a_second_does_not_give_way() {
    let admission = Admission::new(100);
    let mut young = admission.arrival();
    young.add(50).await.unwrap();
    tokio::time::advance(LEAST_AGE - Duration::from_millis(1)).await;
    assert_eq!(admission.arrival().add(1).await, Err(Full));
    tokio::select! {
        biased;
        () = young.asked_to_give_way() => panic!("too young to give way"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn the_slowest_body_itself_is_turned_away_at_once() {
    let admission = Admission::new(200);
    let mut slow = admission.arrival();
    slow.add(1).await.unwrap();
    tokio::time::advance(LEAST_AGE * 10).await;
    let mut fast = admission.arrival();
    fast.add(99).await.unwrap();
    let before = Instant::now();
    assert_eq!(slow.add(1).await, Err(Full));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_give_way_is_not_waited_for_longer_than_a_second() {
    let admission = Admission::new(100);
    let mut stuck = admission.arrival();
    stuck.add(50).await.unwrap();
    tokio::time::advance(LEAST_AGE).await;
    let before = Instant::now();
    assert_eq!(admission.arrival().add(1).await, Err(Full));
    assert_eq!(before.elapsed(), PATIENCE);
}
