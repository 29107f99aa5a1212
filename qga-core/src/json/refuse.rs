//! The methods of a serializer that takes a few things and nothing else.

/// All but those for a map, bytes, none, some and a newtype.
macro_rules! refuse {
    ($error:ty, $value:expr) => {
        $crate::json::refuse::methods! { $error, $value,
            serialize_bool(bool) -> ();
            serialize_i8(i8) -> ();
            serialize_i16(i16) -> ();
            serialize_i32(i32) -> ();
            serialize_i64(i64) -> ();
            serialize_i128(i128) -> ();
            serialize_u8(u8) -> ();
            serialize_u16(u16) -> ();
            serialize_u32(u32) -> ();
            serialize_u64(u64) -> ();
            serialize_u128(u128) -> ();
            serialize_f32(f32) -> ();
            serialize_f64(f64) -> ();
            serialize_char(char) -> ();
            serialize_str(&str) -> ();
            serialize_unit() -> ();
            serialize_unit_struct(&'static str) -> ();
            serialize_unit_variant(&'static str, u32, &'static str) -> ();
            serialize_seq(Option<usize>) -> Self::SerializeSeq;
            serialize_tuple(usize) -> Self::SerializeTuple;
            serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
            serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
            serialize_struct(&'static str, usize) -> Self::SerializeStruct;
            serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
        }

        fn serialize_newtype_variant<T: ::serde::Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<(), $error> {
            Err($value)
        }

        /// The default would write the text out.
        #[inline]
        fn collect_str<T: ::std::fmt::Display + ?Sized>(self, _: &T) -> Result<(), $error> {
            Err($value)
        }
    };
}

macro_rules! methods {
    ($error:ty, $value:expr, $($method:ident($($argument:ty),*) -> $ok:ty;)*) => {$(
        #[inline]
        fn $method(self, $(_: $argument),*) -> Result<$ok, $error> {
            Err($value)
        }
    )*};
}

pub(super) use {methods, refuse};
