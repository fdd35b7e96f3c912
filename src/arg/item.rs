//! Items of an array.

use super::{Arg, IntoArg};

/// The parameters of a task, as a tuple of their types.
#[doc(hidden)]
pub trait Parameters {
    /// A tuple with one argument for each parameter.
    type Arguments;
}

/// An item of `map`: the arguments of one call.
///
/// - for a task with one parameter, any argument that it accepts: see [`IntoArg`];
/// - for a task with several, a tuple of arguments;
/// - for a task without, `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an item of an array of calls that take `{P}`",
    label = "expected the arguments of a call, `{P}`",
    note = "an item is the argument itself if there is one parameter, and a tuple of arguments if there are several"
)]
pub trait IntoItem<P: Parameters> {
    /// Returns the arguments of the call.
    #[doc(hidden)]
    fn into_item(self) -> P::Arguments;
}

impl Parameters for () {
    type Arguments = ();
}

impl IntoItem<()> for () {
    fn into_item(self) {}
}

impl<T> Parameters for (T,) {
    type Arguments = (Arg<T>,);
}

impl<T, A: IntoArg<T>> IntoItem<(T,)> for A {
    fn into_item(self) -> (Arg<T>,) {
        (self.into_arg(),)
    }
}

macro_rules! tuples {
    ($(($($ty:ident $given:ident $name:ident),+))*) => {$(
        impl<$($ty),+> Parameters for ($($ty,)+) {
            type Arguments = ($(Arg<$ty>,)+);
        }

        impl<$($ty, $given: IntoArg<$ty>),+> IntoItem<($($ty,)+)> for ($($given,)+) {
            fn into_item(self) -> ($(Arg<$ty>,)+) {
                let ($($name,)+) = self;
                ($($name.into_arg(),)+)
            }
        }
    )*};
}

tuples! {
    (T0 A0 a0, T1 A1 a1)
    (T0 A0 a0, T1 A1 a1, T2 A2 a2)
    (T0 A0 a0, T1 A1 a1, T2 A2 a2, T3 A3 a3)
    (T0 A0 a0, T1 A1 a1, T2 A2 a2, T3 A3 a3, T4 A4 a4)
    (T0 A0 a0, T1 A1 a1, T2 A2 a2, T3 A3 a3, T4 A4 a4, T5 A5 a5)
    (T0 A0 a0, T1 A1 a1, T2 A2 a2, T3 A3 a3, T4 A4 a4, T5 A5 a5, T6 A6 a6)
    (T0 A0 a0, T1 A1 a1, T2 A2 a2, T3 A3 a3, T4 A4 a4, T5 A5 a5, T6 A6 a6, T7 A7 a7)
}
