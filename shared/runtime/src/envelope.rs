//! What a queue message holds: a versioned envelope around an event, an input or an effect.
