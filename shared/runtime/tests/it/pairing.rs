//! Pairing codes and tokens.

use sop_runtime::flow::{self, Paired};

use crate::house::House;

async fn wrong(house: &House, code: &str) -> Paired {
    let other = if code == "000000" { "000001" } else { "000000" };
    flow::redeem(&house.host, other).await.unwrap()
}

/// A code opens once, within ten minutes.
#[tokio::test]
async fn a_code_is_used_once() {
    let house = House::new();
    assert_eq!(flow::redeem(&house.host, "123456").await.unwrap(), Paired::Wrong, "none is open");
    let code = flow::new_code(&house.host).await.unwrap();
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
    let paired = flow::redeem(&house.host, &format!(" {code}\n")).await.unwrap();
    let Paired::Token { token, subject } = paired else { panic!("{paired:?}") };
    let known = flow::authenticate(&house.host, &token).await.unwrap().unwrap();
    assert_eq!(known.subject, subject);
    for bad in ["", "sop_", &token[1..], &token.to_uppercase(), &format!("{token} ")] {
        assert_eq!(flow::authenticate(&house.host, bad).await.unwrap(), None, "{bad:?}");
    }
    assert_eq!(flow::redeem(&house.host, &code).await.unwrap(), Paired::Wrong, "used up");
    let code = flow::new_code(&house.host).await.unwrap();
    house.clock.advance(600_000);
    assert_eq!(flow::redeem(&house.host, &code).await.unwrap(), Paired::Wrong, "too old");
}

/// The fifth wrong try locks, even for the right code, until the time is over or a new code is made.
#[tokio::test]
async fn five_wrong_tries_lock() {
    let house = House::new();
    let code = flow::new_code(&house.host).await.unwrap();
    for _ in 1..5 {
        assert_eq!(wrong(&house, &code).await, Paired::Wrong);
    }
    let until = house.host.now().plus_millis(300_000);
    assert_eq!(wrong(&house, &code).await, Paired::Locked { until });
    assert_eq!(flow::redeem(&house.host, &code).await.unwrap(), Paired::Locked { until });
    house.clock.advance(299_999);
    assert_eq!(flow::redeem(&house.host, &code).await.unwrap(), Paired::Locked { until });
    house.clock.advance(1);
    assert!(matches!(flow::redeem(&house.host, &code).await.unwrap(), Paired::Token { .. }));
    for _ in 1..=5 {
        wrong(&house, &code).await;
    }
    let code = flow::new_code(&house.host).await.unwrap();
    assert!(matches!(flow::redeem(&house.host, &code).await.unwrap(), Paired::Token { .. }));
}

/// Of two that redeem one code at once, one is paired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_is_paired() {
    for _ in 0..50 {
        let house = House::new();
        let code = flow::new_code(&house.host).await.unwrap();
        let (one, two) = (house.other(), house.other());
        let other = code.clone();
        let one = tokio::spawn(async move { flow::redeem(&one, &code).await.unwrap() });
        let two = tokio::spawn(async move { flow::redeem(&two, &other).await.unwrap() });
        let answers = [one.await.unwrap(), two.await.unwrap()];
        let paired = answers.iter().filter(|answer| matches!(answer, Paired::Token { .. }));
        assert_eq!(paired.count(), 1, "{answers:?}");
    }
}
