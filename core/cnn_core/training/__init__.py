"""Training as a generator of events, plus a control that is asked between steps."""
