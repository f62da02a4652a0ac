use super::*;
use crate::sandbox::behaviour::{LinksAfterOffboarding, Others};
use crate::sandbox::employee::{ACTIVE, CANCELLED};
use crate::sandbox::seed::{SeedEmployee, SeedLink};

const OURS: u64 = 7;
const THEIRS: u64 = 8;

fn day(day: u32) -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(2026, 3, day)
        .unwrap()
        .and_hms_opt(8, 0, 0)
        .unwrap()
        .and_utc()
}

fn person(hr_id: &str) -> Person {
    Person {
        hr_id: hr_id.to_owned(),
        first_name: "Anna".to_owned(),
        last_name: "M".to_owned(),
        email: format!("{hr_id}@example.com"),
        date_of_birth: None,
        profile_image: None,
        start_date: None,
        termination_date: None,
    }
}

fn push(sync_id: &str, hr_ids: &[&str]) -> Push {
    Push {
        integration: OURS,
        sync_id: sync_id.to_owned(),
        people: hr_ids.iter().map(|hr_id| person(hr_id)).collect(),
        named: Named::default(),
    }
}

fn seed(world: &mut World, email: &str, links: &[(&str, u64)]) {
    let link = |&(hr_id, hr_integration_id): &(&str, u64)| SeedLink {
        hr_id: hr_id.to_owned(),
        hr_integration_id,
    };
    let seed = SeedEmployee {
        email: email.to_owned(),
        links: links.iter().map(link).collect(),
        ..SeedEmployee::default()
    };
    world.add(seed.into_employee(day(1).date_naive()));
}

/// The world after a first push of `a` and `b` and a second one of `b` and `c`.
fn two_pushes(behaviour: &Behaviour) -> World {
    let mut world = World::default();
    world.accept(push("one", &["a", "b"]), behaviour, day(1));
    world.accept(push("two", &["b", "c"]), behaviour, day(2));
    world
}

fn statuses(world: &World) -> Vec<&str> {
    world
        .employees
        .iter()
        .map(|employee| &*employee.subscription.status)
        .collect()
}

fn last_sync(world: &World, id: u64) -> Option<&str> {
    let link = world.employee(id)?.link_to(OURS)?;
    link.last_sync_id.as_ref().map(|id| id.as_str())
}

