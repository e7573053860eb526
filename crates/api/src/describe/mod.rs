//! Turns the signature of a handler into a part of the OpenAPI document.
//!
//! The parameter and return types of handlers describe themselves. So a route is documented as it is, and a change of a
//! handler changes the document.

mod input;
mod operation;
mod output;
mod schemas;

pub(super) use input::Input;
pub(super) use operation::Operation;
pub(super) use output::{Accepted, Created, NoContent, Output, describe_json};
pub(super) use schemas::Schemas;

/// A handler that can be described. `I` are its arguments, `O` is what it returns.
pub(super) trait Described<I, O> {
    /// Adds what the handler takes and returns to an operation.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

macro_rules! described {
    ($($argument:ident),*) => {
        impl<F, Fut, O, $($argument),*> Described<($($argument,)*), O> for F
        where
            F: FnOnce($($argument),*) -> Fut,
            Fut: Future<Output = O>,
            O: Output,
            $($argument: Input,)*
        {
            fn describe(operation: &mut Operation, schemas: &mut Schemas) {
                $($argument::describe(operation, schemas);)*
                O::describe(operation, schemas);
            }
        }
    };
}

described!();
described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);
described!(A, B, C, D, E);
