//! The controller as an I2C bus.

use super::{Bridge, BridgeError, Recovery, request::Request};
use crate::peripheral::{BusError, I2c};
use tokio::io::{AsyncRead, AsyncWrite};

impl<P: AsyncRead + AsyncWrite + Unpin + Send> I2c for Bridge<P> {
    async fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), BusError> {
        let request = Request::I2cWrite { address, bytes: bytes.to_vec() };
        self.ask(&request).await.map(drop).map_err(|error| failure(address, &error))
    }

    async fn write_read(&mut self, address: u8, bytes: &[u8], reply: &mut [u8]) -> Result<(), BusError> {
        // A length beyond a byte is beyond every bound as well, and refused as such.
        let count = u8::try_from(reply.len()).unwrap_or(u8::MAX);
        let request = Request::I2cWriteRead { address, bytes: bytes.to_vec(), count };
        let data = self.ask(&request).await.map_err(|error| failure(address, &error))?;
        reply.iter_mut().zip(data).for_each(|(place, byte)| *place = byte);
        Ok(())
    }
}

fn failure(address: u8, error: &BridgeError) -> BusError {
    match (error, error.recovery()) {
        (BridgeError::Refused(refusal), _) => BusError::NoAnswer { address, said: refusal.to_string() },
        (_, Recovery::Repeat | Recovery::Refused) => BusError::Controller(error.to_string()),
        (_, Recovery::Gone) => BusError::Gone(error.to_string()),
    }
}
