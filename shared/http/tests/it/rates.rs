//! How often a client may call.

use std::net::IpAddr;

use sop_runtime::flow;
use sop_runtime::port::{Clock, QueueName};

use crate::request::{Answer, Ask, ask};
use crate::world::World;

fn deploy(world: &World) -> Ask {
    ask("POST /sop/deploy").bearer(&world.token).body("{}")
}

fn header(answer: &Answer, name: &str) -> String {
    answer.headers.get(name).map_or(String::new(), |it| it.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_client_has_its_quota_in_each_minute() {
    let world = World::with(|gateway| gateway.webhook_rate_limit_per_minute = 3).await;
    world.clock.advance(45_500);
    let mut left = Vec::new();
    for _ in 0..3 {
        let answer = deploy(&world).send(&world).await;
        assert_eq!(answer.status, 202);
        assert_eq!(header(&answer, "ratelimit-policy"), "\"webhook\";q=3;w=60");
        left.push(header(&answer, "ratelimit"));
    }
    let t = &left[0][left[0].find(";t=").unwrap()..].to_owned();
    assert_eq!(left, ["2", "1", "0"].map(|r| format!("\"webhook\";r={r}{t}")));
    let answer = deploy(&world).send(&world).await;
    assert_eq!((answer.status, answer.code()), (429, "too_many"));
    assert_eq!(header(&answer, "ratelimit"), left[2]);
    let wait: i64 = header(&answer, "retry-after").parse().unwrap();
    assert_eq!(format!(";t={wait}"), *t);
    // Refused ones change nothing, and are not counted.
    for _ in 0..10 {
        deploy(&world).refused(&world, 429, "too_many", &[]).await;
    }
    // Another caller, and a sender who is told by its address, have quotas of their own.
    let other = world.another_token().await;
    ask("POST /sop/deploy").bearer(&other).body("{}").taken(&world, 202).await;
    ask("PUT /sop/open").body("{}").taken(&world, 202).await;
    // Who did not come in is not counted.
    for _ in 0..10 {
        ask("POST /sop/deploy").bearer("wrong").refused(&world, 401, "unauthorized", &[]).await;
    }
    // A little too early, and in time.
    world.clock.advance((wait - 1) * 1_000);
    deploy(&world).refused(&world, 429, "too_many", &[]).await;
    world.clock.advance(1_000);
    deploy(&world).taken(&world, 202).await;
    assert_eq!(world.memory.backlog(QueueName::Events), 6);
}

#[tokio::test]
async fn those_without_a_token_are_told_by_their_address() {
    let limit = |gateway: &mut flow::settings::Gateway| gateway.webhook_rate_limit_per_minute = 1;
    let world = World::with(limit).await;
    let open = |address: &str| ask("PUT /sop/open").from(address.parse::<IpAddr>().unwrap());
    open("192.0.2.1").taken(&world, 202).await;
    // What a client writes about itself is not believed.
    let lying = open("192.0.2.1").header("x-forwarded-for", "192.0.2.77");
    lying.refused(&world, 429, "too_many", &[]).await;
    open("192.0.2.2").taken(&world, 202).await;
    open("2001:db8::1").taken(&world, 202).await;
    open("2001:db8::2").refused(&world, 429, "too_many", &[]).await;
    let world = World::with(|gateway| {
        limit(gateway);
        gateway.trust_forwarded_for = true;
    })
    .await;
    let behind = |chain: &str| open("10.0.0.1").header("x-forwarded-for", chain);
    behind("203.0.113.9, 192.0.2.1").taken(&world, 202).await;
    behind("203.0.113.8, 192.0.2.1").refused(&world, 429, "too_many", &[]).await;
    behind("192.0.2.1, 192.0.2.2").taken(&world, 202).await;
    behind("not an address").taken(&world, 202).await;
    open("10.0.0.1").refused(&world, 429, "too_many", &[]).await;
}

#[tokio::test]
async fn pairing_is_counted_too() {
    let world = World::with(|gateway| gateway.pair_rate_limit_per_minute = 2).await;
    let code = flow::new_code(&world.host).await.unwrap();
    let offer = |text: &str| ask("POST /pair").header("x-pairing-code", text);
    offer("x").refused(&world, 403, "wrong_code", &["tokens", "rates"]).await;
    let answer = offer("").send(&world).await;
    assert_eq!(
        (answer.status, header(&answer, "ratelimit-policy")),
        (400, "\"pair\";q=2;w=60".into())
    );
    offer(&code).refused(&world, 429, "too_many", &[]).await;
    world.clock.advance(60_000);
    offer(&code).taken(&world, 200).await;
}

/// Sixty clients at twice their limit, each in its own minute's worth of requests: exactly the quota of each
/// passes, whatever the order, and each that passed is on the queue.
#[tokio::test]
async fn of_sixty_clients_at_twice_their_limit_exactly_the_quota_passes() {
    const CLIENTS: usize = 60;
    const QUOTA: u32 = 60;
    let world = World::with(|gateway| gateway.webhook_rate_limit_per_minute = QUOTA).await;
    // A window is a minute of the clock.
    world.clock.advance(60_000 - world.clock.now().as_millis().rem_euclid(60_000));
    let mut tokens = Vec::new();
    for _ in 0..CLIENTS {
        tokens.push(world.another_token().await);
    }
    let mut passed = vec![0_u32; CLIENTS];
    for second in 0..60_i64 {
        for _ in 0..2 {
            for (token, passed) in tokens.iter().zip(&mut passed) {
                let answer = ask("POST /sop/deploy").bearer(token).body("{}").send(&world).await;
                match answer.status {
                    202 => *passed += 1,
                    429 => {
                        let wait = header(&answer, "retry-after");
                        assert_eq!(wait, (60 - second).to_string(), "at {second} s");
                    }
                    other => panic!("{other}: {}", answer.body),
                }
            }
        }
        world.clock.advance(1_000);
    }
    assert_eq!(passed, vec![QUOTA; CLIENTS]);
    assert_eq!(world.memory.backlog(QueueName::Events), CLIENTS * QUOTA as usize);
}
