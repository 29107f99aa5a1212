//! A guest of a fleet, and how it is reached.

use std::sync::Arc;
use std::time::Instant;

use crate::client::{Client, ClientBuilder};
use crate::error::{AddressError, Error, ErrorKind};
use crate::transport::{Address, connect_error, text_of};

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: Arc<str>,
    pub(super) access: Access,
}

#[derive(Clone, Debug)]
pub(super) enum Access {
    Address(Address),
    Unreadable(AddressError),
    Client(Client),
}

impl Member {
    pub(super) fn at<A>(address: A) -> Self
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let access = Access::read(address);
        let name = match &access {
            Access::Address(address) => address.to_string().into(),
            Access::Unreadable(error) => error.text().into(),
            Access::Client(_) => Arc::default(),
        };
        Self { name, access }
    }

    pub(super) fn named<A>(name: Arc<str>, address: A) -> Self
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let access = Access::read(address);
        Self { name, access }
    }

    pub(super) fn of(name: Arc<str>, client: Client) -> Self {
        let access = Access::Client(client);
        Self { name, access }
    }

    /// The address, as errors show it.
    pub(super) fn address(&self) -> Option<Arc<str>> {
        match &self.access {
            Access::Address(address) => Some(text_of(address)),
            Access::Unreadable(_) => None,
            Access::Client(client) => client.address().map(text_of),
        }
    }
}

impl Access {
    fn read<A>(address: A) -> Self
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        match address.try_into() {
            Ok(address) => Self::Address(address),
            Err(error) => Self::Unreadable(error.into()),
        }
    }

    /// A client all of whose commands have ended by then.
    pub(super) async fn client(
        self,
        builder: ClientBuilder,
        end: Instant,
    ) -> Result<Client, Error> {
        match self {
            Self::Address(address) => builder.deadline(end).connect(address).await,
            Self::Unreadable(error) => Err(connect_error(ErrorKind::Address(error))),
            Self::Client(client) => Ok(client.until(end)),
        }
    }
}
