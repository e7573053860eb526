//! The timeline, and who listens to it.

use orchestrator::model::{EventKind, Id, NewEvent};
use orchestrator::store::EventFilter;

use crate::on_both;
use crate::place::{Place, at, event, holding_client};

on_both!(
    events_rise_and_are_heard_in_order,
    events_are_listed_forwards_and_from_the_end,
    an_event_finds_its_client_by_duid_and_link,
    others_that_were_seen_lately_are_told_of_once_each
);

async fn events_rise_and_are_heard_in_order(place: Place) {
    let store = place.open().await;
    let mut heard = store.subscribe();
    let client = Id::from_bytes([1; 6]);
    for id in 1..=5 {
        let new = NewEvent {
            detail: Some(format!("the {id}th")),
            ..event(EventKind::Refused, client)
        };
        assert_eq!(store.append_event(new).await.unwrap().id, id);
    }
    for id in 1..=5 {
        let event = heard.recv().await.unwrap();
        assert_eq!((event.id, event.detail), (id, Some(format!("the {id}th"))));
    }
    store.close().await;
    let again = place.open().await;
    assert_eq!(
        again.append_event(event(EventKind::Refused, client)).await.unwrap().id,
        6
    );
}

async fn others_that_were_seen_lately_are_told_of_once_each(place: Place) {
    let store = place.open().await;
    let minute = |minute: i64| at(60 * minute);
    let seen = async |kind: EventKind, minutes: i64, detail: &str| {
        let new = NewEvent {
            link: Some("br0".to_owned()),
            detail: Some(detail.to_owned()),
            ..NewEvent::new(minute(minutes), kind)
        };
        store.append_event(new).await.unwrap();
    };
    seen(EventKind::OtherServer, 0, "gone").await;
    seen(EventKind::OtherRouter, 30, "a").await;
    seen(EventKind::OtherServer, 40, "a").await;
    seen(EventKind::Refused, 50, "no other").await;
    seen(EventKind::OtherRouter, 90, "a").await;
    let others = store.others(minute(121)).await.unwrap();
    let told: Vec<_> = others.iter().map(|event| (event.kind, event.at)).collect();
    let expected = [
        (EventKind::OtherRouter, minute(90)),
        (EventKind::OtherServer, minute(40)),
    ];
    assert_eq!(told, expected);
    assert_eq!(place.look_for_others(minute(121)).await.unwrap(), others);
    assert_eq!(store.others(minute(220)).await.unwrap(), []);
}

async fn an_event_finds_its_client_by_duid_and_link(place: Place) {
    let store = place.open().await;
    let client = holding_client(&store, 1).await;
    let duid = store.client(client).await.unwrap().unwrap().duid;
    let link = store.client(client).await.unwrap().unwrap().link;
    let of = async |link: &str| {
        let new = NewEvent {
            link: Some(link.to_owned()),
            client: None,
            ..event(EventKind::ClonedDuid, client)
        };
        store.append_event_of(duid.clone(), new).await.unwrap().client
    };
    assert_eq!(of(&link).await, Some(client));
    assert_eq!(of("elsewhere").await, None);
}

async fn events_are_listed_forwards_and_from_the_end(place: Place) {
    let store = place.open().await;
    let [one, two] = [Id::from_bytes([1; 6]), Id::from_bytes([2; 6])];
    for n in 0..10 {
        let link = Some(if n < 5 { "br0" } else { "br1" }.to_owned());
        let client = if n % 2 == 0 { one } else { two };
        let new = NewEvent {
            at: at(n),
            link,
            instance: Some(client),
            ..event(EventKind::Refused, client)
        };
        store.append_event(new).await.unwrap();
    }
    let list = async |filter| {
        let page = store.events(filter).await.unwrap();
        (
            page.items.into_iter().map(|event| event.id).collect::<Vec<_>>(),
            page.next,
        )
    };
    let every = EventFilter::default;
    assert_eq!(list(every()).await.0, (1..=10).collect::<Vec<_>>());
    assert_eq!(
        list(EventFilter {
            limit: Some(3),
            ..every()
        })
        .await,
        (vec![1, 2, 3], Some("3".to_owned()))
    );
    assert_eq!(
        list(EventFilter {
            after: Some(3),
            limit: Some(3),
            ..every()
        })
        .await
        .0,
        [4, 5, 6]
    );
    assert_eq!(
        list(EventFilter {
            latest: true,
            limit: Some(3),
            ..every()
        })
        .await,
        (vec![8, 9, 10], None)
    );
    let before = EventFilter {
        latest: true,
        before: Some(8),
        limit: Some(2),
        ..every()
    };
    assert_eq!(list(before).await.0, [6, 7]);
    assert_eq!(
        list(EventFilter {
            link: Some("br1".to_owned()),
            ..every()
        })
        .await
        .0,
        [6, 7, 8, 9, 10]
    );
    assert_eq!(
        list(EventFilter {
            client: Some(two),
            ..every()
        })
        .await
        .0,
        [2, 4, 6, 8, 10]
    );
    assert_eq!(
        list(EventFilter {
            instance: Some(one),
            after: Some(7),
            ..every()
        })
        .await
        .0,
        [9]
    );
}
