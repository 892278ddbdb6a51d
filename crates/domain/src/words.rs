//! Kinds of things: an enumeration whose values have a word each, for the database and the API.

macro_rules! words {
    ($(#[$top:meta])* $name:ident, $what:literal, $why:literal: $($(#[$doc:meta])* $word:ident = $text:literal),+ $(,)?) => {
        $(#[$top])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $word),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// As the database and the API write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::Invalid;

            fn try_from(value: &str) -> Result<Self, $crate::Invalid> {
                let found = Self::ALL.iter().copied().find(|one| one.as_str() == value);
                found.ok_or_else(|| $crate::Invalid::new($what, $why, value))
            }
        }
    };
}

pub(crate) use words;
