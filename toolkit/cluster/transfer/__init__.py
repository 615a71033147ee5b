"""Files to and from machines that share no folder: content-addressed, each whole or absent; nothing here knows Ray."""
