//! The suite, on a fake that can do all and on one that can do the least.

mod of_an_engine_that_can_do_all {
    use orchestrator_plugin::Capabilities;

    use crate::subject::Fake;

    orchestrator_conformance::suite!(Fake::new(Capabilities::all()));
}

mod of_an_engine_that_can_do_the_least {
    use orchestrator_plugin::Capability;

    use crate::subject::Fake;

    orchestrator_conformance::suite!(Fake::new(Capability::EngineNamespace.into()));
}