#[test]
fn a_push_replaces_the_full_roster() {
    let world = two_pushes(&Behaviour::default());
    assert_eq!(statuses(&world), [CANCELLED, ACTIVE, ACTIVE]);
    assert_eq!(
        world.employees[0].subscription.cancelled_at,
        Some(day(2).date_naive())
    );
    assert_eq!(last_sync(&world, 1), Some("one"));
    assert_eq!(last_sync(&world, 2), Some("two"));
    let ids: Vec<_> = world.employees.iter().map(|employee| employee.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(
        world.integrations[&OURS].last_sync_id.as_deref(),
        Some("two")
    );
}

#[test]
fn an_empty_roster_offboards_everyone() {
    let mut world = two_pushes(&Behaviour::default());
    world.accept(push("three", &[]), &Behaviour::default(), day(3));
    assert_eq!(statuses(&world), [CANCELLED; 3]);
    assert_eq!(
        world.employees[0].subscription.cancelled_at,
        Some(day(2).date_naive())
    );
}

#[test]
fn a_change_of_values_keeps_the_person() {
    let mut world = two_pushes(&Behaviour::default());
    let mut changed = push("three", &["b", "c"]);
    changed.people[0].email = "new@example.com".to_owned();
    world.accept(changed, &Behaviour::default(), day(3));
    assert_eq!(world.employees.len(), 3);
    assert_eq!(world.employee(2).unwrap().email, "new@example.com");
}

#[test]
fn people_are_found_in_whatever_order_they_come() {
    let mut world = World::default();
    world.accept(
        push("one", &["a", "b", "c", "d"]),
        &Behaviour::default(),
        day(1),
    );
    for (sync_id, hr_ids) in [
        ("two", &["d", "new", "a", "b", "c"][..]),
        ("three", &["b", "c", "d", "new", "a"]),
        ("four", &["a", "c", "new"]),
    ] {
        let mut moved = push(sync_id, hr_ids);
        for person in &mut moved.people {
            person.last_name = format!("{} {sync_id}", person.hr_id);
        }
        world.accept(moved, &Behaviour::default(), day(2));
    }
    let people: Vec<_> = world
        .employees
        .iter()
        .map(|person| (person.links[0].hr_id.as_str(), person.last_name.as_str()))
        .collect();
    assert_eq!(
        people,
        [
            ("a", "a four"),
            ("b", "b three"),
            ("c", "c four"),
            ("d", "d three"),
            ("new", "new four")
        ]
    );
    assert_eq!(
        statuses(&world),
        [ACTIVE, CANCELLED, ACTIVE, CANCELLED, ACTIVE]
    );
}

#[test]
fn a_copy_stays_as_it_is_whatever_a_push_does_to_the_original() {
    let behaviour = Behaviour {
        links_after_offboarding: LinksAfterOffboarding::Go,
        unlinked_people: Others::Offboarded,
        ..Behaviour::default()
    };
    let mut world = two_pushes(&behaviour);
    seed(&mut world, "nobody@example.com", &[]);
    let copy = world.clone();
    let before = serde_json::to_string(&copy).unwrap();
    let mut changed = push("three", &["a", "b"]);
    changed.people[1].email = "new@example.com".to_owned();
    world.accept(changed, &behaviour, day(3));
    assert_eq!(statuses(&world), [ACTIVE, ACTIVE, CANCELLED, CANCELLED]);
    assert_eq!(serde_json::to_string(&copy).unwrap(), before);
}

#[test]
fn links_to_other_integrations_stay_where_they_are() {
    let mut world = World::default();
    seed(
        &mut world,
        "a@example.com",
        &[("x", THEIRS), ("a", OURS), ("y", 9)],
    );
    world.accept(push("one", &["a"]), &Behaviour::default(), day(1));
    let links: Vec<_> = world.employees[0]
        .links
        .iter()
        .map(|link| (link.hr_id.as_str(), link.last_synced))
        .collect();
    assert_eq!(links, [("x", None), ("a", Some(day(1))), ("y", None)]);
}

#[test]
fn a_link_stays_or_goes_with_the_offboarding() {
    let mut behaviour = Behaviour::default();
    assert!(two_pushes(&behaviour).employees[0].link_to(OURS).is_some());
    behaviour.links_after_offboarding = LinksAfterOffboarding::Go;
    let world = two_pushes(&behaviour);
    assert!(world.employees[0].links.is_empty());
    assert_eq!(statuses(&world)[0], CANCELLED);
}

#[test]
fn a_resent_person_gets_the_subscription_back_or_not() {
    for links in [LinksAfterOffboarding::Stay, LinksAfterOffboarding::Go] {
        let mut behaviour = Behaviour {
            links_after_offboarding: links,
            ..Behaviour::default()
        };
        let mut world = two_pushes(&behaviour);
        world.accept(push("three", &["a", "b", "c"]), &behaviour, day(3));
        assert_eq!(statuses(&world), [ACTIVE; 3]);
        let subscription = &world.employees[0].subscription;
        assert_eq!(subscription.reactivated_at, Some(day(3).date_naive()));
        assert_eq!(subscription.cancelled_at, None);

        behaviour.resent_gets_subscription_back = Answer::No;
        let mut world = two_pushes(&behaviour);
        world.accept(push("three", &["a", "b", "c"]), &behaviour, day(3));
        assert_eq!(statuses(&world), [CANCELLED, ACTIVE, ACTIVE]);
        assert_eq!(last_sync(&world, 1), Some("three"));
    }
}

#[test]
fn a_person_known_by_e_mail_is_linked_or_doubled() {
    for (answer, people) in [(Answer::Yes, 2), (Answer::No, 4)] {
        let behaviour = Behaviour {
            known_email_is_linked: answer,
            ..Behaviour::default()
        };
        let mut world = World::default();
        seed(&mut world, "A@Example.com", &[]);
        seed(&mut world, "b@example.com", &[("x", THEIRS)]);
        world.accept(push("one", &["a", "b"]), &behaviour, day(1));
        assert_eq!(world.employees.len(), people);
        assert_eq!(
            world.employees[0].link_to(OURS).is_some(),
            answer == Answer::Yes
        );
        assert_eq!(world.employees[1].link_to(THEIRS).unwrap().hr_id, "x");
    }
}

#[test]
fn a_new_hr_id_of_a_linked_person_is_a_new_person() {
    let mut world = World::default();
    world.accept(push("one", &["a"]), &Behaviour::default(), day(1));
    let mut renamed = push("two", &["a2"]);
    renamed.people[0].email = "a@example.com".to_owned();
    world.accept(renamed, &Behaviour::default(), day(2));
    assert_eq!(statuses(&world), [CANCELLED, ACTIVE]);
}

#[test]
fn people_of_nobody_and_of_others_are_kept_or_offboarded() {
    for unlinked in [Others::Kept, Others::Offboarded] {
        for others in [Others::Kept, Others::Offboarded] {
            let behaviour = Behaviour {
                unlinked_people: unlinked,
                people_of_other_integrations: others,
                ..Behaviour::default()
            };
            let mut world = World::default();
            seed(&mut world, "nobody@example.com", &[]);
            seed(&mut world, "other@example.com", &[("x", THEIRS)]);
            world.accept(push("one", &["a"]), &behaviour, day(1));
            let status = |others| {
                if others == Others::Kept {
                    ACTIVE
                } else {
                    CANCELLED
                }
            };
            assert_eq!(statuses(&world), [status(unlinked), status(others), ACTIVE]);
        }
    }
}

#[test]
fn people_of_refused_records_are_neither_updated_nor_missing() {
    let mut world = two_pushes(&Behaviour::default());
    let mut partly = push("three", &["d"]);
    partly.named.hr_ids.insert("b".to_owned());
    partly.named.emails.insert("c@example.com".to_owned());
    world.accept(partly, &Behaviour::default(), day(3));
    assert_eq!(statuses(&world), [CANCELLED, ACTIVE, ACTIVE, ACTIVE]);
    assert_eq!(last_sync(&world, 2), Some("two"));
}

#[test]
fn a_known_sync_id_is_processed_again_or_ignored() {
    for (duplicate, expected) in [
        (DuplicateSyncId::Reprocess, CANCELLED),
        (DuplicateSyncId::Ignore, ACTIVE),
    ] {
        let behaviour = Behaviour {
            duplicate_sync_id: duplicate,
            ..Behaviour::default()
        };
        let mut world = two_pushes(&behaviour);
        world.accept(push("one", &[]), &behaviour, day(3));
        assert_eq!(statuses(&world)[1], expected);
    }
}

#[test]
fn the_sync_id_of_another_integration_is_not_known() {
    let behaviour = Behaviour {
        duplicate_sync_id: DuplicateSyncId::Ignore,
        ..Behaviour::default()
    };
    let mut world = two_pushes(&behaviour);
    world.accept(
        Push {
            integration: THEIRS,
            ..push("one", &["z"])
        },
        &behaviour,
        day(3),
    );
    assert_eq!(world.employees.len(), 4);
}

#[test]
fn a_late_push_shows_after_so_many_requests() {
    let behaviour = Behaviour {
        processing: Processing::Later { after_requests: 2 },
        ..Behaviour::default()
    };
    let mut world = World::default();
    world.accept(push("one", &["a"]), &behaviour, day(1));
    let mut seen = Vec::new();
    for _ in 0..3 {
        world.apply_due(&behaviour, day(1));
        world.count_request();
        seen.push(world.employees.len());
    }
    assert_eq!(seen, [0, 0, 1]);
}

#[test]
fn pushes_take_effect_in_the_order_they_came() {
    let late = Behaviour {
        processing: Processing::Later { after_requests: 9 },
        ..Behaviour::default()
    };
    let mut world = World::default();
    world.accept(push("one", &["a"]), &late, day(1));
    world.accept(push("two", &["b"]), &late, day(1));
    world.accept(push("three", &["b", "c"]), &Behaviour::default(), day(1));
    assert!(world.pending.is_empty());
    assert_eq!(statuses(&world), [CANCELLED, ACTIVE, ACTIVE]);
    assert_eq!(
        world.integrations[&OURS].last_sync_id.as_deref(),
        Some("three")
    );
}

#[test]
fn a_subscription_starts_with_the_employment_but_never_in_the_past() {
    let mut world = World::default();
    let mut one = push("one", &["a", "b"]);
    one.people[0].start_date = NaiveDate::from_ymd_opt(2020, 1, 1);
    one.people[1].start_date = NaiveDate::from_ymd_opt(2026, 5, 1);
    world.accept(one, &Behaviour::default(), day(1));
    let starts: Vec<_> = world
        .employees
        .iter()
        .map(|employee| employee.subscription.start_at.to_string())
        .collect();
    assert_eq!(starts, ["2026-03-01", "2026-05-01"]);
}
