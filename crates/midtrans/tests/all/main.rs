//! The client against a gateway of one line: it says what the test tells it to say, and remembers what it was asked.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod signatures;
