//! What this host can enforce.
