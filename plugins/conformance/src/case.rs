//! The cases of the suite as values.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use orchestrator_plugin::Capability;

use crate::{Need, Subject};

/// One part of the contract.
pub struct Case<S> {
    /// Its name: the module and the function.
    pub name: &'static str,
    /// What the subject has to do for it behind the plugin's back.
    pub needs: &'static [Need],
    /// The capabilities that it is about. It says nothing about an engine that lacks one of them.
    pub capabilities: &'static [Capability],
    /// Runs it. The future panics when the engine does not do as it must.
    pub run: fn(Arc<S>) -> LocalBoxFuture<'static, ()>,
}

/// Makes the list of cases: for [`cases`].
#[doc(hidden)]
#[macro_export]
macro_rules! list {
    (; $($module:ident :: $name:ident [$($need:ident),*] [$($capability:ident),*],)*) => {
        vec![$(
            Case {
                name: concat!(stringify!($module), "::", stringify!($name)),
                needs: &[$(Need::$need),*],
                capabilities: &[$(Capability::$capability),*],
                run: |subject| Box::pin(async move { $crate::$module::$name(subject.as_ref()).await }),
            },
        )*]
    };
}

/// The whole contract, in the order in which it is best read.
pub fn cases<S: Subject + 'static>() -> Vec<Case<S>> {
    crate::for_each_case! { list }
}
