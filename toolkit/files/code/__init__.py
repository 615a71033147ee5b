"""The user's own code: found and followed without running it, then loaded."""
