"""The status page for people: the state of all backup sets as HTML."""
