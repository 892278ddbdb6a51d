//! Kasir, the cashier of a boarding house: the HTTP service, and the roles that a process can play.

pub mod config;
pub mod csv;
mod dashboard;
pub mod demo;
mod descriptors;
pub mod dossier;
pub mod evidence;
pub mod foresight;
pub mod heartbeat;
pub mod http;
pub mod importing;
pub mod reconciling;
pub mod roles;
pub mod shutdown;
pub mod telemetry;
