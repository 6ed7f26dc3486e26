//! How the host reaches its boards: USB devices and the serial ports that they bring.

pub mod device;
pub mod serial;
pub mod usb;
