//! Rows that are read so often that their columns are taken by place and not looked for by name.

/// A row whose columns stand in the order of its fields.
macro_rules! in_order {
    ($(#[$about:meta])* $seen:vis struct $name:ident { $($field_seen:vis $field:ident: $kind:ty,)+ }) => {
        $(#[$about])* $seen struct $name { $($field_seen $field: $kind,)+ }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            usize: sqlx::ColumnIndex<R>,
            $($kind: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)+
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                let mut places = 0..;
                let mut next = || places.next().unwrap_or_default();
                Ok(Self { $($field: row.try_get(next())?,)+ })
            }
        }
    };
}

pub(crate) use in_order;
