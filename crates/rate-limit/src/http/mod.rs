//! Rate limits over HTTP: who the client is, and what it is told.
