//! Start, stop, and the state over a restart.

use std::path::Path;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;

fn kept(folder: &Path) -> SandboxConfig {
    SandboxConfig {
        folder: Some(folder.to_owned()),
        ..config()
    }
}

#[tokio::test]
async fn the_state_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing has changed yet"
    );
    bench.push("one", &people(3)).await;
    bench.push("two", &people(2)).await;
    let before = bench.json("/employees").await["data"]["data"][2]["subscription"].clone();
    bench.sandbox.stop().await.unwrap();

    let bench = Bench::with(kept(folder.path())).await;
    assert_eq!(bench.statuses().await, ["active", "active", "cancelled"]);
    let after = bench.json("/employees").await["data"]["data"][2]["subscription"].clone();
    assert_eq!(after, before);
    assert_eq!(
        bench.json("/hr-integrations/7").await["data"]["lastSyncId"],
        "two"
    );
    bench.push("three", &[person("new")]).await;
    assert_eq!(bench.json("/employees").await["data"]["data"][3]["id"], 4);
}

#[tokio::test]
async fn a_push_that_waits_survives_a_restart_with_its_count() {
    let folder = tempfile::tempdir().unwrap();
    let later = Processing::Later { after_requests: 3 };
    let late = || SandboxConfig {
        behaviour: Behaviour {
            processing: later,
            ..Behaviour::default()
        },
        ..kept(folder.path())
    };
    let bench = Bench::with(late()).await;
    bench.push("one", &people(1)).await;
    bench.get("/employees").await;
    bench.get("/employees").await;
    bench.sandbox.stop().await.unwrap();
    let bench = Bench::with(late()).await;
    assert_eq!(bench.json("/employees").await["data"]["total"], 0);
    assert_eq!(bench.json("/employees").await["data"]["total"], 1);
}

#[tokio::test]
async fn people_to_begin_with_are_there_only_where_no_state_is() {
    let folder = tempfile::tempdir().unwrap();
    let seed = SeedEmployee {
        email: "s@example.com".to_owned(),
        ..SeedEmployee::default()
    };
    let seeded = || SandboxConfig {
        seed: vec![seed.clone()],
        ..kept(folder.path())
    };
    for people in [2, 3] {
        let bench = Bench::with(seeded()).await;
        bench.push("one", &[person(&format!("p{people}"))]).await;
        assert_eq!(bench.json("/employees").await["data"]["total"], people);
        bench.sandbox.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_second_sandbox_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Sandbox::start(kept(folder.path())).await.unwrap();
    let refused = Sandbox::start(kept(folder.path())).await;
    assert!(matches!(refused, Err(SandboxError::FolderInUse { .. })));
    first.stop().await.unwrap();
    Sandbox::start(kept(folder.path())).await.unwrap();
}

#[tokio::test]
async fn a_damaged_state_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sandbox.json"), "{\"version\":1").unwrap();
    let error = Sandbox::start(kept(folder.path()))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("sandbox.json is damaged"), "{error}");
    assert!(error.ends_with("delete it to begin anew"), "{error}");
}

#[tokio::test]
async fn a_push_that_cannot_be_saved_is_500_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    bench.push("one", &people(3)).await;
    let before = bench.json("/employees").await;
    // A folder where the new file belongs cannot be written by anyone, not even by root.
    std::fs::create_dir(folder.path().join(".sandbox.json.new")).unwrap();
    let mut changed = people(2);
    changed[0]["lastName"] = json!("New");
    changed.push(person("new"));
    assert_eq!(bench.push("two", &changed).await.status(), 500);
    assert_eq!(bench.json("/employees").await, before);
    assert_eq!(
        bench.json("/hr-integrations/7").await["data"]["lastSyncId"],
        "one"
    );
    std::fs::remove_dir(folder.path().join(".sandbox.json.new")).unwrap();
    assert_eq!(bench.push("two", &changed).await.status(), 204);
    assert_eq!(
        bench.statuses().await,
        ["active", "active", "cancelled", "active"]
    );
}

#[tokio::test]
async fn only_a_loopback_address_is_listened_on() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let refused = Sandbox::start(SandboxConfig { listen, ..config() }).await;
    assert!(matches!(refused, Err(SandboxError::NotLoopback { .. })));
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let first = Sandbox::start(config()).await.unwrap();
    let refused = Sandbox::start(SandboxConfig {
        listen: first.address(),
        ..config()
    })
    .await;
    assert!(matches!(refused, Err(SandboxError::Listen { .. })));
}

#[tokio::test]
async fn stop_lets_a_running_request_finish() {
    let bench = Bench::new().await;
    bench
        .fault(json!({"kind": {"delay_after": {"ms": 300}}}))
        .await;
    let running = tokio::spawn(bench.sync("one", &people(1)).send());
    bench
        .wait_until(|state| state["employees"][0]["id"] == 1)
        .await;
    bench.sandbox.stop().await.unwrap();
    assert_eq!(running.await.unwrap().unwrap().status(), 204);
}

#[tokio::test]
async fn stop_does_not_wait_for_idle_connections() {
    let sandbox = Sandbox::start(config()).await.unwrap();
    let idle = TcpStream::connect(sandbox.address()).await.unwrap();
    sandbox.stop().await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_dropped_sandbox_is_gone() {
    let sandbox = Sandbox::start(config()).await.unwrap();
    let address = sandbox.address();
    drop(sandbox);
    while TcpStream::connect(address).await.is_ok() {}
}

#[tokio::test]
async fn serve_until_ends_with_its_shutdown() {
    let (ready, told) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or(()) };
    let serving = tokio::spawn(serve_until(config(), shutdown, |address| {
        ready.send(address).unwrap();
    }));
    let address = told.await.unwrap();
    assert!(TcpStream::connect(address).await.is_ok());
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

#[test]
fn the_secret_and_the_people_stay_out_of_the_debug_form() {
    let seed = SeedEmployee {
        email: "s@example.com".to_owned(),
        ..SeedEmployee::default()
    };
    let text = format!(
        "{:?}",
        SandboxConfig {
            seed: vec![seed],
            ..config()
        }
    );
    assert!(
        !text.contains("secret") && !text.contains("s@example.com"),
        "{text}"
    );
}
